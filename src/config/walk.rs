//! Checks the config's tree against the schema: unknown and missing keys, wrong types, malformed
//! values. Finds every fault in one pass and cuts faulty values out of the tree, so that the rest
//! can be read and checked for sense.

use serde_json::Value;

use super::fault::{KeyPath, Step, nearest, shorten};
use super::node::{Kind, Node, Origin};
use super::scalars::{check_format, describe_format};
use super::schema::{Expected, all_keys};

/// For how many unknown keys to guess the intended one: a file with more of them is something else
/// altogether.
const GUESSES: usize = 100;

pub(super) struct Found {
    pub(super) path: KeyPath,
    pub(super) origin: Option<Origin>,
    pub(super) reason: String,
    pub(super) hint: String,
}

pub(super) fn check(tree: &mut Node) -> Vec<Found> {
    walk(tree, true)
}

/// Checks the tree of a file with only some of the keys: none counts as missing.
pub(super) fn check_part(tree: &mut Node) -> Vec<Found> {
    walk(tree, false)
}

fn walk(tree: &mut Node, whole: bool) -> Vec<Found> {
    let mut walk = Walk { found: Vec::new(), whole };
    walk.section(Expected::root(), tree, &KeyPath::default());
    walk.found
}

struct Walk {
    found: Vec<Found>,
    /// Whether keys can be missing.
    whole: bool,
}

impl Walk {
    fn fault(&mut self, path: &KeyPath, origin: &Origin, reason: String, hint: impl Into<String>) {
        let origin = Some(origin.clone());
        self.found.push(Found { path: path.clone(), origin, reason, hint: hint.into() });
    }

    /// Checks one value; `false` if it must not be read.
    fn value(&mut self, expected: Expected<'_>, node: &mut Node, path: &KeyPath) -> bool {
        if matches!(node.kind, Kind::Null) {
            // A section whose keys are all commented out.
            let is_empty_section = expected.type_name() == "object"
                && expected.required().next().is_none()
                && !expected.nullable;
            if expected.nullable || is_empty_section {
                return expected.nullable;
            }
        }
        if let Some(choices) = expected.choices() {
            return self.choice(&choices, expected, node, path);
        }
        match (expected.type_name(), &node.kind) {
            ("object", Kind::Section(_)) => {
                self.section(expected, node, path);
                true
            }
            ("array", Kind::List(_)) => self.list(expected, node, path),
            ("string", Kind::Text(..) | Kind::Int(..) | Kind::Float(_)) => {
                self.text(expected, node, path)
            }
            ("integer", Kind::Int(value, _)) => {
                let value = *value;
                self.range(expected, value, node, path)
            }
            ("boolean", Kind::Bool(..)) => true,
            _ => {
                self.mismatch(expected, node, path);
                false
            }
        }
    }

    fn section(&mut self, expected: Expected<'_>, node: &mut Node, path: &KeyPath) {
        let origin = node.origin.clone();
        let Kind::Section(entries) = &mut node.kind else {
            self.mismatch(expected, node, path);
            *node = Node::empty(origin);
            return;
        };
        // A typo is one fault, not two: the key that was meant does not count as missing, too.
        let unknown = entries.iter().filter(|entry| expected.property(&entry.key).is_none());
        let meant: Vec<&str> =
            unknown.take(GUESSES).filter_map(|entry| nearest_key(expected, &entry.key)).collect();
        let whole = self.whole;
        for name in expected.required().filter(|_| whole) {
            let there = entries
                .iter()
                .any(|entry| entry.key == name && !matches!(entry.value.kind, Kind::Null));
            if !there && !meant.contains(&name) {
                let what = expected.property(name).map(describe).unwrap_or_default();
                let hint = format!("add `{name}: …`, {what}; see config.example.yaml");
                self.fault(&path.key(name), &origin, "the key is missing".to_owned(), hint);
            }
        }
        entries.retain_mut(|entry| {
            let path = path.key(&entry.key);
            let Some(property) = expected.property(&entry.key) else {
                let hint = if self.found.len() < GUESSES {
                    unknown_hint(expected, &path, &entry.key)
                } else {
                    "see config.example.yaml for all keys".to_owned()
                };
                self.fault(&path, &entry.origin, "unknown key".to_owned(), hint);
                return false;
            };
            let is_missing = matches!(entry.value.kind, Kind::Null)
                && expected.required().any(|name| name == entry.key);
            !is_missing && self.value(property, &mut entry.value, &path)
        });
    }

    fn list(&mut self, expected: Expected<'_>, node: &mut Node, path: &KeyPath) -> bool {
        let Kind::List(items) = &mut node.kind else { return false };
        let least = limit(expected, "minItems").unwrap_or(0);
        if i64::try_from(items.len()).unwrap_or(i64::MAX) < least {
            let hint = "write at least one entry, or leave the key out for the default";
            self.fault(path, &node.origin, "the list is empty".to_owned(), hint);
            return false;
        }
        let Some(each) = expected.items() else { return true };
        let mut whole = true;
        for (index, item) in items.iter_mut().enumerate() {
            if !self.value(each, item, &path.index(index)) {
                // The entries after it keep their indexes.
                *item = Node::empty(item.origin.clone());
                whole = false;
            }
        }
        whole || each.type_name() == "object"
    }

    fn text(&mut self, expected: Expected<'_>, node: &mut Node, path: &KeyPath) -> bool {
        let Some(text) = node.text().map(str::to_owned) else { return false };
        node.kind = Kind::Text(text.clone(), true);
        if is_placeholder(&text) {
            let reason = "it still contains the placeholder from the example".to_owned();
            self.fault(path, &node.origin, reason, placeholder_hint(path));
            return false;
        }
        let length = i64::try_from(text.trim().chars().count()).unwrap_or(i64::MAX);
        if length < limit(expected, "minLength").unwrap_or(0) {
            let hint = format!("write {}, or leave the key out", describe(expected));
            self.fault(path, &node.origin, "the text is empty".to_owned(), hint);
            return false;
        }
        if let Some(most) = limit(expected, "maxLength").filter(|most| length > *most) {
            let reason = format!("the text has {length} characters");
            self.fault(path, &node.origin, reason, format!("write at most {most}"));
            return false;
        }
        let format = expected.get("format").and_then(Value::as_str).unwrap_or_default();
        match check_format(format, &text) {
            Ok(()) => true,
            Err(bad) => {
                self.fault(path, &node.origin, bad.reason, bad.hint);
                false
            }
        }
    }

    fn range(&mut self, expected: Expected<'_>, value: i64, node: &Node, path: &KeyPath) -> bool {
        let least = limit(expected, "minimum").unwrap_or(i64::MIN);
        let most = limit(expected, "maximum").unwrap_or(i64::MAX);
        if (least..=most).contains(&value) {
            return true;
        }
        let hint = format!("write a whole number from {least} to {most}");
        self.fault(path, &node.origin, format!("{value} is out of range"), hint);
        false
    }

    fn choice(
        &mut self,
        choices: &[&Value],
        expected: Expected<'_>,
        node: &Node,
        path: &KeyPath,
    ) -> bool {
        let json = node.to_json();
        if choices.contains(&&json) {
            return true;
        }
        let names = choices.iter().filter_map(|choice| choice.as_str());
        let meant = node.text().and_then(|text| nearest(text, names));
        let reason = format!("expected {}, found {}", describe(expected), found(node, false));
        let hint = match meant {
            Some(name) => format!("write {name}"),
            None => "write one of these, or leave the key out for the default".to_owned(),
        };
        self.fault(path, &node.origin, reason, hint);
        false
    }

    fn mismatch(&mut self, expected: Expected<'_>, node: &Node, path: &KeyPath) {
        let found = found(node, expected.is_secret());
        let reason = format!("expected {}, found {found}", describe(expected));
        let last = path.0.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        });
        let key = last.unwrap_or("key");
        let hint = match (expected.type_name(), &node.kind) {
            (_, Kind::Null) => "write a value, or leave the key out for the default".to_owned(),
            ("array", Kind::Section(_)) => {
                format!("start the first entry below `{key}:` with `- `")
            }
            ("array", _) => format!("write a list: `{key}: [one, two]`"),
            ("object", Kind::List(_)) => "remove the `- ` before the keys".to_owned(),
            ("object", _) if path.0.is_empty() => {
                let here =
                    if cfg!(windows) { r"'C:\Casedrop\Orders'" } else { "/srv/casedrop/orders" };
                format!("write lines such as `output: {here}`; see config.example.yaml")
            }
            ("object", _) => {
                let keys: Vec<_> =
                    expected.properties().into_iter().flat_map(|p| p.keys()).collect();
                match keys.first() {
                    Some(first) => {
                        format!("put its keys below it, indented: `{key}: {{ {first}: … }}`")
                    }
                    None => "put its keys below it, indented".to_owned(),
                }
            }
            ("boolean", Kind::Text(text, _)) => match text.to_lowercase().as_str() {
                "yes" | "on" | "true" | "1" | "y" => "write true, without quotes".to_owned(),
                "no" | "off" | "false" | "0" | "n" => "write false, without quotes".to_owned(),
                _ => "write true or false".to_owned(),
            },
            ("boolean", _) => "write true or false".to_owned(),
            ("integer", Kind::Text(text, true)) if text.parse::<i64>().is_ok() => {
                "leave out the quotes".to_owned()
            }
            ("string", Kind::Bool(..)) => "put it in quotes if it is meant as text".to_owned(),
            ("string", _) => "write one value on the line of its key".to_owned(),
            _ => "see config.example.yaml for how to write it".to_owned(),
        };
        self.fault(path, &node.origin, reason, hint);
    }
}

fn limit(expected: Expected<'_>, keyword: &str) -> Option<i64> {
    expected.get(keyword)?.as_i64()
}

fn describe(expected: Expected<'_>) -> String {
    if let Some(choices) = expected.choices() {
        let names: Vec<_> = choices
            .iter()
            .map(|choice| match choice.as_str() {
                Some(text) => format!("`{text}`"),
                None => format!("`{choice}`"),
            })
            .collect();
        return format!("one of {}", names.join(", "));
    }
    let format = expected.get("format").and_then(Value::as_str).unwrap_or_default();
    if let Some(words) = describe_format(format) {
        return words.to_owned();
    }
    match expected.type_name() {
        "object" => "a section with keys of its own",
        "array" => "a list",
        "integer" => "a whole number",
        "boolean" => "true or false",
        _ => "a text",
    }
    .to_owned()
}

fn found(node: &Node, secret: bool) -> String {
    match &node.kind {
        Kind::Null => "nothing".to_owned(),
        Kind::List(_) => "a list".to_owned(),
        Kind::Section(_) => "a section with keys of its own".to_owned(),
        _ if secret => "something else".to_owned(),
        Kind::Bool(value, _) => format!("`{value}`"),
        Kind::Int(_, text) | Kind::Float(text) => format!("the number {}", shorten(text)),
        Kind::Text(text, _) => format!("the text `{}`", shorten(text)),
    }
}

/// The known key of a section that the user probably meant.
fn nearest_key<'s>(expected: Expected<'s>, key: &str) -> Option<&'s str> {
    let known = expected.properties().into_iter().flat_map(|properties| properties.keys());
    nearest(key, known.map(String::as_str))
}

/// The hint for an unknown key: the nearest one, here or elsewhere.
fn unknown_hint(expected: Expected<'_>, path: &KeyPath, key: &str) -> String {
    if let Some(name) = nearest_key(expected, key) {
        return format!("did you mean `{name}`?");
    }
    let known: Vec<&str> =
        expected.properties().into_iter().flat_map(|p| p.keys()).map(String::as_str).collect();
    let elsewhere = all_keys()
        .into_iter()
        .find(|other| other.0.last() == path.0.last() && other.0.len() != path.0.len());
    match elsewhere {
        Some(other) => format!("the key `{key}` belongs at `{other}`; check the indentation"),
        None if known.is_empty() => "remove the key".to_owned(),
        None => format!("remove it; the keys allowed here are {}", known.join(", ")),
    }
}

pub(super) fn is_placeholder(text: &str) -> bool {
    let upper = text.to_uppercase();
    text.contains('…') || upper.contains("CHANGE-ME") || upper.contains("CHANGEME")
}

fn placeholder_hint(path: &KeyPath) -> &'static str {
    match path.0.last() {
        Some(Step::Key(key)) => match key.as_str() {
            "oauth_base" | "base_url" | "client_id" | "client_secret" => {
                "put in what Align gave you for this lab; sandbox and production differ"
            }
            "redirect_url" => "put in the redirect URL that is registered with Align",
            "public_url" => "put in the address at which Align can reach this PC",
            "account" => "put in the account's number, or remove the line",
            _ => "put in your own value",
        },
        _ => "put in your own value",
    }
}
