//! Requests from outside: Align by a notification, staff by a file.

use casedrop::model::step::Step;
use casedrop::simulator::CaseKind;

use super::{assert_promises, die_at, finish, times_told};
use crate::command_folder::Commands;
use crate::listening::listening;
use crate::world::{World, order, wait_for};

/// This way has its own world, with a listener.
pub(super) fn notified(_: &World, step: Step) {
    let listening = listening("1h", "");
    let world = &listening.world;
    std::fs::create_dir_all(world.output()).expect("made");
    std::fs::write(world.output().join("note.txt"), "mine").expect("written");
    let agent = listening.run_with(&[("CASEDROP_TEST_KILL_AT", step.as_str())]);
    // Like Align, the test repeats a notification that was sent while the agent was down.
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let (_, log) = agent.wait();
    assert!(log.lines().any(|line| line == format!("killed at {}", step.as_str())), "{log}");
    let sent = world.align().state().notifications;
    let is_acknowledged = sent.iter().any(|sent| sent.status == Some(200));
    let agent = listening.run_again();
    if !is_acknowledged {
        world.align().notify(&id).expect("sent again");
    }
    world.wait_for_revision(&id, 1);
    // A notification that is still to be looked at may have it fetched once more.
    wait_for("the end of all notifications", || {
        let status = world.casedrop(&["status", "--json"]).stdout;
        let status: serde_json::Value = serde_json::from_str(&status).ok()?;
        (status["notifications"]["waiting"] == 0).then_some(())
    });
    world.wait_for_state(&id, "published");
    agent.kill();
    let story = world.order(&id);
    let named = times_told(&story, "seen");
    assert!((1..=2).contains(&named), "{story:#}");
    assert_promises(world, &id, &world.published(&id), 1);
}

pub(super) fn renewed(world: &World, step: Step) {
    world.align().update_settings(|settings| settings.refresh_grace_ms = 600_000);
    world.align().expire_tokens();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    die_at(world, step);
    finish(world, &id, 1);
    assert_eq!(world.align().state().counters.logins, 1, "nobody had to log in again");
    assert_promises(world, &id, &world.published(&id), 1);
}

pub(super) fn dropped(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    let config = format!("{}commands: commands\n", world.yaml());
    std::fs::write(world.config(), config).expect("written");
    let commands = Commands::of(world);
    let text = format!("command: return\norder: {id}\nreason: margin\nconfirm: {id}\n");
    commands.put("return.yaml", text);
    let (code, log) = world.run_with(&[("CASEDROP_TEST_KILL_AT", step.as_str())]).wait();
    assert_ne!(code, Some(0), "{log}");
    assert!(log.lines().any(|line| line == format!("killed at {}", step.as_str())), "{log}");
    let agent = world.run();
    let receipt = commands.wait_for("done/return.yaml");
    assert_eq!(receipt["outcome"], "done", "{receipt:#}");
    wait_for("all to be tidied up", || commands.names("working").is_empty().then_some(()));
    agent.kill();
    let whole = ["return.yaml", "return.yaml.receipt.json", "return.yaml.receipt.txt"];
    assert_eq!(commands.names("done"), whole);
    assert_eq!(commands.names("failed"), Vec::<String>::new());
    let returns = world.align().state().returns;
    assert_eq!(returns, [(id, "margin".to_owned())], "once");
}
