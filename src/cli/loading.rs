//! Finds and loads the config, and finds labs in it.

use std::path::Path;

use super::{CliError, Exit, Streams, logging};
use crate::agent::requests;
use crate::config::{self, Config, LabConfig, Loaded};
use crate::disk::RealDisk;
use crate::logs::SAID;

/// Loads an agent's config and starts its log. Whoever starts the agent sees the config's warnings,
/// as with `check`.
pub(super) fn load_to_work(
    named: Option<&Path>,
    is_service: bool,
    terminal: bool,
    streams: &mut Streams,
) -> Result<Loaded, CliError> {
    let loaded = load(named, is_service)?;
    logging::of_agent(&loaded.config, is_service, terminal);
    for warning in &loaded.warnings {
        let text = warning.paragraph("warning");
        // The log has a level of its own.
        tracing::warn!(target: SAID, "{}", text.strip_prefix("warning: ").unwrap_or(&text));
        streams.note(text);
    }
    Ok(loaded)
}

/// Loads the config. A service looks in the platform's folder: its current directory is some system
/// directory, where no one keeps a config.
pub(super) fn load(named: Option<&Path>, is_service: bool) -> Result<Loaded, CliError> {
    let env = config::process_env();
    let cwd = if is_service { config::platform_folder(&env) } else { cwd()? };
    let path = config::locate(&RealDisk, named, &env, &cwd)?;
    Ok(config::load(&RealDisk, &path, &env)?)
}

pub(super) fn cwd() -> Result<std::path::PathBuf, CliError> {
    std::env::current_dir().map_err(|error| {
        CliError::new(Exit::Failed, format!("cannot determine the current folder: {error}"))
    })
}

/// Finds a lab by name, ignoring case. The error for an unknown name suggests the nearest one.
pub fn find_lab<'a>(config: &'a Config, name: &str) -> Result<&'a LabConfig, CliError> {
    requests::find_lab(config, name).map_err(|fault| {
        let hint = fault.hint.clone().unwrap_or_default();
        CliError::new(Exit::Usage, fault.brief()).hint(hint).code("unknown-lab")
    })
}
