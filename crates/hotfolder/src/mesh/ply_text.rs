//! PLY as text: one row per line.

use super::bounds::Lanes;
use super::facts::{Facts, Trouble};
use super::number::{Number, numbers, words};
use super::ply::facts;
use super::ply_head::Head;
use super::text::{Lines, Sink};

#[derive(Debug)]
pub(super) struct PlyText {
    lines: Lines,
    found: Found,
}

#[derive(Debug)]
struct Found {
    /// The lines that hold points.
    points: std::ops::Range<u64>,
    /// How many values come before x; `None` if x, y and z are not in their usual order.
    before: Option<usize>,
    /// The number of lines there must be.
    needed: u64,
    last: u64,
    is_cut: bool,
    has_commas: bool,
    has_odd: bool,
    lanes: Lanes<3>,
}

impl PlyText {
    /// `body` is the length of what follows the header.
    pub(super) fn new(head: &Head, header: &[u8], body: u64) -> Self {
        let mut points = 0..0;
        let mut before = None;
        let mut needed = 0_u64;
        for element in &head.elements {
            let end = needed.saturating_add(element.count);
            if element.name == "vertex" {
                points = needed..end;
                let names: Vec<_> =
                    element.properties.iter().map(|one| one.name.as_str()).collect();
                let x = names.windows(3).position(|three| three == ["x", "y", "z"]);
                before = x.filter(|_| element.row().is_some());
            }
            needed = end;
        }
        let found = Found {
            points,
            before,
            needed,
            last: 0,
            is_cut: false,
            has_commas: false,
            has_odd: false,
            lanes: Lanes::default(),
        };
        Self { lines: Lines::new(body, header, true), found }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.lines.feed(chunk, &mut self.found);
    }

    pub(super) fn finish(mut self, head: &Head) -> Facts {
        self.lines.finish(&mut self.found);
        let found = self.found;
        let mut facts = facts(head);
        let troubles = [
            (found.is_cut || found.last.max(self.lines.count) < found.needed, Trouble::Cut),
            (found.has_commas, Trouble::Commas),
            (found.has_odd || found.lanes.has_odd(0), Trouble::NotNumbers),
        ];
        facts.troubles.extend(troubles.iter().filter(|(is, _)| *is).map(|(_, trouble)| *trouble));
        if !found.has_commas && !found.lanes.has_odd(0) {
            facts.bounds = found.lanes.bounds(0);
        }
        facts
    }
}

impl Sink for Found {
    fn line(&mut self, line: &[u8], number: u64, is_ended: bool) {
        if line.trim_ascii().is_empty() {
            return;
        }
        self.last = number + 1;
        if !self.points.contains(&number) {
            // A list with fewer values than it declares.
            let mut parts = words(line);
            let count = parts.next().and_then(|word| std::str::from_utf8(word).ok());
            let count = count.and_then(|word| word.parse::<usize>().ok());
            let is_short = !is_ended && count.is_some_and(|count| parts.count() < count);
            self.is_cut |= is_short && self.last <= self.needed;
            return;
        }
        let Some(before) = self.before else { return };
        match numbers::<3>(words(line).skip(before)) {
            Ok(point) => self.lanes.add(&point),
            Err(Some(Number::Comma)) => self.has_commas = true,
            Err(_) if is_ended => self.has_odd = true,
            Err(_) => self.is_cut = true,
        }
    }
}
