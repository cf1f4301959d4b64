//! What is being transferred right now, for progress bars.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::asset::AssetKind;
use crate::model::ids::OrderKey;

/// One running download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Which part of the order.
    pub kind: AssetKind,
    /// Bytes that have arrived.
    pub done: u64,
    /// Bytes that will arrive, where the server told.
    pub total: Option<u64>,
}

/// All running downloads.
#[derive(Debug, Default)]
pub struct Progress(Mutex<BTreeMap<OrderKey, Transfer>>);

impl Progress {
    /// A download begins.
    pub fn begin(&self, key: &OrderKey, kind: AssetKind, done: u64, total: Option<u64>) {
        self.table().insert(key.clone(), Transfer { kind, done, total });
    }

    /// More of it has arrived.
    pub fn add(&self, key: &OrderKey, bytes: u64) {
        if let Some(transfer) = self.table().get_mut(key) {
            transfer.done += bytes;
        }
    }

    /// It is over, one way or the other.
    pub fn end(&self, key: &OrderKey) {
        self.table().remove(key);
    }

    /// All running downloads, as of now.
    pub fn snapshot(&self) -> BTreeMap<OrderKey, Transfer> {
        self.table().clone()
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<OrderKey, Transfer>> {
        // A panic elsewhere cannot leave a counter half updated.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
