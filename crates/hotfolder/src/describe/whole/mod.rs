//! Whether a case is complete: what a technician would find missing or wrong on opening it.
//!
//! A finding is never a fault, and we do not guess: where we do not know what belongs to a case, we
//! report nothing, or a note. Only what stops the work is serious. The texts contain no names.

mod jaws;
mod meshes;
mod named;
mod numbers;
mod papers;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::names::Part;
use super::told::Told;
use super::{Known, key, vendor_keys};
use crate::mesh::Facts;
use casedrop_disk::Disk;
use casedrop_model::finding_code::FindingCode;
use casedrop_model::manifest::{Finding, Jaw, Role, Severity};
use casedrop_model::order::RemoteOrder;
use casedrop_model::path::RelPath;

/// What is known about a case besides its files.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What Align says about the order.
    pub order: &'a RemoteOrder,
    /// Facts about its meshes, by path in the package.
    pub meshes: &'a BTreeMap<RelPath, Facts>,
    /// Whether the thumbnails come in a separate call.
    pub pictures_follow: bool,
}

/// A finding, before the files have their final names.
#[derive(Debug)]
pub(super) struct Found {
    finding: Finding,
    about: About,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum About {
    All,
    /// The file with this index.
    File(usize),
    /// A file that is missing.
    Absent(String),
}

impl Found {
    fn new(about: About, code: FindingCode, severity: Severity, words: &str) -> Self {
        Self { finding: Finding::new(code, severity, words), about }
    }

    /// Converts to the manifest's form, with the file's current name.
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

struct Look<'a> {
    case: &'a Case<'a>,
    disk: &'a dyn Disk,
    dir: &'a Path,
    files: &'a [Known],
    told: &'a [Told],
    /// The names of all files, normalized as references are.
    keys: BTreeSet<String>,
}

/// A mesh of the case, with its index among the files.
#[derive(Clone, Copy)]
struct Scan<'a> {
    index: usize,
    file: &'a Known,
    facts: Option<&'a Facts>,
}

impl Scan<'_> {
    /// Whether it is a jaw to work on: not a pretreatment scan, not an extra bite.
    fn is_main(&self) -> bool {
        let is_bite = self.file.part.as_ref().is_some_and(Part::is_bite);
        self.file.jaw.is_some() && !self.file.pretreatment && !is_bite
    }

    /// Whether it shows this jaw, alone or together with the other.
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

    /// Whether the package has a file of this name.
    fn has(&self, name: &str) -> bool {
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name).trim();
        self.keys.contains(&key(name))
            || RelPath::make_safe(name).is_ok_and(|name| self.keys.contains(&key(name.as_str())))
    }
}

fn keys(files: &[Known]) -> BTreeSet<String> {
    files.iter().flat_map(|file| vendor_keys(&file.staged)).collect()
}

/// A file's name without its extension.
fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// Returns what a scan's name says besides the jaw and the order number: two scans of one jaw that
/// differ in nothing else are duplicates.
fn what(name: &str) -> Vec<String> {
    const JAWS: [&str; 8] =
        ["upper", "lower", "maxilla", "mandible", "maxillary", "mandibular", "u", "l"];
    let name = name.to_lowercase();
    let words = stem(&name).split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let is_number = |word: &str| word.len() >= 6 && word.bytes().all(|byte| byte.is_ascii_digit());
    words.filter(|word| !JAWS.contains(word) && !is_number(word)).map(str::to_owned).collect()
}
