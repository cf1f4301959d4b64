//! `casedrop check`: is the config right, and does the PC around it allow what it asks for? All
//! faults come at once, those in the file together with those of folders, ports and room.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use serde::Serialize;

use super::{CliError, Exit, Streams};
use crate::config::{self, Config, ConfigFault, ConfigFaults, Places, Survey, TlsFiles};
use crate::disk::{Disk, Kind, read_limited};
use crate::inputs::commands::FOLDERS;
use crate::inputs::notifications::check_certificate;

/// Arguments of `casedrop check`. The config file is named by the common `--config`.
#[derive(Debug, Clone, Default, Args)]
pub struct CheckArgs {
    /// Asks no server: for the start of a service, which must not wait for one.
    #[arg(long)]
    pub offline: bool,
}

/// A check that another part of the agent adds, such as whether a server answers. It is asked only
/// when the config itself is sound.
pub type ExtraCheck<'a> = Box<dyn Fn(&Config, &mut Findings) + 'a>;

/// What the check looks at beside the config.
pub struct Around<'a> {
    /// The file system.
    pub disk: &'a dyn Disk,
    /// The environment variables.
    pub env: &'a [(String, String)],
    /// The current folder.
    pub cwd: &'a Path,
    /// Whether an agent runs on this state directory: then it is the one that holds the ports.
    pub agent_runs: &'a dyn Fn(&Path) -> bool,
    /// Further checks.
    pub extra: Vec<ExtraCheck<'a>>,
}

/// What is wrong, in the file and around it.
#[derive(Debug, Default, Serialize)]
pub struct Findings {
    /// What must be put right.
    pub faults: Vec<ConfigFault>,
    /// What is better changed.
    pub warnings: Vec<ConfigFault>,
    /// The config file.
    pub config: Option<PathBuf>,
    #[serde(skip)]
    places: Places,
}

impl Findings {
    /// Adds something that must be put right.
    pub fn fault(&mut self, key: &str, reason: impl Into<String>, hint: impl Into<String>) {
        let fault = ConfigFault::of_key(key, reason).hint(hint);
        self.faults.push(self.places.locate(fault));
    }

    /// Adds something that is better changed.
    pub fn warning(&mut self, key: &str, reason: impl Into<String>, hint: impl Into<String>) {
        let warning = ConfigFault::of_key(key, reason).hint(hint);
        self.warnings.push(self.places.locate(warning));
    }
}

/// Checks the config and its surroundings.
pub fn run(
    config_path: Option<&Path>,
    around: &Around<'_>,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let findings = find(config_path, around);
    if streams.json {
        streams.json(&findings)?;
    } else {
        streams.line(report(&findings).trim_end())?;
    }
    Ok(if findings.faults.is_empty() { Exit::Ok } else { Exit::Usage })
}

fn find(config_path: Option<&Path>, around: &Around<'_>) -> Findings {
    let loaded = config::locate(around.disk, config_path, around.env, around.cwd)
        .and_then(|path| config::load(around.disk, &path, around.env));
    match loaded {
        Ok(loaded) => {
            let mut findings = Findings {
                config: Some(loaded.source),
                warnings: loaded.warnings,
                faults: Vec::new(),
                places: loaded.survey.places.clone(),
            };
            surroundings(&loaded.survey, around, &mut findings);
            for extra in &around.extra {
                extra(&loaded.config, &mut findings);
            }
            findings
        }
        Err(ConfigFaults { config, faults, warnings, survey }) => {
            let mut findings = Findings { faults, warnings, config, places: survey.places.clone() };
            surroundings(&survey, around, &mut findings);
            findings
        }
    }
}

fn report(findings: &Findings) -> String {
    let mut text = String::new();
    for (label, list) in [("error", &findings.faults), ("warning", &findings.warnings)] {
        for fault in list {
            text.push_str(&fault.paragraph(label));
            text.push_str("\n\n");
        }
    }
    let (faults, warnings) = (findings.faults.len(), findings.warnings.len());
    // Writing to a String cannot fail.
    let _ = match (faults, &findings.config) {
        (0, Some(path)) if warnings == 0 => write!(text, "the config is valid: {}", path.display()),
        (0, Some(path)) => {
            let path = path.display();
            write!(text, "the config is valid, with {}: {path}", count(warnings, "warning"))
        }
        _ => write!(text, "{}, {}", count(faults, "fault"), count(warnings, "warning")),
    };
    text
}

fn count(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

fn surroundings(survey: &Survey, around: &Around<'_>, findings: &mut Findings) {
    let disk = around.disk;
    let mut sound = true;
    for (key, path) in survey.folders() {
        if let Err((reason, hint)) = writable(disk, path, matches!(key, "output" | "commands")) {
            sound &= !matches!(key, "output" | "staging");
            findings.fault(key, reason, hint);
        }
    }
    if let Some(commands) = &survey.commands {
        command_folder(disk, commands, findings);
    }
    if let (Some(output), Some(staging), true) = (&survey.output, &survey.staging, sound) {
        volume(disk, output, staging, survey.min_free, findings);
    }
    if let Some(path) = &survey.ca_file {
        authorities(disk, path, findings);
    }
    if let Some(files) = &survey.notifications_tls {
        certificate(disk, files, findings);
    }
    if let Some(path) = &survey.hook {
        hook(disk, path, findings);
    }
    super::rights::check(disk, survey, findings);
    let runs = survey.state.as_deref().is_some_and(|state| (around.agent_runs)(state));
    for (key, address) in survey.listeners().filter(|_| !runs) {
        listener(key, address, findings);
    }
}

/// Whether files can be made in a folder, or else, if it is not there yet, in what will hold it.
///
/// The folder itself is not made. The probe's name begins with a dot, and it is gone at once. In a
/// `watched` folder nothing is made at all.
fn writable(disk: &dyn Disk, path: &Path, watched: bool) -> Result<(), (String, String)> {
    let fault = |error: crate::disk::DiskError| {
        let fault: crate::model::fault::Fault = error.into();
        let hint = fault.hint.clone().unwrap_or_default();
        (fault.chain(), hint)
    };
    let (folder, kind) = nearest_existing(disk, path).map_err(fault)?;
    if kind == Kind::File {
        let reason = format!("{} is a file, not a folder", folder.display());
        return Err((reason, "name a folder, or move that file away".to_owned()));
    }
    if watched && folder == path {
        return disk.may_create_in(&folder).map_err(fault);
    }
    let probe = folder.join(format!(".casedrop-probe-{}", std::process::id()));
    if disk.kind(&probe).map_err(fault)?.is_some() {
        // Left by a check that was killed.
        disk.remove_file(&probe).map_err(fault)?;
    }
    let written = disk.create(&probe).and_then(|mut file| {
        let wrote = std::io::Write::write_all(&mut file, b"casedrop check\n");
        let synced = wrote.and_then(|()| file.sync());
        synced.map_err(|source| crate::disk::DiskError {
            operation: "write",
            path: probe.clone(),
            source,
        })
    });
    // A probe that could not be made needs no removal; one that could not be written does.
    let removed = match disk.kind(&probe) {
        Ok(Some(_)) => disk.remove_file(&probe),
        _ => Ok(()),
    };
    written.and(removed).map_err(|error| {
        let (_, hint) = fault(crate::disk::DiskError {
            operation: error.operation,
            path: error.path.clone(),
            source: std::io::Error::from(error.kind()),
        });
        let what = if folder == path {
            format!("cannot write to {}", path.display())
        } else {
            let holder = folder.display();
            format!("{} is missing and cannot be made: cannot write to {holder}", path.display())
        };
        (format!("{what}: {}", error.source), hint)
    })
}

/// Whether the folders in the command folder can be used, as far as they are there.
fn command_folder(disk: &dyn Disk, path: &Path, findings: &mut Findings) {
    for name in FOLDERS {
        let folder = path.join(name);
        match disk.kind(&folder) {
            Ok(Some(Kind::Dir)) => {
                if let Err(error) = disk.may_create_in(&folder) {
                    let fault: crate::model::fault::Fault = error.into();
                    findings.fault("commands", fault.chain(), fault.hint.unwrap_or_default());
                }
            }
            Ok(Some(_)) => {
                let folder = folder.display();
                let reason = format!("{folder} is no folder, and the agent needs one of that name");
                findings.fault("commands", reason, "move it away");
            }
            // That the command folder itself is out of reach is told already.
            Ok(None) | Err(_) => {}
        }
    }
}

/// The folder, or the nearest one above it that exists.
fn nearest_existing(
    disk: &dyn Disk,
    path: &Path,
) -> Result<(PathBuf, Kind), crate::disk::DiskError> {
    let mut at = path;
    loop {
        match disk.kind(at) {
            Ok(Some(kind)) => return Ok((at.to_path_buf(), kind)),
            Ok(None) => {}
            // Below a file nothing can stand; the file itself is found further up.
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {}
            Err(error) => return Err(error),
        }
        match at.parent() {
            Some(parent) => at = parent,
            None => return Ok((at.to_path_buf(), Kind::Dir)),
        }
    }
}

fn volume(disk: &dyn Disk, output: &Path, staging: &Path, min_free: u64, findings: &mut Findings) {
    let (Ok((near_output, _)), Ok((near_staging, _))) =
        (nearest_existing(disk, output), nearest_existing(disk, staging))
    else {
        return;
    };
    match disk.same_volume(&near_output, &near_staging) {
        Ok(true) => {}
        Ok(false) => {
            let reason = format!(
                "{} and the output {} are on different volumes, so that orders cannot appear in one step",
                staging.display(),
                output.display()
            );
            let inside = output.join(".casedrop-staging");
            let hint = format!(
                "name a folder on the output's volume; where the output is the root of a share or a \
                 mount point: {}",
                inside.display()
            );
            findings.fault("staging", reason, hint);
        }
        Err(error) => findings.fault(
            "staging",
            format!("{error}: {}", error.source),
            "check that both folders are reachable",
        ),
    }
    if staging.starts_with(output) {
        let reason = format!(
            "{} lies inside the output, as the output is the root of its volume; it is hidden, yet \
             programs that search the whole volume can see it",
            staging.display()
        );
        let hint = "if a program trips over it, make a folder on that volume the output instead";
        findings.warning("staging", reason, hint);
    }
    match disk.free_space(&near_output) {
        Ok(free) if free < min_free => {
            let reason = format!(
                "{} of the volume of {} are free, and {} are to stay free: nothing would be fetched",
                config::write_size_roughly(free),
                output.display(),
                config::write_size_roughly(min_free)
            );
            findings.fault(
                "retention.min_free",
                reason,
                "free some space, or write a smaller size",
            );
        }
        Ok(_) => {}
        Err(error) => findings.fault(
            "output",
            format!("{error}: {}", error.source),
            "check that the volume is reachable",
        ),
    }
}

fn authorities(disk: &dyn Disk, path: &Path, findings: &mut Findings) {
    const MOST: u64 = 4 << 20;
    let hint = "name a PEM file, with lines such as -----BEGIN CERTIFICATE-----";
    match read_limited(disk, path, MOST) {
        Ok(bytes) => {
            let mark = b"-----BEGIN CERTIFICATE-----";
            if !bytes.windows(mark.len()).any(|window| window == mark) {
                let reason = format!("{} holds no certificate", path.display());
                findings.fault("api.ca_file", reason, hint);
            }
        }
        Err(error) => {
            findings.fault("api.ca_file", format!("{error}: {}", error.source), hint);
        }
    }
}

fn certificate(disk: &dyn Disk, files: &TlsFiles, findings: &mut Findings) {
    let key = "notifications.tls.certificate";
    match check_certificate(disk, files, SystemTime::now()) {
        Ok(None) => {}
        Ok(Some(0)) => {
            let reason = format!("{} has ended, or ends within a day", files.certificate.display());
            findings.warning(key, reason, "renew the certificate");
        }
        Ok(Some(days)) => {
            let reason = format!("{} ends in {days} days", files.certificate.display());
            findings.warning(key, reason, "renew the certificate");
        }
        Err(fault) => {
            let hint = fault.hint.clone().unwrap_or_default();
            findings.fault(key, fault.chain(), hint);
        }
    }
}

fn hook(disk: &dyn Disk, path: &Path, findings: &mut Findings) {
    let hint = "write the whole path of a program that the agent's user may run";
    let shown = path.display();
    if cfg!(windows) && !starts_on_windows(path) {
        let reason = format!("Windows does not start {shown} as a program");
        let hint = "name the interpreter's whole path first, and the script as its argument";
        findings.fault("notices.hook.run[0]", reason, hint);
        return;
    }
    let reason = match disk.kind(path) {
        Ok(Some(Kind::File)) => return,
        // A link is followed when it is run; some systems keep their programs so.
        Ok(Some(Kind::Other)) if disk.open(path).is_ok() => return,
        Ok(Some(_)) => format!("{shown} is not a file"),
        Ok(None) => format!("there is no program at {shown}"),
        Err(error) => format!("{error}: {}", error.source),
    };
    findings.fault("notices.hook.run[0]", reason, hint);
}

/// Whether Windows starts such a file without being told by what.
fn starts_on_windows(path: &Path) -> bool {
    let extension = path.extension().map(|it| it.to_string_lossy().to_lowercase());
    extension.is_some_and(|it| ["exe", "com", "bat", "cmd"].contains(&it.as_str()))
}

fn listener(key: &str, address: SocketAddr, findings: &mut Findings) {
    let Err(error) = TcpListener::bind(address) else { return };
    let (reason, hint) = match error.kind() {
        std::io::ErrorKind::AddrInUse => (
            format!("another program listens on {address}"),
            "end that program, or use another port",
        ),
        std::io::ErrorKind::AddrNotAvailable => (
            format!("this PC has no address {}", address.ip()),
            "use 127.0.0.1, 0.0.0.0 or one of this PC's own addresses",
        ),
        std::io::ErrorKind::PermissionDenied => {
            (format!("the system does not allow to listen on {address}"), "use a port above 1023")
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
            let error = Self::new(Exit::Usage, text);
            return match &fault.hint {
                Some(hint) => error.hint(hint.clone()),
                None => error,
            };
        }
        let count = faults.faults.len();
        Self::new(Exit::Usage, format!("the config has {count} faults\n\n{faults}"))
            .hint("`casedrop check` shows them again, with what surrounds the agent")
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
