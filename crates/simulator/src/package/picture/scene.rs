//! The scene: a jaw as a grid of points, and the camera.

use super::super::arch::{Arch, noise};
use super::Pixels;
use super::raster::{Canvas, Corner};

type Vector = [f32; 3];

/// A parallel projection.
pub(super) struct Camera {
    right: Vector,
    up: Vector,
    back: Vector,
    /// Millimetres across one and a half times the picture's height.
    extent: f32,
    middle: Vector,
}

impl Camera {
    /// Looks at the middle of the jaws from a direction; z is up.
    pub(super) fn towards(from: (f32, f32, f32), extent: f32) -> Self {
        let back = unit([from.0, from.1, from.2]);
        let right = unit(cross([0.0, 0.0, 1.0], back));
        Self { right, up: cross(back, right), back, extent, middle: [0.0, -4.0, -0.5] }
    }

    /// Looks up at the upper jaw, front teeth at the top as dentists draw it.
    pub(super) fn from_below() -> Self {
        let (right, up) = ([-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]);
        Self { right, up, back: [0.0, 0.0, -1.0], extent: 116.0, middle: [0.0, -3.0, 0.0] }
    }

    /// Looks down on the lower jaw, front teeth at the bottom.
    pub(super) fn from_above() -> Self {
        let (right, up) = ([-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]);
        Self { right, up, back: [0.0, 0.0, 1.0], extent: 116.0, middle: [0.0, -3.0, 0.0] }
    }

    /// One of many close-ups.
    pub(super) fn capture(number: u32) -> Self {
        let odd = |what| narrow(noise::jitter(0xca97, u64::from(number), what));
        let mut camera =
            Self::towards((odd(1), 0.8 + 0.3 * odd(2), 0.35 * odd(3)), 46.0 + 12.0 * odd(4));
        camera.middle = [14.0 * odd(1), 6.0, 2.0 * odd(5)];
        camera
    }

    fn place(&self, at: Vector, (width, height): Pixels) -> (f32, f32, f32) {
        let (width, height) = (f32::from(width), f32::from(height));
        // Fits a 3:2 frame, so that neither tall nor wide pictures crop the jaws.
        let scale = (width / self.extent).min(height * 1.5 / self.extent);
        let from = [at[0] - self.middle[0], at[1] - self.middle[1], at[2] - self.middle[2]];
        (
            width / 2.0 + dot(from, self.right) * scale,
            height / 2.0 - dot(from, self.up) * scale,
            dot(from, self.back),
        )
    }
}

/// A jaw as a grid of points with normals and colours.
pub(super) struct Patch {
    rows: usize,
    columns: usize,
    places: Vec<Vector>,
    normals: Vec<Vector>,
    tones: Vec<f32>,
}

impl Patch {
    pub(super) fn new(arch: &Arch, rows: usize, columns: usize) -> Self {
        let (mut places, mut tones) = (Vec::new(), Vec::new());
        for row in 0..rows {
            let share = number(row) / number(rows - 1);
            for point in arch.row(f64::from(share), columns) {
                places.push(point.at);
                tones.push(point.tone);
            }
        }
        let upper = arch.jaw() == super::super::arch::Jaw::Upper;
        let mut normals = Vec::with_capacity(places.len());
        for row in 0..rows {
            for column in 0..columns {
                let at = |row: usize, column: usize| places[row * columns + column];
                let along =
                    minus(at((row + 1).min(rows - 1), column), at(row.saturating_sub(1), column));
                let across = minus(
                    at(row, (column + 1).min(columns - 1)),
                    at(row, column.saturating_sub(1)),
                );
                let normal = if upper { cross(along, across) } else { cross(across, along) };
                normals.push(unit(normal));
            }
        }
        Self { rows, columns, places, normals, tones }
    }

    pub(super) fn draw(&self, camera: &Camera, pixels: Pixels, canvas: &mut Canvas) {
        let corners: Vec<_> = (0..self.places.len())
            .map(|index| {
                let (x, y, near) = camera.place(self.places[index], pixels);
                let color = self.lit(index, camera);
                Corner { x, y, near, color }
            })
            .collect();
        for row in 0..self.rows - 1 {
            for column in 0..self.columns - 1 {
                let at = row * self.columns + column;
                let below = at + self.columns;
                canvas.triangle([corners[at], corners[at + 1], corners[below]]);
                canvas.triangle([corners[at + 1], corners[below + 1], corners[below]]);
            }
        }
    }

    /// Returns the unlit colours as a square picture: downwards along the arch, across it to the
    /// right.
    pub(super) fn spread(&self, size: usize) -> Vec<u8> {
        let mut rgb = Vec::with_capacity(size * size * 3);
        for y in 0..size {
            for x in 0..size {
                let (row, column) = (y * self.rows / size, x * self.columns / size);
                let index = row * self.columns + column;
                rgb.extend_from_slice(&paint(self.tones[index], index));
            }
        }
        rgb
    }

    fn lit(&self, index: usize, camera: &Camera) -> Vector {
        let normal = self.normals[index];
        let facing = dot(normal, camera.back);
        // The inside of the shell, seen from behind.
        let (normal, dim) =
            if facing < 0.0 { (normal.map(|part| -part), 0.55) } else { (normal, 1.0) };
        let lamp = unit([
            camera.back[0] + 0.35 * camera.up[0] - 0.25 * camera.right[0],
            camera.back[1] + 0.35 * camera.up[1] - 0.25 * camera.right[1],
            camera.back[2] + 0.35 * camera.up[2] - 0.25 * camera.right[2],
        ]);
        let half =
            unit([lamp[0] + camera.back[0], lamp[1] + camera.back[1], lamp[2] + camera.back[2]]);
        let diffuse = dot(normal, lamp).max(0.0);
        let shine = dot(normal, half).max(0.0).powi(40) * (26.0 + 40.0 * self.tones[index]);
        let light = (0.16 + 0.84 * diffuse) * dim;
        paint(self.tones[index], index).map(|part| f32::from(part) * light + shine * dim)
    }
}

/// The colour of gum or tooth, slightly uneven.
pub(crate) fn paint(tone: f32, index: usize) -> [u8; 3] {
    const GUM: [f32; 3] = [203.0, 112.0, 108.0];
    const TOOTH: [f32; 3] = [238.0, 226.0, 198.0];
    let uneven = narrow(noise::jitter(0x7001, index as u64, 1)) * 4.0;
    std::array::from_fn(|band| byte(GUM[band] + (TOOTH[band] - GUM[band]) * tone + uneven))
}

fn dot(a: Vector, b: Vector) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

fn minus(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

fn unit(a: Vector) -> Vector {
    let length = dot(a, a).sqrt().max(1e-12);
    a.map(|part| part / length)
}

#[expect(clippy::cast_possible_truncation, reason = "a colour or a direction, not a measure")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte before the cast"
)]
fn byte(value: f32) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

#[expect(clippy::cast_precision_loss, reason = "a net has at most a few hundred rows")]
fn number(n: usize) -> f32 {
    n as f32
}
