//! The end of an archive, read before anything else: how many members it claims, so that a hostile
//! directory is refused before it is held in memory.

use std::io::{Read as _, SeekFrom};

use super::fault;
use crate::disk::ReadFile;
use crate::model::fault::Fault;

const END: [u8; 4] = *b"PK\x05\x06";
const END_LEN: usize = 22;
const END64: [u8; 4] = *b"PK\x06\x06";
const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
const LOCATOR64_LEN: usize = 20;
/// An end record is followed by a comment of at most 65,535 bytes.
const TAIL_MAX: u64 = END_LEN as u64 + 0xFFFF + LOCATOR64_LEN as u64;
/// What one entry of the central directory takes at most on average: fixed part, name, extra fields.
const ENTRY_MAX: u64 = 4096;

/// Checks that the archive ends like one, and that its directory stays within `max` members.
/// Returns the number of members that it claims.
pub(super) fn claimed_members(file: &mut dyn ReadFile, max: usize) -> Result<u64, Fault> {
    let broken = |error| fault::from_io("its end", error);
    let len = file.seek(SeekFrom::End(0)).map_err(broken)?;
    let start = len.saturating_sub(TAIL_MAX);
    file.seek(SeekFrom::Start(start)).map_err(broken)?;
    let mut tail = Vec::new();
    file.take(TAIL_MAX).read_to_end(&mut tail).map_err(broken)?;

    // The last signature counts, and its comment must end with the file: then there is only one way
    // to read the archive.
    let at = tail
        .windows(END.len())
        .rposition(|window| window == END)
        .ok_or_else(|| fault::not_a_zip("its directory is missing"))?;
    let end =
        tail.get(at..at + END_LEN).ok_or_else(|| fault::not_a_zip("its last record is cut off"))?;
    if at + END_LEN + usize::from(u16_at(end, 20)) != tail.len() {
        return Err(fault::not_a_zip("bytes are missing or follow after its end"));
    }
    let (mut members, mut size) = (u64::from(u16_at(end, 10)), u64::from(u32_at(end, 12)));
    if let Some(locator) = at.checked_sub(LOCATOR64_LEN).and_then(|from| tail.get(from..at))
        && locator.starts_with(&LOCATOR64)
    {
        let mut record = [0; 56];
        file.seek(SeekFrom::Start(u64_at(locator, 8))).map_err(broken)?;
        file.read_exact(&mut record).map_err(broken)?;
        if !record.starts_with(&END64) {
            return Err(fault::corrupt(
                "its end",
                "the 64-bit end record is not where it should be",
            ));
        }
        (members, size) = (u64_at(&record, 32), u64_at(&record, 40));
    }
    let allowed = u64::try_from(max).unwrap_or(u64::MAX);
    if members > allowed {
        return Err(fault::too_many(members, max));
    }
    if size > allowed.saturating_mul(ENTRY_MAX) {
        return Err(fault::bomb("its directory alone is bigger than all allowed members need"));
    }
    Ok(members)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
