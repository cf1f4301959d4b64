//! A folder of export archives that are served as ready orders, so that real ones can be replayed.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use casedrop_disk::{Disk, DiskError, Kind};

#[derive(Debug)]
pub(super) struct PackagesDir {
    folder: PathBuf,
}

/// An archive that is not an order yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) id: String,
    pub(super) restorative: bool,
    pub(super) path: PathBuf,
}

#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) new: Vec<Found>,
    /// Files that are not zips, or are still being copied.
    pub(super) unreadable: Vec<(PathBuf, String)>,
}

impl PackagesDir {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Returns the archives whose order ids are not in `known`.
    pub(super) fn look(&self, disk: &dyn Disk, known: &[String]) -> Result<Look, DiskError> {
        let mut look = Look::default();
        for entry in disk.list(&self.folder)? {
            let Some(name) = entry.name.filter(|_| entry.kind == Kind::File) else { continue };
            if !name.to_ascii_lowercase().ends_with(".zip") {
                continue;
            }
            let id = order_id(&name);
            if known.contains(&id) || look.new.iter().any(|found| found.id == id) {
                continue;
            }
            match is_restorative(disk, &entry.path) {
                Ok(restorative) => look.new.push(Found { id, restorative, path: entry.path }),
                Err(error) => look.unreadable.push((entry.path, error.to_string())),
            }
        }
        Ok(look)
    }
}

pub(super) fn length(disk: &dyn Disk, path: &Path) -> io::Result<u64> {
    disk.open(path).map_err(io::Error::other)?.seek(io::SeekFrom::End(0))
}

/// The id from `iTero_Export_<id>.zip` or `OrthoCAD_Export_<id>.zip`; otherwise the longest run of
/// at least five digits; otherwise derived from the name.
fn order_id(name: &str) -> String {
    let stem = &name[..name.len() - ".zip".len()];
    for prefix in ["iTero_Export_", "OrthoCAD_Export_"] {
        let head = stem.get(..prefix.len());
        if head.is_some_and(|head| head.eq_ignore_ascii_case(prefix)) {
            let digits: String =
                stem[prefix.len()..].chars().take_while(char::is_ascii_digit).collect();
            if !digits.is_empty() {
                return digits;
            }
        }
    }
    let runs = stem.split(|c: char| !c.is_ascii_digit());
    if let Some(run) = runs.max_by_key(|run| run.len()).filter(|run| run.len() >= 5) {
        return run.to_owned();
    }
    let digest = Sha256::digest(stem.as_bytes());
    let bytes = [digest[0], digest[1], digest[2], digest[3]];
    (90_000_000 + u32::from_be_bytes(bytes) % 10_000_000).to_string()
}

/// Decided by the members' names; reading the directory also proves that the archive is complete.
fn is_restorative(disk: &dyn Disk, path: &Path) -> io::Result<bool> {
    let file = disk.open(path).map_err(io::Error::other)?;
    let archive = zip::ZipArchive::new(file).map_err(io::Error::other)?;
    let restorative = ["_jaw_with_ditch", "_jaw_without_ditch", "_jaw_pretreatment"];
    let ortho = ["_shell_", "_lprofile_"];
    let holds = |words: &[&str]| {
        archive.file_names().flatten().any(|name| {
            let name = name.to_ascii_lowercase();
            words.iter().any(|word| name.contains(word))
        })
    };
    Ok(holds(&restorative) && !holds(&ortho))
}

#[cfg(test)]
mod tests {
    use super::*;
    use casedrop_disk::RealDisk;

    #[test]
    fn order_ids_come_from_the_names() {
        assert_eq!(order_id("iTero_Export_17544365.zip"), "17544365");
        assert_eq!(order_id("orthocad_export_123.ZIP"), "123");
        assert_eq!(order_id("case 21 of 98765432 (2).zip"), "98765432");
        let made = order_id("müller.zip");
        assert_eq!(made, order_id("müller.zip"));
        assert_ne!(made, order_id("meier.zip"));
        assert_eq!(made.len(), 8);
    }

    #[test]
    fn archives_are_found_once_and_half_copied_ones_wait() {
        let folder = tempfile::tempdir().expect("folder");
        let write = |name: &str, member: &str| {
            let file = std::fs::File::create(folder.path().join(name)).expect("create");
            let mut zip = zip::ZipWriter::new(file);
            zip.start_file(member, zip::write::SimpleFileOptions::default()).expect("member");
            zip.finish().expect("finish");
        };
        write("iTero_Export_1.zip", "upper_jaw_with_ditch_#1.stl");
        write("iTero_Export_2.zip", "2_shell_occlusion_u.stl");
        std::fs::write(folder.path().join("iTero_Export_3.zip"), b"PK\x03\x04").expect("write");
        let dir = PackagesDir::new(folder.path().to_path_buf());
        let look = dir.look(&RealDisk, &["9".to_owned()]).expect("look");
        let found: Vec<_> = look.new.iter().map(|f| (f.id.as_str(), f.restorative)).collect();
        assert_eq!(found, [("1", true), ("2", false)]);
        assert_eq!(look.unreadable.len(), 1);
        let look = dir.look(&RealDisk, &["1".to_owned(), "2".to_owned()]).expect("look");
        assert!(look.new.is_empty());
    }
}
