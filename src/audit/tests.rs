//! An intact chain verifies, and whatever breaks it is named.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::disk::RealDisk;
use crate::model::request::{Via, Who};
use crate::model::time::WallMs;

fn audit(dir: &Path) -> Audit {
    Audit::new(Arc::new(RealDisk), dir)
}

fn entry(order: u32) -> Entry {
    let who = Who { user: Some("lab-pc\\anna".to_owned()), via: Via::CommandLine };
    Entry::new(WallMs(1_700_000_000_000), who, AuditEvent::Refetch, Mark::Done)
        .lab("smile-lab")
        .account("4711")
        .order(order)
        .detail("kind", "ortho")
}

/// An audit log with `count` records.
fn with_records(count: u32) -> (tempfile::TempDir, Audit) {
    let dir = tempfile::tempdir().expect("tempdir");
    let audit = audit(dir.path());
    (1..=count).for_each(|order| audit.record(&entry(order)).expect("recorded"));
    (dir, audit)
}

fn text(dir: &Path) -> String {
    std::fs::read_to_string(dir.join(FILE_NAME)).expect("readable")
}

fn set_text(dir: &Path, text: &str) {
    std::fs::write(dir.join(FILE_NAME), text).expect("written");
}

fn problems(audit: &Audit) -> Vec<(u64, String)> {
    let found = audit.verify().expect("checked");
    found.problems.into_iter().map(|problem| (problem.line, problem.what)).collect()
}

/// The only problem found.
fn problem(audit: &Audit) -> (u64, String) {
    let mut all = problems(audit);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

#[test]
fn records_follow_one_another_and_say_what_was_done() {
    let (dir, audit) = with_records(3);
    let records = audit.read(2).expect("readable");
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [2, 3]);
    let record = &records[1];
    assert_eq!(record.what, "refetch");
    assert_eq!((record.via.as_str(), record.result.as_str()), ("command-line", "done"));
    assert_eq!(record.at, "2023-11-14T22:13:20Z");
    assert_eq!(record.user.as_deref(), Some("lab-pc\\anna"));
    assert_eq!(record.order.as_deref(), Some("3"));
    assert_eq!(record.details["kind"], "ortho");
    assert_eq!(record.prev, records[0].hash);
    let found = audit.verify().expect("checked");
    assert_eq!(found, Verified { records: 3, torn: 0, problems: Vec::new() });
    assert!(text(dir.path()).lines().all(|line| line.starts_with("{\"seq\":")));
}

#[test]
fn the_hash_is_that_of_the_line_without_its_last_field() {
    let (dir, audit) = with_records(1);
    let line = text(dir.path());
    let hash = &audit.read(1).expect("readable")[0].hash;
    let rest = line.trim_end().replace(&format!(",\"hash\":\"{hash}\""), "");
    assert_eq!(Torn::of(rest.as_bytes()).sha256, *hash);
}

#[test]
fn an_empty_state_folder_is_whole() {
    let dir = tempfile::tempdir().expect("tempdir");
    let audit = audit(&dir.path().join("state"));
    assert_eq!(audit.verify().expect("checked"), Verified::default());
    assert_eq!(audit.read(1).expect("read"), []);
}

#[test]
fn a_changed_line_is_named() {
    let (dir, audit) = with_records(3);
    set_text(dir.path(), &text(dir.path()).replace("\"order\":\"2\"", "\"order\":\"9\""));
    let all = problems(&audit);
    assert_eq!(all[0], (2, "it was changed: its hash does not match".to_owned()));
    assert_eq!(all[1], (3, "record 2 before it is missing".to_owned()));
}

#[test]
fn a_removed_a_doubled_and_an_added_line_are_named() {
    let (dir, audit) = with_records(4);
    let whole = text(dir.path());
    let lines: Vec<&str> = whole.lines().collect();
    let put = |lines: &[&str]| set_text(dir.path(), &(lines.join("\n") + "\n"));
    put(&[lines[0], lines[3]]);
    assert_eq!(problem(&audit), (2, "records 2 to 3 before it are missing".to_owned()));
    put(&[lines[0], lines[1], lines[1], lines[2], lines[3]]);
    assert_eq!(problem(&audit), (3, "record 2 comes after record 2".to_owned()));
    put(&[lines[1], lines[2], lines[3]]);
    assert_eq!(problem(&audit), (1, "record 1 before it is missing".to_owned()));
    put(&[lines[0], "{}", lines[1], lines[2], lines[3]]);
    assert_eq!(problem(&audit), (2, "it is not a record".to_owned()));
}

#[test]
fn a_line_that_was_made_anew_with_a_fitting_hash_breaks_the_chain() {
    let (dir, audit) = with_records(3);
    let whole = text(dir.path());
    let lines: Vec<&str> = whole.lines().collect();
    let first = audit.read(1).expect("readable").remove(0);
    let (forged, _) = line::seal(&entry(99), 2, &first.hash, None, false);
    set_text(dir.path(), &format!("{}\n{forged}\n{}\n", lines[0], lines[2]));
    assert_eq!(problem(&audit), (3, "it does not match the record before it".to_owned()));
    // As the last record, it is not the one in `audit.head`.
    let (forged, _) =
        line::seal(&entry(99), 3, &audit.read(2).expect("readable")[0].hash, None, false);
    set_text(dir.path(), &format!("{}\n{}\n{forged}\n", lines[0], lines[1]));
    let all = problems(&audit);
    assert!(
        all.iter().any(|(line, what)| *line == 3 && what.contains("noted in audit.head")),
        "{all:?}"
    );
    audit.record(&entry(4)).expect("recorded");
    assert_eq!(problems(&audit).last().expect("one").0, 4, "the next record does not hide it");
}

#[test]
fn an_end_that_was_cut_off_is_noticed_also_after_further_records() {
    let (dir, audit) = with_records(3);
    let whole = text(dir.path());
    let first = whole.lines().next().expect("a line");
    set_text(dir.path(), &format!("{first}\n"));
    let gone = (2, "the end was cut off: records 2 to 3 are missing".to_owned());
    assert_eq!(problem(&audit), gone);
    audit.record(&entry(4)).expect("recorded");
    assert_eq!(problem(&audit), (2, "records 2 to 3 before it are missing".to_owned()));
    // With the line put back, the chain is intact again.
    let last = text(dir.path()).lines().last().expect("a line").to_owned();
    set_text(dir.path(), &format!("{whole}{last}\n"));
    assert_eq!(problems(&audit), []);
}

#[test]
fn a_file_or_a_head_that_is_gone_is_noticed_for_ever() {
    let (dir, audit) = with_records(3);
    let whole = text(dir.path());
    std::fs::remove_file(dir.path().join(FILE_NAME)).expect("removed");
    assert_eq!(problem(&audit), (1, "audit.jsonl is gone; it had 3 records".to_owned()));
    audit.record(&entry(4)).expect("recorded");
    assert_eq!(problem(&audit), (1, "records 1 to 3 before it are missing".to_owned()));

    set_text(dir.path(), &whole);
    std::fs::remove_file(dir.path().join(HEAD_NAME)).expect("removed");
    let (line, what) = problem(&audit);
    assert!(line == 4 && what.contains("audit.head is gone"), "{what}");
    audit.record(&entry(4)).expect("recorded");
    let (line, what) = problem(&audit);
    assert!(line == 4 && what.contains("audit.head was missing"), "{what}");
    std::fs::write(dir.path().join(HEAD_NAME), "?").expect("written");
    assert!(problems(&audit).iter().any(|(_, what)| what.contains("cannot be read")));
}

#[test]
fn what_a_power_cut_left_stays_and_the_next_record_says_so() {
    for cut in [1, 40] {
        let (dir, audit) = with_records(2);
        let before = text(dir.path());
        let (next, _) = line::seal(&entry(3), 3, "?", None, false);
        let left = &next[..next.len() - cut];
        set_text(dir.path(), &format!("{before}{left}"));
        let found = audit.verify().expect("checked");
        assert_eq!((found.records, found.torn), (2, 1), "{cut}");
        assert!(found.is_whole(), "nobody relied on it: {found:?}");
        audit.record(&entry(4)).expect("recorded");
        let now = text(dir.path());
        assert!(now.starts_with(&format!("{before}{left}\n{{\"seq\":3,")), "{now}");
        let found = audit.verify().expect("checked");
        assert_eq!(found, Verified { records: 3, torn: 1, problems: Vec::new() });
        let torn = audit.read(3).expect("readable")[0].torn.clone().expect("it says so");
        assert_eq!(torn, Torn::of(left.as_bytes()));
        // The torn record is part of the chain.
        set_text(dir.path(), &now.replace(left, &left.replace("smile-lab", "other-lab")));
        assert!(
            problems(&audit).iter().any(|(line, what)| *line == 4 && what.contains("power cut"))
        );
        set_text(dir.path(), &now.replace(&format!("{left}\n"), ""));
        assert!(problem(&audit).1.contains("power cut"));
    }
}

#[test]
fn a_record_that_lacks_only_its_end_of_line_is_whole() {
    let (dir, audit) = with_records(2);
    set_text(dir.path(), text(dir.path()).trim_end());
    assert_eq!(
        audit.verify().expect("checked"),
        Verified { records: 2, torn: 0, problems: vec![] }
    );
    audit.record(&entry(3)).expect("recorded");
    assert_eq!(
        audit.verify().expect("checked"),
        Verified { records: 3, torn: 0, problems: vec![] }
    );
}

#[test]
fn blocks_that_never_reached_the_disk_are_what_a_power_cut_left() {
    let (dir, audit) = with_records(1);
    let mut bytes = std::fs::read(dir.path().join(FILE_NAME)).expect("readable");
    bytes.extend([0; 600]);
    bytes.push(b'\n');
    std::fs::write(dir.path().join(FILE_NAME), bytes).expect("written");
    assert_eq!(problem(&audit).0, 2);
    audit.record(&entry(2)).expect("recorded");
    assert_eq!(
        audit.verify().expect("checked"),
        Verified { records: 2, torn: 1, problems: vec![] }
    );
}

#[test]
fn nothing_is_longer_than_a_record_may_be() {
    let (_dir, audit) = with_records(1);
    let long = "x".repeat(1 << 20);
    audit.record(&entry(2).order(&long).detail("more", long.as_str())).expect("recorded");
    let record = audit.read(2).expect("readable").remove(0);
    assert_eq!(record.order.expect("a name").len(), 256);
    assert!(record.details["left_out"].as_str().is_some_and(|text| text.contains("too many")));
    assert!(audit.verify().expect("checked").is_whole());
}

#[test]
fn several_may_record_at_the_same_time() {
    let dir = tempfile::tempdir().expect("tempdir");
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let audit = audit(dir.path());
            scope.spawn(move || {
                for order in 0..5 {
                    audit.record(&entry(10 * writer + order)).expect("recorded");
                }
            });
        }
    });
    let found = audit(dir.path()).verify().expect("checked");
    assert_eq!(found, Verified { records: 20, torn: 0, problems: Vec::new() });
}

#[test]
fn an_audit_that_cannot_be_written_is_an_error_that_names_it() {
    let (dir, audit) = with_records(1);
    std::fs::remove_file(dir.path().join(FILE_NAME)).expect("removed");
    std::fs::create_dir(dir.path().join(FILE_NAME)).expect("made");
    let fault = audit.record(&entry(2)).expect_err("a directory");
    assert!(fault.chain().contains("audit.jsonl"), "{}", fault.chain());
}
