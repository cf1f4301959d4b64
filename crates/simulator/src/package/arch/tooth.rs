//! One tooth: its dimensions, and its solid as a signed distance function.
//!
//! Local coordinates in millimetres: `x` along the arch, `y` towards the cheek, `h` from the gum
//! line towards the bite. The dimensions are rounded averages for adult teeth.

/// The kind of crown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Incisor,
    Canine,
    Premolar,
    Molar,
}

/// Average dimensions of a tooth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measures {
    pub(super) class: Class,
    pub(super) width: f64,
    pub(super) depth: f64,
    pub(super) height: f64,
}

const fn tooth(class: Class, width: f64, depth: f64, height: f64) -> Measures {
    Measures { class, width, depth, height }
}

/// Upper teeth from the midline to the wisdom tooth.
pub(super) const UPPER: [Measures; 8] = [
    tooth(Class::Incisor, 8.6, 7.2, 10.2),
    tooth(Class::Incisor, 6.7, 6.4, 9.0),
    tooth(Class::Canine, 7.6, 8.0, 9.8),
    tooth(Class::Premolar, 7.1, 9.2, 8.2),
    tooth(Class::Premolar, 6.8, 9.2, 7.6),
    tooth(Class::Molar, 10.3, 11.2, 7.0),
    tooth(Class::Molar, 9.7, 11.0, 6.6),
    tooth(Class::Molar, 8.7, 10.2, 6.0),
];

/// Lower teeth from the midline to the wisdom tooth.
pub(super) const LOWER: [Measures; 8] = [
    tooth(Class::Incisor, 5.3, 6.0, 8.8),
    tooth(Class::Incisor, 5.9, 6.3, 9.0),
    tooth(Class::Canine, 6.9, 7.6, 9.8),
    tooth(Class::Premolar, 7.1, 7.8, 8.2),
    tooth(Class::Premolar, 7.2, 8.3, 7.6),
    tooth(Class::Molar, 11.2, 10.5, 7.0),
    tooth(Class::Molar, 10.6, 10.3, 6.6),
    tooth(Class::Molar, 9.8, 9.8, 6.0),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Whole,
    /// Ground down to a stump for a crown.
    Prepared,
    /// Gone; the gum has closed.
    Missing,
}

/// A tooth in its place in an arch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tooth {
    pub(super) measures: Measures,
    pub(super) state: State,
    /// Arc length from the midline to its middle.
    pub(super) centre: f64,
    /// Towards the cheek.
    pub(super) shift: f64,
    /// Sine of the rotation about its axis.
    pub(super) yaw: f64,
    /// Towards the bite.
    pub(super) lift: f64,
}

impl Tooth {
    /// Returns the signed distance: negative inside the tooth, and near the surface roughly the
    /// distance to it. The second number is the same for the tooth's side wall alone, whatever its
    /// height.
    pub(super) fn distance(&self, x: f64, y: f64, h: f64) -> (f64, f64) {
        let Measures { class, width, depth, height } = self.measures;
        let y = y - self.shift;
        let (x, y) = (x + self.yaw * y, y - self.yaw * x);
        let h = h - self.lift;
        let rise = (h / height).clamp(-0.3, 1.15);
        let (half, cheek, tongue) = match self.state {
            State::Prepared => stump(width / 2.0, depth / 2.0, h, rise),
            _ => crown(class, width / 2.0, depth, rise),
        };
        let middle = f64::midpoint(cheek, tongue);
        let thick = (cheek - tongue) / 2.0;
        let (across, through) = (x / half, (y - middle) / thick);
        let (uu, vv) = (across * across, through * through);
        // Between an ellipse and a rectangle, as cross sections of crowns are.
        let round = f64::midpoint((uu + vv).sqrt(), (uu * uu + vv * vv).sqrt().sqrt());
        let side = (round - 1.0) * half.min(thick);
        let (top, blend) = match self.state {
            State::Prepared => (0.62 * height + 0.25 * relief(class, width, depth, x, y), 1.0),
            _ => (height + relief(class, width, depth, x, y), edge(class)),
        };
        (smooth_max(side, h - top, blend), side)
    }
}

/// Half width and both faces of a natural crown at a fraction of its height.
fn crown(class: Class, half: f64, depth: f64, rise: f64) -> (f64, f64, f64) {
    match class {
        Class::Incisor => (
            half * bend(0.74, 1.20, 0.97, rise),
            depth * bend(0.42, 0.60, 0.26, rise),
            bend(-0.46 * depth, -0.30 * depth, 0.26 * depth - 1.5, rise),
        ),
        Class::Canine => (
            half * bend(0.76, 1.30, 0.78, rise),
            depth * bend(0.44, 0.64, 0.22, rise),
            bend(-0.46 * depth, -0.42 * depth, 0.20 * depth - 2.2, rise),
        ),
        Class::Premolar => (
            half * bend(0.76, 1.24, 0.84, rise),
            depth * bend(0.46, 0.62, 0.34, rise),
            depth * bend(-0.44, -0.58, -0.36, rise),
        ),
        Class::Molar => (
            half * bend(0.84, 1.17, 0.88, rise),
            depth * bend(0.46, 0.60, 0.37, rise),
            depth * bend(-0.44, -0.58, -0.38, rise),
        ),
    }
}

/// A tapered stump on a shoulder.
fn stump(half: f64, thick: f64, h: f64, rise: f64) -> (f64, f64, f64) {
    let shoulder = 1.0 - ease((h - 0.2) / 0.5);
    let taper = 1.0 - 0.22 * rise.max(0.0);
    let width = ((0.78 * half - 0.8) * taper).max(0.8) + 0.8 * shoulder;
    let face = ((0.86 * thick - 0.9) * taper).max(0.8) + 0.8 * shoulder;
    (width, face, -face)
}

/// How far the biting surface is above or below the tooth's nominal height.
fn relief(class: Class, width: f64, depth: f64, x: f64, y: f64) -> f64 {
    let bell = |at: f64, size: f64| (-(at / size) * (at / size)).exp();
    match class {
        Class::Incisor => 0.12 * (x * 7.0 / width).cos() - 1.2 * (x / width).powi(4),
        Class::Canine => 0.2 - 3.4 * x * x / (width * (0.6 * x.abs() + 0.25 * width)),
        Class::Premolar => {
            let cheek = bell(x, 0.30 * width) * bell(y - 0.24 * depth, 0.17 * depth);
            let tongue = bell(x, 0.30 * width) * bell(y + 0.25 * depth, 0.15 * depth);
            let rim = bell(x.abs() - 0.42 * width, 0.10 * width) * bell(y, 0.30 * depth);
            -1.7 + 2.0 * cheek + 1.5 * tongue + 0.7 * rim - 0.5 * bell(y, 0.5)
        }
        Class::Molar => {
            // Front and back cusps differ, and so do the grooves on the cheek and tongue sides.
            let along = 1.9 * bell(x - 0.25 * width, 0.19 * width)
                + 1.6 * bell(x + 0.25 * width, 0.17 * width);
            let across =
                bell(y - 0.24 * depth, 0.15 * depth) + 0.85 * bell(y + 0.26 * depth, 0.16 * depth);
            let rim = bell(x.abs() - 0.43 * width, 0.07 * width) * bell(y, 0.26 * depth);
            let fissure = bell(y + 0.5 * (1.1 * x).sin(), 0.5) * bell(x, 0.36 * width);
            let groove = bell(x - if y > 0.0 { 0.6 } else { -0.5 }, 0.45) * ease(y.abs() / 1.5);
            -1.7 + along * across + 0.7 * rim - 0.45 * fissure - 0.45 * groove
        }
    }
}

/// Radius of the edge between side and biting surface.
fn edge(class: Class) -> f64 {
    match class {
        Class::Incisor => 0.7,
        Class::Canine => 1.1,
        Class::Premolar => 1.5,
        Class::Molar => 1.4,
    }
}

/// A curve from `from` to `to`, pulled towards `over` on the way.
fn bend(from: f64, over: f64, to: f64, share: f64) -> f64 {
    let rest = 1.0 - share;
    from * rest * rest + 2.0 * over * rest * share + to * share * share
}

/// From 0 to 1, smoothly at both ends.
pub(super) fn ease(share: f64) -> f64 {
    let share = share.clamp(0.0, 1.0);
    share * share * (3.0 - 2.0 * share)
}

/// The larger of two values, with the corner rounded over a width.
pub(super) fn smooth_max(a: f64, b: f64, width: f64) -> f64 {
    let overlap = (width - (a - b).abs()).max(0.0);
    a.max(b) + overlap * overlap / (4.0 * width)
}
