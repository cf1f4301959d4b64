//! Keeps the configured amount of space free on the volume.

use super::Executor;
use crate::hotfolder::room::too_little;
use crate::model::fault::Fault;

use crate::model::size::size;

impl Executor {
    /// Checks that this many bytes can be written without going below what must stay free.
    pub(super) fn check_room(&self, bytes: u64) -> Result<(), Fault> {
        let free = self.disk.free_space(&self.layout.staging)?;
        let needed = self.config.retention.min_free.saturating_add(bytes);
        if free >= needed {
            return Ok(());
        }
        Err(too_little(format!(
            "{} has {} free, but {} are needed",
            self.layout.staging.display(),
            size(free),
            size(needed)
        )))
    }

    /// Whether the volume has what must stay free.
    pub(super) fn has_room_left(&self) -> bool {
        self.check_room(0).is_ok()
    }
}
