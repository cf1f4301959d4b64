//! Orders and revisions that are removed because of their age.

use casedrop::model::step::Step;
use casedrop::simulator::CaseKind;
use serde_json::Value;

use super::publishing::published_and_back;
use super::{assert_promises, die_at, finish, history, pass_until, times_told};
use crate::tree;
use crate::world::{World, order};

/// Returns an order past its retention, with other people's things around it.
fn published_long_ago(world: &World) -> String {
    let keep = world.yaml().replace("retention: {", "retention: { keep: 90d,");
    std::fs::write(world.config(), keep).expect("config");
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    world.let_days_pass(91);
    id
}

fn assert_removed(world: &World, id: &str) {
    pass_until(world, id, |world| (world.order(id)["state"] == "removed").then_some(()));
    let story = world.order(id);
    assert_eq!(times_told(&story, "removed"), 1, "{story:#}");
    assert_eq!(story["path"], Value::Null, "{story:#}");
    assert!(!world.dir_of(id).exists() && world.dir_of(id).parent().expect("account").is_dir());
    for folder in ["retired", "work"] {
        let left = std::fs::read_dir(world.staging().join(folder)).expect("there").count();
        assert_eq!(left, 0, "{folder}");
    }
    let audit = world.audit();
    assert!(audit.contains(&("removed".to_owned(), "begun".to_owned())), "{audit:?}");
    world.good(&["audit", "--verify"]);
    let note = world.output().join("note.txt");
    assert_eq!(std::fs::read_to_string(&note).expect("still there"), "mine");
    std::fs::remove_file(note).expect("removed");
    world.good(&["verify"]);
}

pub(super) fn retire(world: &World, step: Step) {
    let id = published_long_ago(world);
    die_at(world, step);
    let is_there =
        matches!(step, Step::JournalRetiring | Step::JournalRetiringDurable | Step::RetireMove);
    assert_eq!(world.dir_of(&id).exists(), is_there);
    assert_removed(world, &id);
}

pub(super) fn reclaim(world: &World, step: Step) {
    let id = published_long_ago(world);
    die_at(world, Step::RetireRemove);
    // What a process leaves that dies in the middle of the removal.
    let moved = tree::files(&world.staging().join("retired"));
    let some = moved.iter().find(|file| !file.ends_with("manifest.json")).expect("a file");
    std::fs::remove_file(some).expect("removed");
    die_at(world, step);
    assert_removed(world, &id);
}

pub(super) fn forget(world: &World, step: Step) {
    let (id, _) = published_and_back(world);
    finish(world, &id, 2);
    world.let_days_pass(31);
    die_at(world, step);
    pass_until(world, &id, |world| {
        (times_told(&world.order(&id), "forgotten") == 1 || history(world, &id).is_empty())
            .then_some(())
    });
    assert!(history(world, &id).is_empty());
    let audit = world.audit();
    assert!(audit.contains(&("history-removed".to_owned(), "begun".to_owned())), "{audit:?}");
    world.good(&["audit", "--verify"]);
    std::fs::remove_dir_all(world.dir_of("not-an-order")).expect("removed");
    assert_promises(world, &id, &world.published(&id), 1);
}
