//! What this program knows about its own update: which version may be tried, and when.

use std::sync::Arc;
use std::time::Duration;

use semver::Version;
use tokio::sync::watch;

use crate::audit::{Audit, AuditEvent, Entry, Mark};
use crate::config::Config;
use crate::disk::Disk;
use crate::journal::Store;
use crate::model::fault::Fault;
use crate::model::request::{Outcome, Reply, Who};
use crate::status::{Code, UpdateStatus};
use crate::update::keeper_link::{KeeperLink, Orders};
use crate::update::{Manager, Place, Program, begin};

use super::clock::wall_now;
use super::idle::IdleState;
use super::journal_access::Journal;
use super::requests::{cannot_use, usage};
use super::state_folder::JOURNAL_COPY;

/// A moment is quiet if nothing begins for this long.
pub(super) const AHEAD: Duration = Duration::from_secs(3);
/// After this long, any moment with nothing in flight will do.
const PATIENCE: Duration = Duration::from_secs(30);

/// What an agent needs to update itself.
pub struct Updating {
    /// This program.
    pub program: Program,
    pub place: Place,
    /// What updates it, if it does not update itself.
    pub manager: Option<Manager>,
    pub(super) kept: Option<(Arc<KeeperLink>, Orders)>,
    pub(super) on_trial: bool,
    /// The version requested for a trial, and by whom.
    pub(super) wanted: watch::Sender<Option<(Version, Who)>>,
    pub(super) restart: watch::Sender<bool>,
}

impl Updating {
    /// For a process without a keeper.
    pub fn new(program: Program, place: Place, manager: Option<Manager>) -> Self {
        let (wanted, restart) = (watch::Sender::default(), watch::Sender::default());
        Self { program, place, manager, kept: None, on_trial: false, wanted, restart }
    }

    /// For a keeper's child.
    #[must_use]
    pub fn kept_by(self, kept: Arc<KeeperLink>, orders: Orders, on_trial: bool) -> Self {
        Self { kept: Some((kept, orders)), on_trial, ..self }
    }

    /// Whether a newer version has run here: one that failed its trial, or one that no longer
    /// starts.
    pub fn came_back(&self, disk: &dyn Disk) -> bool {
        let own = &self.program.version;
        self.place.refused(disk).keys().any(|version| version > own)
            || self.place.current(disk).is_some_and(|current| current > *own)
    }

    /// Resolves when the agent should end so that another version can start.
    pub async fn restarting(&self) {
        // An error means that the sender is gone.
        drop(self.restart.subscribe().wait_for(|restart| *restart).await);
    }

    /// Whether now is a good moment for another version to take over, after waiting that long for
    /// one.
    pub(super) fn may_switch(&self, idle: &IdleState, waited: Duration) -> bool {
        if waited < PATIENCE {
            return idle.is_idle(AHEAD.min(self.program.pace.tick));
        }
        // If no engine runs, there is nothing to wait for.
        idle.is_idle(Duration::ZERO) || idle.is_not_running()
    }

    /// Whether this version is still on trial.
    pub(super) fn is_on_trial(&self) -> bool {
        let passed = self.kept.as_ref().is_some_and(|(_, orders)| *orders.passed.borrow());
        self.on_trial && !passed
    }

    /// Returns the named version, if it may be tried. It need not be staged yet.
    pub(super) fn may_try(&self, disk: &dyn Disk, version: &str) -> Result<Version, Fault> {
        if let Some(manager) = self.manager {
            let text = format!("this PC is updated through {}", manager.through());
            return Err(usage(text));
        }
        let version = Version::parse(version)
            .map_err(|error| usage(format!("{version:?} is not a version: {error}")))?;
        let newest = self.place.newest(disk, &self.program.version);
        if version <= newest {
            return Err(usage(format!("version {version} is not newer than {newest}")));
        }
        if self.is_on_trial() {
            let text = format!("version {} is on trial", self.program.version);
            return Err(usage(text).hint("wait until the trial is over"));
        }
        disk.may_create_in(self.place.versions())?;
        if let Some(failed) = self.place.refused(disk).get(&version) {
            return Err(usage(format!("version {version} failed before: {}", failed.why))
                .hint("to try it again: `casedrop update --retry`"));
        }
        Ok(version)
    }

    /// Requests a trial of a version as soon as nothing is in flight. Replies with what will
    /// happen.
    pub(super) fn want(&self, disk: &dyn Disk, version: Version, who: &Who) -> Reply {
        let is_staged = self.place.has(disk, &version);
        let staged = if is_staged {
            format!("version {version} is staged; the agent")
        } else {
            format!("the agent downloads version {version} itself, and")
        };
        let text = match self.kept {
            Some(_) => {
                format!("{staged} starts it as soon as nothing is being downloaded or published")
            }
            None if is_staged => format!("{staged}'s next start tries it out"),
            None => format!("{staged} its next start tries it out"),
        };
        let details = serde_json::json!({ "version": version.to_string() });
        self.wanted.send_replace(Some((version, who.clone())));
        Reply::new(Outcome::Done, text).details(details)
    }

    /// Returns the audit record of putting a version on trial.
    pub(super) fn entry(&self, version: &Version, who: &Who, mark: Mark) -> Entry {
        Entry::new(wall_now(), who.clone(), AuditEvent::Update, mark)
            .detail("version", version.to_string())
            .detail("before", self.program.version.to_string())
    }

    /// Returns the state of versions newer than this program.
    pub(super) fn status(&self, disk: &dyn Disk) -> UpdateStatus {
        let own = &self.program.version;
        let trial = self.place.trial(disk).map(|trial| trial.version.0);
        let refused = self.place.refused(disk);
        let staged = self.place.staged(disk).into_iter().filter(|version| {
            version > own && Some(version) != trial.as_ref() && !refused.contains_key(version)
        });
        let taken_back = refused.keys().filter(|version| *version > own);
        UpdateStatus {
            staged: staged.max().map(|version| version.to_string()),
            taken_back: taken_back.max().map(ToString::to_string),
            trial: trial.map(|version| version.to_string()),
        }
    }

    /// Returns notes about versions that failed or are on trial, with what the user can do.
    pub(super) fn notes(&self, disk: &dyn Disk) -> Vec<(Code, String, String)> {
        let mut notes = Vec::new();
        for (version, refused) in self.place.refused(disk) {
            if version > self.program.version {
                let at = refused.at.local();
                let text = format!(
                    "version {version} was tried on {at}, did not work and was rolled back: {}",
                    refused.why
                );
                let hint =
                    "a newer version will be tried; `casedrop update --retry` tries this one again";
                notes.push((Code::UpdateTakenBack, text, hint.to_owned()));
            }
        }
        if let Some(trial) = self.place.trial(disk) {
            let version = trial.version.0;
            let hint = "nothing: if it does not work, the old version returns automatically";
            let text = format!("version {version} is on trial");
            notes.push((Code::UpdateOnTrial, text, hint.to_owned()));
        }
        notes
    }
}

/// Puts a staged version on trial from the next start, for a process without a running agent.
pub fn try_out_at_next_start(
    config: &Config,
    disk: &Arc<dyn Disk>,
    updating: &Updating,
    version: &Version,
    who: &Who,
) -> Result<Reply, Fault> {
    let audit = Audit::new(Arc::clone(disk), &config.state);
    audit.record(&updating.entry(version, who, Mark::Begun))?;
    put_on_trial(updating, config, &**disk, version, &Journal::of(&config.state))?;
    let text = format!("version {version} is staged; the agent's next start tries it out");
    Ok(Reply::new(Outcome::Done, text)
        .details(serde_json::json!({ "version": version.to_string() })))
}

/// Copies the journal, if there is one, and puts the version on trial from the next start.
pub(super) fn put_on_trial(
    updating: &Updating,
    config: &Config,
    disk: &dyn Disk,
    version: &Version,
    journal: &Journal,
) -> Result<(), Fault> {
    let copy = config.state.join(JOURNAL_COPY);
    let begun = |store: Option<&Store>| {
        let journal = store.map(|store| (store, &*copy));
        begin::begin(&updating.program, &updating.place, disk, version, journal, wall_now())
    };
    let there = disk.kind(&config.state.join(crate::journal::FILE_NAME))?.is_some();
    if !there {
        return begun(None).map(drop);
    }
    let with = journal.with(|store| Ok(begun(Some(store)).map(drop)));
    with.map_err(cannot_use)?
}
