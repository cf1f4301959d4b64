//! `update`: looks for a newer version of this program, stages it and tries it out.

use std::sync::Arc;

use clap::Args;
use semver::Version;
use serde_json::json;

use super::ask::{self, ask, who};
use super::{CliError, Exit, Streams, hooks, work};
use crate::agent::{Updating, agent_runs, try_out_at_next_start, wall_now};
use crate::config::Config;
use crate::disk::{Disk, RealDisk};
use crate::model::fault::Fault;
use crate::model::request::Request;
use crate::update::delegate::distrusted;
use crate::update::release::Release;
use crate::update::stage::{self, Found};
use crate::update::{Place, Program, managed_by};

#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Only report whether there is a newer version; exits 0 unless that cannot be determined.
    #[arg(long)]
    pub check: bool,
    /// Retry a version that failed on this PC before.
    #[arg(long)]
    pub retry: bool,
}

/// The result of `--check`.
struct Standing {
    state: &'static str,
    message: String,
    update: Option<Release>,
}

/// Looks for a newer version and, unless only checking, stages it and lets it be tried out.
pub fn run(config: &Config, args: &UpdateArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let program = hooks::program()?;
    let place = Place::of(&program.exe);
    if let Some(manager) = managed_by(&RealDisk, &program.exe) {
        let message = format!("this PC is updated through {}", manager.through());
        if !args.check {
            return Err(CliError::new(Exit::Failed, message)
                .hint("install the new package over the old one; config and orders stay"));
        }
        let standing = Standing { state: "managed", message, update: None };
        return tell(&program, &standing, streams);
    }
    let runtime = work::runtime()?;
    let look = stage::look(&program, &place, config, &RealDisk, wall_now());
    let found = runtime.block_on(look);
    let here = place.newest(&RealDisk, &program.version);
    if args.check {
        return tell(&program, &standing(&here, found, args.retry)?, streams);
    }
    let release = match found? {
        Found::UpToDate => {
            let message = format!("casedrop {here} is the newest version");
            let standing = Standing { state: "up-to-date", message, update: None };
            return tell(&program, &standing, streams);
        }
        Found::There(release) => release,
        Found::Failed(release, _) if args.retry => release,
        Found::Failed(release, refused) => {
            let at = refused.at.local();
            let text = format!("version {} failed here on {at}: {}", release.version, refused.why);
            return Err(CliError::new(Exit::Failed, text)
                .hint("to try it again: `casedrop update --retry`"));
        }
        Found::Distrusted(why) => {
            return Err(CliError::new(Exit::Failed, format!("nothing was installed: {why}"))
                .hint("tell the people who publish the releases there"));
        }
    };
    let runs = agent_runs(&config.state);
    if let Some(trial) = place.trial(&RealDisk).filter(|_| runs) {
        let text = format!("version {} is on trial", trial.version.0);
        return Err(CliError::new(Exit::Failed, text).hint("wait until the trial is over"));
    }
    let version = release.version.to_string();
    // Staging runs the unpacked program to ask for its version. Someone with more rights than those
    // who could tamper with it must not do that; then the agent stages it itself.
    let others = distrusted(&RealDisk, Some(place.versions()).filter(|_| place.is_kept(&RealDisk)));
    match others {
        None => {
            streams.note(format!("downloading version {}", release.version));
            runtime.block_on(stage::stage(&program, &place, config, &RealDisk, &release))?;
        }
        Some(_) if runs => {}
        Some(why) => {
            return Err(CliError::new(Exit::Failed, format!("nothing was downloaded: {why}")).hint(
                "start the agent and run this again, so that the agent downloads the version; or \
                 run this as the agent's account",
            ));
        }
    }
    let mut refused = place.refused(&RealDisk);
    if refused.remove(&release.version).is_some() {
        place.set_refused(&RealDisk, &refused)?;
    }
    if runs {
        return ask(config, &Request::Update { version }, streams);
    }
    let updating = Updating::new(program, place, None);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let message = try_out_at_next_start(config, &disk, &updating, &release.version, &who())?;
    ask::tell(&message, streams)
}

fn standing(
    here: &Version,
    found: Result<Found, Fault>,
    retry: bool,
) -> Result<Standing, CliError> {
    let (state, message, update) = match found {
        Ok(Found::UpToDate) => {
            ("up-to-date", format!("casedrop {here} is the newest version"), None)
        }
        Ok(Found::There(release)) => (
            "available",
            format!("version {} is available; to install it: `casedrop update`", release.version),
            Some(release),
        ),
        Ok(Found::Failed(release, refused)) => {
            let again = if retry { "" } else { "; to try it again: `casedrop update --retry`" };
            let at = refused.at.local();
            let text = format!(
                "version {} is available, but failed when it was tried on {at}: {}{again}",
                release.version, refused.why
            );
            ("failed-before", text, Some(release))
        }
        Ok(Found::Distrusted(why)) => ("distrusted", format!("no update: {why}"), None),
        Err(fault) if fault.code == stage::UPDATE_OFF => {
            let hint = fault.hint.as_deref().map(|hint| format!("; {hint}")).unwrap_or_default();
            ("off", format!("{}{hint}", fault.message), None)
        }
        Err(fault) => return Err(fault.into()),
    };
    Ok(Standing { state, message, update })
}

fn tell(program: &Program, standing: &Standing, streams: &mut Streams) -> Result<Exit, CliError> {
    let Standing { state, message, update } = standing;
    if !streams.json {
        streams.line(message)?;
        if let Some(notes) = update.as_ref().and_then(|release| release.notes.as_ref()) {
            streams.line(format!("what is new: {notes}"))?;
        }
        return Ok(Exit::Ok);
    }
    let update = update.as_ref().map(|release| {
        json!({ "version": release.version.to_string(), "channel": release.channel,
            "notes": release.notes, "size": release.artifact.size })
    });
    let version = program.version.to_string();
    streams.json(&json!({ "version": version, "state": state, "message": message,
        "update": update }))?;
    Ok(Exit::Ok)
}
