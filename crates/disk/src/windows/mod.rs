//! Windows-specific calls: moves that replace nothing, attributes, patience with programs that hold
//! a file open.

mod account;
mod acl;
mod holders;
mod path;
mod share;

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::windows::io::AsRawHandle as _;
use std::path::Path;
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Storage::FileSystem::{
    FILE_ADD_FILE, FILE_ADD_SUBDIRECTORY, FILE_ATTRIBUTE_HIDDEN, FILE_ATTRIBUTE_READONLY,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_TYPE_DISK, FILE_TYPE_PIPE, GetFileType,
    MOVEFILE_WRITE_THROUGH, MoveFileExW, SECURITY_IDENTIFICATION, SetFileAttributesW,
};

pub(super) use self::account::{is_own, owner};
pub(super) use self::acl::{
    belongs_to, create_private_dir, foreign_owner, grant, make_private, others_who_write, protect,
    readers, take_rights,
};
pub(super) use self::holders::holders;
pub use self::path::for_others;
use self::path::wide;
pub(super) use self::share::{SystemDrives, same_volume};
use super::error::NoFile;

const ACCESS_DENIED: i32 = 5;
const SHARING_VIOLATION: i32 = 32;
const LOCK_VIOLATION: i32 = 33;
const FILE_EXISTS: i32 = 80;
const ALREADY_EXISTS: i32 = 183;

/// Waits between attempts, about two seconds in total: virus scanners and indexers close the file
/// within that time, a CAD program does not.
const WAITS_MS: [u64; 9] = [10, 20, 40, 80, 160, 300, 400, 500, 500];

/// Retries a call while another program holds the file open.
pub(super) fn patiently<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let mut waits = WAITS_MS.into_iter();
    loop {
        match (call(), waits.next()) {
            (Err(error), Some(wait)) if held(&error) => {
                thread::sleep(Duration::from_millis(wait));
            }
            (result, _) => return result,
        }
    }
}

fn held(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(ACCESS_DENIED | SHARING_VIOLATION | LOCK_VIOLATION))
}

/// Whether the path is on a share, by its UNC name or its drive.
#[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
pub(super) fn network_volume(path: &Path) -> io::Result<Option<String>> {
    use std::path::{Component, Prefix};

    use super::mapped::Drives as _;

    let Some(Component::Prefix(prefix)) = path.components().next() else { return Ok(None) };
    let is_remote = match prefix.kind() {
        Prefix::UNC(..) | Prefix::VerbatimUNC(..) => true,
        Prefix::Disk(letter) | Prefix::VerbatimDisk(letter) => {
            SystemDrives.is_remote(char::from(letter))
        }
        Prefix::Verbatim(_) | Prefix::DeviceNS(_) => false,
    };
    Ok(is_remote.then(|| "SMB".to_owned()))
}

/// Opening a directory with the right to create entries requires that right.
pub(super) fn may_create_in(dir: &Path) -> io::Result<()> {
    OpenOptions::new()
        .access_mode(FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(dir)
        .map(|_| ())
}

/// Renames; `false` if something exists at the target. The call returns once the move is on disk.
pub(super) fn rename_no_replace(from: &Path, to: &Path) -> io::Result<bool> {
    let (wide_from, wide_to) = (wide(from)?, wide(to)?);
    #[expect(unsafe_code, reason = "std's rename replaces files; both strings end with a zero")]
    let done = unsafe { MoveFileExW(wide_from.as_ptr(), wide_to.as_ptr(), MOVEFILE_WRITE_THROUGH) };
    if done != 0 {
        return Ok(true);
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(FILE_EXISTS | ALREADY_EXISTS) => Ok(false),
        // For some kinds of targets, "access denied" is all we get.
        Some(ACCESS_DENIED) if to.symlink_metadata().is_ok() => Ok(false),
        _ => Err(error),
    }
}

/// Always `false`: Windows has no atomic swap.
#[expect(clippy::unnecessary_wraps, reason = "other systems have the step, and it can fail there")]
pub(super) fn exchange(_a: &Path, _b: &Path) -> io::Result<bool> {
    Ok(false)
}

/// NTFS journals directory entries; there is no call that a normal user could make.
#[expect(clippy::unnecessary_wraps, reason = "other systems have the call, and it can fail there")]
pub(super) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn hide(path: &Path) -> io::Result<()> {
    set_attributes(path, |attributes| attributes | FILE_ATTRIBUTE_HIDDEN)
}

fn set_attributes(path: &Path, change: impl Fn(u32) -> u32) -> io::Result<()> {
    let attributes = path.symlink_metadata()?.file_attributes();
    let wide = wide(path)?;
    #[expect(unsafe_code, reason = "std sets no attributes; the string ends with a zero")]
    let done = unsafe { SetFileAttributesW(wide.as_ptr(), change(attributes)) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

pub(super) fn is_hidden(metadata: &Metadata) -> bool {
    metadata.file_attributes() & FILE_ATTRIBUTE_HIDDEN != 0
}

/// Opening never waits here. But the server of a pipe could otherwise impersonate the user who
/// opens it.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(super) fn without_waiting(options: &mut OpenOptions) -> io::Result<()> {
    options.security_qos_flags(SECURITY_IDENTIFICATION);
    Ok(())
}

/// Returns what was opened, if it is not a file: `\\.\pipe\…`, or a device name such as `CON`.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(super) fn no_file(file: &File) -> io::Result<Option<NoFile>> {
    #[expect(unsafe_code, reason = "std does not tell a file from a pipe; the handle is open")]
    let kind = unsafe { GetFileType(file.as_raw_handle()) };
    Ok(match kind {
        FILE_TYPE_DISK => None,
        FILE_TYPE_PIPE => Some(NoFile("a pipe")),
        _ => Some(NoFile("a device")),
    })
}

pub(super) fn what_else(kind: FileType) -> Option<NoFile> {
    kind.is_dir().then_some(NoFile::DIRECTORY)
}

/// Returns what is at a path that failed to open, if it is not a file: for a folder, "access
/// denied" is all we get.
pub(super) fn no_file_at(path: &Path, error: &io::Error) -> Option<NoFile> {
    let is_dir = error.raw_os_error() == Some(ACCESS_DENIED)
        && std::fs::metadata(path).is_ok_and(|metadata| metadata.is_dir());
    is_dir.then_some(NoFile::DIRECTORY)
}

/// Whether no one has the file open: only then can it be opened without sharing.
pub(super) fn is_at_rest(path: &Path) -> io::Result<bool> {
    match OpenOptions::new().read(true).share_mode(0).open(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(SHARING_VIOLATION | LOCK_VIOLATION)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

pub(super) fn remove_file(path: &Path) -> io::Result<()> {
    let metadata = path.symlink_metadata()?;
    if metadata.file_attributes() & FILE_ATTRIBUTE_READONLY != 0 && !metadata.is_symlink() {
        set_attributes(path, |attributes| attributes & !FILE_ATTRIBUTE_READONLY)?;
    }
    match std::fs::remove_file(path) {
        // A link to a directory is removed like a directory.
        Err(error) if metadata.is_symlink() => std::fs::remove_dir(path).map_err(|_| error),
        done => done,
    }
}

pub(super) fn remove_dir(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.file_attributes() & FILE_ATTRIBUTE_READONLY != 0 {
        set_attributes(path, |attributes| attributes & !FILE_ATTRIBUTE_READONLY)?;
    }
    std::fs::remove_dir(path)
}

pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        } else {
            patiently(|| remove_file(&entry.path()))?;
        }
    }
    patiently(|| remove_dir(path))
}

/// Nothing to do: files inherit the permissions of their folder, which is private.
pub(super) fn private_file(_options: &mut OpenOptions) {}

/// Nothing to do: on Windows, the name makes a file executable.
pub(super) fn program_file(_options: &mut OpenOptions) {}

/// Nothing to do: the permissions of the directory are inherited.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(super) fn open_to_all(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_held_files_are_tried_again_and_not_for_ever() {
        let mut calls = 0;
        let result: io::Result<()> = patiently(|| {
            calls += 1;
            Err(io::Error::from_raw_os_error(if calls < 3 { SHARING_VIOLATION } else { 2 }))
        });
        assert_eq!((calls, result.expect_err("not found").raw_os_error()), (3, Some(2)));
        let mut calls = 0;
        let result: io::Result<()> = patiently(|| {
            calls += 1;
            Err(io::Error::from_raw_os_error(LOCK_VIOLATION))
        });
        assert!(result.is_err() && calls == WAITS_MS.len() + 1);
    }

    #[test]
    fn a_read_only_file_can_be_removed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("x");
        std::fs::write(&path, "x").expect("write");
        set_attributes(&path, |attributes| attributes | FILE_ATTRIBUTE_READONLY).expect("set");
        remove_file(&path).expect("removed");
        assert!(!path.exists());
    }
}
