//! What lies in the state folder next to the journal, and who may open it.

use std::path::Path;

use crate::config::Config;
use crate::disk::{ASKED_ABOUT, Disk, LockGuard, RealDisk, take_lock};
use crate::model::fault::Fault;

/// The lock that keeps a second agent off a state folder.
pub(super) const LOCK_NAME: &str = "agent.lock";
/// The copy of the journal made before an update was tried.
pub(super) const JOURNAL_COPY: &str = "journal.before-update.sqlite";

/// Whether a running agent holds the lock on the state folder.
pub fn agent_runs(state: &Path) -> bool {
    matches!(RealDisk.is_locked(&state.join(LOCK_NAME)), Ok(true))
}

/// Takes the lock on the state folder for this process; `None` if another agent keeps it.
///
/// # Errors
/// The disk refused.
pub fn hold_state(disk: &dyn Disk, state: &Path) -> Result<Option<LockGuard>, Fault> {
    Ok(take_lock(disk, &state.join(LOCK_NAME), ASKED_ABOUT)?)
}

/// Makes the state folder private if an installer or an earlier version left it open. Others still
/// need access to the output and the command folder: if one of them is inside, only the secrets are
/// made private.
pub(super) fn close_to_others(disk: &dyn Disk, config: &Config) {
    let shared = [Some(&config.output), config.commands.as_ref()];
    let holds_shared = shared.into_iter().flatten().any(|it| it.starts_with(&config.state));
    let secrets = crate::secrets::folder(&config.state);
    let dir = if holds_shared { &secrets } else { &config.state };
    match disk.kind(dir).and_then(|kind| match kind {
        Some(_) => disk.make_private(dir),
        None => Ok(Vec::new()),
    }) {
        Ok(lost) if lost.is_empty() => {}
        Ok(lost) => tracing::warn!(
            "{} was accessible to {}; now only the system, administrators, the agent's account and \
             accounts with an explicit right can open it",
            dir.display(),
            lost.join(", ")
        ),
        Err(error) => tracing::warn!("{}", Fault::from(error).chain()),
    }
}
