//! The root marker: proof that the output is the folder that we know, and not the empty mount point
//! of a share that is gone.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use crate::disk::{Disk, LockGuard, Moved, read_limited, write_durably};
use crate::model::fault::{Fault, FaultClass};

/// The marker's name in the output.
pub const MARKER: &str = ".casedrop-root";
const MARKER_MAX: u64 = 4096;

#[derive(Serialize, Deserialize)]
struct Marker {
    casedrop_root: u32,
    id: String,
}

/// Makes sure that output and staging can be used, and returns the output's id.
///
/// With a `known_id` the marker must be there and hold it: a folder that we know is never made
/// again. Without one, missing directories and the marker are made, or an existing marker's id is
/// adopted.
///
/// # Errors
/// `output-gone` if the folder or its marker is missing or another one; `staging-volume` if a rename
/// from staging to output could not work.
pub fn prepare_root(
    disk: &dyn Disk,
    layout: &Layout,
    known_id: Option<&str>,
) -> Result<String, Fault> {
    if let Some(id) = known_id {
        check_root(disk, layout, id)?;
    } else {
        disk.create_dirs(&layout.output)?;
    }
    disk.create_dirs(&layout.work())?;
    disk.create_dirs(&layout.history())?;
    disk.hide(&layout.staging)?;
    if !disk.same_volume(&layout.staging, &layout.output)? {
        return Err(other_volume(layout));
    }
    match known_id {
        Some(id) => Ok(id.to_owned()),
        None => match read_marker(disk, layout)? {
            Some(id) => Ok(id),
            None => make_marker(disk, layout),
        },
    }
}

/// Checks that the output is still the folder with that id; cheap, so done before every write.
pub fn check_root(disk: &dyn Disk, layout: &Layout, id: &str) -> Result<(), Fault> {
    let why = match read_marker(disk, layout)? {
        Some(found) if found == id => return Ok(()),
        Some(_) => "holds another folder's marker",
        None => "or its marker is gone",
    };
    Err(Fault::new(
        FaultClass::Local,
        "output-gone",
        format!("the output folder {} {why}", layout.output.display()),
    )
    .hint(format!(
        "mount the share or put the folder back, {MARKER} included; nothing is written until then"
    )))
}

/// Takes the lock that keeps a second agent, with another state directory, off this output; `None`
/// if one runs already. It holds until it is dropped.
pub fn try_lock_output(disk: &dyn Disk, layout: &Layout) -> Result<Option<LockGuard>, Fault> {
    disk.create_dirs(&layout.staging)?;
    Ok(disk.try_lock(&layout.staging.join("lock"))?)
}

fn marker_path(layout: &Layout) -> PathBuf {
    layout.output.join(MARKER)
}

fn read_marker(disk: &dyn Disk, layout: &Layout) -> Result<Option<String>, Fault> {
    let path = marker_path(layout);
    let bytes = match read_limited(disk, &path, MARKER_MAX) {
        Ok(bytes) => bytes,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    match serde_json::from_slice::<Marker>(&bytes) {
        Ok(marker) if !marker.id.is_empty() => Ok(Some(marker.id)),
        _ => Err(Fault::new(
            FaultClass::Local,
            "root-marker",
            format!("{} is not a root marker of Casedrop", path.display()),
        )
        .hint("restore the file from a backup, or remove it if this folder was never an output")),
    }
}

/// The marker is written in staging and moved: that also proves that moving works.
fn make_marker(disk: &dyn Disk, layout: &Layout) -> Result<String, Fault> {
    let marker = Marker { casedrop_root: 1, id: random_id()? };
    let mut bytes = serde_json::to_vec(&marker).unwrap_or_default();
    bytes.push(b'\n');
    let made = layout.staging.join("root-marker");
    write_durably(disk, &made, &bytes)?;
    let moved = disk.rename(&made, &marker_path(layout)).map_err(|error| {
        if error.kind() == io::ErrorKind::CrossesDevices {
            other_volume(layout)
        } else {
            error.into()
        }
    })?;
    if moved == Moved::TargetExists {
        // Another agent was faster; its id counts.
        disk.remove_file(&made)?;
        return read_marker(disk, layout)?.ok_or_else(|| {
            Fault::new(FaultClass::Local, "root-marker", "the root marker came and went")
        });
    }
    disk.sync_dir(&layout.output)?;
    disk.sync_dir(&layout.staging)?;
    Ok(marker.id)
}

fn random_id() -> Result<String, Fault> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| {
        let text = format!("the system gives no random numbers: {error}");
        Fault::new(FaultClass::Local, "no-random", text)
    })?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}

fn other_volume(layout: &Layout) -> Fault {
    Fault::new(
        FaultClass::Local,
        "staging-volume",
        format!(
            "staging {} is on another volume than the output {}",
            layout.staging.display(),
            layout.output.display()
        ),
    )
    .hint("set `staging` to a folder on the output's volume, or leave it out")
}

#[cfg(test)]
mod tests {
    use super::super::testing::Place;
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn the_first_start_makes_everything_and_later_ones_find_it_again() {
        let place = Place::new();
        let id = prepare_root(&RealDisk, &place.layout, None).expect("made");
        assert_eq!(id.len(), 32);
        assert_eq!(prepare_root(&RealDisk, &place.layout, Some(&id)).expect("known"), id);
        assert_eq!(prepare_root(&RealDisk, &place.layout, None).expect("adopted"), id);
        check_root(&RealDisk, &place.layout, &id).expect("there");
        let names: Vec<_> = RealDisk
            .list(&place.layout.output)
            .expect("listed")
            .into_iter()
            .filter_map(|entry| entry.name)
            .collect();
        assert_eq!(names, [MARKER]);
    }

    #[test]
    fn a_known_output_that_is_gone_or_another_is_never_made_again() {
        let place = Place::new();
        let id = prepare_root(&RealDisk, &place.layout, None).expect("made");
        let moved = place.layout.output.with_extension("away");
        std::fs::rename(&place.layout.output, &moved).expect("unmounted");
        let fault = prepare_root(&RealDisk, &place.layout, Some(&id)).expect_err("gone");
        assert_eq!((fault.class, fault.code), (FaultClass::Local, "output-gone"));
        assert!(!place.layout.output.exists());

        std::fs::create_dir(&place.layout.output).expect("empty mount point");
        let fault = check_root(&RealDisk, &place.layout, &id).expect_err("no marker");
        assert_eq!(fault.code, "output-gone");
        prepare_root(&RealDisk, &place.layout, None).expect("another folder");
        let fault = check_root(&RealDisk, &place.layout, &id).expect_err("another id");
        assert_eq!(fault.code, "output-gone");
    }

    #[test]
    fn a_damaged_marker_is_neither_trusted_nor_overwritten() {
        let place = Place::new();
        std::fs::create_dir_all(&place.layout.output).expect("mkdir");
        std::fs::write(place.layout.output.join(MARKER), "hello").expect("write");
        let fault = prepare_root(&RealDisk, &place.layout, None).expect_err("damaged");
        assert_eq!(fault.code, "root-marker");
        let text = std::fs::read(place.layout.output.join(MARKER)).expect("read");
        assert_eq!(text, b"hello");
    }

    #[test]
    fn one_output_takes_one_agent() {
        let place = Place::new();
        let first = try_lock_output(&RealDisk, &place.layout).expect("asked").expect("free");
        assert!(try_lock_output(&RealDisk, &place.layout).expect("asked").is_none());
        drop(first);
        assert!(try_lock_output(&RealDisk, &place.layout).expect("asked").is_some());
    }
}
