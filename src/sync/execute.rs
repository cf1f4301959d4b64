//! Does what the engine says: one effect in, one input out. Decides nothing, and looks again at what
//! it touches right before it touches it.

mod fetch;
mod package;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::Config;
use crate::disk::Disk;
use crate::local::layout::Layout;
use crate::local::look::look;
use crate::local::publish::{self, Publication, Step, Target};
use crate::local::seal::seal_with;
use crate::model::cancel::Cancel;
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::LabName;
use crate::model::record::IntentTarget;
use crate::model::remote::Remote;
use crate::secrets::PairedAccount;
use crate::status::Progress;

use super::effects::{Effect, Input, PublishJob};

/// How one lab's Align is reached.
pub struct Link {
    /// Everything but the login.
    pub remote: Arc<dyn Remote>,
    /// Says with which account the login is paired; a fault of class `Auth` if with none.
    pub connect: Box<dyn Fn() -> Result<PairedAccount, Fault> + Send + Sync>,
}

/// The world that effects act on.
pub struct Executor {
    /// What to fetch in which form, under which names, within which limits.
    pub config: Arc<Config>,
    /// The file system.
    pub disk: Arc<dyn Disk>,
    /// Where everything lies.
    pub layout: Layout,
    /// What the output's marker must say.
    pub root_id: String,
    /// The labs.
    pub links: BTreeMap<LabName, Link>,
    /// Who wants to know how downloads go.
    pub progress: Arc<Progress>,
    /// Ends everything at its next safe point.
    pub cancel: Cancel,
    /// Called at each named step.
    pub step: fn(Step),
}

impl Executor {
    /// Does one thing. `None` for effects that have no answer.
    pub fn perform(&self, effect: Effect) -> Option<Input> {
        match effect {
            Effect::Connect { lab } => {
                let result = self.link(&lab).and_then(|link| (link.connect)());
                Some(Input::Connected { lab, result })
            }
            Effect::Poll { lab, account } => {
                let result =
                    self.link(&lab).and_then(|link| link.remote.ready_orders(&self.cancel));
                Some(Input::Polled { lab, account, result })
            }
            Effect::Look { key, expected } => {
                let dir = self.layout.order_dir(&key);
                let expected = expected.as_deref();
                let result = self.check_root().and_then(|()| {
                    look(
                        &*self.disk,
                        &dir,
                        expected.map(|standing| &standing.manifest),
                        expected.map(|standing| standing.manifest_sha256.as_str()),
                    )
                });
                Some(Input::Looked { key, result })
            }
            Effect::Fetch(job) => {
                let result = self.fetch(&job);
                self.progress.end(&job.key);
                Some(Input::Fetched { key: job.key, result })
            }
            Effect::Publish(job) => {
                let publication = self.publication(&job);
                let result = self
                    .check_root()
                    .and_then(|()| {
                        let staged = &publication.staged;
                        seal_with(&*self.disk, staged, &job.intent.manifest, &self.step)
                    })
                    .and_then(|_| {
                        publish::publish(
                            &*self.disk,
                            &self.layout,
                            &self.root_id,
                            &publication,
                            &self.step,
                        )
                    });
                Some(Input::Published { key: job.intent.key, result })
            }
            Effect::Recover(job) => {
                let publication = self.publication(&job);
                let result = self.check_root().and_then(|()| {
                    publish::recover(&*self.disk, &self.layout, &publication, &self.step)
                });
                Some(Input::Recovered { key: job.intent.key, result })
            }
            Effect::Discard { key, job } => {
                let dir = self.layout.work_dir(&job);
                if let Err(error) = self.disk.remove_tree(&dir) {
                    tracing::debug!("{}", Fault::from(error).chain());
                }
                Some(Input::Discarded { key })
            }
            // Whoever runs the engine tells people, in the order in which things happened.
            Effect::Tell(_) => None,
        }
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
            staged: self.layout.work_dir(&job.intent.job),
            target,
            manifest_sha256: job.intent.manifest_sha256.clone(),
        }
    }

    fn check_root(&self) -> Result<(), Fault> {
        crate::local::root::check_root(&*self.disk, &self.layout, &self.root_id)
    }

    fn link(&self, lab: &LabName) -> Result<&Link, Fault> {
        self.links.get(lab).ok_or_else(|| {
            Fault::new(
                FaultClass::Permanent,
                "unknown-lab",
                format!("the config has no lab {lab} any more"),
            )
            .hint("put the lab back into the config, or leave its orders as they are")
        })
    }
}
