//! Converts XML of any shape to a JSON value, for notifications that something on the way converted
//! (ASSUMED: Align itself sends JSON). Contains no names.

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

/// Maximum nesting of elements.
const DEPTH: usize = 16;

/// An element that is not closed yet.
struct Open {
    name: String,
    inner: Map<String, Value>,
    text: String,
}

/// Returns an object with the root element under its name; attributes and elements become fields,
/// repeated ones a list. `None` if it is not well-formed XML, or a web page.
pub(super) fn value(bytes: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_start();
    if !text.starts_with('<') {
        return None;
    }
    let mut reader = Reader::from_str(text);
    let mut open = vec![Open { name: String::new(), inner: Map::new(), text: String::new() }];
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) if open.len() <= DEPTH => open.push(opened(&tag)?),
            Ok(Event::Empty(tag)) => close(opened(&tag)?, open.last_mut()?),
            Ok(Event::End(_)) if open.len() > 1 => {
                let closed = open.pop()?;
                close(closed, open.last_mut()?);
            }
            Ok(Event::Text(piece)) => open.last_mut()?.text.push_str(&unescape(&piece).ok()?),
            Ok(Event::CData(piece)) => open.last_mut()?.text.push_str(&piece),
            // No id contains an entity.
            Ok(Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::GeneralRef(_)) => {}
            Ok(Event::Eof) => break,
            Ok(_) | Err(_) => return None,
        }
    }
    match <[Open; 1]>::try_from(open) {
        Ok([root]) if !root.inner.is_empty() => Some(Value::Object(root.inner)),
        _ => None,
    }
}

fn opened(tag: &BytesStart<'_>) -> Option<Open> {
    let name = tag.local_name().as_ref().to_owned();
    if name.eq_ignore_ascii_case("html") {
        return None;
    }
    let mut inner = Map::new();
    for attribute in tag.attributes().with_checks(false).flatten() {
        let value = unescape(&attribute.value).ok()?.into_owned();
        put(&mut inner, attribute.key.local_name().as_ref(), value.into());
    }
    Some(Open { name, inner, text: String::new() })
}

fn close(closed: Open, around: &mut Open) {
    let value = if closed.inner.is_empty() {
        closed.text.trim().into()
    } else {
        Value::Object(closed.inner)
    };
    put(&mut around.inner, &closed.name, value);
}

fn put(into: &mut Map<String, Value>, name: &str, value: Value) {
    match into.get_mut(name) {
        None => drop(into.insert(name.to_owned(), value)),
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = vec![first.take(), value].into(),
    }
}
