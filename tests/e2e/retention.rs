//! What is old is removed, and nothing else.

use casedrop::simulator::CaseKind;
use serde_json::Value;

use super::tree;
use super::world::{World, order, wait_for};

const KEEP: &str = "history: { keep: 30d }\nretention: { keep: 90d, min_free: 1MB }\n";

fn told(story: &Value, kind: &str) -> usize {
    let events = story["events"].as_array().expect("events");
    events.iter().filter(|event| event["kind"] == kind).count()
}

/// An order with two revisions.
fn order_in_two_revisions(world: &World) -> String {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    come_back(world, &id, 2);
    id
}

fn come_back(world: &World, id: &str, revision: u32) {
    world.align().flow(id, "send-to-modeling").expect("sent");
    world.align().flow(id, "modeling-completed").expect("back");
    wait_for("the next revision", || {
        world.sync();
        tree::manifest(&world.dir_of(id)).ok().filter(|found| found.revision == revision)
    });
}

#[test]
fn a_replaced_revision_and_then_the_order_go_when_they_are_old_and_the_order_may_come_back() {
    let world = World::with_config(KEEP);
    let id = order_in_two_revisions(&world);
    let other = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    world.let_days_pass(29);
    world.sync();
    assert!(world.history_of(&id, 1).is_dir());
    world.let_days_pass(2);
    world.good(&["sync"]);
    assert!(!world.history_of(&id, 1).exists());
    assert_eq!(told(&world.order(&id), "forgotten"), 1);
    world.published(&id);

    world.let_days_pass(60);
    world.good(&["sync"]);
    assert!(!world.dir_of(&id).exists());
    world.published(&other);
    let story = world.order(&id);
    assert_eq!((&story["state"], &story["path"]), (&"removed".into(), &Value::Null), "{story:#}");
    assert_eq!(world.json(&["orders", "--state", "removed"]).as_array().expect("list").len(), 1);
    assert!(world.good(&["verify", &id]).stderr.contains("was removed"));
    assert!(world.good(&["verify", &id, &other]).stdout.contains("1 order"));
    let report = world.json(&["orders", "--reconcile"]).to_string();
    assert!(!report.contains("consumed"), "{report}");
    let begun = |what: &str| {
        vec![(what.to_owned(), "begun".to_owned()), (what.to_owned(), "done".to_owned())]
    };
    let removals: Vec<_> =
        world.audit().into_iter().filter(|(what, _)| what.ends_with("removed")).collect();
    assert_eq!(removals, [begun("history-removed"), begun("removed")].concat());
    world.good(&["audit", "--verify"]);

    come_back(&world, &id, 3);
    assert_eq!(world.published(&id).previous.expect("one").revision, 2);
    assert_eq!(world.order(&id)["state"], "published");
    world.good(&["verify"]);
}

#[test]
fn a_removed_order_comes_back_when_a_person_asks_and_not_by_itself() {
    let world = World::with_config(&format!("when_missing: restore\n{KEEP}"));
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.let_days_pass(91);
    world.good(&["sync"]);
    for _ in 0..3 {
        world.sync();
        assert!(!world.dir_of(&id).exists());
    }
    world.good(&["refetch", &id]);
    world.good(&["sync"]);
    assert_eq!(world.published(&id).revision, 2);
    assert_eq!(world.order(&id)["state"], "published");
}

#[test]
fn an_order_in_which_somebody_worked_is_left_alone_and_told_once() {
    let world = World::with_config(KEEP);
    let id = order_in_two_revisions(&world);
    std::fs::write(world.dir_of(&id).join("design.dcm"), "mine").expect("written");
    std::fs::write(world.history_of(&id, 1).join("note.txt"), "mine").expect("written");
    let before = (tree::listing(&world.dir_of(&id)), tree::listing(&world.history_of(&id, 1)));
    world.let_days_pass(91);
    let ended = world.good(&["sync"]);
    assert!(ended.stderr.contains("left alone: design.dcm"), "{ended:?}");
    for _ in 0..2 {
        assert!(!world.good(&["sync"]).stderr.contains("left alone"));
    }
    let story = world.order(&id);
    assert_eq!((told(&story, "kept"), &story["state"]), (2, &"published".into()), "{story:#}");
    let after = (tree::listing(&world.dir_of(&id)), tree::listing(&world.history_of(&id, 1)));
    assert_eq!(after, before);
    assert!(world.audit().iter().all(|(what, _)| !what.ends_with("removed")));
}

#[test]
fn nothing_is_removed_that_cannot_be_recorded() {
    let world = World::with_config(KEEP);
    let id = order_in_two_revisions(&world);
    world.let_days_pass(91);
    let audit = world.state().join("audit.jsonl");
    let aside = world.dir().join("audit.jsonl");
    std::fs::rename(&audit, &aside).expect("moved");
    std::fs::create_dir(&audit).expect("made");
    let ended = world.good(&["sync"]);
    assert!(ended.stderr.contains("nothing is removed for now"), "{ended:?}");
    world.published(&id);
    assert!(world.history_of(&id, 1).is_dir());
    std::fs::remove_dir(&audit).expect("removed");
    std::fs::rename(&aside, &audit).expect("moved back");
    world.good(&["sync"]);
    assert!(!world.dir_of(&id).exists() && !world.history_of(&id, 1).exists());
}

#[test]
fn orders_that_were_removed_stay_so_when_the_journal_is_lost() {
    let more = "when_missing: restore\nhistory: { keep: null }\n\
                retention: { keep: 90d, min_free: 1MB }\n";
    let world = World::with_config(more);
    let id = order_in_two_revisions(&world);
    world.let_days_pass(91);
    let ended = world.good(&["sync"]);
    let story = world.order(&id);
    assert!(!world.dir_of(&id).exists(), "{ended:?}: {story:#}");
    assert!(world.history_of(&id, 1).is_dir(), "{ended:?}: {story:#}");
    for suffix in ["", "-wal", "-shm"] {
        let file = world.state().join(format!("{}{suffix}", casedrop::journal::FILE_NAME));
        // After a clean shutdown the others do not exist.
        let _ = std::fs::remove_file(file);
    }
    let started = world.align().state().asset(&id, "IDE").started;
    world.good(&["sync"]);
    world.sync();
    assert!(!world.dir_of(&id).exists());
    assert_eq!(world.order(&id)["state"], "removed");
    assert_eq!(world.align().state().asset(&id, "IDE").started, started, "nor is it fetched");
    come_back(&world, &id, 2);
}
