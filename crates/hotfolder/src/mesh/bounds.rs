//! A mesh's bounding box, computed per lane so that the compiler can vectorize it.

/// The smallest box that holds all points of a mesh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Bounds {
    pub(super) low: [f32; 3],
    pub(super) high: [f32; 3],
}

impl Bounds {
    /// Returns the longest side.
    pub(crate) fn longest(&self) -> f32 {
        (0..3).map(|axis| self.high[axis] - self.low[axis]).fold(0.0, f32::max)
    }

    /// Returns how far apart two boxes are on the axis where they are furthest apart; 0 if they
    /// touch.
    pub(crate) fn gap(&self, other: &Self) -> f32 {
        (0..3)
            .map(|axis| {
                let (a, b) = (self.low[axis] - other.high[axis], other.low[axis] - self.high[axis]);
                a.max(b)
            })
            .fold(0.0, f32::max)
    }
}

/// The minimum and maximum of each of `N` repeating numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lanes<const N: usize> {
    low: [f32; N],
    high: [f32; N],
    /// NaN once a NaN or infinity was seen.
    odd: [f32; N],
}

impl<const N: usize> Default for Lanes<N> {
    fn default() -> Self {
        Self { low: [f32::INFINITY; N], high: [f32::NEG_INFINITY; N], odd: [0.0; N] }
    }
}

impl<const N: usize> Lanes<N> {
    #[inline]
    pub(super) fn add(&mut self, values: &[f32; N]) {
        for (lane, &value) in values.iter().enumerate() {
            // Unlike `f32::min`, each of these compiles to one instruction.
            self.low[lane] = if value < self.low[lane] { value } else { self.low[lane] };
            self.high[lane] = if value > self.high[lane] { value } else { self.high[lane] };
            self.odd[lane] += value * 0.0;
        }
    }

    /// Merges other lanes, which repeat these.
    pub(super) fn join<const M: usize>(&mut self, other: &Lanes<M>) {
        for from in 0..M {
            let lane = from % N;
            self.low[lane] = self.low[lane].min(other.low[from]);
            self.high[lane] = self.high[lane].max(other.high[from]);
            self.odd[lane] += other.odd[from];
        }
    }

    /// Whether a lane from `from` on saw a NaN or infinity.
    pub(super) fn has_odd(&self, from: usize) -> bool {
        self.odd.iter().skip(from).any(|odd| odd.is_nan())
    }

    /// Returns the box of all lanes from `from` on, which repeat x, y and z; `None` if there was no
    /// point.
    pub(super) fn bounds(&self, from: usize) -> Option<Bounds> {
        let mut bounds = Bounds { low: [f32::INFINITY; 3], high: [f32::NEG_INFINITY; 3] };
        for lane in from..N {
            let axis = (lane - from) % 3;
            bounds.low[axis] = bounds.low[axis].min(self.low[lane]);
            bounds.high[axis] = bounds.high[axis].max(self.high[lane]);
        }
        let is_finite = bounds.low.iter().chain(&bounds.high).all(|value| value.is_finite());
        is_finite.then_some(bounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_holds_every_point_and_odd_numbers_are_seen() {
        let mut lanes = Lanes::<6>::default();
        assert_eq!(lanes.bounds(0), None);
        lanes.add(&[0.0, 1.0, 2.0, 5.0, -1.0, 2.5]);
        let bounds = lanes.bounds(0).expect("points");
        assert_eq!((bounds.low, bounds.high), ([0.0, -1.0, 2.0], [5.0, 1.0, 2.5]));
        assert!(!lanes.has_odd(0));
        lanes.add(&[f32::NAN, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(lanes.has_odd(0) && !lanes.has_odd(1));
        lanes.add(&[0.0, 0.0, 0.0, f32::INFINITY, 0.0, 0.0]);
        assert!(lanes.has_odd(3));
    }

    #[test]
    fn boxes_that_touch_have_no_gap() {
        let at = |x: f32| Bounds { low: [x, 0.0, 0.0], high: [x + 10.0, 10.0, 10.0] };
        assert!(at(0.0).gap(&at(5.0)).abs() < f32::EPSILON);
        assert!((at(0.0).gap(&at(40.0)) - 30.0).abs() < f32::EPSILON);
        assert!((at(40.0).gap(&at(0.0)) - 30.0).abs() < f32::EPSILON);
    }
}
