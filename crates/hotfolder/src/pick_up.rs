//! Whether somebody took an order's folder.

use std::path::Path;

use casedrop_disk::{Disk, DiskError, Kind};

use casedrop_model::manifest::FILE_NAME;

/// Whether nothing of a published order is left in its folder: it was moved, deleted or emptied. One
/// look as long as its manifest is there, which is the usual case.
///
/// # Errors
/// The folder cannot be read.
pub fn is_taken(disk: &dyn Disk, dir: &Path) -> Result<bool, DiskError> {
    if disk.kind(&dir.join(FILE_NAME))?.is_some() {
        return Ok(false);
    }
    match disk.kind(dir)? {
        Some(Kind::Dir) => Ok(disk.list(dir)?.is_empty()),
        // Nothing is there, or something else in its place.
        None | Some(_) => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casedrop_disk::RealDisk;

    #[test]
    fn an_order_is_taken_when_nothing_of_it_is_left() {
        let dir = tempfile::tempdir().expect("tempdir");
        let order = dir.path().join("lab").join("1").join("17");
        let taken = || is_taken(&RealDisk, &order).expect("looked");
        assert!(taken(), "not even the account's folder is there");
        std::fs::create_dir_all(&order).expect("made");
        assert!(taken(), "emptied");
        std::fs::write(order.join("scan.stl"), "solid").expect("written");
        assert!(!taken(), "some of it is left");
        std::fs::write(order.join(FILE_NAME), "{}").expect("written");
        assert!(!taken());
        std::fs::remove_dir_all(&order).expect("removed");
        std::fs::write(&order, "a file in its place").expect("written");
        assert!(taken());
    }
}
