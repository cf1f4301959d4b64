//! Publishing syncs everything in the promised order: files, their directories, the manifest, the
//! staged directory and its name; then the move; then the names on both sides; only then it reports
//! done.

mod promise;

mod journal;

use std::path::{Path, PathBuf};

use casedrop::disk::{Disk, RealDisk};
use casedrop::hotfolder::publish::Target;

use super::bench::{Bench, NEW, Revision, key};
use super::disk::{Event, Recorder, SimDisk};
use promise::{DONE, Promise};

/// A publication and what it did to the disk.
struct Recording {
    bench: Bench,
    revision: Revision,
    events: Vec<Event>,
    replaces: bool,
}

#[derive(Debug, Clone, Copy)]
enum Case {
    Fresh,
    OverAnEmptyDirectory,
    Replace,
    Beside,
}

const CASES: [Case; 4] = [Case::Fresh, Case::OverAnEmptyDirectory, Case::Replace, Case::Beside];

impl Recording {
    fn of<D: Disk>(disk: D, base: &Path, case: Case) -> Self {
        let disk = Recorder::new(disk);
        let bench = Bench::new(&disk, base);
        let target = match case {
            Case::Fresh | Case::OverAnEmptyDirectory => Target::Fresh,
            Case::Replace => bench.published(&disk),
            Case::Beside => {
                bench.published(&disk);
                Target::Beside
            }
        };
        if matches!(case, Case::OverAnEmptyDirectory) {
            disk.create_dirs(&bench.layout.order_dir(&key())).expect("made");
        }
        disk.take();
        let revision = bench.stage(&disk, 2, NEW, target);
        let outcome = bench.publish(&disk, &revision).expect("published");
        assert!(bench.is_done(&revision, &outcome));
        disk.mark(DONE);
        let events = disk.take();
        Self { bench, revision, events, replaces: matches!(case, Case::Replace) }
    }

    fn check(&self, events: &[Event]) -> Result<(), String> {
        let layout = &self.bench.layout;
        Promise {
            staged: &self.revision.publication.staged,
            dir: &self.bench.dir(&self.revision),
            output: &layout.output,
            staging: &layout.staging,
            replaces: self.replaces,
        }
        .check(events)
    }

    /// The index of an event; the last one if there are several.
    fn find(&self, wanted: &Event) -> usize {
        let at = self.events.iter().rposition(|event| event == wanted);
        at.unwrap_or_else(|| panic!("no {wanted:?} in {:#?}", self.events))
    }

    /// The error of the check if an event is left out.
    fn without(&self, event: &Event) -> String {
        let mut events = self.events.clone();
        events.remove(self.find(event));
        self.check(&events).expect_err("a sync is missing")
    }

    /// The error of the check if the first event comes only after the second.
    fn late(&self, event: &Event, than: &Event) -> String {
        let mut events = self.events.clone();
        let (from, to) = (self.find(event), self.find(than));
        assert!(from < to, "{event:?} comes late already");
        events[from..=to].rotate_left(1);
        self.check(&events).expect_err("a sync is late")
    }

    fn staged(&self, path: &str) -> PathBuf {
        self.revision.publication.staged.join(path)
    }

    fn move_in(&self) -> Event {
        Event::Rename(self.revision.publication.staged.clone(), self.bench.dir(&self.revision))
    }
}

fn sim(exchange: bool) -> SimDisk {
    let disk = SimDisk::new(1);
    disk.set_exchange(exchange);
    disk
}

#[test]
fn every_publication_syncs_everything_in_the_promised_order() {
    let base = Path::new("/pc");
    for case in CASES {
        for exchange in [true, false] {
            let recording = Recording::of(sim(exchange), base, case);
            let said = recording.check(&recording.events);
            assert_eq!(said, Ok(()), "{case:?}, {exchange}: {:#?}", recording.events);
        }
        let dir = tempfile::tempdir().expect("tempdir");
        let recording = Recording::of(RealDisk, dir.path(), case);
        assert_eq!(recording.check(&recording.events), Ok(()), "{case:?}: {:#?}", recording.events);
    }
}

#[test]
fn the_check_names_the_sync_that_is_missing() {
    let fresh = Recording::of(sim(true), Path::new("/pc"), Case::Fresh);
    let layout = &fresh.bench.layout;
    let dir = fresh.bench.dir(&fresh.revision);
    let account = dir.parent().expect("the account's");
    let staged = fresh.revision.publication.staged.clone();
    for (event, said, path) in [
        (Event::SyncFile(fresh.staged("a.stl")), "written before", fresh.staged("a.stl")),
        (Event::SyncDir(fresh.staged("sub/deep")), "written before", fresh.staged("sub/deep")),
        (
            Event::SyncFile(fresh.staged("manifest.json")),
            "moved in before",
            fresh.staged("manifest.json"),
        ),
        (Event::SyncDir(staged.clone()), "moved in before", staged),
        (Event::SyncDir(account.to_path_buf()), "done is reported before", account.to_path_buf()),
        (Event::SyncDir(layout.work()), "done is reported before", layout.work()),
    ] {
        let text = fresh.without(&event);
        assert!(text.contains(&format!("{said} {} is", path.display())), "{event:?}: {text}");
    }
    for exchange in [true, false] {
        let replacing = Recording::of(sim(exchange), Path::new("/pc"), Case::Replace);
        let history = replacing.bench.layout.order_history(&key());
        let text = replacing.without(&Event::SyncDir(history.clone()));
        assert!(text.contains(&format!("done is reported before {}", history.display())), "{text}");
    }
}

#[test]
fn the_check_names_the_step_that_comes_too_early() {
    let fresh = Recording::of(sim(true), Path::new("/pc"), Case::Fresh);
    let file = fresh.staged("c.xml");
    let text = fresh.late(&Event::SyncFile(file.clone()), &fresh.move_in());
    assert!(text.contains(&format!("before {} is synced", file.display())), "{text}");
    let manifest = fresh.staged("manifest.json");
    let text = fresh.late(&Event::SyncFile(manifest.clone()), &fresh.move_in());
    assert_eq!(text, format!("moved in before {} is synced", manifest.display()));
    let text = fresh.late(&fresh.move_in(), &Event::Mark(DONE));
    assert_eq!(text, "done is reported before the order is moved in");

    let replacing = Recording::of(sim(true), Path::new("/pc"), Case::Replace);
    let is_move = |event: &Event| matches!(event, Event::Rename(..));
    let mut events = replacing.events.clone();
    events.retain(|event| !is_move(event));
    let text = replacing.check(&events).expect_err("the old one is nowhere");
    assert_eq!(text, "the revision before is not kept in history");
}

#[test]
fn the_check_sees_work_at_the_place_and_forgotten_steps() {
    let fresh = Recording::of(sim(true), Path::new("/pc"), Case::Fresh);
    let mut events = fresh.events.clone();
    let inside = fresh.bench.dir(&fresh.revision).join("a.stl");
    events.insert(events.len() - 1, Event::Write(inside.clone()));
    let text = fresh.check(&events).expect_err("written in place");
    assert_eq!(text, format!("{} is touched at its place", inside.display()));

    let mut events = fresh.events.clone();
    events.remove(fresh.find(&Event::Create(fresh.staged("manifest.json"))));
    let text = fresh.check(&events).expect_err("no manifest");
    assert_eq!(text, "the order is moved in without manifest.json");

    let text = fresh.check(&fresh.events[..fresh.events.len() - 1]).expect_err("not told");
    assert_eq!(text, "done is never reported");
}
