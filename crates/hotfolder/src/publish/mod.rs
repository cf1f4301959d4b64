//! Puts a sealed order where others see it: one rename, or one exchange with the previous revision.
//!
//! Between any two steps the target is whole: it holds the old revision, the new one or, on systems
//! without an exchange, briefly nothing. [`recover`] tells from the disk alone how far a
//! publication got; publishing again completes it.

mod recover;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use recover::{Recovered, recover};

use super::files::{fault_of, held_fault};
use super::history;
use super::inspect::{LocalPicture, inspect, manifest_sha};
use super::layout::Layout;
use super::root::check_root;
use casedrop_disk::{Disk, DiskError, Kind, Moved};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::ids::OrderKey;
pub use casedrop_model::local::PublishOutcome;
use casedrop_model::manifest::Manifest;
pub use casedrop_model::step::Step;

/// What is to be published, as recorded in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub key: OrderKey,
    pub revision: u32,
    /// Where it was sealed.
    pub staged: PathBuf,
    /// What is expected at its place.
    pub target: Target,
    /// SHA-256 of the sealed manifest's bytes.
    pub manifest_sha256: String,
}

/// What a publication expects at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Fresh,
    /// A revision of ours, unchanged or with some files gone.
    Replace {
        previous_manifest: Box<Manifest>,
        /// SHA-256 of its manifest's bytes.
        previous_sha256: String,
    },
    /// Other people's work, which is kept: this revision goes next to it.
    Beside,
}

impl Publication {
    /// Returns the directory in which it is published.
    pub fn dir(&self, layout: &Layout) -> PathBuf {
        match self.target {
            Target::Fresh | Target::Replace { .. } => layout.order_dir(&self.key),
            Target::Beside => layout.beside_dir(&self.key, self.revision),
        }
    }
}

/// Publishes a sealed order. `step` is called before each step. Idempotent: can be repeated after
/// any fault or crash.
///
/// # Errors
/// `output-gone` if the output folder vanished; `target-busy` if a program holds the old revision
/// open; otherwise the disk's own error. The target is whole in every case.
pub fn publish(
    disk: &dyn Disk,
    layout: &Layout,
    root_id: &str,
    publication: &Publication,
    step: &dyn Fn(Step),
) -> Result<PublishOutcome, Fault> {
    check_root(disk, layout, root_id)?;
    let work = Work { disk, layout, publication, step, dir: publication.dir(layout) };
    step(Step::Look);
    if manifest_sha(disk, &work.dir).map_err(fault_of)?.as_deref()
        == Some(&publication.manifest_sha256)
    {
        // An earlier attempt got this far.
        work.old_to_history()?;
        return work.done();
    }
    let (expected, sha) = match &publication.target {
        Target::Replace { previous_manifest, previous_sha256 } => {
            (Some(&**previous_manifest), Some(previous_sha256.as_str()))
        }
        Target::Fresh | Target::Beside => (None, None),
    };
    let found = inspect(disk, &work.dir, expected, sha)?;
    let moved = match found {
        LocalPicture::Absent => work.move_in()?,
        LocalPicture::AsPublished | LocalPicture::Reduced { .. } if work.is_empty()? => {
            work.move_in()?
        }
        LocalPicture::AsPublished | LocalPicture::Reduced { .. } => work.replace()?,
        found => return Ok(PublishOutcome::TargetChanged { found }),
    };
    if moved == Moved::TargetExists {
        let found = inspect(disk, &work.dir, None, None)?;
        return Ok(PublishOutcome::TargetChanged { found });
    }
    work.done()
}

/// A publication in progress.
struct Work<'a> {
    disk: &'a dyn Disk,
    layout: &'a Layout,
    publication: &'a Publication,
    step: &'a dyn Fn(Step),
    dir: PathBuf,
}

impl Work<'_> {
    fn parent(&self) -> &Path {
        self.dir.parent().unwrap_or(&self.layout.output)
    }

    fn is_empty(&self) -> Result<bool, Fault> {
        Ok(self.disk.list(&self.dir).map_err(fault_of)?.is_empty())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<Moved, Fault> {
        self.disk.rename(from, to).map_err(|error| held_fault(self.disk, from, error))
    }

    /// For a target that is missing or an empty directory.
    fn move_in(&self) -> Result<Moved, Fault> {
        (self.step)(Step::MakeParent);
        self.disk.create_dirs(self.parent())?;
        if self.disk.kind(&self.dir)? == Some(Kind::Dir) {
            (self.step)(Step::ClearEmpty);
            match self.disk.remove_dir(&self.dir) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                // Something was put in just now.
                Err(error) if error.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                    return Ok(Moved::TargetExists);
                }
                Err(error) => return Err(fault_of(error)),
            }
        }
        (self.step)(Step::MoveIn);
        self.rename(&self.publication.staged, &self.dir)
    }

    /// For a target that holds the previous revision.
    fn replace(&self) -> Result<Moved, Fault> {
        (self.step)(Step::Exchange);
        let exchanged = self.disk.exchange(&self.publication.staged, &self.dir);
        if exchanged.map_err(|error| held_fault(self.disk, &self.dir, error))? {
            self.old_to_history()?;
            return Ok(Moved::Done);
        }
        let aside = self.history_place()?;
        (self.step)(Step::MoveAside);
        if self.rename(&self.dir, &aside)? == Moved::TargetExists {
            return Err(in_the_way(&aside));
        }
        (self.step)(Step::MoveIn);
        match self.disk.rename(&self.publication.staged, &self.dir) {
            Ok(moved) => Ok(moved),
            Err(error) => {
                let fault = held_fault(self.disk, &self.publication.staged, error);
                self.put_back(&aside, &fault);
                Err(fault)
            }
        }
    }

    /// Undoes moving the old revision out, because the new one could not move in. If that fails
    /// too, the old one is in history, and the next attempt finds the target free.
    fn put_back(&self, aside: &Path, fault: &Fault) {
        match self.disk.rename(aside, &self.dir) {
            Ok(Moved::Done) => {}
            Ok(Moved::TargetExists) | Err(_) => tracing::warn!(
                lab = %self.publication.key.lab,
                order = %self.publication.key.order,
                error = %fault.chain(),
                "the order's place stays empty until the new revision can be moved in"
            ),
        }
    }

    /// After an exchange, the previous revision is where the new one was staged.
    fn old_to_history(&self) -> Result<(), Fault> {
        let staged = &self.publication.staged;
        if !matches!(self.publication.target, Target::Replace { .. })
            || self.disk.kind(staged)?.is_none()
        {
            return Ok(());
        }
        let place = self.history_place()?;
        (self.step)(Step::OldToHistory);
        match self.rename(staged, &place)? {
            Moved::Done => Ok(()),
            Moved::TargetExists => Err(in_the_way(&place)),
        }
    }

    fn history_place(&self) -> Result<PathBuf, Fault> {
        let revision = match &self.publication.target {
            Target::Replace { previous_manifest, .. } => previous_manifest.revision,
            Target::Fresh | Target::Beside => self.publication.revision,
        };
        (self.step)(Step::MakeHistory);
        history::free_place(self.disk, self.layout, &self.publication.key, revision)
    }

    fn done(&self) -> Result<PublishOutcome, Fault> {
        (self.step)(Step::SyncTarget);
        self.sync_up(self.parent(), &self.layout.output)?;
        (self.step)(Step::SyncStaging);
        if let Some(work) = self.publication.staged.parent()
            && self.disk.kind(work)? == Some(Kind::Dir)
        {
            self.disk.sync_dir(work)?;
        }
        let history = self.layout.order_history(&self.publication.key);
        if self.disk.kind(&history)? == Some(Kind::Dir) {
            self.sync_up(&history, &self.layout.staging)?;
        }
        (self.step)(Step::Report);
        Ok(PublishOutcome::Done { dir: self.dir.clone() })
    }

    /// Syncs a directory and its parents up to `top`. An attempt that stopped between creating a
    /// directory and syncing its parent leaves one that is visible but not yet durable.
    fn sync_up(&self, dir: &Path, top: &Path) -> Result<(), DiskError> {
        dir.ancestors()
            .take_while(|dir| dir.starts_with(top))
            .try_for_each(|dir| self.disk.sync_dir(dir))
    }
}

fn in_the_way(place: &Path) -> Fault {
    let text = format!("{} appeared while the order was being published", place.display());
    Fault::new(FaultClass::Local, "staging-disturbed", text)
        .hint("keep other programs out of the staging folder")
}
