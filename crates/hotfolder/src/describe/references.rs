//! Files that refer to other files of their order. Each is rewritten with the new names, and
//! verified by reading it back, before anything is renamed.

use std::io::{BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use super::super::files::{BUFFER, hash_file, writing};
use super::lines::{self, Kind, Stopped};
use super::targets::{Targets, Unclear};
use super::{Known, html, text, xml};
use casedrop_disk::{Disk, DiskError, read_limited};
use casedrop_model::fault::Fault;

/// A rewritten copy of a file, waiting next to it.
#[derive(Debug)]
pub(super) struct Rewritten {
    /// The file's index.
    pub(super) index: usize,
    pub(super) path: PathBuf,
    pub(super) size: u64,
    pub(super) sha256: String,
}

/// Why a file's references cannot be changed, worded for people.
#[derive(Debug)]
pub(super) struct Obstacle {
    pub(super) index: usize,
    pub(super) why: &'static str,
}

const UNCLEAR: &str = "it refers to a file name that several files have";
const ENCODING: &str = "it is in an encoding that the agent cannot write";
const TOO_LONG: &str = "it is too long to be changed";
const NOT_PROVEN: &str = "its references could not all be found";

/// Writes a copy of every file whose references change. If one cannot be changed, the copies
/// already written stay in `done` for the caller to remove.
pub(super) fn rewrite(
    disk: &dyn Disk,
    dir: &Path,
    files: &[Known],
    targets: &Targets<'_>,
    done: &mut Vec<Rewritten>,
) -> Result<Result<(), Obstacle>, Fault> {
    for (index, file) in files.iter().enumerate() {
        let from = file.staged.path.under(dir);
        let extension = file.staged.path.extension();
        let new = dir.join(format!(".casedrop-rewritten-{index}"));
        let changed = match (Kind::of(&extension), extension.as_str()) {
            (Some(kind), _) => in_lines(disk, kind, index, targets, &from, &new)?,
            (None, "xml" | "html" | "htm") => {
                let is_xml = extension == "xml";
                in_text(disk, is_xml, index, targets, &from, &new)?
            }
            _ => continue,
        };
        match changed {
            Ok(false) => {}
            Ok(true) => {
                let (size, sha256) = hash_file(disk, &new)?;
                done.push(Rewritten { index, path: new, size, sha256 });
            }
            Err(why) => return Ok(Err(Obstacle { index, why })),
        }
    }
    Ok(Ok(()))
}

/// Rewrites XML and HTML, which are held in memory. Returns whether a copy was written.
fn in_text(
    disk: &dyn Disk,
    is_xml: bool,
    index: usize,
    targets: &Targets<'_>,
    from: &Path,
    new: &Path,
) -> Result<Result<bool, &'static str>, Fault> {
    let bytes = match read_limited(disk, from, xml::MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
            return Ok(Err(TOO_LONG));
        }
        Err(error) => return Err(error.into()),
    };
    let decoded = if is_xml { text::decode(bytes) } else { Some(text::decode_any(&bytes)) };
    let Some((old, form)) = decoded else { return Ok(Err(ENCODING)) };
    let new_name = |reference: &str| targets.renamed(index, reference);
    let renamed = if is_xml { xml::renamed(&old, new_name) } else { html::renamed(&old, new_name) };
    let changed = match renamed {
        Err(Unclear) => return Ok(Err(UNCLEAR)),
        Ok(changed) => changed,
    };
    let names = |text: &str| -> Vec<String> {
        if is_xml {
            let files = xml::objects(text).into_iter().flat_map(|object| object.files);
            files.map(|file| file.path).collect()
        } else {
            html::references(text).into_iter().map(|one| one.path).collect()
        }
    };
    let expected: Vec<String> = names(&old)
        .into_iter()
        .map(|name| targets.renamed(index, &name).ok().flatten().unwrap_or(name))
        .collect();
    let Some(changed) = changed else {
        let is_proven = !is_xml || !targets.old_name_in(&old);
        return Ok(if is_proven { Ok(false) } else { Err(NOT_PROVEN) });
    };
    drop(old);
    let Some(bytes) = text::encode(&changed, form) else { return Ok(Err(ENCODING)) };
    drop(changed);
    let mut file = disk.create(new)?;
    file.write_all(&bytes).and_then(|()| file.flush()).map_err(writing(new))?;
    drop((file, bytes));
    let again = read_limited(disk, new, xml::MAX.saturating_mul(2))?;
    let again = if is_xml { text::decode(again) } else { Some(text::decode_any(&again)) };
    let is_proven = again.is_some_and(|(again, _)| {
        names(&again) == expected && !(is_xml && targets.old_name_in(&again))
    });
    if !is_proven {
        disk.remove_file(new)?;
        return Ok(Err(NOT_PROVEN));
    }
    Ok(Ok(true))
}

/// Rewrites meshes and materials, which are copied line by line.
fn in_lines(
    disk: &dyn Disk,
    kind: Kind,
    index: usize,
    targets: &Targets<'_>,
    from: &Path,
    new: &Path,
) -> Result<Result<bool, &'static str>, Fault> {
    let copy = |from: &Path,
                writer: &mut dyn std::io::Write,
                name: &dyn Fn(&str) -> Result<Option<String>, Unclear>|
     -> Result<Result<(Vec<String>, bool), &'static str>, Fault> {
        let mut reader = BufReader::with_capacity(BUFFER, disk.open(from)?);
        match lines::copy(kind, &mut reader, writer, name) {
            Ok(copied) => Ok(Ok(copied)),
            Err(Stopped::Refused(Unclear)) => Ok(Err(UNCLEAR)),
            Err(Stopped::Encoding) => Ok(Err(ENCODING)),
            Err(Stopped::Reading(source)) => {
                Err(DiskError { operation: "read", path: from.to_owned(), source }.into())
            }
            Err(Stopped::Writing(source)) => Err(writing(new)(source).into()),
        }
    };
    let new_name = |reference: &str| targets.renamed(index, reference);
    // Most refer to nothing, so there is nothing to write.
    match copy(from, &mut std::io::sink(), &new_name)? {
        Ok((_, true)) => {}
        Ok((now, false)) => {
            let is_proven = !now.iter().any(|name| targets.old_name_in(name));
            return Ok(if is_proven { Ok(false) } else { Err(NOT_PROVEN) });
        }
        Err(why) => return Ok(Err(why)),
    }
    let mut writer = BufWriter::with_capacity(BUFFER, disk.create(new)?);
    let copied = copy(from, &mut writer, &new_name)?;
    writer.flush().map_err(writing(new))?;
    drop(writer);
    let (now, _) = match copied {
        Ok(copied) => copied,
        Err(why) => return Ok(Err(why)),
    };
    let is_proven = match copy(new, &mut std::io::sink(), &|_| Ok(None))? {
        Ok((again, _)) => {
            now.iter().all(|name| again.contains(name))
                && !again.iter().any(|name| targets.old_name_in(name))
        }
        Err(_) => false,
    };
    if !is_proven {
        disk.remove_file(new)?;
        return Ok(Err(NOT_PROVEN));
    }
    Ok(Ok(true))
}
