//! Removes what interrupted work left in staging.

use std::path::PathBuf;

use super::layout::Layout;
use casedrop_disk::{Disk, Kind};
use casedrop_model::fault::Fault;
use casedrop_model::step::Step;

/// Removes everything below `<staging>/work` except entries that are or contain a path in `keep`.
/// Returns the number of entries removed.
///
/// Call it after [`recover`](super::publish::recover): an old revision may still be there after an
/// exchange. `begin` gets the number of entries before the first is removed; if it fails, all stay.
/// `step` is called before each removal.
pub fn sweep_work(
    disk: &dyn Disk,
    layout: &Layout,
    keep: &[PathBuf],
    begin: &dyn Fn(usize) -> Result<(), Fault>,
    step: &dyn Fn(Step),
) -> Result<usize, Fault> {
    let work = layout.work();
    if disk.kind(&work)? != Some(Kind::Dir) {
        return Ok(0);
    }
    let mut entries = disk.list(&work)?;
    entries.retain(|entry| !keep.iter().any(|kept| kept.starts_with(&entry.path)));
    if entries.is_empty() {
        return Ok(0);
    }
    begin(entries.len())?;
    let mut removed = 0;
    for entry in entries {
        step(Step::Sweep);
        match entry.kind {
            Kind::Dir => disk.remove_tree(&entry.path)?,
            Kind::File | Kind::Other => disk.remove_file(&entry.path)?,
        }
        removed += 1;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Place;
    use super::*;
    use casedrop_disk::RealDisk;
    use casedrop_model::fault::FaultClass;

    #[test]
    fn leftovers_go_and_kept_work_stays() {
        let place = Place::new();
        let told = std::cell::RefCell::new(Vec::new());
        let begin = |count| {
            told.borrow_mut().push(count);
            Ok(())
        };
        let sweep = |keep: &[PathBuf]| sweep_work(&RealDisk, &place.layout, keep, &begin, &|_| {});
        assert_eq!(sweep(&[]).expect("nothing yet"), 0);
        for job in ["old", "kept"] {
            std::fs::create_dir_all(place.layout.work_dir(job).join("staged/sub")).expect("mkdir");
        }
        std::fs::write(place.layout.work().join("spool"), "x").expect("write");
        let keep = [place.layout.work_dir("kept").join("staged")];
        let refuse = |_| Err(Fault::new(FaultClass::Local, "disk-full", "no record"));
        sweep_work(&RealDisk, &place.layout, &keep, &refuse, &|_| {}).expect_err("not recorded");
        assert!(place.layout.work_dir("old").exists());
        assert_eq!(sweep(&keep).expect("swept"), 2);
        assert!(keep[0].join("sub").is_dir());
        assert!(!place.layout.work_dir("old").exists());
        assert_eq!(sweep(&[]).expect("swept"), 1);
        assert_eq!(*told.borrow(), [2, 1]);
    }
}
