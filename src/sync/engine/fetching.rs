//! From "wanted" to "lies in staging".

use super::hosts::Question;
use super::plan::{Action, Local, Policy, Published, Remote};
use super::{
    Effect, Engine, Fetched, Job, Notice, Now, OrderKey, OrderRecord, StoreError, TYPICAL_OF,
    WallMs, observe, plan, schedule,
};
use crate::local::look::LocalPicture;
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::RxId;
use crate::model::record::{Retired, Spent, Trouble};
use crate::retry::Next;
use crate::store::RevisionRecord;

use super::super::effects::{FetchJob, Seen, Standing};
use super::super::notice::size;

/// The directory below the staging's `work` for an order: one for each, so that what an interrupted
/// piece of work left is found again.
pub fn job_name(key: &OrderKey) -> String {
    format!("{}~{}~{}", key.lab.dir_name(), key.account.dir_name(), key.order.dir_name())
}

impl Engine {
    /// Begins the work on an order: an interrupted publication comes first, else its place is looked
    /// at.
    pub(super) fn start(
        &mut self,
        key: &OrderKey,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Some(record) = self.store.order(key)? else { return Ok(()) };
        let job = Job {
            evidence: record.evidence,
            history_seen: history_len(&record),
            fetched: None,
            target_changes: 0,
            room: 0,
        };
        self.jobs.insert(key.clone(), job);
        if let Some(intent) = self.intent(key)? {
            let job = self.publish_job(intent)?;
            effects.push(Effect::Recover(Box::new(job)));
        } else {
            self.look(key, effects)?;
        }
        Ok(())
    }

    pub(super) fn look(
        &mut self,
        key: &OrderKey,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let expected = self.store.newest_at_main(key)?.map(standing).map(Box::new);
        effects.push(Effect::Look { key: key.clone(), expected });
        Ok(())
    }

    pub(super) fn looked(
        &mut self,
        now: Now,
        key: &OrderKey,
        result: Result<Seen, Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match result {
            Ok(seen) => self.decide(now, key, &seen.local, Some(seen.free), effects),
            Err(fault) => self.failed(now, key, &fault, effects),
        }
    }

    /// Asks the planner, and begins what it says. `free` is the room on the volume, where known.
    pub(super) fn decide(
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
        let revisions = self.store.revisions(key)?;
        match self.action(&record, &revisions, local) {
            Action::Nothing | Action::Wait => self.finish(now, key),
            Action::Fetch if self.stopping || self.is_paused(&key.lab) => self.finish(now, key),
            Action::Fetch => match self.set_room_aside(key, &revisions, free)? {
                None => self.fetch(now, record, effects),
                Some(fault) => self.failed(now, key, &fault, effects),
            },
            Action::Adopt => self.adopt(now, &record, local, effects),
            Action::RecordUnchanged => self.unchanged(now, record, effects),
            Action::Publish { revision, target } => {
                self.begin_publication(now, &record, &revisions, revision, target, effects)
            }
        }
    }

    fn action(
        &self,
        record: &OrderRecord,
        revisions: &[RevisionRecord],
        local: &LocalPicture,
    ) -> Action {
        let fetched = self.jobs.get(&record.key).and_then(|job| job.fetched.as_ref());
        let remote = match fetched {
            Some(fetched) => Remote::Fetched(&fetched.files),
            None if record.is_wanted() => Remote::Changed,
            None if record.is_away() => Remote::Away,
            None => Remote::Same,
        };
        let at_main = revisions
            .iter()
            .rev()
            .find(|revision| revision.place == crate::model::record::Place::Main)
            .map(|revision| revision.manifest.revision);
        let retired = matches!(record.retired, Retired::Yes | Retired::UnderWay);
        let published =
            revisions.last().map(|newest| Published { newest: &newest.manifest, at_main, retired });
        let policy = Policy { restore: self.policy.restore, asked: record.forced };
        plan::plan(remote, published, local_view(local), policy)
    }

    /// Sets the room aside that the order's download will need; a fault if there is too little.
    fn set_room_aside(
        &mut self,
        key: &OrderKey,
        revisions: &[RevisionRecord],
        free: Option<u64>,
    ) -> Result<Option<Fault>, StoreError> {
        let known = revisions.last().map(|newest| newest.manifest.bytes());
        let typical = if known.is_none() {
            let sizes = self.store.recent_sizes(TYPICAL_OF)?;
            sizes.iter().sum::<u64>() / (sizes.len() as u64).max(1)
        } else {
            0
        };
        let room = schedule::room_for(known, typical);
        let others = self.jobs.iter().filter(|(other, _)| *other != key);
        let others = others.map(|(_, job)| job.room).fold(0, u64::saturating_add);
        let stays_free = self.policy.min_free;
        if let Some(free) = free
            && !schedule::has_room(free, stays_free, others, room)
        {
            let text = format!(
                "{} has {} free, {} are needed ({} stay free, {} for other downloads)",
                self.policy.volume.display(),
                size(free),
                size(schedule::needed(stays_free, others, room)),
                size(stays_free),
                size(others),
            );
            return Ok(Some(Fault::new(FaultClass::Local, "disk-full", text).hint(
                "free some space on that volume, or lower retention.min_free; the work goes on by itself",
            )));
        }
        if let Some(job) = self.jobs.get_mut(key) {
            job.room = room;
        }
        Ok(None)
    }

    fn fetch(
        &mut self,
        now: Now,
        mut record: OrderRecord,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let key = record.key.clone();
        let spent = record.trouble.as_ref().map_or_else(Spent::default, |trouble| trouble.spent);
        let attempts = spent.not_converted.saturating_add(spent.damaged);
        // Durable before the first byte is asked for, also where nothing but the folder's state
        // made us want it.
        if !record.is_wanted() {
            record = observe::asked_for(record);
        }
        record.begun = record.evidence;
        self.store.atomically(|store| {
            store.save(&record)?;
            store.tell(&key, now.wall, "fetching", "fetching")
        })?;
        if let Some(job) = self.jobs.get_mut(&key) {
            job.evidence = record.evidence;
        }
        effects.push(Effect::Tell(Notice::Fetching { key: key.clone() }));
        effects.push(Effect::Fetch(Box::new(FetchJob {
            job: job_name(&key),
            key,
            remote: record.remote,
            attempts,
        })));
        Ok(())
    }

    pub(super) fn fetched(
        &mut self,
        now: Now,
        key: &OrderKey,
        result: Result<Fetched, Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match result {
            Err(fault) => {
                self.host_failed(Question::Order(key), &fault, now);
                self.failed(now, key, &fault, effects)
            }
            Ok(fetched) => {
                self.question_answered(Question::Order(key), now);
                if let Some(job) = self.jobs.get_mut(key) {
                    job.fetched = Some(fetched);
                    // What it needed is taken, and no longer free.
                    job.room = 0;
                }
                // The place may have changed while the download ran.
                self.look(key, effects)
            }
        }
    }

    /// An attempt failed: remember why, and when to try again.
    pub(super) fn failed(
        &mut self,
        now: Now,
        key: &OrderKey,
        fault: &Fault,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if fault.class == FaultClass::Auth {
            self.lab_trouble(&key.lab, fault, effects)?;
        }
        let Some(mut record) = self.store.order(key)? else {
            self.jobs.remove(key);
            return Ok(());
        };
        if fault.class == FaultClass::Cancelled {
            return self.finish(now, key);
        }
        let before = record.trouble.take();
        let mut spent = before.as_ref().map_or_else(Spent::default, |trouble| trouble.spent);
        let counted = spent.count(fault.class);
        let before = before.filter(|trouble| trouble.class == fault.class);
        let in_a_row = before.as_ref().map_or(0, |trouble| trouble.attempts).saturating_add(1);
        let attempts = counted.unwrap_or(in_a_row);
        let Next { wait, attention } = self.policy.retry.next(fault, attempts, self.rng.f64());
        let is_news = before.as_ref().is_none_or(|trouble| trouble.code != fault.code)
            || attention
            || fault.class == FaultClass::NotConverted;
        let since = before.map_or(now.wall, |trouble| trouble.since);
        let hint = match fault.class {
            FaultClass::NotConverted if attention && record.is_unheard_of() => {
                Some(is_the_number_right(&record))
            }
            FaultClass::NotConverted if attention => Some(for_support(&record, attempts, since)),
            _ => fault.hint.clone(),
        };
        record.trouble = Some(Trouble {
            class: fault.class,
            code: fault.code.to_owned(),
            message: fault.chain(),
            hint: hint.clone(),
            attempts,
            spent,
            since,
            next_try: wait.map(|wait| now.wall.plus(wait)),
            wait: wait.unwrap_or_default(),
            attention,
        });
        self.store.atomically(|store| {
            store.save(&record)?;
            if is_news {
                let kind = if attention { "parked" } else { "failed" };
                store.tell(key, now.wall, kind, &fault.chain())?;
            }
            Ok(())
        })?;
        effects.push(Effect::Tell(match (fault.class, wait) {
            (FaultClass::NotConverted, Some(wait)) if !attention => {
                Notice::Regenerating { key: key.clone(), wait }
            }
            _ => Notice::Failed {
                key: key.clone(),
                class: fault.class,
                code: fault.code.to_owned(),
                message: fault.chain(),
                hint,
                wait,
                attention,
            },
        }));
        self.jobs.remove(key);
        if let Some(wait) = wait {
            self.wait_after(key, fault, wait, now);
        }
        Ok(())
    }
}

/// What Align's support needs to know of files that do not come.
fn for_support(record: &OrderRecord, attempts: u32, since: WallMs) -> String {
    let or_none = |text: Option<&str>| text.unwrap_or("unknown").to_owned();
    format!(
        "write to iTeroAPISupport@aligntech.com: order {} (Rx id {}, code {}) of account {} is \
         answered with 404, not converted, since {}, {attempts} times by now; `casedrop refetch {}` \
         begins anew",
        record.key.order,
        or_none(record.remote.rx_id.as_ref().map(RxId::as_str)),
        or_none(record.remote.order_code.as_deref()),
        record.key.account,
        since.to_rfc3339(),
        record.key.order,
    )
}

/// What to do about an order that nobody but a person named, and of which no files come.
fn is_the_number_right(record: &OrderRecord) -> String {
    format!(
        "Align has never named order {} here: look for it at myitero.com, and compare the number and \
         the account ({}); with another number, ask for that one",
        record.key.order, record.key.account
    )
}

pub(super) fn history_len(record: &OrderRecord) -> u32 {
    u32::try_from(record.remote.history.len()).unwrap_or(u32::MAX)
}

pub(super) fn standing(revision: RevisionRecord) -> Standing {
    Standing { manifest: revision.manifest, manifest_sha256: revision.manifest_sha256 }
}

fn local_view(local: &LocalPicture) -> Local<'_> {
    match local {
        LocalPicture::Absent => Local::Absent,
        LocalPicture::AsPublished => Local::AsPublished,
        LocalPicture::Reduced { .. } => Local::Reduced,
        LocalPicture::Altered { .. } => Local::Altered,
        LocalPicture::Ours { manifest, .. } => Local::Ours(manifest),
        LocalPicture::Foreign { .. } => Local::Foreign,
    }
}
