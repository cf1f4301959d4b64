//! What all parts of a running agent share.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::audit::Audit;
use crate::config::Config;
use crate::disk::Disk;
use crate::execute::Link;
use crate::hotfolder::layout::Layout;
use crate::hotfolder::root::Root;
use crate::metrics::Counters;
use crate::model::ids::LabName;
use crate::model::notice::Notice;
use crate::model::step::Step;
use crate::service::eventlog::EventLog;
use crate::status::Progress;

use super::clock;
use super::heartbeat::Heartbeat;
use super::idle::IdleState;
use super::journal_access::{Journal, Wake};
use super::requests::RequestHandler;

/// What an agent is built on, for the lifetime of its process.
pub(super) struct AgentContext {
    pub(super) config: Arc<Config>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) layout: Layout,
    pub(super) links: Arc<BTreeMap<LabName, Link>>,
    pub(super) root: Arc<Root>,
    pub(super) progress: Arc<Progress>,
    pub(super) step: fn(Step),
    /// How long the journal's calls wait for other programs.
    pub(super) busy: Duration,
    pub(super) audit: Audit,
    /// The journal for tasks in parallel with the engine.
    pub(super) journal: Journal,
    /// How those tasks wake the engine.
    pub(super) wake: Wake,
    /// Carries out user requests.
    pub(super) handler: Arc<RequestHandler>,
    /// What needs attention, for the system's event log.
    pub(super) events: EventLog,
    pub(super) counters: Arc<Counters>,
    /// The last heartbeat of the loop.
    pub(super) heartbeat: Arc<Heartbeat>,
    /// Changes whenever an order or lab gets a notice.
    pub(super) told: watch::Sender<()>,
    /// Whether this agent was restored because a newer one failed.
    pub(super) came_back: bool,
    /// Whether anything is in flight, and when something begins.
    pub(super) idle: IdleState,
    /// How often to check the journal for what other processes wrote. Anything this process causes
    /// wakes the engine.
    pub(super) tick: Mutex<Duration>,
    /// Whether the journal's write-ahead log was missing at the last check.
    pub(super) log_was_gone: AtomicBool,
}

impl AgentContext {
    /// Passes a notice to everything that keeps a record: the log, the system's event log, the
    /// counters.
    pub(super) fn say(&self, notice: &Notice) {
        crate::logs::log(notice);
        self.events.tell(notice);
        self.counters.tell(notice, clock::now().mono);
    }
}
