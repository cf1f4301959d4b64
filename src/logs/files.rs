//! Log files: one per day, split when large, and removed when old.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::disk::{Disk, DiskError, Kind, WriteFile};
use crate::model::time::WallMs;

/// In bytes. A larger file is followed by another one for the same day.
pub const FILE_MAX: u64 = 100_000_000;
/// In bytes, for all log files together. The oldest are removed first.
pub const TOTAL_MAX: u64 = 500_000_000;

const START: &str = "casedrop-";
const END: &str = ".log";
/// How often to check that the file in use is still at its path.
const LOOK: Duration = Duration::from_secs(10);
/// At most this many unwritable files per day are skipped, such as those left by an administrator's
/// command.
const PASSED_OVER: u32 = 3;

/// The log files of one folder, one of them in use. Days are in UTC, like the times in the lines.
pub(super) struct Files {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    limits: Limits,
    used: Option<Used>,
}

/// Retention limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// How long a file is kept after the end of its day.
    pub(super) keep: Duration,
    /// Bytes per file.
    pub(super) file: u64,
    /// Bytes of all files together.
    pub(super) total: u64,
}

struct Used {
    day: Date,
    path: PathBuf,
    len: u64,
    file: Box<dyn WriteFile>,
    looked: WallMs,
}

/// A log file in a folder. Sorts by age, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// In UTC.
    pub day: Date,
    /// Number within that day, from 0.
    pub part: u32,
    pub path: PathBuf,
    /// In bytes.
    pub len: u64,
}

impl Files {
    /// Manages the files in that folder, kept for that long. Touches nothing yet.
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, keep: Duration) -> Self {
        Self::with_limits(disk, dir, Limits { keep, file: FILE_MAX, total: TOTAL_MAX })
    }

    pub(super) fn with_limits(disk: Arc<dyn Disk>, dir: PathBuf, limits: Limits) -> Self {
        Self { disk, dir, limits, used: None }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Appends one line to the file of the day. Creates a missing folder as private; the
    /// permissions of an existing one stay as they are.
    ///
    /// # Errors
    /// The line was not written, or not completely. The next call starts over with a freshly opened
    /// file.
    pub(super) fn write(&mut self, line: &[u8], now: WallMs) -> Result<(), DiskError> {
        let mut used = match self.used.take().filter(|used| self.is_fit(used, line, now)) {
            Some(used) => used,
            None => self.open(line, now)?,
        };
        if now < used.looked || now >= used.looked.plus(LOOK) {
            // What others write to it counts too, such as the update keeper.
            used.len = used.len.max(self.disk.stamp(&used.path)?.len);
            used.looked = now;
        }
        let written = used.file.write_all(line).and_then(|()| used.file.flush());
        written.map_err(|source| DiskError {
            operation: "write",
            path: used.path.clone(),
            source,
        })?;
        used.len = used.len.saturating_add(line.len() as u64);
        self.used = Some(used);
        Ok(())
    }

    /// Removes files that are too old or exceed the limits. What cannot be removed now is retried
    /// later.
    pub(super) fn tidy(&self, now: WallMs) {
        let Ok(mut all) = found(&*self.disk, &self.dir) else { return };
        let used = self.used.as_ref().map(|used| used.path.as_path());
        all.retain(|file| Some(file.path.as_path()) != used);
        // Leave room for the file in use to grow to its limit.
        let room = self.limits.total.saturating_sub(self.limits.file);
        let mut total: u64 = all.iter().map(|file| file.len).sum();
        for file in all {
            let is_old = end_of(file.day).is_some_and(|end| end.plus(self.limits.keep) < now);
            if (is_old || total > room) && self.disk.remove_file(&file.path).is_ok() {
                total = total.saturating_sub(file.len);
            }
        }
    }

    /// Whether the line still fits the file in use.
    fn is_fit(&self, used: &Used, line: &[u8], now: WallMs) -> bool {
        if !self.has_room(used.len, line) || used.day != day_of(now) {
            return false;
        }
        // On Unix, writing to a deleted file succeeds but is pointless.
        let looked = now >= used.looked && now < used.looked.plus(LOOK);
        looked || matches!(self.disk.kind(&used.path), Ok(Some(Kind::File)))
    }

    fn has_room(&self, len: u64, line: &[u8]) -> bool {
        len == 0 || len.saturating_add(line.len() as u64) <= self.limits.file
    }

    /// Opens the file of the day: the last one if it has room, otherwise a new one. A file in use
    /// is never renamed: Windows refuses that, and programs that follow the log would lose it.
    fn open(&mut self, line: &[u8], now: WallMs) -> Result<Used, DiskError> {
        self.used = None;
        self.disk.create_private_dirs(&self.dir)?;
        self.tidy(now);
        let day = day_of(now);
        let last = found(&*self.disk, &self.dir)?.into_iter().rfind(|file| file.day == day);
        let (mut part, mut len) = match last {
            None => (0, 0),
            Some(last) if self.has_room(last.len, line) => (last.part, last.len),
            Some(last) => (last.part.saturating_add(1), 0),
        };
        let mut passed = 0;
        loop {
            let path = self.dir.join(name(day, part));
            match self.open_at(&path) {
                Ok(file) => return Ok(Used { day, path, len, file, looked: now }),
                Err(error)
                    if error.kind() == io::ErrorKind::PermissionDenied && passed < PASSED_OVER =>
                {
                    passed += 1;
                    (part, len) = (part.saturating_add(1), 0);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Only a file opened for appending can be written by two processes.
    fn open_at(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        if self.disk.kind(path)?.is_none() {
            match self.disk.create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        self.disk.append(path)
    }
}

/// Returns the log files in a folder, oldest first, ignoring everything else.
pub fn found(disk: &dyn Disk, dir: &Path) -> Result<Vec<Found>, DiskError> {
    let entries = disk.list(dir)?.into_iter().filter(|entry| entry.kind == Kind::File);
    let mut found: Vec<Found> = entries
        .filter_map(|entry| {
            let (day, part) = parse(entry.name.as_deref()?)?;
            // Windows directory listings report a stale size for a file in use.
            let len = disk.stamp(&entry.path).map_or(entry.len, |stamp| stamp.len);
            Some(Found { day, part, path: entry.path, len })
        })
        .collect();
    found.sort();
    Ok(found)
}

fn name(day: Date, part: u32) -> String {
    match part {
        0 => format!("{START}{day}{END}"),
        part => format!("{START}{day}.{part}{END}"),
    }
}

fn parse(text: &str) -> Option<(Date, u32)> {
    let middle = text.strip_prefix(START)?.strip_suffix(END)?;
    let (day, part) = match middle.split_once('.') {
        Some((day, part)) => (day, part.parse().ok()?),
        None => (middle, 0),
    };
    let day = day.parse().ok()?;
    (name(day, part) == text).then_some((day, part))
}

fn day_of(now: WallMs) -> Date {
    let at = Timestamp::from_millisecond(now.0).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned_datetime(TimeZone::UTC).date()
}

/// Returns the end of a day.
fn end_of(day: Date) -> Option<WallMs> {
    let next = day.tomorrow().ok()?.to_zoned_datetime(TimeZone::UTC).ok()?;
    Some(WallMs(next.timestamp().as_millisecond()))
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
