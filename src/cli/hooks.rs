//! The hook that lets tests end the process at a named step. It exists only in builds with debug
//! assertions.

use std::io::Write as _;

use crate::model::step::Step;

/// The environment variable that names the step at which the process ends itself.
pub(super) const KILL_AT: &str = "CASEDROP_TEST_KILL_AT";

/// Called at each named step.
#[cfg(debug_assertions)]
pub(super) fn step(step: Step) {
    use std::sync::OnceLock;
    static KILL_AT_STEP: OnceLock<Option<String>> = OnceLock::new();
    let wanted = KILL_AT_STEP.get_or_init(|| std::env::var(KILL_AT).ok());
    if wanted.as_deref() == Some(step.as_str()) {
        // Nobody but a test reads it.
        let _ = writeln!(std::io::stderr(), "killed at {}", step.as_str());
        std::process::abort();
    }
}

/// Called at each named step.
#[cfg(not(debug_assertions))]
pub(super) fn step(_: Step) {}
