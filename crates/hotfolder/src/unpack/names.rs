//! Assigns each member its name on disk.
//!
//! The result depends on the names alone, not on their order in the archive, so that the same order
//! downloaded again gets the same names.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::names::Name;
use casedrop_model::manifest;
use casedrop_model::path::{PathFault, RelPath};

/// Our own names at the top of an order's directory.
const OURS: [&str; 3] = [manifest::FILE_NAME, "thumbnails", "screen-captures"];

/// A member and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// Its index in the archive.
    pub(super) index: usize,
    pub(super) path: RelPath,
    /// The vendor's name, if it differs.
    pub(super) original: Option<String>,
}

impl Named {
    /// Whether the name was still too long after being made safe.
    pub(super) fn is_shortened(&self, name: &str) -> bool {
        name.len() > SHORT && self.path.as_str().len() < name.len() && self.original.is_some()
    }
}

/// No name up to this length, in bytes, is shortened.
const SHORT: usize = 240;

/// Names that must not be used again, case-folded.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    files: BTreeSet<String>,
    /// With the existing spelling.
    dirs: BTreeMap<String, String>,
}

impl Taken {
    /// Marks an existing file.
    pub(crate) fn file(&mut self, path: &str) {
        self.files.insert(path.to_lowercase());
    }

    /// Marks an existing directory.
    pub(crate) fn dir(&mut self, path: &str) {
        self.dirs.entry(path.to_lowercase()).or_insert_with(|| path.to_owned());
    }

    fn holds(&self, path: &str) -> bool {
        let folded = path.to_lowercase();
        self.files.contains(&folded) || self.dirs.contains_key(&folded)
    }

    /// Returns a free file name and marks it as taken: the wanted one, or one with `~2`, `~3`, …
    /// before the extension.
    pub(crate) fn claim(&mut self, wanted: &RelPath) -> RelPath {
        self.claim_with(wanted, '~')
    }

    /// Like [`claim`](Self::claim), with a different mark before the number.
    pub(crate) fn claim_with(&mut self, wanted: &RelPath, mark: char) -> RelPath {
        let mut path = wanted.clone();
        let mut number = 2_u32;
        while self.holds(path.as_str()) {
            path = numbered(wanted, mark, number);
            number += 1;
        }
        self.file(path.as_str());
        path
    }
}

/// Turns `name.ext` into `name<mark><number>.ext`.
fn numbered(path: &RelPath, mark: char, number: u32) -> RelPath {
    let name = path.file_name();
    path.with_file_name(&match name.rsplit_once('.') {
        Some((stem, ext)) if !stem.is_empty() => format!("{stem}{mark}{number}.{ext}"),
        _ => format!("{name}{mark}{number}"),
    })
}

/// Names all members. `members` holds the index and vendor's name of each file; `strip` says
/// whether to remove a single common top folder; `ours`, whether to keep our own names at the top
/// free.
pub(super) fn assign(
    members: &[(usize, Name)],
    strip: bool,
    ours: bool,
    taken: &mut Taken,
) -> Result<Vec<Named>, PathFault> {
    let mut wanted = Vec::with_capacity(members.len());
    for (index, name) in members {
        let raw = name.text.as_str();
        wanted.push((RelPath::make_safe(raw)?, raw, *index));
    }
    if strip && common_top(&wanted) {
        for (path, raw, _) in &mut wanted {
            if let Some(rest) = path.strip_first() {
                *path = rest;
            }
            *raw = without_top(raw);
        }
    }
    if ours {
        for (path, ..) in &mut wanted {
            *path = keep_ours_free(path);
        }
    }
    // An unchanged name takes precedence over one that was made safe.
    wanted.sort_by(|a, b| {
        (a.0.as_str() != a.1, &a.0, a.1, a.2).cmp(&(b.0.as_str() != b.1, &b.0, b.1, b.2))
    });
    for (path, ..) in &wanted {
        for dir in super::super::files::parents(path.as_str()) {
            taken.dir(dir);
        }
    }
    Ok(wanted
        .into_iter()
        .map(|(path, raw, index)| {
            let path = taken.claim(&respell(&path, taken));
            let original = (path.as_str() != raw).then(|| raw.to_owned());
            Named { index, path, original }
        })
        .collect())
}

/// Returns the path with its directories in the spelling seen first: `Scans/` and `scans/` are one
/// directory on Windows.
fn respell(path: &RelPath, taken: &Taken) -> RelPath {
    let Some((dir, name)) = path.as_str().rsplit_once('/') else { return path.clone() };
    let mut parts: Vec<&str> = Vec::new();
    let mut end = 0;
    for part in dir.split('/') {
        end += part.len();
        let spelled = taken.dirs.get(&dir[..end].to_lowercase());
        parts.push(spelled.and_then(|dir| dir.rsplit('/').next()).unwrap_or(part));
        end += 1;
    }
    parts.push(name);
    RelPath::parse(&parts.join("/")).unwrap_or_else(|_| path.clone())
}

fn common_top(members: &[(RelPath, &str, usize)]) -> bool {
    let mut tops = members.iter().map(|(path, ..)| path.as_str().split_once('/'));
    let Some(Some((top, _))) = tops.next() else { return false };
    // An archive of nothing but thumbnails is not an order in its own folder.
    !OURS.iter().any(|ours| ours.eq_ignore_ascii_case(top))
        && tops.all(|split| split.is_some_and(|(first, _)| first == top))
}

fn without_top(raw: &str) -> &str {
    let mut rest = raw;
    loop {
        match rest.split_once(['/', '\\']) {
            Some(("" | ".", after)) => rest = after,
            Some((_, after)) => return after.trim_start_matches(['/', '\\']),
            None => return rest,
        }
    }
}

/// Turns a vendor's `manifest.json` into `manifest~vendor.json`, and likewise renames a file that
/// is named like one of our folders. A vendor's *folder* named like one of ours stays: ours is
/// merged into it.
fn keep_ours_free(path: &RelPath) -> RelPath {
    let (top, rest) = match path.as_str().split_once('/') {
        Some((top, rest)) => (top, Some(rest)),
        None => (path.as_str(), None),
    };
    let folded = top.to_lowercase();
    let blocked = match rest {
        None => OURS.contains(&folded.as_str()),
        Some(_) => folded == manifest::FILE_NAME,
    };
    if !blocked {
        return path.clone();
    }
    let renamed = match top.rsplit_once('.') {
        Some((stem, ext)) => format!("{stem}~vendor.{ext}"),
        None => format!("{top}~vendor"),
    };
    let text = rest.map_or_else(|| renamed.clone(), |rest| format!("{renamed}/{rest}"));
    RelPath::parse(&text).unwrap_or_else(|_| path.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn called(name: &str) -> Name {
        Name { text: name.to_owned(), raw: None }
    }

    fn names(members: &[&str]) -> Vec<(String, String, Option<String>)> {
        let members: Vec<_> =
            members.iter().enumerate().map(|(at, name)| (at, called(name))).collect();
        assign(&members, true, true, &mut Taken::default())
            .expect("acceptable")
            .into_iter()
            .map(|named| {
                (
                    members[named.index].1.text.clone(),
                    named.path.as_str().to_owned(),
                    named.original,
                )
            })
            .collect()
    }

    fn name_of(members: &[&str], member: &str) -> (String, Option<String>) {
        let (_, path, original) =
            names(members).into_iter().find(|named| named.0 == member).expect("named");
        (path, original)
    }

    fn plain(path: &str) -> (String, Option<String>) {
        (path.to_owned(), None)
    }

    fn changed(path: &str, original: &str) -> (String, Option<String>) {
        (path.to_owned(), Some(original.to_owned()))
    }

    #[test]
    fn a_single_top_folder_goes_and_the_names_below_stay() {
        let members = ["iTero_1/a.stl", "iTero_1/sub/b.stl"];
        assert_eq!(name_of(&members, "iTero_1/a.stl"), plain("a.stl"));
        assert_eq!(name_of(&members, "iTero_1/sub/b.stl"), plain("sub/b.stl"));
        assert_eq!(name_of(&["x/a", "y/b"], "x/a"), plain("x/a"));
        assert_eq!(name_of(&["x/a", "b"], "x/a"), plain("x/a"));
        assert_eq!(name_of(&["thumbnails/a"], "thumbnails/a"), plain("thumbnails/a"));
    }

    #[test]
    fn case_clashes_get_a_number_whatever_their_order() {
        for members in [["a.STL", "A.stl"], ["A.stl", "a.STL"]] {
            assert_eq!(name_of(&members, "A.stl"), plain("A.stl"));
            assert_eq!(name_of(&members, "a.STL"), changed("a~2.STL", "a.STL"));
        }
        let members = ["Scans/a", "scans/b", "c"];
        assert_eq!(name_of(&members, "scans/b"), changed("Scans/b", "scans/b"));
    }

    #[test]
    fn a_name_that_fits_goes_before_one_that_was_made_to_fit() {
        let members = ["a?.stl", "a%3F.stl"];
        assert_eq!(name_of(&members, "a%3F.stl"), plain("a%3F.stl"));
        assert_eq!(name_of(&members, "a?.stl"), changed("a%3F~2.stl", "a?.stl"));
    }

    #[test]
    fn a_file_gives_way_to_a_directory_of_its_name() {
        assert_eq!(name_of(&["a", "a/b"], "a"), changed("a~2", "a"));
        assert_eq!(name_of(&["a", "a/b"], "a/b"), plain("a/b"));
    }

    #[test]
    fn our_own_names_stay_free() {
        let members = ["Manifest.JSON", "thumbnails", "thumbnails/x.jpg", "sub/manifest.json"];
        assert_eq!(
            name_of(&members, "Manifest.JSON"),
            changed("Manifest~vendor.JSON", "Manifest.JSON")
        );
        assert_eq!(name_of(&members, "thumbnails"), changed("thumbnails~vendor", "thumbnails"));
        assert_eq!(name_of(&members, "thumbnails/x.jpg"), plain("thumbnails/x.jpg"));
        assert_eq!(name_of(&members, "sub/manifest.json"), plain("sub/manifest.json"));
    }

    proptest! {
        #[test]
        fn no_two_members_share_a_name_and_order_does_not_matter(
            raw in proptest::collection::btree_set("[aA:?%3b/~2. ]{1,6}", 1..12)
        ) {
            let members: Vec<(usize, Name)> =
                raw.iter().map(|name| called(name)).enumerate().collect();
            let mut reversed = members.clone();
            reversed.reverse();
            let Ok(mut named) = assign(&members, true, true, &mut Taken::default()) else {
                return Ok(());
            };
            let mut again = assign(&reversed, true, true, &mut Taken::default()).expect("as before");
            named.sort_by_key(|named| named.index);
            again.sort_by_key(|named| named.index);
            prop_assert_eq!(&named, &again);
            let folded: BTreeSet<_> = named.iter().map(|named| named.path.fold()).collect();
            prop_assert_eq!(folded.len(), members.len());
            for one in &named {
                for dir in super::super::super::files::parents(&one.path.fold()) {
                    prop_assert!(!folded.contains(dir), "{dir} is a file and a directory");
                }
            }
        }
    }
}
