//! An output folder with one order, and the real way of a revision into it, on any disk.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use casedrop::disk::Disk;
use casedrop::hotfolder::publish::{Publication, PublishOutcome, Recovered, Target};
use casedrop::hotfolder::root::prepare_root;
use casedrop::hotfolder::{Layout, publish, recover, write_manifest};
use casedrop::model::fault::Fault;
use casedrop::model::ids::OrderKey;
use casedrop::model::manifest::{self, Account, Manifest, ManifestFile, Reason, Role};
use sha2::{Digest as _, Sha256};

use super::disk::{Node, SimDisk};

pub type Files = &'static [(&'static str, &'static str)];

pub const OLD: Files = &[("a.stl", "old mesh"), ("thumbnails/b.jpg", "old picture")];
pub const NEW: Files = &[("a.stl", "new mesh"), ("c.xml", "<x/>"), ("sub/deep/d", "new")];

/// The output folder and the id in its marker.
pub struct Bench {
    pub layout: Layout,
    pub root_id: String,
}

/// A revision in staging, not synced, and its publication in the journal.
pub struct Revision {
    pub manifest: Manifest,
    pub publication: Publication,
}

impl Bench {
    /// Sets it up on an empty disk below `base`.
    pub fn new(disk: &dyn Disk, base: &Path) -> Self {
        let layout =
            Layout { output: base.join("orders"), staging: base.join(".orders.casedrop-staging") };
        let root_id = prepare_root(disk, &layout, None).expect("prepared");
        Self { layout, root_id }
    }

    /// Puts a revision into staging.
    pub fn stage(&self, disk: &dyn Disk, number: u32, files: Files, target: Target) -> Revision {
        let staged = self.layout.work_dir("job");
        unpack(disk, &staged, files);
        let manifest = manifest(number, files);
        let manifest_sha256 = sha256(&manifest.to_bytes());
        let publication =
            Publication { key: key(), revision: number, staged, target, manifest_sha256 };
        Revision { manifest, publication }
    }

    /// Publishes revision 1 and returns the target that replaces it.
    pub fn published(&self, disk: &dyn Disk) -> Target {
        let first = self.stage(disk, 1, OLD, Target::Fresh);
        assert!(self.is_done(&first, &self.publish(disk, &first).expect("published")));
        Target::Replace {
            previous_manifest: Box::new(first.manifest),
            previous_sha256: first.publication.manifest_sha256,
        }
    }

    /// Publishes as the executor does.
    pub fn publish(&self, disk: &dyn Disk, revision: &Revision) -> Result<PublishOutcome, Fault> {
        write_manifest(disk, &revision.publication.staged, &revision.manifest)?;
        publish(disk, &self.layout, &self.root_id, &revision.publication, &|_| {})
    }

    pub fn recover(&self, disk: &dyn Disk, revision: &Revision) -> Result<Recovered, Fault> {
        recover(disk, &self.layout, &revision.publication, &|_| {})
    }

    pub fn dir(&self, revision: &Revision) -> PathBuf {
        revision.publication.dir(&self.layout)
    }

    pub fn is_done(&self, revision: &Revision, outcome: &PublishOutcome) -> bool {
        *outcome == PublishOutcome::Done { dir: self.dir(revision) }
    }
}

impl Revision {
    /// All files below the order's directory, including the manifest.
    pub fn content(&self, files: Files) -> BTreeMap<String, String> {
        let bytes = String::from_utf8(self.manifest.to_bytes()).expect("text");
        let own = (manifest::FILE_NAME.to_owned(), bytes);
        files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .chain([own])
            .collect()
    }
}

/// Writes files as unpacking does: nothing is synced.
pub fn unpack(disk: &dyn Disk, dir: &Path, files: Files) {
    disk.create_dirs(dir).expect("made");
    for (path, text) in files {
        let path = dir.join(path);
        disk.create_dirs(path.parent().expect("below staging")).expect("made");
        disk.create(&path).expect("new").write_all(text.as_bytes()).expect("written");
    }
}

/// The files of a snapshot below a directory; `None` if there is no such directory.
pub fn files_below(
    snapshot: &BTreeMap<PathBuf, Node>,
    dir: &Path,
) -> Option<BTreeMap<String, String>> {
    snapshot.get(dir)?;
    let mut files = BTreeMap::new();
    for (path, node) in snapshot {
        if let (Ok(path), Node::File(bytes)) = (path.strip_prefix(dir), node) {
            let path = path.to_str().expect("text").replace('\\', "/");
            files.insert(path, String::from_utf8_lossy(bytes).into_owned());
        }
    }
    Some(files)
}

/// The current content of a directory.
pub fn content(disk: &SimDisk, dir: &Path) -> Option<BTreeMap<String, String>> {
    files_below(&disk.snapshot(Path::new("/")), dir)
}

pub fn key() -> OrderKey {
    OrderKey {
        lab: "smile-lab".parse().expect("valid"),
        account: "4711".parse().expect("valid"),
        order: "17".parse().expect("valid"),
    }
}

pub fn manifest_files(files: Files) -> Vec<ManifestFile> {
    let file = |(path, text): &(&str, &str)| ManifestFile {
        path: casedrop::model::path::RelPath::parse(path).expect("portable"),
        size: text.len() as u64,
        sha256: sha256(text.as_bytes()),
        role: Role::Attachment,
        jaw: None,
        stage: None,
        part: None,
        copy_of: None,
        original_name: None,
        raw_name: None,
    };
    files.iter().map(file).collect()
}

fn manifest(revision: u32, files: Files) -> Manifest {
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
        files: manifest_files(files),
        left_out: Vec::new(),
        missing: Vec::new(),
        previous: None,
        findings: Vec::new(),
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes all");
        text
    })
}
