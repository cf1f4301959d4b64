//! Checks for free space before bytes are written, with a reserve that must stay free.

use std::path::Path;

use casedrop_disk::Disk;
use casedrop_model::fault::Fault;
pub use casedrop_model::local::too_little;
use casedrop_model::size::write_size_roughly;

/// Bytes that may be written between two checks of the volume, since others write to it too.
const STEP: u64 = 4 << 20;
/// A volume's allocation unit, and the space for a file's name: many small files take more than
/// their sizes add up to.
const BLOCK: u64 = 4096;

/// The space that may still be used.
pub struct Room<'a> {
    /// Checks that this many bytes can be written without touching the reserve.
    check: Box<dyn Fn(u64) -> Result<(), Fault> + 'a>,
    /// Bytes still to come.
    left: u64,
    /// Bytes granted by the last check and not used yet.
    granted: u64,
}

impl<'a> Room<'a> {
    /// For this many bytes, if the number is known. `check` fails if a number of bytes cannot be
    /// written.
    pub fn new(left: Option<u64>, check: impl Fn(u64) -> Result<(), Fault> + 'a) -> Self {
        Self { check: Box::new(check), left: left.unwrap_or(u64::MAX), granted: 0 }
    }

    /// For unpacked files of these sizes.
    ///
    /// # Errors
    /// `disk-full` if they would take space that must stay free.
    pub(super) fn for_files(
        disk: &'a dyn Disk,
        dest: &'a Path,
        keep_free: u64,
        sizes: impl Iterator<Item = u64>,
    ) -> Result<Self, Fault> {
        let blocks = |size: u64| size.div_ceil(BLOCK).saturating_add(1).saturating_mul(BLOCK);
        let left = sizes.map(blocks).fold(0, u64::saturating_add);
        let room = Self::new(Some(left), move |wanted| to_unpack(disk, dest, keep_free, wanted));
        (room.check)(left)?;
        Ok(room)
    }

    /// Reserves space for bytes about to be written.
    ///
    /// # Errors
    /// `disk-full` before they would take space that must stay free.
    pub fn take(&mut self, bytes: u64) -> Result<(), Fault> {
        if bytes > self.granted {
            let step = self.left.min(STEP).max(bytes);
            (self.check)(step)?;
            self.granted = step;
        }
        self.granted -= bytes;
        self.left = self.left.saturating_sub(bytes);
        Ok(())
    }
}

fn to_unpack(disk: &dyn Disk, dest: &Path, keep_free: u64, wanted: u64) -> Result<(), Fault> {
    // Without a reserve, do not even query the free space.
    if keep_free == 0 {
        return Ok(());
    }
    let free = disk.free_space(dest)?;
    let needed = keep_free.saturating_add(wanted);
    if free >= needed {
        return Ok(());
    }
    Err(too_little(format!(
        "not enough space to unpack the archive: {} are free, but {} are needed ({} must stay \
         free)",
        write_size_roughly(free),
        write_size_roughly(needed),
        write_size_roughly(keep_free)
    )))
}
