//! The only module that touches the file system, behind a trait so that tests can lie about it.
//!
//! Calls block. Every error names the operation and the path ([`DiskError`]).

#![expect(clippy::disallowed_methods, reason = "this is the one place that may")]

mod error;
mod helpers;
mod mapped;
mod random;
mod real;
#[cfg_attr(windows, path = "windows/mod.rs")]
#[cfg_attr(not(windows), path = "unix.rs")]
mod system;

use std::fmt;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub use error::{DiskError, others_name_below, shown};
pub use helpers::{read_limited, replace_durably, write_durably, write_durably_private};
pub use mapped::{Mapped, remote_of};
pub use random::random_text;
pub use real::{RealDisk, other_than_file};
pub use system::for_others;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A plain file.
    File,
    /// A directory.
    Dir,
    /// A link, device or anything else that we never make.
    Other,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name; `None` where it is not Unicode (and so not ours).
    pub name: Option<String>,
    /// Its whole path.
    pub path: PathBuf,
    /// What it is; links are not followed.
    pub kind: Kind,
    /// Its size in bytes, for files.
    pub len: u64,
}

/// What a file itself says of its state. In a listing it may lag behind (Windows).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Its size in bytes.
    pub len: u64,
    /// When it was last written, as far as the volume tells.
    pub modified: SystemTime,
    /// Whether it is hidden by more than its name (Windows).
    pub hidden: bool,
}

/// A file being written.
pub trait WriteFile: Write + Send {
    /// Returns once the content is on stable storage.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file being read.
pub trait ReadFile: Read + Seek + Send {}

impl<T: Read + Seek + Send> ReadFile for T {}

/// What happened to a rename that must not replace anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It is done.
    Done,
    /// Something stands at the target; nothing was changed.
    TargetExists,
}

/// An exclusive lock on a file; dropping it (or the end of the process) releases it.
pub struct LockGuard(#[expect(dead_code, reason = "held for its drop")] Box<dyn Send + Sync>);

impl LockGuard {
    /// Wraps whatever releases the lock when it is dropped.
    pub fn new(holder: impl Send + Sync + 'static) -> Self {
        Self(Box::new(holder))
    }
}

impl fmt::Debug for LockGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LockGuard")
    }
}

/// The file system.
pub trait Disk: Send + Sync {
    /// What stands there, links not followed; `None` if nothing does.
    fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError>;
    /// Size and time of a plain file.
    fn stamp(&self, path: &Path) -> Result<Stamp, DiskError>;
    /// Whether a file can be opened for reading and no other program has claimed it, as far as the
    /// system tells: on Windows nobody has it open, elsewhere nobody holds a lock on it. Links are not
    /// followed on systems that let everybody make them.
    fn is_at_rest(&self, path: &Path) -> Result<bool, DiskError>;
    /// The name of the user who owns a file; `None` where the system has none.
    fn owner(&self, path: &Path) -> Result<Option<String>, DiskError>;
    /// Who beside administrators can change a file, or put another in its place, as words for a
    /// message. `None` if nobody can, or where the system cannot be asked.
    fn others_who_write(&self, _path: &Path) -> Result<Option<String>, DiskError> {
        Ok(None)
    }
    /// The owner of a file, if that is neither the user of this process nor an administrator; as
    /// words for a message.
    fn foreign_owner(&self, _path: &Path) -> Result<Option<String>, DiskError> {
        Ok(None)
    }
    /// Lets nobody but administrators change a file, and that account read it. Does nothing where
    /// rights are none of ours to set.
    fn protect(&self, _path: &Path, _reader: &str) -> Result<(), DiskError> {
        Ok(())
    }
    /// Gives a file the rights of another one in the same folder, and its owner where this user may.
    fn take_rights(&self, _from: &Path, _to: &Path) -> Result<(), DiskError> {
        Ok(())
    }
    /// Whether the user of this process, who is no administrator, owns a file; `false` where the system
    /// cannot be asked.
    fn is_own(&self, _path: &Path) -> Result<bool, DiskError> {
        Ok(false)
    }
    /// The entries of a directory, ordered by name.
    fn list(&self, dir: &Path) -> Result<Vec<Entry>, DiskError>;
    /// Creates a directory and its missing parents, and syncs each parent that got a new entry.
    fn create_dirs(&self, dir: &Path) -> Result<(), DiskError>;
    /// As [`create_dirs`](Self::create_dirs), but only this user may enter the new directories. (On
    /// Windows: the system, administrators, this user, and whoever was given a right by name to what
    /// they are made in.)
    fn create_private_dirs(&self, dir: &Path) -> Result<(), DiskError>;
    /// Takes rights that others have to a directory of [`create_private_dirs`](Self::create_private_dirs)
    /// away, and tells whose; single accounts that were given a right by name keep it. Does nothing
    /// where the system has modes: there the administrator's word counts.
    fn make_private(&self, dir: &Path) -> Result<Vec<String>, DiskError>;
    /// Who may read a file or directory beside those that a private one is for: groups by their names.
    fn readers(&self, path: &Path) -> Result<Vec<String>, DiskError>;
    /// Gives an account (a name or, on Windows, an id such as `S-1-5-19`) the right to read, write and
    /// delete in a directory and in what is made there. Elsewhere than on Windows it becomes the
    /// owner of the directory and of what in it belongs to the same user.
    fn grant(&self, dir: &Path, account: &str) -> Result<(), DiskError>;
    /// The names of programs that hold one of these files open, as far as the system tells cheaply
    /// (Windows, files of this PC).
    fn holders(&self, paths: &[PathBuf]) -> Vec<String>;
    /// As [`create`](Self::create), but only this user may read the file. (On Windows it has the rights
    /// of its directory, which is a private one.)
    fn create_private(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError>;
    /// Creates a file that must not exist yet.
    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError>;
    /// As [`create`](Self::create), for a program that everybody may run.
    fn create_program(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        self.create(path)
    }
    /// Opens a file that exists, to write behind its end.
    fn append(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError>;
    /// Opens a file for reading. What is no file is refused, and never waited for
    /// ([`DiskError::no_file`]); a link to a file is followed. So do all calls that open something.
    fn open(&self, path: &Path) -> Result<Box<dyn ReadFile>, DiskError>;
    /// Renames a file over whatever file stands at the target (for small state files).
    fn replace_file(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// Renames a file or directory to a path where nothing stands. Sharing violations on Windows
    /// (raw errors 5, 32, 33) are retried for a bounded time.
    fn rename(&self, from: &Path, to: &Path) -> Result<Moved, DiskError>;
    /// Exchanges two directories in one step; `false` where the system has no such step (nothing
    /// was changed then).
    fn exchange(&self, a: &Path, b: &Path) -> Result<bool, DiskError>;
    /// Makes the entries of a directory durable. Does nothing where the system needs no such call.
    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError>;
    /// A second name for a file; `false` where the volume has no hard links.
    fn hard_link(&self, from: &Path, to: &Path) -> Result<bool, DiskError>;
    /// Removes a file.
    fn remove_file(&self, path: &Path) -> Result<(), DiskError>;
    /// Removes an empty directory.
    fn remove_dir(&self, path: &Path) -> Result<(), DiskError>;
    /// Removes a directory and all that it holds. Links inside are removed, not followed.
    fn remove_tree(&self, path: &Path) -> Result<(), DiskError>;
    /// Bytes that this user can still write on the volume that holds the path.
    fn free_space(&self, path: &Path) -> Result<u64, DiskError>;
    /// What kind of network file system holds an existing path, as words for a message; `None` if it is one
    /// of this PC's own, or where the system cannot be asked.
    fn network_volume(&self, _path: &Path) -> Result<Option<String>, DiskError> {
        Ok(None)
    }
    /// Whether both existing paths are on one volume, so that a rename between them can work.
    fn same_volume(&self, a: &Path, b: &Path) -> Result<bool, DiskError>;
    /// Whether this user may make entries in a directory, found out without making one: somebody
    /// may be watching it. An error says why not.
    fn may_create_in(&self, dir: &Path) -> Result<(), DiskError>;
    /// Hides a directory from a person's view where names alone do not (Windows).
    fn hide(&self, path: &Path) -> Result<(), DiskError>;
    /// Takes the exclusive lock on a file, which is created where it is missing and never removed;
    /// `None` if somebody else holds it. It excludes other holders only, not readers or writers.
    fn try_lock(&self, path: &Path) -> Result<Option<LockGuard>, DiskError>;
    /// As [`try_lock`](Self::try_lock), but waits until the lock is free.
    fn lock(&self, path: &Path) -> Result<LockGuard, DiskError>;
}
