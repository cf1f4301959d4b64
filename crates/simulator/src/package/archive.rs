//! Writes the archives: the iDE package, the thumbnails, the screen captures.
//!
//! Members are made while they are written; the largest thing held in memory is one picture.

use std::io::{self, Seek, Write};

use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, System, ZipWriter};

use super::content::{self, Body, JawMesh, Member};
use super::spec::{CaseSpec, MeshFormat};
use super::{rx_html, samples, xml};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageSummary {
    /// The archive's name at Align.
    pub archive_name: String,
    /// The files in it, in order, without directories.
    pub entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path in the archive.
    pub name: String,
    /// Unpacked size in bytes.
    pub size: u64,
    /// SHA-256 of its content in lowercase hexadecimal.
    pub sha256: String,
}

impl PackageSummary {
    /// Returns the unpacked size of all files together.
    pub fn total_size(&self) -> u64 {
        self.entries.iter().map(|entry| entry.size).sum()
    }
}

/// Writes the iDE package of a case.
pub fn write_ide_package(
    spec: &CaseSpec,
    out: &mut (impl Write + Seek),
) -> io::Result<PackageSummary> {
    let members = content::members(spec);
    let name = spec.archive_name();
    let top = name.strip_suffix(".zip").filter(|_| spec.top_folder);
    let mut archive = Archive::new(spec, out)?;
    if let Some(top) = top {
        archive.directory(top)?;
    }
    let prefix = top.map(|top| format!("{top}/")).unwrap_or_default();
    for member in &members {
        let path = format!("{prefix}{}", member.name);
        archive.member(&path, member, &members)?;
    }
    if spec.macosx {
        archive.bytes(&format!("{prefix}.DS_Store"), &[0, 0, 0, 1, b'B', b'u', b'd', b'1'])?;
        for member in members.iter().take(2) {
            archive.bytes(&format!("__MACOSX/{prefix}._{}", member.name), &APPLE_DOUBLE)?;
        }
    }
    archive.finish(name)
}

/// Writes the six pictures that restorative cases have in a separate archive.
pub fn write_thumbnails(
    spec: &CaseSpec,
    out: &mut (impl Write + Seek),
) -> io::Result<PackageSummary> {
    let name = format!("iTero_Thumbnails_{}.zip", spec.order_id);
    write_pictures(spec, &content::thumbnails(spec), name, out)
}

/// Writes `count` screen captures.
pub fn write_screen_captures(
    spec: &CaseSpec,
    count: u32,
    out: &mut (impl Write + Seek),
) -> io::Result<PackageSummary> {
    let name = format!("iTero_ScreenCaptures_{}.zip", spec.order_id);
    write_pictures(spec, &content::screen_captures(count), name, out)
}

fn write_pictures(
    spec: &CaseSpec,
    members: &[Member],
    name: String,
    out: &mut (impl Write + Seek),
) -> io::Result<PackageSummary> {
    let mut archive = Archive::new(spec, out)?;
    for member in members {
        archive.member(&member.name, member, members)?;
    }
    archive.finish(name)
}

/// The start of what macOS writes next to each file: `AppleDouble` version 2 without entries.
const APPLE_DOUBLE: [u8; 26] = [
    0, 5, 22, 7, 0, 2, 0, 0, b'M', b'a', b'c', b' ', b'O', b'S', b' ', b'X', 32, 32, 32, 32, 32,
    32, 32, 32, 0, 0,
];

struct Archive<'a, W: Write + Seek> {
    spec: &'a CaseSpec,
    zip: ZipWriter<&'a mut W>,
    options: SimpleFileOptions,
    entries: Vec<Entry>,
}

impl<'a, W: Write + Seek> Archive<'a, W> {
    fn new(spec: &'a CaseSpec, out: &'a mut W) -> io::Result<Self> {
        let at = spec.exported;
        let part = |value: i8| u8::try_from(value).unwrap_or_default();
        let time = DateTime::from_date_and_time(
            u16::try_from(at.year()).unwrap_or(1980),
            part(at.month()),
            part(at.day()),
            part(at.hour()),
            part(at.minute()),
            part(at.second()),
        )
        .map_err(|source| io::Error::other(format!("export time {at}: {source}")))?;
        let method =
            if spec.stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        // The same bytes on every operating system.
        let options = SimpleFileOptions::default()
            .system(System::Dos)
            .compression_method(method)
            .last_modified_time(time);
        Ok(Self { spec, zip: ZipWriter::new(out), options, entries: Vec::new() })
    }

    fn directory(&mut self, name: &str) -> io::Result<()> {
        Ok(self.zip.add_directory(name, self.options)?)
    }

    fn bytes(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.file(path, bytes.len() as u64, |out| out.write_all(bytes))
    }

    fn member(&mut self, path: &str, member: &Member, members: &[Member]) -> io::Result<()> {
        let spec = self.spec;
        let bytes = match &member.body {
            Body::Mesh(jaw) if spec.mesh_cut > 0 && is_first_mesh(member, members) => {
                let mut bytes = mesh_bytes(spec, jaw)?;
                bytes.truncate(bytes.len().saturating_sub(spec.mesh_cut as usize));
                bytes
            }
            Body::Mesh(jaw) => {
                return self.file(path, jaw.size(spec), |out| write_mesh(spec, jaw, out));
            }
            Body::Texture(jaw) => samples::texture(*jaw, &remark(spec)),
            Body::Picture(view) => samples::picture(*view, spec.pixels, &remark(spec)),
            Body::Xml(version) => xml::export(spec, *version, members)?,
            Body::RxHtml => rx_html::page(spec).into_bytes(),
            Body::RxPdf => samples::rx_pdf().to_vec(),
            Body::Logo => samples::logo().to_vec(),
            Body::Bytes(bytes) => bytes.clone(),
        };
        self.bytes(path, &bytes)
    }

    fn file(
        &mut self,
        path: &str,
        size: u64,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        // Deflate can make a file slightly larger than it was.
        let large = size.saturating_add(size / 1000 + 4096) > u64::from(u32::MAX);
        self.zip.start_file(path, self.options.large_file(large))?;
        let mut hashing = Hashing { out: &mut self.zip, hash: Sha256::new(), size: 0 };
        write(&mut hashing)?;
        let (digest, size) = (hashing.hash.finalize(), hashing.size);
        let nibble = |value: u8| char::from_digit(value.into(), 16).unwrap_or('0');
        let sha256 =
            digest.iter().flat_map(|byte| [nibble(byte >> 4), nibble(byte & 15)]).collect();
        self.entries.push(Entry { name: path.to_owned(), size, sha256 });
        Ok(())
    }

    fn finish(self, archive_name: String) -> io::Result<PackageSummary> {
        self.zip.finish()?.flush()?;
        Ok(PackageSummary { archive_name, entries: self.entries })
    }
}

fn write_mesh(spec: &CaseSpec, jaw: &JawMesh, out: &mut dyn Write) -> io::Result<()> {
    let mesh = jaw.build(spec.triangles);
    match spec.mesh {
        MeshFormat::Stl => mesh.write_stl(&format!("iTero export {}", spec.order_id), out),
        MeshFormat::Ply => mesh.write_ply(&jaw.paint, out),
    }
}

fn mesh_bytes(spec: &CaseSpec, jaw: &JawMesh) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    write_mesh(spec, jaw, &mut bytes)?;
    Ok(bytes)
}

fn is_first_mesh(member: &Member, members: &[Member]) -> bool {
    let first = members.iter().find(|one| matches!(one.body, Body::Mesh(_)));
    first.is_some_and(|first| std::ptr::eq(first, member))
}

fn remark(spec: &CaseSpec) -> String {
    format!("Casedrop sample for order {}, scan {}", spec.order_id, spec.revision)
}

/// Forwards bytes while hashing and counting them.
struct Hashing<'a, W: Write> {
    out: &'a mut W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Write for Hashing<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.out.write(bytes)?;
        self.hash.update(&bytes[..taken]);
        self.size += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
