//! What each file of an order is, found from the vendor's XML and from its name; and under which
//! names it is published.
//!
//! Advisory throughout: what nobody knows is an attachment, and no order fails over its description.
//! Where XML and name differ, the name wins: exports are known to list pretreatment scans as jaws.

mod mesh;
mod names;
mod patient;
mod plain;
#[cfg(test)]
mod tests;
mod xml;

use std::collections::BTreeMap;
use std::path::Path;

pub use patient::patient;

use super::StagedFile;
use crate::config::Names;
use crate::disk::{Disk, read_limited};
use crate::model::discreet::file_name;
use crate::model::fault::Fault;
use crate::model::manifest::{Jaw, ManifestFile, Role};

/// An order's files as its manifest lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Described {
    /// Ordered by path.
    pub files: Vec<ManifestFile>,
    /// What a person may want to know, such as a mesh that is cut off. Without personal data.
    pub notes: Vec<String>,
}

/// One file and what is known of it.
#[derive(Debug, Clone)]
struct Known {
    staged: StagedFile,
    role: Role,
    jaw: Option<Jaw>,
    pretreatment: bool,
    bite: Option<String>,
}

/// Describes the files that were staged in `dir`, and brings them to the names wanted: the vendor's
/// as they are; plain ones by renaming (`FileName` values in the XML are rewritten to match); or both,
/// the plain ones as hard links.
pub fn describe(
    disk: &dyn Disk,
    dir: &Path,
    staged: Vec<StagedFile>,
    names: Names,
) -> Result<Described, Fault> {
    let mut notes = Vec::new();
    let listed = listed(disk, dir, &staged, &mut notes);
    let mut files: Vec<Known> = staged.into_iter().map(|file| know(file, &listed)).collect();
    for file in files.iter().filter(|file| file.role == Role::Scan) {
        let path = &file.staged.path;
        if let Some(complaint) = mesh::complaint(disk, &path.under(dir), &path.extension()) {
            notes.push(format!("{} {complaint}", file_name(path.as_str())));
        }
    }
    match names {
        Names::Vendor => {}
        Names::Plain => {
            let names = plain::names(&files);
            plain::rename(disk, dir, &mut files, &names, &mut notes)?;
        }
        Names::Both => {
            let names = plain::names(&files);
            plain::link(disk, dir, &mut files, &names)?;
        }
    }
    let mut files: Vec<ManifestFile> = files.into_iter().map(Known::into_manifest).collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Described { files, notes })
}

impl Known {
    fn into_manifest(self) -> ManifestFile {
        ManifestFile {
            path: self.staged.path.into(),
            size: self.staged.size,
            sha256: self.staged.sha256,
            role: self.role,
            jaw: self.jaw,
            original_name: self.staged.original_name,
        }
    }
}

/// What the order's XML files say, by file name. Several versions lie side by side; the first that
/// knows a file counts.
fn listed(
    disk: &dyn Disk,
    dir: &Path,
    staged: &[StagedFile],
    notes: &mut Vec<String>,
) -> BTreeMap<String, names::Hint> {
    let mut listed = BTreeMap::new();
    for file in staged.iter().filter(|file| file.path.extension() == "xml") {
        let bytes = match read_limited(disk, &file.path.under(dir), xml::MAX) {
            Ok(bytes) => bytes,
            Err(error) => {
                let name = file_name(file.path.as_str());
                notes.push(format!("{name} was not looked into: {}", error.source));
                continue;
            }
        };
        for object in xml::objects(&String::from_utf8_lossy(&bytes)) {
            let hint = names::Hint {
                role: object.role(),
                jaw: object.jaw(),
                pretreatment: object.pretreatment(),
                bite: None,
            };
            for named in &object.files {
                listed.entry(key(&named.name)).or_insert_with(|| hint.clone());
            }
        }
    }
    listed
}

fn know(staged: StagedFile, listed: &BTreeMap<String, names::Hint>) -> Known {
    let by_name = names::hint(&staged.path);
    let by_xml = vendor_keys(&staged).find_map(|key| listed.get(&key)).cloned().unwrap_or_default();
    let extension = staged.path.extension();
    let role = by_name.role.or(by_xml.role.filter(|role| match role {
        Role::Texture | Role::Thumbnail => names::is_picture(&extension),
        // Every form of mesh that we know is known by its name already.
        _ => false,
    }));
    let role = role.unwrap_or(Role::Attachment);
    let shows_jaw = matches!(role, Role::Scan | Role::Texture);
    let from_xml = shows_jaw && by_name.jaw.is_none();
    Known {
        role,
        jaw: by_name.jaw.or(by_xml.jaw.filter(|_| from_xml)),
        pretreatment: by_name.pretreatment || (from_xml && by_xml.pretreatment),
        bite: by_name.bite,
        staged,
    }
}

/// How the XML may call a file: as the vendor did, before its name was made safe.
fn vendor_keys(file: &StagedFile) -> impl Iterator<Item = String> {
    let original = file
        .original_name
        .as_deref()
        .map(|name| key(name.rsplit(['/', '\\']).next().unwrap_or(name)));
    original.into_iter().chain([key(file.path.file_name())])
}

/// File names are compared without regard to case and to `#`, which exports sometimes leave out.
fn key(name: &str) -> String {
    name.to_lowercase().replace('#', "")
}
