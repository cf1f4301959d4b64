//! Align, the output folder or its marker disappears for a time: the agent waits, reports it, and
//! resumes.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use casedrop::simulator::{CaseKind, FaultKind, FaultRule};

use super::tree;
use super::world::{World, ended, order, program, wait_for};

#[test]
fn an_agent_may_start_while_align_is_down_and_says_so() {
    let world = World::new();
    let host = world.base_url().replace("http://", "");
    let dir = world.stop_align();
    let command = |name: &str| {
        let mut command = Command::new(program());
        command.arg(name).arg("--config").arg(dir.path().join("casedrop.yaml"));
        command.env_remove("CASEDROP_CONFIG").stdin(Stdio::null());
        command
    };
    let checked = ended(command("check").output().expect("the program starts"));
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(checked.stdout.contains(&host) && checked.stdout.contains("warning"), "{checked:?}");
    let mut agent = command("run").stderr(Stdio::piped()).spawn().expect("the program starts");
    let mut log = BufReader::new(agent.stderr.take().expect("piped")).lines();
    let told = log.find(|line| line.as_ref().is_ok_and(|line| line.contains("no connection to")));
    assert!(told.is_some(), "it ended without a word about it");
    assert!(agent.try_wait().expect("asked").is_none(), "the agent goes on");
    agent.kill().expect("killed");
    agent.wait().expect("ended");
}

#[test]
fn an_agent_that_started_without_align_goes_to_work_when_it_is_back() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.align().inject(FaultRule::on("getOrdersForLab", FaultKind::Disconnect));
    let agent = world.run();
    wait_for("some polls in vain", || {
        (world.align().state().requests("getOrdersForLab") > 2).then_some(())
    });
    world.align().clear_faults();
    world.wait_for_revision(&id, 1);
    let log = agent.kill();
    let told = log.lines().filter(|line| line.contains(" WARN ") && line.contains(" was lost"));
    assert_eq!(told.count(), 1, "told once, not with every poll: {log}");
    assert!(log.matches(" was lost").count() <= 2, "and its cause at most once: {log}");
}

#[test]
fn an_empty_mount_point_is_not_taken_for_the_output() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.published(&id);
    let away = world.dir().join("unmounted");
    std::fs::rename(world.output(), &away).expect("unmounted");
    std::fs::create_dir(world.output()).expect("an empty mount point");
    let ended = world.casedrop(&["sync"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("marker") && ended.stderr.contains("mount"), "{ended:?}");
    let agent = world.run();
    world.wait_for_polls(2);
    let log = agent.kill();
    assert!(log.contains("marker") && log.contains("mount"), "{log}");
    let verified = world.casedrop(&["verify"]);
    assert_eq!(verified.code, Some(1), "{verified:?}");
    assert!(verified.stdout.contains(".casedrop-root"), "{verified:?}");
    assert_eq!(std::fs::read_dir(world.output()).expect("there").count(), 0);
    std::fs::remove_dir(world.output()).expect("still empty");
    std::fs::rename(&away, world.output()).expect("mounted again");
    world.good(&["sync"]);
    world.good(&["verify"]);
}

#[test]
fn a_running_agent_writes_nothing_while_the_marker_is_gone() {
    let world = World::new();
    let first = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&first, 1);
    let marker = world.output().join(".casedrop-root");
    let kept = std::fs::read(&marker).expect("a marker");
    std::fs::remove_file(&marker).expect("removed");
    let second = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let story = world.wait_for_state(&second, "retrying");
    assert!(story["trouble"]["message"].as_str().expect("text").contains("marker"), "{story}");
    assert_eq!(world.align().state().asset(&second, "IDE").started, 0, "nothing is fetched");
    assert_eq!(tree::orders(&world.output()), [world.dir_of(&first)]);
    // Another folder's marker does not help either.
    std::fs::write(&marker, r#"{"casedrop_root":1,"id":"of another"}"#).expect("written");
    world.wait_for_message(&second, "another folder's marker");
    std::fs::write(&marker, kept).expect("put back");
    world.wait_for_revision(&second, 1);
    agent.kill();
    world.good(&["verify"]);
}

#[test]
fn an_agent_whose_log_folder_cannot_be_used_works_on_and_says_it_once() {
    let world = World::with_config("log: { dir: in-the-way/logs, format: json }\n");
    std::fs::write(world.dir().join("in-the-way"), "a file").expect("written");
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_state(&id, "published");
    let log = agent.kill();
    assert_eq!(log.matches("the log cannot be written to").count(), 1, "{log}");
    let published = log.lines().find(|line| line.contains("published revision 1"));
    let line: serde_json::Value = serde_json::from_str(published.expect("a line")).expect("JSON");
    assert_eq!((&line["level"], &line["fields"]["order"]), (&"INFO".into(), &id.into()), "{line}");
}
