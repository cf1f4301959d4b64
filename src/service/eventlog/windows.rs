//! The Windows event log. Its viewer takes an entry's text from a message file; that of the
//! system's own `eventcreate` contains, for ids 1 to 1000, just the text that is passed along.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_SUCCESS};
use windows_sys::Win32::System::EventLog::{
    DeregisterEventSource, EVENTLOG_ERROR_TYPE, EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE,
    RegisterEventSourceW, ReportEventW,
};
use windows_sys::Win32::System::Registry::{
    HKEY_LOCAL_MACHINE, REG_DWORD, REG_EXPAND_SZ, RRF_NOEXPAND, RRF_RT_REG_EXPAND_SZ,
    RegDeleteTreeW, RegGetValueW, RegSetKeyValueW,
};

use super::{Entry, Severity, Sink};

const SOURCE: &str = "Casedrop";
const SOURCES: &str = r"SYSTEM\CurrentControlSet\Services\EventLog\Application";
const MESSAGES: &str = r"%SystemRoot%\System32\EventCreate.exe";
/// Errors, warnings and information.
const TYPES: u32 = 7;
/// The maximum length of an entry's text, with room to spare.
const LONGEST: usize = 30_000;

/// Registers Casedrop as a source of entries. Requires administrator rights.
pub fn register() -> io::Result<()> {
    register_as(SOURCE)
}

/// Undoes [`register`]. Existing entries stay.
pub fn unregister() -> io::Result<()> {
    unregister_as(SOURCE)
}

/// Whether Casedrop is registered as a source: then it is installed here, not just being tried out.
pub fn is_registered() -> bool {
    is_registered_as(SOURCE)
}

pub(super) struct SystemLog;

impl Sink for SystemLog {
    fn write(&mut self, entry: &Entry) {
        if let Err(error) = report(SOURCE, entry) {
            tracing::debug!("an event log entry could not be written: {error}");
        }
    }
}

fn report(source: &str, entry: &Entry) -> io::Result<()> {
    let kind = match entry.severity {
        Severity::Error => EVENTLOG_ERROR_TYPE,
        Severity::Warning => EVENTLOG_WARNING_TYPE,
        Severity::Information => EVENTLOG_INFORMATION_TYPE,
    };
    let (source, text) = (wide(source), wide(&entry.text));
    let texts = [text.as_ptr()];
    #[expect(
        unsafe_code,
        reason = "std writes no event log; both texts end with a zero and outlive the calls, and the \
                  handle is closed once"
    )]
    let result = unsafe {
        let log = RegisterEventSourceW(ptr::null(), source.as_ptr());
        if log.is_null() {
            return Err(io::Error::last_os_error());
        }
        let id = u32::from(entry.id);
        let user = ptr::null_mut();
        let done = ReportEventW(log, kind, 0, id, user, 1, 0, texts.as_ptr(), ptr::null());
        let result = if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) };
        DeregisterEventSource(log);
        result
    };
    result
}

fn register_as(source: &str) -> io::Result<()> {
    let messages = wide(MESSAGES);
    let bytes: Vec<u8> = messages.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    set(source, "EventMessageFile", REG_EXPAND_SZ, &bytes)?;
    set(source, "TypesSupported", REG_DWORD, &TYPES.to_le_bytes())
}

/// Sets a value of the source's registry key, creating the key if it is missing.
fn set(source: &str, name: &str, kind: u32, bytes: &[u8]) -> io::Result<()> {
    let (key, name) = (key_of(source), wide(name));
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    #[expect(unsafe_code, reason = "the names end with a zero, the length is that of the value")]
    let status = unsafe {
        RegSetKeyValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            name.as_ptr(),
            kind,
            bytes.as_ptr().cast(),
            length,
        )
    };
    of_status(status)
}

fn unregister_as(source: &str) -> io::Result<()> {
    let key = key_of(source);
    #[expect(unsafe_code, reason = "the name ends with a zero")]
    let status = unsafe { RegDeleteTreeW(HKEY_LOCAL_MACHINE, key.as_ptr()) };
    if status == ERROR_FILE_NOT_FOUND { Ok(()) } else { of_status(status) }
}

fn is_registered_as(source: &str) -> bool {
    let (key, name) = (key_of(source), wide("EventMessageFile"));
    #[expect(unsafe_code, reason = "the names end with a zero; nothing is written")]
    let status = unsafe {
        RegGetValueW(
            HKEY_LOCAL_MACHINE,
            key.as_ptr(),
            name.as_ptr(),
            RRF_RT_REG_EXPAND_SZ | RRF_NOEXPAND,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    status == ERROR_SUCCESS
}

fn key_of(source: &str) -> Vec<u16> {
    wide(&format!(r"{SOURCES}\{source}"))
}

fn of_status(status: u32) -> io::Result<()> {
    if status == ERROR_SUCCESS {
        return Ok(());
    }
    Err(io::Error::from_raw_os_error(i32::try_from(status).unwrap_or(i32::MAX)))
}

/// Encodes the text up to the first NUL, truncated to the maximum length.
fn wide(text: &str) -> Vec<u16> {
    let units = text.encode_utf16().take_while(|unit| *unit != 0);
    units.take(LONGEST).chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_known_from_its_registration_to_its_end() {
        const NAME: &str = "Casedrop-Test-Source";
        unregister_as(NAME).expect("none there is fine");
        assert!(!is_registered_as(NAME));
        register_as(NAME).expect("registered");
        register_as(NAME).expect("again");
        assert!(is_registered_as(NAME));
        let entry = Entry::rolled_back("1.2.3", "It did not start.");
        report(NAME, &entry).expect("the system takes the entry");
        unregister_as(NAME).expect("removed");
        assert!(!is_registered_as(NAME));
    }

    #[test]
    fn a_text_ends_at_a_zero_and_where_an_entry_is_full() {
        assert_eq!(wide("a\0b"), [97, 0]);
        assert_eq!(wide(&"x".repeat(100_000)).len(), LONGEST + 1);
    }
}
