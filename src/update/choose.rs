//! Decides which version the keeper starts: cleans up after power cuts and counts the starts of a
//! trial.

use std::collections::BTreeSet;

use semver::Version;

use super::place::{Place, Refused, TrialRecord, VersionText};
use super::trial::Why;
use crate::disk::Disk;
use crate::model::fault::Fault;
use crate::model::step::Step;
use crate::model::time::WallMs;

/// A version on trial is started at most this often, whatever happens to the PC.
pub const STARTS_MAX: u32 = 2;

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A version on trial; this start of it is already counted durably.
    Trial(TrialRecord),
    /// The first of these that can be started; if none can, the installed program.
    Versions(Vec<Version>),
}

/// Chooses for one keeper.
pub struct Chooser<'a> {
    pub disk: &'a dyn Disk,
    pub place: &'a Place,
    /// The installed version.
    pub own: &'a Version,
    /// Called at each named step.
    pub step: fn(Step),
    /// Versions that failed when that could not be recorded: this keeper no longer starts them.
    pub failed: BTreeSet<Version>,
}

impl Chooser<'_> {
    /// Returns what to start now.
    pub fn choose(&mut self, now: WallMs) -> Choice {
        if let Some(trial) = self.place.trial(self.disk)
            && let Some(counted) = self.trial(trial, now)
        {
            return Choice::Trial(counted);
        }
        Choice::Versions(self.versions())
    }

    /// Returns the trial if it should begin or continue.
    fn trial(&mut self, trial: TrialRecord, now: WallMs) -> Option<TrialRecord> {
        let version = &trial.version.0;
        let is_over = self.place.current(self.disk).is_some_and(|current| *version <= current)
            || self.place.refused(self.disk).contains_key(version)
            || version <= self.own;
        if is_over {
            self.end_trial();
            return None;
        }
        if self.failed.contains(version) {
            return None;
        }
        let why = if !self.place.has(self.disk, version) {
            Some(Why::CannotStart("its program is gone".to_owned()))
        } else if trial.starts >= STARTS_MAX {
            Some(Why::Twice)
        } else {
            None
        };
        if let Some(why) = why {
            self.refuse(version, &why, now);
            return None;
        }
        let counted = TrialRecord { starts: trial.starts + 1, ..trial };
        if let Err(fault) = self.place.set_trial(self.disk, &counted) {
            // A trial whose starts cannot be counted might be started forever.
            tracing::error!("{} cannot be tried out now: {}", counted.version.0, fault.chain());
            return None;
        }
        (self.step)(Step::UpdateCounted);
        Some(counted)
    }

    /// Returns the current version, and older ones in case it does not start. None is older than
    /// the installed program.
    fn versions(&self) -> Vec<Version> {
        let Some(current) = self.place.current(self.disk).filter(|current| current > self.own)
        else {
            return Vec::new();
        };
        let refused = self.place.refused(self.disk);
        let mut older: Vec<_> = self
            .place
            .staged(self.disk)
            .into_iter()
            .filter(|one| one > self.own && *one < current && !refused.contains_key(one))
            .collect();
        older.push(current);
        older.reverse();
        older
    }

    /// Records that the version failed its trial, so that it is not tried again. Durable before the
    /// trial ends.
    pub fn refuse(&mut self, version: &Version, why: &Why, now: WallMs) {
        (self.step)(Step::UpdateFailed);
        tracing::error!("version {version} failed its trial: {why}; the old version returns");
        let mut all = self.place.refused(self.disk);
        all.insert(version.clone(), Refused { why: why.to_string(), at: now, told: false });
        if let Err(fault) = self.place.set_refused(self.disk, &all) {
            tracing::error!("that could not be recorded: {}", fault.chain());
            self.failed.insert(version.clone());
            return;
        }
        (self.step)(Step::UpdateRefused);
        self.end_trial();
    }

    /// Records that the version passed its trial. Until this succeeds it stays on trial.
    pub fn pass(&self, trial: &TrialRecord) -> Result<(), Fault> {
        (self.step)(Step::UpdateHealthy);
        self.place.set_current(self.disk, &trial.version.0)?;
        (self.step)(Step::UpdateCurrent);
        self.end_trial();
        let VersionText(version) = &trial.version;
        if let Ok(Some(_lock)) = self.place.lock(self.disk) {
            self.place.tidy_up(self.disk, &[version, &trial.before.0]);
        }
        Ok(())
    }

    fn end_trial(&self) {
        if let Err(fault) = self.place.end_trial(self.disk) {
            // Its outcome is already decided; the next start ends it.
            tracing::warn!("{}", fault.chain());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::program_name;
    use super::*;
    use crate::disk::RealDisk;

    struct Pc {
        _dir: tempfile::TempDir,
        place: Place,
        own: Version,
    }

    fn version(text: &str) -> Version {
        Version::parse(text).expect("a version")
    }

    impl Pc {
        /// The installed version is 0.1.0; these others are present.
        fn with(staged: &[&str]) -> Self {
            let dir = tempfile::tempdir().expect("tempdir");
            let place = Place::of(&dir.path().join(program_name()));
            std::fs::create_dir_all(place.versions()).expect("made");
            for one in staged {
                let program = place.program(&version(one));
                std::fs::create_dir_all(program.parent().expect("a folder")).expect("made");
                std::fs::write(program, "x").expect("written");
            }
            Self { _dir: dir, place, own: version("0.1.0") }
        }

        fn try_out(&self, which: &str, starts: u32) {
            let trial = TrialRecord {
                version: VersionText(version(which)),
                before: VersionText(version("0.1.0")),
                since: WallMs(0),
                starts,
                labs: Vec::new(),
            };
            self.place.set_trial(&RealDisk, &trial).expect("written");
        }

        fn chooser(&self) -> Chooser<'_> {
            let failed = BTreeSet::new();
            Chooser { disk: &RealDisk, place: &self.place, own: &self.own, step: |_| {}, failed }
        }

        /// The version that a freshly started keeper starts.
        fn starts(&self) -> String {
            match self.chooser().choose(WallMs(5)) {
                Choice::Trial(trial) => format!("{} on trial", trial.version.0),
                Choice::Versions(all) => {
                    let all: Vec<_> = all.iter().map(ToString::to_string).collect();
                    all.join(" ")
                }
            }
        }
    }

    #[test]
    fn without_a_word_the_installed_program_runs() {
        let pc = Pc::with(&["0.2.0"]);
        assert_eq!(pc.starts(), "");
        pc.place.set_current(&RealDisk, &version("0.2.0")).expect("written");
        assert_eq!(pc.starts(), "0.2.0");
        let installed_anew = Pc { own: version("0.2.1"), ..pc };
        assert_eq!(installed_anew.starts(), "", "somebody installed a newer one");
    }

    #[test]
    fn where_the_current_one_does_not_start_an_older_one_does() {
        let pc = Pc::with(&["0.0.9", "0.2.0", "0.3.0", "0.4.0", "0.5.0"]);
        pc.place.set_current(&RealDisk, &version("0.4.0")).expect("written");
        let refused = Refused { why: String::new(), at: WallMs(0), told: true };
        let refused = [(version("0.3.0"), refused)].into();
        pc.place.set_refused(&RealDisk, &refused).expect("written");
        assert_eq!(pc.starts(), "0.4.0 0.2.0");
    }

    #[test]
    fn a_version_is_started_twice_on_trial_and_then_refused() {
        let pc = Pc::with(&["0.2.0"]);
        pc.try_out("0.2.0", 0);
        assert_eq!(pc.starts(), "0.2.0 on trial");
        assert_eq!(pc.starts(), "0.2.0 on trial");
        assert_eq!(pc.starts(), "");
        let refused = pc.place.refused(&RealDisk);
        assert!(refused[&version("0.2.0")].why.contains("twice"));
        assert_eq!(pc.place.trial(&RealDisk), None);
        pc.try_out("0.2.0", 0);
        assert_eq!(pc.starts(), "", "it is not tried again");
    }

    #[test]
    fn a_trial_that_is_settled_or_makes_no_sense_is_none() {
        let pc = Pc::with(&["0.0.9", "0.1.5", "0.2.0"]);
        pc.place.set_current(&RealDisk, &version("0.2.0")).expect("written");
        for (which, why) in [
            ("0.2.0", "passed"),
            ("0.0.9", "a downgrade"),
            ("0.1.5", "older than the current one"),
            ("0.7.0", "gone"),
        ] {
            pc.try_out(which, 1);
            assert_eq!(pc.starts(), "0.2.0 0.1.5", "{why}");
            assert_eq!(pc.place.trial(&RealDisk), None, "{why}");
        }
        std::fs::write(pc.place.versions().join("trial.json"), "{").expect("written");
        assert_eq!(pc.starts(), "0.2.0 0.1.5");
    }

    #[test]
    fn what_passed_is_current_and_what_nobody_needs_is_gone() {
        let pc = Pc::with(&["0.1.5", "0.2.0", "0.3.0"]);
        pc.try_out("0.3.0", 0);
        let mut chooser = pc.chooser();
        let Choice::Trial(mut trial) = chooser.choose(WallMs(1)) else { panic!("a trial") };
        trial.before = VersionText(version("0.2.0"));
        chooser.pass(&trial).expect("written");
        assert_eq!(pc.starts(), "0.3.0 0.2.0");
        assert_eq!(pc.place.staged(&RealDisk), [version("0.2.0"), version("0.3.0")]);
    }
}
