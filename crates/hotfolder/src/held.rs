//! Revisions that are held back: complete, sealed and durable in `<staging>/held/<name>`, which is
//! never swept. This may be the only copy, since the download took the order off Align's list.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::files::fault_of;
use super::inspect::{LocalPicture, Read, inspect, read_manifest};
use super::layout::Layout;
use super::write_manifest::write_manifest_with;
use casedrop_disk::{Disk, DiskError, Kind, Moved};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::ids::OrderKey;
pub use casedrop_model::local::{next_dir, number_of};
use casedrop_model::manifest::{FILE_NAME, Manifest};
use casedrop_model::step::Step;

/// Suffix of a new manifest, which waits next to its revision.
const NEW_MANIFEST: &str = ".manifest.new";

/// A directory below `held` that has one of our manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub dir: String,
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: String,
}

/// Records what is removed from `held`.
pub trait Witness {
    /// Records that a revision of the order is about to be removed. Returns whether that was
    /// recorded; if not, the revision stays.
    fn begins(&self, key: &OrderKey, files: usize) -> bool;

    /// Records how that ended.
    fn ended(&self, key: &OrderKey, files: usize, result: &Result<(), Fault>);

    /// Records that `count` new manifests, which never reached their revisions, are about to be
    /// removed. Returns whether that was recorded.
    fn leftovers(&self, count: usize) -> bool;
}

#[derive(Debug, Default)]
pub struct Lying {
    /// Directories with one of our manifests.
    pub found: Vec<Found>,
    /// New manifests that an interrupted publication left next to their revisions.
    pub leftovers: Vec<PathBuf>,
    /// Everything else, put there or left by others.
    pub others: Vec<PathBuf>,
}

/// Seals a staged revision and moves it into `held`. Once this returns, it survives a power cut.
pub fn keep(
    disk: &dyn Disk,
    layout: &Layout,
    (staged, dir): (&Path, &str),
    manifest: &Manifest,
    step: &dyn Fn(Step),
) -> Result<(), Fault> {
    write_manifest_with(disk, staged, manifest, step)?;
    disk.create_dirs(&layout.held())?;
    let place = layout.held_dir(dir);
    step(Step::HoldMove);
    if disk.rename(staged, &place)? == Moved::TargetExists {
        let text = format!("{} appeared while the order was being moved there", place.display());
        return Err(Fault::new(FaultClass::Local, "staging-disturbed", text)
            .hint("keep other programs out of the staging folder"));
    }
    step(Step::HoldMoved);
    disk.sync_dir(&layout.held())?;
    if disk.kind(&layout.work())? == Some(Kind::Dir) {
        disk.sync_dir(&layout.work())?;
    }
    step(Step::HoldDurable);
    Ok(())
}

/// Whether the files of a held revision match the manifest, byte for byte.
pub fn is_whole(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<bool, Fault> {
    Ok(inspect(disk, dir, Some(manifest), None)? == LocalPicture::AsPublished)
}

/// Verifies every byte of a held revision.
///
/// # Errors
/// `held-changed` if the files are gone or differ from the manifest.
pub fn check(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<(), Fault> {
    if is_whole(disk, dir, manifest)? {
        return Ok(());
    }
    let text = "the held-back files of the order are gone from staging or were changed there";
    Err(Fault::new(FaultClass::Local, "held-changed", text)
        .hint("keep other programs out of the staging folder; the order is fetched again"))
}

/// Replaces a held revision's manifest with the one for publication, after verifying every byte.
/// There is exactly one manifest of ours at any moment. Idempotent.
///
/// # Errors
/// As [`check`].
pub fn reseal(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &Manifest,
    step: &dyn Fn(Step),
) -> Result<(), Fault> {
    check(disk, dir, manifest)?;
    step(Step::HoldReseal);
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(NEW_MANIFEST);
    let new = dir.with_file_name(name);
    if disk.kind(&new)?.is_some() {
        disk.remove_file(&new)?;
    }
    let fail = |source| DiskError { operation: "write", path: new.clone(), source };
    let mut file = disk.create(&new)?;
    file.write_all(&manifest.to_bytes())
        .and_then(|()| file.flush())
        .and_then(|()| file.sync())
        .map_err(fail)?;
    drop(file);
    disk.replace_file(&new, &dir.join(FILE_NAME)).map_err(fault_of)?;
    disk.sync_dir(dir)?;
    Ok(())
}

/// Returns the manifest of a held revision and the hash of its bytes; `None` if there is none of
/// ours.
pub fn manifest_in(disk: &dyn Disk, dir: &Path) -> Result<Option<(Box<Manifest>, String)>, Fault> {
    Ok(match read_manifest(disk, dir)? {
        Read::Manifest(manifest, sha) => Some((manifest, sha)),
        Read::Missing | Read::Unreadable(_) => None,
    })
}

/// Removes a revision that is no longer held back, and records that; if recording fails, it stays
/// until the next start. It is first moved out of `held`, which is never swept, so that the next
/// start finishes an interrupted removal.
pub fn discard(
    disk: &dyn Disk,
    layout: &Layout,
    (key, dir): (&OrderKey, &str),
    witness: &dyn Witness,
    step: &dyn Fn(Step),
) -> Result<(), Fault> {
    let place = layout.held_dir(dir);
    if disk.kind(&place)?.is_none() {
        return Ok(());
    }
    let files = manifest_in(disk, &place)?.map_or(0, |(manifest, _)| manifest.files.len());
    if !witness.begins(key, files) {
        return Ok(());
    }
    step(Step::HoldDrop);
    let result = remove(disk, layout, dir);
    witness.ended(key, files, &result);
    result
}

fn remove(disk: &dyn Disk, layout: &Layout, dir: &str) -> Result<(), Fault> {
    let (place, out) = (layout.held_dir(dir), layout.work_dir(dir));
    disk.create_dirs(&layout.work())?;
    if disk.kind(&out)?.is_some() {
        disk.remove_tree(&out)?;
    }
    disk.rename(&place, &out)?;
    disk.sync_dir(&layout.held())?;
    disk.remove_tree(&out)?;
    Ok(())
}

/// Returns everything below `held`.
pub fn found(disk: &dyn Disk, layout: &Layout) -> Result<Lying, Fault> {
    let mut lying = Lying::default();
    if disk.kind(&layout.held())? != Some(Kind::Dir) {
        return Ok(lying);
    }
    for entry in disk.list(&layout.held())? {
        let name = entry.name.unwrap_or_default();
        let of = name.strip_suffix(NEW_MANIFEST);
        if entry.kind == Kind::File && of.is_some_and(|dir| number_of(dir) > 0) {
            lying.leftovers.push(entry.path);
            continue;
        }
        match (entry.kind, read_manifest(disk, &entry.path)?) {
            (Kind::Dir, Read::Manifest(manifest, manifest_sha256)) => {
                lying.found.push(Found { dir: name, manifest: *manifest, manifest_sha256 });
            }
            _ => lying.others.push(entry.path),
        }
    }
    Ok(lying)
}

/// Removes new manifests that an interrupted publication left; it will write them again.
pub fn sweep(disk: &dyn Disk, leftovers: &[PathBuf], witness: &dyn Witness) -> Result<(), Fault> {
    if leftovers.is_empty() || !witness.leftovers(leftovers.len()) {
        return Ok(());
    }
    for path in leftovers {
        disk.remove_file(path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::super::testing::{Place, content_of, key, sealed};
    use super::*;
    use casedrop_disk::RealDisk;

    const FILES: [(&str, &str); 2] = [("a.stl", "mesh"), ("sub/b.xml", "<x/>")];

    /// A record that may be full.
    #[derive(Default)]
    struct Paper {
        lines: RefCell<Vec<String>>,
        is_full: Cell<bool>,
    }

    impl Paper {
        fn write(&self, line: String) -> bool {
            let is_full = self.is_full.get();
            if !is_full {
                self.lines.borrow_mut().push(line);
            }
            !is_full
        }
    }

    impl Witness for Paper {
        fn begins(&self, key: &OrderKey, files: usize) -> bool {
            self.write(format!("{}: {files} files go", key.order))
        }

        fn ended(&self, key: &OrderKey, files: usize, result: &Result<(), Fault>) {
            assert!(result.is_ok());
            self.write(format!("{}: {files} files are gone", key.order));
        }

        fn leftovers(&self, count: usize) -> bool {
            self.write(format!("{count} leftovers go"))
        }
    }

    #[test]
    fn what_is_kept_is_found_gets_another_manifest_and_can_be_discarded() {
        let place = Place::new();
        let layout = &place.layout;
        let staged = layout.work_dir("job");
        let (mut manifest, sha) = sealed(&staged, 1, &FILES);
        let dir = next_dir("lab~1~17", None, 7);
        keep(&RealDisk, layout, (&staged, &dir), &manifest, &|_| {}).expect("kept");
        assert!(!staged.exists());
        let Lying { found: all, others, .. } = found(&RealDisk, layout).expect("listed");
        assert_eq!(others, Vec::<PathBuf>::new());
        assert_eq!((all[0].dir.as_str(), &all[0].manifest_sha256), ("lab~1~17~h1-00000007", &sha));
        manifest.published_at = "2027-01-01T00:00:00Z".to_owned();
        reseal(&RealDisk, &layout.held_dir(&dir), &manifest, &|_| {}).expect("resealed");
        assert_eq!(found(&RealDisk, layout).expect("listed").found[0].manifest, manifest);
        let names: Vec<_> = content_of(&layout.held_dir(&dir)).into_keys().collect();
        assert_eq!(names, ["a.stl", "manifest.json", "sub/b.xml"]);
        let paper = Paper::default();
        let drop = || discard(&RealDisk, layout, (&key(), &dir), &paper, &|_| {}).expect("gone");
        paper.is_full.set(true);
        drop();
        assert_eq!(
            found(&RealDisk, layout).expect("listed").found.len(),
            1,
            "unrecorded, it stays"
        );
        paper.is_full.set(false);
        drop();
        assert_eq!(paper.lines.take(), ["17: 2 files go", "17: 2 files are gone"]);
        assert_eq!(found(&RealDisk, layout).expect("listed").found, []);
        drop();
        assert_eq!(paper.lines.take(), Vec::<String>::new(), "gone already");
    }

    #[test]
    fn what_others_changed_is_not_published_and_what_is_not_ours_is_left() {
        let place = Place::new();
        let layout = &place.layout;
        let dir = layout.held_dir("x~h1");
        let (manifest, _) = sealed(&dir, 1, &FILES);
        std::fs::write(dir.join("a.stl"), "mush").expect("written");
        let fault = reseal(&RealDisk, &dir, &manifest, &|_| {}).expect_err("changed");
        assert_eq!(fault.code, "held-changed");
        let left = [layout.held().join("x~h1-1.manifest.new")];
        let theirs = layout.held().join("theirs.manifest.new");
        for path in left.iter().chain([&theirs]) {
            std::fs::write(path, "left").expect("written");
        }
        std::fs::create_dir(layout.held().join("strange")).expect("made");
        let lying = found(&RealDisk, layout).expect("listed");
        assert_eq!((lying.found.len(), lying.others.len()), (1, 2));
        assert_eq!(lying.leftovers, left);
        let paper = Paper::default();
        for (is_full, is_there) in [(true, true), (false, false)] {
            paper.is_full.set(is_full);
            sweep(&RealDisk, &lying.leftovers, &paper).expect("swept");
            assert_eq!((left[0].exists(), theirs.exists()), (is_there, true));
        }
        assert_eq!(paper.lines.take(), ["1 leftovers go"]);
    }

    #[test]
    fn each_hold_has_a_directory_of_its_own() {
        let first = next_dir("lab~1~17", None, u32::MAX);
        let second = next_dir("lab~1~17", Some(&first), 0);
        assert_eq!((number_of(&first), number_of(&second)), (1, 2));
        assert_eq!(number_of("strange"), 0);
    }
}
