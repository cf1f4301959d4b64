//! The service as an administrator sees it: install, start, stop, uninstall.

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

pub const NAME: &str = if cfg!(windows) { "Casedrop" } else { "casedrop" };

/// Reports progress to the user.
pub type Say<'a> = &'a mut dyn FnMut(&str);

/// What to install.
pub struct Plan {
    /// The absolute path of the program.
    pub program: PathBuf,
    /// The config file, unless it is at the platform's default location.
    pub config: Option<PathBuf>,
    /// The files that the service may read and not change: the config, unless its page must fill it
    /// in first, and the policy next to it. They may be missing.
    pub sources: Vec<PathBuf>,
    /// The account to run under, if one was chosen.
    pub account: Option<String>,
    /// The account's password, if it has one.
    pub password: Option<SecretString>,
    /// The state folder.
    pub state: PathBuf,
    /// The output folder and the staging folder: orders are renamed from one to the other.
    pub output: [PathBuf; 2],
    /// The command folder, if any.
    pub commands: Option<PathBuf>,
    /// The folder for log files, if the config sets one.
    pub logs: Option<PathBuf>,
    /// The folder for downloaded versions, if the program updates itself.
    pub versions: Option<PathBuf>,
}

impl Plan {
    /// Returns every folder that the service writes to.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        let [output, staging] = &self.output;
        [&self.state, output, staging]
            .into_iter()
            .chain(&self.commands)
            .chain(&self.logs)
            .chain(&self.versions)
            .map(PathBuf::as_path)
    }

    /// Whether a folder is created so that only the service can access it.
    pub fn is_private(&self, folder: &Path) -> bool {
        folder == self.state || self.logs.as_deref() == Some(folder)
    }
}

/// The state of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum State {
    #[strum(serialize = "not installed")]
    NotInstalled,
    Stopped,
    /// Not running because it failed.
    Failed,
    Starting,
    Running,
    Stopping,
}

impl State {
    /// Returns the state in words.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Everything there is to know about the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Standing {
    pub name: String,
    pub state: State,
    /// Whether it starts at boot.
    pub starts_with_pc: Option<bool>,
    /// The account it runs under.
    pub account: Option<String>,
    /// The command that the service manager runs.
    pub command: Option<String>,
    /// The exit status of its last run, if that did not end well.
    pub exit_status: Option<u32>,
    /// What the running service says it is doing.
    pub doing: Option<String>,
}

impl Standing {
    /// The standing of a service that does not exist.
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

/// Fault code for a service that is not there.
const NOT_INSTALLED: &str = "not-installed";

fn not_installed(name: &str) -> Fault {
    fault(NOT_INSTALLED, format!("there is no service {name}"))
        .hint("to install it: `casedrop service install`")
}
