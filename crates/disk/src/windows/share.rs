//! Volumes and shares.

use std::fs::OpenOptions;
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::AsRawHandle as _;
use std::path::Path;

use windows_sys::Win32::NetworkManagement::WNet::WNetGetConnectionW;
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_FLAG_BACKUP_SEMANTICS, GetDriveTypeW,
    GetFileInformationByHandle, QueryDosDeviceW,
};

use super::account::text;
use super::path::wide_text;
use crate::mapped::Drives;

/// What `GetDriveTypeW` returns for a network drive.
const DRIVE_REMOTE: u32 = 4;
/// Buffer size for the name of a device or share.
const ROOM: usize = 1024;

pub(crate) fn same_volume(a: &Path, b: &Path) -> io::Result<bool> {
    Ok(volume(a)? == volume(b)?)
}

fn volume(path: &Path) -> io::Result<u32> {
    // Requests no access, so a directory opens even if its content may not be read.
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

/// What this process's session knows about drive letters.
pub(crate) struct SystemDrives;

impl Drives for SystemDrives {
    fn is_remote(&self, letter: char) -> bool {
        let Ok(root) = wide_text(&format!(r"{letter}:\")) else { return false };
        #[expect(unsafe_code, reason = "std knows no drives; the text ends with a zero")]
        let kind = unsafe { GetDriveTypeW(root.as_ptr()) };
        kind == DRIVE_REMOTE
    }

    fn connection(&self, letter: char) -> Option<String> {
        let drive = wide_text(&format!("{letter}:")).ok()?;
        let mut room = [0_u16; ROOM];
        let mut length = u32::try_from(room.len()).ok()?;
        #[expect(unsafe_code, reason = "std knows no drives; the length is that of the room")]
        let status =
            unsafe { WNetGetConnectionW(drive.as_ptr(), room.as_mut_ptr(), &raw mut length) };
        (status == 0).then(|| text(&room)).filter(|share| share.starts_with(r"\\"))
    }

    fn device(&self, letter: char) -> Option<String> {
        let drive = wide_text(&format!("{letter}:")).ok()?;
        let mut room = [0_u16; ROOM];
        let length = u32::try_from(room.len()).ok()?;
        #[expect(unsafe_code, reason = "std knows no drives; the length is that of the room")]
        let written = unsafe { QueryDosDeviceW(drive.as_ptr(), room.as_mut_ptr(), length) };
        (written != 0).then(|| text(&room))
    }

    fn of_somebody(&self, letter: char) -> Option<String> {
        let users = windows_registry::USERS.keys().ok()?;
        let mut shares = users.filter_map(|user| {
            let drive = windows_registry::USERS.open(format!(r"{user}\Network\{letter}")).ok()?;
            drive.get_string("RemotePath").ok()
        });
        shares.find(|share| share.starts_with(r"\\"))
    }
}
