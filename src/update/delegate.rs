//! The installed program lets the current version do what it is asked to, so that the command line and
//! the service never are of different versions.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use super::{Place, Program, managed_by};
use crate::disk::Disk;

/// Set for a program that another one let do its work: it does it itself, whatever it finds.
const GUARD: &str = "_CASEDROP_DELEGATED";

/// What these have to do with is the installed program itself.
const OWN: [&str; 2] = ["run", "service"];

/// The program that is to do what this one was asked to, if it is another one.
pub fn delegate(disk: &dyn Disk, program: &Program, args: &[OsString]) -> Option<PathBuf> {
    if std::env::var_os(GUARD).is_some() || command(args).is_some_and(|word| OWN.contains(&word)) {
        return None;
    }
    let place = Place::of(&program.exe);
    if place.is_inside() || managed_by(disk, &program.exe).is_some() {
        return None;
    }
    let current = place.current(disk)?;
    (current > program.version && place.has(disk, &current)).then(|| place.program(&current))
}

/// Lets that program do it. Returns its exit status; an error if it cannot be started.
pub fn hand_over(program: &std::path::Path, args: &[OsString]) -> Result<i32, std::io::Error> {
    let mut command = Command::new(program);
    command.args(args).env(GUARD, "1");
    run(command)
}

#[cfg(unix)]
fn run(mut command: Command) -> Result<i32, std::io::Error> {
    use std::os::unix::process::CommandExt as _;
    // It comes back only if it fails.
    Err(command.exec())
}

#[cfg(not(unix))]
fn run(mut command: Command) -> Result<i32, std::io::Error> {
    Ok(command.status()?.code().unwrap_or(1))
}

/// The first word that is neither an option nor an option's value.
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

    #[test]
    fn the_current_version_does_what_is_not_about_the_installed_one() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut program = Program {
            version: "0.1.0".parse().expect("a version"),
            exe: dir.path().join(program_name()),
            keys: Keys::default(),
            limits: trial::Limits::default(),
            pace: Pace::default(),
            step: |_| {},
        };
        let place = Place::of(&program.exe);
        let asked = |program: &Program, line: &str| {
            let args: Vec<_> = line.split(' ').map(OsString::from).collect();
            delegate(&RealDisk, program, &args)
        };
        assert_eq!(asked(&program, "status"), None);
        let current = "0.2.0".parse().expect("a version");
        let new = place.program(&current);
        std::fs::create_dir_all(new.parent().expect("a folder")).expect("made");
        std::fs::write(&new, "x").expect("written");
        assert_eq!(asked(&program, "status"), None, "it is not the current one");
        place.set_current(&RealDisk, &current).expect("written");
        for line in ["status", "--version", "--config run status", "--json orders --lab run"] {
            assert_eq!(asked(&program, line).as_ref(), Some(&new), "{line}");
        }
        for line in ["run", "--config x run", "--json --config=x service install"] {
            assert_eq!(asked(&program, line), None, "{line}");
        }
        std::fs::write(dir.path().join(MANAGED), "msi").expect("written");
        assert_eq!(asked(&program, "status"), None, "a package manages it");
        std::fs::remove_file(dir.path().join(MANAGED)).expect("removed");
        program.exe = new;
        assert_eq!(asked(&program, "status"), None, "it is the current one");
    }
}
