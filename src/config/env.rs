//! Environment variables that override keys of the file: `CASEDROP_OUTPUT` for `output`,
//! `CASEDROP_LABS__0__CLIENT_SECRET` for `labs[0].client_secret`. `__` goes one level down; numbers
//! count list entries from 0. An empty variable counts as unset.

use super::fault::{KeyPath, Step, nearest};
use super::node::{Entry, Kind, Node, Origin};
use super::schema::{Expected, all_keys};
use super::walk::Found;
use super::yaml;

const PREFIX: &str = "CASEDROP_";
/// Names the config file.
pub(super) const CONFIG: &str = "CASEDROP_CONFIG";

/// The environment variables of this process. Skips names that are not Unicode, since they cannot
/// be ours; a value that is not Unicode is refused where it is used.
pub fn process_env() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        })
        .collect()
}

/// Puts the values of the variables into the tree. A variable that fits nowhere is a fault.
pub(super) fn overlay(tree: &mut Node, env: &[(String, String)]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut placed = Vec::new();
    for (name, value) in env {
        let upper = name.to_ascii_uppercase();
        let Some(rest) = upper.strip_prefix(PREFIX) else { continue };
        if value.is_empty() || is_for_others(rest) {
            continue;
        }
        match place(tree, rest) {
            Some((path, expected)) => placed.push((path, expected, upper, value)),
            None => found.push(unknown(&upper)),
        }
    }
    // Sorted by key, so that a list grows entry by entry.
    placed.sort_by(|a, b| a.0.cmp(&b.0));
    for (path, expected, name, value) in placed {
        let fault = match read(expected, &name, value) {
            Ok(node) => put(tree, &path.0, node).err(),
            Err(fault) => Some(fault),
        };
        if let Some((reason, hint)) = fault {
            found.push(Found { path, origin: Some(Origin::Variable(name)), reason, hint });
        }
    }
    found
}

/// Variables with our prefix that are not keys.
fn is_for_others(rest: &str) -> bool {
    rest == "CONFIG"
        // A hook may run casedrop itself.
        || crate::notices::feed::VARIABLES.contains(&rest)
        || rest.starts_with("TEST_")
        || rest.starts_with("SIM_SEED")
}

/// Finds the key that a variable stands for.
fn place(tree: &Node, rest: &str) -> Option<(KeyPath, Expected<'static>)> {
    let mut path = KeyPath::default();
    let mut expected = Expected::root();
    for part in rest.split("__") {
        let key = part.to_ascii_lowercase();
        (path, expected) = match expected.type_name() {
            "array" => (path.index(part.parse().ok()?), expected.items()?),
            "object" if expected.properties().is_some_and(|keys| keys.contains_key(&key)) => {
                (path.key(&key), expected.property(&key)?)
            }
            "object" if expected.is_open() && !key.is_empty() => {
                // Such as `formats.iRecord`: use the file's spelling.
                let written = match tree.at(&path).map(|node| &node.kind) {
                    Some(Kind::Section(entries)) => {
                        entries.iter().find(|entry| entry.key.eq_ignore_ascii_case(&key))
                    }
                    _ => None,
                };
                let key = written.map_or(key, |entry| entry.key.clone());
                (path.key(&key), expected.property(&key)?)
            }
            _ => return None,
        };
    }
    Some((path, expected))
}

fn unknown(name: &str) -> Found {
    let known: Vec<String> = all_keys().iter().map(variable).collect();
    let rest = name.strip_prefix(PREFIX).unwrap_or(name);
    let hint = match nearest(rest, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {PREFIX}{meant}?"),
        None => "unset it, or write the key's path with `__` between the levels, such as \
                 CASEDROP_DOWNLOADS__CONCURRENCY"
            .to_owned(),
    };
    Found {
        path: KeyPath::default(),
        origin: Some(Origin::Variable(name.to_owned())),
        reason: "there is no key for this variable".to_owned(),
        hint,
    }
}

/// The name of a key's variable, without the prefix.
fn variable(path: &KeyPath) -> String {
    let parts: Vec<String> = path
        .0
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.to_ascii_uppercase(),
            Step::Index(index) => index.to_string(),
        })
        .collect();
    parts.join("__")
}

/// Reads a variable's value as the expected type: a secret that reads `true` is still a string.
fn read(expected: Expected<'_>, name: &str, value: &str) -> Result<Node, (String, String)> {
    let origin = Origin::Variable(name.to_owned());
    if value.contains('\u{FFFD}') {
        let hint = "write it in Unicode".to_owned();
        return Err(("the value is not valid text".to_owned(), hint));
    }
    match expected.type_name() {
        "array" | "object" if value.starts_with(['[', '{']) => match yaml::parse(value) {
            (Some(mut node), problems) if problems.is_empty() => {
                node.stamp(&|_| origin.clone());
                Ok(node)
            }
            (_, problems) => {
                let reason = problems.into_iter().next().map_or_else(
                    || "the value cannot be read".to_owned(),
                    |problem| format!("the value cannot be read: {}", problem.reason),
                );
                Err((reason, "write it as one line of YAML, such as [2m, 5m]".to_owned()))
            }
        },
        "array" => {
            let items = value.split(',').map(|item| Node::plain(item.trim(), origin.clone()));
            Ok(Node { kind: Kind::List(items.collect()), origin })
        }
        "string" if expected.nullable && value == "null" => Ok(Node { kind: Kind::Null, origin }),
        "string" => Ok(Node::quoted(value, origin)),
        _ => Ok(Node::plain(value, origin)),
    }
}

/// Sets the value at a path and creates what is missing on the way. If the file has something else
/// on the way, leaves it: the walk over the tree reports it.
fn put(tree: &mut Node, steps: &[Step], value: Node) -> Result<(), (String, String)> {
    let Some((step, rest)) = steps.split_first() else {
        *tree = value;
        return Ok(());
    };
    let origin = value.origin.clone();
    if matches!(tree.kind, Kind::Null) {
        let kind = match step {
            Step::Key(_) => Kind::Section(Vec::new()),
            Step::Index(_) => Kind::List(Vec::new()),
        };
        *tree = Node { kind, origin: origin.clone() };
    }
    let null = Node { kind: Kind::Null, origin: origin.clone() };
    match (step, &mut tree.kind) {
        (Step::Key(key), Kind::Section(entries)) => {
            let at = entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
                entries.push(Entry { key: key.clone(), origin, value: null });
                entries.len() - 1
            });
            put(&mut entries[at].value, rest, value)
        }
        (Step::Index(index), Kind::List(items)) => {
            if *index > items.len() {
                let reason = format!("the list ends before that: its length is {}", items.len());
                return Err((reason, format!("use {} for the next one", items.len())));
            }
            if *index == items.len() {
                items.push(null);
            }
            put(&mut items[*index], rest, value)
        }
        _ => Ok(()),
    }
}
