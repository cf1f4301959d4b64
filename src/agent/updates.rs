//! Updates in parallel with the engine: checks for releases automatically, puts a staged version on
//! trial once nothing is in flight, and reports to the keeper of a version on trial how its polls
//! go.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use semver::Version;
use tokio::sync::watch;

use crate::audit::{Audit, AuditEvent, Entry, Mark};
use crate::config::Config;
use crate::disk::Disk;
use crate::journal::{LabRecord, Store, StoreError};
use crate::model::fault::{Fault, FaultClass};
use crate::model::request::{Outcome, Reply, Via, Who};
use crate::model::time::WallMs;
use crate::service::eventlog;
use crate::status::Code;
use crate::status::UpdateStatus;
use crate::update::daily::{Daily, is_open};
use crate::update::keeper_link::{KeeperLink, Orders};
use crate::update::protocol::PollResult;
use crate::update::stage::{self, Found};
use crate::update::{Manager, Place, Program, begin};

use super::background::{BackgroundTasks, StopSignal};
use super::clock::wall_now;
use super::context::AgentContext;
use super::idle::IdleState;
use super::journal::COPY;

/// Interval for checking the polls of a version on trial, and whether it is quiet.
const LOOK: Duration = Duration::from_millis(500);
/// A moment is quiet if nothing begins for this long.
const AHEAD: Duration = Duration::from_secs(3);
/// After this long, any moment with nothing in flight will do.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest time for finding a version and downloading it.
const LOOK_MAX: Duration = Duration::from_hours(2);
/// Faults of the network or the server, not of the program.
const UNREACHED: [&str; 9] = [
    "connect",
    "proxy",
    "dns",
    "stalled",
    "broken-off",
    "too-slow",
    "http-408",
    "http-425",
    "http-429",
];

/// What an agent needs to update itself.
pub struct Updating {
    /// This program.
    pub program: Program,
    pub place: Place,
    /// What updates it, if it does not update itself.
    pub manager: Option<Manager>,
    kept: Option<(Arc<KeeperLink>, Orders)>,
    on_trial: bool,
    /// The version requested for a trial, and by whom.
    wanted: watch::Sender<Option<(Version, Who)>>,
    restart: watch::Sender<bool>,
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
    fn may_switch(&self, idle: &IdleState, waited: Duration) -> bool {
        if waited < PATIENCE {
            return idle.is_idle(AHEAD.min(self.program.pace.tick));
        }
        // If no engine runs, there is nothing to wait for.
        idle.is_idle(Duration::ZERO) || idle.is_not_running()
    }

    /// Whether this version is still on trial.
    fn is_on_trial(&self) -> bool {
        let passed = self.kept.as_ref().is_some_and(|(_, orders)| *orders.passed.borrow());
        self.on_trial && !passed
    }

    /// Returns the named version, if it may be tried. It need not be staged yet.
    pub(super) fn may_try(&self, disk: &dyn Disk, version: &str) -> Result<Version, Fault> {
        let refused =
            |text: String| Fault::new(FaultClass::Permanent, super::requests::USAGE, text);
        if let Some(manager) = self.manager {
            let text = format!("this PC is updated through {}", manager.through());
            return Err(refused(text));
        }
        let version = Version::parse(version)
            .map_err(|error| refused(format!("{version:?} is not a version: {error}")))?;
        let newest = self.place.newest(disk, &self.program.version);
        if version <= newest {
            return Err(refused(format!("version {version} is not newer than {newest}")));
        }
        if self.is_on_trial() {
            let text = format!("version {} is on trial", self.program.version);
            return Err(refused(text).hint("wait until the trial is over"));
        }
        disk.may_create_in(self.place.versions())?;
        if let Some(failed) = self.place.refused(disk).get(&version) {
            return Err(refused(format!("version {version} failed before: {}", failed.why))
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
                let at = refused.at.to_rfc3339();
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

/// Starts the tasks that updates need.
pub(super) fn start(context: &Arc<AgentContext>, tasks: &mut BackgroundTasks) {
    let Some(updating) = context.handler.updating().cloned() else { return };
    let both = (Arc::clone(context), Arc::clone(&updating));
    tasks.start(|until| tell_news(both.0, both.1, until));
    if let (true, Some((kept, _))) = (updating.on_trial, &updating.kept) {
        let (context, kept) = (Arc::clone(context), Arc::clone(kept));
        tasks.start(|until| report(context, kept, until));
    }
    let both = (Arc::clone(context), Arc::clone(&updating));
    tasks.start(|until| switch_when_asked(both.0, both.1, until));
    if context.config.updates.automatic {
        let both = (Arc::clone(context), updating);
        tasks.start(|until| automatic(both.0, both.1, until));
    }
}

/// Reports finished trials: a failed one at startup, a passed one when the keeper says so.
async fn tell_news(context: Arc<AgentContext>, updating: Arc<Updating>, mut until: StopSignal) {
    let (there, place) = (Arc::clone(&context), updating.place.clone());
    let own = updating.program.version.clone();
    drop(tokio::task::spawn_blocking(move || tell_failures(&there, &place, &own)).await);
    let Some((_, orders)) = updating.kept.as_ref().filter(|_| updating.on_trial) else { return };
    let mut passed = orders.passed.clone();
    tokio::select! {
        () = until.stopped() => {}
        said = passed.wait_for(|passed| *passed) => {
            if said.is_ok() {
                tracing::info!("version {} passed its trial", updating.program.version);
                let entry = Entry::by_agent(wall_now(), AuditEvent::Update, Mark::Done)
                    .detail("version", updating.program.version.to_string());
                record(&context, &entry);
            }
        }
    }
}

fn tell_failures(context: &AgentContext, place: &Place, own: &Version) {
    let mut all = place.refused(&*context.disk);
    let mut is_news = false;
    for (version, refused) in all.iter_mut().filter(|(_, refused)| !refused.told) {
        if version > own {
            tracing::error!(
                "version {version} did not work and was rolled back, version {own} is running \
                 again: {}",
                refused.why
            );
            eventlog::write(&eventlog::Entry::rolled_back(&version.to_string(), &refused.why));
            let entry = Entry::by_agent(wall_now(), AuditEvent::Update, Mark::Failed)
                .detail("version", version.to_string())
                .detail("why", refused.why.clone());
            record(context, &entry);
        }
        refused.told = true;
        is_news = true;
    }
    if is_news && let Err(fault) = place.set_refused(&*context.disk, &all) {
        tracing::warn!("{}", fault.chain());
    }
}

fn record(context: &AgentContext, entry: &Entry) {
    if let Err(fault) = context.audit.record(entry) {
        tracing::warn!("{}", fault.chain());
    }
}

/// Reports to the keeper how the polls of a version on trial go, and gets each lab polled soon.
async fn report(context: Arc<AgentContext>, kept: Arc<KeeperLink>, mut until: StopSignal) {
    let mut before: Option<BTreeMap<String, LabRecord>> = None;
    let mut told: BTreeMap<String, PollResult> = BTreeMap::new();
    loop {
        let (there, is_first) = (Arc::clone(&context), before.is_none());
        let looked = tokio::task::spawn_blocking(move || {
            there.journal.with(|store| labs(store, is_first, wall_now()))
        });
        if let Ok(Ok((labs, resting))) = looked.await {
            if is_first {
                context.wake.now();
            }
            let first = before.get_or_insert_with(|| labs.clone());
            for (name, lab) in &labs {
                let Some((went, why)) = went(first.get(name), lab, resting.contains(name)) else {
                    continue;
                };
                if told.insert(name.clone(), went) != Some(went) {
                    kept.polled(name, went, why);
                }
            }
        }
        tokio::select! {
            () = until.stopped() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

type Seen = (BTreeMap<String, LabRecord>, Vec<String>);

/// Returns what is known about the labs, and which are paused. The first time, requests a poll for
/// each of the others.
fn labs(store: &Store, is_first: bool, now: WallMs) -> Result<Seen, StoreError> {
    let resting: Vec<_> = store.pauses()?.into_keys().collect();
    let labs: BTreeMap<_, _> =
        store.labs()?.into_iter().map(|lab| (lab.lab.clone(), lab)).collect();
    if is_first {
        for lab in labs.keys().filter(|lab| !resting.contains(*lab)) {
            store.want_poll(lab, now)?;
        }
    }
    Ok((labs, resting))
}

/// Returns the result of the last poll since the start, if there was one.
fn went(
    first: Option<&LabRecord>,
    lab: &LabRecord,
    rests: bool,
) -> Option<(PollResult, Option<String>)> {
    if rests {
        return Some((PollResult::Well, None));
    }
    if first == Some(lab) {
        return None;
    }
    match lab.fault_code.as_deref() {
        Some(code) if UNREACHED.contains(&code) || code.starts_with("http-5") => {
            Some((PollResult::Unreached, None))
        }
        Some(code) => {
            Some((PollResult::Failed, Some(lab.fault.clone().unwrap_or_else(|| code.to_owned()))))
        }
        None => {
            let polled = lab.good_poll != first.and_then(|first| first.good_poll);
            polled.then_some((PollResult::Well, None))
        }
    }
}

/// Puts a staged version on trial when requested and nothing is in flight.
async fn switch_when_asked(
    context: Arc<AgentContext>,
    updating: Arc<Updating>,
    mut until: StopSignal,
) {
    let mut wanted = updating.wanted.subscribe();
    loop {
        let asked = tokio::select! {
            () = until.stopped() => return,
            asked = wanted.wait_for(Option::is_some) => asked.ok().and_then(|asked| asked.clone()),
        };
        let Some((version, who)) = asked else { return };
        if !updating.place.has(&*context.disk, &version) {
            let staged = tokio::select! {
                () = until.stopped() => return,
                staged = look_and_stage(&context, &updating) => staged,
            };
            let fault = match staged {
                Ok(Some(staged)) if staged == version => None,
                Ok(_) => Some("the source no longer offers that version".to_owned()),
                Err(fault) => Some(fault.chain()),
            };
            if let Some(fault) = fault {
                tracing::error!("version {version} cannot be tried out: {fault}");
                let entry = Entry::new(wall_now(), who, AuditEvent::Update, Mark::Failed)
                    .detail("version", version.to_string());
                record(&context, &entry);
                updating.wanted.send_replace(None);
                continue;
            }
        }
        let began = Instant::now();
        while !updating.may_switch(&context.idle, began.elapsed()) {
            tokio::select! {
                () = until.stopped() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        updating.wanted.send_replace(None);
        switch(&context, &updating, version, who).await;
    }
}

/// Puts the version on trial and ends the agent.
async fn switch(context: &Arc<AgentContext>, updating: &Arc<Updating>, version: Version, who: Who) {
    let (there, mine) = (Arc::clone(context), Arc::clone(updating));
    let begun = tokio::task::spawn_blocking(move || {
        let entry = |mark| {
            Entry::new(wall_now(), who.clone(), AuditEvent::Update, mark)
                .detail("version", version.to_string())
                .detail("before", mine.program.version.to_string())
        };
        // What cannot be recorded is not done.
        there.audit.record(&entry(Mark::Begun))?;
        let begun = put_on_trial(&mine, &there.config, &*there.disk, &version, &there.journal);
        if begun.is_err() {
            record(&there, &entry(Mark::Failed));
        }
        begun.map(|()| version)
    });
    match begun.await {
        Ok(Ok(version)) => {
            let Some((kept, _)) = &updating.kept else {
                tracing::warn!("the agent will try out version {version} at its next start");
                return;
            };
            tracing::warn!("the agent is stopping so that version {version} can be tried out");
            kept.restart();
            updating.restart.send_replace(true);
        }
        Ok(Err(fault)) => tracing::error!("the update cannot be tried out: {}", fault.chain()),
        Err(error) => tracing::error!("the update cannot be tried out: {error}"),
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
    let entry = Entry::new(wall_now(), who.clone(), AuditEvent::Update, Mark::Begun)
        .detail("version", version.to_string())
        .detail("before", updating.program.version.to_string());
    audit.record(&entry)?;
    put_on_trial(updating, config, &**disk, version, &super::Journal::of(&config.state))?;
    let text = format!("version {version} is staged; the agent's next start tries it out");
    Ok(Reply::new(Outcome::Done, text)
        .details(serde_json::json!({ "version": version.to_string() })))
}

/// Copies the journal, if there is one, and puts the version on trial from the next start.
fn put_on_trial(
    updating: &Updating,
    config: &Config,
    disk: &dyn Disk,
    version: &Version,
    journal: &super::Journal,
) -> Result<(), Fault> {
    let copy = config.state.join(COPY);
    let begun = |store: Option<&Store>| {
        let journal = store.map(|store| (store, &*copy));
        begin::begin(&updating.program, &updating.place, disk, version, journal, wall_now())
    };
    let there = disk.kind(&config.state.join(crate::journal::FILE_NAME))?.is_some();
    if !there {
        return begun(None).map(drop);
    }
    let with = journal.with(|store| Ok(begun(Some(store)).map(drop)));
    with.map_err(super::requests::cannot_use)?
}

/// Checks for releases once a day, stages new ones, and puts them on trial in a quiet moment.
async fn automatic(context: Arc<AgentContext>, updating: Arc<Updating>, mut until: StopSignal) {
    if let Some(manager) = updating.manager {
        tracing::info!(
            "this PC is updated through {}, so Casedrop does not update itself",
            manager.through()
        );
        return;
    }
    if let Err(fault) = stage::source(&updating.program, &context.config) {
        tracing::warn!("updates are off: {}", fault.chain());
        return;
    }
    let window = context.config.updates.window;
    let pace = updating.program.pace;
    let mut daily = Daily::new(pace, wall_now(), fastrand::f64());
    let mut staged: Option<Version> = None;
    loop {
        tokio::select! {
            () = until.stopped() => return,
            () = tokio::time::sleep(pace.tick) => {}
        }
        let minute = minute_of_day();
        if !updating.is_on_trial() && daily.is_due(wall_now(), window, minute, fastrand::f64()) {
            let looked = tokio::select! {
                () = until.stopped() => return,
                looked = look_and_stage(&context, &updating) => looked,
            };
            match looked {
                Ok(found) => staged = found,
                Err(fault) => tracing::warn!("no update: {}", fault.chain()),
            }
        }
        if is_open(window, minute_of_day())
            && context.idle.is_idle(AHEAD.min(pace.tick))
            && let Some(version) = staged.take()
        {
            let who = Who { user: None, via: Via::Agent };
            switch(&context, &updating, version, who).await;
        }
    }
}

/// Looks for a newer version and stages it; returns it if there is one. Gives up after two hours,
/// in case the source only dribbles.
async fn look_and_stage(
    context: &AgentContext,
    updating: &Updating,
) -> Result<Option<Version>, Fault> {
    let looked = tokio::time::timeout(LOOK_MAX, bring(context, updating)).await;
    looked.unwrap_or_else(|_| {
        let text = format!("the update did not arrive within {} s", LOOK_MAX.as_secs());
        Err(Fault::new(FaultClass::Transient, "update-fetch", text))
    })
}

async fn bring(context: &AgentContext, updating: &Updating) -> Result<Option<Version>, Fault> {
    let Updating { program, place, .. } = updating;
    let (config, disk) = (&*context.config, &*context.disk);
    match stage::look(program, place, config, disk, wall_now()).await? {
        Found::UpToDate => Ok(None),
        Found::There(release) => {
            stage::stage(program, place, config, disk, &release).await?;
            tracing::warn!("version {} is staged", release.version);
            Ok(Some(release.version))
        }
        Found::Failed(release, refused) => {
            tracing::info!("version {} failed here before: {}", release.version, refused.why);
            Ok(None)
        }
        Found::Distrusted(why) => {
            tracing::warn!("no update: {why}");
            Ok(None)
        }
    }
}

/// Local time, in minutes since midnight.
fn minute_of_day() -> u16 {
    let now = jiff::ZonedDateTime::now();
    let minute = i32::from(now.hour()) * 60 + i32::from(now.minute());
    u16::try_from(minute).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_the_networks_fault_is_not_the_programs() {
        let good = |at| LabRecord { good_poll: Some(WallMs(at)), ..LabRecord::default() };
        let bad = |code: &str| LabRecord { fault_code: Some(code.to_owned()), ..good(1) };
        let first = good(1);
        let went = |lab: &LabRecord, rests| went(Some(&first), lab, rests).map(|(went, _)| went);
        assert_eq!(went(&good(1), false), None, "it was not polled since");
        assert_eq!(went(&good(2), false), Some(PollResult::Well));
        assert_eq!(went(&good(0), false), Some(PollResult::Well), "the clock was set back");
        for code in ["dns", "connect", "proxy", "http-503", "http-5xx", "http-429", "stalled"] {
            assert_eq!(went(&bad(code), false), Some(PollResult::Unreached), "{code}");
        }
        for code in ["bad-answer", "http-400", "login-needed", "tls", "http-404"] {
            assert_eq!(went(&bad(code), false), Some(PollResult::Failed), "{code}");
        }
        assert_eq!(went(&bad("http-400"), true), Some(PollResult::Well), "it rests");
        let before = super::went(Some(&bad("dns")), &bad("dns"), false);
        assert_eq!(before, None, "that was before the start");
    }
}
