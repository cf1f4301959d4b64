//! Downloads that break off resume where they stopped, and two versions are never mixed in one
//! package.

use std::path::PathBuf;

use casedrop::simulator::{CaseKind, FaultKind};

use super::faults::{download, requests};
use super::world::{ACCOUNT, LAB, World, order, started, wait_for};
use super::{portal, tree};

const IDE: &str = "IDE";
/// Number of bytes that arrive before a download breaks off; a package has more.
const CAME: u64 = 3000;

fn spool(world: &World, id: &str) -> PathBuf {
    world.staging().join("work").join(format!("{LAB}~{ACCOUNT}~{id}.spool")).join("ide")
}

/// Number of bytes kept of a broken download.
fn kept(world: &World, id: &str) -> u64 {
    spool(world, id).metadata().map_or(0, |meta| meta.len())
}

/// An order whose download broke off in a pass.
fn broken(world: &World, kind: FaultKind) -> String {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.align().inject(download(kind).order(&id));
    let ended = world.sync();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    world.align().clear_faults();
    world.let_time_pass(&id);
    id
}

fn reset() -> FaultKind {
    FaultKind::Reset { after_bytes: CAME }
}

/// How often the package was sent from its beginning, and how often it was resumed.
fn sent(world: &World, id: &str) -> (u64, u64) {
    let ide = world.align().state().asset(id, IDE);
    (ide.started, ide.resumed)
}

/// The order is published as Align has it now, and nothing of the download is left.
fn assert_published(world: &World, id: &str) {
    let manifest = world.published(id);
    assert_eq!(manifest.revision, 1);
    world.good(&["verify"]);
    let work = world.staging().join("work");
    assert_eq!(std::fs::read_dir(work).expect("there").count(), 0, "nothing is left in staging");
    assert_eq!(world.align().state().counters.poll_violations, 0);
    assert_eq!(portal::listed(&manifest), portal::package(world, id), "the files at Align");
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_broke_off() {
    for (kind, config) in [
        (reset(), ""),
        (FaultKind::Truncate { after_bytes: CAME, announce_short: false }, ""),
        (FaultKind::Stall { after_bytes: CAME }, "downloads: { stall_timeout: 1s }\n"),
    ] {
        let world = World::with_config(config);
        let id = broken(&world, kind.clone());
        assert_eq!(kept(&world, &id), CAME, "{kind:?}");
        world.good(&["sync"]);
        assert_eq!(sent(&world, &id), (1, 1), "{kind:?}");
        let asked = requests(&world, "downloadAsset");
        assert!(asked.iter().any(|record| record.status == 206), "{kind:?}");
        assert_published(&world, &id);
    }
}

#[test]
fn a_download_of_no_announced_length_and_one_behind_a_redirect_go_on_too() {
    for change in [
        (|settings| settings.content_length = false) as fn(&mut casedrop::simulator::Settings),
        |settings| settings.redirect_to_storage = true,
    ] {
        let world = World::new();
        world.align().update_settings(change);
        let id = broken(&world, reset());
        assert_eq!(kept(&world, &id), CAME);
        world.good(&["sync"]);
        assert_eq!(sent(&world, &id), (1, 1));
        // The test's own client follows no redirects.
        world.align().update_settings(|settings| settings.redirect_to_storage = false);
        assert_published(&world, &id);
    }
}

#[test]
fn a_download_that_breaks_off_again_and_again_gets_on_each_time() {
    let world = World::new();
    let id = broken(&world, reset());
    for times in 2..=3 {
        world.align().inject(download(reset()).order(&id));
        assert_eq!(world.casedrop(&["sync"]).code, Some(3));
        assert_eq!(kept(&world, &id), times * CAME);
        world.align().clear_faults();
        world.let_time_pass(&id);
    }
    world.good(&["sync"]);
    assert_eq!(sent(&world, &id), (1, 3));
    assert_published(&world, &id);
}

#[test]
fn a_server_without_ranges_is_asked_for_the_whole() {
    let world = World::new();
    let id = broken(&world, reset());
    world.align().update_settings(|settings| settings.ranges = false);
    world.good(&["sync"]);
    assert_eq!(sent(&world, &id), (2, 0));
    assert_published(&world, &id);
}

#[test]
fn a_server_that_does_not_name_versions_is_asked_for_the_whole() {
    let world = World::new();
    world.align().update_settings(|settings| settings.etag = false);
    let id = broken(&world, reset());
    assert_eq!(kept(&world, &id), 0, "of no use");
    world.good(&["sync"]);
    assert_eq!(sent(&world, &id), (2, 0));
    assert_published(&world, &id);
}

#[test]
fn a_package_that_changed_in_between_comes_whole_and_is_no_mix() {
    let world = World::new();
    let id = broken(&world, reset());
    assert_eq!(kept(&world, &id), CAME);
    world.align().flow(&id, "rescan-completed").expect("changed");
    wait_for("the order", || {
        world.good(&["sync"]);
        (world.order(&id)["state"] == "published").then_some(())
    });
    let (started, resumed) = sent(&world, &id);
    // If the poll that reports the change happens during the download, it is fetched once more.
    assert!(started >= 2 && resumed == 0, "{started} {resumed}");
    assert_published(&world, &id);
}

#[test]
fn a_process_that_is_killed_in_the_middle_goes_on_after_its_restart() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.align().inject(download(FaultKind::Stall { after_bytes: CAME }));
    let agent = world.run();
    wait_for("the first bytes", || (kept(&world, &id) == CAME).then_some(()));
    agent.kill();
    world.align().clear_faults();
    assert_eq!(tree::orders(&world.output()).len(), 0);
    world.good(&["sync"]);
    assert_eq!(sent(&world, &id), (1, 1));
    assert_published(&world, &id);
}

#[test]
fn a_complete_download_is_not_repeated_only_because_the_process_died() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let mut command = world.command(&["sync"]);
    command.env("CASEDROP_TEST_KILL_AT", "spool-complete");
    assert!(!started(|| command.output()).status.success());
    assert!(kept(&world, &id) > CAME);
    wait_for("the order", || {
        world.good(&["sync"]);
        (world.order(&id)["state"] == "published").then_some(())
    });
    assert_eq!(sent(&world, &id), (1, 1));
    assert_published(&world, &id);
}

#[test]
fn a_beginning_that_a_power_cut_damaged_is_found_and_the_whole_comes_again() {
    let world = World::new();
    let id = broken(&world, reset());
    let path = spool(&world, &id);
    let mut bytes = std::fs::read(&path).expect("kept");
    bytes[2000] ^= 0xff;
    std::fs::write(&path, bytes).expect("damaged");
    let ended = world.casedrop(&["sync"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(world.order(&id)["trouble"]["code"], "zip-crc");
    assert_eq!((kept(&world, &id), sent(&world, &id)), (0, (1, 1)));
    assert!(!world.dir_of(&id).exists());
    world.let_time_pass(&id);
    world.good(&["sync"]);
    assert_eq!(sent(&world, &id), (2, 1));
    assert_published(&world, &id);
}

#[test]
fn what_nobody_will_continue_is_swept_away_at_the_next_start() {
    let world = World::new();
    let id = broken(&world, reset());
    let stray = spool(&world, "17");
    std::fs::create_dir_all(stray.parent().expect("a folder")).expect("made");
    std::fs::write(&stray, "of an order that is known no more").expect("written");
    // Whatever Align builds now differs from what has arrived.
    world.align().inject(download(super::faults::status(404)).order(&id));
    assert_eq!(world.casedrop(&["sync"]).code, Some(0));
    assert_eq!(world.order(&id)["state"], "regenerating");
    let work = world.staging().join("work");
    assert_eq!(std::fs::read_dir(work).expect("there").count(), 0);
}
