//! Extras that a published order still lacks: asked for again on a schedule of their own, in
//! parallel with everything else.
//!
//! Nothing waits for them. Asking takes no slot from other orders, does not change what is known
//! about the order, and needs no user: what arrives is published as the next revision, what never
//! arrives stays listed under `missing`. Extras are given up permanently if the order was taken,
//! changed or replaced; if there is a sign of new files, the normal fetch goes first.

use std::collections::BTreeMap;
use std::time::Duration;

use super::publishing::discard;
use super::{
    Effect, Engine, Fetched, Hold, Job, Now, OrderKey, OrderRecord, StoreError, Waiting, WallMs,
    job_name, millis, remaining,
};
use casedrop_journal::LateExtra;
use casedrop_model::asset::AssetKind;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::local::LocalPicture;
use casedrop_model::manifest::Manifest;
use casedrop_model::record::{Place, Retired};

use super::fetching::local_view;
use crate::effects::{ExtrasJob, Lacking};
use crate::plan::{self, Action, Policy, Published, Remote};

/// Waits after the publication and between the attempts. After the last one, extras are no longer
/// asked for.
const USUAL: [Duration; 8] = [
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(6),
    Duration::from_hours(24),
    Duration::from_hours(24),
    Duration::from_hours(24),
];
/// The same for what most likely never arrives: screen captures that no one took, and what Align
/// refuses.
const BRIEF: [Duration; 2] = [Duration::from_mins(10), Duration::from_hours(2)];
/// Wait after a fault of this PC, which does not count as an attempt.
const LOCAL: Duration = Duration::from_mins(10);
/// Wait before checking again an order that has something else to be done, or whose publication was
/// interrupted.
const LATER: Duration = Duration::from_mins(1);

/// When to ask for the extras of an order, on the monotonic clock. The journal has the details.
pub(super) type Late = BTreeMap<OrderKey, Duration>;

impl Engine {
    /// Loads the schedule from the journal.
    pub(super) fn load_late(&mut self, now: Now) -> Result<(), StoreError> {
        if !self.policy.late_extras {
            return Ok(());
        }
        for (key, extra) in self.store.all_late()? {
            let due = now.mono + wait_of(&extra, now);
            self.late.entry(key).and_modify(|at| *at = due.min(*at)).or_insert(due);
        }
        Ok(())
    }

    /// When the next order may be asked for what it lacks; `None` while that depends on more than
    /// the clock.
    pub(super) fn next_late(&self, now: Now) -> Option<Duration> {
        if self.slots_in_use() >= self.policy.concurrency || self.jobs.values().any(Job::is_late) {
            return None;
        }
        self.late.iter().filter_map(|(key, at)| self.late_due(key, *at, now)).min()
    }

    fn late_due(&self, key: &OrderKey, at: Duration, now: Now) -> Option<Duration> {
        if self.waiting.contains_key(key) || self.interrupted.contains(key) {
            return None;
        }
        let turn = Waiting { not_before: at, turn: 0, came: now.mono, is_new: false, host: None };
        match self.hold(key, &turn, now) {
            Hold::Free => Some(at),
            Hold::Until(time) => Some(at.max(time)),
            // Testing whether a server answers again is left to more important work.
            Hold::Trial(_) | Hold::Held => None,
        }
    }

    /// Starts with the order that has waited longest, if nothing else needs to be done.
    pub(super) fn start_late(
        &mut self,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        while self.next_late(now).is_some_and(|at| at <= now.mono) {
            let due = |(key, at): (&OrderKey, &Duration)| {
                let due = self.late_due(key, *at, now).filter(|due| *due <= now.mono)?;
                Some((due, key.clone()))
            };
            let Some((_, key)) = self.late.iter().filter_map(due).min() else { return Ok(()) };
            let Some(record) = self.store.order(&key)? else {
                self.give_up_late(&key)?;
                continue;
            };
            if record.needs_work() {
                self.late.insert(key, now.mono + LOCAL);
                continue;
            }
            let asked = self.still_lacking(now, &record)?;
            if asked.is_empty() {
                continue;
            }
            let published = record.published.as_ref().map(|published| published.history_seen);
            let job = Job {
                evidence: record.evidence,
                history_seen: published.unwrap_or_default(),
                began: now.mono,
                late: Some(asked),
                ..Job::default()
            };
            self.jobs.insert(key.clone(), job);
            self.look(&key, effects)?;
        }
        Ok(())
    }

    /// Returns what to ask for now. Forgets extras that the published revision does not lack, or
    /// that are no longer ours to add.
    fn still_lacking(
        &mut self,
        now: Now,
        record: &OrderRecord,
    ) -> Result<Vec<AssetKind>, StoreError> {
        let key = &record.key;
        let newest = self.to_complete(key)?;
        let published = record.published.as_ref();
        let stands = published.is_some_and(|published| published.place == Place::Main)
            && record.retired == Retired::No;
        let stands = stands || record.held.is_some();
        let lacks =
            |extra: &LateExtra| newest.as_ref().is_some_and(|newest| lacks(newest, extra.kind));
        let known = self.store.late(key)?;
        let count = known.len();
        let extras: Vec<LateExtra> =
            known.into_iter().filter(|extra| stands && lacks(extra)).collect();
        if extras.len() < count {
            self.store.set_late(key, &extras)?;
        }
        self.expect_late(now, key, &extras);
        let due = extras.iter().filter(|extra| wait_of(extra, now).is_zero());
        Ok(due.map(|extra| extra.kind).collect())
    }

    /// The revision to complete: the held-back one, else the newest.
    fn to_complete(&self, key: &OrderKey) -> Result<Option<Manifest>, StoreError> {
        if let Some(held) = self.store.held(key)? {
            return Ok(Some(held.manifest));
        }
        Ok(self.store.revisions(key)?.pop().map(|newest| newest.manifest))
    }

    /// Whether the order's job is about extras it lacks.
    pub(super) fn is_late(&self, key: &OrderKey) -> bool {
        self.jobs.get(key).is_some_and(Job::is_late)
    }

    /// Like [`decide`](Engine::decide), for an order that is published and lacks something.
    pub(super) fn decide_late(
        &mut self,
        now: Now,
        key: &OrderKey,
        local: &LocalPicture,
        free: Option<u64>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Some(record) = self.store.order(key)? else {
            self.jobs.remove(key);
            return Ok(());
        };
        if record.needs_work() || self.stopping || self.is_paused(&key.lab) {
            return self.leave_late(now, key, effects);
        }
        let revisions = self.store.revisions(key)?;
        let at_main = revisions.iter().rev().find(|revision| revision.place == Place::Main);
        let published = revisions.last().map(|newest| Published {
            newest: &newest.manifest,
            at_main: at_main.map(|revision| revision.manifest.revision),
            retired: record.retired != Retired::No,
        });
        let job = self.jobs.get(key);
        let remote = match job.and_then(|job| job.fetched.as_ref()) {
            Some(fetched) => Remote::Completed(&fetched.files),
            None => Remote::ExtrasDue,
        };
        let held = self.store.held(key)?;
        let policy = Policy {
            restore: false,
            asked: false,
            holds: false,
            held: held.as_ref().map(|held| &held.manifest),
        };
        match plan::plan(remote, published, local_view(local), policy) {
            Action::FetchExtras => {
                let newest = self.to_complete(key)?;
                let Some(newest) = newest else { return self.finish(now, key) };
                if let Some(fault) = self.set_room_aside(key, &revisions, free)? {
                    return self.late_failed(now, key, &fault, effects);
                }
                let kinds = self.jobs.get(key).and_then(|job| job.late.clone());
                effects.push(Effect::FetchExtras(Box::new(ExtrasJob {
                    key: key.clone(),
                    remote: record.remote,
                    job: job_name(key),
                    kinds: kinds.unwrap_or_default(),
                    published: newest,
                    held: held.map(|held| held.dir),
                })));
                Ok(())
            }
            Action::Publish { revision, target } => {
                self.begin_publication(now, &record, &revisions, revision, target, effects)
            }
            Action::Hold { revision } => {
                self.begin_hold(now, &record, &revisions, revision, true, effects)
            }
            _ => {
                self.give_up_late(key)?;
                self.leave_late(now, key, effects)
            }
        }
    }

    /// Handles the answer, whether extras arrived or not.
    pub(super) fn late_fetched(
        &mut self,
        now: Now,
        key: &OrderKey,
        result: Result<Fetched, Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let fetched = match result {
            Ok(fetched) => fetched,
            Err(fault) => return self.late_failed(now, key, &fault, effects),
        };
        let newest = self.to_complete(key)?;
        if newest.is_none_or(|newest| newest.same_content(&fetched.files)) {
            self.tried_in_vain(now, key, &fetched.lacking)?;
            return self.finish(now, key);
        }
        if let Some(job) = self.jobs.get_mut(key) {
            job.fetched = Some(fetched);
            job.room = 0;
        }
        self.look(key, effects)
    }

    /// Handles a fault that is not Align's. The order itself is published, so it is not reported.
    pub(super) fn late_failed(
        &mut self,
        now: Now,
        key: &OrderKey,
        fault: &Fault,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        tracing::debug!(lab = %key.lab, order = %key.order, "not completed: {}", fault.chain());
        if self.intent(key)?.is_some() {
            // It is not known how far the publication got. Find out first, as after a restart.
            self.jobs.remove(key);
            self.interrupted.insert(key.clone());
            self.wait_as(key.clone(), now, now.mono + LATER, true);
            return Ok(());
        }
        if fault.class != FaultClass::Cancelled {
            let mut extras = self.store.late(key)?;
            for extra in &mut extras {
                extra.next_try = extra.next_try.max(now.wall.plus(LOCAL));
                extra.wait = extra.wait.max(LOCAL);
            }
            self.store.set_late(key, &extras)?;
        }
        self.leave_late(now, key, effects)
    }

    /// Ends the job and leaves nothing in staging.
    fn leave_late(
        &mut self,
        now: Now,
        key: &OrderKey,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let is_staged = self.jobs.get(key).is_some_and(|job| job.fetched.is_some());
        if self.intent(key)?.is_some() {
            self.store.drop_intent(key)?;
        } else if !is_staged {
            return self.finish(now, key);
        }
        discard(key, true, effects);
        Ok(())
    }

    /// Schedules the next attempt after the job ended.
    pub(super) fn late_ended(&mut self, now: Now, key: &OrderKey) -> Result<(), StoreError> {
        let extras = self.store.late(key)?;
        self.expect_late(now, key, &extras);
        if let Some(at) = self.late.get_mut(key) {
            *at = (*at).max(now.mono + LATER);
        }
        Ok(())
    }

    /// Replaces the schedule for the extras an order lacks.
    pub(super) fn expect_late(&mut self, now: Now, key: &OrderKey, extras: &[LateExtra]) {
        match extras.iter().map(|extra| now.mono + wait_of(extra, now)).min() {
            Some(at) if self.policy.late_extras => self.late.insert(key.clone(), at),
            _ => self.late.remove(key),
        };
    }

    pub(super) fn give_up_late(&mut self, key: &OrderKey) -> Result<(), StoreError> {
        self.late.remove(key);
        self.store.set_late(key, &[])
    }

    /// Records an attempt that brought nothing new.
    fn tried_in_vain(
        &mut self,
        now: Now,
        key: &OrderKey,
        lacking: &[Lacking],
    ) -> Result<(), StoreError> {
        let asked = self.jobs.get(key).and_then(|job| job.late.clone()).unwrap_or_default();
        let mut extras = Vec::new();
        let mut ended = Vec::new();
        for extra in self.store.late(key)? {
            let lacks = lacking.iter().find(|lacking| lacking.kind == extra.kind);
            match lacks {
                _ if !asked.contains(&extra.kind) => extras.push(extra),
                None => {}
                Some(lacks) => match self.next_try(now, lacks, Some(&extra)) {
                    Some(next) => extras.push(next),
                    None => ended.push(extra.kind.in_words()),
                },
            }
        }
        self.store.atomically(|store| {
            store.set_late(key, &extras)?;
            if ended.is_empty() {
                return Ok(());
            }
            let text =
                format!("{} did not arrive and will not be requested again", ended.join(", "));
            store.tell(key, now.wall, "extras", &text)
        })
    }

    /// Returns what the publication being recorded lacks, and when to ask for it.
    pub(super) fn late_after(
        &mut self,
        now: Now,
        key: &OrderKey,
        manifest: &Manifest,
    ) -> Result<Vec<LateExtra>, StoreError> {
        if !self.policy.late_extras {
            return Ok(Vec::new());
        }
        let job = self.jobs.get(key);
        let asked = job.and_then(|job| job.late.clone());
        let fetched = job.and_then(|job| job.fetched.as_ref());
        let lacking = fetched.map(|fetched| fetched.lacking.clone()).unwrap_or_default();
        let before = if asked.is_some() { self.store.late(key)? } else { Vec::new() };
        let mut extras = Vec::new();
        for kind in AssetKind::EXTRAS.into_iter().filter(|kind| lacks(manifest, *kind)) {
            let known = before.iter().find(|extra| extra.kind == kind);
            let lacks = lacking.iter().find(|lacking| lacking.kind == kind);
            match (&asked, known, lacks) {
                // It was asked for in vain, while something else arrived.
                (Some(_), Some(known), Some(lacks)) => {
                    extras.extend(self.next_try(now, lacks, Some(known)));
                }
                (Some(_), known, _) => extras.extend(known.cloned()),
                (None, _, Some(lacks)) => extras.extend(self.next_try(now, lacks, None)),
                // The process that knew the reason has ended.
                (None, _, None) => {
                    let why = match kind {
                        AssetKind::ScreenCaptures => FaultClass::NotConverted,
                        _ => FaultClass::Transient,
                    };
                    let lacks = Lacking { kind, why: Some(why), retry_after: None };
                    extras.extend(self.next_try(now, &lacks, None));
                }
            }
        }
        Ok(extras)
    }

    /// When to ask again for an extra that did not arrive; `None`: never.
    fn next_try(
        &mut self,
        now: Now,
        lacking: &Lacking,
        before: Option<&LateExtra>,
    ) -> Option<LateExtra> {
        let brief = is_brief(lacking);
        let tries = before.map_or(0, |before| before.tries.saturating_add(1));
        let waits: &[Duration] = if brief { &BRIEF } else { &USUAL };
        let wait = match waits.get(usize::try_from(tries).unwrap_or(usize::MAX)).copied()? {
            // There was no time to ask for it yet.
            _ if lacking.why.is_none() && tries == 0 => Duration::ZERO,
            wait => wait.mul_f64(1.0 - self.rng.f64() / 4.0),
        };
        let wait = wait.max(lacking.retry_after.unwrap_or_default());
        let next_try = now.wall.plus(wait);
        Some(LateExtra { kind: lacking.kind, tries, brief, next_try, wait })
    }
}

/// Whether what went wrong will most likely stay that way.
fn is_brief(lacking: &Lacking) -> bool {
    match lacking.why {
        Some(FaultClass::NotConverted) => lacking.kind == AssetKind::ScreenCaptures,
        Some(FaultClass::Permanent | FaultClass::Refused) => true,
        _ => false,
    }
}

fn lacks(manifest: &Manifest, kind: AssetKind) -> bool {
    manifest.missing.iter().any(|name| AssetKind::extra(name) == Some(kind))
}

/// How long until an extra is to be asked for. Setting the clock never makes it longer than it was.
fn wait_of(extra: &LateExtra, now: Now) -> Duration {
    let began = WallMs(extra.next_try.0.saturating_sub(millis(extra.wait)));
    remaining(began, extra.wait, now.wall)
}

/// For the order's story: the extras that arrived with a revision that only adds extras.
pub(super) fn came(before: Option<&Manifest>, manifest: &Manifest) -> Option<String> {
    let (_, adds) = before?.changes_to(&manifest.files);
    let came = AssetKind::EXTRAS
        .into_iter()
        .filter(|kind| adds.iter().any(|file| kind.holds(&file.path)))
        .map(AssetKind::in_words)
        .collect::<Vec<_>>()
        .join(" and ");
    let mut letters = came.chars();
    let first = letters.next()?.to_uppercase();
    let revision = manifest.revision;
    Some(format!("{first}{} arrived, published as revision {revision}", letters.as_str()))
}

/// For the order's story: the extras that a publication could not wait for.
pub(super) fn awaited(extras: &[LateExtra]) -> Option<String> {
    // Missing screen captures are no news.
    let usual = extras.iter().filter(|extra| !extra.brief);
    let names: Vec<_> = usual.map(|extra| extra.kind.in_words()).collect();
    (!names.is_empty())
        .then(|| format!("without {}, which will be requested again", names.join(" and ")))
}
