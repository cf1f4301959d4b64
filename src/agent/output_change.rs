//! A newly chosen output. Made durable before the config names it, so that the next start does not
//! mistake it for an output that vanished.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::disk::Disk;
use crate::hotfolder::abandon_output::abandon_output;
use crate::hotfolder::layout::Layout;
use crate::journal::{Store, StoreError};

/// The fact that stores the output's marker. A journal without it has never seen the output, whose
/// content is still to be learned.
pub(super) const ROOT_FACT: &str = "output-root";
/// The fact that stores a choice until it takes effect.
const CHOSEN: &str = "output-chosen";

/// An output that was chosen but not written to yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutputChange {
    pub(super) to: PathBuf,
    /// Its marker.
    pub(super) id: String,
    /// The previous output.
    pub(super) from: PathBuf,
    /// The staging folder of the previous output.
    pub(super) from_staging: PathBuf,
    /// The marker of the previous output, if it was ever opened.
    pub(super) from_id: Option<String>,
}

impl OutputChange {
    /// Returns the choice if the config names it by now. A choice that never got into the config
    /// does not count.
    pub(super) fn of(store: &Store, output: &Path) -> Result<Option<Self>, StoreError> {
        let text = store.fact(CHOSEN)?;
        let chosen: Option<Self> = text.and_then(|text| serde_json::from_str(&text).ok());
        Ok(chosen.filter(|chosen| chosen.to == output))
    }

    /// Stores it.
    ///
    /// # Errors
    /// The journal cannot be written, or a path is not Unicode.
    pub(super) fn note(&self, store: &Store) -> Result<(), StoreError> {
        let text =
            serde_json::to_string(self).map_err(|error| StoreError::Row(error.to_string()))?;
        store.set_fact(CHOSEN, &text)
    }

    pub(super) fn forget(store: &Store) -> Result<(), StoreError> {
        store.set_fact(CHOSEN, "")
    }

    /// Completes the switch once the new output is in use: tidies up the previous one and forgets
    /// the choice.
    pub(super) fn complete(
        self,
        disk: &dyn Disk,
        layout: &Layout,
        store: &Store,
    ) -> Result<(), StoreError> {
        let old = Layout { output: self.from, staging: self.from_staging };
        let left = match &self.from_id {
            Some(id) => abandon_output(disk, &old, id, layout),
            None => Ok(false),
        };
        let output = old.output.display();
        match left {
            Ok(true) => tracing::info!("the previous output, {output}, was left empty"),
            Ok(false) => tracing::info!("the previous output, {output}, stays as it is"),
            Err(fault) => {
                tracing::warn!("the previous output, {output}, stays as it is: {}", fault.chain());
            }
        }
        Self::forget(store)
    }
}
