//! Room for what an archive unpacks to: its directory says how much that is before a byte is written.

use std::path::Path;

use crate::config::write_size_roughly;
use crate::disk::Disk;
use crate::model::fault::{Fault, FaultClass};

/// So many bytes may be written between two looks at the volume, which others write to as well.
const STEP: u64 = 4 << 20;
/// What a volume gives a file at once, and what it needs for the file's name: many small files take
/// more than their sizes say.
const BLOCK: u64 = 4096;

/// The room on a volume for what is being unpacked.
pub(super) struct Room<'a> {
    disk: &'a dyn Disk,
    dest: &'a Path,
    /// What must stay free.
    keep_free: u64,
    /// How much is still to be written.
    left: u64,
    /// How much of it may be written before the next look.
    granted: u64,
}

impl<'a> Room<'a> {
    /// For files of these sizes.
    ///
    /// # Errors
    /// `disk-full` if they would take what must stay free.
    pub(super) fn new(
        disk: &'a dyn Disk,
        dest: &'a Path,
        keep_free: u64,
        sizes: impl Iterator<Item = u64>,
    ) -> Result<Self, Fault> {
        let blocks = |size: u64| size.div_ceil(BLOCK).saturating_add(1).saturating_mul(BLOCK);
        let left = sizes.map(blocks).fold(0, u64::saturating_add);
        let room = Self { disk, dest, keep_free, left, granted: 0 };
        room.check(left)?;
        Ok(room)
    }

    /// So many bytes are about to be written.
    pub(super) fn take(&mut self, bytes: u64) -> Result<(), Fault> {
        if bytes > self.granted {
            let step = self.left.min(STEP).max(bytes);
            self.check(step)?;
            self.granted = step;
        }
        self.granted -= bytes;
        self.left = self.left.saturating_sub(bytes);
        Ok(())
    }

    fn check(&self, wanted: u64) -> Result<(), Fault> {
        // Nobody asks for the space where none has to stay.
        if self.keep_free == 0 {
            return Ok(());
        }
        let free = self.disk.free_space(self.dest)?;
        let needed = self.keep_free.saturating_add(wanted);
        if free >= needed {
            return Ok(());
        }
        let text = format!(
            "there is not enough room to unpack the archive: {} are free, {} are needed ({} stay free)",
            write_size_roughly(free),
            write_size_roughly(needed),
            write_size_roughly(self.keep_free)
        );
        Err(Fault::new(FaultClass::Local, "disk-full", text).hint(
            "free some space on that volume, or lower retention.min_free; the work goes on by itself",
        ))
    }
}
