//! Accounts: who owns a file.

use std::io;
use std::path::Path;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{GetNamedSecurityInfoW, SE_FILE_OBJECT};
use windows_sys::Win32::Security::{
    LookupAccountSidW, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID,
};

use super::path::wide;

/// The owner as `DOMAIN\name`; `None` where its account has no name any more.
pub(in crate::disk) fn owner(path: &Path) -> io::Result<Option<String>> {
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
