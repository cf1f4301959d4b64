//! Another output that somebody chose: durable before the config names it, so that the next start takes
//! it for what it is, and not for an output that vanished.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::local::layout::Layout;
use crate::local::leave::leave;
use crate::store::{Store, StoreError};

use super::open::Site;

/// The fact that holds it until it is settled.
const CHOSEN: &str = "output-chosen";

/// An output that is chosen and not yet written to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Chosen {
    /// The new output.
    pub(super) to: PathBuf,
    /// Its marker.
    pub(super) id: String,
    /// The output before.
    pub(super) from: PathBuf,
    /// Its staging.
    pub(super) from_staging: PathBuf,
    /// Its marker, if it was ever opened.
    pub(super) from_id: Option<String>,
}

impl Chosen {
    /// What was chosen, if the config names it by now. A choice whose config was never written counts
    /// for nothing.
    pub(super) fn of(store: &Store, output: &Path) -> Result<Option<Self>, StoreError> {
        let text = store.fact(CHOSEN)?;
        let chosen: Option<Self> = text.and_then(|text| serde_json::from_str(&text).ok());
        Ok(chosen.filter(|chosen| chosen.to == output))
    }

    /// Remembers it.
    ///
    /// # Errors
    /// The journal cannot be written, or a path is no Unicode.
    pub(super) fn note(&self, store: &Store) -> Result<(), StoreError> {
        let text =
            serde_json::to_string(self).map_err(|error| StoreError::Row(error.to_string()))?;
        store.set_fact(CHOSEN, &text)
    }

    /// Nothing is chosen any more.
    pub(super) fn forget(store: &Store) -> Result<(), StoreError> {
        store.set_fact(CHOSEN, "")
    }

    /// The new output is in use: the one before is tidied up, and the choice is history.
    pub(super) fn settle(self, site: &Site, store: &Store) -> Result<(), StoreError> {
        let old = Layout { output: self.from, staging: self.from_staging };
        let left = match &self.from_id {
            Some(id) => leave(&*site.disk, &old, id, &site.layout),
            None => Ok(false),
        };
        let output = old.output.display();
        match left {
            Ok(true) => tracing::info!("the output before, {output}, is left empty"),
            Ok(false) => tracing::info!("the output before, {output}, stays as it is"),
            Err(fault) => {
                tracing::warn!("the output before, {output}, stays as it is: {}", fault.chain());
            }
        }
        Self::forget(store)
    }
}
