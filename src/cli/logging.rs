//! How each command logs.

use std::sync::Arc;

use crate::app::wall_now;
use crate::config::Config;
use crate::disk::RealDisk;
use crate::logs::{self, Setup};

/// An agent's log, as its config says. On a terminal a person is told in plain lines what happens; the
/// log is in files then, if anywhere.
pub(super) fn of_agent(config: &Config, is_service: bool, terminal: bool) {
    logs::start(Setup {
        log: &config.log,
        folder: logs::folder(&config.log, &config.state, is_service),
        terminal,
        disk: Arc::new(RealDisk),
        now: wall_now,
    });
}

/// Only what is out of the ordinary; a person watches, and is told the rest in plain lines.
pub(super) fn for_people() {
    logs::for_people(wall_now);
}

/// Logs to standard error where nobody says how.
pub(super) fn plain() {
    logs::plain(wall_now);
}
