//! Self-update: the program replaces itself with a newer version, tries that out, and rolls back on
//! its own if it does not work. No one looks at these PCs for a year: whatever happens, some
//! version runs.
//!
//! **Files.** The installed program is the *keeper*. It never changes itself. Next to it:
//!
//! ```text
//! casedrop[.exe]                      the keeper; also the first version
//! casedrop.managed                    present: a package updates this PC, and nothing below happens
//! versions/<v>/casedrop[.exe]         staged: downloaded, verified, unpacked, asked for its version
//! versions/downloads/                 an archive while it is downloaded and unpacked
//! versions/current                    the version to run; empty or absent: the installed one
//! versions/trial.json                 the version on trial, when it began, how often it was started
//! versions/refused.json               versions that failed, why and when: not retried automatically
//! versions/update.lock                held while staging or tidying up
//! ```
//!
//! **One file decides at a time.** `trial.json` alone puts a version on trial; `current` changes
//! only once the trial is passed. So each step is one atomic rename, and a power cut between two of
//! them leaves one of these states, each of which the next start resolves:
//!
//! | found | meaning | what the keeper does |
//! |---|---|---|
//! | no trial | `current` runs | runs it |
//! | trial, not started twice | a trial to begin or continue | counts the start durably, runs it |
//! | trial, started twice | it took the PC down, twice | refuses the version, runs `current` |
//! | trial of the current version | it was passed | removes the trial |
//! | trial of a refused version | it failed | removes the trial |
//! | a file that cannot be read | unknown | treats it as missing: an older version runs |
//!
//! A version that is not newer than the installed program is never run: installing that one was a
//! deliberate choice. If the current version is missing or cannot be started, the next older one
//! runs, and as a last resort the installed program itself.
//!
//! **The trial** ([`trial`], pure) is passed once the new version has reported ready, has worked
//! with heartbeats for two minutes, and each lab whose polls were good before has had a good poll
//! again or could not because of the network. In all other cases the version is stopped, refused,
//! and not tried again until a user asks for it. Time is counted in small steps, so that a PC that
//! slept is not mistaken for a version that hangs.
//!
//! **Keeper and child** exchange lines of JSON over the child's standard input and output
//! ([`protocol`]). The keeper is as old as the installation, so this protocol, the arguments
//! `run --kept`, `--trial` and `--service`, and the files above must stay compatible forever:
//! messages may be added, and unknown ones are ignored. The keeper does not read the config, which
//! may be written for a newer version. A child whose keeper died sees the end of its input and
//! stops.
//!
//! **Trust** ([`release`]): a manifest per channel, signed with ed25519 by a key that is built in
//! ([`keys`]) and not retired. It binds channel, version, target, file name, size and SHA-256, and
//! expires. The archive is signed too, under its name, by such a key. `self_update` downloads it,
//! checks digest and signature, and unpacks one member of it: the program.
//!
//! **The journal** is copied before a trial. An older version continues with a newer journal if the
//! newer version allows it. Otherwise that journal is set aside and rebuilt from its own content,
//! the copy, the output and Align's list: as after any other loss, no order is forgotten.

pub mod begin;
pub mod choose;
pub mod daily;
pub mod delegate;
pub mod fetch;
pub mod keeper;
pub mod keeper_link;
pub mod keys;
pub mod place;
pub mod protocol;
pub mod release;
pub mod spawn;
pub mod stage;
pub mod trial;

use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;

use crate::disk::{Disk, read_limited};
use crate::model::step::Step;

pub use keys::Keys;
pub use place::{Place, Refused, TrialRecord, VersionText};

/// The file next to the program that says that a package manages it.
pub const MANAGED: &str = "casedrop.managed";

/// Identifies this process and its update rules. Tests replace parts of it.
#[derive(Clone)]
pub struct Program {
    /// The version that it reports.
    pub version: Version,
    pub exe: PathBuf,
    /// The keys whose signatures it trusts.
    pub keys: Keys,
    /// The time limits of a trial.
    pub limits: trial::Limits,
    /// How often it checks for releases automatically.
    pub pace: Pace,
    /// Called at each named step.
    pub step: fn(Step),
}

/// How often to check for releases automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How often the clock is checked.
    pub tick: Duration,
    /// Maximum delay of the first check after startup.
    pub first: Duration,
    /// Interval between two checks.
    pub every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tick: Duration::from_secs(30),
            first: Duration::from_mins(30),
            every: Duration::from_hours(24),
        }
    }
}

/// What updates an installation that does not update itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    Msi,
    Deb,
    Rpm,
    /// Another one, which its marker file does not name.
    Other,
}

impl Manager {
    /// What to update it with.
    pub fn through(self) -> &'static str {
        match self {
            Self::Msi => "the MSI",
            Self::Deb => "the .deb package",
            Self::Rpm => "the .rpm package",
            Self::Other => "its package",
        }
    }
}

/// Returns what manages the program at `exe`: a file next to it says so, or for `<prefix>/bin` the
/// file `<prefix>/lib/casedrop/managed`. `None` if it updates itself.
pub fn managed_by(disk: &dyn Disk, exe: &Path) -> Option<Manager> {
    let dir = exe.parent()?;
    let beside = dir.join(MANAGED);
    let below = dir
        .file_name()
        .filter(|name| *name == "bin")
        .and_then(|_| dir.parent())
        .map(|prefix| prefix.join("lib/casedrop/managed"));
    let found = std::iter::once(beside).chain(below);
    let mut found = found.filter(|path| !matches!(disk.kind(path), Ok(None)));
    let text = read_limited(disk, &found.next()?, 4096).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    Some(match text.lines().next().unwrap_or_default().trim() {
        "msi" => Manager::Msi,
        "deb" => Manager::Deb,
        "rpm" => Manager::Rpm,
        _ => Manager::Other,
    })
}

pub(crate) fn program_name() -> &'static str {
    if cfg!(windows) { "casedrop.exe" } else { "casedrop" }
}

/// Returns the target that this program was built for, as releases name it.
pub fn target() -> String {
    let arch = std::env::consts::ARCH;
    let env = if cfg!(target_env = "msvc") {
        "-msvc"
    } else if cfg!(target_env = "musl") {
        "-musl"
    } else if cfg!(target_env = "gnu") {
        "-gnu"
    } else {
        ""
    };
    match std::env::consts::OS {
        "windows" => format!("{arch}-pc-windows{env}"),
        "macos" => format!("{arch}-apple-darwin"),
        os => format!("{arch}-unknown-{os}{env}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn a_file_says_that_a_package_manages_the_program() {
        let dir = tempfile::tempdir().expect("tempdir");
        let bin = dir.path().join("bin");
        std::fs::create_dir_all(&bin).expect("made");
        let exe = bin.join(program_name());
        let managed = || managed_by(&RealDisk, &exe);
        assert_eq!(managed(), None);
        let below = dir.path().join("lib/casedrop");
        std::fs::create_dir_all(&below).expect("made");
        for (text, manager) in
            [("deb\n", Manager::Deb), ("rpm", Manager::Rpm), ("", Manager::Other)]
        {
            std::fs::write(below.join("managed"), text).expect("written");
            assert_eq!(managed(), Some(manager));
        }
        std::fs::write(bin.join(MANAGED), "msi\r\nmore\r\n").expect("written");
        assert_eq!(managed(), Some(Manager::Msi));
        let elsewhere = dir.path().join("opt").join(program_name());
        assert_eq!(managed_by(&RealDisk, &elsewhere), None);
    }

    #[test]
    fn the_target_is_named_as_the_compiler_names_it() {
        let target = target();
        assert!(target.starts_with(std::env::consts::ARCH) && !target.ends_with('-'), "{target}");
        let known = cfg!(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"));
        assert_eq!(target == "x86_64-unknown-linux-gnu", known);
    }
}
