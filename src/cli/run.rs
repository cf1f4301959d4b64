//! `run`: the agent until it is stopped. If there are versions next to the program, this process is
//! the keeper that runs one of them, and the agent is its child.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::{CliError, Exit, Streams, hooks, loading, logging, turns, work};
use crate::agent::{Updating, wall_now};
use crate::disk::RealDisk;
use crate::service::{self, Ended, Host, Hosted};
use crate::update::keeper::{Keeper, KeeperEnd};
use crate::update::keeper_link::KeeperLink;
use crate::update::{Place, Program, managed_by};

#[derive(Debug, Clone, Copy, Args)]
pub struct RunArgs {
    /// For the keeper's child.
    #[arg(long, hide = true)]
    pub kept: bool,
    /// For the keeper's child whose version is on trial.
    #[arg(long, hide = true, requires = "kept")]
    pub trial: bool,
    /// For the child of a keeper that a service manager runs.
    #[arg(long, hide = true, requires = "kept")]
    pub service: bool,
}

/// Runs the agent or its keeper until it is stopped. Reports its state to whoever runs it, a user
/// or a service manager.
pub fn run(args: RunArgs, named: Option<PathBuf>, json: bool) -> Result<Exit, CliError> {
    let program = hooks::program()?;
    let place = Place::of(&program.exe);
    let manager = managed_by(&RealDisk, &program.exe);
    let keeps = !place.is_inside() && manager.is_none() && place.is_kept(&RealDisk);
    let updating = || Updating::new(program.clone(), place.clone(), manager);
    if args.kept {
        return kept(args, named.as_deref(), updating(), &mut Streams::process(json));
    }
    let updating = updating();
    service::host(
        move |hosted| {
            let mut streams = Streams::process(json);
            streams.terminal &= !hosted.is_service;
            if keeps {
                keep(program, place, named.as_deref(), hosted, &streams)
            } else {
                turns::agent(named.as_deref(), updating, hosted, &mut streams)
            }
        },
        ended,
    )
}

/// Runs the agent as a keeper's child.
fn kept(
    args: RunArgs,
    named: Option<&Path>,
    updating: Updating,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    hooks::start();
    let (kept, (orders, events)) = KeeperLink::start();
    let kept = Arc::new(kept);
    let updating = updating.kept_by(Arc::clone(&kept), orders.clone(), args.trial);
    let stop = Box::pin(async move {
        tokio::select! {
            () = service::stop_signal() => {}
            () = orders.stopped() => {}
        }
    });
    let host = Arc::clone(&kept) as Arc<dyn Host>;
    streams.terminal &= !args.service;
    let hosted = Hosted { host, stop, events, is_service: args.service };
    let ended = turns::agent(named, updating, hosted, streams);
    kept.finish();
    ended
}

/// Runs the version that is due. The config may be written for a newer version than this one, so
/// the keeper uses only its log settings, and only if it can read them.
fn keep(
    program: Program,
    place: Place,
    named: Option<&Path>,
    hosted: Hosted,
    streams: &Streams,
) -> Result<Exit, CliError> {
    match loading::load(named, hosted.is_service) {
        Ok(loaded) => logging::of_agent(&loaded.config, hosted.is_service, streams.terminal),
        Err(_) => logging::plain(),
    }
    let args = std::env::args_os().skip(1).collect();
    let keeper = Keeper { program, place, disk: Arc::new(RealDisk), args, now: wall_now };
    let runtime = work::runtime()?;
    let ended = runtime.block_on(keeper.keep(hosted));
    runtime.shutdown_background();
    match ended {
        KeeperEnd::Stopped => Ok(Exit::Ok),
        KeeperEnd::Status(status) if status != 0 => Ok(Exit::from_status(status)),
        KeeperEnd::Status(_) | KeeperEnd::Failed => {
            Err(CliError::new(Exit::Failed, "the agent could not be kept running")
                .hint("the end of the log says why"))
        }
    }
}

/// What a service manager learns about the end.
fn ended(result: &Result<Exit, CliError>) -> Ended {
    match result {
        Ok(exit) => Ended { code: *exit as u8, reason: None },
        Err(error) => Ended { code: error.exit as u8, reason: Some(error.to_string()) },
    }
}
