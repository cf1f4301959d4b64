//! The first steps on a new PC: a test order that belongs to no lab, and another output folder.

use std::path::{Path, PathBuf};

use casedrop::control::{Control, new_id};
use casedrop::disk::RealDisk;
use casedrop::journal::FILE_NAME;
use casedrop::model::request::{Outcome, Reply, Request};
use casedrop::model::step::Step;
use casedrop::model::test_order::{ACCOUNT as TEST_ACCOUNT, LAB as TEST_LAB, ORDER as TEST_ORDER};
use casedrop::simulator::CaseKind;

use super::tree;
use super::world::{LAB, World, order, wait_for};

const MARKER: &str = ".casedrop-root";

/// Sends the running agent a request, as its page would; `None` if the connection broke.
fn try_to_ask(world: &World, request: &Request) -> Option<Reply> {
    let agent = wait_for("the agent", || Control::find(&RealDisk, &world.state()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let id = new_id().expect("an id");
    runtime.expect("runtime").block_on(agent.ask(&id, request, Some("anna".to_owned()))).ok()
}

fn ask(world: &World, request: &Request) -> Reply {
    wait_for("an answer", || try_to_ask(world, request))
}

fn publish(world: &World) -> Reply {
    wait_for("an output that is ready", || {
        let reply = ask(world, &Request::TestOrder { remove: false });
        (reply.details["code"] != "output-not-ready").then_some(reply)
    })
}

fn test_dir(world: &World) -> PathBuf {
    world.output().join(TEST_LAB).join(TEST_ACCOUNT).join(TEST_ORDER)
}

fn known(world: &World) -> Vec<String> {
    let orders = world.json(&["orders"]);
    let id = |order: &serde_json::Value| order["order_id"].as_str().expect("an id").to_owned();
    orders.as_array().expect("orders").iter().map(id).collect()
}

fn differences(world: &World) -> serde_json::Value {
    world.json(&["orders", "--reconcile"])["differences"].clone()
}

#[test]
fn a_test_order_is_published_like_any_other_and_is_no_labs_order() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    let requests = world.align().state().log.len();

    let reply = publish(&world);
    assert_eq!(reply.outcome, Outcome::Done, "{reply:?}");
    let dir = test_dir(&world);
    assert_eq!(reply.details["path"].as_str().map(Path::new), Some(&*dir));
    let manifest = tree::check_order(&dir).expect("a complete order");
    assert_eq!((manifest.revision, manifest.order_id.as_str()), (1, TEST_ORDER));
    let others = |records: &[casedrop::simulator::RequestRecord]| {
        records.iter().filter(|record| record.endpoint != "getOrdersForLab").count()
    };
    let log = world.align().state().log;
    assert_eq!(others(&log[requests..]), 0, "the lab's Align was asked for nothing but its list");
    let again = publish(&world);
    assert_eq!(again.outcome, Outcome::Done, "{again:?}");
    assert!(again.message.contains("already"), "{again:?}");

    world.good(&["verify"]);
    assert_eq!(known(&world), std::slice::from_ref(&id));
    assert_eq!(differences(&world), serde_json::json!([]));
    agent.kill();

    // A journal rebuilt from the disk learns about the lab's order only.
    for suffix in ["", "-wal", "-shm"] {
        let file = world.state().join(format!("{FILE_NAME}{suffix}"));
        assert!(std::fs::remove_file(&file).is_ok() || !suffix.is_empty(), "{suffix}");
    }
    let agent = world.run();
    wait_for("the journal", || (world.casedrop(&["show", &id]).code == Some(0)).then_some(()));
    assert_eq!(known(&world), std::slice::from_ref(&id));
    assert_eq!(differences(&world), serde_json::json!([]));
    tree::check_order(&dir).expect("nobody touched it");

    let reply = ask(&world, &Request::TestOrder { remove: true });
    assert_eq!(reply.outcome, Outcome::Done, "{reply:?}");
    assert!(!world.output().join(TEST_LAB).exists());
    world.published(&id);
    world.good(&["verify"]);
    agent.kill();
    let audit = world.audit();
    for what in ["test-order", "test-order-removed"] {
        let results: Vec<_> =
            audit.iter().filter(|(deed, _)| deed == what).map(|(_, result)| &**result).collect();
        assert_eq!(results, ["begun", "done"], "{what}");
    }
    world.good(&["audit", "--verify"]);
}

#[test]
fn a_lab_of_that_name_and_somebody_elses_folder_are_respected() {
    let world = World::new();
    let agent = world.run();
    let dir = test_dir(&world);
    std::fs::create_dir_all(&dir).expect("made");
    std::fs::write(dir.join("note.txt"), "mine").expect("written");
    let reply = publish(&world);
    assert_eq!(reply.outcome, Outcome::Refused, "{reply:?}");
    let reply = ask(&world, &Request::TestOrder { remove: true });
    assert_eq!(reply.outcome, Outcome::Refused, "{reply:?}");
    assert_eq!(std::fs::read(dir.join("note.txt")).expect("there"), b"mine");
    agent.kill();
    let yaml = world.yaml().replace(LAB, "Casedrop-Test");
    std::fs::write(world.config(), yaml).expect("config");
    let _agent = world.run();
    let reply = ask(&world, &Request::TestOrder { remove: false });
    assert_eq!(reply.outcome, Outcome::Refused, "{reply:?}");
    assert!(reply.message.contains("Casedrop-Test"), "{reply:?}");
}

#[test]
fn wherever_the_process_dies_no_half_of_a_test_order_is_seen_and_nothing_is_fetched_later() {
    for step in [Step::SpoolComplete, Step::MoveIn, Step::Report, Step::RetireMoved] {
        let world = World::new();
        let removes = step == Step::RetireMoved;
        if removes {
            let agent = world.run();
            assert_eq!(publish(&world).outcome, Outcome::Done);
            agent.kill();
            // A stale control file would look like an agent that died.
            std::fs::remove_file(world.state().join("control.json")).expect("removed");
        }
        let agent = world.run_with(&[("CASEDROP_TEST_KILL_AT", step.as_str())]);
        let dies = wait_for("the output", || {
            match try_to_ask(&world, &Request::TestOrder { remove: removes }) {
                Some(reply) if reply.details["code"] == "output-not-ready" => None,
                other => Some(other),
            }
        });
        assert_eq!(dies, None, "{step:?}: it dies before it answers");
        agent.wait();
        let dir = test_dir(&world);
        if dir.exists() {
            tree::check_order(&dir).expect("whole");
        }
        let agent = world.run();
        wait_for("the output", || {
            let reply = ask(&world, &Request::TestOrder { remove: true });
            (reply.outcome == Outcome::Done).then_some(())
        });
        assert!(!dir.exists(), "{step:?}");
        assert_eq!(known(&world), [""; 0], "{step:?}");
        for left in ["work", "claims", "retired"] {
            let entries = std::fs::read_dir(world.staging().join(left)).map_or(0, Iterator::count);
            assert_eq!(entries, 0, "{step:?}: {left}");
        }
        agent.kill();
    }
}

fn choose(world: &World, path: &Path) -> Reply {
    ask(world, &Request::Output { path: path.to_str().expect("Unicode").to_owned() })
}

/// Waits until the running agent writes to this output folder.
fn wait_for_output(world: &World, wanted: &Path) {
    wait_for("the agent with its new output", || {
        let status = world.casedrop(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status.stdout).ok()?;
        let output = &status["output"];
        let is_there = output["path"].as_str().map(Path::new) == Some(wanted);
        (is_there && output["waits"].is_null() && status["agent"]["since"].is_string())
            .then_some(())
    });
}

#[test]
fn another_output_is_taken_up_by_the_same_process_and_the_one_before_is_left_clean() {
    let world = World::with_config("# the lab's own words\nnames: vendor   # as they come\n");
    let mut agent = world.run();
    assert_eq!(publish(&world).outcome, Outcome::Done);
    let before = std::fs::read_to_string(world.config()).expect("read");
    let new = world.dir().join("CAD/orders");
    let reply = choose(&world, &new);
    assert_eq!((reply.outcome, &reply.details["restarts"]), (Outcome::Done, &true.into()));
    wait_for_output(&world, &new);
    assert!(agent.is_running());
    let after = std::fs::read_to_string(world.config()).expect("read");
    let changed: Vec<_> = before.lines().zip(after.lines()).filter(|(a, b)| a != b).collect();
    assert!(matches!(changed[..], [(old, _)] if old.starts_with("output: ")), "{changed:?}");
    assert_eq!(before.lines().count(), after.lines().count());
    // Test order and marker are gone, and so is the staging folder next to it.
    let left = std::fs::read_dir(world.output()).expect("the folder stays").count();
    assert_eq!(left, 0);
    assert!(!world.staging().exists());

    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let dir = new.join(LAB).join(super::world::ACCOUNT).join(&id);
    wait_for("the order", || tree::check_order(&dir).ok());
    let refused = choose(&world, &world.dir().join("third"));
    assert_eq!(refused.outcome, Outcome::Refused, "{refused:?}");
    assert!(refused.message.contains("orders have already arrived"), "{refused:?}");
    assert!(new.join(MARKER).is_file() && agent.is_running());
    world.good(&["verify"]);
    agent.kill();
    // The next process finds everything as it was left.
    world.good(&["verify"]);
    let _agent = world.run();
    wait_for_output(&world, &new);
    let audit = world.audit();
    let count = |what: &str, result: &str| {
        audit.iter().filter(|(deed, mark)| deed == what && mark == result).count()
    };
    assert_eq!((count("output-chosen", "begun"), count("output-chosen", "done")), (1, 1));
    assert_eq!((count("agent-started", "done"), count("agent-stopped", "done")), (3, 1));
}

#[test]
fn a_folder_with_orders_of_an_earlier_agent_is_known_at_once() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.good(&["sync"]);
    let old = world.output();
    // The same PC with a new state folder and another output folder.
    let yaml = world.yaml().replace("/orders\"", "/empty\"").replace("/state\"", "/state2\"");
    let yaml = yaml.replace("\\\\orders\"", "\\\\empty\"").replace("\\\\state\"", "\\\\state2\"");
    std::fs::write(world.config(), yaml).expect("config");
    let agent = world.run();
    let state = world.dir().join("state2");
    let control = wait_for("the agent", || Control::find(&RealDisk, &state));
    let request = Request::Output { path: old.to_str().expect("Unicode").to_owned() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("runtime");
    let reply =
        wait_for("an answer", || runtime.block_on(control.ask("choice", &request, None)).ok());
    assert_eq!(reply.outcome, Outcome::Done, "{reply:?}");
    wait_for_output(&world, &old);
    assert_eq!(known(&world), std::slice::from_ref(&id));
    world.published(&id);
    assert!(!world.dir().join("empty").join(MARKER).exists());
    agent.kill();
}

#[cfg(target_os = "linux")]
#[test]
fn a_service_manager_sees_one_agent_that_never_ends() {
    let world = World::new();
    let path = world.dir().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(std::time::Duration::from_secs(90))).expect("set");
    let agent = world.run_with(&[("NOTIFY_SOCKET", path.to_str().expect("Unicode"))]);
    let next = || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).expect("a message");
        String::from_utf8(buffer[..length].to_vec()).expect("Unicode")
    };
    while next() != "READY=1" {}
    let new = world.dir().join("new");
    assert_eq!(choose(&world, &new).outcome, Outcome::Done);
    wait_for_output(&world, &new);
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    socket.set_nonblocking(true).expect("set");
    let mut said = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length) = socket.recv(&mut buffer) {
        said.push(String::from_utf8(buffer[..length].to_vec()).expect("Unicode"));
    }
    assert!(said.iter().all(|word| word != "READY=1"), "{said:?}");
    let ends: Vec<_> = said.iter().filter(|word| word.starts_with("STOPPING=1")).collect();
    assert_eq!(ends.len(), 2, "at the one end: by the signal, and with its time: {said:?}");
    assert_eq!(
        said.iter()
            .rposition(|word| word.starts_with("STATUS=1 lab"))
            .map(|at| { said[at..].iter().filter(|word| word.starts_with("STOPPING=1")).count() }),
        Some(2),
        "it worked after the choice: {said:?}"
    );
}
