//! Bytes of an archive outside its members and its directory.
//!
//! Members must not share bytes. Other bytes may lie between, before and after them, as installers
//! and gateways leave them, but not a second directory, which some programs would take for the real
//! one.

use std::ops::Range;

use super::bytes::{read_at, u16_at};
use super::directory::Entry;
use super::end::{self, End};
use super::{fault, local};
use casedrop_disk::ReadFile;
use casedrop_model::fault::Fault;

/// The sizes and checksum that follow the data of a member written as a stream.
const DESCRIPTOR_MAX: u64 = 24;
const CHUNK: usize = 64 * 1024;
/// Each signature costs a look. An archive with this many outside its members is built to waste
/// time.
const LOOKS_MAX: u32 = 10_000;

/// Bytes that belong to nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stray {
    pub(crate) before: u64,
    pub(crate) between: u64,
    pub(crate) after: u64,
    /// Apparent members among them: ones removed from the directory.
    pub(crate) members: u64,
}

/// Checks that no two members overlap and that there is no second directory.
pub(super) fn check(
    file: &mut dyn ReadFile,
    len: u64,
    end: &End,
    entries: &[Entry],
) -> Result<Stray, Fault> {
    let mut used: Vec<Range<u64>> =
        entries.iter().map(|entry| entry.header..entry.data + entry.packed).collect();
    used.sort_by_key(|range| (range.start, range.end));
    let mut stray = Stray::default();
    let mut looks = 0;
    let mut at = 0;
    let mut gaps = Vec::new();
    for range in used {
        if range.start < at {
            return Err(fault::overlap());
        }
        gaps.push(at..range.start);
        at = range.end;
    }
    gaps.push(at..end.directory.start);
    // Also search the names and comments in the directory and after it.
    let rest = end.directory.start..len;
    for (number, gap) in gaps.iter().enumerate() {
        let count = gap.end - gap.start;
        if number == 0 {
            stray.before = count;
        } else if count > DESCRIPTOR_MAX {
            stray.between += count;
        }
        stray.members += search(file, len, end, gap, &mut looks)?;
    }
    search(file, len, end, &rest, &mut looks)?;
    stray.after = len - end.after;
    Ok(stray)
}

/// Refuses a second valid end record, and counts apparent members.
fn search(
    file: &mut dyn ReadFile,
    len: u64,
    own: &End,
    range: &Range<u64>,
    looks: &mut u32,
) -> Result<u64, Fault> {
    let broken = |error| fault::from_io("its gaps", error);
    let overlap = end::SIGNATURE.len() - 1;
    let mut members = 0;
    let mut at = range.start;
    while at < range.end {
        let count = usize::try_from(range.end - at).map_or(CHUNK, |left| left.min(CHUNK));
        let mut chunk = vec![0; count];
        read_at(file, at, &mut chunk).map_err(broken)?;
        for (offset, window) in chunk.windows(end::SIGNATURE.len()).enumerate() {
            if window != end::SIGNATURE && window != local::SIGNATURE {
                continue;
            }
            *looks += 1;
            if *looks > LOOKS_MAX {
                return Err(fault::ambiguous());
            }
            let place = at + offset as u64;
            if window == end::SIGNATURE {
                if place != own.at && end::read(file, len, place)?.is_ok() {
                    return Err(fault::ambiguous());
                }
            } else if is_header(file, place, range.end)? {
                members += 1;
            }
        }
        if count <= overlap || at + count as u64 == range.end {
            break;
        }
        at += (count - overlap) as u64;
    }
    Ok(members)
}

fn is_header(file: &mut dyn ReadFile, at: u64, limit: u64) -> Result<bool, Fault> {
    if at + local::LEN as u64 > limit {
        return Ok(false);
    }
    let mut header = [0; local::LEN];
    read_at(file, at, &mut header).map_err(|error| fault::from_io("its gaps", error))?;
    let (method, name) = (u16_at(&header, 8), u64::from(u16_at(&header, 26)));
    Ok(method < 100 && name > 0 && at + local::LEN as u64 + name <= limit)
}
