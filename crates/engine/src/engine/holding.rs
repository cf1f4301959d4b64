//! Held-back orders: fetched and checked, incomplete, and stored safely until a user decides or a
//! newer revision replaces them.
//!
//! The rule: *what is held back leaves its place only for the output, or after a newer revision of
//! the order is durable*. An order whose download led to neither stays wanted.

use std::time::Duration;

use super::publishing::{covered, discard};
use super::{Effect, Engine, Fetched, Notice, Now, OrderKey, OrderRecord, StoreError, job_name};
use casedrop_journal::{Held, RevisionRecord};
use casedrop_model::fault::Fault;
use casedrop_model::findings::{FindingCounts, is_incomplete, why_incomplete};
use casedrop_model::local::HELD_JOB;
use casedrop_model::local::next_dir;
use casedrop_model::manifest::Manifest;
use casedrop_model::prescription::Prescription;
use casedrop_model::record::Intent;

use crate::effects::HoldJob;

/// Time until a failed removal is tried again.
const DROP_AGAIN: Duration = Duration::from_mins(5);

impl Engine {
    /// Whether the order's job is to publish what is held back.
    pub(super) fn is_release(&self, key: &OrderKey) -> bool {
        self.jobs.get(key).is_some_and(|job| job.release.is_some())
    }

    /// Whether what was fetched is incomplete and the lab's incomplete orders are held back.
    pub(super) fn holds_back(&self, key: &OrderKey) -> bool {
        let fetched = self.jobs.get(key).filter(|job| job.release.is_none());
        let fetched = fetched.and_then(|job| job.fetched.as_ref());
        self.policy.hold.contains(&key.lab)
            && fetched.is_some_and(|fetched| is_incomplete(&fetched.findings))
    }

    /// Queues the orders whose held-back revision a user wants published. They need neither login
    /// nor Align.
    pub(super) fn load_released(&mut self, now: Now) -> Result<(), StoreError> {
        for key in self.store.released()? {
            if let Some(record) = self.store.order(&key)? {
                self.enqueue(&record, now);
            }
            self.releasing.insert(key);
        }
        Ok(())
    }

    /// Queues those released since.
    pub(super) fn take_released(&mut self, now: Now) -> Result<(), StoreError> {
        for key in self.store.released()? {
            if self.releasing.insert(key.clone()) {
                self.look_soon(&key, now);
            }
        }
        Ok(())
    }

    /// If a user wants the held-back revision published, makes the job use it in place of a
    /// download.
    pub(super) fn take_up_held(&mut self, key: &OrderKey) -> Result<(), StoreError> {
        let Some(held) = self.store.held(key)?.filter(|held| held.released) else { return Ok(()) };
        if let Some(job) = self.jobs.get_mut(key) {
            job.evidence = held.evidence;
            job.history_seen = held.history_seen;
            job.release = Some(held.dir);
        }
        Ok(())
    }

    /// Treats what is in the `held` directory as fetched. Returns `true` if the job needs it and it
    /// is not there.
    pub(super) fn saw_held(&mut self, key: &OrderKey, there: Option<Manifest>) -> bool {
        let Some(job) = self.jobs.get_mut(key).filter(|job| job.release.is_some()) else {
            return false;
        };
        let Some(manifest) = there else { return true };
        job.fetched = Some(Fetched {
            prescription: Prescription::of(&manifest),
            files: manifest.files,
            left_out: manifest.left_out,
            missing: manifest.missing,
            findings: manifest.findings,
            ..Fetched::default()
        });
        false
    }

    /// The name of the directory to publish from.
    pub(super) fn staged_job(&self, key: &OrderKey) -> String {
        match self.jobs.get(key).and_then(|job| job.release.as_ref()) {
            Some(dir) => format!("{HELD_JOB}{dir}"),
            None => job_name(key),
        }
    }

    /// Starts storing what was fetched outside the output. With `joins`, only extras arrived for a
    /// revision that is already held back.
    pub(super) fn begin_hold(
        &mut self,
        now: Now,
        record: &OrderRecord,
        revisions: &[RevisionRecord],
        revision: u32,
        joins: bool,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let key = &record.key;
        let before = self.store.held(key)?;
        let Some(fetched) = self.jobs.get(key).and_then(|job| job.fetched.clone()) else {
            return self.finish(now, key);
        };
        let etag = fetched.etag.clone();
        let mut manifest = self.manifest(now, record, revisions.last(), revision, fetched)?;
        let last = before.as_ref().map(|before| before.dir.as_str());
        let dir = next_dir(&job_name(key), last, self.rng.u32(..));
        let Some(job) = self.jobs.get_mut(key) else { return Ok(()) };
        let mut held = Held {
            key: key.clone(),
            manifest_sha256: String::new(),
            dir: dir.clone(),
            evidence: job.evidence,
            history_seen: job.history_seen,
            etag,
            at: now.wall,
            confirmed: now.wall,
            released: false,
            manifest: manifest.clone(),
        };
        if let Some(before) = before.filter(|_| joins) {
            // The package is still the one from back then.
            manifest.reason = before.manifest.reason;
            held = Held { dir: held.dir, ..before };
        }
        held.manifest_sha256 = casedrop_model::digest::sha256(&manifest.to_bytes());
        held.manifest = manifest.clone();
        job.holding = Some(held);
        let job = HoldJob { key: key.clone(), manifest, job: job_name(key), dir };
        effects.push(Effect::Hold(Box::new(job)));
        Ok(())
    }

    /// Records that it is stored safely now, or that this failed.
    pub(super) fn held(
        &mut self,
        now: Now,
        key: &OrderKey,
        result: Result<(), Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let holding = self.jobs.get_mut(key).and_then(|job| job.holding.take());
        let (Some(held), Some(mut record)) = (holding, self.store.order(key)?) else {
            return self.finish(now, key);
        };
        if let Err(fault) = result {
            // It may have been moved there all the same.
            self.drop_held(key.clone(), held.dir, effects);
            return self.failed(now, key, &fault, effects);
        }
        let joins = self.is_late(key);
        let before = self.store.held(key)?;
        // A user may have released it in the meantime: with its pictures it is still the same
        // revision.
        let released = joins && before.as_ref().is_some_and(|before| before.released);
        let held = Held { released, ..held };
        if !joins {
            covered(&mut record, held.evidence);
            record.notified_vain = 0;
        }
        if !released {
            self.releasing.remove(key);
        }
        record.held = Some(held.record());
        record.prescription = Prescription::of(&held.manifest);
        let late = self.late_after(now, key, &held.manifest)?;
        let story = if joins {
            "pictures arrived; still held back".to_owned()
        } else {
            told(&held, before.as_ref())
        };
        self.store.atomically(|store| {
            store.hold(&held)?;
            store.save(&record)?;
            store.drop_intent(key)?;
            store.set_late(key, &late)?;
            store.tell(key, now.wall, if joins { "extras" } else { "held" }, &story)
        })?;
        self.expect_late(now, key, &late);
        if let Some(before) = before {
            self.drop_held(key.clone(), before.dir, effects);
        }
        if !joins {
            effects.push(Effect::Tell(Notice::Held {
                key: key.clone(),
                findings: FindingCounts::of(&held.manifest.findings),
                why: why_incomplete(&held.manifest.findings),
            }));
        }
        self.finish(now, key)
    }

    /// Records that what was fetched is already held back.
    pub(super) fn still_held(
        &mut self,
        now: Now,
        mut record: OrderRecord,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let key = record.key.clone();
        let Some(held) = self.store.held(&key)? else { return self.finish(now, &key) };
        let evidence = self.jobs.get(&key).map_or(record.evidence, |job| job.evidence);
        let history_seen = self.jobs.get(&key).map_or(held.history_seen, |job| job.history_seen);
        covered(&mut record, evidence);
        let held = Held {
            evidence: evidence.max(held.evidence),
            history_seen,
            confirmed: now.wall,
            ..held
        };
        record.held = Some(held.record());
        self.store.atomically(|store| {
            store.hold(&held)?;
            store.save(&record)?;
            store.drop_intent(&key)?;
            store.tell(&key, now.wall, "unchanged", "fetched again, unchanged; still held back")
        })?;
        discard(&key, true, effects);
        effects.push(Effect::Tell(Notice::Unchanged { key }));
        Ok(())
    }

    /// Makes the order wanted again: its held-back revision is no longer in staging, or was changed
    /// there.
    pub(super) fn hold_lost(&mut self, now: Now, key: &OrderKey) -> Result<(), StoreError> {
        self.releasing.remove(key);
        let Some(record) = self.store.order(key)? else { return self.finish(now, key) };
        self.give_up_late(key)?;
        let why = "the held-back files are gone from staging or were changed there; the order is \
                   fetched again";
        self.store.lose_hold(record, now.wall, why)?;
        self.finish(now, key)
    }

    /// Returns the held-back revision that the publication being recorded supersedes: it is the
    /// same one, or an older one of the same order.
    pub(super) fn makes_way(&self, intent: &Intent) -> Result<Option<Held>, StoreError> {
        let held = self.store.held(&intent.key)?;
        let is_newer = |held: &Held| !self.is_late(&intent.key) && intent.evidence >= held.evidence;
        Ok(held.filter(|held| is_of(&intent.job, held) || is_newer(held)))
    }

    /// The held-back revision is recorded as published or replaced.
    pub(super) fn hold_ends(&mut self, held: Held, job: &str, effects: &mut Vec<Effect>) {
        self.releasing.remove(&held.key);
        // If published, it was moved into the output.
        if !is_of(job, &held) {
            self.drop_held(held.key, held.dir, effects);
        }
    }

    /// Removes the directory. Nothing needs its place, but `dropping` keeps the engine busy: a
    /// process that ended in the middle would leave a record without an end.
    fn drop_held(&mut self, key: OrderKey, dir: String, effects: &mut Vec<Effect>) {
        self.dropping += 1;
        effects.push(Effect::DropHeld { key, dir });
    }

    pub(super) fn held_dropped(&mut self, now: Now, what: (OrderKey, String), done: bool) {
        self.dropping = self.dropping.saturating_sub(1);
        if !done {
            self.undropped.push(what);
            self.next_drop = now.mono + DROP_AGAIN;
        }
    }

    /// Retries failed removals: a disk that failed once may have recovered, and the agent may run
    /// for a year without a restart.
    pub(super) fn drop_again(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if now.mono >= self.next_drop {
            for (key, dir) in std::mem::take(&mut self.undropped) {
                self.drop_held(key, dir, effects);
            }
        }
    }
}

/// Whether a publication is that of the held-back revision.
fn is_of(job: &str, held: &Held) -> bool {
    job.strip_prefix(HELD_JOB) == Some(held.dir.as_str())
}

fn told(held: &Held, before: Option<&Held>) -> String {
    let why = why_incomplete(&held.manifest.findings);
    let also = if before.is_some() { "; it replaces what was held back before" } else { "" };
    format!("held back as incomplete: {why}{also}")
}
