//! Removes what the engine found old enough, if it is still ours and unchanged, and never without
//! an audit record.

use crate::audit::{AuditEvent, Entry, Mark};
use crate::hotfolder::history;
use crate::hotfolder::inspect::{LocalPicture, inspect};
use crate::hotfolder::retention::{self, Fate, Piece};
use crate::model::fault::Fault;
use crate::model::ids::OrderKey;
use crate::model::manifest::Manifest;
use crate::model::step::Step;

use super::Executor;
use crate::engine::effects::{ForgetJob, RetireJob, Retirement};

impl Executor {
    /// Removes an order from the output, each revision by one rename out of it. If others worked in
    /// any part of the order, all of it is left alone.
    pub(super) fn retire(&self, job: &RetireJob) -> Result<Retirement, Fault> {
        self.root.check()?;
        let mut retirement = Retirement::default();
        let (mut ours, mut moved) = (Vec::new(), Vec::new());
        for (place, standing) in &job.pieces {
            let piece = Piece {
                key: &job.key,
                place: *place,
                manifest: &standing.manifest,
                manifest_sha256: &standing.manifest_sha256,
            };
            match retention::standing(&*self.disk, &self.layout, piece)? {
                retention::Standing::Absent => {}
                retention::Standing::Ours => ours.push(piece),
                retention::Standing::Moved => moved.push(piece),
                retention::Standing::Others(what) => retirement.left.push(what),
            }
        }
        if !retirement.left.is_empty() {
            ours.clear();
        }
        // Finish what was started.
        ours.extend(moved);
        if ours.is_empty() {
            return Ok(retirement);
        }
        let items = ours
            .iter()
            .map(|piece| Item { manifest: piece.manifest, manifest_sha256: piece.manifest_sha256 });
        let mut items: Vec<Item<'_>> = items.collect();
        self.record(&job.key, AuditEvent::Removed, Mark::Begun, &items)?;
        let result = self.remove_pieces(&ours, &mut retirement);
        (self.step)(Step::RetireDone);
        let mark = match &result {
            Ok(()) if retirement.removed.is_empty() => Mark::Refused,
            Ok(()) => Mark::Done,
            Err(_) => Mark::Failed,
        };
        items.retain(|item| retirement.removed.contains(&item.manifest.revision));
        // The removal stands either way, and its start is on record.
        if let Err(fault) = self.record(&job.key, AuditEvent::Removed, mark, &items) {
            tracing::warn!(lab = %job.key.lab, order = %job.key.order, "{}", fault.chain());
        }
        result.map(|()| retirement)
    }

    fn remove_pieces(&self, ours: &[Piece<'_>], into: &mut Retirement) -> Result<(), Fault> {
        for piece in ours {
            match retention::remove(&*self.disk, &self.layout, *piece, &self.step)? {
                Fate::Removed => into.removed.push(piece.manifest.revision),
                Fate::Absent => {}
                Fate::LeftAlone(why) => into.left.push(why),
            }
        }
        Ok(())
    }

    /// Removes a replaced revision from history. No program watches history, so files may go one by
    /// one.
    pub(super) fn forget(&self, job: &ForgetJob) -> Result<Fate, Fault> {
        self.root.check()?;
        let (disk, layout, key) = (&*self.disk, &self.layout, &job.key);
        let old = &job.old;
        let found = history::kept(disk, layout, key, &old.manifest, &old.manifest_sha256)?;
        let Some(dir) = found else { return Ok(Fate::Absent) };
        match inspect(disk, &dir, Some(&old.manifest), None)? {
            LocalPicture::AsPublished | LocalPicture::Reduced { .. } => {}
            LocalPicture::Absent => return Ok(Fate::Absent),
            LocalPicture::Altered { differences } => {
                return Ok(Fate::LeftAlone(differences.join(", ")));
            }
            LocalPicture::Ours { .. } | LocalPicture::Foreign { .. } => {
                return Ok(Fate::LeftAlone("it was changed".to_owned()));
            }
        }
        let items = [Item { manifest: &old.manifest, manifest_sha256: &old.manifest_sha256 }];
        self.record(key, AuditEvent::HistoryRemoved, Mark::Begun, &items)?;
        (self.step)(Step::ForgetRemove);
        let result = history::remove_ours(disk, &dir, &old.manifest)
            .and_then(|gone| history::tidy(disk, layout, key).map(|()| gone));
        (self.step)(Step::ForgetDone);
        let mark = match &result {
            Ok(true) => Mark::Done,
            Ok(false) => Mark::Refused,
            Err(_) => Mark::Failed,
        };
        if let Err(fault) = self.record(key, AuditEvent::HistoryRemoved, mark, &items) {
            tracing::warn!(lab = %key.lab, order = %key.order, "{}", fault.chain());
        }
        Ok(if result? {
            Fate::Removed
        } else {
            Fate::LeftAlone("it was changed while it was being removed".to_owned())
        })
    }

    fn record(
        &self,
        key: &OrderKey,
        what: AuditEvent,
        mark: Mark,
        items: &[Item<'_>],
    ) -> Result<(), Fault> {
        let revisions: Vec<u32> = items.iter().map(|item| item.manifest.revision).collect();
        // If the journal is lost in the middle of a removal, these prove that the agent started it.
        let manifests: Vec<&str> = items.iter().map(|item| item.manifest_sha256).collect();
        let files: usize = items.iter().map(|item| item.manifest.files.len()).sum();
        let entry = Entry::by_agent((self.clock)(), what, mark)
            .about(key)
            .detail("revisions", revisions)
            .detail("files", files)
            .detail("manifests", manifests);
        self.audit.record(&entry)
    }
}

/// A revision in an audit record.
#[derive(Clone, Copy)]
struct Item<'a> {
    manifest: &'a Manifest,
    manifest_sha256: &'a str,
}
