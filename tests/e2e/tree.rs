//! Reads an output tree as a CAD program would: by its manifests.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use casedrop::model::manifest::Manifest;
use sha2::{Digest as _, Sha256};

/// Reads the manifest of an order's directory.
pub fn manifest(dir: &Path) -> Result<Manifest, String> {
    let path = dir.join("manifest.json");
    let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}

/// Checks that the directory holds exactly what its manifest says.
pub fn check_order(dir: &Path) -> Result<Manifest, String> {
    let manifest = manifest(dir)?;
    let mut expected: Vec<PathBuf> = vec![dir.join("manifest.json")];
    for file in &manifest.files {
        let path = dir.join(&file.path);
        let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", file.path))?;
        if bytes.len() as u64 != file.size || hash(&bytes) != file.sha256 {
            return Err(format!("{} differs from the manifest", file.path));
        }
        expected.push(path);
    }
    let mut found = files(dir);
    expected.sort();
    found.sort();
    if found == expected { Ok(manifest) } else { Err(format!("{found:?} is not {expected:?}")) }
}

/// Lower-case hexadecimal SHA-256.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Every file below a directory with the hash of its content.
pub fn listing(dir: &Path) -> Vec<(PathBuf, String)> {
    let hashed = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("readable");
        (path, hash(&bytes))
    };
    let mut listing: Vec<_> = files(dir).into_iter().map(hashed).collect();
    listing.sort();
    listing
}

pub fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(dir) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Every order directory below an output folder.
pub fn orders(output: &Path) -> Vec<PathBuf> {
    let dirs = |dir: PathBuf| -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
        entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    let mut found: Vec<_> =
        dirs(output.to_owned()).into_iter().flat_map(dirs).flat_map(dirs).collect();
    found.sort();
    found
}
