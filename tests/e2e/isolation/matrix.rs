//! Every file of an order, and every way in which it fails to arrive: no one else waits, no lab's
//! status suffers, and a missing extra does not delay the scan.

use std::collections::BTreeSet;
use std::time::Duration;

use casedrop::model::fault::FaultClass;
use casedrop::simulator::{CaseKind, OrderSpec};

use super::stand::{PACKAGE, still_there};
use crate::gateway::{Answer, Does, Gateway};
use crate::tree;
use crate::world::{World, client, order_with_id, wait_up_to};

/// Number of healthy orders.
const OTHERS: usize = 20;

/// The agent may leave a server that answers 429 without a `Retry-After` alone for two minutes at a
/// time.
const GATES: Duration = Duration::from_mins(5);

/// Extras get little time, to keep the test short.
const CONFIG: &str = "downloads: { concurrency: 16, stall_timeout: 3s, extras_wait: 2s }\n\
                      status_page: { listen: '127.0.0.1:0' }\n";

/// Every way in which a file fails to arrive.
fn ways() -> Vec<(String, Does)> {
    let statuses = (400..=599).map(|status| (status.to_string(), Answer::error(status)));
    let json = r#"{"message":"there is nothing here"}"#;
    let others = [
        ("reset", Does::Reset),
        ("stall", Does::Stall),
        ("cut short", Does::CutShort),
        ("a page as 200", Answer::page(200)),
        ("a page as 404", Answer::page(404)),
        ("JSON as 200", Answer::plain(200, "application/json", json)),
        ("text as 200", Answer::plain(200, "text/plain", "not today")),
        ("nothing as 200", Answer::plain(200, "application/zip", "")),
    ];
    let others = others.into_iter().map(|(name, does)| (name.to_owned(), does));
    statuses.chain(others).collect()
}

/// A world with one order for each way, and healthy ones among them.
struct Matrix {
    world: World,
    gateway: Gateway,
    /// Each way with its order.
    victims: Vec<(String, String)>,
    others: Vec<String>,
}

impl Matrix {
    fn of(asset: &str, kind: CaseKind, screen_captures: bool) -> Self {
        let world = World::unpaired(crate::world::one_lab(), CONFIG);
        let gateway = Gateway::before(world.simulator_address());
        let world = world.behind(gateway.url());
        world.log_in_and_pair(crate::world::LAB);
        let ways = ways();
        let each = ways.len() / OTHERS;
        let (mut victims, mut others) = (Vec::new(), Vec::new());
        let create = |id: &str| {
            let spec = OrderSpec { screen_captures, ..order_with_id(kind, id) };
            world.align().create_order(&spec).expect("created")
        };
        for (number, (way, does)) in ways.into_iter().enumerate() {
            let id = create(&format!("{}", 5_000_000 + number));
            gateway.file(&id, asset, does);
            victims.push((way, id));
            if number % each == 0 {
                others.push(create(&format!("{}", 7_000_000 + number)));
            }
        }
        Self { world, gateway, victims, others }
    }

    /// Returns what is wrong with the lab: no single file may change its status.
    fn lab(&self) -> Vec<String> {
        let status = self.world.casedrop(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
        let mut wrong = Vec::new();
        if status["labs"][0]["state"] != "polling" {
            wrong.push(format!("the lab: {:#}", status["labs"][0]));
        }
        let page = status["page"].as_str().expect("a page").trim_end_matches('/');
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let (code, health) = runtime.expect("runtime").block_on(async {
            let answer = client().get(format!("{page}/health")).send().await.expect("answered");
            (answer.status().as_u16(), answer.text().await.expect("a body"))
        });
        if code != 200 {
            wrong.push(format!("/health: {code} {health}"));
        }
        wrong
    }
}

/// Lists staging files of all orders but these. (The claim of a wanted order, which survives a lost
/// journal, is not a leftover.)
fn left_behind(world: &World, but: &BTreeSet<&str>) -> Vec<String> {
    let files = tree::files(&world.staging()).into_iter();
    let names = files.filter_map(|file| {
        let below = file.strip_prefix(world.staging()).expect("below it").display().to_string();
        let is_of = |id: &&&str| below.contains(**id);
        let of_order = below.contains('~') && !below.starts_with("claims");
        (of_order && !but.iter().any(|id| is_of(&id))).then_some(below)
    });
    names.collect()
}

#[test]
fn a_package_that_does_not_come_harms_no_other_order() {
    let matrix = Matrix::of(PACKAGE, CaseKind::OrthoShell, false);
    let Matrix { world, gateway, victims, others } = &matrix;
    let agent = world.run();
    for id in others {
        wait_up_to(GATES, &format!("order {id}"), || {
            world.dir_of(id).join("manifest.json").exists().then_some(())
        });
    }
    for (way, id) in victims {
        wait_up_to(GATES, &format!("the package that is answered with {way}"), || {
            (gateway.asked(id, PACKAGE) > 0).then_some(())
        });
    }
    let mut wrong = matrix.lab();
    for (way, id) in victims {
        let trouble = wait_up_to(GATES, &format!("the trouble with {way}"), || world.trouble(id));
        if trouble.class == FaultClass::Auth || world.dir_of(id).exists() {
            wrong.push(format!("{way}: {trouble:?}"));
        }
    }
    still_there(agent);
    // A download that broke off may resume from there.
    let may_go_on: BTreeSet<&str> = victims
        .iter()
        .filter(|(way, _)| ["cut short", "stall", "reset"].contains(&way.as_str()))
        .map(|(_, id)| id.as_str())
        .collect();
    let left = left_behind(world, &may_go_on);
    assert!(left.is_empty(), "left in staging: {left:?}");
    let ended = world.sync();
    assert_eq!(ended.code, Some(3), "some orders fail, and no lab: {}", ended.stderr);
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
    world.good(&["verify"]);
}

/// Each victim's own scan is published without the extra, and without delay.
fn holds_no_scan_back(asset: &str, kind: CaseKind, name: &str) {
    let matrix = Matrix::of(asset, kind, asset == "SCREEN_CAPTURES");
    let Matrix { world, victims, others, .. } = &matrix;
    let agent = world.run();
    for id in others {
        world.wait_for_revision(id, 1);
    }
    let mut wrong = Vec::new();
    for (way, id) in victims {
        let manifest = world.wait_for_revision(id, 1);
        let came = manifest.files.iter().any(|file| file.path.starts_with(&format!("{name}/")));
        if came || !manifest.missing.contains(&name.to_owned()) {
            wrong
                .push(format!("{way}: missing {:?}, files {:?}", manifest.missing, manifest.files));
        }
        if let Err(why) = tree::check_order(&world.dir_of(id)) {
            wrong.push(format!("{way}: {why}"));
        }
    }
    wrong.extend(matrix.lab());
    still_there(agent);
    let left = left_behind(world, &BTreeSet::new());
    assert!(left.is_empty(), "left in staging: {left:?}");
    let ended = world.sync();
    assert_eq!(ended.code, Some(0), "every scan is published: {}", ended.stderr);
    assert!(wrong.is_empty(), "{} cells:\n{}", wrong.len(), wrong.join("\n"));
    world.good(&["verify"]);
}

#[test]
fn thumbnails_that_do_not_come_hold_no_scan_back() {
    holds_no_scan_back("IMAGE_GALLERY", CaseKind::Restorative, "thumbnails");
}

#[test]
fn screen_captures_that_do_not_come_hold_no_scan_back() {
    holds_no_scan_back("SCREEN_CAPTURES", CaseKind::OrthoShell, "screen-captures");
}

#[test]
fn the_time_that_extras_get_is_for_all_of_them() {
    // Both stall; the scan waits for them only once.
    let more = "downloads: { stall_timeout: 60s, extras_wait: 2s }\n";
    let world = World::unpaired(crate::world::one_lab(), more);
    let gateway = Gateway::before(world.simulator_address());
    let world = world.behind(gateway.url());
    world.log_in_and_pair(crate::world::LAB);
    let spec = OrderSpec { screen_captures: true, ..order_with_id(CaseKind::Restorative, "17") };
    world.align().create_order(&spec).expect("created");
    for asset in ["IMAGE_GALLERY", "SCREEN_CAPTURES"] {
        gateway.file("17", asset, Does::Stall);
    }
    let began = std::time::Instant::now();
    let agent = world.run();
    let mut missing = world.wait_for_revision("17", 1).missing;
    let took = began.elapsed();
    missing.sort();
    assert_eq!(missing, ["screen-captures", "thumbnails"]);
    assert!(took < Duration::from_secs(40), "less than one stalled download may take: {took:?}");
    agent.kill();
}
