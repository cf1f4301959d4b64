//! Text meshes, line by line: short ones are read whole, long ones in part. Reading every number of
//! a long one would take as long as unpacking it.

use encoding_rs::WINDOWS_1252;

/// Files up to this length are read whole.
pub(super) const WHOLE: u64 = 1 << 20;
/// Longer ones are read in parts of this length: the first, the last two, and one in every `EVERY`.
const PART: u64 = 64 << 10;
const EVERY: u64 = 128;
/// A longer line is not valid.
const LINE_MAX: usize = 64 << 10;

/// Receives the lines.
pub(super) trait Sink {
    /// Takes one line without its line ending, and the number of lines before it. The last line of
    /// a file may lack an ending.
    fn line(&mut self, line: &[u8], number: u64, is_ended: bool);
}

/// A text that arrives in chunks.
#[derive(Debug)]
pub(super) struct Lines {
    len: u64,
    at: u64,
    end: u8,
    held: Vec<u8>,
    /// Whether the next bytes belong to a line whose start was seen.
    is_in_step: bool,
    counts: bool,
    /// Number of lines ended so far, if they are counted.
    pub(super) count: u64,
}

impl Lines {
    /// `head` is the beginning of the text, which this does not feed; `counts` says whether to
    /// count lines even in parts that are not read.
    pub(super) fn new(len: u64, head: &[u8], counts: bool) -> Self {
        let end = if head.contains(&b'\r') && !head.contains(&b'\n') { b'\r' } else { b'\n' };
        Self { len, at: 0, end, held: Vec::new(), is_in_step: true, counts, count: 0 }
    }

    /// Whether every line is read.
    pub(super) fn is_whole(&self) -> bool {
        self.len <= WHOLE
    }

    pub(super) fn feed(&mut self, chunk: &[u8], sink: &mut dyn Sink) {
        let mut chunk = chunk;
        while !chunk.is_empty() {
            let left = PART - self.at % PART;
            let take = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
            let (part, rest) = chunk.split_at(take);
            if self.is_wanted() {
                self.read(part, sink);
            } else {
                self.skip(part);
            }
            self.at += take as u64;
            chunk = rest;
        }
    }

    /// Passes on the last line, if it has no ending.
    pub(super) fn finish(&mut self, sink: &mut dyn Sink) {
        if self.is_in_step && !self.held.is_empty() {
            sink.line(&std::mem::take(&mut self.held), self.count, false);
        }
    }

    fn is_wanted(&self) -> bool {
        let part = self.at / PART;
        self.is_whole() || part.is_multiple_of(EVERY) || (part + 2) * PART >= self.len
    }

    fn read(&mut self, part: &[u8], sink: &mut dyn Sink) {
        let mut rest = part;
        while let Some(at) = rest.iter().position(|byte| *byte == self.end) {
            let (line, behind) = rest.split_at(at);
            if !self.is_in_step {
                self.is_in_step = true;
            } else if self.held.is_empty() {
                sink.line(line, self.count, true);
            } else {
                self.held.extend_from_slice(line);
                sink.line(&self.held, self.count, true);
                self.held.clear();
            }
            self.count += 1;
            rest = behind.get(1..).unwrap_or_default();
        }
        if self.is_in_step {
            self.held.extend_from_slice(rest);
            if self.held.len() > LINE_MAX {
                self.held = Vec::new();
                self.is_in_step = false;
            }
        }
    }

    fn skip(&mut self, part: &[u8]) {
        self.held.clear();
        self.is_in_step = false;
        if self.counts {
            // Pieces whose sum fits into a byte, so that the compiler can vectorize the count.
            for piece in part.chunks(255) {
                let ends = piece.iter().fold(0_u8, |sum, byte| sum + u8::from(*byte == self.end));
                self.count += u64::from(ends);
            }
        }
    }
}

/// Decodes a mesh's text; if it is not UTF-8, byte by byte.
pub(super) fn decode(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(
        |_| WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
        str::to_owned,
    )
}

/// Whether these first bytes of a file are text.
pub(super) fn is_text(head: &[u8]) -> bool {
    head.iter().all(|byte| *byte >= b' ' || byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Seen(Vec<(String, u64, bool)>);

    impl Sink for Seen {
        fn line(&mut self, line: &[u8], number: u64, is_ended: bool) {
            self.0.push((String::from_utf8_lossy(line).into_owned(), number, is_ended));
        }
    }

    fn seen(text: &str, size: usize, counts: bool) -> (Vec<(String, u64, bool)>, u64) {
        let mut lines = Lines::new(text.len() as u64, text.as_bytes(), counts);
        let mut seen = Seen::default();
        text.as_bytes().chunks(size).for_each(|chunk| lines.feed(chunk, &mut seen));
        lines.finish(&mut seen);
        (seen.0, lines.count)
    }

    #[test]
    fn short_texts_are_given_whole_in_chunks_of_any_length() {
        for end in ["\n", "\r"] {
            let text = ["one", "", "two", "last"].join(end);
            for size in 1..9 {
                let (lines, count) = seen(&text, size, false);
                let expected =
                    [("one", 0, true), ("", 1, true), ("two", 2, true), ("last", 3, false)];
                let expected = expected.map(|(line, at, ended)| (line.to_owned(), at, ended));
                assert_eq!((lines, count), (expected.to_vec(), 3));
            }
        }
    }

    #[test]
    fn of_long_texts_start_and_end_are_given_with_their_numbers() {
        let numbers: Vec<String> = (0..=400_000).map(|number| number.to_string()).collect();
        let text = numbers.join("\n");
        for size in [1000, 65_536, 100_001] {
            let (lines, count) = seen(&text, size, true);
            assert_eq!(count, 400_000);
            assert!(lines.len() < 100_000, "{}", lines.len());
            assert_eq!(lines.first().map(|line| line.1), Some(0));
            assert_eq!(lines.last().map(|line| line.1), Some(400_000));
            assert!(lines.iter().all(|(line, number, _)| *line == number.to_string()));
        }
    }
}
