//! A jaw as rows of points, and the triangles between them.

use std::io;

use super::super::noise;
use super::super::samples::{self, Jaw, Net, Point};

/// How a jaw ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Where the scanner saw no further: an open shell.
    Shell,
    /// On a low flat base: a closed solid.
    LowBase,
}

/// How a jaw is positioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pose {
    /// Both jaws closed on each other.
    Occlusion,
    /// Like [`Pose::Occlusion`], with the lower jaw moved slightly: a second bite.
    SecondBite,
    /// Each jaw on its own, teeth up.
    TeethUp,
}

/// Points across the bottom of a base, without its two edges.
const BOTTOM: usize = 3;
/// Distance from the bottom of a base to the bite.
const BASE: f32 = 21.0;

/// What distinguishes one jaw from another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Anatomy {
    pub(crate) jaw: Jaw,
    /// Seed of the patient.
    pub(crate) patient: u64,
    /// Seed of the scan of that patient.
    pub(crate) scan: u64,
    /// Whether teeth are prepared for crowns.
    pub(crate) prepared: bool,
}

pub(crate) struct Surface {
    /// The sample, between whose points all others are interpolated.
    net: &'static Net,
    /// How much larger the patient's jaws are than the sample's.
    size: [f32; 3],
    jaw: Jaw,
    scan: u64,
    shape: Shape,
    pose: Pose,
    rows: usize,
    columns: usize,
}

impl Surface {
    pub(super) fn new(anatomy: &Anatomy, shape: Shape, pose: Pose, triangles: usize) -> Self {
        let quads = (triangles / 2).max(80);
        // Rows and columns are about equally far apart on the real surface.
        let across = (quads * 10 / 28).isqrt().max(9);
        let (columns, cells) = match shape {
            Shape::Shell => (across + 1, across),
            Shape::LowBase => {
                let columns = across.saturating_sub(BOTTOM + 2).max(8);
                (columns, columns + BOTTOM + 2)
            }
        };
        let rows = (quads / cells).max(7) + 1;
        // The same for both jaws of a patient, so that they meet.
        let size =
            [1, 2, 3].map(|axis| 1.0 + single(0.04 * noise::jitter(anatomy.patient, axis, 0)));
        Self {
            net: samples::jaw(anatomy.jaw, anatomy.prepared),
            size,
            jaw: anatomy.jaw,
            scan: anatomy.scan,
            shape,
            pose,
            rows,
            columns,
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Number of points in each row.
    pub(super) fn width(&self) -> usize {
        match self.shape {
            Shape::Shell => self.columns,
            Shape::LowBase => self.columns + BOTTOM + 2,
        }
    }

    /// Number of quads between two rows.
    fn cells(&self) -> usize {
        match self.shape {
            Shape::Shell => self.columns - 1,
            Shape::LowBase => self.width(),
        }
    }

    pub(super) fn triangles(&self) -> u64 {
        let caps = if self.shape == Shape::LowBase { 2 * self.width() } else { 0 };
        (2 * self.cells() * (self.rows - 1) + caps) as u64
    }

    pub(super) fn vertices(&self) -> u64 {
        let caps = if self.shape == Shape::LowBase { 2 } else { 0 };
        (self.rows * self.width() + caps) as u64
    }

    /// Computes the rows one after another.
    pub(super) fn for_each_row(
        &self,
        mut visit: impl FnMut(usize, &[Point]) -> io::Result<()>,
    ) -> io::Result<()> {
        (0..self.rows).try_for_each(|row| visit(row, &self.row(row)))
    }

    /// Returns the centres of the two end walls of a closed solid; none for a shell.
    pub(super) fn cap_centres(&self) -> Vec<Point> {
        match self.shape {
            Shape::Shell => Vec::new(),
            Shape::LowBase => [0, self.rows - 1].map(|row| middle(&self.row(row))).into(),
        }
    }

    /// Returns the triangles between a row and the next, each corner as (next row?, column), wound
    /// so that their normals point out of the jaw.
    pub(super) fn band(&self) -> impl Iterator<Item = [(bool, usize); 3]> {
        let (width, flip) = (self.width(), self.jaw == Jaw::Upper);
        (0..self.cells()).flat_map(move |column| {
            let next = (column + 1) % width;
            let first = [(false, column), (false, next), (true, column)];
            let second = [(false, next), (true, next), (true, column)];
            [first, second].map(|corners| turned(corners, flip))
        })
    }

    /// Returns the triangles of an end wall, each corner as a column, or `None` for the wall's
    /// centre.
    pub(super) fn cap(&self, last: bool) -> impl Iterator<Item = [Option<usize>; 3]> {
        let (width, flip) = (self.width(), (self.jaw == Jaw::Upper) == last);
        let columns = if self.shape == Shape::LowBase { 0..width } else { 0..0 };
        columns.map(move |column| turned([None, Some((column + 1) % width), Some(column)], !flip))
    }

    fn row(&self, row: usize) -> Vec<Point> {
        let share = number(row) / number(self.rows - 1);
        let mut points = between(self.net, share, self.columns);
        for (column, point) in points.iter_mut().enumerate() {
            // A scanner's noise, a few micrometres: three parts of one hash.
            let mut bits = noise::hash(self.scan, row as u64, column as u64);
            for (part, size) in point.at.iter_mut().zip(self.size) {
                *part *= size;
                *part += single(0.006 * (number_of(bits & 0xffff) / 32_768.0 - 1.0));
                bits >>= 16;
            }
        }
        if self.shape == Shape::LowBase {
            self.add_base(&mut points);
        }
        for point in &mut points {
            self.pose(point);
        }
        points
    }

    /// Continues a row from the tongue's edge down, across the bottom and under the cheek's edge.
    fn add_base(&self, points: &mut Vec<Point>) {
        let floor = if self.jaw == Jaw::Upper { BASE - 2.0 } else { -BASE };
        let (cheek, tongue) = (points[0].at, points[points.len() - 1].at);
        for step in 0..BOTTOM + 2 {
            let share = single(number(step) / number(BOTTOM + 1));
            let mix = |axis: usize| tongue[axis] + (cheek[axis] - tongue[axis]) * share;
            points.push(Point { at: [mix(0), mix(1), floor], tone: 0.0 });
        }
    }

    fn pose(&self, point: &mut Point) {
        let [x, y, z] = point.at;
        point.at = match (self.pose, self.jaw) {
            (Pose::TeethUp, Jaw::Upper) => [-x, y, -z],
            (Pose::SecondBite, Jaw::Lower) => [x + 0.4, y + 1.2, z - 0.7],
            _ => point.at,
        };
    }
}

fn turned<T: Copy>([a, b, c]: [T; 3], flip: bool) -> [T; 3] {
    if flip { [a, c, b] } else { [a, b, c] }
}

fn middle(row: &[Point]) -> Point {
    let count = single(number(row.len()));
    let sum = |axis: usize| row.iter().map(|point| point.at[axis]).sum::<f32>() / count;
    Point { at: std::array::from_fn(sum), tone: 0.0 }
}

/// Returns a row between those of a net, smoothly interpolated in both directions.
fn between(net: &[Vec<Point>], share: f64, columns: usize) -> Vec<Point> {
    let (knot, weights) = place(share, net.len());
    let line: Vec<Point> = (0..net[0].len())
        .map(|column| blend(weights, |step| net[clamped(knot, step, net.len())][column]))
        .collect();
    (0..columns)
        .map(|column| {
            let (knot, weights) = place(number(column) / number(columns - 1), line.len());
            blend(weights, |step| line[clamped(knot, step, line.len())])
        })
        .collect()
}

/// Returns the knot before a fraction of the way, and the weights from the knot before that to the
/// second after it: a Catmull-Rom spline, which passes through its knots.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share between 0 and 1 of a few hundred knots"
)]
fn place(share: f64, knots: usize) -> (usize, [f32; 4]) {
    let at = share.clamp(0.0, 1.0) * number(knots - 1);
    let t = at - at.floor();
    let (tt, ttt) = (t * t, t * t * t);
    let weights = [
        -0.5 * t + tt - 0.5 * ttt,
        1.0 - 2.5 * tt + 1.5 * ttt,
        0.5 * t + 2.0 * tt - 1.5 * ttt,
        0.5 * ttt - 0.5 * tt,
    ];
    (at.floor() as usize, weights.map(single))
}

fn clamped(knot: usize, step: usize, knots: usize) -> usize {
    (knot + step).saturating_sub(1).min(knots - 1)
}

fn blend(weights: [f32; 4], knot: impl Fn(usize) -> Point) -> Point {
    let (a, b, c, d) = (knot(0), knot(1), knot(2), knot(3));
    let [wa, wb, wc, wd] = weights;
    let axis = |n: usize| a.at[n] * wa + b.at[n] * wb + c.at[n] * wc + d.at[n] * wd;
    Point {
        at: [axis(0), axis(1), axis(2)],
        tone: a.tone * wa + b.tone * wb + c.tone * wc + d.tone * wd,
    }
}

#[expect(clippy::cast_precision_loss, reason = "sixteen bits")]
fn number_of(bits: u64) -> f64 {
    bits as f64
}

#[expect(clippy::cast_precision_loss, reason = "rows and columns are counted in thousands")]
fn number(n: usize) -> f64 {
    n as f64
}

#[expect(clippy::cast_possible_truncation, reason = "a mesh file holds f32")]
fn single(value: f64) -> f32 {
    value as f32
}
