//! Which seeds are run, and on how many cores.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::run::run;
use crate::tally::Tally;

/// How many seeds a usual run has.
const USUAL: u64 = if cfg!(windows) { 200 } else { 2_000 };
/// After so many failures a run ends.
const ENOUGH: usize = 5;

fn wanted() -> std::ops::Range<u64> {
    let Ok(text) = std::env::var("CASEDROP_SIM_SEEDS") else { return 0..USUAL };
    let number = |text: &str| -> u64 {
        text.trim().parse().unwrap_or_else(|_| panic!("CASEDROP_SIM_SEEDS: {text:?} is no number"))
    };
    match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => 0..number(&text),
    }
}

/// Runs seeds on all cores. Gives what happened, and the failures.
fn run_all(seeds: std::ops::Range<u64>) -> (Tally, Vec<String>) {
    let next = AtomicU64::new(seeds.start);
    let found = Mutex::new((Tally::default(), Vec::new()));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    let result = std::panic::catch_unwind(|| run(seed, false));
                    let mut found = found.lock().expect("nobody panics with it");
                    match result {
                        Ok(Ok(run)) => found.0.merge(&run.tally),
                        Ok(Err(why)) => found.1.push(why),
                        Err(_) => found.1.push(format!("seed {seed} panicked")),
                    }
                    if found.1.len() >= ENOUGH {
                        return;
                    }
                }
            });
        }
    });
    found.into_inner().expect("nobody panicked with it")
}

#[test]
fn whatever_happens_no_order_is_lost_and_nothing_foreign_is_touched() {
    if let Ok(seed) = std::env::var("CASEDROP_SIM_SEED") {
        let seed = seed.parse().expect("CASEDROP_SIM_SEED is a number");
        match run(seed, true) {
            Ok(run) => println!("seed {seed} is fine after {} steps", run.steps),
            Err(why) => panic!("{why}"),
        }
        return;
    }
    let (tally, failures) = run_all(wanted());
    for line in tally.lines() {
        println!("{line}");
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in 0..5 {
        let hash = |seed| run(seed, false).unwrap_or_else(|why| panic!("{why}")).hash;
        assert_eq!(hash(seed), hash(seed));
    }
}
