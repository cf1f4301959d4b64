//! Whether the jaws that this kind of case needs are there, and are positioned as they should be.

use super::{About, Found, Look, Scan};
use casedrop_model::finding_code::FindingCode;
use casedrop_model::manifest::{Jaw, Severity};

/// Jaws in occlusion that are further apart than this do not meet in a bite, in millimetres.
const GAP: f32 = 15.0;

impl Look<'_> {
    pub(super) fn jaws(&self, found: &mut Vec<Found>) {
        if self.scans().next().is_none() {
            let words = "The package has no scan at all.";
            found.push(Found::new(About::All, FindingCode::ScanAbsent, Severity::Serious, words));
            return;
        }
        // Unless we know what every mesh shows, we cannot say that one is missing.
        if self.scans().all(|scan| scan.file.jaw.is_some()) {
            self.lacking(found);
        }
        self.pairs(found);
    }

    fn lacking(&self, found: &mut Vec<Found>) {
        let fixed = |jaw| {
            let mut teeth = self.told.iter().flat_map(|told| &told.rx.teeth);
            teeth.any(|tooth| tooth.is_fixed() && tooth.jaw() == Some(jaw))
        };
        let is_any_fixed = fixed(Jaw::Upper) || fixed(Jaw::Lower);
        for jaw in [Jaw::Upper, Jaw::Lower] {
            let is_there = self.scans().any(|scan| scan.shows(jaw));
            let is_there_main = self.scans().any(|scan| scan.shows(jaw) && scan.is_main());
            let is_in_range = self.told.iter().any(|told| told.rx.ranges.contains(&jaw));
            let (code, severity, words) = if fixed(jaw) && !is_there_main {
                let words = "Restorations are ordered for a jaw of which the package has no scan.";
                (FindingCode::JawAbsent, Severity::Serious, words)
            } else if is_any_fixed && !is_there {
                let words = "The scan of the opposing jaw is missing: the restoration cannot be \
                    fitted to the bite.";
                (FindingCode::AntagonistAbsent, Severity::Serious, words)
            } else if is_in_range && !is_there {
                let words =
                    "The XML gives a scan range for a jaw of which the package has no scan.";
                (FindingCode::JawAbsent, Severity::Note, words)
            } else {
                continue;
            };
            found.push(Found::new(About::All, code, severity, words));
        }
    }

    /// Compares the upper and lower jaw of each pair.
    fn pairs(&self, found: &mut Vec<Found>) {
        let main =
            |jaw| self.scans().filter(move |scan| scan.is_main() && scan.file.jaw == Some(jaw));
        for upper in main(Jaw::Upper) {
            for lower in main(Jaw::Lower) {
                if are_alike(&upper, &lower) {
                    let words = "The upper and the lower jaw are the same mesh: one of the two \
                        scans is missing.";
                    let about = About::File(lower.index);
                    found.push(Found::new(about, FindingCode::JawsAlike, Severity::Serious, words));
                    return;
                }
                if is_in_occlusion(&upper) && is_in_occlusion(&lower) && gap(&upper, &lower) > GAP {
                    let words = "The upper and the lower jaw lie far apart: the bite is missing, or \
                        they were not aligned.";
                    found.push(Found::new(
                        About::All,
                        FindingCode::BiteAbsent,
                        Severity::Warning,
                        words,
                    ));
                    return;
                }
            }
        }
    }
}

fn are_alike(a: &Scan<'_>, b: &Scan<'_>) -> bool {
    if a.file.staged.sha256 == b.file.staged.sha256 {
        return true;
    }
    let bounds = |scan: &Scan<'_>| scan.facts.and_then(|facts| facts.bounds);
    bounds(a).is_some_and(|a| Some(a) == bounds(b))
}

/// Whether the file's name says that the jaws share a coordinate system.
fn is_in_occlusion(scan: &Scan<'_>) -> bool {
    let name = scan.file.staged.path.fold();
    let name = name.rsplit('/').next().unwrap_or(&name);
    name.contains("occlusion") || name.contains("_jaw_")
}

fn gap(a: &Scan<'_>, b: &Scan<'_>) -> f32 {
    let bounds = |scan: &Scan<'_>| scan.facts.and_then(|facts| facts.bounds);
    match (bounds(a), bounds(b)) {
        (Some(a), Some(b)) => a.gap(&b),
        _ => 0.0,
    }
}
