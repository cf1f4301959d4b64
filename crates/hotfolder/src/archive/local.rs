//! Compares the local headers with the central directory, which wins where they differ.
//!
//! Readers that rely on the local headers alone must get the same files. What they skip or replace
//! (times, sizes said to follow the data) may differ; what they rely on may not.

use super::bytes::{read_at, u16_at, u32_at};
use super::directory::{DESCRIPTOR, Entry, UTF8};
use super::end::End;
use super::fault;
use casedrop_disk::ReadFile;
use casedrop_model::fault::Fault;

pub(super) const SIGNATURE: [u8; 4] = *b"PK\x03\x04";
pub(super) const LEN: usize = 30;
/// Encryption, and how the data is written.
const FLAGS_THAT_MATTER: u16 = 1 | 1 << 6 | 1 << 13;

/// Reads a member's local header and sets the offset of its data. Returns whether the header
/// differs from the central directory in something that does not matter.
pub(super) fn check(file: &mut dyn ReadFile, end: &End, entry: &mut Entry) -> Result<bool, Fault> {
    const PLACE: &str = "a member's header";
    let broken = |error| fault::from_io(PLACE, error);
    let outside = || fault::corrupt(PLACE, "the member does not lie within the archive");
    let limit = end.directory.start;
    if entry.header + LEN as u64 > limit {
        return Err(outside());
    }
    let mut fixed = [0; LEN];
    read_at(file, entry.header, &mut fixed).map_err(broken)?;
    if !fixed.starts_with(&SIGNATURE) {
        return Err(fault::corrupt(PLACE, "it is not where the directory says"));
    }
    let name_len = usize::from(u16_at(&fixed, 26));
    let data = entry.header + (LEN + name_len) as u64 + u64::from(u16_at(&fixed, 28));
    if data.checked_add(entry.packed).is_none_or(|end| end > limit) {
        return Err(outside());
    }
    entry.data = data;
    let mut name = vec![0; name_len];
    file.read_exact(&mut name).map_err(broken)?;
    let is_same_name = name == entry.raw_name;
    let with_slashes = |name: &[u8]| -> Vec<u8> {
        name.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
    };
    if !is_same_name && with_slashes(&name) != with_slashes(&entry.raw_name) {
        return Err(fault::corrupt(PLACE, "its name differs from the one in the directory"));
    }
    let flags = u16_at(&fixed, 6);
    if (flags ^ entry.flags) & FLAGS_THAT_MATTER != 0 || u16_at(&fixed, 8) != entry.method {
        return Err(fault::corrupt(PLACE, "it is packed otherwise than the directory says"));
    }
    let (crc, packed, size) = (u32_at(&fixed, 14), u32_at(&fixed, 18), u32_at(&fixed, 22));
    let is_later = (flags | entry.flags) & DESCRIPTOR != 0;
    let fits = |short: u32, long: u64| short == u32::MAX || u64::from(short) == long;
    let is_same_size = crc == entry.crc && fits(packed, entry.packed) && fits(size, entry.size);
    if !is_same_size && !is_later {
        return Err(fault::corrupt(PLACE, "sizes or checksum differ from those in the directory"));
    }
    // Sizes after the data are normal for streamed archives: nothing to report.
    let is_usual = is_same_size || (crc, packed, size) == (0, 0, 0);
    Ok(!is_same_name
        || !is_usual
        || (flags ^ entry.flags) & (DESCRIPTOR | UTF8) != 0
        || u32_at(&fixed, 10) != entry.time)
}
