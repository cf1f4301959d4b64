//! What all routes share.

use std::sync::Arc;

use tokio::sync::watch;

use crate::model::fault::{Fault, FaultClass};

use super::answers::Answers;
use super::data::PageData;
use super::gate::Gate;
use super::patients::Patients;

pub(super) struct Shared {
    pub(super) data: Arc<dyn PageData>,
    pub(super) gate: Gate,
    pub(super) answers: Answers,
    /// The patients' names read so far, for searches.
    pub(super) patients: Patients,
    /// The labs in the order of the config.
    pub(super) labs: Vec<String>,
    /// Whether patients' names may be shown.
    pub(super) show_names: bool,
    /// Changes whenever something happened.
    pub(super) told: watch::Receiver<()>,
}

impl Shared {
    /// Asks the agent, on a thread that may block.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&dyn PageData) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let shared = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || ask(&*shared.data)).await;
        asked.unwrap_or_else(|error| {
            let text = "the status page could not reach the agent";
            Err(Fault::new(FaultClass::Local, "status-page", text)
                .hint("open the page again; if that does not help, restart Casedrop")
                .caused_by(error))
        })
    }
}
