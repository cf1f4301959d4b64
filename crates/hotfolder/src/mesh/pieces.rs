//! Whether a mesh is in one piece as a person would see it, judged from a sample of its triangles,
//! or of its points if they are many, in cells of 4 mm.
//!
//! The exact answer, which edges share which points, would take a tenth as long as unpacking. We
//! ask only whether a large part is separated from the rest by two cells. Small islands, which
//! every scan has, do not count.

/// The side of a cell in millimetres.
const CELL: f32 = 4.0;
/// Cells along each axis, as many as a word has bits; then they wrap around. Jaws are a third as
/// wide.
const SIDE: i32 = 64;
const BITS: u32 = 6;
/// The wrap-around mask for three axes, one byte each.
const MASK: u32 = (SIDE as u32 - 1) * 0x01_0101;
/// Number of triangles to sample.
const SAMPLES: u64 = 2048;
/// A piece counts from this share of all cells: one in ten.
const SHARE: usize = 10;

/// The cells that a mesh passes through.
#[derive(Debug)]
pub(super) struct Pieces {
    /// One bit per cell along the first axis, one word per position along the other two.
    rows: Vec<u64>,
}

/// Returns the sampling interval in triangles.
pub(super) fn step(triangles: u64) -> u64 {
    (triangles / SAMPLES).max(1)
}

/// Returns the cell of a point, one byte per axis, so that the compiler can vectorize it.
#[inline]
pub(super) fn cell(point: [f32; 3]) -> u32 {
    // After adding a number this large, the lowest bits hold the nearest integer.
    let part = |value: f32| (value * (1.0 / CELL) + 12_582_912.0).to_bits().to_le_bytes()[0];
    let [x, y, z] = point;
    u32::from_le_bytes([part(x), part(y), part(z), 0]) & MASK
}

impl Pieces {
    pub(super) fn new() -> Self {
        Self { rows: vec![0; 1 << (2 * BITS)] }
    }

    /// Marks a point's cell.
    pub(super) fn touch(&mut self, cell: u32) {
        self.mark(parts(cell));
    }

    /// Marks a triangle's cells, including those along its edges.
    pub(super) fn add(&mut self, corners: [u32; 3]) {
        let [a, b, c] = corners;
        self.touch(a);
        if a != b || b != c {
            self.edge(a, b);
            self.edge(b, c);
            self.edge(c, a);
        }
    }

    fn edge(&mut self, from: u32, to: u32) {
        let (from, to) = (parts(from), parts(to));
        // The shorter way around.
        let way: [i32; 3] = std::array::from_fn(|axis| {
            (to[axis] - from[axis] + SIDE / 2).rem_euclid(SIDE) - SIDE / 2
        });
        let steps = way.iter().map(|part| part.abs()).max().unwrap_or(0).max(1);
        for step in 1..=steps {
            self.mark(std::array::from_fn(|axis| from[axis] + way[axis] * step / steps));
        }
    }

    fn mark(&mut self, at: [i32; 3]) {
        let [x, y, z] = at;
        if let Some(row) = self.rows.get_mut(row(y, z)) {
            *row |= 1 << around(x);
        }
    }

    /// Whether a large part is separate from the rest.
    pub(super) fn are_apart(mut self) -> bool {
        let count = |cells: u64| cells.count_ones() as usize;
        let all: usize = self.rows.iter().copied().map(count).sum();
        let mut large = 0;
        let mut open = Vec::new();
        for (y, z) in (0..SIDE).flat_map(|z| (0..SIDE).map(move |y| (y, z))) {
            loop {
                let left = self.rows.get(row(y, z)).copied().unwrap_or_default();
                let first = left & left.wrapping_neg();
                if first == 0 {
                    break;
                }
                open.extend(self.take(first, y, z));
                let mut size = 0;
                while let Some((cells, y, z)) = open.pop() {
                    size += count(cells);
                    let near = cells | cells.rotate_left(1) | cells.rotate_right(1);
                    for (y, z) in (-1..=1).flat_map(|up| (-1..=1).map(move |on| (y + on, z + up))) {
                        open.extend(self.take(near, y, z));
                    }
                }
                large += usize::from(size * SHARE >= all);
            }
        }
        large > 1
    }

    /// Removes those of `cells` that are set in a row and returns them; `None` if there are none.
    fn take(&mut self, cells: u64, y: i32, z: i32) -> Option<(u64, i32, i32)> {
        let row = self.rows.get_mut(row(y, z))?;
        let taken = *row & cells;
        *row &= !taken;
        (taken != 0).then_some((taken, y, z))
    }
}

fn parts(cell: u32) -> [i32; 3] {
    let [x, y, z, _] = cell.to_le_bytes();
    [x, y, z].map(i32::from)
}

/// Index of the row at this position on the second and third axes.
fn row(y: i32, z: i32) -> usize {
    around(y) | around(z) << BITS
}

/// Wraps a position on an axis.
fn around(place: i32) -> usize {
    (place & (SIDE - 1)).cast_unsigned() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A flat square with this side in millimetres.
    fn square(pieces: &mut Pieces, at: [f32; 3], side: f32) {
        let corner = |x: f32, y: f32| cell([at[0] + x * side, at[1] + y * side, at[2]]);
        let step = 0.05;
        let mut x = 0.0;
        while x < 1.0 {
            pieces.add([corner(x, 0.0), corner(x + step, 0.0), corner(x, 1.0)]);
            x += step;
        }
    }

    #[test]
    fn what_lies_apart_is_seen_and_islands_are_not() {
        let mut one = Pieces::new();
        square(&mut one, [-30.0, 0.0, 0.0], 30.0);
        square(&mut one, [3.0, 0.0, 0.0], 30.0);
        square(&mut one, [0.0, 80.0, 0.0], 3.0);
        assert!(!one.are_apart());
        let mut two = Pieces::new();
        square(&mut two, [-30.0, 0.0, 0.0], 30.0);
        square(&mut two, [-30.0, 0.0, 20.0], 30.0);
        assert!(two.are_apart());
        assert!(!Pieces::new().are_apart());
    }

    #[test]
    fn long_edges_join_what_they_lead_to() {
        let mut pieces = Pieces::new();
        square(&mut pieces, [0.0, 0.0, 0.0], 20.0);
        square(&mut pieces, [0.0, 0.0, 40.0], 20.0);
        pieces.add([cell([0.0, 0.0, 0.0]), cell([0.0, 0.0, 40.0]), cell([4.0, 0.0, 0.0])]);
        assert!(!pieces.are_apart());
    }
}
