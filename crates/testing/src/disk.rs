//! Disks that differ from the real one.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};

use casedrop_disk::{
    Disk, DiskError, Entry, Kind, LockGuard, Moved, ReadFile, RealDisk, Stamp, WriteFile,
};

/// The real disk, on a system that can neither swap directories nor link files.
pub struct NoExchange(pub Lie);

/// How else it differs from the real disk.
#[derive(Clone, Copy)]
pub enum Lie {
    None,
    /// A program holds files open in the directory with this name, which cannot be renamed.
    Held(&'static str),
    /// The share does not answer.
    Away,
    /// No file with this name can be written.
    Full(&'static str),
    /// A file whose name ends like this may not be read.
    Denied(&'static str),
    /// The volume has a limited size.
    Small(&'static Volume),
    /// The share hangs: every access to the output folder blocks.
    Hangs(&'static Hang),
    /// Every lock request succeeds; or the system fails it with this error.
    NoLocks(Option<std::io::ErrorKind>),
    /// Everything is on a network file system of this kind.
    Network(&'static str),
}

/// A volume of limited size, part of which is used by the files below a directory.
pub struct Volume {
    pub root: PathBuf,
    /// Size in bytes.
    pub size: u64,
}

impl Volume {
    /// Creates a volume that lives as long as the tests.
    pub fn of(root: &Path, size: u64) -> &'static Self {
        Box::leak(Box::new(Self { root: root.to_owned(), size }))
    }

    /// Returns the number of bytes in use.
    pub fn used(&self) -> u64 {
        let size = |path: &PathBuf| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        super::files_below(&self.root).values().map(size).sum()
    }
}

/// A share that hangs until it is released.
#[derive(Default)]
pub struct Hang {
    let_go: Mutex<bool>,
    changed: Condvar,
    waiting: AtomicUsize,
}

impl Hang {
    /// Returns the number of calls that hang.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Releases all of them.
    pub fn let_go(&self) {
        *self.let_go.lock().expect("sound") = true;
        self.changed.notify_all();
    }

    fn wait(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let let_go = self.let_go.lock().expect("sound");
        drop(self.changed.wait_while(let_go, |let_go| !*let_go).expect("sound"));
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl NoExchange {
    /// The output folder and everything next to it are on the share.
    fn may_hang(&self, path: &Path) {
        if let Lie::Hangs(hang) = self.0
            && path.to_string_lossy().contains("orders")
        {
            hang.wait();
        }
    }

    fn holds(&self, path: &Path) -> bool {
        matches!(self.0, Lie::Held(held) if path.ancestors().any(|dir| dir.ends_with(held)))
    }

    fn may_read(&self, path: &Path) -> Result<(), DiskError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if matches!(self.0, Lie::Denied(denied) if name.ends_with(denied)) {
            let source = std::io::ErrorKind::PermissionDenied.into();
            return Err(DiskError { operation: "open", path: path.to_path_buf(), source });
        }
        Ok(())
    }

    fn reach(&self, operation: &'static str, path: &Path) -> Result<(), DiskError> {
        if matches!(self.0, Lie::Away) {
            let source = std::io::ErrorKind::NetworkUnreachable.into();
            return Err(DiskError { operation, path: path.to_path_buf(), source });
        }
        Ok(())
    }
}

/// The program that holds the files open.
pub const HOLDER: &str = "DentalCAD";

impl Disk for NoExchange {
    fn kind(&self, path: &Path) -> Result<Option<Kind>, DiskError> {
        self.may_hang(path);
        RealDisk.kind(path)
    }
    fn stamp(&self, path: &Path) -> Result<Stamp, DiskError> {
        self.may_hang(path);
        RealDisk.stamp(path)
    }
    fn is_at_rest(&self, path: &Path) -> Result<bool, DiskError> {
        self.may_read(path)?;
        if self.holds(path) { Ok(false) } else { RealDisk.is_at_rest(path) }
    }
    fn owner(&self, path: &Path) -> Result<Option<String>, DiskError> {
        RealDisk.owner(path)
    }
    fn list(&self, dir: &Path) -> Result<Vec<Entry>, DiskError> {
        self.may_hang(dir);
        RealDisk.list(dir)
    }
    fn create_dirs(&self, dir: &Path) -> Result<(), DiskError> {
        self.reach("create the directory", dir)?;
        RealDisk.create_dirs(dir)
    }
    fn create_private_dirs(&self, dir: &Path) -> Result<(), DiskError> {
        RealDisk.create_private_dirs(dir)
    }
    fn make_private(&self, dir: &Path) -> Result<Vec<String>, DiskError> {
        RealDisk.make_private(dir)
    }
    fn readers(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        RealDisk.readers(path)
    }
    fn grant(&self, dir: &Path, account: &str) -> Result<(), DiskError> {
        RealDisk.grant(dir, account)
    }
    fn holders(&self, paths: &[PathBuf]) -> Vec<String> {
        let is_held = paths.iter().any(|path| self.holds(path));
        is_held.then(|| HOLDER.to_owned()).into_iter().collect()
    }
    fn create_private(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        RealDisk.create_private(path)
    }
    fn create(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        if matches!(self.0, Lie::Full(name) if path.ends_with(name)) {
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(DiskError { operation: "create", path: path.to_path_buf(), source });
        }
        RealDisk.create(path)
    }
    fn append(&self, path: &Path) -> Result<Box<dyn WriteFile>, DiskError> {
        if matches!(self.0, Lie::Full(name) if path.ends_with(name)) {
            let source = std::io::ErrorKind::StorageFull.into();
            return Err(DiskError { operation: "write", path: path.to_path_buf(), source });
        }
        RealDisk.append(path)
    }
    fn open(&self, path: &Path) -> Result<Box<dyn ReadFile>, DiskError> {
        self.may_hang(path);
        self.reach("open", path)?;
        self.may_read(path)?;
        RealDisk.open(path)
    }
    fn replace_file(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        RealDisk.replace_file(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<Moved, DiskError> {
        if matches!(self.0, Lie::Held(held) if from.ends_with(held)) {
            let source = std::io::ErrorKind::ResourceBusy.into();
            return Err(DiskError { operation: "rename", path: from.to_path_buf(), source });
        }
        RealDisk.rename(from, to)
    }
    fn exchange(&self, _a: &Path, _b: &Path) -> Result<bool, DiskError> {
        Ok(false)
    }
    fn may_create_in(&self, dir: &Path) -> Result<(), DiskError> {
        RealDisk.may_create_in(dir)
    }
    fn sync_dir(&self, dir: &Path) -> Result<(), DiskError> {
        RealDisk.sync_dir(dir)
    }
    fn hard_link(&self, _from: &Path, _to: &Path) -> Result<bool, DiskError> {
        Ok(false)
    }
    fn remove_file(&self, path: &Path) -> Result<(), DiskError> {
        RealDisk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        RealDisk.remove_dir(path)
    }
    fn remove_tree(&self, path: &Path) -> Result<(), DiskError> {
        RealDisk.remove_tree(path)
    }
    fn free_space(&self, path: &Path) -> Result<u64, DiskError> {
        self.may_hang(path);
        match self.0 {
            Lie::Small(volume) => Ok(volume.size.saturating_sub(volume.used())),
            _ => RealDisk.free_space(path),
        }
    }
    fn same_volume(&self, a: &Path, b: &Path) -> Result<bool, DiskError> {
        RealDisk.same_volume(a, b)
    }
    fn hide(&self, path: &Path) -> Result<(), DiskError> {
        RealDisk.hide(path)
    }
    fn network_volume(&self, path: &Path) -> Result<Option<String>, DiskError> {
        match self.0 {
            Lie::Network(kind) => Ok(Some(kind.to_owned())),
            _ => RealDisk.network_volume(path),
        }
    }
    fn try_lock(&self, path: &Path) -> Result<Option<LockGuard>, DiskError> {
        match self.0 {
            Lie::NoLocks(None) => Ok(Some(LockGuard::new(()))),
            Lie::NoLocks(Some(kind)) => {
                let source = kind.into();
                Err(DiskError { operation: "lock", path: path.to_path_buf(), source })
            }
            _ => RealDisk.try_lock(path),
        }
    }
    fn lock(&self, path: &Path) -> Result<LockGuard, DiskError> {
        RealDisk.lock(path)
    }
}
