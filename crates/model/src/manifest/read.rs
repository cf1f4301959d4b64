//! Reads manifests: from the output folder and staging, where others can write, and from the
//! journal.
//!
//! Errors cite the number of the entry, never its text: file names may contain people's names.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, de};

use super::{FILE_NAME, Manifest, ManifestFile, SCHEMA, SCHEMA_READ};
use crate::path::RelPath;

/// Why a manifest cannot be used. Displayed as the end of a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A newer version may have written it.
    #[error("has schema {0}, which is unknown here")]
    Schema(u32),
    /// It is not JSON, or something is missing.
    #[error("cannot be read (line {line}, column {column})")]
    Syntax {
        /// Counted from 1; 0 if unknown.
        line: usize,
        /// Counted from 1.
        column: usize,
    },
    /// It lists a path that no order can contain: the entry's number, from 1, and what is wrong.
    #[error("is refused: the path of entry {0} {1}")]
    Entry(usize, &'static str),
}

impl Manifest {
    /// Parses a manifest. No path in it leads out of the order's directory.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice::<Self>(bytes) {
            Ok(manifest) if (SCHEMA..=SCHEMA_READ).contains(&manifest.schema) => Ok(manifest),
            Ok(manifest) => Err(Refusal::Schema(manifest.schema)),
            Err(error) => Err(bad_entry(bytes)
                .unwrap_or(Refusal::Syntax { line: error.line(), column: error.column() })),
        }
    }
}

pub(super) fn revision<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    match u32::deserialize(from)? {
        // There must be room for a next revision.
        u32::MAX => Err(de::Error::custom("no order has so many revisions")),
        number => Ok(number),
    }
}

pub(super) fn files<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<ManifestFile>, D::Error> {
    let files: Vec<ManifestFile> = Vec::deserialize(from)?;
    let paths = files.iter().map(|file| file.path.as_str());
    match first_odd(paths) {
        None => Ok(files),
        Some((number, what)) => Err(de::Error::custom(Refusal::Entry(number, what))),
    }
}

/// Returns the first path that conflicts with those before it, or with the manifest itself.
fn first_odd<'a>(paths: impl Iterator<Item = &'a str>) -> Option<(usize, &'static str)> {
    let mut seen = BTreeSet::new();
    for (number, path) in (1..).zip(paths) {
        if path.eq_ignore_ascii_case(FILE_NAME) {
            return Some((number, "is the manifest itself"));
        }
        if !seen.insert(path) {
            return Some((number, "is listed twice"));
        }
    }
    None
}

/// Finds what is wrong with the paths of a manifest that failed to parse.
fn bad_entry(bytes: &[u8]) -> Option<Refusal> {
    #[derive(Deserialize)]
    struct Lean {
        files: Vec<LeanFile>,
    }
    #[derive(Deserialize)]
    struct LeanFile {
        path: String,
    }
    let lean: Lean = serde_json::from_slice(bytes).ok()?;
    for (number, file) in (1..).zip(&lean.files) {
        if let Err(fault) = RelPath::parse(&file.path) {
            return Some(Refusal::Entry(number, fault.in_words()));
        }
    }
    let (number, what) = first_odd(lean.files.iter().map(|file| file.path.as_str()))?;
    Some(Refusal::Entry(number, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(paths: &[&str]) -> Vec<u8> {
        let file = |path: &&str| serde_json::json!({ "path": path, "size": 1, "sha256": "", "role": "scan" });
        let files: Vec<_> = paths.iter().map(file).collect();
        let manifest = serde_json::json!({
            "schema": 1, "lab": "smile-lab", "account": { "id": "4711" }, "order_id": "17",
            "status": "Ready", "revision": 1, "reason": "first-scan", "published_at": "",
            "agent": "", "files": files, "left_out": [], "missing": [],
        });
        manifest.to_string().into_bytes()
    }

    fn refused(paths: &[&str]) -> String {
        Manifest::parse(&manifest(paths)).expect_err("refused").to_string()
    }

    #[test]
    fn an_entry_that_leads_elsewhere_is_told_by_its_number_and_nothing_else() {
        let words = "is refused: the path of entry 2";
        for (path, what) in [
            ("../../state/Müller.json", "leads out of its folder"),
            ("/etc/Müller", "is absolute"),
            ("C:\\Müller", "is absolute"),
            ("Müller:stream", "is not a valid name on every system"),
            ("NUL", "is not a valid name on every system"),
            ("", "is empty"),
            ("a.stl", "is listed twice"),
            ("Manifest.JSON", "is the manifest itself"),
        ] {
            assert_eq!(refused(&["a.stl", path]), format!("{words} {what}"));
            let bytes = manifest(&["a.stl", path]);
            let error = serde_json::from_slice::<Manifest>(&bytes).expect_err("by any way");
            assert!(!error.to_string().contains("Müller"), "{error}");
        }
        let read = Manifest::parse(&manifest(&["a.stl", "b/c.jpg"])).expect("good");
        assert_eq!(read.files[1].path.as_str(), "b/c.jpg");
        assert_eq!(Manifest::parse(&read.to_bytes()), Ok(read));
    }

    #[test]
    fn what_no_agent_writes_is_told_without_a_word_of_it() {
        let text = String::from_utf8(manifest(&["Müller.stl"])).expect("text");
        let read = |from: &str, to: &str| Manifest::parse(text.replacen(from, to, 1).as_bytes());
        assert_eq!(read("\"schema\":1", "\"schema\":99"), Err(Refusal::Schema(99)));
        for (from, to) in [
            ("\"scan\"", "\"Müller\""),
            ("\"size\":1", "\"size\":-1"),
            ("\"revision\":1", "\"revision\":4294967295"),
            ("}", ""),
        ] {
            let refusal = read(from, to).expect_err(to);
            assert!(matches!(refusal, Refusal::Syntax { .. }), "{refusal}");
        }
        let huge = text.replace("\"size\":1", &format!("\"size\":{}", u64::MAX));
        let twice =
            huge.replace("[{", "[{\"path\":\"b\",\"size\":9,\"sha256\":\"\",\"role\":\"scan\"},{");
        assert_eq!(Manifest::parse(twice.as_bytes()).expect("read").bytes(), u64::MAX);
    }
}
