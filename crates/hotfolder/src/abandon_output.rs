//! Leaves an output folder for another one: removes what the agent created there, if nothing else
//! is in it.

use std::io;

use super::files::{Tree, below, is_litter};
use super::layout::Layout;
use super::root::{lock_path, marker_path, output_is_locked, read_marker};
use casedrop_disk::{Disk, Kind};
use casedrop_model::fault::Fault;

/// Removes the marker and staging of an output folder that holds nothing else. The folder itself
/// stays: it may be someone's share.
///
/// Nothing is touched if anything else is there or in staging, if another agent is using it, or if
/// the marker's id is not `id`. `next` is the output folder from now on.
///
/// Returns whether marker and staging were removed.
pub fn abandon_output(
    disk: &dyn Disk,
    old: &Layout,
    id: &str,
    next: &Layout,
) -> Result<bool, Fault> {
    if old.output == next.output || read_marker(disk, old)?.as_deref() != Some(id) {
        return Ok(false);
    }
    let marker = marker_path(old);
    let is_ours = |path: &std::path::Path| path == marker || path == old.staging;
    let is_alone = disk.list(&old.output)?.iter().all(|entry| {
        is_ours(&entry.path)
            || (entry.kind == Kind::File && entry.name.as_deref().is_some_and(is_litter))
    });
    let has_staging = old.staging != next.staging && disk.kind(&old.staging)? == Some(Kind::Dir);
    if !is_alone || (has_staging && !is_unused(disk, old)?) {
        return Ok(false);
    }
    disk.remove_file(&marker)?;
    disk.sync_dir(&old.output)?;
    if has_staging {
        remove_empty(disk, old)?;
    }
    Ok(true)
}

/// Whether no agent is using it and nothing is kept there.
fn is_unused(disk: &dyn Disk, old: &Layout) -> Result<bool, Fault> {
    if output_is_locked(disk, old)? {
        return Ok(false);
    }
    let lock = lock_path(old);
    let tree = Tree::read(disk, &old.staging)?;
    let is_empty = tree.files.iter().all(|(file, _)| below(&old.staging, file) == lock);
    Ok(is_empty && tree.odd.is_empty())
}

/// File by file and folder by folder, so that anything added in between stays.
fn remove_empty(disk: &dyn Disk, old: &Layout) -> Result<(), Fault> {
    match disk.remove_file(&lock_path(old)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let tree = Tree::read(disk, &old.staging)?;
    let dirs = tree.dirs.iter().rev().map(|dir| below(&old.staging, dir));
    for dir in dirs.chain([old.staging.clone()]) {
        match disk.remove_dir(&dir) {
            Err(error) if error.kind() != io::ErrorKind::DirectoryNotEmpty => {
                return Err(error.into());
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::root::{MARKER, lock_output, prepare_root};
    use super::super::testing::Place;
    use super::*;
    use casedrop_disk::RealDisk;

    fn next(place: &Place) -> Layout {
        let dir = place.layout.output.with_file_name("next");
        Layout { output: dir.join("orders"), staging: dir.join("staging") }
    }

    #[test]
    fn an_output_that_holds_nothing_loses_marker_and_staging_and_stays_a_folder() {
        let place = Place::new();
        let id = prepare_root(&RealDisk, &place.layout, None).expect("made");
        drop(lock_output(&RealDisk, &place.layout).expect("locked"));
        std::fs::write(place.layout.output.join("desktop.ini"), "").expect("written");
        assert!(abandon_output(&RealDisk, &place.layout, &id, &next(&place)).expect("left"));
        assert!(place.layout.output.is_dir() && !place.layout.output.join(MARKER).exists());
        assert!(!place.layout.staging.exists());
        assert!(
            !abandon_output(&RealDisk, &place.layout, &id, &next(&place)).expect("nothing is left")
        );
    }

    #[test]
    fn whatever_else_is_there_keeps_all_of_it() {
        let change: [&dyn Fn(&Layout); 3] = [
            &|layout| std::fs::create_dir(layout.output.join("smile-lab")).expect("made"),
            &|layout| std::fs::write(layout.history().join("note"), "").expect("written"),
            &|layout| std::fs::write(layout.output.join("note.txt"), "").expect("written"),
        ];
        for change in change {
            let place = Place::new();
            let id = prepare_root(&RealDisk, &place.layout, None).expect("made");
            change(&place.layout);
            assert!(!abandon_output(&RealDisk, &place.layout, &id, &next(&place)).expect("looked"));
            assert!(place.layout.output.join(MARKER).is_file() && place.layout.work().is_dir());
        }
    }

    #[test]
    fn another_agents_output_and_the_one_in_use_are_left_alone() {
        let place = Place::new();
        let id = prepare_root(&RealDisk, &place.layout, None).expect("made");
        let layout = &place.layout;
        assert!(!abandon_output(&RealDisk, layout, "another", &next(&place)).expect("looked"));
        assert!(!abandon_output(&RealDisk, layout, &id, layout).expect("looked"));
        let lock = lock_output(&RealDisk, layout).expect("asked").expect("free");
        assert!(!abandon_output(&RealDisk, layout, &id, &next(&place)).expect("looked"));
        drop(lock);
        let staging_stays = Layout { staging: layout.staging.clone(), ..next(&place) };
        assert!(abandon_output(&RealDisk, layout, &id, &staging_stays).expect("left"));
        assert!(layout.work().is_dir(), "it is used from now on too");
    }
}
