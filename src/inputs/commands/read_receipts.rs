//! Reads the receipts that are in a command folder, for the status page.

use std::path::Path;

use super::folders::{DONE, FAILED};
use super::receipt::Receipt;
use crate::disk::{Disk, Kind, read_limited};
use crate::model::fault::Fault;

const ENDING: &str = ".receipt.json";
/// Maximum size in bytes; receipts are smaller.
const MAX: u64 = 1 << 20;

/// Returns the latest receipts, newest first. Skips files that are not our receipts.
///
/// # Errors
/// The folder cannot be read.
pub fn receipts(disk: &dyn Disk, dir: &Path, limit: usize) -> Result<Vec<Receipt>, Fault> {
    let mut files = Vec::new();
    for shelf in [DONE, FAILED] {
        let shelf = dir.join(shelf);
        if disk.kind(&shelf)? != Some(Kind::Dir) {
            continue;
        }
        for entry in disk.list(&shelf)? {
            let is_receipt = entry.name.as_ref().is_some_and(|name| name.ends_with(ENDING));
            if entry.kind == Kind::File
                && is_receipt
                // Someone may be tidying up.
                && let Ok(stamp) = disk.stamp(&entry.path)
            {
                files.push((stamp.modified, entry.path));
            }
        }
    }
    files.sort();
    let newest = files.into_iter().rev().take(limit);
    let read = newest
        .filter_map(|(_, path)| serde_json::from_slice(&read_limited(disk, &path, MAX).ok()?).ok());
    let mut receipts: Vec<Receipt> = read.collect();
    receipts.sort_by(|a, b| b.finished_at.cmp(&a.finished_at));
    Ok(receipts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn put(dir: &Path, shelf: &str, name: &str, at: &str) {
        let text = format!(
            r#"{{"schema":1,"id":"a","file":"{name}","command":"pause","asked":"pause","owner":null,
            "received_at":"{at}","finished_at":"{at}","outcome":"done","message":"m","next":null,
            "kept":"unchanged"}}"#
        );
        std::fs::create_dir_all(dir.join(shelf)).expect("made");
        std::fs::write(dir.join(shelf).join(format!("{name}{ENDING}")), text).expect("written");
    }

    #[test]
    fn receipts_of_both_shelves_come_newest_first_and_the_rest_is_left_out() {
        let dir = tempfile::tempdir().expect("tempdir");
        assert_eq!(receipts(&RealDisk, dir.path(), 9).expect("none yet"), []);
        put(dir.path(), DONE, "a.txt", "2026-11-24T10:00:00Z");
        put(dir.path(), FAILED, "b.txt", "2026-11-24T12:00:00Z");
        put(dir.path(), DONE, "c.txt", "2026-11-24T11:00:00Z");
        std::fs::write(dir.path().join(DONE).join("a.txt"), "x").expect("written");
        std::fs::write(dir.path().join(DONE).join("x.receipt.json"), "{}").expect("written");
        let found = receipts(&RealDisk, dir.path(), 9).expect("read");
        let files: Vec<_> = found.iter().map(|receipt| receipt.file.as_str()).collect();
        assert_eq!(files, ["b.txt", "c.txt", "a.txt"]);
    }
}
