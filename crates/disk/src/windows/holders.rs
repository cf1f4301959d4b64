//! Finds the programs that hold a file open, using the Restart Manager: what an installer asks
//! before it replaces a file. It only knows local files.

use std::path::PathBuf;
use std::ptr;

use windows_sys::Win32::Foundation::ERROR_MORE_DATA;
use windows_sys::Win32::System::RestartManager::{
    CCH_RM_SESSION_KEY, RM_PROCESS_INFO, RmEndSession, RmGetList, RmRegisterResources,
    RmStartSession,
};

use super::account::text;
use super::path::wide;

/// Naming this many programs is enough.
const MOST: usize = 8;
/// Checking this many files is enough to find them.
const FILES: usize = 256;

/// Returns the names of the programs, without duplicates; empty if the system does not tell.
pub(crate) fn holders(paths: &[PathBuf]) -> Vec<String> {
    let Some(session) = Session::start() else { return Vec::new() };
    let wide: Vec<Vec<u16>> = paths.iter().take(FILES).filter_map(|path| wide(path).ok()).collect();
    let files: Vec<*const u16> = wide.iter().map(Vec::as_ptr).collect();
    let Ok(count) = u32::try_from(files.len()) else { return Vec::new() };
    #[expect(
        unsafe_code,
        reason = "the session is open; the names end with a zero and outlive the call"
    )]
    let status = unsafe {
        RmRegisterResources(session.0, count, files.as_ptr(), 0, ptr::null(), 0, ptr::null())
    };
    if status == 0 { session.programs() } else { Vec::new() }
}

struct Session(u32);

impl Session {
    fn start() -> Option<Self> {
        let mut session = 0;
        // The key and its terminating zero.
        let mut key = vec![0_u16; usize::try_from(CCH_RM_SESSION_KEY).ok()? + 1];
        #[expect(unsafe_code, reason = "the key has the room that the call asks for")]
        let status = unsafe { RmStartSession(&raw mut session, 0, key.as_mut_ptr()) };
        (status == 0).then_some(Self(session))
    }

    fn programs(&self) -> Vec<String> {
        let mut found = [RM_PROCESS_INFO::default(); MOST];
        let (mut needed, mut reasons) = (0, 0);
        let Ok(mut count) = u32::try_from(found.len()) else { return Vec::new() };
        #[expect(unsafe_code, reason = "the session is open; the count is that of the array")]
        let status = unsafe {
            RmGetList(self.0, &raw mut needed, &raw mut count, found.as_mut_ptr(), &raw mut reasons)
        };
        if status != 0 && status != ERROR_MORE_DATA {
            return Vec::new();
        }
        let count = usize::try_from(count).unwrap_or_default().min(found.len());
        let mut names = Vec::new();
        for program in &found[..count] {
            let name = text(&program.strAppName);
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "the session is open and ended once")]
        unsafe {
            RmEndSession(self.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_holds_what_is_not_open_and_the_question_does_no_harm() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("scan.stl");
        std::fs::write(&path, "scan").expect("written");
        assert_eq!(holders(&[path.clone(), dir.path().join("gone")]), Vec::<String>::new());
        std::fs::remove_file(&path).expect("still ours");
    }
}
