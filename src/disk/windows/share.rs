//! Volumes and shares.

use std::fs::OpenOptions;
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_BACKUP_SEMANTICS, GetFileInformationByHandle,
};

pub(in crate::disk) fn same_volume(a: &Path, b: &Path) -> io::Result<bool> {
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
