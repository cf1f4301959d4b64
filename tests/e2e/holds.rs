//! The real program holds incomplete orders back where the config says so: they stay until a user
//! or a newer revision decides, and neither a restart nor a lost journal changes that.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use casedrop::model::manifest::{Manifest, Severity};
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};
use serde_json::Value;

use super::command_folder::Commands;
use super::faults::{IDE, download};
use super::page::Browser;
use super::tree;
use super::world::{World, order, wait_for};

/// The config line that holds incomplete orders back.
pub const HOLD: &str = "hold: incomplete\n";

/// Creates an order whose first scan is cut off until the faults are cleared.
pub fn incomplete_order(world: &World) -> String {
    world.align().inject(cut());
    world.align().create_order(&order(CaseKind::OrthoShell)).expect("created")
}

fn cut() -> FaultRule {
    download(FaultKind::CutMesh { bytes: 7 })
}

/// The directories of held-back orders.
pub fn held_dirs(world: &World) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(world.staging().join("held")) else { return Vec::new() };
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

/// The content of the only held-back order, which must be whole.
pub fn held_content(world: &World) -> BTreeMap<PathBuf, Vec<u8>> {
    let dirs = held_dirs(world);
    let [dir] = &dirs[..] else { panic!("one is held back: {dirs:?}") };
    tree::check_order(dir).expect("whole");
    content(dir)
}

/// The files of a directory except its manifest, byte for byte.
pub fn content(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).expect("readable");
        (path.strip_prefix(dir).expect("below it").to_owned(), bytes)
    };
    let mut files: BTreeMap<_, _> = tree::files(dir).into_iter().map(read).collect();
    files.remove(Path::new("manifest.json")).expect("a manifest");
    files
}

fn lose_journal(world: &World) {
    for file in tree::files(&world.state()) {
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal")) {
            std::fs::remove_file(file).expect("removed");
        }
    }
}

/// The codes of findings that make the case unusable.
fn serious(manifest: &Manifest) -> Vec<&str> {
    let all = manifest.findings.iter().filter(|finding| finding.severity == Severity::Serious);
    all.map(|finding| finding.code.as_str()).collect()
}

/// Every command says that the order is held back, and nothing of it is visible.
fn assert_held(world: &World, id: &str) {
    assert_eq!(tree::orders(&world.output()), Vec::<PathBuf>::new(), "nothing is seen");
    let story = world.order(id);
    assert_eq!(
        (&story["state"], &story["incomplete"], &story["revision"], &story["held"]["revision"]),
        (&"held".into(), &true.into(), &Value::Null, &1.into()),
        "{story:#}"
    );
    assert_eq!(story["findings"][0]["code"], "mesh-cut", "{story:#}");
    for args in [["orders", "--incomplete"].as_slice(), &["orders", "--state", "held"]] {
        let listed = world.json(args);
        assert_eq!(
            (listed.as_array().map(Vec::len), &listed[0]["order_id"]),
            (Some(1), &id.into())
        );
    }
    let shown = world.good(&["show", id]).stdout;
    assert!(shown.contains("incomplete, not published"), "{shown}");
    assert!(shown.contains(&format!("casedrop publish {id}")), "{shown}");
}

/// Waits until the running agent reports orders held back as a reason to act, or no longer does.
fn wait_for_reason(world: &World, is_given: bool) {
    wait_for("the reason to act", || {
        let status: Value =
            serde_json::from_str(&world.casedrop(&["status", "--json"]).stdout).ok()?;
        let reasons = status["reasons"].as_array()?;
        let is_there = reasons.iter().any(|reason| reason["code"] == "orders-held");
        (status["agent"]["since"].is_string() && is_there == is_given).then_some(())
    });
}

fn downloads(world: &World, id: &str) -> u64 {
    world.align().state().asset(id, IDE).started
}

#[test]
fn what_is_incomplete_stays_held_back_until_somebody_publishes_it_byte_for_byte() {
    let world = World::with_config(&format!("{HOLD}status_page: {{ listen: '127.0.0.1:0' }}\n"));
    let id = incomplete_order(&world);
    let agent = world.run();
    world.wait_for_state(&id, "held");
    assert_held(&world, &id);
    let kept = held_content(&world);
    wait_for_reason(&world, true);
    let (code, health) = Browser::of(&world).get("/health");
    assert_eq!((code, health.contains("orders-held")), (200, true), "{health}");
    agent.kill();
    // The same without an agent.
    assert_held(&world, &id);

    for is_lost in [false, true] {
        if is_lost {
            lose_journal(&world);
            assert_eq!(world.order_or_null(&id), Value::Null, "nobody knows it");
        }
        let agent = world.run();
        wait_for_reason(&world, true);
        world.wait_for_polls(2);
        assert_held(&world, &id);
        assert_eq!(held_content(&world), kept);
        agent.kill();
    }
    let story = world.order(&id);
    let events = story["events"].as_array().expect("events");
    assert!(events.iter().any(|event| event["kind"] == "rebuilt"), "{story:#}");
    assert_eq!(downloads(&world, &id), 1, "it was here all the time");

    let agent = world.run();
    wait_for_reason(&world, true);
    world.good(&["publish", &id]);
    world.wait_for_state(&id, "published");
    wait_for_reason(&world, false);
    agent.kill();
    let manifest = world.published(&id);
    assert_eq!((manifest.revision, serious(&manifest)), (1, vec!["mesh-cut"]));
    assert_eq!(content(&world.dir_of(&id)), kept, "byte for byte");
    assert_eq!(held_dirs(&world), Vec::<PathBuf>::new());
    assert_eq!(downloads(&world, &id), 1);
    assert_eq!(world.order(&id)["incomplete"], true);
    let audit = world.audit();
    assert!(audit.contains(&("publish".to_owned(), "done".to_owned())), "{audit:?}");
    let removed = audit.iter().filter(|(what, _)| what == "held-removed").count();
    assert_eq!(removed, 0, "it was moved: {audit:?}");
    world.good(&["verify"]);
}

#[test]
fn a_command_file_publishes_what_is_held_back() {
    let world = World::with_config(&format!("{HOLD}commands: commands\n"));
    let id = incomplete_order(&world);
    let agent = world.run();
    world.wait_for_state(&id, "held");
    let kept = held_content(&world);
    let (commands, name) = (Commands::of(&world), format!("publish {id}.txt"));
    commands.put(&name, "");
    let receipt = commands.wait_for(&format!("done/{name}"));
    assert_eq!(receipt["outcome"], "done", "{receipt:#}");
    world.wait_for_state(&id, "published");
    agent.kill();
    world.published(&id);
    assert_eq!(content(&world.dir_of(&id)), kept);
    assert_eq!(held_dirs(&world), Vec::<PathBuf>::new());
}

#[test]
fn without_the_key_what_is_incomplete_is_published_and_says_so() {
    let world = World::new();
    let id = incomplete_order(&world);
    world.sync();
    let manifest = world.published(&id);
    assert_eq!(serious(&manifest), ["mesh-cut"]);
    assert_eq!(held_dirs(&world), Vec::<PathBuf>::new());
    let listed = world.json(&["orders", "--incomplete"]);
    assert_eq!((&listed[0]["order_id"], &listed[0]["state"]), (&id.into(), &"published".into()));
}

#[test]
fn a_newer_revision_takes_the_place_of_what_is_held_back_and_the_removal_is_on_record() {
    let world = World::with_config(HOLD);
    let id = incomplete_order(&world);
    let come_back = || {
        world.align().flow(&id, "return-to-doctor").expect("returned");
        world.align().flow(&id, "rescan-completed").expect("back");
    };
    let agent = world.run();
    world.wait_for_state(&id, "held");
    let first = held_content(&world);
    come_back();
    // The next revision is incomplete too and replaces it among the held-back orders.
    wait_for("the next one to be held back alone", || {
        let dirs = held_dirs(&world);
        let [dir] = &dirs[..] else { return None };
        (tree::check_order(dir).is_ok() && content(dir) != first).then_some(())
    });
    assert_held(&world, &id);
    let names: Vec<_> = first.keys().chain(held_content(&world).keys()).cloned().collect();
    world.align().clear_faults();
    come_back();
    world.wait_for_state(&id, "published");
    wait_for("what was held back to go", || held_dirs(&world).is_empty().then_some(()));
    let manifest = world.published(&id);
    assert_eq!((manifest.revision, serious(&manifest)), (1, vec![]));
    let marks = |world: &World| -> Vec<Value> {
        let records = world.json(&["audit"]);
        let records = records.as_array().expect("records").iter();
        records.filter(|record| record["what"] == "held-removed").cloned().collect()
    };
    let records = wait_for("the records", || Some(marks(&world)).filter(|all| all.len() == 4));
    for (record, mark) in records.iter().zip(["begun", "done", "begun", "done"]) {
        assert_eq!((&record["result"], &record["order"]), (&mark.into(), &id.as_str().into()));
        assert_eq!(record["details"]["files"], first.len(), "{record:#}");
        let text = record.to_string();
        assert!(!names.iter().any(|name| text.contains(&*name.to_string_lossy())), "{text}");
    }
    let log = agent.kill();
    let told =
        log.lines().filter(|line| line.contains("files that are no longer held back were removed"));
    assert_eq!(told.count(), 2, "{log}");
    world.good(&["audit", "--verify"]);
    world.good(&["verify"]);
}
