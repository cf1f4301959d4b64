//! An outage is not the orders' fault: whatever its shape, afterwards no order needs attention, and
//! all are published soon. Few orders here, over real sockets; `tests/simulation/outages.rs` has a
//! hundred of them in simulated time.

use std::time::{Duration, Instant};

use casedrop::simulator::{CaseKind, OrderSpec};

use crate::gateway::{Answer, Does, Door, Gateway};
use crate::world::{LAB, World, one_lab, order_with_id, wait_for};

/// Text that is logged for an outage, and for nothing else.
const OF_OUTAGE: &str = "nothing can be downloaded from";

/// One way in which everything fails alike.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub name: &'static str,
    pub begin: fn(&Gateway),
}

pub const ALL: [Shape; 13] = [
    Shape { name: "nobody listens", begin: |gateway| gateway.door(Door::Shut) },
    Shape { name: "nothing is heard", begin: |gateway| gateway.door(Door::Deaf) },
    Shape { name: "connections are reset", begin: |gateway| gateway.door(Door::Slammed) },
    Shape { name: "what answers is no web server", begin: |gateway| gateway.door(Door::Babble) },
    Shape { name: "502 for all", begin: |gateway| gateway.everything(Answer::page(502)) },
    Shape { name: "503 for all", begin: |gateway| gateway.everything(Answer::error(503)) },
    Shape {
        name: "503 with Retry-After",
        begin: |gateway| gateway.everything(Answer::error_for(503, 3)),
    },
    Shape { name: "504 for all", begin: |gateway| gateway.everything(Answer::page(504)) },
    Shape { name: "429 for all", begin: |gateway| gateway.everything(Answer::error_for(429, 3)) },
    Shape {
        name: "a gateway's 404 for downloads",
        begin: |gateway| gateway.downloads(Answer::page(404)),
    },
    Shape {
        name: "a page in Align's place",
        begin: |gateway| gateway.everything(Answer::page(200)),
    },
    Shape { name: "downloads stall", begin: |gateway| gateway.downloads(Does::Stall) },
    Shape { name: "downloads trickle", begin: |gateway| gateway.downloads(Does::Trickle) },
];

#[derive(Debug)]
pub struct Outcome {
    /// Number of orders published before it ended.
    pub before: usize,
    /// Time from its end until the last order was published.
    pub took: Option<Duration>,
    /// Orders that needed attention during it, with the message.
    pub blamed: Vec<String>,
    /// How often the agent reported an outage.
    pub notices: usize,
    /// Other warnings.
    pub told: Vec<String>,
}

/// Runs this many orders through an outage.
pub fn sit_out(shape: Shape, orders: usize, lasts: Duration, patience: Duration) -> Outcome {
    let more = "polling: { interval: 1s }\ndownloads: { stall_timeout: 5s }\n";
    let world = World::unpaired(one_lab(), more);
    let gateway = Gateway::before(world.simulator_address());
    let world = world.behind(gateway.url());
    world.log_in_and_pair(LAB);
    let ids: Vec<String> = (0..orders)
        .map(|number| {
            let spec = order_with_id(CaseKind::OrthoShell, &format!("{}", 4_000_000 + number));
            world.align().create_order(&OrderSpec { quiet: true, ..spec }).expect("created")
        })
        .collect();
    let there = || ids.iter().filter(|id| world.dir_of(id).join("manifest.json").exists()).count();
    // Once the first of them is requested, the list is known.
    gateway.downloads(Does::Silence);
    let agent = world.run();
    wait_for("the first download", || {
        ids.iter().any(|id| gateway.asked(id, "IDE") > 0).then_some(())
    });
    gateway.pass();
    (shape.begin)(&gateway);
    let end = Instant::now() + lasts;
    let mut blamed = Vec::new();
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(500));
        let status = world.casedrop(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
        let failing = status["failing"].as_array().expect("a list").iter();
        let needy = failing.filter(|order| order["state"] == "attention");
        blamed.extend(needy.map(|order| format!("{}: {}", order["order"], order["message"])));
    }
    let before = there();
    gateway.pass();
    let ended = Instant::now();
    while there() < ids.len() && ended.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    let took = (there() == ids.len()).then(|| ended.elapsed());
    let log = agent.kill();
    let warnings = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
    let (notices, told): (Vec<_>, Vec<_>) = warnings.partition(|line| line.contains(OF_OUTAGE));
    blamed.sort();
    blamed.dedup();
    let told = told.into_iter().map(str::to_owned).collect();
    Outcome { before, took, blamed, notices: notices.len(), told }
}

fn named(name: &str) -> Shape {
    *ALL.iter().find(|shape| shape.name == name).expect("a shape")
}

/// A few orders in a short outage. `is_news` says whether it is reported: files that merely seem to
/// be still in conversion are not news for hours.
fn nobody_is_blamed(name: &str, is_news: bool) {
    let outcome = sit_out(named(name), 12, Duration::from_secs(6), Duration::from_mins(2));
    assert!(outcome.blamed.is_empty(), "{outcome:#?}");
    assert!(outcome.took.is_some(), "{outcome:#?}");
    assert!(outcome.before < 12, "there was no outage: {outcome:#?}");
    let told = &outcome.told;
    assert_eq!(outcome.notices, usize::from(is_news), "beside this: {told:#?}");
}

#[test]
fn a_gateway_that_knows_no_download_puts_no_order_before_a_person() {
    nobody_is_blamed("a gateway's 404 for downloads", false);
}

#[test]
fn a_page_in_aligns_place_puts_no_order_before_a_person() {
    nobody_is_blamed("a page in Align's place", true);
}

#[test]
fn a_server_that_is_gone_puts_no_order_before_a_person() {
    nobody_is_blamed("nobody listens", true);
}
