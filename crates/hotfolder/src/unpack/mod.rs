//! Unpacks a spooled archive below one directory, trusting nothing it says.
//!
//! `archive` verifies what the archive contains. Here its members get names that work on every
//! system, and their number and size are bounded before anything is written. A member that cannot
//! be read is left out, unless the order is useless without it.

pub(crate) mod names;
mod survey;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use self::names::{Named, Taken};
use self::survey::{Survey, survey};
use super::StagedFile;
use super::archive::{Archive, fault};
use super::files::{BUFFER, Hash, check, writing};
use super::mesh::{Facts, Probe};
use super::room::Room;
use casedrop_disk::{Disk, DiskError, ReadFile};
use casedrop_model::cancel::Cancel;
use casedrop_model::discreet::file_name;
use casedrop_model::export::{CodePage, Limits};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::finding_code::FindingCode;
use casedrop_model::manifest::{Finding, Severity};
use casedrop_model::path::RelPath;

/// The content of an archive.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unpacked {
    /// Sorted by path.
    pub files: Vec<StagedFile>,
    /// Facts about its meshes, found while they were written.
    pub meshes: BTreeMap<RelPath, Facts>,
    /// Members that were left out: on purpose, such as `__MACOSX/…`, or because they cannot be
    /// read.
    pub left_out: Vec<String>,
    /// Findings that users may want to know about.
    pub findings: Vec<Finding>,
    /// Number of members left out because they were damaged.
    pub damaged: usize,
}

/// What an archive is to the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The order itself: it is useless without some of its members, and our own names stay free.
    Package,
    /// An addition, any member of which may be left out.
    Extra,
}

impl What {
    fn needs(self, path: &RelPath) -> bool {
        self == Self::Package && super::describe::is_needed(path)
    }
}

/// How to read an archive.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    pub limits: &'a Limits,
    /// The code page of names that are not UTF-8.
    pub code_page: CodePage,
    /// Whether a damaged member is left out if the order can do without it. If not, the archive
    /// counts as damaged: another download may cure it.
    pub leave_damaged: bool,
    /// Bytes of the volume that must stay free.
    pub keep_free: u64,
}

impl<'a> Reading<'a> {
    /// Uses these limits, guesses the code page, accepts no damage and reserves no space.
    pub fn within(limits: &'a Limits) -> Self {
        Self { limits, code_page: CodePage::Auto, leave_damaged: false, keep_free: 0 }
    }
}

/// Unpacks an order's archive into `dest` like [`unpack_as`], within these limits.
pub fn unpack(
    disk: &dyn Disk,
    archive: &Path,
    dest: &Path,
    limits: &Limits,
    cancel: &Cancel,
) -> Result<Unpacked, Fault> {
    unpack_as(disk, archive, dest, Reading::within(limits), cancel)
}

/// Unpacks an order's archive into `dest`, which is created if missing. A single top folder is
/// stripped. A member that cannot be read is left out, unless it is a scan, an XML file or the
/// prescription. Files are not synced yet;
/// [`write_manifest`](super::write_manifest::write_manifest) does that.
///
/// # Errors
/// Of class damaged for what another download may cure (`not-a-zip`, `zip-corrupt`, `zip-crc`,
/// `zip-empty`); permanent for what no honest archive contains (`zip-traversal`, `zip-absolute`,
/// `zip-link`, `zip-duplicate`, `zip-overlap`, `zip-ambiguous`, `zip-bomb`, `zip-too-many`) and for
/// needed files that cannot be read (`zip-encrypted`, `zip-unsupported`); `disk-full`, local,
/// before anything is written if it would take space that must stay free. The caller removes what
/// was written before the fault.
pub fn unpack_as(
    disk: &dyn Disk,
    archive: &Path,
    dest: &Path,
    reading: Reading<'_>,
    cancel: &Cancel,
) -> Result<Unpacked, Fault> {
    unpack_beside(disk, archive, dest, reading, cancel, &mut Taken::default(), What::Package)
}

/// Like [`unpack_as`], into a directory that may already hold files, whose names are `taken`.
pub(super) fn unpack_beside(
    disk: &dyn Disk,
    archive: &Path,
    dest: &Path,
    reading: Reading<'_>,
    cancel: &Cancel,
    taken: &mut Taken,
    what: What,
) -> Result<Unpacked, Fault> {
    let mut archive = Archive::open(disk.open(archive)?, reading.limits.members)?;
    if archive.entries.is_empty() {
        return Err(fault::empty());
    }
    let mut buffer = vec![0; BUFFER];
    let Survey { members, twins, mut left_out, mut findings, mut unread } =
        survey(&mut archive, reading, what, &mut buffer)?;
    if members.is_empty() {
        return Err(unread.take().unwrap_or_else(fault::empty));
    }
    let ours = what == What::Package;
    let named =
        names::assign(&members, true, ours, taken).map_err(|error| fault::unsafe_name(&error))?;
    let sizes = named.iter().filter_map(|member| archive.entries.get(member.index));
    let room = Room::for_files(disk, dest, reading.keep_free, sizes.map(|entry| entry.size))?;
    disk.create_dirs(dest)?;
    let meshes = BTreeMap::new();
    let mut work = Work { disk, archive, dest, buffer, cancel, meshes, room };
    let mut files = Vec::with_capacity(named.len());
    let mut damaged = 0;
    let mut names: BTreeMap<_, _> = members.into_iter().collect();
    for member in named {
        let name = names.remove(&member.index);
        let (text, raw_name) = name.map(|name| (name.text, name.raw)).unwrap_or_default();
        match work.write(&member, raw_name) {
            Ok(file) => {
                for twin in twins.iter().filter(|twin| twin.of == member.index) {
                    if work.hash(twin.index, &file_name(&text))? != file.sha256 {
                        return Err(fault::duplicate(&file_name(&text)));
                    }
                    let words = "the archive contains this file twice, with the same content";
                    let finding = Finding::new(FindingCode::MemberTwice, Severity::Note, words);
                    findings.push(finding.of(file.path.as_str()));
                }
                if member.is_shortened(&text) {
                    let words = "its name is too long for a file and was shortened";
                    let finding = Finding::new(FindingCode::NameShortened, Severity::Note, words);
                    findings.push(finding.of(file.path.as_str()));
                }
                files.push(file);
            }
            Err(fault) if !what.needs(&member.path) && is_given_up(&fault, reading) => {
                work.remove(&member)?;
                damaged += usize::from(fault.class == FaultClass::Damaged);
                findings.push(survey::unreadable(&fault, &text));
                left_out.push(text);
                unread = unread.or(Some(fault));
            }
            Err(fault) => return Err(fault),
        }
    }
    if files.is_empty() {
        return Err(unread.unwrap_or_else(fault::empty));
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    left_out.sort();
    Ok(Unpacked { files, meshes: work.meshes, left_out, findings, damaged })
}

/// Whether a member that cannot be read may be left out.
fn is_given_up(fault: &Fault, reading: Reading<'_>) -> bool {
    match fault.class {
        FaultClass::Permanent => fault.code == fault::UNSUPPORTED,
        FaultClass::Damaged => reading.leave_damaged,
        _ => false,
    }
}

struct Work<'a> {
    disk: &'a dyn Disk,
    archive: Archive,
    dest: &'a Path,
    buffer: Vec<u8>,
    cancel: &'a Cancel,
    meshes: BTreeMap<RelPath, Facts>,
    room: Room<'a>,
}

impl Work<'_> {
    fn write(&mut self, member: &Named, raw_name: Option<String>) -> Result<StagedFile, Fault> {
        let (disk, cancel, room) = (self.disk, self.cancel, &mut self.room);
        let place = file_name(member.path.as_str());
        let path = member.path.under(self.dest);
        // Members may be named after patients, and faults are logged.
        let shown = self.dest.join(&place);
        if let Some(dir) = path.parent().filter(|dir| *dir != self.dest) {
            disk.create_dirs(dir).map_err(called(&shown))?;
        }
        let mut writer = disk.create(&path).map_err(called(&shown))?;
        let mut hash = Hash::default();
        let mut size = 0_u64;
        let claimed = self.archive.entries.get(member.index).map_or(0, |entry| entry.size);
        let mut probe = Probe::new(&member.path.extension(), claimed);
        self.archive.extract(member.index, &place, &mut self.buffer, &mut |bytes| {
            check(cancel)?;
            if let Some(probe) = &mut probe {
                probe.feed(bytes);
            }
            room.take(bytes.len() as u64)?;
            writer.write_all(bytes).map_err(writing(&shown))?;
            hash.update(bytes);
            size += bytes.len() as u64;
            Ok(())
        })?;
        check(cancel)?;
        writer.flush().map_err(writing(&shown))?;
        if let Some(probe) = probe {
            self.meshes.insert(member.path.clone(), probe.finish());
        }
        Ok(StagedFile {
            path: member.path.clone(),
            size,
            sha256: hash.finish(),
            original_name: member.original.clone(),
            raw_name,
        })
    }

    fn hash(&mut self, index: usize, place: &str) -> Result<String, Fault> {
        let cancel = self.cancel;
        let mut hash = Hash::default();
        self.archive.extract(index, place, &mut self.buffer, &mut |bytes| {
            check(cancel)?;
            hash.update(bytes);
            Ok(())
        })?;
        Ok(hash.finish())
    }

    /// Removes what was written of a member.
    fn remove(&self, member: &Named) -> Result<(), Fault> {
        let shown = self.dest.join(file_name(member.path.as_str()));
        let path = member.path.under(self.dest);
        if self.disk.kind(&path).map_err(called(&shown))?.is_some() {
            self.disk.remove_file(&path).map_err(called(&shown))?;
        }
        Ok(())
    }
}

/// Replaces an error's path with one that shows no one's name.
fn called(shown: &Path) -> impl FnOnce(DiskError) -> DiskError {
    let path: PathBuf = shown.to_owned();
    move |error| DiskError { path, ..error }
}

/// Whether a file starts like a zip archive.
pub(super) fn looks_like_zip(head: &[u8]) -> bool {
    head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06")
}

/// Reads the first bytes of a file, at most as many as fit into `head`.
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
