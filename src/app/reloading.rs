//! A changed config without a new process: the agent ends in good order, and its process begins the
//! next one with what the config file says by then.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use crate::web::gate::Visitors;

/// How one agent of a process makes way for the next.
#[derive(Debug)]
pub struct Reloading {
    file: PathBuf,
    is_service: bool,
    visitors: Option<Arc<Visitors>>,
    wanted: watch::Sender<bool>,
}

impl Reloading {
    /// For an agent whose config came from that file. A service has no drives that were mapped by a
    /// person.
    pub fn new(file: PathBuf, is_service: bool) -> Self {
        Self { file, is_service, visitors: None, wanted: watch::Sender::new(false) }
    }

    /// Who is known to the status page stays known.
    #[must_use]
    pub fn with_visitors(self, visitors: Arc<Visitors>) -> Self {
        Self { visitors: Some(visitors), ..self }
    }

    /// Who is known to the status page.
    pub fn visitors(&self) -> Option<&Arc<Visitors>> {
        self.visitors.as_ref()
    }

    /// The config file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether a service manager runs the process.
    pub fn is_service(&self) -> bool {
        self.is_service
    }

    /// The agent makes way as soon as what runs has come to a safe point.
    pub fn begin(&self) {
        self.wanted.send_replace(true);
    }

    /// Resolves when the agent is to make way.
    pub async fn wanted(&self) {
        // An error means that whoever could say so is gone.
        drop(self.wanted.subscribe().wait_for(|wanted| *wanted).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_asks_later_hears_it_too() {
        let reloading = Reloading::new("casedrop.yaml".into(), true);
        reloading.begin();
        reloading.wanted().await;
        assert!(reloading.is_service() && reloading.file().ends_with("casedrop.yaml"));
    }
}
