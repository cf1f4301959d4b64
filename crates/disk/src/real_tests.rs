//! What every implementation of [`Disk`] must do, tested on the real one.

use std::fs;
use std::io::Read as _;

use super::*;

fn setup() -> (tempfile::TempDir, impl Fn(&str) -> PathBuf) {
    let dir = tempfile::tempdir().expect("tempdir");
    let base = dir.path().to_path_buf();
    (dir, move |name: &str| base.join(name))
}

#[test]
fn rename_never_replaces_a_file_or_a_directory() {
    let (_dir, at) = setup();
    fs::write(at("a"), "a").expect("write");
    fs::write(at("b"), "b").expect("write");
    fs::create_dir(at("empty")).expect("mkdir");
    fs::create_dir_all(at("full/inner")).expect("mkdir");
    for (from, to) in
        [("a", "b"), ("full", "empty"), ("empty", "full"), ("full", "a"), ("a", "full")]
    {
        let moved = RealDisk.rename(&at(from), &at(to)).expect("asked");
        assert_eq!(moved, Moved::TargetExists, "{from} to {to}");
    }
    assert_eq!(fs::read(at("b")).expect("read"), b"b");
    assert_eq!(RealDisk.rename(&at("full"), &at("new")).expect("asked"), Moved::Done);
    assert!(at("new/inner").is_dir() && !at("full").exists());
}

#[test]
fn a_missing_source_is_an_error_that_names_it() {
    let (_dir, at) = setup();
    let error = RealDisk.rename(&at("nothing"), &at("x")).expect_err("missing");
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    assert!(error.to_string().contains("nothing"), "{error}");
}

#[test]
fn exchange_swaps_both_or_says_that_it_cannot() {
    let (_dir, at) = setup();
    fs::create_dir_all(at("a/old")).expect("mkdir");
    fs::create_dir_all(at("b/new")).expect("mkdir");
    if RealDisk.exchange(&at("a"), &at("b")).expect("asked") {
        assert!(at("a/new").is_dir() && at("b/old").is_dir());
    } else {
        assert!(at("a/old").is_dir() && at("b/new").is_dir());
    }
}

#[test]
fn create_refuses_what_exists_and_append_what_does_not() {
    let (_dir, at) = setup();
    let mut file = RealDisk.create(&at("x")).expect("new");
    file.write_all(b"one").expect("written");
    file.sync().expect("synced");
    drop(file);
    assert!(RealDisk.create(&at("x")).is_err());
    assert!(RealDisk.append(&at("y")).is_err());
    RealDisk.append(&at("x")).expect("there").write_all(b" two").expect("written");
    let mut text = String::new();
    RealDisk.open(&at("x")).expect("there").read_to_string(&mut text).expect("read");
    assert_eq!(text, "one two");
}

#[test]
fn entries_come_by_name_with_kind_and_length() {
    let (_dir, at) = setup();
    fs::create_dir(at("b")).expect("mkdir");
    fs::write(at("c"), "123").expect("write");
    fs::write(at("a"), "").expect("write");
    let dir = at("a").parent().expect("parent").to_path_buf();
    let seen: Vec<_> = RealDisk
        .list(&dir)
        .expect("listed")
        .into_iter()
        .map(|entry| (entry.name.expect("Unicode"), entry.kind, entry.len))
        .collect();
    let want = [("a", Kind::File, 0), ("b", Kind::Dir, 0), ("c", Kind::File, 3)];
    assert_eq!(seen, want.map(|(name, kind, len)| (name.to_owned(), kind, len)));
    assert_eq!(RealDisk.kind(&at("a/below")).expect("asked"), None);
    assert_eq!(RealDisk.kind(&at("none")).expect("asked"), None);
}

#[test]
fn directories_are_created_with_their_parents_and_again_without_harm() {
    let (_dir, at) = setup();
    RealDisk.create_dirs(&at("a/b/c")).expect("created");
    RealDisk.create_dirs(&at("a/b/c")).expect("there already");
    fs::write(at("file"), "").expect("write");
    let error = RealDisk.create_dirs(&at("file/below")).expect_err("a file is in the way");
    assert!(error.to_string().contains("file"), "{error}");
}

#[test]
fn a_lock_excludes_a_second_holder_until_it_is_dropped() {
    let (_dir, at) = setup();
    let guard = RealDisk.try_lock(&at("lock")).expect("asked").expect("free");
    assert!(RealDisk.try_lock(&at("lock")).expect("asked").is_none());
    drop(guard);
    let _again = RealDisk.lock(&at("lock")).expect("free again");
}

#[test]
fn asking_whether_a_lock_is_held_keeps_no_one_from_it() {
    let (_dir, at) = setup();
    let path = at("lock");
    assert!(!RealDisk.is_locked(&path).expect("asked"), "there is none");
    assert!(!path.exists(), "and asking makes none");
    drop(RealDisk.try_lock(&path).expect("asked"));
    let over = std::sync::atomic::AtomicBool::new(false);
    let is_over = || over.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !is_over() {
                    RealDisk.is_locked(&path).expect("asked");
                    std::thread::yield_now();
                }
            });
        }
        for _ in 0..20 {
            let guard = crate::take_lock(&RealDisk, &path, crate::ASKED_ABOUT).expect("asked");
            let guard = guard.expect("nobody keeps it");
            assert!(RealDisk.is_locked(&path).expect("asked"), "it is held");
            drop(guard);
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let asks = std::fs::File::open(&path).expect("there");
    asks.try_lock_shared().expect("as is_locked does");
    assert!(!RealDisk.is_locked(&path).expect("asked"), "who only asks is no holder");
}

#[test]
fn a_hard_link_is_a_second_name() {
    let (_dir, at) = setup();
    fs::write(at("x"), "content").expect("write");
    if RealDisk.hard_link(&at("x"), &at("y")).expect("asked") {
        assert_eq!(fs::read(at("y")).expect("read"), b"content");
    }
    assert!(RealDisk.hard_link(&at("none"), &at("z")).is_err());
}

#[test]
fn volumes_are_measured_even_where_nothing_stands_yet() {
    let (_dir, at) = setup();
    fs::create_dir(at("a")).expect("mkdir");
    fs::create_dir(at("b")).expect("mkdir");
    assert!(RealDisk.same_volume(&at("a"), &at("b")).expect("asked"));
    assert!(RealDisk.free_space(&at("not/yet")).expect("asked") > 0);
    RealDisk.hide(&at("a")).expect("hidden");
}

#[test]
fn paths_beyond_260_characters_work() {
    let (_dir, at) = setup();
    let deep = at(&["0123456789".repeat(9), "abcdefghij".repeat(9), "x".repeat(90)].join("/"));
    RealDisk.create_dirs(&deep).expect("created");
    let mut file = RealDisk.create(&deep.join("one")).expect("file");
    file.write_all(b"1").expect("written");
    drop(file);
    assert_eq!(RealDisk.rename(&deep.join("one"), &deep.join("two")).expect("asked"), Moved::Done);
    assert_eq!(RealDisk.kind(&deep.join("two")).expect("asked"), Some(Kind::File));
    RealDisk.remove_tree(&at(&"0123456789".repeat(9))).expect("removed");
}

#[cfg(unix)]
#[test]
fn links_are_seen_as_such_and_never_followed_when_removing() {
    let (_dir, at) = setup();
    fs::create_dir_all(at("tree/inner")).expect("mkdir");
    fs::create_dir(at("outside")).expect("mkdir");
    fs::write(at("outside/keep"), "").expect("write");
    std::os::unix::fs::symlink(at("outside"), at("tree/inner/link")).expect("link");
    assert_eq!(RealDisk.kind(&at("tree/inner/link")).expect("asked"), Some(Kind::Other));
    RealDisk.remove_tree(&at("tree")).expect("removed");
    assert!(at("outside/keep").exists() && !at("tree").exists());
}

#[test]
fn a_file_tells_its_size_its_time_and_its_owner() {
    let (_dir, at) = setup();
    fs::write(at("a"), "abc").expect("write");
    let stamp = RealDisk.stamp(&at("a")).expect("asked");
    assert_eq!((stamp.len, stamp.hidden), (3, false));
    assert_eq!(stamp, RealDisk.stamp(&at("a")).expect("asked"), "it did not change");
    assert!(RealDisk.stamp(&at("none")).is_err());
    let owner = RealDisk.owner(&at("a")).expect("asked").expect("a name");
    assert!(!owner.is_empty());
    assert!(RealDisk.owner(&at("none")).is_err());
}

#[test]
fn a_file_that_another_program_claims_is_not_at_rest() {
    let (_dir, at) = setup();
    fs::write(at("a"), "abc").expect("write");
    assert!(RealDisk.is_at_rest(&at("a")).expect("asked"));
    let held = fs::OpenOptions::new().append(true).open(at("a")).expect("open");
    held.lock().expect("locked");
    assert!(!RealDisk.is_at_rest(&at("a")).expect("asked"));
    drop(held);
    assert!(RealDisk.is_at_rest(&at("a")).expect("asked"));
    assert!(RealDisk.is_at_rest(&at("none")).is_err());
}

/// Things that others can put in place of a file, with the word for each.
#[cfg(target_os = "linux")]
fn no_files(dir: &Path) -> Vec<(PathBuf, &'static str)> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let (pipe, folder, link) = (dir.join("pipe"), dir.join("folder"), dir.join("link"));
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
    std::fs::create_dir(&folder).expect("a folder");
    std::os::unix::fs::symlink("pipe", &link).expect("a link");
    let socket = dir.join("socket");
    drop(std::os::unix::net::UnixListener::bind(&socket).expect("a socket"));
    vec![
        (pipe, "a pipe"),
        (link, "a pipe"),
        (folder, "a folder"),
        (socket, "a socket"),
        ("/dev/zero".into(), "a device"),
    ]
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_file_is_neither_waited_for_nor_read() {
    let dir = tempfile::tempdir().expect("tempdir");
    let all = no_files(dir.path());
    let (sender, receiver) = std::sync::mpsc::channel();
    // A call that waits for the other end of a pipe would never return.
    let asker = std::thread::spawn(move || {
        for (path, what) in all {
            let calls = [
                RealDisk.open(&path).map(drop),
                RealDisk.append(&path).map(drop),
                RealDisk.try_lock(&path).map(drop),
                RealDisk.is_locked(&path).map(drop),
                RealDisk.lock(&path).map(drop),
                super::super::read_limited(&RealDisk, &path, 100).map(drop),
            ];
            for call in calls {
                let error = call.expect_err(what);
                assert_eq!(error.no_file(), Some(what), "{}: {}", path.display(), error.source);
                let fault = casedrop_model::fault::Fault::from(error);
                assert_eq!(fault.code, "no-file");
                assert!(fault.chain().contains(what), "{}", fault.chain());
            }
            if what == "a pipe" {
                RealDisk.sync_dir(&path).expect_err("no folder");
            }
        }
        sender.send(()).expect("awaited");
    });
    let came_back = receiver.recv_timeout(std::time::Duration::from_secs(60)).is_ok();
    assert!(came_back || asker.is_finished(), "a call waits");
    asker.join().expect("as expected");
}

#[test]
fn a_link_to_a_file_is_read_like_the_file_and_a_folder_is_told() {
    let dir = tempfile::tempdir().expect("tempdir");
    let error = RealDisk.open(dir.path()).map(drop).expect_err("a folder");
    assert_eq!(error.no_file(), Some("a folder"));
    assert!(!error.is_busy(), "nobody holds it");
    #[cfg(unix)]
    {
        let (file, link) = (dir.path().join("file"), dir.path().join("link"));
        std::fs::write(&file, "x").expect("written");
        std::os::unix::fs::symlink("file", &link).expect("a link");
        assert_eq!(super::super::read_limited(&RealDisk, &link, 9).expect("read"), b"x");
    }
}

#[cfg(unix)]
#[test]
fn a_huge_file_is_refused_by_its_length() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("manifest.json");
    std::fs::File::create(&path).and_then(|file| file.set_len(1 << 33)).expect("sparse");
    let error = super::super::read_limited(&RealDisk, &path, 1 << 20).expect_err("too long");
    assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
}

#[cfg(windows)]
#[test]
fn pipes_and_devices_are_no_files_on_windows() {
    for (path, what) in [("NUL", "a device"), (r"\\.\NUL", "a device")] {
        let error = RealDisk.open(Path::new(path)).map(drop).expect_err(path);
        assert_eq!(error.no_file(), Some(what), "{path}: {}", error.source);
    }
}
