//! The line on which the teeth are placed: half an ellipse, continued straight back at both ends.

/// An arch line in the horizontal plane, in millimetres; x to the patient's right, y to the front.
pub(super) struct Curve {
    half_width: f64,
    depth: f64,
    /// Arc length from the midline to each of the evenly spaced angles up to the ellipse's end.
    lengths: Vec<f64>,
}

/// A point on the line.
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Unit vector towards cheek and lip.
    pub(super) outward: (f64, f64),
}

const STEPS: u32 = 256;

impl Curve {
    pub(super) fn new(half_width: f64, depth: f64) -> Self {
        let mut lengths = vec![0.0];
        let mut sum = 0.0;
        let mut last = (0.0, depth);
        for step in 1..=STEPS {
            let angle = angle_of(f64::from(step));
            let next = (half_width * angle.sin(), depth * angle.cos());
            sum += (next.0 - last.0).hypot(next.1 - last.1);
            lengths.push(sum);
            last = next;
        }
        Self { half_width, depth, lengths }
    }

    /// Returns the point at an arc length from the midline; negative is the patient's left.
    pub(super) fn at(&self, s: f64) -> Place {
        let side = if s < 0.0 { -1.0 } else { 1.0 };
        let s = s.abs();
        let after = self.lengths.partition_point(|length| *length < s);
        let Some(end) = self.lengths.get(after) else {
            let past = s - self.lengths.last().copied().unwrap_or_default();
            return Place { x: side * self.half_width, y: -past, outward: (side, 0.0) };
        };
        let start = if after == 0 { 0.0 } else { self.lengths[after - 1] };
        let share = if after == 0 { 0.0 } else { (s - start) / (end - start) };
        let whole = u32::try_from(after.saturating_sub(1)).unwrap_or(STEPS);
        let (sin, cos) = angle_of(f64::from(whole) + share).sin_cos();
        let normal = (sin / self.half_width, cos / self.depth);
        let length = normal.0.hypot(normal.1);
        Place {
            x: side * self.half_width * sin,
            y: self.depth * cos,
            outward: (side * normal.0 / length, normal.1 / length),
        }
    }
}

fn angle_of(step: f64) -> f64 {
    step / f64::from(STEPS) * std::f64::consts::FRAC_PI_2
}
