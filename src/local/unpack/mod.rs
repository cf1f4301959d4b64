//! Unpacks a spooled archive below one directory, trusting nothing that it says.
//!
//! Read seekably, so that archives with data descriptors work too. Local and central headers must
//! agree; every member's checksum and both sizes are checked; names are made safe; bytes, members and
//! ratio are bounded, and so is memory.

mod fault;
pub(crate) mod names;
mod structure;
#[cfg(test)]
mod tests;

use std::io::{BufReader, Write as _};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipResult;

use self::names::{Named, Taken};
use super::StagedFile;
use super::files::{BUFFER, Hash, check, is_litter, read_some, writing};
use crate::config::Limits;
use crate::disk::{Disk, ReadFile};
use crate::model::cancel::Cancel;
use crate::model::discreet::file_name;
use crate::model::fault::{Fault, FaultClass};
use crate::model::path::{PathFault, RelPath};

/// Below this size no ratio is suspicious: tiny files of one repeated byte are common.
const RATIO_FLOOR: u64 = 1 << 20;

/// What an archive held.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unpacked {
    /// Its files, ordered by path.
    pub files: Vec<StagedFile>,
    /// Members that were left out on purpose, such as `__MACOSX/…`, or, of an extra, damaged ones.
    pub left_out: Vec<String>,
    /// How many of them were damaged.
    pub damaged: usize,
}

/// What an archive is to the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Archive {
    /// The order itself: every member must be good, and the names of our own stay free.
    Package,
    /// Something beside it: of what is damaged the good members are taken.
    Extra,
}

type Zip = ZipArchive<BufReader<Box<dyn ReadFile>>>;

/// Unpacks an order's archive into `dest`, which is made where it is missing. A single top folder is
/// stripped. Files are not synced yet; [`seal`](super::seal::seal) does that.
///
/// # Errors
/// Of class damaged for what another download may cure (`not-a-zip`, `zip-corrupt`,
/// `zip-crc`, `zip-empty`); permanent for what no honest archive holds (`zip-traversal`,
/// `zip-absolute`, `zip-name`, `zip-link`, `zip-encrypted`, `zip-duplicate`, `zip-bomb`,
/// `zip-too-many`, `zip-unsupported`). What was written until then stays for the caller to remove.
pub fn unpack(
    disk: &dyn Disk,
    archive: &Path,
    dest: &Path,
    limits: &Limits,
    cancel: &Cancel,
) -> Result<Unpacked, Fault> {
    unpack_beside(disk, archive, dest, limits, cancel, &mut Taken::default(), Archive::Package)
}

/// As [`unpack`], into a directory that may hold files already, whose names are `taken`.
pub(super) fn unpack_beside(
    disk: &dyn Disk,
    archive: &Path,
    dest: &Path,
    limits: &Limits,
    cancel: &Cancel,
    taken: &mut Taken,
    what: Archive,
) -> Result<Unpacked, Fault> {
    let mut file = disk.open(archive)?;
    let claimed = structure::claimed_members(&mut *file, limits.members)?;
    if claimed == 0 {
        return Err(fault::empty());
    }
    let mut archive = ZipArchive::new(BufReader::with_capacity(BUFFER, file))
        .map_err(|error| fault::from_zip("its directory", error))?;
    if archive.has_duplicate_names() {
        return Err(fault::duplicate("the same"));
    }
    if archive.len() as u64 != claimed {
        return Err(fault::corrupt("its directory", "the number of members differs"));
    }
    let (members, mut left_out) = survey(&archive, limits)?;
    archive.validate_header_consistency().map_err(|error| fault::from_zip("its headers", error))?;
    if members.is_empty() {
        return Err(fault::empty());
    }
    let ours = what == Archive::Package;
    let named =
        names::assign(&members, true, ours, taken).map_err(|error| fault::unsafe_name(&error))?;
    disk.create_dirs(dest)?;
    let mut files = Vec::with_capacity(named.len());
    let mut budget = limits.unpacked_bytes;
    let mut buffer = vec![0; BUFFER];
    let mut damage = Vec::new();
    for member in named {
        match write_member(disk, &mut archive, &member, dest, budget, &mut buffer, cancel) {
            Ok(file) => {
                budget = budget.saturating_sub(file.size);
                files.push(file);
            }
            Err(fault) if what == Archive::Extra && fault.class == FaultClass::Damaged => {
                let path = member.path.under(dest);
                if disk.kind(&path)?.is_some() {
                    disk.remove_file(&path)?;
                }
                let name = members.iter().find(|(index, _)| *index == member.index);
                left_out.extend(name.map(|(_, name)| name.clone()));
                damage.push(fault);
            }
            Err(fault) => return Err(fault),
        }
    }
    let damaged = damage.len();
    if files.is_empty()
        && let Some(fault) = damage.pop()
    {
        return Err(fault);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    left_out.sort();
    Ok(Unpacked { files, left_out, damaged })
}

/// Looks at every member's description before anything is written.
#[expect(clippy::type_complexity, reason = "the files by index and name, and the names left out")]
fn survey(archive: &Zip, limits: &Limits) -> Result<(Vec<(usize, String)>, Vec<String>), Fault> {
    let mut members = Vec::new();
    let mut left_out = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    let mut total = 0_u64;
    for index in 0..archive.len() {
        let entry = archive
            .by_index_data(index)
            .map_err(|error| fault::from_zip("its directory", error))?;
        let name = text(entry.name())?;
        let shown = file_name(&name);
        // A directory's name is not used, but one that climbs out says what the archive is.
        match RelPath::make_safe(&name) {
            Err(PathFault::Empty) if entry.is_dir() => continue,
            made => drop(made.map_err(|error| fault::unsafe_name(&error))?),
        }
        if entry
            .unix_mode()
            .is_some_and(|mode| !matches!(mode & 0o170_000, 0 | 0o100_000 | 0o040_000))
        {
            return Err(fault::link(&shown));
        }
        if entry.encrypted() {
            return Err(fault::encrypted(&shown));
        }
        if !seen.insert(name.clone()) {
            return Err(fault::duplicate(&shown));
        }
        total = total.saturating_add(entry.size());
        if total > limits.unpacked_bytes {
            return Err(fault::bomb(&format!("more than {} bytes", limits.unpacked_bytes)));
        }
        if entry.size() > RATIO_FLOOR
            && entry.size() / entry.compressed_size().max(1) > limits.ratio
        {
            return Err(fault::bomb(&format!("{shown} grows more than {} times", limits.ratio)));
        }
        if is_left_out(&name) || (entry.is_dir() && entry.size() > 0) {
            left_out.push(name);
        } else if !entry.is_dir() {
            members.push((index, name));
        }
    }
    left_out.sort();
    Ok((members, left_out))
}

fn text(name: ZipResult<std::borrow::Cow<'_, str>>) -> Result<String, Fault> {
    name.map(std::borrow::Cow::into_owned)
        .map_err(|error| fault::from_zip("a member's name", error))
}

fn is_left_out(name: &str) -> bool {
    let mut parts = name.split(['/', '\\']).filter(|part| !part.is_empty());
    parts.clone().any(|part| part.eq_ignore_ascii_case("__MACOSX"))
        || parts.next_back().is_some_and(is_litter)
}

fn write_member(
    disk: &dyn Disk,
    archive: &mut Zip,
    member: &Named,
    dest: &Path,
    budget: u64,
    buffer: &mut [u8],
    cancel: &Cancel,
) -> Result<StagedFile, Fault> {
    let place = file_name(member.path.as_str());
    let mut reader =
        archive.by_index(member.index).map_err(|error| fault::from_zip(&place, error))?;
    let expected = reader.size();
    let path = member.path.under(dest);
    if let Some(dir) = path.parent().filter(|dir| *dir != dest) {
        disk.create_dirs(dir)?;
    }
    let mut writer = disk.create(&path)?;
    let mut hash = Hash::default();
    let mut size = 0_u64;
    loop {
        check(cancel)?;
        // The reader checks the checksum when it reports the end, so it is read to the end.
        let count =
            read_some(&mut reader, buffer).map_err(|error| fault::from_io(&place, error))?;
        if count == 0 {
            break;
        }
        size += count as u64;
        if size > budget {
            return Err(fault::bomb("its files are bigger than they claim"));
        }
        writer.write_all(&buffer[..count]).map_err(writing(&path))?;
        hash.update(&buffer[..count]);
    }
    writer.flush().map_err(writing(&path))?;
    if size != expected {
        let why = format!("{size} bytes instead of {expected}");
        return Err(fault::corrupt(&place, why));
    }
    Ok(StagedFile {
        path: member.path.clone(),
        size,
        sha256: hash.finish(),
        original_name: member.original.clone(),
    })
}

/// Whether a file starts like a zip archive.
pub(super) fn looks_like_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// The first bytes of a file, at most as many as `head` holds.
pub(super) fn read_head(file: &mut dyn ReadFile, head: &mut [u8]) -> std::io::Result<usize> {
    let mut count = 0;
    while count < head.len() {
        match file.read(&mut head[count..]) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
