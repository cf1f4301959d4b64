//! The process dies at the worst moments. After the next start everything is as promised.

use casedrop::local::Step;
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};

use super::tree;
use super::world::{Ended, World, order, order_with_id, wait_for};

/// The steps that a first publication takes.
const FIRST: [Step; 9] = [
    Step::SyncFiles,
    Step::WriteManifest,
    Step::SyncStaged,
    Step::Look,
    Step::MakeParent,
    Step::MoveIn,
    Step::SyncTarget,
    Step::SyncStaging,
    Step::Report,
];

/// The steps that replacing a revision takes: with an atomic exchange, and where that is tried in
/// vain.
const REPLACE: &[Step] = if cfg!(target_os = "linux") {
    &[
        Step::SyncFiles,
        Step::WriteManifest,
        Step::SyncStaged,
        Step::Look,
        Step::Exchange,
        Step::MakeHistory,
        Step::OldToHistory,
        Step::SyncTarget,
        Step::SyncStaging,
        Step::Report,
    ]
} else {
    &[
        Step::SyncFiles,
        Step::WriteManifest,
        Step::SyncStaged,
        Step::Look,
        Step::Exchange,
        Step::MakeHistory,
        Step::MoveAside,
        Step::MoveIn,
        Step::SyncTarget,
        Step::SyncStaging,
        Step::Report,
    ]
};

/// The steps that taking the place of an empty directory takes, as far as they are its own.
const CLEAR: [Step; 2] = [Step::ClearEmpty, Step::MoveIn];

/// One pass that ends itself at the step; it must get there.
fn die_at(world: &World, step: Step) {
    wait_for(&format!("a pass that comes to {}", step.as_str()), || {
        let mut command = world.command(&["sync"]);
        command.env("CASEDROP_TEST_KILL_AT", step.as_str());
        let code = command.output().expect("the program starts").status.code();
        // While the interval between polls lasts, a pass has nothing to do and ends well.
        (code != Some(0)).then_some(())
    });
}

/// Passes until the order stands there in that revision.
fn finish(world: &World, order: &str, revision: u32) {
    wait_for(&format!("revision {revision} of {order}"), || {
        let Ended { code, stderr, .. } = world.casedrop(&["sync"]);
        assert_eq!(code, Some(0), "{stderr}");
        let found = tree::manifest(&world.dir_of(order)).ok()?;
        (found.revision >= revision).then_some(())
    });
    world.published(order);
    world.good(&["verify"]);
}

/// Nothing but the tree itself and the history may remain.
fn assert_tidy(world: &World, orders: usize) {
    assert_eq!(tree::orders(&world.output()).len(), orders, "nothing is doubled");
    let work = world.staging().join("work");
    let left = std::fs::read_dir(&work).map(Iterator::count).unwrap_or_default();
    assert_eq!(left, 0, "nothing is left in {}", work.display());
}

/// Runs the cases side by side: each mostly waits for its own processes.
fn side_by_side(steps: &[Step], case: impl Fn(Step) + Sync) {
    for group in steps.chunks(3) {
        std::thread::scope(|scope| {
            for step in group {
                scope.spawn(|| case(*step));
            }
        });
    }
}

#[test]
fn every_step_belongs_to_a_tested_way() {
    // Where the volume knows an exchange, nothing is moved aside, and the other way round.
    let elsewhere = if cfg!(target_os = "linux") { Step::MoveAside } else { Step::OldToHistory };
    for &step in Step::PUBLISHING {
        let tested = [&FIRST[..], REPLACE, &CLEAR].iter().any(|way| way.contains(&step));
        assert!(tested != (step == elsewhere), "{}", step.as_str());
    }
}

#[test]
fn a_first_publication_that_dies_at_any_step_is_finished_after_the_next_start() {
    side_by_side(&FIRST, |step| {
        let world = World::new();
        let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
        die_at(&world, step);
        assert!(!world.align().state().order(&id).expect("known").listed, "no longer announced");
        for dir in tree::orders(&world.output()) {
            tree::check_order(&dir).expect("whole, or not there");
        }
        finish(&world, &id, 1);
        assert_eq!(world.published(&id).revision, 1, "killed at {}", step.as_str());
        assert_tidy(&world, 1);
    });
}

#[test]
fn a_replacement_that_dies_at_any_step_is_finished_after_the_next_start() {
    side_by_side(REPLACE, |step| {
        let world = World::new();
        let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
        finish(&world, &id, 1);
        let before = world.published(&id);
        let bystander = world.dir_of("not-an-order");
        std::fs::create_dir_all(&bystander).expect("made");
        std::fs::write(bystander.join("note.txt"), "mine").expect("written");
        world.align().flow(&id, "send-to-modeling").expect("sent");
        world.align().flow(&id, "modeling-completed").expect("back");
        die_at(&world, step);
        if let Ok(found) = tree::manifest(&world.dir_of(&id)) {
            tree::check_order(&world.dir_of(&id)).expect("whole");
            assert!(found == before || found.revision == 2);
        }
        wait_for("revision 2", || {
            assert_eq!(world.casedrop(&["sync"]).code, Some(0));
            (tree::manifest(&world.dir_of(&id)).ok()?.revision == 2).then_some(())
        });
        let after = world.published(&id);
        assert_eq!(after.previous.expect("a predecessor").revision, 1);
        let history = world.staging().join("history/smile-lab/4711").join(&id).join("r1");
        assert_eq!(tree::check_order(&history).expect("the old revision, whole"), before);
        assert_eq!(std::fs::read_to_string(bystander.join("note.txt")).expect("there"), "mine");
        assert_tidy(&world, 2);
    });
}

#[test]
fn a_publication_beside_an_edited_order_that_dies_at_any_step_touches_nothing_of_it() {
    side_by_side(&FIRST, |step| {
        let world = World::new();
        let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
        finish(&world, &id, 1);
        let note = world.dir_of(&id).join("design.dcm");
        std::fs::write(&note, "mine").expect("written");
        let before = tree::listing(&world.dir_of(&id));
        world.align().flow(&id, "return-to-doctor").expect("returned");
        world.align().flow(&id, "rescan-completed").expect("back");
        die_at(&world, step);
        let beside = world.dir_of(&format!("{id}-r2"));
        wait_for("revision 2 beside it", || {
            assert_eq!(world.casedrop(&["sync"]).code, Some(0));
            (world.order(&id)["state"] == "published").then_some(())
        });
        let after = tree::check_order(&beside).expect("whole");
        assert_eq!(after.revision, 2, "killed at {}", step.as_str());
        assert_eq!(tree::listing(&world.dir_of(&id)), before);
        assert_tidy(&world, 2);
    });
}

#[test]
fn an_empty_directory_at_an_orders_place_is_replaced_even_if_the_process_dies_on_the_way() {
    side_by_side(&CLEAR, |step| {
        let world = World::new();
        let spec = order_with_id(CaseKind::OrthoShell, "17544365");
        let id = world.align().create_order(&spec).expect("created");
        std::fs::create_dir_all(world.dir_of(&id)).expect("made");
        die_at(&world, step);
        assert_eq!(world.dir_of(&id).exists(), step == Step::ClearEmpty);
        finish(&world, &id, 1);
        assert_tidy(&world, 1);
    });
}

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
    assert_tidy(&world, 1);
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
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    agent.kill();
}
