//! A layer that records in order what any disk was asked to change.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use casedrop::disk::{Disk, DiskError, Entry, Kind, LockGuard, Moved, ReadFile, Stamp, WriteFile};

/// A change to the disk. Not recorded: reads, calls that failed, and renames whose target existed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A directory was created.
    MakeDir(PathBuf),
    /// A file was created.
    Create(PathBuf),
    /// Bytes were, or may have been, written to a file.
    Write(PathBuf),
    /// A file's content was synced.
    SyncFile(PathBuf),
    SyncDir(PathBuf),
    /// A rename, including one that replaced a file.
    Rename(PathBuf, PathBuf),
    Exchange(PathBuf, PathBuf),
    /// A hard link; the second path is the new name.
    Link(PathBuf, PathBuf),
    /// A file, a directory or a whole tree was removed.
    Remove(PathBuf),
    /// A mark set by the test.
    Mark(&'static str),
}

/// Records what passes through to the disk below. Clones share the record.
#[derive(Clone)]
pub struct Recorder<D> {
    disk: D,
    notes: Arc<Mutex<Vec<Event>>>,
}

impl<D: Disk> Recorder<D> {
    pub fn new(disk: D) -> Self {
        Self { disk, notes: Arc::default() }
    }

    /// Records something that is not a call.
    pub fn mark(&self, mark: &'static str) {
        note(&self.notes, Event::Mark(mark));
    }

    /// Returns everything so far and starts over.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn done<T>(&self, result: Result<T, DiskError>, event: Event) -> Result<T, DiskError> {
        if result.is_ok() {
            note(&self.notes, event);
        }
        result
    }

    fn writing(&self, path: &Path, file: Box<dyn WriteFile>) -> Box<dyn WriteFile> {
        Box::new(Noted { file, path: path.to_path_buf(), notes: Arc::clone(&self.notes) })
    }

    /// The trait promises a sync of each parent that got a new entry.
    fn dirs_made(
        &self,
        dir: &Path,
        make: impl FnOnce() -> Result<(), DiskError>,
    ) -> Result<(), DiskError> {
        let mut missing = Vec::new();
        for dir in dir.ancestors() {
            if self.disk.kind(dir)?.is_some() {
                break;
            }
            missing.push(dir);
        }
        make()?;
        for dir in missing.into_iter().rev() {
            note(&self.notes, Event::MakeDir(dir.to_path_buf()));
            if let Some(parent) = dir.parent() {
                note(&self.notes, Event::SyncDir(parent.to_path_buf()));
            }
        }
        Ok(())
    }
}

fn note(notes: &Mutex<Vec<Event>>, event: Event) {
    notes.lock().unwrap_or_else(PoisonError::into_inner).push(event);
}

struct Noted {
    file: Box<dyn WriteFile>,
    path: PathBuf,
    notes: Arc<Mutex<Vec<Event>>>,
}

impl Write for Noted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        note(&self.notes, Event::Write(self.path.clone()));
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl WriteFile for Noted {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()?;
        note(&self.notes, Event::SyncFile(self.path.clone()));
        Ok(())
    }
}

impl<D: Disk> Disk for Recorder<D> {
    fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError> {
        self.disk.kind(path)
    }

    fn stamp(&self, path: &Path) -> Result<Stamp, DiskError> {
        self.disk.stamp(path)
    }

    fn is_at_rest(&self, path: &Path) -> Result<bool, DiskError> {
        self.disk.is_at_rest(path)
    }

    fn owner(&self, path: &Path) -> Result<Option<String>, DiskError> {
        self.disk.owner(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>, DiskError> {
        self.disk.list(dir)
    }

    fn create_dirs(&self, dir: &Path) -> Result<(), DiskError> {
        self.dirs_made(dir, || self.disk.create_dirs(dir))
    }

    fn create_private_dirs(&self, dir: &Path) -> Result<(), DiskError> {
        self.dirs_made(dir, || self.disk.create_private_dirs(dir))
    }

    fn make_private(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        self.disk.make_private(dir)
    }

    fn readers(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        self.disk.readers(path)
    }

    fn grant(&self, dir: &Path, account: &str) -> Result<(), DiskError> {
        self.disk.grant(dir, account)
    }

    fn holders(&self, paths: &[PathBuf]) -> Vec<String> {
        self.disk.holders(paths)
    }

    fn create_private(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        let file = self.done(self.disk.create_private(path), Event::Create(path.into()))?;
        Ok(self.writing(path, file))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        let file = self.done(self.disk.create(path), Event::Create(path.into()))?;
        Ok(self.writing(path, file))
    }

    fn append(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        let file = self.disk.append(path)?;
        Ok(self.writing(path, file))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn ReadFile>, DiskError> {
        self.disk.open(path)
    }

    fn replace_file(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.done(self.disk.replace_file(from, to), Event::Rename(from.into(), to.into()))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<Moved, DiskError> {
        let moved = self.disk.rename(from, to)?;
        if moved == Moved::Done {
            note(&self.notes, Event::Rename(from.into(), to.into()));
        }
        Ok(moved)
    }

    fn exchange(&self, a: &Path, b: &Path) -> Result<bool, DiskError> {
        let done = self.disk.exchange(a, b)?;
        if done {
            note(&self.notes, Event::Exchange(a.into(), b.into()));
        }
        Ok(done)
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.done(self.disk.sync_dir(dir), Event::SyncDir(dir.into()))
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<bool, DiskError> {
        let done = self.disk.hard_link(from, to)?;
        if done {
            note(&self.notes, Event::Link(from.into(), to.into()));
        }
        Ok(done)
    }

    fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        self.done(self.disk.remove_file(path), Event::Remove(path.into()))
    }

    fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.done(self.disk.remove_dir(path), Event::Remove(path.into()))
    }

    fn remove_tree(&self, path: &Path) -> Result<(), DiskError> {
        self.done(self.disk.remove_tree(path), Event::Remove(path.into()))
    }

    fn free_space(&self, path: &Path) -> Result<u64, DiskError> {
        self.disk.free_space(path)
    }

    fn same_volume(&self, a: &Path, b: &Path) -> Result<bool, DiskError> {
        self.disk.same_volume(a, b)
    }

    fn may_create_in(&self, dir: &Path) -> Result<(), DiskError> {
        self.disk.may_create_in(dir)
    }

    fn hide(&self, path: &Path) -> Result<(), DiskError> {
        self.disk.hide(path)
    }

    fn try_lock(&self, path: &Path) -> Result<Option<LockGuard>, DiskError> {
        self.disk.try_lock(path)
    }

    fn lock(&self, path: &Path) -> Result<LockGuard, DiskError> {
        self.disk.lock(path)
    }
}
