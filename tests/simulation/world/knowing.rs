//! What the simulated agent knows about removals when it starts.

use casedrop::hotfolder::held;
use casedrop::hotfolder::retention::{Fate, Witness};
use casedrop::journal::Store;
use casedrop::model::fault::Fault;
use casedrop::model::ids::OrderKey;

/// Answers from the journal.
pub(super) struct Knowing<'a>(pub(super) &'a Store);

impl Witness for Knowing<'_> {
    fn knows(&self, key: &OrderKey, manifest_sha256: &str) -> bool {
        self.0.knows_manifest(key, manifest_sha256).expect("readable")
    }

    fn begins(&self, _: &OrderKey, _: u32, _: usize) -> Result<(), Fault> {
        Ok(())
    }

    fn ended(&self, _: &OrderKey, _: u32, _: usize, _: &Result<Fate, Fault>) {}
}

impl held::Witness for Knowing<'_> {
    fn begins(&self, _: &OrderKey, _: usize) -> bool {
        true
    }

    fn ended(&self, _: &OrderKey, _: usize, _: &Result<(), Fault>) {}

    fn leftovers(&self, _: usize) -> bool {
        true
    }
}
