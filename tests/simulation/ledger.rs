//! What others did below the output, to check that the agent leaves it alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Node, SimDisk};

/// A directory's content, by path below it.
pub type Content = BTreeMap<PathBuf, Node>;

/// Something that must stay as it is.
#[derive(Debug, Clone)]
pub struct Frozen {
    /// What others left there.
    pub content: Content,
    /// Whether it was changed in the middle of a publication: it may then have been moved into
    /// history together with its directory.
    pub in_between: bool,
}

/// Everything that others did.
#[derive(Debug, Default)]
pub struct Ledger {
    /// What others made or changed, by the path of the entry in an account's directory.
    pub frozen: BTreeMap<PathBuf, Frozen>,
    /// Where others took files, and what they left.
    pub reduced: BTreeMap<PathBuf, Content>,
    /// What was moved into history by a publication in progress.
    pub displaced: Vec<Content>,
    /// Every entry that others ever touched.
    pub touched: BTreeSet<PathBuf>,
    /// Number of names made up so far.
    pub made_up: u32,
}

/// What is at a path, by path below it; a file has the empty path.
pub fn content(disk: &SimDisk, at: &Path) -> Content {
    if let Some(bytes) = disk.read(at) {
        return Content::from([(PathBuf::new(), Node::File(bytes))]);
    }
    let found = disk.snapshot(at);
    found.into_iter().map(|(path, node)| (below(&path, at), node)).collect()
}

/// The part of a path below another one.
pub fn below(path: &Path, base: &Path) -> PathBuf {
    path.strip_prefix(base).map(Path::to_path_buf).unwrap_or_default()
}

pub fn files(content: &Content) -> impl Iterator<Item = (&PathBuf, &Arc<[u8]>)> {
    content.iter().filter_map(|(path, node)| match node {
        Node::File(bytes) => Some((path, bytes)),
        Node::Dir => None,
    })
}

/// Whether someone else wrote these bytes.
fn is_of_others(bytes: &[u8]) -> bool {
    bytes.windows(8).any(|here| here == b"foreign-")
}

impl Ledger {
    /// A fresh name; everything that others write contains one.
    pub fn name(&mut self) -> String {
        self.made_up += 1;
        format!("foreign-{}", self.made_up)
    }

    /// Someone changed or added something there.
    pub fn changed(&mut self, disk: &SimDisk, at: &Path, in_between: bool) {
        self.reduced.remove(at);
        let in_between = in_between || self.frozen.get(at).is_some_and(|old| old.in_between);
        let content = content(disk, at);
        if !files(&content).any(|(_, bytes)| is_of_others(bytes)) {
            // If nothing of theirs is there, nothing of theirs can be lost.
            self.frozen.remove(at);
            self.taken(disk, at, in_between);
            return;
        }
        self.frozen.insert(at.to_path_buf(), Frozen { content, in_between });
        self.touched.insert(at.to_path_buf());
    }

    /// Someone took some or all of it.
    pub fn taken(&mut self, disk: &SimDisk, at: &Path, in_between: bool) {
        self.touched.insert(at.to_path_buf());
        if self.frozen.contains_key(at) {
            if disk.exists(at) {
                self.changed(disk, at, in_between);
            } else {
                self.frozen.remove(at);
            }
        } else if disk.exists(at) {
            self.reduced.insert(at.to_path_buf(), content(disk, at));
        } else {
            self.reduced.remove(at);
        }
    }
}
