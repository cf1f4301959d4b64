//! systemd: the unit, its user, and `systemctl`, which does the rest.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::unit::{USER, unit, writable};
use super::{Plan, Say, Standing, State, fault, not_installed};
use crate::disk::{Disk as _, RealDisk, write_durably};
use crate::model::fault::Fault;

/// Where `service install` puts the unit.
const UNIT: &str = "etc/systemd/system/casedrop.service";
/// Where packages put their unit.
const OF_PACKAGE: [&str; 2] =
    ["usr/lib/systemd/system/casedrop.service", "lib/systemd/system/casedrop.service"];
/// Exists if systemd is running.
const RUNNING: &str = "run/systemd/system";

/// Runs a program to completion.
type Run = Box<dyn Fn(&str, &[&str]) -> io::Result<Output>>;

/// The services of this PC, as managed by systemd.
pub struct Services {
    name: String,
    root: PathBuf,
    run: Run,
}

impl Services {
    /// Returns the service manager of this PC.
    ///
    /// # Errors
    /// systemd is not running.
    pub fn here(name: &str) -> Result<Self, Fault> {
        let run: Run = Box::new(|program, args| Command::new(program).args(args).output());
        Self::at(name, PathBuf::from("/"), run)
    }

    fn at(name: &str, root: PathBuf, run: Run) -> Result<Self, Fault> {
        if matches!(RealDisk.kind(&root.join(RUNNING)), Ok(Some(_))) {
            return Ok(Self { name: name.to_owned(), root, run });
        }
        Err(fault("no-systemd", "systemd is not running here, so there are no services").hint(
            "let the init system of this PC start `casedrop run`, which stays in the foreground \
             and stops on SIGTERM",
        ))
    }

    /// Installs and starts the service.
    pub fn install(&self, plan: &Plan, say: Say<'_>) -> Result<(), Fault> {
        needs_root("install the service")?;
        let shipped = OF_PACKAGE.iter().map(|path| self.root.join(path));
        match shipped.into_iter().find(|path| matches!(RealDisk.kind(path), Ok(Some(_)))) {
            Some(path) => keep_package(&path, plan, say)?,
            None => self.write(plan, say)?,
        }
        self.systemctl(&["daemon-reload"])?;
        self.systemctl(&["enable", &self.name])?;
        say("starting the service; systemd waits until it works");
        // A running service picks up the changes.
        self.systemctl(&["restart", &self.name])
    }

    fn write(&self, plan: &Plan, say: Say<'_>) -> Result<(), Fault> {
        let user = plan.account.as_deref().unwrap_or(USER);
        let mut group = USER.to_owned();
        if let Some(account) = &plan.account {
            // Fails if the user does not exist.
            group = self.output("id", &["-gn", account]).map_err(|fault| {
                fault.hint(format!("create the user {account} first, or omit --account"))
            })?;
        } else if self.output("id", &["-u", USER]).is_err() {
            say(&format!("creating the system user {USER}"));
            let home = ["--home-dir", "/var/lib/casedrop", "--no-create-home"];
            let mut args = vec!["--system", "--user-group", "--shell", "/usr/sbin/nologin"];
            args.extend(home);
            args.push(USER);
            self.output("useradd", &args)?;
        }
        let text = unit(plan, user, group.trim())?;
        let mut made = Vec::new();
        for folder in plan.folders() {
            if RealDisk.kind(folder)?.is_none() {
                if plan.is_private(folder) {
                    RealDisk.create_private_dirs(folder)?;
                } else {
                    RealDisk.create_dirs(folder)?;
                }
                made.push(folder.to_string_lossy().into_owned());
            }
        }
        if !made.is_empty() {
            say(&format!("created for {user}: {}", made.join(", ")));
            let owner = format!("{user}:{}", group.trim());
            let mut args = vec!["--no-dereference", owner.as_str(), "--"];
            args.extend(made.iter().map(String::as_str));
            self.output("chown", &args)?;
        }
        let path = self.root.join(UNIT);
        RealDisk.create_dirs(path.parent().unwrap_or(&self.root))?;
        write_durably(&RealDisk, &path, text.as_bytes())?;
        say(&format!("wrote {}", path.display()));
        self.look_as(user, plan, say);
        Ok(())
    }

    /// Runs `check` as the service's user and reports what it finds. Whether the service works all
    /// the same shows when it starts.
    fn look_as(&self, user: &str, plan: &Plan, say: Say<'_>) {
        let program = plan.program.to_string_lossy();
        let mut args = vec!["-u", user, "--", &*program, "check", "--offline"];
        let config = plan.config.as_ref().map(|config| config.to_string_lossy());
        if let Some(config) = &config {
            args.extend(["--config", &**config]);
        }
        let found = (self.run)("runuser", &args);
        if let Some(found) = found.ok().filter(|output| !output.status.success()) {
            let text = [&*found.stdout, &*found.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            say(&format!("a check as the user {user} found problems:\n\n{}", text.trim()));
        }
    }

    /// Stops and removes the service. Config, state and orders stay.
    pub fn uninstall(&self, say: Say<'_>) -> Result<(), Fault> {
        needs_root("remove the service")?;
        if self.standing()?.state == State::NotInstalled {
            return Err(not_installed(&self.name));
        }
        say("stopping the service");
        self.systemctl(&["disable", "--now", &self.name])?;
        let own = self.root.join(UNIT);
        if RealDisk.kind(&own)?.is_some() {
            RealDisk.remove_file(&own)?;
            self.systemctl(&["daemon-reload"])
        } else {
            say("its unit belongs to a package and is removed with it");
            Ok(())
        }
    }

    /// Starts the service and waits until it works.
    pub fn start(&self, say: Say<'_>) -> Result<(), Fault> {
        self.change("start", "starting", say)
    }

    /// Stops the service and waits until it has stopped.
    pub fn stop(&self, say: Say<'_>) -> Result<(), Fault> {
        self.change("stop", "stopping", say)
    }

    fn change(&self, verb: &str, doing: &str, say: Say<'_>) -> Result<(), Fault> {
        if self.standing()?.state == State::NotInstalled {
            return Err(not_installed(&self.name));
        }
        say(&format!("{doing} the service; this may take a few seconds"));
        self.systemctl(&[verb, &self.name])
    }

    /// Queries the state of the service.
    pub fn standing(&self) -> Result<Standing, Fault> {
        const PROPERTIES: &str = "--property=LoadState,ActiveState,UnitFileState,User,ExecMainStatus,\
                                  ExecStart,StatusText";
        let text = self.output("systemctl", &["show", PROPERTIES, "--", &self.name])?;
        Ok(standing(&self.name, &text))
    }

    fn systemctl(&self, args: &[&str]) -> Result<(), Fault> {
        self.output("systemctl", args).map(drop).map_err(|fault| {
            if fault.hint.is_some() {
                return fault;
            }
            fault.hint(format!("for details: `journalctl -u {} -n 50`", self.name))
        })
    }

    /// Runs a program that must succeed, and returns its output.
    fn output(&self, program: &str, args: &[&str]) -> Result<String, Fault> {
        let line = format!("{program} {}", args.join(" "));
        let output = (self.run)(program, args).map_err(|error| {
            fault("no-program", format!("cannot run `{line}`")).caused_by(error)
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let message = format!("`{line}` failed: {}", said.trim());
        let is_denied = ["Access denied", "authentication required", "Permission denied"]
            .iter()
            .any(|words| said.contains(words));
        let fault = fault("service", message);
        Err(if is_denied { fault.hint(AS_ROOT) } else { fault })
    }
}

/// Keeps the package's unit unchanged.
fn keep_package(path: &Path, plan: &Plan, say: Say<'_>) -> Result<(), Fault> {
    if plan.account.is_some() {
        let message = format!("{} belongs to a package and has its own user", path.display());
        return Err(fault("packaged", message)
            .hint("choose another user with a drop-in: `systemctl edit casedrop`"));
    }
    say(&format!("{} belongs to a package and is left unchanged", path.display()));
    let known = ["/srv/casedrop", "/var/lib/casedrop"];
    let is_known = |path: &PathBuf| known.iter().any(|known| path.starts_with(known));
    let missing: Vec<PathBuf> =
        writable(plan)?.into_iter().filter(|path| !is_known(path)).collect();
    if !missing.is_empty() {
        let lines: Vec<_> =
            missing.iter().map(|path| format!("  ReadWritePaths={}", path.display())).collect();
        say(&format!(
            "it does not let the service write where the config requires it; run `systemctl edit \
             casedrop`, and add below [Service]:\n\
             {}",
            lines.join("\n")
        ));
    }
    if let Some(config) = &plan.config {
        let config = config.display();
        say(&format!("the package's service reads its config from /etc/casedrop, not {config}"));
    }
    Ok(())
}

const AS_ROOT: &str = "run this as root: put `sudo` before it";

fn needs_root(what: &str) -> Result<(), Fault> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(fault("not-root", format!("only root may {what}")).hint(AS_ROOT))
}

/// Parses the output of `systemctl show`.
fn standing(name: &str, text: &str) -> Standing {
    let properties: BTreeMap<&str, &str> =
        text.lines().filter_map(|line| line.split_once('=')).collect();
    let property = |name: &str| properties.get(name).copied().filter(|value| !value.is_empty());
    if property("LoadState").is_none_or(|state| state == "not-found") {
        return Standing::of_none(name);
    }
    let state = match property("ActiveState") {
        Some("active" | "reloading") => State::Running,
        Some("activating") => State::Starting,
        Some("deactivating") => State::Stopping,
        Some("failed") => State::Failed,
        _ => State::Stopped,
    };
    // { path=… ; argv[]=… ; ignore_errors=no ; … }
    let command = property("ExecStart").and_then(|text| {
        let rest = text.split_once("argv[]=")?.1;
        Some(rest.split_once(" ; ").map_or(rest, |(line, _)| line).to_owned())
    });
    let exit_status = property("ExecMainStatus").and_then(|code| code.parse().ok());
    Standing {
        name: name.to_owned(),
        state,
        starts_with_pc: property("UnitFileState").map(|state| state.starts_with("enabled")),
        account: property("User").map(str::to_owned),
        command,
        exit_status: exit_status.filter(|code| *code != 0 && state != State::Running),
        doing: property("StatusText").map(str::to_owned),
    }
}

#[cfg(test)]
#[path = "linux_tests.rs"]
mod tests;
