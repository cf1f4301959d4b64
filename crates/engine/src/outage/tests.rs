use super::*;

const SILENT: Signature = (FaultClass::Transient, "silent");
const PAGE: Signature = (FaultClass::NotConverted, "not-converted");

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn key(order: u32) -> OrderKey {
    OrderKey {
        lab: "lab".parse().expect("valid"),
        account: "1".parse().expect("valid"),
        order: order.to_string().parse().expect("valid"),
    }
}

fn fails(outages: &mut Outages, order: u32, signature: Signature, second: u64) -> Whose {
    let before = Before { attempts: order, ..Before::default() };
    let attempt = Attempt { began: at(second), ended: at(second), signature, before };
    outages.failed(&key(order), attempt)
}

#[test]
fn several_orders_that_fail_alike_with_no_success_between_are_an_outage() {
    let mut outages = Outages::default();
    assert_eq!(fails(&mut outages, 1, PAGE, 1), Whose::Orders);
    assert_eq!(fails(&mut outages, 1, PAGE, 2), Whose::Orders, "one order is no outage");
    assert_eq!(fails(&mut outages, 2, PAGE, 3), Whose::Orders);
    assert_eq!(fails(&mut outages, 3, SILENT, 3), Whose::Orders, "it is not alike");
    let Whose::NobodysNow(others) = fails(&mut outages, 4, PAGE, 4) else { panic!("an outage") };
    let before = |attempts| Before { attempts, ..Before::default() };
    assert_eq!(others, [(key(1), before(1)), (key(2), before(2))], "they get back what it cost");
    assert_eq!(fails(&mut outages, 5, SILENT, 5), Whose::Nobodys, "nobody succeeds");
}

#[test]
fn one_is_tried_at_a_time_ever_less_often_and_the_first_success_wakes_all() {
    let mut outages = Outages::default();
    for order in 1..=50 {
        fails(&mut outages, order, SILENT, 0);
    }
    let mut now = at(0);
    let mut pauses = Vec::new();
    for _ in 0..7 {
        let Turn::NotBefore(next) = outages.turn(&key(7), None, now) else { panic!("it waits") };
        pauses.push(next.saturating_sub(now).as_secs());
        now = next;
        assert_eq!(outages.turn(&key(7), None, now), Turn::Trial);
        outages.began(&key(7), false, now, 0.0);
    }
    assert_eq!(pauses, [5, 5, 10, 20, 40, 60, 60]);
    assert_eq!((outages.tries(&key(7)), outages.tries(&key(8))), (7, 0), "they take turns");
    let (woken, lasted) = outages.succeeded(&key(7), now, now).expect("it is over");
    assert_eq!((woken.len(), lasted), (49, now));
    assert_eq!(outages.turn(&key(8), None, now), Turn::Free);
}

#[test]
fn an_order_that_was_never_tried_is_tried_at_once() {
    let mut outages = Outages::default();
    for order in 1..=3 {
        fails(&mut outages, order, SILENT, 10);
    }
    assert_eq!(outages.turn(&key(9), Some(at(10)), at(10)), Turn::Trial);
    outages.began(&key(9), true, at(10), 0.0);
    assert_eq!(
        outages.turn(&key(10), Some(at(10)), at(10)),
        Turn::NotBefore(at(11)),
        "a thousand would not"
    );
    let later = at(10) + Duration::from_millis(1);
    assert_eq!(outages.turn(&key(12), Some(later), later), Turn::Trial, "it came after that");
    assert_eq!(outages.turn(&key(11), None, at(10)), Turn::Free, "what failed otherwise");
}

#[test]
fn what_fails_before_and_after_a_success_is_its_own_fault() {
    let mut outages = Outages::default();
    for order in 1..=3 {
        fails(&mut outages, order, PAGE, 1);
    }
    outages.succeeded(&key(9), at(2), at(3)).expect("it is over");
    for order in 1..=3 {
        assert_eq!(fails(&mut outages, order, PAGE, 4), Whose::Orders);
        assert!(outages.is_its_own_fault(&key(order)));
        assert_eq!(outages.turn(&key(order), None, at(4)), Turn::Free, "its own schedule holds");
    }
    assert_eq!(fails(&mut outages, 4, PAGE, 5), Whose::Orders, "they do not feed an outage");
    assert_eq!(fails(&mut outages, 5, PAGE, 5), Whose::Orders);
    assert!(matches!(fails(&mut outages, 6, PAGE, 5), Whose::NobodysNow(_)));
    assert_eq!(fails(&mut outages, 1, PAGE, 6), Whose::Orders, "nor belong to one");
    let end = |outages: &mut Outages, second| {
        outages.succeeded(&key(9), at(second), at(second)).expect("it is over").0
    };
    assert!(end(&mut outages, 8).contains(&key(1)), "afterwards everybody gets a try");
    for (second, is_woken) in [(20_u32, false), (67, false), (68, true)] {
        let now = u64::from(second);
        fails(&mut outages, 1, PAGE, now);
        for order in 0..3 {
            fails(&mut outages, 100 * second + order, PAGE, now);
        }
        let woken = end(&mut outages, now);
        assert_eq!(woken.contains(&key(1)), is_woken, "at {second} s: once a minute");
        assert!(woken.len() >= 3, "what fails for the first time always does");
    }
}

#[test]
fn a_download_that_was_under_way_already_says_nothing_about_an_order_that_failed_meanwhile() {
    let mut outages = Outages::default();
    fails(&mut outages, 1, SILENT, 5);
    // It began before the server went down and ended after.
    outages.succeeded(&key(9), at(1), at(6));
    assert_eq!(fails(&mut outages, 1, SILENT, 7), Whose::Orders);
    assert!(!outages.is_its_own_fault(&key(1)));
    fails(&mut outages, 2, SILENT, 7);
    assert!(matches!(fails(&mut outages, 3, SILENT, 7), Whose::NobodysNow(_)));
    assert!(outages.is_member(&key(1)));
}

#[test]
fn a_silent_server_that_answers_anything_is_tried_at_once() {
    let mut outages = Outages::default();
    for order in 1..=3 {
        fails(&mut outages, order, SILENT, 0);
    }
    outages.began(&key(1), false, at(5), 0.0);
    outages.lives(at(6));
    assert_eq!(outages.turn(&key(2), None, at(6)), Turn::Trial);
    let mut page = Outages::default();
    for order in 1..=3 {
        fails(&mut page, order, PAGE, 0);
    }
    page.lives(at(1));
    assert_eq!(page.turn(&key(2), None, at(1)), Turn::NotBefore(at(5)), "its list says nothing");
}
