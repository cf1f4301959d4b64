//! The effective values and where each of them comes from: for `casedrop check --effective` and the
//! status page, where users find out why a key does not do what they wrote.

use std::fmt;
use std::path::Path;

use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::Config;
use super::fault::KeyPath;
use super::node::{Kind, Node, Origin};
use super::schema::Expected;

/// Shown in place of a secret.
const SET: &str = "(set)";

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum From {
    /// No source sets one.
    Default,
    /// The config file.
    File,
    /// An environment variable.
    Environment,
    /// The policy file. It overrides the other two.
    Policy,
}

/// A key with its effective value, whether written or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InForce {
    /// The key's path, such as `labs[0].base_url`.
    pub key: String,
    /// The value as it would be written. For a secret, only that there is one.
    pub value: String,
    pub from: From,
    /// The file or the variable; `None` for a default.
    pub source: Option<String>,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// Whether only an administrator can change it, in the policy.
    pub locked: bool,
}

impl InForce {
    /// Where the value comes from, for people: `default`, `casedrop.yaml:12`, `CASEDROP_OUTPUT`,
    /// `policy.yaml:3`.
    pub fn place(&self) -> String {
        let Some(source) = &self.source else { return "default".to_owned() };
        let name = Path::new(source).file_name();
        let name = name.map_or_else(|| source.clone(), |name| name.to_string_lossy().into_owned());
        self.line.map_or_else(|| name.clone(), |line| format!("{name}:{line}"))
    }
}

/// Every effective key, ordered by key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Effective(pub Vec<InForce>);

impl Effective {
    pub fn get(&self, key: &str) -> Option<&InForce> {
        self.0.iter().find(|entry| entry.key == key)
    }
}

impl fmt::Debug for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(not shown)")
    }
}

pub(super) struct Files<'a> {
    pub(super) config: &'a str,
    pub(super) policy: &'a str,
}

/// All effective keys of a valid config.
pub(super) fn list(tree: &Node, files: &Files<'_>, config: &Config) -> Effective {
    let mut listing = Listing { files, entries: Vec::new() };
    listing.section(Expected::root(), Some(tree), None, &KeyPath::default());
    listing.entries.sort_by(|a, b| a.0.cmp(&b.0));
    let mut entries: Vec<InForce> = listing.entries.into_iter().map(|(_, entry)| entry).collect();
    fill_in(&mut entries, config);
    Effective(entries)
}

struct Listing<'a> {
    files: &'a Files<'a>,
    entries: Vec<(KeyPath, InForce)>,
}

impl Listing<'_> {
    /// `default` is the value if no source sets one.
    fn value(
        &mut self,
        expected: Expected<'_>,
        node: Option<&Node>,
        default: Option<&Value>,
        path: &KeyPath,
    ) {
        let default = default.filter(|default| !default.is_null());
        match node.map(|node| (node, &node.kind)) {
            Some((_, Kind::Section(_))) => self.section(expected, node, default, path),
            // An empty section counts as an absent one.
            None | Some((_, Kind::Null))
                if expected.type_name() == "object" && !expected.nullable =>
            {
                self.section(expected, None, default, path);
            }
            None => self.entry(path, text_of(default), None),
            Some((node, Kind::List(items))) => {
                let each = expected.items();
                let is_plain = each.is_none_or(|each| each.type_name() != "object")
                    && items.iter().all(|item| same_place(&item.origin, &node.origin));
                if is_plain {
                    let value = text_of(Some(&node.to_json()));
                    self.entry(path, redacted(path, value), Some(&node.origin));
                    return;
                }
                let Some(each) = each else { return };
                for (index, item) in items.iter().enumerate() {
                    self.value(each, Some(item), None, &path.index(index));
                }
            }
            Some((node, _)) => {
                let value = match node.text() {
                    Some(_) if expected.is_secret() => SET.to_owned(),
                    Some(text) => redacted(path, text.to_owned()),
                    None => text_of(None),
                };
                self.entry(path, value, Some(&node.origin));
            }
        }
    }

    fn section(
        &mut self,
        expected: Expected<'_>,
        node: Option<&Node>,
        default: Option<&Value>,
        path: &KeyPath,
    ) {
        let at = |key: &str| node.and_then(|node| node.at(&KeyPath::default().key(key)));
        let known = expected.properties();
        for (key, schema) in known.into_iter().flatten() {
            let own = schema.get("default").or_else(|| default.and_then(|all| all.get(key)));
            self.value(Expected::of(schema), at(key), own, &path.key(key));
        }
        let Some(Node { kind: Kind::Section(entries), .. }) = node else {
            if known.is_none() {
                self.entry(path, "{}".to_owned(), None);
            }
            return;
        };
        for entry in
            entries.iter().filter(|entry| known.is_none_or(|it| !it.contains_key(&entry.key)))
        {
            let Some(expected) = expected.property(&entry.key) else { continue };
            self.value(expected, Some(&entry.value), None, &path.key(&entry.key));
        }
    }

    fn entry(&mut self, path: &KeyPath, value: String, origin: Option<&Origin>) {
        let (from, source, line) = match origin {
            None => (From::Default, None, None),
            Some(Origin::File { line, .. }) => (From::File, Some(self.files.config), Some(*line)),
            Some(Origin::Policy { line, .. }) => {
                (From::Policy, Some(self.files.policy), Some(*line))
            }
            Some(Origin::Variable(name)) => (From::Environment, Some(name.as_str()), None),
        };
        let locked = from == From::Policy;
        let source = source.map(str::to_owned);
        let entry = InForce { key: path.to_string(), value, from, source, line, locked };
        self.entries.push((path.clone(), entry));
    }
}

/// Fills in defaults that depend on the PC or on other keys.
fn fill_in(entries: &mut [InForce], config: &Config) {
    let mut depends = vec![
        ("staging".to_owned(), config.staging.display().to_string()),
        ("state".to_owned(), config.state.display().to_string()),
    ];
    if let Some(mail) = &config.notices.mail {
        depends.push(("notices.mail.port".to_owned(), mail.port.to_string()));
    }
    for (key, value) in depends {
        if let Some(entry) = entries.iter_mut().find(|entry| entry.key == key)
            && entry.value == "null"
        {
            entry.value = value;
        }
    }
    let profile = entries.iter().find(|entry| entry.key == "formats.profile").cloned();
    let Some(profile) = profile.filter(|profile| profile.value != "null") else { return };
    for kind in ["ortho", "restorative"] {
        let Some(format) = config.formats.get(kind).map(|format| &format.format) else { continue };
        for (name, wish) in [
            ("file_type", &format.file_type),
            ("file_format", &format.file_format),
            ("type_format", &format.type_format),
            ("cad_cam_system", &format.cad_cam_system),
        ] {
            let key = format!("formats.{kind}.{name}");
            let found = entries.iter_mut().find(|entry| entry.key == key);
            if let Some(entry) = found.filter(|entry| entry.from == From::Default) {
                // The profile's line is what decides.
                let value = wish.clone().unwrap_or_else(|| "null".to_owned());
                *entry = InForce { key, value, ..profile.clone() };
            }
        }
    }
}

/// Redacts values that are partly secret: the path of a webhook, the arguments of a program.
fn redacted(path: &KeyPath, value: String) -> String {
    match path.to_string().as_str() {
        "notices.webhook.url" => match Url::parse(&value) {
            Ok(url) if url.path().len() > 1 || url.query().is_some() => {
                format!("{}/…", url.origin().ascii_serialization())
            }
            _ => value,
        },
        key if key == "notices.hook.run" || key.starts_with("notices.hook.run[") => {
            match value.split_once(", ") {
                Some((program, _)) if key == "notices.hook.run" => format!("{program}, …]"),
                None if key == "notices.hook.run" || key.ends_with("[0]") => value,
                _ => SET.to_owned(),
            }
        }
        _ => value,
    }
}

fn same_place(a: &Origin, b: &Origin) -> bool {
    match (a, b) {
        (Origin::Variable(one), Origin::Variable(two)) => one == two,
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// The value as it would be written on one line.
fn text_of(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "null".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| text_of(Some(item))).collect();
            format!("[{}]", items.join(", "))
        }
        Some(other) => other.to_string(),
    }
}
