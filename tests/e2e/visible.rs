//! What a program watching the output sees while the agent is busy: whole orders that arrive by one
//! rename, and nothing else.

use std::fs;
use std::path::Path;

use casedrop::simulator::{CaseKind, FaultKind, FaultRule, OrderSpec};

use super::tree;
use super::watcher::{Seen, Watcher};
use super::world::{ACCOUNT, LAB, World, order, wait_for};

/// A small order that the agent has published.
fn one_order(world: &World) -> String {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.published(&id);
    id
}

/// What a watcher sees while something happens to a published order.
fn seen_during(act: impl FnOnce(&World, &Path)) -> Seen {
    let world = World::new();
    let id = one_order(&world);
    let watcher = Watcher::start(&world.output());
    act(&world, &world.dir_of(&id));
    watcher.finish()
}

#[test]
fn nothing_but_whole_orders_is_seen_while_the_agent_is_busy() {
    let world = World::with_config("downloads: { concurrency: 4, retry_404: [100ms] }\n");
    let align = world.align();
    fs::create_dir(world.output()).expect("the output");
    let watcher = Watcher::start(&world.output());
    let kinds = [CaseKind::OrthoShell, CaseKind::Restorative, CaseKind::OrthoBase];
    let ids: Vec<_> = (0..12)
        .map(|number| {
            let spec = OrderSpec {
                regenerating: u32::from(number % 4 == 1),
                top_folder: number % 2 == 0,
                screen_captures: number % 3 == 0,
                ..order(kinds[number % 3])
            };
            align.create_order(&spec).expect("created")
        })
        .collect();
    let faults = [
        FaultKind::Reset { after_bytes: 2000 },
        FaultKind::Corrupt { at: 2000 },
        FaultKind::Truncate { after_bytes: 2500, announce_short: false },
        FaultKind::Status { code: 503, retry_after: Some(1), body: None },
        FaultKind::Slow { bytes_per_second: 100_000 },
        FaultKind::Disconnect,
    ];
    for (fault, id) in faults.into_iter().zip(&ids) {
        align.inject(FaultRule::on("downloadAsset", fault).asset("IDE").order(id).times(1));
    }
    let agent = world.run();
    for id in &ids {
        world.wait_for_state(id, "published");
        align.flow(id, "send-to-modeling").expect("sent");
        align.flow(id, "modeling-completed").expect("back");
    }
    for id in &ids {
        wait_for("revision 2 in the journal", || (world.order(id)["revision"] == 2).then_some(()));
    }
    agent.kill();
    let seen = watcher.finish();
    assert_eq!(seen.violations, Vec::<String>::new());
    for id in &ids {
        let dir = world.dir_of(id);
        let times = seen.arrived.iter().filter(|arrived| **arrived == dir).count();
        assert!(times >= 2, "{id} was seen {times} times: {:?}", seen.arrived);
        assert!(tree::check_order(&world.history_of(id, 1)).is_ok());
    }
    let hits = |state: &casedrop::simulator::Snapshot| {
        state.faults.iter().filter(|fault| fault.hits == 1).count()
    };
    let state = align.state();
    assert_eq!((hits(&state), state.counters.poll_violations), (6, 0));
}

#[test]
fn an_agent_at_rest_touches_nothing() {
    let seen = seen_during(|world, _| {
        let agent = world.run();
        world.wait_for_polls(3);
        agent.kill();
    });
    assert_eq!(seen.violations, Vec::<String>::new());
    assert!(seen.arrived.len() == 1, "only what stood there: {:?}", seen.arrived);
}

#[test]
fn the_watcher_reports_a_file_written_into_an_order() {
    let seen = seen_during(|_, dir| fs::write(dir.join("more.stl"), "x").expect("written"));
    assert!(seen.violations.iter().any(|what| what.contains("more.stl")), "{seen:?}");
}

#[test]
fn the_watcher_reports_a_file_that_is_changed() {
    let seen = seen_during(|_, dir| fs::write(dir.join("manifest.json"), "{}").expect("written"));
    assert!(seen.violations.iter().any(|what| what.contains("MODIFY")), "{seen:?}");
}

#[test]
fn the_watcher_reports_a_temporary_name() {
    let seen = seen_during(|_, dir| {
        let account = dir.parent().expect("the account");
        fs::write(account.join(".17.partial"), "x").expect("written");
    });
    assert!(seen.violations.iter().any(|what| what.contains(".17.partial")), "{seen:?}");
}

#[test]
fn the_watcher_reports_an_order_that_grows_in_its_place() {
    let seen = seen_during(|_, dir| {
        let grown = dir.with_file_name("17");
        fs::create_dir(&grown).expect("made");
        fs::copy(dir.join("manifest.json"), grown.join("manifest.json")).expect("copied");
    });
    assert!(seen.violations.iter().any(|what| what.contains("CREATE")), "{seen:?}");
}

#[test]
fn the_watcher_reports_an_order_that_arrives_incomplete() {
    let seen = seen_during(|world, dir| {
        let made = world.dir().join("made");
        fs::create_dir(&made).expect("made");
        fs::copy(dir.join("manifest.json"), made.join("manifest.json")).expect("copied");
        fs::rename(&made, dir.with_file_name("17")).expect("moved");
    });
    assert!(seen.violations.iter().any(|what| what.contains("/17")), "{seen:?}");
}

#[test]
fn the_watcher_sees_a_whole_order_arrive() {
    let world = World::new();
    fs::create_dir_all(world.output().join(LAB).join(ACCOUNT)).expect("made");
    let watcher = Watcher::start(&world.output());
    let id = one_order(&world);
    wait_for("the order", || world.dir_of(&id).exists().then_some(()));
    let seen = watcher.finish();
    assert_eq!((seen.arrived, seen.violations), (vec![world.dir_of(&id)], Vec::<String>::new()));
}
