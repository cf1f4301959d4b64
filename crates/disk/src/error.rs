//! What a failed file system call says about this PC.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use casedrop_model::discreet::file_name;
use casedrop_model::fault::{DISK, DISK_FULL, Fault, FaultClass, SHARE_GONE};

/// Folders of orders, and how many path components below each are ours: names of labs, accounts and
/// jobs.
static OF_ORDERS: RwLock<Vec<(PathBuf, usize)>> = RwLock::new(Vec::new());

/// Registers a folder below which, after `ours` components of our own, names were chosen by others.
/// Messages about such paths leave out words that could name a person.
pub fn others_name_below(folder: &Path, ours: usize) {
    let mut all = OF_ORDERS.write().unwrap_or_else(PoisonError::into_inner);
    if !all.iter().any(|(known, _)| known == folder) {
        all.push((folder.to_path_buf(), ours));
    }
}

/// Returns a path as shown in messages.
pub fn shown(path: &Path) -> String {
    let all = OF_ORDERS.read().unwrap_or_else(PoisonError::into_inner);
    let inside = all.iter().filter_map(|(folder, ours)| {
        let rest = path.strip_prefix(folder).ok()?;
        Some((folder, *ours, rest))
    });
    // The innermost folder is the most specific.
    let Some((folder, ours, rest)) = inside.min_by_key(|(.., rest)| rest.components().count())
    else {
        return path.display().to_string();
    };
    let mut shown = folder.clone();
    for (at, part) in rest.iter().enumerate() {
        let part = part.to_string_lossy();
        shown.push(if at < ours { part.into_owned() } else { file_name(&part) });
    }
    shown.display().to_string()
}

/// A failed file system call.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {}", shown(path))]
pub struct DiskError {
    /// The attempted operation as a verb: `create`, `read`, `rename`, …
    pub operation: &'static str,
    pub path: PathBuf,
    /// The system's error.
    #[source]
    pub source: io::Error,
}

impl DiskError {
    /// Returns the system's kind of error. A share that does not answer is never "not found",
    /// whatever the system calls it: no caller may conclude that its orders are gone.
    pub fn kind(&self) -> io::ErrorKind {
        if self.is_away() { io::ErrorKind::NetworkUnreachable } else { self.source.kind() }
    }

    /// Whether another program is holding the file or folder open.
    pub fn is_busy(&self) -> bool {
        let held = cfg!(windows) && matches!(self.source.raw_os_error(), Some(5 | 32 | 33));
        held || self.source.kind() == io::ErrorKind::ResourceBusy
    }

    /// If something was to be opened as a file and is not one, returns what it is: a folder, a
    /// pipe, a socket, a device.
    pub fn no_file(&self) -> Option<&'static str> {
        let inner = self.source.get_ref()?;
        inner.downcast_ref::<NoFile>().map(|no_file| no_file.0)
    }

    /// Whether the share or drive does not answer, so nothing is known about its contents.
    pub fn is_away(&self) -> bool {
        is_away(&self.source)
    }
}

/// Something opened as a file that has no content, or content we might wait for forever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is {0}, not a file")]
pub(super) struct NoFile(pub(super) &'static str);

impl NoFile {
    pub(super) fn error(self) -> io::Error {
        let kind = if self == Self::DIRECTORY {
            io::ErrorKind::IsADirectory
        } else {
            io::ErrorKind::InvalidInput
        };
        io::Error::new(kind, self)
    }

    pub(super) const DIRECTORY: Self = Self("a folder");
}

/// Whether an error means that a share or drive does not answer.
pub(super) fn is_away(error: &io::Error) -> bool {
    use io::ErrorKind::{
        HostUnreachable, NetworkDown, NetworkUnreachable, NotConnected, StaleNetworkFileHandle,
        TimedOut,
    };
    if cfg!(windows) && error.raw_os_error().is_some_and(is_away_on_windows) {
        return true;
    }
    matches!(
        error.kind(),
        HostUnreachable
            | NetworkDown
            | NetworkUnreachable
            | NotConnected
            | StaleNetworkFileHandle
            | TimedOut
    )
}

/// Windows error codes: the standard library maps some of them to "not found" and most to nothing.
fn is_away_on_windows(code: i32) -> bool {
    matches!(
        code,
        // The drive is not ready, or was unplugged.
        21 | 1167
        // The server or share was not found, is gone, busy, or in trouble.
        | 51 | 53..=55 | 59 | 64 | 67 | 71 | 121 | 240
        // No network, or no route to the server.
        | 1203 | 1222 | 1225 | 1231..=1236 | 1256
    )
}

impl From<DiskError> for Fault {
    fn from(error: DiskError) -> Self {
        let (code, hint) = match error.kind() {
            _ if error.no_file().is_some() => {
                ("no-file", "something else is in the place of a file; move it away")
            }
            _ if error.is_away() => (
                SHARE_GONE,
                "its share or drive does not answer; Casedrop continues automatically once it is \
                 back",
            ),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (DISK_FULL, "free some space on that volume; Casedrop then continues automatically")
            }
            io::ErrorKind::PermissionDenied => {
                ("permission-denied", "give the agent's user the right to write there")
            }
            io::ErrorKind::ReadOnlyFilesystem => {
                ("read-only", "make that volume writable for the agent's user")
            }
            io::ErrorKind::NotFound => {
                ("not-found", "check that the path is right and its volume is mounted")
            }
            _ => (DISK, "check the volume with this path"),
        };
        Self::new(FaultClass::Local, code, error.to_string()).hint(hint).caused_by(error.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(source: io::Error) -> DiskError {
        DiskError { operation: "read", path: "x".into(), source }
    }

    #[test]
    fn a_share_that_does_not_answer_is_neither_found_missing_nor_a_broken_disk() {
        for kind in [io::ErrorKind::NetworkDown, io::ErrorKind::StaleNetworkFileHandle] {
            let error = error(kind.into());
            assert!(error.is_away() && !error.is_busy());
            let fault = Fault::from(error);
            assert_eq!((fault.class, fault.code), (FaultClass::Local, "share-gone"));
        }
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied] {
            assert!(!error(kind.into()).is_away(), "{kind}");
        }
        assert!(is_away_on_windows(53) && !is_away_on_windows(2) && !is_away_on_windows(5));
    }

    #[test]
    fn a_message_about_a_file_of_an_order_names_nobody() {
        let dir = std::env::temp_dir().join("Praxis Dr. Meier/orders-of-this-test");
        others_name_below(&dir, 3);
        let path = dir.join("smile-lab/4711/17/Zzyzx_Anna/17_shell_u.stl");
        let error =
            DiskError { operation: "write", path, source: io::ErrorKind::StorageFull.into() };
        let fault = Fault::from(error).chain();
        assert!(!fault.contains("Zzyzx") && !fault.contains("Anna"), "{fault}");
        // The location stays readable.
        assert!(fault.contains("Praxis Dr. Meier") && fault.contains("17_shell_u.stl"), "{fault}");
        assert!(fault.contains("smile-lab"), "{fault}");
    }

    #[cfg(windows)]
    #[test]
    fn what_windows_says_of_shares_is_not_taken_for_a_missing_file() {
        for code in [53, 64, 67, 59, 1231, 55, 121] {
            let error = error(io::Error::from_raw_os_error(code));
            assert!(error.is_away(), "{code}");
            assert_eq!(error.kind(), io::ErrorKind::NetworkUnreachable, "{code}");
        }
        assert_eq!(error(io::Error::from_raw_os_error(3)).kind(), io::ErrorKind::NotFound);
        assert!(error(io::Error::from_raw_os_error(32)).is_busy());
    }
}
