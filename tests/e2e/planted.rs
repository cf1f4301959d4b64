//! Manifests and pipes planted in the agent's folders are reported and never obeyed: no file
//! outside is deleted, and nothing hangs.

use std::path::{Path, PathBuf};

use casedrop::journal::FILE_NAME;
use casedrop::simulator::CaseKind;
use serde_json::Value;

use super::tree;
use super::world::{ACCOUNT, LAB, World, order};

const KEEP: &str = "history: { keep: null }\nretention: { keep: 90d, min_free: 1MB }\n";

/// All of the agent's own files.
fn treasures(world: &World) -> Vec<PathBuf> {
    let mut found = tree::files(&world.state());
    found.push(world.config());
    found.retain(|path| !path.to_string_lossy().contains(".sqlite"));
    found
}

/// A manifest for an order at `dir` that lists the agent's own files.
fn planted(world: &World, dir: &Path, id: &str, template: &Value) -> Value {
    let up = dir.strip_prefix(world.dir()).expect("below").components().count();
    let mut entries = Vec::new();
    for path in treasures(world) {
        let below =
            path.strip_prefix(world.dir()).expect("below").to_string_lossy().replace('\\', "/");
        let bytes = std::fs::read(&path).unwrap_or_default();
        entries.push(serde_json::json!({
            "path": format!("{}{below}", "../".repeat(up)),
            "size": bytes.len(),
            "sha256": tree::hash(&bytes),
            "role": "attachment",
        }));
    }
    assert!(entries.len() > 2, "there is something to lose");
    let mut manifest = template.clone();
    manifest["order_id"] = id.into();
    manifest["revision"] = 1.into();
    manifest["files"] = entries.into();
    manifest
}

fn plant(world: &World, dir: &Path, id: &str, template: &Value) {
    std::fs::create_dir_all(dir).expect("made");
    let manifest = planted(world, dir, id, template);
    std::fs::write(dir.join("manifest.json"), manifest.to_string()).expect("planted");
}

/// A world with one published order, and its manifest.
fn world() -> (World, String, Value) {
    let world = World::with_config(KEEP);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    let bytes = std::fs::read(world.dir_of(&id).join("manifest.json")).expect("published");
    (world, id, serde_json::from_slice(&bytes).expect("JSON"))
}

fn lose_journal(world: &World) {
    for suffix in ["", "-wal", "-shm"] {
        // After a clean shutdown the others do not exist.
        let _ = std::fs::remove_file(world.state().join(format!("{FILE_NAME}{suffix}")));
    }
}

#[test]
fn a_manifest_planted_among_what_is_being_removed_deletes_nothing() {
    let (world, id, template) = world();
    let name = format!("{LAB}~{ACCOUNT}~666~main~r1");
    plant(&world, &world.staging().join("retired").join(name), "666", &template);
    let before = treasures(&world);
    let ended = world.casedrop(&["sync"]);
    assert_eq!(treasures(&world), before, "{ended:?}");
    assert!(ended.stderr.contains("666") && ended.stderr.contains("entry 1"), "{ended:?}");
    world.published(&id);
}

#[test]
fn a_manifest_planted_in_the_output_deletes_nothing_when_the_journal_is_lost() {
    let (world, id, template) = world();
    plant(&world, &world.dir_of("666"), "666", &template);
    lose_journal(&world);
    let before = treasures(&world);
    let ended = world.casedrop(&["sync"]);
    assert!(ended.stderr.contains("entry 1"), "{ended:?}");
    world.let_days_pass(100);
    let ended = world.casedrop(&["sync"]);
    assert_eq!(treasures(&world), before, "{ended:?}");
    world.published(&id);
    assert!(world.dir_of("666").join("manifest.json").is_file(), "it is nobody's to remove");
    let ended = world.casedrop(&["verify"]);
    assert!(ended.code == Some(1) && ended.stdout.contains("entry 1"), "{ended:?}");
}

#[test]
fn an_order_of_unknown_origin_is_told_and_never_removed_until_it_is_fetched_again() {
    let (world, id, _) = world();
    lose_journal(&world);
    let ended = world.casedrop(&["sync"]);
    assert!(ended.stderr.contains("of unknown origin"), "{ended:?}");
    let told = world.good(&["verify"]).stdout;
    assert!(told.contains(&format!("{LAB}/{ACCOUNT}/{id} is of unknown origin")), "{told}");
    assert_eq!(world.json(&["verify"])["unknown_origin"].as_array().expect("a list").len(), 1);
    world.let_days_pass(100);
    world.good(&["sync"]);
    world.published(&id);
    assert!(world.audit().iter().all(|(what, _)| !what.contains("removed")));

    world.good(&["refetch", &id]);
    world.good(&["sync"]);
    world.published(&id);
    assert!(!world.good(&["verify"]).stdout.contains("unknown origin"));
    world.let_days_pass(100);
    world.good(&["sync"]);
    assert!(!world.dir_of(&id).exists(), "Align handed out the very same");
}

#[cfg(target_os = "linux")]
mod pipes {
    use super::*;

    /// Replaces a file with a pipe; returns where the file is kept.
    fn pipe_at(path: &Path) -> PathBuf {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let kept = path.ancestors().nth(1).expect("a folder").join("../kept");
        if path.exists() {
            std::fs::rename(path, &kept).expect("moved aside");
        }
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        kept
    }

    fn back(path: &Path, kept: &Path) {
        std::fs::remove_file(path).expect("removed");
        std::fs::rename(kept, path).expect("moved back");
    }

    #[test]
    fn a_pipe_in_the_place_of_a_file_is_told_and_nobody_waits_for_it() {
        let (world, id, _) = world();
        let manifest = world.dir_of(&id).join("manifest.json");
        let kept = pipe_at(&manifest);
        let ended = world.casedrop(&["verify"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stdout.contains("manifest.json is a pipe, not a file"), "{ended:?}");
        lose_journal(&world);
        let ended = world.casedrop(&["sync"]);
        assert!(ended.stderr.contains("is a pipe, not a file"), "{ended:?}");
        back(&manifest, &kept);

        let marker = world.output().join(".casedrop-root");
        let kept = pipe_at(&marker);
        let ended = world.casedrop(&["sync"]);
        assert!(ended.code != Some(0), "{ended:?}");
        assert!(ended.stderr.contains("is a pipe, not a file"), "{ended:?}");
        back(&marker, &kept);

        let log = world.state().join(format!("{FILE_NAME}-journal"));
        pipe_at(&log);
        for args in [&["sync"][..], &["orders"]] {
            let ended = world.casedrop(args);
            assert!(ended.code != Some(0), "{args:?}: {ended:?}");
            assert!(ended.stderr.contains("is a pipe, not a file"), "{args:?}: {ended:?}");
        }
        std::fs::remove_file(&log).expect("removed");
        world.good(&["sync"]);
        world.published(&id);
    }
}
