//! From "wanted" to "in staging".

use super::plan::{Action, Local, Policy, Published, Remote};
use super::{
    Effect, Engine, Fetched, Job, Notice, Now, OrderKey, OrderRecord, StoreError, TYPICAL_OF,
    Waiting, observe, plan, schedule,
};
use casedrop_journal::RevisionRecord;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::local::LocalPicture;
use casedrop_model::local::too_little;
use casedrop_model::record::Retired;

use crate::effects::{FetchJob, Seen, Standing};
use crate::pace::Pace;
use casedrop_model::size::size;

/// The name of an order's directory below the staging's `work`: fixed per order, so that the
/// remains of an interrupted job are found again.
pub fn job_name(key: &OrderKey) -> String {
    format!("{}~{}~{}", key.lab.dir_name(), key.account.dir_name(), key.order.dir_name())
}

impl Engine {
    /// Starts processing an order: first an interrupted publication, if there is one; else a look
    /// at its place.
    pub(super) fn start(
        &mut self,
        now: Now,
        key: &OrderKey,
        waiting: &Waiting,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Some(record) = self.store.order(key)? else { return Ok(()) };
        let job = Job {
            evidence: record.evidence,
            history_seen: history_len(&record),
            fetched: None,
            target_changes: 0,
            room: 0,
            came: waiting.came,
            began: now.mono,
            is_retry: !waiting.is_new,
            fetching_since: None,
            pace: None,
            given_up: None,
            late: None,
            release: None,
            holding: None,
        };
        if let Some(lab) = self.labs.get_mut(&key.lab).filter(|_| waiting.is_new) {
            lab.newest_begun = lab.newest_begun.max(waiting.came);
        }
        self.work_begins(key, waiting.is_new, now);
        self.jobs.insert(key.clone(), job);
        self.take_up_held(key)?;
        if let Some(intent) = self.intent(key)? {
            if let Some(job) = self.jobs.get_mut(key).filter(|_| !record.needs_work()) {
                // Only a publication of late extras leaves nothing else to do.
                job.late = Some(Vec::new());
                job.evidence = intent.evidence;
                job.history_seen = intent.history_seen;
            }
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
        let held = self.jobs.get(key).and_then(|job| job.release.clone());
        effects.push(Effect::Look { key: key.clone(), expected, held });
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
            Ok(Seen { local, free, held }) => {
                if self.saw_held(key, held.map(|held| *held)) {
                    return self.hold_lost(now, key);
                }
                self.decide(now, key, &local, Some(free), effects)
            }
            Err(fault) => self.failed(now, key, &fault, effects),
        }
    }

    /// Asks the planner and starts what it says. `free` is the space on the volume, if known.
    pub(super) fn decide(
        &mut self,
        now: Now,
        key: &OrderKey,
        local: &LocalPicture,
        free: Option<u64>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if self.is_late(key) {
            return self.decide_late(now, key, local, free, effects);
        }
        let Some(record) = self.store.order(key)? else {
            self.jobs.remove(key);
            return Ok(());
        };
        let revisions = self.store.revisions(key)?;
        match self.action(&record, &revisions, local)? {
            Action::Nothing | Action::Wait | Action::FetchExtras => self.finish(now, key),
            Action::Fetch if self.stopping || self.is_paused(&key.lab) => self.finish(now, key),
            Action::Fetch => match self.set_room_aside(key, &revisions, free)? {
                None => self.fetch(now, record, effects),
                Some(fault) => self.failed(now, key, &fault, effects),
            },
            Action::Adopt => self.adopt(now, &record, local, effects),
            Action::RecordUnchanged => self.unchanged(now, record, effects),
            Action::Hold { revision } => {
                self.begin_hold(now, &record, &revisions, revision, false, effects)
            }
            Action::StillHeld => self.still_held(now, record, effects),
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
    ) -> Result<Action, StoreError> {
        let fetched = self.jobs.get(&record.key).and_then(|job| job.fetched.as_ref());
        let remote = match fetched {
            Some(fetched) => {
                Remote::Fetched(plan::Staged { files: &fetched.files, missing: &fetched.missing })
            }
            None if record.is_wanted() => Remote::Changed,
            None if record.is_away() => Remote::Away,
            None => Remote::Same,
        };
        let at_main = revisions
            .iter()
            .rev()
            .find(|revision| revision.place == casedrop_model::record::Place::Main)
            .map(|revision| revision.manifest.revision);
        let retired = matches!(record.retired, Retired::Yes | Retired::UnderWay);
        let published =
            revisions.last().map(|newest| Published { newest: &newest.manifest, at_main, retired });
        let is_release = self.is_release(&record.key);
        let held = self.store.held(&record.key)?.filter(|_| !is_release);
        let policy = Policy {
            restore: self.policy.restore,
            // A user who wants the held-back revision published does not want a revision already
            // there replaced by itself.
            asked: record.forced && !is_release,
            holds: self.holds_back(&record.key),
            held: held.as_ref().map(|held| &held.manifest),
        };
        Ok(plan::plan(remote, published, local_view(local), policy))
    }

    /// Reserves the space the order's download will need; returns a fault if there is too little.
    pub(super) fn set_room_aside(
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
                "{} has {} free, but {} are needed ({} must stay free, {} are for other downloads)",
                self.policy.volume.display(),
                size(free),
                size(schedule::needed(stays_free, others, room)),
                size(stays_free),
                size(others),
            );
            return Ok(Some(too_little(text)));
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
        let damaged = record.trouble.as_ref().map_or(0, |trouble| trouble.spent.damaged);
        // Durable before the first byte is requested, even if it is wanted only because of the
        // folder's state.
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
            job.fetching_since = Some(now.mono);
            job.pace = Some(Pace::new(now.mono));
        }
        effects.push(Effect::Tell(Notice::Fetching { key: key.clone() }));
        effects.push(Effect::Fetch(Box::new(FetchJob {
            job: job_name(&key),
            key,
            remote: record.remote,
            damaged,
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
        if self.is_late(key) {
            return self.late_fetched(now, key, result, effects);
        }
        match result {
            Err(fault) if fault.class == FaultClass::Cancelled && !self.stopping => {
                self.given_up(now, key, effects)
            }
            Err(fault) => self.fetch_failed(now, key, fault, effects),
            Ok(fetched) => {
                self.downloaded(now, key, &fetched.hosts, effects)?;
                if let Some(job) = self.jobs.get_mut(key) {
                    self.usual.took(now.mono.saturating_sub(job.began));
                    job.fetching_since = None;
                    job.pace = None;
                    job.fetched = Some(fetched);
                    // The space it needed is used now, and no longer counted as free.
                    job.room = 0;
                }
                // The place may have changed while the download ran.
                self.look(key, effects)
            }
        }
    }
}

pub(super) fn history_len(record: &OrderRecord) -> u32 {
    u32::try_from(record.remote.history.len()).unwrap_or(u32::MAX)
}

pub(super) fn standing(revision: RevisionRecord) -> Standing {
    Standing { manifest: revision.manifest, manifest_sha256: revision.manifest_sha256 }
}

pub(super) fn local_view(local: &LocalPicture) -> Local<'_> {
    match local {
        LocalPicture::Absent => Local::Absent,
        LocalPicture::AsPublished => Local::AsPublished,
        LocalPicture::Reduced { .. } => Local::Reduced,
        LocalPicture::Altered { .. } => Local::Altered,
        LocalPicture::Ours { manifest, .. } => Local::Ours(manifest),
        LocalPicture::Foreign { .. } => Local::Foreign,
    }
}
