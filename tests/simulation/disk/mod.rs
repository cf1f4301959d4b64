//! An in-memory file system that is as unreliable as real ones, driven by a seed: it fails, tears
//! writes, fills up, and a power cut loses what was not synced.
//!
//! It answers like a Linux file system (`like_real.rs` compares them). What is not durable is lost
//! as follows: a file keeps what was synced, or any part of what came after; names follow operation
//! by operation, each of them whole, and within a directory never a later one without the earlier
//! ones. Syncing a directory makes only its own names durable, and what had to happen before: a new
//! directory is durable once its *parent* is synced.

mod calls;
mod crash;
mod handles;
mod outside;
mod recorder;
mod tree;

#[cfg(target_os = "linux")]
mod like_real;
mod tests;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use casedrop::disk::{Disk, DiskError, Entry, Kind, LockGuard, Moved, ReadFile, Stamp, WriteFile};

pub use calls::{Call, Verdict};
pub use outside::Node;
pub use recorder::{Event, Recorder};

use calls::{Extent, Hook};
use handles::{Locked, Reading, Writing};
use tree::{Ino, Inode, Meeting, Tree};

/// The file system. Clones share it.
#[derive(Clone)]
pub struct SimDisk(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    hook: Mutex<Option<Hook>>,
}

/// Everything behind one lock.
struct State {
    tree: Tree,
    rng: fastrand::Rng,
    /// Calls so far.
    calls: u64,
    /// Number of starts of the machine or the program; handles from an earlier start are dead.
    start: u64,
    off: bool,
    exchange: bool,
    locks: BTreeSet<Ino>,
}

impl SimDisk {
    /// An empty file system. The same seed and calls give the same answers.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Shared {
            state: Mutex::new(State {
                tree: Tree::new(),
                rng: fastrand::Rng::with_seed(seed),
                calls: 0,
                start: 0,
                off: false,
                exchange: true,
                locks: BTreeSet::new(),
            }),
            hook: Mutex::new(None),
        }))
    }

    /// From now on asks the hook about every call. The hook may use the outside view
    /// (`write_foreign`, …): that is how another program interferes. Calls that the hook makes
    /// itself are not asked about.
    pub fn on_call(&self, hook: Option<Hook>) {
        *self.0.hook.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    /// Number of calls so far.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Sets how many bytes can still be written.
    pub fn set_free(&self, bytes: u64) {
        self.state().tree.free = bytes;
    }

    /// Sets whether two directories can be exchanged in one step (as on Linux, not on Windows).
    pub fn set_exchange(&self, possible: bool) {
        self.state().exchange = possible;
    }

    /// Sets whether names that differ only in case are the same name (as on Windows). Must be
    /// called before anything is created.
    pub fn set_case_folding(&self, folding: bool) {
        self.state().tree.folding = folding;
    }

    /// Whether a verdict switched the power off.
    pub fn is_off(&self) -> bool {
        self.state().off
    }

    /// The power fails and comes back: randomly loses what was not durable, and all open files and
    /// locks.
    pub fn crash(&self) {
        let state = &mut *self.state();
        state.tree.crash(&mut state.rng);
        state.start_again();
    }

    /// The program dies and starts again: open files and locks are gone, but the system still holds
    /// everything that was written.
    pub fn restart(&self) {
        self.state().start_again();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Performs a call that happens entirely or not at all; adds operation and path to its error.
    fn call<T>(
        &self,
        call: (&'static str, &Path, Option<&Path>),
        verb: &'static str,
        run: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> Result<T, DiskError> {
        let (operation, path, to) = call;
        let done = self.perform(operation, path, to, |state, extent| match extent {
            Extent::Part => Err(ErrorKind::Other.into()),
            Extent::Whole | Extent::AllButTheLast => run(state),
        });
        done.map_err(on(verb, to.unwrap_or(path)))
    }

    fn make_dirs(&self, dir: &Path) -> Result<(), DiskError> {
        let mut at = dir.to_path_buf();
        let made = self.perform("create_dirs", dir, None, |state, extent| {
            state.make_dirs(dir, extent, &mut at)
        });
        made.map_err(on("create the directory", &at))
    }

    fn make_file(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        let (ino, start) = self.call(("create", path, None), "create", |state| {
            Ok((state.tree.create(path)?, state.start))
        })?;
        Ok(Box::new(Writing::new(self, ino, start, path, Some(0))))
    }

    fn locked(&self, operation: &'static str, path: &Path) -> Result<Option<LockGuard>, DiskError> {
        let taken = self.call((operation, path, None), "open", |state| {
            let ino = match state.tree.find(path) {
                Err(error) if error.kind() == ErrorKind::NotFound => state.tree.create(path)?,
                found => found?,
            };
            state.tree.file(ino)?;
            Ok(state.locks.insert(ino).then_some((ino, state.start)))
        })?;
        Ok(taken.map(|(ino, start)| LockGuard::new(Locked::new(self, ino, start))))
    }
}

impl State {
    fn start_again(&mut self) {
        self.start += 1;
        self.off = false;
        self.locks.clear();
    }

    fn make_dirs(&mut self, dir: &Path, extent: Extent, at: &mut PathBuf) -> io::Result<()> {
        let missing: Vec<&Path> = dir
            .ancestors()
            .take_while(|dir| !self.tree.find(dir).is_ok_and(|ino| self.tree.is_dir(ino)))
            .collect();
        let wanted = match extent {
            Extent::Part => self.rng.usize(..=missing.len()),
            Extent::Whole | Extent::AllButTheLast => missing.len(),
        };
        for (index, dir) in missing.into_iter().rev().take(wanted).enumerate() {
            *at = dir.to_path_buf();
            self.tree.make_dir(dir)?;
            let unsynced = extent != Extent::Whole && index + 1 == wanted;
            if let Some(parent) = dir.parent().filter(|_| !unsynced) {
                let parent = self.tree.find(parent)?;
                self.tree.sync_dir(parent);
            }
        }
        Ok(())
    }

    fn remove_tree(&mut self, path: &Path, left: &mut usize) -> io::Result<()> {
        let names: Vec<PathBuf> = {
            let dir = self.tree.dir(self.tree.find(path)?)?;
            dir.now.values().map(|name| path.join(&*name.shown)).collect()
        };
        for path in names {
            if self.tree.is_dir(self.tree.find(&path)?) {
                self.remove_tree(&path, left)?;
            } else if take_one(left) {
                self.tree.unlink(&path)?;
            }
        }
        if take_one(left) { self.tree.remove_dir(path) } else { Ok(()) }
    }
}

fn take_one(left: &mut usize) -> bool {
    let any = *left > 0;
    *left = left.saturating_sub(1);
    any
}

fn on(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    move |source| DiskError { operation, path: path.to_path_buf(), source }
}

impl Disk for SimDisk {
    fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError> {
        self.call(("kind", path, None), "look at", |state| match state.tree.find(path) {
            Ok(ino) if state.tree.is_dir(ino) => Ok(Some(Kind::Dir)),
            Ok(_) => Ok(Some(Kind::File)),
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        })
    }

    /// Files have no times: all report the same one.
    fn stamp(&self, path: &Path) -> Result<Stamp, DiskError> {
        self.call(("stamp", path, None), "look at", |state| {
            let len = match &state.tree.inodes[state.tree.find(path)?] {
                Inode::Dir(_) => 0,
                Inode::File(file) => file.len(),
            };
            Ok(Stamp { len, modified: SystemTime::UNIX_EPOCH, hidden: false })
        })
    }

    fn is_at_rest(&self, path: &Path) -> Result<bool, DiskError> {
        self.call(("is_at_rest", path, None), "open", |state| {
            let ino = state.tree.find(path)?;
            Ok(!state.locks.contains(&ino))
        })
    }

    fn owner(&self, path: &Path) -> Result<Option<String>, DiskError> {
        self.call(("owner", path, None), "find the owner of", |state| {
            state.tree.find(path).map(|_| Some("somebody".to_owned()))
        })
    }

    fn list(&self, dir: &Path) -> Result<Vec<Entry>, DiskError> {
        self.call(("list", dir, None), "list", |state| {
            let found = state.tree.dir(state.tree.find(dir)?)?;
            let mut entries: Vec<Entry> = found
                .now
                .values()
                .map(|name| {
                    let (kind, len) = match &state.tree.inodes[name.ino] {
                        Inode::Dir(_) => (Kind::Dir, 0),
                        Inode::File(file) => (Kind::File, file.len()),
                    };
                    let path = dir.join(&*name.shown);
                    Entry { name: Some(name.shown.to_string()), path, kind, len }
                })
                .collect();
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(entries)
        })
    }

    fn create_dirs(&self, dir: &Path) -> Result<(), DiskError> {
        self.make_dirs(dir)
    }

    fn create_private_dirs(&self, dir: &Path) -> Result<(), DiskError> {
        self.make_dirs(dir)
    }

    fn make_private(&self, _dir: &Path) -> Result<Vec<String>, DiskError> {
        Ok(Vec::new())
    }

    fn readers(&self, _path: &Path) -> Result<Vec<String>, DiskError> {
        Ok(Vec::new())
    }

    fn grant(&self, _dir: &Path, _account: &str) -> Result<(), DiskError> {
        Ok(())
    }

    fn holders(&self, _paths: &[PathBuf]) -> Vec<String> {
        Vec::new()
    }

    fn create_private(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        self.make_file(path)
    }

    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        self.make_file(path)
    }

    fn append(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        let (ino, start) = self.call(("append", path, None), "open", |state| {
            let ino = state.tree.find(path)?;
            state.tree.file(ino)?;
            Ok((ino, state.start))
        })?;
        Ok(Box::new(Writing::new(self, ino, start, path, None)))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn ReadFile>, DiskError> {
        let (ino, start) = self.call(("open", path, None), "open", |state| {
            let ino = state.tree.find(path)?;
            state.tree.file(ino)?;
            Ok((ino, state.start))
        })?;
        Ok(Box::new(Reading::new(self, ino, start, path)))
    }

    fn replace_file(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.call(("replace_file", from, Some(to)), "replace", |state| {
            state.tree.rename(from, to, Meeting::Replace).map(drop)
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<Moved, DiskError> {
        let done = self.call(("rename", from, Some(to)), "rename", |state| {
            state.tree.rename(from, to, Meeting::Refuse)
        });
        match done {
            Ok(true) => Ok(Moved::Done),
            Ok(false) => Ok(Moved::TargetExists),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(DiskError { path: from.to_path_buf(), ..error })
            }
            Err(error) => Err(error),
        }
    }

    fn exchange(&self, a: &Path, b: &Path) -> Result<bool, DiskError> {
        self.call(("exchange", a, Some(b)), "exchange", |state| {
            Ok(state.exchange && state.tree.exchange(a, b)?)
        })
    }

    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        self.call(("sync_dir", dir, None), "sync", |state| {
            let ino = state.tree.find(dir)?;
            if !state.tree.is_dir(ino) {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            state.tree.sync_dir(ino);
            Ok(())
        })
    }

    fn hard_link(&self, from: &Path, to: &Path) -> Result<bool, DiskError> {
        self.call(("hard_link", from, Some(to)), "link", |state| {
            match state.tree.link(from, to) {
                Ok(()) => Ok(true),
                // Like the real disk: a copy will show what is wrong.
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::PermissionDenied | ErrorKind::NotADirectory
                    ) =>
                {
                    Ok(false)
                }
                Err(error) => Err(error),
            }
        })
    }

    fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        self.call(("remove_file", path, None), "remove", |state| state.tree.unlink(path))
    }

    fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.call(("remove_dir", path, None), "remove", |state| state.tree.remove_dir(path))
    }

    fn remove_tree(&self, path: &Path) -> Result<(), DiskError> {
        let done = self.perform("remove_tree", path, None, |state, extent| {
            let mut left = match extent {
                Extent::Part => state.rng.usize(..8),
                Extent::Whole | Extent::AllButTheLast => usize::MAX,
            };
            state.remove_tree(path, &mut left)
        });
        done.map_err(on("remove", path))
    }

    fn free_space(&self, path: &Path) -> Result<u64, DiskError> {
        self.call(("free_space", path, None), "measure the free space at", |state| {
            Ok(state.tree.free)
        })
    }

    fn same_volume(&self, a: &Path, b: &Path) -> Result<bool, DiskError> {
        self.call(("same_volume", a, Some(b)), "find the volume of", |state| {
            state.tree.find(a)?;
            state.tree.find(b)?;
            Ok(true)
        })
    }

    fn may_create_in(&self, dir: &Path) -> Result<(), DiskError> {
        self.call(("may_create_in", dir, None), "write to", |state| {
            // A plain file may be writable, but nothing can be created in it.
            let is_dir = state.tree.is_dir(state.tree.find(dir)?);
            if is_dir { Ok(()) } else { Err(ErrorKind::PermissionDenied.into()) }
        })
    }

    fn hide(&self, path: &Path) -> Result<(), DiskError> {
        self.call(("hide", path, None), "hide", |state| state.tree.find(path).map(drop))
    }

    fn try_lock(&self, path: &Path) -> Result<Option<LockGuard>, DiskError> {
        self.locked("try_lock", path)
    }

    /// If another holder has the lock, waiting in the simulation's single thread would never end:
    /// that is an error.
    fn lock(&self, path: &Path) -> Result<LockGuard, DiskError> {
        self.locked("lock", path)?.ok_or_else(|| on("lock", path)(ErrorKind::Deadlock.into()))
    }
}
