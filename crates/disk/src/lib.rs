//! The only module that touches the file system, behind a trait so that tests can fake it.
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
pub use helpers::{
    ASKED_ABOUT, read_limited, replace_durably, take_lock, write_durably, write_durably_private,
};
pub use mapped::{Mapped, remote_of};
pub use random::random_text;
pub use real::{RealDisk, other_than_file};
pub use system::for_others;

/// What exists at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Dir,
    /// A link, device or anything else that we never create.
    Other,
}

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `None` if it is not Unicode (and so not ours).
    pub name: Option<String>,
    /// The full path.
    pub path: PathBuf,
    /// Links are not followed.
    pub kind: Kind,
    /// Size in bytes; only for files.
    pub len: u64,
}

/// The state reported by the file itself. On Windows, a directory listing may lag behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Size in bytes.
    pub len: u64,
    /// When it was last written, to the volume's precision.
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

/// The outcome of a rename that must not replace anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    Done,
    /// Something exists at the target; nothing was changed.
    TargetExists,
}

/// An exclusive lock on a file; released on drop or when the process ends.
pub struct LockGuard(#[expect(dead_code, reason = "held for its drop")] Box<dyn Send + Sync>);

impl LockGuard {
    /// Wraps a value that releases the lock when dropped.
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
    /// Returns what exists at the path, without following links; `None` if nothing does.
    fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError>;
    /// Returns the size and time of a plain file.
    fn stamp(&self, path: &Path) -> Result<Stamp, DiskError>;
    /// Whether a file can be opened for reading and no other program has claimed it, as far as the
    /// system knows: on Windows, no one has it open; elsewhere, no one holds a lock on it. Links
    /// are not followed on systems where any user can create them.
    fn is_at_rest(&self, path: &Path) -> Result<bool, DiskError>;
    /// Returns the name of the file's owner; `None` if the system has none.
    fn owner(&self, path: &Path) -> Result<Option<String>, DiskError>;
    /// Describes who apart from administrators can change or replace a file, as text for a message.
    /// `None` if no one can, or if the system cannot tell.
    fn others_who_write(&self, _path: &Path) -> Result<Option<String>, DiskError> {
        Ok(None)
    }
    /// Returns the file's owner, as text for a message, if that is neither the user of this process
    /// nor an administrator.
    fn foreign_owner(&self, _path: &Path) -> Result<Option<String>, DiskError> {
        Ok(None)
    }
    /// Whether a file belongs to that account (a name or, on Windows, an id such as `S-1-5-19`);
    /// `false` if there is no such account, or if the system cannot tell.
    fn belongs_to(&self, _path: &Path, _account: &str) -> Result<bool, DiskError> {
        Ok(false)
    }
    /// Makes a file writable by administrators only and readable by the account `_reader`. Does
    /// nothing where permissions are not ours to set.
    fn protect(&self, _path: &Path, _reader: &str) -> Result<(), DiskError> {
        Ok(())
    }
    /// Copies the permissions of another file in the same folder, and its owner if this user may.
    fn take_rights(&self, _from: &Path, _to: &Path) -> Result<(), DiskError> {
        Ok(())
    }
    /// Whether a file belongs to the user of this process and that user is not an administrator;
    /// `false` if the system cannot tell.
    fn is_own(&self, _path: &Path) -> Result<bool, DiskError> {
        Ok(false)
    }
    /// Lists the entries of a directory, sorted by name.
    fn list(&self, dir: &Path) -> Result<Vec<Entry>, DiskError>;
    /// Creates a directory and its missing parents, and syncs each parent that got a new entry.
    fn create_dirs(&self, dir: &Path) -> Result<(), DiskError>;
    /// Like [`create_dirs`](Self::create_dirs), but only this user may enter the new directories.
    /// (On Windows: the system, administrators, this user, and accounts with an explicit right to
    /// the parent directory.)
    fn create_private_dirs(&self, dir: &Path) -> Result<(), DiskError>;
    /// Revokes others' rights to a directory made by
    /// [`create_private_dirs`](Self::create_private_dirs), and returns whose were revoked; single
    /// accounts with an explicit right keep it. Does nothing on systems with file modes: there, the
    /// administrator's choice counts.
    fn make_private(&self, dir: &Path) -> Result<Vec<String>, DiskError>;
    /// Returns who else may read a file or directory, apart from those with access to a private
    /// one: the names of groups.
    fn readers(&self, path: &Path) -> Result<Vec<String>, DiskError>;
    /// Lets an account (a name or, on Windows, an id such as `S-1-5-19`) read, write and delete in
    /// a directory and in everything created there. On other systems than Windows it becomes the
    /// owner of the directory and of everything in it that has the same owner.
    fn grant(&self, dir: &Path, account: &str) -> Result<(), DiskError>;
    /// Returns the names of programs that hold one of these files open, if the system can tell
    /// cheaply (Windows, local files).
    fn holders(&self, paths: &[PathBuf]) -> Vec<String>;
    /// Like [`create`](Self::create), but only this user may read the file. (On Windows it inherits
    /// the permissions of its directory, which is private.)
    fn create_private(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError>;
    /// Creates a file that must not exist yet.
    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError>;
    /// Like [`create`](Self::create), for a program that anyone may run.
    fn create_program(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        self.create(path)
    }
    /// Opens an existing file for appending.
    fn append(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError>;
    /// Opens a file for reading. Anything that is not a file is refused and never waited for
    /// ([`DiskError::no_file`]); a link to a file is followed. The same goes for all calls that
    /// open something.
    fn open(&self, path: &Path) -> Result<Box<dyn ReadFile>, DiskError>;
    /// Renames a file over any existing file at the target (for small state files).
    fn replace_file(&self, from: &Path, to: &Path) -> Result<(), DiskError>;
    /// Renames a file or directory to a path where nothing exists. Sharing violations on Windows
    /// (raw errors 5, 32, 33) are retried for about two seconds.
    fn rename(&self, from: &Path, to: &Path) -> Result<Moved, DiskError>;
    /// Atomically swaps two directories; `false` if the system cannot (nothing was changed then).
    fn exchange(&self, a: &Path, b: &Path) -> Result<bool, DiskError>;
    /// Makes the entries of a directory durable. Does nothing where the system needs no such call.
    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError>;
    /// Creates a hard link; `false` if the volume does not support them.
    fn hard_link(&self, from: &Path, to: &Path) -> Result<bool, DiskError>;
    fn remove_file(&self, path: &Path) -> Result<(), DiskError>;
    fn remove_dir(&self, path: &Path) -> Result<(), DiskError>;
    /// Removes a directory and everything in it. Links inside are removed, not followed.
    fn remove_tree(&self, path: &Path) -> Result<(), DiskError>;
    /// Returns the bytes that this user can still write on the volume containing the path.
    fn free_space(&self, path: &Path) -> Result<u64, DiskError>;
    /// Returns the kind of network file system that an existing path is on, as text for a message;
    /// `None` if it is local or the system cannot tell.
    fn network_volume(&self, _path: &Path) -> Result<Option<String>, DiskError> {
        Ok(None)
    }
    /// Whether both existing paths are on the same volume, so that a rename between them can work.
    fn same_volume(&self, a: &Path, b: &Path) -> Result<bool, DiskError>;
    /// Checks whether this user may create entries in a directory, without creating one: another
    /// program may be watching it. The error says why not.
    fn may_create_in(&self, dir: &Path) -> Result<(), DiskError>;
    /// Hides a directory from users where names alone do not (Windows).
    fn hide(&self, path: &Path) -> Result<(), DiskError>;
    /// Takes the exclusive lock on a file, which is created if missing and never removed; `None` if
    /// it is already held. Only excludes other lock holders, not readers or writers.
    fn try_lock(&self, path: &Path) -> Result<Option<LockGuard>, DiskError>;
    /// Whether someone holds the lock on a file; creates nothing. Whoever only wants to know asks this
    /// way: two of them do not take each other for the holder.
    fn is_locked(&self, path: &Path) -> Result<bool, DiskError> {
        Ok(self.kind(path)?.is_some() && self.try_lock(path)?.is_none())
    }
    /// Like [`try_lock`](Self::try_lock), but waits until the lock is free.
    fn lock(&self, path: &Path) -> Result<LockGuard, DiskError>;
}
