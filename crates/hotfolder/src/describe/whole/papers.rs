//! The prescription: whether it can be read, and says what is to be made.

use std::collections::BTreeSet;
use std::io::{Read as _, SeekFrom};

use super::{About, Found, Look};
use crate::describe::{Known, text};
use crate::unpack::read_head;
use casedrop_disk::read_limited;
use casedrop_model::finding_code::FindingCode;
use casedrop_model::manifest::{Role, Severity};

/// How many bytes at each end of a PDF to search for its markers.
const MARKS: usize = 4096;
const PAGE_MAX: u64 = 1 << 20;

impl Look<'_> {
    pub(super) fn papers(&self, found: &mut Vec<Found>) {
        for told in self.told.iter().filter(|told| !told.is_whole) {
            let is_export = self.files.get(told.index).is_some_and(|file| {
                told.rx.is_export || file.staged.path.fold().contains("itero_export")
            });
            if is_export {
                let words = "This XML file is damaged or cut off: what it says about the case is \
                             incomplete.";
                let about = About::File(told.index);
                found.push(Found::new(about, FindingCode::XmlUnreadable, Severity::Warning, words));
            }
        }
        self.teeth(found);
        for (index, file) in self.files.iter().enumerate() {
            let about = About::File(index);
            let is_bad = match file.role {
                Role::RxPdf => !self.is_pdf(file),
                Role::RxHtml => file.staged.size == 0,
                _ => false,
            };
            if is_bad {
                let words = "This prescription is damaged or cut off and may not open.";
                found.push(Found::new(about, FindingCode::RxUnreadable, Severity::Warning, words));
            } else if file.role == Role::RxHtml && self.lacks_teeth(file) {
                let words = "This prescription shows none of the teeth that the XML lists.";
                found.push(Found::new(
                    about,
                    FindingCode::RxPageWithoutTeeth,
                    Severity::Note,
                    words,
                ));
            }
        }
    }

    /// Finds a fixed restoration that lists no tooth. Dentures and appliances list none either, and
    /// older versions of the XML do not say which kind it is.
    fn teeth(&self, found: &mut Vec<Found>) {
        let mut with_place = self.told.iter().filter(|told| told.rx.has_teeth).peekable();
        if with_place.peek().is_none()
            || self.told.iter().any(|told| !told.rx.teeth.is_empty() || !told.is_whole)
        {
            return;
        }
        let Some(told) = self.told.iter().find(|told| told.rx.is_fixed()) else { return };
        let words = "The prescription orders a fixed restoration but lists no tooth: it does not \
                     say what to make.";
        let about = About::File(told.index);
        found.push(Found::new(about, FindingCode::RxWithoutTeeth, Severity::Serious, words));
    }

    fn is_pdf(&self, file: &Known) -> bool {
        let look = || -> Option<bool> {
            let mut opened = self.disk.open(&file.staged.path.under(self.dir)).ok()?;
            let mut head = vec![0; MARKS];
            let count = read_head(&mut *opened, &mut head).ok()?;
            let start = file.staged.size.saturating_sub(MARKS as u64);
            opened.seek(SeekFrom::Start(start)).ok()?;
            let mut tail = Vec::new();
            opened.take(MARKS as u64).read_to_end(&mut tail).ok()?;
            let has =
                |bytes: &[u8], mark: &[u8]| bytes.windows(mark.len()).any(|window| window == mark);
            Some(has(head.get(..count)?, b"%PDF-") && has(&tail, b"%%EOF"))
        };
        // A file that cannot be read right now is not reported.
        look().unwrap_or(true)
    }

    /// Whether the page shows none of the XML's teeth, in either numbering system.
    fn lacks_teeth(&self, file: &Known) -> bool {
        let teeth = self.told.iter().flat_map(|told| &told.rx.teeth);
        let wanted: BTreeSet<u8> =
            teeth.flat_map(|tooth| [tooth.ada, fdi(tooth.ada)]).filter(|ada| *ada > 0).collect();
        if wanted.is_empty() {
            return false;
        }
        let path = file.staged.path.under(self.dir);
        let Ok(bytes) = read_limited(self.disk, &path, PAGE_MAX) else { return false };
        let (page, _) = text::decode_any(&bytes);
        let mut words = page.split(|c: char| !c.is_ascii_digit());
        !words.any(|word| word.parse().is_ok_and(|number: u8| wanted.contains(&number)))
    }
}

/// Converts a tooth number to FDI/ISO notation.
fn fdi(ada: u8) -> u8 {
    match ada {
        1..=8 => 19 - ada,
        9..=16 => 12 + ada,
        17..=24 => 55 - ada,
        25..=32 => 16 + ada,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teeth_have_the_numbers_of_both_systems() {
        let pairs = [(1, 18), (8, 11), (9, 21), (16, 28), (17, 38), (24, 31), (25, 41), (32, 48)];
        for (ada, number) in pairs {
            assert_eq!(fdi(ada), number);
        }
        assert_eq!((fdi(0), fdi(33)), (0, 0));
    }
}
