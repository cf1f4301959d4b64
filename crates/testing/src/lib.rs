//! Helpers shared by tests of several crates: published orders, archives, and disks that misbehave.

#![expect(clippy::missing_panics_doc, reason = "a test that cannot go on is to fail")]

pub mod certificate;
mod disk;

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use casedrop_model::digest::hex;
use casedrop_model::ids::OrderKey;
use casedrop_model::manifest::{self, Account, Manifest, ManifestFile, Reason, Role};
use casedrop_model::path::RelPath;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub use disk::{HOLDER, Hang, Lie, NoExchange, Volume};

/// Returns a zip archive with these members, deflated; a name that ends with `/` makes a directory.
pub fn zip_of(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in members {
        if name.ends_with('/') {
            writer.add_directory(*name, options).expect("directory");
        } else {
            writer.start_file(*name, options).expect("member");
            writer.write_all(bytes).expect("written");
        }
    }
    writer.finish().expect("finished").into_inner()
}

/// Returns all files below a directory with their content, as paths with `/`.
pub fn content_of(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |(path, file)| (path, std::fs::read(file).expect("readable"));
    files_below(dir).into_iter().map(read).collect()
}

/// Returns all files below a directory, as paths with `/`, and their locations.
fn files_below(dir: &Path) -> BTreeMap<String, PathBuf> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        let name = path.file_name().expect("a name").to_str().expect("Unicode").to_owned();
        if path.is_dir() {
            let below = files_below(&path).into_iter();
            files.extend(below.map(|(rest, path)| (format!("{name}/{rest}"), path)));
        } else {
            files.insert(name, path);
        }
    }
    files
}

fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}

/// Returns a manifest of order 17 with these files.
pub fn manifest_of(revision: u32, files: &[(&str, &str)]) -> Manifest {
    let files = files
        .iter()
        .map(|(path, text)| ManifestFile {
            path: RelPath::parse(path).expect("portable"),
            size: text.len() as u64,
            sha256: sha256(text.as_bytes()),
            role: Role::Attachment,
            jaw: None,
            stage: None,
            part: None,
            copy_of: None,
            original_name: None,
            raw_name: None,
        })
        .collect();
    Manifest {
        schema: manifest::SCHEMA,
        lab: "smile-lab".to_owned(),
        account: Account { id: "4711".to_owned(), name: None },
        order_id: "17".to_owned(),
        rx_id: None,
        order_code: None,
        status: "Ready for Download".to_owned(),
        case_type: None,
        procedure: None,
        due_date: None,
        doctor: None,
        teeth: Vec::new(),
        revision,
        reason: Reason::FirstScan,
        published_at: "2026-11-23T10:00:00Z".to_owned(),
        agent: "casedrop test".to_owned(),
        files,
        left_out: Vec::new(),
        missing: Vec::new(),
        previous: None,
        findings: Vec::new(),
    }
}

/// The key of order 17.
pub fn key() -> OrderKey {
    OrderKey {
        lab: "smile-lab".parse().expect("valid"),
        account: "4711".parse().expect("valid"),
        order: "17".parse().expect("valid"),
    }
}

/// Writes an order to a directory as it is published: its files, and a manifest that lists them.
/// Returns the manifest and the SHA-256 of its bytes.
pub fn sealed(dir: &Path, revision: u32, files: &[(&str, &str)]) -> (Manifest, String) {
    for (path, text) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
        std::fs::write(path, text).expect("written");
    }
    let manifest = manifest_of(revision, files);
    let bytes = manifest.to_bytes();
    std::fs::write(dir.join(manifest::FILE_NAME), &bytes).expect("written");
    (manifest, sha256(&bytes))
}
