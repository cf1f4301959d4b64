//! One order from Align into staging: spool each asset, check it, unpack it, say what it is.

use std::path::{Path, PathBuf};

use crate::config::FormatConfig;
use crate::local::describe::describe;
use crate::local::extras::take_extra;
use crate::local::kept::SpoolDir;
use crate::local::spool::Spool;
use crate::local::unpack::unpack;
use crate::model::asset::{AssetKind, AssetRequest};
use crate::model::fault::{Fault, FaultClass};
use crate::model::remote::{AssetBody, Remote};
use crate::model::step::Step;

use super::super::effects::{FetchJob, Fetched};
use super::super::notice::size;
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
    hosts: Vec<String>,
}

/// An order's places in staging while it is fetched.
struct Places<'a> {
    dir: PathBuf,
    spools: SpoolDir<'a>,
}

impl Executor {
    /// Brings an order into its staged directory. Of an earlier attempt, and of this one if it fails,
    /// nothing is left but a broken download of the package that can be continued.
    pub(super) fn fetch(&self, job: &FetchJob) -> Result<Fetched, Fault> {
        self.root.check()?;
        let places = Places {
            dir: self.layout.work_dir(&job.job),
            spools: SpoolDir::new(&*self.disk, self.layout.spool_dir(&job.job)),
        };
        self.clear(&places.dir)?;
        places.spools.tidy()?;
        self.disk.create_dirs(&places.dir)?;
        let result = self.fetch_into(job, &places);
        if let Err(fault) = &result {
            let keep = is_worth_continuing(fault);
            let tidied = if keep { places.spools.tidy() } else { places.spools.clear() };
            if let Err(other) = tidied.and_then(|()| self.clear(&places.dir)) {
                // The next attempt begins with the same, and the first fault is the one to tell.
                tracing::debug!(lab = %job.key.lab, order = %job.key.order, "{}", other.chain());
            }
        } else {
            (self.step)(Step::Staged);
            places.spools.clear()?;
        }
        result
    }

    fn fetch_into(&self, job: &FetchJob, places: &Places<'_>) -> Result<Fetched, Fault> {
        let link = self.link(&job.key.lab)?;
        let remote = &*link.remote;
        let wanted = self.config.format_for(&job.remote);
        let mut fetched = Fetched::default();
        let mut extras = Vec::new();
        let mut late_thumbnails = None;
        for kind in extras_of(&wanted, job) {
            match self.extra(remote, job, kind, &wanted, &places.spools) {
                Ok(extra) => extras.push(extra),
                Err(fault)
                    if kind == AssetKind::Thumbnails && self.is_worth_waiting(&fault, job) =>
                {
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
        let package = self.package(remote, job, &wanted, &places.spools)?;
        fetched.answered_by(&package.hosts);
        (self.step)(Step::SpoolComplete);
        let dir = &places.dir;
        let limits = &self.config.limits;
        let unpacked = unpack(&*self.disk, &package.spool, dir, limits, &self.cancel).map_err(
            |mut fault| {
                if package.is_continued && fault.class == FaultClass::Permanent {
                    // A power cut may have damaged what came earlier: only a package that came
                    // whole can be found bad for good.
                    fault.class = FaultClass::Damaged;
                }
                fault
            },
        )?;
        places.spools.drop_package()?;
        (self.step)(Step::Unpacked);
        let mut files = unpacked.files;
        fetched.left_out = unpacked.left_out;
        for extra in extras {
            let folder = extra.kind.as_str();
            fetched.answered_by(&extra.hosts);
            match take_extra(&*self.disk, &extra.spool, dir, folder, limits, &self.cancel) {
                Ok(taken) => {
                    files.extend(taken.files);
                    fetched.left_out.extend(taken.left_out);
                }
                Err(fault) if is_absent(&fault) && !self.is_worth_waiting(&fault, job) => {
                    fetched.missing.push(folder.to_owned());
                }
                Err(fault) => return Err(fault),
            }
        }
        (self.step)(Step::ExtrasTaken);
        let described = describe(&*self.disk, dir, files, self.config.names)?;
        for note in described.notes {
            tracing::warn!(lab = %job.key.lab, order = %job.key.order, "{note}");
        }
        fetched.files = described.files;
        fetched.etag = package.etag;
        Ok(fetched)
    }

    /// Streams what comes by a separate call into its spool. It has no checksum that would find a mix
    /// of two versions, so it always comes from its first byte.
    fn extra(
        &self,
        remote: &dyn Remote,
        job: &FetchJob,
        kind: AssetKind,
        wanted: &FormatConfig,
        spools: &SpoolDir<'_>,
    ) -> Result<Extra, Fault> {
        let mut body = remote.download(&request(job, kind, wanted), &self.cancel)?;
        let (total, hosts) = (body.info().total, body.info().hosts.clone());
        self.check_space(total, 0)?;
        self.progress.begin(&job.key, kind, 0, total);
        let path = spools.spool(kind);
        let mut spool = Spool::create(&*self.disk, &path, self.config.limits.archive_bytes)?;
        while let Some(chunk) = next(&mut *body, self)? {
            spool.write(&chunk)?;
            self.progress.add(&job.key, chunk.len() as u64);
        }
        spool.finish(total)?;
        Ok(Extra { kind, spool: path, hosts })
    }

    /// Whether there is room for a download of which so many bytes are there already.
    pub(super) fn check_space(&self, announced: Option<u64>, there: u64) -> Result<(), Fault> {
        let free = self.disk.free_space(&self.layout.staging)?;
        let download = announced.unwrap_or(0).saturating_mul(SPACE_FACTOR).saturating_sub(there);
        let needed = self.config.min_free.saturating_add(download);
        if free >= needed {
            return Ok(());
        }
        Err(Fault::new(
            FaultClass::Local,
            "disk-full",
            format!(
                "{} has {} free, {} are needed",
                self.layout.staging.display(),
                size(free),
                size(needed)
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

    /// Whether pictures that are still being made, or came broken, may be better next time.
    fn is_worth_waiting(&self, fault: &Fault, job: &FetchJob) -> bool {
        // Once the waits are over an order needs a person, and pictures are no reason for that.
        let waits = u32::try_from(self.config.downloads.retry_404.len()).unwrap_or(u32::MAX);
        matches!(fault.class, FaultClass::NotConverted | FaultClass::Damaged)
            && job.attempts < PATIENCE.min(waits)
    }
}

pub(super) fn next(
    body: &mut dyn AssetBody,
    executor: &Executor,
) -> Result<Option<bytes::Bytes>, Fault> {
    if executor.cancel.is_cancelled() {
        return Err(Fault::new(FaultClass::Cancelled, "cancelled", "the agent is stopping"));
    }
    body.next_chunk(&executor.cancel)
}

pub(super) fn request(job: &FetchJob, kind: AssetKind, wanted: &FormatConfig) -> AssetRequest {
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

/// Whether what came before the fault is of use to the next attempt.
fn is_worth_continuing(fault: &Fault) -> bool {
    match fault.class {
        FaultClass::Transient | FaultClass::Auth | FaultClass::Refused | FaultClass::Cancelled => {
            true
        }
        // A full disk is not kept full by what is left of a download, and a disk that fails may have
        // failed there.
        FaultClass::Local => !matches!(fault.code, "disk-full" | "disk" | "share-gone"),
        FaultClass::NotConverted | FaultClass::Damaged | FaultClass::Permanent => false,
    }
}

/// Whether an extra does not exist, or cannot be had: no reason to hold back the scan.
fn is_absent(fault: &Fault) -> bool {
    matches!(
        fault.class,
        FaultClass::NotConverted
            | FaultClass::Damaged
            | FaultClass::Refused
            | FaultClass::Permanent
    )
}
