//! The part of JSON Schema that our schemas use, applied as an editor or another program would.

use serde_json::Value;

/// Keywords that describe but do not restrict, and `pattern`, which needs a complete engine: the
/// config's own tests cover those.
const SILENT: [&str; 11] = [
    "$schema",
    "$id",
    "$defs",
    "title",
    "description",
    "default",
    "examples",
    "format",
    "deprecated",
    "writeOnly",
    "pattern",
];

/// Returns every mismatch between the value and the schema. An unknown keyword is a fault too, so
/// that nothing goes unchecked.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, value, "$", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let Some(words) = schema.as_object() else {
        if schema == &Value::Bool(false) {
            faults.push(format!("{at} must not be there"));
        }
        return;
    };
    for (word, rule) in words {
        let matches = |schema: &Value| {
            let mut inner = Vec::new();
            check(root, schema, value, at, &mut inner);
            inner.is_empty()
        };
        let list = || rule.as_array().expect("a list").iter();
        let good = match word.as_str() {
            "$ref" => {
                let pointer = rule.as_str().expect("text").trim_start_matches('#');
                check(root, root.pointer(pointer).expect("defined"), value, at, faults);
                true
            }
            "type" if rule.is_array() => list().any(|name| is_of(value, name)),
            "type" => is_of(value, rule),
            "const" => value == rule,
            "enum" => list().any(|one| one == value),
            "anyOf" => list().any(matches),
            "oneOf" => list().filter(|one| matches(one)).count() == 1,
            "allOf" => {
                list().for_each(|one| check(root, one, value, at, faults));
                true
            }
            "minimum" => value.as_f64().is_none_or(|number| Some(number) >= rule.as_f64()),
            "maximum" => value.as_f64().is_none_or(|number| Some(number) <= rule.as_f64()),
            "minItems" => value.as_array().is_none_or(|items| Some(items.len()) >= length(rule)),
            "minLength" => value.as_str().is_none_or(|text| Some(text.len()) >= length(rule)),
            "maxLength" => value.as_str().is_none_or(|text| Some(text.len()) <= length(rule)),
            "required" => {
                let names = list().filter_map(Value::as_str);
                for name in names.filter(|name| value.is_object() && value.get(name).is_none()) {
                    faults.push(format!("{at}.{name} is missing"));
                }
                true
            }
            "properties" => {
                for (name, inner) in rule.as_object().expect("an object") {
                    if let Some(value) = value.get(name) {
                        check(root, inner, value, &format!("{at}.{name}"), faults);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = words.get("properties").and_then(Value::as_object);
                for (name, value) in value.as_object().into_iter().flatten() {
                    if known.is_none_or(|known| !known.contains_key(name)) {
                        check(root, rule, value, &format!("{at}.{name}"), faults);
                    }
                }
                true
            }
            "items" => {
                for (index, value) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, rule, value, &format!("{at}[{index}]"), faults);
                }
                true
            }
            silent => SILENT.contains(&silent),
        };
        if !good {
            faults.push(format!("{at}: {value} is not of {word} {rule}"));
        }
    }
}

fn is_of(value: &Value, name: &Value) -> bool {
    match name.as_str().expect("a type's name") {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("{other} is no type"),
    }
}

fn length(rule: &Value) -> Option<usize> {
    rule.as_u64().and_then(|length| usize::try_from(length).ok())
}
