//! Records the removal of what is no longer held back, in the log and in the audit, without file
//! names.

use crate::audit::{Audit, AuditEvent, Entry, Mark};
use crate::hotfolder::held::Witness;
use crate::model::fault::Fault;
use crate::model::ids::OrderKey;
use crate::model::time::WallMs;

/// Records removals in an audit.
pub struct Recorded<'a> {
    audit: &'a Audit,
    now: WallMs,
}

impl<'a> Recorded<'a> {
    /// Removals are recorded in `audit`, with this time.
    pub fn new(audit: &'a Audit, now: WallMs) -> Self {
        Self { audit, now }
    }

    fn entry(&self, key: &OrderKey, files: usize, mark: Mark) -> Entry {
        Entry::by_agent(self.now, AuditEvent::HeldRemoved, mark).about(key).detail("files", files)
    }
}

impl Witness for Recorded<'_> {
    fn begins(&self, key: &OrderKey, files: usize) -> bool {
        if let Err(fault) = self.audit.record(&self.entry(key, files, Mark::Begun)) {
            tracing::warn!(
                lab = %key.lab,
                order = %key.order,
                "files that are no longer held back could not be removed this time: {}",
                fault.chain()
            );
            return false;
        }
        tracing::info!(
            lab = %key.lab,
            order = %key.order,
            "files that are no longer held back were removed from staging: {files}"
        );
        true
    }

    fn ended(&self, key: &OrderKey, files: usize, result: &Result<(), Fault>) {
        let mark = if result.is_ok() { Mark::Done } else { Mark::Failed };
        if let Err(fault) = self.audit.record(&self.entry(key, files, mark)) {
            tracing::warn!(lab = %key.lab, order = %key.order, "{}", fault.chain());
        }
    }

    fn leftovers(&self, count: usize) -> bool {
        let entry = Entry::by_agent(self.now, AuditEvent::LeftoversRemoved, Mark::Begun)
            .detail("count", count);
        if let Err(fault) = self.audit.record(&entry) {
            tracing::warn!("leftovers of interrupted work could not be removed: {}", fault.chain());
            return false;
        }
        tracing::info!("removed {count} leftovers of interrupted publications from staging");
        true
    }
}
