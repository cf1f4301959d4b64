//! What is hard on Windows: long paths, names that it cannot store, attributes. Most of it runs on
//! every system, since the result must be the same.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::path::Path;

use casedrop::simulator::{CaseKind, FaultKind};

use super::faults::download;
use super::tree;
use super::world::{World, order, order_with_id, wait_for};

const KEEP: &str = "history: { keep: 30d }\nretention: { keep: 90d, min_free: 1MB }\n";

/// The order comes back from modeling, and its next revision is published.
fn come_back(world: &World, id: &str, revision: u32) {
    world.align().flow(id, "send-to-modeling").expect("sent");
    world.align().flow(id, "modeling-completed").expect("back");
    wait_for("the next revision", || {
        world.sync();
        tree::manifest(&world.dir_of(id)).ok().filter(|found| found.revision == revision)
    });
}

#[test]
fn an_order_far_down_is_published_replaced_kept_and_removed_like_any_other() {
    let world = World::far_down(KEEP);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    assert!(world.dir_of(&id).as_os_str().len() > 300);
    world.published(&id);
    world.good(&["verify"]);

    come_back(&world, &id, 2);
    world.published(&id);
    tree::check_order(&world.history_of(&id, 1)).expect("the old revision is kept whole");

    world.let_days_pass(91);
    world.good(&["sync"]);
    assert!(!world.dir_of(&id).exists() && !world.history_of(&id, 1).exists());
    assert_eq!(world.order(&id)["state"], "removed");
    let retired = std::fs::read_dir(world.staging().join("retired")).expect("there");
    assert_eq!(retired.count(), 0, "nothing is left of it");
}

#[test]
fn a_running_agent_far_down_is_reached_by_commands() {
    let world = World::far_down("");
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_state(&id, "published");
    assert_eq!(world.json(&["status"])["agent"]["running"], true);
    agent.kill();
}

#[test]
fn names_that_windows_cannot_hold_are_written_otherwise_and_the_manifest_has_both() {
    let world = World::new();
    for which in ["reserved-names", "case-clash"] {
        world.align().create_order(&order_with_id(CaseKind::OrthoShell, which)).expect("created");
        let kind = FaultKind::Hostile { which: which.to_owned() };
        world.align().inject(download(kind).order(which));
    }
    world.sync();
    let names = |id: &str| -> BTreeMap<String, String> {
        let files = world.published(id).files.into_iter();
        files.filter_map(|file| Some((file.original_name?, file.path.into()))).collect()
    };
    let reserved = names("reserved-names");
    for (vendor, here) in [
        ("CON.stl", "%43ON.stl"),
        ("aux", "%61ux"),
        ("trailing dot.", "trailing dot%2E"),
        ("trailing space ", "trailing space%20"),
        ("colon:stream.stl", "colon%3Astream.stl"),
    ] {
        assert_eq!(reserved.get(vendor).map(String::as_str), Some(here), "{reserved:?}");
    }
    // Both names that differ only by case are there, one of them under another name.
    let files = world.published("case-clash").files;
    let meshes: Vec<_> = files
        .iter()
        .map(|file| file.path.to_lowercase())
        .filter(|it| it.contains("occlusion"))
        .collect();
    assert_eq!(meshes.len(), 2, "{files:?}");
    assert_ne!(meshes[0], meshes[1]);
    assert_eq!(names("case-clash").len(), 1, "{files:?}");
    world.good(&["verify"]);
}

/// Marks every file below as read-only, and on Windows every folder too.
fn make_read_only(dir: &Path) {
    let set = |path: &Path| {
        let mut permissions: Permissions = std::fs::metadata(path).expect("there").permissions();
        permissions.set_readonly(true);
        std::fs::set_permissions(path, permissions).expect("set");
    };
    for file in tree::files(dir) {
        set(&file);
        if cfg!(windows) {
            set(file.parent().expect("a folder"));
        }
    }
}

#[test]
fn what_somebody_marked_as_read_only_is_replaced_and_removed_all_the_same() {
    let world = World::with_config(KEEP);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    make_read_only(&world.dir_of(&id));
    come_back(&world, &id, 2);
    make_read_only(&world.dir_of(&id));
    world.let_days_pass(91);
    world.good(&["sync"]);
    assert!(!world.dir_of(&id).exists() && !world.history_of(&id, 1).exists());
    assert_eq!(world.order(&id)["state"], "removed");
}

#[cfg(windows)]
#[test]
fn staging_has_the_attribute_that_explorer_looks_at_and_the_output_has_not() {
    use std::os::windows::fs::MetadataExt as _;
    const HIDDEN: u32 = 2;

    let world = World::new();
    world.sync();
    let hidden =
        |path: &Path| std::fs::metadata(path).expect("there").file_attributes() & HIDDEN == HIDDEN;
    assert!(hidden(&world.staging()));
    assert!(!hidden(&world.output()));
}

#[cfg(windows)]
#[test]
fn an_output_in_the_extended_form_takes_orders() {
    let world = World::new();
    let quoted = |path: &Path| serde_json::to_string(path).expect("a Unicode path");
    let extended = format!(r"\\?\{}", world.output().display());
    let yaml = world.yaml().replace(&quoted(&world.output()), &quoted(Path::new(&extended)));
    std::fs::write(world.config(), yaml).expect("written");
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.published(&id);
    assert!(world.staging().is_dir());
}
