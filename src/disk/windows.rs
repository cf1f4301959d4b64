//! What only Windows can be asked: moves that replace nothing, attributes, patience with programs
//! that hold a file open.

use std::fs::{DirBuilder, Metadata, OpenOptions};
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::os::windows::io::AsRawHandle as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{GetNamedSecurityInfoW, SE_FILE_OBJECT};
use windows_sys::Win32::Security::{
    LookupAccountSidW, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ADD_FILE, FILE_ADD_SUBDIRECTORY, FILE_ATTRIBUTE_HIDDEN,
    FILE_ATTRIBUTE_READONLY, FILE_FLAG_BACKUP_SEMANTICS, GetFileInformationByHandle,
    MOVEFILE_WRITE_THROUGH, MoveFileExW, SetFileAttributesW,
};

const ACCESS_DENIED: i32 = 5;
const SHARING_VIOLATION: i32 = 32;
const LOCK_VIOLATION: i32 = 33;
const FILE_EXISTS: i32 = 80;
const ALREADY_EXISTS: i32 = 183;

/// Waits between attempts, about two seconds in all: virus scanners and indexers let go within that
/// time, a CAD program does not.
const WAITS_MS: [u64; 9] = [10, 20, 40, 80, 160, 300, 400, 500, 500];

/// Runs a call again while another program holds the file.
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

/// Opening a directory for making entries needs the right to make them.
pub(super) fn may_create_in(dir: &Path) -> io::Result<()> {
    OpenOptions::new()
        .access_mode(FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY)
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS)
        .open(dir)
        .map(|_| ())
}

/// Renames; `false` if something stands at the target. The call returns once the move is on disk.
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
        // For some kinds of targets "access denied" is all that the system says.
        Some(ACCESS_DENIED) if to.symlink_metadata().is_ok() => Ok(false),
        _ => Err(error),
    }
}

/// There is no such step on Windows.
#[expect(clippy::unnecessary_wraps, reason = "other systems have the step, and it can fail there")]
pub(super) fn exchange(_a: &Path, _b: &Path) -> io::Result<bool> {
    Ok(false)
}

/// NTFS journals directory entries; there is no call that a plain user could make.
#[expect(clippy::unnecessary_wraps, reason = "other systems have the call, and it can fail there")]
pub(super) fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}

pub(super) fn same_volume(a: &Path, b: &Path) -> io::Result<bool> {
    Ok(volume(a)? == volume(b)?)
}

fn volume(path: &Path) -> io::Result<u32> {
    // No access is asked for, so a directory opens even when its content may not be read.
    let file =
        OpenOptions::new().access_mode(0).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)?;
    let mut information = BY_HANDLE_FILE_INFORMATION::default();
    #[expect(unsafe_code, reason = "std's volume serial number is not stable; the handle is open")]
    let done = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &raw mut information) };
    if done == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(information.dwVolumeSerialNumber)
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

/// Whether nobody has the file open: an opening that shares it with nobody succeeds only then.
pub(super) fn is_at_rest(path: &Path) -> io::Result<bool> {
    match OpenOptions::new().read(true).share_mode(0).open(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(SHARING_VIOLATION | LOCK_VIOLATION)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The owner as `DOMAIN\name`; `None` where its account has no name any more.
pub(super) fn owner(path: &Path) -> io::Result<Option<String>> {
    let wide = wide(path)?;
    let mut sid: PSID = std::ptr::null_mut();
    let mut descriptor: PSECURITY_DESCRIPTOR = std::ptr::null_mut();
    #[expect(unsafe_code, reason = "std tells no owner; the path ends with a zero")]
    let status = unsafe {
        GetNamedSecurityInfoW(
            wide.as_ptr(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut sid,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if status != 0 {
        return Err(io::Error::from_raw_os_error(i32::try_from(status).unwrap_or(i32::MAX)));
    }
    let name = if sid.is_null() { None } else { account_name(sid) };
    #[expect(
        unsafe_code,
        reason = "the call above gave it out, and nothing points into it any more"
    )]
    unsafe {
        LocalFree(descriptor);
    }
    Ok(name)
}

/// The account's name, if the system knows one.
fn account_name(sid: PSID) -> Option<String> {
    const ROOM: usize = 512;
    let (mut name, mut domain) = ([0_u16; ROOM], [0_u16; ROOM]);
    let (mut name_len, mut domain_len) = (u32::try_from(ROOM).ok()?, u32::try_from(ROOM).ok()?);
    let mut kind = 0;
    #[expect(
        unsafe_code,
        reason = "the id comes from the system, both lengths are those of the arrays"
    )]
    let done = unsafe {
        LookupAccountSidW(
            std::ptr::null(),
            sid,
            name.as_mut_ptr(),
            &raw mut name_len,
            domain.as_mut_ptr(),
            &raw mut domain_len,
            &raw mut kind,
        )
    };
    if done == 0 {
        return None;
    }
    let text = |wide: &[u16]| {
        let end = wide.iter().position(|unit| *unit == 0).unwrap_or(wide.len());
        String::from_utf16_lossy(&wide[..end])
    };
    let (name, domain) = (text(&name), text(&domain));
    Some(if domain.is_empty() { name } else { format!("{domain}\\{name}") })
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

/// The rights of the directory are inherited.
pub(super) fn private_file(_options: &mut OpenOptions) {}

/// What a program is, its name says.
pub(super) fn program_file(_options: &mut OpenOptions) {}

/// The rights of the directory are inherited.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
pub(super) fn open_to_all(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// The rights of the directory above are inherited.
pub(super) fn private_dir(_builder: &mut DirBuilder) {}

/// The path for calls that std does not make for us: absolute, zero-terminated, and in the extended
/// form that has no limit of 260 characters.
fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let path = extended(&std::path::absolute(path)?);
    let mut wide: Vec<u16> = path.as_os_str().encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path holds a zero"));
    }
    wide.push(0);
    Ok(wide)
}

/// An absolute path with `\\?\` before it, where it has a drive or a share and none yet.
fn extended(path: &Path) -> PathBuf {
    use std::path::{Component, Prefix};
    let Some(Component::Prefix(prefix)) = path.components().next() else {
        return path.to_path_buf();
    };
    let text = path.as_os_str();
    let mut out = std::ffi::OsString::new();
    match prefix.kind() {
        Prefix::Disk(_) => {
            out.push(r"\\?\");
            out.push(text);
        }
        Prefix::UNC(server, share) => {
            out.push(r"\\?\UNC\");
            out.push(server);
            out.push(r"\");
            out.push(share);
            let mut rest = path.components();
            let _ = rest.next();
            for part in rest {
                if !matches!(part, Component::RootDir) {
                    out.push(r"\");
                    out.push(part.as_os_str());
                }
            }
        }
        _ => return path.to_path_buf(),
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drives_and_shares_get_their_extended_form() {
        let check = |from: &str, to: &str| assert_eq!(extended(Path::new(from)), Path::new(to));
        check(r"C:\orders\x", r"\\?\C:\orders\x");
        check(r"\\server\share\orders\x", r"\\?\UNC\server\share\orders\x");
        check(r"\\?\C:\orders", r"\\?\C:\orders");
    }

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
