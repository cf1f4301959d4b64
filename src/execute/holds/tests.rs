//! Whatever happened to journal or process, what is below `held` and what the journal says agree
//! again.

use std::sync::Arc;

use super::*;
use crate::audit::{Audit, AuditEvent, Record};
use crate::disk::RealDisk;
use crate::model::record::{OrderState, Place, PublishedRecord};
use casedrop_testing::{key, sealed};

const FILES: [(&str, &str); 1] = [("a.stl", "mesh")];

struct World {
    _dir: tempfile::TempDir,
    layout: Layout,
    store: Store,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let output = dir.path().join("orders");
        let layout = Layout { output, staging: dir.path().join(".orders.staging") };
        Self { _dir: dir, layout, store: Store::in_memory().expect("journal") }
    }

    fn settle(&self) -> usize {
        let audit = self.audit();
        let how: (&dyn Witness, &dyn Fn(Step)) = (&Recorded::new(&audit, WallMs(9)), &|_| {});
        settle(&RealDisk, &self.layout, &self.store, WallMs(9), how).expect("settled")
    }

    fn audit(&self) -> Audit {
        Audit::new(Arc::new(RealDisk), self.layout.staging.with_file_name("state"))
    }

    /// The audit records of removals: order, number of files, and mark.
    fn removals(&self) -> Vec<(Option<String>, Option<u64>, String)> {
        let records = self.audit().read(1).expect("read").into_iter();
        let removals = records.filter(|record| record.what == AuditEvent::HeldRemoved.as_str());
        let told = |one: Record| {
            (one.order, one.details.get("files").and_then(serde_json::Value::as_u64), one.result)
        };
        removals.map(told).collect()
    }

    /// A revision lying there.
    fn lies(&self, dir: &str, revision: u32) -> Found {
        let (manifest, manifest_sha256) = sealed(&self.layout.held_dir(dir), revision, &FILES);
        Found { dir: dir.to_owned(), manifest, manifest_sha256 }
    }

    fn knows(&self, found: &Found) {
        let order = self.order();
        self.store.save(&OrderRecord { fetched: order.evidence, ..order }).expect("saved");
        learn(&self.store, &key(), found.clone(), None, WallMs(1)).expect("held");
    }

    fn order(&self) -> OrderRecord {
        let known = self.store.order(&key()).expect("read");
        let remote = RemoteOrder::new(key().order, Status::Ready);
        known.unwrap_or_else(|| OrderRecord::new(key(), remote, WallMs(1)))
    }

    fn held(&self) -> Option<String> {
        self.store.held(&key()).expect("read").map(|held| held.dir)
    }

    fn dirs(&self) -> Vec<String> {
        let found = held::found(&RealDisk, &self.layout).expect("listed").found;
        found.into_iter().map(|one| one.dir).collect()
    }
}

#[test]
fn a_lost_journal_learns_what_is_held_back() {
    let world = World::new();
    world.lies("x~h1-1", 1);
    assert_eq!(world.settle(), 1);
    assert_eq!(world.held().as_deref(), Some("x~h1-1"));
    assert_eq!((world.order().state(), world.order().is_wanted()), (OrderState::Held, false));
    assert_eq!(world.settle(), 0, "once");
}

#[test]
fn a_hold_that_was_not_recorded_counts_and_the_order_stays_wanted() {
    let world = World::new();
    world.store.save(&world.order()).expect("saved");
    world.lies("x~h1-1", 1);
    assert_eq!(world.settle(), 1);
    assert!(world.order().is_wanted() && world.held().is_some());
}

#[test]
fn a_newer_one_takes_the_place_of_the_older_and_that_goes() {
    let world = World::new();
    world.knows(&world.lies("x~h1-1", 1));
    world.lies("x~h2-2", 1);
    assert_eq!(world.settle(), 1);
    assert_eq!(
        (world.held().as_deref(), world.dirs()),
        (Some("x~h2-2"), vec!["x~h2-2".to_owned()])
    );
}

#[test]
fn what_is_left_of_an_attempt_that_failed_never_replaces_the_one_that_did_not() {
    let world = World::new();
    world.knows(&world.lies("x~h1-1", 1));
    for (dir, revision) in [("x~h0-9", 1), ("x~h1-0", 1), ("x~h1-9", 1)] {
        world.lies(dir, revision);
    }
    assert_eq!(world.settle(), 0);
    assert_eq!(
        (world.held().as_deref(), world.dirs()),
        (Some("x~h1-1"), vec!["x~h1-1".to_owned()])
    );
}

#[test]
fn one_that_is_not_whole_is_no_copy_of_anything_and_is_left_to_people() {
    let world = World::new();
    world.lies("x~h1-1", 1);
    std::fs::write(world.layout.held_dir("x~h1-1").join("a.stl"), "mush").expect("written");
    assert_eq!(world.settle(), 0);
    assert_eq!((world.held(), world.dirs()), (None, vec!["x~h1-1".to_owned()]));
}

#[test]
fn what_was_replaced_by_a_publication_is_removed_and_what_comes_after_it_is_not() {
    for (revision, stays) in [(1, false), (2, true)] {
        let world = World::new();
        let found = world.lies("x~h1-1", revision);
        let (manifest, sha) = sealed(&world.layout.order_dir(&key()), 1, &FILES);
        let mut order = world.order();
        order.fetched = order.evidence;
        order.published = Some(PublishedRecord {
            revision: 1,
            manifest_sha256: sha.clone(),
            at: WallMs(1),
            confirmed: WallMs(1),
            place: Place::Main,
            history_seen: 0,
        });
        let revision = crate::journal::RevisionRecord {
            manifest,
            manifest_sha256: sha,
            is_found: false,
            place: Place::Main,
            at: WallMs(1),
            confirmed: WallMs(1),
            history_seen: 0,
        };
        world.store.save_revision(&key(), &revision).expect("saved");
        world.store.save(&order).expect("saved");
        world.settle();
        assert_eq!(world.held().is_some(), stays);
        assert_eq!(world.dirs() == vec![found.dir], stays);
        let told = |mark: &str| (Some(key().order.to_string()), Some(1), mark.to_owned());
        let removals = if stays { vec![] } else { vec![told("begun"), told("done")] };
        assert_eq!(world.removals(), removals);
    }
}

#[test]
fn what_cannot_be_recorded_stays_until_it_can() {
    let world = World::new();
    world.knows(&world.lies("x~h1-1", 1));
    world.lies("x~h0-9", 1);
    let state = world.layout.staging.with_file_name("state");
    std::fs::write(&state, "in the way").expect("written");
    world.settle();
    assert_eq!(world.dirs().len(), 2);
    std::fs::remove_file(&state).expect("removed");
    world.settle();
    assert_eq!((world.dirs(), world.removals().len()), (vec!["x~h1-1".to_owned()], 2));
}

#[test]
fn an_order_of_which_nothing_is_left_is_wanted_again() {
    let world = World::new();
    world.knows(&world.lies("x~h1-1", 1));
    std::fs::remove_dir_all(world.layout.held()).expect("removed");
    world.settle();
    assert!(world.order().is_wanted() && world.held().is_none());
    assert_eq!(world.order().state(), OrderState::Waiting);
}
