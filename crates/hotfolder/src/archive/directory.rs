//! The central directory: the authority on what an archive contains.

use std::io::{BufReader, Read, SeekFrom};

use super::bytes::{u16_at, u32_at, u64_at};
use super::end::End;
use super::fault;
use casedrop_disk::ReadFile;
use casedrop_model::fault::Fault;

pub(super) const SIGNATURE: [u8; 4] = *b"PK\x01\x02";
const LEN: usize = 46;
/// The average directory bytes allowed per member, so that a hostile directory is refused before it
/// is held in memory, and an allowance on top for small archives.
const ENTRY_MAX: u64 = 1024;
const FLOOR: u64 = 1 << 20;
/// Extra fields: 64-bit sizes, and the name in UTF-8.
const EXTRA_64: u16 = 0x0001;
const EXTRA_UNICODE_NAME: u16 = 0x7075;
const ENCRYPTED: u16 = 1 | 1 << 6;
pub(super) const DESCRIPTOR: u16 = 1 << 3;
pub(super) const UTF8: u16 = 1 << 11;
/// `WinZip`'s AES uses its own method number.
const METHOD_AES: u16 = 99;

/// One member as the central directory describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The name's raw bytes.
    pub(crate) raw_name: Vec<u8>,
    /// The name from the Unicode extra field, if its checksum matches this name.
    pub(crate) unicode_name: Option<String>,
    /// Packed size in bytes.
    pub(crate) packed: u64,
    /// Unpacked size in bytes.
    pub(crate) size: u64,
    pub(crate) crc: u32,
    pub(crate) method: u16,
    pub(super) flags: u16,
    pub(super) time: u32,
    /// Offset of the local header in the file.
    pub(super) header: u64,
    /// Offset of the packed data in the file, once the local header has been read.
    pub(super) data: u64,
    attributes: u32,
}

impl Entry {
    pub(crate) fn is_encrypted(&self) -> bool {
        self.flags & ENCRYPTED != 0 || self.method == METHOD_AES
    }

    /// Whether the name is flagged as UTF-8.
    pub(crate) fn says_utf8(&self) -> bool {
        self.flags & UTF8 != 0
    }

    /// Whether this is a link, a device or the like. The mode counts whichever system the archive
    /// claims to come from: programs differ in when they honor it.
    pub(crate) fn is_special(&self) -> bool {
        matches!(self.attributes >> 16 & 0o170_000, 0o120_000 | 0o020_000 | 0o060_000 | 0o010_000)
    }
}

/// Reads the whole directory. Every entry must lie within it, and nothing else may.
pub(super) fn read(
    file: &mut dyn ReadFile,
    end: &End,
    members_max: u64,
) -> Result<Vec<Entry>, Fault> {
    if end.members > members_max {
        return Err(fault::too_many(end.members, members_max));
    }
    let size = end.directory.end - end.directory.start;
    if size > members_max.saturating_mul(ENTRY_MAX).saturating_add(FLOOR) {
        return Err(fault::bomb("its directory alone is bigger than all allowed members need"));
    }
    let broken = |error| fault::from_io("its directory", error);
    file.seek(SeekFrom::Start(end.directory.start)).map_err(broken)?;
    let mut reader = BufReader::new(file.take(size));
    let mut left = size;
    let mut entries = Vec::new();
    while left > 0 {
        if entries.len() as u64 >= members_max {
            return Err(fault::too_many(members_max + 1, members_max));
        }
        let mut fixed = [0; LEN];
        reader.read_exact(&mut fixed).map_err(broken)?;
        if !fixed.starts_with(&SIGNATURE) {
            return Err(fault::corrupt("its directory", "something else is in it"));
        }
        let lens = [28, 30, 32].map(|at| usize::from(u16_at(&fixed, at)));
        let mut rest = vec![0; lens.iter().sum()];
        reader.read_exact(&mut rest).map_err(broken)?;
        left = left.saturating_sub((LEN + rest.len()) as u64);
        let (name, rest) = rest.split_at(lens[0]);
        entries.push(entry(&fixed, name, &rest[..lens[1]], end)?);
    }
    let count = entries.len() as u64;
    if count != end.members && (end.is_64 || count % 0x1_0000 != end.members) {
        return Err(fault::corrupt("its directory", "the number of members differs"));
    }
    Ok(entries)
}

fn entry(fixed: &[u8], name: &[u8], extra: &[u8], end: &End) -> Result<Entry, Fault> {
    let mut long = field(extra, EXTRA_64).unwrap_or_default();
    // Only values that do not fit into 32 bits are stored here, in this order.
    let mut widened = |short: u32| {
        if short == u32::MAX && long.len() >= 8 {
            let value = u64_at(long, 0);
            long = &long[8..];
            value
        } else {
            u64::from(short)
        }
    };
    let size = widened(u32_at(fixed, 24));
    let packed = widened(u32_at(fixed, 20));
    let offset = widened(u32_at(fixed, 42));
    if !matches!(u16_at(fixed, 34), 0 | 0xFFFF) {
        return Err(fault::unsupported("its directory", "it is one part of several"));
    }
    let header = offset.checked_add(end.shift).filter(|at| *at < end.directory.start);
    let header =
        header.ok_or_else(|| fault::corrupt("its directory", "a file is outside the archive"))?;
    Ok(Entry {
        raw_name: name.to_owned(),
        unicode_name: unicode_name(extra, name),
        packed,
        size,
        crc: u32_at(fixed, 16),
        method: u16_at(fixed, 10),
        flags: u16_at(fixed, 8),
        time: u32_at(fixed, 12),
        header,
        data: 0,
        attributes: u32_at(fixed, 38),
    })
}

fn field(mut extra: &[u8], wanted: u16) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let (id, len) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let content = extra.get(4..4 + len)?;
        if id == wanted {
            return Some(content);
        }
        extra = &extra[4 + len..];
    }
    None
}

/// Reads the Unicode name field. It holds a checksum of the name it replaces: a program that
/// renames members without knowing the field leaves a stale one behind.
fn unicode_name(extra: &[u8], name: &[u8]) -> Option<String> {
    let content = field(extra, EXTRA_UNICODE_NAME)?;
    let (&version, rest) = content.split_first()?;
    let text = rest.get(4..)?;
    let mut crc = flate2::Crc::new();
    crc.update(name);
    (version == 1 && crc.sum() == u32_at(rest, 0) && !text.is_empty())
        .then(|| String::from_utf8(text.to_owned()).ok())
        .flatten()
}
