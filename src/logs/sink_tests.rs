use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::super::files::found;
use super::*;
use crate::disk::RealDisk;
use casedrop_testing::{Lie, NoExchange};

const NOON: i64 = 1_795_694_400_000;
const KEEP: Duration = Duration::from_hours(24);

fn at(seconds: i64) -> WallMs {
    WallMs(NOON + seconds * 1000)
}

#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8(bytes.clone()).expect("Unicode")
    }
}

impl Write for Said {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn writing(dir: &Path) -> (Writing, Said) {
    let said = Said::default();
    let files = Files::new(Arc::new(RealDisk), dir.to_path_buf(), KEEP);
    (Writing::new(files, Box::new(said.clone())), said)
}

fn held(dir: &Path) -> String {
    let read = |path| std::fs::read_to_string(path).expect("readable");
    found(&RealDisk, dir).expect("a folder").into_iter().map(|file| read(file.path)).collect()
}

#[test]
fn a_folder_that_cannot_be_made_is_told_once_and_tried_again() {
    let dir = tempfile::tempdir().expect("tempdir");
    let in_the_way = dir.path().join("file");
    std::fs::write(&in_the_way, "x").expect("written");
    let logs = in_the_way.join("logs");
    let (mut log, said) = writing(&logs);
    log.line(Level::INFO, b"one\n", 0, at(0));
    log.line(Level::ERROR, b"two\n", 0, at(1));
    log.line(Level::DEBUG, b"three\n", 0, at(31));
    let text = said.text();
    assert_eq!(text.matches("cannot be written to").count(), 1, "{text}");
    assert!(text.contains(&logs.display().to_string()), "{text}");
    assert!(text.contains("one\n") && text.contains("three\n"), "{text}");
    assert!(!text.contains("two"), "errors are on standard error by another way: {text}");

    std::fs::remove_file(&in_the_way).expect("removed");
    log.line(Level::INFO, b"too early\n", 0, at(40));
    log.line(Level::INFO, b"four\n", 0, at(62));
    log.line(Level::INFO, b"five\n", 0, at(63));
    let text = held(&logs);
    assert!(text.starts_with("four\n") && text.ends_with("five\n"), "{text}");
    assert!(text.contains("4 lines went to standard error"), "{text}");
    assert_eq!(said.text().matches(" again;").count(), 1, "{}", said.text());
}

#[test]
fn a_full_disk_loses_no_line() {
    let dir = tempfile::tempdir().expect("tempdir");
    let full = NoExchange(Lie::Full("casedrop-2026-11-26.log"));
    let said = Said::default();
    let files = Files::new(Arc::new(full), dir.path().to_path_buf(), KEEP);
    let mut log = Writing::new(files, Box::new(said.clone()));
    log.line(Level::INFO, b"one\n", 0, at(0));
    let text = said.text();
    assert!(text.contains("free some space") && text.ends_with("one\n"), "{text}");
    // The next day's file can be written.
    log.line(Level::INFO, b"two\n", 0, at(43_200));
    assert!(held(dir.path()).starts_with("two\n"));
}

#[test]
fn a_clock_that_steps_back_does_not_keep_the_log_away() {
    let dir = tempfile::tempdir().expect("tempdir");
    let in_the_way = dir.path().join("logs");
    std::fs::write(&in_the_way, "x").expect("written");
    let (mut log, _) = writing(&in_the_way);
    log.line(Level::INFO, b"one\n", 0, at(0));
    std::fs::remove_file(&in_the_way).expect("removed");
    log.line(Level::INFO, b"two\n", 0, at(-9999));
    assert!(held(&in_the_way).starts_with("two\n"));
}

#[test]
fn lines_that_were_lost_are_counted_where_they_are_missing() {
    let dir = tempfile::tempdir().expect("tempdir");
    let (mut log, _) = writing(dir.path());
    log.line(Level::INFO, b"one\n", 0, at(0));
    log.line(Level::INFO, b"two\n", 17, at(0));
    let text = held(dir.path());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() == 3 && lines[1].contains("17 lines are missing here"), "{text}");
}

#[test]
fn whoever_logs_never_waits_for_the_disk() {
    // Nothing drains the queue.
    let (queue, lines) = mpsc::sync_channel(2);
    let sink = Sink { queue, load: Arc::default() };
    let mut pen = sink.make_writer();
    for _ in 0..5 {
        pen.write_all(b"line\n").expect("taken");
    }
    assert_eq!(sink.load.lost.load(Ordering::Relaxed), 3);
    sink.flush();
    assert_eq!(lines.try_iter().count(), 2);
    let long = vec![b'x'; LINE_MAX * 2];
    for _ in 0..LINES {
        pen.write_all(&long).expect("taken");
        lines.try_iter().for_each(drop);
    }
    // Nothing subtracts what was taken out here, so the bytes are bounded too.
    assert!(sink.load.bytes.load(Ordering::Relaxed) <= BYTES);
}

#[test]
fn what_was_handed_in_stands_in_the_file_after_a_flush() {
    let dir = tempfile::tempdir().expect("tempdir");
    let files = Files::new(Arc::new(RealDisk), dir.path().join("logs"), KEEP);
    let sink = Sink::start(files, || at(0)).expect("a thread");
    sink.make_writer().write_all(b"one\n").expect("taken");
    sink.make_writer().write_all(b"two\nthree\n").expect("taken");
    sink.flush();
    assert_eq!(held(&dir.path().join("logs")), "one\ntwo\\nthree\n");
}
