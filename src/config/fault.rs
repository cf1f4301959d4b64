//! The faults of a config, reported so that a user can fix them: which key, where, why it is wrong
//! and what to write instead. All faults of a config travel together.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::survey::Survey;

/// How many faults to print in full; a file that is not a config at all can have thousands.
const SHOWN: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConfigFault {
    /// The key's path, such as `labs[0].base_url`; empty for the whole file.
    pub key: String,
    /// Line in the config file, from 1.
    pub line: Option<usize>,
    /// Column in that line, from 1.
    pub column: Option<usize>,
    /// The config file, or the environment variable that holds the value.
    pub source: String,
    pub reason: String,
    pub hint: Option<String>,
    /// The place in the file, if the file is not valid YAML.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snippet: Option<String>,
}

impl ConfigFault {
    /// A fault of a key that is written nowhere: a default, or something in the surroundings.
    pub fn of_key(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            line: None,
            column: None,
            source: String::new(),
            reason: reason.into(),
            hint: None,
            snippet: None,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Where it is, for people: `casedrop.yaml:12`, or the variable's name.
    fn place(&self) -> Option<String> {
        let name = || {
            let path = Path::new(&self.source);
            path.file_name().map_or_else(|| self.source.clone(), |n| n.to_string_lossy().into())
        };
        match (self.line, self.column) {
            (Some(line), Some(column)) if self.snippet.is_some() => {
                Some(format!("{}:{line}:{column}", name()))
            }
            (Some(line), _) => Some(format!("{}:{line}", name())),
            (None, _) if self.source.is_empty() => None,
            (None, _) => Some(name()),
        }
    }

    /// The fault as one paragraph that starts with `label`.
    pub fn paragraph(&self, label: &str) -> String {
        let mut text = match (self.key.as_str(), self.place()) {
            ("", Some(place)) => format!("{label}: {place}: {}", self.reason),
            ("", None) => format!("{label}: {}", self.reason),
            (key, Some(place)) => format!("{label}: {key} ({place}): {}", self.reason),
            (key, None) => format!("{label}: {key}: {}", self.reason),
        };
        if let Some(snippet) = &self.snippet {
            text.push('\n');
            text.push_str(snippet);
        }
        if let Some(hint) = &self.hint {
            text.push_str("\nhint: ");
            text.push_str(hint);
        }
        text
    }
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct ConfigFaults {
    /// The config file, if one was found.
    pub config: Option<PathBuf>,
    /// In the order of the file.
    pub faults: Vec<ConfigFault>,
    /// Allowed, but should be changed.
    pub warnings: Vec<ConfigFault>,
    /// What could be read despite the faults, so that the surroundings can be checked too.
    #[serde(skip)]
    pub survey: Box<Survey>,
}

impl ConfigFaults {
    /// A single fault of the whole file.
    pub(super) fn whole(config: Option<&Path>, fault: ConfigFault) -> Self {
        let source = config.map(|path| path.display().to_string()).unwrap_or_default();
        let fault = ConfigFault { source, ..fault };
        Self { config: config.map(Path::to_path_buf), faults: vec![fault], ..Self::default() }
    }
}

impl fmt::Display for ConfigFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, fault) in self.faults.iter().take(SHOWN).enumerate() {
            if at > 0 {
                f.write_str("\n\n")?;
            }
            f.write_str(&fault.paragraph("error"))?;
        }
        match self.faults.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n\n… and {more} more errors"),
        }
    }
}

impl std::error::Error for ConfigFaults {}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    /// A key of a section.
    Key(String),
    /// An entry of a list.
    Index(usize),
}

/// The position of a value in the config's tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct KeyPath(pub(super) Vec<Step>);

impl KeyPath {
    /// The path of a key in the section at this path.
    pub(super) fn key(&self, key: &str) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Key(key.to_owned()));
        Self(steps)
    }

    /// The path of an entry in the list at this path.
    pub(super) fn index(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step::Index(index));
        Self(steps)
    }

    /// Parses a path such as `labs[0].base_url`.
    pub(super) fn of(text: &str) -> Self {
        let mut path = Self::default();
        for part in text.split('.') {
            let (key, index) = match part.split_once('[') {
                Some((key, rest)) => (key, rest.trim_end_matches(']').parse().ok()),
                None => (part, None),
            };
            path = path.key(key);
            if let Some(index) = index {
                path = path.index(index);
            }
        }
        path
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(f, "[{index}]")?,
                Step::Key(key) if is_plain(key) => {
                    f.write_str(if at > 0 { "." } else { "" })?;
                    f.write_str(key)?;
                }
                Step::Key(key) => write!(f, "[{:?}]", shorten(key))?,
            }
        }
        Ok(())
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 64
        && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// Shortens a text, for messages.
pub(super) fn shorten(text: &str) -> String {
    const KEEP: usize = 60;
    if text.chars().count() <= KEEP {
        text.to_owned()
    } else {
        let start: String = text.chars().take(KEEP).collect();
        format!("{start}…")
    }
}

/// The candidate that the user probably meant.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let fold = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let wanted = fold(word);
    if wanted.is_empty() || wanted.len() > 200 {
        return None;
    }
    let allowed = (wanted.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &fold(candidate)), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_written_as_people_write_them() {
        for text in ["output", "labs[0].base_url", "downloads.retry_404[3]"] {
            assert_eq!(KeyPath::of(text).to_string(), text);
        }
        let odd = KeyPath::of("formats").key("Invisalign + iRecord").key("file_type");
        assert_eq!(odd.to_string(), "formats[\"Invisalign + iRecord\"].file_type");
    }

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let known = ["base_url", "oauth_base", "client_id"];
        assert_eq!(nearest("baseUrl", known), Some("base_url"));
        assert_eq!(nearest("base-ulr", known), Some("base_url"));
        assert_eq!(nearest("clientid", known), Some("client_id"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn thousands_of_faults_are_cut_and_counted() {
        let faults = vec![ConfigFault::of_key("x", "unknown key"); SHOWN + 7];
        let text = ConfigFaults { faults, ..ConfigFaults::default() }.to_string();
        assert!(text.ends_with("… and 7 more errors"), "{text}");
    }
}
