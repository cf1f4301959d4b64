//! Determines what each file of an order is, from the vendor's XML and its name, and the name it is
//! published under.
//!
//! All of this is advisory: an unrecognized file is an attachment, and a description never fails an
//! order. Where XML and name disagree, the name wins: exports are known to list pretreatment scans
//! as jaws.

mod html;
mod lines;
mod names;
mod older;
mod patient;
mod plain;
mod prescription;
mod references;
mod rx;
mod targets;
#[cfg(test)]
mod tests;
mod text;
mod told;
mod whole;
mod xml;

use std::collections::BTreeMap;
use std::path::Path;

pub use older::{complete, complete_from};
pub use patient::patient;
pub use whole::Case;

use super::StagedFile;
use casedrop_disk::{Disk, read_limited};
use casedrop_model::discreet::file_name;
use casedrop_model::export::Names;
use casedrop_model::fault::Fault;
use casedrop_model::manifest::{Finding, Jaw, ManifestFile, Role, Severity, Stage};
use casedrop_model::path::RelPath;
use casedrop_model::prescription::Prescription;
use told::Told;

/// An order's files, as its manifest lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// Sorted by path.
    pub files: Vec<ManifestFile>,
    /// The findings for the log, without personal data.
    pub notes: Vec<String>,
    /// Findings to report with the order.
    pub findings: Vec<Finding>,
    /// What the XML says about the prescription; nothing unless it is described as a case.
    pub prescription: Prescription,
}

#[derive(Debug, Clone)]
struct Known {
    staged: StagedFile,
    role: Role,
    jaw: Option<Jaw>,
    pretreatment: bool,
    part: Option<names::Part>,
    /// The file that this is a second name of.
    copy_of: Option<RelPath>,
}

/// Describes the files staged in `dir` and gives them the requested names: the vendor's; plain
/// ones, by renaming (files that refer to them in XML, HTML and meshes are rewritten to match, or
/// the order keeps the vendor's names); or both, with the plain ones as hard links.
pub fn describe(
    disk: &dyn Disk,
    dir: &Path,
    staged: Vec<StagedFile>,
    names: Names,
) -> Result<Described, Fault> {
    describe_as(disk, dir, staged, names, None)
}

/// Like [`describe`] for a whole package, and also reports what the case lacks or gets wrong.
pub fn describe_case(
    disk: &dyn Disk,
    dir: &Path,
    staged: Vec<StagedFile>,
    names: Names,
    case: &Case<'_>,
) -> Result<Described, Fault> {
    describe_as(disk, dir, staged, names, Some(case))
}

fn describe_as(
    disk: &dyn Disk,
    dir: &Path,
    staged: Vec<StagedFile>,
    names: Names,
    case: Option<&Case<'_>>,
) -> Result<Described, Fault> {
    let mut notes = Vec::new();
    let mut findings = Vec::new();
    let told = told(disk, dir, &staged, &mut notes);
    let listed = listed(&told);
    let mut files: Vec<Known> = staged.into_iter().map(|file| know(file, &listed)).collect();
    // Before any rename: the files refer to each other by the vendor's names.
    let found = case.map(|case| case.check(disk, dir, &files, &told)).unwrap_or_default();
    let prescription =
        case.map(|case| prescription::of(&told, &case.order.order_id)).unwrap_or_default();
    drop(told);
    match names {
        Names::Vendor => {}
        Names::Plain => {
            let names = plain::names(&files);
            findings.extend(plain::rename(disk, dir, &mut files, &names)?);
        }
        Names::Both => {
            let names = plain::names(&files);
            plain::link(disk, dir, &mut files, &names)?;
        }
    }
    for one in found {
        let finding = one.told(&files);
        if finding.severity > Severity::Note {
            let file = finding.path.as_deref().map(file_name).unwrap_or_default();
            notes.push(format!("{} {file}: {}", finding.code, finding.words));
        }
        findings.push(finding);
    }
    let mut files: Vec<ManifestFile> = files.into_iter().map(Known::into_manifest).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Described { files, notes, findings, prescription })
}

impl Known {
    fn into_manifest(self) -> ManifestFile {
        ManifestFile {
            stage: stage_of(self.role, self.pretreatment),
            part: self.part.map(|part| part.word.to_owned()),
            copy_of: self.copy_of,
            path: self.staged.path,
            size: self.staged.size,
            sha256: self.staged.sha256,
            role: self.role,
            jaw: self.jaw,
            original_name: self.staged.original_name,
            raw_name: self.staged.raw_name,
        }
    }
}

/// Every scan counts as one to work with, unless the vendor says otherwise.
fn stage_of(role: Role, pretreatment: bool) -> Option<Stage> {
    let stage = if pretreatment { Stage::Pretreatment } else { Stage::Working };
    matches!(role, Role::Scan | Role::Texture).then_some(stage)
}

fn told(disk: &dyn Disk, dir: &Path, staged: &[StagedFile], notes: &mut Vec<String>) -> Vec<Told> {
    let mut told = Vec::new();
    for (index, file) in staged.iter().enumerate() {
        if file.path.extension() != "xml" {
            continue;
        }
        let bytes = match read_limited(disk, &file.path.under(dir), xml::MAX) {
            Ok(bytes) => bytes,
            Err(error) => {
                let name = file_name(file.path.as_str());
                notes.push(format!("{name} was not checked: {}", error.source));
                continue;
            }
        };
        let text = text::decode(bytes).map(|(text, _)| text).unwrap_or_default();
        let (objects, is_whole) = xml::read(&text);
        told.push(Told { index, objects, rx: rx::read(&text), is_whole });
    }
    told
}

/// Returns what the XML files say about each file, keyed by file name. A package may hold the XML
/// in several versions; the first that lists a file wins.
fn listed(told: &[Told]) -> BTreeMap<String, names::Hint> {
    let mut listed = BTreeMap::new();
    for object in told.iter().flat_map(|told| &told.objects) {
        let hint = names::Hint {
            role: object.role(),
            jaw: object.jaw(),
            pretreatment: object.pretreatment(),
            part: object.part(),
        };
        for named in &object.files {
            listed.entry(key(&named.name)).or_insert_with(|| hint.clone());
        }
    }
    listed
}

/// Whether an order is useless without this file: scans, the XML and the prescription.
pub(super) fn is_needed(path: &RelPath) -> bool {
    let role = names::hint(path).role;
    matches!(role, Some(Role::Scan | Role::Metadata | Role::RxPdf | Role::RxHtml))
}

/// Returns the file names that an XML file lists.
pub(super) fn named_in_xml(bytes: &[u8]) -> Vec<String> {
    let text = text::decode(bytes.to_vec()).map(|(text, _)| text).unwrap_or_default();
    let files = xml::objects(&text).into_iter().flat_map(|object| object.files);
    files.map(|file| file.name).collect()
}

fn know(staged: StagedFile, listed: &BTreeMap<String, names::Hint>) -> Known {
    let by_name = names::hint(&staged.path);
    let by_xml = vendor_keys(&staged).find_map(|key| listed.get(&key)).cloned().unwrap_or_default();
    let extension = staged.path.extension();
    let role = by_name.role.or(by_xml.role.filter(|role| match role {
        Role::Texture | Role::Thumbnail => names::is_picture(&extension),
        // We already recognize every kind of mesh by its name.
        _ => false,
    }));
    let role = role.unwrap_or(Role::Attachment);
    let shows_jaw = matches!(role, Role::Scan | Role::Texture);
    let from_xml = shows_jaw && by_name.jaw.is_none();
    Known {
        role,
        jaw: by_name.jaw.or(by_xml.jaw.filter(|_| from_xml)),
        pretreatment: by_name.pretreatment || (from_xml && by_xml.pretreatment),
        part: by_name.part.or(by_xml.part.filter(|_| shows_jaw || role == Role::Attachment)),
        copy_of: None,
        staged,
    }
}

/// Returns the names under which the XML may list a file: the vendor's own, before it was made
/// safe.
fn vendor_keys(file: &StagedFile) -> impl Iterator<Item = String> {
    let original = file
        .original_name
        .as_deref()
        .map(|name| key(name.rsplit(['/', '\\']).next().unwrap_or(name)));
    original.into_iter().chain([key(file.path.file_name())])
}

/// Normalizes a file name: case does not matter, nor does `#`, which exports sometimes drop.
fn key(name: &str) -> String {
    name.to_lowercase().replace('#', "")
}
