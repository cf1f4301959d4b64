//! Long downloads, and the orders waiting for a slot.

use super::shop::{Meets, Shop, fault, order};
use super::*;

/// A lab with a working login and this many slots.
fn connected(slots: usize) -> World {
    let mut world = World::new(&["lab"]);
    world.engine.policy.concurrency = slots;
    world.give(Input::Tick);
    world.connect("lab");
    world
}

#[test]
fn four_downloads_that_trickle_starve_nobody() {
    let mut shop = Shop::new(4);
    let mut meets = |key: &OrderKey, _| match key.order.as_str() {
        "1" | "2" | "3" | "4" => Meets::Runs(2000, Some(1_000_000)),
        _ => Meets::Files,
    };
    let todo = shop.announce(1..=30);
    shop.go_on(todo, 6, &mut meets);
    assert_eq!(shop.published.len(), 26, "all others, after a moment");
    shop.pass(120, &mut meets);
    assert!((1..=4).all(|number| shop.runs(&order(number))), "nobody waits: they may go on");
}

#[test]
fn downloads_that_hardly_move_are_begun_anew_though_nobody_waits() {
    let mut shop = Shop::new(4);
    // Connections from before the end of an outage never recover.
    let mut meets = |_: &OrderKey, second: u64| {
        if second < 20 { Meets::Runs(1, Some(1_000_000)) } else { Meets::Files }
    };
    let todo = shop.announce(1..=100);
    shop.go_on(todo, 20, &mut meets);
    assert_eq!(shop.published.len(), 0);
    shop.pass(120, &mut meets);
    assert_eq!(shop.published.len(), 100);
    assert!((1..=100).all(|number| shop.state(number) == OrderState::Published));
}

#[test]
fn downloads_that_trickle_hold_up_nobody_while_the_server_wants_fewer_calls() {
    let mut shop = Shop::new(4);
    let mut meets = |key: &OrderKey, _| match key.order.as_str() {
        "1" => Meets::Fails(fault(FaultClass::Transient, "http-429")),
        "2" | "3" | "4" | "5" => Meets::Runs(1, Some(1_000_000)),
        _ => Meets::Files,
    };
    let todo = shop.announce(1..=5);
    shop.go_on(todo, 8, &mut meets);
    for number in 10..20 {
        let began = shop.second;
        let todo = shop.announce([number]);
        shop.go_on(todo, 8, &mut meets);
        let published = shop.published.get(&order(number));
        assert!(published.is_some_and(|at| at - began <= 6), "{number}: {published:?} - {began}");
    }
}

#[test]
fn a_server_that_makes_the_files_first_has_its_time_while_nobody_waits() {
    let mut shop = Shop::new(4);
    let mut meets = |_: &OrderKey, _| Meets::Runs(0, None);
    let todo = shop.announce(1..=1);
    shop.go_on(todo, 200, &mut meets);
    assert!(shop.runs(&order(1)));
    assert_eq!(shop.fetches.len(), 1);
}

#[test]
fn a_download_below_the_least_rate_gives_its_slot_up_to_others_and_goes_on_later() {
    let mut shop = Shop::new(1);
    let mut trickles = |_: &OrderKey, _| Meets::Runs(1, Some(1_000_000));
    let todo = shop.announce(1..=30);
    shop.go_on(todo, 300, &mut trickles);
    let given_up = (1..=30).filter_map(|number| shop.world.record(&order(number)).trouble);
    let given_up: Vec<_> = given_up.collect();
    assert!(!given_up.is_empty());
    for trouble in given_up {
        assert_eq!((trouble.class, trouble.code.as_str()), (FaultClass::Transient, "too-slow"));
    }
    shop.world.engine.policy.min_rate = 0;
}

#[test]
fn where_no_slot_is_left_one_is_freed_before_the_next_order_comes() {
    let mut shop = Shop::new(4);
    let mut meets = |key: &OrderKey, _| match key.order.as_str().len() {
        1 | 2 => Meets::Runs(0, None),
        _ => Meets::Files,
    };
    // Each arrives after the others and takes a slot for newcomers.
    for number in 1..=40 {
        let todo = shop.announce([number]);
        shop.go_on(todo, 2, &mut meets);
        let running = (1..=40).filter(|number| shop.runs(&order(*number))).count();
        assert!(running <= crate::slots::most(4), "{running} run");
    }
    for number in 100..110 {
        let began = shop.second;
        let todo = shop.announce([number]);
        shop.go_on(todo, 1, &mut meets);
        assert_eq!(shop.published.get(&order(number)), Some(&began));
    }
}

#[test]
fn huge_downloads_in_all_slots_hold_up_no_order_that_comes_later() {
    let mut shop = Shop::new(4);
    let mut meets = |key: &OrderKey, _| match key.order.as_str().len() {
        1 | 2 => Meets::Runs(50_000_000, Some(2_000_000_000_000)),
        _ => Meets::Files,
    };
    let todo = shop.announce(1..=20);
    shop.go_on(todo, 30, &mut meets);
    for number in 100..150 {
        let began = shop.second;
        let todo = shop.announce([number]);
        shop.go_on(todo, 3, &mut meets);
        assert_eq!(shop.published.get(&order(number)), Some(&began));
    }
    let running = (1..=20).filter(|number| shop.runs(&order(*number))).count();
    assert_eq!(running, 4, "those that came together take their turns");
    // Each arrives after the others: the slots beyond the usual ones fill up.
    for number in 30..60 {
        let todo = shop.announce([number]);
        shop.go_on(todo, 4, &mut meets);
    }
    let began = shop.second;
    let todo = shop.announce([200]);
    shop.go_on(todo, 11, &mut meets);
    let published = shop.published.get(&order(200)).expect("published");
    assert!(published - began <= 10, "one gave way after {} s", published - began);
    let first: Vec<bool> = (1..=4).map(|number| shop.runs(&order(number))).collect();
    assert!(first.iter().filter(|runs| **runs).count() >= 1, "{first:?}");
}

#[test]
fn orders_that_failed_before_do_not_take_all_slots_and_are_not_forgotten() {
    let mut shop = Shop::new(4);
    let todo = shop.announce([500]);
    shop.go_on(todo, 1, &mut |_, _| Meets::Files);
    // They fail, others succeed, and then they stall.
    let mut meets = |key: &OrderKey, second: u64| match key.order.as_str().len() {
        1 if second < 10 => Meets::Fails(fault(FaultClass::Transient, "broken-off")),
        1 => Meets::Runs(20_000, Some(1_000_000_000)),
        _ => Meets::Files,
    };
    let todo = shop.announce(1..=2);
    shop.go_on(todo, 2, &mut meets);
    let todo = shop.announce(3..=9);
    shop.go_on(todo, 2, &mut meets);
    let todo = shop.announce([501]);
    shop.go_on(todo, 60, &mut meets);
    let running = (1..=9).filter(|number| shop.runs(&order(*number))).count();
    assert!((1..=3).contains(&running), "{running} run");
    let todo = shop.ends(&(1..=9).map(order).find(|key| shop.runs(key)).expect("one runs"), Ok(()));
    shop.go_on(todo, 2, &mut meets);
    let began = shop.second;
    let todo = shop.announce([502]);
    shop.go_on(todo, 1, &mut meets);
    assert_eq!(shop.published.get(&order(502)), Some(&began));
}

#[test]
fn an_order_that_just_came_has_a_moment_for_itself_and_the_line_goes_on_afterwards() {
    let mut world = connected(2);
    let list = |orders: &[&str]| orders.iter().map(|order| remote(order, Status::Ready)).collect();
    let looks = |effects: &[Effect]| -> Vec<String> {
        let keys = effects.iter().filter_map(|effect| match effect {
            Effect::Look { key, .. } => Some(key.order.to_string()),
            _ => None,
        });
        keys.collect()
    };
    let fails = |world: &mut World, order: &str| {
        let result = Err(transient());
        let effects = world.give(Input::Looked { key: key("lab", order), result });
        looks(&effects)
    };
    let line = ["1", "2", "3", "4", "5", "6", "7"];
    assert_eq!(looks(&world.list("lab", list(&line))), ["1", "2"]);
    world.pass(Duration::from_millis(10));
    assert_eq!(looks(&world.list("lab", list(&["21"]))), ["21"]);
    let end = world.now.mono + Duration::from_millis(250);
    assert_eq!(fails(&mut world, "1"), [""; 0]);
    assert_eq!(fails(&mut world, "2"), [""; 0], "nothing begins beside it");
    assert_eq!(world.engine.next_wake(world.now), Some(end));
    assert_eq!(looks(&world.pass(Duration::from_millis(250))), ["3"], "it takes its time");
    // The queue gets the same amount of time.
    assert_eq!(looks(&world.list("lab", list(&["22"]))), ["22"]);
    assert_eq!(fails(&mut world, "21"), [""; 0], "both usual slots are taken");
    assert_eq!(fails(&mut world, "3"), ["4"]);
    world.pass(Duration::from_millis(250));
    assert_eq!(looks(&world.list("lab", list(&["23"]))), ["23"]);
    assert_eq!(fails(&mut world, "22"), [""; 0]);
    assert_eq!(fails(&mut world, "4"), [""; 0], "nothing begins beside that one either");
    assert_eq!(fails(&mut world, "23"), ["5", "6"], "what is done needs no courtesy");
}

#[test]
fn orders_that_fail_again_at_once_take_a_quarter_of_the_time_at_most() {
    let mut world = connected(4);
    let list = (1..=40).map(|number| remote(&number.to_string(), Status::Ready)).collect();
    let mut effects = world.list("lab", list);
    let mut tries = 0;
    // Each attempt takes 100 ms, for two minutes.
    for tenth in 0..1200 {
        let mut next = world.pass(Duration::from_millis(100));
        for effect in effects {
            let Effect::Look { key, .. } = effect else { continue };
            tries += usize::from(tenth > 600);
            next.extend(world.give(Input::Looked { key, result: Err(transient()) }));
        }
        effects = next;
    }
    let longest = Duration::from_secs(60).as_millis() / 400;
    assert!((20..=longest as usize).contains(&tries), "{tries} tries in a minute");
}
