//! Every case flow under one order id.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use casedrop::model::manifest::{Manifest, Reason};
use casedrop::simulator::{CaseKind, FaultKind, FaultRule, OrderSpec};

use super::world::{World, order, wait_for};
use super::{portal, tree};

/// Checks that the revision is published with this reason and holds what Align has now, that the
/// previous one is kept whole, and that the journal agrees.
fn assert_revision(world: &World, id: &str, revision: u32, reason: Reason) -> Manifest {
    let story = wait_for(&format!("revision {revision} of {id}"), || {
        let story = world.order_or_null(id);
        (story["revision"] == revision && story["state"] == "published").then_some(story)
    });
    let manifest = world.published(id);
    assert_eq!((manifest.revision, manifest.reason), (revision, reason));
    assert_eq!(manifest.order_id, id);
    assert_eq!(portal::listed(&manifest), portal::package(world, id), "the files at Align");

    let told = story["revisions"].as_array().expect("revisions");
    assert_eq!(told.len(), revision as usize);
    // The journal, where this comes from, keeps no names.
    assert_eq!(told.last(), serde_json::to_value(manifest.without_names()).ok().as_ref());
    assert_eq!(times_told(&story, "published"), revision as usize, "{story:#}");
    assert!(times_told(&story, "seen") >= revision as usize, "{story:#}");
    assert_eq!(story["path"].as_str().map(Path::new), Some(&*world.dir_of(id)));

    let Some(previous) = &manifest.previous else {
        assert_eq!(revision, 1);
        return manifest;
    };
    let kept = world.history_of(id, revision - 1);
    let old = tree::check_order(&kept).expect("the old revision is kept whole");
    assert_eq!((previous.revision, old.revision), (revision - 1, revision - 1));
    let bytes = std::fs::read(kept.join("manifest.json")).expect("its manifest");
    assert_eq!(previous.manifest_sha256, tree::hash(&bytes));
    assert_ne!(portal::listed(&old), portal::listed(&manifest), "other files");
    manifest
}

fn times_told(story: &serde_json::Value, kind: &str) -> usize {
    story["events"].as_array().expect("events").iter().filter(|event| event["kind"] == kind).count()
}

/// Paths, times and inodes, which change when anything below the directory is rewritten.
fn identity(dir: &Path) -> Vec<(PathBuf, SystemTime, u64)> {
    let mut all = tree::files(dir);
    all.push(dir.to_owned());
    all.sort();
    let of = |path: PathBuf| {
        let meta = std::fs::metadata(&path).expect("metadata");
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&meta);
        #[cfg(not(unix))]
        let inode = 0;
        (path, meta.modified().expect("a time"), inode)
    };
    all.into_iter().map(of).collect()
}

fn downloads(world: &World, id: &str) -> u64 {
    world.align().state().asset(id, "IDE").started
}

fn assert_polite(world: &World) {
    assert_eq!(world.align().state().counters.poll_violations, 0);
}

#[test]
fn a_first_scan_is_published_whole() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.good(&["sync"]);
    let manifest = assert_revision(&world, &id, 1, Reason::FirstScan);
    assert_eq!(manifest.account.name.as_deref(), Some("Smile Dental Lab"));
    assert_eq!(manifest.previous, None);
    world.good(&["verify"]);
    assert_polite(&world);
}

#[test]
fn a_case_that_comes_back_from_modeling_is_published_anew() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let _agent = world.run();
    assert_revision(&world, &id, 1, Reason::FirstScan);
    let before = identity(&world.dir_of(&id));

    world.align().flow(&id, "send-to-modeling").expect("sent");
    world.wait_for_polls(2);
    assert_eq!(identity(&world.dir_of(&id)), before, "nothing new while it is being modeled");

    world.align().flow(&id, "modeling-completed").expect("back");
    let manifest = assert_revision(&world, &id, 2, Reason::AfterModeling);
    assert_eq!(manifest.status, "Lab Review");
    world.good(&["verify"]);
    assert_polite(&world);
}

#[test]
fn a_rescan_is_published_under_the_same_order_id() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoBase)).expect("created");
    let _agent = world.run();
    assert_revision(&world, &id, 1, Reason::FirstScan);
    world.align().flow(&id, "return-to-doctor").expect("returned");
    world.wait_for_polls(2);
    assert_eq!(world.published(&id).revision, 1);

    world.align().flow(&id, "rescan-completed").expect("rescanned");
    let manifest = assert_revision(&world, &id, 2, Reason::Rescan);
    assert_eq!(manifest.status, "Ready for Download");
    assert_eq!(tree::orders(&world.output()), [world.dir_of(&id)]);
    assert_polite(&world);
}

#[test]
fn a_physical_model_changes_no_file() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let _agent = world.run();
    assert_revision(&world, &id, 1, Reason::FirstScan);
    world.align().flow(&id, "send-to-modeling").expect("sent");
    world.align().flow(&id, "modeling-completed").expect("back");
    assert_revision(&world, &id, 2, Reason::AfterModeling);
    let (before, fetched) = (identity(&world.dir_of(&id)), downloads(&world, &id));
    for status in ["iTero Milling", "Ready to Ship", "Downloaded"] {
        world.align().flow(&id, "physical-model").expect("moved");
        assert_eq!(world.align().state().order(&id).expect("there").status, status);
        world.wait_for_polls(2);
    }
    assert_eq!(identity(&world.dir_of(&id)), before);
    assert_eq!(downloads(&world, &id), fetched);
    assert_polite(&world);
}

#[test]
fn a_physical_model_that_is_listed_again_without_new_files_is_not_rewritten() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let _agent = world.run();
    assert_revision(&world, &id, 1, Reason::FirstScan);
    for _ in 0..3 {
        world.align().flow(&id, "physical-model").expect("moved");
    }
    assert_listed_again_is_unchanged(&world, &id);
}

#[test]
fn the_same_bytes_listed_again_cause_no_second_write() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let _agent = world.run();
    assert_revision(&world, &id, 1, Reason::FirstScan);
    assert_listed_again_is_unchanged(&world, &id);
}

/// The order becomes ready again with the same files.
fn assert_listed_again_is_unchanged(world: &World, id: &str) {
    let (before, fetched) = (identity(&world.dir_of(id)), downloads(world, id));
    world.align().flow(id, "first-scan").expect("ready again");
    let story = wait_for("the second fetch", || {
        Some(world.order(id)).filter(|story| times_told(story, "unchanged") == 1)
    });
    assert_eq!((&story["revision"], &story["state"]), (&1.into(), &"published".into()));
    assert_eq!(identity(&world.dir_of(id)), before);
    assert_eq!(downloads(world, id), fetched + 1);
    assert!(!world.history_of(id, 1).exists());
    assert_polite(world);
}

#[test]
fn an_order_that_stays_listed_after_its_download_is_not_fetched_in_a_loop() {
    let world = World::new();
    world.align().update_settings(|settings| settings.list_lag_ms = 600_000);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let _agent = world.run();
    world.wait_for_state(&id, "published");
    world.wait_for_polls(4);
    assert!(world.align().state().order(&id).expect("there").listed);
    assert_eq!(downloads(&world, &id), 1);
    assert_polite(&world);
}

#[test]
fn interpretation_2_is_a_new_revision() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let _agent = world.run();
    assert_revision(&world, &id, 1, Reason::FirstScan);
    world.align().flow(&id, "interpretation-2").expect("sent");
    world.wait_for_polls(2);
    assert_eq!(world.published(&id).revision, 1);
    world.align().flow(&id, "interpretation-2").expect("back");
    assert_revision(&world, &id, 2, Reason::Interpretation2);
    assert_polite(&world);
}

#[test]
fn changed_files_of_a_listed_order_are_a_new_revision() {
    let world = World::new();
    // It never leaves the list, so its details are the only sign of a change.
    world.align().update_settings(|settings| settings.list_lag_ms = 600_000);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let _agent = world.run();
    assert_revision(&world, &id, 1, Reason::FirstScan);
    world.align().flow(&id, "files-changed").expect("changed");
    world.align().flow(&id, "first-scan").expect("ready");
    assert_revision(&world, &id, 2, Reason::FilesChanged);
    assert_polite(&world);
}

#[test]
fn an_order_that_another_client_takes_first_is_fetched_all_the_same() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.align().inject(FaultRule::on("downloadAsset", FaultKind::Disconnect));
    let ended = world.sync();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    world.align().take(&id).expect("taken");
    assert!(!world.align().state().order(&id).expect("there").listed);
    world.align().clear_faults();
    world.let_time_pass(&id);
    world.good(&["sync"]);
    assert_revision(&world, &id, 1, Reason::FirstScan);
    assert_polite(&world);
}

#[test]
fn a_whole_life_leaves_every_revision_under_one_order_id() {
    let world = World::new();
    let spec = OrderSpec { top_folder: true, macosx: true, ..order(CaseKind::Restorative) };
    let id = world.align().create_order(&spec).expect("created");
    let agent = world.run();
    wait_for("revision 1", || (world.order_or_null(&id)["revision"] == 1).then_some(()));
    let stations = [
        (&["send-to-modeling", "modeling-completed"][..], Reason::AfterModeling),
        (&["return-to-doctor", "rescan-completed"], Reason::Rescan),
        (&["interpretation-2", "interpretation-2"], Reason::Interpretation2),
        (&["files-changed", "first-scan"], Reason::FilesChanged),
    ];
    for ((transitions, reason), revision) in stations.into_iter().zip(2..) {
        for transition in transitions {
            world.align().flow(&id, transition).expect("moved");
        }
        wait_for(&format!("{reason:?}"), || {
            (world.order_or_null(&id)["revision"] == revision).then_some(())
        });
        let manifest = world.published(&id);
        assert_eq!((manifest.revision, manifest.reason), (revision, reason));
    }
    agent.kill();
    for revision in 1..=4 {
        let kept = tree::check_order(&world.history_of(&id, revision)).expect("kept");
        assert_eq!(kept.revision, revision);
    }
    assert_eq!(tree::orders(&world.output()), [world.dir_of(&id)]);
    let manifest = world.published(&id);
    assert!(manifest.left_out.iter().any(|path| path.starts_with("__MACOSX/")), "{manifest:?}");
    world.good(&["verify"]);
    for file in tree::files(&world.state()) {
        let bytes = std::fs::read(&file).expect("readable");
        let name = b"Simulated-Patient";
        assert!(!bytes.windows(name.len()).any(|here| here == name), "{}", file.display());
    }
    assert_polite(&world);
}
