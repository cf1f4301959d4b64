//! Hooks for tests: abort the process at a named step, pose as another version, trust another key,
//! or fail at startup. They exist only in builds with debug assertions.

use super::{CliError, Exit};
use crate::model::step::Step;
use crate::update::{Keys, Pace, Program, trial::Limits};

/// The environment variable that names the step at which the process aborts.
#[cfg(debug_assertions)]
pub(super) const KILL_AT: &str = "CASEDROP_TEST_KILL_AT";

/// Called at each named step.
#[cfg(debug_assertions)]
pub(super) fn step(step: Step) {
    use std::io::Write as _;
    use std::sync::OnceLock;
    static KILL_AT_STEP: OnceLock<Option<String>> = OnceLock::new();
    let wanted = KILL_AT_STEP.get_or_init(|| std::env::var(KILL_AT).ok());
    if wanted.as_deref() == Some(step.as_str()) {
        // Only tests read this.
        let _ = writeln!(std::io::stderr(), "killed at {}", step.as_str());
        std::process::abort();
    }
}

/// Called at each named step.
#[cfg(not(debug_assertions))]
pub(super) fn step(_: Step) {}

/// This process's program and version.
pub(super) fn program() -> Result<Program, CliError> {
    let exe = std::env::current_exe().map_err(|error| {
        CliError::new(Exit::Failed, format!("cannot determine where this program is: {error}"))
    })?;
    let version = version().parse().map_err(|error| {
        CliError::new(Exit::Failed, format!("{} is not a version: {error}", version()))
    })?;
    let (keys, limits, pace) = rules();
    Ok(Program { version, exe, keys, limits, pace, step })
}

/// The version that this program reports.
#[cfg(not(debug_assertions))]
pub(super) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The version with what is known of the build: `casedrop 0.1.0 (commit 0123456789ab, x86_64-…)`.
pub(super) fn long_version() -> String {
    format!("casedrop {} ({})", version(), env!("BUILT_AS"))
}

#[cfg(not(debug_assertions))]
fn rules() -> (Keys, Limits, Pace) {
    (Keys::built_in(), Limits::default(), Pace::default())
}

/// Called before the agent does anything.
#[cfg(not(debug_assertions))]
pub(super) fn start() {}

#[cfg(debug_assertions)]
pub(super) use for_tests::{rules, start, version};

#[cfg(debug_assertions)]
mod for_tests {
    use std::io::{Read as _, Seek as _, SeekFrom};
    use std::path::Path;
    use std::sync::OnceLock;
    use std::time::Duration;

    use super::{Keys, Limits, Pace};
    use crate::disk::{Disk as _, RealDisk};

    /// A different public key, in hexadecimal.
    const KEY: &str = "CASEDROP_TEST_RELEASE_KEY";
    /// The limits of a trial, in milliseconds: ready, silence, beat, proof, limit.
    const TRIAL: &str = "CASEDROP_TEST_TRIAL";
    /// The pace of release checks, in milliseconds: tick, first, every.
    const PACE: &str = "CASEDROP_TEST_PACE";
    /// How a program that poses as another version fails: `crash` or `hang`.
    const WRONG: &str = "CASEDROP_TEST_NEW_VERSION";
    /// A program file that ends with this mark, a version and a newline poses as that version.
    const MARK: &str = "\ncasedrop-test-version ";

    fn marked() -> Option<&'static str> {
        static MARKED: OnceLock<Option<String>> = OnceLock::new();
        MARKED.get_or_init(|| std::env::current_exe().ok().and_then(|exe| read(&exe))).as_deref()
    }

    fn read(exe: &Path) -> Option<String> {
        let mut file = RealDisk.open(exe).ok()?;
        let size = file.seek(SeekFrom::End(0)).ok()?;
        file.seek(SeekFrom::Start(size.saturating_sub(80))).ok()?;
        let mut end = Vec::new();
        file.read_to_end(&mut end).ok()?;
        let end = String::from_utf8_lossy(&end).into_owned();
        let (_, version) = end.rsplit_once(MARK)?;
        Some(version.trim_end().to_owned())
    }

    pub(in crate::cli) fn version() -> &'static str {
        marked().unwrap_or(env!("CARGO_PKG_VERSION"))
    }

    fn millis<const N: usize>(name: &str) -> Option<[Duration; N]> {
        let text = std::env::var(name).ok()?;
        let parts = text.split(',').map(|part| part.parse().map(Duration::from_millis));
        parts.collect::<Result<Vec<_>, _>>().ok()?.try_into().ok()
    }

    pub(in crate::cli) fn rules() -> (Keys, Limits, Pace) {
        let keys = std::env::var(KEY).ok().and_then(|text| Keys::of_hex(&text));
        let limits = millis(TRIAL).map(|[ready, silence, beat, proof, limit]| Limits {
            ready,
            silence,
            beat,
            proof,
            limit,
        });
        let pace = millis(PACE).map(|[tick, first, every]| Pace { tick, first, every });
        (keys.unwrap_or_else(Keys::built_in), limits.unwrap_or_default(), pace.unwrap_or_default())
    }

    pub(in crate::cli) fn start() {
        if marked().is_none() {
            return;
        }
        match std::env::var(WRONG).as_deref() {
            Ok("crash") => std::process::abort(),
            Ok("hang") => {
                // Hang until the keeper is gone.
                drop(std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
                std::process::abort()
            }
            _ => {}
        }
    }
}
