//! Clocks that are set, full disks, servers that are down, files that never arrive, orders that are
//! away.

use super::*;

#[test]
fn a_clock_that_steps_forward_does_not_break_the_interval() {
    let mut world = World::new(&["lab"]);
    world.give(Input::Tick);
    world.connect("lab");
    world.list("lab", vec![]);
    let now = Now { wall: WallMs(900_000_000), mono: Duration::from_secs(60) };
    let mut world = World::at(world.engine.store, &["lab"], now);
    world.give(Input::Tick);
    assert_eq!(world.connect("lab").len(), 0, "only 10 s have passed");
    assert_eq!(world.pass(Duration::from_secs(109)).len(), 0);
    assert_eq!(world.pass(Duration::from_secs(1)).len(), 1);
}

#[test]
fn a_wait_never_becomes_longer_because_the_clock_was_set() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.announce(&order);
    world.give(Input::Looked { key: order.clone(), result: Err(transient()) });
    let now = Now { wall: WallMs(-900_000_000), mono: Duration::from_secs(60) };
    let mut world = World::at(world.engine.store, &["lab"], now);
    world.give(Input::Tick);
    world.connect("lab");
    let effects = world.pass(Duration::from_secs(1));
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
}

#[test]
fn a_download_waits_for_room_and_others_leave_it_theirs() {
    let mut world = World::new(&["lab"]);
    let first = key("lab", "1");
    world.publish_first(&first);
    world.pass(INTERVAL);
    // Orders are about one byte here, so two are needed for the archive and its files.
    let (second, third) = (key("lab", "2"), key("lab", "3"));
    let effects = world.list("lab", vec![remote("2", Status::Ready), remote("3", Status::Ready)]);
    assert_eq!(effects.len(), 2);
    let effects = world.looked_with(&second, LocalPicture::Absent, 101);
    assert_eq!(effects.len(), 0, "{effects:?}");
    let trouble = world.record(&second).trouble.expect("trouble");
    assert_eq!((trouble.class, trouble.code.as_str()), (FaultClass::Local, "disk-full"));
    assert!(trouble.message.contains("101 B free, but 102 B are needed"), "{trouble:?}");
    let effects = world.looked_with(&third, LocalPicture::Absent, 102);
    assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]), "{effects:?}");
    world.pass(Duration::from_secs(60));
    assert_eq!(world.looked_with(&second, LocalPicture::Absent, 103).len(), 0, "it is set aside");
    world.pass(Duration::from_secs(60));
    let effects = world.looked_with(&second, LocalPicture::Absent, 104);
    assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]), "{effects:?}");
}

#[test]
fn files_that_never_come_need_attention_and_say_what_to_tell_align() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.begin_fetch(&order);
    let not_converted = || Fault::new(FaultClass::NotConverted, "not-converted", "404");
    world.give(Input::Fetched { key: order.clone(), result: Err(not_converted()) });
    world.pass(Duration::from_secs(120));
    world.looked(&order, LocalPicture::Absent);
    world.give(Input::Fetched { key: order.clone(), result: Err(not_converted()) });
    assert_eq!(world.record(&order).state(), OrderState::Attention);
    let trouble = world.record(&order).trouble.expect("trouble");
    let hint = trouble.hint.expect("a hint");
    for word in ["iTeroAPISupport@aligntech.com", "Order 17", "account 1", "2 times"] {
        assert!(hint.contains(word), "{hint}");
    }
    // It is still tried once a day; news restarts the schedule.
    world.list("lab", vec![]);
    let effects = world.pass(Duration::from_hours(23));
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]), "{effects:?}");
    world.list("lab", vec![]);
    world.pass(INTERVAL);
    let effects = world.list("lab", vec![remote("17", Status::Ready)]);
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    assert_eq!(world.record(&order).state(), OrderState::Waiting);
}

/// The fault of a server that is down, for which many orders wait.
fn dead_host() -> Fault {
    transient().at("storage.example")
}

#[test]
fn a_dead_server_costs_almost_nothing_and_everything_goes_on_once_it_answers() {
    let mut world = World::new(&["lab"]);
    world.give(Input::Tick);
    world.connect("lab");
    let ids: Vec<String> = (100..160).map(|id| id.to_string()).collect();
    let list = || ids.iter().map(|id| remote(id, Status::Ready)).collect::<Vec<_>>();
    let mut todo = world.list("lab", list());
    let mut fetches = 0;
    // Six hours, second by second.
    for _ in 0..6 * 3600 {
        let mut next = Vec::new();
        for effect in todo {
            next.extend(match effect {
                Effect::Look { key, .. } => world.looked(&key, LocalPicture::Absent),
                Effect::Fetch(job) => {
                    fetches += 1;
                    world.give(Input::Fetched { key: job.key, result: Err(dead_host()) })
                }
                Effect::Poll { .. } => world.list("lab", list()),
                other => panic!("{other:?}"),
            });
        }
        next.extend(world.pass(Duration::from_secs(1)));
        todo = next;
    }
    // Each order once, and one per minute.
    assert!(fetches < 500, "{fetches} downloads were tried in six hours");
    // The server answers again: every order is tried within minutes, not at the end of a long wait.
    let mut published = BTreeSet::new();
    for _ in 0..600 {
        let mut next = Vec::new();
        for effect in todo {
            next.extend(match effect {
                Effect::Look { key, .. } => world.looked(&key, LocalPicture::Absent),
                Effect::Fetch(job) => world.fetched(&job.key, "a"),
                Effect::Publish(job) => {
                    published.insert(job.intent.key.clone());
                    world.published(&job.intent.key)
                }
                Effect::Poll { .. } => world.list("lab", list()),
                other => panic!("{other:?}"),
            });
        }
        next.extend(world.pass(Duration::from_secs(1)));
        todo = next;
    }
    assert_eq!(published.len(), ids.len());
}

#[test]
fn an_order_that_another_client_took_is_noticed_and_fetched_all_the_same() {
    let mut world = World::new(&["lab"]);
    world.engine.policy.follow_up = true;
    world.engine.policy.concurrency = 0;
    world.give(Input::Tick);
    world.connect("lab");
    let mut order = remote("17", Status::Ready);
    order.rx_id = Some("rx-17".parse().expect("valid"));
    world.list("lab", vec![order.clone()]);
    world.pass(INTERVAL);
    let effects = world.list("lab", vec![]);
    let [Effect::Ask { lab, account, rx }] = effects.as_slice() else { panic!("{effects:?}") };
    let (lab, account, rx) = (lab.clone(), account.clone(), rx.clone());
    order.status = Status::Downloaded;
    world.engine.policy.concurrency = 1;
    let effects = world.give(Input::Answered { lab, account, rx, result: Ok(order) });
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    let key = key("lab", "17");
    let story = world.engine.store().story(&key).expect("journal");
    let kinds: Vec<&str> = story.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["seen", "left", "taken"]);
    let effects = world.looked(&key, LocalPicture::Absent);
    assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]), "{effects:?}");
}

#[test]
fn a_published_order_that_was_sent_to_modeling_is_shown_as_expected_back() {
    let mut world = World::new(&["lab"]);
    let key = key("lab", "17");
    world.publish_first(&key);
    let mut record = world.record(&key);
    record.remote.rx_id = Some("rx-17".parse().expect("valid"));
    world.engine.store().save(&record).expect("saved");
    world.engine.policy.follow_up = true;
    world.pass(INTERVAL);
    world.list("lab", vec![]);
    let effects = world.pass(Duration::from_hours(5));
    let asked = effects.iter().any(|effect| matches!(effect, Effect::Ask { .. }));
    assert!(!asked, "a poll comes first: {effects:?}");
    let effects = world.list("lab", vec![]);
    let [Effect::Ask { lab, account, rx }] = effects.as_slice() else { panic!("{effects:?}") };
    let (lab, account, rx) = (lab.clone(), account.clone(), rx.clone());
    let mut order = record.remote.clone();
    order.status = Status::Modeling;
    world.give(Input::Answered { lab, account, rx, result: Ok(order) });
    assert_eq!(world.record(&key).state(), OrderState::Away);
    assert!(!world.record(&key).is_wanted());
    // Align is not asked over and over.
    let questions = (0..60 * 24)
        .flat_map(|_| world.pass(Duration::from_mins(1)))
        .filter(|effect| matches!(effect, Effect::Ask { .. }));
    assert!(questions.count() <= 1, "the last one is still unanswered");
}

#[test]
fn files_that_are_now_missing_and_now_broken_need_attention_too() {
    let mut world = World::new(&["lab"]);
    world.engine.policy.retry.not_converted = vec![Duration::from_secs(60); 20];
    let order = key("lab", "17");
    world.begin_fetch(&order);
    let mut fetches = 1;
    for _ in 0..200 {
        if world.record(&order).state() == OrderState::Attention {
            break;
        }
        let (class, code) = match fetches % 2 {
            0 => (FaultClass::Damaged, "zip-crc"),
            _ => (FaultClass::NotConverted, "not-converted"),
        };
        let result = Err(Fault::new(class, code, code));
        world.give(Input::Fetched { key: order.clone(), result });
        let effects = world.pass(Duration::from_secs(100));
        if effects.iter().any(|effect| matches!(effect, Effect::Look { .. })) {
            world.looked(&order, LocalPicture::Absent);
            fetches += 1;
        }
    }
    let trouble = world.record(&order).trouble.expect("trouble");
    assert_eq!((trouble.code.as_str(), trouble.attempts), ("zip-crc", 5));
}
