//! Every case flow under one order id.

use casedrop::model::manifest::Reason;
use casedrop::simulator::CaseKind;

use super::world::{World, order};

#[test]
fn a_first_scan_is_published_whole() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.good(&["sync"]);
    let manifest = world.published(&id);
    assert_eq!((manifest.revision, manifest.reason), (1, Reason::FirstScan));
    assert_eq!(manifest.account.name.as_deref(), Some("Smile Dental Lab"));
    world.good(&["verify"]);
    assert_eq!(world.align().state().counters.poll_violations, 0);
}
