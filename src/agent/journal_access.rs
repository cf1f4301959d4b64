//! The journal for everything but the engine, and how to make the engine look at it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;

use crate::disk::{Disk as _, RealDisk};
use crate::journal::{BUSY, FILE_NAME, Store, StoreError};
use crate::model::step::Step;

use super::state_folder::LOCK_NAME;

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
}
