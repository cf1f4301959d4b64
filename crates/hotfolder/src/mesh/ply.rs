//! PLY after its header: rows of points, and faces that refer to them.

use std::collections::VecDeque;

use super::bounds::Lanes;
use super::facts::{Facts, Form, Trouble};
use super::pieces::{self, Pieces, cell};
use super::ply_head::{Coding, Element, Head, Kind, Property};
use super::rows::Rows;

/// Above this number, points are so close together that a sample of them shows the pieces. Below
/// it, we follow the edges of triangles.
const DENSE: u64 = 50_000;
/// Number of points to sample then.
const DENSE_SAMPLES: u64 = 4096;
/// A longer row is not valid.
const ROW_MAX: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct PlyBinary {
    parts: VecDeque<Part>,
    look: Look,
    is_broken: bool,
}

/// The rows of one element.
#[derive(Debug)]
struct Part {
    element: Element,
    reading: Reading,
}

#[derive(Debug)]
enum Reading {
    /// All rows have one length.
    Even(Rows),
    /// Each row must be measured.
    Uneven { held: Vec<u8>, left: u64 },
}

#[derive(Debug)]
struct Look {
    coding: Coding,
    lanes: Lanes<3>,
    /// The cell of each point, if triangles are followed.
    cells: Option<Vec<u32>>,
    /// Otherwise: the index of the next row of points, of the next one to sample, and the sampling
    /// interval.
    row: u64,
    next_row: u64,
    row_step: u64,
    pieces: Pieces,
    face: u64,
    next: u64,
    step: u64,
}

impl PlyBinary {
    /// `body` is the length of what follows the header.
    pub(super) fn new(head: &Head, body: u64) -> Self {
        let usual = |element: &Element| (element.usual_row() as u64).saturating_mul(element.count);
        let all = head.elements.iter().map(usual).fold(0, u64::saturating_add);
        let part = |element: &Element| {
            let length = element.row().or_else(|| (all == body).then(|| element.usual_row()));
            let reading = match length {
                Some(length) => Reading::Even(Rows::new(length, element.count)),
                None => Reading::Uneven { held: Vec::new(), left: element.count },
            };
            Part { element: element.clone(), reading }
        };
        let rows = head.elements.iter().filter(|element| !element.properties.is_empty());
        let parts = rows.filter(|element| element.count > 0).map(part).collect();
        let count = |name| head.element(name).map_or(0, |element| element.count);
        let points = count("vertex");
        let cells = usize::try_from(points).ok().filter(|_| points <= DENSE.min(body));
        let look = Look {
            coding: head.coding,
            lanes: Lanes::default(),
            cells: cells.map(Vec::with_capacity),
            row: 0,
            next_row: 0,
            row_step: (points / DENSE_SAMPLES).max(1),
            pieces: Pieces::new(),
            face: 0,
            next: 0,
            step: pieces::step(count("face").min(body)),
        };
        Self { parts, look, is_broken: false }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        let mut chunk = chunk;
        while !chunk.is_empty()
            && !self.is_broken
            && let Some(Part { element, reading }) = self.parts.front_mut()
        {
            let look = &mut self.look;
            let is_done = match reading {
                Reading::Even(rows) => {
                    let length = element.row().unwrap_or_else(|| element.usual_row());
                    chunk = rows.take(chunk, |rows| look.rows(element, rows, length));
                    rows.left == 0
                }
                Reading::Uneven { held, left } => {
                    held.extend_from_slice(chunk);
                    chunk = &[];
                    let mut at = 0;
                    while *left > 0 {
                        let rest = held.get(at..).unwrap_or_default();
                        match measure(element, rest, look.coding) {
                            Measured::Row(length) => {
                                look.rows(element, &rest[..length], length);
                                at += length;
                                *left -= 1;
                            }
                            Measured::More => break,
                            Measured::Nonsense => {
                                self.is_broken = true;
                                break;
                            }
                        }
                    }
                    held.drain(..at);
                    *left == 0
                }
            };
            if is_done {
                let done = self.parts.pop_front();
                // Bytes held beyond this element's rows belong to the next element.
                if let Some(Part { reading: Reading::Uneven { held, .. }, .. }) = done
                    && !held.is_empty()
                {
                    self.feed(&held);
                }
            }
        }
    }

    pub(super) fn finish(self, head: &Head) -> Facts {
        let mut facts = facts(head);
        let look = self.look;
        if self.is_broken {
            facts.troubles.push(Trouble::Unreadable);
        } else if !self.parts.is_empty() {
            facts.troubles.push(Trouble::Cut);
        }
        if look.lanes.has_odd(0) {
            facts.troubles.push(Trouble::NotNumbers);
        } else {
            facts.bounds = look.lanes.bounds(0);
            facts.is_apart = look.pieces.are_apart();
        }
        facts
    }
}

/// What the header alone says.
pub(super) fn facts(head: &Head) -> Facts {
    let mut facts = Facts::of(Form::Ply);
    let count = |name| head.element(name).map(|element| element.count);
    facts.triangles = count("face");
    let has_others = ["tristrips", "edge"].iter().any(|name| count(name).is_some_and(|n| n > 0));
    if count("vertex").unwrap_or(0) == 0 || (count("face").unwrap_or(0) == 0 && !has_others) {
        facts.troubles.push(Trouble::Empty);
    }
    facts.refers.clone_from(&head.textures);
    let places = ["s", "t", "u", "v", "texture_u", "texture_v", "texcoord"];
    let has = |names: &[&str]| head.elements.iter().any(|element| element.has(names));
    facts.has_places = has(&places);
    facts.has_colours = has(&["red", "green", "blue"]);
    facts
}

impl Look {
    /// Reads whole rows of an element.
    fn rows(&mut self, element: &Element, rows: &[u8], length: usize) {
        match element.name.as_str() {
            "vertex" => self.points(element, rows, length),
            "face" => self.faces(element, rows, length),
            _ => {}
        }
    }

    fn points(&mut self, element: &Element, rows: &[u8], length: usize) {
        let places = ["x", "y", "z"].map(|name| element.place(name));
        let [Some(x), Some(y), Some(z)] = places else { return };
        let is_plain = self.coding == Coding::Little
            && [x, y, z].iter().all(|(_, property)| property.kind == Kind::F32)
            && (y.0, z.0) == (x.0 + 4, x.0 + 8);
        let coding = self.coding;
        let point = |row: &[u8]| {
            if is_plain {
                return row.get(x.0..)?.first_chunk().map(plain);
            }
            let value = |(at, property): (usize, &Property)| {
                row.get(at..).and_then(|bytes| property.kind.read(bytes, coding))
            };
            Some([value(x)?, value(y)?, value(z)?].map(single))
        };
        if self.cells.is_none() {
            let count = (rows.len() / length) as u64;
            while self.next_row < self.row + count {
                let at = usize::try_from(self.next_row - self.row).unwrap_or(usize::MAX);
                let row = rows.get(at.saturating_mul(length)..).unwrap_or_default();
                if let Some(point) = point(row) {
                    self.pieces.touch(cell(point));
                }
                self.next_row += self.row_step;
            }
            self.row += count;
        }
        let done = match (is_plain, x.0, length) {
            (true, 0, 12) => self.fours(fours::<12>(rows)),
            // With colours, with normals, and with both.
            (true, 0, 15) => self.fours(fours::<15>(rows)),
            (true, 0, 16) => self.fours(fours::<16>(rows)),
            (true, 0, 24) => self.fours(fours::<24>(rows)),
            (true, 0, 27) => self.fours(fours::<27>(rows)),
            (true, 0, 28) => self.fours(fours::<28>(rows)),
            _ => 0,
        };
        for row in rows.chunks_exact(length).skip(done) {
            let Some(point) = point(row) else { return };
            self.point(point);
        }
    }

    /// Reads points four at a time, so that the compiler can vectorize it. Returns how many there
    /// were.
    fn fours(&mut self, fours: impl Iterator<Item = [[f32; 3]; 4]>) -> usize {
        let (mut lanes, mut done) = (Lanes::<12>::default(), 0);
        for four in fours {
            if let Some(numbers) = four.as_flattened().first_chunk() {
                lanes.add(numbers);
            }
            if let Some(cells) = &mut self.cells {
                cells.extend(four.map(cell));
            }
            done += four.len();
        }
        self.lanes.join(&lanes);
        done
    }

    fn point(&mut self, point: [f32; 3]) {
        self.lanes.add(&point);
        if let Some(cells) = &mut self.cells {
            cells.push(cell(point));
        }
    }

    /// Samples these faces.
    fn faces(&mut self, element: &Element, rows: &[u8], length: usize) {
        let count = (rows.len() / length) as u64;
        if let Some(cells) = &self.cells {
            while self.next < self.face + count {
                let at = usize::try_from(self.next - self.face).unwrap_or(usize::MAX);
                let row = rows.get(at.saturating_mul(length)..).unwrap_or_default();
                if let Some(corners) = corners(element, row, self.coding, cells) {
                    self.pieces.add(corners);
                }
                self.next += self.step;
            }
        }
        self.face += count;
    }
}

/// The points at the start of rows of this length, as scanners write them.
fn fours<const ROW: usize>(rows: &[u8]) -> impl Iterator<Item = [[f32; 3]; 4]> {
    let (fours, _) = rows.as_chunks::<ROW>().0.as_chunks::<4>();
    fours.iter().map(|four| four.each_ref().map(|row| row.first_chunk().map_or([0.0; 3], plain)))
}

/// Decodes three 4-byte floats.
#[inline]
fn plain(bytes: &[u8; 12]) -> [f32; 3] {
    let number =
        |at: usize| f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    [number(0), number(4), number(8)]
}

/// Returns the cells of a face's first three corners.
fn corners(element: &Element, row: &[u8], coding: Coding, cells: &[u32]) -> Option<[u32; 3]> {
    let named = ["vertex_indices", "vertex_index"].iter().find_map(|name| element.place(name));
    let (at, property) = named?;
    let count = property.list?;
    let bytes = row.get(at..)?;
    if whole(count.read(bytes, coding)?)? < 3 {
        return None;
    }
    let corner = |number: usize| {
        let from = count.size() + number * property.kind.size();
        let index = whole(property.kind.read(bytes.get(from..)?, coding)?)?;
        cells.get(index).copied()
    };
    Some([corner(0)?, corner(1)?, corner(2)?])
}

enum Measured {
    Row(usize),
    /// The row continues in bytes that have not arrived yet.
    More,
    Nonsense,
}

fn measure(element: &Element, bytes: &[u8], coding: Coding) -> Measured {
    let mut at = 0_usize;
    for property in &element.properties {
        let mut values = 1;
        if let Some(count) = property.list {
            let Some(value) = bytes.get(at..).and_then(|bytes| count.read(bytes, coding)) else {
                return Measured::More;
            };
            let Some(value) = whole(value) else { return Measured::Nonsense };
            values = value;
            at += count.size();
        }
        at = at.saturating_add(values.saturating_mul(property.kind.size()));
        if at > ROW_MAX {
            return Measured::Nonsense;
        }
    }
    if at <= bytes.len() { Measured::Row(at) } else { Measured::More }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked to be a number that a file can count to"
)]
fn whole(value: f64) -> Option<usize> {
    (0.0..4_294_967_296.0).contains(&value).then_some(value as usize)
}

#[expect(clippy::cast_possible_truncation, reason = "single precision is enough here")]
fn single(value: f64) -> f32 {
    value as f32
}
