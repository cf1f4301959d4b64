//! Brings one order from Align into staging: spools the package, checks, unpacks and describes it,
//! then fetches the extras.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use crate::config::{FormatConfig, Limits, Names};
use crate::hotfolder::describe::{Case, describe, describe_case};
use crate::hotfolder::partial_download::SpoolDir;
use crate::hotfolder::unpack::{Reading, unpack_as};
use crate::model::asset::{AssetKind, AssetRequest};
use crate::model::cancel::Cancel;
use crate::model::fault::{DISK, DISK_FULL, Fault, FaultClass, SHARE_GONE};
use crate::model::remote::AssetBody;
use crate::model::step::Step;

use super::Executor;
use super::extras::Wanted;
use crate::engine::effects::{FetchJob, Fetched};
use crate::status::Stage;

/// How often a package is fetched again because of a damaged file that the order can do without;
/// after that it is published without the file.
pub(super) const PATIENCE: u32 = 2;

/// Free space a download needs, as a multiple of its announced size: for the archive and for what
/// it unpacks to. Meshes compress to about half.
const SPACE_FACTOR: u64 = 4;

/// An order's places in staging while it is fetched.
struct Places<'a> {
    dir: PathBuf,
    spools: SpoolDir<'a>,
    /// Whether the whole package is in its spool.
    is_whole: Cell<bool>,
}

impl Executor {
    /// Fetches an order into its staged directory. Nothing is left of an earlier attempt, or of
    /// this one if it fails, except a partial download of the package that can be resumed.
    pub(super) fn fetch(&self, job: &FetchJob) -> Result<Fetched, Fault> {
        self.root.check()?;
        let places = Places {
            dir: self.layout.work_dir(&job.job),
            spools: SpoolDir::new(&*self.disk, self.layout.spool_dir(&job.job)),
            is_whole: Cell::new(false),
        };
        self.clear(&places.dir)?;
        places.spools.tidy()?;
        self.disk.create_dirs(&places.dir)?;
        let result = self.fetch_into(job, &places);
        if let Err(fault) = &result {
            let cleared = self.clear(&places.dir);
            // The volume may have room for the download but not for the unpacked files: then there
            // is no need to download it again.
            let keep = is_worth_continuing(fault)
                || (fault.code == DISK_FULL && places.is_whole.get() && self.has_room_left());
            let tidied = if keep { places.spools.tidy() } else { places.spools.clear() };
            if let Err(other) = tidied.and(cleared) {
                // The next attempt starts with the same steps, and the first fault is the one to
                // report.
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
        // The scan first: it is safe whatever happens to the rest.
        let package = self.package(remote, job, &wanted, &places.spools)?;
        fetched.answered_by(&package.hosts);
        (self.step)(Step::SpoolComplete);
        places.is_whole.set(true);
        let dir = &places.dir;
        let limits = Limits::from(&self.config.downloads.limits);
        self.progress.enter(&job.key, Stage::Unpacking);
        let reading = Reading {
            limits: &limits,
            code_page: self.config.downloads.name_encoding,
            leave_damaged: job.damaged >= PATIENCE && !package.is_continued,
            keep_free: self.config.retention.min_free,
        };
        let unpacked = unpack_as(&*self.disk, &package.spool, dir, reading, &self.cancel).map_err(
            |mut fault| {
                if package.is_continued && fault.class == FaultClass::Permanent {
                    // A power cut may have damaged what arrived earlier: only a package that
                    // arrived in one piece can be declared permanently bad.
                    fault.class = FaultClass::Damaged;
                }
                fault
            },
        )?;
        places.spools.drop_package()?;
        (self.step)(Step::Unpacked);
        let kinds = extras_of(&wanted, job);
        let case = Case {
            order: &job.remote,
            meshes: &unpacked.meshes,
            pictures_follow: kinds.contains(&AssetKind::Thumbnails),
        };
        self.progress.enter(&job.key, Stage::Checking);
        let described = describe_case(&*self.disk, dir, unpacked.files, self.config.names, &case)?;
        let extras = Wanted { remote, key: &job.key, format: &wanted, spools: &places.spools, dir };
        let wait = self.config.downloads.extras_wait;
        let extras = self.extras(&extras, &kinds, wait, &mut || Ok(()))?;
        self.progress.enter(&job.key, Stage::Checking);
        (self.step)(Step::ExtrasTaken);
        fetched.answered_by(&extras.hosts);
        // Extras have the vendor's names only, and say nothing about the package's files.
        let pictures = describe(&*self.disk, dir, extras.files, Names::Vendor)?;
        for note in described.notes.iter().chain(&pictures.notes) {
            tracing::warn!(lab = %job.key.lab, order = %job.key.order, "{note}");
        }
        fetched.files = described.files;
        fetched.files.extend(pictures.files);
        fetched.files.sort_by(|a, b| a.path.cmp(&b.path));
        fetched.left_out = unpacked.left_out;
        fetched.findings = unpacked.findings;
        fetched.findings.extend(described.findings);
        fetched.findings.extend(extras.findings);
        fetched.left_out.extend(extras.left_out);
        fetched.missing =
            extras.lacking.iter().map(|lacking| lacking.kind.as_str().to_owned()).collect();
        fetched.lacking = extras.lacking;
        fetched.prescription = described.prescription;
        fetched.etag = package.etag;
        Ok(fetched)
    }

    /// Whether there is room for a download of which `there` bytes have already arrived.
    pub(super) fn check_space(&self, announced: Option<u64>, there: u64) -> Result<(), Fault> {
        let download = announced.unwrap_or(0).saturating_mul(SPACE_FACTOR).saturating_sub(there);
        self.check_room(download)
    }

    pub(super) fn clear(&self, dir: &Path) -> Result<(), Fault> {
        if self.disk.kind(dir)?.is_some() {
            self.disk.remove_tree(dir)?;
        }
        Ok(())
    }
}

pub(super) fn next(
    body: &mut dyn AssetBody,
    cancel: &Cancel,
) -> Result<Option<bytes::Bytes>, Fault> {
    if cancel.is_cancelled() {
        return Err(Fault::new(FaultClass::Cancelled, "cancelled", "the agent is stopping"));
    }
    body.next_chunk(cancel)
}

pub(super) fn request(job: &FetchJob, kind: AssetKind, wanted: &FormatConfig) -> AssetRequest {
    AssetRequest { order: job.key.order.clone(), kind, format: wanted.format.clone(), resume: None }
}

/// The extras to request by separate calls.
fn extras_of(wanted: &FormatConfig, job: &FetchJob) -> Vec<AssetKind> {
    // Orthodontic packages already contain the pictures; restorative ones do not.
    let thumbnails = wanted.thumbnails.unwrap_or_else(|| !job.remote.is_ortho());
    let kinds =
        [(AssetKind::Thumbnails, thumbnails), (AssetKind::ScreenCaptures, wanted.screen_captures)];
    kinds.into_iter().filter(|(_, asked)| *asked).map(|(kind, _)| kind).collect()
}

/// Whether what arrived before the fault is of use to the next attempt.
fn is_worth_continuing(fault: &Fault) -> bool {
    match fault.class {
        FaultClass::Transient | FaultClass::Auth | FaultClass::Refused | FaultClass::Cancelled => {
            true
        }
        // A partial download must not keep a full disk full, and a failing disk may have failed
        // right there.
        FaultClass::Local => !matches!(fault.code, DISK_FULL | DISK | SHARE_GONE),
        FaultClass::NotConverted | FaultClass::Damaged | FaultClass::Permanent => false,
    }
}
