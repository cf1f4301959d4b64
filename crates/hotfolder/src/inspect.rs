//! Looks at an order's directory, hashing every byte, and reports whose it is now.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::files::{Tree, below, fault_of, hash_file, parents};
use casedrop_disk::{Disk, DiskError, Kind, read_limited};
use casedrop_model::digest::sha256;
use casedrop_model::discreet::file_name;
use casedrop_model::fault::Fault;
pub use casedrop_model::local::LocalPicture;
use casedrop_model::manifest::{FILE_NAME, Manifest};
use casedrop_model::stand_in::comparable;

/// Manifests of the largest allowed orders stay far below this.
const MANIFEST_MAX: u64 = 32 << 20;

/// Looks at `dir`. With an expected manifest, everything is compared with it (and the manifest's
/// bytes with `expected_sha`, if given); without one, a complete order of ours is recognised.
/// Litter from operating systems (`Thumbs.db`, `desktop.ini`, `.DS_Store`) is ignored.
pub fn inspect(
    disk: &dyn Disk,
    dir: &Path,
    expected: Option<&Manifest>,
    expected_sha: Option<&str>,
) -> Result<LocalPicture, Fault> {
    match disk.kind(dir).map_err(fault_of)? {
        None => return Ok(LocalPicture::Absent),
        Some(Kind::Dir) => {}
        Some(kind) => {
            let what = if kind == Kind::File { "a file" } else { "a link or device" }.to_owned();
            return Ok(match expected {
                Some(_) => LocalPicture::Altered {
                    differences: vec![format!("{what} is in place of the directory")],
                },
                None => LocalPicture::Foreign { what },
            });
        }
    }
    match expected {
        Some(manifest) => compare(disk, dir, manifest, expected_sha)
            .map(Comparison::into_picture)
            .map_err(fault_of),
        None => recognise(disk, dir).map_err(fault_of),
    }
}

/// Like [`inspect`], but compares names and sizes only: fast, and blind to changes that keep the
/// size.
pub fn glance(disk: &dyn Disk, dir: &Path, expected: &Manifest) -> Result<LocalPicture, Fault> {
    if disk.kind(dir).map_err(fault_of)? != Some(Kind::Dir) {
        return inspect(disk, dir, Some(expected), None);
    }
    let files = |_: &Path| Ok(None);
    compare_by(disk, dir, expected, None, &files).map(Comparison::into_picture).map_err(fault_of)
}

fn recognise(disk: &dyn Disk, dir: &Path) -> Result<LocalPicture, DiskError> {
    let foreign = |what: String| Ok(LocalPicture::Foreign { what });
    if disk.list(dir)?.is_empty() {
        return Ok(LocalPicture::Absent);
    }
    let (manifest, manifest_sha256) = match read_manifest(disk, dir)? {
        Read::Manifest(manifest, sha) => (manifest, sha),
        Read::Missing => return foreign("a directory without manifest.json".to_owned()),
        Read::Unreadable(why) => return foreign(format!("a directory whose manifest {why}")),
    };
    let comparison = compare(disk, dir, &manifest, None)?;
    match comparison.into_picture() {
        LocalPicture::AsPublished => Ok(LocalPicture::Ours { manifest, manifest_sha256 }),
        LocalPicture::Reduced { gone } => {
            let gone: Vec<String> = gone.iter().map(|file| file_name(file)).collect();
            foreign(format!("an order without some of its files: {}", gone.join(", ")))
        }
        LocalPicture::Altered { differences } => {
            foreign(format!("an order that was changed: {}", differences.join(", ")))
        }
        other => Ok(other),
    }
}

/// The result of reading a directory's `manifest.json`.
pub enum Read {
    /// One of ours, with the SHA-256 of its bytes.
    Manifest(Box<Manifest>, String),
    Missing,
    /// Not one of ours; the reason, worded as the end of a sentence.
    Unreadable(String),
}

/// Reads the manifest in a directory.
///
/// # Errors
/// The file exists but cannot be read.
pub fn read_manifest(disk: &dyn Disk, dir: &Path) -> Result<Read, DiskError> {
    let bytes = match read_limited(disk, &dir.join(FILE_NAME), MANIFEST_MAX) {
        Ok(bytes) => bytes,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(Read::Missing),
                io::ErrorKind::FileTooLarge => {
                    Ok(Read::Unreadable("is too long to be one of ours".to_owned()))
                }
                _ => match error.no_file() {
                    Some(what) => Ok(Read::Unreadable(format!("is {what}, not a file"))),
                    None => Err(error),
                },
            };
        }
    };
    Ok(match Manifest::parse(&bytes) {
        Ok(manifest) => Read::Manifest(Box::new(manifest), sha256(&bytes)),
        Err(refusal) => Read::Unreadable(refusal.to_string()),
    })
}

/// Returns the SHA-256 of the manifest in a directory, if it is one of ours.
pub(crate) fn manifest_sha(disk: &dyn Disk, dir: &Path) -> Result<Option<String>, DiskError> {
    Ok(match read_manifest(disk, dir)? {
        Read::Manifest(_, sha) => Some(sha),
        Read::Missing | Read::Unreadable(_) => None,
    })
}

/// A directory compared with a manifest.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// Missing files.
    pub(crate) gone: Vec<String>,
    /// Files that differ or should not be there, each with what is wrong.
    pub(crate) wrong: Vec<(String, String)>,
}

impl Comparison {
    fn into_picture(self) -> LocalPicture {
        if !self.wrong.is_empty() {
            let told = self.wrong.iter().map(|(file, what)| format!("{} {what}", file_name(file)));
            LocalPicture::Altered { differences: told.collect() }
        } else if self.gone.is_empty() {
            LocalPicture::AsPublished
        } else {
            LocalPicture::Reduced { gone: self.gone }
        }
    }
}

/// Maps a manifest's files to those in a directory. Most have exactly the same name. Others have a
/// stand-in in the journal, or are on a volume that changes case or how accented letters are
/// encoded.
pub struct There<'t>(BTreeMap<&'t str, &'t str>);

impl<'t> There<'t> {
    /// Finds each file of the manifest.
    pub fn of(tree: &'t Tree, manifest: &'t Manifest) -> Self {
        let order = &manifest.order_id;
        let mut left: BTreeSet<&str> = tree.files.iter().map(|(path, _)| path.as_str()).collect();
        let wanted = manifest.files.iter().map(|file| file.path.as_str());
        let missing: Vec<&str> = wanted.filter(|path| !left.remove(path)).collect();
        if missing.is_empty() || left.is_empty() {
            return Self(BTreeMap::new());
        }
        let mut others: BTreeMap<String, Option<&str>> = BTreeMap::new();
        for path in left {
            // If two names match this loosely, we accept neither.
            others
                .entry(comparable(path, order))
                .and_modify(|one| *one = None)
                .or_insert(Some(path));
        }
        let found = |path: &'t str| {
            let other = others.get_mut(&comparable(path, order)).and_then(Option::take)?;
            Some((path, other))
        };
        Self(missing.into_iter().filter_map(found).collect())
    }

    /// Returns the directory's spelling of a path in the manifest.
    pub fn path_of(&self, path: &'t str) -> &'t str {
        self.0.get(path).copied().unwrap_or(path)
    }
}

/// Returns the manifest in a directory, if it has this hash.
pub fn manifest_with(
    disk: &dyn Disk,
    dir: &Path,
    expected: &str,
) -> Result<Option<Box<Manifest>>, DiskError> {
    Ok(match read_manifest(disk, dir)? {
        Read::Manifest(manifest, sha256) if sha256 == expected => Some(manifest),
        Read::Manifest(..) | Read::Missing | Read::Unreadable(_) => None,
    })
}

/// Returns the manifest with its files' real names, read from its directory; `None` if there is no
/// manifest or a different one.
pub fn with_names(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &Manifest,
) -> Result<Option<Manifest>, DiskError> {
    if !manifest.has_stand_ins() {
        return Ok(Some(manifest.clone()));
    }
    Ok(match read_manifest(disk, dir)? {
        Read::Manifest(found, _) if found.without_names() == manifest.without_names() => {
            Some(*found)
        }
        Read::Manifest(..) | Read::Missing | Read::Unreadable(_) => None,
    })
}

/// Compares every file, by size and then by hash. Without `manifest_sha`, the manifest's own file
/// may contain anything.
pub(crate) fn compare(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &Manifest,
    manifest_sha: Option<&str>,
) -> Result<Comparison, DiskError> {
    let hashed = |path: &Path| hash_file(disk, path).map(|(_, hash)| Some(hash));
    compare_by(disk, dir, manifest, manifest_sha, &hashed)
}

/// Like [`compare`]; `hash` returns a file's hash, or `None` to skip the content.
fn compare_by(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &Manifest,
    manifest_sha: Option<&str>,
    hash: &dyn Fn(&Path) -> Result<Option<String>, DiskError>,
) -> Result<Comparison, DiskError> {
    let mut found = Comparison::default();
    let tree = Tree::read(disk, dir)?;
    let there = There::of(&tree, manifest);
    let mut files: BTreeMap<&str, u64> =
        tree.files.iter().map(|(path, size)| (path.as_str(), *size)).collect();
    let mut dirs = BTreeSet::new();
    for file in &manifest.files {
        dirs.extend(parents(&file.path));
        let path = there.path_of(&file.path);
        let Some(size) = files.remove(path) else {
            found.gone.push(file.path.as_str().to_owned());
            continue;
        };
        dirs.extend(parents(path));
        if size != file.size {
            let what = format!("has {size} bytes instead of {}", file.size);
            found.wrong.push((path.to_owned(), what));
            continue;
        }
        match hash(&below(dir, path)) {
            Ok(hash) if hash.as_ref().is_none_or(|hash| *hash == file.sha256) => {}
            Ok(_) => found.wrong.push((path.to_owned(), "has different content".to_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                found.gone.push(path.to_owned());
            }
            Err(error) => match error.no_file() {
                // Something replaced it since the directory was read.
                Some(what) => found.wrong.push((path.to_owned(), format!("is {what} now"))),
                None => return Err(error),
            },
        }
    }
    match (files.remove(FILE_NAME), manifest_sha) {
        (None, _) => found.gone.push(FILE_NAME.to_owned()),
        (Some(_), None) => {}
        (Some(size), Some(expected)) => {
            let path = dir.join(FILE_NAME);
            // Ours are short; a foreign one may be of any size.
            if size > MANIFEST_MAX || hash_file(disk, &path)?.1 != expected {
                found.wrong.push((FILE_NAME.to_owned(), "has different content".to_owned()));
            }
        }
    }
    let extra = files.into_keys().map(|file| (file, "is not part of the order"));
    let order = &manifest.order_id;
    // The directory of a missing file may be spelled differently from the manifest.
    let others: BTreeSet<String> = dirs.iter().map(|dir| comparable(dir, order)).collect();
    let extra = extra.chain(
        tree.dirs
            .iter()
            .filter(|dir| !dirs.contains(dir.as_str()) && !others.contains(&comparable(dir, order)))
            .map(|dir| (dir.as_str(), "is a directory that is not part of the order")),
    );
    let odd = tree.odd.iter().map(|path| (path.as_str(), "is a link or has an unreadable name"));
    found.wrong.extend(extra.chain(odd).map(|(path, what)| (path.to_owned(), what.to_owned())));
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::super::testing::sealed;
    use super::*;
    use casedrop_disk::RealDisk;

    fn setup() -> (tempfile::TempDir, std::path::PathBuf, Manifest, String) {
        let dir = tempfile::tempdir().expect("tempdir");
        let order = dir.path().join("17");
        let (manifest, sha) = sealed(&order, 1, &[("a.stl", "mesh"), ("thumbnails/b.jpg", "pic")]);
        (dir, order, manifest, sha)
    }

    fn differences(order: &Path, manifest: &Manifest, sha: &str) -> Vec<String> {
        match inspect(&RealDisk, order, Some(manifest), Some(sha)).expect("looked") {
            LocalPicture::Altered { differences } => differences,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_untouched_order_is_as_published_and_recognised_without_expectation() {
        let (_dir, order, manifest, sha) = setup();
        std::fs::write(order.join("Thumbs.db"), "litter").expect("write");
        let picture = inspect(&RealDisk, &order, Some(&manifest), Some(&sha)).expect("looked");
        assert_eq!(picture, LocalPicture::AsPublished);
        let ours = LocalPicture::Ours { manifest: Box::new(manifest), manifest_sha256: sha };
        assert_eq!(inspect(&RealDisk, &order, None, None).expect("looked"), ours);
    }

    #[test]
    fn taken_files_are_told_from_changed_ones() {
        let (_dir, order, manifest, sha) = setup();
        std::fs::remove_file(order.join("thumbnails/b.jpg")).expect("taken");
        let reduced = inspect(&RealDisk, &order, Some(&manifest), Some(&sha)).expect("looked");
        assert_eq!(reduced, LocalPicture::Reduced { gone: vec!["thumbnails/b.jpg".to_owned()] });

        std::fs::write(order.join("a.stl"), "mEsh").expect("same length");
        assert_eq!(differences(&order, &manifest, &sha), ["a.stl has different content"]);
        std::fs::write(order.join("a.stl"), "longer").expect("write");
        assert_eq!(differences(&order, &manifest, &sha), ["a.stl has 6 bytes instead of 4"]);
        let foreign = inspect(&RealDisk, &order, None, None).expect("looked");
        assert!(matches!(foreign, LocalPicture::Foreign { .. }), "{foreign:?}");
    }

    #[test]
    fn additions_of_any_kind_are_seen() {
        let (_dir, order, manifest, sha) = setup();
        std::fs::create_dir(order.join("notes")).expect("mkdir");
        std::fs::write(order.join("design.dcm"), "").expect("write");
        std::fs::write(order.join("manifest.json"), "{}").expect("write");
        assert_eq!(
            differences(&order, &manifest, &sha),
            [
                "manifest.json has different content",
                "design.dcm is not part of the order",
                "notes is a directory that is not part of the order"
            ]
        );
    }

    #[test]
    fn empty_missing_and_odd_things() {
        let (dir, _, manifest, sha) = setup();
        let at = dir.path().join("other");
        let with = |at: &Path| inspect(&RealDisk, at, Some(&manifest), Some(&sha)).expect("looked");
        let without = |at: &Path| inspect(&RealDisk, at, None, None).expect("looked");
        assert_eq!((with(&at), without(&at)), (LocalPicture::Absent, LocalPicture::Absent));
        std::fs::create_dir(&at).expect("mkdir");
        assert!(matches!(with(&at), LocalPicture::Reduced { gone } if gone.len() == 3));
        assert_eq!(without(&at), LocalPicture::Absent);
        std::fs::remove_dir(&at).expect("rmdir");
        std::fs::write(&at, "").expect("a file");
        assert!(matches!(with(&at), LocalPicture::Altered { .. }));
        assert!(matches!(without(&at), LocalPicture::Foreign { .. }));
    }
}
