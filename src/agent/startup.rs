//! Opening an agent: locks first, then the journal, then the output. The agent gets back to work
//! the same way after a fault of this PC.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use crate::audit::Audit;
use crate::config::{Config, WhenMissing};
use crate::disk::{Disk, LockGuard};
use crate::engine::Engine;
use crate::engine::EnginePolicy;
use crate::engine::retry::RetryPolicy;
use crate::execute::{Executor, Fetches, Link, Timer};
use crate::hotfolder::layout::Layout;
use crate::hotfolder::root::{ANOTHER_AGENT, Root};
use crate::journal::{BUSY, Store};
use crate::metrics::Counters;
use crate::model::cancel::Cancel;
use crate::model::fault::Fault;
use crate::model::ids::LabName;
use crate::model::notice::Notice;
use crate::model::step::Step;
use crate::model::time::Now;
use crate::secrets::Keeping;
use crate::service::eventlog::EventLog;
use crate::service::{Events, Host, NoHost};
use crate::status::Progress;

use super::clock::{self, wall_now};
use super::config_audit;
use super::context::AgentContext;
use super::heartbeat::Heartbeat;
use super::idle::IdleState;
use super::journal::{self, Opened};
use super::journal_access::{Journal, Wake};
use super::labs::Labs;
use super::output_change::{OutputChange, ROOT_FACT};
use super::recovery::{self, Lost, recover};
use super::requests::{Live, RequestHandler};
use super::session::{Attempt, OpenError, WorkSession};
use super::state_folder::{close_to_others, hold_state};
use super::welcome::WelcomeStep;

/// How often to check the journal for requests of other processes, unless something wakes the
/// engine.
const TICK: Duration = Duration::from_secs(1);

/// A running agent. Holds its locks as long as it lives.
pub struct Agent {
    pub(super) context: Arc<AgentContext>,
    pub(super) life: Result<WorkSession, OpenError>,
    /// Notices from opening the agent.
    pub(super) news: Vec<Notice>,
    pub(super) host: Arc<dyn Host>,
    pub(super) events: Option<Events>,
    pub(super) _lock: LockGuard,
}

impl Agent {
    /// Takes the locks, finds journal and output as they were left, and removes what an earlier run
    /// left unfinished in staging. A damaged journal is set aside and rebuilt. If a known output is
    /// missing, or another program holds the journal, the agent waits for it while running.
    ///
    /// `came_back` says that a newer version was tried here and failed: if it left a journal that
    /// this one cannot read, that journal is set aside too.
    pub fn open(
        config: Arc<Config>,
        disk: Arc<dyn Disk>,
        labs: Arc<Labs>,
        step: fn(Step),
        came_back: bool,
    ) -> Result<Self, OpenError> {
        announce(&labs.secrets().keeping()?);
        let links = labs.links()?;
        Self::open_at(config, disk, (labs, links), step, (BUSY, came_back))
    }

    /// Like [`open`](Self::open), but with other links to Align for the orders, and another timeout
    /// for programs that hold the journal.
    pub fn open_with(
        config: Arc<Config>,
        disk: Arc<dyn Disk>,
        ways: (Arc<Labs>, BTreeMap<LabName, Link>),
        step: fn(Step),
        busy: Duration,
    ) -> Result<Self, OpenError> {
        Self::open_at(config, disk, ways, step, (busy, false))
    }

    fn open_at(
        config: Arc<Config>,
        disk: Arc<dyn Disk>,
        (labs, links): (Arc<Labs>, BTreeMap<LabName, Link>),
        step: fn(Step),
        (busy, came_back): (Duration, bool),
    ) -> Result<Self, OpenError> {
        disk.create_private_dirs(&config.state).map_err(Fault::from)?;
        close_to_others(&*disk, &config);
        let lock = hold_state(&*disk, &config.state)?;
        let lock =
            lock.ok_or_else(|| OpenError::AnotherAgent(config.state.display().to_string()))?;
        let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
        let (journal, wake) = (Journal::of(&config.state).with_hook(step), Wake::default());
        let (links, progress) = (Arc::new(links), Arc::new(Progress::default()));
        let root = Arc::new(Root::new(Arc::clone(&disk), layout.clone()));
        let heartbeat = Arc::new(Heartbeat::default());
        let counters = Arc::new(Counters::new(Arc::clone(&progress)));
        let context = Arc::new(AgentContext {
            handler: Arc::new(RequestHandler::of_agent(
                Arc::clone(&config),
                Arc::clone(&disk),
                labs,
                Arc::clone(&links),
                (journal.clone(), wake.clone()),
                Live {
                    page_at: watch::Sender::default(),
                    counters: Arc::clone(&counters),
                    since: wall_now(),
                    progress: Arc::clone(&progress),
                    root: Arc::clone(&root),
                    step,
                    stopping: Cancel::new(),
                    heartbeat: Arc::clone(&heartbeat),
                    pauses: Mutex::default(),
                },
            )),
            root,
            journal,
            wake,
            events: EventLog::default(),
            counters,
            heartbeat,
            told: watch::Sender::default(),
            audit: Audit::new(Arc::clone(&disk), &config.state),
            config,
            disk,
            layout,
            links,
            progress,
            step,
            busy,
            came_back,
            idle: IdleState::default(),
            tick: Mutex::new(TICK),
            log_was_gone: AtomicBool::new(false),
        });
        config_audit::record(&context);
        let first = Attempt { first: true, suspicions: 0, may_rebuild: true };
        let mut news = Vec::new();
        let life = match start_work(&context, first, &mut news) {
            Err(error) if !error.may_pass() => return Err(error),
            life => life,
        };
        Ok(Self { context, life, news, host: Arc::new(NoHost), events: None, _lock: lock })
    }
}

impl Agent {
    /// Records that a person has chosen the output already, so that the set-up does not ask again.
    pub fn output_was_chosen(&self) {
        if let Err(fault) = self.context.handler.pass_welcome(&WelcomeStep::ChooseFolder) {
            tracing::warn!("the set-up will ask for the folder again: {}", fault.chain());
        }
    }
}

/// Logs once how secrets are kept.
fn announce(keeping: &Keeping) {
    let folder = keeping.folder.display();
    match (keeping.vault, keeping.fallback()) {
        (Some(vault), _) => tracing::info!("logins are stored in {folder}, sealed by {vault}"),
        (None, Some((text, _))) => tracing::info!("{text}"),
        (None, None) => tracing::info!("logins are stored in {folder} (secrets: file)"),
    }
}

/// Opens the journal and, if it is there, the output, brings both into step, and starts work.
pub(super) fn start_work(
    context: &AgentContext,
    attempt: Attempt,
    news: &mut Vec<Notice>,
) -> Result<WorkSession, OpenError> {
    let Opened { store, why, is_suspect, kept } = {
        let _gate = context.journal.gate.write().unwrap_or_else(PoisonError::into_inner);
        journal::open(context, attempt)?
    };
    super::notices::begin(&store, &context.config.notices)?;
    let store = store.with_hook(context.step);
    let now = clock::now();
    let chosen = OutputChange::of(&store, &context.layout.output)?;
    let is_chosen = chosen.is_some();
    let is_new = store.fact(ROOT_FACT)?.is_none();
    let known = match (&chosen, store.fact(ROOT_FACT)?) {
        (Some(chosen), _) => Some(chosen.id.clone()),
        (None, Some(id)) => Some(id),
        (None, None) => journal::noted_root(context)?,
    };
    let unknown = is_new && !is_chosen && known.is_some() && !store.polls_are_unknown()?;
    if unknown || why.is_some() || is_suspect {
        store.forget_polls(now.into())?;
    }
    let lost = Lost { is_new: is_new && !is_chosen, is_chosen, is_suspect, why, kept };
    let waits = match open_output(context, &store, now, known.as_deref(), &lost, news) {
        Ok(()) => {
            if let Some(chosen) = chosen {
                chosen.complete(&*context.disk, &context.layout, &store)?;
            }
            None
        }
        Err(OpenError::Fault(fault)) if fault.code == ANOTHER_AGENT && attempt.first => {
            return Err(OpenError::AnotherAgent(context.layout.output.display().to_string()));
        }
        // A known output may come back. One that never existed will not, nor will one in the wrong
        // place move.
        Err(OpenError::Fault(fault)) if known.is_some() && fault.code != "staging-volume" => {
            Some(fault)
        }
        Err(error) => return Err(error),
    };
    if let Some(fault) = &waits {
        if let Some(why) = &lost.why {
            news.push(recovery::lost_for_now(why));
        }
        news.push(Notice::PcTrouble { message: fault.brief(), hint: fault.hint.clone() });
    }
    store.set_output_waits(waits.as_ref().map(Fault::chain).as_deref())?;
    // The listener reports it again.
    store.set_listener_trouble(None)?;
    store.set_in_use(true)?;
    let engine = Engine::new(store, policy(&context.config), now)?;
    let executor = Executor {
        config: Arc::clone(&context.config),
        disk: Arc::clone(&context.disk),
        layout: context.layout.clone(),
        root: Arc::clone(&context.root),
        links: Arc::clone(&context.links),
        audit: context.audit.clone(),
        progress: Arc::clone(&context.progress),
        cancel: Cancel::new(),
        fetches: Fetches::default(),
        step: context.step,
        clock: wall_now,
        timer: Timer::real(),
    };
    Ok(WorkSession {
        engine,
        executor: Arc::new(executor),
        waits,
        began: Instant::now(),
        effects: TaskTracker::new(),
    })
}

/// Prepares the output, brings journal and disk into step, and opens the output for orders.
fn open_output(
    context: &AgentContext,
    store: &Store,
    now: Now,
    known: Option<&str>,
    lost: &Lost,
    news: &mut Vec<Notice>,
) -> Result<(), OpenError> {
    let prepared = context.root.prepare(known)?;
    recover(context, store, now, &prepared, lost, news)?;
    journal::note_root(context, &prepared.id);
    context.root.open();
    Ok(())
}

fn policy(config: &Config) -> EnginePolicy {
    EnginePolicy {
        labs: config.labs.iter().map(|lab| lab.name.clone()).collect(),
        poll_interval: config.polling.interval,
        concurrency: usize::try_from(config.downloads.concurrency).unwrap_or(usize::MAX),
        min_rate: config.downloads.min_rate,
        retry: RetryPolicy { not_converted: config.downloads.retry_404.clone() },
        restore: config.when_missing == WhenMissing::Restore,
        follow_up: config.polling.follow_up,
        history_keep: config.history.keep,
        retention_keep: config.retention.keep,
        late_extras: config.downloads.late_extras,
        hold: config.labs.iter().filter(|lab| lab.holds).map(|lab| lab.name.clone()).collect(),
        notifications: config.notifications.is_some(),
        min_free: config.retention.min_free,
        volume: config.staging.clone(),
        agent: format!("casedrop {}", env!("CARGO_PKG_VERSION")),
        seed: fastrand::u64(..),
    }
}
