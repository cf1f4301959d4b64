//! The zip file of a support bundle.

use std::io::{Cursor, Write as _};
use std::path::Path;

use serde::Serialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::redact::{REDACTED, Redactor};
use crate::disk::{Disk, DiskError};
use crate::model::fault::{Fault, FaultClass};

/// A file in the bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    pub name: String,
    /// What it contains, for people.
    pub about: &'static str,
    pub bytes: usize,
    #[serde(skip)]
    text: String,
}

/// The content of a bundle. Everything is redacted when it is added.
#[derive(Debug)]
pub struct Bundle {
    redactor: Redactor,
    members: Vec<Member>,
    missing: Vec<String>,
}

impl Bundle {
    /// Creates an empty bundle.
    pub fn new(redactor: Redactor) -> Self {
        Self { redactor, members: Vec::new(), missing: Vec::new() }
    }

    /// Adds a file after redacting it.
    pub fn add(&mut self, name: &str, about: &'static str, text: &str) {
        let mut text = self.redactor.text(text).into_owned();
        if self.redactor.finds(&text) {
            // Better nothing than a secret.
            REDACTED.clone_into(&mut text);
        }
        let name = self.redactor.text(name).into_owned();
        self.members.push(Member { name, about, bytes: text.len(), text });
    }

    /// Redacts everything again: while the bundle was gathered, a secret may have been replaced by
    /// a new one.
    pub fn redact_again(&mut self, redactor: Redactor) {
        self.redactor = redactor;
        let (members, missing) =
            (std::mem::take(&mut self.members), std::mem::take(&mut self.missing));
        for member in members {
            self.add(&member.name, member.about, &member.text);
        }
        self.missing = missing.iter().map(|text| self.redactor.text(text).into_owned()).collect();
    }

    /// Records that a piece could not be obtained, and why.
    pub fn miss(&mut self, what: &str, why: &str) {
        let text = format!("{what}: {why}");
        self.missing.push(self.redactor.text(&text).into_owned());
    }

    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The pieces that could not be obtained.
    pub fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Writes the zip, readable by its owner only (on Windows it inherits the folder's
    /// permissions), and returns its size in bytes.
    ///
    /// # Errors
    /// The path already exists, or the zip cannot be written; then no part of it is left behind.
    pub fn write(&self, disk: &dyn Disk, path: &Path) -> Result<usize, Fault> {
        let bytes = self.zip().map_err(|error| {
            Fault::new(FaultClass::Local, "bundle", "cannot make the zip").caused_by(error)
        })?;
        let mut file = disk.create_private(path)?;
        let written = file.write_all(&bytes).and_then(|()| file.flush()).and_then(|()| file.sync());
        drop(file);
        if let Err(source) = written {
            // The first error is the one to report.
            let _ = disk.remove_file(path);
            let path = path.to_path_buf();
            return Err(DiskError { operation: "write", path, source }.into());
        }
        Ok(bytes.len())
    }

    fn zip(&self) -> Result<Vec<u8>, zip::result::ZipError> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        for member in &self.members {
            zip.start_file(member.name.as_str(), options)?;
            zip.write_all(member.text.as_bytes())?;
        }
        Ok(zip.finish()?.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::super::redact::Known;
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_secret_that_came_while_it_was_gathered_goes_too() {
        let mut bundle = Bundle::new(Redactor::default());
        bundle.add("log-of-new-one.txt", "a log", "the new one: new-one");
        bundle.miss("x", "new-one is in the way");
        let mut known = Known::default();
        known.secret("new-one");
        bundle.redact_again(Redactor::new(known));
        assert_eq!(bundle.members()[0].text, "the new one: [redacted]");
        assert_eq!(bundle.members()[0].name, "log-of-[redacted].txt");
        assert_eq!(bundle.missing(), ["x: [redacted] is in the way"]);
    }

    #[test]
    fn what_is_added_is_redacted_and_nothing_is_overwritten() {
        let mut known = Known::default();
        known.secret("hush-hush");
        let mut bundle = Bundle::new(Redactor::new(known));
        bundle.add("a/hush-hush.txt", "a text", "it says hush-hush, anna@lab.example");
        bundle.miss("the log", "hush-hush is in the way");
        assert_eq!(bundle.missing(), ["the log: [redacted] is in the way"]);
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("x.zip");
        let size = bundle.write(&RealDisk, &path).expect("written");
        let bytes = std::fs::read(&path).expect("readable");
        assert_eq!(bytes.len(), size);
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes.clone())).expect("a zip");
        let mut member = zip.by_name("a/[redacted].txt").expect("a member");
        let mut text = String::new();
        std::io::Read::read_to_string(&mut member, &mut text).expect("readable");
        assert_eq!(text, "it says [redacted], [mail]");
        assert!(bundle.write(&RealDisk, &path).is_err(), "something stands there");
        assert_eq!(std::fs::read(&path).expect("readable"), bytes);
    }
}
