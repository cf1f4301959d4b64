//! The root marker: proof that the output folder is the one we know, and not the empty mount point
//! of a missing share.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use casedrop_disk::random_text;
use casedrop_disk::{
    ASKED_ABOUT, Disk, DiskError, LockGuard, Moved, read_limited, take_lock, write_durably,
};
use casedrop_model::fault::{Fault, FaultClass};

/// File name of the marker in the output folder.
pub const MARKER: &str = ".casedrop-root";
const MARKER_MAX: u64 = 4096;

/// Fault code: another agent is using the same output folder.
pub const ANOTHER_AGENT: &str = "another-agent";
/// Fault code: the output folder is missing or does not answer.
pub const OUTPUT_GONE: &str = "output-gone";
/// Fault code: the staging folder is missing.
pub const STAGING_GONE: &str = "staging-gone";

#[derive(Serialize, Deserialize)]
struct Marker {
    casedrop_root: u32,
    id: String,
}

/// The output folder, which may come and go: which folder it must be, and whether orders may be
/// written to it now.
///
/// It opens only after [`prepare`](Self::prepare) succeeded and the caller has cleaned up staging.
/// It can be prepared again at any time, for example after a share was away.
pub struct Root {
    disk: Arc<dyn Disk>,
    layout: Layout,
    state: Mutex<State>,
    /// Lets only one caller prepare at a time.
    preparing: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    id: Option<String>,
    lock: Option<LockGuard>,
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// Id of the output folder.
    pub id: String,
    /// Whether there was already a marker, so that this is not a new output folder.
    pub known: bool,
    /// Whether the staging folder of a known output folder was missing: replaced revisions in it
    /// are lost.
    pub staging_was_gone: bool,
}

impl Root {
    /// Starts closed, with nothing known yet.
    pub fn new(disk: Arc<dyn Disk>, layout: Layout) -> Self {
        Self { disk, layout, state: Mutex::default(), preparing: Mutex::default() }
    }

    /// Makes sure that output and staging can be used, and locks the output folder. A lock already
    /// held is taken again, since the share may be a different one now. The output folder stays
    /// closed.
    ///
    /// # Errors
    /// Those of [`prepare_root`], and `another-agent`.
    pub fn prepare(&self, known_id: Option<&str>) -> Result<Prepared, Fault> {
        let _turn = self.preparing.lock().unwrap_or_else(PoisonError::into_inner);
        self.prepare_alone(known_id)
    }

    /// Prepares a closed output folder, or checks that an open one is there.
    pub fn try_again(&self) -> Result<(), Fault> {
        let _turn = self.preparing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.state().open {
            return self.look();
        }
        self.prepare_alone(Some(&self.id())).map(|_| ())
    }

    fn prepare_alone(&self, known_id: Option<&str>) -> Result<Prepared, Fault> {
        {
            let mut state = self.state();
            state.open = false;
            state.lock = None;
            if let Some(id) = known_id {
                state.id = Some(id.to_owned());
            }
        }
        let known = match known_id {
            Some(_) => true,
            None => read_marker(&*self.disk, &self.layout)?.is_some(),
        };
        let staging_was_gone = known && self.disk.kind(&self.layout.staging)?.is_none();
        let id = prepare_root(&*self.disk, &self.layout, known_id)?;
        let lock = lock_output(&*self.disk, &self.layout)?.ok_or_else(|| {
            let output = self.layout.output.display();
            let text = format!("another agent is running on {output}");
            Fault::new(FaultClass::Local, ANOTHER_AGENT, text)
                .hint("stop the other agent, or give this one its own output")
        })?;
        let mut state = self.state();
        state.id = Some(id.clone());
        state.lock = Some(lock);
        Ok(Prepared { id, known, staging_was_gone })
    }

    /// Allows orders to be written.
    pub fn open(&self) {
        self.state().open = true;
    }

    /// Forbids writing until it is prepared and opened again.
    pub fn close(&self) {
        self.state().open = false;
    }

    /// Whether orders may be written, without checking the disk.
    pub fn is_open(&self) -> bool {
        self.state().open
    }

    /// Closes it permanently and releases the lock.
    pub fn release(&self) {
        let mut state = self.state();
        state.open = false;
        state.lock = None;
    }

    /// Checks that output and staging are there, whether or not it is open.
    ///
    /// # Errors
    /// `output-gone`, or `staging-gone`.
    pub fn look(&self) -> Result<(), Fault> {
        check_root(&*self.disk, &self.layout, &self.id())?;
        if self.disk.kind(&lock_path(&self.layout))?.is_some() {
            return Ok(());
        }
        let text = format!("the staging folder {} is gone", self.layout.staging.display());
        Err(Fault::new(FaultClass::Local, STAGING_GONE, text))
    }

    /// Checks whether orders may be written now. Call it before every write.
    pub fn check(&self) -> Result<(), Fault> {
        check_root(&*self.disk, &self.layout, &self.id())?;
        if self.state().open {
            return Ok(());
        }
        let output = self.layout.output.display();
        let text = format!("the output folder {output} is not ready yet");
        Err(Fault::new(FaultClass::Local, "output-not-ready", text)
            .hint("it is being prepared; Casedrop then continues automatically"))
    }

    /// Returns the id that the marker must have.
    pub fn id(&self) -> String {
        self.state().id.clone().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No panic can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes sure that output and staging can be used, and returns the output folder's id.
///
/// With a `known_id` the marker must be there with that id: a folder that we know is never
/// recreated. Without one, missing directories and the marker are created, or an existing marker's
/// id is adopted.
///
/// # Errors
/// `output-gone` if the folder or its marker is missing or is a different one; `staging-volume` if
/// a rename from staging to output cannot work.
pub fn prepare_root(
    disk: &dyn Disk,
    layout: &Layout,
    known_id: Option<&str>,
) -> Result<String, Fault> {
    if let Some(id) = known_id {
        check_root(disk, layout, id)?;
    } else {
        disk.create_dirs(&layout.output).map_err(|error| reaching(disk, layout, error))?;
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

/// Checks that the output folder still has that id; cheap enough to do before every write.
pub fn check_root(disk: &dyn Disk, layout: &Layout, id: &str) -> Result<(), Fault> {
    let why = match read_marker(disk, layout)? {
        Some(found) if found == id => return Ok(()),
        Some(_) => "has another folder's marker",
        None => "or its marker is gone",
    };
    Err(gone(disk, layout, why))
}

fn gone(disk: &dyn Disk, layout: &Layout, why: &str) -> Fault {
    let text = format!("the output folder {} {why}", layout.output.display());
    let hint = missing_drive(disk, &layout.output).unwrap_or_else(|| {
        format!(
            "mount the share or put the folder back, {MARKER} included; nothing is written until then"
        )
    });
    Fault::new(FaultClass::Local, OUTPUT_GONE, text).hint(hint)
}

/// Maps an error from accessing the output folder.
fn reaching(disk: &dyn Disk, layout: &Layout, error: DiskError) -> Fault {
    let is_gone = error.is_away() || missing_drive(disk, &layout.output).is_some();
    if is_gone {
        gone(disk, layout, "cannot be reached").caused_by(error.source)
    } else {
        error.into()
    }
}

/// Returns what to do if the whole drive of a path is missing (on Windows; other systems have one
/// root, which always exists).
fn missing_drive(disk: &dyn Disk, path: &Path) -> Option<String> {
    let drive = path.ancestors().last()?;
    if drive.as_os_str().is_empty() || !matches!(disk.kind(drive), Ok(None)) {
        return None;
    }
    let drive = drive.display();
    Some(format!(
        "there is no drive {drive} for the agent; mapped drives do not exist for services: set \
         `output` to the path of the share itself, such as \\\\server\\share\\orders"
    ))
}

/// Takes the lock that keeps a second agent, with another state directory, off this output folder;
/// `None` if another one keeps it. Held until dropped.
pub fn lock_output(disk: &dyn Disk, layout: &Layout) -> Result<Option<LockGuard>, Fault> {
    disk.create_dirs(&layout.staging)?;
    Ok(take_lock(disk, &lock_path(layout), ASKED_ABOUT)?)
}

/// Whether an agent keeps this output folder's lock.
pub fn output_is_locked(disk: &dyn Disk, layout: &Layout) -> Result<bool, Fault> {
    Ok(disk.is_locked(&lock_path(layout))?)
}

pub(super) fn lock_path(layout: &Layout) -> PathBuf {
    layout.staging.join("lock")
}

pub(super) fn marker_path(layout: &Layout) -> PathBuf {
    layout.output.join(MARKER)
}

pub(super) fn read_marker(disk: &dyn Disk, layout: &Layout) -> Result<Option<String>, Fault> {
    let path = marker_path(layout);
    let bytes = match read_limited(disk, &path, MARKER_MAX) {
        Ok(bytes) => bytes,
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(reaching(disk, layout, error)),
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

/// Writes the marker in staging and moves it, which also proves that moving works.
fn make_marker(disk: &dyn Disk, layout: &Layout) -> Result<String, Fault> {
    let marker = Marker { casedrop_root: 1, id: random_text::<16>("no-random")? };
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
            Fault::new(FaultClass::Local, "root-marker", "the root marker appeared and disappeared")
        });
    }
    disk.sync_dir(&layout.output)?;
    disk.sync_dir(&layout.staging)?;
    Ok(marker.id)
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
    use super::super::testing::{Lie, NoExchange, Place};
    use super::*;
    use casedrop_disk::RealDisk;

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
    fn a_share_that_does_not_answer_is_away_and_heals() {
        let place = Place::new();
        let id = prepare_root(&RealDisk, &place.layout, None).expect("made");
        let away = NoExchange(Lie::Away);
        for fault in [
            check_root(&away, &place.layout, &id).expect_err("away"),
            prepare_root(&away, &place.layout, Some(&id)).expect_err("away"),
            prepare_root(&away, &place.layout, None).expect_err("away"),
        ] {
            assert_eq!((fault.class, fault.code), (FaultClass::Local, OUTPUT_GONE));
            assert!(fault.chain().contains("cannot be reached"), "{}", fault.chain());
        }
        check_root(&RealDisk, &place.layout, &id).expect("back");
    }

    #[cfg(windows)]
    #[test]
    fn a_drive_that_is_not_there_is_told_with_the_way_out() {
        let layout =
            Layout { output: r"Q:\orders".into(), staging: r"Q:\.orders.casedrop-staging".into() };
        let fault = prepare_root(&RealDisk, &layout, None).expect_err("no such drive");
        assert_eq!(fault.code, OUTPUT_GONE);
        let hint = fault.hint.expect("a hint");
        assert!(hint.contains("mapped drives do not exist for services"), "{hint}");
    }

    fn root_of(place: &Place) -> Root {
        Root::new(Arc::new(RealDisk), place.layout.clone())
    }

    #[test]
    fn an_output_opens_only_once_it_is_prepared_and_again_after_it_was_away() {
        let place = Place::new();
        let root = root_of(&place);
        let made = root.prepare(None).expect("made");
        assert!(!made.known && !made.staging_was_gone);
        assert_eq!(root.check().expect_err("closed").code, "output-not-ready");
        root.open();
        root.check().expect("open");

        let moved = place.layout.output.with_extension("away");
        std::fs::rename(&place.layout.output, &moved).expect("unmounted");
        assert_eq!(root.check().expect_err("gone").code, "output-gone");
        assert_eq!(root.look().expect_err("gone").code, "output-gone");
        assert_eq!(root.prepare(Some(&made.id)).expect_err("gone").code, "output-gone");
        std::fs::rename(&moved, &place.layout.output).expect("mounted");
        assert_eq!(root.check().expect_err("closed").code, "output-not-ready");
        let again = root.prepare(Some(&made.id)).expect("there");
        assert!(again.known && again.id == made.id);
        root.open();
        root.check().expect("open");
        root.close();
        root.check().expect_err("closed");
    }

    /// Windows does not delete an open file, such as the lock in there.
    #[cfg(unix)]
    #[test]
    fn a_staging_that_somebody_deletes_meanwhile_is_missed() {
        let place = Place::new();
        let root = root_of(&place);
        root.prepare(None).expect("made");
        root.look().expect("there");
        std::fs::remove_dir_all(&place.layout.staging).expect("deleted");
        assert_eq!(root.look().expect_err("gone").code, STAGING_GONE);
    }

    #[test]
    fn a_staging_that_somebody_deleted_is_made_again_and_told() {
        let place = Place::new();
        let id = root_of(&place).prepare(None).expect("made").id;
        std::fs::remove_dir_all(&place.layout.staging).expect("deleted");
        let root = root_of(&place);
        assert!(root.prepare(Some(&id)).expect("made again").staging_was_gone);
        assert!(!root.prepare(Some(&id)).expect("there").staging_was_gone);
    }

    #[test]
    fn a_second_agent_is_told_by_name_and_gets_the_output_when_the_first_is_gone() {
        let place = Place::new();
        let (first, second) = (root_of(&place), root_of(&place));
        let id = first.prepare(None).expect("made").id;
        assert_eq!(second.prepare(None).expect_err("held").code, ANOTHER_AGENT);
        first.prepare(Some(&id)).expect("its own lock is no obstacle");
        drop(first);
        assert!(second.prepare(None).expect("free").known);
    }

    #[test]
    fn one_output_takes_one_agent() {
        let place = Place::new();
        let first = lock_output(&RealDisk, &place.layout).expect("asked").expect("free");
        assert!(lock_output(&RealDisk, &place.layout).expect("asked").is_none());
        drop(first);
        assert!(lock_output(&RealDisk, &place.layout).expect("asked").is_some());
    }
}
