use super::*;
use crate::disk::RealDisk;

const HOUR: i64 = 3_600_000;
/// Noon of 2026-11-26.
const NOON: i64 = 1_795_694_400_000;

fn at(hours: i64) -> WallMs {
    WallMs(NOON + hours * HOUR)
}

fn days(count: u64) -> Duration {
    Duration::from_hours(count * 24)
}

fn files(dir: &Path, limits: Limits) -> Files {
    Files::with_limits(Arc::new(RealDisk), dir.join("logs"), limits)
}

const PLENTY: Limits = Limits { keep: Duration::from_hours(14 * 24), file: 1000, total: 100_000 };

/// The names of the files and their content.
fn held(dir: &Path) -> Vec<(String, String)> {
    let found = found(&RealDisk, &dir.join("logs")).expect("a folder");
    let read = |file: &Found| {
        let name = file.path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(&file.path).expect("readable"))
    };
    found.iter().map(read).collect()
}

fn names(dir: &Path) -> Vec<String> {
    held(dir).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn each_day_has_its_file_and_a_restart_goes_on_with_it() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut log = files(dir.path(), PLENTY);
    log.write(b"one\n", at(0)).expect("written");
    log.write(b"two\n", at(11)).expect("written");
    log.write(b"three\n", at(12)).expect("written");
    let mut again = files(dir.path(), PLENTY);
    again.write(b"four\n", at(13)).expect("written");
    let wanted = [
        ("casedrop-2026-11-26.log".to_owned(), "one\ntwo\n".to_owned()),
        ("casedrop-2026-11-27.log".to_owned(), "three\nfour\n".to_owned()),
    ];
    assert_eq!(held(dir.path()), wanted);
}

#[test]
fn two_processes_write_to_one_file_and_overwrite_nothing() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut one, mut other) = (files(dir.path(), PLENTY), files(dir.path(), PLENTY));
    for _ in 0..3 {
        one.write(b"keeper\n", at(0)).expect("written");
        other.write(b"agent\n", at(0)).expect("written");
    }
    assert_eq!(held(dir.path())[0].1, "keeper\nagent\n".repeat(3));
}

#[test]
fn a_file_that_is_full_is_followed_by_another_and_never_renamed() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut log = files(dir.path(), Limits { file: 10, ..PLENTY });
    for line in ["12345\n", "abc\n", "67890\n", "a line that is longer than a file\n", "x\n"] {
        log.write(line.as_bytes(), at(0)).expect("written");
    }
    let wanted = ["12345\nabc\n", "67890\n", "a line that is longer than a file\n", "x\n"];
    let held = held(dir.path());
    assert_eq!(held.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>(), wanted);
    assert_eq!(held[3].0, "casedrop-2026-11-26.3.log");
    let mut again = files(dir.path(), Limits { file: 10, ..PLENTY });
    again.write(b"y\n", at(1)).expect("written");
    assert_eq!(self::held(dir.path())[3].1, "x\ny\n");
}

#[test]
fn old_files_are_removed_and_foreign_ones_are_not() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut log = files(dir.path(), Limits { keep: days(2), ..PLENTY });
    log.write(b"one\n", at(0)).expect("written");
    let foreign =
        ["casedrop-2026-1-1.log", "casedrop-2020-01-01.log.gz", "notes.txt", "casedrop-x.log"];
    for name in foreign {
        std::fs::write(dir.path().join("logs").join(name), "x").expect("written");
    }
    log.write(b"two\n", at(24)).expect("written");
    // At hour 60, the first day has been over for 48 hours.
    log.write(b"three\n", at(59)).expect("written");
    assert_eq!(names(dir.path())[0], "casedrop-2026-11-26.log");
    log.tidy(at(60));
    assert_eq!(names(dir.path())[0], "casedrop-2026-11-26.log", "to the hour");
    log.tidy(at(61));
    assert_eq!(names(dir.path()), ["casedrop-2026-11-27.log", "casedrop-2026-11-28.log"]);
    log.tidy(at(9999));
    assert_eq!(names(dir.path()), ["casedrop-2026-11-28.log"], "the one in use stays");
    for name in foreign {
        assert!(dir.path().join("logs").join(name).exists(), "{name}");
    }
}

#[test]
fn all_files_together_stay_below_the_cap() {
    let dir = tempfile::tempdir().expect("tempdir");
    let limits = Limits { file: 10, total: 40, ..PLENTY };
    let mut log = files(dir.path(), limits);
    for number in 0..12 {
        log.write(format!("line {number:03}\n").as_bytes(), at(0)).expect("written");
        let total: usize = held(dir.path()).iter().map(|(_, text)| text.len()).sum();
        assert!(total <= 40, "{total} after line {number}");
    }
    assert!(names(dir.path()).len() >= 3, "{:?}", names(dir.path()));
    assert_eq!(held(dir.path()).last().expect("one").1, "line 011\n", "the oldest go first");
    // By number, not alphabetically: the tenth part is newer than the second.
    assert!(names(dir.path()).contains(&"casedrop-2026-11-26.10.log".to_owned()));
}

// Windows does not allow removing a folder with a file in use.
#[cfg(unix)]
#[test]
fn a_folder_that_vanishes_is_made_anew() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut log = files(dir.path(), PLENTY);
    log.write(b"one\n", at(0)).expect("written");
    std::fs::remove_dir_all(dir.path().join("logs")).expect("removed");
    log.write(b"two\n", at(1)).expect("written");
    assert_eq!(held(dir.path())[0].1, "two\n");
}

#[test]
fn a_clock_that_steps_back_stops_nothing() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut log = files(dir.path(), PLENTY);
    log.write(b"one\n", at(100)).expect("written");
    log.write(b"two\n", at(0)).expect("written");
    log.write(b"three\n", WallMs(i64::MIN)).expect("written");
    assert_eq!(names(dir.path()).len(), 3);
}

#[cfg(unix)]
#[test]
fn a_new_folder_is_closed_to_others_and_one_that_is_there_stays_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("logs");
    let mode = || std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
    files(dir.path(), PLENTY).write(b"one\n", at(0)).expect("written");
    assert_eq!(mode(), 0o700);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o750)).expect("set");
    files(dir.path(), PLENTY).write(b"two\n", at(0)).expect("written");
    assert_eq!(mode(), 0o750);
}
