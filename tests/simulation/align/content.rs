//! The content of an order's downloads: small archives with the vendor's names, whose bytes depend
//! only on order and generation.

use std::collections::BTreeMap;
use std::io::{Cursor, Write as _};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseKind {
    /// The package contains the pictures.
    Ortho,
    /// The pictures come by a separate call.
    Restorative,
}

/// How a package is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Everything is in one folder.
    pub top_folder: bool,
    /// `__MACOSX/` and `.DS_Store` are included.
    pub litter: bool,
}

/// What is wrong with every download of one generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Broken {
    /// A byte of the content is wrong, so a checksum does not match.
    Corrupt,
    /// It tries to write outside its directory.
    Hostile,
}

/// One downloadable asset.
#[derive(Debug, Clone)]
pub struct Asset {
    pub bytes: Bytes,
    /// The files to publish from it, with the SHA-256 of each.
    pub files: BTreeMap<String, String>,
}

/// The iDE package.
pub fn package(
    order: &str,
    generation: u32,
    kind: CaseKind,
    shape: Shape,
    broken: Option<Broken>,
) -> Asset {
    let mut names = match kind {
        CaseKind::Ortho => vec![
            format!("itero_export_#{order}_v50.xml"),
            format!("{order}_shell_occlusion_u.stl"),
            format!("{order}_shell_occlusion_l.stl"),
            format!("gallery_#{order}.jpg"),
        ],
        CaseKind::Restorative => vec![
            format!("itero_export_#{order}_v24.xml"),
            format!("upper_jaw_without_ditch_#{order}.stl"),
            format!("lower_jaw_without_ditch_#{order}.stl"),
        ],
    };
    names.push(format!("iTero_Rx_{order}.pdf"));
    if kind == CaseKind::Restorative && generation.is_multiple_of(2) {
        names.push(format!("upper_jaw_with_ditch_#{order}.stl"));
    }
    let folder = if shape.top_folder { format!("iTero_Export_{order}/") } else { String::new() };
    let mut archive = Archive::new();
    let mut files = BTreeMap::new();
    for name in names {
        let text = text_of(order, generation, &name);
        files.insert(name.clone(), hash(text.as_bytes()));
        archive.add(&format!("{folder}{name}"), text.as_bytes());
    }
    if shape.litter {
        archive.add(&format!("__MACOSX/{folder}._{order}.stl"), b"litter");
        archive.add(&format!("{folder}.DS_Store"), b"litter");
    }
    if broken == Some(Broken::Hostile) {
        archive.add("../evil.txt", b"evil");
    }
    let mut bytes = archive.finish();
    if broken == Some(Broken::Corrupt) {
        corrupt(&mut bytes, 0);
    }
    Asset { bytes: bytes.into(), files }
}

/// The pictures of a restorative case.
pub fn thumbnails(order: &str, generation: u32) -> Asset {
    let mut archive = Archive::new();
    let mut files = BTreeMap::new();
    for name in [format!("gallery_#{order}.jpg"), format!("gallery_#{order}_penta_front_m.jpg")] {
        let text = text_of(order, generation, &name);
        archive.add(&name, text.as_bytes());
        files.insert(format!("thumbnails/{name}"), hash(text.as_bytes()));
    }
    Asset { bytes: archive.finish().into(), files }
}

/// Changes one byte of the first member's content.
pub fn corrupt(archive: &mut [u8], at: usize) {
    let number = |from: usize| usize::from(archive[from]) | usize::from(archive[from + 1]) << 8;
    let (packed, name, extra) = (number(18), number(26), number(28));
    archive[30 + name + extra + at % packed.max(1)] ^= 0x55;
}

/// Lower-case hexadecimal SHA-256.
pub fn hash(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

fn text_of(order: &str, generation: u32, name: &str) -> String {
    format!("{name} of order {order}, generation {generation}. ").repeat(2 + order.len() % 3)
}

struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Archive {
    fn new() -> Self {
        Self(ZipWriter::new(Cursor::new(Vec::new())))
    }

    fn add(&mut self, name: &str, bytes: &[u8]) {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        self.0.start_file(name, options).expect("a member");
        self.0.write_all(bytes).expect("written");
    }

    fn finish(self) -> Vec<u8> {
        self.0.finish().expect("a whole archive").into_inner()
    }
}
