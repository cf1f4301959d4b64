//! Combined troubles: poisoned orders, an outage, a restart; one download at a time; two labs at
//! one server.

use casedrop::simulator::{AccountSpec, CaseKind, OrderSpec};

use super::stand::{PACKAGE, Stand};
use super::{EVERY, FLOOR, PATIENCE, TRIED, good, poison};
use crate::gateway::{Door, Gateway};
use crate::world::{ACCOUNT, LAB, World, order, order_with_id, wait_for};

#[test]
fn where_one_is_fetched_at_a_time_poisoned_orders_harm_nobody() {
    let mut stand = Stand::new("downloads: { concurrency: 1 }\n");
    let alone = good(&mut stand);
    let bound = alone.worst().expect("nothing is in their way").saturating_mul(10).max(FLOOR);
    let poisoned = stand.poison(&poison::ALL, 2);
    let among_new = good(&mut stand);
    let tried = stand.wait_until_tried(&poisoned, TRIED);
    let among_old = good(&mut stand);
    for latencies in [&among_new, &among_old] {
        let worst = latencies.worst();
        assert!(
            worst.is_some_and(|worst| worst <= bound),
            "{tried} asked for; alone {alone:?}, new {among_new:?}, old {among_old:?}"
        );
    }
}

#[test]
fn poisoned_orders_an_outage_and_a_restart_lose_and_delay_no_good_order() {
    let mut stand = Stand::new("");
    let poisoned = stand.poison(&poison::ALL, 2);
    stand.wait_until_tried(&poisoned, TRIED);
    stand.gateway.door(Door::Shut);
    let announced = stand.announce_good(5);
    stand.restart();
    stand.gateway.door(Door::Open);
    for id in &announced {
        stand.listening.world.wait_for_revision(id, 1);
    }
    let afterwards = stand.good(5, EVERY, PATIENCE);
    assert!(afterwards.worst().is_some_and(|worst| worst <= FLOOR), "{afterwards:?}");
    let (listening, _) = stand.end();
    let needy: Vec<_> = listening.world.journal();
    let good = needy.iter().filter(|order| !poisoned.contains(&order.key.order.to_string()));
    let blamed: Vec<_> = good.filter(|order| order.trouble.is_some()).collect();
    assert!(blamed.is_empty(), "{blamed:#?}");
}

#[test]
fn one_labs_poisoned_orders_harm_no_other_lab_at_the_same_server() {
    let first = AccountSpec::new(ACCOUNT, "Smile Dental Lab", "client", "s3cret-of-client");
    let second = AccountSpec::new("4712", "Other Lab", "other", "s3cret-of-other");
    let labs = vec![(LAB.to_owned(), first), ("other-lab".to_owned(), second)];
    let more = "polling: { interval: 500ms }\n";
    let world = World::unpaired(labs, more);
    let gateway = Gateway::before(world.simulator_address());
    let world = world.behind(gateway.url());
    world.log_in_and_pair(LAB);
    world.log_in_and_pair("other-lab");
    let agent = world.run();
    let mut poisoned = Vec::new();
    for kind in poison::ALL {
        for number in 0..3 {
            let id = format!("{}", 6_000_000 + poisoned.len());
            gateway.file(&id, PACKAGE, (kind.does)(number));
            let spec = order_with_id(CaseKind::OrthoShell, &id);
            poisoned.push(world.align().create_order(&spec).expect("created"));
        }
    }
    wait_for("a poisoned order to be tried", || {
        poisoned.iter().any(|id| gateway.asked(id, PACKAGE) > 0).then_some(())
    });
    for lab in [ACCOUNT, "4712"] {
        let spec = OrderSpec { account: Some(lab.to_owned()), ..order(CaseKind::OrthoShell) };
        let id = world.align().create_order(&spec).expect("created");
        let began = std::time::Instant::now();
        let name = if lab == ACCOUNT { LAB } else { "other-lab" };
        let manifest = world.output().join(name).join(lab).join(&id).join("manifest.json");
        wait_for("the good order", || manifest.exists().then_some(()));
        assert!(began.elapsed() < FLOOR, "{lab}: {:?}", began.elapsed());
    }
    let status = world.casedrop(&["status", "--json"]);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
    for lab in status["labs"].as_array().expect("a list") {
        assert_eq!(lab["state"], "polling", "{lab:#}");
    }
    agent.kill();
}
