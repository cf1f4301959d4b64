//! The config's JSON Schema, and the reader's view of it.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::fault::KeyPath;
use super::raw::Raw;

/// The JSON Schema (draft 2020-12) of the config file.
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| schemars::schema_for!(Raw).to_value())
}

/// What the schema says about one value.
#[derive(Clone, Copy)]
pub(super) struct Expected<'s> {
    schema: &'s Value,
    /// Whether `null` is allowed.
    pub(super) nullable: bool,
}

impl<'s> Expected<'s> {
    /// The schema of the whole file.
    pub(super) fn root() -> Expected<'static> {
        Expected::of(schema())
    }

    /// Resolves references and `null` alternatives.
    pub(super) fn of(schema: &'s Value) -> Self {
        let mut this = Self { schema, nullable: false };
        loop {
            if let Some(options) = this.schema.get("anyOf").and_then(Value::as_array) {
                let is_null = |option: &&Value| option.get("type").is_some_and(|t| t == "null");
                this.nullable |= options.iter().any(|option| is_null(&option));
                match options.iter().find(|option| !is_null(option)) {
                    Some(option) => this.schema = option,
                    None => return this,
                }
            } else if let Some(target) = this.schema.get("$ref").and_then(Value::as_str) {
                match self::schema().pointer(target.trim_start_matches('#')) {
                    Some(found) => this.schema = found,
                    None => return this,
                }
            } else {
                this.nullable |= this.types().any(|name| name == "null");
                return this;
            }
        }
    }

    pub(super) fn get(&self, keyword: &str) -> Option<&'s Value> {
        self.schema.get(keyword)
    }

    fn types(self) -> impl Iterator<Item = &'s str> {
        let (one, many) = match self.schema.get("type") {
            Some(Value::String(one)) => (Some(one.as_str()), None),
            Some(Value::Array(many)) => (None, Some(many)),
            _ => (None, None),
        };
        one.into_iter().chain(many.into_iter().flatten().filter_map(Value::as_str))
    }

    /// The expected type other than `null`. Empty if only certain values are allowed.
    pub(super) fn type_name(self) -> &'s str {
        if self.schema.get("oneOf").is_some() {
            return "";
        }
        self.types().find(|name| *name != "null").unwrap_or_default()
    }

    /// The allowed values, if only certain ones are.
    pub(super) fn choices(self) -> Option<Vec<&'s Value>> {
        if let Some(Value::Array(values)) = self.schema.get("enum") {
            return Some(values.iter().filter(|value| !value.is_null()).collect());
        }
        let options = self.schema.get("oneOf")?.as_array()?;
        Some(options.iter().filter_map(|option| option.get("const")).collect())
    }

    /// The keys of a section that the schema names.
    pub(super) fn properties(self) -> Option<&'s Map<String, Value>> {
        self.schema.get("properties")?.as_object()
    }

    /// The schema of a key: its own, or that of all further keys.
    pub(super) fn property(self, key: &str) -> Option<Self> {
        let own = self.properties().and_then(|properties| properties.get(key));
        let other = || self.schema.get("additionalProperties").filter(|value| value.is_object());
        own.or_else(other).map(Self::of)
    }

    /// Whether keys of any name are allowed.
    pub(super) fn is_open(self) -> bool {
        self.schema.get("additionalProperties").is_some_and(Value::is_object)
    }

    /// The schema of a list's entries.
    pub(super) fn items(self) -> Option<Self> {
        self.schema.get("items").map(Self::of)
    }

    pub(super) fn required(self) -> impl Iterator<Item = &'s str> {
        let names = self.schema.get("required").and_then(Value::as_array);
        names.into_iter().flatten().filter_map(Value::as_str)
    }

    /// Whether the value must not be shown.
    pub(super) fn is_secret(self) -> bool {
        self.schema.get("writeOnly").is_some_and(|value| *value == true)
    }
}

/// The paths of all keys, with index 0 for list entries.
pub(super) fn all_keys() -> Vec<KeyPath> {
    fn collect(expected: Expected<'_>, path: &KeyPath, found: &mut Vec<KeyPath>) {
        if let Some(properties) = expected.properties() {
            for (key, schema) in properties {
                let path = path.key(key);
                collect(Expected::of(schema), &path, found);
                found.push(path);
            }
        }
        if let Some(items) = expected.items() {
            collect(items, &path.index(0), found);
        }
    }
    let mut found = Vec::new();
    collect(Expected::root(), &KeyPath::default(), &mut found);
    found
}
