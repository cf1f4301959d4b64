//! A small software rasterizer: triangles with a colour at each corner, nearest wins.

/// A corner of a triangle on the canvas.
#[derive(Debug, Clone, Copy)]
pub(super) struct Corner {
    pub(super) x: f32,
    pub(super) y: f32,
    /// Towards the viewer.
    pub(super) near: f32,
    pub(super) color: [f32; 3],
}

/// A picture being drawn.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
    near: Vec<f32>,
}

impl Canvas {
    /// A canvas with a vertical gradient as its background.
    pub(super) fn new(width: u16, height: u16, top: [f32; 3], bottom: [f32; 3]) -> Self {
        let (width, height) = (usize::from(width), usize::from(height));
        let mut rgb = Vec::with_capacity(width * height * 3);
        for row in 0..height {
            let share = float(row) / float(height);
            let color: [u8; 3] =
                std::array::from_fn(|band| byte(top[band] + (bottom[band] - top[band]) * share));
            rgb.extend_from_slice(&color.repeat(width));
        }
        Self { width, height, rgb, near: vec![f32::NEG_INFINITY; width * height] }
    }

    /// Returns the pixels, row by row, three bytes each.
    pub(super) fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// Draws a triangle, whichever side faces the viewer.
    pub(super) fn triangle(&mut self, corners: [Corner; 3]) {
        let [a, b, c] = corners;
        let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
        if area.abs() < 1e-6 {
            return;
        }
        let (left, right) = span(a.x, b.x, c.x, self.width);
        let (top, bottom) = span(a.y, b.y, c.y, self.height);
        // Each weight is linear in x and y: a start value and a step per pixel.
        let step_b = (c.y - a.y) / area;
        let step_c = (a.y - b.y) / area;
        for row in top..bottom {
            let from = (float(left) + 0.5 - a.x, float(row) + 0.5 - a.y);
            let mut share_b = (from.0 * (c.y - a.y) - from.1 * (c.x - a.x)) / area;
            let mut share_c = (from.1 * (b.x - a.x) - from.0 * (b.y - a.y)) / area;
            for at in row * self.width + left..row * self.width + right {
                if share_b >= 0.0 && share_c >= 0.0 && share_b + share_c <= 1.0 {
                    let near = a.near + (b.near - a.near) * share_b + (c.near - a.near) * share_c;
                    if near > self.near[at] {
                        self.near[at] = near;
                        for band in 0..3 {
                            let (a, b, c) = (a.color[band], b.color[band], c.color[band]);
                            self.rgb[at * 3 + band] =
                                byte(a + (b - a) * share_b + (c - a) * share_c);
                        }
                    }
                }
                share_b += step_b;
                share_c += step_c;
            }
        }
    }
}

/// The pixels that three coordinates can touch.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the canvas before the cast"
)]
fn span(a: f32, b: f32, c: f32, limit: usize) -> (usize, usize) {
    let limit = float(limit);
    let from = a.min(b).min(c).floor().clamp(0.0, limit);
    let to = (a.max(b).max(c).ceil() + 1.0).clamp(0.0, limit);
    (from as usize, to as usize)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte before the cast"
)]
fn byte(value: f32) -> u8 {
    value.clamp(0.0, 255.0) as u8
}

#[expect(clippy::cast_precision_loss, reason = "pixel coordinates are small")]
fn float(n: usize) -> f32 {
    n as f32
}
