//! What others plant in the agent's folders is told, and never obeyed: no file outside them is deleted,
//! nothing hangs.

use std::path::{Path, PathBuf};

use casedrop::simulator::CaseKind;
use casedrop::store::FILE_NAME;
use serde_json::Value;

use super::tree;
use super::world::{ACCOUNT, LAB, World, order};

const KEEP: &str = "history: { keep: null }\nretention: { keep: 90d, min_free: 1MB }\n";

/// Everything that the agent keeps for itself.
fn treasures(world: &World) -> Vec<PathBuf> {
    let mut found = tree::files(&world.state());
    found.push(world.config());
    found.retain(|path| !path.to_string_lossy().contains(".sqlite"));
    found
}

/// A manifest of an order that lists files of the agent's own, seen from `dir`.
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

/// A world with one published order, and what its manifest says.
fn world() -> (World, String, Value) {
    let world = World::with_config(KEEP);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    let bytes = std::fs::read(world.dir_of(&id).join("manifest.json")).expect("published");
    (world, id, serde_json::from_slice(&bytes).expect("JSON"))
}

fn lose_journal(world: &World) {
    for suffix in ["", "-wal", "-shm"] {
        // The others are not there after an orderly end.
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
