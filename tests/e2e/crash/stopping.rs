//! Crashes at no particular step, and a second agent.

use casedrop::simulator::{CaseKind, FaultKind, FaultRule};

use super::finish;
use crate::tree;
use crate::world::{World, order, started, wait_for};

#[test]
fn a_kill_during_a_download_loses_nothing_though_align_no_longer_lists_the_order() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let stall = FaultRule::on("downloadAsset", FaultKind::Stall { after_bytes: 2000 }).asset("IDE");
    world.align().inject(stall);
    let agent = world.run();
    wait_for("the download to begin", || {
        let state = world.align().state();
        (state.asset(&id, "IDE").started > 0 && !state.order(&id)?.listed).then_some(())
    });
    agent.kill();
    world.align().clear_faults();
    assert_eq!(tree::orders(&world.output()).len(), 0, "nothing half-written is visible");
    finish(&world, &id, 1);
    world.published(&id);
    world.good(&["verify"]);
}

#[cfg(unix)]
#[test]
fn a_stop_during_a_download_is_prompt_and_the_order_is_finished_later() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let stall = FaultRule::on("downloadAsset", FaultKind::Stall { after_bytes: 2000 }).asset("IDE");
    world.align().inject(stall);
    let agent = world.run();
    wait_for("the download to begin", || {
        (world.align().state().asset(&id, "IDE").started > 0).then_some(())
    });
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("safe point"), "it stopped within its deadline: {log}");
    world.align().clear_faults();
    finish(&world, &id, 1);
}

#[test]
fn a_second_agent_on_the_same_state_or_output_is_refused() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    let ended = world.casedrop(&["sync"]);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("another agent is running"), "{ended:?}");
    let mut command = world.command(&["sync"]);
    command.env("CASEDROP_STATE", world.dir().join("other-state"));
    let output = started(|| command.output());
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    agent.kill();
}
