//! Align is polled no more often than it allows, whoever polls: passes, agents, and agents that
//! were killed.

use casedrop::simulator::{CaseKind, FaultKind, FaultRule};

use super::world::{World, order, wait_for};

/// Long enough for two passes, however busy the machine is.
const LONG: u64 = 600_000;
/// Short enough to wait for.
const SHORT: u64 = 1500;

fn world(interval_ms: u64) -> World {
    let world = World::with_config(&format!("polling: {{ interval: {interval_ms}ms }}\n"));
    world.align().update_settings(|settings| settings.min_poll_interval_ms = interval_ms);
    world
}

fn polls(world: &World) -> (u64, u64) {
    let counters = world.align().state().counters;
    (counters.polls, counters.poll_violations)
}

#[test]
fn a_second_pass_does_not_ask_again_but_finishes_what_is_pending() {
    let world = world(LONG);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let late = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let broken = FaultRule::on("downloadAsset", FaultKind::Disconnect).order(&late);
    world.align().inject(broken);
    assert_eq!(world.casedrop(&["sync"]).code, Some(3));
    assert_eq!(world.published(&id).revision, 1);
    assert!(!world.dir_of(&late).exists());

    world.align().clear_faults();
    world.let_time_pass(&late);
    let ended = world.good(&["sync"]);
    assert!(ended.stderr.contains("not polled"), "{ended:?}");
    assert_eq!(world.published(&late).revision, 1);
    let ended = world.good(&["sync"]);
    assert!(ended.stderr.contains("not polled"), "{ended:?}");
    assert_eq!(polls(&world), (1, 0));
}

#[test]
fn passes_agents_and_killed_agents_keep_the_interval_together() {
    let world = world(SHORT);
    let asked = || polls(&world).0;
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.good(&["sync"]);
    world.good(&["sync"]);
    for _ in 0..3 {
        let before = asked();
        let agent = world.run();
        wait_for("a poll of the agent", || (asked() > before).then_some(()));
        agent.kill();
        world.casedrop(&["sync"]);
    }
    let agent = world.run();
    world.wait_for_polls(2);
    agent.kill();
    world.published(&id);
    assert_eq!(polls(&world).1, 0);
}

#[test]
fn a_second_agent_on_the_same_state_ends_before_it_asks() {
    let world = world(SHORT);
    let _first = world.run();
    world.wait_for_polls(1);
    let (code, log) = world.run().wait();
    assert_eq!(code, Some(5), "{log}");
    assert_eq!(world.casedrop(&["sync"]).code, Some(5));
    assert_eq!(polls(&world).1, 0);
}

#[test]
fn the_simulator_notices_who_asks_too_often() {
    let world = world(LONG);
    world.good(&["sync"]);
    // A second PC with the same login knows nothing about the first one.
    let second = world.dir().join("second");
    std::fs::create_dir(&second).expect("made");
    let yaml = world
        .yaml()
        .replace(&quoted(&world.output()), &quoted(&second.join("orders")))
        .replace(&quoted(&world.state()), &quoted(&second.join("state")));
    let config = second.join("casedrop.yaml");
    std::fs::write(&config, yaml).expect("config");
    let logins = |state: std::path::PathBuf| state.join("secrets").join("smile-lab.json");
    std::fs::create_dir_all(second.join("state/secrets")).expect("made");
    std::fs::copy(logins(world.state()), logins(second.join("state"))).expect("copied");
    world.casedrop(&["sync"]);
    assert_eq!(polls(&world), (1, 0));
    let ended = std::process::Command::new(super::world::program())
        .args(["sync", "--config"])
        .arg(&config)
        .output()
        .expect("the program starts");
    assert!(!ended.status.success(), "{ended:?}");
    assert_eq!(polls(&world), (1, 1));
}

fn quoted(path: &std::path::Path) -> String {
    serde_json::to_string(path).expect("a Unicode path")
}
