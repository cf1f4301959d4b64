//! Housekeeping: once an hour, and after everything else, removes what is old enough, one item at a
//! time. [`crate::retention`] decides what is old enough; the executor checks that it still is what we put
//! there.

use std::collections::BTreeSet;
use std::time::Duration;

use super::fetching::standing;
use super::{Effect, Engine, Job, Notice, Now, OrderKey, OrderRecord, StoreError};
use casedrop_journal::RevisionRecord;
use casedrop_model::fault::{Fault, FaultClass, TARGET_BUSY};
use casedrop_model::local::Fate;
use casedrop_model::record::{Place, Retired};

use crate::effects::{ForgetJob, RetireJob, Retirement};
use crate::retention;

/// Time between two rounds.
const ROUND: Duration = Duration::from_hours(1);

/// Progress of the current round.
#[derive(Debug)]
pub(super) struct Housekeeping {
    /// When the next round starts; in the past while one is running.
    next: Duration,
    /// What could not be removed in this round.
    skipped: BTreeSet<(OrderKey, u32)>,
    /// The order being removed.
    at_work: Option<OrderKey>,
    /// Orders that are due for removal but are being processed: the round waits for them.
    awaited: BTreeSet<OrderKey>,
    /// Whether an earlier process left a removal unfinished.
    unfinished: bool,
    /// The last trouble reported, so that it is not reported again while it lasts.
    told: Option<String>,
}

impl Housekeeping {
    pub(super) fn new(now: Now, unfinished: bool) -> Self {
        Self {
            next: now.mono,
            skipped: BTreeSet::new(),
            at_work: None,
            awaited: BTreeSet::new(),
            unfinished,
            told: None,
        }
    }
}

enum Task {
    Retire(Box<OrderRecord>),
    Forget(OrderKey, Box<RevisionRecord>),
}

impl Engine {
    /// When there may be something to remove, provided that processing orders leaves room for it.
    pub(super) fn next_keeping(&self) -> Option<Duration> {
        let policy = &self.policy;
        let removes_old = policy.history_keep.is_some()
            || policy.retention_keep.is_some()
            || self.keeping.unfinished;
        let waits = self.keeping.awaited.iter().any(|key| self.jobs.contains_key(key));
        let is_free = self.keeping.at_work.is_none() && self.jobs.len() < policy.concurrency;
        let may_begin = is_free && !waits;
        (removes_old && may_begin).then_some(self.keeping.next)
    }

    /// Starts removing what is due, if anything.
    pub(super) fn remove_old(
        &mut self,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if self.next_keeping().is_none_or(|at| at > now.mono) {
            return Ok(());
        }
        let counted = self.store.count_time(now)?;
        self.store.begin_to_count(counted)?;
        let mut busy = BTreeSet::new();
        let task = self.next_task(counted, &mut busy)?;
        // Orders not being processed go first.
        self.keeping.awaited = if task.is_none() { busy } else { BTreeSet::new() };
        match task {
            Some(Task::Retire(order)) => self.retire(now, &order, effects),
            Some(Task::Forget(key, old)) => {
                self.begin_keeping(&key);
                let job = ForgetJob { key, old: standing(*old) };
                effects.push(Effect::Forget(Box::new(job)));
                Ok(())
            }
            None if !self.keeping.awaited.is_empty() => Ok(()),
            None => {
                self.keeping.unfinished = !self.store.retiring()?.is_empty();
                self.end_round(now);
                Ok(())
            }
        }
    }

    /// Returns what to remove next. What is due but being processed is added to `busy`.
    fn next_task(
        &self,
        counted: Duration,
        busy: &mut BTreeSet<OrderKey>,
    ) -> Result<Option<Task>, StoreError> {
        let mut is_free = |key: &OrderKey, revision: u32| {
            if self.keeping.skipped.contains(&(key.clone(), revision)) {
                return false;
            }
            let is_busy = self.jobs.contains_key(key);
            if is_busy {
                busy.insert(key.clone());
            }
            !is_busy
        };
        let mut is_order_free = |order: &OrderRecord| {
            let published = order.published.as_ref();
            published.is_some_and(|published| is_free(&order.key, published.revision))
        };
        // Finish what was started, whatever the config says by now.
        if let Some(order) = self.store.retiring()?.into_iter().find(|order| is_order_free(order)) {
            return Ok(Some(Task::Retire(Box::new(order))));
        }
        if let Some(keep) = self.policy.retention_keep
            && let Some(until) = counted.checked_sub(keep)
        {
            let found = self.store.first_published_before(until, |order, at| {
                let age = counted.saturating_sub(at);
                retention::may_retire(order, age, Some(keep)) && is_order_free(order)
            })?;
            if let Some(order) = found {
                return Ok(Some(Task::Retire(Box::new(order))));
            }
        }
        let keep = self.policy.history_keep;
        let Some(until) = keep.and_then(|keep| counted.checked_sub(keep)) else { return Ok(None) };
        let publishing: BTreeSet<OrderKey> =
            self.store.intents()?.into_iter().map(|intent| intent.key).collect();
        let found = self.store.first_replaced_before(until, |key, revision, at| {
            let age = counted.saturating_sub(at);
            retention::may_forget(publishing.contains(key), age, keep) && is_free(key, revision)
        })?;
        Ok(found.map(|(key, old)| Task::Forget(key, Box::new(old))))
    }

    fn retire(
        &mut self,
        now: Now,
        order: &OrderRecord,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let key = &order.key;
        // Durable before anything is moved.
        if order.retired != Retired::UnderWay {
            self.store.begin_retirement(key)?;
        }
        self.keeping.unfinished = true;
        let main = self.store.newest_at_main(key)?.map(|one| one.manifest.revision);
        let revisions = self.store.revisions(key)?.into_iter();
        let stand = revisions.filter(|revision| {
            revision.place == Place::Beside || Some(revision.manifest.revision) == main
        });
        // What is of unknown origin is not the agent's to remove.
        let (found, stand): (Vec<_>, Vec<_>) = stand.partition(|revision| revision.is_found);
        for one in found {
            let number = one.manifest.revision;
            let text = format!("revision {number} is of unknown origin and is kept");
            self.store.tell(key, now.wall, "kept", &text)?;
        }
        let pieces =
            stand.into_iter().map(|revision| (revision.place, standing(revision))).collect();
        self.begin_keeping(key);
        effects.push(Effect::Retire(Box::new(RetireJob { key: key.clone(), pieces })));
        Ok(())
    }

    fn begin_keeping(&mut self, key: &OrderKey) {
        self.keeping.at_work = Some(key.clone());
        self.jobs.insert(key.clone(), Job::default());
    }

    pub(super) fn retired(
        &mut self,
        now: Now,
        key: &OrderKey,
        result: Result<Retirement, Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        self.keeping.at_work = None;
        let Some(mut record) = self.store.order(key)? else { return self.finish(now, key) };
        let revision = record.published.as_ref().map_or(0, |published| published.revision);
        let Retirement { removed, left } = match result {
            Ok(retirement) => retirement,
            Err(fault) => {
                self.not_kept(now, key, revision, &fault, effects);
                return self.finish(now, key);
            }
        };
        self.keeping.told = None;
        record.retired = if left.is_empty() { Retired::Yes } else { Retired::LeftAlone };
        self.store.atomically(|store| {
            store.save(&record)?;
            for revision in &removed {
                store.set_gone(key, *revision)?;
            }
            if !left.is_empty() {
                let text =
                    format!("older than retention.keep, but left alone: {}", left.join("; "));
                store.tell(key, now.wall, "kept", &text)?;
            }
            if !removed.is_empty() || left.is_empty() {
                store.tell(key, now.wall, "removed", &told(&removed))?;
            }
            Ok(())
        })?;
        if !left.is_empty() {
            let why = left.join("; ");
            effects.push(Effect::Tell(Notice::LeftAlone { key: key.clone(), why }));
        } else if !removed.is_empty() {
            effects.push(Effect::Tell(Notice::Removed { key: key.clone() }));
        }
        self.finish(now, key)
    }

    pub(super) fn forgotten(
        &mut self,
        now: Now,
        key: &OrderKey,
        revision: u32,
        result: Result<Fate, Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        self.keeping.at_work = None;
        let fate = match result {
            Ok(fate) => fate,
            Err(fault) => {
                self.not_kept(now, key, revision, &fault, effects);
                return self.finish(now, key);
            }
        };
        self.keeping.told = None;
        let line = match &fate {
            Fate::Removed => {
                let text = format!(
                    "revision {revision} was removed from history, older than history.keep"
                );
                Some(("forgotten", text))
            }
            Fate::LeftAlone(why) => {
                Some(("kept", format!("revision {revision} in history is left alone: {why}")))
            }
            Fate::Absent => None,
        };
        self.store.atomically(|store| {
            store.set_gone(key, revision)?;
            line.as_ref().map_or(Ok(()), |(kind, text)| store.tell(key, now.wall, kind, text))
        })?;
        if let Fate::LeftAlone(why) = fate {
            let why = format!("revision {revision} in history: {why}");
            effects.push(Effect::Tell(Notice::LeftAlone { key: key.clone(), why }));
        }
        self.finish(now, key)
    }

    /// Handles a failed removal. If it concerns one order, that is tried again in the next round;
    /// with any other trouble, nothing is removed until then.
    fn not_kept(
        &mut self,
        now: Now,
        key: &OrderKey,
        revision: u32,
        fault: &Fault,
        effects: &mut Vec<Effect>,
    ) {
        if fault.class == FaultClass::Cancelled {
            return;
        }
        if fault.code == TARGET_BUSY {
            tracing::debug!(
                lab = %key.lab,
                order = %key.order,
                "not removed now: {}",
                fault.chain()
            );
            self.keeping.skipped.insert((key.clone(), revision));
            return;
        }
        let message = format!("nothing is removed for now: {}", fault.brief());
        if self.keeping.told.as_ref() != Some(&message) {
            self.keeping.told = Some(message.clone());
            let hint = fault.hint.clone();
            effects.push(Effect::Tell(Notice::PcTrouble { message, hint }));
        }
        self.end_round(now);
    }

    fn end_round(&mut self, now: Now) {
        self.keeping.skipped.clear();
        self.keeping.next = now.mono + ROUND;
    }
}

fn told(removed: &[u32]) -> String {
    let numbers = removed.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
    if removed.is_empty() {
        "older than retention.keep, and no longer in the output".to_owned()
    } else {
        format!("revision {numbers} was removed from the output, older than retention.keep")
    }
}
