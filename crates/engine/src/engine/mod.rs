//! The one place that makes decisions. It takes what happened and the time, and returns what to do;
//! it never waits, reads a clock, or touches disk or network. Its memory is the journal; beyond
//! that it only tracks what is in progress.
//!
//! The rule that everything here serves: *an order is in the journal before its first byte is
//! requested, and stays wanted there until its publication is durable.*

mod extras;
mod failing;
mod fetching;
mod holding;
mod login_check;
mod notifications;
mod order_queries;
mod polling;
mod publishing;
mod queue;
mod requests;
mod retention;
mod server_health;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use crate::retry::RetryPolicy;
use casedrop_journal::{Held, Store, StoreError};
use casedrop_model::asset::AssetKind;
use casedrop_model::ids::{AccountId, LabName, OrderKey};
use casedrop_model::record::{OrderRecord, Retired};
use casedrop_model::time::{Now, WallMs, millis, remaining};

use super::effects::{Effect, Fetched, Input};
use super::pace::Pace;
use super::schedule::{self, Hold, Waiting};
use super::slots::Usual;
use super::{observe, plan};
use casedrop_model::notice::Notice;

pub use failing::unknown_lab;
pub use fetching::job_name;
use notifications::Awaited;
use polling::LabState;
pub use polling::{LabStanding, earliest_poll};
use queue::GivenUp;
pub use requests::SHORTEST_INTERVAL;
use retention::Housekeeping;
pub use server_health::HostPause;
use server_health::Server;

/// The parts of the config that decisions depend on.
#[expect(clippy::struct_excessive_bools, reason = "independent switches of the config")]
#[derive(Debug, Clone)]
pub struct EnginePolicy {
    /// The labs, in config order.
    pub labs: Vec<LabName>,
    /// Time between two polls of an account.
    pub poll_interval: Duration,
    /// How many orders are processed at the same time, not counting those that are hardly moving.
    pub concurrency: usize,
    /// A download slower than this many bytes per second gives up its slot if others wait; 0:
    /// never.
    pub min_rate: u64,
    pub retry: RetryPolicy,
    /// Whether a published order that is gone is published again.
    pub restore: bool,
    /// Whether to ask Align now and then about the status of single orders.
    pub follow_up: bool,
    /// How long a replaced revision is kept; `None`: forever.
    pub history_keep: Option<Duration>,
    /// How long a published order stays in the output; `None`: forever.
    pub retention_keep: Option<Duration>,
    /// Whether extras that a published order lacks are asked for again and published as its next
    /// revision.
    pub late_extras: bool,
    /// Labs whose incomplete orders are held back.
    pub hold: BTreeSet<LabName>,
    /// Whether scan notifications are expected.
    pub notifications: bool,
    /// Bytes to keep free on the volume of output and staging.
    pub min_free: u64,
    /// A folder on that volume, for messages.
    pub volume: PathBuf,
    /// The agent name and version written to manifests.
    pub agent: String,
    /// Seed of the jitter; the same seed and inputs yield the same decisions.
    pub seed: u64,
}

/// Time between two checks that published orders are still there, if they are to be restored.
const PATROL: Duration = Duration::from_secs(3600);

/// An order that is being processed.
#[derive(Debug, Default)]
struct Job {
    /// The evidence this job covers.
    evidence: u64,
    /// How many steps of Align's status history it covers.
    history_seen: u32,
    /// What is in staging.
    fetched: Option<Fetched>,
    /// How often the target changed in the meantime.
    target_changes: u32,
    /// Bytes on the volume reserved for its download.
    room: u64,
    /// When it entered the queue.
    came: Duration,
    began: Duration,
    /// Whether it failed before.
    is_retry: bool,
    /// Start of its download, while that runs.
    fetching_since: Option<Duration>,
    /// Speed of the download.
    pace: Option<Pace>,
    /// Why it is being aborted, if it is.
    given_up: Option<GivenUp>,
    /// The extras being asked for now, if the order is published and lacks some.
    late: Option<Vec<AssetKind>>,
    /// If a held-back revision is being published: the name of its directory.
    release: Option<String>,
    /// The revision that is being moved to where it is held back.
    holding: Option<Held>,
}

impl Job {
    fn is_late(&self) -> bool {
        self.late.is_some()
    }
}

/// Number of recent publications from which the usual size of an order is taken.
const TYPICAL_OF: u32 = 20;

pub struct Engine {
    store: Store,
    policy: EnginePolicy,
    labs: BTreeMap<LabName, LabState>,
    waiting: BTreeMap<OrderKey, Waiting>,
    jobs: BTreeMap<OrderKey, Job>,
    /// Publications that an earlier process left unfinished: they need no login.
    interrupted: BTreeSet<OrderKey>,
    /// What is known about the servers.
    hosts: BTreeMap<String, Server>,
    /// Servers whose waiting orders are now due at another time than the journal says.
    gates_moved: BTreeSet<String>,
    /// When to ask for the extras that published orders lack.
    late: extras::Late,
    /// Orders whose held-back revision is to be published.
    releasing: BTreeSet<OrderKey>,
    /// How many revisions that are no longer held back are being removed.
    dropping: usize,
    /// What could not be removed; tried again at `next_drop`.
    undropped: Vec<(OrderKey, String)>,
    next_drop: Duration,
    next_turn: u64,
    courtesy: queue::Courtesy,
    /// No order that failed before is started until then.
    rest_until: Duration,
    /// When an order that had failed before was last started.
    last_retry: Option<Duration>,
    /// How long downloads usually take.
    usual: Usual,
    next_patrol: Duration,
    keeping: Housekeeping,
    /// Orders that a list showed and a notification should name.
    awaited: Vec<Awaited>,
    /// When missing notifications were last reported.
    told_missing: Option<Duration>,
    /// When the waits of notifications are next checked against the clock.
    next_bound: Duration,
    /// Whether there are unseen notifications left.
    more_notified: bool,
    rng: fastrand::Rng,
    stopping: bool,
}

impl Engine {
    /// Resumes the work recorded in the journal.
    pub fn new(store: Store, policy: EnginePolicy, now: Now) -> Result<Self, StoreError> {
        let rng = fastrand::Rng::with_seed(policy.seed);
        let labs = policy.labs.iter().map(|lab| (lab.clone(), LabState::new(now))).collect();
        let keeping = Housekeeping::new(now, !store.retiring()?.is_empty());
        let mut engine = Self {
            store,
            policy,
            labs,
            waiting: BTreeMap::new(),
            jobs: BTreeMap::new(),
            interrupted: BTreeSet::new(),
            hosts: BTreeMap::new(),
            gates_moved: BTreeSet::new(),
            late: extras::Late::new(),
            releasing: BTreeSet::new(),
            dropping: 0,
            undropped: Vec::new(),
            next_drop: now.mono,
            next_turn: 0,
            courtesy: queue::Courtesy::default(),
            rest_until: now.mono,
            last_retry: None,
            usual: Usual::default(),
            next_patrol: now.mono,
            keeping,
            awaited: Vec::new(),
            told_missing: None,
            next_bound: now.mono,
            more_notified: false,
            rng,
            stopping: false,
        };
        for intent in engine.store.intents()? {
            engine.wait_for_turn(intent.key.clone(), now);
            engine.interrupted.insert(intent.key);
        }
        for record in engine.store.wanted()? {
            let record = engine.see_whether_its_lab_is_known(now, record)?;
            engine.enqueue(&record, now);
        }
        engine.store.settle_holds()?;
        engine.load_released(now)?;
        engine.load_late(now)?;
        Ok(engine)
    }

    /// Processes an input and returns the effects to carry out. An error is fatal: without its
    /// journal the agent must not continue.
    pub fn handle(&mut self, now: Now, input: Input) -> Result<Vec<Effect>, StoreError> {
        let mut effects = Vec::new();
        match input {
            Input::Tick => {}
            Input::Progress(arrived) => self.see_progress(now, &arrived),
            Input::Proved { lab, result } => self.proved(now, &lab, result, &mut effects)?,
            Input::Stop => self.stopping = true,
            Input::Connected { lab, result } => self.connected(now, &lab, result, &mut effects)?,
            Input::Polled { lab, account, result } => {
                self.polled(now, &lab, &account, result, &mut effects)?;
            }
            Input::Answered { lab, account, rx, result } => {
                self.answered(now, &lab, &account, &rx, result, &mut effects)?;
            }
            Input::Looked { key, result } => self.looked(now, &key, result, &mut effects)?,
            Input::Fetched { key, result } => self.fetched(now, &key, result, &mut effects)?,
            Input::Published { key, result } => self.published(now, &key, result, &mut effects)?,
            Input::Held { key, result } => self.held(now, &key, result, &mut effects)?,
            Input::Recovered { key, result, staged } => {
                self.recovered(now, &key, result, staged, &mut effects)?;
            }
            Input::HeldDropped { key, dir, done } => self.held_dropped(now, (key, dir), done),
            Input::Discarded { key } => self.finish(now, &key)?,
            Input::Retired { key, result } => self.retired(now, &key, result, &mut effects)?,
            Input::Forgotten { key, revision, result } => {
                self.forgotten(now, &key, revision, result, &mut effects)?;
            }
        }
        if !self.stopping {
            self.take_requests(now, &mut effects)?;
            self.take_released(now)?;
            self.patrol(now)?;
            self.take_notified(now)?;
            self.count_missing(now, &mut effects)?;
            self.start_labs(now, &mut effects)?;
            self.ask_about_named(now, &mut effects)?;
            self.start_asking(now, &mut effects)?;
            self.start_orders(now, &mut effects)?;
            self.start_late(now, &mut effects)?;
            self.make_room(now, &mut effects);
            self.tell_of_lasting_outages(now, &mut effects);
            self.put_off(now)?;
            self.drop_again(now, &mut effects);
            self.remove_old(now, &mut effects)?;
        }
        Ok(effects)
    }

    /// The latest time on the monotonic clock at which the engine needs an [`Input::Tick`] if
    /// nothing else happens.
    pub fn next_wake(&self, now: Now) -> Option<Duration> {
        if self.stopping {
            return None;
        }
        let labs = self.labs.values().filter_map(LabState::next_due).min();
        let asks = self.next_asking().into_iter().chain(self.next_named(now)).min();
        let orders = self.next_start(now);
        let keeping = self.next_keeping();
        let late = self.next_late(now);
        let drops = Some(self.next_drop).filter(|_| !self.undropped.is_empty());
        let work = labs.into_iter().chain(asks).chain(orders);
        work.chain(keeping).chain(late).chain(drops).min()
    }

    /// Whether anything is in progress.
    pub fn is_busy(&self) -> bool {
        !self.jobs.is_empty() || self.dropping > 0 || self.labs.values().any(LabState::is_busy)
    }

    /// Whether nothing is in progress and nothing can start until time passes.
    pub fn is_settled(&self, now: Now) -> bool {
        let due = |at: Option<Duration>| at.is_some_and(|at| at <= now.mono);
        !self.is_busy()
            && !due(schedule::next_due(
                &self.waiting,
                &|key, waiting| self.hold(key, waiting, now),
                &|_, _| true,
            ))
            && !self.labs.values().any(|lab| due(lab.next_due()))
            && !due(self.next_keeping())
            && !due(self.next_late(now))
            && !self.has_named(now)
    }

    /// The orders being processed.
    pub fn under_way(&self) -> impl Iterator<Item = &OrderKey> {
        self.jobs.keys()
    }

    /// How many of them count toward the concurrency. An order that is only asked for its missing
    /// extras does not: it takes no slot from others.
    pub fn slots_in_use(&self) -> usize {
        self.jobs.values().filter(|job| !job.is_late()).count()
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Returns the journal and forgets what was in progress, like the end of the process would.
    pub fn into_store(self) -> Store {
        self.store
    }

    /// Checks now and then that every published order is still there, if orders are to be restored.
    fn patrol(&mut self, now: Now) -> Result<(), StoreError> {
        if !self.policy.restore || now.mono < self.next_patrol {
            return Ok(());
        }
        self.next_patrol = now.mono + PATROL;
        for record in self.store.orders()? {
            // Fetching again would only yield what is held back.
            if record.retired == Retired::Yes || record.held.is_some() {
                continue;
            }
            if !self.waiting.contains_key(&record.key) && !self.jobs.contains_key(&record.key) {
                self.wait_for_turn(record.key, now);
            }
        }
        Ok(())
    }

    /// Ends the job of an order, and puts the order back into the queue if it is still wanted.
    fn finish(&mut self, now: Now, key: &OrderKey) -> Result<(), StoreError> {
        let job = self.jobs.remove(key);
        if let Some(record) = self.store.order(key)?
            && record.needs_work()
        {
            self.enqueue(&record, now);
        }
        if job.is_some_and(|job| job.is_late()) {
            self.late_ended(now, key)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
