//! Compares what the XML says about the files with the files.

use std::collections::{BTreeMap, BTreeSet};

use super::{About, Found, Look, stem, what};
use crate::describe::names::Part;
use crate::describe::told::Told;
use crate::describe::xml::Object;
use crate::describe::{key, names};
use casedrop_model::finding_code::FindingCode;
use casedrop_model::manifest::{Jaw, Role, Severity};
use casedrop_model::path::RelPath;

impl Look<'_> {
    pub(super) fn named(&self, found: &mut Vec<Found>) {
        self.absent(found);
        for told in self.told {
            self.contradictions(told, found);
            twice_in_xml(told, found);
        }
        self.twice_in_files(found);
    }

    /// Finds files that the XML names but that are missing. Each is reported once, however many
    /// versions of the XML name it.
    fn absent(&self, found: &mut Vec<Found>) {
        let mut seen = BTreeSet::new();
        for object in self.told.iter().flat_map(|told| &told.objects) {
            for file in &object.files {
                if self.has(&file.name) || !seen.insert(key(&file.name)) {
                    continue;
                }
                let Ok(name) = RelPath::make_safe(&file.name) else { continue };
                let Some((severity, words)) = self.lacks(object, &name) else { continue };
                let about = About::Absent(name.into());
                found.push(Found::new(about, FindingCode::FileNamedAbsent, severity, words));
            }
        }
    }

    fn lacks(&self, object: &Object, name: &RelPath) -> Option<(Severity, &'static str)> {
        let hint = names::hint(name);
        let is_mesh = object.role() == Some(Role::Scan) || hint.role == Some(Role::Scan);
        if object.is_image() {
            let words = "The XML lists this picture, but it is not in the package.";
            return (!self.case.pictures_follow).then_some((Severity::Note, words));
        }
        if object.is_line() {
            let words = "The XML lists this line, such as a margin, but it is not in the package: \
                         it has to be drawn again.";
            return Some((Severity::Warning, words));
        }
        if !is_mesh {
            let is_texture = object.role() == Some(Role::Texture);
            return Some(if is_texture {
                let words = "The XML lists this texture, but it is not in the package: the scan \
                             shows without its colours.";
                (Severity::Warning, words)
            } else {
                (Severity::Note, "The XML lists this file, but it is not in the package.")
            });
        }
        let wanted = key(stem(name.as_str()));
        let is_otherwise = self
            .scans()
            .any(|scan| super::vendor_keys(&scan.file.staged).any(|key| stem(&key) == wanted));
        Some(if is_otherwise {
            let words = "The XML lists this scan in another file format than the package has.";
            (Severity::Note, words)
        } else if hint.pretreatment || object.pretreatment() {
            let words = "The XML lists this scan from before the treatment, but it is not in the \
                         package.";
            (Severity::Warning, words)
        } else if hint.part.as_ref().is_some_and(Part::is_bite) {
            let words = "The XML lists this bite scan, but it is not in the package.";
            (Severity::Warning, words)
        } else {
            let words = "The XML lists this scan, but it is not in the package: the case is \
                         incomplete.";
            (Severity::Serious, words)
        })
    }

    /// Finds files whose name and XML disagree on the jaw.
    fn contradictions(&self, told: &Told, found: &mut Vec<Found>) {
        for object in &told.objects {
            let Some(jaw @ (Jaw::Upper | Jaw::Lower)) = object.jaw() else { continue };
            for file in object.files.iter().filter(|file| self.has(&file.name)) {
                let name = RelPath::make_safe(&file.name).ok();
                let by_name = name.as_ref().and_then(|name| names::hint(name).jaw);
                if by_name.is_some_and(|by_name| by_name != jaw && by_name != Jaw::Both) {
                    let about = self.about(&file.name).unwrap_or(About::File(told.index));
                    let words = "The XML and the file's name disagree on which jaw this is. Check \
                        it before you start.";
                    push(
                        found,
                        Found::new(about, FindingCode::JawContradicted, Severity::Warning, words),
                    );
                }
            }
        }
    }

    fn about(&self, name: &str) -> Option<About> {
        let wanted = key(name);
        let mut files = self.files.iter();
        files
            .position(|file| super::vendor_keys(&file.staged).any(|key| key == wanted))
            .map(About::File)
    }

    fn twice_in_files(&self, found: &mut Vec<Found>) {
        let mut seen = BTreeSet::new();
        for scan in self.scans() {
            let path = &scan.file.staged.path;
            let Some(jaw) = names::hint(path).jaw else { continue };
            let name = scan.file.staged.original_name.as_deref().unwrap_or(path.as_str());
            let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
            if !seen.insert((jaw, what(name), path.extension())) {
                let words = "The package has this scan of the jaw twice, under two names. Check \
                             which one is right.";
                let about = About::File(scan.index);
                found.push(Found::new(about, FindingCode::JawTwice, Severity::Warning, words));
            }
        }
    }
}

fn twice_in_xml(told: &Told, found: &mut Vec<Found>) {
    let mut files: BTreeMap<String, BTreeSet<Jaw>> = BTreeMap::new();
    let mut jaws: BTreeMap<(Jaw, Vec<String>), BTreeSet<String>> = BTreeMap::new();
    let (mut is_listed_twice, mut is_contradicted) = (false, false);
    for object in told.objects.iter().filter(|object| object.role() == Some(Role::Scan)) {
        let Some(jaw) = object.jaw() else { continue };
        for file in &object.files {
            let known = files.entry(key(&file.name)).or_default();
            is_listed_twice |= known.contains(&jaw);
            known.insert(jaw);
            is_contradicted |= known.len() > 1;
            let same = jaws.entry((jaw, what(&file.name))).or_default();
            same.insert(key(stem(&file.name)));
        }
    }
    let about = About::File(told.index);
    if is_contradicted || jaws.values().any(|files| files.len() > 1) {
        let words = "The XML lists one jaw twice. Check which scan is which before you start.";
        found.push(Found::new(about, FindingCode::JawTwice, Severity::Warning, words));
    } else if is_listed_twice {
        let words = "The XML lists the same scan twice.";
        found.push(Found::new(about, FindingCode::JawTwice, Severity::Note, words));
    }
}

/// Adds a finding once, however many versions of the XML say it.
fn push(found: &mut Vec<Found>, new: Found) {
    let is_known =
        found.iter().any(|one| one.about == new.about && one.finding.code == new.finding.code);
    if !is_known {
        found.push(new);
    }
}
