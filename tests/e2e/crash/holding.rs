//! Incomplete orders that are held back, published anyway, or replaced.

use casedrop::model::step::Step;

use super::{assert_promises, die_at, finish, history, is_published, pass_until};
use crate::command_folder::Commands;
use crate::holds::{HOLD, content, held_content, held_dirs, incomplete_order};
use crate::tree;
use crate::world::{World, wait_for};

fn hold_back(world: &World) -> String {
    let config = format!("{}{HOLD}commands: commands\n", world.yaml());
    std::fs::write(world.config(), config).expect("written");
    incomplete_order(world)
}

fn wait_until_held(world: &World, id: &str) {
    pass_until(world, id, |world| (world.order_or_null(id)["state"] == "held").then_some(()));
    assert!(tree::orders(&world.output()).is_empty(), "nothing of it is seen");
}

fn assert_published(world: &World, id: &str) {
    assert!(held_dirs(world).is_empty(), "{:?}", held_dirs(world));
    assert!(history(world, id).is_empty());
    assert_promises(world, id, &world.published(id), 1);
    world.good(&["audit", "--verify"]);
}

/// Dies while the order is being held back; a user publishes it later.
pub(super) fn hold(world: &World, step: Step) {
    let id = hold_back(world);
    die_at(world, step);
    assert!(tree::orders(&world.output()).is_empty(), "nothing of it is seen");
    wait_until_held(world, &id);
    let kept = held_content(world);
    world.good(&["publish", &id]);
    pass_until(world, &id, |world| is_published(world, &id).map(|_| ()));
    assert_eq!(content(&world.dir_of(&id)), kept, "byte for byte");
    assert_published(world, &id);
}

/// Dies while a user has it published.
pub(super) fn release(world: &World, step: Step) {
    let id = hold_back(world);
    wait_until_held(world, &id);
    let kept = held_content(world);
    let (commands, name) = (Commands::of(world), format!("publish {id}.txt"));
    commands.put(&name, "");
    let (code, log) = world.run_with(&[("CASEDROP_TEST_KILL_AT", step.as_str())]).wait();
    assert_ne!(code, Some(0), "{log}");
    assert!(log.lines().any(|line| line == format!("killed at {}", step.as_str())), "{log}");
    if world.dir_of(&id).exists() {
        world.published(&id);
        assert!(held_dirs(world).is_empty(), "it was moved");
    } else {
        // The manifest may already be that of the publication.
        assert_eq!(held_content(world), kept, "it is at one place at any moment");
    }
    let agent = world.run();
    let receipt = commands.wait_for(&format!("done/{name}"));
    assert_eq!(receipt["outcome"], "done", "{receipt:#}");
    world.wait_for_state(&id, "published");
    wait_for("all to be tidied up", || commands.names("working").is_empty().then_some(()));
    agent.kill();
    assert_eq!(content(&world.dir_of(&id)), kept, "byte for byte");
    assert_eq!(world.align().state().asset(&id, "IDE").started, 1, "it was here all the time");
    assert_published(world, &id);
}

/// Dies while a complete revision replaces it.
pub(super) fn supersede(world: &World, step: Step) {
    let id = hold_back(world);
    wait_until_held(world, &id);
    let kept = held_content(world);
    world.align().clear_faults();
    world.align().flow(&id, "return-to-doctor").expect("returned");
    world.align().flow(&id, "rescan-completed").expect("back");
    die_at(world, step);
    assert_eq!(held_content(world), kept, "it stays until the newer one is recorded");
    finish(world, &id, 1);
    pass_until(world, &id, |world| is_published(world, &id).map(|_| ()));
    pass_until(world, &id, |world| held_dirs(world).is_empty().then_some(()));
    assert_ne!(content(&world.dir_of(&id)), kept);
    let audit = world.audit();
    for mark in ["begun", "done"] {
        assert!(audit.contains(&("held-removed".to_owned(), mark.to_owned())), "{audit:?}");
    }
    assert_published(world, &id);
}
