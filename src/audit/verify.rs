//! Verifies the hash chain of the audit log.

use std::io::{self, BufRead as _, BufReader, Read};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::line::{Torn, open};
use super::{BEGINNING, FILE_NAME, HEAD_NAME, Head, Noted};
use crate::model::digest::hex;

/// At most this many invalid lines are listed one by one.
const NAMED: usize = 20;
/// In bytes. A longer line is read in pieces of this size.
const LINE_MAX: u64 = 1 << 20;

/// The result of verifying the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Number of complete records.
    pub records: u64,
    /// Number of torn records left by power cuts. They are not problems: no one relied on them.
    pub torn: u64,
    /// In line order.
    pub problems: Vec<Problem>,
}

impl Verified {
    pub fn is_whole(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Something wrong with the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Line number in `audit.jsonl`, from 1; one past the last line if what should follow is
    /// missing.
    pub line: u64,
    pub what: String,
}

/// A line of the file.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: u64,
    /// Without the line ending.
    pub(super) text: &'a [u8],
    /// Whether it has a line ending.
    pub(super) is_ended: bool,
}

/// Calls `look` for each line.
pub(super) fn lines(file: impl Read, look: &mut impl FnMut(Line<'_>)) -> io::Result<()> {
    let mut reader = BufReader::new(file);
    let mut text = Vec::new();
    let mut number = 0;
    loop {
        text.clear();
        let count = reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut text)?;
        if count == 0 {
            return Ok(());
        }
        number += 1;
        let is_ended = text.last() == Some(&b'\n');
        if is_ended {
            text.pop();
        }
        look(Line { number, text: &text, is_ended });
    }
}

/// Verifies the chain line by line.
pub(super) struct Check {
    /// The content of `audit.head`.
    noted: Noted,
    found: Verified,
    last: Option<Head>,
    lines: u64,
    /// The invalid lines since the last record.
    odd: Odd,
}

impl Check {
    pub(super) fn new(noted: Noted) -> Self {
        Self { noted, found: Verified::default(), last: None, lines: 0, odd: Odd::default() }
    }

    pub(super) fn line(&mut self, line: Line<'_>) {
        self.lines = line.number;
        let record = match open(line.text) {
            Ok(record) => record,
            Err(why) => return self.odd.add(line, why),
        };
        self.settle_odd(line.number, record.torn.as_ref());
        self.found.records += 1;
        let (seq, prev) = match &self.last {
            Some(last) => (last.seq + 1, last.hash.as_str()),
            None => (1, BEGINNING),
        };
        let what = if record.seq > seq {
            Some(match record.seq - seq {
                1 => format!("record {seq} before it is missing"),
                _ => format!("records {seq} to {} before it are missing", record.seq - 1),
            })
        } else if record.seq < seq {
            Some(format!("record {} comes after record {}", record.seq, seq - 1))
        } else if record.prev != prev {
            Some("it does not match the record before it".to_owned())
        } else {
            None
        };
        self.problem(line.number, what);
        if let Noted::Is(head) = &self.noted
            && head.seq == record.seq
            && head.hash != record.hash
        {
            let what = format!("record {} is not the one noted in {HEAD_NAME}", record.seq);
            self.problem(line.number, Some(what));
        }
        if record.head_lost {
            let what = format!(
                "{HEAD_NAME} was missing when it was written: records before it may have been cut \
                 off"
            );
            self.problem(line.number, Some(what));
        }
        self.last = Some(Head { seq: record.seq, hash: record.hash });
    }

    pub(super) fn finish(mut self, is_there: bool) -> Verified {
        let end = self.lines + 1;
        if self.odd.is_unfinished() {
            // It was never finished, so no one relied on it.
            self.found.torn += 1;
        } else {
            self.settle_odd(end, None);
        }
        let last = self.last.as_ref().map_or(0, |last| last.seq);
        let what = match &self.noted {
            Noted::Is(head) if head.seq > last && !is_there => {
                Some(format!("{FILE_NAME} is gone; it had {} records", head.seq))
            }
            Noted::Is(head) if head.seq > last => {
                let first = last + 1;
                Some(format!("the end was cut off: records {first} to {} are missing", head.seq))
            }
            Noted::Unreadable => Some(format!("{HEAD_NAME} was changed: it cannot be read")),
            // The very first record may have been interrupted before the head was written.
            Noted::Nothing if last > 1 => {
                Some(format!("{HEAD_NAME} is gone: records may have been cut off here"))
            }
            Noted::Is(_) | Noted::Nothing => None,
        };
        self.problem(end, what);
        self.found
    }

    fn problem(&mut self, line: u64, what: Option<String>) {
        self.found.problems.extend(what.map(|what| Problem { line, what }));
    }

    /// Handles the invalid lines in front of a record. If the record names them, a power cut left
    /// them.
    fn settle_odd(&mut self, line: u64, torn: Option<&Torn>) {
        let odd = std::mem::take(&mut self.odd);
        match torn {
            Some(torn) if odd.is(torn) => self.found.torn += 1,
            Some(_) => {
                self.found.problems.extend(odd.named);
                let what =
                    "the remains of a power cut before it were changed or removed".to_owned();
                self.problem(line, Some(what));
            }
            None => {
                self.found.problems.extend(odd.named);
                if odd.more > 0 {
                    let what = format!("{} more lines before it are not records", odd.more);
                    self.problem(line, Some(what));
                }
            }
        }
    }
}

/// A run of invalid lines.
#[derive(Default)]
struct Odd {
    named: Vec<Problem>,
    more: u64,
    bytes: u64,
    /// Of all bytes but the last, which may be a line ending that was added later.
    hash: Sha256,
    held: Option<u8>,
    /// How many of them have a line ending.
    ended: u64,
}

impl Odd {
    fn add(&mut self, line: Line<'_>, why: &str) {
        if self.named.len() < NAMED {
            self.named.push(Problem { line: line.number, what: why.to_owned() });
        } else {
            self.more += 1;
        }
        self.update(line.text);
        if line.is_ended {
            self.update(b"\n");
            self.ended += 1;
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        let Some((last, others)) = bytes.split_last() else { return };
        if let Some(held) = self.held.replace(*last) {
            self.hash.update([held]);
        }
        self.hash.update(others);
        self.bytes += bytes.len() as u64;
    }

    /// Whether it is a single unfinished line and nothing else.
    fn is_unfinished(&self) -> bool {
        self.bytes > 0 && self.ended == 0
    }

    fn is(&self, torn: &Torn) -> bool {
        let Some(held) = self.held else { return false };
        let hash = if torn.bytes == self.bytes {
            self.hash.clone().chain_update([held])
        } else if torn.bytes + 1 == self.bytes && held == b'\n' {
            self.hash.clone()
        } else {
            return false;
        };
        hex(hash.finalize()) == torn.sha256
    }
}
