//! Replaced revisions, kept in staging for their retention period:
//! `history/<lab>/<account>/<order-id>/r<N>`.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{Tree, below, fault_of, parents};
use super::inspect::{LocalPicture, Read, There, inspect, manifest_sha, read_manifest};
use super::layout::Layout;
use casedrop_disk::{Disk, Kind};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::ids::OrderKey;
use casedrop_model::manifest::{FILE_NAME, Manifest};
use casedrop_model::stand_in::comparable;

/// The maximum number of directories per revision number: it takes a second one only if a journal
/// was lost and numbering started over.
const MAX_PLACES: u32 = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    pub dir: PathBuf,
    pub manifest: Manifest,
}

/// Returns all replaced revisions of an order with a readable manifest, sorted by directory name.
pub fn retained(disk: &dyn Disk, layout: &Layout, key: &OrderKey) -> Result<Vec<Retained>, Fault> {
    let dir = layout.order_history(key);
    if disk.kind(&dir)? != Some(Kind::Dir) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in disk.list(&dir)?.into_iter().filter(|entry| entry.kind == Kind::Dir) {
        if let Read::Manifest(manifest, _) = read_manifest(disk, &entry.path)? {
            found.push(Retained { dir: entry.path, manifest: *manifest });
        }
    }
    Ok(found)
}

/// Removes a revision's directory if it holds nothing but the unchanged files in its manifest, and
/// returns whether it is gone. Otherwise nothing was touched, or only files of ours. Can be
/// repeated after an interruption.
///
/// Not for directories in the output folder, where a half-removed order would be visible: move them
/// to staging first.
pub fn remove_ours(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<bool, Fault> {
    match inspect(disk, dir, Some(manifest), None)? {
        LocalPicture::Absent => return Ok(true),
        LocalPicture::AsPublished | LocalPicture::Reduced { .. } => {}
        LocalPicture::Altered { .. } | LocalPicture::Ours { .. } | LocalPicture::Foreign { .. } => {
            return Ok(false);
        }
    }
    // The manifest goes last: until then an interrupted removal can be told from a change.
    let tree = Tree::read(disk, dir).map_err(fault_of)?;
    let there = There::of(&tree, manifest);
    let ours: Vec<&str> = manifest.files.iter().map(|file| there.path_of(&file.path)).collect();
    for file in ours.iter().copied().chain([FILE_NAME]) {
        match disk.remove_file(&below(dir, file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fault_of(error)),
            _ => {}
        }
    }
    // Including the directories of files already gone, spelled as on disk.
    let order = &manifest.order_id;
    let wanted = manifest.files.iter().flat_map(|file| parents(&file.path));
    let wanted: BTreeSet<String> = wanted.map(|dir| comparable(dir, order)).collect();
    let dirs = tree.dirs.iter().filter(|dir| wanted.contains(&comparable(dir, order)));
    let inner = dirs.rev().map(|inner| below(dir, inner));
    for dir in inner.chain([dir.to_path_buf()]) {
        match disk.remove_dir(&dir) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(false),
            Err(error) => return Err(fault_of(error)),
        }
    }
    Ok(true)
}

/// Returns the place of a replaced revision, by its manifest's hash; `None` if it is no longer
/// kept. Empty directories without a manifest, which an interrupted removal leaves, count as the
/// revision.
pub fn kept(
    disk: &dyn Disk,
    layout: &Layout,
    key: &OrderKey,
    manifest: &Manifest,
    sha256: &str,
) -> Result<Option<PathBuf>, Fault> {
    let found = find(disk, layout, key, manifest.revision, sha256)?;
    if found.is_some() {
        return Ok(found);
    }
    let first = layout.history_dir(key, manifest.revision);
    if disk.kind(&first)? != Some(Kind::Dir) {
        return Ok(None);
    }
    let tree = Tree::read(disk, &first)?;
    let is_empty = tree.files.is_empty() && tree.odd.is_empty();
    Ok(is_empty.then_some(first))
}

/// Removes the order's history directory once it is empty.
pub fn tidy(disk: &dyn Disk, layout: &Layout, key: &OrderKey) -> Result<(), Fault> {
    let dir = layout.order_history(key);
    if disk.kind(&dir)? != Some(Kind::Dir) {
        return Ok(());
    }
    if !disk.list(&dir)?.is_empty() {
        return Ok(disk.sync_dir(&dir)?);
    }
    match disk.remove_dir(&dir) {
        Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => Err(error.into()),
        _ => dir.parent().map_or(Ok(()), |parent| Ok(disk.sync_dir(parent)?)),
    }
}

/// Returns an unused place in history, creating its parent.
pub(super) fn free_place(
    disk: &dyn Disk,
    layout: &Layout,
    key: &OrderKey,
    revision: u32,
) -> Result<PathBuf, Fault> {
    disk.create_dirs(&layout.order_history(key))?;
    for place in places(layout, key, revision) {
        if disk.kind(&place)?.is_none() {
            return Ok(place);
        }
    }
    let text = format!("the history of order {key} has revision {revision} too many times");
    Err(Fault::new(FaultClass::Local, "history-full", text)
        .hint("remove old directories from the staging folder's history"))
}

/// Returns the place in history of the revision whose manifest has that hash.
pub(super) fn find(
    disk: &dyn Disk,
    layout: &Layout,
    key: &OrderKey,
    revision: u32,
    sha256: &str,
) -> Result<Option<PathBuf>, Fault> {
    for place in places(layout, key, revision) {
        if disk.kind(&place)?.is_none() {
            break;
        }
        if manifest_sha(disk, &place)?.as_deref() == Some(sha256) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn places(layout: &Layout, key: &OrderKey, revision: u32) -> impl Iterator<Item = PathBuf> {
    let first = layout.history_dir(key, revision);
    (1..=MAX_PLACES).map(move |number| {
        if number == 1 {
            first.clone()
        } else {
            first.with_file_name(format!("r{revision}~{number}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Place, content_of, key, sealed};
    use super::*;
    use casedrop_disk::RealDisk;

    #[test]
    fn only_unchanged_revisions_are_removed() {
        let place = Place::new();
        let dir = place.layout.history_dir(&key(), 1);
        let (manifest, _) = sealed(&dir, 1, &[("a", "1"), ("sub/deep/b", "2")]);
        let found = retained(&RealDisk, &place.layout, &key()).expect("listed");
        assert_eq!(found, [Retained { dir: dir.clone(), manifest: manifest.clone() }]);

        std::fs::write(dir.join("sub/notes.txt"), "mine").expect("write");
        assert!(!remove_ours(&RealDisk, &dir, &manifest).expect("asked"));
        assert_eq!(content_of(&dir).len(), 4);

        std::fs::remove_file(dir.join("sub/notes.txt")).expect("removed");
        std::fs::remove_file(dir.join("a")).expect("as if interrupted");
        assert!(remove_ours(&RealDisk, &dir, &manifest).expect("asked"));
        assert!(!dir.exists());
        assert!(remove_ours(&RealDisk, &dir, &manifest).expect("again"));
    }

    #[test]
    fn a_taken_place_is_never_reused() {
        let place = Place::new();
        let first = free_place(&RealDisk, &place.layout, &key(), 1).expect("free");
        let (_, sha) = sealed(&first, 1, &[("a", "1")]);
        let second = free_place(&RealDisk, &place.layout, &key(), 1).expect("free");
        assert_eq!(second.file_name().expect("name"), "r1~2");
        let (_, other) = sealed(&second, 1, &[("a", "2")]);
        let found = |sha: &str| find(&RealDisk, &place.layout, &key(), 1, sha).expect("asked");
        assert_eq!((found(&sha), found(&other)), (Some(first), Some(second)));
        assert_eq!(found("none"), None);
    }
}
