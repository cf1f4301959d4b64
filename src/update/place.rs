//! The installation on disk: which versions are present, which one runs, which one is on trial, and
//! which ones failed. Every change is one atomic, durable rename.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::program_name;
use crate::disk::{Disk, Kind, LockGuard, read_limited, write_durably};
use crate::model::fault::Fault;
use crate::model::time::WallMs;

/// The folder next to the installed program.
const VERSIONS: &str = "versions";
const CURRENT: &str = "current";
const TRIAL: &str = "trial.json";
const REFUSED: &str = "refused.json";
const LOCK: &str = "update.lock";
/// What is being downloaded and unpacked.
const DOWNLOADS: &str = "downloads";
/// Suffix for the folder of a version that is being staged.
const STAGING: &str = ".staging";
const SMALL: u64 = 1 << 20;
/// How often an unreadable file is retried, with this wait in between.
const READ_TRIES: u32 = 25;
const READ_WAIT: Duration = Duration::from_millis(200);
/// At most this many failed versions are remembered.
const REMEMBERED: usize = 50;

/// The location of an installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    installed: PathBuf,
    /// The versions folder, which may be missing.
    versions: PathBuf,
    /// Whether the program asked about is a version in that folder.
    inside: bool,
}

/// A version on trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialRecord {
    pub version: VersionText,
    /// The version that ran before.
    pub before: VersionText,
    /// When the trial was decided.
    pub since: WallMs,
    /// How often it was started.
    pub starts: u32,
    /// The labs whose polls were good before.
    #[serde(default)]
    pub labs: Vec<String>,
}

/// A version as written in JSON.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionText(pub Version);

/// A version that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why, for the user.
    pub why: String,
    pub at: WallMs,
    /// Whether the version that was rolled back to has reported it.
    #[serde(default)]
    pub told: bool,
}

impl Serialize for VersionText {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for VersionText {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Version::parse(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Place {
    /// Returns the installation that the program at `exe` belongs to, either as the installed
    /// program or as one of its versions.
    pub fn of(exe: &Path) -> Self {
        let dir = exe.parent().unwrap_or(Path::new(""));
        match dir.parent().filter(|above| above.file_name().is_some_and(|name| name == VERSIONS)) {
            Some(versions) => {
                let root = versions.parent().unwrap_or(Path::new(""));
                let installed = root.join(program_name());
                Self { installed, versions: versions.to_owned(), inside: true }
            }
            None => Self { installed: exe.to_owned(), versions: dir.join(VERSIONS), inside: false },
        }
    }

    /// The installed program: the one that a service runs.
    pub fn installed(&self) -> &Path {
        &self.installed
    }

    pub fn versions(&self) -> &Path {
        &self.versions
    }

    /// Whether the program asked about is one of the versions rather than the installed program.
    pub fn is_inside(&self) -> bool {
        self.inside
    }

    /// Reads one of the small files; `None` if it is missing, or stays unreadable for five seconds:
    /// another program may hold it briefly, and that must not make us ignore it.
    fn read(&self, disk: &dyn Disk, name: &str) -> Option<Vec<u8>> {
        let path = self.versions.join(name);
        let mut tries = 0;
        loop {
            match read_limited(disk, &path, SMALL) {
                Ok(bytes) => return Some(bytes),
                Err(error) if error.source.kind() == ErrorKind::NotFound => return None,
                Err(_) if tries < READ_TRIES => {
                    tries += 1;
                    std::thread::sleep(READ_WAIT);
                }
                Err(error) => {
                    let fault = Fault::from(error).chain();
                    tracing::error!("{fault}: treating the file as missing");
                    return None;
                }
            }
        }
    }

    /// Whether there is a versions folder: then the installed program is a keeper.
    pub fn is_kept(&self, disk: &dyn Disk) -> bool {
        matches!(disk.kind(&self.versions), Ok(Some(Kind::Dir)))
    }

    pub fn program(&self, version: &Version) -> PathBuf {
        self.dir(version).join(program_name())
    }

    pub fn dir(&self, version: &Version) -> PathBuf {
        self.versions.join(version.to_string())
    }

    /// The folder in which a version is staged.
    pub fn staging(&self, version: &Version) -> PathBuf {
        self.versions.join(format!("{version}{STAGING}"))
    }

    /// The folder in which archives are downloaded and unpacked.
    pub fn downloads(&self) -> PathBuf {
        self.versions.join(DOWNLOADS)
    }

    pub fn has(&self, disk: &dyn Disk, version: &Version) -> bool {
        matches!(disk.kind(&self.program(version)), Ok(Some(Kind::File)))
    }

    /// Returns the version to run; `None`: the installed one, also if the file cannot be read.
    pub fn current(&self, disk: &dyn Disk) -> Option<Version> {
        let bytes = self.read(disk, CURRENT)?;
        Version::parse(String::from_utf8_lossy(&bytes).trim()).ok()
    }

    /// Returns the newest version that an update would replace: the current one if its program is
    /// present and newer, otherwise the installed one.
    pub fn newest(&self, disk: &dyn Disk, own: &Version) -> Version {
        let current = self.current(disk).filter(|current| self.has(disk, current));
        current.filter(|current| current > own).unwrap_or_else(|| own.clone())
    }

    /// Makes that version the one to run.
    pub fn set_current(&self, disk: &dyn Disk, version: &Version) -> Result<(), Fault> {
        let text = format!("{version}\n");
        Ok(write_durably(disk, &self.versions.join(CURRENT), text.as_bytes())?)
    }

    /// Returns the trial in progress, if any. An unreadable file counts as none.
    pub fn trial(&self, disk: &dyn Disk) -> Option<TrialRecord> {
        let bytes = self.read(disk, TRIAL)?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Begins a trial, or counts one of its starts.
    pub fn set_trial(&self, disk: &dyn Disk, trial: &TrialRecord) -> Result<(), Fault> {
        let text = serde_json::to_vec_pretty(trial).unwrap_or_default();
        Ok(write_durably(disk, &self.versions.join(TRIAL), &text)?)
    }

    pub fn end_trial(&self, disk: &dyn Disk) -> Result<(), Fault> {
        let path = self.versions.join(TRIAL);
        if disk.kind(&path)?.is_some() {
            disk.remove_file(&path)?;
            disk.sync_dir(&self.versions)?;
        }
        Ok(())
    }

    /// Returns the versions that failed. An unreadable file counts as none.
    pub fn refused(&self, disk: &dyn Disk) -> BTreeMap<Version, Refused> {
        let Some(bytes) = self.read(disk, REFUSED) else { return BTreeMap::new() };
        let read: BTreeMap<String, Refused> = serde_json::from_slice(&bytes).unwrap_or_default();
        let known = read
            .into_iter()
            .filter_map(|(version, refused)| Some((Version::parse(&version).ok()?, refused)));
        known.collect()
    }

    /// Stores the versions that failed.
    pub fn set_refused(
        &self,
        disk: &dyn Disk,
        refused: &BTreeMap<Version, Refused>,
    ) -> Result<(), Fault> {
        let newest = refused.iter().rev().take(REMEMBERED);
        let named: BTreeMap<_, _> =
            newest.map(|(version, refused)| (version.to_string(), refused)).collect();
        let text = serde_json::to_vec_pretty(&named).unwrap_or_default();
        Ok(write_durably(disk, &self.versions.join(REFUSED), &text)?)
    }

    /// Returns the versions whose programs are present, oldest first.
    pub fn staged(&self, disk: &dyn Disk) -> Vec<Version> {
        let mut found: Vec<_> = self
            .folders(disk)
            .filter_map(|name| Version::parse(&name).ok())
            .filter(|version| self.has(disk, version))
            .collect();
        found.sort();
        found
    }

    /// Locks out other processes that stage or tidy up; `None` if one is at it already.
    pub fn lock(&self, disk: &dyn Disk) -> Result<Option<LockGuard>, Fault> {
        disk.create_dirs(&self.versions)?;
        Ok(disk.try_lock(&self.versions.join(LOCK))?)
    }

    /// Removes all versions but these, and the remains of interrupted staging. Call it with the
    /// lock held. What cannot be removed now is removed another time.
    pub fn tidy_up(&self, disk: &dyn Disk, keep: &[&Version]) {
        for name in self.folders(disk).collect::<Vec<_>>() {
            let version = Version::parse(name.strip_suffix(STAGING).unwrap_or(&name));
            let is_download = name == DOWNLOADS;
            let is_kept = version
                .as_ref()
                .is_ok_and(|version| keep.contains(&version) && !name.ends_with(STAGING));
            // Anything that is not a version was put there by someone else.
            if (version.is_err() && !is_download) || is_kept {
                continue;
            }
            if let Err(error) = disk.remove_tree(&self.versions.join(&name)) {
                tracing::debug!("{}", Fault::from(error).chain());
            }
        }
    }

    fn folders(&self, disk: &dyn Disk) -> impl Iterator<Item = String> {
        let entries = disk.list(&self.versions).unwrap_or_default();
        entries.into_iter().filter(|entry| entry.kind == Kind::Dir).filter_map(|entry| entry.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn version(text: &str) -> Version {
        Version::parse(text).expect("a version")
    }

    #[test]
    fn a_version_belongs_to_the_installation_that_it_lies_in() {
        let installed = Path::new("opt").join(program_name());
        let place = Place::of(&installed);
        assert!(!place.is_inside());
        let inside = Place::of(&place.program(&version("1.2.3")));
        assert!(inside.is_inside());
        assert_eq!((inside.installed(), inside.versions()), (&*installed, place.versions()));
        let staging = Place::of(&place.staging(&version("1.2.3")).join(program_name()));
        assert!(staging.is_inside());
    }

    #[test]
    fn what_is_written_is_read_back_and_nonsense_says_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let place = Place::of(&dir.path().join(program_name()));
        let disk = &RealDisk;
        assert!(!place.is_kept(disk) && place.current(disk).is_none());
        let lock = place.lock(disk).expect("made").expect("free");
        assert!(place.is_kept(disk) && place.lock(disk).expect("asked").is_none());
        drop(lock);
        let trial = TrialRecord {
            version: VersionText(version("0.2.0-rc.1")),
            before: VersionText(version("0.1.0")),
            since: WallMs(7),
            starts: 1,
            labs: vec!["smile".to_owned()],
        };
        place.set_trial(disk, &trial).expect("written");
        place.set_current(disk, &version("0.1.5")).expect("written");
        assert_eq!(place.newest(disk, &version("0.1.0")), version("0.1.0"), "its program is gone");
        let program = place.program(&version("0.1.5"));
        std::fs::create_dir_all(program.parent().expect("a folder")).expect("made");
        std::fs::write(program, "x").expect("written");
        for (own, newest) in [("0.1.0", "0.1.5"), ("0.2.0", "0.2.0")] {
            assert_eq!(place.newest(disk, &version(own)), version(newest));
        }
        assert_eq!(place.trial(disk), Some(trial));
        assert_eq!(place.current(disk), Some(version("0.1.5")));
        let refused = Refused { why: "it crashed".to_owned(), at: WallMs(9), told: false };
        let all = BTreeMap::from([(version("0.2.0"), refused)]);
        place.set_refused(disk, &all).expect("written");
        assert_eq!(place.refused(disk), all);
        place.end_trial(disk).expect("ended");
        place.end_trial(disk).expect("ended already");
        assert_eq!(place.trial(disk), None);
        for name in [TRIAL, REFUSED, CURRENT] {
            std::fs::write(place.versions().join(name), "\u{0}\u{0}").expect("written");
        }
        assert_eq!((place.trial(disk), place.current(disk)), (None, None));
        assert!(place.refused(disk).is_empty());
    }

    #[test]
    fn only_versions_that_nobody_needs_are_removed() {
        let dir = tempfile::tempdir().expect("tempdir");
        let place = Place::of(&dir.path().join(program_name()));
        for name in ["0.1.0", "0.2.0", "0.10.0", "0.11.0.staging", "downloads", "notes"] {
            let dir = place.versions().join(name);
            std::fs::create_dir_all(&dir).expect("made");
            std::fs::write(dir.join(program_name()), "x").expect("written");
        }
        let (old, new) = (version("0.2.0"), version("0.10.0"));
        assert_eq!(place.staged(&RealDisk), [version("0.1.0"), old.clone(), new.clone()]);
        place.tidy_up(&RealDisk, &[&old, &new]);
        let mut left: Vec<_> = place.folders(&RealDisk).collect();
        left.sort();
        assert_eq!(left, ["0.10.0", "0.2.0", "notes"]);
    }
}
