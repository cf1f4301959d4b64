//! The samples: two jaws as they were scanned, the same two prepared for crowns, pictures of them,
//! and a prescription. `samples/README.md` says where they come from.

use std::io::{self, Cursor, Read as _};
use std::sync::OnceLock;

use super::noise::jitter;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Jaw {
    /// The maxilla.
    Upper,
    /// The mandible.
    Lower,
}

/// A point on a jaw's surface.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    /// Position in millimetres: x to the patient's right, y to the front, z up, the bite near
    /// z = 0.
    pub(crate) at: [f32; 3],
    /// 0 on gum, 1 on tooth.
    pub(crate) tone: f32,
}

/// A jaw as rows of points: one row after another from the patient's left to the right, each from
/// the cheek's edge over the teeth to the tongue's.
pub(crate) type Net = Vec<Vec<Point>>;

/// Steps of a stored position per millimetre.
const STEPS: f32 = 400.0;

/// Returns a jaw.
pub(crate) fn jaw(jaw: Jaw, is_prepared: bool) -> &'static Net {
    static JAWS: OnceLock<[Net; 4]> = OnceLock::new();
    let all = JAWS.get_or_init(|| {
        ["upper", "lower", "upper-prepared", "lower-prepared"]
            .map(|name| read(name).expect("the samples are part of the program, and tested"))
    });
    &all[usize::from(jaw == Jaw::Lower) + 2 * usize::from(is_prepared)]
}

/// Reads a jaw: the number of rows and of columns (two bytes each), then seven planes with one byte
/// for each point: low and high byte of x, y and z, each as the difference from the point before
/// (from the row before for the first of a row), and the tone.
fn read(name: &str) -> io::Result<Net> {
    let mut zip = zip::ZipArchive::new(Cursor::new(include_bytes!("../../samples/jaws.zip")))?;
    let mut bytes = Vec::new();
    zip.by_name(name)?.read_to_end(&mut bytes)?;
    let short = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, planes) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
    let [rows, columns] =
        [[head[0], head[1]], [head[2], head[3]]].map(|two| usize::from(u16::from_le_bytes(two)));
    if columns < 2 || rows < 2 || planes.len() != rows * columns * 7 {
        return Err(short());
    }
    let planes: Vec<&[u8]> = planes.chunks(rows * columns).collect();
    let mut first = [0_i16; 3];
    let net = (0..rows).map(|row| {
        let mut last = first;
        let points: Vec<_> = (row * columns..(row + 1) * columns)
            .map(|index| {
                for (axis, value) in last.iter_mut().enumerate() {
                    let step = [planes[axis * 2][index], planes[axis * 2 + 1][index]];
                    *value = value.wrapping_add(i16::from_le_bytes(step));
                }
                if index == row * columns {
                    first = last;
                }
                let at = last.map(|value| f32::from(value) / STEPS);
                Point { at, tone: f32::from(planes[6][index]) / 255.0 }
            })
            .collect();
        points
    });
    Ok(net.collect())
}

/// The colour of gum or tooth, slightly uneven.
pub(crate) fn paint(tone: f32, index: usize) -> [u8; 3] {
    const GUM: [f32; 3] = [203.0, 112.0, 108.0];
    const TOOTH: [f32; 3] = [238.0, 226.0, 198.0];
    let uneven = narrow(jitter(0x7001, index as u64, 1)) * 4.0;
    std::array::from_fn(|band| byte(GUM[band] + (TOOTH[band] - GUM[band]) * tone + uneven))
}

/// What a picture shows.
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
    /// A close-up: a screen capture.
    Capture(u32),
}

/// Pictures narrower than this are the small ones.
const SMALL: u16 = 640;

/// The two sizes of a picture, the small one first.
macro_rules! picture {
    ($name:literal) => {
        [
            include_bytes!(concat!("../../samples/small/", $name, ".jpg")).as_slice(),
            include_bytes!(concat!("../../samples/", $name, ".jpg")).as_slice(),
        ]
    };
}

/// Returns a picture of 160×90 pixels if less than 640 are wanted across, else of 1280×720. The remark
/// becomes part of the file, so that pictures of two orders are not the same file.
pub(crate) fn picture(view: View, width: u16, remark: &str) -> Vec<u8> {
    let sizes = match view {
        View::Overview => picture!("overview"),
        View::Front => picture!("front"),
        View::Left => picture!("left"),
        View::Right => picture!("right"),
        View::Upper => picture!("upper"),
        View::Lower => picture!("lower"),
        View::Capture(number) if number % 2 == 1 => picture!("capture-1"),
        View::Capture(_) => picture!("capture-2"),
    };
    remarked(sizes[usize::from(width >= SMALL)], &format!("{remark}, {view:?}"))
}

/// Returns a jaw's colours spread flat: a texture of 512×512 pixels.
pub(crate) fn texture(jaw: Jaw, remark: &str) -> Vec<u8> {
    let jpeg: &[u8] = match jaw {
        Jaw::Upper => include_bytes!("../../samples/texture-upper.jpg"),
        Jaw::Lower => include_bytes!("../../samples/texture-lower.jpg"),
    };
    remarked(jpeg, remark)
}

/// A made-up logo. (The real one is the vendor's.)
pub(crate) fn logo() -> &'static [u8] {
    include_bytes!("../../samples/logo.png")
}

/// A prescription, the same for every order.
pub(crate) fn rx_pdf() -> &'static [u8] {
    include_bytes!("../../samples/rx.pdf")
}

/// Adds a comment (the marker COM) to a JPEG, right after its start.
fn remarked(jpeg: &[u8], remark: &str) -> Vec<u8> {
    let (start, rest) = jpeg.split_at(2);
    let length = u16::try_from(remark.len() + 2).unwrap_or(u16::MAX).to_be_bytes();
    [start, &[0xff, 0xfe], &length, remark.as_bytes(), rest].concat()
}

#[expect(clippy::cast_possible_truncation, reason = "a colour, not a measure")]
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
