//! The policy file: an administrator's decisions. It is next to the config file and has some of the
//! same keys; its values override those of the file and of the environment.
//!
//! Sections are merged key by key; anything else at a key (a value, a whole list) replaces what was
//! there. Labs are an exception: each entry of the policy's `labs` names a lab and sets single keys
//! of the lab with that name.

use std::io;
use std::path::{Path, PathBuf};

use super::fault::{ConfigFault, KeyPath, Step};
use super::node::{Entry, Kind, Node, Origin};
use super::schema::Expected;
use super::walk::Found;
use super::yaml;
use crate::disk::{Disk, read_limited};
use crate::model::digest::sha256;

pub const POLICY_NAME: &str = "policy.yaml";

/// A policy file as it was found.
pub(super) struct Policy {
    pub(super) path: PathBuf,
    bytes: Vec<u8>,
}

impl Policy {
    /// Reads the policy next to a config file, if there is one. An unreadable policy is a fault, so
    /// that nobody can get rid of it that way.
    pub(super) fn beside(disk: &dyn Disk, config: &Path) -> Result<Option<Self>, Box<ConfigFault>> {
        let path = config.with_file_name(POLICY_NAME);
        let source = path.display().to_string();
        match read_limited(disk, &path, yaml::MAX_BYTES) {
            Ok(bytes) => Ok(Some(Self { path, bytes })),
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_nothing(disk, &path) => {
                Ok(None)
            }
            Err(error) => {
                let reason = match error.kind() {
                    io::ErrorKind::FileTooLarge => "the file is larger than 1 MiB".to_owned(),
                    _ => format!("cannot read the policy: {}", error.source),
                };
                let hint = "the agent does not start if it cannot read its policy; check that it \
                            is a file and that the agent's user may read it";
                Err(Box::new(ConfigFault { source, ..ConfigFault::of_key("", reason).hint(hint) }))
            }
        }
    }

    /// Its keys, as far as they can be read, and the problems with the rest.
    pub(super) fn parse(&self) -> (Option<Node>, Vec<yaml::Problem>) {
        let (tree, problems) = match yaml::decode(&self.bytes) {
            Ok(text) => yaml::parse(text),
            Err(problem) => (None, vec![problem]),
        };
        // A policy in which everything is commented out decides nothing.
        let tree = tree.filter(|node| !matches!(node.kind, Kind::Null));
        let tree = tree.map(|mut node| {
            node.stamp(&|origin| match origin {
                Origin::File { line, column } => Origin::Policy { line: *line, column: *column },
                other => other.clone(),
            });
            node
        });
        (tree, problems)
    }

    /// The SHA-256 of its bytes.
    pub(super) fn digest(&self) -> String {
        sha256(&self.bytes)
    }
}

/// Applies the policy to a config. `file` is the config without the environment.
pub(super) fn lay(tree: &mut Node, policy: Node, file: &Node, config: &Path) -> Laid {
    let name = config.file_name().map(|name| name.to_string_lossy().into_owned());
    let config = name.unwrap_or_else(|| super::FILE_NAME.to_owned());
    let mut laying = Laying { file, config, laid: Laid::default() };
    laying.section(Expected::root(), tree, policy, &KeyPath::default());
    laying.laid
}

/// The result of applying a policy to a config.
#[derive(Default)]
pub(super) struct Laid {
    /// Faults of the policy itself.
    pub(super) found: Vec<Found>,
    /// Keys without effect, in the policy or in the config.
    pub(super) warned: Vec<Found>,
}

struct Laying<'a> {
    file: &'a Node,
    config: String,
    laid: Laid,
}

impl Laying<'_> {
    fn value(&mut self, expected: Expected<'_>, at: &mut Node, policy: Node, path: &KeyPath) {
        match &policy.kind {
            // A section whose keys are all commented out.
            Kind::Null if !expected.nullable => {}
            Kind::Section(_) if matches!(at.kind, Kind::Section(_)) => {
                self.section(expected, at, policy, path);
            }
            _ => {
                self.overrule(at, &policy, path);
                *at = policy;
            }
        }
    }

    fn section(&mut self, expected: Expected<'_>, at: &mut Node, policy: Node, path: &KeyPath) {
        let (Kind::Section(own), Kind::Section(entries)) = (&mut at.kind, policy.kind) else {
            return;
        };
        for entry in entries {
            let path = path.key(&entry.key);
            let Some(expected) = expected.property(&entry.key) else { continue };
            let there = own.iter().position(|other| other.key == entry.key);
            if let ([Step::Key(key)], Kind::List(items)) = (path.0.as_slice(), &entry.value.kind)
                && key == "labs"
            {
                let labs = match there.map(|index| &mut own[index].value.kind) {
                    Some(Kind::List(labs)) => labs.as_mut_slice(),
                    _ => &mut [],
                };
                self.labs(expected, labs, items.clone());
                continue;
            }
            if let Some(index) = there {
                let origin = entry.origin.clone();
                self.value(expected, &mut own[index].value, entry.value, &path);
                if matches!(own[index].value.origin, Origin::Policy { .. }) {
                    own[index].origin = origin;
                }
            } else if expected.nullable || !matches!(entry.value.kind, Kind::Null) {
                own.push(entry);
            }
        }
    }

    fn labs(&mut self, expected: Expected<'_>, labs: &mut [Node], policies: Vec<Node>) {
        let Some(expected) = expected.items() else { return };
        let path = KeyPath::default().key("labs");
        let mut seen = Vec::new();
        for (index, mut policy) in policies.into_iter().enumerate() {
            let origin = Some(policy.origin.clone());
            let Kind::Section(entries) = &mut policy.kind else { continue };
            if entries.is_empty() {
                // Its fault has been reported already.
                continue;
            }
            let Some(name) = take_name(entries) else {
                let reason = "the lab has no name".to_owned();
                let hint = "add `name: …`: it says which lab these keys are for".to_owned();
                self.laid.found.push(Found { path: path.index(index), origin, reason, hint });
                continue;
            };
            if seen.contains(&fold(&name)) {
                let reason = format!("`{name}` is listed here for the second time");
                let hint = "keep one of the two, with the keys of both".to_owned();
                self.laid.found.push(Found { path: path.index(index), origin, reason, hint });
                continue;
            }
            seen.push(fold(&name));
            let is_meant =
                |lab: &Node| name_of(lab).is_some_and(|other| fold(other) == fold(&name));
            if let Some(index) = labs.iter().position(is_meant) {
                self.section(expected, &mut labs[index], policy, &path.index(index));
            } else {
                let config = &self.config;
                let reason = format!("{config} has no lab `{name}`: these keys have no effect");
                let names: Vec<&str> = labs.iter().filter_map(name_of).collect();
                let hint = format!("its labs are: {}", names.join(", "));
                self.laid.warned.push(Found { path: path.index(index), origin, reason, hint });
            }
        }
    }

    /// Warns that the value there has no effect, if it differs.
    fn overrule(&mut self, at: &Node, policy: &Node, path: &KeyPath) {
        let written = [Some(at), self.file.at(path)];
        let mut places: Vec<String> = written
            .into_iter()
            .flatten()
            .filter(|node| !node.says_the_same(policy))
            .map(|node| self.place(&node.origin))
            .collect();
        places.dedup();
        if places.is_empty() {
            return;
        }
        let decides = self.place(&policy.origin);
        let verb = if places.len() == 1 { "has" } else { "have" };
        let places = places.join(" and ");
        let reason = format!("{decides} decides; {places} {verb} no effect");
        let hint = format!("remove it from {places}; the policy belongs to the administrator");
        let origin = Some(policy.origin.clone());
        self.laid.warned.push(Found { path: path.clone(), origin, reason, hint });
    }

    fn place(&self, origin: &Origin) -> String {
        match origin {
            Origin::File { line, .. } => format!("{}:{line}", self.config),
            Origin::Policy { line, .. } => format!("{POLICY_NAME}:{line}"),
            Origin::Variable(name) => name.clone(),
        }
    }
}

/// A dangling link to a policy is not the same as no policy.
fn is_nothing(disk: &dyn Disk, path: &Path) -> bool {
    matches!(disk.kind(path), Ok(None))
}

fn take_name(entries: &mut Vec<Entry>) -> Option<String> {
    let index = entries.iter().position(|entry| entry.key == "name")?;
    entries.remove(index).value.text().map(|text| text.trim().to_owned())
}

fn name_of(lab: &Node) -> Option<&str> {
    lab.at(&KeyPath::default().key("name"))?.text()
}

fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}
