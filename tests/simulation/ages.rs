//! True ages, to check that the agent removes nothing too early.

use std::collections::BTreeMap;
use std::time::Duration;

use casedrop::engine::EnginePolicy;
use casedrop::engine::effects::Effect;
use casedrop::journal::Store;
use casedrop::model::ids::OrderKey;
use casedrop::model::notice::Notice;
use casedrop::model::record::{OrderRecord, Place};

use crate::tally::Tally;
use crate::world::Failure;

/// When revisions were published, by the true clock.
#[derive(Debug, Default)]
pub struct Ages {
    /// When each revision was published, or, once it is replaced, when that happened.
    since: BTreeMap<(OrderKey, u32), u64>,
    /// The newest revision at an order's own path.
    at_main: BTreeMap<OrderKey, u32>,
    pub started: u64,
    /// Whether the PC's clock was ever set. The agent then cannot know how long the PC was off.
    pub clock_was_set: bool,
}

impl Ages {
    /// Records a notice.
    pub fn told(&mut self, notice: &Notice, now: u64) {
        let Notice::Published { key, revision, place, .. } = notice else { return };
        self.since.insert((key.clone(), *revision), now);
        if *place == Place::Main
            && let Some(old) = self.at_main.insert(key.clone(), *revision)
        {
            self.since.insert((key.clone(), old), now);
        }
    }

    /// Whether a revision is certainly younger than `keep`.
    pub fn is_young(&self, key: &OrderKey, revision: u32, keep: Duration, now: u64) -> bool {
        let Some(since) = self.since.get(&(key.clone(), revision)) else { return false };
        let may_err = self.clock_was_set && self.started > *since;
        !may_err && u128::from(now.saturating_sub(*since)) < keep.as_millis()
    }

    /// Fails if something young or wanted is to be removed.
    pub fn check(
        &self,
        effect: &Effect,
        store: &Store,
        policy: &EnginePolicy,
        now: u64,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        match effect {
            Effect::Retire(job) => {
                tally.count("order to be removed");
                let order: OrderRecord =
                    store.order(&job.key).expect("readable").expect("a known order");
                if order.is_wanted() {
                    return Err(format!("{} is to be removed, and wanted", job.key));
                }
                let newest = order.published.map_or(0, |published| published.revision);
                self.is_old(&job.key, newest, policy.retention_keep, now)
            }
            Effect::Forget(job) => {
                tally.count("history to be removed");
                let revision = job.old.manifest.revision;
                let main = store.newest_at_main(&job.key).expect("readable");
                if main.is_none_or(|main| main.manifest.revision <= revision) {
                    return Err(format!("revision {revision} of {} was not replaced", job.key));
                }
                self.is_old(&job.key, revision, policy.history_keep, now)
            }
            _ => Ok(()),
        }
    }

    fn is_old(
        &self,
        key: &OrderKey,
        revision: u32,
        keep: Option<Duration>,
        now: u64,
    ) -> Result<(), Failure> {
        let Some(keep) = keep else {
            return Err(format!("{key} is to be removed, and kept for ever"));
        };
        if self.is_young(key, revision, keep, now) {
            return Err(format!("revision {revision} of {key} is too young to be removed"));
        }
        Ok(())
    }
}
