//! Delegation from the installed program to the current version, so that command line and service
//! are never of different versions.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use semver::Version;

use super::{Place, Program, managed_by};
use crate::disk::Disk;
use crate::model::fault::Fault;

/// Set for a program to which another one delegated: it does the work itself in any case.
const GUARD: &str = "_CASEDROP_DELEGATED";

/// Commands that concern the installed program itself.
const OWN: [&str; 2] = ["run", "service"];

/// Which program carries out a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doer {
    Own,
    Current(PathBuf),
    /// This program, because the current version's may have been tampered with: someone can change
    /// it who has no say in what this user runs.
    Distrusted {
        /// The current version.
        version: Version,
        /// Who can change it, and what.
        why: String,
    },
}

/// Decides which program carries out a command.
///
/// The versions folder belongs to the agent's account, which reads data from the network, and an
/// administrator who asks for the status must not run what that account put there. So another
/// program is run only if its files and the folders above them belong to this user or can be
/// changed only by administrators.
pub fn delegate(disk: &dyn Disk, program: &Program, args: &[OsString]) -> Doer {
    if std::env::var_os(GUARD).is_some() || command(args).is_some_and(|word| OWN.contains(&word)) {
        return Doer::Own;
    }
    let place = Place::of(&program.exe);
    if place.is_inside() || managed_by(disk, &program.exe).is_some() {
        return Doer::Own;
    }
    let current = place.current(disk).filter(|current| *current > program.version);
    let Some(version) = current.filter(|current| place.has(disk, current)) else {
        return Doer::Own;
    };
    let new = place.program(&version);
    match distrusted(disk, [&*new, &place.dir(&version), place.versions()]) {
        None => Doer::Current(new),
        Some(why) => Doer::Distrusted { version, why },
    }
}

/// Returns, in words, who can change one of these besides this user and administrators.
pub fn distrusted<'a>(
    disk: &dyn Disk,
    paths: impl IntoIterator<Item = &'a Path>,
) -> Option<String> {
    paths.into_iter().find_map(|path| {
        if matches!(disk.is_own(path), Ok(true)) {
            return None;
        }
        match disk.others_who_write(path) {
            Ok(None) => None,
            Ok(Some(others)) => Some(format!("{} can be changed by {others}", path.display())),
            Err(error) => Some(Fault::from(error).chain()),
        }
    })
}

/// Runs that program instead. Returns its exit status, or an error if it cannot be started.
pub fn hand_over(program: &Path, args: &[OsString]) -> Result<i32, std::io::Error> {
    let mut command = Command::new(program);
    command.args(args).env(GUARD, "1");
    run(command)
}

#[cfg(unix)]
fn run(mut command: Command) -> Result<i32, std::io::Error> {
    use std::os::unix::process::CommandExt as _;
    // Returns only on failure.
    Err(command.exec())
}

#[cfg(not(unix))]
fn run(mut command: Command) -> Result<i32, std::io::Error> {
    Ok(command.status()?.code().unwrap_or(1))
}

/// Returns the first word that is neither an option nor an option's value.
fn command(args: &[OsString]) -> Option<&str> {
    let mut args = args.iter().map(OsString::as_os_str);
    while let Some(arg) = args.next() {
        let text = arg.to_str()?;
        if text == "--config" {
            args.next();
        } else if !text.starts_with('-') {
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::{Keys, MANAGED, Pace, program_name, trial};
    use super::*;
    use crate::disk::RealDisk;

    /// An installation of 0.1.0, and the program of its version 0.2.0.
    fn installation(dir: &Path) -> (Program, Place, PathBuf) {
        let program = Program {
            version: "0.1.0".parse().expect("a version"),
            exe: dir.join(program_name()),
            keys: Keys::default(),
            limits: trial::Limits::default(),
            pace: Pace::default(),
            step: |_| {},
        };
        let place = Place::of(&program.exe);
        let new = place.program(&"0.2.0".parse().expect("a version"));
        std::fs::create_dir_all(new.parent().expect("a folder")).expect("made");
        std::fs::write(&new, "x").expect("written");
        (program, place, new)
    }

    fn asked(program: &Program, line: &str) -> Doer {
        let args: Vec<_> = line.split(' ').map(OsString::from).collect();
        delegate(&RealDisk, program, &args)
    }

    #[test]
    fn the_current_version_does_what_is_not_about_the_installed_one() {
        let dir = tempfile::tempdir().expect("tempdir");
        let (mut program, place, new) = installation(dir.path());
        assert_eq!(asked(&program, "status"), Doer::Own, "it is not the current one");
        place.set_current(&RealDisk, &"0.2.0".parse().expect("a version")).expect("written");
        for line in ["status", "--version", "--config run status", "--json orders --lab run"] {
            assert_eq!(asked(&program, line), Doer::Current(new.clone()), "{line}");
        }
        for line in ["run", "--config x run", "--json --config=x service install"] {
            assert_eq!(asked(&program, line), Doer::Own, "{line}");
        }
        std::fs::write(dir.path().join(MANAGED), "msi").expect("written");
        assert_eq!(asked(&program, "status"), Doer::Own, "a package manages it");
        std::fs::remove_file(dir.path().join(MANAGED)).expect("removed");
        program.exe = new;
        assert_eq!(asked(&program, "status"), Doer::Own, "it is the current one");
    }

    /// Only runs as an administrator, who alone can give files to another user.
    #[cfg(unix)]
    #[test]
    fn an_administrator_does_not_run_what_the_agents_account_can_change() {
        use std::os::unix::fs::chown;
        let dir = tempfile::tempdir().expect("tempdir");
        let (program, place, new) = installation(dir.path());
        let version: Version = "0.2.0".parse().expect("a version");
        place.set_current(&RealDisk, &version).expect("written");
        if uzers::get_effective_uid() != 0 {
            assert_eq!(asked(&program, "status"), Doer::Current(new), "it is the user's own");
            return;
        }
        let folder = place.dir(&version);
        for path in [new.as_path(), &folder, place.versions()] {
            chown(path, Some(65_533), None).expect("given away");
            let Doer::Distrusted { version: told, why } = asked(&program, "status") else {
                panic!("{} is somebody else's", path.display());
            };
            assert_eq!(told, version);
            assert!(why.contains(&path.display().to_string()) && why.contains("65533"), "{why}");
            chown(path, Some(0), None).expect("taken back");
        }
        assert_eq!(asked(&program, "status"), Doer::Current(new));
    }
}
