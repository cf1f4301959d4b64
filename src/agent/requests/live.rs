//! What only a running agent knows.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::agent::heartbeat::Heartbeat;
use crate::hotfolder::root::Root;
use crate::journal::Activities;
use crate::metrics::Counters;
use crate::model::cancel::Cancel;
use crate::model::step::Step;
use crate::model::time::WallMs;
use crate::status::{DownloadPause, Progress};

/// What only a running agent knows.
pub(in crate::agent) struct Live {
    pub(in crate::agent) since: WallMs,
    pub(in crate::agent) progress: Arc<Progress>,
    /// The address of the status page, once it is available.
    pub(in crate::agent) page_at: watch::Sender<Option<String>>,
    /// Counters since the process started, for monitoring.
    pub(in crate::agent) counters: Arc<Counters>,
    /// The output, which may come and go.
    pub(in crate::agent) root: Arc<Root>,
    /// Called at each named step of the work on orders.
    pub(in crate::agent) step: fn(Step),
    /// Cancels what requests have started.
    pub(in crate::agent) stopping: Cancel,
    /// The last heartbeat of its loop.
    pub(in crate::agent) heartbeat: Arc<Heartbeat>,
    /// What downloads are waiting for.
    pub(in crate::agent) pauses: Mutex<Vec<DownloadPause>>,
}

impl Live {
    /// What the agent is doing with orders right now.
    pub(super) fn activities(&self) -> Activities {
        self.progress.activities()
    }

    pub(super) fn pauses(&self) -> Vec<DownloadPause> {
        self.pauses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
impl Live {
    /// An agent that started at the epoch and does nothing.
    pub(in crate::agent) fn still(root: Arc<Root>) -> Self {
        Self {
            since: WallMs(0),
            progress: Arc::default(),
            page_at: watch::Sender::default(),
            counters: Arc::new(Counters::new(Arc::default())),
            root,
            step: |_| {},
            stopping: Cancel::new(),
            heartbeat: Arc::default(),
            pauses: Mutex::default(),
        }
    }
}
