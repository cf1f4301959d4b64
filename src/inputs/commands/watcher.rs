//! A hint that something happened in the folder. It may be late, lost or wrong: the scan is the truth.

use std::path::Path;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// Watches as long as it lives.
pub struct Watcher(#[expect(dead_code, reason = "held for its drop")] RecommendedWatcher);

/// Calls `hint` when something was put into the folder, or changed there.
///
/// # Errors
/// The system does not watch this folder; why, in its words.
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
