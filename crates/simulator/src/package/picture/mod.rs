//! The pictures of an export: both jaws rendered from the directions in which iTero shows them.

mod png;
mod raster;
mod scene;

use std::io;

use jpeg_encoder::{ColorType, Encoder};

use super::arch::Arch;
use raster::Canvas;
pub(crate) use scene::paint;
use scene::{Camera, Patch};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum View {
    /// Both jaws from the front, slightly from the side: the overview.
    Overview,
    /// Both jaws from the front.
    Front,
    /// Both jaws from the patient's left.
    Left,
    /// Both jaws from the patient's right.
    Right,
    /// The upper jaw's biting surfaces.
    Upper,
    /// The lower jaw's biting surfaces.
    Lower,
    /// A close-up from a direction that the number picks: a screen capture.
    Capture(u32),
}

/// Width and height of a picture.
pub(crate) type Pixels = (u16, u16);

/// Both jaws of a case, ready to be drawn.
pub(crate) struct Studio {
    upper: Patch,
    lower: Patch,
}

impl Studio {
    /// Prepares jaws for pictures of about the given width.
    pub(crate) fn new(upper: &Arch, lower: &Arch, width: u16) -> Self {
        let rows = usize::from(width / 6).clamp(60, 420);
        let columns = rows / 3;
        Self { upper: Patch::new(upper, rows, columns), lower: Patch::new(lower, rows, columns) }
    }

    /// Draws one view and encodes it as a JPEG.
    pub(crate) fn jpeg(&self, view: View, pixels: Pixels) -> io::Result<Vec<u8>> {
        let both = [&self.upper, &self.lower];
        let (camera, patches): (_, &[&Patch]) = match view {
            View::Overview => (Camera::towards((0.42, 1.0, 0.22), 74.0), &both),
            View::Front => (Camera::towards((0.0, 1.0, 0.04), 74.0), &both),
            View::Left => (Camera::towards((-1.0, 0.16, 0.04), 74.0), &both),
            View::Right => (Camera::towards((1.0, 0.16, 0.04), 74.0), &both),
            View::Upper => (Camera::from_below(), &both[..1]),
            View::Lower => (Camera::from_above(), &both[1..]),
            View::Capture(number) => (Camera::capture(number), &both),
        };
        let mut canvas = Canvas::new(pixels.0, pixels.1, [92.0, 101.0, 112.0], [28.0, 31.0, 36.0]);
        for patch in patches {
            patch.draw(&camera, pixels, &mut canvas);
        }
        encode(&canvas.into_rgb(), pixels)
    }

    /// Returns the upper or lower jaw's colours spread flat: a texture.
    pub(crate) fn texture(&self, upper: bool, size: u16) -> io::Result<Vec<u8>> {
        let patch = if upper { &self.upper } else { &self.lower };
        encode(&patch.spread(usize::from(size)), (size, size))
    }
}

fn encode(rgb: &[u8], (width, height): Pixels) -> io::Result<Vec<u8>> {
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, 92)
        .encode(rgb, width, height, ColorType::Rgb)
        .map_err(io::Error::other)?;
    Ok(jpeg)
}

/// A made-up logo: a ring and a bar on white. (The real one is the vendor's.)
pub(crate) fn logo() -> Vec<u8> {
    let (width, height) = (120_u16, 40_u16);
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (dx, dy) = (f32::from(x) - 20.0, f32::from(y) - 20.0);
            let ring = (dx.hypot(dy) - 11.0).abs() < 3.5;
            let bar = (44..110).contains(&x) && (y / 4) % 3 == 1 && (8..32).contains(&y);
            rgb.extend_from_slice(if ring {
                &[0, 120, 174]
            } else if bar {
                &[90, 100, 112]
            } else {
                &[255, 255, 255]
            });
        }
    }
    png::encode(&rgb, width, height)
}
