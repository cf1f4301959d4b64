//! Carries out user requests, whichever way they arrive. One per process; the agent's
//! handler serves its command folder and control endpoint, a command's own handler serves that
//! command if no agent runs.
//!
//! What a request changes on this PC is in the journal, written in one transaction with the reply.
//! What reaches beyond this PC is recorded as begun before the call and never repeated
//! automatically. The reason of a return and the code of a login are passed on and stored nowhere.

mod held;
mod labs;
mod login;
mod login_state;
mod names;
mod once;
mod orders;
mod output;
mod page_data;
mod pairing;
mod snapshot;
mod test_order;
mod verify;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use tokio::sync::watch;

use crate::audit::Audit;
use crate::config::Config;
use crate::control::StatusSource;
use crate::disk::Disk;
use crate::execute::Link;
use crate::hotfolder::Layout;
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::LabName;
use crate::model::request::{Outcome, Reply, Request, Requests, Who};
use crate::model::time::Now;
use crate::status::{DownloadPause, Note, Status};
use crate::web::gate::{CODE_FILE, Visitors};

pub use labs::{NOT_RUNNING, START_IT};
pub use login::LoginLacks;
pub use login_state::{LoginStanding, LoginState, LoginTrouble};
pub(super) use names::USAGE;
pub use names::find_lab;
pub(super) use once::cannot_use;
pub(super) use snapshot::Live;
pub use snapshot::is_still_news;
pub use test_order::{TestOrder, TestOrderStanding};
pub use verify::{of_unknown_origin, sentence, summary, verify_orders, was_removed};

use super::background::{Journal, Wake};
use super::clock;
use super::labs::Labs;
use super::prober::Prober;
use super::restart::Restart;
use super::updates::{Updating, try_out_at_next_start};

/// Carries out requests.
pub struct RequestHandler {
    config: Arc<Config>,
    disk: Arc<dyn Disk>,
    layout: Layout,
    journal: Journal,
    wake: Wake,
    labs: Arc<Labs>,
    audit: Audit,
    /// The running agent's links to Align; a command creates them when needed.
    links: Option<Arc<BTreeMap<LabName, Link>>>,
    /// What only the running agent knows.
    live: Option<Live>,
    /// Checks shares for callers that only need information.
    prober: Prober,
    /// Why the agent cannot write its journal, which stops all work.
    journal_trouble: Mutex<Option<Note>>,
    /// Requests in progress.
    under_way: Mutex<BTreeSet<String>>,
    one_ended: Condvar,
    /// Held while pairing or unpairing.
    pairing: Mutex<()>,
    /// Held while checking whether a lab should be paired again, and doing it.
    pairing_again: Mutex<()>,
    /// How this program updates itself, if set.
    updating: OnceLock<Arc<Updating>>,
    /// How the agent restarts with a changed config, if it can.
    restart: OnceLock<Arc<Restart>>,
    /// Held while publishing or removing the test order, or choosing the output.
    trying_out: Mutex<()>,
    /// What went wrong with the most recent logins.
    login_troubles: Mutex<BTreeMap<LabName, LoginTrouble>>,
    now: fn() -> Now,
}

/// A request in progress.
struct Task<'a> {
    id: &'a str,
    who: &'a Who,
}

impl RequestHandler {
    /// Creates the request handler of a process without an agent. Creates the journal if no agent
    /// has ever run here.
    pub fn of_command(config: Arc<Config>, disk: Arc<dyn Disk>, labs: Arc<Labs>) -> Self {
        let journal = Journal::perhaps_new(&config.state);
        Self::new(config, disk, labs, (journal, Wake::default()))
    }

    /// Creates the request handler of an agent, sharing its journal, engine and links to Align.
    pub(super) fn of_agent(
        config: Arc<Config>,
        disk: Arc<dyn Disk>,
        labs: Arc<Labs>,
        links: Arc<BTreeMap<LabName, Link>>,
        shared: (Journal, Wake),
        live: Live,
    ) -> Self {
        Self { links: Some(links), live: Some(live), ..Self::new(config, disk, labs, shared) }
    }

    fn new(
        config: Arc<Config>,
        disk: Arc<dyn Disk>,
        labs: Arc<Labs>,
        (journal, wake): (Journal, Wake),
    ) -> Self {
        let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
        layout.be_discreet();
        Self {
            audit: Audit::new(Arc::clone(&disk), &config.state),
            config,
            disk,
            layout,
            journal,
            wake,
            labs,
            links: None,
            live: None,
            prober: Prober::default(),
            journal_trouble: Mutex::default(),
            under_way: Mutex::default(),
            one_ended: Condvar::new(),
            pairing: Mutex::default(),
            pairing_again: Mutex::default(),
            updating: OnceLock::new(),
            restart: OnceLock::new(),
            trying_out: Mutex::default(),
            login_troubles: Mutex::default(),
            now: clock::now,
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Sets how this program updates itself; only the first call counts.
    pub fn set_updating(&self, updating: Arc<Updating>) {
        drop(self.updating.set(updating));
    }

    /// Sets how the agent restarts with a changed config; only the first call counts.
    pub(super) fn set_restart(&self, restart: Arc<Restart>) {
        drop(self.restart.set(restart));
    }

    /// The status page's visitors carried over from before this agent.
    pub(super) fn visitors(&self) -> Option<Arc<Visitors>> {
        self.restart.get().and_then(|restart| restart.visitors()).cloned()
    }

    /// The file with the code that the status page asks for before it changes the setup; `None` if
    /// it asks for a password.
    pub(super) fn code_file(&self) -> Option<PathBuf> {
        let page = self.config.status_page.as_ref()?;
        page.password_hash.is_none().then(|| self.config.state.join(CODE_FILE))
    }

    /// Sets the address of the status page.
    pub(super) fn page_is_at(&self, url: &str) {
        if let Some(live) = &self.live {
            live.page_at.send_replace(Some(url.to_owned()));
        }
    }

    /// Subscribes to the address of the status page.
    pub(super) fn page(&self) -> Option<watch::Receiver<Option<String>>> {
        self.live.as_ref().map(|live| live.page_at.subscribe())
    }

    /// Cancels long-running work that requests have started.
    pub(super) fn stop(&self) {
        if let Some(live) = &self.live {
            live.stopping.cancel();
        }
    }

    pub(super) fn updating(&self) -> Option<&Arc<Updating>> {
        self.updating.get()
    }

    /// Puts a version on trial; the agent downloads it first if it is not staged.
    fn update(&self, version: &str, who: &Who) -> Result<Reply, Fault> {
        let Some(updating) = self.updating.get() else {
            return Ok(Reply::new(Outcome::Refused, "this program does not update itself"));
        };
        let wanted = updating.may_try(&*self.disk, version);
        let done = wanted.and_then(|version| match self.live {
            Some(_) => Ok(updating.want(&*self.disk, version, who)),
            None if !updating.place.has(&*self.disk, &version) => {
                let text = format!("version {version} is not staged");
                Err(Fault::new(FaultClass::Permanent, USAGE, text)
                    .hint("to download it: `casedrop update`"))
            }
            // This process cannot wait for a quiet moment.
            None => try_out_at_next_start(&self.config, &self.disk, updating, &version, who),
        });
        match done {
            Err(fault) => names::refused(fault),
            done => done,
        }
    }

    /// Sets why the agent cannot write its journal; `None` once it can.
    pub(super) fn set_journal_trouble(&self, trouble: Option<Note>) {
        *self.journal_trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Sets what downloads are waiting for.
    pub(super) fn set_download_pauses(&self, pauses: Vec<DownloadPause>) {
        if let Some(live) = &self.live {
            *live.pauses.lock().unwrap_or_else(PoisonError::into_inner) = pauses;
        }
    }

    pub fn labs_ways(&self) -> &Labs {
        &self.labs
    }

    /// Works with a lab's link to Align.
    fn with_link<T>(
        &self,
        lab: &LabName,
        work: impl FnOnce(&Link) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if let Some(link) = self.links.as_ref().and_then(|links| links.get(lab)) {
            return work(link);
        }
        work(&self.labs.link(self.lab(lab.as_str())?)?)
    }
}

impl Requests for RequestHandler {
    fn serve_once(&self, id: &str, request: &Request, who: &Who) -> Result<Reply, Fault> {
        let _turn = self.take_turn(id);
        if let Some(reply) = self.earlier(id, request)? {
            return Ok(reply);
        }
        let task = Task { id, who };
        let served = match request {
            Request::Refetch { lab, orders, kind } => {
                self.refetch(&task, lab.as_deref(), orders, *kind)
            }
            Request::Pair { lab, account, code } => {
                self.pair(&task, lab.as_deref(), account.as_ref(), code.as_ref())
            }
            Request::Unpair { lab, account, confirm } => {
                self.unpair(&task, lab.as_deref(), account, confirm.as_ref())
            }
            Request::Publish { lab, orders } => self.publish_held(&task, lab.as_deref(), orders),
            Request::Return { lab, order, reason, confirm } => {
                self.send_back(&task, lab.as_deref(), order, reason, confirm.as_ref())
            }
            Request::Pause { lab } => self.pause(&task, lab.as_deref()),
            Request::Resume { lab } => self.resume(&task, lab.as_deref()),
            Request::Poll { lab } => self.poll(&task, lab.as_deref()),
            Request::Verify { orders } => Ok(self.verify(orders)),
            Request::Status {} => self.status_reply(),
            Request::Update { version } => self.update(version, who),
            Request::TestOrder { remove: false } => self.publish_test_order(&task),
            Request::TestOrder { remove: true } => self.remove_test_order(&task),
            Request::Output { path } => self.choose_output(&task, path),
        };
        match served {
            // A missing login is an answer; an unusable journal is not.
            Err(fault) if fault.class != FaultClass::Local => Ok(fault.into()),
            served => served,
        }
    }

    fn settled(&self, id: &str) -> Result<(), Fault> {
        self.forget(id)
    }
}

impl StatusSource for RequestHandler {
    fn status(&self) -> Status {
        self.picture()
    }
}
