//! User mistakes and network failures: one clear message, the right exit code, nothing half-done.

use casedrop::simulator::{AccountSpec, CaseKind};

use super::tree;
use super::world::{ACCOUNT, Ended, LAB, World, order, started, wait_for};

fn account() -> AccountSpec {
    AccountSpec::new(ACCOUNT, "Smile Dental Lab", "client", "s3cret-of-client")
}

fn one_lab() -> Vec<(String, AccountSpec)> {
    vec![(LAB.to_owned(), account())]
}

#[track_caller]
fn assert_says(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is missing: {}", ended.stderr);
    }
}

#[test]
fn without_a_config_the_way_to_one_is_shown() {
    let world = World::new();
    std::fs::remove_file(world.config()).expect("removed");
    let ended = world.casedrop(&["sync"]);
    assert_says(&ended, 2, &["there is no config file", "config.example.yaml", "casedrop demo"]);
    for name in ["sync", "orders", "login"] {
        let mut command = std::process::Command::new(super::world::program());
        command.arg(name).args((name == "login").then_some(LAB)).current_dir(world.dir());
        let ended = super::world::ended(started(|| command.env_remove("CASEDROP_CONFIG").output()));
        assert_says(&ended, 2, &["no config found", "casedrop.yaml", "casedrop demo"]);
    }
}

#[test]
fn all_faults_of_a_config_come_at_once_with_line_and_hint() {
    let world = World::new();
    let yaml = world.yaml().replace("polling:", "poling:") + "names: vendors\nwhen_missing: 7\n";
    std::fs::write(world.config(), yaml).expect("written");
    let ended = world.casedrop(&["sync"]);
    assert_says(&ended, 2, &["poling", "`polling`", "names", "when_missing", "casedrop.yaml:3"]);
    let checked = world.casedrop(&["check", "--json"]);
    assert_eq!(checked.code, Some(2), "{checked:?}");
    let json: serde_json::Value = serde_json::from_str(&checked.stdout).expect("JSON");
    assert_eq!(json["faults"].as_array().map(Vec::len), Some(3), "{json}");
}

#[test]
fn a_config_that_is_no_yaml_names_the_line_and_quotes_no_secret() {
    let world = World::unpaired(one_lab(), "");
    std::fs::write(world.config(), "output: /x\nlabs: [\n").expect("written");
    assert_says(&world.casedrop(&["sync"]), 2, &["casedrop.yaml:2:7", "unclosed bracket"]);
    for broken in ["\"s3cret-of-client", "[s3cret-of-client", "*s3cret-of-client", "a: s3cret: b"] {
        let yaml = world.yaml().replace("s3cret-of-client", broken);
        std::fs::write(world.config(), yaml).expect("written");
        for args in [&["sync"][..], &["check"], &["check", "--json"]] {
            let Ended { code, stdout, stderr } = world.casedrop(args);
            assert_eq!(code, Some(2), "{stdout}{stderr}");
            assert!(!stdout.contains("s3cret") && !stderr.contains("s3cret"), "{stdout}{stderr}");
            assert!(stdout.contains("casedrop.yaml") || stderr.contains("casedrop.yaml:"));
        }
    }
}

#[test]
fn an_unreachable_align_is_named_with_what_to_do() {
    let world = World::new();
    let state = world.dir().join("kept");
    std::fs::rename(world.state(), &state).expect("moved");
    let config = world.yaml();
    let dir = world.stop_align();
    let file = dir.path().join("casedrop.yaml");
    std::fs::write(&file, config).expect("written");
    let mut command = std::process::Command::new(super::world::program());
    command.args(["sync", "--config"]).arg(&file).env("CASEDROP_STATE", &state);
    let ended = super::world::ended(started(|| command.output()));
    assert_says(&ended, 1, &["127.0.0.1", "check the network, the firewall"]);
}

#[test]
fn a_wrong_client_secret_is_told_apart_and_not_shown() {
    let world = World::unpaired(one_lab(), "");
    let yaml = world.yaml().replace("s3cret-of-client", "wr0ng-secret");
    std::fs::write(world.config(), yaml).expect("written");
    let ended = world.log_in_as_is(LAB);
    assert_says(&ended, 4, &["client_secret", LAB]);
    assert!(!ended.stderr.contains("wr0ng-secret"), "{}", ended.stderr);
}

#[test]
fn a_lab_without_login_or_pairing_says_which_command_helps() {
    let world = World::unpaired(one_lab(), "");
    assert_says(&world.casedrop(&["sync"]), 4, &["casedrop login smile-lab"]);
    assert_says(&world.casedrop(&["accounts", LAB]), 4, &["casedrop login smile-lab"]);
    world.log_in(LAB);
    assert_says(&world.casedrop(&["sync"]), 4, &["casedrop pair smile-lab"]);
    world.good(&["pair", LAB]);
    world.good(&["sync"]);
}

#[test]
fn a_login_that_is_denied_or_pasted_wrongly_fails_with_a_way_out() {
    let world = World::unpaired(one_lab(), "");
    world.align().update_settings(|settings| settings.deny_login = true);
    assert_says(&world.log_in_as_is(LAB), 4, &["did not log the user in"]);
    world.align().update_settings(|settings| settings.deny_login = false);
    let wrong = world.log_in_pasting(LAB, |back| back.replace("state=", "state=x"));
    assert_says(&wrong, 4, &["another login"]);
    assert_says(&world.log_in_pasting(LAB, |_| String::new()), 4, &["nothing was entered"]);
    world.log_in_and_pair(LAB);
}

#[test]
fn un_pairing_without_confirmation_does_nothing_and_says_what_it_would_do() {
    let world = World::new();
    let ended = world.casedrop(&["unpair", LAB, ACCOUNT]);
    assert_says(&ended, 2, &["nothing was done", "every user", "--confirm 4711"]);
    assert_eq!(world.align().state().accounts[0].paired_users.len(), 1);
    world.good(&["unpair", LAB, ACCOUNT, "--confirm", ACCOUNT]);
    assert_eq!(world.align().state().accounts[0].paired_users.len(), 0);
    assert_says(&world.casedrop(&["sync"]), 4, &["casedrop pair smile-lab"]);
}

#[test]
fn unknown_orders_labs_and_commands_are_named() {
    let world = World::new();
    assert_says(&world.casedrop(&["show", "12345"]), 1, &["12345", "casedrop orders"]);
    assert_says(&world.casedrop(&["refetch", "no-number"]), 2, &["no-number", "order's number"]);
    let unknown = world.good(&["refetch", "12345"]);
    assert!(unknown.stdout.contains("12345: new here"), "{unknown:?}");
    assert_says(&world.casedrop(&["pair", "smile-lap"]), 2, &["did you mean smile-lab?"]);
    assert_says(&world.casedrop(&["fetchall"]), 2, &["fetchall"]);
}

#[test]
fn a_vanished_output_stops_all_writing_until_it_is_back() {
    let world = World::new();
    world.good(&["sync"]);
    let away = world.dir().join("unmounted");
    std::fs::rename(world.output(), &away).expect("moved");
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let ended = world.casedrop(&["sync"]);
    assert_says(&ended, 1, &["orders", "output"]);
    assert!(!world.output().exists(), "no new, empty tree takes its place");
    std::fs::rename(&away, world.output()).expect("moved back");
    wait_for("the order", || {
        world.good(&["sync"]);
        tree::manifest(&world.dir_of(&id)).ok()
    });
}

#[test]
fn an_output_that_vanishes_while_the_agent_runs_makes_orders_wait_visibly() {
    let world = World::new();
    let first = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&first, 1);
    world.wait_for_state(&first, "published");
    let away = world.dir().join("unmounted");
    std::fs::rename(world.output(), &away).expect("moved");
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let story = world.wait_for_state(&id, "retrying");
    assert_eq!(story["trouble"]["code"], "output-gone", "{story}");
    assert!(!world.output().exists());
    std::fs::rename(&away, world.output()).expect("moved back");
    world.wait_for_revision(&id, 1);
    agent.kill();
}
