//! Archives as twelve kinds of programs write them, with what goes wrong on the way, and archives
//! that are ambiguous on purpose. The way each was made determines the expected result.
//!
//! `.ci/archives.sh test` feeds the same archives to other programs.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::decimal_bitwise_operands,
    reason = "archives are small, and their numbers are those of the format"
)]
#![expect(
    clippy::too_many_lines,
    clippy::assigning_clones,
    reason = "long lists of kinds, each in a line or two"
)]
#![expect(clippy::print_stdout, reason = "the counts are what a run is for")]

mod habits;
mod smuggling;
mod trial;
mod writer;

use std::collections::BTreeMap;

use habits::{Quirk, Writer, case};
use trial::{Outcome, Record, try_unpack};

/// Changes one or two bytes in the package's headers.
fn damaged(bytes: &[u8], seed: u64) -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut bad = bytes.to_vec();
    let starts: Vec<usize> = bad
        .windows(4)
        .enumerate()
        .filter(|(_, at)| matches!(at, [b'P', b'K', 1 | 3 | 5 | 6, _]))
        .map(|(at, _)| at)
        .collect();
    for _ in 0..rng.usize(1..3) {
        let at = starts[rng.usize(..starts.len())] + rng.usize(4..46);
        if let Some(byte) = bad.get_mut(at) {
            *byte = if rng.bool() { rng.u8(..) } else { *byte ^ (1 << rng.u8(..8)) };
        }
    }
    bad
}

/// Number of packages; `CASEDROP_ARCHIVES=10000` tries more.
const CASES: u64 = 1500;

#[test]
fn every_honest_package_is_read_and_nothing_is_left_out_unnamed() {
    let count = std::env::var("CASEDROP_ARCHIVES").ok().and_then(|count| count.parse().ok());
    let count = count.unwrap_or(CASES);
    let mut record = Record::from_env("honest");
    let mut by_writer: BTreeMap<Writer, u64> = BTreeMap::new();
    let mut by_quirk: BTreeMap<Quirk, u64> = BTreeMap::new();
    for seed in 0..count {
        let case = case(seed);
        *by_writer.entry(case.writer).or_default() += 1;
        case.quirks.iter().for_each(|quirk| *by_quirk.entry(*quirk).or_default() += 1);
        let result = try_unpack(&case.bytes);
        record.add(&format!("{:?} {:?}", case.writer, case.quirks), &case.bytes, &result);
        if seed % 4 == 0 {
            let bad = damaged(&case.bytes, seed);
            record.add("damaged", &bad, &try_unpack(&bad));
        }
        let Outcome { published, left_out, findings } = match result {
            Ok(outcome) => outcome,
            Err(fault) => {
                panic!("seed {seed}: {:?} {:?}: {fault:?}", case.writer, case.quirks)
            }
        };
        let mut expected = case.published.clone();
        expected.sort();
        assert_eq!(
            (published == expected, left_out.len()),
            (true, case.left_out),
            "seed {seed}: {:?} {:?}: {left_out:?} {findings:?}",
            case.writer,
            case.quirks
        );
        let unreadable = [Quirk::Encrypted, Quirk::UnknownMethod];
        let unreadable = case.quirks.iter().filter(|quirk| unreadable.contains(quirk)).count();
        let told = findings.iter().filter(|code| *code == "member-unreadable").count();
        assert_eq!(told, unreadable, "seed {seed}: {findings:?}");
    }
    assert_eq!(by_writer.len(), Writer::ALL.len());
    assert_eq!(by_quirk.len(), Quirk::ALL.len());
    println!("{count} packages: {by_writer:?} {by_quirk:?}");
}

#[test]
fn whatever_tries_to_mean_two_things_is_refused_whole() {
    let all = smuggling::all();
    let mut record = Record::from_env("smuggling");
    for (name, bytes) in &all {
        let result = try_unpack(bytes);
        record.add(name, bytes, &result);
        match result {
            Ok(outcome) => panic!("{name} is read: {outcome:?}"),
            Err(fault) => assert!(
                fault.code.starts_with("zip-") || fault.code == "not-a-zip",
                "{name}: {fault:?}"
            ),
        }
    }
    println!("{} archives are refused", all.len());
}

#[test]
fn no_byte_that_is_changed_changes_content_unnoticed() {
    let small = (0..).map(case).filter(|case| case.bytes.len() < 1800 && !case.quirks.is_empty());
    for case in small.take(2) {
        let mut expected = case.published.clone();
        expected.sort();
        for at in 0..case.bytes.len() {
            let mut bad = case.bytes.clone();
            bad[at] ^= 0x20;
            // Whatever is read is what was packed; a name may change, and with it what is left out.
            if let Ok(outcome) = try_unpack(&bad) {
                let is_known = |content| expected.contains(content) || content == b"litter";
                let is_known = outcome.published.iter().all(is_known);
                let count = outcome.published.len() + outcome.left_out.len();
                assert!(is_known, "{:?}, byte {at}: {outcome:?}", case.quirks);
                assert!(count >= expected.len(), "{:?}, byte {at}: {outcome:?}", case.quirks);
            }
        }
    }
}
