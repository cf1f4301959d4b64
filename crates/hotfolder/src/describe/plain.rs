//! Plain names: `scan-upper.stl` instead of `17544365_shell_occlusion_u.stl`.

use std::collections::BTreeMap;
use std::path::Path;

use super::super::files::{copy_file, parents};
use super::super::unpack::names::Taken;
use super::Known;
use super::references::rewrite;
use super::targets::Targets;
use casedrop_disk::{Disk, Moved};
use casedrop_model::cancel::Cancel;
use casedrop_model::discreet::file_name;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::finding_code::FindingCode;
use casedrop_model::manifest::{Finding, Jaw, Role, Severity};
use casedrop_model::path::RelPath;

/// Returns the plain name of each file that gets one, by index. Names are unique, never that of an
/// existing file, and the same for the same files.
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
            // Sort modeled meshes after unmodeled ones, so that the modeled ones get the number.
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
    // The names of other parts are only ASSUMED, and plain names are to stay as they are.
    let bite = file.part.as_ref().filter(|part| part.is_bite());
    let bite = bite.map(|bite| format!("-{}", bite.label)).unwrap_or_default();
    Some(format!("{stem}{jaw}{pretreatment}{bite}.{extension}"))
}

/// Renames the files and updates every reference to them in the order's other files. Unless that is
/// done for all of them and verified, the order keeps the vendor's names, and a finding says so.
pub(super) fn rename(
    disk: &dyn Disk,
    dir: &Path,
    files: &mut [Known],
    names: &BTreeMap<usize, RelPath>,
) -> Result<Option<Finding>, Fault> {
    let mut rewritten = Vec::new();
    let targets = Targets::new(files, names);
    let outcome = rewrite(disk, dir, files, &targets, &mut rewritten)?;
    if let Err(obstacle) = outcome {
        for copy in rewritten {
            disk.remove_file(&copy.path)?;
        }
        let words = format!("the order keeps the vendor's names: {}", obstacle.why);
        let finding = Finding::new(FindingCode::NamesKept, Severity::Warning, words);
        return Ok(Some(finding.of(files[obstacle.index].staged.path.as_str())));
    }
    for (&index, plain) in names {
        let file = &mut files[index].staged;
        let (from, to) = (file.path.under(dir), plain.under(dir));
        if let Some(parent) = to.parent() {
            disk.create_dirs(parent)?;
        }
        if disk.rename(&from, &to)? == Moved::TargetExists {
            return Err(unexpected(&to));
        }
        let old = std::mem::replace(&mut file.path, plain.clone());
        file.original_name.get_or_insert_with(|| old.as_str().to_owned());
    }
    for copy in rewritten {
        let file = &mut files[copy.index].staged;
        let path = file.path.under(dir);
        // No one else looks into the staged directory yet.
        disk.remove_file(&path)?;
        if disk.rename(&copy.path, &path)? == Moved::TargetExists {
            return Err(unexpected(&path));
        }
        file.size = copy.size;
        file.sha256 = copy.sha256;
    }
    Ok(None)
}

/// Adds the plain names next to the vendor's, as hard links, or as copies if the volume has no
/// links.
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
        copy.copy_of = Some(std::mem::replace(&mut copy.staged.path, plain.clone()));
        files.push(copy);
    }
    Ok(())
}

fn unexpected(path: &Path) -> Fault {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let text = format!("{} appeared while the order was being assembled", file_name(&name));
    Fault::new(FaultClass::Local, "staging-disturbed", text)
        .hint("keep other programs out of the staging folder")
}
