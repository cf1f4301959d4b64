//! Incomplete orders that are held back but requested anyway.

use super::*;
use crate::journal::Held;
use crate::model::manifest::Manifest;
use crate::model::stand_in::stand_in;
use casedrop_testing::{manifest_of, sealed};

impl World {
    fn hold(&self, lab: &str, order: &str) {
        self.hold_sealed(lab, order, (manifest_of(1, &[]), String::new()));
    }

    fn hold_sealed(&self, lab: &str, order: &str, (manifest, manifest_sha256): (Manifest, String)) {
        let held = Held {
            key: key(lab, order),
            manifest,
            manifest_sha256,
            dir: "x~h1-1".to_owned(),
            evidence: 1,
            history_seen: 0,
            etag: None,
            at: WallMs(1),
            confirmed: WallMs(1),
            released: false,
        };
        self.journal(|store| {
            let mut record = store.order(&held.key)?.expect("known");
            (record.fetched, record.held) = (record.evidence, Some(held.record()));
            store.hold(&held)?;
            store.save(&record)
        });
    }
}

#[test]
fn only_what_is_held_back_is_published_all_the_same() {
    let world = World::new(&["smile-lab"]);
    world.know("smile-lab", "17", "rx-17");
    let publish = |orders: &[&str]| Request::Publish {
        lab: None,
        orders: orders.iter().map(|order| id(order)).collect(),
    };
    let reply = world.serve("a", &publish(&["17"]));
    assert_eq!(reply.outcome, Outcome::Refused, "{reply:?}");
    assert!(reply.message.contains("nothing was done"), "{reply:?}");
    let reply = world.serve("b", &publish(&["99"]));
    assert_eq!(reply.outcome, Outcome::Refused, "an order that nobody knows: {reply:?}");
    world.hold("smile-lab", "17");
    let reply = world.serve("c", &publish(&["17", "rx-17"]));
    assert_eq!(reply.outcome, Outcome::Done, "{reply:?}");
    assert_eq!(reply.details["orders"].as_array().map(Vec::len), Some(1));
    assert_eq!(world.journal(Store::released), [key("smile-lab", "17")]);
    let story = world.journal(|store| store.story(&key("smile-lab", "17")));
    assert_eq!(story.last().map(|line| line.kind.as_str()), Some("released"));
    assert_eq!(world.errands(), [], "Align has nothing to do with it");
}

#[test]
fn the_page_reads_what_is_held_back_and_nothing_else_that_lies_there() {
    let world = World::new(&["smile-lab"]);
    world.know("smile-lab", "17", "rx-17");
    let dir = world.handler.layout.held_dir("x~h1-1");
    let made = sealed(&dir, 3, &[("upper.stl", "mesh"), ("photo of jane.jpg", "face")]);
    world.hold_sealed("smile-lab", "17", made);
    std::fs::write(dir.join("other.stl"), "of others").expect("written");
    let read = |revision: u32, path: &str| {
        let found = world.handler.file(&key("smile-lab", "17"), revision, path).expect("asked");
        found.map(|mut found| {
            let mut text = String::new();
            found.content.read_to_string(&mut text).expect("read");
            text
        })
    };
    assert_eq!(read(3, "upper.stl").as_deref(), Some("mesh"));
    let named = stand_in("photo of jane.jpg", "17").into_owned();
    assert_eq!(read(3, &named).as_deref(), Some("face"), "under the name that the page has");
    for (revision, path) in
        [(1, "upper.stl"), (3, "other.stl"), (3, "../x~h1-1/upper.stl"), (3, "manifest.json")]
    {
        assert_eq!(read(revision, path), None, "{revision} {path}");
    }
    std::fs::write(dir.join(crate::model::manifest::FILE_NAME), "{}").expect("written");
    assert_eq!(read(3, "upper.stl"), None, "somebody else's manifest");
}
