//! Plain names: `scan-upper.stl` instead of `17544365_shell_occlusion_u.stl`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use super::super::files::{copy_file, parents, sha256, writing};
use super::super::unpack::names::Taken;
use super::{Known, xml};
use crate::disk::{Disk, Moved, read_limited};
use crate::model::cancel::Cancel;
use crate::model::discreet::file_name;
use crate::model::fault::{Fault, FaultClass};
use crate::model::manifest::{Jaw, Role};
use crate::model::path::RelPath;

/// The plain name of each file that gets one, by index. No two are alike, none is the name of a
/// file that exists, and the same files always get the same names.
pub(super) fn names(files: &[Known]) -> BTreeMap<usize, RelPath> {
    let mut taken = Taken::default();
    for file in files {
        taken.file(file.staged.path.as_str());
        parents(file.staged.path.as_str()).for_each(|dir| taken.dir(dir));
    }
    let mut wanted: Vec<(RelPath, bool, &RelPath, usize)> = files
        .iter()
        .enumerate()
        .filter_map(|(index, file)| {
            let path = &file.staged.path;
            let plain = RelPath::parse(&wanted(file)?).ok()?;
            // Modeled meshes come after unmodeled ones, so that a number stands for the former.
            let modeled = path.fold().contains("with_ditch");
            (plain.fold() != path.fold()).then_some((plain, modeled, path, index))
        })
        .collect();
    wanted.sort();
    wanted.into_iter().map(|(plain, _, _, index)| (index, taken.claim_with(&plain, '-'))).collect()
}

fn wanted(file: &Known) -> Option<String> {
    let path = &file.staged.path;
    let extension = path.extension();
    let stem = match file.role {
        Role::Scan => "scan",
        Role::Texture => "texture",
        Role::RxPdf => return Some("rx.pdf".to_owned()),
        Role::RxHtml => return Some("rx.html".to_owned()),
        Role::Thumbnail if !path.fold().starts_with("thumbnails/") => {
            return Some(format!("thumbnails/{}", path.file_name()));
        }
        _ => return None,
    };
    let jaw = match file.jaw {
        Some(Jaw::Upper) => "-upper",
        Some(Jaw::Lower) => "-lower",
        Some(Jaw::Both) | None => "",
    };
    let pretreatment = if file.pretreatment { "-pretreatment" } else { "" };
    let bite = file.bite.as_ref().map(|bite| format!("-{bite}")).unwrap_or_default();
    Some(format!("{stem}{jaw}{pretreatment}{bite}.{extension}"))
}

/// Renames the files, and the `FileName` values in the XML files with them.
pub(super) fn rename(
    disk: &dyn Disk,
    dir: &Path,
    files: &mut [Known],
    names: &BTreeMap<usize, RelPath>,
    notes: &mut Vec<String>,
) -> Result<(), Fault> {
    let mut by_old_name = BTreeMap::new();
    for (&index, plain) in names {
        let file = &mut files[index].staged;
        let (from, to) = (file.path.under(dir), plain.under(dir));
        if let Some(parent) = to.parent() {
            disk.create_dirs(parent)?;
        }
        if disk.rename(&from, &to)? == Moved::TargetExists {
            return Err(unexpected(&to));
        }
        by_old_name.insert(super::key(file.path.file_name()), plain.as_str().to_owned());
        let old = std::mem::replace(&mut file.path, plain.clone());
        file.original_name.get_or_insert_with(|| old.as_str().to_owned());
    }
    for file in files.iter_mut().filter(|file| file.role == Role::Metadata) {
        let path = file.staged.path.under(dir);
        if file.staged.size > xml::MAX {
            notes.push(format!(
                "{} is too long: it still names the vendor's files",
                file_name(file.staged.path.as_str())
            ));
            continue;
        }
        let Ok(text) = String::from_utf8(read_limited(disk, &path, xml::MAX)?) else {
            notes.push(format!(
                "{} is not UTF-8: it still names the vendor's files",
                file_name(file.staged.path.as_str())
            ));
            continue;
        };
        let new = xml::renamed(&text, |name| by_old_name.get(&super::key(name)).cloned());
        if let Some(new) = new {
            overwrite(disk, &path, new.as_bytes())?;
            file.staged.size = new.len() as u64;
            file.staged.sha256 = sha256(new.as_bytes());
        }
    }
    Ok(())
}

/// Adds the plain names beside the vendor's: as links, or copies where the volume has none.
pub(super) fn link(
    disk: &dyn Disk,
    dir: &Path,
    files: &mut Vec<Known>,
    names: &BTreeMap<usize, RelPath>,
) -> Result<(), Fault> {
    for (&index, plain) in names {
        let mut copy = files[index].clone();
        let (from, to) = (copy.staged.path.under(dir), plain.under(dir));
        if let Some(parent) = to.parent() {
            disk.create_dirs(parent)?;
        }
        if !disk.hard_link(&from, &to)? {
            copy_file(disk, &from, &to, &Cancel::new())?;
        }
        copy.staged.original_name = Some(copy.staged.path.as_str().to_owned());
        copy.staged.path = plain.clone();
        files.push(copy);
    }
    Ok(())
}

/// In the staged directory nobody looks yet, so there is no need for more than a replacement.
fn overwrite(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    disk.remove_file(path)?;
    let mut file = disk.create(path)?;
    file.write_all(bytes).and_then(|()| file.flush()).map_err(writing(path))?;
    Ok(())
}

fn unexpected(path: &Path) -> Fault {
    let text = format!("{} appeared while the order was put together", path.display());
    Fault::new(FaultClass::Local, "staging-disturbed", text)
        .hint("keep other programs out of the staging folder")
}
