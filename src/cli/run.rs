//! `run`: the agent until it is told to stop. Where versions stand beside the program, it is the keeper
//! that lets one of them work, and the agent is its child.

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::{CliError, Exit, Streams, dispatch, hooks, logging, work};
use crate::app::{Updating, wall_now};
use crate::config::LogConfig;
use crate::disk::RealDisk;
use crate::service::{Host, NoHost};
use crate::update::keeper::{Keeper, KeeperEnd};
use crate::update::kept::Kept;
use crate::update::{Place, Program, managed_by};

/// `casedrop run`
#[derive(Debug, Args)]
pub struct RunArgs {
    /// For the keeper's child.
    #[arg(long, hide = true)]
    pub kept: bool,
    /// For the keeper's child whose version is on trial.
    #[arg(long, hide = true, requires = "kept")]
    pub trial: bool,
}

/// The agent in the foreground, until it is told to stop.
pub fn run(args: &RunArgs, named: Option<&Path>, streams: &mut Streams) -> Result<Exit, CliError> {
    let program = hooks::program()?;
    let place = Place::of(&program.exe);
    let manager = managed_by(&RealDisk, &program.exe);
    if !args.kept && !place.is_inside() && manager.is_none() && place.is_kept(&RealDisk) {
        return keep(program, place, named, streams);
    }
    if args.kept {
        hooks::start();
    }
    // First of all: a keeper must be heard while everything else is looked for.
    let talk = args.kept.then(Kept::start);
    let config = dispatch::load_to_work(named, streams)?;
    log(streams, &config.log);
    let updating = Updating::new(program, place, manager);
    let Some((kept, orders)) = talk else {
        let updating = Arc::new(updating);
        return work::run(config, (updating, Arc::new(NoHost)), work::stop_signal(), streams);
    };
    let kept = Arc::new(kept);
    let host: Arc<dyn Host> = Arc::clone(&kept) as Arc<dyn Host>;
    let updating = Arc::new(updating.kept_by(Arc::clone(&kept), orders.clone(), args.trial));
    let restarting = Arc::clone(&updating);
    let stop = async move {
        tokio::select! {
            () = work::stop_signal() => {}
            () = orders.stopped() => {}
            () = restarting.restarting() => {}
        }
    };
    let ended = work::run(config, (updating, host), stop, streams);
    kept.finish();
    ended
}

/// Lets the version that is to run do so. The config may be written for a newer version than this one:
/// of what it says, only how to log is of use here, and only where it can be read.
fn keep(
    program: Program,
    place: Place,
    named: Option<&Path>,
    streams: &Streams,
) -> Result<Exit, CliError> {
    match dispatch::load(named) {
        Ok(loaded) => log(streams, &loaded.config.log),
        Err(_) => logging::plain(),
    }
    let args = std::env::args_os().skip(1).collect();
    let keeper = Keeper { program, place, disk: Arc::new(RealDisk), args, now: wall_now };
    let runtime = work::runtime()?;
    let ended = runtime.block_on(keeper.keep(Arc::new(NoHost), work::stop_signal()));
    runtime.shutdown_background();
    Ok(match ended {
        KeeperEnd::Stopped => Exit::Ok,
        // One that ends well without being told to is no agent any more.
        KeeperEnd::Status(0) | KeeperEnd::Failed => Exit::Failed,
        KeeperEnd::Status(status) => Exit::from_status(status),
    })
}

fn log(streams: &Streams, config: &LogConfig) {
    if streams.terminal {
        logging::for_people();
    } else {
        logging::as_configured(config);
    }
}
