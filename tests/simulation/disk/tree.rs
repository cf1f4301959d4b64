//! Inodes and names: what a reader sees now, and what of it is durable.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::path::{Component, Path};
use std::sync::Arc;

/// An inode number. Numbers are never reused.
pub(super) type Ino = usize;

pub(super) const ROOT: Ino = 0;

/// One name in a directory.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) shown: Arc<str>,
    pub(super) ino: Ino,
}

/// The names of a directory, by the spelling used for look-ups.
pub(super) type Names = BTreeMap<Arc<str>, Name>;

#[derive(Debug)]
pub(super) enum Inode {
    Dir(Dir),
    File(File),
}

#[derive(Debug, Default)]
pub(super) struct Dir {
    pub(super) now: Names,
    /// As of the last durable operation on it.
    pub(super) durable: Names,
}

#[derive(Debug)]
pub(super) struct File {
    bytes: Vec<u8>,
    /// A snapshot of the bytes for outside readers, until the next write.
    frozen: Option<Arc<[u8]>>,
    pub(super) synced: Arc<[u8]>,
    pub(super) dirty: bool,
    /// Number of its names; without any it takes no space.
    names: usize,
}

/// One name set or removed.
#[derive(Debug)]
struct Change {
    dir: Ino,
    key: Arc<str>,
    name: Option<Name>,
}

/// An atomic change of names that is not durable yet.
#[derive(Debug)]
pub(super) struct Op {
    changes: Vec<Change>,
    /// A directory that must have been empty.
    emptied: Option<Ino>,
}

impl Op {
    pub(super) fn dirs(&self) -> impl Iterator<Item = Ino> + '_ {
        self.changes.iter().map(|change| change.dir).chain(self.emptied)
    }
}

/// A place for a name.
struct Spot {
    /// The directories that lead there, the root first.
    above: Vec<Ino>,
    name: Arc<str>,
}

impl Spot {
    fn dir(&self) -> Ino {
        *self.above.last().expect("the root is above everything")
    }
}

/// What a rename does if its target exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meeting {
    Refuse,
    Replace,
}

#[derive(Debug)]
pub(super) struct Tree {
    pub(super) inodes: Vec<Inode>,
    /// What is not durable yet, oldest first.
    pub(super) log: VecDeque<Op>,
    /// Bytes that can still be written.
    pub(super) free: u64,
    /// Whether `A` and `a` are the same name.
    pub(super) folding: bool,
}

fn fail<T>(kind: ErrorKind) -> io::Result<T> {
    Err(kind.into())
}

impl Tree {
    pub(super) fn new() -> Self {
        let inodes = vec![Inode::Dir(Dir::default())];
        Self { inodes, log: VecDeque::new(), free: 1 << 50, folding: false }
    }

    pub(super) fn key(&self, name: &Arc<str>) -> Arc<str> {
        if self.folding { name.to_lowercase().into() } else { Arc::clone(name) }
    }

    pub(super) fn dir(&self, ino: Ino) -> io::Result<&Dir> {
        match &self.inodes[ino] {
            Inode::Dir(dir) => Ok(dir),
            Inode::File(_) => fail(ErrorKind::NotADirectory),
        }
    }

    pub(super) fn dir_mut(&mut self, ino: Ino) -> &mut Dir {
        match &mut self.inodes[ino] {
            Inode::Dir(dir) => dir,
            Inode::File(_) => unreachable!("directories stay directories"),
        }
    }

    pub(super) fn file(&self, ino: Ino) -> io::Result<&File> {
        match &self.inodes[ino] {
            Inode::File(file) => Ok(file),
            Inode::Dir(_) => fail(ErrorKind::IsADirectory),
        }
    }

    pub(super) fn file_mut(&mut self, ino: Ino) -> io::Result<&mut File> {
        match &mut self.inodes[ino] {
            Inode::File(file) => Ok(file),
            Inode::Dir(_) => fail(ErrorKind::IsADirectory),
        }
    }

    pub(super) fn is_dir(&self, ino: Ino) -> bool {
        matches!(self.inodes[ino], Inode::Dir(_))
    }

    fn child(&self, dir: Ino, name: &Arc<str>) -> io::Result<Option<Ino>> {
        Ok(self.dir(dir)?.now.get(&self.key(name)).map(|name| name.ino))
    }

    /// All directories on the way, and the inode at the end.
    fn way(&self, path: &Path) -> io::Result<(Vec<Ino>, Ino)> {
        let mut above = Vec::new();
        let mut here = ROOT;
        for name in names_of(path)? {
            above.push(here);
            let Some(next) = self.child(here, &name)? else { return fail(ErrorKind::NotFound) };
            here = next;
        }
        Ok((above, here))
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<Ino> {
        Ok(self.way(path)?.1)
    }

    fn spot(&self, path: &Path) -> io::Result<Spot> {
        let parent = path.parent().ok_or(ErrorKind::ResourceBusy)?;
        let (mut above, dir) = self.way(parent)?;
        self.dir(dir)?;
        above.push(dir);
        let name = names_of(path)?.pop().ok_or(ErrorKind::InvalidInput)?;
        Ok(Spot { above, name })
    }

    fn at(&self, spot: &Spot) -> io::Result<Option<Ino>> {
        self.child(spot.dir(), &spot.name)
    }

    fn there(&self, spot: &Spot) -> io::Result<Ino> {
        self.at(spot)?.ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn set(&self, spot: &Spot, ino: Ino) -> Change {
        let name = Name { shown: Arc::clone(&spot.name), ino };
        Change { dir: spot.dir(), key: self.key(&spot.name), name: Some(name) }
    }

    fn unset(&self, spot: &Spot) -> Change {
        Change { dir: spot.dir(), key: self.key(&spot.name), name: None }
    }

    fn apply(&mut self, changes: Vec<Change>, emptied: Option<Ino>) {
        for change in &changes {
            let now = &mut self.dir_mut(change.dir).now;
            match &change.name {
                Some(name) => drop(now.insert(Arc::clone(&change.key), name.clone())),
                None => drop(now.remove(&change.key)),
            }
        }
        self.log.push_back(Op { changes, emptied });
    }

    fn add(&mut self, inode: Inode) -> Ino {
        self.inodes.push(inode);
        self.inodes.len() - 1
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<Ino> {
        let spot = self.spot(path)?;
        if self.at(&spot)?.is_some() {
            return fail(ErrorKind::AlreadyExists);
        }
        let empty: Arc<[u8]> = Arc::default();
        let ino = self.add(Inode::File(File {
            bytes: Vec::new(),
            frozen: None,
            synced: empty,
            dirty: false,
            names: 1,
        }));
        self.apply(vec![self.set(&spot, ino)], None);
        Ok(ino)
    }

    pub(super) fn make_dir(&mut self, path: &Path) -> io::Result<()> {
        // The root always exists.
        let spot = self.spot(path).or_else(|error| match path.parent() {
            None => fail(ErrorKind::AlreadyExists),
            Some(_) => Err(error),
        })?;
        if self.at(&spot)?.is_some() {
            return fail(ErrorKind::AlreadyExists);
        }
        let ino = self.add(Inode::Dir(Dir::default()));
        self.apply(vec![self.set(&spot, ino)], None);
        Ok(())
    }

    pub(super) fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let ino = self.find(from)?;
        let spot = self.spot(to)?;
        if self.at(&spot)?.is_some() {
            return fail(ErrorKind::AlreadyExists);
        }
        match &mut self.inodes[ino] {
            Inode::File(file) => file.names += 1,
            Inode::Dir(_) => return fail(ErrorKind::PermissionDenied),
        }
        self.apply(vec![self.set(&spot, ino)], None);
        Ok(())
    }

    pub(super) fn unlink(&mut self, path: &Path) -> io::Result<()> {
        let spot = self.spot(path)?;
        let ino = self.there(&spot)?;
        self.file(ino)?;
        self.apply(vec![self.unset(&spot)], None);
        self.released(ino);
        Ok(())
    }

    pub(super) fn remove_dir(&mut self, path: &Path) -> io::Result<()> {
        let spot = self.spot(path)?;
        let ino = self.there(&spot)?;
        if !self.dir(ino)?.now.is_empty() {
            return fail(ErrorKind::DirectoryNotEmpty);
        }
        self.apply(vec![self.unset(&spot)], Some(ino));
        Ok(())
    }

    /// Removes whatever is there in one step.
    pub(super) fn cut(&mut self, path: &Path) -> io::Result<()> {
        let spot = self.spot(path)?;
        let ino = self.there(&spot)?;
        self.apply(vec![self.unset(&spot)], None);
        let mut open = vec![ino];
        while let Some(ino) = open.pop() {
            match &self.inodes[ino] {
                Inode::Dir(dir) => open.extend(dir.now.values().map(|name| name.ino)),
                Inode::File(_) => self.released(ino),
            }
        }
        Ok(())
    }

    /// Returns whether it was done; if not, the target exists.
    pub(super) fn rename(&mut self, from: &Path, to: &Path, meeting: Meeting) -> io::Result<bool> {
        let (old, new) = (self.spot(from)?, self.spot(to)?);
        let ino = self.there(&old)?;
        let met = self.at(&new)?;
        let respelled = self.folding && met == Some(ino) && old.name != new.name;
        if met.is_some() && meeting == Meeting::Refuse && !respelled {
            return Ok(false);
        }
        if new.above.contains(&ino) {
            return fail(ErrorKind::InvalidInput);
        }
        let mut emptied = None;
        match met {
            Some(met) if met == ino && !respelled => return Ok(true),
            Some(met) if met != ino => {
                if old.above.contains(&met) {
                    return fail(ErrorKind::DirectoryNotEmpty);
                }
                match (&self.inodes[ino], &self.inodes[met]) {
                    (Inode::Dir(_), Inode::File(_)) => return fail(ErrorKind::NotADirectory),
                    (Inode::File(_), Inode::Dir(_)) => return fail(ErrorKind::IsADirectory),
                    (Inode::Dir(_), Inode::Dir(dir)) if !dir.now.is_empty() => {
                        return fail(ErrorKind::DirectoryNotEmpty);
                    }
                    (Inode::Dir(_), Inode::Dir(_)) => emptied = Some(met),
                    (Inode::File(_), Inode::File(_)) => {}
                }
            }
            _ => {}
        }
        self.apply(vec![self.unset(&old), self.set(&new, ino)], emptied);
        if let Some(met) = met.filter(|met| *met != ino && !self.is_dir(*met)) {
            self.released(met);
        }
        Ok(true)
    }

    /// Returns whether it was done; if not, one is inside the other.
    pub(super) fn exchange(&mut self, a: &Path, b: &Path) -> io::Result<bool> {
        let (first, second) = (self.spot(a)?, self.spot(b)?);
        let (one, two) = (self.there(&first)?, self.there(&second)?);
        if first.above.contains(&two) || second.above.contains(&one) {
            return Ok(false);
        }
        if one != two {
            self.apply(vec![self.set(&first, two), self.set(&second, one)], None);
        }
        Ok(true)
    }

    /// Writes at `at`, or appends; a short write if the volume fills up.
    pub(super) fn write(&mut self, ino: Ino, at: Option<usize>, bytes: &[u8]) -> io::Result<usize> {
        let free = usize::try_from(self.free).unwrap_or(usize::MAX);
        let file = self.file_mut(ino)?;
        let at = at.unwrap_or(file.bytes.len());
        let over = file.bytes.len().saturating_sub(at).min(bytes.len());
        let fits = bytes.len().min(over.saturating_add(free));
        if fits == 0 && !bytes.is_empty() {
            return fail(ErrorKind::StorageFull);
        }
        let end = at + fits;
        let grown = end.saturating_sub(file.bytes.len());
        file.bytes.resize(file.bytes.len().max(end), 0);
        file.bytes[at..end].copy_from_slice(&bytes[..fits]);
        file.frozen = None;
        file.dirty |= fits > 0;
        if file.names > 0 {
            self.free -= grown as u64;
        }
        Ok(fits)
    }

    /// Replaces a file's content.
    pub(super) fn put(&mut self, ino: Ino, bytes: Vec<u8>) -> io::Result<()> {
        let file = self.file_mut(ino)?;
        let (before, after) = (file.len(), bytes.len() as u64);
        file.bytes = bytes;
        file.frozen = None;
        file.dirty = true;
        self.free = (self.free + before).saturating_sub(after);
        Ok(())
    }

    pub(super) fn freeze(&mut self, ino: Ino) -> io::Result<Arc<[u8]>> {
        let file = self.file_mut(ino)?;
        let bytes = file.frozen.get_or_insert_with(|| file.bytes.as_slice().into());
        Ok(Arc::clone(bytes))
    }

    pub(super) fn sync_file(&mut self, ino: Ino) -> io::Result<()> {
        if self.file(ino)?.dirty {
            let bytes = self.freeze(ino)?;
            let file = self.file_mut(ino)?;
            file.synced = bytes;
            file.dirty = false;
        }
        Ok(())
    }

    /// Makes the changes to the directory durable, and everything that must have happened before.
    pub(super) fn sync_dir(&mut self, dir: Ino) {
        let mut dirs = BTreeSet::from([dir]);
        let mut done = vec![false; self.log.len()];
        for (op, done) in self.log.iter().zip(&mut done).rev() {
            if op.dirs().any(|dir| dirs.contains(&dir)) {
                *done = true;
                dirs.extend(op.dirs());
            }
        }
        for done in done {
            let op = self.log.pop_front().expect("as many as before");
            if done { self.settle(op) } else { self.log.push_back(op) }
        }
    }

    /// Makes one operation durable.
    pub(super) fn settle(&mut self, op: Op) {
        for change in op.changes {
            let durable = &mut self.dir_mut(change.dir).durable;
            match change.name {
                Some(name) => drop(durable.insert(change.key, name)),
                None => drop(durable.remove(&change.key)),
            }
        }
    }

    /// A name of the file is gone.
    fn released(&mut self, ino: Ino) {
        if let Inode::File(file) = &mut self.inodes[ino] {
            file.names -= 1;
            if file.names == 0 {
                self.free += file.len();
            }
        }
    }
}

impl File {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The space that it takes on the volume.
    pub(super) fn space(&self) -> u64 {
        if self.names == 0 { 0 } else { self.len() }
    }

    /// Sets what a crash leaves: these bytes, with this many names.
    pub(super) fn survive(&mut self, bytes: Arc<[u8]>, names: usize) {
        if *self.bytes != *bytes {
            self.bytes = bytes.to_vec();
        }
        self.frozen = Some(Arc::clone(&bytes));
        self.synced = bytes;
        self.dirty = false;
        self.names = names;
    }
}

/// The names on the way from the root; drives and shares do not count.
pub(super) fn names_of(path: &Path) -> io::Result<Vec<Arc<str>>> {
    let mut names = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => {
                names.push(name.to_str().ok_or(ErrorKind::InvalidFilename)?.into());
            }
            Component::ParentDir => return fail(ErrorKind::InvalidFilename),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    Ok(names)
}
