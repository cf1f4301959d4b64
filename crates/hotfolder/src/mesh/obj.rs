//! Wavefront OBJ: points, faces that refer to them, and the material library.

use std::collections::BTreeSet;

use super::bounds::Lanes;
use super::facts::{Facts, Form, Trouble};
use super::number::{Number, numbers, words};
use super::text::{Lines, Sink, decode};

#[derive(Debug)]
pub(super) struct Obj {
    lines: Lines,
    found: Found,
}

#[derive(Debug, Default)]
struct Found {
    points: u64,
    faces: u64,
    /// The highest point number that a face refers to.
    named: u64,
    has_places: bool,
    troubles: BTreeSet<Trouble>,
    libraries: Vec<String>,
    lanes: Lanes<3>,
}

impl Obj {
    pub(super) fn new(len: u64, head: &[u8]) -> Self {
        Self { lines: Lines::new(len, head, false), found: Found::default() }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        self.lines.feed(chunk, &mut self.found);
    }

    pub(super) fn finish(mut self) -> Facts {
        self.lines.finish(&mut self.found);
        let mut found = self.found;
        let is_whole = self.lines.is_whole();
        let mut facts = Facts::of(Form::Obj);
        facts.triangles = is_whole.then_some(found.faces);
        let more = [
            (found.points == 0 || found.faces == 0, Trouble::Empty),
            (is_whole && found.named > found.points, Trouble::Cut),
            (found.lanes.has_odd(0), Trouble::NotNumbers),
        ];
        found.troubles.extend(more.iter().filter(|(is, _)| *is).map(|(_, trouble)| *trouble));
        if !found.troubles.contains(&Trouble::Commas) && !found.lanes.has_odd(0) {
            facts.bounds = found.lanes.bounds(0);
        }
        facts.troubles.extend(found.troubles);
        facts.refers = found.libraries;
        facts.has_places = found.has_places;
        facts
    }
}

impl Sink for Found {
    fn line(&mut self, line: &[u8], _: u64, is_ended: bool) {
        let mut parts = words(line);
        match parts.next() {
            Some(b"v") => {
                self.points += 1;
                let trouble = match numbers::<3>(parts) {
                    Ok(point) => return self.lanes.add(&point),
                    Err(Some(Number::Comma)) => Trouble::Commas,
                    Err(_) if is_ended => Trouble::NotNumbers,
                    Err(_) => Trouble::Cut,
                };
                self.troubles.insert(trouble);
            }
            Some(b"f") => {
                self.faces += 1;
                let mut corners = 0;
                for corner in parts {
                    let digits = corner.split(|byte| *byte == b'/').next().unwrap_or_default();
                    // Negative numbers count from the end.
                    let number = decode(digits).parse::<i64>().ok();
                    let number = number.and_then(|number| u64::try_from(number).ok());
                    self.named = self.named.max(number.unwrap_or(0));
                    corners += usize::from(!corner.ends_with(b"/"));
                }
                if !is_ended && corners < 3 {
                    self.troubles.insert(Trouble::Cut);
                }
            }
            Some(b"vt") => self.has_places = true,
            Some(word) if word.eq_ignore_ascii_case(b"mtllib") => {
                let text = decode(line);
                let rest = text.trim().get(word.len()..).unwrap_or_default().trim();
                // Names may contain spaces.
                if rest.to_lowercase().matches(".mtl").count() > 1 {
                    self.libraries.extend(rest.split_whitespace().map(str::to_owned));
                } else if !rest.is_empty() {
                    self.libraries.push(rest.to_owned());
                }
            }
            _ => {}
        }
    }
}
