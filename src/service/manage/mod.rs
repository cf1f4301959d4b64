//! The service as an administrator sees it: put in place, started, stopped, taken away.

#[cfg(any(windows, test))]
mod image_path;
#[cfg(unix)]
mod linux;
#[cfg(unix)]
mod unit;
#[cfg(windows)]
mod windows;

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::Serialize;

use crate::model::fault::{Fault, FaultClass};

#[cfg(unix)]
pub use linux::Services;
#[cfg(windows)]
pub use windows::Services;

/// The service's name on this system.
pub const NAME: &str = if cfg!(windows) { "Casedrop" } else { "casedrop" };

/// Tells a person how it goes on.
pub type Say<'a> = &'a mut dyn FnMut(&str);

/// What is to be put in place.
pub struct Plan {
    /// The program, by its whole path.
    pub program: PathBuf,
    /// Its config file, where it is not the platform's place.
    pub config: Option<PathBuf>,
    /// Its config file, and the policy beside it, which need not be there.
    pub sources: [PathBuf; 2],
    /// The account that it runs under, where one was chosen.
    pub account: Option<String>,
    /// That account's password, where it has one.
    pub password: Option<SecretString>,
    /// The agent's own folder.
    pub state: PathBuf,
    /// The hot folder and where orders are put together for it: renames lead from one to the other.
    pub output: [PathBuf; 2],
    /// The command folder, if any.
    pub commands: Option<PathBuf>,
    /// The folder for log files, if the config names one.
    pub logs: Option<PathBuf>,
    /// The folder of the versions that an update brings, where the program updates itself.
    pub versions: Option<PathBuf>,
}

impl Plan {
    /// Every folder that the service writes to.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        let [output, staging] = &self.output;
        [&self.state, output, staging]
            .into_iter()
            .chain(&self.commands)
            .chain(&self.logs)
            .chain(&self.versions)
            .map(PathBuf::as_path)
    }

    /// Whether a folder is made so that nobody but the service may enter it.
    pub fn is_private(&self, folder: &Path) -> bool {
        folder == self.state || self.logs.as_deref() == Some(folder)
    }
}

/// How the service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// There is none.
    NotInstalled,
    /// It does not run.
    Stopped,
    /// It does not run, because it failed.
    Failed,
    /// It is about to run.
    Starting,
    /// It runs.
    Running,
    /// It is about to stop.
    Stopping,
}

impl State {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotInstalled => "not installed",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
        }
    }
}

/// All that there is to tell of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The service's name.
    pub name: String,
    /// Whether it runs.
    pub state: State,
    /// Whether it starts with the PC.
    pub starts_with_pc: Option<bool>,
    /// The account that it runs under.
    pub account: Option<String>,
    /// What the service manager starts.
    pub command: Option<String>,
    /// The program's exit status at its last end, if it did not end well.
    pub exit_status: Option<u32>,
    /// What the running service says of itself.
    pub doing: Option<String>,
}

impl Standing {
    /// Of a service that is not there.
    fn of_none(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            state: State::NotInstalled,
            starts_with_pc: None,
            account: None,
            command: None,
            exit_status: None,
            doing: None,
        }
    }
}

fn fault(code: &'static str, message: impl Into<String>) -> Fault {
    Fault::new(FaultClass::Local, code, message)
}

fn not_installed(name: &str) -> Fault {
    fault("not-installed", format!("there is no service {name}"))
        .hint("`casedrop service install` puts it in place")
}
