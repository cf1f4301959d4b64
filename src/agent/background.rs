//! The tasks that run in parallel with the engine: command folder, listener for scan notifications,
//! control endpoint, notices. None of them decides about orders. Each records what it learned in
//! the journal and then wakes the engine, which reads it there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::disk::{Disk as _, RealDisk};
use crate::journal::{BUSY, FILE_NAME, Store, StoreError};
use crate::model::step::Step;

use super::startup::LOCK_NAME;

/// How long these tasks may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Access to the journal for everything but the engine. Opens and closes it on each use, so that a
/// damaged one can be set aside while the agent runs.
#[derive(Clone)]
pub struct Journal {
    file: PathBuf,
    busy: Duration,
    may_make: bool,
    hook: fn(Step),
    /// Write-locked while the journal may be replaced.
    pub(super) gate: Arc<RwLock<()>>,
}

impl Journal {
    /// Returns access to the journal in a state folder.
    pub fn of(state: &Path) -> Self {
        Self {
            file: state.join(FILE_NAME),
            busy: BUSY,
            may_make: false,
            hook: |_| {},
            gate: Arc::default(),
        }
    }

    /// The same for a process without an agent: creates the journal if no agent has ever run here.
    pub(super) fn perhaps_new(state: &Path) -> Self {
        Self { may_make: true, ..Self::of(state) }
    }

    /// Sets a hook that is called before and after each durable record with a [`Step`].
    #[must_use]
    pub fn with_hook(mut self, hook: fn(Step)) -> Self {
        self.hook = hook;
        self
    }

    /// Works with the journal, which must exist. What `work` records is durable when this returns.
    pub fn with<T>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        if self.may_make && self.is_first() {
            return work(&Store::open_beside(&self.file)?);
        }
        work(&Store::open_present(&self.file, self.busy)?.with_hook(self.hook))
    }

    /// Reads the journal without blocking anyone; `None` if there is none.
    pub(super) fn look<T>(
        &self,
        look: impl FnOnce(&Store) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let _gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        Store::open_to_read(&self.file)?.map(|store| look(&store)).transpose()
    }

    /// Whether no agent has run here yet. A journal that one left may be rebuilt only by an agent.
    fn is_first(&self) -> bool {
        let is_missing = |path: &Path| matches!(RealDisk.kind(path), Ok(None));
        let is_first = is_missing(&self.file) && is_missing(&self.file.with_file_name(LOCK_NAME));
        // If the folder cannot be created, opening the journal reports why.
        is_first && self.file.parent().is_some_and(|dir| RealDisk.create_private_dirs(dir).is_ok())
    }
}

/// Wakes the engine when something new is in the journal.
#[derive(Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// Makes the engine check the journal soon.
    pub fn now(&self) {
        self.0.notify_one();
    }

    pub(super) async fn called(&self) {
        self.0.notified().await;
    }
}

/// Signals when to end. Clones receive the same signal.
#[derive(Clone)]
pub struct StopSignal(watch::Receiver<bool>);

impl StopSignal {
    /// Resolves when it is time to end.
    pub async fn stopped(&mut self) {
        // An error means that the sender is gone.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }
}

/// The tasks in parallel with one engine.
pub(super) struct BackgroundTasks {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl BackgroundTasks {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), stop: watch::Sender::new(false) }
    }

    /// Starts another task.
    pub(super) fn start<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        task: impl FnOnce(StopSignal) -> F,
    ) {
        self.tasks.spawn(task(StopSignal(self.stop.subscribe())));
    }

    /// Asks all tasks to end and waits for that, up to a deadline.
    pub(super) async fn end(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("{} background tasks did not end in time", self.tasks.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_that_is_gone_is_not_made_by_whoever_works_beside_its_agent() {
        let dir = tempfile::tempdir().expect("tempdir");
        let journal = Journal::of(dir.path());
        assert!(journal.with(Store::orders).is_err());
        assert!(!dir.path().join(FILE_NAME).exists());
        drop(Store::open(&dir.path().join(FILE_NAME)).expect("made"));
        assert_eq!(journal.with(Store::orders).expect("read"), []);
    }

    #[tokio::test]
    async fn tasks_end_when_they_are_told() {
        let mut tasks = BackgroundTasks::new();
        let (done, ended) = tokio::sync::oneshot::channel();
        tasks.start(|mut until| async move {
            until.stopped().await;
            // There is no receiver only if the test has already failed.
            let _ = done.send(until.is_stopped());
        });
        tasks.end().await;
        assert_eq!(ended.await, Ok(true));
    }
}
