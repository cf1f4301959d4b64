//! Where an order is when it is not where one expects it: in modeling, with another client, moved
//! away.

use casedrop::journal::Store;
use casedrop::model::manifest::Role;
use casedrop::model::time::WallMs;
use casedrop::simulator::{CaseKind, OrderSpec};

use super::world::{Ended, World, order, started, wait_for};

/// No room for any download, so that an order is known but not fetched.
const NO_ROOM: (&str, &str) = ("CASEDROP_RETENTION__MIN_FREE", "1000TB");

fn sync_without_room(world: &World) -> Ended {
    wait_for("a pass that may poll", || {
        let mut command = world.command(&["sync"]);
        command.env(NO_ROOM.0, NO_ROOM.1);
        let ended = super::world::ended(started(|| command.output()));
        (!ended.stderr.contains("not polled")).then_some(ended)
    })
}

/// The differences of the report, as (order or folder name, kind).
fn differences(world: &World) -> Vec<(String, String)> {
    let ended = world.casedrop(&["orders", "--reconcile", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let all = report["differences"].as_array().expect("differences");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let name = |path: &str| path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    all.iter().map(|one| (name(&text(&one["path"])), text(&one["kind"]))).collect()
}

fn kind_of(world: &World, order: &str) -> Option<String> {
    differences(world).into_iter().find(|(name, _)| name == order).map(|(_, kind)| kind)
}

#[test]
fn an_order_that_another_client_took_is_noticed_explained_and_fetched_all_the_same() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let ended = sync_without_room(&world);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("free some space"), "{ended:?}");
    assert_eq!(world.align().state().asset(&id, "IDE").started, 0, "no byte was asked for");

    world.align().take(&id).expect("taken");
    sync_without_room(&world);
    assert_eq!(kind_of(&world, &id).as_deref(), Some("taken-by-another-client"));
    let story = world.order(&id);
    let kinds: Vec<_> =
        story["events"].as_array().expect("events").iter().map(|event| &event["kind"]).collect();
    assert!(kinds.iter().any(|kind| *kind == "left"), "{story:#}");
    assert!(kinds.iter().any(|kind| *kind == "taken"), "{story:#}");

    world.let_time_pass(&id);
    world.good(&["sync"]);
    world.published(&id);
    assert_eq!(differences(&world), []);
}

#[test]
fn a_case_in_modeling_is_shown_as_expected_back() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    world.good(&["sync"]);
    world.align().flow(&id, "send-to-modeling").expect("sent");
    // The agent asks about a published order again only hours later; make that due.
    let store = Store::open(&world.state().join(casedrop::journal::FILE_NAME)).expect("journal");
    let mut record = store.find(&id).expect("readable").remove(0);
    record.last_seen = WallMs(0);
    store.save(&record).expect("saved");
    drop(store);
    world.sync();
    assert_eq!(world.order(&id)["state"], "away");
    assert_eq!(world.order(&id)["status"], "iTero Modeling");
    let listed = world.good(&["orders", "--state", "away"]);
    assert!(listed.stdout.contains("iTero Modeling, expected back"), "{listed:?}");
    assert_eq!(kind_of(&world, &id).as_deref(), Some("away"));

    world.align().flow(&id, "modeling-completed").expect("back");
    world.sync();
    let manifest = world.published(&id);
    assert_eq!(manifest.revision, 2);
    assert_eq!(world.order(&id)["state"], "published");
}

#[test]
fn what_became_of_folders_is_explained() {
    let world = World::new();
    let create = || world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let (gone, edited, reduced, fine) = (create(), create(), create(), create());
    world.good(&["sync"]);
    assert_eq!(differences(&world), []);
    std::fs::rename(world.dir_of(&gone), world.dir().join("taken")).expect("moved away");
    std::fs::write(world.dir_of(&edited).join("design.dcm"), "mine").expect("written");
    let files = world.published(&reduced).files;
    let pdf = files.into_iter().find(|file| file.role == Role::RxPdf);
    std::fs::remove_file(world.dir_of(&reduced).join(pdf.expect("an Rx").path)).expect("taken");
    std::fs::create_dir_all(world.dir_of("notes")).expect("made");
    std::fs::write(world.dir_of("notes").join("todo.txt"), "mine").expect("written");
    let mut expected = vec![
        (gone, "consumed".to_owned()),
        (edited, "changed-by-others".to_owned()),
        (reduced, "partly-taken".to_owned()),
        ("notes".to_owned(), "unknown-folder".to_owned()),
    ];
    expected.sort();
    let mut found = differences(&world);
    found.sort();
    assert_eq!(found, expected);
    let text = world.good(&["orders", "--reconcile"]).stdout;
    assert!(text.contains("4 differences") && text.contains("casedrop refetch"), "{text}");
    assert!(!text.contains(&fine), "{text}");
}

#[test]
fn files_that_align_never_makes_need_attention_and_a_refetch_begins_anew() {
    let world = World::with_config("downloads: { retry_404: [10ms, 10ms] }\n");
    let spec = OrderSpec { regenerating: 3, ..order(CaseKind::OrthoShell) };
    let id = world.align().create_order(&spec).expect("created");
    let agent = world.run();
    let story = world.wait_for_state(&id, "attention");
    agent.kill();
    let hint = story["trouble"]["hint"].as_str().expect("a hint");
    assert!(hint.contains("iTeroAPISupport@aligntech.com") && hint.contains(&id), "{hint}");
    let ended = world.sync();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(world.align().state().asset(&id, "IDE").not_converted, 3, "not asked again");
    let ended = world.casedrop(&["orders", "--reconcile"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stdout.contains("failing"), "{ended:?}");

    world.good(&["refetch", &id]);
    world.good(&["sync"]);
    world.published(&id);
}
