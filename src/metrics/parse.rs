//! A strict parser for Prometheus' text format (0.0.4), for tests.

use std::collections::{BTreeMap, BTreeSet};

/// A family as read.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Read {
    pub(super) help: String,
    pub(super) kind: String,
    /// By sample name and labels.
    pub(super) samples: BTreeMap<(String, BTreeMap<String, String>), f64>,
}

/// Parses the whole text; an error names the line and what is wrong with it.
pub(super) fn read(text: &str) -> Result<BTreeMap<String, Read>, String> {
    let mut families: BTreeMap<String, Read> = BTreeMap::new();
    let mut current: Option<String> = None;
    if !text.ends_with('\n') {
        return Err("the last line does not end".to_owned());
    }
    for line in text.split_terminator('\n') {
        let wrong = |what: &str| Err(format!("{what}: {line:?}"));
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let Some((name, help)) = rest.split_once(' ') else { return wrong("no help") };
            if !is_name(name) || families.contains_key(name) {
                return wrong("a bad name, or a second HELP");
            }
            let read = Read { help: unescape(help, false)?, ..Read::default() };
            families.insert(name.to_owned(), read);
            current = Some(name.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let Some((name, kind)) = rest.split_once(' ') else { return wrong("no type") };
            let family = families.get_mut(name).filter(|_| current.as_deref() == Some(name));
            match family {
                Some(family) if family.kind.is_empty() => kind.clone_into(&mut family.kind),
                _ => return wrong("a TYPE out of place, or a second one"),
            }
            if !["counter", "gauge", "histogram"].contains(&kind) {
                return wrong("an unknown type");
            }
        } else {
            let (name, labels, value) = sample(line)?;
            let family = current.as_ref().and_then(|name| families.get_mut(name));
            let (Some(family), Some(of)) = (family, &current) else { return wrong("no family") };
            let rest = name.strip_prefix(of.as_str());
            let fits = match family.kind.as_str() {
                "histogram" => matches!(rest, Some("_bucket" | "_sum" | "_count")),
                "" => return wrong("no TYPE before it"),
                _ => rest == Some(""),
            };
            if !fits || family.samples.insert((name, labels), value).is_some() {
                return wrong("a sample of another family, or a second one");
            }
        }
    }
    Ok(families)
}

fn is_name(name: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_first) && name.chars().all(|c| is_first(c) || c.is_ascii_digit())
}

type Sample = (String, BTreeMap<String, String>, f64);

fn sample(line: &str) -> Result<Sample, String> {
    let wrong = |what: &str| format!("{what}: {line:?}");
    let end = line.find(['{', ' ']).ok_or_else(|| wrong("no value"))?;
    let (name, mut rest) = line.split_at(end);
    let mut labels = BTreeMap::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, after) = rest.split_once("=\"").ok_or_else(|| wrong("no label"))?;
            let end = closing(after).ok_or_else(|| wrong("an open quotation mark"))?;
            let value = unescape(&after[..end], true)?;
            let is_taken = labels.insert(label.to_owned(), value).is_some();
            if !is_name(label) || label.starts_with("__") || is_taken {
                return Err(wrong("a bad label, or a second one"));
            }
            rest = &after[end + 1..];
            match rest.split_at_checked(1) {
                Some((",", after)) => rest = after,
                Some(("}", after)) => {
                    rest = after;
                    break;
                }
                _ => return Err(wrong("something behind a label")),
            }
        }
    }
    let value = rest.strip_prefix(' ').ok_or_else(|| wrong("no value"))?;
    let value = if value == "+Inf" { Ok(f64::INFINITY) } else { value.parse() };
    let value = value.map_err(|_| wrong("a bad value, or something behind it"))?;
    if is_name(name) { Ok((name.to_owned(), labels, value)) } else { Err(wrong("a bad name")) }
}

/// Returns the position of the closing quotation mark of a label's value.
fn closing(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let closes = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        closes.then_some(at)
    })
}

fn unescape(text: &str, in_label: bool) -> Result<String, String> {
    let mut plain = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        plain.push(match (c, in_label) {
            ('\\', _) => match rest.next() {
                Some('\\') => '\\',
                Some('n') => '\n',
                Some('"') if in_label => '"',
                _ => return Err(format!("a bad escape in {text:?}")),
            },
            (c, _) => c,
        });
    }
    Ok(plain)
}

/// The label names used by a family, without `le`.
pub(super) fn label_names(read: &Read) -> BTreeSet<&str> {
    let labels = read.samples.keys().flat_map(|(_, labels)| labels.keys());
    labels.map(String::as_str).filter(|label| *label != "le").collect()
}

#[test]
fn the_reader_takes_what_is_right_and_nothing_else() {
    let head = "# HELP a_total Help \\\\ \\n.\n# TYPE a_total counter\n";
    let families = read(&format!("{head}a_total{{x=\"\\\"\\\\\\n\",y=\"\"}} 1.5\na_total 2\n"));
    let families = families.expect("it is right");
    assert_eq!(families["a_total"].help, "Help \\ \n.");
    assert_eq!(label_names(&families["a_total"]), BTreeSet::from(["x", "y"]));
    assert!(
        families["a_total"]
            .samples
            .keys()
            .any(|(_, labels)| labels.get("x").is_some_and(|x| x == "\"\\\n"))
    );
    for bad in [
        "a_total 1",
        "a_total\n",
        "a_total x\n",
        "a_total 1 2 3\n",
        "a_total{} 1\n",
        "a_total{x=\"1} 1\n",
        "a_total{x=\"1\",x=\"2\"} 1\n",
        "a_total{x=\"\\q\"} 1\n",
        "a_total{x=\"1\"}1\n",
        "a_total 1\na_total 1\n",
        "b_total 1\n",
        "# TYPE a_total gauge\n",
        "# HELP a_total again\n",
        "# HELP b-c help\n",
        "# HELP b help\nb 1\n",
    ] {
        assert!(read(&format!("{head}{bad}")).is_err(), "{bad}");
    }
}
