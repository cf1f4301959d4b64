//! Holds back an incomplete order, and prepares it for publication when a user asks for that.

use std::path::Path;

use crate::hotfolder::held;
use crate::hotfolder::inspect::manifest_with;
use crate::hotfolder::layout::HELD_JOB;
use crate::hotfolder::publish::Recovered;
use crate::hotfolder::write_manifest::write_manifest_with;
use crate::model::fault::Fault;
use crate::model::manifest::Manifest;

use super::Executor;
use crate::engine::effects::{HoldJob, PublishJob};

impl Executor {
    /// Moves a staged order to where nothing is swept, and releases its claim: from then on what is
    /// there documents the order, even if the journal is lost.
    pub(super) fn hold(&self, job: &HoldJob) -> Result<(), Fault> {
        self.root.check()?;
        let staged = self.layout.work_dir(&job.job);
        held::keep(&*self.disk, &self.layout, (&staged, &job.dir), &job.manifest, &self.step)?;
        self.release(&job.job);
        Ok(())
    }

    /// Makes a staged order complete and durable.
    pub(super) fn write_manifest(&self, job: &PublishJob, staged: &Path) -> Result<(), Fault> {
        let intent = &job.intent;
        if !intent.job.starts_with(HELD_JOB) {
            let named = self.named(job, staged);
            let manifest = named.as_deref().unwrap_or(&intent.manifest);
            return write_manifest_with(&*self.disk, staged, manifest, &self.step).map(drop);
        }
        match held::manifest_in(&*self.disk, staged)? {
            // An earlier attempt got this far.
            Some((manifest, sha)) if sha == intent.manifest_sha256 => {
                held::check(&*self.disk, staged, &manifest)
            }
            _ => held::reseal(&*self.disk, staged, &intent.manifest, &self.step),
        }
    }

    /// The manifest that an earlier attempt sealed. After a restart the intent comes from the
    /// journal, which has placeholders where a file name may contain a person's name.
    pub(super) fn named(&self, job: &PublishJob, staged: &Path) -> Option<Box<Manifest>> {
        let intent = &job.intent;
        if !intent.manifest.has_stand_ins() {
            return None;
        }
        manifest_with(&*self.disk, staged, &intent.manifest_sha256).ok().flatten()
    }

    /// Corrects the outcome of an interrupted publication if the process ended before the held-back
    /// revision had the manifest for its publication.
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
