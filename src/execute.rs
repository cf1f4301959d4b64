//! Carries out what the engine decides: one effect in, one input out. Makes no decisions, and
//! checks what it touches again right before touching it.

mod alone;
mod extras;
mod fetch;
mod holding;
pub mod holds;
mod package;
mod retention;
mod room;
#[cfg(test)]
mod tests;
mod timer;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::audit::Audit;
use crate::config::Config;
use crate::disk::Disk;
use crate::hotfolder::claim::{self, Claim};
use crate::hotfolder::held;
use crate::hotfolder::inspect::inspect;
use crate::hotfolder::layout::Layout;
use crate::hotfolder::publish::{self, Publication, PublishOutcome, Recovered, Step, Target};
use crate::hotfolder::root::Root;
use crate::model::cancel::Cancel;
use crate::model::fault::Fault;
use crate::model::ids::{LabName, OrderKey};
use crate::model::record::IntentTarget;
use crate::model::remote::Remote;
use crate::model::time::WallMs;
use crate::secrets::PairedAccount;
use crate::status::{Progress, Stage};

pub use timer::Timer;

use crate::engine::effects::{Effect, FetchJob, Input, PublishJob, Seen, Standing};
use crate::engine::unknown_lab;
use holds::Recorded;

/// How to reach one lab's Align.
pub struct Link {
    /// Everything except the login.
    pub remote: Arc<dyn Remote>,
    /// Returns the account the login is paired with; a fault of class `Auth` if there is none.
    pub connect: Box<dyn Fn() -> Result<PairedAccount, Fault> + Send + Sync>,
}

/// The running downloads, each with its own cancel handle.
#[derive(Debug, Clone, Default)]
pub struct Fetches(Arc<Mutex<BTreeMap<OrderKey, Cancel>>>);

impl Fetches {
    fn table(&self) -> std::sync::MutexGuard<'_, BTreeMap<OrderKey, Cancel>> {
        // A panic elsewhere cannot leave a half-written entry.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The environment that effects act on.
#[derive(Clone)]
pub struct Executor {
    /// What to fetch, in which format, under which names and within which limits.
    pub config: Arc<Config>,
    pub disk: Arc<dyn Disk>,
    /// Where everything is on disk.
    pub layout: Layout,
    /// The output folder, which may come and go.
    pub root: Arc<Root>,
    pub links: Arc<BTreeMap<LabName, Link>>,
    /// Nothing is removed without a record here.
    pub audit: Audit,
    /// Receives the progress of downloads.
    pub progress: Arc<Progress>,
    /// Stops everything at its next safe point.
    pub cancel: Cancel,
    /// Cancels single downloads.
    pub fetches: Fetches,
    /// Called at each named step.
    pub step: fn(Step),
    /// The PC's wall clock.
    pub clock: fn() -> WallMs,
    /// Measures and passes time.
    pub timer: Timer,
}

impl Executor {
    /// Carries out one effect. `None` for effects that have no answer.
    pub fn perform(&self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Connect { lab } => {
                let result = self.link(&lab).and_then(|link| (link.connect)());
                Some(Input::Connected { lab, result })
            }
            Effect::Prove { lab } => {
                let result = self.link(&lab).and_then(|link| link.remote.prove_login(&self.cancel));
                Some(Input::Proved { lab, result })
            }
            Effect::Poll { lab, account } => {
                let result =
                    self.link(&lab).and_then(|link| link.remote.ready_orders(&self.cancel));
                Some(Input::Polled { lab, account, result })
            }
            Effect::Ask { lab, account, rx } => {
                let result =
                    self.link(&lab).and_then(|link| link.remote.order_by_rx(&rx, &self.cancel));
                Some(Input::Answered { lab, account, rx, result })
            }
            Effect::Look { key, expected, held } => {
                let result = self.inspect(&key, expected.as_deref(), held.as_deref());
                Some(Input::Looked { key, result })
            }
            Effect::Fetch(job) => {
                let worker = Self { cancel: self.cancel.child(), ..self.clone() };
                self.fetches.table().insert(job.key.clone(), worker.cancel.clone());
                let result = self.claim(&job).and_then(|()| worker.fetch(&job));
                self.fetches.table().remove(&job.key);
                self.progress.end(&job.key);
                Some(Input::Fetched { key: job.key, result })
            }
            Effect::GiveUp { key } => {
                if let Some(cancel) = self.fetches.table().get(&key) {
                    cancel.cancel();
                }
                None
            }
            Effect::FetchExtras(job) => {
                let result = self.late_extras(&job);
                self.progress.end(&job.key);
                Some(Input::Fetched { key: job.key, result })
            }
            Effect::Publish(job) => {
                self.progress.enter(&job.intent.key, Stage::Publishing);
                let result = self.publish(&job);
                self.progress.end(&job.intent.key);
                Some(Input::Published { key: job.intent.key, result })
            }
            Effect::Recover(job) => {
                let publication = self.publication(&job);
                let result = self.root.check().and_then(|()| {
                    let recovered =
                        publish::recover(&*self.disk, &self.layout, &publication, &self.step)?;
                    self.or_held(&job, &publication.staged, recovered)
                });
                if let Ok(Recovered::Published) = result {
                    self.release(&job.intent.job);
                }
                let staged = match &result {
                    Ok(Recovered::Ready) => self.named(&job, &publication.staged),
                    _ => None,
                };
                Some(Input::Recovered { key: job.intent.key, result, staged })
            }
            Effect::Hold(job) => {
                let result = self.hold(&job);
                Some(Input::Held { key: job.key, result })
            }
            Effect::DropHeld { key, dir } => {
                let witness = Recorded::new(&self.audit, (self.clock)());
                let place = (&key, dir.as_str());
                let dropped = held::discard(&*self.disk, &self.layout, place, &witness, &self.step);
                if let Err(fault) = &dropped {
                    tracing::warn!(lab = %key.lab, order = %key.order, "{}", fault.chain());
                }
                Some(Input::HeldDropped { key, dir, done: dropped.is_ok() })
            }
            Effect::Discard { key, job, done } => {
                self.remove(&self.layout.work_dir(&job));
                if done {
                    self.release(&job);
                }
                Some(Input::Discarded { key })
            }
            Effect::Retire(job) => {
                let result = self.retire(&job);
                Some(Input::Retired { key: job.key, result })
            }
            Effect::Forget(job) => {
                let result = self.forget(&job);
                let revision = job.old.manifest.revision;
                Some(Input::Forgotten { key: job.key, revision, result })
            }
            // The caller that runs the engine shows notices, in the order of events.
            Effect::Tell(_) => None,
        }
    }

    fn inspect(
        &self,
        key: &OrderKey,
        expected: Option<&Standing>,
        held: Option<&str>,
    ) -> Result<Seen, Fault> {
        self.root.check()?;
        let local = inspect(
            &*self.disk,
            &self.layout.order_dir(key),
            expected.map(|standing| &standing.manifest),
            expected.map(|standing| standing.manifest_sha256.as_str()),
        )?;
        let held = match held {
            Some(dir) => held::manifest_in(&*self.disk, &self.layout.held_dir(dir))?,
            None => None,
        };
        let held = held.map(|(manifest, _)| manifest);
        Ok(Seen { local, free: self.disk.free_space(&self.layout.staging)?, held })
    }

    /// Makes a staged order visible.
    fn publish(&self, job: &PublishJob) -> Result<PublishOutcome, Fault> {
        let publication = self.publication(job);
        self.root.check()?;
        self.write_manifest(job, &publication.staged)?;
        let (disk, id) = (&*self.disk, self.root.id());
        let outcome = publish::publish(disk, &self.layout, &id, &publication, &self.step)?;
        if let PublishOutcome::Done { .. } = outcome {
            self.release(&job.intent.job);
        }
        Ok(outcome)
    }

    fn publication(&self, job: &PublishJob) -> Publication {
        let target = match (job.intent.target, &job.replaces) {
            (IntentTarget::Replace(_), Some(old)) => Target::Replace {
                previous_manifest: Box::new(old.manifest.clone()),
                previous_sha256: old.manifest_sha256.clone(),
            },
            (IntentTarget::Beside, _) => Target::Beside,
            (IntentTarget::Fresh | IntentTarget::Replace(_), _) => Target::Fresh,
        };
        Publication {
            key: job.intent.key.clone(),
            revision: job.intent.manifest.revision,
            staged: self.layout.staged_dir(&job.intent.job),
            target,
            manifest_sha256: job.intent.manifest_sha256.clone(),
        }
    }

    /// Leaves a trace of the order outside the journal before its first byte is requested.
    fn claim(&self, job: &FetchJob) -> Result<(), Fault> {
        self.root.check()?;
        let claim = Claim {
            lab: job.key.lab.clone(),
            account: job.key.account.clone(),
            at: (self.clock)(),
            remote: job.remote.clone(),
        };
        Ok(claim::claim(&*self.disk, &self.layout, &job.job, &claim)?)
    }

    /// The order is taken care of: removes its traces from staging. Leftovers do no harm.
    fn release(&self, job: &str) {
        if let Err(error) = claim::release(&*self.disk, &self.layout, job) {
            tracing::debug!("{}", Fault::from(error).chain());
        }
        // A power cut may have restored what was removed before it.
        self.remove(&self.layout.spool_dir(job));
    }

    /// Removes a directory from staging, if it exists. The next user of the place clears it first
    /// anyway.
    fn remove(&self, dir: &Path) {
        let removed = match self.disk.kind(dir) {
            Ok(None) => Ok(()),
            Ok(Some(_)) => self.disk.remove_tree(dir),
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::debug!("{}", Fault::from(error).chain());
        }
    }

    fn link(&self, lab: &LabName) -> Result<&Link, Fault> {
        self.links.get(lab).ok_or_else(|| unknown_lab(lab))
    }
}
