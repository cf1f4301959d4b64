//! An order's state is the same word everywhere, and a true one.

use std::fs;

use casedrop::simulator::{CaseKind, FaultKind, FaultRule};
use serde_json::Value;

use super::world::{World, client, order, wait_for};

/// A download that arrives in part and then waits for as long as the test needs.
fn halts(world: &World, id: &str) {
    let fault = FaultKind::Stall { after_bytes: 20_000 };
    world.align().inject(FaultRule::on("downloadAsset", fault).asset("IDE").order(id));
}

const PATIENT: &str = "downloads: { stall_timeout: 12h }\nstatus_page: { listen: 127.0.0.1:0 }\n";

/// The orders that `orders` and the page list in a state, and how many `status` counts.
fn listed(world: &World, state: &str) -> (usize, bool, Value) {
    let ids = world.json(&["orders", "--state", state]).as_array().expect("list").len();
    let status = world.json(&["status"]);
    let page = status["page"].as_str().map(|page| {
        let runtime = tokio::runtime::Runtime::new().expect("runtime");
        let url = format!("{}orders?state={state}", page.trim_end_matches('/').to_owned() + "/");
        let answer = runtime.block_on(async { client().get(url).send().await?.text().await });
        answer.expect("answered")
    });
    let on_page = page.is_some_and(|page| page.contains("/orders/smile%2Dlab/"));
    (ids, on_page, status["orders"][state].clone())
}

#[test]
fn an_order_whose_files_are_arriving_is_downloading_everywhere() {
    let world = World::with_config(PATIENT);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    halts(&world, &id);
    let agent = world.run();
    let story = world.wait_for_state(&id, "downloading");
    let percent = story["percent"].as_u64().expect("the size is known");
    assert!(percent < 100, "{story:#}");
    wait_for("the page", || world.json(&["status"])["page"].as_str().map(str::to_owned));
    assert_eq!(listed(&world, "downloading"), (1, true, 1.into()));
    assert_eq!(listed(&world, "waiting"), (0, false, Value::Null));
    let words = world.good(&["orders"]).stdout;
    assert!(words.contains("downloading"), "{words}");
    let why = world.json(&["orders", "--reconcile"]).to_string();
    assert!(why.contains("right now"), "{why}");
    agent.kill();
    // Nobody is downloading it any more.
    assert_eq!(world.order(&id)["state"], "waiting");
}

#[test]
fn a_published_order_that_is_fetched_again_stays_published_until_it_is_replaced() {
    let world = World::with_config(PATIENT);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.published(&id);
    halts(&world, &id);
    let agent = world.run();
    world.good(&["refetch", &id]);
    let story = wait_for("the download", || {
        Some(world.order(&id)).filter(|story| story["percent"].is_u64())
    });
    assert_eq!(story["state"], "refetching", "{story:#}");
    wait_for("the page", || world.json(&["status"])["page"].as_str().map(str::to_owned));
    assert_eq!(listed(&world, "refetching"), (1, true, 1.into()));
    let words = world.good(&["show", &id]).stdout;
    assert!(words.contains("published, being fetched again"), "{words}");
    world.published(&id);
    agent.kill();
    assert_eq!(world.order(&id)["state"], "refetching", "it is still wanted");
}

#[test]
fn an_order_whose_folder_was_taken_is_picked_up_with_an_agent_and_without() {
    let world = World::with_config(PATIENT);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.published(&id);
    let (dir, elsewhere) = (world.dir_of(&id), world.dir().join("taken"));
    fs::rename(&dir, &elsewhere).expect("taken");
    let story = world.order(&id);
    assert_eq!(story["state"], "picked-up", "{story:#}");
    assert!(story["picked_up_at"].is_string());
    assert!(world.good(&["show", &id]).stdout.contains("taken from there"));
    assert_eq!(world.json(&["orders", "--state", "picked-up"]).as_array().map(Vec::len), Some(1));

    let agent = world.run();
    let kinds = |kind: &str| {
        let story = world.order(&id);
        let events = story["events"].as_array().expect("events");
        events.iter().filter(|event| event["kind"] == kind).count()
    };
    wait_for("the agent's look", || (kinds("picked-up") == 1).then_some(()));
    assert_eq!(listed(&world, "picked-up"), (1, true, 1.into()));
    assert_eq!(listed(&world, "published"), (0, false, Value::Null));
    fs::rename(&elsewhere, &dir).expect("put back");
    assert_eq!(world.order(&id)["state"], "published");
    wait_for("the agent's look", || (kinds("back") == 1).then_some(()));
    assert_eq!(listed(&world, "published"), (1, true, 1.into()));

    fs::remove_dir_all(&dir).expect("taken");
    wait_for("the agent's look", || (kinds("picked-up") == 2).then_some(()));
    world.good(&["refetch", &id]);
    world.wait_for_state(&id, "published");
    world.published(&id);
    agent.kill();
}

#[test]
fn an_output_that_is_away_was_not_picked_up() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.published(&id);
    let away = world.dir().join("away");
    fs::rename(world.output(), &away).expect("away");
    assert_eq!(world.order(&id)["state"], "published");
    fs::create_dir(world.output()).expect("the empty mount point");
    assert_eq!(world.order(&id)["state"], "published");
}
