//! Permissions of files and folders. They are handled in the system's text form (SDDL), with
//! accounts as SIDs, since names differ between languages.

use std::io;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW, SDDL_REVISION_1,
    SE_FILE_OBJECT, SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, PROTECTED_DACL_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES, UNPROTECTED_DACL_SECURITY_INFORMATION,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;

use super::account::{self, Sid, free, system_error};
use super::path::{wide, wide_text};

const SYSTEM: &str = "S-1-5-18";
const ADMINISTRATORS: &str = "S-1-5-32-544";
/// Windows Update.
const TRUSTED_INSTALLER: &str = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
/// Accounts that may change what others may not.
const TRUSTED: [&str; 3] = [SYSTEM, ADMINISTRATORS, TRUSTED_INSTALLER];
/// Write, append, delete, change permissions or owner; `GENERIC_WRITE` and `GENERIC_ALL`.
const CHANGES: u32 = 0x500d_0006;
/// `FILE_DELETE_CHILD` of a folder, and everything that leads to it.
const DELETES_CHILDREN: u32 = 0x100c_0040;
/// Read, write and delete, but change neither permissions nor owner.
const MODIFY: &str = "0x1301bf";

/// One entry of an access control list (ACE).
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// `A` allows, `D` denies; other kinds have more conditions.
    kind: String,
    /// Two letters per flag, such as `ID` for an inherited entry.
    flags: String,
    rights: String,
    /// The account in the text form: a SID, or two letters for a well-known one.
    account: String,
    whole: String,
}

/// The permissions of a file or folder.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rights {
    /// Whether nothing is inherited from the parent folder.
    protected: bool,
    /// `None`: the volume has no permissions, or everyone may do everything.
    entries: Option<Vec<Entry>>,
}

/// Creates a folder that only the system, administrators, this process's account, and accounts with
/// an explicit right to the parent folder may enter.
pub(crate) fn create_private_dir(dir: &Path) -> io::Result<()> {
    let above = dir.parent().map(|above| Rights::of(above).map(|it| (above, it)));
    let given = match above {
        // Everything in a private folder is private.
        Some(Ok((above, rights))) if rights.is_private(above)? => return std::fs::create_dir(dir),
        Some(Ok((_, rights))) => rights.given(),
        Some(Err(_)) | None => Vec::new(),
    };
    let descriptor = Descriptor::parse(&private(&given)?)?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).map_err(io::Error::other)?,
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    let wide = wide(dir)?;
    #[expect(
        unsafe_code,
        reason = "std's directories get no rights of their own; the path ends with a zero and the \
                  descriptor outlives the call"
    )]
    let done = unsafe { CreateDirectoryW(wide.as_ptr(), &raw const attributes) };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Stops a folder from inheriting permissions and revokes those of groups such as "Users"; explicit
/// rights of single accounts stay. Returns the names of those who lost a right; empty if the folder
/// was already private or its volume has no permissions.
pub(crate) fn make_private(dir: &Path) -> io::Result<Vec<String>> {
    let rights = Rights::of(dir)?;
    if rights.entries.is_none() || rights.is_private(dir)? {
        return Ok(Vec::new());
    }
    let lost = rights.others(dir)?;
    Descriptor::parse(&private(&rights.given())?)?.put(dir, true)?;
    if readers(dir)?.is_empty() {
        return Ok(lost);
    }
    let text = format!("the volume does not store access rights, and lets {} in", lost.join(", "));
    Err(io::Error::new(io::ErrorKind::Unsupported, text))
}

/// Returns the names of accounts and groups that may read a file or folder, other than those with
/// access to a private folder.
pub(crate) fn readers(path: &Path) -> io::Result<Vec<String>> {
    Rights::of(path)?.others(path)
}

/// Returns who apart from the system and administrators can change a file or delete it from its
/// folder.
pub(crate) fn others_who_write(path: &Path) -> io::Result<Option<String>> {
    if let Some(id) = Rights::of(path)?.holder(CHANGES) {
        return Ok(Some(shown(id)));
    }
    let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return Ok(None);
    };
    let holder = Rights::of(folder)?.holder(DELETES_CHILDREN);
    Ok(holder.map(|id| format!("{} (by its folder)", shown(id))))
}

/// Returns the owner of a file or folder, who can grant themselves any right to it, unless that is
/// this process's account, the system or an administrator.
pub(crate) fn foreign_owner(path: &Path) -> io::Result<Option<String>> {
    let Some(owner) = account::owner_id(path)? else { return Ok(None) };
    let id = owner.to_string();
    let is_trusted = TRUSTED.contains(&id.as_str()) || account::own().is_ok_and(|own| own == owner);
    Ok((!is_trusted).then(|| shown(id)))
}

/// Whether a file belongs to that account.
pub(crate) fn belongs_to(path: &Path, account: &str) -> io::Result<bool> {
    let owner = account::owner_id(path)?;
    Ok(owner.is_some_and(|owner| account::find(account).is_ok_and(|wanted| wanted == owner)))
}

/// Makes a file writable by the system and administrators only, and readable by one account.
pub(crate) fn protect(path: &Path, reader: &str) -> io::Result<()> {
    if Rights::of(path)?.entries.is_none() {
        return Ok(());
    }
    let reader = account::find(reader)?.to_string();
    Descriptor::parse(&protected(&reader))?.put(path, true)
}

/// Copies the explicit permissions of another file in the same folder; the inherited ones are
/// already the same.
pub(crate) fn take_rights(from: &Path, to: &Path) -> io::Result<()> {
    let rights = Rights::of(from)?;
    let Some(entries) = &rights.entries else { return Ok(()) };
    let explicit: String = entries
        .iter()
        .filter(|entry| !entry.has_flag("ID"))
        .map(|entry| entry.whole.as_str())
        .collect();
    if explicit.is_empty() && !rights.protected {
        return Ok(());
    }
    let begin = if rights.protected { "D:P" } else { "D:" };
    Descriptor::parse(&format!("{begin}{explicit}"))?.put(to, rights.protected)
}

fn protected(reader: &str) -> String {
    let administrators = [SYSTEM, ADMINISTRATORS];
    let all = administrators.map(|sid| format!("(A;;FA;;;{sid})")).concat();
    if administrators.contains(&reader) {
        return format!("D:P{all}");
    }
    format!("D:P{all}(A;;FR;;;{reader})")
}

/// Returns the account's name, or its SID if it has none.
fn shown(id: String) -> String {
    Sid::parse(&id).and_then(|sid| sid.name()).map_or(id, |(name, _)| name)
}

/// Lets an account read, write and delete in a folder and in everything below that inherits from
/// it.
pub(crate) fn grant(dir: &Path, account: &str) -> io::Result<()> {
    let sid = account::find(account)?.to_string();
    let rights = Rights::of(dir)?;
    let Some(entries) = &rights.entries else { return Ok(()) };
    let has = |entry: &Entry| {
        entry.kind == "A"
            && entry.id().is_some_and(|id| id == sid)
            && entry.has_flag("OI")
            && entry.has_flag("CI")
            && !entry.has_flag("IO")
            && entry.mask().is_some_and(|mask| mask & 0x0013_01bf == 0x0013_01bf)
    };
    if entries.iter().any(has) {
        return Ok(());
    }
    let explicit = entries.iter().filter(|entry| !entry.has_flag("ID"));
    let mut text = if rights.protected { "D:P" } else { "D:" }.to_owned();
    explicit.for_each(|entry| text.push_str(&entry.whole));
    text.push_str(&allow(MODIFY, &sid));
    Descriptor::parse(&text)?.put(dir, rights.protected)
}

/// Returns the permissions of a private folder, extended by `given`.
fn private(given: &[Entry]) -> io::Result<String> {
    let own = account::own()?.to_string();
    let mut text = "D:P".to_owned();
    let denied = given.iter().filter(|entry| entry.kind != "A");
    denied.for_each(|entry| text.push_str(&entry.whole));
    for sid in [SYSTEM, ADMINISTRATORS, &own] {
        text.push_str(&allow("FA", sid));
    }
    let known = |entry: &&Entry| {
        let id = entry.id();
        entry.kind == "A" && !id.is_some_and(|id| [SYSTEM, ADMINISTRATORS, &own].contains(&&*id))
    };
    given.iter().filter(known).for_each(|entry| text.push_str(&entry.whole));
    Ok(text)
}

fn allow(rights: &str, sid: &str) -> String {
    format!("(A;OICI;{rights};;;{sid})")
}

impl Rights {
    fn of(path: &Path) -> io::Result<Self> {
        let wide = wide(path)?;
        let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
        #[expect(unsafe_code, reason = "std tells no rights; the path ends with a zero")]
        let status = unsafe {
            GetNamedSecurityInfoW(
                wide.as_ptr(),
                SE_FILE_OBJECT,
                DACL_SECURITY_INFORMATION,
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                ptr::null_mut(),
                &raw mut descriptor,
            )
        };
        if status != 0 {
            return Err(system_error(status));
        }
        Descriptor(descriptor).text().map(|text| Self::parse(&text))
    }

    /// Parses the text form, such as `D:PAI(A;OICI;FA;;;SY)`.
    fn parse(text: &str) -> Self {
        let text = text.strip_prefix("D:").unwrap_or(text);
        let (control, list) = text.split_at(text.find('(').unwrap_or(text.len()));
        let none = control.contains("NO_ACCESS_CONTROL") || (control.is_empty() && list.is_empty());
        let entries = split(list).into_iter().map(Entry::parse).collect();
        let control = control.replace("NO_ACCESS_CONTROL", "");
        Self { protected: control.contains('P'), entries: (!none).then_some(entries) }
    }

    fn is_private(&self, path: &Path) -> io::Result<bool> {
        Ok(self.protected && self.others(path)?.is_empty())
    }

    /// Explicit rights of single accounts, and explicit denials: nothing inherited, no groups.
    fn given(&self) -> Vec<Entry> {
        let entries = self.entries.iter().flatten();
        let wanted = |entry: &&Entry| {
            let allowed = entry.kind == "A" && entry.id().is_some_and(|id| !is_crowd(&id));
            !entry.has_flag("ID") && !entry.is_placeholder() && (allowed || entry.kind == "D")
        };
        entries.filter(wanted).cloned().collect()
    }

    /// Returns the first account or group with one of these rights, apart from the system and
    /// administrators.
    fn holder(&self, wanted: u32) -> Option<String> {
        let Some(entries) = &self.entries else { return Some("S-1-1-0".to_owned()) };
        entries.iter().filter(|entry| entry.lets(wanted)).find_map(|entry| {
            let id = entry.id().unwrap_or_else(|| entry.account.clone());
            (!TRUSTED.contains(&id.as_str())).then_some(id)
        })
    }

    /// Returns the names of groups that may read.
    fn others(&self, path: &Path) -> io::Result<Vec<String>> {
        let Some(entries) = &self.entries else { return Ok(vec!["everybody".to_owned()]) };
        let owner = account::owner_id(path)?.map(|sid| sid.to_string());
        let mut names = Vec::new();
        for entry in entries {
            let Some(id) = entry.id() else { continue };
            if entry.lets_read() && Some(&id) != owner.as_ref() && is_crowd(&id) {
                let name = Sid::parse(&id).and_then(|sid| sid.name()).map(|(name, _)| name);
                let name = name.unwrap_or(id);
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        Ok(names)
    }
}

impl Entry {
    /// Parses an entry such as `(A;OICI;FA;;;SY)`.
    fn parse(whole: &str) -> Self {
        let inner = whole.trim_start_matches('(').trim_end_matches(')');
        let mut parts = inner.split(';').map(str::to_owned);
        let mut next = || parts.next().unwrap_or_default();
        let (kind, flags, rights) = (next(), next(), next());
        let (_, _, account) = (next(), next(), next());
        Self { kind, flags, rights, account, whole: whole.to_owned() }
    }

    fn has_flag(&self, flag: &str) -> bool {
        self.flags.as_bytes().chunks(2).any(|found| found == flag.as_bytes())
    }

    /// Whether it stands for the creator or owner instead of an account.
    fn is_placeholder(&self) -> bool {
        matches!(self.account.as_str(), "CO" | "CG" | "OW")
            || self.id().is_some_and(|id| id.starts_with("S-1-3-"))
    }

    fn lets_read(&self) -> bool {
        // FILE_READ_DATA, GENERIC_READ, GENERIC_ALL
        self.lets(0x9000_0001)
    }

    /// Whether it grants one of these rights.
    fn lets(&self, wanted: u32) -> bool {
        // Conditional entries (`XA`) may grant it.
        let allows = matches!(self.kind.as_str(), "A" | "XA");
        let here = !self.has_flag("IO") && !self.is_placeholder();
        allows && here && self.mask().is_none_or(|mask| mask & wanted != 0)
    }

    /// The rights as bits; `None` if the form is unknown.
    fn mask(&self) -> Option<u32> {
        if let Some(hex) = self.rights.strip_prefix("0x") {
            return u32::from_str_radix(hex, 16).ok();
        }
        let mut mask = 0;
        for word in self.rights.as_bytes().chunks(2) {
            mask |= match word {
                b"GA" => 0x1000_0000,
                b"GX" => 0x2000_0000,
                b"GW" => 0x4000_0000,
                b"GR" => 0x8000_0000,
                b"FA" => 0x001f_01ff,
                b"FR" => 0x0012_0089,
                b"FW" => 0x0012_0116,
                b"FX" => 0x0012_00a0,
                b"SD" => 0x0001_0000,
                b"RC" => 0x0002_0000,
                b"WD" => 0x0004_0000,
                b"WO" => 0x0008_0000,
                b"CC" => 0x001,
                b"DC" => 0x002,
                b"LC" => 0x004,
                b"SW" => 0x008,
                b"RP" => 0x010,
                b"WP" => 0x020,
                b"DT" => 0x040,
                b"LO" => 0x080,
                b"CR" => 0x100,
                _ => return None,
            };
        }
        Some(mask)
    }

    /// The account's SID; `None` for letters that stand for an account of this PC or its domain,
    /// which the system must resolve.
    fn id(&self) -> Option<String> {
        let known = match self.account.as_str() {
            "SY" => SYSTEM,
            "BA" => ADMINISTRATORS,
            "LS" => "S-1-5-19",
            "NS" => "S-1-5-20",
            "BU" => "S-1-5-32-545",
            "BG" => "S-1-5-32-546",
            "PU" => "S-1-5-32-547",
            "WD" => "S-1-1-0",
            "AU" => "S-1-5-11",
            "IU" => "S-1-5-4",
            "NU" => "S-1-5-2",
            "AN" => "S-1-5-7",
            "SU" => "S-1-5-6",
            "CO" => "S-1-3-0",
            "CG" => "S-1-3-1",
            "OW" => "S-1-3-4",
            id if id.starts_with("S-1-") => id,
            letters => return translated(letters),
        };
        Some(known.to_owned())
    }
}

/// Resolves two letters to their SID on this PC, by parsing them as the owner of a descriptor.
fn translated(letters: &str) -> Option<String> {
    use windows_sys::Win32::Security::{GetSecurityDescriptorOwner, PSID};
    let descriptor = Descriptor::parse(&format!("O:{letters}")).ok()?;
    let (mut sid, mut defaulted): (PSID, i32) = (ptr::null_mut(), 0);
    #[expect(unsafe_code, reason = "the descriptor is valid and outlives the id in it")]
    let found = unsafe {
        let done = GetSecurityDescriptorOwner(descriptor.0, &raw mut sid, &raw mut defaulted);
        if done == 0 { None } else { Sid::copied(sid) }
    };
    found.map(|sid| sid.to_string())
}

/// Whether a SID stands for many people; not administrators or services.
fn is_crowd(id: &str) -> bool {
    const TRUSTED: [&str; 5] = [SYSTEM, "S-1-5-19", "S-1-5-20", ADMINISTRATORS, "S-1-5-32-551"];
    if TRUSTED.contains(&id) || id.starts_with("S-1-5-80-") || id.starts_with("S-1-3-") {
        return false;
    }
    if let Some(domain) = id.strip_prefix("S-1-5-21-") {
        return match domain.rsplit('-').next().and_then(|number| number.parse::<u32>().ok()) {
            // Administrators of the domain and of the forest.
            Some(512 | 518 | 519) => false,
            // All domain users, guests, computers.
            Some(513..=515) => true,
            _ => Sid::parse(id).and_then(|sid| sid.name()).is_some_and(|(_, is_group)| is_group),
        };
    }
    true
}

/// Splits a list into its entries, which may contain parentheses themselves.
fn split(list: &str) -> Vec<&str> {
    let (mut found, mut depth, mut start) = (Vec::new(), 0_u32, 0);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'(' => {
                if depth == 0 {
                    start = at;
                }
                depth += 1;
            }
            b')' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    found.push(&list[start..=at]);
                }
            }
            _ => {}
        }
    }
    found
}

/// A security descriptor allocated by a system call.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Drop for Descriptor {
    fn drop(&mut self) {
        free(self.0);
    }
}

impl Descriptor {
    fn parse(text: &str) -> io::Result<Self> {
        let wide = wide_text(text)?;
        let mut descriptor: PSECURITY_DESCRIPTOR = ptr::null_mut();
        #[expect(
            unsafe_code,
            reason = "the text ends with a zero; what is given out is freed on drop"
        )]
        let done = unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                wide.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        };
        if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Self(descriptor)) }
    }

    fn text(&self) -> io::Result<String> {
        let mut wide: *mut u16 = ptr::null_mut();
        let mut length = 0;
        #[expect(
            unsafe_code,
            reason = "the descriptor is valid; the text is as long as said, and freed"
        )]
        let text = unsafe {
            let done = ConvertSecurityDescriptorToStringSecurityDescriptorW(
                self.0,
                SDDL_REVISION_1,
                DACL_SECURITY_INFORMATION,
                &raw mut wide,
                &raw mut length,
            );
            if done == 0 {
                return Err(io::Error::last_os_error());
            }
            let units = std::slice::from_raw_parts(wide, usize::try_from(length).unwrap_or(0));
            let text = account::text(units);
            free(wide.cast());
            text
        };
        Ok(text)
    }

    /// Sets its access control list on a folder; children that inherit get it too.
    fn put(&self, path: &Path, protected: bool) -> io::Result<()> {
        let wide = wide(path)?;
        let inheritance = if protected {
            PROTECTED_DACL_SECURITY_INFORMATION
        } else {
            UNPROTECTED_DACL_SECURITY_INFORMATION
        };
        let mut acl: *mut ACL = ptr::null_mut();
        let (mut present, mut defaulted) = (0, 0);
        #[expect(
            unsafe_code,
            reason = "the list lies in the descriptor, which outlives both calls; the path ends with \
                      a zero"
        )]
        let status = unsafe {
            let found = GetSecurityDescriptorDacl(
                self.0,
                &raw mut present,
                &raw mut acl,
                &raw mut defaulted,
            );
            // A missing list would grant access to everyone.
            if found == 0 || present == 0 || acl.is_null() {
                return Err(io::Error::other("there is no list of rights to set"));
            }
            SetNamedSecurityInfoW(
                wide.as_ptr(),
                SE_FILE_OBJECT,
                DACL_SECURITY_INFORMATION | inheritance,
                ptr::null_mut(),
                ptr::null_mut(),
                acl,
                ptr::null(),
            )
        };
        if status == 0 { Ok(()) } else { Err(system_error(status)) }
    }
}

#[cfg(test)]
#[path = "acl_tests.rs"]
mod tests;
