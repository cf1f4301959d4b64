//! Incomplete orders that are held back, and wanted all the same.

use super::*;
use crate::local::testing::manifest_of;
use crate::store::Held;

impl World {
    fn hold(&self, lab: &str, order: &str) {
        let held = Held {
            key: key(lab, order),
            manifest: manifest_of(1, &[]),
            manifest_sha256: String::new(),
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
