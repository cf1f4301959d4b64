//! What one order runs into concerns that order only: neither its lab nor another order waits for
//! it.

use super::shop::{Meets, Shop, fault, order};
use super::*;

const RETRY_AFTER: Option<Duration> = Some(Duration::from_secs(3));

#[test]
fn an_answer_about_one_order_changes_nothing_for_its_lab() {
    for (class, code) in [
        (FaultClass::Refused, "http-401"),
        (FaultClass::Refused, "http-403"),
        (FaultClass::Refused, "http-451"),
        // As a less precise client would report it.
        (FaultClass::Auth, "http-401"),
        (FaultClass::Auth, "http-403"),
    ] {
        let mut shop = Shop::new(4);
        let mut meets = |key: &OrderKey, _| match key.order.as_str() {
            "7" => Meets::Fails(fault(class, code)),
            _ => Meets::Files,
        };
        let todo = shop.announce(1..=11);
        shop.go_on(todo, 30, &mut meets);
        assert_eq!(shop.published.len(), 10, "{code}");
        shop.pass(1800, &mut meets);
        assert_eq!(shop.standing(), LabStanding::Good, "{code}");
        assert_eq!(shop.state(7), OrderState::Attention, "{code}");
        let tries = shop.fetches.iter().filter(|(_, key)| *key == order(7)).count();
        assert_eq!(tries, 4, "{code}: parked after few tries");
        assert!(shop.trouble(7).next_try.is_some(), "and tried daily");
        let told = |notice: &Notice| matches!(notice, Notice::LabTrouble { .. });
        assert!(!shop.told.iter().any(told), "{code}");
        assert_eq!(shop.proofs, usize::from(code != "http-451"), "{code}");
    }
}

#[test]
fn the_login_is_tested_and_if_that_is_refused_the_lab_waits_for_a_person() {
    let mut shop = Shop::new(4);
    shop.login_is_good = false;
    let mut refused = |_: &OrderKey, _| Meets::Fails(fault(FaultClass::Refused, "http-403"));
    let todo = shop.announce(1..=1);
    shop.go_on(todo, 60, &mut refused);
    assert_eq!(shop.standing(), LabStanding::LoginNeeded);
    let spent = (shop.trouble(1).attempts, shop.fetches.len());
    // Until the next poll shows otherwise.
    shop.pass(40, &mut refused);
    assert_eq!((shop.trouble(1).attempts, shop.fetches.len()), spent, "nothing is spent");
    shop.login_is_good = true;
    shop.pass(120, &mut |_, _| Meets::Files);
    assert_eq!(shop.standing(), LabStanding::Good);
    assert_eq!(shop.published.len(), 1, "it goes on at once");
}

/// Its name, and what its downloads run into.
type Poison = (&'static str, fn() -> Meets);

/// Every kind of answer that can poison an order.
fn poisons() -> Vec<Poison> {
    fn fails(class: FaultClass, code: &'static str) -> Meets {
        Meets::Fails(fault(class, code))
    }
    vec![
        ("500", || fails(FaultClass::Transient, "http-500")),
        ("503", || fails(FaultClass::Transient, "http-503")),
        ("reset", || fails(FaultClass::Transient, "broken-off")),
        ("403", || fails(FaultClass::Refused, "http-403")),
        ("401", || fails(FaultClass::Auth, "http-401")),
        ("404", || fails(FaultClass::NotConverted, "not-converted")),
        ("HTML", || fails(FaultClass::Damaged, "wrong-content")),
        ("broken zip", || {
            Meets::Fails(Fault::new(FaultClass::Damaged, "zip-crc", "a wrong checksum"))
        }),
        ("429", || fails(FaultClass::Transient, "http-429")),
        ("429 with Retry-After", || {
            let fault = fault(FaultClass::Transient, "http-429").retry_after(RETRY_AFTER);
            Meets::Fails(fault)
        }),
        ("stall", || Meets::Runs(0, None)),
        ("trickle", || Meets::Runs(1, Some(1_000_000))),
        ("huge", || Meets::Runs(50_000_000, Some(2_000_000_000_000))),
    ]
}

#[test]
fn a_new_order_is_published_however_many_others_are_poisoned() {
    const GOOD: usize = 10_000;
    for (kind, poison) in poisons() {
        for count in [3, 100] {
            let mut shop = Shop::new(4);
            let mut meets = |key: &OrderKey, _| match key.order.as_str().parse::<usize>() {
                Ok(number) if number < GOOD => poison(),
                _ => Meets::Files,
            };
            let todo = shop.announce(1..=count);
            shop.go_on(todo, 150, &mut meets);
            let mut late = Vec::new();
            for number in 0..10 {
                let began = shop.second;
                let todo = shop.announce_later([GOOD + number]);
                shop.go_on(todo, 17, &mut meets);
                let published = shop.published.get(&order(GOOD + number));
                late.push(published.map(|at| at - began));
            }
            // Any of them may run into the pause that a server asked for because of a never-tried
            // order.
            let worst = late.iter().map(|one| one.unwrap_or(99)).max().expect("some");
            assert!(worst <= if has_a_wish(kind) { 5 } else { 0 }, "{count} of {kind}: {late:?}");
            assert_eq!(shop.standing(), LabStanding::Good, "{count} of {kind}");
        }
    }
}

/// Whether the server says how long it wants to be left alone.
fn has_a_wish(kind: &str) -> bool {
    kind.contains("Retry-After")
}

#[test]
fn a_new_order_waits_for_no_poisoned_ones_that_are_as_yet_untried() {
    const GOOD: usize = 10_000;
    for (kind, poison) in poisons().into_iter().filter(|(kind, _)| !has_a_wish(kind)) {
        for count in [1, 7, 33] {
            let mut shop = Shop::new(4);
            let mut meets = |key: &OrderKey, _| match key.order.as_str().parse::<usize>() {
                Ok(number) if number < GOOD => poison(),
                _ => Meets::Files,
            };
            // The usual duration of a download is known.
            let todo = shop.announce(GOOD..GOOD + 3);
            shop.go_on(todo, 1, &mut meets);
            // They arrive in three lists.
            for list in 0..3 {
                let todo = shop.announce_later((1..=count).map(|number| list * count + number));
                shop.go_on(todo, 1, &mut meets);
            }
            for number in 3..23 {
                let began = shop.second;
                let todo = shop.announce_later([GOOD + number]);
                shop.go_on(todo, 1, &mut meets);
                let published = shop.published.get(&order(GOOD + number));
                assert_eq!(published, Some(&began), "{number} beside 3 * {count} of {kind}");
            }
            assert!(shop.world.engine.slots_in_use() <= 12, "{count} of {kind}");
        }
    }
}

#[test]
fn orders_that_alone_are_told_to_wait_are_soon_on_their_own() {
    let mut shop = Shop::new(4);
    let mut meets = |key: &OrderKey, _| match key.order.as_str().len() {
        1 | 2 => Meets::Fails(fault(FaultClass::Transient, "http-429")),
        _ => Meets::Files,
    };
    let todo = shop.announce(1..=20);
    shop.go_on(todo, 0, &mut meets);
    for number in 100..160 {
        let todo = shop.announce_later([number]);
        shop.go_on(todo, 1, &mut meets);
    }
    assert_eq!(shop.published.len(), 60);
    let own = (1..=20).filter(|number| shop.trouble(*number).attempts > 0).count();
    assert_eq!(own, 20, "each was refused before and after others were downloaded");
    assert_eq!(shop.world.engine.pauses(shop.world.now), [], "and shuts no gate any more");
}

#[test]
fn a_server_that_asks_for_fewer_calls_gets_them_and_everything_is_published() {
    let mut shop = Shop::new(4);
    let mut last = None;
    let mut in_vain = 0;
    // The server can take one download every two seconds.
    let mut meets = |_: &OrderKey, second: u64| {
        if last.is_some_and(|last| second < last + 2) {
            in_vain += 1;
            return Meets::Fails(fault(FaultClass::Transient, "http-429").retry_after(RETRY_AFTER));
        }
        last = Some(second);
        Meets::Files
    };
    let todo = shop.announce(1..=12);
    shop.go_on(todo, 0, &mut meets);
    for number in 1..=12 {
        let Some(trouble) = shop.world.record(&order(number)).trouble else { continue };
        let next_try = trouble.next_try.expect("a time");
        assert_eq!(next_try, shop.world.now.wall.plus(Duration::from_secs(3)), "the true time");
        assert_eq!((trouble.attempts, trouble.attention), (0, false), "it cost nothing");
    }
    shop.pass(100, &mut meets);
    assert_eq!(shop.published.len(), 12);
    assert!(in_vain < 40, "{in_vain} calls in vain");
    assert_eq!(shop.world.engine.pauses(shop.world.now), []);
}

#[test]
fn nothing_is_asked_before_the_longest_retry_after_is_over() {
    let mut shop = Shop::new(4);
    let mut first = true;
    let mut meets = |_: &OrderKey, _| {
        if !std::mem::take(&mut first) {
            return Meets::Files;
        }
        let wish = Some(Duration::from_secs(90));
        Meets::Fails(fault(FaultClass::Transient, "http-429").retry_after(wish))
    };
    let todo = shop.announce(1..=1);
    shop.go_on(todo, 10, &mut meets);
    let todo = shop.announce(2..=20);
    shop.go_on(todo, 0, &mut meets);
    let pauses = shop.world.engine.pauses(shop.world.now);
    assert_eq!(pauses.len(), 1, "it is told");
    assert_eq!(pauses[0].until.saturating_sub(shop.world.now.mono), Duration::from_secs(80));
    shop.pass(79, &mut meets);
    assert_eq!(shop.fetches.len(), 1, "{:?}", shop.fetches);
    shop.pass(30, &mut meets);
    assert_eq!(shop.published.len(), 20);
}

#[test]
fn what_fails_on_this_pc_for_long_needs_attention_and_goes_on_by_itself() {
    let mut shop = Shop::new(4);
    let mut full = |_: &OrderKey, _| Meets::Fails(Fault::new(FaultClass::Local, "disk", "no"));
    let todo = shop.announce(1..=1);
    shop.go_on(todo, 300, &mut full);
    assert_eq!(shop.state(1), OrderState::Retrying);
    shop.pass(900, &mut full);
    assert_eq!(shop.state(1), OrderState::Attention);
    shop.pass(61, &mut |_, _| Meets::Files);
    assert_eq!(shop.published.len(), 1);
}
