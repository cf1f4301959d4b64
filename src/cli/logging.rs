//! Sets up logging for each kind of command.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::agent::wall_now;
use crate::config::{Config, Log};
use crate::disk::RealDisk;
use crate::logs::{self, Setup};

/// How often `--verbose` was given.
static VERBOSE: AtomicU8 = AtomicU8::new(0);

/// Sets how much this process says on standard error. Call it before the log is started.
pub(super) fn be_verbose(times: u8) {
    VERBOSE.store(times, Ordering::Relaxed);
}

/// Starts an agent's log as configured, unless the command line asks for more. On a terminal the
/// user sees plain lines; the log then goes to files, if anywhere.
pub(super) fn of_agent(config: &Config, is_service: bool, terminal: bool) {
    start(&config.log, logs::folder(&config.log, &config.state, is_service), terminal);
}

/// The same for an agent whose config is not complete yet.
pub(super) fn start(log: &Log, folder: Option<PathBuf>, terminal: bool) {
    let asked = of_an_agent(VERBOSE.load(Ordering::Relaxed));
    let level = asked.map_or_else(|| log.level.clone(), str::to_owned);
    logs::start(Setup {
        log: &Log { level, ..log.clone() },
        folder,
        terminal,
        people: asked.unwrap_or(logs::OUT_OF_THE_ORDINARY),
        disk: Arc::new(RealDisk),
        now: wall_now,
    });
}

/// Logs only what is out of the ordinary, unless the command line asks for more; a user who watches
/// gets the rest as plain lines.
pub(super) fn for_people() {
    let asked = of_a_command(VERBOSE.load(Ordering::Relaxed));
    logs::for_people(asked.unwrap_or(logs::OUT_OF_THE_ORDINARY), wall_now);
}

/// Logs only errors: for a command that says by itself what went wrong. Where the command line asks
/// for more, the log is started already.
pub(super) fn for_command() {
    logs::for_command(wall_now);
}

/// Logs to standard error; for a config that cannot be read.
pub(super) fn plain() {
    logs::plain(wall_now);
}

/// The filter of an agent, which logs `info` anyway. Libraries stay at `info`: their finer lines may
/// quote what they send.
fn of_an_agent(verbose: u8) -> Option<&'static str> {
    match verbose {
        0 => None,
        1 => Some("info,casedrop=debug"),
        _ => Some("info,casedrop=trace"),
    }
}

fn of_a_command(verbose: u8) -> Option<&'static str> {
    match verbose {
        0 => None,
        1 => Some("warn,casedrop=info"),
        2 => Some("info,casedrop=debug"),
        _ => Some("info,casedrop=trace"),
    }
}
