//! Holding an incomplete order back, and making it ready for its publication when somebody wants that.

use std::path::Path;

use crate::disk::Kind;
use crate::local::held;
use crate::local::layout::HELD_JOB;
use crate::local::seal::seal_with;
use crate::model::fault::Fault;

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
        let manifest = &job.intent.manifest;
        if job.intent.job.starts_with(HELD_JOB) {
            return held::reseal(&*self.disk, staged, manifest, &self.step);
        }
        seal_with(&*self.disk, staged, manifest, &self.step).map(drop)
    }

    /// The process may have ended before what was held back had the manifest of its publication.
    pub(super) fn seal_held(&self, job: &PublishJob, staged: &Path) -> Result<(), Fault> {
        let manifest = &job.intent.manifest;
        let is_there = job.intent.job.starts_with(HELD_JOB)
            && self.disk.kind(staged)? == Some(Kind::Dir)
            && held::is_whole(&*self.disk, staged, manifest)?;
        if is_there { held::reseal(&*self.disk, staged, manifest, &self.step) } else { Ok(()) }
    }
}
