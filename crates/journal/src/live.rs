//! The states of orders that only a running agent knows: what it is doing with them right now.

use std::collections::BTreeMap;

use super::{Store, StoreError};
use casedrop_model::ids::OrderKey;
use casedrop_model::listing::{OrderPage, OrderQuery};
use casedrop_model::record::{Activity, OrderState};

/// What an agent is doing with orders at this moment; those it does nothing with are absent.
pub type Activities = BTreeMap<OrderKey, Activity>;

/// An order whose state at this moment is not the journal's.
pub(super) struct LiveState {
    pub(super) key: OrderKey,
    /// Its state by the journal.
    journal: OrderState,
    pub(super) now: OrderState,
}

impl Store {
    fn live_states(&self, activities: &Activities) -> Result<Vec<LiveState>, StoreError> {
        let mut found = Vec::new();
        for (key, activity) in activities {
            let Some(mut order) = self.order(key)? else { continue };
            let journal = order.state();
            order.activity = Some(*activity);
            let now = order.state();
            if now != journal {
                found.push(LiveState { key: key.clone(), journal, now });
            }
        }
        Ok(found)
    }

    /// Returns a page of the orders that match the query, by their states at this moment.
    pub fn list_now(
        &self,
        query: &OrderQuery,
        activities: &Activities,
    ) -> Result<OrderPage, StoreError> {
        let mut page = self.list_with(query, &self.live_states(activities)?)?;
        for order in &mut page.orders {
            order.activity = activities.get(&order.key).copied();
        }
        Ok(page)
    }

    /// Counts the orders in each state at this moment; states without orders are absent.
    pub fn count_by_state_now(
        &self,
        activities: &Activities,
    ) -> Result<BTreeMap<String, usize>, StoreError> {
        let mut counts = self.count_by_state()?;
        for LiveState { journal, now, .. } in self.live_states(activities)? {
            if let Some(count) = counts.get_mut(journal.as_str()) {
                *count = count.saturating_sub(1);
            }
            *counts.entry(now.as_str().to_owned()).or_default() += 1;
        }
        counts.retain(|_, count| *count > 0);
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::order;
    use super::*;

    #[test]
    fn what_an_agent_is_doing_counts_for_lists_and_numbers() {
        let store = Store::in_memory().expect("journal");
        for id in ["17", "9", "118"] {
            store.save(&order(id)).expect("saved");
        }
        let doing = |activity| Activities::from([(order("9").key, activity)]);
        let of = |states: &[OrderState], activity| {
            let query = OrderQuery { states: states.to_vec(), ..OrderQuery::default() };
            let page = store.list_now(&query, &doing(activity)).expect("listed");
            let mut ids: Vec<_> =
                page.orders.iter().map(|order| order.key.order.to_string()).collect();
            ids.sort();
            (ids.join(" "), page.total)
        };
        let (half, checking) = (Activity::Downloading(Some(50)), Activity::Checking);
        assert_eq!(of(&[OrderState::Waiting], half), ("118 17".to_owned(), 2));
        assert_eq!(of(&[OrderState::Downloading], half), ("9".to_owned(), 1));
        assert_eq!(of(&[OrderState::Checking], half), (String::new(), 0));
        let both = [OrderState::Waiting, OrderState::Checking];
        assert_eq!(of(&both, checking), ("118 17 9".to_owned(), 3));
        let counts = store.count_by_state_now(&doing(half)).expect("counted");
        let expected = [("downloading".to_owned(), 1), ("waiting".to_owned(), 2)];
        assert_eq!(counts, BTreeMap::from(expected));
        let all = store.list_now(&OrderQuery::default(), &doing(half)).expect("listed");
        let arriving = all.orders.iter().find(|order| order.activity.is_some()).expect("listed");
        assert_eq!(arriving.state_in_words(), "downloading, 50 %");
    }
}
