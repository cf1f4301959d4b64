//! Finding orders by their patients' names, where the config allows the page to show them. The names
//! are read from the published prescriptions, and kept in memory only: so many, and never written or
//! logged.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::data::PageData;
use super::shared::Shared;
use crate::model::fault::Fault;
use crate::model::ids::OrderKey;
use crate::model::listing::{OrderQuery, OrderSort};
use crate::model::record::OrderRecord;

/// Of how many orders the names are kept: those published last.
const KEPT: usize = 5000;
/// How many orders are looked up at once.
const BATCH: usize = 200;
/// How long a search waits for names that are still being read.
const PATIENCE: Duration = Duration::from_secs(2);
/// When an order without a name is looked at again: its folder may have been out of reach.
const AGAIN: Duration = Duration::from_mins(10);
/// How many orders one word may find by name. A word that finds more says little.
const MOST: usize = 500;

/// The names known so far.
#[derive(Default)]
pub(super) struct Patients(Mutex<Known>);

#[derive(Default)]
struct Known {
    names: HashMap<OrderKey, Name>,
    /// The orders in `names`, the first to be forgotten first.
    ages: VecDeque<OrderKey>,
}

struct Name {
    /// The revision whose prescription has it.
    revision: u32,
    /// In lower case; empty if there is none.
    text: String,
    read: Instant,
}

impl Patients {
    /// Adds to a query the orders whose patients' names contain its words. Names not read yet are
    /// read for a short while; those that take longer are there at the next search.
    pub(super) fn complete(
        &self,
        query: &mut OrderQuery,
        data: &dyn PageData,
    ) -> Result<(), Fault> {
        if query.words.is_empty() {
            return Ok(());
        }
        self.read(data, Instant::now() + PATIENCE)?;
        let known = self.lock();
        query.named = query.words.iter().map(|word| known.with(word)).collect();
        Ok(())
    }

    /// Reads names, of the orders published last first.
    fn read(&self, data: &dyn PageData, until: Instant) -> Result<(), Fault> {
        for skip in (0..KEPT).step_by(BATCH) {
            let sort = OrderSort::Published;
            let page =
                data.orders(&OrderQuery { sort, skip, limit: BATCH, ..OrderQuery::default() })?;
            for order in &page.orders {
                // The list goes on with orders of which nothing was published.
                let Some(revision) = revision(order) else { return Ok(()) };
                if self.lock().has(&order.key, revision) {
                    continue;
                }
                if Instant::now() >= until {
                    return Ok(());
                }
                let name = data.patient(&order.key).unwrap_or_default().to_lowercase();
                self.lock().keep(order.key.clone(), revision, name);
            }
            if page.orders.len() < BATCH {
                break;
            }
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn revision(order: &OrderRecord) -> Option<u32> {
    order.published.as_ref().map(|one| one.revision)
}

impl Known {
    fn has(&self, key: &OrderKey, revision: u32) -> bool {
        self.names.get(key).is_some_and(|name| {
            name.revision == revision && (!name.text.is_empty() || name.read.elapsed() < AGAIN)
        })
    }

    fn keep(&mut self, key: OrderKey, revision: u32, text: String) {
        let name = Name { revision, text, read: Instant::now() };
        if self.names.insert(key.clone(), name).is_some() {
            return;
        }
        self.ages.push_back(key);
        if self.ages.len() > KEPT
            && let Some(oldest) = self.ages.pop_front()
        {
            self.names.remove(&oldest);
        }
    }

    /// The orders whose patients' names contain a word.
    fn with(&self, word: &str) -> Vec<OrderKey> {
        let word = word.to_lowercase();
        let found = self.names.iter().filter(|(_, name)| name.text.contains(&word));
        found.map(|(key, _)| key.clone()).take(MOST).collect()
    }
}

impl Shared {
    /// Asks for orders; also by their patients' names, if the page may show them.
    pub(super) async fn find<T: Send + 'static>(
        self: &Arc<Self>,
        mut query: OrderQuery,
        ask: impl FnOnce(&dyn PageData, OrderQuery) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let shared = Arc::clone(self);
        self.ask(move |data| {
            if shared.show_names {
                shared.patients.complete(&mut query, data)?;
            }
            ask(data, query)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(order: usize) -> OrderKey {
        OrderKey {
            lab: "smile-lab".parse().expect("valid"),
            account: "4711".parse().expect("valid"),
            order: order.to_string().parse().expect("valid"),
        }
    }

    #[test]
    fn names_are_found_in_any_case_and_only_so_many_are_kept() {
        let mut known = Known::default();
        known.keep(key(1), 1, "m\u{fc}ller, j\u{f6}rg".to_owned());
        known.keep(key(2), 1, String::new());
        assert_eq!(known.with("M\u{dc}LL"), [key(1)]);
        assert_eq!(known.with("doe"), []);
        assert!(known.has(&key(1), 1) && !known.has(&key(1), 2), "a new revision is read again");
        known.keep(key(1), 2, "doe, jane".to_owned());
        assert_eq!((known.with("m\u{fc}ller"), known.with("Doe")), (vec![], vec![key(1)]));
        for order in 10..10 + KEPT {
            known.keep(key(order), 1, "doe".to_owned());
        }
        assert_eq!((known.names.len(), known.ages.len()), (KEPT, KEPT));
        assert!(!known.has(&key(1), 2), "the oldest is forgotten");
        assert_eq!(known.with("doe").len(), MOST);
    }
}
