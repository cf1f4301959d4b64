//! Checks each mesh on its own: whether it can be opened, and has a plausible size for a jaw.

use std::io::BufReader;

use super::{About, Found, Look, Scan};
use crate::describe::lines::{self, Kind};
use crate::describe::vendor_keys;
use crate::files::BUFFER;
use crate::mesh::{Facts, Form, Trouble};
use casedrop_model::finding_code::FindingCode;
use casedrop_model::manifest::{Jaw, Role, Severity};

/// In millimetres. No jaw is smaller or larger; a single tooth may be smaller.
const JAW_MIN: f32 = 5.0;
const OTHER_MIN: f32 = 0.5;
const MAX: f32 = 500.0;
/// A longer file is not a material library.
const MATERIALS_MAX: u64 = 1 << 20;

impl Look<'_> {
    pub(super) fn meshes(&self, found: &mut Vec<Found>) {
        let is_alone = self.scans().count() == 1;
        for scan in self.scans() {
            let Some(facts) = scan.facts else { continue };
            let grave =
                if scan.is_main() || is_alone { Severity::Serious } else { Severity::Warning };
            let mut tell = |code: FindingCode, severity: Severity, words: &str| {
                found.push(Found::new(About::File(scan.index), code, severity, words));
            };
            for trouble in &facts.troubles {
                let (code, severity, words) = of(*trouble, grave);
                tell(code, severity, words);
            }
            if let Some((code, words)) = size(&scan, facts) {
                tell(code, grave, words);
            } else if facts.is_apart && matches!(scan.file.jaw, Some(Jaw::Upper | Jaw::Lower)) {
                let words = "The mesh of this one jaw has large parts that are far from each \
                             other. Check that it contains nothing that does not belong there.";
                tell(FindingCode::MeshInPieces, Severity::Warning, words);
            }
            if facts.troubles.is_empty()
                && let Some((code, severity, words)) = self.texture(&scan, facts)
            {
                tell(code, severity, words);
            }
        }
    }

    fn texture(
        &self,
        scan: &Scan<'_>,
        facts: &Facts,
    ) -> Option<(FindingCode, Severity, &'static str)> {
        let lost = "The texture of this scan is not in the package: the scan shows without its \
            colours.";
        let absent = Some((FindingCode::TextureAbsent, Severity::Warning, lost));
        match facts.form {
            Form::StlBinary | Form::StlText => None,
            Form::Ply if facts.refers.iter().any(|name| !self.has(name)) => absent,
            Form::Ply => {
                let is_lost = facts.refers.is_empty() && facts.has_places && !facts.has_colours;
                (is_lost && !self.has_texture(scan)).then_some(absent).flatten()
            }
            Form::Obj if facts.refers.iter().any(|name| !self.has(name)) => {
                let words = "The file of materials that this scan refers to is not in the package: \
                    the scan shows without its colours.";
                let severity = if facts.has_places { Severity::Warning } else { Severity::Note };
                Some((FindingCode::MaterialAbsent, severity, words))
            }
            Form::Obj => {
                let mut pictures = facts.refers.iter().flat_map(|name| self.pictures_of(name));
                let is_lost = pictures.any(|name| !self.has(&name));
                is_lost.then_some(absent).flatten()
            }
        }
    }

    /// Whether there is a texture that may belong to this scan.
    fn has_texture(&self, scan: &Scan<'_>) -> bool {
        let mut textures = self.files.iter().filter(|file| file.role == Role::Texture);
        textures.any(|file| file.jaw.is_none() || file.jaw == scan.file.jaw)
    }

    /// Returns the pictures that a material library names.
    fn pictures_of(&self, name: &str) -> Vec<String> {
        let wanted = super::key(name.rsplit(['/', '\\']).next().unwrap_or(name).trim());
        let is_it = |file: &&super::Known| vendor_keys(&file.staged).any(|key| key == wanted);
        let Some(file) = self.files.iter().find(is_it) else { return Vec::new() };
        if file.staged.size > MATERIALS_MAX {
            return Vec::new();
        }
        let Ok(opened) = self.disk.open(&file.staged.path.under(self.dir)) else {
            return Vec::new();
        };
        let mut reader = BufReader::with_capacity(BUFFER, opened);
        lines::copy(Kind::Mtl, &mut reader, &mut std::io::sink(), &|_| Ok::<_, ()>(None))
            .map(|(names, _)| names)
            .unwrap_or_default()
    }
}

fn of(trouble: Trouble, grave: Severity) -> (FindingCode, Severity, &'static str) {
    match trouble {
        Trouble::Unreadable => (
            FindingCode::MeshUnreadable,
            grave,
            "This file is not a mesh of its format and cannot be opened.",
        ),
        Trouble::Empty => {
            (FindingCode::MeshEmpty, grave, "This mesh is empty: it has no triangles.")
        }
        Trouble::Cut => (
            FindingCode::MeshCut,
            grave,
            "This mesh is cut off: it ends before all of its data. Part of the scan is missing, or \
             it cannot be opened.",
        ),
        Trouble::Longer => (
            FindingCode::MeshLonger,
            Severity::Warning,
            "This mesh file is longer than it says. Check that the scan is complete.",
        ),
        Trouble::Commas => (
            FindingCode::MeshDecimalComma,
            grave,
            "The numbers in this mesh have decimal commas: most programs refuse it or show it \
             distorted.",
        ),
        Trouble::NotNumbers => (
            FindingCode::MeshNotNumbers,
            grave,
            "Some points of this mesh are not valid numbers: the scan is damaged.",
        ),
    }
}

/// Returns what is wrong with a mesh's size.
fn size(scan: &Scan<'_>, facts: &Facts) -> Option<(FindingCode, &'static str)> {
    let longest = facts.bounds?.longest();
    let least = if scan.file.jaw.is_some() { JAW_MIN } else { OTHER_MIN };
    // A truncated file may hold only a corner.
    if longest < least && !facts.troubles.contains(&Trouble::Cut) {
        let words = "This mesh is far too small for a scan in millimetres. It may be in inches or \
            metres.";
        return Some((FindingCode::MeshTooSmall, words));
    }
    let words = "This mesh is far too large for a scan in millimetres. It may be in micrometres, or \
        stray points lie far away.";
    (longest > MAX).then_some((FindingCode::MeshTooLarge, words))
}
