//! The operating system's file system.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::error::{NoFile, is_away};
use super::{Disk, DiskError, Entry, Kind, LockGuard, Moved, ReadFile, Stamp, WriteFile, system};

#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

struct Writing(File);

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl WriteFile for Writing {
    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// Adds the operation and the path to an error.
fn on(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    move |source| DiskError { operation, path: path.to_path_buf(), source }
}

impl Disk for RealDisk {
    fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError> {
        match path.symlink_metadata() {
            Ok(metadata) => Ok(Some(kind_of(metadata.file_type()))),
            Err(error) if absent(&error) => Ok(None),
            Err(error) => Err(on("look at", path)(error)),
        }
    }

    fn stamp(&self, path: &Path) -> Result<Stamp, DiskError> {
        let stamp = || {
            let metadata = path.symlink_metadata()?;
            let hidden = system::is_hidden(&metadata);
            Ok(Stamp { len: metadata.len(), modified: metadata.modified()?, hidden })
        };
        stamp().map_err(on("look at", path))
    }

    fn is_at_rest(&self, path: &Path) -> Result<bool, DiskError> {
        let is_link = || path.symlink_metadata().is_ok_and(|it| it.is_symlink());
        let no_file = |error: io::Error| match system::no_file_at(path, &error) {
            Some(what) if error.get_ref().is_none() && !is_link() => what.error(),
            _ => error,
        };
        system::is_at_rest(path).map_err(no_file).map_err(on("open", path))
    }

    fn owner(&self, path: &Path) -> Result<Option<String>, DiskError> {
        system::owner(path).map_err(on("find the owner of", path))
    }

    fn others_who_write(&self, path: &Path) -> Result<Option<String>, DiskError> {
        system::others_who_write(path).map_err(on("look at the rights of", path))
    }

    fn foreign_owner(&self, path: &Path) -> Result<Option<String>, DiskError> {
        system::foreign_owner(path).map_err(on("ask for the owner of", path))
    }

    fn belongs_to(&self, path: &Path, account: &str) -> Result<bool, DiskError> {
        system::belongs_to(path, account).map_err(on("ask for the owner of", path))
    }

    // On other systems, packages and administrators set permissions.
    #[cfg(windows)]
    fn protect(&self, path: &Path, reader: &str) -> Result<(), DiskError> {
        system::protect(path, reader).map_err(on("change the rights of", path))
    }

    fn take_rights(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        system::take_rights(from, to).map_err(on("set the rights of", to))
    }

    fn is_own(&self, path: &Path) -> Result<bool, DiskError> {
        system::is_own(path).map_err(on("ask for the owner of", path))
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>, DiskError> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(dir).map_err(on("list", dir))? {
            let entry = entry.map_err(on("list", dir))?;
            let path = entry.path();
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Removed while we were listing.
                Err(error) if absent(&error) => continue,
                Err(error) => return Err(on("look at", &path)(error)),
            };
            let kind = kind_of(metadata.file_type());
            let len = if kind == Kind::File { metadata.len() } else { 0 };
            entries.push(Entry { name: entry.file_name().into_string().ok(), path, kind, len });
        }
        entries.sort_by(|a, b| a.path.file_name().cmp(&b.path.file_name()));
        Ok(entries)
    }

    fn create_dirs(&self, dir: &Path) -> Result<(), DiskError> {
        create_dirs(dir, |dir| std::fs::create_dir(dir))
    }

    fn create_private_dirs(&self, dir: &Path) -> Result<(), DiskError> {
        create_dirs(dir, system::create_private_dir)
    }

    fn make_private(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        system::make_private(dir).map_err(on("take rights of others away from", dir))
    }

    fn readers(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        system::readers(path).map_err(on("find who may read", path))
    }

    fn network_volume(&self, path: &Path) -> Result<Option<String>, DiskError> {
        system::network_volume(path).map_err(on("look at the volume of", path))
    }

    fn grant(&self, dir: &Path, account: &str) -> Result<(), DiskError> {
        system::grant(dir, account).map_err(on("give an account rights to", dir))
    }

    fn create_private(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        let mut options = OpenOptions::new();
        system::private_file(&mut options);
        write_with(options.write(true).create_new(true), "create", path)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        write_with(OpenOptions::new().write(true).create_new(true), "create", path)
    }

    fn create_program(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        let mut options = OpenOptions::new();
        system::program_file(&mut options);
        let file = write_with(options.write(true).create_new(true), "create", path)?;
        system::open_to_all(path).map_err(on("open to all", path))?;
        Ok(file)
    }

    fn append(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        let file = open_file(OpenOptions::new().append(true), path).map_err(on("open", path))?;
        Ok(Box::new(Writing(file)))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn ReadFile>, DiskError> {
        let file = open_file(OpenOptions::new().read(true), path).map_err(on("open", path))?;
        Ok(Box::new(file))
    }

    fn replace_file(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        system::patiently(|| std::fs::rename(from, to)).map_err(on("replace", to))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<Moved, DiskError> {
        let done = system::patiently(|| system::rename_no_replace(from, to)).map_err(|error| {
            on("rename", if error.kind() == io::ErrorKind::NotFound { from } else { to })(error)
        })?;
        Ok(if done { Moved::Done } else { Moved::TargetExists })
    }

    fn exchange(&self, a: &Path, b: &Path) -> Result<bool, DiskError> {
        system::exchange(a, b).map_err(on("exchange", b))
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        system::sync_dir(dir).map_err(on("sync", dir))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<bool, DiskError> {
        use io::ErrorKind::{AlreadyExists, NotFound, QuotaExceeded, StorageFull};
        match std::fs::hard_link(from, to) {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    AlreadyExists | NotFound | QuotaExceeded | StorageFull
                ) =>
            {
                Err(on("link", to)(error))
            }
            // Volumes without links fail in many ways; a copy will show what is really wrong.
            Err(_) => Ok(false),
        }
    }

    fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        system::patiently(|| system::remove_file(path)).map_err(on("remove", path))
    }

    fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        system::patiently(|| system::remove_dir(path)).map_err(on("remove", path))
    }

    fn remove_tree(&self, path: &Path) -> Result<(), DiskError> {
        system::remove_tree(path).map_err(on("remove", path))
    }

    fn holders(&self, paths: &[PathBuf]) -> Vec<String> {
        system::holders(paths)
    }

    fn free_space(&self, path: &Path) -> Result<u64, DiskError> {
        let existing = path.ancestors().find(|dir| dir.exists()).unwrap_or(path);
        fs4::available_space(system::for_others(existing))
            .map_err(on("measure the free space at", path))
    }

    fn same_volume(&self, a: &Path, b: &Path) -> Result<bool, DiskError> {
        system::same_volume(a, b).map_err(on("find the volume of", b))
    }

    fn may_create_in(&self, dir: &Path) -> Result<(), DiskError> {
        system::may_create_in(dir).map_err(on("write to", dir))
    }

    fn hide(&self, path: &Path) -> Result<(), DiskError> {
        system::hide(path).map_err(on("hide", path))
    }

    fn try_lock(&self, path: &Path) -> Result<Option<LockGuard>, DiskError> {
        let file = lock_file(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(LockGuard::new(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(on("lock", path)(error)),
        }
    }

    fn is_locked(&self, path: &Path) -> Result<bool, DiskError> {
        let mut options = OpenOptions::new();
        let file = match open_file(options.read(true), path) {
            Ok(file) => file,
            Err(error) if absent(&error) => return Ok(false),
            Err(error) => return Err(on("open", path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(on("lock", path)(error)),
        }
    }

    fn lock(&self, path: &Path) -> Result<LockGuard, DiskError> {
        let file = lock_file(path)?;
        file.lock().map_err(on("lock", path))?;
        Ok(LockGuard::new(file))
    }
}

fn kind_of(kind: std::fs::FileType) -> Kind {
    if kind.is_file() {
        Kind::File
    } else if kind.is_dir() {
        Kind::Dir
    } else {
        Kind::Other
    }
}

/// Whether nothing exists there; includes the case that a parent directory is actually a file.
fn absent(error: &io::Error) -> bool {
    let is_missing = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    is_missing && !is_away(error)
}

fn write_with(
    options: &OpenOptions,
    operation: &'static str,
    path: &Path,
) -> Result<Box<dyn WriteFile>, DiskError> {
    let file = options.open(path).map_err(on(operation, path))?;
    Ok(Box::new(Writing(file)))
}

fn lock_file(path: &Path) -> Result<File, DiskError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    open_file(&mut options, path).map_err(on("open", path))
}

/// Returns what is at a path instead of a file, following links; `None` for a file or nothing.
/// Opens nothing: for files that a library will open and whose locks end as soon as anything closes
/// them.
pub fn other_than_file(path: &Path) -> Option<&'static str> {
    let metadata = std::fs::metadata(path).ok()?;
    system::what_else(metadata.file_type()).map(|what| what.0)
}

/// Opens a file that others may have tampered with: never waits, and refuses anything that is not a
/// file. Links to files are followed.
fn open_file(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    system::without_waiting(options)?;
    match options.open(path) {
        Ok(file) => match system::no_file(&file)? {
            None => Ok(file),
            Some(what) => Err(what.error()),
        },
        Err(error) => Err(system::no_file_at(path, &error).map_or(error, NoFile::error)),
    }
}

fn create_dirs(dir: &Path, create: impl Fn(&Path) -> io::Result<()>) -> Result<(), DiskError> {
    let mut missing: Vec<PathBuf> = Vec::new();
    for dir in dir.ancestors() {
        // Follow links here: the output folder itself may be one.
        if dir.as_os_str().is_empty() || dir.is_dir() {
            break;
        }
        missing.push(dir.to_path_buf());
    }
    for dir in missing.into_iter().rev() {
        match create(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && dir.is_dir() => {}
            done => done.map_err(on("create the directory", &dir))?,
        }
        match dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => {
                system::sync_dir(parent).map_err(on("sync", parent))?;
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "real_tests.rs"]
mod tests;
