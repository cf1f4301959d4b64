//! Applying a changed config without a new process: the agent shuts down gracefully, and its
//! process starts the next one with the config file's current content.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use crate::web::gate::Visitors;

/// How one agent of a process makes way for the next.
#[derive(Debug)]
pub struct Restart {
    file: PathBuf,
    is_service: bool,
    visitors: Option<Arc<Visitors>>,
    wanted: watch::Sender<bool>,
}

impl Restart {
    /// For an agent whose config came from that file. A service does not see the drives that a user
    /// mapped.
    pub fn new(file: PathBuf, is_service: bool) -> Self {
        Self { file, is_service, visitors: None, wanted: watch::Sender::new(false) }
    }

    /// Keeps the status page's known visitors.
    #[must_use]
    pub fn with_visitors(self, visitors: Arc<Visitors>) -> Self {
        Self { visitors: Some(visitors), ..self }
    }

    pub fn visitors(&self) -> Option<&Arc<Visitors>> {
        self.visitors.as_ref()
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Whether a service manager runs the process.
    pub fn is_service(&self) -> bool {
        self.is_service
    }

    /// Asks the agent to make way as soon as running work has reached a safe point.
    pub fn begin(&self) {
        self.wanted.send_replace(true);
    }

    /// Resolves when the agent should make way.
    pub async fn wanted(&self) {
        // An error means that the sender is gone.
        drop(self.wanted.subscribe().wait_for(|wanted| *wanted).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_asks_later_hears_it_too() {
        let restart = Restart::new("casedrop.yaml".into(), true);
        restart.begin();
        restart.wanted().await;
        assert!(restart.is_service() && restart.file().ends_with("casedrop.yaml"));
    }
}
