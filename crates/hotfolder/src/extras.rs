//! Files that come from a separate call: thumbnails and screen captures.

use std::path::Path;

use super::files::{Tree, check, copy_file};
use super::unpack::names::Taken as TakenNames;
use super::unpack::{Reading, What, looks_like_zip, read_head, unpack_beside};
use super::{StagedFile, files};
use casedrop_disk::{Disk, DiskError, Kind};
use casedrop_model::cancel::Cancel;
use casedrop_model::export::Limits;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::manifest::Finding;
use casedrop_model::path::RelPath;

/// What was taken from an extra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Sorted by path.
    pub files: Vec<StagedFile>,
    /// Members of its archive that were left out, on purpose or because they were damaged.
    pub left_out: Vec<String>,
    /// Findings that users may want to know about.
    pub findings: Vec<Finding>,
    /// Whether nothing was damaged.
    pub is_whole: bool,
}

/// Places a downloaded extra below `dest/<folder>`: an archive is unpacked there, a single JPEG or
/// PNG becomes `<folder>/<folder>.jpg` or `.png`.
///
/// Existing files keep their names; a new file with a name already taken gets a number. If members
/// of an archive are damaged, the others are taken. The returned paths are relative to `dest`.
///
/// # Errors
/// Those of [`unpack`](super::unpack::unpack), and `unknown-asset`, damaged, for a body that is
/// neither an archive nor a picture (such as a server's error page). The caller removes what was
/// written before the fault.
pub fn take_extra(
    disk: &dyn Disk,
    spool_path: &Path,
    dest: &Path,
    folder: &str,
    limits: &Limits,
    cancel: &Cancel,
) -> Result<Taken, Fault> {
    take_extra_as(disk, spool_path, dest, folder, Reading::within(limits), cancel)
}

/// Like [`take_extra`], reading an archive as `reading` says; damaged members are always left out.
pub fn take_extra_as(
    disk: &dyn Disk,
    spool_path: &Path,
    dest: &Path,
    folder: &str,
    reading: Reading<'_>,
    cancel: &Cancel,
) -> Result<Taken, Fault> {
    check(cancel)?;
    let folder = existing_spelling(disk, dest, folder)?;
    let target = dest.join(&folder);
    let mut taken = taken_below(disk, &target)?;
    match sniff(disk, spool_path)? {
        Body::Zip => {
            let reading = Reading { leave_damaged: true, ..reading };
            let what = What::Extra;
            let mut unpacked =
                unpack_beside(disk, spool_path, &target, reading, cancel, &mut taken, what)?;
            for file in &mut unpacked.files {
                file.path = file.path.below(&folder);
            }
            for name in &mut unpacked.left_out {
                *name = format!("{folder}/{name}");
            }
            for path in unpacked.findings.iter_mut().filter_map(|finding| finding.path.as_mut()) {
                *path = format!("{folder}/{path}");
            }
            let is_whole = unpacked.damaged == 0;
            Ok(Taken {
                files: unpacked.files,
                left_out: unpacked.left_out,
                findings: unpacked.findings,
                is_whole,
            })
        }
        Body::Picture(extension) => {
            let wanted = RelPath::make_safe(&format!("{folder}.{extension}"));
            let name = taken.claim(&wanted.map_err(|error| unknown(&error.to_string()))?);
            disk.create_dirs(&target)?;
            let path = name.below(&folder);
            let (size, sha256) = copy_file(disk, spool_path, &name.under(&target), cancel)?;
            let file = StagedFile { path, size, sha256, original_name: None, raw_name: None };
            Ok(Taken {
                files: vec![file],
                left_out: Vec::new(),
                findings: Vec::new(),
                is_whole: true,
            })
        }
        Body::Unknown => Err(unknown("it is neither a zip archive nor a JPEG or PNG picture")),
    }
}

enum Body {
    Zip,
    Picture(&'static str),
    Unknown,
}

fn sniff(disk: &dyn Disk, path: &Path) -> Result<Body, DiskError> {
    let mut head = [0; 8];
    let count = read_head(&mut *disk.open(path)?, &mut head).map_err(|source| DiskError {
        operation: "read",
        path: path.to_path_buf(),
        source,
    })?;
    let head = &head[..count];
    Ok(if looks_like_zip(head) {
        Body::Zip
    } else if head.starts_with(&[0xFF, 0xD8, 0xFF]) {
        Body::Picture("jpg")
    } else if head.starts_with(b"\x89PNG\r\n\x1a\n") {
        Body::Picture("png")
    } else {
        Body::Unknown
    })
}

fn unknown(why: &str) -> Fault {
    Fault::new(
        FaultClass::Damaged,
        "unknown-asset",
        format!("the downloaded pictures cannot be read: {why}"),
    )
}

/// The vendor's archive may hold this folder in different case, which Windows treats as the same
/// folder.
fn existing_spelling(disk: &dyn Disk, dest: &Path, folder: &str) -> Result<String, DiskError> {
    if disk.kind(dest)? != Some(Kind::Dir) {
        return Ok(folder.to_owned());
    }
    let found = disk.list(dest)?.into_iter().find_map(|entry| {
        entry
            .name
            .filter(|name| entry.kind == Kind::Dir && name.to_lowercase() == folder.to_lowercase())
    });
    Ok(found.unwrap_or_else(|| folder.to_owned()))
}

fn taken_below(disk: &dyn Disk, dir: &Path) -> Result<TakenNames, DiskError> {
    let mut taken = TakenNames::default();
    if disk.kind(dir)? == Some(Kind::Dir) {
        let tree = Tree::read(disk, dir)?;
        for (path, _) in &tree.files {
            taken.file(path);
            files::parents(path).for_each(|dir| taken.dir(dir));
        }
        tree.dirs.iter().for_each(|dir| taken.dir(dir));
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{content_of, zip_of};
    use super::*;
    use casedrop_disk::RealDisk;

    fn take(dest: &Path, body: &[u8]) -> Result<Taken, Fault> {
        let spool = dest.with_extension("spool");
        std::fs::write(&spool, body).expect("spooled");
        take_extra(&RealDisk, &spool, dest, "thumbnails", &Limits::default(), &Cancel::new())
    }

    fn paths(unpacked: &Taken) -> Vec<&str> {
        unpacked.files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn an_archive_is_unpacked_below_its_folder() {
        let dir = tempfile::tempdir().expect("tempdir");
        let dest = dir.path().join("order");
        let body = zip_of(&[("top/a.jpg", b"a"), ("top/b.jpg", b"b"), ("top/Thumbs.db", b"")]);
        let unpacked = take(&dest, &body).expect("good");
        assert_eq!(paths(&unpacked), ["thumbnails/a.jpg", "thumbnails/b.jpg"]);
        assert_eq!(unpacked.left_out, ["thumbnails/top/Thumbs.db"]);
        assert_eq!(content_of(&dest)["thumbnails/b.jpg"], b"b");
    }

    #[test]
    fn the_good_pictures_of_a_damaged_archive_are_taken_and_the_bad_one_is_named() {
        let dir = tempfile::tempdir().expect("tempdir");
        let dest = dir.path().join("order");
        let noise: Vec<u8> = (0..200_u32).map(|at| (at * 37 % 251) as u8).collect();
        let mut body = zip_of(&[("a.jpg", &noise), ("sub/b.jpg", &noise), ("c.jpg", b"c")]);
        let name = b"sub/b.jpg";
        let at = body.windows(name.len()).position(|here| here == name).expect("its header");
        body[at + name.len() + 50] ^= 0x55;
        let taken = take(&dest, &body).expect("the others are good");
        assert_eq!(paths(&taken), ["thumbnails/a.jpg", "thumbnails/c.jpg"]);
        assert_eq!(
            (taken.left_out, taken.is_whole),
            (vec!["thumbnails/sub/b.jpg".to_owned()], false)
        );
        let there: Vec<_> = content_of(&dest).into_keys().collect();
        assert_eq!(there, ["thumbnails/a.jpg", "thumbnails/c.jpg"], "nothing of the bad one stays");
    }

    #[test]
    fn an_archive_with_nothing_good_in_it_is_damaged() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut body = zip_of(&[("a.jpg", &[7; 64])]);
        body[30 + "a.jpg".len() + 1] ^= 0x55;
        let fault = take(&dir.path().join("order"), &body).expect_err("nothing is left");
        assert_eq!(fault.class, FaultClass::Damaged);
    }

    #[test]
    fn a_single_picture_is_a_file_and_spares_what_is_there() {
        let dir = tempfile::tempdir().expect("tempdir");
        let dest = dir.path().join("order");
        std::fs::create_dir_all(dest.join("thumbnails")).expect("mkdir");
        std::fs::write(dest.join("thumbnails/Thumbnails.JPG"), "vendor's").expect("write");
        let unpacked = take(&dest, b"\xFF\xD8\xFF\xE0 jpeg").expect("good");
        assert_eq!(paths(&unpacked), ["thumbnails/thumbnails~2.jpg"]);
        let unpacked = take(&dest, b"\x89PNG\r\n\x1a\n png").expect("good");
        assert_eq!(paths(&unpacked), ["thumbnails/thumbnails.png"]);
        assert_eq!(content_of(&dest)["thumbnails/Thumbnails.JPG"], b"vendor's");
    }

    #[test]
    fn an_error_page_is_worth_another_try() {
        let dir = tempfile::tempdir().expect("tempdir");
        let fault = take(&dir.path().join("order"), b"<html>").expect_err("no picture");
        assert_eq!((fault.class, fault.code), (FaultClass::Damaged, "unknown-asset"));
    }
}
