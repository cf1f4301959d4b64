//! STL as text: `solid`, then `facet` and three times `vertex` for each triangle, and finally
//! `endsolid`.

use super::bounds::Lanes;
use super::facts::{Facts, Form, Trouble};
use super::number::{Number, numbers, words};
use super::pieces::{Pieces, cell};
use super::text::{Lines, Sink};

#[derive(Debug)]
pub(super) struct StlText {
    lines: Lines,
    found: Found,
}

#[derive(Debug)]
struct Found {
    facets: u64,
    is_ended: bool,
    has_commas: bool,
    has_odd: bool,
    lanes: Lanes<3>,
    corners: [u32; 3],
    corner: usize,
    pieces: Option<Pieces>,
}

impl StlText {
    pub(super) fn new(len: u64, head: &[u8]) -> Self {
        let lines = Lines::new(len, head, false);
        let found = Found {
            facets: 0,
            is_ended: false,
            has_commas: false,
            has_odd: false,
            lanes: Lanes::default(),
            corners: [0; 3],
            corner: 0,
            // A sampled file would look like separate pieces.
            pieces: lines.is_whole().then(Pieces::new),
        };
        Self { lines, found }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.lines.feed(chunk, &mut self.found);
    }

    pub(super) fn finish(mut self) -> Facts {
        self.lines.finish(&mut self.found);
        let found = self.found;
        let mut facts = Facts::of(Form::StlText);
        facts.triangles = self.lines.is_whole().then_some(found.facets);
        let troubles = [
            (!found.is_ended, Trouble::Cut),
            (found.is_ended && found.facets == 0, Trouble::Empty),
            (found.has_commas, Trouble::Commas),
            (found.has_odd || found.lanes.has_odd(0), Trouble::NotNumbers),
        ];
        facts.troubles.extend(troubles.iter().filter(|(is, _)| *is).map(|(_, trouble)| *trouble));
        if !found.has_commas && !found.lanes.has_odd(0) {
            facts.bounds = found.lanes.bounds(0);
            facts.is_apart = found.pieces.is_some_and(Pieces::are_apart);
        }
        facts
    }
}

impl Sink for Found {
    fn line(&mut self, line: &[u8], _: u64, is_ended: bool) {
        let mut words = words(line);
        let Some(first) = words.next() else { return };
        if first.eq_ignore_ascii_case(b"vertex") {
            match numbers::<3>(words) {
                Ok(point) => {
                    self.lanes.add(&point);
                    if let Some(corner) = self.corners.get_mut(self.corner) {
                        *corner = cell(point);
                    }
                    self.corner += 1;
                    if self.corner == 3
                        && let Some(pieces) = &mut self.pieces
                    {
                        pieces.add(self.corners);
                    }
                }
                Err(Some(Number::Comma)) => self.has_commas = true,
                // The last line of a truncated file.
                Err(_) => self.has_odd |= is_ended,
            }
        } else if first.eq_ignore_ascii_case(b"facet") {
            self.facets += 1;
            self.corner = 0;
        } else if first.eq_ignore_ascii_case(b"endsolid") {
            self.is_ended = true;
        } else if first.eq_ignore_ascii_case(b"solid") {
            self.is_ended = false;
        }
    }
}
