//! Aging logins: what a pass hours later finds, and what is lost between Align and this PC.

use std::path::PathBuf;

use casedrop::simulator::{CaseKind, FaultKind, FaultRule};
use serde_json::Value;

use super::world::{LAB, World, order, wait_for};

/// Without discovery, neither the list nor downloads are found.
const DISCOVERY_ONLY: &str = "api: { paths: { getOrdersForLab: /nowhere, \
                              downloadAsset: '/nowhere/{orderId}/{assetType}' } }\n";
const MINUTE_MS: u64 = 60_000;

fn discovered(world: &World) -> PathBuf {
    world.state().join("discovery-smile-lab.json")
}

/// Makes the login this much older for this PC. No agent may be running.
fn age(world: &World, ms: u64) {
    let file = world.state().join("secrets/smile-lab.json");
    let mut login: Value =
        serde_json::from_slice(&std::fs::read(&file).expect("a login")).expect("JSON");
    let issued = login["issued_at_ms"].as_u64().expect("a time");
    login["issued_at_ms"] = (issued - ms).into();
    std::fs::write(file, login.to_string()).expect("written");
}

fn mark(world: &World) -> Value {
    let file = world.state().join("secrets/smile-lab.json");
    let login: Value =
        serde_json::from_slice(&std::fs::read(file).expect("a login")).expect("JSON");
    login["renewal"].clone()
}

#[test]
fn a_pass_hours_later_renews_the_login_and_asks_discovery_with_the_new_token() {
    let world = World::with_config(DISCOVERY_ONLY);
    for (is_known, needs_token) in [(true, true), (false, true), (false, false)] {
        world.align().update_settings(|settings| settings.discovery_needs_token = needs_token);
        if !is_known {
            std::fs::remove_file(discovered(&world)).expect("it was kept");
        }
        let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
        age(&world, 600 * MINUTE_MS);
        world.align().expire_tokens();
        let ended = world.sync();
        assert_eq!(ended.code, Some(0), "known {is_known}, guarded {needs_token}: {ended:?}");
        world.published(&id);
    }
    assert_eq!(world.align().state().counters.logins, 1);
    assert_eq!(world.align().state().counters.refresh_reuses, 0);
}

#[test]
fn a_token_that_ended_early_is_renewed_though_only_discovery_says_so() {
    let world = World::with_config(DISCOVERY_ONLY);
    std::fs::remove_file(discovered(&world)).expect("it was kept");
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.align().expire_tokens();
    let ended = world.sync();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    world.published(&id);
}

/// The next renewal rotates the tokens, but its answer is lost.
fn lose_an_answer(world: &World) {
    let kind = FaultKind::Truncate { after_bytes: 0, announce_short: false };
    world.align().inject(FaultRule::on("refreshToken", kind).times(1));
}

#[test]
fn a_lost_renewal_leaves_the_lab_at_work_and_says_until_when() {
    let world = World::new();
    age(&world, 34 * MINUTE_MS);
    lose_an_answer(&world);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    let status = wait_for("the status to tell of it", || {
        let status = world.json(&["status"]);
        status["labs"][0]["login_ends"].is_string().then_some(status)
    });
    let lab = &status["labs"][0];
    assert_ne!(lab["state"], "login-needed", "{status:#}");
    let told = lab["fault"].as_str().expect("a text");
    assert!(told.contains("was lost") && told.contains("log in again"), "{told}");
    assert_eq!(lab["todo"], "casedrop login smile-lab", "{status:#}");
    let second = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.wait_for_revision(&second, 1);
    assert_eq!(world.align().state().counters.refresh_reuses, 1, "the former one, once more");
    // A new login clears this, without a restart.
    let ended = world.log_in_as_is(LAB);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    wait_for("all to be well", || {
        world.json(&["status"])["labs"][0]["login_ends"].is_null().then_some(())
    });
    let log = agent.kill();
    let told = log.lines().filter(|line| line.contains("log in again before then")).count();
    assert_eq!(told, 1, "{log}");
}

#[test]
fn a_login_that_ended_with_a_lost_renewal_is_told_as_that() {
    let world = World::new();
    age(&world, 34 * MINUTE_MS);
    let (code, log) = world.run_with(&[("CASEDROP_TEST_KILL_AT", "renewal-answered")]).wait();
    assert_ne!(code, Some(0), "{log}");
    assert!(mark(&world)["begun_at_ms"].is_u64(), "that it had begun is known");
    age(&world, 600 * MINUTE_MS);
    world.align().expire_tokens();
    let ended = world.sync();
    assert_eq!(ended.code, Some(4), "{ended:?}");
    for word in ["was lost", "stopped before it came", "no longer accepts", "casedrop login"] {
        assert!(ended.stderr.contains(word), "{word:?} is not in {ended:?}");
    }
}
