//! Binary STL: an 80-byte title, the number of triangles, and 50 bytes for each.

use super::bounds::Lanes;
use super::facts::{Facts, Form, Trouble};
use super::pieces::{self, Pieces, cell};
use super::rows::Rows;

/// Title and triangle count.
pub(super) const HEAD: usize = 84;
const ROW: usize = 50;
/// A normal and three corners.
type Facet = [f32; 12];

/// Returns the length of a file with this many triangles.
pub(super) fn length(triangles: u32) -> u64 {
    HEAD as u64 + ROW as u64 * u64::from(triangles)
}

#[derive(Debug)]
pub(super) struct Stl {
    rows: Rows,
    declared: u64,
    is_longer: bool,
    /// Triangles seen so far, the next one to sample, and the sampling interval.
    seen: u64,
    next: u64,
    step: u64,
    lanes: Lanes<12>,
    pieces: Pieces,
}

impl Stl {
    pub(super) fn new(triangles: u32, len: u64) -> Self {
        let declared = u64::from(triangles);
        let is_there = len.saturating_sub(HEAD as u64) / ROW as u64;
        Self {
            rows: Rows::new(ROW, declared),
            declared,
            is_longer: len > length(triangles),
            seen: 0,
            next: 0,
            step: pieces::step(declared.min(is_there)),
            lanes: Lanes::default(),
            pieces: Pieces::new(),
        }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        let Self { rows, lanes, pieces, seen, next, step, .. } = self;
        rows.take(chunk, |rows| {
            let (rows, _) = rows.as_chunks::<ROW>();
            for row in rows {
                lanes.add(&facet(row));
            }
            while let Some(row) = usize::try_from(*next - *seen).ok().and_then(|at| rows.get(at)) {
                let [_, _, _, corners @ ..] = facet(row);
                let corner = |at: usize| cell([corners[at], corners[at + 1], corners[at + 2]]);
                pieces.add([corner(0), corner(3), corner(6)]);
                *next += *step;
            }
            *seen += rows.len() as u64;
        });
    }

    pub(super) fn finish(self) -> Facts {
        let mut facts = Facts::of(Form::StlBinary);
        facts.triangles = Some(self.declared);
        if self.declared == 0 {
            facts.troubles.push(Trouble::Empty);
        } else if self.rows.left > 0 {
            facts.troubles.push(Trouble::Cut);
        } else if self.is_longer {
            facts.troubles.push(Trouble::Longer);
        }
        // Sloppy programs write NaN normals, which no program reads.
        if self.lanes.has_odd(3) {
            facts.troubles.push(Trouble::NotNumbers);
        } else {
            facts.bounds = self.lanes.bounds(3);
            facts.is_apart = self.pieces.are_apart();
        }
        facts
    }
}

#[inline]
fn facet(row: &[u8; ROW]) -> Facet {
    let (parts, _) = row.as_chunks::<4>();
    let mut facet = [0.0; 12];
    for (slot, part) in facet.iter_mut().zip(parts) {
        *slot = f32::from_le_bytes(*part);
    }
    facet
}
