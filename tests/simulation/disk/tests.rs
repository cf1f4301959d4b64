//! What the simulated disk promises to the tests built on it.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use casedrop::disk::{Disk, Moved, read_limited, write_durably};

use super::{Call, Node, SimDisk, Verdict};

const SEEDS: std::ops::Range<u64> = 0..200;

fn at(path: &str) -> PathBuf {
    Path::new("/pc").join(path)
}

/// A disk with a durable directory `/pc`.
fn disk(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed);
    disk.create_dirs(&at("")).expect("made");
    disk
}

/// Writes a file; neither its content nor its name is synced.
fn put(disk: &SimDisk, path: &str, bytes: &[u8]) {
    disk.create(&at(path)).expect("new").write_all(bytes).expect("written");
}

fn sync(disk: &SimDisk, path: &str) {
    disk.append(&at(path)).expect("there").sync().expect("synced");
}

fn text(disk: &SimDisk, path: &str) -> Option<String> {
    disk.read(&at(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Sets the verdict for one operation on paths with this ending; all others go through.
fn only(disk: &SimDisk, operation: &'static str, end: &'static str, verdict: Verdict) {
    disk.on_call(Some(Box::new(move |call: &Call| {
        let hit = call.operation == operation && call.path.ends_with(end);
        if hit { verdict } else { Verdict::Go }
    })));
}

#[test]
fn what_was_synced_survives_a_crash_and_what_was_not_may_vanish() {
    let mut seen = BTreeSet::new();
    for seed in SEEDS {
        let disk = disk(seed);
        put(&disk, "kept", b"kept");
        sync(&disk, "kept");
        disk.sync_dir(&at("")).expect("synced");
        put(&disk, "loose", b"loose");
        disk.crash();
        assert_eq!(text(&disk, "kept").as_deref(), Some("kept"));
        seen.insert(text(&disk, "loose"));
    }
    let all = |wanted: &str| seen.contains(&Some(wanted.to_owned()));
    assert!(seen.contains(&None), "the name may be lost");
    assert!(all("") && all("loose"), "the content may be lost or kept: {seen:?}");
    assert!(all("lo") && all("lo\0\0\0"), "or be torn: {seen:?}");
}

#[test]
fn the_synced_part_of_a_file_is_never_torn() {
    for seed in SEEDS {
        let disk = disk(seed);
        write_durably(&disk, &at("log"), b"first ").expect("written");
        disk.append(&at("log")).expect("there").write_all(b"second").expect("written");
        disk.crash();
        let text = text(&disk, "log").expect("there");
        assert!(text.starts_with("first ") && text.len() <= 12, "{text:?}");
    }
}

#[test]
fn a_synced_file_whose_name_was_not_is_lost_or_whole() {
    let mut lost = 0;
    for seed in SEEDS {
        let disk = disk(seed);
        put(&disk, "file", b"content");
        sync(&disk, "file");
        assert_eq!(disk.durable(&at("")).len(), 0);
        disk.crash();
        match text(&disk, "file").as_deref() {
            None => lost += 1,
            found => assert_eq!(found, Some("content")),
        }
    }
    assert!((1..200).contains(&lost), "{lost}");
}

#[test]
fn in_one_directory_no_later_step_overtakes_an_earlier_one() {
    let mut counts = BTreeSet::new();
    for seed in SEEDS {
        let disk = disk(seed);
        for number in 0..6 {
            put(&disk, &number.to_string(), b"");
        }
        disk.crash();
        let there: Vec<bool> = (0..6).map(|number| disk.exists(&at(&number.to_string()))).collect();
        assert!(there.is_sorted_by(|earlier, later| earlier >= later), "{there:?}");
        counts.insert(there.into_iter().filter(|there| *there).count());
    }
    assert!(counts.contains(&0) && counts.contains(&6) && counts.len() > 3, "{counts:?}");
}

#[test]
fn a_directory_lasts_once_its_parent_was_synced_and_not_before() {
    for seed in SEEDS {
        let disk = disk(seed);
        only(&disk, "create_dirs", "new", Verdict::FailAfter(ErrorKind::Other));
        disk.create_dirs(&at("new")).expect_err("its last sync failed");
        put(&disk, "new/file", b"x");
        sync(&disk, "new/file");
        disk.sync_dir(&at("new")).expect("synced");
        assert_eq!(disk.durable(&at("")).len(), 0);
        disk.sync_dir(&at("")).expect("synced");
        assert_eq!(disk.durable(&at("")), disk.snapshot(&at("")));
        disk.crash();
        assert_eq!(text(&disk, "new/file").as_deref(), Some("x"));
    }
}

#[test]
fn a_sync_brings_along_what_had_to_happen_before() {
    for seed in SEEDS {
        let disk = disk(seed);
        disk.create_dirs(&at("work/job")).expect("made");
        disk.create_dirs(&at("out")).expect("made");
        put(&disk, "work/other", b"");
        disk.rename(&at("work/job"), &at("out/job")).expect("renamed");
        disk.sync_dir(&at("out")).expect("synced");
        let mut durable: Vec<_> = disk.durable(&at("")).into_keys().collect();
        durable.sort();
        assert_eq!(durable, ["out", "out/job", "work", "work/other"].map(at));
    }
}

#[test]
fn a_rename_is_whole_or_did_not_happen() {
    let mut moved = 0;
    for seed in SEEDS {
        let disk = disk(seed);
        disk.create_dirs(&at("a/job")).expect("made");
        disk.create_dirs(&at("b")).expect("made");
        disk.rename(&at("a/job"), &at("b/job")).expect("renamed");
        disk.crash();
        let (old, new) = (disk.exists(&at("a/job")), disk.exists(&at("b/job")));
        assert!(old != new, "it stands at {old} {new}");
        moved += u64::from(new);
    }
    assert!((1..SEEDS.end).contains(&moved), "{moved}");
}

#[test]
fn an_exchange_is_whole_or_did_not_happen() {
    let mut done = 0;
    for seed in SEEDS {
        let disk = disk(seed);
        for (dir, content) in [("a/x", "old"), ("b/y", "new")] {
            disk.create_dirs(&at(dir)).expect("made");
            put(&disk, &format!("{dir}/which"), content.as_bytes());
            sync(&disk, &format!("{dir}/which"));
            disk.sync_dir(&at(dir)).expect("synced");
        }
        assert!(disk.exchange(&at("a/x"), &at("b/y")).expect("asked"));
        disk.crash();
        let which = |dir: &str| text(&disk, &format!("{dir}/which")).expect("whole");
        let pair = (which("a/x"), which("b/y"));
        let swapped = pair == ("new".to_owned(), "old".to_owned());
        assert!(swapped || pair == ("old".to_owned(), "new".to_owned()), "{pair:?}");
        done += u64::from(swapped);
    }
    assert!((1..SEEDS.end).contains(&done), "{done}");
    let disk = disk(0);
    disk.set_exchange(false);
    assert!(!disk.exchange(&at("a"), &at("b")).expect("asked"));
}

#[test]
fn a_program_that_dies_forgets_nothing_that_the_system_was_told() {
    let disk = disk(1);
    put(&disk, "file", b"x");
    let mut open = disk.open(&at("file")).expect("there");
    let mut writing = disk.append(&at("file")).expect("there");
    let lock = disk.try_lock(&at("lock")).expect("asked").expect("free");
    assert!(disk.try_lock(&at("lock")).expect("asked").is_none());
    assert_eq!(disk.lock(&at("lock")).expect_err("for ever").kind(), ErrorKind::Deadlock);
    disk.restart();
    let again = disk.lock(&at("lock")).expect("free again");
    drop(lock);
    assert!(disk.try_lock(&at("lock")).expect("asked").is_none(), "the old holder is dead");
    drop(again);
    assert_eq!(text(&disk, "file").as_deref(), Some("x"));
    assert!(open.read(&mut [0]).is_err() && writing.write(b"y").is_err());
    assert!(writing.sync().is_err());
    assert!(!disk.durable(&at("")).contains_key(&at("file")), "nothing was synced by it");
}

#[test]
fn verdicts_are_carried_out_as_told() {
    let disk = disk(1);
    put(&disk, "a", b"old");
    let end = ErrorKind::QuotaExceeded;
    for (verdict, happens, kind) in [
        (Verdict::Fail(end), false, end),
        (Verdict::Busy, false, ErrorKind::ResourceBusy),
        (Verdict::Torn, false, ErrorKind::Other),
        (Verdict::FailAfter(end), true, end),
    ] {
        only(&disk, "rename", "a", verdict);
        let error = disk.rename(&at("a"), &at("b")).expect_err("told so");
        assert_eq!((error.kind(), disk.exists(&at("b"))), (kind, happens), "{verdict:?}");
        assert_eq!(error.path, at("b"));
    }
    disk.on_call(None);
    assert_eq!(disk.rename(&at("b"), &at("a")).expect("asked"), Moved::Done);

    only(&disk, "read", "a", Verdict::Fail(ErrorKind::InvalidData));
    assert_eq!(read_limited(&disk, &at("a"), 9).expect_err("told").kind(), ErrorKind::InvalidData);
    only(&disk, "sync", "a", Verdict::Fail(end));
    assert_eq!(disk.append(&at("a")).expect("there").sync().expect_err("told").kind(), end);
}

#[test]
fn a_torn_call_is_done_in_part() {
    let (mut texts, mut counts) = (BTreeSet::new(), BTreeSet::new());
    for seed in SEEDS {
        let disk = disk(seed);
        only(&disk, "write", "a", Verdict::Torn);
        disk.create(&at("a")).expect("new").write_all(b"1234").expect_err("told");
        texts.insert(text(&disk, "a").expect("there"));

        disk.create_dirs(&at("tree/inner")).expect("made");
        put(&disk, "tree/inner/x", b"");
        only(&disk, "remove_tree", "tree", Verdict::Torn);
        disk.remove_tree(&at("tree")).expect_err("told");
        counts.insert(disk.snapshot(&at("tree")).len());

        only(&disk, "create_dirs", "q", Verdict::Torn);
        disk.create_dirs(&at("p/q")).expect_err("told");
        assert!(disk.exists(&at("p")) || !disk.exists(&at("p/q")));
    }
    assert_eq!(texts.into_iter().collect::<Vec<_>>(), ["", "1", "12", "123", "1234"]);
    assert_eq!(counts.into_iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn without_power_nothing_works_until_the_next_start() {
    let mut happened = BTreeSet::new();
    for seed in SEEDS {
        let disk = disk(seed);
        write_durably(&disk, &at("a"), b"x").expect("written");
        only(&disk, "rename", "a", Verdict::PowerOff);
        disk.rename(&at("a"), &at("b")).expect_err("the power goes");
        assert!(disk.is_off());
        let calls = disk.calls();
        disk.on_call(None);
        assert!(disk.kind(&at("a")).is_err() && disk.sync_dir(&at("")).is_err());
        assert_eq!(disk.calls(), calls);
        disk.crash();
        assert!(!disk.is_off() && disk.kind(&at("a")).is_ok());
        happened.insert(disk.exists(&at("b")));
        assert!(disk.exists(&at("a")) != disk.exists(&at("b")));
    }
    assert_eq!(happened.len(), 2);
}

#[test]
fn a_full_volume_takes_what_fits_and_gets_room_again() {
    let disk = disk(1);
    disk.set_free(10);
    put(&disk, "a", b"12345678");
    assert_eq!(disk.free_space(&at("")).expect("asked"), 2);
    let mut file = disk.create(&at("b")).expect("new");
    assert_eq!(file.write_all(b"1234").expect_err("full").kind(), ErrorKind::StorageFull);
    assert_eq!(text(&disk, "b").as_deref(), Some("12"));
    assert!(disk.hard_link(&at("a"), &at("c")).expect("asked"));
    disk.remove_file(&at("a")).expect("removed");
    assert_eq!(disk.free_space(&at("")).expect("asked"), 0, "it has another name");
    disk.remove_file(&at("c")).expect("removed");
    assert_eq!(disk.free_space(&at("")).expect("asked"), 8);
    // What a crash loses takes no space either.
    disk.crash();
    let left: usize = disk
        .snapshot(&at(""))
        .values()
        .map(|node| if let Node::File(bytes) = node { bytes.len() } else { 0 })
        .sum();
    assert_eq!(disk.free_space(&at("")).expect("asked") + left as u64, 10);
}

#[test]
fn names_that_differ_in_case_only_are_one_where_case_is_folded() {
    let disk = SimDisk::new(1);
    disk.set_case_folding(true);
    disk.create_dirs(&at("Dir")).expect("made");
    put(&disk, "dir/File", b"x");
    assert_eq!(
        disk.create(&at("DIR/FILE")).err().map(|error| error.kind()),
        Some(ErrorKind::AlreadyExists)
    );
    assert_eq!(text(&disk, "DIR/fILE").as_deref(), Some("x"));
    let name = |disk: &SimDisk| disk.list(&at("dir")).expect("listed")[0].name.clone();
    assert_eq!(name(&disk).as_deref(), Some("File"));
    assert_eq!(disk.rename(&at("dir/File"), &at("dir/file")).expect("asked"), Moved::Done);
    assert_eq!(name(&disk).as_deref(), Some("file"));
}

#[test]
fn others_work_past_every_fault_and_what_they_do_lasts() {
    let disk = disk(1);
    let hand = disk.clone();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&calls);
    disk.on_call(Some(Box::new(move |call: &Call| {
        heard.lock().expect("whole").push(format!("{} {}", call.number, call.operation));
        // Another program is faster than the call.
        assert!(hand.write_foreign(&at("order/deep/notes.txt"), b"mine"));
        if call.to.is_some() { Verdict::Go } else { Verdict::Fail(ErrorKind::Other) }
    })));
    assert_eq!(disk.rename(&at("order"), &at("moved")).expect("asked"), Moved::Done);
    assert!(disk.kind(&at("order")).is_err());
    disk.on_call(None);
    assert_eq!(*calls.lock().expect("whole"), ["2 rename", "3 kind"]);

    assert!(disk.remove_foreign(&at("moved")) && !disk.remove_foreign(&at("moved")));
    assert!(disk.rename_foreign(&at("order/deep"), &at("deep")));
    assert!(disk.write_foreign(&at("deep/notes.txt"), b"changed"));
    assert!(!disk.rename_foreign(&at("nothing"), &at("x")));
    disk.crash();
    let names: Vec<_> = disk.snapshot(&at("")).into_keys().collect();
    assert_eq!(names, ["deep", "deep/notes.txt", "order"].map(at));
    assert_eq!(text(&disk, "deep/notes.txt").as_deref(), Some("changed"));
}

#[test]
fn a_seed_replays_exactly() {
    let run = |seed: u64| {
        let disk = disk(seed);
        let mut rng = fastrand::Rng::with_seed(7);
        disk.on_call(Some(Box::new(move |_: &Call| match rng.u8(..60) {
            0 => Verdict::PowerOff,
            1..6 => Verdict::Torn,
            _ => Verdict::Go,
        })));
        let mut seen = Vec::new();
        for number in 0..300 {
            let dir = at(&format!("d{}", number % 5));
            let _ = disk.create_dirs(&dir);
            let _ = disk.create(&dir.join(number.to_string())).map(|mut file| file.write(b"1234"));
            if number % 7 == 0 {
                let _ = disk.sync_dir(&dir);
            }
            if disk.is_off() {
                disk.crash();
                seen.push(disk.snapshot(Path::new("/")));
            }
        }
        seen
    };
    for seed in 0..20 {
        assert_eq!(run(seed), run(seed));
    }
    assert_ne!(run(1), run(2));
}
