//! User requests: paused labs, immediate polls, orders by number, orders sent back.

use super::*;
use casedrop_journal::{ErrandKind, Paused};

fn pause(world: &World) {
    let paused = Paused { at: world.now.wall, by: Some("anna".to_owned()) };
    world.engine.store().pause("lab", &paused).expect("journal");
}

/// All effects, including notices to the user.
fn all(world: &mut World, time: Duration) -> Vec<Effect> {
    world.now.mono += time;
    world.now.wall = world.now.wall.plus(time);
    world.engine.handle(world.now, Input::Tick).expect("journal")
}

#[test]
fn a_paused_lab_is_neither_polled_nor_asked_nor_fetched_for_across_restarts() {
    let mut world = World::new(&["lab", "other"]);
    pause(&world);
    world.give(Input::Tick);
    assert_eq!(world.connect("lab").len(), 0, "its login is looked for, and that is all");
    assert!(
        matches!(world.connect("other").as_slice(), [Effect::Poll { lab, .. }] if *lab == name("other"))
    );
    world.engine.store().ask(&key("lab", "17"), world.now.wall).expect("journal");
    assert_eq!(world.pass(INTERVAL * 10).len(), 0);
    assert!(world.record(&key("lab", "17")).is_wanted(), "it is recorded all the same");
    let mut world = World::with(world.engine.store, &["lab"], 9_000_000);
    world.give(Input::Tick);
    assert_eq!(world.connect("lab").len(), 0, "it is paused still");
    assert_eq!(world.pass(INTERVAL * 10).len(), 0);
    let standings = world.engine.lab_standings(world.now);
    assert_eq!(standings, [(name("lab"), LabStanding::Paused)]);
    assert!(world.engine.is_settled(world.now), "a single pass does not wait for it");
    world.engine.store().resume("lab").expect("journal");
    let effects = world.pass(Duration::from_secs(1));
    assert!(
        matches!(effects.as_slice(), [Effect::Poll { .. }, Effect::Look { .. }]),
        "{effects:?}"
    );
}

#[test]
fn a_pause_and_its_end_are_told_once() {
    let mut world = World::new(&["lab"]);
    pause(&world);
    let told = all(&mut world, Duration::ZERO);
    let is_pause = |effect: &&Effect| matches!(effect, Effect::Tell(Notice::Paused { .. }));
    let is_end = |effect: &&Effect| matches!(effect, Effect::Tell(Notice::Resumed { .. }));
    assert_eq!(told.iter().filter(is_pause).count(), 1, "{told:?}");
    let told = all(&mut world, Duration::from_secs(1));
    assert_eq!(told.iter().filter(is_pause).count(), 0, "{told:?}");
    world.engine.store().resume("lab").expect("journal");
    let told = all(&mut world, Duration::from_secs(1));
    assert_eq!(told.iter().filter(is_end).count(), 1, "{told:?}");
}

#[test]
fn what_runs_when_a_pause_begins_is_finished_and_nothing_follows() {
    let mut world = World::new(&["lab"]);
    let (running, looked_at) = (key("lab", "1"), key("lab", "2"));
    world.begin_fetch(&running);
    world.engine.store().ask(&looked_at, world.now.wall).expect("journal");
    let effects = world.pass(Duration::from_secs(1));
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    pause(&world);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.looked(&looked_at, LocalPicture::Absent).len(), 0, "no new download");
    world.fetched(&running, "a");
    let effects = world.looked(&running, LocalPicture::Absent);
    assert!(matches!(effects.as_slice(), [Effect::Publish(_)]), "{effects:?}");
    assert_eq!(world.published(&running).len(), 0);
    assert_eq!(world.record(&running).state(), OrderState::Published);
    assert_eq!(world.pass(INTERVAL * 10).len(), 0);
    assert!(!world.engine.is_busy());
    world.engine.store().resume("lab").expect("journal");
    let effects = world.pass(Duration::from_secs(1));
    let looks = |effect: &Effect| matches!(effect, Effect::Look { key, .. } if *key == looked_at);
    assert!(effects.iter().any(looks), "{effects:?}");
}

#[test]
fn an_interrupted_publication_is_completed_in_a_pause_too() {
    let mut world = World::new(&["lab"]);
    world.begin_publication(&key("lab", "17"));
    pause(&world);
    let mut world = World::with(world.engine.store, &["lab"], 1_005_000);
    let effects = world.give(Input::Tick);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Recover(_))), "{effects:?}");
}

/// A lab that the config polls once an hour, just polled.
fn polled_hourly() -> World {
    let mut world = World::new(&["lab"]);
    world.engine.policy.poll_interval = Duration::from_hours(1);
    world.give(Input::Tick);
    assert!(matches!(world.connect("lab").as_slice(), [Effect::Poll { .. }]));
    world.list("lab", vec![]);
    world
}

#[test]
fn a_poll_that_somebody_wants_comes_as_soon_as_align_allows_and_once() {
    let mut world = polled_hourly();
    world.engine.store().want_poll("lab", world.now.wall).expect("journal");
    assert_eq!(world.pass(Duration::from_secs(119)).len(), 0, "Align was asked 119 s ago");
    let effects = world.pass(Duration::from_secs(1));
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]), "{effects:?}");
    world.list("lab", vec![]);
    assert_eq!(world.pass(INTERVAL * 2).len(), 0, "the wish is fulfilled");
    assert_eq!(world.engine.store().polls_wanted().expect("journal"), [] as [String; 0]);
    world.engine.store().want_poll("lab", world.now.wall).expect("journal");
    let effects = world.pass(Duration::from_secs(1));
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]), "it is long ago: {effects:?}");
}

#[test]
fn a_wanted_poll_survives_a_restart_and_respects_what_align_asked_for() {
    let mut world = polled_hourly();
    world.engine.store().want_poll("lab", world.now.wall).expect("journal");
    world.pass(Duration::from_secs(60));
    let mut world = World::with(world.engine.store, &["lab"], 1_100_000);
    world.engine.policy.poll_interval = Duration::from_hours(1);
    world.give(Input::Tick);
    assert_eq!(world.connect("lab").len(), 0);
    let effects = world.pass(Duration::from_secs(20));
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]), "{effects:?}");
    let fault = transient().retry_after(Some(Duration::from_secs(600)));
    let account = "1".parse().expect("valid");
    world.give(Input::Polled { lab: name("lab"), account, result: Err(fault) });
    world.engine.store().want_poll("lab", world.now.wall).expect("journal");
    assert_eq!(world.pass(Duration::from_secs(599)).len(), 0, "Align wants to be left alone");
    let effects = world.pass(Duration::from_secs(1));
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]), "{effects:?}");
}

#[test]
fn a_wish_that_comes_while_a_poll_runs_leads_to_another_one() {
    let mut world = World::new(&["lab"]);
    world.engine.policy.poll_interval = Duration::from_hours(1);
    world.give(Input::Tick);
    world.connect("lab");
    world.engine.store().want_poll("lab", world.now.wall).expect("journal");
    world.pass(Duration::from_secs(1));
    world.list("lab", vec![]);
    assert_eq!(world.pass(Duration::from_secs(119)).len(), 0);
    let effects = world.pass(Duration::from_secs(1));
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]), "{effects:?}");
}

#[test]
fn a_wish_for_a_lab_that_is_gone_is_dropped() {
    let mut world = World::new(&["lab"]);
    world.engine.store().want_poll("old-lab", world.now.wall).expect("journal");
    world.give(Input::Tick);
    assert_eq!(world.engine.store().polls_wanted().expect("journal"), [] as [String; 0]);
}

fn ask_for_unknown(world: &mut World, order: &OrderKey, procedure: Option<&str>) -> Vec<Effect> {
    let procedure = procedure.map(str::to_owned);
    let what = ErrandKind::Refetch { procedure };
    world.engine.store().put_in(order, world.now.wall, &what).expect("journal");
    world.pass(Duration::from_secs(1))
}

#[test]
fn an_order_that_the_journal_does_not_know_is_fetched_by_its_number_in_the_form_for_its_kind() {
    let mut world = World::new(&["lab"]);
    world.give(Input::Tick);
    world.connect("lab");
    world.list("lab", vec![]);
    let order = key("lab", "17");
    let effects = ask_for_unknown(&mut world, &order, Some("Orthodontic"));
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    let record = world.record(&order);
    assert!(record.is_wanted() && record.is_unheard_of() && !record.listed);
    assert!(!record.left_unfetched(), "it is not one that another client took");
    let effects = world.looked(&order, LocalPicture::Absent);
    let [Effect::Fetch(job)] = effects.as_slice() else { panic!("{effects:?}") };
    assert!(job.remote.is_ortho());
    world.fetched(&order, "a");
    world.looked(&order, LocalPicture::Absent);
    world.published(&order);
    let record = world.record(&order);
    assert_eq!(record.state(), OrderState::Published);
    let revisions = world.engine.store().revisions(&order).expect("journal");
    assert_eq!(revisions[0].manifest.reason, Reason::FirstScan);
    // Align finally lists it: from now on what Align says counts.
    world.pass(INTERVAL);
    world.list("lab", vec![remote("17", Status::LabReview)]);
    assert!(!world.record(&order).is_unheard_of());
}

#[test]
fn a_wrong_number_ends_up_failing_and_says_so() {
    let mut world = World::new(&["lab"]);
    world.give(Input::Tick);
    world.connect("lab");
    world.list("lab", vec![]);
    let order = key("lab", "99");
    ask_for_unknown(&mut world, &order, None);
    let not_converted = || Fault::new(FaultClass::NotConverted, "not-converted", "404");
    world.looked(&order, LocalPicture::Absent);
    world.give(Input::Fetched { key: order.clone(), result: Err(not_converted()) });
    assert_eq!(world.record(&order).state(), OrderState::Regenerating);
    world.pass(INTERVAL);
    world.looked(&order, LocalPicture::Absent);
    world.give(Input::Fetched { key: order.clone(), result: Err(not_converted()) });
    let record = world.record(&order);
    assert_eq!(record.state(), OrderState::Attention);
    let hint = record.trouble.and_then(|trouble| trouble.hint).expect("a hint");
    assert!(hint.contains("never listed order 99") && hint.contains("myitero.com"), "{hint}");
    // A user finally says which case type it is.
    ask_for_unknown(&mut world, &order, Some("Orthodontic"));
    assert!(world.record(&order).remote.is_ortho());
}

#[test]
fn an_order_that_was_sent_back_is_expected_and_soon_asked_about() {
    let mut world = World::new(&["lab"]);
    world.engine.policy.follow_up = true;
    let order = key("lab", "17");
    world.give(Input::Tick);
    world.connect("lab");
    let described = |status: Status| RemoteOrder {
        rx_id: Some("rx-17".parse().expect("valid")),
        ..remote("17", status)
    };
    world.list("lab", vec![described(Status::Ready)]);
    world.looked(&order, LocalPicture::Absent);
    world.fetched(&order, "a");
    world.looked(&order, LocalPicture::Absent);
    world.published(&order);
    world.pass(INTERVAL);
    world.list("lab", vec![]);
    let journal = world.engine.store();
    journal.put_in(&order, world.now.wall, &ErrandKind::Returned).expect("journal");
    world.pass(Duration::from_secs(1));
    let record = world.record(&order);
    assert_eq!((record.state(), &record.remote.status), (OrderState::Away, &Status::Scanning));
    let story = world.engine.store().story(&order).expect("journal");
    assert!(story.iter().any(|line| line.kind == "returned"), "{story:?}");
    assert_eq!(world.engine.store().asked().expect("journal"), []);
    // Within minutes, not hours.
    let mut asked = false;
    for _ in 0..13 {
        let mut effects = world.pass(Duration::from_mins(1));
        if effects.iter().any(|effect| matches!(effect, Effect::Poll { .. })) {
            effects.extend(world.list("lab", vec![]));
        }
        asked |= effects.iter().any(|effect| matches!(effect, Effect::Ask { .. }));
    }
    assert!(asked);
    // The rescan arrives.
    let account = "1".parse().expect("valid");
    let result = Ok(described(Status::Scanning));
    let rx = "rx-17".parse().expect("valid");
    world.give(Input::Answered { lab: name("lab"), account, rx, result });
    world.pass(INTERVAL);
    world.list("lab", vec![described(Status::Ready)]);
    world.looked(&order, LocalPicture::AsPublished);
    world.fetched(&order, "b");
    let effects = world.looked(&order, LocalPicture::AsPublished);
    let [Effect::Publish(job)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((job.intent.manifest.revision, job.intent.manifest.reason), (2, Reason::Rescan));
}

#[test]
fn a_return_of_an_order_that_the_journal_does_not_know_is_taken_off_the_list() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "99");
    world.engine.store().put_in(&order, world.now.wall, &ErrandKind::Returned).expect("journal");
    world.give(Input::Tick);
    assert_eq!(world.engine.store().asked().expect("journal"), []);
    assert_eq!(world.engine.store().order(&order).expect("journal"), None);
}

#[test]
fn a_login_that_comes_ends_the_fault_that_there_was_none() {
    let mut world = World::new(&["lab"]);
    world.give(Input::Tick);
    let fault = Fault::new(FaultClass::Auth, "login-needed", "no login").hint("log in");
    world.give(Input::Connected { lab: name("lab"), result: Err(fault) });
    let known = |world: &World| world.engine.store().labs().expect("journal").remove(0);
    assert_eq!(known(&world).fault_class, Some(FaultClass::Auth));
    world.pass(Duration::from_secs(15));
    world.connect("lab");
    let record = known(&world);
    assert_eq!((record.fault_class, record.fault, record.hint), (None, None, None));
}

#[test]
fn orders_of_a_lab_that_left_the_config_need_attention_until_it_is_back() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.announce(&order);
    let world = World::with(world.engine.store, &["other"], 1_005_000);
    let record = world.record(&order);
    assert_eq!(record.state(), OrderState::Attention);
    let trouble = record.trouble.expect("told");
    assert_eq!((trouble.code.as_str(), trouble.next_try), ("unknown-lab", None));
    let told = |world: &World| world.engine.store().story(&order).expect("journal").len();
    let once = told(&world);
    let world = World::with(world.engine.store, &["other"], 1_010_000);
    assert_eq!(told(&world), once, "told once");
    let (world, effects) = world.restart();
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    assert_eq!(world.record(&order).state(), OrderState::Waiting);
}
