//! Puts a staged version on trial from the next start. Copies the journal first.

use std::path::Path;

use semver::Version;

use super::place::{TrialRecord, VersionText};
use super::{Place, Program};
use crate::disk::Disk;
use crate::journal::{Store, StoreError};
use crate::model::fault::{Fault, FaultClass};
use crate::model::step::Step;
use crate::model::time::WallMs;

/// Puts `version` on trial: the keeper starts it next. `journal` is the journal and where its copy
/// goes.
///
/// # Errors
/// The journal cannot be copied, or the trial cannot be recorded; then nothing changes.
pub fn begin(
    program: &Program,
    place: &Place,
    disk: &dyn Disk,
    version: &Version,
    journal: Option<(&Store, &Path)>,
    now: WallMs,
) -> Result<TrialRecord, Fault> {
    let labs = match journal {
        Some((store, copy)) => {
            copied(disk, store, copy)?;
            labs(store).map_err(|error| cannot(&error))?
        }
        None => Vec::new(),
    };
    (program.step)(Step::UpdateCopied);
    let before = VersionText(program.version.clone());
    let trial =
        TrialRecord { version: VersionText(version.clone()), before, since: now, starts: 0, labs };
    place.set_trial(disk, &trial)?;
    (program.step)(Step::UpdateTrial);
    Ok(trial)
}

/// Returns the labs whose last poll was good and that are not paused.
fn labs(store: &Store) -> Result<Vec<String>, StoreError> {
    let resting = store.pauses()?;
    let labs = store.labs()?.into_iter();
    let well = labs.filter(|lab| lab.good_poll.is_some() && lab.fault_code.is_none());
    Ok(well.map(|lab| lab.lab).filter(|lab| !resting.contains_key(lab)).collect())
}

fn copied(disk: &dyn Disk, store: &Store, copy: &Path) -> Result<(), Fault> {
    let mut name = copy.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    let new = copy.with_file_name(name);
    if disk.kind(&new)?.is_some() {
        disk.remove_file(&new)?;
    }
    let made = store.copy_to(&new).map_err(|error| cannot(&error)).and_then(|()| {
        let mut file = disk.append(&new)?;
        file.sync().map_err(|error| super::fetch::written(&new, error))?;
        drop(file);
        disk.replace_file(&new, copy)?;
        Ok(disk.sync_dir(copy.parent().unwrap_or(Path::new("")))?)
    });
    if made.is_err() {
        // The first error is the one to report.
        drop(disk.remove_file(&new));
    }
    made
}

fn cannot(error: &StoreError) -> Fault {
    let text = format!("the journal cannot be copied before the update: {}", error.chain());
    Fault::new(FaultClass::Local, "journal", text).hint(error.hint())
}

#[cfg(test)]
mod tests {
    use super::super::{Keys, Pace, program_name, trial};
    use super::*;
    use crate::disk::RealDisk;
    use crate::journal::{LabRecord, Paused};

    #[test]
    fn a_trial_begins_with_a_copy_and_the_labs_that_must_go_on_working() {
        let dir = tempfile::tempdir().expect("tempdir");
        let program = Program {
            version: Version::new(0, 1, 0),
            exe: dir.path().join(program_name()),
            keys: Keys::default(),
            limits: trial::Limits::default(),
            pace: Pace::default(),
            step: |_| {},
        };
        let place = Place::of(&program.exe);
        drop(place.lock(&RealDisk).expect("made"));
        let store = Store::open(&dir.path().join("journal.sqlite")).expect("made");
        let lab = |name: &str, fault: Option<&str>, polled: bool| LabRecord {
            lab: name.to_owned(),
            good_poll: polled.then_some(WallMs(1)),
            fault_code: fault.map(str::to_owned),
            ..LabRecord::default()
        };
        for lab in [
            lab("good", None, true),
            lab("failing", Some("http-503"), true),
            lab("new", None, false),
            lab("resting", None, true),
        ] {
            store.save_lab(&lab).expect("saved");
        }
        store.pause("resting", &Paused { at: WallMs(1), by: None }).expect("paused");
        let copy = dir.path().join("copy.sqlite");
        std::fs::write(dir.path().join("copy.sqlite.new"), "left by a crash").expect("written");
        for _ in 0..2 {
            let version = Version::new(0, 2, 0);
            let journal = Some((&store, &*copy));
            let trial = begin(&program, &place, &RealDisk, &version, journal, WallMs(3));
            let trial = trial.expect("begun");
            assert_eq!((trial.labs.as_slice(), trial.starts), (&["good".to_owned()][..], 0));
            assert_eq!(place.trial(&RealDisk), Some(trial));
        }
        let copied = Store::open(&copy).expect("whole");
        assert_eq!(copied.labs().expect("read").len(), 4);
    }
}
