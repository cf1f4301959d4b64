//! What follows from scan notifications.

use super::*;
use casedrop_model::ids::RxId;
use casedrop_model::notification::Named;

const HOUR: Duration = Duration::from_hours(1);

fn rx(id: &str) -> RxId {
    id.parse().expect("valid")
}

fn account() -> AccountId {
    "1".parse().expect("valid")
}

fn with_rx(order: &str, status: Status) -> RemoteOrder {
    RemoteOrder { rx_id: Some(rx(&format!("rx-{order}"))), ..remote(order, status) }
}

fn unknown() -> Fault {
    Fault::new(FaultClass::Permanent, "unknown-rx", "Align knows no order of Rx rx-17")
}

fn asked(effects: &[Effect]) -> Vec<&str> {
    fn rx(effect: &Effect) -> Option<&str> {
        match effect {
            Effect::Ask { rx, .. } => Some(rx.as_str()),
            _ => None,
        }
    }
    effects.iter().filter_map(rx).collect()
}

fn looks(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Look { .. })).count()
}

impl World {
    /// Connected, with the first list answered.
    fn at_work(orders: Vec<RemoteOrder>) -> Self {
        let mut world = Self::new(&["lab"]);
        world.give(Input::Tick);
        world.connect("lab");
        world.list("lab", orders);
        world
    }

    fn notify(&mut self, id: &str) -> Vec<Effect> {
        let named = Named { account: Some(account()), rx: rx(id) };
        let labs = [(name("lab"), account())];
        self.engine.store().notify(&labs, &[named], self.now.wall).expect("recorded");
        self.give(Input::Tick)
    }

    fn answer(&mut self, id: &str, result: Result<RemoteOrder, Fault>) -> Vec<Effect> {
        self.give(Input::Answered { lab: name("lab"), account: account(), rx: rx(id), result })
    }

    fn told(&mut self, time: Duration) -> Vec<Notice> {
        self.now.mono += time;
        self.now.wall = self.now.wall.plus(time);
        let effects = self.engine.handle(self.now, Input::Tick).expect("journal");
        let notices = effects.into_iter().filter_map(|effect| match effect {
            Effect::Tell(notice) => Some(notice),
            _ => None,
        });
        notices.collect()
    }

    /// Lets time pass; polls get empty lists.
    fn wait(&mut self, time: Duration) -> Vec<Effect> {
        let mut effects = self.pass(time);
        if effects.iter().any(|effect| matches!(effect, Effect::Poll { .. })) {
            effects.extend(self.list("lab", vec![]));
        }
        effects
    }

    fn waiting_rows(&self) -> u64 {
        self.engine.store().notified_count().expect("journal")
    }

    /// From a look in progress to a publication with that content.
    fn deliver(&mut self, key: &OrderKey, sha: &str) {
        let effects = self.looked(key, LocalPicture::Absent);
        assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]), "{effects:?}");
        self.fetched(key, sha);
        let effects = self.looked(key, LocalPicture::Absent);
        match effects.as_slice() {
            [Effect::Publish(_)] => drop(self.published(key)),
            [Effect::Discard { .. }] => drop(self.give(Input::Discarded { key: key.clone() })),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_unknown_order_is_asked_about_at_once_and_its_record_takes_the_place_of_the_notification() {
    let mut world = World::at_work(vec![]);
    assert_eq!(asked(&world.notify("rx-17")), ["rx-17"]);
    assert!(asked(&world.notify("rx-17")).is_empty(), "it is being asked about");
    let effects = world.answer("rx-17", Ok(with_rx("17", Status::Ready)));
    assert_eq!(looks(&effects), 1, "{effects:?}");
    assert_eq!(world.waiting_rows(), 0);
    let order = key("lab", "17");
    world.deliver(&order, "a");
    assert_eq!(world.record(&order).state(), OrderState::Published);
    let story = world.engine.store().story(&order).expect("journal");
    assert!(story[0].text.contains("scan notification"), "{story:?}");
    // The list lags: that it shows the order is no news.
    world.pass(INTERVAL);
    assert_eq!(looks(&world.list("lab", vec![with_rx("17", Status::Ready)])), 0);
}

#[test]
fn a_notification_survives_the_process_until_something_follows_from_it() {
    let mut world = World::at_work(vec![]);
    world.notify("rx-17");
    let (mut world, effects) = world.restart();
    assert_eq!(asked(&effects), ["rx-17"]);
    world.answer("rx-17", Ok(with_rx("17", Status::Ready)));
    let (_, effects) = world.restart();
    assert!(asked(&effects).is_empty());
    assert_eq!(looks(&effects), 1, "{effects:?}");
}

#[test]
fn an_order_that_align_does_not_know_yet_follows_the_404_schedule_and_then_wants_a_person() {
    let mut world = World::at_work(vec![]);
    world.notify("rx-17");
    world.answer("rx-17", Err(unknown()));
    assert!(asked(&world.wait(Duration::from_secs(119))).is_empty());
    assert_eq!(asked(&world.wait(Duration::from_secs(1))), ["rx-17"]);
    let told = world.answer("rx-17", Err(unknown()));
    assert!(asked(&told).is_empty());
    let row = world.engine.store().notified(1).expect("journal").remove(0);
    assert!(row.attention, "{row:?}");
    assert_eq!(row.fault.as_ref().map(|fault| fault.code.as_str()), Some("unknown-rx"));
    assert!(asked(&world.wait(23 * HOUR)).is_empty());
    assert_eq!(asked(&world.wait(HOUR)), ["rx-17"], "once a day");
    world.answer("rx-17", Ok(with_rx("17", Status::Ready)));
    assert_eq!(world.waiting_rows(), 0);
    assert!(world.record(&key("lab", "17")).is_wanted());
}

#[test]
fn a_list_that_shows_the_order_settles_the_notification() {
    let mut world = World::at_work(vec![]);
    world.notify("rx-17");
    world.answer("rx-17", Err(unknown()));
    world.pass(INTERVAL);
    world.answer("rx-17", Err(unknown()));
    let effects = world.list("lab", vec![with_rx("17", Status::Ready)]);
    assert_eq!((looks(&effects), asked(&effects).len()), (1, 0), "{effects:?}");
    assert_eq!(world.waiting_rows(), 0);
    let record = world.record(&key("lab", "17"));
    assert_eq!((record.evidence, record.notified), (1, Some(world.now.wall)));
}

#[test]
fn changed_files_of_a_published_order_are_fetched_with_what_align_says_of_it() {
    let mut world = World::at_work(vec![with_rx("17", Status::Ready)]);
    let order = key("lab", "17");
    world.deliver(&order, "a");
    world.notify("rx-17");
    let effects = world.answer("rx-17", Ok(with_rx("17", Status::LabReview)));
    assert_eq!(looks(&effects), 1, "{effects:?}");
    world.deliver(&order, "b");
    let revisions = world.engine.store().revisions(&order).expect("journal");
    assert_eq!(revisions.len(), 2);
    assert_eq!(revisions[1].manifest.status, "Lab Review");
    assert_eq!(revisions[1].manifest.reason, Reason::AfterModeling);
}

#[test]
fn a_flood_of_duplicates_becomes_no_loop_of_downloads_and_none_is_dropped() {
    let mut world = World::at_work(vec![with_rx("17", Status::Ready)]);
    let order = key("lab", "17");
    world.deliver(&order, "a");
    let mut fetches = Vec::new();
    let mut due: Option<String> = None;
    let began = world.now.mono;
    while world.now.mono < began + 4 * HOUR {
        let mut effects = world.notify("rx-17");
        if due.take().is_some() || !asked(&effects).is_empty() {
            effects = world.answer("rx-17", Ok(with_rx("17", Status::Ready)));
        }
        if looks(&effects) > 0 {
            fetches.push(world.now.mono.saturating_sub(began).as_secs() / 60);
            world.deliver(&order, "a");
        }
        let effects = world.wait(Duration::from_secs(30));
        if let [rx] = asked(&effects)[..] {
            due = Some(rx.to_owned());
        }
    }
    assert_eq!(fetches, [0, 1, 11, 71, 131, 191]);
    assert_eq!(world.waiting_rows(), 1, "the last one waits, durably");
    // A sign of change ends the wait.
    let changed =
        RemoteOrder { updated_at: Some("2".to_owned()), ..with_rx("17", Status::LabReview) };
    world.wait(HOUR);
    let effects = world.answer("rx-17", Ok(changed));
    assert_eq!(looks(&effects), 1, "{effects:?}");
    world.deliver(&order, "b");
    world.notify("rx-17");
    let effects = world.answer("rx-17", Ok(with_rx("17", Status::LabReview)));
    assert_eq!(looks(&effects), 1, "what was published reset the waits: {effects:?}");
}

#[test]
fn notifications_of_an_order_that_is_not_converted_yet_do_not_hammer() {
    let mut world = World::at_work(vec![]);
    let order = key("lab", "17");
    world.notify("rx-17");
    world.answer("rx-17", Ok(with_rx("17", Status::Ready)));
    let mut downloads = 0;
    let mut looking = true;
    for _ in 0..120 {
        if looking {
            world.looked(&order, LocalPicture::Absent);
            let fault = Fault::new(FaultClass::NotConverted, "not-converted", "404");
            let result = Err(fault);
            world.give(Input::Fetched { key: order.clone(), result });
            downloads += 1;
        }
        let mut effects = world.notify("rx-17");
        effects.extend(world.wait(Duration::from_secs(30)));
        if !asked(&effects).is_empty() {
            effects.extend(world.answer("rx-17", Ok(with_rx("17", Status::Ready))));
        }
        looking = looks(&effects) > 0;
    }
    // In one hour: the schedule's own attempts, plus those of three notifications.
    assert!((3..8).contains(&downloads), "{downloads}");
    assert!(world.record(&order).is_wanted());
}

#[test]
fn what_is_about_to_be_fetched_is_covered_and_what_is_being_fetched_is_not() {
    let mut world = World::at_work(vec![with_rx("17", Status::Ready)]);
    let order = key("lab", "17");
    assert!(asked(&world.notify("rx-17")).is_empty());
    assert_eq!(world.waiting_rows(), 0);
    assert_eq!(world.record(&order).evidence, 1);
    world.looked(&order, LocalPicture::Absent);
    assert!(asked(&world.notify("rx-17")).is_empty(), "one came in this very second");
    let effects = world.pass(Duration::from_secs(1));
    assert_eq!(asked(&effects), ["rx-17"], "files may change during a download");
    world.answer("rx-17", Ok(with_rx("17", Status::Ready)));
    assert_eq!(world.record(&order).evidence, 2);
}

#[test]
fn without_a_login_notifications_wait() {
    let mut world = World::new(&["lab"]);
    world.give(Input::Tick);
    assert!(asked(&world.notify("rx-17")).is_empty());
    let effects = world.connect("lab");
    assert_eq!(asked(&effects), [] as [&str; 0], "the list is asked first");
    let effects = world.list("lab", vec![]);
    assert_eq!(asked(&effects), ["rx-17"]);
    let refused = Fault::new(FaultClass::Auth, "login-needed", "refused");
    world.answer("rx-17", Err(refused));
    assert!(asked(&world.notify("rx-18")).is_empty());
    assert_eq!(world.waiting_rows(), 2);
}

#[test]
fn what_a_busy_minute_brings_waits_for_align_alone_and_a_flood_for_a_second_each() {
    let mut world = World::at_work(vec![]);
    assert_eq!(asked(&world.notify("rx-0")), ["rx-0"]);
    for id in 1..60 {
        world.notify(&format!("rx-{id}"));
    }
    let (mut ask, mut at_once) = ("rx-0".to_owned(), 0);
    // Without any time passing.
    while ask.starts_with("rx-") {
        at_once += 1;
        let order = ask.trim_start_matches("rx-").to_owned();
        let effects = world.answer(&ask, Ok(with_rx(&order, Status::Ready)));
        ask = asked(&effects).first().map_or_else(String::new, |rx| (*rx).to_owned());
    }
    assert_eq!(at_once, 20);
    for second in 0..10 {
        let effects = world.wait(Duration::from_secs(1));
        let [ask] = asked(&effects)[..] else { panic!("second {second}: {effects:?}") };
        let ask = ask.to_owned();
        world.answer(&ask, Ok(with_rx(ask.trim_start_matches("rx-"), Status::Ready)));
    }
    assert_eq!(world.waiting_rows(), 30);
}

#[test]
fn a_list_that_takes_its_time_holds_no_notification_up() {
    let mut world = World::at_work(vec![]);
    let effects = world.pass(INTERVAL);
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]), "{effects:?}");
    assert_eq!(asked(&world.notify("rx-17")), ["rx-17"]);
    let effects = world.answer("rx-17", Ok(with_rx("17", Status::Ready)));
    assert_eq!(looks(&effects), 1, "{effects:?}");
}

#[test]
fn a_notification_that_cannot_be_read_brings_one_list_as_soon_as_allowed_whatever_happens() {
    use casedrop_model::notification::Mention;
    let unclear = |world: &World| {
        let labs = [(name("lab"), account())];
        let mentions = [Mention::Unclear { account: None }];
        world.engine.store().mention(&labs, &mentions, world.now.wall).expect("recorded");
    };
    let polls = |effects: &[Effect]| {
        effects.iter().filter(|effect| matches!(effect, Effect::Poll { .. })).count()
    };
    let mut world = World::at_work(vec![]);
    world.engine.policy.poll_interval = HOUR;
    for _ in 0..500 {
        unclear(&world);
    }
    assert_eq!(polls(&world.give(Input::Tick)), 0, "Align was asked a moment ago");
    assert_eq!(polls(&world.pass(Duration::from_secs(119))), 0);
    assert_eq!(polls(&world.pass(Duration::from_secs(1))), 1);
    // Align does not answer: what was acknowledged is still open.
    let result = Err(transient());
    world.give(Input::Polled { lab: name("lab"), account: account(), result });
    assert_eq!(polls(&world.pass(Duration::from_secs(119))), 0);
    assert_eq!(polls(&world.pass(Duration::from_secs(1))), 1);
    // It also stays open if the process dies during the question.
    let (mut world, effects) = world.restart();
    world.engine.policy.poll_interval = HOUR;
    assert_eq!(polls(&effects), 0);
    assert_eq!(polls(&world.pass(Duration::from_secs(120))), 1);
    // What arrives while Align is being asked may be too late for the answer.
    unclear(&world);
    world.give(Input::Tick);
    assert_eq!(polls(&world.list("lab", vec![])), 0);
    assert_eq!(polls(&world.pass(Duration::from_secs(120))), 1);
    let effects = world.list("lab", vec![with_rx("17", Status::Ready)]);
    assert_eq!(looks(&effects), 1, "{effects:?}");
    assert_eq!(polls(&world.pass(Duration::from_mins(50))), 0, "that was all");
    assert_eq!(world.engine.store().polls_wanted().expect("journal"), [] as [String; 0]);
}

#[test]
fn a_server_that_is_down_is_left_alone() {
    let mut world = World::at_work(vec![]);
    let mut effects = Vec::new();
    for id in 0..50 {
        effects.extend(world.notify(&format!("rx-{id}")));
    }
    let mut asks = 0;
    for _ in 0..600 {
        while let Some(rx) = asked(&effects).first() {
            asks += 1;
            let rx = (*rx).to_owned();
            effects = world.answer(&rx, Err(transient().at("align.example")));
        }
        effects = world.wait(Duration::from_secs(1));
    }
    assert!((4..30).contains(&asks), "{asks} in ten minutes");
    assert_eq!(world.waiting_rows(), 50);
}

#[test]
fn an_order_that_only_polling_found_is_counted_and_told_once_a_day() {
    let mut world = World::at_work(vec![with_rx("1", Status::Ready)]);
    world.pass(INTERVAL);
    world.list("lab", ["1", "2", "3"].map(|id| with_rx(id, Status::Ready)).to_vec());
    assert_eq!(world.told(Duration::from_mins(9)), []);
    world.notify("rx-2");
    let told = world.told(Duration::from_mins(2));
    let missing = |notice: &&Notice| matches!(notice, Notice::NotificationsMissing { .. });
    assert_eq!(told.iter().filter(missing).count(), 1, "{told:?}");
    assert_eq!(world.engine.store().missed().expect("journal").missed, 1, "not 1, nor 2");
    world.list("lab", ["1", "2", "3", "4"].map(|id| with_rx(id, Status::Ready)).to_vec());
    let told = world.told(Duration::from_mins(11));
    assert_eq!(told.iter().filter(missing).count(), 0, "{told:?}");
    assert_eq!(world.engine.store().missed().expect("journal").missed, 2);
}

#[test]
fn a_clock_that_is_set_back_makes_no_wait_longer() {
    let mut world = World::at_work(vec![]);
    world.notify("rx-17");
    world.answer("rx-17", Err(unknown()));
    world.now.wall = WallMs(world.now.wall.0 - 900_000);
    world.pass(Duration::from_secs(61));
    assert_eq!(asked(&world.pass(Duration::from_secs(120))), ["rx-17"]);
}
