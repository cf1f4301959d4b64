//! What others see and do. None of it is a call, and no verdict makes it fail.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::tree::{Ino, Inode, Meeting, Names, Tree};
use super::{Extent, SimDisk};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    Dir,
    /// A file with this content.
    File(Arc<[u8]>),
}

/// Which version of the tree.
#[derive(Clone, Copy)]
enum View {
    Reader,
    WorstCrash,
}

impl SimDisk {
    /// Everything below a directory as a reader sees it now, by full path; empty if there is no
    /// such directory.
    pub fn snapshot(&self, dir: &Path) -> BTreeMap<PathBuf, Node> {
        self.below(dir, View::Reader)
    }

    /// Like [`snapshot`](Self::snapshot), but after a crash that loses whatever can be lost.
    pub fn durable(&self, dir: &Path) -> BTreeMap<PathBuf, Node> {
        self.below(dir, View::WorstCrash)
    }

    /// A file's current content.
    pub fn read(&self, path: &Path) -> Option<Arc<[u8]>> {
        let tree = &mut self.state().tree;
        let ino = tree.find(path).ok()?;
        tree.freeze(ino).ok()
    }

    pub fn exists(&self, path: &Path) -> bool {
        self.state().tree.find(path).is_ok()
    }

    /// Another program writes a file, creating missing parents and overwriting what is there;
    /// durable at once. Returns whether it succeeded.
    pub fn write_foreign(&self, path: &Path, bytes: &[u8]) -> bool {
        let state = &mut *self.state();
        let mut write = || -> io::Result<()> {
            if let Some(dir) = path.parent() {
                state.make_dirs(dir, Extent::Whole, &mut PathBuf::new())?;
            }
            let tree = &mut state.tree;
            let ino = tree.find(path).or_else(|_| tree.create(path))?;
            tree.put(ino, bytes.to_vec())?;
            tree.sync_file(ino)?;
            tree.sync_way(path);
            Ok(())
        };
        write().is_ok()
    }

    /// Another program removes a file or a whole tree; durable at once. Returns whether there was
    /// one.
    pub fn remove_foreign(&self, path: &Path) -> bool {
        let tree = &mut self.state().tree;
        let done = tree.cut(path).is_ok();
        tree.sync_way(path);
        done
    }

    /// Another program renames a file or directory to a free path; durable at once. Returns whether
    /// it succeeded.
    pub fn rename_foreign(&self, from: &Path, to: &Path) -> bool {
        let tree = &mut self.state().tree;
        let done = tree.rename(from, to, Meeting::Refuse).is_ok_and(|done| done);
        tree.sync_way(from);
        tree.sync_way(to);
        done
    }

    fn below(&self, dir: &Path, view: View) -> BTreeMap<PathBuf, Node> {
        let tree = &mut self.state().tree;
        let mut found = BTreeMap::new();
        let start = match view {
            View::Reader => tree.find(dir).ok(),
            View::WorstCrash => tree.find_durable(dir),
        };
        let mut open: Vec<(PathBuf, Ino)> =
            start.map(|ino| (dir.to_path_buf(), ino)).into_iter().collect();
        while let Some((path, ino)) = open.pop() {
            let Inode::Dir(here) = &tree.inodes[ino] else { continue };
            let names: Names = match view {
                View::Reader => here.now.clone(),
                View::WorstCrash => here.durable.clone(),
            };
            for name in names.into_values() {
                let path = path.join(&*name.shown);
                let content = match view {
                    View::Reader => tree.freeze(name.ino).ok(),
                    View::WorstCrash => {
                        tree.file(name.ino).ok().map(|file| Arc::clone(&file.synced))
                    }
                };
                let node = if let Some(bytes) = content {
                    Node::File(bytes)
                } else {
                    open.push((path.clone(), name.ino));
                    Node::Dir
                };
                found.insert(path, node);
            }
        }
        found
    }
}

impl Tree {
    /// Makes the names on the way to a path durable.
    fn sync_way(&mut self, path: &Path) {
        for dir in path.ancestors().skip(1) {
            if let Ok(ino) = self.find(dir) {
                self.sync_dir(ino);
            }
        }
    }

    fn find_durable(&self, path: &Path) -> Option<Ino> {
        super::tree::names_of(path).ok()?.into_iter().try_fold(super::tree::ROOT, |dir, name| {
            Some(self.dir(dir).ok()?.durable.get(&self.key(&name))?.ino)
        })
    }
}
