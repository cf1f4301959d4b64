//! Takes apart what people paste from Align's letter: several values at once, in any of the usual
//! ways to write names and values.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::{Item, Values};

/// The names under which values are known: without spaces, signs and case.
const NAMES: [(Item, &[&str]); 5] = [
    (Item::OauthBase, &["oauthbase", "oauthbaseurl", "oauthurl", "oauthserver", "oauth"]),
    (Item::BaseUrl, &["baseurl", "apibaseurl", "apibase", "apiurl", "base"]),
    (Item::ClientId, &["clientid", "applicationid", "appid"]),
    (Item::ClientSecret, &["clientsecret", "secret", "applicationsecret", "appsecret"]),
    (Item::RedirectUrl, &["redirecturl", "redirecturi", "redirect", "callbackurl"]),
];

/// The values in a pasted text. A name that occurs with different values counts for none of them.
#[derive(Default)]
pub struct Pasted(Vec<(Item, SecretString)>);

impl Pasted {
    pub fn of(text: &str) -> Self {
        let mut pairs = Vec::new();
        match serde_json::from_str::<Value>(text.trim()) {
            Ok(json) => collect(&json, &mut pairs),
            Err(_) => lines(text, &mut pairs),
        }
        let is_sure = |(item, value): &(Item, String)| {
            pairs.iter().all(|(other, another)| other != item || another == value)
        };
        let mut sure: Vec<_> = pairs.iter().filter(|pair| is_sure(pair)).cloned().collect();
        sure.sort();
        sure.dedup();
        Self(sure.into_iter().map(|(item, value)| (item, value.into())).collect())
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Which values it holds.
    pub fn items(&self) -> impl Iterator<Item = Item> {
        self.0.iter().map(|(item, _)| *item)
    }

    /// Takes the values over. What people typed into the fields is replaced: they pasted later.
    pub fn put_into(&self, values: &mut Values) {
        for (item, value) in &self.0 {
            values.put(*item, value.expose_secret());
        }
    }
}

/// A value without what comes along when it is copied: spaces, quotes, the comma behind it, and
/// characters that cannot be seen.
pub fn tidy(text: &str) -> &str {
    let is_unseen = |c: char| {
        c.is_whitespace() || matches!(c, '\u{FEFF}' | '\u{200B}'..='\u{200D}' | '\u{2060}')
    };
    let text = text.trim_matches(is_unseen);
    let text = text.strip_suffix([',', ';']).unwrap_or(text).trim_matches(is_unseen);
    let pairs = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('„', '“'), ('<', '>')];
    let bare = pairs.into_iter().find_map(|(open, close)| {
        text.strip_prefix(open)?.strip_suffix(close).filter(|bare| !bare.contains([open, close]))
    });
    bare.map_or(text, |bare| bare.trim_matches(is_unseen))
}

fn item(name: &str) -> Option<Item> {
    let plain: String =
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    NAMES.iter().find(|(_, names)| names.contains(&plain.as_str())).map(|(item, _)| *item)
}

fn collect(json: &Value, pairs: &mut Vec<(Item, String)>) {
    match json {
        Value::Object(entries) => {
            for (name, value) in entries {
                match (item(name), value) {
                    (Some(item), Value::String(text)) => add(item, text, pairs),
                    (Some(item), Value::Number(number)) => add(item, &number.to_string(), pairs),
                    _ => collect(value, pairs),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, pairs)),
        _ => {}
    }
}

/// `name: value`, `name = value`, `name<tab>value`, or the value on the line below the name.
fn lines(text: &str, pairs: &mut Vec<(Item, String)>) {
    let mut above = None;
    for line in text.lines().map(|line| line.trim().trim_start_matches(['-', '*', '•', '{'])) {
        if line.trim().is_empty() {
            continue;
        }
        let cut = line.find([':', '=', '\t']).map(|at| (&line[..at], &line[at + 1..]));
        let named = cut.and_then(|(name, value)| Some((item(name)?, value)));
        above = match (named, item(line), above) {
            (Some((item, value)), ..) if !tidy(value).is_empty() => {
                add(item, value, pairs);
                None
            }
            (Some((item, _)), ..) | (None, Some(item), _) => Some(item),
            (None, None, Some(item)) => {
                add(item, line, pairs);
                None
            }
            (None, None, None) => None,
        };
    }
}

fn add(item: Item, value: &str, pairs: &mut Vec<(Item, String)>) {
    let value = tidy(value);
    // A comment behind a value belongs to whoever wrote it.
    let value = value.split(" #").next().map_or(value, tidy);
    if !value.is_empty() {
        pairs.push((item, value.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pasted(text: &str) -> Vec<(Item, String)> {
        let plain =
            |(item, value): &(Item, SecretString)| (*item, value.expose_secret().to_owned());
        Pasted::of(text).0.iter().map(plain).collect()
    }

    fn all() -> Vec<(Item, String)> {
        [
            (Item::OauthBase, "https://oauth.iterocloud.com"),
            (Item::BaseUrl, "https://api.iterocloud.com"),
            (Item::ClientId, "abc=1"),
            (Item::ClientSecret, "s:3"),
            (Item::RedirectUrl, "http://127.0.0.1:8791/callback"),
        ]
        .map(|(item, text)| (item, text.to_owned()))
        .to_vec()
    }

    #[test]
    fn the_usual_ways_to_write_the_values_are_understood() {
        for text in [
            "oauthBase: https://oauth.iterocloud.com\nbaseUrl: https://api.iterocloud.com\nclient ID: \
             abc=1\nClient secret: s:3\nRedirect URL: http://127.0.0.1:8791/callback\n",
            "  oauth_base = \"https://oauth.iterocloud.com\",\r\n- base_url='https://api.iterocloud.com'  # \
             EU\r\nCLIENT_ID=abc=1\r\nCLIENT-SECRET=s:3;\r\nredirect_uri=<http://127.0.0.1:8791/callback>",
            "Dear lab,\n\nOAuth base\nhttps://oauth.iterocloud.com\nBase URL:\n\nhttps://api.iterocloud.com\n\
             Client ID\tabc=1\nClient Secret\ts:3\nRedirect URI\thttp://127.0.0.1:8791/callback\n\nRegards",
        ] {
            assert_eq!(pasted(text), all(), "{text}");
        }
        let json = r#"{"sandbox": {"oauthBase": "https://oauth.iterocloud.com", "baseUrl":
            "https://api.iterocloud.com", "clientId": "abc=1", "clientSecret": "s:3", "redirectUrl":
            "http://127.0.0.1:8791/callback"}}"#;
        assert_eq!(pasted(json), all());
    }

    #[test]
    fn what_is_ambiguous_or_nameless_is_left_alone() {
        let two = "client id: a\nclient id: b\nbase url: https://x.iterocloud.com";
        assert_eq!(pasted(two), [(Item::BaseUrl, "https://x.iterocloud.com".to_owned())]);
        for nothing in ["", "https://oauth.iterocloud.com", "hello: there", "client id:", "[1, 2"] {
            assert!(Pasted::of(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn what_comes_along_when_copying_is_dropped() {
        for text in [" a b ", "\"a b\",", "'a b'", "\u{FEFF}a b\u{200B}\u{a0}", "“a b”", "<a b>;"]
        {
            assert_eq!(tidy(text), "a b", "{text:?}");
        }
        assert_eq!(tidy("it's"), "it's");
        assert_eq!(tidy("'it's'"), "'it's'", "no one can tell");
    }
}
