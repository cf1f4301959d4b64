//! Where log lines go.

use std::str::FromStr as _;

use tracing_subscriber::EnvFilter;

use crate::config::LogConfig;

/// Logs to standard error as the config says. For the agent whose standard error nobody watches.
pub(super) fn as_configured(log: &LogConfig) {
    let filter = EnvFilter::from_str(&log.level).unwrap_or_else(|_| EnvFilter::new("info"));
    start(filter, log.json);
}

/// Only what is out of the ordinary; a person watches, and is told the rest in plain lines.
pub(super) fn for_people() {
    start(EnvFilter::new("warn,casedrop::sync::notice=off"), false);
}

/// Logs to standard error where nobody says how.
pub(super) fn plain() {
    start(EnvFilter::new("info"), false);
}

fn start(filter: EnvFilter, json: bool) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false);
    // A second start in one process, as in tests, keeps the first.
    let _ = if json { builder.json().try_init() } else { builder.try_init() };
}
