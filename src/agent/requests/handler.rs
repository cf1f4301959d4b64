//! What requests are carried out with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};

use tokio::sync::watch;

use crate::agent::clock;
use crate::agent::journal_access::{Journal, Wake};
use crate::agent::labs::Labs;
use crate::agent::prober::Prober;
use crate::agent::restart::Restart;
use crate::agent::updating::Updating;
use crate::audit::Audit;
use crate::config::Config;
use crate::disk::Disk;
use crate::execute::Link;
use crate::hotfolder::Layout;
use crate::model::fault::Fault;
use crate::model::ids::LabName;
use crate::model::request::Who;
use crate::model::time::Now;
use crate::status::{DownloadPause, Note};
use crate::web::gate::{CODE_FILE, Visitors};

use super::live::Live;
use super::login_standing::LoginTrouble;

/// Carries out requests.
pub struct RequestHandler {
    pub(super) config: Arc<Config>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) layout: Layout,
    pub(super) journal: Journal,
    pub(super) wake: Wake,
    pub(super) labs: Arc<Labs>,
    pub(super) audit: Audit,
    /// The running agent's links to Align; a command creates them when needed.
    pub(super) links: Option<Arc<BTreeMap<LabName, Link>>>,
    /// What only the running agent knows.
    pub(super) live: Option<Live>,
    /// Checks shares for callers that only need information.
    pub(super) prober: Prober,
    /// Why the agent cannot write its journal, which stops all work.
    pub(super) journal_trouble: Mutex<Option<Note>>,
    /// Requests in progress.
    pub(super) under_way: Mutex<BTreeSet<String>>,
    pub(super) one_ended: Condvar,
    /// Held while pairing or unpairing.
    pub(super) pairing: Mutex<()>,
    /// Held while checking whether a lab should be paired again, and doing it.
    pub(super) pairing_again: Mutex<()>,
    /// How this program updates itself, if set.
    pub(super) updating: OnceLock<Arc<Updating>>,
    /// How the agent restarts with a changed config, if it can.
    pub(super) restart: OnceLock<Arc<Restart>>,
    /// Held while publishing or removing the test order, or choosing the output.
    pub(super) trying_out: Mutex<()>,
    /// What went wrong with the most recent logins.
    pub(super) login_troubles: Mutex<BTreeMap<LabName, LoginTrouble>>,
    /// Wakes whoever waits for the browser: a login was started.
    pub(in crate::agent) login_began: tokio::sync::Notify,
    pub(super) now: fn() -> Now,
}

/// A request in progress.
pub(super) struct Task<'a> {
    pub(super) id: &'a str,
    pub(super) who: &'a Who,
}

impl RequestHandler {
    /// Creates the request handler of a process without an agent. Creates the journal if no agent
    /// has ever run here.
    pub fn of_command(config: Arc<Config>, disk: Arc<dyn Disk>, labs: Arc<Labs>) -> Self {
        let journal = Journal::perhaps_new(&config.state);
        Self::new(config, disk, labs, (journal, Wake::default()))
    }

    /// Creates the request handler of an agent, sharing its journal, engine and links to Align.
    pub(in crate::agent) fn of_agent(
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
            login_began: tokio::sync::Notify::new(),
            now: clock::now,
        }
    }

    pub(in crate::agent) fn config(&self) -> &Config {
        &self.config
    }

    /// Sets how this program updates itself; only the first call counts.
    pub fn set_updating(&self, updating: Arc<Updating>) {
        drop(self.updating.set(updating));
    }

    /// Sets how the agent restarts with a changed config; only the first call counts.
    pub(in crate::agent) fn set_restart(&self, restart: Arc<Restart>) {
        drop(self.restart.set(restart));
    }

    /// The status page's visitors carried over from before this agent.
    pub(in crate::agent) fn visitors(&self) -> Option<Arc<Visitors>> {
        self.restart.get().and_then(|restart| restart.visitors()).cloned()
    }

    /// The file with the code that the status page asks for before it changes the setup; `None` if
    /// it asks for a password.
    pub(in crate::agent) fn code_file(&self) -> Option<PathBuf> {
        let page = self.config.status_page.as_ref()?;
        page.password_hash.is_none().then(|| self.config.state.join(CODE_FILE))
    }

    /// Sets the address of the status page.
    pub(in crate::agent) fn page_is_at(&self, url: &str) {
        if let Some(live) = &self.live {
            live.page_at.send_replace(Some(url.to_owned()));
        }
    }

    /// Subscribes to the address of the status page.
    pub(in crate::agent) fn page(&self) -> Option<watch::Receiver<Option<String>>> {
        self.live.as_ref().map(|live| live.page_at.subscribe())
    }

    /// Cancels long-running work that requests have started.
    pub(in crate::agent) fn stop(&self) {
        if let Some(live) = &self.live {
            live.stopping.cancel();
        }
    }

    pub(in crate::agent) fn updating(&self) -> Option<&Arc<Updating>> {
        self.updating.get()
    }

    /// Sets why the agent cannot write its journal; `None` once it can.
    pub(in crate::agent) fn set_journal_trouble(&self, trouble: Option<Note>) {
        *self.journal_trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Sets what downloads are waiting for.
    pub(in crate::agent) fn set_download_pauses(&self, pauses: Vec<DownloadPause>) {
        if let Some(live) = &self.live {
            *live.pauses.lock().unwrap_or_else(PoisonError::into_inner) = pauses;
        }
    }

    pub fn labs_ways(&self) -> &Labs {
        &self.labs
    }

    /// Works with a lab's link to Align.
    pub(super) fn with_link<T>(
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
