//! Reading scan notifications. The names in them stand in [`wire`](super::wire).

use serde_json::{Map, Value};

use super::loose::{BadAnswer, field, id, value};
use super::wire;
use crate::model::ids::{AccountId, RxId};
use crate::model::notification::Named;

/// So many orders are taken from one notification.
const MOST: usize = 1_000;
/// Objects and lists are looked into so deep.
const DEPTH: usize = 5;

/// Reads what a scan notification names: JSON of nearly any shape, or else a form. A notification
/// without a body may say it in its `query`.
///
/// # Errors
/// It names no order. The text says why, without any of the content.
pub fn read_notification(body: &[u8], query: Option<&str>) -> Result<Vec<Named>, String> {
    let mut named = Vec::new();
    let read =
        if body.trim_ascii().is_empty() { Err(BadAnswer::Lacks("body")) } else { value(body) };
    match read {
        Ok(value) => collect(&value, None, DEPTH, &mut named),
        Err(BadAnswer::WebPage) => return Err(BadAnswer::WebPage.to_string()),
        Err(why) => {
            collect(&form(body), None, DEPTH, &mut named);
            collect(&form(query.unwrap_or_default().as_bytes()), None, DEPTH, &mut named);
            if named.is_empty() {
                return Err(why.to_string());
            }
        }
    }
    if named.is_empty() {
        return Err(BadAnswer::Lacks("Rx id").to_string());
    }
    named.sort();
    named.dedup();
    Ok(named)
}

fn form(text: &[u8]) -> Value {
    let pairs = url::form_urlencoded::parse(text);
    Value::Object(pairs.map(|(name, value)| (name.into_owned(), value.into())).collect())
}

/// Whoever is not told an account takes that of what stands around.
fn collect(value: &Value, account: Option<&AccountId>, depth: usize, named: &mut Vec<Named>) {
    if depth == 0 || named.len() >= MOST {
        return;
    }
    match value {
        Value::Array(list) => {
            for entry in list {
                collect(entry, account, depth - 1, named);
            }
        }
        Value::Object(object) => {
            let own = number::<AccountId>(object, &wire::NOTIFIED_ACCOUNT).into_iter().next();
            let account = own.as_ref().or(account);
            let found = number::<RxId>(object, &wire::NOTIFIED_RX);
            if found.is_empty() {
                for inner in object.values().filter(|value| value.is_object() || value.is_array()) {
                    collect(inner, account, depth - 1, named);
                }
            }
            let room = MOST.saturating_sub(named.len());
            let found = found.into_iter().take(room);
            named.extend(found.map(|rx| Named { account: account.cloned(), rx }));
        }
        _ => {}
    }
}

/// The identifiers under one of these names: one, several in a list, or each in an object of its own.
fn number<T: std::str::FromStr>(object: &Map<String, Value>, names: &[&str]) -> Vec<T> {
    fn one<T: std::str::FromStr>(value: &Value) -> Option<T> {
        match value {
            Value::Object(inner) => id(field(inner, &wire::NOTIFIED_INNER)),
            other => id(Some(other)),
        }
    }
    match field(object, names) {
        Some(Value::Array(list)) => list.iter().filter_map(one).collect(),
        Some(other) => one(other).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<(String, String)>, String> {
        let text = |named: Named| {
            let account = named.account.map_or_else(|| "-".to_owned(), String::from);
            (account, named.rx.as_str().to_owned())
        };
        read_notification(body.as_bytes(), None).map(|all| all.into_iter().map(text).collect())
    }

    fn one(account: &str, rx: &str) -> Vec<(String, String)> {
        vec![(account.to_owned(), rx.to_owned())]
    }

    #[test]
    fn names_and_shapes_may_be_nearly_anything() {
        for body in [
            r#"{"rxId":"77","accountNumber":"4711"}"#,
            r#"{"RxID":77,"AccountNumber":4711}"#,
            r#"{"rx_id":"77","account_id":4711.0}"#,
            r#"{"prescriptionId":77,"companyId":"4711","event":"scan-ready"}"#,
            r#"{"data":{"rxId":"77","account":{"id":4711}}}"#,
            r#"{"accountId":4711,"data":{"order":{"rxId":"77"}}}"#,
            r#"{"accountId":4711,"rxIds":["77"]}"#,
            r#"[{"rxId":"77","accountId":"4711"},{"rxId":77,"accountId":4711}]"#,
            "\u{feff}{\"rxId\":\"77\",\"accountId\":4711}",
            "rxId=77&accountNumber=4711",
        ] {
            assert_eq!(read(body).expect(body), one("4711", "77"));
        }
        assert_eq!(read(r#"{"rxId":"77"}"#).expect("readable"), one("-", "77"));
        let two = read(r#"{"account":1,"orders":[{"rxId":"a"},{"rxId":"b","account":2}]}"#);
        assert_eq!(two.expect("readable").len(), 2);
        let query = read_notification(b"", Some("rxid=77&account=4711")).expect("readable");
        assert_eq!(query[0].rx.as_str(), "77");
    }

    #[test]
    fn what_names_no_order_is_refused_without_its_content() {
        for body in [
            "",
            "{}",
            "null",
            "<html>Doe</html>",
            r#"{"patient":"Doe"}"#,
            r#"{"rxId":null}"#,
            r#"{"rxId":{"of":"Doe"}}"#,
            r#"{"rxId":"Doe""#,
            "Doe",
        ] {
            let why = read(body).expect_err(body);
            assert!(!why.contains("Doe"), "{why}");
        }
        let deep = format!("{}{{\"rxId\":1}}{}", "[".repeat(60), "]".repeat(60));
        assert!(read(&deep).is_err());
        let deeper = "[".repeat(60_000);
        assert!(read(&deeper).is_err(), "and the reader survives it");
    }

    #[test]
    fn a_notification_that_names_thousands_is_cut() {
        let many: Vec<_> = (0..5_000).map(|rx| serde_json::json!({ "rxId": rx })).collect();
        let body = serde_json::Value::from(many).to_string();
        assert_eq!(read(&body).expect("readable").len(), MOST);
    }
}
