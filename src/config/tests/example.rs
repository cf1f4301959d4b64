//! `config.example.yaml` and the schema: both are complete, and they agree.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::node::Node;
use super::super::schema::{all_keys, schema};
use super::super::{walk, yaml};
use super::{load_bad, load_good};

const EXAMPLE: &str = include_str!("../../../config.example.yaml");

/// The example, filled in as a reader would.
fn filled_in(example: &str) -> String {
    let dir = std::env::temp_dir().join("casedrop-example");
    let dir = dir.display().to_string();
    example
        .replace("https://CHANGE-ME.example.com", "https://lab.example.com")
        .replace("https://CHANGE-ME.", "https://eu.")
        .replace("CHANGE-ME", "abc")
        .replace("C:\\Casedrop", &dir)
        .replace("C:\\Tools", &dir)
        .replace("C:\\ProgramData\\Casedrop", &dir)
}

/// The example with every commented-out key (`#key: value`) activated, except for two sections that
/// would need files.
fn uncommented() -> String {
    let is_key = |line: &str| {
        let Some(rest) = line.trim_start().strip_prefix('#') else { return false };
        let key: String = rest.trim_start_matches('#').chars().take_while(|c| *c != ':').collect();
        rest.starts_with(|c: char| c.is_ascii_alphabetic())
            && rest.contains(':')
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut text = String::new();
    for line in EXAMPLE.lines() {
        if is_key(line) && !line.contains("client_secret_file") {
            text.push_str(&line.replacen('#', "", 1));
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    text.replace("state: 'C:\\ProgramData\\Casedrop'", "state: state")
}

#[test]
fn the_example_loads_once_its_placeholders_are_replaced() {
    let config = load_good(&filled_in(EXAMPLE), &[]).config;
    assert_eq!(config.labs[0].name.as_str(), "smile-lab");
    assert!(config.commands.is_some());
}

#[test]
fn the_example_as_it_is_says_what_must_be_filled_in() {
    let text = filled_in("").is_empty().then_some(EXAMPLE.replace("C:\\Casedrop", "x")).expect("");
    let keys: Vec<String> = load_bad(&text, &[])
        .into_iter()
        .filter(|fault| fault.reason.contains("placeholder"))
        .map(|fault| fault.key)
        .collect();
    let fields = ["oauth_base", "base_url", "client_id", "redirect_url"];
    assert_eq!(keys, fields.map(|field| format!("labs[0].{field}")));
}

#[test]
fn the_example_shows_every_key_with_its_true_default() {
    let shown = uncommented();
    let (tree, problems) = yaml::parse(&shown);
    let problems: Vec<_> =
        problems.iter().map(|p| format!("line {}: {}: {}", p.line, p.path, p.reason)).collect();
    assert_eq!(problems, Vec::<String>::new());
    let tree = tree.expect("the example holds keys");
    for path in all_keys() {
        let there = tree.at(&path).is_some() || path.to_string() == "labs[0].client_secret_file";
        assert!(there, "{path} is missing in config.example.yaml");
    }
    assert!(EXAMPLE.contains("#client_secret_file: "));
    // With every default written out, the config is the same as without.
    let dir = tempfile::tempdir().expect("temporary folder");
    let secret = dir.path().join("webhook.secret");
    std::fs::write(&secret, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").expect("written");
    let with_secret =
        shown.replace("C:\\ProgramData\\Casedrop\\webhook.secret", &secret.display().to_string());
    let written = load_good(&filled_in(&with_secret), &[]).config;
    let silent = load_good(&filled_in(EXAMPLE), &[]).config;
    let mut expected = silent.clone();
    expected.state.clone_from(&written.state);
    expected.notifications.clone_from(&written.notifications);
    expected.notices.clone_from(&written.notices);
    let tls = written.status_page.as_ref().and_then(|page| page.tls.clone());
    expected.status_page.as_mut().expect("shown by default").tls = tls;
    expected.labs[0].account = Some("4711".parse().expect("valid"));
    expected.formats.insert("iRecord".to_owned(), written.formats["iRecord"].clone());
    assert_eq!(
        format!("{written:#?}"),
        format!("{expected:#?}")
            .replace(&silent.output.display().to_string(), &written.output.display().to_string(),)
    );
}

#[test]
fn the_schema_accepts_the_example() {
    for text in [filled_in(EXAMPLE), filled_in(&uncommented())] {
        let mut tree: Node = yaml::parse(&text).0.expect("valid YAML");
        let found = walk::check(&mut tree);
        let found: Vec<_> = found.iter().map(|f| format!("{}: {}", f.path, f.reason)).collect();
        assert_eq!(found, Vec::<String>::new());
    }
}

#[test]
fn every_key_of_the_schema_is_described_and_optional_ones_have_a_default() {
    fn look(schema: &Value, path: &str, faults: &mut Vec<String>) {
        let required: BTreeSet<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}/{key}");
            if value["description"].as_str().is_none_or(|text| text.len() < 10) {
                faults.push(format!("{path} has no description"));
            }
            let tells = value["description"].as_str().is_some_and(|text| text.contains("Default:"));
            let is_secret = value["writeOnly"] == true || value.to_string().contains("writeOnly");
            if !required.contains(key.as_str())
                && value.get("default").is_none()
                && !tells
                && !is_secret
            {
                faults.push(format!("{path} tells no default"));
            }
        }
        for (name, part) in schema["$defs"].as_object().into_iter().flatten() {
            look(part, &format!("{path}/$defs/{name}"), faults);
        }
    }
    let mut faults = Vec::new();
    look(schema(), "", &mut faults);
    assert_eq!(faults, Vec::<String>::new());
}

/// The walk over the file handles these keywords; any other would go unchecked.
#[test]
fn the_schema_uses_only_keywords_that_are_checked() {
    const CHECKED: [&str; 16] = [
        "type",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "enum",
        "oneOf",
        "const",
        "anyOf",
        "$ref",
        "minItems",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "format",
    ];
    const NOTES: [&str; 9] = [
        "$schema",
        "$id",
        "$defs",
        "title",
        "description",
        "default",
        "examples",
        "writeOnly",
        // The format next to a pattern checks all of what the pattern says.
        "pattern",
    ];
    fn look(schema: &Value, unknown: &mut BTreeSet<String>) {
        match schema {
            Value::Object(keywords) => {
                for (keyword, value) in keywords {
                    match keyword.as_str() {
                        "properties" | "$defs" => {
                            value
                                .as_object()
                                .into_iter()
                                .flatten()
                                .for_each(|(_, v)| look(v, unknown));
                        }
                        "default" | "examples" | "enum" | "const" | "required" => {}
                        _ => look(value, unknown),
                    }
                    if !CHECKED.contains(&keyword.as_str()) && !NOTES.contains(&keyword.as_str()) {
                        unknown.insert(keyword.clone());
                    }
                    if keyword == "pattern" {
                        assert!(keywords.contains_key("format"), "{schema}");
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| look(item, unknown)),
            _ => {}
        }
    }
    let mut unknown = BTreeSet::new();
    look(schema(), &mut unknown);
    assert_eq!(unknown, BTreeSet::new());
}

#[test]
fn secrets_are_marked_as_such_in_the_schema() {
    let lab = &schema()["$defs"]["Lab"]["properties"]["client_secret"];
    assert!(lab.to_string().contains("\"writeOnly\":true"), "{lab}");
}
