//! If everything fails alike, no order is at fault.

use super::shop::{HOST, Meets, Shop, fault, order};
use super::*;

/// Its name, and what all downloads run into.
type Form = (&'static str, fn() -> Fault);

fn shapes() -> Vec<Form> {
    fn one(class: FaultClass, code: &'static str) -> Fault {
        fault(class, code)
    }
    vec![
        ("no connection", || one(FaultClass::Transient, "connect")),
        ("no name", || one(FaultClass::Transient, "dns")),
        ("stalls", || one(FaultClass::Transient, "stalled")),
        ("resets", || one(FaultClass::Transient, "broken-off")),
        ("500", || one(FaultClass::Transient, "http-500")),
        ("502", || one(FaultClass::Transient, "http-502")),
        ("503", || one(FaultClass::Transient, "http-503")),
        ("a gateway's 404", || one(FaultClass::NotConverted, "not-converted")),
        ("403", || one(FaultClass::Refused, "http-403")),
        ("400", || one(FaultClass::Permanent, "http-400")),
        ("a web page", || one(FaultClass::Damaged, "wrong-content")),
        ("other bytes", || Fault::new(FaultClass::Damaged, "zip-crc", "a wrong checksum")),
    ]
}

#[test]
fn two_minutes_after_an_outage_everything_is_published_and_nobody_was_asked_for_help() {
    for (shape, answer) in shapes() {
        let mut shop = Shop::new(4);
        let todo = shop.announce([1]);
        shop.go_on(todo, 5, &mut |_, _| Meets::Files);
        assert_eq!(shop.published.len(), 1, "{shape}");
        let todo = shop.announce(100..130);
        shop.go_on(todo, 2400, &mut |_, _| Meets::Fails(answer()));
        for number in 100..130 {
            let record = shop.world.record(&order(number));
            assert_ne!(record.state(), OrderState::Attention, "{shape}: {:?}", record.trouble);
            if let Some(trouble) = record.trouble {
                let next_try = trouble.next_try.expect("it is tried again");
                assert!(next_try >= shop.world.now.wall, "{shape}: that is past: {trouble:?}");
                assert!(trouble.attempts <= 1, "{shape}: {trouble:?}");
            }
        }
        assert_eq!(shop.outages(), (1, 0), "{shape}: one notice");
        let pauses = shop.world.engine.pauses(shop.world.now);
        assert_eq!((pauses.len(), pauses[0].host.as_str()), (1, HOST), "{shape}");
        let begun = shop.fetches.len();
        assert!(begun < 100, "{shape}: {begun} downloads were tried in 40 minutes");
        shop.pass(120, &mut |_, _| Meets::Files);
        assert_eq!(shop.published.len(), 31, "{shape}");
        assert_eq!(shop.outages(), (1, 1), "{shape}");
    }
}

#[test]
fn an_order_that_fails_before_and_after_others_succeed_spends_its_attempts() {
    let mut shop = Shop::new(4);
    let mut meets = |key: &OrderKey, _| match key.order.as_str().len() {
        1 => Meets::Fails(fault(FaultClass::Refused, "http-403")),
        _ => Meets::Files,
    };
    let todo = shop.announce(1..=5);
    shop.go_on(todo, 600, &mut meets);
    assert_eq!(shop.state(3), OrderState::Retrying, "nobody succeeded, so it may be an outage");
    let todo = shop.announce([10]);
    shop.go_on(todo, 1800, &mut meets);
    assert_eq!(shop.published.len(), 1);
    for number in 1..=5 {
        assert_eq!(shop.state(number), OrderState::Attention, "{:?}", shop.trouble(number));
    }
    assert_eq!(shop.world.engine.pauses(shop.world.now), [], "they make no outage any more");
}

#[test]
fn files_that_are_being_made_cost_nothing_while_none_comes_and_are_no_outage_at_first() {
    let mut shop = Shop::new(4);
    shop.world.engine.policy.retry.not_converted = vec![Duration::from_mins(10); 3];
    let mut meets =
        |_: &OrderKey, _| Meets::Fails(fault(FaultClass::NotConverted, "not-converted"));
    let todo = shop.announce(1..=5);
    shop.go_on(todo, 1200, &mut meets);
    assert_eq!(shop.outages(), (0, 0), "they are being made");
    assert_eq!(shop.state(3), OrderState::Regenerating);
    shop.pass(1200, &mut meets);
    assert_eq!(shop.outages(), (1, 0), "that should have been enough for one of them");
    assert_eq!(shop.state(3), OrderState::Regenerating);
}

#[test]
fn what_waits_for_an_outage_is_as_new_as_what_was_never_tried() {
    let mut shop = Shop::new(2);
    let todo = shop.announce(1..=40);
    shop.go_on(todo, 600, &mut |_, _| Meets::Fails(fault(FaultClass::Transient, "connect")));
    shop.pass(61, &mut |_, _| Meets::Files);
    assert_eq!(shop.published.len(), 40);
}
