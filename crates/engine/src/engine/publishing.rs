//! From "in staging" to "in the hot folder", including recovery from a crash in between.

use super::extras;
use super::fetching::{history_len, job_name, standing};
use super::{Effect, Engine, Fetched, Job, Notice, Now, OrderKey, OrderRecord, StoreError};
use casedrop_journal::RevisionRecord;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::findings::FindingCounts;
use casedrop_model::local::HELD_JOB;
use casedrop_model::local::LocalPicture;
use casedrop_model::local::{PublishOutcome, Recovered};
use casedrop_model::manifest::{Account, Manifest, Previous, Reason, SCHEMA};
use casedrop_model::order::Status;
use casedrop_model::prescription::Prescription;
use casedrop_model::record::{Intent, IntentTarget, PublishedRecord, Retired};

use crate::effects::PublishJob;
use crate::reason::reason_for_next;

/// After this many changes of the target in a row, the order waits before the next attempt.
const MAX_TARGET_CHANGES: u32 = 3;

impl Engine {
    pub(super) fn intent(&self, key: &OrderKey) -> Result<Option<Intent>, StoreError> {
        Ok(self.store.intents()?.into_iter().find(|intent| &intent.key == key))
    }

    /// The publication that an intent describes, with what it replaces.
    pub(super) fn publish_job(&self, intent: Intent) -> Result<PublishJob, StoreError> {
        let replaces = match intent.target {
            IntentTarget::Replace(_) => self.store.newest_at_main(&intent.key)?.map(standing),
            IntentTarget::Fresh | IntentTarget::Beside => None,
        };
        Ok(PublishJob { intent, replaces })
    }

    pub(super) fn begin_publication(
        &mut self,
        now: Now,
        record: &OrderRecord,
        revisions: &[RevisionRecord],
        revision: u32,
        target: IntentTarget,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Some(job) = self.jobs.get(&record.key) else { return Ok(()) };
        let Some(fetched) = &job.fetched else { return self.finish(now, &record.key) };
        // If the name beside the order is taken too, counting up finds a free one sooner or later.
        let bump = if target == IntentTarget::Beside { job.target_changes } else { 0 };
        let (evidence, history_seen) = (job.evidence, job.history_seen);
        let is_release = job.release.is_some();
        let mut manifest =
            self.manifest(now, record, revisions.last(), revision + bump, fetched.clone())?;
        if let Some(held) = self.store.held(&record.key)?.filter(|_| is_release) {
            // As it was when it was fetched.
            manifest.reason = held.manifest.reason;
            manifest.status = held.manifest.status;
        }
        let intent = Intent {
            key: record.key.clone(),
            manifest_sha256: casedrop_model::digest::sha256(&manifest.to_bytes()),
            manifest,
            evidence,
            job: self.staged_job(&record.key),
            target,
            history_seen,
            etag: fetched.etag.clone(),
        };
        self.store.save_intent(&intent)?;
        let job = self.publish_job(intent)?;
        effects.push(Effect::Publish(Box::new(job)));
        Ok(())
    }

    pub(super) fn manifest(
        &self,
        now: Now,
        record: &OrderRecord,
        previous: Option<&RevisionRecord>,
        revision: u32,
        fetched: Fetched,
    ) -> Result<Manifest, StoreError> {
        let reason = match (&record.published, previous) {
            (Some(_), _) if self.is_late(&record.key) => Reason::Extras,
            (Some(published), _) => {
                let away = record.away.as_ref();
                reason_for_next(&record.remote, published.history_seen, away, record.forced)
            }
            (None, None) => Reason::FirstScan,
            (None, Some(_)) => Reason::FilesChanged,
        };
        let completes = |old: &RevisionRecord| old.manifest.is_completed_by(&fetched.files);
        let reason = match reason {
            Reason::FilesChanged if previous.is_some_and(completes) => Reason::Extras,
            reason => reason,
        };
        let lab = self.lab_record(&record.key.lab)?;
        let name = lab
            .account_name
            .filter(|_| lab.account.as_deref() == Some(record.key.account.as_str()));
        // What Align answers may be newer than the files.
        let (remote, told) = (&record.remote, fetched.prescription);
        Ok(Manifest {
            schema: SCHEMA,
            lab: record.key.lab.to_string(),
            account: Account { id: record.key.account.to_string(), name },
            order_id: record.key.order.to_string(),
            rx_id: remote.rx_id.as_ref().map(ToString::to_string),
            order_code: remote.order_code.clone(),
            status: remote.status.to_string(),
            case_type: remote.case_type.clone(),
            procedure: remote.procedure.clone().or(told.procedure),
            due_date: remote.due_date.or(told.due_date),
            doctor: remote.doctor.clone().or(told.doctor),
            teeth: told.teeth,
            revision,
            reason,
            published_at: now.wall.to_rfc3339(),
            agent: self.policy.agent.clone(),
            files: fetched.files,
            left_out: fetched.left_out,
            missing: fetched.missing,
            previous: previous.map(|previous| Previous {
                revision: previous.manifest.revision,
                manifest_sha256: previous.manifest_sha256.clone(),
            }),
            findings: fetched.findings,
        })
    }

    pub(super) fn published(
        &mut self,
        now: Now,
        key: &OrderKey,
        result: Result<PublishOutcome, Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match result {
            Err(fault) => self.failed(now, key, &fault, effects),
            Ok(PublishOutcome::Done { .. }) => match self.intent(key)? {
                Some(intent) => {
                    self.record_publication(now, &intent, effects)?;
                    self.finish(now, key)
                }
                None => self.finish(now, key),
            },
            Ok(PublishOutcome::TargetChanged { found }) => {
                self.target_changed(now, key, &found, effects)
            }
        }
    }

    /// The order's place was changed at the last moment: decides again from what is there now.
    fn target_changed(
        &mut self,
        now: Now,
        key: &OrderKey,
        found: &LocalPicture,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let intent = self.intent(key)?;
        let Some(job) = self.jobs.get_mut(key) else { return Ok(()) };
        job.target_changes += 1;
        if job.target_changes > MAX_TARGET_CHANGES {
            let fault = Fault::new(
                FaultClass::Local,
                "target-changes",
                format!("the folder of order {} keeps changing", key.order),
            )
            .hint("close the programs that use it");
            return self.failed(now, key, &fault, effects);
        }
        if job.fetched.is_none() {
            let Some(intent) = intent else { return self.finish(now, key) };
            let manifest = intent.manifest.clone();
            take_up(job, &intent, manifest);
        }
        self.decide(now, key, found, None, effects)
    }

    pub(super) fn recovered(
        &mut self,
        now: Now,
        key: &OrderKey,
        result: Result<Recovered, Fault>,
        staged: Option<Box<Manifest>>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let recovered = match result {
            Ok(recovered) => recovered,
            Err(fault) => return self.failed(now, key, &fault, effects),
        };
        let Some(intent) = self.intent(key)? else { return self.look(key, effects) };
        match recovered {
            Recovered::Published => {
                self.record_publication(now, &intent, effects)?;
                self.finish(now, key)
            }
            Recovered::Ready => {
                if let (Some(job), Some(staged)) = (self.jobs.get_mut(key), staged) {
                    // In case its target changed in the meantime.
                    take_up(job, &intent, *staged);
                }
                let job = self.publish_job(intent)?;
                effects.push(Effect::Publish(Box::new(job)));
                Ok(())
            }
            Recovered::Held => {
                self.store.drop_intent(key)?;
                self.look(key, effects)
            }
            Recovered::Lost if intent.job.starts_with(HELD_JOB) => self.hold_lost(now, key),
            Recovered::Lost => {
                self.store.drop_intent(key)?;
                discard(key, false, effects);
                Ok(())
            }
        }
    }

    fn record_publication(
        &mut self,
        now: Now,
        intent: &Intent,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let key = &intent.key;
        let Some(mut record) = self.store.order(key)? else { return Ok(()) };
        covered(&mut record, intent.evidence);
        // Late extras say nothing about the package.
        let former = record.published.as_ref().filter(|_| self.is_late(key));
        let confirmed = former.map_or(now.wall, |former| former.confirmed);
        if former.is_none() {
            record.notified_vain = 0;
            record.away = Some(record.remote.status.clone()).filter(Status::is_away);
        }
        record.published = Some(PublishedRecord {
            revision: intent.manifest.revision,
            manifest_sha256: intent.manifest_sha256.clone(),
            at: now.wall,
            confirmed,
            place: intent.target.place(),
            history_seen: intent.history_seen,
        });
        record.retired = Retired::No;
        record.picked_up = None;
        record.prescription = Prescription::of(&intent.manifest);
        let held = self.makes_way(intent)?;
        if held.is_some() {
            record.held = None;
        }
        let notice = Notice::Published {
            key: key.clone(),
            revision: intent.manifest.revision,
            reason: intent.manifest.reason,
            place: intent.target.place(),
            files: intent.manifest.files.len(),
            bytes: intent.manifest.bytes(),
            findings: FindingCounts::of(&intent.manifest.findings),
        };
        let late = self.late_after(now, key, &intent.manifest)?;
        let before = self.store.revisions(key)?.pop().map(|before| before.manifest);
        let story = match intent.manifest.reason {
            Reason::Extras => extras::came(before.as_ref(), &intent.manifest),
            _ => None,
        };
        let story = story.unwrap_or_else(|| told(&notice));
        let story = match extras::awaited(&late) {
            Some(more) => format!("{story}, {more}"),
            None => story,
        };
        self.store.atomically(|store| {
            store.count_time(now)?;
            store.record_publication(&record, intent, now.wall)?;
            if held.is_some() {
                store.drop_hold(key)?;
            }
            store.set_late(key, &late)?;
            store.tell(key, now.wall, "published", &story)
        })?;
        self.expect_late(now, key, &late);
        if let Some(held) = held {
            self.hold_ends(held, &intent.job, effects);
        }
        effects.push(Effect::Tell(notice));
        Ok(())
    }

    /// Records that the fetched content is already published.
    pub(super) fn unchanged(
        &mut self,
        now: Now,
        mut record: OrderRecord,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let key = record.key.clone();
        let (evidence, history_seen) =
            self.jobs.get(&key).map_or((record.evidence, history_len(&record)), |job| {
                (job.evidence, job.history_seen)
            });
        covered(&mut record, evidence);
        // The content to be published from `held` is already in place.
        let held = self.store.held(&key)?.filter(|_| self.is_release(&key));
        if held.is_some() {
            record.held = None;
        }
        if let Some(published) = &mut record.published {
            published.confirmed = now.wall;
            published.history_seen = history_seen;
        }
        self.store.atomically(|store| {
            store.record_unchanged(&record)?;
            if held.is_some() {
                store.drop_hold(&key)?;
            }
            // A target that changed in the meantime may have left an intent.
            store.drop_intent(&key)?;
            store.tell(&key, now.wall, "unchanged", "fetched again, unchanged")
        })?;
        if let Some(held) = held {
            self.hold_ends(held, &job_name(&key), effects);
        }
        discard(&key, true, effects);
        effects.push(Effect::Tell(Notice::Unchanged { key }));
        Ok(())
    }

    /// Records in the journal an order that is already in place and complete.
    pub(super) fn adopt(
        &mut self,
        now: Now,
        record: &OrderRecord,
        local: &LocalPicture,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let key = record.key.clone();
        let LocalPicture::Ours { manifest, manifest_sha256 } = local else {
            return self.finish(now, &key);
        };
        let intent = Intent {
            key: key.clone(),
            manifest: (**manifest).clone(),
            manifest_sha256: manifest_sha256.clone(),
            evidence: self.jobs.get(&key).map_or(record.evidence, |job| job.evidence),
            job: job_name(&key),
            target: IntentTarget::Fresh,
            history_seen: history_len(record),
            etag: None,
        };
        self.record_publication(now, &intent, effects)?;
        discard(&key, true, effects);
        Ok(())
    }
}

/// The order's staged directory is not needed; its job ends with the answer.
pub(super) fn discard(key: &OrderKey, done: bool, effects: &mut Vec<Effect>) {
    effects.push(Effect::Discard { key: key.clone(), job: job_name(key), done });
}

/// Treats the content of an interrupted publication as fetched.
fn take_up(job: &mut Job, intent: &Intent, manifest: Manifest) {
    job.evidence = intent.evidence;
    job.history_seen = intent.history_seen;
    job.fetched = Some(Fetched {
        prescription: Prescription::of(&manifest),
        files: manifest.files,
        left_out: manifest.left_out,
        missing: manifest.missing,
        lacking: Vec::new(),
        findings: manifest.findings,
        etag: intent.etag.clone(),
        hosts: Vec::new(),
    });
}

/// Marks the evidence up to `evidence` as dealt with.
pub(super) fn covered(record: &mut OrderRecord, evidence: u64) {
    record.fetched = record.fetched.max(evidence);
    record.trouble = None;
    if record.evidence <= record.fetched {
        record.forced = false;
    }
}

/// The notice without the order's name, for the order's own story.
fn told(notice: &Notice) -> String {
    let text = notice.to_string();
    text.split_once(": ").map_or(text.clone(), |(_, rest)| rest.to_owned())
}
