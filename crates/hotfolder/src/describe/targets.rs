//! Resolves a reference in one file of an order to the file it means, and to its new form after
//! both have been renamed.

use std::collections::BTreeMap;

use super::{Known, key};
use casedrop_model::path::RelPath;

/// The files of an order by their old names, and the new names of those that get one.
pub(super) struct Targets<'a> {
    files: &'a [Known],
    names: &'a BTreeMap<usize, RelPath>,
    by_path: BTreeMap<String, usize>,
    by_name: BTreeMap<String, Vec<usize>>,
}

/// A reference that could mean several files, one of which is renamed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unclear;

impl<'a> Targets<'a> {
    pub(super) fn new(files: &'a [Known], names: &'a BTreeMap<usize, RelPath>) -> Self {
        let mut by_path = BTreeMap::new();
        let mut by_name: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            let mut paths = vec![key(file.staged.path.as_str())];
            paths.extend(file.staged.original_name.as_deref().map(|name| key(&slashes(name))));
            paths.dedup();
            for path in paths {
                let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
                let alike = by_name.entry(name).or_default();
                if !alike.contains(&index) {
                    alike.push(index);
                }
                by_path.entry(path).or_insert(index);
            }
        }
        Self { files, names, by_path, by_name }
    }

    /// Returns the new form of a reference in the file `from`, or `None` if it stays.
    pub(super) fn renamed(&self, from: usize, reference: &str) -> Result<Option<String>, Unclear> {
        let Some(target) = self.find(from, reference)? else { return Ok(None) };
        let (old, new) = (self.old(from), self.new_path(from));
        let is_same = old == new && !self.names.contains_key(&target);
        if is_same {
            return Ok(None);
        }
        let wanted = relative(new.as_str(), self.new_path(target).as_str());
        Ok((wanted != reference).then_some(wanted))
    }

    fn find(&self, from: usize, reference: &str) -> Result<Option<usize>, Unclear> {
        let reference = slashes(reference.trim());
        let wanted = key(reference.trim_start_matches("./"));
        let dir = self.old(from).as_str().rsplit_once('/').map(|(dir, _)| key(dir));
        let beside = dir.map(|dir| format!("{dir}/{wanted}"));
        for path in beside.iter().chain([&wanted]) {
            if let Some(&index) = self.by_path.get(path) {
                return Ok(Some(index));
            }
        }
        let name = wanted.rsplit('/').next().unwrap_or(&wanted);
        match self.by_name.get(name).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([index]) => Ok(Some(*index)),
            Some(several) if several.iter().any(|index| self.names.contains_key(index)) => {
                Err(Unclear)
            }
            Some(_) => Ok(None),
        }
    }

    /// Whether `text` contains the old name of a renamed file, not as part of a longer name.
    pub(super) fn old_name_in(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let is_free =
            |c: Option<char>| !c.is_some_and(|c| c.is_alphanumeric() || "_-#.".contains(c));
        self.names.iter().any(|(index, new)| {
            let name = self.old(*index).file_name().to_lowercase();
            // A file that only moves to another folder keeps its name.
            let is_kept = new.file_name().to_lowercase() == name;
            !is_kept
                && text.match_indices(&name).any(|(at, found)| {
                    is_free(text[..at].chars().next_back())
                        && is_free(text[at + found.len()..].chars().next())
                })
        })
    }

    fn old(&self, index: usize) -> &RelPath {
        &self.files[index].staged.path
    }

    fn new_path(&self, index: usize) -> &RelPath {
        self.names.get(&index).unwrap_or_else(|| self.old(index))
    }
}

fn slashes(path: &str) -> String {
    path.replace('\\', "/")
}

/// Returns the path of `to` relative to the folder of `from`.
fn relative(from: &str, to: &str) -> String {
    let mut dirs: Vec<&str> = from.split('/').collect();
    dirs.pop();
    let target: Vec<&str> = to.split('/').collect();
    let shared = dirs.iter().zip(&target).take_while(|(a, b)| a == b).count();
    let shared = shared.min(target.len().saturating_sub(1));
    let up = dirs.len() - shared;
    std::iter::repeat_n("..", up)
        .chain(target[shared..].iter().copied())
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_the_folder_of_the_file() {
        assert_eq!(relative("a.xml", "b.stl"), "b.stl");
        assert_eq!(relative("a.xml", "thumbnails/b.jpg"), "thumbnails/b.jpg");
        assert_eq!(relative("meshes/a.mtl", "b.jpg"), "../b.jpg");
        assert_eq!(relative("x/y/a.mtl", "x/z/b.jpg"), "../z/b.jpg");
        assert_eq!(relative("x/a.mtl", "x/b.jpg"), "b.jpg");
    }
}
