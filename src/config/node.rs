//! The config as a tree in which every value knows where it was written.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::fault::{KeyPath, Step};
use crate::model::digest::hex;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// Line and column count from 1.
    File { line: usize, column: usize },
    /// Line and column count from 1.
    Policy { line: usize, column: usize },
    /// The name of an environment variable.
    Variable(String),
}

/// One value. It may be a secret, so it has no `Debug`.
#[derive(Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(super) origin: Origin,
}

#[derive(Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Bool(bool, String),
    /// A whole number, and how it was written: `007` may be meant as a string.
    Int(i64, String),
    /// Any other number, as it was written.
    Float(String),
    /// A string, and whether it was quoted.
    Text(String, bool),
    List(Vec<Node>),
    Section(Vec<Entry>),
}

#[derive(Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(super) origin: Origin,
    pub(crate) value: Node,
}

impl Node {
    /// The value of a plain scalar, by YAML's core schema.
    pub(super) fn plain(text: &str, origin: Origin) -> Self {
        let kind = match text {
            "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
            "true" | "True" | "TRUE" => Kind::Bool(true, text.to_owned()),
            "false" | "False" | "FALSE" => Kind::Bool(false, text.to_owned()),
            _ => number(text).unwrap_or_else(|| Kind::Text(text.to_owned(), false)),
        };
        Self { kind, origin }
    }

    /// A string, whatever it looks like.
    pub(super) fn quoted(text: impl Into<String>, origin: Origin) -> Self {
        Self { kind: Kind::Text(text.into(), true), origin }
    }

    pub(super) fn empty(origin: Origin) -> Self {
        Self { kind: Kind::Section(Vec::new()), origin }
    }

    /// The text of anything but lists and sections, as it was written.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Bool(_, text) | Kind::Int(_, text) | Kind::Float(text) | Kind::Text(text, _) => {
                Some(text)
            }
            Kind::Null | Kind::List(_) | Kind::Section(_) => None,
        }
    }

    /// Replaces the origin of this value and of everything in it.
    pub(super) fn stamp(&mut self, other: &impl Fn(&Origin) -> Origin) {
        self.origin = other(&self.origin);
        match &mut self.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| item.stamp(other)),
            Kind::Section(entries) => {
                for entry in entries {
                    entry.origin = other(&entry.origin);
                    entry.value.stamp(other);
                }
            }
            _ => {}
        }
    }

    /// Whether both mean the same, wherever they were written.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Bool(one, _), Kind::Bool(two, _)) => one == two,
            (Kind::List(one), Kind::List(two)) => {
                one.len() == two.len()
                    && one.iter().zip(two).all(|(one, two)| one.says_the_same(two))
            }
            (Kind::Section(one), Kind::Section(two)) => {
                one.len() == two.len()
                    && one.iter().all(|entry| {
                        let other = two.iter().find(|other| other.key == entry.key);
                        other.is_some_and(|other| entry.value.says_the_same(&other.value))
                    })
            }
            (Kind::List(_) | Kind::Section(_), _) | (_, Kind::List(_) | Kind::Section(_)) => false,
            // `12` and `'12'` are the same to a key that takes a string.
            _ => self.text() == other.text(),
        }
    }

    /// The value at a path below this one.
    pub(super) fn at(&self, path: &KeyPath) -> Option<&Self> {
        let mut node = self;
        for step in &path.0 {
            node = match (step, &node.kind) {
                (Step::Key(key), Kind::Section(entries)) => {
                    &entries.iter().find(|entry| entry.key == *key)?.value
                }
                (Step::Index(index), Kind::List(items)) => items.get(*index)?,
                _ => return None,
            };
        }
        Some(node)
    }

    /// The origin of the value at a path, or of the nearest value around it.
    pub(super) fn origin_of(&self, path: &KeyPath) -> Option<&Origin> {
        let mut path = path.clone();
        loop {
            if path.0.is_empty() {
                return None;
            }
            if let Some(node) = self.at(&path) {
                return Some(&node.origin);
            }
            path.0.pop();
        }
    }

    /// The number of values, including this one.
    pub(super) fn size(&self) -> usize {
        1 + match &self.kind {
            Kind::List(items) => items.iter().map(Self::size).sum(),
            Kind::Section(entries) => entries.iter().map(|entry| entry.value.size()).sum(),
            _ => 0,
        }
    }

    /// The paths of all values except sections and lists, each with the SHA-256 of its value.
    pub(super) fn hashes(&self) -> std::collections::BTreeMap<String, String> {
        let mut found = std::collections::BTreeMap::new();
        self.hash_into(&KeyPath::default(), &mut found);
        found
    }

    fn hash_into(&self, path: &KeyPath, found: &mut std::collections::BTreeMap<String, String>) {
        match &self.kind {
            Kind::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.hash_into(&path.index(index), found);
                }
            }
            Kind::Section(entries) => {
                for entry in entries {
                    entry.value.hash_into(&path.key(&entry.key), found);
                }
            }
            _ => {
                let hash = Sha256::digest(self.text().unwrap_or("null"));
                found.insert(path.to_string(), hex(hash));
            }
        }
    }

    /// The JSON for deserialization.
    pub(super) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value, _) => Value::from(*value),
            Kind::Int(value, _) => Value::from(*value),
            Kind::Float(text) | Kind::Text(text, _) => Value::from(text.as_str()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Section(entries) => Value::Object(
                entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect(),
            ),
        }
    }
}

fn number(text: &str) -> Option<Kind> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    if digits.chars().all(|c| c.is_ascii_digit()) {
        return Some(match text.parse() {
            Ok(value) => Kind::Int(value, text.to_owned()),
            Err(_) => Kind::Float(text.to_owned()),
        });
    }
    let float =
        digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
            && text.parse::<f64>().is_ok();
    float.then(|| Kind::Float(text.to_owned()))
}
