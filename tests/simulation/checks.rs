//! The checks must be able to fail: break a good world by hand, each time in one way.

use std::path::PathBuf;
use std::time::Duration;

use casedrop::model::cancel::Cancel;
use casedrop::model::record::Place;
use casedrop::model::remote::Remote as _;

use crate::invariants;
use crate::run::live;
use crate::script::draw;
use crate::world::World;

/// The end of a run with an untouched order of two revisions, and that order's directory.
fn good_world() -> (World, PathBuf) {
    for seed in 0..200 {
        let mut world = draw(seed, false);
        live(&mut world).unwrap_or_else(|why| panic!("seed {seed}: {why}"));
        let keys: Vec<_> =
            world.align.cloud().orders.iter().map(|order| order.key.clone()).collect();
        for key in keys {
            let dir = world.layout.order_dir(&key);
            let revisions = world.store().revisions(&key).expect("readable");
            let at_main = revisions.iter().all(|revision| revision.place == Place::Main);
            let untouched = world.hooks.ledger().touched.is_empty();
            let leaves = !world.policy.restore;
            if untouched && leaves && at_main && revisions.len() == 2 && world.disk.exists(&dir) {
                return (world, dir);
            }
        }
    }
    panic!("no such run among many");
}

fn fails(world: &mut World, what: &str) {
    let checks = invariants::tree(world).and_then(|()| invariants::at_end(world));
    let why = checks.expect_err("the world is broken");
    assert!(why.contains(what), "{why}");
}

#[test]
fn a_good_world_passes_and_a_missing_or_changed_file_does_not() {
    let (mut world, dir) = good_world();
    invariants::tree(&mut world).expect("nothing is wrong yet");
    invariants::at_end(&world).expect("nothing is wrong yet");
    let manifest = world.disk.read(&dir.join("manifest.json")).expect("there");
    world.disk.remove_foreign(&dir.join("manifest.json"));
    fails(&mut world, "has no manifest");
    world.disk.write_foreign(&dir.join("manifest.json"), &manifest);
    invariants::tree(&mut world).expect("mended");
    world.disk.write_foreign(&dir.join("half.tmp"), b"");
    fails(&mut world, "holds half.tmp");
}

#[test]
fn a_temporary_name_or_a_second_copy_is_seen() {
    let (mut world, dir) = good_world();
    let stray = world.layout.output.join("order.tmp");
    world.disk.write_foreign(&stray, b"half");
    fails(&mut world, "does not belong there");
    world.disk.remove_foreign(&stray);
    let copy = dir.with_file_name("another");
    for (path, node) in world.disk.snapshot(&dir) {
        if let crate::disk::Node::File(bytes) = node {
            world.disk.write_foreign(&copy.join(path.strip_prefix(&dir).expect("below")), &bytes);
        }
    }
    fails(&mut world, "is not the place of the order");
}

#[test]
fn lost_orders_and_old_content_are_seen() {
    let (mut world, dir) = good_world();
    let id = dir.file_name().expect("a name").to_string_lossy().into_owned();
    {
        let mut cloud = world.align.cloud();
        let order = cloud.orders.iter_mut().find(|order| order.key.order.as_str() == id);
        let order = order.expect("an order");
        order.generation += 1;
        order.known = order.generation;
    }
    fails(&mut world, "Align showed");
}

#[test]
fn a_lost_revision_or_directory_and_leftovers_are_seen() {
    let (mut world, dir) = good_world();
    let left = world.layout.work().join("left");
    world.disk.write_foreign(&left, b"");
    fails(&mut world, "is left");
    world.disk.remove_foreign(&left);
    let away = PathBuf::from("/pc/away");
    assert!(world.disk.rename_foreign(&dir, &away));
    fails(&mut world, "has no manifest");
    assert!(world.disk.rename_foreign(&away, &dir));
    invariants::at_end(&world).expect("mended");
    assert!(world.disk.remove_foreign(&world.layout.history()));
    fails(&mut world, "has no manifest");
}

#[test]
fn foreign_things_that_change_are_seen() {
    let (mut world, dir) = good_world();
    let note = dir.join("note.txt");
    world.disk.write_foreign(&note, b"foreign-1: mine");
    world.hooks.ledger().changed(&world.disk, &dir, false);
    invariants::tree(&mut world).expect("as the other one left it");
    world.disk.write_foreign(&note, b"foreign-1: yours");
    fails(&mut world, "what others left");
}

#[test]
fn asking_too_soon_is_seen() {
    let (world, _) = good_world();
    let remote = world.align.remote(0);
    let later = world.clock.now + 200_000;
    world.align.cloud().pass(later);
    remote.ready_orders(&Cancel::new()).expect("allowed");
    let soon = later + u64::try_from(Duration::from_secs(119).as_millis()).expect("small");
    world.align.cloud().pass(soon);
    assert!(world.align.cloud().complaints.is_empty());
    let _ = remote.ready_orders(&Cancel::new());
    assert_eq!(world.align.cloud().complaints.len(), 1);
}
