//! What must hold, whatever happens: one check for each promise of the hot folder.

mod end;
mod places;
mod tree;

use casedrop::journal::Store;
use casedrop::model::fault::FaultClass;
use casedrop::model::ids::OrderKey;
use casedrop::model::manifest::Reason;
use casedrop::model::notice::Notice;
use casedrop::model::record::Place;

use crate::tally::Tally;
use crate::world::Failure;

pub use end::{at_end, nothing_half_removed, unmet};
pub use places::{generation as generation_of, whole};
pub use tree::tree;

/// An order is in the journal, and wanted, before its first byte is requested.
pub fn is_wanted(store: &Store, key: &OrderKey) -> Result<(), Failure> {
    match store.order(key) {
        Ok(Some(record)) if record.is_wanted() => Ok(()),
        Ok(_) => Err(format!("{key} is fetched, and the journal does not say that it is wanted")),
        Err(error) => Err(format!("the journal cannot be read: {error:?}")),
    }
}

/// Counts notices, which show what the run was about.
pub fn count_notice(tally: &mut Tally, notice: &Notice) {
    match notice {
        Notice::Published { reason: Reason::Extras, .. } => tally.count("published extras"),
        Notice::Published { place: Place::Beside, .. } => tally.count("published beside"),
        Notice::Published { revision: 1, .. } => tally.count("published first"),
        Notice::Published { .. } => tally.count("published next"),
        Notice::Unchanged { .. } => tally.count("unchanged"),
        Notice::Held { .. } => tally.count("held back"),
        Notice::Regenerating { .. } => tally.count("regenerating"),
        Notice::Failed { wait: None, .. } => tally.count("parked"),
        Notice::Failed { class, .. } => tally.count(match class {
            FaultClass::Transient => "failed: transient",
            FaultClass::Damaged => "failed: damaged",
            FaultClass::Local => "failed: local",
            FaultClass::Auth => "failed: auth",
            FaultClass::Refused => "failed: refused",
            _ => "failed: otherwise",
        }),
        Notice::Removed { .. } => tally.count("removed"),
        Notice::LeftAlone { .. } => tally.count("left alone"),
        Notice::Outage { .. } => tally.count("outage"),
        Notice::LabTrouble { .. } => tally.count("lab trouble"),
        _ => {}
    }
}
