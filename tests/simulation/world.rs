//! The whole world of one run: the agent, its disk, Align, the clocks, and everything in flight,
//! driven by one queue.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use casedrop::audit::Audit;
use casedrop::config::Config;
use casedrop::disk::Disk;
use casedrop::engine::Engine;
use casedrop::engine::effects::{Effect, Input};
use casedrop::engine::slots::most;
use casedrop::engine::{EnginePolicy, LabStanding, job_name};
use casedrop::execute::holds::{self, Unsettled};
use casedrop::execute::{Executor, Fetches, Link};
use casedrop::hotfolder::Layout;
use casedrop::hotfolder::clean::sweep_work;
use casedrop::hotfolder::retention;
use casedrop::hotfolder::root::{MARKER, Root};
use casedrop::journal::{Store, StoreError};
use casedrop::model::cancel::Cancel;
use casedrop::model::notice::Notice;
use casedrop::model::order::RemoteOrder;
use casedrop::model::time::WallMs;
use casedrop::status::Progress;

use crate::ages::Ages;
use crate::align::{AccountRemote, SimAlign};
use crate::clock::Clock;
use crate::disk::SimDisk;
use crate::hooks::Hooks;
use crate::invariants;
use crate::script::{Action, Script};
use crate::setup::config;
use crate::tally::Tally;
use crate::timer::TIMER;
use crate::trace::Trace;

use knowing::Knowing;

mod effects;
mod knowing;

/// The id in the root marker.
pub const ROOT_ID: &str = "the simulated root";

/// Something that is due.
pub enum Event {
    /// An effect starts, in this life of the agent.
    Perform(u64, Effect),
    /// Its answer arrives; for a poll, with the list behind it.
    Answer(u64, Input, Vec<(RemoteOrder, u32)>),
    /// The agent asked to be woken.
    Wake(u64),
    /// The agent starts.
    Open,
    /// The script continues.
    Act(Action),
}

/// A running agent.
pub struct Agent {
    pub engine: Engine,
    executor: Executor,
    /// The deadline for winding down, if it was asked to stop.
    stopping: Option<u64>,
}

/// Probabilities of interference while the script runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dangers {
    /// The power fails, or the program dies, during an effect.
    pub ends: f64,
    /// Someone acts on the order being worked on.
    pub deeds: f64,
    /// A commit fails.
    pub commits: f64,
    /// Effects or answers take long.
    pub slowness: f64,
}

pub struct World {
    /// The dice of the driver and the script.
    pub rng: fastrand::Rng,
    pub clock: Clock,
    pub disk: SimDisk,
    pub align: SimAlign,
    /// Interference with disk calls.
    pub hooks: Hooks,
    pub layout: Layout,
    /// The agent, if it runs.
    pub agent: Option<Agent>,
    /// The journal, while no agent has it.
    pub journal: Option<Store>,
    /// How the agent decides.
    pub policy: EnginePolicy,
    /// The current dangers.
    pub dangers: Dangers,
    /// The script's own memory.
    pub script: Script,
    pub tally: Tally,
    pub trace: Trace,
    /// What the last check of the output verified.
    pub verified: BTreeMap<PathBuf, crate::ledger::Content>,
    /// True ages of what was published.
    pub ages: Ages,
    /// Whether the output folder is unmounted.
    pub share_gone: bool,
    /// The longest that answers take while nothing is slow, in milliseconds.
    pub pace: u64,
    /// Whether to check the whole output after each step, which is slow if it is large.
    pub looks_each_time: bool,
    /// Notices with their times; `None` unless a test collects them.
    pub told: Option<Vec<(u64, Notice)>>,
    queue: BTreeMap<(u64, u64), Event>,
    turn: u64,
    life: u64,
    wake_at: Option<u64>,
    /// Number of commits that will still succeed; negative: unlimited.
    commits_left: Arc<AtomicI64>,
    config: Arc<Config>,
}

/// Why a run failed.
pub type Failure = String;

impl World {
    /// A world in which nothing has happened yet. The agent's start is already scheduled.
    pub fn new(
        mut rng: fastrand::Rng,
        align: SimAlign,
        policy: EnginePolicy,
        trace: Trace,
    ) -> Self {
        let layout = Layout {
            output: PathBuf::from("/pc/orders"),
            staging: PathBuf::from("/pc/.orders.casedrop-staging"),
        };
        let disk = SimDisk::new(rng.u64(..));
        let hooks = Hooks::new(rng.fork());
        let marker = format!("{{\"casedrop_root\":1,\"id\":\"{ROOT_ID}\"}}\n");
        disk.write_foreign(&layout.output.join(MARKER), marker.as_bytes());
        hooks.attach(&disk, &align);
        let mut journal = Store::in_memory().expect("a journal");
        let commits_left = Arc::new(AtomicI64::new(-1));
        let left = Arc::clone(&commits_left);
        let may_commit = move || match left.load(Ordering::SeqCst) {
            0 => false,
            more => {
                left.store(more.saturating_sub(1).max(-1), Ordering::SeqCst);
                true
            }
        };
        journal.before_commit(may_commit).expect("a hook");
        let mut world = Self {
            rng,
            clock: Clock::new(),
            disk,
            align,
            hooks,
            layout,
            agent: None,
            journal: Some(journal),
            policy,
            dangers: Dangers::default(),
            script: Script::default(),
            tally: Tally::default(),
            trace,
            verified: BTreeMap::new(),
            ages: Ages::default(),
            share_gone: false,
            pace: 1_500,
            looks_each_time: true,
            told: None,
            queue: BTreeMap::new(),
            turn: 0,
            life: 0,
            wake_at: None,
            commits_left,
            config: config(),
        };
        world.schedule(0, Event::Open);
        world
    }

    /// Whether this run removes what is old.
    pub fn keeps_house(&self) -> bool {
        self.policy.history_keep.is_some() || self.policy.retention_keep.is_some()
    }

    pub fn schedule(&mut self, after: u64, event: Event) {
        self.turn += 1;
        self.queue.insert((self.clock.now + after, self.turn), event);
    }

    /// Adds a line to the trace.
    pub fn say(&mut self, what: &dyn std::fmt::Display) {
        self.trace.say(self.clock.now, what);
    }

    /// The journal, from the agent or from the world.
    pub fn store(&self) -> &Store {
        match (&self.agent, &self.journal) {
            (Some(agent), _) => agent.engine.store(),
            (None, Some(journal)) => journal,
            (None, None) => unreachable!("somebody has the journal"),
        }
    }

    /// Whether the agent runs and has nothing to do now.
    pub fn is_idle(&self) -> bool {
        self.agent.as_ref().is_some_and(|agent| !agent.engine.is_busy())
    }

    /// Handles the next event unless it is later than `until`. Returns whether there was one.
    pub fn step(&mut self, until: u64) -> Result<bool, Failure> {
        let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= until) else {
            self.pass(until);
            return Ok(false);
        };
        let ((at, _), event) = entry.remove_entry();
        self.pass(at);
        match event {
            Event::Perform(life, effect) if life == self.life => self.perform(effect)?,
            Event::Answer(life, input, list) if life == self.life => {
                self.answer(input, &list)?;
            }
            Event::Wake(life) if life == self.life && self.wake_at == Some(at) => {
                self.wake_at = None;
                self.feed(Input::Tick)?;
            }
            Event::Perform(..) | Event::Answer(..) | Event::Wake(_) => {}
            Event::Open => self.open()?,
            Event::Act(action) => {
                action.happen(self)?;
                if self.looks_each_time {
                    invariants::tree(self)?;
                }
            }
        }
        Ok(true)
    }

    fn pass(&mut self, now: u64) {
        self.clock.now = self.clock.now.max(now);
        self.align.cloud().pass(self.clock.now);
        self.hooks.between().now = self.clock.now;
        if let Some(until) = self.agent.as_ref().and_then(|agent| agent.stopping)
            && self.clock.now > until
        {
            self.say(&"stopped with work under way");
            self.close(Some(0));
        }
    }

    /// What the program does when it starts.
    fn open(&mut self) -> Result<(), Failure> {
        let Some(journal) = self.journal.take() else { return Ok(()) };
        self.disk.restart();
        self.align.cloud().powered = true;
        self.end_ambush();
        let root = Root::new(Arc::new(self.disk.clone()), self.layout.clone());
        let ready = self.make_ready(&journal, &root);
        if self.disk.is_off() {
            self.journal = Some(journal);
            return self.died();
        }
        if let Err(fault) = ready {
            self.tally.count("agent: cannot start");
            self.say(&format_args!("the agent cannot start: {}", fault.chain()));
            self.journal = Some(journal);
            let wait = self.rng.u64(1_000..60_000);
            self.schedule(wait, Event::Open);
            return Ok(());
        }
        let mut links = BTreeMap::new();
        let accounts = self.align.cloud().accounts.clone();
        for (index, account) in accounts.into_iter().enumerate() {
            let remote: AccountRemote = self.align.remote(index);
            let connect: AccountRemote = self.align.remote(index);
            let connect = Box::new(move || connect.connect());
            links.insert(account.lab, Link { remote: Arc::new(remote), connect });
        }
        let executor = Executor {
            config: Arc::clone(&self.config),
            disk: Arc::new(self.disk.clone()),
            audit: Audit::new(Arc::new(self.disk.clone()), "/pc/state"),
            layout: self.layout.clone(),
            root: Arc::new(root),
            links: Arc::new(links),
            progress: Arc::new(Progress::default()),
            cancel: Cancel::new(),
            fetches: Fetches::default(),
            step: |_| {},
            clock: || WallMs(0),
            timer: TIMER,
        };
        self.policy.seed = self.rng.u64(..);
        let engine = Engine::new(journal, self.policy.clone(), self.clock.told())
            .map_err(|error| format!("the journal cannot be read: {error:?}"))?;
        self.agent = Some(Agent { engine, executor, stopping: None });
        self.tally.count("agent: starts");
        self.say(&"the agent starts");
        self.feed(Input::Tick)
    }

    fn make_ready(
        &mut self,
        journal: &Store,
        root: &Root,
    ) -> Result<(), casedrop::model::fault::Fault> {
        let disk: &dyn Disk = &self.disk;
        root.prepare(Some(ROOT_ID))?;
        if self.keeps_house() {
            retention::settle(disk, &self.layout, &Knowing(journal), &|_| {})?;
        }
        match holds::settle(
            disk,
            &self.layout,
            journal,
            self.clock.told().wall,
            (&Knowing(journal), &|_| {}),
        ) {
            Err(Unsettled::Disk(fault)) => return Err(fault),
            Err(Unsettled::Store(error)) => panic!("{error:?}"),
            Ok(_) => {}
        }
        let intents = journal.intents().expect("readable");
        let staged = intents.iter().map(|intent| self.layout.staged_dir(&intent.job));
        let wanted = journal.wanted().expect("readable");
        let spools = wanted.iter().map(|order| self.layout.spool_dir(&job_name(&order.key)));
        let kept: Vec<_> = staged.chain(spools).collect();
        sweep_work(disk, &self.layout, &kept, &|_| Ok(()), &|_| {})?;
        root.look()?;
        root.open();
        Ok(())
    }

    /// Gives the engine an input and schedules the effects that it returns.
    pub fn feed(&mut self, input: Input) -> Result<(), Failure> {
        let now = self.clock.told();
        let commits = self.dangers.commits;
        let Some(agent) = &mut self.agent else { return Ok(()) };
        let ticks = matches!(input, Input::Tick);
        let left = if commits > 0.0 && self.rng.f64() < commits { self.rng.i64(0..4) } else { -1 };
        self.commits_left.store(left, Ordering::SeqCst);
        let answer = agent.engine.handle(now, input);
        self.commits_left.store(-1, Ordering::SeqCst);
        let effects = match answer {
            Ok(effects) => effects,
            Err(error) => return self.journal_failed(left, &error),
        };
        let nothing = effects.is_empty();
        for effect in effects {
            self.plan(effect)?;
        }
        let Some(agent) = &self.agent else { return Ok(()) };
        if !self.script.logged_out {
            let standings = agent.engine.lab_standings(now);
            let held = standings.iter().find(|(_, how)| *how == LabStanding::LoginNeeded);
            if let Some((lab, _)) = held {
                return Err(format!("{lab} is said to need a login, and its login was never gone"));
            }
        }
        let most = most(self.policy.concurrency);
        if agent.engine.slots_in_use() > most {
            return Err(format!("more than {most} orders are in work"));
        }
        if agent.engine.under_way().count() > agent.engine.slots_in_use() + 1 {
            return Err("more than one order is asked for what it lacks".to_owned());
        }
        if agent.stopping.is_some() {
            if !agent.engine.is_busy() {
                self.say(&"the agent has stopped");
                self.close(None);
            }
            return Ok(());
        }
        let wake = agent.engine.next_wake(now);
        if ticks && nothing && wake.is_some_and(|at| at <= now.mono) {
            return Err("the engine wants to be woken, and has nothing to do".to_owned());
        }
        self.wake(wake);
        Ok(())
    }

    fn wake(&mut self, at: Option<Duration>) {
        let Some(at) = at else { return };
        let at = self.clock.when(at).max(self.clock.now);
        if self.wake_at.is_none_or(|planned| at < planned || planned <= self.clock.now) {
            self.wake_at = Some(at);
            let after = at - self.clock.now;
            self.schedule(after, Event::Wake(self.life));
        }
    }

    fn journal_failed(&mut self, left: i64, error: &StoreError) -> Result<(), Failure> {
        if left < 0 {
            return Err(format!("the journal failed by itself: {error:?}"));
        }
        self.tally.count("journal: failed");
        self.say(&"the journal fails");
        if self.rng.bool() {
            self.close(None);
        } else {
            self.power_cut();
        }
        Ok(())
    }

    /// The agent looks for requests soon, as it does every second.
    pub fn wake_soon(&mut self) {
        let at = self.clock.told().mono + Duration::from_secs(1);
        if self.agent.as_ref().is_some_and(|agent| agent.stopping.is_none()) {
            self.wake(Some(at));
        }
    }

    /// The disk went off in the middle of an effect: the program was killed, or the power failed.
    fn died(&mut self) -> Result<(), Failure> {
        if self.rng.bool() {
            self.kill();
        } else {
            self.power_cut();
        }
        invariants::tree(self)
    }

    /// The program dies at once; the PC keeps running.
    pub fn kill(&mut self) {
        self.tally.count("agent: killed");
        self.say(&"the program is killed");
        self.disk.restart();
        self.close(None);
    }

    /// The power fails and comes back.
    pub fn power_cut(&mut self) {
        self.tally.count("agent: power cut");
        self.say(&"the power goes");
        self.disk.crash();
        let down =
            if self.rng.bool() { self.rng.u64(10_000..60_000) } else { self.rng.u64(..7_200_000) };
        let age = self.rng.u64(1_000..10_000);
        self.close(Some(down + age));
        let back = self.clock.now + down + age;
        self.clock.reboot(back, age.min(back));
        self.ages.started = back;
    }

    /// Ends the agent and schedules its next start.
    fn close(&mut self, again_after: Option<u64>) {
        self.life += 1;
        self.wake_at = None;
        if let Some(agent) = self.agent.take() {
            self.journal = Some(agent.engine.into_store());
        }
        self.align.cloud().powered = false;
        let wait = again_after.unwrap_or_else(|| self.rng.u64(500..30_000));
        self.schedule(wait, Event::Open);
    }

    /// Asks the agent to stop; it starts again afterwards.
    pub fn stop(&mut self) -> Result<(), Failure> {
        let Some(agent) = &mut self.agent else { return Ok(()) };
        if agent.stopping.is_some() {
            return Ok(());
        }
        agent.stopping = Some(self.clock.now + 20_000);
        agent.executor.cancel.cancel();
        self.tally.count("agent: told to stop");
        self.say(&"the agent is told to stop");
        self.feed(Input::Stop)
    }
}
