//! Hints that something happened in the folder. They may be late, lost or wrong: only the scan
//! counts.

use std::path::Path;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// Watches for as long as it lives.
pub struct Watcher(#[expect(dead_code, reason = "held for its drop")] RecommendedWatcher);

/// Calls `hint` whenever something was put into the folder or changed there.
///
/// # Errors
/// The system's message, if it cannot watch this folder.
pub fn watch(dir: &Path, hint: impl Fn() + Send + 'static) -> Result<Watcher, String> {
    let told = move |event: notify::Result<notify::Event>| {
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        // We read there ourselves.
        let is_reading = event.is_ok_and(|event| event.kind.is_access() && event.kind != written);
        if !is_reading {
            hint();
        }
    };
    let mut watcher = notify::recommended_watcher(told).map_err(|error| error.to_string())?;
    watcher.watch(dir, RecursiveMode::NonRecursive).map_err(|error| error.to_string())?;
    Ok(Watcher(watcher))
}
