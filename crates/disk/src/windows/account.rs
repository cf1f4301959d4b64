//! Accounts: the owner of a file, the account of this process, and what an account name stands for.

use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{GetNamedSecurityInfoW, SE_FILE_OBJECT};
use windows_sys::Win32::Security::{
    GetLengthSid, GetTokenInformation, LookupAccountNameW, LookupAccountSidW,
    OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID, SID_NAME_USE, SidTypeAlias,
    SidTypeGroup, SidTypeWellKnownGroup, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::path::{wide, wide_text};

/// The longest SID: two bytes, six bytes, and fifteen numbers.
const SID_WORDS: usize = 2 + 15;
/// Buffer size for the name of an account or of a domain.
const NAME: usize = 512;
/// The same for calls that take a `u32`.
const NAME_LEN: u32 = 512;

/// A SID as the system stores it. Kept as whole words because of its alignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sid(Vec<u32>);

impl Sid {
    /// Parses a SID such as `S-1-5-18`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix("S-1-")?.split('-');
        let authority: u64 = parts.next()?.parse().ok()?;
        let numbers = parts.map(|part| part.parse().ok()).collect::<Option<Vec<u32>>>()?;
        let count = u8::try_from(numbers.len()).ok().filter(|count| (1..=15).contains(count))?;
        // Revision and count, then six bytes in network order.
        let mut head = authority.to_be_bytes();
        if head[..2] != [0, 0] {
            return None;
        }
        head[..2].copy_from_slice(&[1, count]);
        let mut words = vec![0; 2];
        for (word, bytes) in words.iter_mut().zip(head.chunks_exact(4)) {
            *word = bytes.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        words.extend(numbers);
        Some(Self(words))
    }

    /// Copies a SID owned by the system.
    pub(super) fn copied(sid: PSID) -> Option<Self> {
        if sid.is_null() {
            return None;
        }
        #[expect(unsafe_code, reason = "the id comes from the system and is a valid one")]
        let words = unsafe {
            let length = usize::try_from(GetLengthSid(sid)).ok()?;
            let mut words = vec![0_u32; length.div_ceil(4)];
            ptr::copy_nonoverlapping(sid.cast::<u8>(), words.as_mut_ptr().cast::<u8>(), length);
            words
        };
        (words.len() >= 2).then_some(Self(words))
    }

    fn as_psid(&self) -> PSID {
        self.0.as_ptr().cast_mut().cast()
    }

    /// Returns the account's name as `DOMAIN\name`, if the system knows one, and whether it is a
    /// group.
    pub(super) fn name(&self) -> Option<(String, bool)> {
        account_name(self.as_psid())
    }
}

impl std::fmt::Display for Sid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Windows only runs on little-endian processors.
        let head: Vec<u8> = self.0.iter().take(2).flat_map(|word| word.to_le_bytes()).collect();
        let authority = head.iter().skip(2).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        write!(f, "S-1-{authority}")?;
        let count = head.get(1).copied().map_or(0, usize::from);
        self.0.iter().skip(2).take(count).try_for_each(|number| write!(f, "-{number}"))
    }
}

/// Returns the owner as `DOMAIN\name`; `None` if the account no longer has a name.
pub(crate) fn owner(path: &Path) -> io::Result<Option<String>> {
    Ok(owner_id(path)?.and_then(|sid| sid.name()).map(|(name, _)| name))
}

/// Whether this process's account is the owner.
pub(crate) fn is_own(path: &Path) -> io::Result<bool> {
    Ok(owner_id(path)?.is_some_and(|owner| own().is_ok_and(|own| owner == own)))
}

pub(super) fn owner_id(path: &Path) -> io::Result<Option<Sid>> {
    let wide = wide(path)?;
    let mut sid: PSID = ptr::null_mut();
    let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
    #[expect(unsafe_code, reason = "std tells no owner; the path ends with a zero")]
    let status = unsafe {
        GetNamedSecurityInfoW(
            wide.as_ptr(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &raw mut sid,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    };
    if status != 0 {
        return Err(system_error(status));
    }
    let copy = Sid::copied(sid);
    free(descriptor);
    Ok(copy)
}

/// The account this process runs as.
pub(super) fn own() -> io::Result<Sid> {
    // The structure and the SID it points to.
    let mut room = [0_u64; 2 + SID_WORDS];
    let mut token: HANDLE = ptr::null_mut();
    let mut length = u32::try_from(size_of_val(&room)).map_err(io::Error::other)?;
    #[expect(
        unsafe_code,
        reason = "std tells no account; the room is as long as said, aligned, and outlives the id \
                  that points into it; the handle is closed once"
    )]
    unsafe {
        if OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) == 0 {
            return Err(io::Error::last_os_error());
        }
        let into = room.as_mut_ptr().cast();
        let done = GetTokenInformation(token, TokenUser, into, length, &raw mut length);
        let error = io::Error::last_os_error();
        CloseHandle(token);
        if done == 0 {
            return Err(error);
        }
        let user: *const TOKEN_USER = room.as_ptr().cast();
        Sid::copied((*user).User.Sid)
    }
    .ok_or_else(|| io::Error::other("the process has no account"))
}

/// Looks up an account by name or SID. Localized Windows has other names for service accounts; the
/// English ones are accepted everywhere.
pub(super) fn find(account: &str) -> io::Result<Sid> {
    let account = account.trim();
    let known = Sid::parse(account).or_else(|| well_known(account));
    if let Some(sid) = known.or_else(|| looked_up(account)).or_else(|| of_service(account)) {
        return Ok(sid);
    }
    let text = format!("there is no account {account} on this PC or in its domain");
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

fn well_known(account: &str) -> Option<Sid> {
    let (domain, name) = account.rsplit_once('\\').unwrap_or(("", account));
    if !["", ".", "NT AUTHORITY"].iter().any(|known| known.eq_ignore_ascii_case(domain)) {
        return None;
    }
    let squeezed = name.replace(' ', "").to_ascii_lowercase();
    Sid::parse(match squeezed.as_str() {
        "system" | "localsystem" => "S-1-5-18",
        "localservice" => "S-1-5-19",
        "networkservice" => "S-1-5-20",
        _ => return None,
    })
}

/// Computes the SID of a service's own account from its name, whether or not the service exists.
fn of_service(account: &str) -> Option<Sid> {
    let (domain, name) = account.split_once('\\')?;
    if !domain.eq_ignore_ascii_case("NT SERVICE") || name.is_empty() {
        return None;
    }
    let bytes: Vec<u8> = name.to_uppercase().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hash = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let mut text = "S-1-5-80".to_owned();
    for part in hash.as_ref().chunks_exact(4) {
        let number = part.iter().rev().fold(0_u32, |number, byte| number << 8 | u32::from(*byte));
        // Writing to a String cannot fail.
        let _ = write!(text, "-{number}");
    }
    Sid::parse(&text)
}

fn looked_up(account: &str) -> Option<Sid> {
    // Users write `.\` for this PC; the call does not understand it.
    let account = account.strip_prefix(r".\").unwrap_or(account);
    let wide = wide_text(account).ok()?;
    let mut sid = [0_u32; SID_WORDS];
    let mut sid_len = u32::try_from(size_of_val(&sid)).ok()?;
    let mut domain = [0_u16; NAME];
    let (mut domain_len, mut kind) = (NAME_LEN, 0);
    #[expect(
        unsafe_code,
        reason = "the name ends with a zero, the lengths are those of the arrays"
    )]
    let done = unsafe {
        LookupAccountNameW(
            ptr::null(),
            wide.as_ptr(),
            sid.as_mut_ptr().cast(),
            &raw mut sid_len,
            domain.as_mut_ptr(),
            &raw mut domain_len,
            &raw mut kind,
        )
    };
    if done == 0 { None } else { Sid::copied(sid.as_mut_ptr().cast()) }
}

/// Returns the account's name, if the system knows one, and whether it is a group.
fn account_name(sid: PSID) -> Option<(String, bool)> {
    let (mut name, mut domain) = ([0_u16; NAME], [0_u16; NAME]);
    let (mut name_len, mut domain_len) = (NAME_LEN, NAME_LEN);
    let mut kind: SID_NAME_USE = 0;
    #[expect(
        unsafe_code,
        reason = "the id comes from the system, both lengths are those of the arrays"
    )]
    let done = unsafe {
        LookupAccountSidW(
            ptr::null(),
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
    let (name, domain) = (text(&name), text(&domain));
    let name = if domain.is_empty() { name } else { format!("{domain}\\{name}") };
    Some((name, [SidTypeGroup, SidTypeAlias, SidTypeWellKnownGroup].contains(&kind)))
}

/// The text up to the first zero.
pub(super) fn text(wide: &[u16]) -> String {
    let end = wide.iter().position(|unit| *unit == 0).unwrap_or(wide.len());
    String::from_utf16_lossy(&wide[..end])
}

/// Converts a call's result to an error.
pub(super) fn system_error(status: u32) -> io::Error {
    io::Error::from_raw_os_error(i32::try_from(status).unwrap_or(i32::MAX))
}

/// Frees memory that a call allocated with `LocalAlloc`.
pub(super) fn free(given: *mut std::ffi::c_void) {
    #[expect(
        unsafe_code,
        reason = "a system call gave it out, and nothing points into it any more"
    )]
    unsafe {
        LocalFree(given);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_and_written_as_windows_writes_them() {
        for text in ["S-1-1-0", "S-1-5-18", "S-1-5-32-544", "S-1-5-21-1-4294967295-3-1001"] {
            let sid = Sid::parse(text).expect(text);
            assert_eq!(sid.to_string(), text);
            assert_eq!(Sid::copied(sid.as_psid()), Some(sid));
        }
        for text in ["", "S-1-5", "S-1-5-", "S-1-5-x", "S-2-5-18", "Users"] {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn services_accounts_are_known_by_name_in_every_language() {
        for (name, id) in [
            (r"NT AUTHORITY\LocalService", "S-1-5-19"),
            (r"nt authority\network service", "S-1-5-20"),
            ("LocalSystem", "S-1-5-18"),
            // As reported by `sc showsid` for a service that every Windows has.
            (
                r"NT SERVICE\TrustedInstaller",
                "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
            ),
            ("S-1-5-32-544", "S-1-5-32-544"),
        ] {
            assert_eq!(find(name).expect(name).to_string(), id);
        }
        let error = find(r"NOWHERE\nobody-of-that-name").expect_err("unknown");
        assert!(error.to_string().contains("nobody-of-that-name"), "{error}");
    }

    #[test]
    fn a_new_file_is_owned_by_the_account_of_this_process() {
        let dir = tempfile::tempdir().expect("tempdir");
        let own = own().expect("known");
        assert!(own.to_string().starts_with("S-1-5-"), "{own}");
        assert_eq!(owner_id(dir.path()).expect("asked"), Some(own));
        assert!(is_own(dir.path()).expect("asked"));
        assert!(is_own(&dir.path().join("gone")).is_err());
    }
}
