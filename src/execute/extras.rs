//! Extras, which are fetched by separate calls in addition to the package. The scan never depends
//! on them: a failing extra costs a bounded time and that extra, and leaves nothing in staging.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{FormatConfig, Limits, Names};
use crate::hotfolder::StagedFile;
use crate::hotfolder::describe::describe;
use crate::hotfolder::extras::{Taken, take_extra_as};
use crate::hotfolder::files::{Footprint, Tree, below, copy_file, remove_empty_dirs};
use crate::hotfolder::inspect::{There, with_names};
use crate::hotfolder::partial_download::SpoolDir;
use crate::hotfolder::spool::Spool;
use crate::hotfolder::unpack::Reading;
use crate::model::asset::{AssetKind, AssetRequest};
use crate::model::cancel::Cancel;
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::OrderKey;
use crate::model::manifest::{Finding, ManifestFile};
use crate::model::prescription::Prescription;
use crate::model::remote::Remote;
use crate::model::step::Step;

use super::Executor;
use super::fetch::next;
use crate::engine::effects::{ExtrasJob, Fetched, Lacking};
use crate::hotfolder::room::Room;

/// Minimum time for extras fetched after the publication: no one is waiting for them, but the
/// order's next revision would have to.
const LATE_WAIT: Duration = Duration::from_mins(2);
/// The same as a multiple of `downloads.extras_wait`.
const LATE_FACTOR: u32 = 4;
/// First and longest pause between two attempts.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(8));
/// How often an extra that arrives damaged is fetched before the publication.
const DAMAGED_TRIES: u32 = 3;
/// How often a pause checks whether the agent is to stop.
const SLICE: Duration = Duration::from_millis(100);

/// The order whose extras are wanted, their format, and where they go.
pub(super) struct Wanted<'a> {
    pub(super) remote: &'a dyn Remote,
    pub(super) key: &'a OrderKey,
    pub(super) format: &'a FormatConfig,
    pub(super) spools: &'a SpoolDir<'a>,
    pub(super) dir: &'a Path,
}

/// What arrived, and what did not.
#[derive(Default)]
pub(super) struct Extras {
    pub(super) files: Vec<StagedFile>,
    pub(super) left_out: Vec<String>,
    pub(super) findings: Vec<Finding>,
    pub(super) lacking: Vec<Lacking>,
    /// Hosts that sent something usable.
    pub(super) hosts: Vec<String>,
}

/// An extra that has not arrived yet.
struct Open {
    lacking: Lacking,
    tries: u32,
    /// Earliest next attempt.
    at: Duration,
}

impl Executor {
    /// Asks for these extras until all arrived, no more can be expected, or the time is up; puts
    /// what arrived below `wanted.dir`. Calls `prepare` each time before an extra is put there.
    ///
    /// # Errors
    /// Only faults that do not concern an extra: `prepare` failed, or the remains of a failed extra
    /// cannot be removed. An agent that is to stop asks for no more extras.
    pub(super) fn extras(
        &self,
        wanted: &Wanted<'_>,
        kinds: &[AssetKind],
        wait: Duration,
        prepare: &mut dyn FnMut() -> Result<(), Fault>,
    ) -> Result<Extras, Fault> {
        let deadline = (self.timer.now)() + wait;
        let mut extras = Extras::default();
        let mut open: Vec<Open> = kinds.iter().map(|kind| Open::new(*kind)).collect();
        while let Some(first) = (0..open.len()).min_by_key(|index| open[*index].at) {
            let mut one = open.remove(first);
            let kind = one.lacking.kind;
            let begins = (self.timer.now)().max(one.at);
            let left = deadline.saturating_sub(begins);
            if left.is_zero() || !self.rests_until(begins) {
                extras.lacking.push(one.lacking);
                continue;
            }
            // A stalling extra must leave time for the others.
            let share = if open.is_empty() { left } else { left / 2 };
            let cancel = self.cancel.by(begins + share, self.timer.now);
            let taken = match self.spool_extra(wanted, kind, &cancel) {
                Ok(hosts) => {
                    prepare()?;
                    let taken = self.take(wanted, kind, &cancel)?;
                    if taken.is_ok() {
                        extras.hosts.extend(hosts);
                    }
                    taken
                }
                Err(fault) => Err(fault),
            };
            wanted.spools.drop_spool(kind)?;
            match taken {
                Ok(taken) => {
                    if !taken.is_whole {
                        one.lacking.why = Some(FaultClass::Damaged);
                        one.lacking.retry_after = None;
                        extras.lacking.push(one.lacking);
                    }
                    extras.files.extend(taken.files);
                    extras.left_out.extend(taken.left_out);
                    extras.findings.extend(taken.findings);
                }
                Err(fault) => {
                    tell(wanted.key, kind, &fault);
                    if one.failed(&fault, (self.timer.now)()) {
                        open.push(one);
                    } else {
                        extras.lacking.push(one.lacking);
                    }
                }
            }
        }
        extras.lacking.sort_by_key(|lacking| lacking.kind);
        Ok(extras)
    }

    /// Asks for what a published order lacks, and assembles its next revision if any of it arrives.
    /// If nothing does, or it fails, nothing is left in staging.
    pub(super) fn late_extras(&self, job: &ExtrasJob) -> Result<Fetched, Fault> {
        self.root.check()?;
        let published = self.place_of(job);
        // The journal does not store file names that may contain a person's name.
        let Some(named) = with_names(&*self.disk, &published, &job.published)? else {
            return Err(changed(&published));
        };
        let job = &ExtrasJob { published: named, ..job.clone() };
        let dir = self.layout.work_dir(&job.job);
        let spools = SpoolDir::new(&*self.disk, self.layout.spool_dir(&job.job));
        self.clear(&dir)?;
        spools.clear()?;
        (self.step)(Step::LateAsked);
        let result = self.complete(job, &dir, &spools);
        if result.as_ref().is_ok_and(|fetched| !job.published.same_content(&fetched.files)) {
            (self.step)(Step::LateStaged);
        } else {
            self.clear(&dir)?;
        }
        spools.clear()?;
        result
    }

    fn complete(
        &self,
        job: &ExtrasJob,
        dir: &Path,
        spools: &SpoolDir<'_>,
    ) -> Result<Fetched, Fault> {
        let link = self.link(&job.key.lab)?;
        let format = self.config.format_for(&job.remote);
        let wanted = Wanted { remote: &*link.remote, key: &job.key, format: &format, spools, dir };
        let wait = LATE_WAIT.max(self.config.downloads.extras_wait.saturating_mul(LATE_FACTOR));
        let mut is_copied = false;
        let mut copy = || {
            if !is_copied {
                self.copy_published(job, dir)?;
                (self.step)(Step::LateCopied);
                is_copied = true;
            }
            Ok(())
        };
        let mut extras = self.extras(&wanted, &job.kinds, wait, &mut copy)?;
        if self.cancel.is_cancelled() {
            return Err(Fault::new(FaultClass::Cancelled, "cancelled", "the agent is stopping"));
        }
        self.without_twins(job, dir, &mut extras)?;
        let described = describe(&*self.disk, dir, extras.files, Names::Vendor)?;
        let old = &job.published;
        let mut files = old.files.clone();
        files.extend(described.files);
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let is_asked = |kind: AssetKind| job.kinds.contains(&kind);
        let lacks = |kind| extras.lacking.iter().any(|lacking| lacking.kind == kind);
        let came = |name: &&String| {
            AssetKind::extra(name).is_some_and(|kind| is_asked(kind) && !lacks(kind))
        };
        let whole = |path: &&String| {
            AssetKind::EXTRAS
                .into_iter()
                .any(|kind| kind.holds(path) && is_asked(kind) && !lacks(kind))
        };
        let mut left_out: Vec<String> =
            old.left_out.iter().filter(|path| !whole(path)).cloned().collect();
        let is_about_old =
            |finding: &&Finding| !finding.path.as_ref().is_some_and(|path| whole(&path));
        let mut findings: Vec<Finding> =
            old.findings.iter().filter(is_about_old).cloned().collect();
        findings.extend(extras.findings);
        findings.dedup();
        left_out.extend(extras.left_out);
        left_out.sort();
        left_out.dedup();
        Ok(Fetched {
            files,
            left_out,
            missing: old.missing.iter().filter(|name| !came(name)).cloned().collect(),
            findings,
            prescription: Prescription::of(old),
            lacking: extras.lacking,
            hosts: extras.hosts,
            etag: None,
        })
    }

    fn place_of(&self, job: &ExtrasJob) -> PathBuf {
        match &job.held {
            Some(dir) => self.layout.held_dir(dir),
            None => self.layout.order_dir(&job.key),
        }
    }

    /// Copies the published files and checks that they are still what was published. They are not
    /// linked: a program that edits the next revision must not change the one in history.
    fn copy_published(&self, job: &ExtrasJob, dir: &Path) -> Result<(), Fault> {
        let published = self.place_of(job);
        self.check_room(job.published.bytes())?;
        self.disk.create_dirs(dir)?;
        let tree = Tree::read(&*self.disk, &published)?;
        let there = There::of(&tree, &job.published);
        for file in &job.published.files {
            let to = file.path.under(dir);
            if let Some(parent) = to.parent() {
                self.disk.create_dirs(parent)?;
            }
            let from = below(&published, there.path_of(&file.path));
            if copy_file(&*self.disk, &from, &to, &self.cancel)? != (file.size, file.sha256.clone())
            {
                return Err(changed(&published));
            }
        }
        Ok(())
    }

    /// Keeps only those new files that are not published yet: an archive in which some pictures
    /// were damaged arrives again together with the good ones. If one of the good ones is no longer
    /// in it, it is a different version, and nothing of it is taken.
    fn without_twins(&self, job: &ExtrasJob, dir: &Path, extras: &mut Extras) -> Result<(), Fault> {
        let published =
            |kind: AssetKind| job.published.files.iter().filter(move |file| kind.holds(&file.path));
        for kind in job.kinds.iter().copied() {
            let (came, others): (Vec<_>, Vec<_>) =
                extras.files.drain(..).partition(|file| kind.holds(file.path.as_str()));
            extras.files = others;
            let was_damaged = job.published.left_out.iter().any(|path| kind.holds(path));
            let is_same_version =
                published(kind).all(|old| came.iter().any(|new| is_twin(old, new)));
            let is_taken = !was_damaged || is_same_version;
            for file in came {
                if !is_taken || published(kind).any(|old| is_twin(old, &file)) {
                    self.disk.remove_file(&file.path.under(dir))?;
                } else {
                    extras.files.push(file);
                }
            }
            if !is_taken {
                extras.left_out.retain(|path| !kind.holds(path));
                if extras.lacking.iter().all(|lacking| lacking.kind != kind) {
                    let why = Some(FaultClass::Damaged);
                    extras.lacking.push(Lacking { kind, why, retry_after: None });
                }
            }
        }
        if self.disk.kind(dir)?.is_some() {
            remove_empty_dirs(&*self.disk, dir)?;
        }
        Ok(())
    }

    /// Streams an extra into its spool and returns the hosts that served it. No checksum would
    /// reveal a mix of two versions, so an extra is always fetched from its first byte.
    fn spool_extra(
        &self,
        wanted: &Wanted<'_>,
        kind: AssetKind,
        cancel: &Cancel,
    ) -> Result<Vec<String>, Fault> {
        let request = AssetRequest {
            order: wanted.key.order.clone(),
            kind,
            format: wanted.format.format.clone(),
            resume: None,
        };
        let mut body = wanted.remote.download(&request, cancel)?;
        let (total, hosts) = (body.info().total, body.info().hosts.clone());
        self.check_space(total, 0)?;
        self.progress.begin(wanted.key, kind, 0, total);
        let path: PathBuf = wanted.spools.spool(kind);
        let mut spool = Spool::create(&*self.disk, &path, self.config.downloads.limits.archive)?;
        let mut room = Room::new(total, |bytes| self.check_room(bytes));
        while let Some(chunk) = next(&mut *body, cancel)? {
            room.take(chunk.len() as u64)?;
            spool.write(&chunk)?;
            self.progress.add(wanted.key, chunk.len() as u64);
        }
        spool.finish(total)?;
        Ok(hosts)
    }

    /// Moves a spooled extra into the staged directory, all of it or nothing.
    fn take(
        &self,
        wanted: &Wanted<'_>,
        kind: AssetKind,
        cancel: &Cancel,
    ) -> Result<Result<Taken, Fault>, Fault> {
        let before = Footprint::of(&*self.disk, wanted.dir)?;
        let spool = wanted.spools.spool(kind);
        let keep_free = self.config.retention.min_free;
        let limits = Limits::from(&self.config.downloads.limits);
        let reading = Reading { keep_free, ..Reading::within(&limits) };
        let taken = take_extra_as(&*self.disk, &spool, wanted.dir, kind.as_str(), reading, cancel);
        match &taken {
            Ok(taken) if taken.is_whole => {}
            Ok(_) => remove_empty_dirs(&*self.disk, wanted.dir)?,
            Err(_) => before.restore(&*self.disk, wanted.dir)?,
        }
        Ok(taken)
    }

    /// Waits until `at`; returns `false` if the agent is to stop.
    fn rests_until(&self, at: Duration) -> bool {
        loop {
            if self.cancel.is_cancelled() {
                return false;
            }
            match at.checked_sub((self.timer.now)()) {
                None | Some(Duration::ZERO) => return true,
                Some(left) => (self.timer.sleep)(left.min(SLICE)),
            }
        }
    }
}

fn changed(published: &Path) -> Fault {
    let text = format!("{} is not what was published", published.display());
    Fault::new(FaultClass::Local, "published-changed", text)
}

fn is_twin(old: &ManifestFile, new: &StagedFile) -> bool {
    (old.size, &old.sha256) == (new.size, &new.sha256)
}

fn tell(key: &OrderKey, kind: AssetKind, fault: &Fault) {
    let text = format!("{} did not arrive: {}", kind.in_words(), fault.chain());
    if fault.class == FaultClass::NotConverted && kind == AssetKind::ScreenCaptures {
        // Most orders have no screen captures.
        tracing::debug!(lab = %key.lab, order = %key.order, "{text}");
    } else {
        tracing::info!(lab = %key.lab, order = %key.order, "{text}");
    }
}

impl Open {
    fn new(kind: AssetKind) -> Self {
        let lacking = Lacking { kind, why: None, retry_after: None };
        Self { lacking, tries: 0, at: Duration::ZERO }
    }

    /// Records a fault. Returns whether another attempt makes sense if there is time for it.
    fn failed(&mut self, fault: &Fault, now: Duration) -> bool {
        self.tries += 1;
        // Cut off at the end of its time: the same as a server that does not answer.
        let class = match fault.class {
            FaultClass::Cancelled => FaultClass::Transient,
            class => class,
        };
        self.lacking.why = Some(class);
        self.lacking.retry_after = fault.retry_after;
        let (first, longest) = PAUSES;
        let doubled = 2_u32.saturating_pow(self.tries.saturating_sub(1).min(10));
        let pause = first.saturating_mul(doubled).min(longest);
        self.at = now + pause.max(fault.retry_after.unwrap_or_default());
        match class {
            FaultClass::Transient => true,
            // The pictures are still being generated. Screen captures exist only if someone took
            // them.
            FaultClass::NotConverted => self.lacking.kind == AssetKind::Thumbnails,
            FaultClass::Damaged => self.tries < DAMAGED_TRIES,
            _ => false,
        }
    }
}
