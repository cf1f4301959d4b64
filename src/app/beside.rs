//! What works beside the engine while an agent runs: the command folder, the listener for scan
//! notifications, the control endpoint, notices. None of it decides about orders. Each records in the
//! journal what it learned, and then wakes the engine, which reads it there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::disk::{Disk as _, RealDisk};
use crate::store::{BUSY, FILE_NAME, Store, StoreError};

use super::open::LOCK_NAME;

/// How long what works beside the engine may take to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The journal for everybody but the engine. Each use opens it anew and closes it again, so that a
/// damaged one can be set aside while the agent runs.
#[derive(Clone)]
pub struct Journal {
    file: PathBuf,
    busy: Duration,
    may_make: bool,
    /// Held for writing while the journal may be replaced.
    pub(super) gate: Arc<RwLock<()>>,
}

impl Journal {
    /// The journal in a state directory.
    pub fn of(state: &Path) -> Self {
        Self { file: state.join(FILE_NAME), busy: BUSY, may_make: false, gate: Arc::default() }
    }

    /// The same for a process in which no agent runs: where no agent ever was, the journal is made.
    pub(super) fn perhaps_new(state: &Path) -> Self {
        Self { may_make: true, ..Self::of(state) }
    }

    /// Works with the journal, which must be there. What `work` records is durable when this returns.
    pub fn with<T>(
        &self,
        work: impl FnOnce(&Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let _gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        if self.may_make && self.is_first() {
            return work(&Store::open_beside(&self.file)?);
        }
        work(&Store::open_present(&self.file, self.busy)?)
    }

    /// Looks at the journal, and is in nobody's way; `None` if there is none.
    pub(super) fn look<T>(
        &self,
        look: impl FnOnce(&Store) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let _gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        Store::open_to_read(&self.file)?.map(|store| look(&store)).transpose()
    }

    /// Whether no agent was here so far. What one left is for an agent alone to make anew.
    fn is_first(&self) -> bool {
        let is_missing = |path: &Path| matches!(RealDisk.kind(path), Ok(None));
        let is_first = is_missing(&self.file) && is_missing(&self.file.with_file_name(LOCK_NAME));
        // Where the folder cannot be made, the journal's opening says why.
        is_first && self.file.parent().is_some_and(|dir| RealDisk.create_private_dirs(dir).is_ok())
    }
}

/// Wakes the engine: something new is in the journal.
#[derive(Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    /// The engine looks at the journal soon.
    pub fn now(&self) {
        self.0.notify_one();
    }

    pub(super) async fn called(&self) {
        self.0.notified().await;
    }
}

/// Says when to end. Clones say the same.
#[derive(Clone)]
pub struct UntilStop(watch::Receiver<bool>);

impl UntilStop {
    /// Resolves when it is time to end.
    pub async fn stopped(&mut self) {
        // An error means that whoever could say so is gone.
        let _ = self.0.wait_for(|stop| *stop).await;
    }

    /// Whether it is time to end.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }
}

/// The tasks beside one engine.
pub(super) struct Beside {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Beside {
    pub(super) fn new() -> Self {
        Self { tasks: JoinSet::new(), stop: watch::Sender::new(false) }
    }

    /// Starts one more.
    pub(super) fn start<F: Future<Output = ()> + Send + 'static>(
        &mut self,
        task: impl FnOnce(UntilStop) -> F,
    ) {
        self.tasks.spawn(task(UntilStop(self.stop.subscribe())));
    }

    /// Asks all of them to end and waits for it, up to a deadline.
    pub(super) async fn end(mut self) {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(PATIENCE, all).await.is_err() {
            tracing::warn!("{} tasks beside the engine did not end in time", self.tasks.len());
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
        let mut beside = Beside::new();
        let (done, ended) = tokio::sync::oneshot::channel();
        beside.start(|mut until| async move {
            until.stopped().await;
            // Nobody listens only where the test has failed already.
            let _ = done.send(until.is_stopped());
        });
        beside.end().await;
        assert_eq!(ended.await, Ok(true));
    }
}
