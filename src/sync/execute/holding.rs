//! Holding an incomplete order back, and making it ready for its publication when somebody wants that.

use std::path::Path;

use crate::local::held;
use crate::local::layout::HELD_JOB;
use crate::local::look::manifest_with;
use crate::local::publish::Recovered;
use crate::local::seal::seal_with;
use crate::model::fault::Fault;
use crate::model::manifest::Manifest;

use super::super::effects::{HoldJob, PublishJob};
use super::Executor;

impl Executor {
    /// Keeps a staged order where nothing is swept. From then on what lies there tells of it, should
    /// the journal be lost, and its claim goes.
    pub(super) fn hold(&self, job: &HoldJob) -> Result<(), Fault> {
        self.root.check()?;
        let staged = self.layout.work_dir(&job.job);
        held::keep(&*self.disk, &self.layout, (&staged, &job.dir), &job.manifest, &self.step)?;
        self.release(&job.job);
        Ok(())
    }

    /// Makes a staged order complete and durable.
    pub(super) fn seal(&self, job: &PublishJob, staged: &Path) -> Result<(), Fault> {
        let intent = &job.intent;
        if !intent.job.starts_with(HELD_JOB) {
            let named = self.named(job, staged);
            let manifest = named.as_deref().unwrap_or(&intent.manifest);
            return seal_with(&*self.disk, staged, manifest, &self.step).map(drop);
        }
        match held::manifest_in(&*self.disk, staged)? {
            // An earlier attempt came this far.
            Some((manifest, sha)) if sha == intent.manifest_sha256 => {
                held::check(&*self.disk, staged, &manifest)
            }
            _ => held::reseal(&*self.disk, staged, &intent.manifest, &self.step),
        }
    }

    /// The manifest of what an earlier attempt sealed. The journal, from which the intent comes after a
    /// restart, has stand-ins where a file may be called after a person.
    pub(super) fn named(&self, job: &PublishJob, staged: &Path) -> Option<Box<Manifest>> {
        let intent = &job.intent;
        if !intent.manifest.has_stand_ins() {
            return None;
        }
        manifest_with(&*self.disk, staged, &intent.manifest_sha256).ok().flatten()
    }

    /// What was found out of an interrupted publication, where the process ended before what was held
    /// back had the manifest of its publication.
    pub(super) fn or_held(
        &self,
        job: &PublishJob,
        staged: &Path,
        recovered: Recovered,
    ) -> Result<Recovered, Fault> {
        if recovered != Recovered::Lost || !job.intent.job.starts_with(HELD_JOB) {
            return Ok(recovered);
        }
        let there = held::manifest_in(&*self.disk, staged)?;
        let is_whole = match there {
            Some((manifest, _)) => {
                manifest.same_content(&job.intent.manifest.files)
                    && held::is_whole(&*self.disk, staged, &manifest)?
            }
            None => false,
        };
        Ok(if is_whole { Recovered::Held } else { recovered })
    }
}
