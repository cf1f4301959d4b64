//! What a config names of its surroundings: folders, listeners, room. It is known as far as the keys
//! could be read, so that faults around the agent are found together with faults in the file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::Config;

/// The folders, listeners and limits of a config that may have faults elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// The hot folder.
    pub output: Option<PathBuf>,
    /// The staging folder.
    pub staging: Option<PathBuf>,
    /// The command folder.
    pub commands: Option<PathBuf>,
    /// The state folder.
    pub state: Option<PathBuf>,
    /// The folder for log files.
    pub log_dir: Option<PathBuf>,
    /// Further certificate authorities.
    pub ca_file: Option<PathBuf>,
    /// Where the status page listens.
    pub status_page: Option<SocketAddr>,
    /// Where notifications are awaited.
    pub notifications: Option<SocketAddr>,
    /// Bytes that stay free on the output's volume.
    pub min_free: u64,
}

impl Survey {
    /// The folders that the agent writes to, with their keys.
    pub fn folders(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        [
            ("output", &self.output),
            ("staging", &self.staging),
            ("commands", &self.commands),
            ("state", &self.state),
            ("log.dir", &self.log_dir),
        ]
        .into_iter()
        .filter_map(|(key, path)| path.as_deref().map(|path| (key, path)))
    }

    /// The addresses that the agent listens on, with their keys.
    pub fn listeners(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        [("status_page.listen", self.status_page), ("notifications.listen", self.notifications)]
            .into_iter()
            .filter_map(|(key, address)| address.map(|address| (key, address)))
    }
}

impl From<&Config> for Survey {
    fn from(config: &Config) -> Self {
        Self {
            output: Some(config.output.clone()),
            staging: Some(config.staging.clone()),
            commands: config.commands.clone(),
            state: Some(config.state.clone()),
            log_dir: config.log.dir.clone(),
            ca_file: config.ca_file.clone(),
            status_page: config.status_page,
            notifications: config.notifications.as_ref().map(|n| n.listen),
            min_free: config.min_free,
        }
    }
}
