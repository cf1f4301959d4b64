//! Downloads an order's package into its spool. Resumes where an earlier attempt broke off, and
//! never mixes two versions.

use std::path::PathBuf;

use crate::config::FormatConfig;
use crate::hotfolder::partial_download::{Origin, PartialDownload, SpoolDir};
use crate::hotfolder::room::Room;
use crate::model::asset::{AssetKind, AssetRequest};
use crate::model::fault::{Fault, FaultClass};
use crate::model::remote::{AssetBody, Remote};
use crate::model::step::Step;

use super::Executor;
use super::fetch::{next, request};
use crate::engine::effects::FetchJob;
use crate::model::size::size;

/// A package that is complete in its spool.
pub(super) struct Package {
    pub(super) spool: PathBuf,
    pub(super) etag: Option<String>,
    /// The hosts that served it.
    pub(super) hosts: Vec<String>,
    /// Whether some of its bytes come from an earlier attempt.
    pub(super) is_continued: bool,
}

impl Executor {
    /// Streams the package into its spool, appending to what an earlier attempt left there if the
    /// server confirms that it is the same file.
    pub(super) fn package(
        &self,
        remote: &dyn Remote,
        job: &FetchJob,
        wanted: &FormatConfig,
        spools: &SpoolDir<'_>,
    ) -> Result<Package, Fault> {
        let kept = spools.find(&job.key, &wanted.format)?;
        (self.step)(Step::FetchAsked);
        let (mut body, continued) = match self.ask(remote, job, wanted, kept.as_ref()) {
            Ok(asked) => asked,
            Err(fault) => {
                if let Some(kept) = kept.filter(|_| fault.code.starts_with("http-")) {
                    spools.continued(&kept, kept.len())?;
                }
                return Err(fault);
            }
        };
        (self.step)(Step::FetchAnswered);
        let info = body.info().clone();
        let cap = self.config.downloads.limits.archive;
        let mut spool = if let Some(kept) = &continued {
            self.check_space(info.total, kept.len())?;
            tracing::info!(
                lab = %job.key.lab,
                order = %job.key.order,
                "the download resumes after {}",
                size(kept.len())
            );
            spools.resume(kept, cap)?
        } else {
            // What is there is useless now, and may be taking up the space that is missing.
            spools.drop_package()?;
            self.check_space(info.total, 0)?;
            let origin = Origin::of(&job.key, &wanted.format, &info);
            let spool = spools.begin(origin.as_ref(), cap)?;
            (self.step)(Step::SpoolBegun);
            spool
        };
        self.progress.begin(&job.key, AssetKind::Ide, info.offset, info.total);
        let mut known = spool.len().saturating_sub(info.offset);
        let mut room =
            Room::new(info.total.map(|total| total.saturating_sub(spool.len())), |bytes| {
                self.check_room(bytes)
            });
        let mut is_first = true;
        loop {
            let chunk = match next(&mut *body, &self.cancel) {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(fault) => {
                    let len = spool.len();
                    spool.pause()?;
                    if let Some(kept) = continued.filter(|_| fault.class != FaultClass::Cancelled) {
                        spools.continued(&kept, len)?;
                    }
                    return Err(fault);
                }
            };
            self.progress.add(&job.key, chunk.len() as u64);
            let there = usize::try_from(known).map_or(chunk.len(), |known| known.min(chunk.len()));
            known -= there as u64;
            room.take(chunk.len().saturating_sub(there) as u64)?;
            spool.write(&chunk[there..])?;
            if is_first {
                (self.step)(Step::SpoolFirstChunk);
                is_first = false;
            }
        }
        self.progress.is_here(&job.key);
        spool.finish(info.total)?;
        let is_continued = continued.is_some();
        let (etag, hosts) = (info.etag, info.hosts);
        Ok(Package { spool: spools.spool(AssetKind::Ide), etag, hosts, is_continued })
    }

    /// Asks for the rest of what is kept, or for the whole package. The answer is one of the two.
    fn ask(
        &self,
        remote: &dyn Remote,
        job: &FetchJob,
        wanted: &FormatConfig,
        kept: Option<&PartialDownload>,
    ) -> Result<(Box<dyn AssetBody>, Option<PartialDownload>), Fault> {
        let whole = request(job, AssetKind::Ide, wanted);
        if let Some(kept) = kept {
            let rest = AssetRequest { resume: Some(kept.resume()), ..whole.clone() };
            match remote.download(&rest, &self.cancel) {
                Ok(body) if kept.is_continued_by(body.info()) => {
                    return Ok((body, Some(kept.clone())));
                }
                Ok(body) if body.info().offset == 0 => return Ok((body, None)),
                // The rest of a different file; or perhaps only the range request is refused.
                Ok(_) => {}
                Err(fault)
                    if matches!(fault.class, FaultClass::Permanent | FaultClass::Refused) => {}
                Err(fault) => return Err(fault),
            }
        }
        let body = remote.download(&whole, &self.cancel)?;
        if body.info().offset == 0 {
            return Ok((body, None));
        }
        let text =
            format!("the package of order {} does not start at its first byte", job.key.order);
        Err(Fault::new(FaultClass::Transient, "bad-answer", text))
    }
}
