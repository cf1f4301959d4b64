//! Determines how far a publication got before the process ended, from the disk alone.

use super::{Publication, Step, Target, Work};
use crate::files::fault_of;
use crate::history;
use crate::inspect::{LocalPicture, Read, inspect, manifest_sha, read_manifest};
use crate::layout::Layout;
use casedrop_disk::{Disk, Kind, Moved};
use casedrop_model::fault::Fault;
pub use casedrop_model::local::Recovered;

/// Decides, completes or rolls back. Idempotent, and may itself be interrupted; `step` is called
/// before each step.
///
/// A directory with the new manifest counts as published: what has become of its files since is for
/// the next look to find out.
pub fn recover(
    disk: &dyn Disk,
    layout: &Layout,
    publication: &Publication,
    step: &dyn Fn(Step),
) -> Result<Recovered, Fault> {
    step(Step::Recover);
    let work = Work { disk, layout, publication, step, dir: publication.dir(layout) };
    let recovered = work.recover()?;
    step(Step::Recovered);
    Ok(recovered)
}

impl Work<'_> {
    fn recover(&self) -> Result<Recovered, Fault> {
        let (disk, publication) = (self.disk, self.publication);
        let wanted = Some(publication.manifest_sha256.as_str());
        if manifest_sha(disk, &self.dir).map_err(fault_of)?.as_deref() == wanted {
            self.old_to_history()?;
            self.done()?;
            return Ok(Recovered::Published);
        }
        if is_whole(disk, publication)? {
            return Ok(Recovered::Ready);
        }
        if let Target::Replace { previous_manifest, previous_sha256 } = &publication.target
            && disk.kind(&self.dir)?.is_none()
            && let Some(aside) = history::find(
                disk,
                self.layout,
                &publication.key,
                previous_manifest.revision,
                previous_sha256,
            )?
        {
            (self.step)(Step::PutBack);
            disk.create_dirs(self.parent())?;
            if disk.rename(&aside, &self.dir).map_err(fault_of)? == Moved::Done {
                self.sync_up(self.parent(), &self.layout.output)?;
            }
        }
        Ok(Recovered::Lost)
    }
}

fn is_whole(disk: &dyn Disk, publication: &Publication) -> Result<bool, Fault> {
    let staged = &publication.staged;
    if disk.kind(staged)? != Some(Kind::Dir) {
        return Ok(false);
    }
    let Read::Manifest(manifest, sha) = read_manifest(disk, staged)? else { return Ok(false) };
    Ok(sha == publication.manifest_sha256
        && inspect(disk, staged, Some(&manifest), Some(&sha))? == LocalPicture::AsPublished)
}
