//! Helpers built on the calls of [`Disk`].

use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Disk, DiskError, LockGuard};

/// How long to try for a lock that others only ask about (see [`Disk::is_locked`]): each is in the way
/// for a moment.
pub const ASKED_ABOUT: Duration = Duration::from_secs(1);
/// The pause between two tries for a lock.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Reads a whole small file. A file longer than `max` bytes is an error of kind
/// [`FileTooLarge`](io::ErrorKind::FileTooLarge), detected without reading on.
pub fn read_limited(disk: &dyn Disk, path: &Path, max: u64) -> Result<Vec<u8>, DiskError> {
    let fail = |source| DiskError { operation: "read", path: path.to_path_buf(), source };
    let too_large = || {
        let text = format!("it is longer than {max} bytes");
        fail(io::Error::new(io::ErrorKind::FileTooLarge, text))
    };
    let mut file = disk.open(path)?;
    // Some special files do not report their length.
    if let Ok(len) = file.seek(SeekFrom::End(0)) {
        if len > max {
            return Err(too_large());
        }
        file.rewind().map_err(fail)?;
    }
    let mut bytes = Vec::new();
    // It may grow while we read.
    file.take(max.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > max { Err(too_large()) } else { Ok(bytes) }
}

/// Takes a lock, waiting for it for at most `patience`; `None` if someone else keeps it.
pub fn take_lock(
    disk: &dyn Disk,
    path: &Path,
    patience: Duration,
) -> Result<Option<LockGuard>, DiskError> {
    let began = Instant::now();
    loop {
        let lock = disk.try_lock(path)?;
        if lock.is_some() || began.elapsed() >= patience {
            return Ok(lock);
        }
        std::thread::sleep(LOCK_PAUSE);
    }
}

/// Writes a small file so that after a power failure it has either the old or the new content,
/// complete: written next to the target, synced, renamed over it, directory synced.
pub fn write_durably(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    write(disk, path, bytes, Rights::Usual)
}

/// Like [`write_durably`], for content that only this user may read.
pub fn write_durably_private(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    write(disk, path, bytes, Rights::Private)
}

/// Like [`write_durably`], for an existing file whose permissions were chosen by the user: they are
/// kept.
pub fn replace_durably(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), DiskError> {
    write(disk, path, bytes, Rights::AsBefore)
}

/// Permissions of the new file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rights {
    Usual,
    Private,
    AsBefore,
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8], rights: Rights) -> Result<(), DiskError> {
    let beside = beside(path);
    // A crash may have left one behind.
    if disk.kind(&beside)?.is_some() {
        disk.remove_file(&beside)?;
    }
    let mut file = match rights {
        Rights::Usual => disk.create(&beside)?,
        // At no time can it be read by anyone who could not read the old file.
        Rights::Private | Rights::AsBefore => disk.create_private(&beside)?,
    };
    let written = file.write_all(bytes).and_then(|()| file.flush()).and_then(|()| file.sync());
    drop(file);
    let put = match written {
        Ok(()) if rights == Rights::AsBefore => {
            disk.take_rights(path, &beside).and_then(|()| disk.replace_file(&beside, path))
        }
        Ok(()) => disk.replace_file(&beside, path),
        Err(source) => Err(DiskError { operation: "write", path: beside.clone(), source }),
    };
    if put.is_err() {
        // The first error is the one to report.
        let _ = disk.remove_file(&beside);
    }
    put?;
    match path.parent() {
        Some(dir) => disk.sync_dir(dir),
        None => Ok(()),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::super::RealDisk;
    use super::*;

    #[test]
    fn a_small_file_is_replaced_whole_and_nothing_stays_beside_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("state.json");
        std::fs::write(dir.path().join("state.json.new"), "left by a crash").expect("write");
        write_durably(&RealDisk, &path, b"one").expect("first");
        write_durably(&RealDisk, &path, b"two").expect("second");
        assert_eq!(read_limited(&RealDisk, &path, 3).expect("read"), b"two");
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_file_over_the_limit_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("big");
        write_durably(&RealDisk, &path, &[0; 9]).expect("write");
        let error = read_limited(&RealDisk, &path, 8).expect_err("too long");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("big"));
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_replaced_keeps_its_rights() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("casedrop.yaml");
        for mode in [0o640, 0o604] {
            std::fs::write(&path, "one").expect("written");
            let rights = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(&path, rights).expect("set");
            replace_durably(&RealDisk, &path, b"two").expect("replaced");
            let found = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
            assert_eq!(found, mode);
            assert_eq!(std::fs::read(&path).expect("read"), b"two");
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1);
        replace_durably(&RealDisk, &dir.path().join("none"), b"").expect_err("there is none");
        assert_eq!(std::fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn a_private_file_is_closed_to_others() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("tempdir");
        let folder = dir.path().join("state/deep");
        RealDisk.create_private_dirs(&folder).expect("dirs");
        write_durably_private(&RealDisk, &folder.join("token"), b"x").expect("write");
        let mode =
            |path: &Path| std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        assert_eq!(mode(&folder.join("token")), 0o600);
    }
}
