//! What must stay free stays free, also while bytes come of which nobody said how many.

use super::Executor;
use crate::model::fault::{Fault, FaultClass};

use super::super::notice::size;

/// So many bytes may be written between two looks at the volume.
const STEP: u64 = 4 << 20;

/// The room that a download may still use.
pub(super) struct Room<'a> {
    executor: &'a Executor,
    /// How much is still to come, where the server said so.
    expected: Option<u64>,
    /// How much of it was there at the last look and is not used up.
    granted: u64,
}

impl<'a> Room<'a> {
    pub(super) fn new(executor: &'a Executor, expected: Option<u64>) -> Self {
        Self { executor, expected, granted: 0 }
    }

    /// So many bytes are about to be written.
    ///
    /// # Errors
    /// `disk-full` before that would take what must stay free.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Fault> {
        if bytes > self.granted {
            let step = self.expected.map_or(STEP, |left| left.min(STEP)).max(bytes);
            self.executor.check_room(step)?;
            self.granted = step;
        }
        self.granted -= bytes;
        self.expected = self.expected.map(|left| left.saturating_sub(bytes));
        Ok(())
    }
}

impl Executor {
    /// Whether so many bytes can be written and what must stay free still does.
    pub(super) fn check_room(&self, bytes: u64) -> Result<(), Fault> {
        let free = self.disk.free_space(&self.layout.staging)?;
        let needed = self.config.min_free.saturating_add(bytes);
        if free >= needed {
            return Ok(());
        }
        Err(Fault::new(
            FaultClass::Local,
            "disk-full",
            format!(
                "{} has {} free, {} are needed",
                self.layout.staging.display(),
                size(free),
                size(needed)
            ),
        )
        .hint("free some space on that volume, or lower retention.min_free; the work goes on by itself"))
    }

    /// Whether the volume has what must stay free.
    pub(super) fn has_room_left(&self) -> bool {
        self.check_room(0).is_ok()
    }
}
