//! Where Align's API is found, where tokens may go, and labs that are independent of each other.

use std::time::Duration;

use casedrop::simulator::{
    AccountSpec, CaseKind, FaultKind, FaultRule, OrderSpec, Regional, RequestRecord,
};

use super::faults::{download, requests, status};
use super::world::{ACCOUNT, LAB, World, order, wait_for};

#[test]
fn no_bearer_token_follows_a_redirect_to_the_storage_host() {
    let world = World::new();
    world.align().update_settings(|settings| settings.redirect_to_storage = true);
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    world.good(&["sync"]);
    world.published(&id);
    let state = world.align().state();
    assert!(state.requests("storage") >= 2);
    assert_eq!(state.counters.storage_with_authorization, 0);
}

/// The API is called where discovery says, and nowhere else.
fn uses_discovered_urls(regional: Regional) -> Vec<RequestRecord> {
    let world = World::new();
    world.align().update_settings(|settings| settings.regional = regional);
    let before = world.align().state().log.len();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.good(&["sync"]);
    world.published(&id);
    let mut log = world.align().state().log.split_off(before);
    log.retain(|record| ["getOrdersForLab", "downloadAsset"].contains(&&*record.endpoint));
    assert!(log.len() >= 2 && log.iter().all(|record| record.discovered), "{log:?}");
    let base = world.base_url();
    assert!(log.iter().all(|record| !base.ends_with(&record.host)), "{base} {log:?}");
    log
}

#[test]
fn the_regional_host_that_discovery_names_is_used() {
    let log = uses_discovered_urls(Regional::Localhost);
    assert!(log.iter().all(|record| record.host.starts_with("localhost:")), "{log:?}");
}

#[test]
fn the_regional_port_that_discovery_names_is_used() {
    uses_discovered_urls(Regional::Port);
}

#[test]
fn without_discovery_the_known_paths_are_used() {
    let world = World::new();
    // As if discovery had never answered: otherwise its last answer would be used.
    std::fs::remove_file(world.state().join("discovery-smile-lab.json")).expect("it was kept");
    world.align().update_settings(|settings| settings.discovery = false);
    let before = world.align().state().counters.discovered_requests;
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.good(&["sync"]);
    world.published(&id);
    assert_eq!(world.align().state().counters.discovered_requests, before);
}

#[test]
fn an_endpoint_that_discovery_has_wrong_is_found_at_its_known_path() {
    let world = World::new();
    world.align().update_settings(|settings| {
        settings.discovery_wrong = vec!["getOrdersForLab".to_owned()];
    });
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.good(&["sync"]);
    world.published(&id);
    assert!(requests(&world, "downloadAsset").iter().all(|record| record.discovered));
}

#[test]
fn an_endpoint_that_discovery_leaves_out_is_found_at_its_known_path() {
    let world = World::new();
    world.align().update_settings(|settings| {
        settings.discovery_omit = vec!["downloadAsset".to_owned()];
    });
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.good(&["sync"]);
    world.published(&id);
    assert!(requests(&world, "downloadAsset").iter().all(|record| !record.discovered));
    assert!(requests(&world, "getOrdersForLab").iter().all(|record| record.discovered));
}

#[test]
fn an_unreadable_entry_spoils_no_neighbour_in_the_list() {
    let world = World::new();
    let quiet = OrderSpec { status: Some("Completed".to_owned()), ..order(CaseKind::OrthoShell) };
    let id = world.align().create_order(&quiet).expect("created");
    let body = serde_json::json!([
        {"status": "Ready for Download", "note": "it has no id"},
        {"orderId": id, "status": "Ready for Download", "procedure": "Orthodontic"},
        {"orderId": {"value": 1}, "status": "Ready for Download"},
        "no object at all",
    ]);
    let kind = FaultKind::Status { code: 200, retry_after: None, body: Some(body.to_string()) };
    world.align().inject(FaultRule::on("getOrdersForLab", kind).times(1));
    let ended = world.good(&["sync"]);
    assert_eq!(ended.stderr.matches("skipped an entry").count(), 3, "{ended:?}");
    world.published(&id);
}

fn two_labs() -> Vec<(String, AccountSpec)> {
    let first = AccountSpec::new(ACCOUNT, "Smile Dental Lab", "client", "s3cret-of-client");
    let second = AccountSpec::new("4712", "Other Lab", "other", "s3cret-of-other");
    vec![(LAB.to_owned(), first), ("other-lab".to_owned(), second)]
}

#[test]
fn a_lab_without_a_login_does_not_delay_the_other_one() {
    let world = World::unpaired(two_labs(), "");
    world.log_in_and_pair(LAB);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let ended = world.casedrop(&["sync"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains("casedrop login other-lab"), "{ended:?}");
    world.published(&id);
}

#[test]
fn a_lab_whose_server_hangs_does_not_delay_the_other_one() {
    let world = World::unpaired(two_labs(), "");
    world.log_in_and_pair(LAB);
    world.log_in_and_pair("other-lab");
    let hang = FaultKind::Stall { after_bytes: 0 };
    world.align().inject(FaultRule::on("getOrdersForLab", hang).account("4712"));
    let other = OrderSpec { account: Some("4712".to_owned()), ..order(CaseKind::OrthoShell) };
    let other = world.align().create_order(&other).expect("created");
    let agent = world.run();
    wait_for("the hanging poll", || {
        let records = requests(&world, "getOrdersForLab");
        records.iter().any(|record| record.account.as_deref() == Some("4712")).then_some(())
    });
    // More than can be fetched at once, while the other lab still waits for its first answer.
    let own = |_| world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    for id in (0..6).map(own).collect::<Vec<_>>() {
        world.wait_for_state(&id, "published");
    }
    let polls = requests(&world, "getOrdersForLab");
    assert_eq!(polls.iter().filter(|poll| poll.account.as_deref() == Some("4712")).count(), 1);
    assert_eq!(world.order_or_null(&other), serde_json::Value::Null);
    agent.kill();
}

#[test]
fn a_lab_whose_server_fails_does_not_delay_the_other_one() {
    let world = World::unpaired(two_labs(), "");
    world.log_in_and_pair(LAB);
    world.log_in_and_pair("other-lab");
    world.align().inject(FaultRule::on("getOrdersForLab", status(500)).account("4712"));
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let ended = world.casedrop(&["sync"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("other-lab"), "{ended:?}");
    world.published(&id);
}

#[test]
fn an_order_that_hangs_does_not_delay_the_others() {
    let world = World::with_config("downloads: { stall_timeout: 60s, concurrency: 4 }\n");
    let slow = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.align().inject(download(FaultKind::Stall { after_bytes: 100 }).order(&slow));
    let others: Vec<_> = (0..6)
        .map(|_| world.align().create_order(&order(CaseKind::Restorative)).expect("created"))
        .collect();
    let began = std::time::Instant::now();
    let _agent = world.run();
    for id in &others {
        world.wait_for_state(id, "published");
    }
    assert!(began.elapsed() < Duration::from_secs(60), "they waited for the one that hangs");
    assert!(!world.dir_of(&slow).exists());
}
