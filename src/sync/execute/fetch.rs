//! One order from Align into staging: spool each asset, check it, unpack it, say what it is.

use std::path::{Path, PathBuf};

use crate::config::FormatConfig;
use crate::local::describe::describe;
use crate::local::extras::take_extra;
use crate::local::spool::Spool;
use crate::local::unpack::unpack;
use crate::model::asset::{AssetKind, AssetRequest};
use crate::model::fault::{Fault, FaultClass};
use crate::model::remote::{AssetBody, Remote};

use super::super::effects::{FetchJob, Fetched};
use super::Executor;

/// So often an order waits for its pictures; after that it is published without them.
const PATIENCE: u32 = 2;

/// Free space that a download must find, as a multiple of its announced size: the archive itself and
/// what it unpacks to. Meshes pack to about half.
const SPACE_FACTOR: u64 = 4;

/// An asset that came by a separate call and lies in its spool.
struct Extra {
    kind: AssetKind,
    spool: PathBuf,
}

impl Executor {
    /// Brings an order into its staged directory. What an earlier attempt left there is removed
    /// first, and on failure nothing is left.
    pub(super) fn fetch(&self, job: &FetchJob) -> Result<Fetched, Fault> {
        self.root.check()?;
        let dir = self.layout.work_dir(&job.job);
        let spools = self.layout.work_dir(&format!("{}.spool", job.job));
        self.clear(&dir)?;
        self.clear(&spools)?;
        self.disk.create_dirs(&dir)?;
        self.disk.create_dirs(&spools)?;
        let result = self.fetch_into(job, &dir, &spools);
        self.clear(&spools)?;
        if result.is_err() {
            self.clear(&dir)?;
        }
        result
    }

    fn fetch_into(&self, job: &FetchJob, dir: &Path, spools: &Path) -> Result<Fetched, Fault> {
        let link = self.link(&job.key.lab)?;
        let remote = &*link.remote;
        let wanted = self.config.format_for(&job.remote);
        let mut fetched = Fetched::default();
        let mut extras = Vec::new();
        let mut late_thumbnails = None;
        for kind in extras_of(&wanted, job) {
            match self.download(remote, job, kind, &wanted, spools) {
                Ok((spool, _)) => extras.push(Extra { kind, spool }),
                Err(fault) if kind == AssetKind::Thumbnails && is_worth_waiting(&fault, job) => {
                    late_thumbnails = Some(fault);
                }
                Err(fault) if is_absent(&fault) => {
                    fetched.missing.push(kind.as_str().to_owned());
                }
                Err(fault) => return Err(fault),
            }
        }
        if let Some(late) = late_thumbnails {
            // Asking for the package starts its regeneration too, should that be needed.
            remote.download(&request(job, AssetKind::Ide, &wanted), &self.cancel)?;
            return Err(late);
        }
        let (archive, etag) = self.download(remote, job, AssetKind::Ide, &wanted, spools)?;
        let limits = &self.config.limits;
        let unpacked = unpack(&*self.disk, &archive, dir, limits, &self.cancel)?;
        self.disk.remove_file(&archive)?;
        let mut files = unpacked.files;
        fetched.left_out = unpacked.left_out;
        for extra in extras {
            let folder = extra.kind.as_str();
            match take_extra(&*self.disk, &extra.spool, dir, folder, limits, &self.cancel) {
                Ok(taken) => {
                    files.extend(taken.files);
                    fetched.left_out.extend(taken.left_out);
                }
                Err(fault) if is_absent(&fault) && !is_worth_waiting(&fault, job) => {
                    fetched.missing.push(folder.to_owned());
                }
                Err(fault) => return Err(fault),
            }
        }
        let described = describe(&*self.disk, dir, files, self.config.names)?;
        for note in described.notes {
            tracing::warn!(lab = %job.key.lab, order = %job.key.order, "{note}");
        }
        fetched.files = described.files;
        fetched.etag = etag;
        Ok(fetched)
    }

    /// Streams one asset into its spool. Gives the spool's path and the asset's tag.
    fn download(
        &self,
        remote: &dyn Remote,
        job: &FetchJob,
        kind: AssetKind,
        wanted: &FormatConfig,
        spools: &Path,
    ) -> Result<(PathBuf, Option<String>), Fault> {
        let mut body = remote.download(&request(job, kind, wanted), &self.cancel)?;
        let info = body.info().clone();
        self.check_space(info.total)?;
        self.progress.begin(&job.key, kind, 0, info.total);
        let path = spools.join(kind.as_str());
        let mut spool = Spool::create(&*self.disk, &path, self.config.limits.archive_bytes)?;
        while let Some(chunk) = next(&mut *body, self)? {
            spool.write(&chunk)?;
            self.progress.add(&job.key, chunk.len() as u64);
        }
        spool.finish(info.total)?;
        Ok((path, info.etag))
    }

    fn check_space(&self, announced: Option<u64>) -> Result<(), Fault> {
        let free = self.disk.free_space(&self.layout.staging)?;
        let needed = self
            .config
            .min_free
            .saturating_add(announced.unwrap_or(0).saturating_mul(SPACE_FACTOR));
        if free >= needed {
            return Ok(());
        }
        Err(Fault::new(
            FaultClass::Local,
            "disk-full",
            format!(
                "{} has {} free, {} are needed",
                self.layout.staging.display(),
                super::super::notice::size(free),
                super::super::notice::size(needed)
            ),
        )
        .hint("free some space on that volume, or lower retention.min_free; the work goes on by itself"))
    }

    fn clear(&self, dir: &Path) -> Result<(), Fault> {
        if self.disk.kind(dir)?.is_some() {
            self.disk.remove_tree(dir)?;
        }
        Ok(())
    }
}

fn next(body: &mut dyn AssetBody, executor: &Executor) -> Result<Option<bytes::Bytes>, Fault> {
    if executor.cancel.is_cancelled() {
        return Err(Fault::new(FaultClass::Cancelled, "cancelled", "the agent is stopping"));
    }
    body.next_chunk(&executor.cancel)
}

fn request(job: &FetchJob, kind: AssetKind, wanted: &FormatConfig) -> AssetRequest {
    AssetRequest { order: job.key.order.clone(), kind, format: wanted.format.clone(), resume: None }
}

/// What is asked for by separate calls.
fn extras_of(wanted: &FormatConfig, job: &FetchJob) -> Vec<AssetKind> {
    // Orthodontic packages hold the pictures already; restorative ones do not.
    let thumbnails = wanted.thumbnails.unwrap_or_else(|| !job.remote.is_ortho());
    let kinds =
        [(AssetKind::Thumbnails, thumbnails), (AssetKind::ScreenCaptures, wanted.screen_captures)];
    kinds.into_iter().filter(|(_, asked)| *asked).map(|(kind, _)| kind).collect()
}

/// Whether pictures that are still being made, or came broken, may be better next time.
fn is_worth_waiting(fault: &Fault, job: &FetchJob) -> bool {
    matches!(fault.class, FaultClass::NotConverted | FaultClass::Damaged) && job.attempts < PATIENCE
}

/// Whether an extra does not exist, or cannot be had: no reason to hold back the scan.
fn is_absent(fault: &Fault) -> bool {
    matches!(fault.class, FaultClass::NotConverted | FaultClass::Damaged | FaultClass::Permanent)
}
