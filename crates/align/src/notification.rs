//! Parses scan notifications. The names in them are defined in [`wire`](super::wire).

use serde_json::{Map, Value};

use super::lenient_json::{BadAnswer, field, id, value};
use super::{notification_xml as xml, wire};
use casedrop_model::ids::{AccountId, OrderId, RxId};
use casedrop_model::notification::{Mention, Named, Reading};

/// Maximum number of orders taken from one notification.
const MOST: usize = 1_000;
/// Maximum nesting of objects, lists and texts that contain JSON.
const DEPTH: usize = 6;

/// Parses what a scan notification says: JSON or XML of nearly any shape, otherwise a form. A
/// notification without a body may say it in its `query`.
pub fn read_notification(body: &[u8], query: Option<&str>) -> Reading {
    let mut found = Found::default();
    let read = if body.trim_ascii().is_empty() {
        Err(BadAnswer::Lacks("body"))
    } else {
        value(body).or_else(|why| xml::value(body).ok_or(why))
    };
    let why = match read {
        Ok(value) => {
            found.collect(&value, None, DEPTH);
            BadAnswer::Lacks("Rx id and no order id")
        }
        Err(BadAnswer::WebPage) => BadAnswer::WebPage,
        Err(why) => {
            found.collect(&form(body), None, DEPTH);
            why
        }
    };
    found.collect(&form(query.unwrap_or_default().as_bytes()), None, DEPTH);
    let Found { mut mentions, account } = found;
    if mentions.is_empty() {
        return Reading::unclear(account, why.to_string());
    }
    mentions.sort();
    mentions.dedup();
    Reading { mentions, unreadable: None }
}

fn form(text: &[u8]) -> Value {
    let pairs = url::form_urlencoded::parse(text);
    Value::Object(pairs.map(|(name, value)| (name.into_owned(), value.into())).collect())
}

#[derive(Default)]
struct Found {
    mentions: Vec<Mention>,
    /// The first account found anywhere.
    account: Option<AccountId>,
}

impl Found {
    /// Collects mentions; those without an account of their own get that of the surrounding object.
    fn collect(&mut self, value: &Value, account: Option<&AccountId>, depth: usize) {
        if depth == 0 || self.mentions.len() >= MOST {
            return;
        }
        match value {
            Value::Array(list) => {
                for entry in list {
                    self.collect(entry, account, depth - 1);
                }
            }
            Value::Object(object) => self.collect_object(object, account, depth),
            // An envelope, as added by message queues.
            Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
                if let Ok(inner) = value_of(text) {
                    self.collect(&inner, account, depth - 1);
                }
            }
            _ => {}
        }
    }

    fn collect_object(
        &mut self,
        object: &Map<String, Value>,
        account: Option<&AccountId>,
        depth: usize,
    ) {
        let own = all::<AccountId>(object, &wire::NOTIFIED_ACCOUNT, &wire::NOTIFIED_INNER);
        let own = own.into_iter().next();
        let account = own.as_ref().or(account);
        if self.account.is_none() {
            self.account = account.cloned();
        }
        let before = self.mentions.len();
        for rx in all::<RxId>(object, &wire::NOTIFIED_RX, &wire::NOTIFIED_INNER) {
            self.add(Mention::Rx(Named { account: account.cloned(), rx }));
        }
        if self.mentions.len() == before {
            for inner in object.values() {
                self.collect(inner, account, depth - 1);
            }
        }
        // An Rx id says more, wherever it is.
        if self.mentions.len() == before {
            for order in all::<OrderId>(object, &wire::NOTIFIED_ORDER, &wire::NOTIFIED_ORDER_INNER)
            {
                self.add(Mention::Order { account: account.cloned(), order });
            }
        }
    }

    fn add(&mut self, mention: Mention) {
        if self.mentions.len() < MOST {
            self.mentions.push(mention);
        }
    }
}

fn value_of(text: &str) -> Result<Value, BadAnswer> {
    value(text.as_bytes())
}

/// Returns the identifiers under one of these names: a single one, several in a list, or each in
/// its own object under one of the `inner` names.
fn all<T: std::str::FromStr>(
    object: &Map<String, Value>,
    names: &[&str],
    inner: &[&str],
) -> Vec<T> {
    let one = |value: &Value| match value {
        Value::Object(object) => id(field(object, inner)),
        other => id(Some(other)),
    };
    match field(object, names) {
        Some(Value::Array(list)) => list.iter().filter_map(one).collect(),
        Some(other) => one(other).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the Rx ids that a readable notification names, each with its account.
    fn read(body: &str) -> Vec<(String, String)> {
        let reading = read_notification(body.as_bytes(), None);
        assert_eq!(reading.unreadable, None, "{body}");
        let text = |mention: Mention| match mention {
            Mention::Rx(Named { account, rx }) => {
                let account = account.map_or_else(|| "-".to_owned(), String::from);
                (account, rx.as_str().to_owned())
            }
            other => panic!("{other:?} in {body}"),
        };
        reading.mentions.into_iter().map(text).collect()
    }

    fn one(account: &str, rx: &str) -> Vec<(String, String)> {
        vec![(account.to_owned(), rx.to_owned())]
    }

    fn account(text: &str) -> AccountId {
        text.parse().expect("valid")
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
            r#"{"accountId":4711,"orderId":"17","rxId":"77"}"#,
            r#"{"accountId":4711,"rxIds":["77"]}"#,
            r#"[{"rxId":"77","accountId":"4711"},{"rxId":77,"accountId":4711}]"#,
            r#"{"Type":"Notification","Message":"{\"rxId\":77,\"accountId\":4711}"}"#,
            "\u{feff}{\"rxId\":\"77\",\"accountId\":4711}",
            "rxId=77&accountNumber=4711",
            "payload=%7B%22rxId%22%3A77%2C%22accountId%22%3A4711%7D",
            "<?xml version=\"1.0\"?><n:Scan xmlns:n='urn:x'><n:RxId>77</n:RxId>\
             <n:AccountNumber>4711</n:AccountNumber></n:Scan>",
            "<scan rxId='77' accountId='4711'/>",
            "<scans><accountId>4711</accountId><scan><rx-id> 77 </rx-id></scan><scan rxId='77'/></scans>",
        ] {
            assert_eq!(read(body), one("4711", "77"), "{body}");
        }
        assert_eq!(read(r#"{"rxId":"77"}"#), one("-", "77"));
        let two = read(r#"{"account":1,"orders":[{"rxId":"a"},{"rxId":"b","account":2}]}"#);
        assert_eq!(two.len(), 2);
        let query = read_notification(b"", Some("rxid=77&account=4711"));
        assert_eq!(query.unreadable, None);
        assert_eq!(query.mentions.len(), 1);
    }

    #[test]
    fn an_order_may_be_named_by_its_own_number() {
        for body in [
            r#"{"orderId":17544365,"accountId":4711}"#,
            r#"{"accountId":4711,"order":{"id":"17544365","status":"Ready"}}"#,
            r#"{"accountId":4711,"data":{"orders":[17544365]}}"#,
            "order_id=17544365&account=4711",
            "<event><account>4711</account><orderNumber>17544365</orderNumber></event>",
        ] {
            let reading = read_notification(body.as_bytes(), None);
            let order = "17544365".parse().expect("valid");
            assert_eq!(
                reading.mentions,
                [Mention::Order { account: Some(account("4711")), order }]
            );
            assert_eq!(reading.unreadable, None, "{body}");
        }
    }

    #[test]
    fn what_names_no_order_means_that_something_changed_and_is_told_without_its_content() {
        let unclear = |body: &str| {
            let Reading { mentions, unreadable } = read_notification(body.as_bytes(), None);
            let why = unreadable.expect("why not");
            assert!(!why.contains("Doe"), "{why}");
            let [Mention::Unclear { account }] = mentions.as_slice() else {
                panic!("{mentions:?} in {body}")
            };
            account.clone()
        };
        for body in [
            "",
            "{}",
            "null",
            "<html>Doe</html>",
            "<!DOCTYPE html><p>Doe",
            "<a><b>Doe</b>",
            r#"{"patient":"Doe"}"#,
            r#"{"rxId":null}"#,
            r#"{"rxId":{"of":"Doe"}}"#,
            r#"{"rxId":"Doe""#,
            "Doe",
            "\u{0}\u{1}",
        ] {
            assert_eq!(unclear(body), None, "{body}");
        }
        assert_eq!(unclear(r#"{"account":4711,"event":"Doe"}"#), Some(account("4711")));
        unclear(&format!("{}{{\"rxId\":1}}{}", "[".repeat(60), "]".repeat(60)));
        // The parser must survive these.
        unclear(&"[".repeat(60_000));
        unclear(&"<a>".repeat(20_000));
        unclear(&format!("{}rxId", "\"{".repeat(20_000)));
    }

    #[test]
    fn a_notification_that_names_thousands_is_cut() {
        let many: Vec<_> = (0..5_000).map(|rx| serde_json::json!({ "rxId": rx })).collect();
        let body = serde_json::Value::from(many).to_string();
        assert_eq!(read(&body).len(), MOST);
    }
}
