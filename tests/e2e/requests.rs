//! Requests on the command line: with a running agent, without one, and after one was killed.

use casedrop::model::manifest::Reason;
use casedrop::simulator::{AccountSpec, CaseKind};
use serde_json::Value;

use super::tree;
use super::world::{ACCOUNT, Ended, LAB, World, order, wait_for};

/// Meant for the doctor only.
const REASON: &str = "the margin of Mrs Geheimrat is not visible";

fn control_file(world: &World) -> std::path::PathBuf {
    world.state().join("control.json")
}

/// Waits until commands reach the agent.
fn wait_for_agent(world: &World) -> Value {
    wait_for("the agent to answer", || {
        let status = status(world).1;
        status["agent"]["since"].is_string().then_some(status)
    })
}

fn status(world: &World) -> (Option<i32>, Value) {
    let ended = world.casedrop(&["status", "--json"]);
    let status = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    (ended.code, status)
}

fn outcome(ended: &Ended) -> (Option<i32>, String) {
    let reply: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"));
    (ended.code, reply["outcome"].as_str().expect("an outcome").to_owned())
}

/// Runs every command once and returns how each ended.
fn all_commands(world: &World, id: &str) -> Vec<(Option<i32>, String)> {
    let commands: [&[&str]; 11] = [
        &["pause", "--lab", "SMILE-lab"],
        &["poll"],
        &["resume"],
        &["resume", "--lab", LAB],
        &["poll", "--lab", LAB],
        &["refetch", id],
        &["refetch", "not-an-order"],
        &["return", id, "--reason", REASON],
        &["return", id, "--reason", REASON, "--confirm", "4"],
        &["pair", LAB],
        &["unpair", LAB, ACCOUNT],
    ];
    let run = |args: &&[&str]| {
        let mut args = args.to_vec();
        args.push("--json");
        outcome(&world.casedrop(&args))
    };
    commands.iter().map(run).collect()
}

#[test]
fn commands_end_the_same_with_an_agent_without_one_and_after_one_was_killed() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.published(&id);
    let expected: Vec<(Option<i32>, String)> = [
        (0, "done"),
        (2, "refused"),
        (0, "done"),
        (0, "done"),
        (0, "done"),
        (0, "done"),
        (2, "refused"),
        (2, "refused"),
        (2, "refused"),
        (0, "done"),
        (2, "refused"),
    ]
    .map(|(code, outcome)| (Some(code), outcome.to_owned()))
    .into();
    assert!(!control_file(&world).exists());
    assert_eq!(all_commands(&world, &id), expected, "without an agent");
    assert_eq!(status(&world).1["agent"]["running"], false);
    let agent = world.run();
    wait_for_agent(&world);
    assert_eq!(all_commands(&world, &id), expected, "with an agent");
    agent.kill();
    assert!(control_file(&world).exists(), "a killed agent leaves it");
    assert_eq!(all_commands(&world, &id), expected, "with what a killed agent left");
    let (code, told) = status(&world);
    assert_eq!((code, &told["agent"]["running"]), (Some(0), &Value::Bool(false)), "{told}");
    let agent = world.run();
    wait_for_agent(&world);
    let returns = world.align().state().returns;
    assert_eq!(returns, [], "nothing was sent back without a confirmation");
    agent.kill();
}

#[test]
fn what_is_asked_for_without_an_agent_is_seen_until_one_does_it() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.published(&id);
    let polled = world.good(&["poll"]);
    assert!(polled.stdout.starts_with("Casedrop is not running"), "{polled:?}");
    assert!(!polled.stdout.contains("now"), "{polled:?}");
    assert!(polled.stderr.contains("casedrop run"), "{polled:?}");
    let refetched = world.good(&["refetch", &id, "99999999", "--kind", "ortho"]);
    assert!(refetched.stdout.contains("will be fetched when it starts"), "{refetched:?}");
    for order in [id.as_str(), "99999999"] {
        let shown = world.good(&["show", order]);
        assert!(shown.stdout.contains("requested"), "{shown:?}");
        assert!(shown.stderr.contains("Casedrop is not running"), "{shown:?}");
        let listed = world.good(&["orders"]).stdout;
        assert!(listed.contains(order) && listed.contains("not started yet"), "{listed}");
        let told = world.casedrop(&["status"]).stdout;
        assert!(told.contains(&format!("fetch {LAB}/{ACCOUNT}/{order}")), "{told}");
    }
    assert_eq!(world.order("99999999")["state"], "asked-for");
    assert!(world.order(&id)["asked_for"].is_string());
    let wishes = |status: &Value| status["wishes"].as_array().expect("wishes").len();
    assert_eq!(wishes(&status(&world).1), 3);
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    wait_for("the wishes to be fulfilled", || (wishes(&status(&world).1) == 0).then_some(()));
    assert!(world.order(&id)["asked_for"].is_null());
    agent.kill();
}

#[cfg(unix)]
#[test]
fn the_control_file_is_for_its_owner_and_goes_with_the_agent() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    let agent = world.run();
    wait_for_agent(&world);
    let mode = std::fs::metadata(control_file(&world)).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let token = std::fs::read_to_string(control_file(&world)).expect("readable");
    let token: Value = serde_json::from_str(&token).expect("JSON");
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains(token["token"].as_str().expect("a token")));
    assert!(!control_file(&world).exists());
}

#[test]
fn a_pause_survives_a_restart_and_nothing_is_polled_or_fetched_until_resume() {
    let lab = |name: &str, account: &str| {
        let secret = "s3cret-of-client";
        (name.to_owned(), AccountSpec::new(account, "A Lab", &format!("client-{account}"), secret))
    };
    let world = World::unpaired(vec![lab("quiet", "11"), lab("busy", "22")], "");
    world.log_in_and_pair("quiet");
    world.log_in_and_pair("busy");
    let polls = |index: usize| world.align().state().accounts[index].polls;
    let wait_for_busy = |more: u64| {
        let wanted = polls(1) + more;
        wait_for("the other lab's polls", || (polls(1) >= wanted).then_some(()));
    };
    world.good(&["pause", "--lab", "quiet"]);
    let agent = world.run();
    wait_for_busy(3);
    assert!(agent.kill().contains("quiet: PAUSED since"), "it is told at the start");
    world
        .align()
        .create_order(&casedrop::simulator::OrderSpec {
            account: Some("11".to_owned()),
            ..order(CaseKind::OrthoShell)
        })
        .expect("created");
    let agent = world.run();
    wait_for_busy(3);
    world.casedrop(&["sync"]);
    assert_eq!(polls(0), 0);
    let (code, told) = status(&world);
    assert_eq!((code, &told["labs"][0]["state"]), (Some(0), &Value::from("paused")), "{told}");
    assert!(
        told["labs"][0]["paused"]["since"].is_string() && told["labs"][0]["next_poll"].is_null()
    );
    assert_eq!(told["labs"][0]["todo"], "casedrop resume --lab quiet");
    assert_eq!(told["labs"][1]["state"], "polling");
    assert!(world.casedrop(&["status"]).stdout.contains("PAUSED since"));
    let check = world.casedrop(&["check"]);
    assert!(format!("{check:?}").contains("lab quiet has been PAUSED"), "{check:?}");
    world.good(&["resume", "--lab", "quiet"]);
    wait_for("its order", || {
        let orders = tree::orders(&world.output());
        (orders.len() == 1).then_some(())
    });
    agent.kill();
}

#[test]
fn an_order_is_sent_back_with_its_confirmation_only_and_comes_back_as_the_next_revision() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    world.wait_for_state(&id, "published");
    let ended = world.casedrop(&["return", &id, "--reason", REASON]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("would go back to the doctor"), "{ended:?}");
    assert_eq!(world.align().state().returns, []);
    let ended = world.good(&["return", &id, "--reason", REASON, "--confirm", &id]);
    assert!(!format!("{ended:?}").contains("Geheimrat"));
    let align = world.align().state();
    assert_eq!(align.returns, [(id.clone(), REASON.to_owned())]);
    assert_eq!(align.order(&id).expect("known").status, "Scanning");
    let story = world.wait_for_state(&id, "away");
    assert!(story["events"].to_string().contains("sent back to the doctor"), "{story}");
    world.align().flow(&id, "rescan-completed").expect("back");
    let manifest = world.wait_for_revision(&id, 2);
    assert_eq!(manifest.reason, Reason::Rescan);
    world.wait_for_state(&id, "published");
    assert!(!agent.kill().contains("Geheimrat"));
    let audit = world.good(&["audit", "--json"]).stdout;
    assert!(audit.contains("\"return\"") && audit.contains(&id), "{audit}");
    for file in tree::files(&world.state()) {
        let bytes = std::fs::read(&file).expect("readable");
        let found = bytes.windows(9).any(|window| window == b"Geheimrat");
        assert!(!found, "the reason is in {}", file.display());
    }
}

/// Leaves a PC that has never seen the lab's orders: only the login remains.
fn forget_everything(world: &World) {
    for entry in std::fs::read_dir(world.state()).expect("listed") {
        let path = entry.expect("readable").path();
        if path.is_file() {
            std::fs::remove_file(path).expect("removed");
        }
    }
    std::fs::remove_dir_all(world.output()).expect("removed");
    std::fs::remove_dir_all(world.staging()).expect("removed");
}

#[test]
fn an_old_case_is_fetched_on_a_new_pc_by_its_number() {
    let world = World::new();
    let ortho = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.published(&ortho);
    forget_everything(&world);
    world.align().forget_polls();
    let ended = world.good(&["refetch", &ortho, "--kind", "ortho"]);
    assert!(ended.stdout.contains("new here"), "{ended:?}");
    let manifest = wait_for("the order", || {
        world.good(&["sync"]);
        tree::manifest(&world.dir_of(&ortho)).ok()
    });
    assert_eq!((manifest.revision, manifest.reason), (1, Reason::FirstScan));
    assert!(manifest.files.iter().any(|file| file.path.contains("shell_occlusion")));
    world.good(&["verify"]);
}

#[test]
fn a_wrong_number_is_shown_as_failing() {
    let world = World::new();
    let agent = world.run();
    wait_for_agent(&world);
    world.good(&["refetch", "99999999"]);
    world.wait_for_state("99999999", "attention");
    let (code, told) = status(&world);
    assert_eq!(code, Some(3), "{told}");
    assert_eq!(told["failing"][0]["order"], "99999999", "{told}");
    let hint = told["failing"][0]["hint"].as_str().expect("a hint").to_owned();
    assert!(hint.contains("compare the number"), "{hint}");
    agent.kill();
}

#[test]
fn a_login_that_is_needed_is_said_wherever_somebody_looks() {
    let account = AccountSpec::new(ACCOUNT, "Smile Dental Lab", "client", "s3cret-of-client");
    let world = World::unpaired(vec![(LAB.to_owned(), account)], "");
    let says = |what: &str, todo: &str| {
        let (code, told) = status(&world);
        assert_eq!((code, told["labs"][0]["state"].as_str()), (Some(4), Some(what)), "{told}");
        assert_eq!(told["labs"][0]["todo"], todo);
        let ended = world.casedrop(&["status"]);
        assert!(ended.code == Some(4) && ended.stdout.contains(todo), "{ended:?}");
    };
    says("login-needed", "casedrop login smile-lab");
    let agent = world.run();
    wait_for_agent(&world);
    says("login-needed", "casedrop login smile-lab");
    wait_for("the answer to a poll", || {
        let ended = world.casedrop(&["poll"]);
        (ended.code == Some(4) && ended.stderr.contains("casedrop login")).then_some(())
    });
    world.log_in(LAB);
    says("not-paired", "casedrop pair smile-lab");
    assert!(agent.kill().contains("casedrop login smile-lab"), "the log says it too");
    world.good(&["pair", LAB]);
    let agent = world.run();
    wait_for("all to be well", || {
        let (code, told) = status(&world);
        (code == Some(0) && told["labs"][0]["state"] == "polling").then_some(())
    });
    // The login ends while the agent runs.
    world.good(&["logout", LAB]);
    wait_for("the end of the login to be noticed", || {
        let (code, told) = status(&world);
        (code == Some(4) && told["labs"][0]["todo"] == "casedrop login smile-lab").then_some(())
    });
    agent.kill();
}

#[test]
fn shells_get_their_completions() {
    let world = World::new();
    for shell in ["bash", "fish", "zsh", "powershell"] {
        let script = world.good(&["completions", shell]).stdout;
        assert!(script.contains("refetch") && script.contains("resume"), "{shell}");
    }
}
