//! Splits chunks of any length into rows of a fixed length.

#[derive(Debug)]
pub(super) struct Rows {
    length: usize,
    held: Vec<u8>,
    /// Number of rows still to come.
    pub(super) left: u64,
}

impl Rows {
    /// A row of length 0 is taken as 1.
    pub(super) fn new(length: usize, count: u64) -> Self {
        Self { length: length.max(1), held: Vec::new(), left: count }
    }

    /// Passes whole rows to `visit`, several at a time, and returns what follows the last row.
    pub(super) fn take<'a>(&mut self, chunk: &'a [u8], mut visit: impl FnMut(&[u8])) -> &'a [u8] {
        let mut chunk = chunk;
        if !self.held.is_empty() {
            let lacks = (self.length - self.held.len()).min(chunk.len());
            let (more, rest) = chunk.split_at(lacks);
            self.held.extend_from_slice(more);
            chunk = rest;
            if self.held.len() < self.length {
                return chunk;
            }
            visit(&self.held);
            self.held.clear();
            self.left = self.left.saturating_sub(1);
        }
        if self.left > 0 {
            let whole = chunk.len() / self.length;
            let whole = usize::try_from(self.left).map_or(whole, |left| whole.min(left));
            let (rows, rest) = chunk.split_at(whole * self.length);
            if whole > 0 {
                visit(rows);
            }
            self.left -= whole as u64;
            chunk = rest;
            if self.left > 0 && !chunk.is_empty() {
                self.held.extend_from_slice(chunk);
                chunk = &[];
            }
        }
        chunk
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn chunks_of_any_length_give_the_same_rows(
            bytes in proptest::collection::vec(any::<u8>(), 0..400),
            length in 1..60_usize,
            count in 0..12_u64,
            size in 1..90_usize,
        ) {
            let mut rows = Rows::new(length, count);
            let (mut got, mut rest) = (Vec::new(), Vec::new());
            for chunk in bytes.chunks(size) {
                rest.extend_from_slice(rows.take(chunk, |rows| got.extend_from_slice(rows)));
            }
            let wanted = usize::try_from(count).expect("small").min(bytes.len() / length);
            prop_assert_eq!(&got[..], &bytes[..wanted * length]);
            prop_assert_eq!(rows.left, count - wanted as u64);
            if rows.left == 0 {
                prop_assert_eq!(&rest[..], &bytes[wanted * length..]);
            }
        }
    }
}
