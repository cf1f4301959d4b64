//! An answer about one order affects that order and nothing else.

use casedrop::simulator::{CaseKind, FaultKind};

use super::faults::{download, heals, refreshes, status};
use super::world::{World, order};

#[test]
fn an_order_that_is_refused_says_nothing_about_the_login() {
    for code in [401, 403, 451] {
        let world = World::new();
        let before = refreshes(&world);
        heals(&world, download(status(code)), &format!("http-{code}"));
        let renewals = u64::from(code == 401);
        assert_eq!(refreshes(&world), before + renewals, "{code}");
    }
}

#[test]
fn a_page_in_place_of_the_files_is_told_as_what_it_is_and_heals() {
    let world = World::new();
    heals(&world, download(FaultKind::web_page(200, "Service unavailable")), "wrong-content");
}

#[test]
fn links_to_storage_are_followed_without_the_token() {
    let world = World::new();
    world.align().update_settings(|settings| settings.link_to_storage = true);
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    world.good(&["sync"]);
    world.published(&id);
    let state = world.align().state();
    assert!(state.requests("storage") >= 2);
    assert_eq!(state.counters.storage_with_authorization, 0);
}
