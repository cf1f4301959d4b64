//! One directory and the revision that it claims to be.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use casedrop::hotfolder::Layout;
use casedrop::model::ids::OrderKey;
use casedrop::model::manifest::{FILE_NAME, Manifest};
use casedrop::model::stand_in::stand_in;

use crate::align::{CaseKind, SimOrder, hash, thumbnails};
use crate::disk::Node;
use crate::ledger::{Content, files};

/// Reads the manifest of a directory and checks that exactly its files are there, with their
/// hashes.
pub fn whole(content: &Content) -> Result<Manifest, String> {
    let Some(Node::File(bytes)) = content.get(Path::new(FILE_NAME)) else {
        return Err("has no manifest".to_owned());
    };
    let manifest: Manifest =
        serde_json::from_slice(bytes).map_err(|error| format!("has a bad manifest: {error}"))?;
    let mut there: BTreeMap<String, String> = files(content)
        .filter(|(path, _)| path.as_path() != Path::new(FILE_NAME))
        .map(|(path, bytes)| (with_slashes(path), hash(bytes)))
        .collect();
    for file in &manifest.files {
        match there.remove(file.path.as_str()) {
            None => return Err(format!("lacks {}", file.path)),
            Some(hash) if hash != file.sha256 => return Err(format!("has another {}", file.path)),
            Some(_) => {}
        }
    }
    match there.into_keys().next() {
        Some(more) => Err(format!("holds {more}, which is not in the manifest")),
        None => Ok(manifest),
    }
}

/// The generation of Align's package that a manifest describes: exactly one, never a mixture.
pub fn generation(order: &SimOrder, manifest: &Manifest) -> Result<u32, String> {
    // The journal has stand-ins for names that may be a person's.
    let kept = |path: &str| stand_in(path, &manifest.order_id).into_owned();
    let listed: BTreeMap<String, &str> = manifest
        .files
        .iter()
        .filter(|file| !is_separate(order, &file.path))
        .map(|file| (kept(&file.path), file.sha256.as_str()))
        .collect();
    (1..=order.generation)
        .rev()
        .find(|generation| {
            let package = order.package(*generation).files;
            package.len() == listed.len()
                && package.iter().all(|(path, hash)| listed.get(&kept(path)) == Some(&&**hash))
        })
        .ok_or_else(|| "is no generation that Align ever had".to_owned())
}

/// The generation of the pictures that came separately; `None` if there are none.
pub fn pictures(order: &SimOrder, manifest: &Manifest) -> Result<Option<u32>, String> {
    let kept = |path: &str| stand_in(path, &manifest.order_id).into_owned();
    let listed: BTreeMap<String, &str> = manifest
        .files
        .iter()
        .filter(|file| is_separate(order, &file.path))
        .map(|file| (kept(&file.path), file.sha256.as_str()))
        .collect();
    let wanted = order.kind == CaseKind::Restorative;
    let is_missing = manifest.missing.iter().any(|missing| missing == "thumbnails");
    if listed.is_empty() && (is_missing || !wanted) {
        return Ok(None);
    }
    let found = (1..=order.generation).rev().find(|generation| {
        let package = thumbnails(order.key.order.as_str(), *generation).files;
        let package: BTreeMap<_, _> =
            package.into_iter().map(|(path, hash)| (kept(&path), hash)).collect();
        // If they are reported missing, some of them may still have been good.
        let is_whole = package.len() == listed.len() || is_missing;
        is_whole && listed.iter().all(|(path, hash)| package.get(path).is_some_and(|it| it == hash))
    });
    found.map(Some).ok_or_else(|| "has pictures that Align never had".to_owned())
}

fn is_separate(order: &SimOrder, path: &str) -> bool {
    order.kind == CaseKind::Restorative && path.starts_with("thumbnails/")
}

/// Whether the manifest's revision may be in this directory.
pub fn belongs(layout: &Layout, key: &OrderKey, manifest: &Manifest, dir: &Path) -> bool {
    manifest.lab == key.lab.as_str()
        && manifest.account.id == key.account.as_str()
        && manifest.order_id == key.order.as_str()
        && (dir == layout.order_dir(key) || dir == layout.beside_dir(key, manifest.revision))
}

/// A path with `/`, as in manifests.
pub fn with_slashes(path: &Path) -> String {
    path.display().to_string().replace('\\', "/")
}

/// The content of each entry of the account directories, by the entry's path. Anything elsewhere
/// below the output is an error.
pub fn entries(
    output: &Path,
    snapshot: BTreeMap<PathBuf, Node>,
    marker: &str,
) -> Result<BTreeMap<PathBuf, Content>, String> {
    let mut found: BTreeMap<PathBuf, Content> = BTreeMap::new();
    for (path, node) in snapshot {
        let parts: Vec<_> = path.strip_prefix(output).unwrap_or(&path).iter().collect();
        match (parts.len(), &node) {
            (1, Node::File(_)) if parts[0] == marker => {}
            (1 | 2, Node::Dir) => {}
            (1 | 2, Node::File(_)) => {
                return Err(format!("{} does not belong there", with_slashes(&path)));
            }
            (3, Node::Dir) => {
                found.entry(path).or_default();
            }
            (3, Node::File(_)) => {
                found.entry(path).or_default().insert(PathBuf::new(), node);
            }
            _ => {
                let entry = output.join(parts[0]).join(parts[1]).join(parts[2]);
                let below = parts[3..].iter().collect();
                found.entry(entry).or_default().insert(below, node);
            }
        }
    }
    Ok(found)
}
