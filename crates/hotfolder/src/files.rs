//! Small file helpers that the whole crate uses.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use casedrop_disk::{Disk, DiskError, Kind, shown};
use casedrop_model::cancel::Cancel;
use casedrop_model::digest::hex;
use casedrop_model::discreet::file_name;
use casedrop_model::fault::{Fault, FaultClass, TARGET_BUSY};

/// The size of every copy buffer, in bytes.
pub(crate) const BUFFER: usize = 64 * 1024;

/// An incremental SHA-256.
#[derive(Clone, Default)]
pub(crate) struct Hash(Sha256);

impl Hash {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns the hash in lowercase hexadecimal.
    pub(crate) fn finish(self) -> String {
        hex(self.0.finalize())
    }
}

/// Returns the size and hash of a file.
pub fn hash_file(disk: &dyn Disk, path: &Path) -> Result<(u64, String), DiskError> {
    let fail = |source| DiskError { operation: "read", path: path.to_path_buf(), source };
    let mut file = disk.open(path)?;
    let mut hash = Hash::default();
    let mut size = 0_u64;
    let mut buffer = vec![0; BUFFER];
    loop {
        let count = read_some(&mut file, &mut buffer).map_err(fail)?;
        if count == 0 {
            return Ok((size, hash.finish()));
        }
        hash.update(&buffer[..count]);
        size += count as u64;
    }
}

/// Copies a file to a path that must not exist.
pub fn copy_file(
    disk: &dyn Disk,
    from: &Path,
    to: &Path,
    cancel: &Cancel,
) -> Result<(u64, String), Fault> {
    let mut reader = disk.open(from)?;
    let mut writer = disk.create(to)?;
    let mut hash = Hash::default();
    let mut size = 0_u64;
    let mut buffer = vec![0; BUFFER];
    loop {
        check(cancel)?;
        let count = read_some(&mut reader, &mut buffer).map_err(|source| DiskError {
            operation: "read",
            path: from.to_path_buf(),
            source,
        })?;
        if count == 0 {
            writer.flush().map_err(writing(to))?;
            return Ok((size, hash.finish()));
        }
        writer.write_all(&buffer[..count]).map_err(writing(to))?;
        hash.update(&buffer[..count]);
        size += count as u64;
    }
}

/// Reads once, retrying if interrupted by a signal.
pub(crate) fn read_some(reader: &mut (impl Read + ?Sized), buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match reader.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Adds the path to a write error.
pub(crate) fn writing(path: &Path) -> impl FnOnce(io::Error) -> DiskError {
    move |source| DiskError { operation: "write", path: path.to_path_buf(), source }
}

/// Converts to a fault like the usual conversion, with its own code and hint for a file or folder
/// that a program holds open.
pub(crate) fn fault_of(error: DiskError) -> Fault {
    if !error.is_busy() {
        return error.into();
    }
    let text = format!(
        "waiting for lock: a program holds a file of this order open ({} {})",
        error.operation,
        shown(&error.path)
    );
    Fault::new(FaultClass::Local, TARGET_BUSY, text)
        .hint(
            "close the order in the CAD program or Explorer (or, if none has it open, let the \
             agent's user write there); Casedrop then continues automatically",
        )
        .caused_by(error.source)
}

/// Like [`fault_of`], and also names the file of the order's directory that is held and the program
/// holding it.
pub(crate) fn held_fault(disk: &dyn Disk, dir: &Path, error: DiskError) -> Fault {
    let is_busy = error.is_busy();
    let mut fault = fault_of(error);
    if let Some(held) = is_busy.then(|| held_in(disk, dir)).flatten() {
        let by = if held.programs.is_empty() {
            "a program holds".to_owned()
        } else {
            let one = held.programs.len() == 1;
            format!("{} {}", held.programs.join(", "), if one { "holds" } else { "hold" })
        };
        let file = file_name(&held.file);
        fault.message =
            format!("waiting for lock: {by} {file} of this order open ({})", dir.display());
    }
    fault
}

/// A file that programs hold open.
struct Held {
    file: String,
    programs: Vec<String>,
}

fn held_in(disk: &dyn Disk, dir: &Path) -> Option<Held> {
    let files = Tree::read(disk, dir).ok()?.files;
    let is_held = |path: &Path| matches!(disk.is_at_rest(path), Ok(false));
    let held = files.into_iter().map(|(file, _)| file).find(|file| is_held(&below(dir, file)))?;
    let programs = disk.holders(&[below(dir, &held)]);
    Some(Held { file: held, programs })
}

/// Returns a fault if the work was cancelled.
pub(crate) fn check(cancel: &Cancel) -> Result<(), Fault> {
    if cancel.is_cancelled() {
        return Err(Fault::new(FaultClass::Cancelled, "cancelled", "the work was asked to stop"));
    }
    Ok(())
}

/// Whether a file is one that operating systems scatter around, which is no one's content.
pub(crate) fn is_litter(name: &str) -> bool {
    ["Thumbs.db", "desktop.ini", ".DS_Store"].iter().any(|litter| litter.eq_ignore_ascii_case(name))
}

/// Everything below a directory, except litter.
#[derive(Debug, Default)]
pub struct Tree {
    /// Files with their sizes, as paths with `/`.
    pub files: Vec<(String, u64)>,
    /// Directories, parents before children.
    pub dirs: Vec<String>,
    /// Entries that are neither a file nor a directory, or whose name is not Unicode.
    pub odd: Vec<String>,
    /// Number of litter files, which are in none of the other fields.
    pub litter: usize,
}

impl Tree {
    /// Reads all names below `dir`, without following links.
    pub fn read(disk: &dyn Disk, dir: &Path) -> Result<Self, DiskError> {
        let mut tree = Self::default();
        let mut open: Vec<(PathBuf, String)> = vec![(dir.to_path_buf(), String::new())];
        while let Some((dir, prefix)) = open.pop() {
            for entry in disk.list(&dir)? {
                let Some(name) = entry.name else {
                    let shown = entry.path.file_name().unwrap_or_default().to_string_lossy();
                    tree.odd.push(format!("{prefix}{shown}"));
                    continue;
                };
                let path = format!("{prefix}{name}");
                match entry.kind {
                    Kind::File if is_litter(&name) => tree.litter += 1,
                    Kind::File => tree.files.push((path, entry.len)),
                    Kind::Dir => {
                        open.push((entry.path, format!("{path}/")));
                        tree.dirs.push(path);
                    }
                    Kind::Other => tree.odd.push(path),
                }
            }
        }
        tree.files.sort();
        tree.dirs.sort();
        tree.odd.sort();
        Ok(tree)
    }
}

/// A snapshot of what is below a directory, so that later additions can be removed.
pub struct Footprint {
    files: BTreeSet<String>,
    dirs: BTreeSet<String>,
}

impl Footprint {
    /// Takes a snapshot; it is empty if the directory does not exist.
    pub fn of(disk: &dyn Disk, dir: &Path) -> Result<Self, DiskError> {
        let tree = match disk.kind(dir)? {
            Some(Kind::Dir) => Tree::read(disk, dir)?,
            _ => Tree::default(),
        };
        let files = tree.files.into_iter().map(|(path, _)| path).collect();
        Ok(Self { files, dirs: tree.dirs.into_iter().collect() })
    }

    /// Removes what was added since the snapshot.
    pub fn restore(&self, disk: &dyn Disk, dir: &Path) -> Result<(), DiskError> {
        let now = Self::of(disk, dir)?;
        for path in now.files.difference(&self.files) {
            disk.remove_file(&below(dir, path))?;
        }
        // Children before parents.
        for path in now.dirs.iter().rev().filter(|dir| !self.dirs.contains(*dir)) {
            disk.remove_dir(&below(dir, path))?;
        }
        Ok(())
    }
}

/// Removes the directories below `dir` that hold no file at any depth.
pub fn remove_empty_dirs(disk: &dyn Disk, dir: &Path) -> Result<(), DiskError> {
    let tree = Tree::read(disk, dir)?;
    let used: BTreeSet<&str> = tree.files.iter().flat_map(|(path, _)| parents(path)).collect();
    for empty in tree.dirs.iter().rev().filter(|dir| !used.contains(dir.as_str())) {
        disk.remove_dir(&below(dir, empty))?;
    }
    Ok(())
}

/// Joins a path with `/` to `base`.
pub fn below(base: &Path, path: &str) -> PathBuf {
    let mut out = base.to_path_buf();
    out.extend(path.split('/'));
    out
}

/// Returns the parent directories of a path with `/`, outermost first.
pub(crate) fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(move |(at, _)| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_outermost_first() {
        assert_eq!(parents("a/b/c").collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(parents("a").count(), 0);
    }
}
