//! The keeper: starts the version to run, relays messages between it and the host, and judges
//! versions on trial.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::choose::{Choice, Chooser};
use super::place::{Place, TrialRecord};
use super::protocol::{ChildMessage, Order};
use super::spawn::ChildProcess;
use super::trial::{Awake, Deaths, Trial, Verdict, Why};
use super::{Program, trial};
use crate::disk::Disk;
use crate::model::time::WallMs;
use crate::service::{Event, Events, Host, Hosted};

/// Marks the program as a keeper's child.
pub const KEPT: &str = "--kept";
/// Tells the child that it is on trial.
pub const ON_TRIAL: &str = "--trial";

/// Tells the child that a service manager runs its keeper.
pub const FOR_SERVICE: &str = "--service";

/// A child that was asked to stop is killed after this long.
const STOP: Duration = Duration::from_secs(30);
/// How often the clock is checked.
const TICK: Duration = Duration::from_secs(1);
/// Interval for checking whether a child that no longer talks has ended.
const LOOK: Duration = Duration::from_millis(50);
/// How long to wait for the last messages of a child that has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// When this PC shuts everything down at once, a child may be gone before its keeper is told.
const ALL_STOP: Duration = Duration::from_millis(500);
/// A version that was ready and is not on trial counts as hung after this long without a heartbeat.
const SILENCE: Duration = Duration::from_mins(5);
/// The same before it is ready: it may have much to compare at first.
const START: Duration = Duration::from_hours(1);

/// The exit status for "another agent is running".
const TAKEN: i32 = 5;
/// A keeper that was killed may have left behind an agent that is still stopping: retry this often,
/// once a second.
const TAKEN_MAX: u32 = 40;

/// Keeps an installation running.
pub struct Keeper {
    /// This program.
    pub program: Program,
    pub place: Place,
    pub disk: Arc<dyn Disk>,
    /// The arguments of this program, which are passed on to its children.
    pub args: Vec<OsString>,
    pub now: fn() -> WallMs,
}

/// How a keeper ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeeperEnd {
    /// It was told to stop.
    Stopped,
    /// Its child exited with that status at startup: the problem lies elsewhere.
    Status(i32),
    /// Its child keeps dying, or cannot be started at all.
    Failed,
}

/// How a child ended.
enum End {
    Stopped,
    /// It asked to be restarted, perhaps as another version.
    Restart,
    Bad(Why),
    /// Another agent holds the state folder.
    Taken,
    Died {
        ready: bool,
        status: Option<i32>,
        lasted: Duration,
    },
}

/// A child and its observed state.
struct Watched<'a> {
    kid: ChildProcess,
    trial: Option<(Trial, &'a TrialRecord)>,
    began: Instant,
    awake: Awake,
    heard: Duration,
    ready: bool,
    restart: bool,
}

impl Keeper {
    /// Keeps the agent running until `stop` resolves, or until it dies too often.
    pub async fn keep(mut self, hosted: Hosted) -> KeeperEnd {
        let Hosted { host, stop, mut events, is_service } = hosted;
        self.args.push(KEPT.into());
        if is_service {
            self.args.push(FOR_SERVICE.into());
        }
        let mut stop = pin!(stop);
        let mut chooser = Chooser {
            disk: &*self.disk,
            place: &self.place,
            own: &self.program.version,
            step: self.program.step,
            failed: BTreeSet::new(),
        };
        let mut deaths = Deaths::default();
        let mut told_ready = false;
        let (mut again, mut found_taken) = (None, 0);
        loop {
            let choice = again.take().unwrap_or_else(|| chooser.choose((self.now)()));
            let (kid, trial) = match choice.clone() {
                Choice::Trial(trial) => {
                    let program = self.place.program(&trial.version.0);
                    tracing::warn!("trying out version {}", trial.version.0);
                    match self.start(&program, true) {
                        Ok(kid) => (kid, Some(trial)),
                        Err(error) => {
                            let why = Why::CannotStart(error);
                            chooser.refuse(&trial.version.0, &why, (self.now)());
                            continue;
                        }
                    }
                }
                Choice::Versions(versions) => match self.first_of(&versions) {
                    Some(kid) => (kid, None),
                    None => return KeeperEnd::Failed,
                },
            };
            let watched = self.watched(kid, trial.as_ref());
            let around = (&*host, &mut told_ready, &mut events);
            let end = self.watch(watched, &chooser, around, &mut stop).await;
            host.at_work(false);
            host.alive();
            if let End::Taken = end {
                found_taken += 1;
                if found_taken > TAKEN_MAX {
                    return KeeperEnd::Status(TAKEN);
                }
                again = Some(choice);
                if wait_or_stop(&*host, TICK, &mut stop).await {
                    return KeeperEnd::Stopped;
                }
                continue;
            }
            found_taken = 0;
            match end {
                End::Stopped => return KeeperEnd::Stopped,
                End::Restart | End::Taken => {}
                End::Bad(why) => {
                    if let Some(trial) = &trial {
                        chooser.refuse(&trial.version.0, &why, (self.now)());
                    }
                }
                End::Died { ready: false, status: Some(status), .. } => {
                    return KeeperEnd::Status(status);
                }
                End::Died { status, lasted, .. } => {
                    let how = status.map_or("crashed".to_owned(), |s| format!("ended with {s}"));
                    let Some(wait) = deaths.died(lasted) else {
                        tracing::error!("the agent {how} repeatedly");
                        return KeeperEnd::Failed;
                    };
                    let seconds = wait.as_secs();
                    tracing::error!("the agent {how}; restarting it in {seconds} s");
                    if wait_or_stop(&*host, wait, &mut stop).await {
                        return KeeperEnd::Stopped;
                    }
                }
            }
        }
    }

    fn watched<'a>(&self, kid: ChildProcess, trial: Option<&'a TrialRecord>) -> Watched<'a> {
        let mut awake = Awake::default();
        let heard = awake.at(Duration::ZERO);
        let trial = trial.map(|record| {
            let labs = record.labs.iter().cloned();
            (Trial::begin(self.program.limits, labs, Duration::ZERO), record)
        });
        let began = Instant::now();
        Watched { kid, trial, began, awake, heard, ready: false, restart: false }
    }

    fn start(&self, program: &std::path::Path, on_trial: bool) -> Result<ChildProcess, String> {
        let mut args = self.args.clone();
        if on_trial {
            args.push(ON_TRIAL.into());
        }
        ChildProcess::start(program, &args)
    }

    /// Starts the first version that can be started, or else the installed program.
    fn first_of(&self, versions: &[semver::Version]) -> Option<ChildProcess> {
        let programs = versions.iter().map(|version| self.place.program(version));
        let installed: PathBuf = self.program.exe.clone();
        for program in programs.chain([installed]) {
            match self.start(&program, false) {
                Ok(kid) => return Some(kid),
                Err(error) => {
                    tracing::error!("cannot start {}: {error}", program.display());
                }
            }
        }
        None
    }

    /// Supervises a child until it ends.
    async fn watch(
        &self,
        mut watched: Watched<'_>,
        chooser: &Chooser<'_>,
        (host, told_ready, events): (&dyn Host, &mut bool, &mut Events),
        stop: &mut Pin<&mut impl Future<Output = ()>>,
    ) -> End {
        let (mut talks, mut has_events) = (true, true);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let word = tokio::select! {
                biased;
                () = stop.as_mut() => {
                    stop_child(&mut watched.kid, host).await;
                    return End::Stopped;
                }
                word = watched.kid.word(), if talks => {
                    talks = word.is_some();
                    word
                }
                event = events.recv(), if has_events => {
                    match event {
                        Some(Event::WokeUp) => watched.kid.tell(Order::WokeUp),
                        None => has_events = false,
                    }
                    None
                }
                () = tokio::time::sleep(LOOK), if !talks => None,
                _ = tick.tick() => {
                    // While a version starts or is judged here, the host need not judge it by its
                    // silence.
                    if watched.trial.is_some() || !watched.ready {
                        host.alive();
                    }
                    None
                }
            };
            let verdict = watched.take_in(word.as_ref(), host, told_ready);
            if let Some(status) = watched.kid.ended() {
                watched.last_words(host, told_ready).await;
                if tokio::time::timeout(ALL_STOP, stop.as_mut()).await.is_ok() {
                    return End::Stopped;
                }
                if status == Some(TAKEN) && !watched.ready {
                    return End::Taken;
                }
                return match (&watched.trial, watched.restart) {
                    (None, true) => End::Restart,
                    (Some(_), _) => End::Bad(Why::Ended(status)),
                    (None, false) => {
                        let (ready, lasted) = (watched.ready, watched.began.elapsed());
                        End::Died { ready, status, lasted }
                    }
                };
            }
            match verdict {
                Verdict::Open => {}
                Verdict::Healthy => watched.pass(chooser),
                Verdict::Bad(why) => {
                    if matches!(why, Why::Slow { .. }) {
                        // It works to some extent, so let it stop gracefully.
                        let ended = end_orderly(&mut watched.kid, host, stop).await;
                        if !ended {
                            return End::Stopped;
                        }
                    } else {
                        watched.kid.kill();
                    }
                    return if watched.trial.is_some() {
                        End::Bad(why)
                    } else {
                        let lasted = watched.began.elapsed();
                        End::Died { ready: true, status: None, lasted }
                    };
                }
            }
        }
    }
}

impl Watched<'_> {
    /// Relays what the child said, and judges it.
    fn take_in(
        &mut self,
        word: Option<&ChildMessage>,
        host: &dyn Host,
        told_ready: &mut bool,
    ) -> Verdict {
        let now = self.began.elapsed();
        let at = self.awake.at(now);
        if let Some(word) = word {
            self.heard = at;
            match word {
                ChildMessage::Ready => {
                    self.ready = true;
                    if !std::mem::replace(told_ready, true) {
                        host.ready();
                    }
                }
                ChildMessage::Alive => host.alive(),
                ChildMessage::AtWork { is } => host.at_work(*is),
                ChildMessage::Doing { what } => host.doing(what),
                ChildMessage::Restart => self.restart = true,
                // The keeper itself announces that it stops.
                ChildMessage::Stopping { .. } | ChildMessage::Polled { .. } => {}
            }
        }
        match (&mut self.trial, word) {
            (Some((trial, _)), Some(word)) => trial.said(now, word),
            (Some((trial, _)), None) => trial.tick(now),
            (None, _) if self.ready && at.saturating_sub(self.heard) > SILENCE => {
                Verdict::Bad(Why::Silent(SILENCE))
            }
            (None, _) if !self.ready && at > START => Verdict::Bad(Why::NotReady(START)),
            (None, _) => Verdict::Open,
        }
    }

    /// Relays what it said before it ended and was not read yet.
    async fn last_words(&mut self, host: &dyn Host, told_ready: &mut bool) {
        let words = async {
            while let Some(word) = self.kid.word().await {
                self.take_in(Some(&word), host, told_ready);
            }
        };
        // A program started by the child may hold its output open forever.
        drop(tokio::time::timeout(LAST_WORDS, words).await);
    }

    /// Ends the trial as passed, as soon as that can be recorded.
    fn pass(&mut self, chooser: &Chooser<'_>) {
        let Some((_, record)) = &self.trial else { return };
        match chooser.pass(record) {
            Ok(()) => {
                tracing::warn!("version {} passed its trial", record.version.0);
                self.trial = None;
                self.kid.tell(Order::Passed);
            }
            Err(fault) => tracing::debug!("the trial continues: {}", fault.chain()),
        }
    }
}

/// Asks the child to stop because the whole keeper stops.
async fn stop_child(kid: &mut ChildProcess, host: &dyn Host) {
    host.stopping(STOP);
    kid.stop();
    let began = Instant::now();
    while kid.ended().is_none() {
        if began.elapsed() >= STOP {
            tracing::error!("the agent did not stop in time and is killed");
            kid.kill();
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Asks the child to stop while the keeper continues; `false` if the keeper was told to stop while
/// waiting.
async fn end_orderly(
    kid: &mut ChildProcess,
    host: &dyn Host,
    stop: &mut Pin<&mut impl Future<Output = ()>>,
) -> bool {
    kid.stop();
    let began = Instant::now();
    while kid.ended().is_none() {
        host.alive();
        if began.elapsed() >= STOP {
            kid.kill();
            return true;
        }
        if tokio::time::timeout(LOOK, stop.as_mut()).await.is_ok() {
            stop_child(kid, host).await;
            return false;
        }
    }
    true
}

/// Waits while sending heartbeats. Returns whether it was told to stop.
async fn wait_or_stop(
    host: &dyn Host,
    wait: Duration,
    stop: &mut Pin<&mut impl Future<Output = ()>>,
) -> bool {
    let began = Instant::now();
    while began.elapsed() < wait {
        host.alive();
        let rest = wait.saturating_sub(began.elapsed()).min(TICK);
        if tokio::time::timeout(rest, stop.as_mut()).await.is_ok() {
            host.stopping(Duration::ZERO);
            return true;
        }
    }
    false
}

/// How long a keeper may take to stop, for anyone who waits for it.
pub const STOPS_WITHIN: Duration = Duration::from_secs(STOP.as_secs() + trial::STEP.as_secs());
