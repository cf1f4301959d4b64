//! The end record, which locates the central directory.
//!
//! An archive is read from its end, and bytes may follow it (a gateway's line feed, padding). So
//! every signature near the end is tried, and one counts if a directory lies where it says. There
//! must be exactly one.

use std::ops::Range;

use super::bytes::{read_at, u16_at, u32_at, u64_at};
use super::fault;
use casedrop_disk::ReadFile;
use casedrop_model::fault::Fault;

pub(super) const SIGNATURE: [u8; 4] = *b"PK\x05\x06";
const LEN: usize = 22;
const SIGNATURE64: [u8; 4] = *b"PK\x06\x06";
const LEN64: usize = 56;
const LOCATOR: [u8; 4] = *b"PK\x06\x07";
const LOCATOR_LEN: usize = 20;
/// Other programs look for the end within the maximum length of a comment, and so do we.
const TAIL_MAX: u64 = LEN as u64 + 0xFFFF;
/// Each broken record costs a look; an honest archive has one, plus a few from archives inside it.
const CANDIDATES_MAX: usize = 64;

/// An end record that agrees with what precedes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct End {
    /// Offset of the record.
    pub(super) at: u64,
    /// Offset of the end of its comment.
    pub(super) after: u64,
    /// Location of the central directory.
    pub(super) directory: Range<u64>,
    /// The number of members claimed; without the 64-bit record, modulo 65,536.
    pub(super) members: u64,
    /// Whether the number comes from a 64-bit record.
    pub(super) is_64: bool,
    /// How far all offsets are off because something was prepended to the archive.
    pub(super) shift: u64,
}

/// Finds the end record that counts: the last one. Whether the others belong to archives inside
/// this one is for [`gaps`](super::gaps) to decide.
pub(super) fn find(file: &mut dyn ReadFile, len: u64) -> Result<End, Fault> {
    let start = len.saturating_sub(TAIL_MAX);
    let mut tail = vec![0; usize::try_from(len - start).unwrap_or(0)];
    read_at(file, start, &mut tail).map_err(|error| fault::from_io("its end", error))?;
    let mut first_fault = None;
    let places = tail.windows(SIGNATURE.len()).enumerate().rev();
    let places = places.filter(|(_, window)| *window == SIGNATURE).map(|(at, _)| start + at as u64);
    for at in places.take(CANDIDATES_MAX) {
        match read(file, len, at)? {
            // Some programs accept the last signature as the end, whatever follows it.
            Ok(_) if first_fault.is_some() => return Err(fault::ambiguous()),
            Ok(end) => return Ok(end),
            Err(fault) => first_fault = first_fault.or(Some(fault)),
        }
    }
    Err(first_fault.unwrap_or_else(|| fault::not_a_zip("its directory is missing")))
}

/// Reads the record at an offset. The outer fault is about the disk, the inner one about the
/// record.
pub(super) fn read(
    file: &mut dyn ReadFile,
    len: u64,
    at: u64,
) -> Result<Result<End, Fault>, Fault> {
    let broken = |error| fault::from_io("its end", error);
    if len.saturating_sub(at) < LEN as u64 {
        return Ok(Err(fault::not_a_zip("its last record is cut off")));
    }
    let mut record = [0; LEN];
    read_at(file, at, &mut record).map_err(broken)?;
    let after = at + LEN as u64 + u64::from(u16_at(&record, 20));
    if after > len {
        return Ok(Err(fault::not_a_zip("bytes are missing at its end")));
    }
    let disks = [u16_at(&record, 4), u16_at(&record, 6)];
    let mut members = u64::from(u16_at(&record, 10));
    let mut size = u64::from(u32_at(&record, 12));
    let mut offset = u64::from(u32_at(&record, 16));
    let mut directory_end = at;
    let mut shift64 = None;
    if let Some(place) = at.checked_sub(LOCATOR_LEN as u64)
        && let mut locator = [0; LOCATOR_LEN]
        && {
            read_at(file, place, &mut locator).map_err(broken)?;
            locator.starts_with(&LOCATOR)
        }
    {
        let claimed = u64_at(&locator, 8);
        let Some((record64_at, record64)) = record64(file, place, claimed)? else {
            return Ok(Err(fault::corrupt("its end", "the 64-bit end record is missing")));
        };
        let long = (u64_at(&record64, 32), u64_at(&record64, 40), u64_at(&record64, 48));
        let agrees = |short: u64, max: u64, long: u64| short == max || short == long;
        if !agrees(members, 0xFFFF, long.0)
            || !agrees(size, 0xFFFF_FFFF, long.1)
            || !agrees(offset, 0xFFFF_FFFF, long.2)
        {
            return Ok(Err(fault::corrupt("its end", "its two end records contradict each other")));
        }
        (members, size, offset) = long;
        directory_end = record64_at;
        shift64 = Some(record64_at - claimed);
    }
    let is_64 = shift64.is_some();
    if disks.iter().any(|disk| !matches!(disk, 0 | 0xFFFF))
        || (!is_64 && u64::from(u16_at(&record, 8)) != members)
    {
        return Ok(Err(fault::unsupported("its end", "it is one part of several")));
    }
    let found = directory_end.checked_sub(size).and_then(|start| {
        let shift = start.checked_sub(offset)?;
        Some((start, shift)).filter(|_| shift64.is_none_or(|shift64| shift64 == shift))
    });
    let Some((start, shift)) = found else {
        return Ok(Err(fault::corrupt("its end", "its directory cannot lie where it says")));
    };
    let mut signature = [0; 4];
    if size >= 4 {
        read_at(file, start, &mut signature).map_err(broken)?;
    }
    let is_there = if size == 0 { members == 0 } else { signature == super::directory::SIGNATURE };
    if !is_there {
        return Ok(Err(fault::corrupt("its end", "its directory is not where it says")));
    }
    Ok(Ok(End { at, after, directory: start..directory_end, members, is_64, shift }))
}

/// Returns the 64-bit record, which ends where its locator begins, and its offset. We look at its
/// usual length before the locator, then where the locator says.
fn record64(
    file: &mut dyn ReadFile,
    locator_at: u64,
    claimed: u64,
) -> Result<Option<(u64, [u8; LEN64])>, Fault> {
    for at in [locator_at.checked_sub(LEN64 as u64), Some(claimed)].into_iter().flatten() {
        if at < claimed || at.checked_add(LEN64 as u64).is_none_or(|end| end > locator_at) {
            continue;
        }
        let mut record = [0; LEN64];
        read_at(file, at, &mut record).map_err(|error| fault::from_io("its end", error))?;
        let ends = at.checked_add(12).and_then(|at| at.checked_add(u64_at(&record, 4)));
        if record.starts_with(&SIGNATURE64) && ends == Some(locator_at) {
            return Ok(Some((at, record)));
        }
    }
    Ok(None)
}
