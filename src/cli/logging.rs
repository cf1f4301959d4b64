//! Sets up logging for each kind of command.

use std::sync::Arc;

use crate::agent::wall_now;
use crate::config::Config;
use crate::disk::RealDisk;
use crate::logs::{self, Setup};

/// Starts an agent's log as configured. On a terminal the user sees plain lines; the log then goes
/// to files, if anywhere.
pub(super) fn of_agent(config: &Config, is_service: bool, terminal: bool) {
    logs::start(Setup {
        log: &config.log,
        folder: logs::folder(&config.log, &config.state, is_service),
        terminal,
        disk: Arc::new(RealDisk),
        now: wall_now,
    });
}

/// Logs only what is out of the ordinary; a user who watches gets the rest as plain lines.
pub(super) fn for_people() {
    logs::for_people(wall_now);
}

/// Logs for a command that says by itself what went wrong: only errors, or, if `verbose`, warnings
/// too.
pub(super) fn for_command(verbose: bool) {
    logs::for_command(wall_now, verbose);
}

/// Logs to standard error; for a config that cannot be read.
pub(super) fn plain() {
    logs::plain(wall_now);
}
