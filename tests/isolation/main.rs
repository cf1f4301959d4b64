//! How much orders that never arrive delay those that do: the real program over real sockets, and a
//! table of figures. Each row is a separate run: good orders alone, then alongside a number of
//! poisoned ones as they arrive, then alongside the same ones after each was tried.
//!
//! ```sh
//! cargo test --locked --test isolation                             # all kinds, 1 to 200 orders
//! cargo test --locked --test isolation -- stall trickle k=20 n=50  # two kinds, 20 orders, 50 samples
//! cargo test --locked --test isolation -- outages k=100            # 100 orders in each outage
//! cargo test --locked --test isolation -- outages trickle stall    # outages by name
//! ```

#![expect(unreachable_pub, reason = "a test program has no public items")]
#![expect(dead_code, reason = "some of what is shared with the other tests is not used here")]
#![expect(clippy::print_stdout, reason = "it prints its results")]

#[path = "../e2e/gateway.rs"]
mod gateway;
#[path = "../e2e/listening.rs"]
mod listening;
#[path = "../e2e/isolation/outage.rs"]
mod outage;
#[path = "../e2e/isolation/poison.rs"]
mod poison;
#[path = "../e2e/isolation/stand.rs"]
mod stand;
#[path = "../e2e/tree.rs"]
mod tree;
#[path = "../e2e/world.rs"]
mod world;

use std::time::Duration;

use poison::Poison;
use stand::{Latencies, Stand};

/// Interval between the good orders: an agent asks Align about one notification a second.
const EVERY: Duration = Duration::from_millis(1050);
/// An order that takes longer counts as lost.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long it may take until every poisoned order was requested.
const TRIED: Duration = Duration::from_secs(90);

const OUTAGE: Duration = Duration::from_secs(20);

struct Wanted {
    outages: bool,
    shapes: Vec<outage::Shape>,
    kinds: Vec<Poison>,
    counts: Vec<usize>,
    samples: usize,
}

fn main() {
    let wanted = wanted();
    if wanted.outages {
        sit_outages_out(&wanted.shapes, &wanted.counts);
        return;
    }
    println!(
        "{} good orders, one in {} ms; from the answered notification to the visible manifest, in ms",
        wanted.samples,
        EVERY.as_millis()
    );
    println!(
        "{:<12} {:>4} {:>9} | {:^13} | {:^21} | {:^21}",
        "", "", "", "alone", "beside new ones", "beside old ones"
    );
    println!(
        "{:<12} {:>4} {:>9} | {:>6} {:>6} | {:>6} {:>6} {:>7} | {:>6} {:>6} {:>7}",
        "poison", "K", "tried", "p50", "p99", "p50", "p99", "p99 x", "p50", "p99", "p99 x"
    );
    for kind in &wanted.kinds {
        for count in &wanted.counts {
            measure(*kind, *count, wanted.samples);
        }
    }
}

fn wanted() -> Wanted {
    let mut wanted = Wanted {
        outages: false,
        shapes: Vec::new(),
        kinds: Vec::new(),
        counts: Vec::new(),
        samples: 40,
    };
    for word in std::env::args().skip(1).filter(|word| !word.starts_with('-')) {
        match word.split_once('=') {
            Some(("k", number)) => wanted.counts.push(number.parse().expect("a number")),
            Some(("n", number)) => wanted.samples = number.parse().expect("a number"),
            _ if word == "outages" => wanted.outages = true,
            _ => {
                wanted.kinds.extend(poison::ALL.iter().filter(|kind| kind.name.contains(&word)));
                wanted.shapes.extend(outage::ALL.iter().filter(|shape| shape.name.contains(&word)));
            }
        }
    }
    if wanted.kinds.is_empty() {
        wanted.kinds = poison::ALL.to_vec();
    }
    if wanted.shapes.is_empty() {
        wanted.shapes = outage::ALL.to_vec();
    }
    if wanted.counts.is_empty() {
        wanted.counts = if wanted.outages { vec![100] } else { vec![1, 3, 20, 200] };
    }
    wanted
}

fn measure(kind: Poison, count: usize, samples: usize) {
    let mut stand = Stand::new("");
    let alone = stand.good(samples, EVERY, PATIENCE);
    let poisoned = stand.poison(&[kind], count);
    let beside_new = stand.good(samples, EVERY, PATIENCE);
    let tried = stand.wait_until_tried(&poisoned, TRIED);
    let beside_old = stand.good(samples, EVERY, PATIENCE);
    let kind = kind.name;
    let tried = format!("{tried}/{count}");
    println!(
        "{kind:<12} {count:>4} {tried:>9} | {:>6} {:>6} | {} | {}",
        ms(&alone, 50),
        ms(&alone, 99),
        compared(&alone, &beside_new),
        compared(&alone, &beside_old),
    );
}

fn sit_outages_out(shapes: &[outage::Shape], counts: &[usize]) {
    println!("outages of {} s; times in s after the end", OUTAGE.as_secs());
    println!(
        "{:<32} {:>6} {:>16} {:>10} {:>14} {:>8}",
        "outage", "orders", "published in it", "last after", "need a person", "notices"
    );
    for shape in shapes {
        for orders in counts {
            let outcome = outage::sit_out(*shape, *orders, OUTAGE, PATIENCE);
            let took = outcome.took.map_or("never".to_owned(), |took| took.as_secs().to_string());
            println!(
                "{:<32} {orders:>6} {:>16} {took:>10} {:>14} {:>8}",
                shape.name,
                outcome.before,
                outcome.blamed.len(),
                outcome.notices
            );
        }
    }
}

fn ms(latencies: &Latencies, percent: usize) -> String {
    latencies.percentile(percent).map_or("never".to_owned(), |time| time.as_millis().to_string())
}

fn compared(alone: &Latencies, beside: &Latencies) -> String {
    let times = |percent| Some((beside.percentile(percent)?, alone.percentile(percent)?));
    let times = times(99).map_or("-".to_owned(), |(beside, alone)| {
        format!("{:.2}", beside.as_secs_f64() / alone.as_secs_f64())
    });
    format!("{:>6} {:>6} {times:>7}", ms(beside, 50), ms(beside, 99))
}
