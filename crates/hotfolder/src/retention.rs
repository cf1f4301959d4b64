//! Removes published revisions from the output folder when they are old enough.
//!
//! A revision leaves the output folder by one rename into staging (`retired/`), so that no one ever
//! sees half an order; only there are its files removed. Anything that others changed stays where
//! it is, or goes back there. Every step may be interrupted: [`remove`] continues it, and
//! [`settle`] does so at startup.

use std::io;
use std::path::{Path, PathBuf};

use super::files::{Tree, below, fault_of, held_fault};
use super::history::remove_ours;
use super::inspect::{LocalPicture, Read, There, glance, inspect, read_manifest};
use super::layout::Layout;
use super::rebuild::key_of;
use casedrop_disk::{Disk, Kind, Moved};
use casedrop_model::fault::Fault;
use casedrop_model::ids::OrderKey;
pub use casedrop_model::local::Fate;
use casedrop_model::manifest::{FILE_NAME, Manifest};
use casedrop_model::record::Place;
use casedrop_model::step::Step;

/// A published revision that is to be removed.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'a> {
    pub key: &'a OrderKey,
    /// Where it was published.
    pub place: Place,
    pub manifest: &'a Manifest,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: &'a str,
}

/// The state of a piece on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Absent,
    /// It is in its place, unchanged or with some files gone.
    Ours,
    /// An earlier attempt moved it out.
    Moved,
    /// Others changed it or took its place, with details.
    Others(String),
}

/// Looks at a piece, hashing every byte.
pub fn standing(disk: &dyn Disk, layout: &Layout, piece: Piece<'_>) -> Result<Standing, Fault> {
    if disk.kind(&piece.moved(layout))?.is_some() {
        return Ok(Standing::Moved);
    }
    let dir = piece.dir(layout);
    Ok(match inspect(disk, &dir, Some(piece.manifest), Some(piece.manifest_sha256))? {
        LocalPicture::Absent => Standing::Absent,
        LocalPicture::AsPublished | LocalPicture::Reduced { .. } => Standing::Ours,
        LocalPicture::Altered { differences } => Standing::Others(differences.join(", ")),
        LocalPicture::Ours { .. } => Standing::Others("another revision".to_owned()),
        LocalPicture::Foreign { what } => Standing::Others(what),
    })
}

/// Removes a piece that [`standing`] has just reported as ours or moved out.
///
/// # Errors
/// `target-busy` if a program holds one of its files open; otherwise the disk's own error. In the
/// output folder it is whole or gone in every case.
pub fn remove(
    disk: &dyn Disk,
    layout: &Layout,
    piece: Piece<'_>,
    step: &dyn Fn(Step),
) -> Result<Fate, Fault> {
    let (dir, moved) = (piece.dir(layout), piece.moved(layout));
    if disk.kind(&moved)?.is_none() {
        if disk.kind(&dir)?.is_none() {
            return Ok(Fate::Absent);
        }
        disk.create_dirs(&layout.retired())?;
        step(Step::RetireMove);
        let renamed = disk.rename(&dir, &moved);
        if renamed.map_err(|error| held_fault(disk, &dir, error))? == Moved::TargetExists {
            return Ok(Fate::LeftAlone(format!("{} is in the way", moved.display())));
        }
        step(Step::RetireMoved);
    }
    if let Some(account) = dir.parent()
        && disk.kind(account)? == Some(Kind::Dir)
    {
        disk.sync_dir(account)?;
    }
    disk.sync_dir(&layout.retired())?;
    finish(disk, layout, &dir, &moved, piece.manifest, &|| step(Step::RetireRemove))
}

/// Knows what the agent itself started, and records what is removed.
pub trait Witness {
    /// Whether the agent published the manifest with this hash, or started to remove it. Its
    /// presence in staging proves nothing: others may write there.
    fn knows(&self, key: &OrderKey, manifest_sha256: &str) -> bool;
    /// Records that a revision with this many files is about to be removed. If this fails, the
    /// revision stays.
    fn begins(&self, key: &OrderKey, revision: u32, files: usize) -> Result<(), Fault>;
    /// Records the outcome.
    fn ended(&self, key: &OrderKey, revision: u32, files: usize, result: &Result<Fate, Fault>);
}

/// Finishes interrupted removals at startup, even those that the journal no longer knows of, and
/// leaves those that the agent did not start. Returns one line for each item left in place.
pub fn settle(
    disk: &dyn Disk,
    layout: &Layout,
    witness: &dyn Witness,
    step: &dyn Fn(Step),
) -> Result<Vec<String>, Fault> {
    let mut left = Vec::new();
    if disk.kind(&layout.retired())? != Some(Kind::Dir) {
        return Ok(left);
    }
    for entry in disk.list(&layout.retired())? {
        let moved = &entry.path;
        let found = match entry.kind {
            Kind::Dir => read_manifest(disk, moved)?,
            Kind::File | Kind::Other => Read::Missing,
        };
        let fate = match &found {
            Read::Manifest(manifest, sha256) => match own_place(layout, moved, manifest) {
                Some((key, dir)) if witness.knows(&key, sha256) => {
                    let files = manifest.files.len();
                    witness.begins(&key, manifest.revision, files)?;
                    let before = || step(Step::Reclaim);
                    let fate = finish(disk, layout, &dir, moved, manifest, &before);
                    witness.ended(&key, manifest.revision, files, &fate);
                    fate?
                }
                Some(_) => Fate::LeftAlone(format!(
                    "{} is of unknown origin: its manifest is in neither the journal nor the \
                     audit; look at it, and delete it yourself",
                    moved.display()
                )),
                None => {
                    Fate::LeftAlone(format!("{} is not an order of Casedrop's", moved.display()))
                }
            },
            Read::Unreadable(why) => Fate::LeftAlone(format!(
                "{} in {} {why}; look at it, and delete it yourself",
                FILE_NAME,
                moved.display()
            )),
            // The manifest goes last, then the directories.
            Read::Missing if entry.kind == Kind::Dir && is_empty(disk, moved)? => {
                step(Step::Reclaim);
                remove_emptied(disk, moved)?
            }
            Read::Missing => {
                Fate::LeftAlone(format!("{} is not an order of Casedrop's", moved.display()))
            }
        };
        if let Fate::LeftAlone(why) = fate {
            left.push(why);
        }
    }
    Ok(left)
}

/// Returns the order of a directory in `retired` and where it came from, if its name matches.
fn own_place(layout: &Layout, moved: &Path, manifest: &Manifest) -> Option<(OrderKey, PathBuf)> {
    let key = key_of(manifest)?;
    let number = manifest.revision;
    let mut all = [Place::Main, Place::Beside].into_iter();
    let place = all.find(|place| layout.retired_dir(&key, *place, number) == *moved)?;
    let dir = layout.dir_at(&key, place, number);
    Some((key, dir))
}

/// Removes directories that held nothing. Anything added in between stays.
fn remove_emptied(disk: &dyn Disk, moved: &Path) -> Result<Fate, Fault> {
    let tree = Tree::read(disk, moved)?;
    if tree.litter > 0 {
        // No one's content.
        disk.remove_tree(moved)?;
        return Ok(Fate::Removed);
    }
    let inner = tree.dirs.iter().rev().map(|dir| below(moved, dir));
    for dir in inner.chain([moved.to_path_buf()]) {
        match disk.remove_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                return Ok(Fate::LeftAlone(format!(
                    "{} is not an order of Casedrop's",
                    moved.display()
                )));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    tracing::info!("removed an empty folder that a removal had left in staging");
    Ok(Fate::Removed)
}

impl Piece<'_> {
    fn dir(&self, layout: &Layout) -> std::path::PathBuf {
        layout.dir_at(self.key, self.place, self.manifest.revision)
    }

    fn moved(&self, layout: &Layout) -> std::path::PathBuf {
        layout.retired_dir(self.key, self.place, self.manifest.revision)
    }
}

/// Removes what was moved out, or puts it back if something was added at the last moment.
fn finish(
    disk: &dyn Disk,
    layout: &Layout,
    dir: &Path,
    moved: &Path,
    manifest: &Manifest,
    before: &dyn Fn(),
) -> Result<Fate, Fault> {
    let is_ours = matches!(
        glance(disk, moved, manifest)?,
        LocalPicture::AsPublished | LocalPicture::Reduced { .. }
    );
    before();
    if is_ours && remove_ours(disk, moved, manifest)? {
        disk.sync_dir(&layout.retired())?;
        return Ok(Fate::Removed);
    }
    if is_complete(disk, moved, manifest)?
        && disk.kind(dir)?.is_none()
        && let Some(account) = dir.parent()
    {
        disk.create_dirs(account)?;
        if disk.rename(moved, dir).map_err(fault_of)? == Moved::Done {
            disk.sync_dir(account)?;
            return Ok(Fate::LeftAlone("it was changed while it was being removed".to_owned()));
        }
    }
    let text =
        format!("it was changed while it was being removed, and was kept in {}", moved.display());
    Ok(Fate::LeftAlone(text))
}

/// Whether every file of the order is there, whatever else is.
fn is_complete(disk: &dyn Disk, dir: &Path, manifest: &Manifest) -> Result<bool, Fault> {
    let tree = Tree::read(disk, dir).map_err(fault_of)?;
    let there = There::of(&tree, manifest);
    let files = manifest.files.iter().map(|file| there.path_of(&file.path)).chain([FILE_NAME]);
    for file in files {
        if disk.kind(&below(dir, file))? != Some(Kind::File) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_empty(disk: &dyn Disk, dir: &Path) -> Result<bool, Fault> {
    let tree = Tree::read(disk, dir)?;
    Ok(tree.files.is_empty() && tree.odd.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Lie, NoExchange, Place as Folder, content_of, key, sealed};
    use super::*;
    use casedrop_disk::RealDisk;
    use casedrop_model::fault::FaultClass;

    /// Knows one manifest, and remembers what was recorded.
    #[derive(Default)]
    struct Records {
        known: String,
        is_full: bool,
        lines: std::cell::RefCell<Vec<String>>,
    }

    impl Witness for Records {
        fn knows(&self, _key: &OrderKey, manifest_sha256: &str) -> bool {
            self.known == manifest_sha256
        }

        fn begins(&self, key: &OrderKey, revision: u32, files: usize) -> Result<(), Fault> {
            if self.is_full {
                return Err(Fault::new(FaultClass::Local, "disk-full", "no record"));
            }
            self.lines.borrow_mut().push(format!("{key} r{revision} {files} begun"));
            Ok(())
        }

        fn ended(&self, _: &OrderKey, _: u32, files: usize, result: &Result<Fate, Fault>) {
            let is_removed = matches!(result, Ok(Fate::Removed));
            self.lines.borrow_mut().push(format!("{files} {is_removed}"));
        }
    }

    const FILES: [(&str, &str); 2] = [("a.stl", "mesh"), ("thumbnails/b.jpg", "picture")];

    struct Published {
        folder: Folder,
        key: OrderKey,
        manifest: Manifest,
        sha: String,
    }

    impl Published {
        fn new() -> Self {
            let folder = Folder::new();
            let (manifest, sha) = sealed(&folder.layout.order_dir(&key()), 1, &FILES);
            Self { folder, key: key(), manifest, sha }
        }

        fn piece(&self) -> Piece<'_> {
            Piece {
                key: &self.key,
                place: Place::Main,
                manifest: &self.manifest,
                manifest_sha256: &self.sha,
            }
        }

        fn layout(&self) -> &Layout {
            &self.folder.layout
        }

        fn dir(&self) -> std::path::PathBuf {
            self.layout().order_dir(&self.key)
        }

        fn moved(&self) -> std::path::PathBuf {
            self.layout().retired_dir(&self.key, Place::Main, 1)
        }

        fn standing(&self) -> Standing {
            standing(&RealDisk, self.layout(), self.piece()).expect("looked")
        }

        fn remove(&self, step: &dyn Fn(Step)) -> Fate {
            remove(&RealDisk, self.layout(), self.piece(), step).expect("removed")
        }

        fn records(&self) -> Records {
            Records { known: self.sha.clone(), ..Records::default() }
        }

        fn settle(&self) -> Vec<String> {
            settle(&RealDisk, self.layout(), &self.records(), &|_| {}).expect("settled")
        }

        /// Leaves what a removal that stopped after its first step would.
        fn move_out(&self) {
            std::fs::create_dir_all(self.layout().retired()).expect("made");
            std::fs::rename(self.dir(), self.moved()).expect("moved");
        }

        fn left_in_retired(&self) -> usize {
            std::fs::read_dir(self.layout().retired()).map_or(0, Iterator::count)
        }
    }

    #[test]
    fn an_untouched_revision_goes_and_its_account_stays() {
        let order = Published::new();
        assert_eq!(order.standing(), Standing::Ours);
        assert_eq!(order.remove(&|_| {}), Fate::Removed);
        assert!(!order.dir().exists() && order.dir().parent().expect("account").is_dir());
        assert_eq!(order.left_in_retired(), 0);
        assert_eq!(order.standing(), Standing::Absent);
        assert_eq!(order.remove(&|_| {}), Fate::Absent);
    }

    #[test]
    fn what_is_left_of_a_partly_taken_revision_goes_and_a_changed_one_stays() {
        let order = Published::new();
        std::fs::remove_file(order.dir().join("a.stl")).expect("taken");
        assert_eq!(order.standing(), Standing::Ours);
        std::fs::write(order.dir().join("design.dcm"), "mine").expect("written");
        let Standing::Others(what) = order.standing() else { panic!("it is changed") };
        assert!(what.contains("design.dcm"), "{what}");
    }

    #[test]
    fn what_somebody_puts_in_at_the_last_moment_is_put_back_with_the_order() {
        let order = Published::new();
        let before = content_of(&order.dir());
        let at = |wanted: Step, place: std::path::PathBuf| {
            move |step: Step| {
                if step == wanted {
                    std::fs::write(place.join("note.txt"), "mine").expect("written");
                }
            }
        };
        let fate = order.remove(&at(Step::RetireMove, order.dir()));
        assert!(matches!(fate, Fate::LeftAlone(_)), "{fate:?}");
        let mut expected = before;
        expected.insert("note.txt".to_owned(), b"mine".to_vec());
        assert_eq!(content_of(&order.dir()), expected);
        assert_eq!(order.left_in_retired(), 0);
    }

    #[test]
    fn an_interruption_anywhere_is_finished_by_the_next_attempt_or_start() {
        use std::panic::{AssertUnwindSafe, catch_unwind};
        for at in [Step::RetireMove, Step::RetireMoved, Step::RetireRemove] {
            for by_start in [true, false] {
                let order = Published::new();
                let die = |step: Step| assert_ne!(step, at, "dies here");
                catch_unwind(AssertUnwindSafe(|| order.remove(&die))).expect_err("it dies");
                assert_eq!(order.dir().exists(), at == Step::RetireMove, "{at:?}");
                if by_start {
                    assert_eq!(order.settle(), [""; 0]);
                }
                order.remove(&|_| {});
                assert!(!order.dir().exists() && order.left_in_retired() == 0, "{at:?}");
            }
        }
    }

    #[test]
    fn a_half_removed_revision_is_finished_and_what_is_not_ours_is_told_and_stays() {
        let order = Published::new();
        std::fs::create_dir_all(order.layout().retired()).expect("made");
        std::fs::rename(order.dir(), order.moved()).expect("moved");
        std::fs::remove_file(order.moved().join("a.stl")).expect("half removed");
        std::fs::create_dir_all(order.layout().retired().join("empty/thumbnails")).expect("made");
        let note = order.layout().retired().join("note.txt");
        std::fs::write(&note, "mine").expect("written");
        let left = order.settle();
        assert!(left.len() == 1 && left[0].contains("note.txt"), "{left:?}");
        assert!(note.is_file() && order.left_in_retired() == 1);

        // Half removed, and something was put in: it cannot go back, and is not deleted.
        let order = Published::new();
        std::fs::create_dir_all(order.layout().retired()).expect("made");
        std::fs::rename(order.dir(), order.moved()).expect("moved");
        std::fs::remove_file(order.moved().join("a.stl")).expect("half removed");
        std::fs::write(order.moved().join("note.txt"), "mine").expect("written");
        let left = order.settle();
        assert!(left.len() == 1 && left[0].contains("was kept in"), "{left:?}");
        assert!(order.moved().join("note.txt").is_file() && !order.dir().exists());
    }

    #[test]
    fn what_a_start_finishes_is_recorded_before_and_after_or_stays() {
        let order = Published::new();
        order.move_out();
        let full = Records { is_full: true, ..order.records() };
        settle(&RealDisk, order.layout(), &full, &|_| {}).expect_err("no record, no removal");
        assert!(order.moved().join("a.stl").is_file());
        let records = order.records();
        let left = settle(&RealDisk, order.layout(), &records, &|_| {}).expect("settled");
        assert_eq!((left, order.left_in_retired()), (Vec::new(), 0));
        assert_eq!(records.lines.take(), ["smile-lab/4711/17 r1 2 begun", "2 true"]);
    }

    #[test]
    fn a_whole_order_that_nobody_began_to_remove_stays_and_is_told() {
        let order = Published::new();
        order.move_out();
        let records = Records::default();
        let left = settle(&RealDisk, order.layout(), &records, &|_| {}).expect("settled");
        assert!(left.len() == 1 && left[0].contains("unknown origin"), "{left:?}");
        assert!(order.moved().join("thumbnails/b.jpg").is_file());
        assert_eq!(records.lines.take(), [""; 0], "nothing was to be recorded");
    }

    #[test]
    fn no_manifest_leads_a_removal_out_of_its_folder() {
        let order = Published::new();
        order.move_out();
        let treasure = order.layout().staging.join("treasure");
        std::fs::write(&treasure, "login").expect("written");
        let file = order.moved().join("manifest.json");
        let text = std::fs::read_to_string(&file).expect("there");
        let planted = text.replace("thumbnails/b.jpg", "../../treasure");
        std::fs::write(&file, &planted).expect("planted");
        // An attacker might know a hash that is trusted.
        let known = casedrop_model::digest::sha256(planted.as_bytes());
        let records = Records { known, ..Records::default() };
        let left = settle(&RealDisk, order.layout(), &records, &|_| {}).expect("settled");
        assert!(left.len() == 1 && left[0].contains("the path of entry 2 leads out"), "{left:?}");
        assert!(treasure.is_file() && file.is_file());
    }

    #[test]
    fn a_revision_that_a_program_holds_open_stays_whole() {
        let order = Published::new();
        let before = content_of(&order.dir());
        let disk = NoExchange(Lie::Held("17"));
        let fault = remove(&disk, order.layout(), order.piece(), &|_| {}).expect_err("held");
        assert_eq!(fault.code, "target-busy");
        assert_eq!(content_of(&order.dir()), before);
    }
}
