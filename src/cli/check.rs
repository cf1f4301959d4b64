//! `casedrop check`: is the config valid, and does the PC allow what it asks for? Reports all
//! faults at once: those in the file along with those of folders, ports and free space.

mod files;
mod folders;

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{CliError, Exit, Streams};
use crate::config::{self, Config, ConfigFault, ConfigFaults, InForce, Places, Survey};
use crate::disk::Disk;
use crate::http::server::Listener;

/// Arguments of `casedrop check`. The config file comes from the global `--config`.
#[derive(Debug, Clone, Default, Args)]
pub struct CheckArgs {
    /// Contact no server: for the start of a service, which must not wait for one.
    #[arg(long)]
    pub offline: bool,
    /// Also show every effective key with its value and where that comes from.
    #[arg(long)]
    pub effective: bool,
}

/// A check that another part of the agent adds, such as whether a server answers. Runs only if the
/// config itself is valid.
pub type ExtraCheck<'a> = Box<dyn Fn(&Config, &mut Findings) + 'a>;

/// What the check looks at besides the config.
pub struct Around<'a> {
    pub disk: &'a dyn Disk,
    pub env: &'a [(String, String)],
    /// The current directory.
    pub cwd: &'a Path,
    /// Whether an agent runs on this state directory and therefore holds the ports.
    pub agent_runs: &'a dyn Fn(&Path) -> bool,
    pub extra: Vec<ExtraCheck<'a>>,
}

/// Everything wrong in the file and around it.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// Must be fixed.
    pub faults: Vec<ConfigFault>,
    /// Should be changed.
    pub warnings: Vec<ConfigFault>,
    pub config: Option<PathBuf>,
    /// The policy file, if there is one.
    pub policy: Option<PathBuf>,
    /// Every effective key, if the agent could run with the config.
    pub effective: Vec<InForce>,
    #[serde(skip)]
    places: Places,
}

impl Findings {
    /// Adds something that must be fixed.
    pub fn fault(&mut self, key: &str, reason: impl Into<String>, hint: impl Into<String>) {
        let fault = ConfigFault::of_key(key, reason).hint(hint);
        self.faults.push(self.places.locate(fault));
    }

    /// Adds something that should be changed.
    pub fn warning(&mut self, key: &str, reason: impl Into<String>, hint: impl Into<String>) {
        let warning = ConfigFault::of_key(key, reason).hint(hint);
        self.warnings.push(self.places.locate(warning));
    }
}

pub fn run(
    args: &CheckArgs,
    config_path: Option<&Path>,
    around: &Around<'_>,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let findings = find(config_path, around);
    if streams.json {
        streams.json(&findings)?;
    } else {
        if args.effective && !findings.effective.is_empty() {
            streams.line(effective(&findings.effective))?;
        }
        streams.line(report(&findings).trim_end())?;
    }
    Ok(if findings.faults.is_empty() { Exit::Ok } else { Exit::Usage })
}

/// Finds everything that is wrong with the config and its surroundings.
pub(super) fn find(config_path: Option<&Path>, around: &Around<'_>) -> Findings {
    let loaded = config::locate(around.disk, config_path, around.env, around.cwd)
        .and_then(|path| config::load(around.disk, &path, around.env));
    match loaded {
        Ok(loaded) => {
            let mut findings = Findings {
                config: Some(loaded.source),
                warnings: loaded.warnings,
                faults: Vec::new(),
                places: loaded.survey.places.clone(),
                policy: loaded.survey.policy.clone(),
                effective: loaded.config.effective.0.clone(),
            };
            surroundings(&loaded.survey, around, &mut findings);
            for extra in &around.extra {
                extra(&loaded.config, &mut findings);
            }
            findings
        }
        Err(ConfigFaults { config, faults, warnings, survey }) => {
            let mut findings = Findings {
                faults,
                warnings,
                config,
                policy: survey.policy.clone(),
                effective: Vec::new(),
                places: survey.places.clone(),
            };
            surroundings(&survey, around, &mut findings);
            findings
        }
    }
}

/// The findings, for people.
pub(super) fn report(findings: &Findings) -> String {
    let mut text = String::new();
    for (label, list) in [("error", &findings.faults), ("warning", &findings.warnings)] {
        for fault in list {
            text.push_str(&fault.paragraph(label));
            text.push_str("\n\n");
        }
    }
    let (faults, warnings) = (findings.faults.len(), findings.warnings.len());
    // Writing to a `String` cannot fail.
    let _ = match (faults, &findings.config) {
        (0, Some(path)) if warnings == 0 => write!(text, "the config is valid: {}", path.display()),
        (0, Some(path)) => {
            let path = path.display();
            write!(text, "the config is valid, with {}: {path}", count(warnings, "warning"))
        }
        _ => write!(text, "{}, {}", count(faults, "error"), count(warnings, "warning")),
    };
    text
}

/// The effective keys as a table.
fn effective(keys: &[InForce]) -> String {
    const WIDEST: usize = 44;
    let width = |text: fn(&InForce) -> &str| {
        keys.iter().map(|key| text(key).chars().count()).max().unwrap_or(0).min(WIDEST)
    };
    let (wide, wider) = (width(|key| &key.key), width(|key| &key.value));
    let mut text = String::new();
    for key in keys {
        let locked = if key.locked { " (locked)" } else { "" };
        let (name, value, place) = (&key.key, &key.value, key.place());
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{name:wide$}  {value:wider$}  {place}{locked}");
    }
    text
}

fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

fn surroundings(survey: &Survey, around: &Around<'_>, findings: &mut Findings) {
    let disk = around.disk;
    let mut sound = true;
    for (key, path) in survey.folders() {
        if let Err((reason, hint)) =
            folders::writable(disk, path, matches!(key, "output" | "commands"))
        {
            sound &= !matches!(key, "output" | "staging");
            findings.fault(key, reason, hint);
        }
    }
    if let Some(commands) = &survey.commands {
        folders::command_folder(disk, commands, findings);
    }
    if let (Some(output), Some(staging), true) = (&survey.output, &survey.staging, sound) {
        folders::volume(disk, output, staging, survey.min_free, findings);
        folders::locks(disk, output, staging, findings);
    }
    if let Some(state) = &survey.state {
        folders::state(disk, state, findings);
    }
    if let Some(path) = &survey.ca_file {
        files::authorities(disk, path, findings);
    }
    for (listener, files) in [
        (Listener::NOTIFICATIONS, &survey.notifications_tls),
        (Listener::STATUS_PAGE, &survey.status_page_tls),
    ] {
        if let Some(files) = files {
            files::certificate(disk, listener, files, findings);
        }
    }
    if let Some(path) = &survey.hook {
        files::hook(disk, path, findings);
    }
    if let Some(path) = &survey.policy {
        files::rights(disk, path, findings);
    }
    super::rights::check(disk, survey, findings);
    let runs = survey.state.as_deref().is_some_and(|state| (around.agent_runs)(state));
    for (key, address) in survey.listeners().filter(|_| !runs) {
        listener(key, address, findings);
    }
}

fn listener(key: &str, address: SocketAddr, findings: &mut Findings) {
    let Err(error) = TcpListener::bind(address) else { return };
    let (reason, hint) = match error.kind() {
        std::io::ErrorKind::AddrInUse => (
            format!("another program is already listening on {address}"),
            "stop that program, or use another port",
        ),
        std::io::ErrorKind::AddrNotAvailable => (
            format!("this PC has no address {}", address.ip()),
            "use 127.0.0.1, 0.0.0.0 or one of this PC's own addresses",
        ),
        std::io::ErrorKind::PermissionDenied => {
            (format!("the system does not allow listening on {address}"), "use a port above 1023")
        }
        _ => (format!("cannot listen on {address}: {error}"), "use another address or port"),
    };
    findings.fault(key, reason, hint);
}

impl From<ConfigFaults> for CliError {
    fn from(faults: ConfigFaults) -> Self {
        if let [fault] = faults.faults.as_slice() {
            let without_hint = ConfigFault { hint: None, ..fault.clone() };
            let text = without_hint.paragraph("config");
            let error = Self::new(Exit::Usage, text).code("config");
            return match &fault.hint {
                Some(hint) => error.hint(hint.clone()),
                None => error,
            };
        }
        let count = faults.faults.len();
        Self::new(Exit::Usage, format!("the config has {count} errors\n\n{faults}"))
            .code("config")
            .hint("`casedrop check` lists them again and also checks folders, ports and servers")
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
