//! The audit log: who did what on this PC, in the append-only file `audit.jsonl` in the state
//! folder.
//!
//! Each line is a [`Record`] with the hash of the previous line, so changing, removing or inserting
//! a line breaks the chain ([`Audit::verify`]). `audit.head` also names the last record, so a
//! truncated end is noticed. A record is durable before [`Audit::record`] returns; several
//! processes may record at the same time. The remains of a record that a power cut interrupted stay
//! in place, and the next record mentions them.
//!
//! The log must hold no secrets, no patient data and no return reasons: that is up to the caller.

mod line;
mod verify;

#[cfg(test)]
mod tests;

use std::io::{self, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::disk::{Disk, DiskError, Kind, LockGuard, read_limited, write_durably};
use crate::model::fault::Fault;

pub use line::{AuditEvent, Entry, Mark, Record, Torn};
pub use verify::{Problem, Verified};

pub const FILE_NAME: &str = "audit.jsonl";
/// The file next to it that names the last record.
pub const HEAD_NAME: &str = "audit.head";

const LOCK_NAME: &str = "audit.lock";
/// The `prev` of the first record.
const BEGINNING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The last record begins at most this many bytes before the end of the file: records are far
/// shorter.
const TAIL: u64 = 256 << 10;
const HEAD_MAX: u64 = 4096;

/// The audit log of one state folder.
#[derive(Clone)]
pub struct Audit {
    disk: Arc<dyn Disk>,
    state: PathBuf,
}

/// The content of `audit.head`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    seq: u64,
    hash: String,
}

/// What `audit.head` says about the last record.
#[derive(Debug, PartialEq, Eq)]
enum Noted {
    Is(Head),
    /// The file exists but cannot be parsed.
    Unreadable,
    /// There is no such file.
    Nothing,
}

/// The end of the file.
#[derive(Debug, Default)]
struct Tail {
    is_there: bool,
    /// The last complete record.
    last: Option<Head>,
    /// The torn record after it.
    torn: Option<Torn>,
    /// Whether the next record starts on a line of its own.
    is_fresh: bool,
}

impl Audit {
    /// Returns the audit log of that state folder, without touching anything yet.
    pub fn new(disk: Arc<dyn Disk>, state: impl Into<PathBuf>) -> Self {
        Self { disk, state: state.into() }
    }

    /// Appends a record, which is durable when this returns. Blocks, also while another process
    /// records.
    ///
    /// # Errors
    /// The state folder cannot be written to. The record may have been written all the same, but do
    /// not rely on it: what must not happen unrecorded must not happen now.
    pub fn record(&self, entry: &Entry) -> Result<(), Fault> {
        self.append(entry).map_err(|error| {
            let text = format!("cannot write the audit: {error}");
            let mut fault = Fault::from(error);
            fault.message = text;
            fault
        })
    }

    fn append(&self, entry: &Entry) -> Result<(), DiskError> {
        self.disk.create_private_dirs(&self.state)?;
        let _lock = self.disk.lock(&self.state.join(LOCK_NAME))?;
        let tail = self.tail()?;
        let head = match self.noted()? {
            Noted::Is(head) => Some(head),
            Noted::Unreadable | Noted::Nothing => None,
        };
        let head_lost = head.is_none() && tail.last.as_ref().is_some_and(|last| last.seq > 1);
        // If the head names records that are missing, the gap in the numbers shows it permanently.
        let before = match (tail.last, head) {
            (Some(last), Some(head)) if head.seq < last.seq => Some(last),
            (_, Some(head)) => Some(head),
            (last, None) => last,
        };
        let (seq, prev) = match &before {
            Some(before) => (before.seq + 1, before.hash.as_str()),
            None => (1, BEGINNING),
        };
        let (text, hash) = line::seal(entry, seq, prev, tail.torn, head_lost);
        let mut bytes = Vec::with_capacity(text.len() + 2);
        if !tail.is_fresh {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(b'\n');
        let path = self.path();
        let fail = |source| DiskError { operation: "write", path: path.clone(), source };
        let mut file =
            if tail.is_there { self.disk.append(&path)? } else { self.disk.create(&path)? };
        file.write_all(&bytes)
            .and_then(|()| file.flush())
            .and_then(|()| file.sync())
            .map_err(fail)?;
        drop(file);
        if !tail.is_there {
            self.disk.sync_dir(&self.state)?;
        }
        let head = serde_json::to_vec(&Head { seq, hash }).unwrap_or_default();
        if let Err(error) = write_durably(&*self.disk, &self.state.join(HEAD_NAME), &head) {
            // The record is safe. Only a truncation before the next record would go unnoticed.
            tracing::warn!("the end of the audit is not noted: {error}");
        }
        Ok(())
    }

    /// Returns the records from that number on, oldest first. Skips lines that are not a complete
    /// record: [`verify`](Self::verify) reports them.
    pub fn read(&self, from: u64) -> Result<Vec<Record>, Fault> {
        let _lock = self.lock_present()?;
        let mut records = Vec::new();
        self.each_line(|line| {
            if let Ok(record) = line::open(line.text)
                && record.seq >= from
            {
                records.push(record);
            }
        })?;
        Ok(records)
    }

    /// Verifies the whole chain.
    pub fn verify(&self) -> Result<Verified, Fault> {
        let _lock = self.lock_present()?;
        let mut check = verify::Check::new(self.noted()?);
        self.each_line(|line| check.line(line))?;
        Ok(check.finish(self.disk.kind(&self.path())?.is_some()))
    }

    fn path(&self) -> PathBuf {
        self.state.join(FILE_NAME)
    }

    /// Reads `audit.head`.
    fn noted(&self) -> Result<Noted, DiskError> {
        match read_limited(&*self.disk, &self.state.join(HEAD_NAME), HEAD_MAX) {
            Ok(bytes) => Ok(serde_json::from_slice(&bytes).map_or(Noted::Unreadable, Noted::Is)),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound => Ok(Noted::Nothing),
                io::ErrorKind::FileTooLarge => Ok(Noted::Unreadable),
                _ => Err(error),
            },
        }
    }

    fn tail(&self) -> Result<Tail, DiskError> {
        let path = self.path();
        if self.disk.kind(&path)? != Some(Kind::File) {
            return Ok(Tail { is_fresh: true, ..Tail::default() });
        }
        let (bytes, is_whole) = self.last_bytes(&path)?;
        let is_fresh = bytes.last().is_none_or(|byte| *byte == b'\n');
        let mut end = bytes.len();
        let mut last = None;
        while end > 0 {
            let begin =
                bytes[..end - 1].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            // A record that lacks only its line ending is complete.
            let text = bytes[begin..end].strip_suffix(b"\n").unwrap_or(&bytes[begin..end]);
            if let Ok(record) = line::open(text) {
                last = Some(Head { seq: record.seq, hash: record.hash });
                break;
            }
            end = begin;
        }
        let rest = &bytes[end..];
        let is_known = last.is_some() || is_whole;
        let torn = (is_known && !rest.is_empty()).then(|| Torn::of(rest));
        Ok(Tail { is_there: true, last, torn, is_fresh })
    }

    /// Returns the last `TAIL` bytes of a file, and whether that is all of it.
    fn last_bytes(&self, path: &Path) -> Result<(Vec<u8>, bool), DiskError> {
        let fail = |source| DiskError { operation: "read", path: path.to_path_buf(), source };
        let mut file = self.disk.open(path)?;
        let size = file.seek(SeekFrom::End(0)).map_err(fail)?;
        let from = size.saturating_sub(TAIL);
        file.seek(SeekFrom::Start(from)).map_err(fail)?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut file, &mut bytes).map_err(fail)?;
        Ok((bytes, from == 0))
    }

    /// Locks out other writers, if there is an audit log at all.
    fn lock_present(&self) -> Result<Option<LockGuard>, DiskError> {
        let path = self.state.join(LOCK_NAME);
        match self.disk.kind(&path)? {
            Some(_) => Ok(Some(self.disk.lock(&path)?)),
            None => Ok(None),
        }
    }

    fn each_line(&self, mut look: impl FnMut(verify::Line<'_>)) -> Result<(), DiskError> {
        let path = self.path();
        if self.disk.kind(&path)? != Some(Kind::File) {
            return Ok(());
        }
        let file = self.disk.open(&path)?;
        verify::lines(file, &mut look).map_err(|source| DiskError {
            operation: "read",
            path: path.clone(),
            source,
        })
    }
}
