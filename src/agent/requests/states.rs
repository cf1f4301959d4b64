//! The states of orders that only a running agent knows: what it is doing with them right now.

use std::collections::BTreeMap;

use super::RequestHandler;
use crate::journal::{Store, StoreError};
use crate::model::ids::OrderKey;
use crate::model::record::{Activity, OrderRecord, OrderState};

/// An order whose state at this moment is not the journal's.
pub(super) struct LiveState {
    pub(super) key: OrderKey,
    /// Its state by the journal.
    journal: OrderState,
    pub(super) now: OrderState,
}

impl RequestHandler {
    fn activities(&self) -> BTreeMap<OrderKey, Activity> {
        let running = self.live.as_ref().map(|live| live.progress.snapshot()).unwrap_or_default();
        running.into_iter().map(|(key, transfer)| (key, transfer.activity())).collect()
    }

    /// Adds what the agent is doing with each of these orders.
    pub(super) fn add_activity(&self, orders: &mut [OrderRecord]) {
        let activities = self.activities();
        for order in orders {
            order.activity = activities.get(&order.key).copied();
        }
    }

    /// The orders whose state at this moment is not the journal's: a few at most.
    pub(super) fn live_states(&self, store: &Store) -> Result<Vec<LiveState>, StoreError> {
        let mut found = Vec::new();
        for (key, activity) in self.activities() {
            let Some(mut order) = store.order(&key)? else { continue };
            let journal = order.state();
            order.activity = Some(activity);
            let now = order.state();
            if now != journal {
                found.push(LiveState { key, journal, now });
            }
        }
        Ok(found)
    }

    /// Counts the orders in each state at this moment; states without orders are absent.
    pub(super) fn count_by_state(
        &self,
        store: &Store,
    ) -> Result<BTreeMap<String, usize>, StoreError> {
        let mut counts = store.count_by_state()?;
        for LiveState { journal, now, .. } in self.live_states(store)? {
            if let Some(count) = counts.get_mut(journal.as_str()) {
                *count = count.saturating_sub(1);
            }
            *counts.entry(now.as_str().to_owned()).or_default() += 1;
        }
        counts.retain(|_, count| *count > 0);
        Ok(counts)
    }
}
