//! What a config names in its surroundings: folders, listeners, space. Holds whatever keys could be
//! read, so that faults around the agent are found together with faults in the file.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::TlsFiles;
use super::fault::{ConfigFault, KeyPath};
use super::node::{Kind, Node, Origin};

/// The folders, listeners and limits of a config that may have faults elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    pub output: Option<PathBuf>,
    pub staging: Option<PathBuf>,
    pub commands: Option<PathBuf>,
    pub state: Option<PathBuf>,
    pub log_dir: Option<PathBuf>,
    pub ca_file: Option<PathBuf>,
    pub hook: Option<PathBuf>,
    pub status_page: Option<SocketAddr>,
    pub status_page_tls: Option<TlsFiles>,
    pub notifications: Option<SocketAddr>,
    pub notifications_tls: Option<TlsFiles>,
    /// Files that hold a secret, with the keys that name them.
    pub secret_files: Vec<(String, PathBuf)>,
    /// The level of the log; empty if the section cannot be read.
    pub log_level: String,
    /// Whether log lines are for programs.
    pub log_is_json: bool,
    /// How long log files are kept.
    pub log_keep: Duration,
    /// Bytes that stay free on the output's volume.
    pub min_free: u64,
    pub policy: Option<PathBuf>,
    pub places: Places,
}

/// Where the keys of a config were written, so that later findings can point there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    file: String,
    policy: String,
    origins: BTreeMap<String, Origin>,
}

impl Places {
    pub(super) fn new(file: &str, policy: &str, tree: &Node) -> Self {
        fn collect(node: &Node, path: &KeyPath, origins: &mut BTreeMap<String, Origin>) {
            match &node.kind {
                Kind::List(items) => {
                    for (index, item) in items.iter().enumerate() {
                        collect(item, &path.index(index), origins);
                    }
                }
                Kind::Section(entries) => {
                    for entry in entries {
                        collect(&entry.value, &path.key(&entry.key), origins);
                    }
                }
                _ => {}
            }
            if !path.0.is_empty() {
                origins.insert(path.to_string(), node.origin.clone());
            }
        }
        let mut origins = BTreeMap::new();
        collect(tree, &KeyPath::default(), &mut origins);
        Self { file: file.to_owned(), policy: policy.to_owned(), origins }
    }

    /// The line in the config file on which a key's value is, counted from 1.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        match self.origins.get(key)? {
            Origin::File { line, .. } => Some(*line),
            Origin::Policy { .. } | Origin::Variable(_) => None,
        }
    }

    /// What sets a key in place of the config file: the variable, or the policy file.
    pub(super) fn overruled_by(&self, key: &str) -> Option<&str> {
        match self.origins.get(key)? {
            Origin::File { .. } => None,
            Origin::Policy { .. } => Some(&self.policy),
            Origin::Variable(name) => Some(name),
        }
    }

    /// Adds the place of the fault's key, if that key was written.
    #[must_use]
    pub fn locate(&self, fault: ConfigFault) -> ConfigFault {
        let (source, line, column) = match self.origins.get(&fault.key) {
            Some(Origin::File { line, column }) => (&self.file, line, column),
            Some(Origin::Policy { line, column }) => (&self.policy, line, column),
            Some(Origin::Variable(name)) => return ConfigFault { source: name.clone(), ..fault },
            None => return fault,
        };
        ConfigFault { line: Some(*line), column: Some(*column), source: source.clone(), ..fault }
    }
}

impl Survey {
    /// The folders that the agent writes to, with their keys.
    pub fn folders(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [
            ("output", &self.output),
            ("staging", &self.staging),
            ("commands", &self.commands),
            ("state", &self.state),
            ("log.dir", &self.log_dir),
        ]
        .into_iter()
        .filter_map(|(key, path)| path.as_deref().map(|path| (key, path)))
    }

    /// The addresses that the agent listens on, with their keys.
    pub fn listeners(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        [("status_page.listen", self.status_page), ("notifications.listen", self.notifications)]
            .into_iter()
            .filter_map(|(key, address)| address.map(|address| (key, address)))
    }
}
