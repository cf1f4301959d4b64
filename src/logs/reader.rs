//! Reads log files back: the newest lines, and those that are added later.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tracing::Level;

use super::files::{Found, found};
use crate::disk::{Disk, DiskError};

/// Selects lines of log files. The default selects all of them.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// This level or more severe.
    pub at_least: Option<Level>,
    /// Only lines that name this lab.
    pub lab: Option<String>,
    /// Only lines that name this order.
    pub order: Option<String>,
}

impl Wanted {
    fn fits(&self, line: &str) -> bool {
        let is_severe = |least| Entry::of(line).level().is_some_and(|level| level <= least);
        let names_lab = |lab: &String| {
            [format!("lab={lab}"), format!("\"lab\":\"{lab}")].iter().any(|word| has(line, word))
        };
        self.at_least.is_none_or(is_severe)
            && self.lab.as_ref().is_none_or(names_lab)
            && self.order.as_ref().is_none_or(|order| has(line, order))
    }
}

/// Whether a text is in a line and not merely a part of a longer word.
fn has(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + word.len()..].starts_with(is_part)
    })
}

/// The parts of a log line, in either format.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// In UTC, as RFC 3339; empty if the line has no such beginning.
    pub at: String,
    /// `ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`; empty likewise.
    pub level: String,
    /// The part of the program that logged it; empty likewise.
    pub target: String,
    /// The message, and the fields after it.
    pub text: String,
}

impl Entry {
    pub fn of(line: &str) -> Self {
        let read = if line.starts_with('{') { Self::of_json(line) } else { Self::of_text(line) };
        read.unwrap_or_else(|| Self { text: line.to_owned(), ..Self::default() })
    }

    fn of_text(line: &str) -> Option<Self> {
        let (at, rest) = line.split_once(' ')?;
        let (level, rest) = rest.trim_start().split_once(' ')?;
        at.parse::<jiff::Timestamp>().ok()?;
        level.parse::<Level>().ok()?;
        let (target, text) = rest.split_once(": ").unwrap_or(("", rest));
        Some(Self { at: at.into(), level: level.into(), target: target.into(), text: text.into() })
    }

    fn of_json(line: &str) -> Option<Self> {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        let word = |name: &str| value.get(name)?.as_str().map(str::to_owned);
        let fields = value.get("fields")?.as_object()?;
        let text = |value: &serde_json::Value| {
            value.as_str().map_or_else(|| value.to_string(), str::to_owned)
        };
        let mut words: Vec<_> = fields.get("message").map(text).into_iter().collect();
        let others = fields.iter().filter(|(name, _)| *name != "message");
        words.extend(others.map(|(name, value)| format!("{name}={}", text(value))));
        Some(Self {
            at: word("timestamp")?,
            level: word("level")?,
            target: word("target").unwrap_or_default(),
            text: words.join(" "),
        })
    }

    fn level(&self) -> Option<Level> {
        self.level.parse().ok()
    }
}

/// Reads the log files of a folder, from the newest lines on.
pub struct Reader<'d> {
    disk: &'d dyn Disk,
    dir: PathBuf,
    wanted: Wanted,
    /// The file read last, and how many of its bytes.
    place: Option<(Found, u64)>,
}

impl<'d> Reader<'d> {
    pub fn new(disk: &'d dyn Disk, dir: &Path, wanted: Wanted) -> Self {
        Self { disk, dir: dir.to_path_buf(), wanted, place: None }
    }

    /// Returns the newest wanted lines, oldest first, at most `count`.
    pub fn newest(&mut self, count: usize) -> Result<Vec<String>, DiskError> {
        let mut newest = VecDeque::new();
        for file in found(self.disk, &self.dir)?.into_iter().rev() {
            let room = count - newest.len();
            let mut lines = VecDeque::new();
            let end = self.read(&file, 0, &mut |line| {
                lines.push_back(line);
                if lines.len() > room {
                    lines.pop_front();
                }
            })?;
            self.place.get_or_insert((file, end));
            while let Some(line) = lines.pop_back() {
                newest.push_front(line);
            }
            if newest.len() >= count {
                break;
            }
        }
        Ok(newest.into())
    }

    /// Returns the wanted lines that were added since the last call of this or of
    /// [`newest`](Self::newest).
    pub fn added(&mut self) -> Result<Vec<String>, DiskError> {
        let mut lines = Vec::new();
        for file in found(self.disk, &self.dir)? {
            let is_at = |place: &Found| (place.day, place.part).cmp(&(file.day, file.part));
            let from = match self.place.as_ref().map(|(place, end)| (is_at(place), *end)) {
                Some((std::cmp::Ordering::Greater, _)) => continue,
                // A shorter one is another file.
                Some((std::cmp::Ordering::Equal, end)) if end <= file.len => end,
                _ => 0,
            };
            let end = self.read(&file, from, &mut |line| lines.push(line))?;
            self.place = Some((file, end));
        }
        Ok(lines)
    }

    /// Passes on the wanted lines from a position in a file on. Returns the end of its last complete
    /// line.
    fn read(
        &self,
        file: &Found,
        from: u64,
        take: &mut dyn FnMut(String),
    ) -> Result<u64, DiskError> {
        let broken = |source| DiskError { operation: "read", path: file.path.clone(), source };
        let mut opened = match self.disk.open(&file.path) {
            // It became too old meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(from),
            opened => opened?,
        };
        opened.seek(SeekFrom::Start(from)).map_err(broken)?;
        let (mut reader, mut bytes, mut end) = (BufReader::new(opened), Vec::new(), from);
        loop {
            bytes.clear();
            let read = reader.read_until(b'\n', &mut bytes).map_err(broken)?;
            // The rest of the last line is still being written.
            if bytes.pop() != Some(b'\n') {
                return Ok(end);
            }
            end += read as u64;
            let line = String::from_utf8_lossy(&bytes).trim_end_matches('\r').to_owned();
            if self.wanted.fits(&line) {
                take(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;
    use crate::disk::RealDisk;

    const TEXT: &str = "2026-11-29T04:43:26.123456Z  WARN casedrop::notice: smile-lab/4711/17: \
                        no files yet lab=smile-lab order=17";
    const JSON: &str = r#"{"timestamp":"2026-11-29T04:43:27Z","level":"INFO","fields":{"message":"paired","lab":"north","order":"18","n":3},"target":"casedrop_engine"}"#;

    fn wanted(level: Option<Level>, lab: Option<&str>, order: Option<&str>) -> Wanted {
        Wanted { at_least: level, lab: lab.map(str::to_owned), order: order.map(str::to_owned) }
    }

    #[test]
    fn a_line_is_read_in_both_formats() {
        let entry = Entry::of(TEXT);
        assert_eq!((&*entry.level, &*entry.target), ("WARN", "casedrop::notice"));
        assert_eq!(entry.at, "2026-11-29T04:43:26.123456Z");
        assert_eq!(entry.text, "smile-lab/4711/17: no files yet lab=smile-lab order=17");
        let entry = Entry::of(JSON);
        assert_eq!((&*entry.level, &*entry.target), ("INFO", "casedrop_engine"));
        assert_eq!(entry.text, "paired lab=north order=18 n=3");
        for odd in ["", "no time here", "{ not json", "WARN x: y"] {
            assert_eq!(Entry::of(odd), Entry { text: odd.to_owned(), ..Entry::default() });
        }
    }

    #[test]
    fn lines_are_chosen_by_level_lab_and_order() {
        let chosen = |wanted: &Wanted| [TEXT, JSON, "odd"].map(|line| wanted.fits(line));
        assert_eq!(chosen(&Wanted::default()), [true, true, true]);
        assert_eq!(chosen(&wanted(Some(Level::WARN), None, None)), [true, false, false]);
        assert_eq!(chosen(&wanted(Some(Level::DEBUG), None, None)), [true, true, false]);
        assert_eq!(chosen(&wanted(None, Some("north"), None)), [false, true, false]);
        assert_eq!(chosen(&wanted(None, Some("smile"), None)), [false, false, false]);
        assert_eq!(chosen(&wanted(None, None, Some("17"))), [true, false, false]);
        assert_eq!(chosen(&wanted(None, None, Some("471"))), [false, false, false]);
        assert_eq!(chosen(&wanted(None, Some("north"), Some("18"))), [false, true, false]);
    }

    #[test]
    fn the_newest_lines_come_from_several_files_and_the_later_ones_follow() {
        let dir = tempfile::tempdir().expect("tempdir");
        let at = |name: &str| dir.path().join(name);
        fs::write(at("casedrop-2026-11-28.log"), "a\nb\n").expect("written");
        fs::write(at("casedrop-2026-11-29.log"), "c\nd\nhal").expect("written");
        fs::write(at("notes.txt"), "not a log\n").expect("written");
        let read = |count| {
            Reader::new(&RealDisk, dir.path(), Wanted::default()).newest(count).expect("read")
        };
        assert_eq!(read(0), [""; 0]);
        assert_eq!(read(1), ["d"]);
        assert_eq!(read(3), ["b", "c", "d"]);
        assert_eq!(read(99), ["a", "b", "c", "d"]);

        let mut reader = Reader::new(&RealDisk, dir.path(), Wanted::default());
        assert_eq!(reader.newest(1).expect("read"), ["d"]);
        assert_eq!(reader.added().expect("read"), [""; 0]);
        let mut file =
            fs::File::options().append(true).open(at("casedrop-2026-11-29.log")).expect("opened");
        file.write_all(b"f\ne\n").expect("written");
        fs::write(at("casedrop-2026-11-29.1.log"), "f\n").expect("written");
        fs::write(at("casedrop-2026-11-30.log"), "g\n").expect("written");
        assert_eq!(reader.added().expect("read"), ["half", "e", "f", "g"]);
        // Old files go while somebody follows.
        fs::remove_file(at("casedrop-2026-11-28.log")).expect("removed");
        assert_eq!(reader.added().expect("read"), [""; 0]);
    }

    #[test]
    fn whoever_follows_an_empty_folder_gets_its_first_line() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut reader = Reader::new(&RealDisk, dir.path(), Wanted::default());
        assert_eq!(reader.newest(9).expect("read"), [""; 0]);
        fs::write(dir.path().join("casedrop-2026-11-29.log"), "first\n").expect("written");
        assert_eq!(reader.added().expect("read"), ["first"]);
    }
}
