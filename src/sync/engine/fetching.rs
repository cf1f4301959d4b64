//! From "wanted" to "lies in staging".

use super::plan::{Action, Local, Policy, Published, Remote};
use super::{
    Effect, Engine, Fetched, Job, Notice, Now, OrderKey, OrderRecord, StoreError, later, plan,
};
use crate::local::look::LocalPicture;
use crate::model::fault::{Fault, FaultClass};
use crate::model::record::Trouble;
use crate::retry;
use crate::store::RevisionRecord;

use super::super::effects::{FetchJob, Standing};

/// The directory below the staging's `work` for an order: one for each, so that what an interrupted
/// piece of work left is found again.
pub(crate) fn job_name(key: &OrderKey) -> String {
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
        result: Result<LocalPicture, Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match result {
            Ok(local) => self.decide(now, key, &local, effects),
            Err(fault) => self.failed(now, key, &fault, effects),
        }
    }

    /// Asks the planner, and begins what it says.
    pub(super) fn decide(
        &mut self,
        now: Now,
        key: &OrderKey,
        local: &LocalPicture,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Some(record) = self.store.order(key)? else {
            self.jobs.remove(key);
            return Ok(());
        };
        let revisions = self.store.revisions(key)?;
        match self.action(&record, &revisions, local) {
            Action::Nothing => self.finish(now, key),
            Action::Fetch => {
                if self.stopping {
                    return self.finish(now, key);
                }
                self.fetch(now, record, effects)
            }
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
            None => Remote::Same,
        };
        let at_main = revisions
            .iter()
            .rev()
            .find(|revision| revision.place == crate::model::record::Place::Main)
            .map(|revision| revision.manifest.revision);
        let published =
            revisions.last().map(|newest| Published { newest: &newest.manifest, at_main });
        let policy = Policy { restore: self.policy.restore };
        plan::plan(remote, published, local_view(local), record.forced, policy)
    }

    fn fetch(
        &mut self,
        now: Now,
        record: OrderRecord,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let key = record.key.clone();
        let patience = [FaultClass::NotConverted, FaultClass::Damaged];
        let attempts = record
            .trouble
            .as_ref()
            .filter(|trouble| patience.contains(&trouble.class))
            .map_or(0, |trouble| trouble.attempts);
        // Durable before the first byte is asked for, also where nothing but the folder's state
        // made us want it.
        self.store.atomically(|store| {
            if !record.is_wanted() {
                store.save(&super::observe::asked_for(record.clone()))?;
            }
            store.tell(&key, now.wall, "fetching", "fetching")
        })?;
        if let Some(job) = self.jobs.get_mut(&key) {
            job.evidence = self.store.order(&key)?.map_or(job.evidence, |record| record.evidence);
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
            Err(fault) => self.failed(now, key, &fault, effects),
            Ok(fetched) => {
                if let Some(job) = self.jobs.get_mut(key) {
                    job.fetched = Some(fetched);
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
        let before = record.trouble.take().filter(|trouble| trouble.class == fault.class);
        let attempts = before.as_ref().map_or(0, |trouble| trouble.attempts).saturating_add(1);
        let wait = retry::next_wait(&self.policy.retry, fault, attempts, self.rng.f64());
        let is_news = before.as_ref().is_none_or(|trouble| trouble.code != fault.code)
            || wait.is_none()
            || fault.class == FaultClass::NotConverted;
        record.trouble = Some(Trouble {
            class: fault.class,
            code: fault.code.to_owned(),
            message: fault.chain(),
            hint: fault.hint.clone(),
            attempts,
            since: before.map_or(now.wall, |trouble| trouble.since),
            next_try: wait.map(|wait| later(now.wall, wait)),
        });
        self.store.atomically(|store| {
            store.save(&record)?;
            if is_news {
                let kind = if wait.is_none() { "parked" } else { "failed" };
                store.tell(key, now.wall, kind, &fault.chain())?;
            }
            Ok(())
        })?;
        effects.push(Effect::Tell(match (fault.class, wait) {
            (FaultClass::NotConverted, Some(wait)) => {
                Notice::Regenerating { key: key.clone(), wait }
            }
            _ => Notice::Failed {
                key: key.clone(),
                class: fault.class,
                code: fault.code.to_owned(),
                message: fault.chain(),
                hint: fault.hint.clone(),
                wait,
            },
        }));
        self.jobs.remove(key);
        if let Some(wait) = wait {
            self.wait_for_turn(key.clone(), now.mono + wait);
        }
        Ok(())
    }
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
