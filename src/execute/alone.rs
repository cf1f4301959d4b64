//! Publishes a single order without engine and journal: the same steps in the same sequence, but
//! nothing is remembered.

use std::path::Path;

use crate::hotfolder::inspect::{LocalPicture, inspect};
use crate::hotfolder::publish::{self, Publication, PublishOutcome, Target};
use crate::hotfolder::write_manifest::write_manifest_with;
use crate::model::fault::{Fault, FaultClass};
use crate::model::manifest::Manifest;

use super::Executor;
use crate::engine::effects::{FetchJob, Fetched};
use crate::status::Stage;

impl Executor {
    /// Fetches an order and publishes it at its own path, which must be empty. Leaves no claim in
    /// staging, so a start of the agent never fetches any of it, whatever happens. Staging is left
    /// as it was.
    ///
    /// # Errors
    /// Those of a fetch and of a publication, and `target-changed` if there is something at its
    /// path.
    pub fn publish_alone(
        &self,
        job: &FetchJob,
        describe: impl FnOnce(Fetched) -> Manifest,
    ) -> Result<Manifest, Fault> {
        // A publication takes a directory with the same manifest for the result of an earlier
        // attempt. Here there was none, and manifests made within the same second can be identical,
        // so anything at the path is foreign.
        let dir = self.layout.order_dir(&job.key);
        if inspect(&*self.disk, &dir, None, None)? != LocalPicture::Absent {
            return Err(is_taken(&dir));
        }
        let fetched = self.fetch(job);
        self.progress.end(&job.key);
        self.progress.enter(&job.key, Stage::Publishing);
        let published = fetched.and_then(|fetched| self.publish_staged(job, describe(fetched)));
        self.progress.end(&job.key);
        self.remove(&self.layout.work_dir(&job.job));
        self.remove(&self.layout.spool_dir(&job.job));
        published
    }

    fn publish_staged(&self, job: &FetchJob, manifest: Manifest) -> Result<Manifest, Fault> {
        self.root.check()?;
        let staged = self.layout.work_dir(&job.job);
        let manifest_sha256 = write_manifest_with(&*self.disk, &staged, &manifest, &self.step)?;
        let publication = Publication {
            key: job.key.clone(),
            revision: manifest.revision,
            staged,
            target: Target::Fresh,
            manifest_sha256,
        };
        let root = self.root.id();
        match publish::publish(&*self.disk, &self.layout, &root, &publication, &self.step)? {
            PublishOutcome::Done { .. } => Ok(manifest),
            PublishOutcome::TargetChanged { .. } => Err(is_taken(&publication.dir(&self.layout))),
        }
    }
}

fn is_taken(dir: &Path) -> Fault {
    let text = format!("something is already at {}", dir.display());
    Fault::new(FaultClass::Local, "target-changed", text).hint("move it away, and try again")
}
