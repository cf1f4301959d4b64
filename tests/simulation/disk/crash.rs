//! What a power cut leaves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::tree::{Ino, Inode, ROOT, Tree};

impl Tree {
    /// Randomly loses what is not durable. What remains is durable.
    pub(super) fn crash(&mut self, rng: &mut fastrand::Rng) {
        self.lose_names(rng);
        let names = self.surviving_names();
        let mut free = self.free;
        for ino in 0..self.inodes.len() {
            let names = names.get(&ino).copied();
            match &self.inodes[ino] {
                Inode::Dir(_) => {
                    let dir = self.dir_mut(ino);
                    if names.is_none() {
                        dir.durable.clear();
                    }
                    dir.now = dir.durable.clone();
                }
                Inode::File(file) => {
                    let before = file.space();
                    let bytes = match names {
                        None => Arc::default(),
                        Some(_) if !file.dirty => Arc::clone(&file.synced),
                        Some(_) => surviving_bytes(rng, &file.synced, file.bytes()),
                    };
                    let Ok(file) = self.file_mut(ino) else { continue };
                    file.survive(bytes, names.unwrap_or(0));
                    free = (free + before).saturating_sub(file.space());
                }
            }
        }
        self.free = free;
    }

    /// Some of the operations reached the disk; within a directory, no later one overtook an
    /// earlier one.
    fn lose_names(&mut self, rng: &mut fastrand::Rng) {
        // A disk may have written nearly everything on its own, or nearly nothing.
        let luck = [0.0, 0.5, 0.9, 1.0][rng.usize(..4)];
        let mut stopped = BTreeSet::new();
        for op in std::mem::take(&mut self.log) {
            let kept = rng.f64() < luck && !op.dirs().any(|dir| stopped.contains(&dir));
            if kept {
                self.settle(op);
            } else {
                stopped.extend(op.dirs());
            }
        }
    }

    /// The number of names of every reachable inode.
    fn surviving_names(&self) -> BTreeMap<Ino, usize> {
        let mut names = BTreeMap::from([(ROOT, 1)]);
        let mut open = vec![ROOT];
        while let Some(ino) = open.pop() {
            let Inode::Dir(dir) = &self.inodes[ino] else { continue };
            for name in dir.durable.values() {
                let count = names.entry(name.ino).or_default();
                *count += 1;
                if *count == 1 {
                    open.push(name.ino);
                }
            }
        }
        names
    }
}

/// The old content, the new one, or something in between.
fn surviving_bytes(rng: &mut fastrand::Rng, synced: &Arc<[u8]>, new: &[u8]) -> Arc<[u8]> {
    // What was synced and not overwritten since cannot be torn.
    let safe = synced.iter().zip(new).take_while(|(old, new)| old == new).count();
    let cut = rng.usize(safe..=new.len());
    match rng.u8(..4) {
        0 => Arc::clone(synced),
        1 => new.into(),
        2 => new[..cut].into(),
        _ => {
            let mut torn = new.to_vec();
            torn[cut..].fill(0);
            torn.into()
        }
    }
}
