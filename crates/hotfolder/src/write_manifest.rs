//! The last step in staging: everything on stable storage, the manifest last.

use std::io::Write as _;
use std::path::Path;

use super::files::{Tree, below, parents, writing};
use super::inspect::There;
use super::publish::Step;
use casedrop_disk::{Disk, DiskError};
use casedrop_model::digest::sha256;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::manifest::{FILE_NAME, Manifest};

/// Makes a staged order complete and durable: checks that exactly the manifest's files are there,
/// syncs them and their directories, then writes the manifest. Returns the SHA-256 of the
/// manifest's bytes. Idempotent.
pub fn write_manifest(
    disk: &dyn Disk,
    staged: &Path,
    manifest: &Manifest,
) -> Result<String, Fault> {
    write_manifest_with(disk, staged, manifest, &|_| {})
}

/// Like [`write_manifest`]; `step` is called before each step.
pub fn write_manifest_with(
    disk: &dyn Disk,
    staged: &Path,
    manifest: &Manifest,
    step: &dyn Fn(Step),
) -> Result<String, Fault> {
    let own = staged.join(FILE_NAME);
    if disk.kind(&own)?.is_some() {
        disk.remove_file(&own)?;
    }
    let tree = Tree::read(disk, staged)?;
    check_set(staged, &tree, manifest)?;

    step(Step::SyncFiles);
    let there = There::of(&tree, manifest);
    let paths: Vec<&str> = manifest.files.iter().map(|file| there.path_of(&file.path)).collect();
    for file in &paths {
        let path = below(staged, file);
        let fail = |source| DiskError { operation: "sync", path: path.clone(), source };
        disk.append(&path)?.sync().map_err(fail)?;
    }
    let used: std::collections::BTreeSet<&str> =
        paths.iter().flat_map(|path| parents(path)).collect();
    for dir in tree.dirs.iter().rev() {
        let path = below(staged, dir);
        if used.contains(dir.as_str()) {
            disk.sync_dir(&path)?;
        } else {
            // Emptied when its files got plain names.
            disk.remove_dir(&path)?;
        }
    }

    step(Step::WriteManifest);
    let bytes = manifest.to_bytes();
    let mut file = disk.create(&own)?;
    file.write_all(&bytes).and_then(|()| file.flush()).map_err(writing(&own))?;
    file.sync().map_err(writing(&own))?;
    drop(file);

    step(Step::SyncStaged);
    disk.sync_dir(staged)?;
    if let Some(parent) = staged.parent() {
        disk.sync_dir(parent)?;
    }
    Ok(sha256(&bytes))
}

fn check_set(staged: &Path, tree: &Tree, manifest: &Manifest) -> Result<(), Fault> {
    let names = There::of(tree, manifest);
    let listed = manifest.files.iter().map(|file| (names.path_of(&file.path), file.size));
    let mut listed: Vec<(&str, u64)> = listed.collect();
    listed.sort_unstable();
    let there = tree.files.iter().map(|(path, size)| (path.as_str(), *size));
    if tree.odd.is_empty() && tree.litter == 0 && there.eq(listed.iter().copied()) {
        return Ok(());
    }
    let text = format!("the files in {} do not match the order's manifest", staged.display());
    Err(Fault::new(FaultClass::Local, "staging-disturbed", text)
        .hint("keep other programs out of the staging folder; the order is fetched again"))
}

#[cfg(test)]
mod tests {
    use super::super::files::hash_file;
    use super::super::testing::{content_of, sealed};
    use super::*;
    use casedrop_disk::RealDisk;

    #[test]
    fn the_manifest_comes_last_and_sealing_again_changes_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let staged = dir.path().join("job");
        let (manifest, sha) = sealed(&staged, 1, &[("a", "1"), ("sub/b", "2")]);
        assert_eq!(hash_file(&RealDisk, &staged.join(FILE_NAME)).expect("hashed").1, sha);
        std::fs::create_dir(staged.join("emptied")).expect("mkdir");
        assert_eq!(write_manifest(&RealDisk, &staged, &manifest).expect("again"), sha);
        let names: Vec<_> = content_of(&staged).into_keys().collect();
        assert_eq!(names, ["a", "manifest.json", "sub/b"]);
        assert!(!staged.join("emptied").exists());
    }

    #[test]
    fn a_stranger_a_gap_or_a_cut_file_stops_it() {
        let dir = tempfile::tempdir().expect("tempdir");
        let staged = dir.path().join("job");
        let (manifest, _) = sealed(&staged, 1, &[("a", "1"), ("b", "2")]);
        let refused = || {
            let fault = write_manifest(&RealDisk, &staged, &manifest).expect_err("refused");
            assert_eq!(fault.code, "staging-disturbed");
            assert!(!staged.join(FILE_NAME).exists());
        };
        std::fs::write(staged.join("c"), "").expect("write");
        refused();
        std::fs::remove_file(staged.join("c")).expect("removed");
        std::fs::write(staged.join("b"), "").expect("cut");
        refused();
        std::fs::remove_file(staged.join("b")).expect("removed");
        refused();
    }
}
