//! Tolerant parsing of JSON: names in any case and with or without `_` and `-`, numbers instead of
//! texts, lists bare or wrapped. Contains no JSON names itself.
//!
//! Errors cite the position, never the content: answers contain patients' names.

use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Longer texts are cut to this length.
const MAX_TEXT: usize = 256;

/// Why an answer could not be parsed, without its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadAnswer {
    /// It is a web page, as sent by login pages and proxies.
    #[error("it is a web page, not JSON")]
    WebPage,
    /// It is not JSON.
    #[error("it is not valid JSON at line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    /// It is JSON of another shape.
    #[error("it contains no {0}")]
    Lacks(&'static str),
}

/// Parses the whole answer as one JSON value, for small answers.
pub(super) fn value(bytes: &[u8]) -> Result<Value, BadAnswer> {
    let text = clean(bytes);
    serde_json::from_str(&text).map_err(|error| not_json(&text, &error))
}

/// Calls `each` for every entry of a list, one at a time, so that a long list is never in memory as
/// a whole. The list is bare or in an object under one of the `wrappers`; an empty answer is an
/// empty list.
pub(super) fn each_entry(
    bytes: &[u8],
    wrappers: &[&str],
    what: &'static str,
    mut each: impl FnMut(Value),
) -> Result<(), BadAnswer> {
    let text = clean(bytes);
    if text.trim().is_empty() {
        return Ok(());
    }
    let mut reader = serde_json::Deserializer::from_str(&text);
    let found = Entries { wrappers, each: &mut each }
        .deserialize(&mut reader)
        .and_then(|found| reader.end().map(|()| found));
    match found {
        Ok(true) => Ok(()),
        Ok(false) => Err(BadAnswer::Lacks(what)),
        Err(error) if error.is_data() => Err(BadAnswer::Lacks(what)),
        Err(error) => Err(not_json(&text, &error)),
    }
}

/// Returns the field under the first of these names that exists and is not null.
pub(super) fn field<'a>(object: &'a Map<String, Value>, names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| {
        let found = object.get(*name).or_else(|| {
            object.iter().find(|(key, _)| same_name(key, name)).map(|(_, value)| value)
        });
        found.filter(|value| !value.is_null())
    })
}

/// Returns a text, or a number as text; for an object, its `inner` field. Empty counts as absent,
/// control characters become spaces, and overlong texts are cut.
pub(super) fn text(value: Option<&Value>, inner: &[&str]) -> Option<String> {
    let raw = match value? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Object(object) => return text(field(object, inner), &[]),
        _ => return None,
    };
    let flat: String =
        raw.trim().chars().take(MAX_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect();
    (!flat.is_empty()).then_some(flat)
}

/// Parses an identifier, written as text or as a whole number.
pub(super) fn id<T: std::str::FromStr>(value: Option<&Value>) -> Option<T> {
    match value? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) if number.is_u64() || number.is_i64() => {
            number.to_string().parse().ok()
        }
        // Some writers only have floating-point numbers: 17544365.0, 1.7544365E7.
        Value::Number(number) => {
            let number = number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15)?;
            format!("{number:.0}").parse().ok()
        }
        _ => None,
    }
}

/// Whether two names are equal, ignoring case, `_` and `-`.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    let plain = |name: &str| {
        name.chars()
            .filter(|c| !matches!(c, '_' | '-'))
            .map(|c| c.to_ascii_lowercase())
            .collect::<Vec<_>>()
    };
    plain(a) == plain(b)
}

fn clean(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes))
}

fn not_json(text: &str, error: &serde_json::Error) -> BadAnswer {
    if text.trim_start().starts_with('<') {
        BadAnswer::WebPage
    } else {
        BadAnswer::NotJson { line: error.line(), column: error.column() }
    }
}

/// Finds the list and passes on its entries. Returns whether there was one.
struct Entries<'a> {
    wrappers: &'a [&'a str],
    each: &'a mut dyn FnMut(Value),
}

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = bool;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(true)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<bool, A::Error> {
        while let Some(entry) = list.next_element()? {
            (self.each)(entry);
        }
        Ok(true)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(key) = object.next_key::<String>()? {
            if self.wrappers.iter().any(|name| same_name(&key, name)) {
                let inner = Entries { wrappers: self.wrappers, each: &mut *self.each };
                found |= object.next_value_seed(inner)?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries(text: &str) -> Result<usize, BadAnswer> {
        let mut count = 0;
        each_entry(text.as_bytes(), &["items", "data"], "list", |_| count += 1).map(|()| count)
    }

    #[test]
    fn a_list_may_come_bare_or_wrapped_even_twice() {
        assert_eq!(entries("[1, 2]"), Ok(2));
        assert_eq!(entries("\u{feff}[1]"), Ok(1));
        assert_eq!(entries(r#"{"total": 2, "Items": [1, 2]}"#), Ok(2));
        assert_eq!(entries(r#"{"data": {"items": [1, 2, 3]}}"#), Ok(3));
        assert_eq!(entries(""), Ok(0));
        assert_eq!(entries("null"), Ok(0));
        assert_eq!(entries(r#"{"items": null}"#), Ok(0));
    }

    #[test]
    fn what_is_no_list_is_told_without_its_content() {
        assert_eq!(entries(r#""Doe, Jane""#), Err(BadAnswer::Lacks("list")));
        assert_eq!(entries(r#"{"patient": "Doe"}"#), Err(BadAnswer::Lacks("list")));
        assert_eq!(entries("<!doctype html>"), Err(BadAnswer::WebPage));
        assert_eq!(entries("[1, 2"), Err(BadAnswer::NotJson { line: 1, column: 5 }));
        assert!(matches!(entries("[1] [2]"), Err(BadAnswer::NotJson { .. })));
    }

    #[test]
    fn names_are_compared_loosely_and_null_is_absent() {
        let object = json!({"ORDER_ID": 1, "rx-id": null});
        let object = object.as_object().expect("object");
        assert_eq!(field(object, &["orderId"]), Some(&json!(1)));
        assert_eq!(field(object, &["rxId"]), None);
    }

    #[test]
    fn ids_come_as_numbers_or_texts() {
        for value in
            [json!(17_544_365), json!("17544365"), json!(" 17544365 "), json!(1.754_436_5e7)]
        {
            assert_eq!(
                id::<casedrop_model::ids::OrderId>(Some(&value)).expect("id").as_str(),
                "17544365"
            );
        }
        for value in [json!(1.5), json!(""), json!([1]), json!(true)] {
            assert_eq!(id::<casedrop_model::ids::OrderId>(Some(&value)), None, "{value}");
        }
    }
}
