//! No order waits for another: new good orders are published in nearly the time that they take
//! alone, whatever is stuck in the queue.
//!
//! Few orders here, and limits that a busy machine can meet. `cargo test --locked --test isolation`
//! prints the figures for many.

mod matrix;
pub mod outage;
pub mod poison;
pub mod stand;
mod together;

use std::time::Duration;

use poison::Poison;
use stand::{Latencies, Stand};

/// Number of good orders that are timed.
const GOOD: usize = 5;
const EVERY: Duration = Duration::from_millis(150);
/// The longest that a good order may take on the busiest machine. Poisoned orders wait longer: a
/// minute for a stalled body, half a minute for a server that is left alone.
const FLOOR: Duration = Duration::from_secs(20);
/// Longer waits make no difference.
const PATIENCE: Duration = Duration::from_secs(45);
/// How long it may take until every poisoned order was requested.
const TRIED: Duration = Duration::from_secs(8);

fn good(stand: &mut Stand) -> Latencies {
    stand.good(GOOD, EVERY, PATIENCE)
}

/// With more and more such orders in the queue, the good ones are as fast as ever.
fn harms_nobody(poisons: &[Poison], counts: [usize; 2]) {
    let mut stand = Stand::new("");
    let alone = good(&mut stand);
    let bound = alone.worst().expect("nothing is in their way").saturating_mul(10).max(FLOOR);
    let mut poisoned = Vec::new();
    for count in counts {
        poisoned.extend(stand.poison(poisons, count));
        let among_new = good(&mut stand);
        let tried = stand.wait_until_tried(&poisoned, TRIED);
        let among_old = good(&mut stand);
        let what = format!(
            "{} poisoned orders, {tried} of them asked for; alone {alone:?}, beside them as new ones \
             {among_new:?}, as old ones {among_old:?}",
            poisoned.len()
        );
        for latencies in [&among_new, &among_old] {
            assert!(latencies.worst().is_some_and(|worst| worst <= bound), "{what}");
        }
    }
    let world = &stand.listening.world;
    assert!(poisoned.iter().all(|id| !world.dir_of(id).exists()), "they were poisoned");
    let status = world.casedrop(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
    assert_eq!(status["labs"][0]["state"], "polling", "{status:#}");
}

/// Three poisoned orders, then twenty.
fn of_kind(name: &str) {
    harms_nobody(&[poison::named(name)], [3, 17]);
}

#[test]
fn orders_that_are_answered_with_500_harm_nobody() {
    of_kind("500");
}

#[test]
fn orders_that_are_refused_harm_nobody() {
    of_kind("401 and 403");
}

#[test]
fn orders_that_are_not_converted_harm_nobody() {
    of_kind("404");
}

#[test]
fn orders_that_are_answered_with_429_harm_nobody() {
    of_kind("429");
}

#[test]
fn orders_that_stall_harm_nobody() {
    of_kind("stall");
}

#[test]
fn orders_that_trickle_harm_nobody() {
    of_kind("trickle");
}

#[test]
fn orders_that_are_answered_with_a_page_harm_nobody() {
    of_kind("HTML 200");
}

#[test]
fn orders_that_are_broken_harm_nobody() {
    of_kind("broken zip");
}

#[test]
fn orders_without_end_harm_nobody() {
    of_kind("huge");
}

#[test]
fn all_of_them_together_harm_nobody() {
    harms_nobody(&poison::ALL, [1, 3]);
}

#[test]
fn of_many_latencies_the_ninety_ninth_percentile_is_nearly_the_worst() {
    let latencies = Latencies::of((1..=200).map(|ms| Some(Duration::from_millis(ms))));
    assert_eq!(latencies.percentile(50), Some(Duration::from_millis(100)));
    assert_eq!(latencies.percentile(99), Some(Duration::from_millis(198)));
    assert_eq!(latencies.worst(), Some(Duration::from_millis(200)));
    let one_lost = latencies.and(Latencies::of([None]));
    assert_eq!((one_lost.lost(), one_lost.worst()), (1, None));
    assert_eq!(one_lost.percentile(99), Some(Duration::from_millis(199)));
}
