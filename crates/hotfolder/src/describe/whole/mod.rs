//! Whether a case is whole: what a technician would find missing or wrong when they open it.
//!
//! A finding is never a fault, and nobody is accused on a guess: where it is not known what belongs to a
//! case, nothing is said, or a note. Serious is only what stops the work. Words hold no names.

mod jaws;
mod meshes;
mod named;
mod numbers;
mod papers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{Known, Told, key, vendor_keys};
use crate::mesh::Facts;
use casedrop_disk::Disk;
use casedrop_model::finding_code::FindingCode;
use casedrop_model::manifest::{Finding, Jaw, Role, Severity};
use casedrop_model::order::RemoteOrder;
use casedrop_model::path::RelPath;

/// What is known of a case beside its files.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What Align says of the order.
    pub order: &'a RemoteOrder,
    /// What its meshes were seen to be, by their paths in the package.
    pub meshes: &'a BTreeMap<RelPath, Facts>,
    /// Whether the thumbnails come by a call of their own.
    pub pictures_follow: bool,
}

/// Something found, before the files have their last names.
#[derive(Debug)]
pub(super) struct Found {
    finding: Finding,
    about: About,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    All,
    /// The file of this number.
    File(usize),
    /// One that is not there.
    Absent(String),
}

impl Found {
    fn new(about: About, code: FindingCode, severity: Severity, words: &str) -> Self {
        Self { finding: Finding::new(code, severity, words), about }
    }

    /// As the manifest tells it, with the file's name as it is now.
    pub(super) fn told(self, files: &[Known]) -> Finding {
        let path = match self.about {
            About::All => None,
            About::File(index) => files.get(index).map(|file| file.staged.path.as_str().to_owned()),
            About::Absent(name) => Some(name),
        };
        Finding { path, ..self.finding }
    }
}

impl Case<'_> {
    pub(super) fn check(
        &self,
        disk: &dyn Disk,
        dir: &Path,
        files: &[Known],
        told: &[Told],
    ) -> Vec<Found> {
        let look = Look { case: self, disk, dir, files, told, keys: keys(files) };
        let mut found = Vec::new();
        look.named(&mut found);
        look.meshes(&mut found);
        look.jaws(&mut found);
        look.papers(&mut found);
        look.numbers(&mut found);
        found
    }
}

/// All that the checks look at.
struct Look<'a> {
    case: &'a Case<'a>,
    disk: &'a dyn Disk,
    dir: &'a Path,
    files: &'a [Known],
    told: &'a [Told],
    /// The names of all files, as references are compared.
    keys: BTreeSet<String>,
}

/// A mesh of the case, with its number among the files.
#[derive(Clone, Copy)]
struct Scan<'a> {
    index: usize,
    file: &'a Known,
    facts: Option<&'a Facts>,
}

impl Scan<'_> {
    /// Whether it is a jaw as it is to be worked on.
    fn is_main(&self) -> bool {
        self.file.jaw.is_some() && !self.file.pretreatment && self.file.bite.is_none()
    }

    /// Whether it shows this jaw, alone or with the other.
    fn shows(&self, jaw: Jaw) -> bool {
        self.file.jaw == Some(jaw) || self.file.jaw == Some(Jaw::Both)
    }
}

impl<'a> Look<'a> {
    fn scans(&self) -> impl Iterator<Item = Scan<'a>> {
        let (files, meshes) = (self.files, self.case.meshes);
        let scans = files.iter().enumerate().filter(|(_, file)| file.role == Role::Scan);
        scans.map(move |(index, file)| Scan { index, file, facts: meshes.get(&file.staged.path) })
    }

    /// Whether a file of this name is in the package.
    fn has(&self, name: &str) -> bool {
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name).trim();
        self.keys.contains(&key(name))
            || RelPath::make_safe(name).is_ok_and(|name| self.keys.contains(&key(name.as_str())))
    }
}

fn keys(files: &[Known]) -> BTreeSet<String> {
    files.iter().flat_map(|file| vendor_keys(&file.staged)).collect()
}

/// A file's name without its ending.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// What a scan's name says beside its jaw and the order's number: two of one jaw that differ in nothing
/// else are the same twice.
fn what(name: &str) -> Vec<String> {
    const JAWS: [&str; 8] =
        ["upper", "lower", "maxilla", "mandible", "maxillary", "mandibular", "u", "l"];
    let name = name.to_lowercase();
    let words = stem(&name).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let is_number = |word: &str| word.len() >= 6 && word.bytes().all(|byte| byte.is_ascii_digit());
    words.filter(|word| !JAWS.contains(word) && !is_number(word)).map(str::to_owned).collect()
}
