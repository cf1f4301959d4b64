//! The engine alone: the tests give the answers and the time.

use std::path::PathBuf;

use super::*;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::local::LocalPicture;
use casedrop_model::local::{PublishOutcome, Recovered};
use casedrop_model::manifest::{ManifestFile, Reason, Role};
use casedrop_model::order::{RemoteOrder, Status};
use casedrop_model::record::{IntentTarget, OrderState};
use casedrop_model::remote::PairedAccount;
use casedrop_model::remote::ReadyList;

use crate::effects::Seen;

const INTERVAL: Duration = Duration::from_secs(120);

struct World {
    engine: Engine,
    now: Now,
}

fn policy(labs: &[&str]) -> EnginePolicy {
    EnginePolicy {
        labs: labs.iter().map(|lab| lab.parse().expect("valid")).collect(),
        poll_interval: INTERVAL,
        concurrency: 2,
        min_rate: 8192,
        retry: RetryPolicy { not_converted: vec![Duration::from_secs(120)] },
        restore: false,
        follow_up: false,
        history_keep: None,
        retention_keep: None,
        late_extras: true,
        hold: std::collections::BTreeSet::new(),
        notifications: true,
        min_free: 100,
        volume: PathBuf::from("staging"),
        agent: "test".to_owned(),
        seed: 1,
    }
}

impl World {
    fn new(labs: &[&str]) -> Self {
        Self::with(Store::in_memory().expect("journal"), labs, 1_000_000)
    }

    /// A world at that time of the PC's clock, which started at 1,000,000 with the computer up for
    /// 50 s.
    fn with(store: Store, labs: &[&str], wall: i64) -> Self {
        let up = Duration::from_millis(u64::try_from(wall - 950_000).expect("later"));
        Self::at(store, labs, Now { wall: WallMs(wall), mono: up })
    }

    fn at(store: Store, labs: &[&str], now: Now) -> Self {
        let engine = Engine::new(store, policy(labs), now).expect("journal");
        Self { engine, now }
    }

    fn give(&mut self, input: Input) -> Vec<Effect> {
        let effects = self.engine.handle(self.now, input).expect("journal");
        effects.into_iter().filter(|effect| !matches!(effect, Effect::Tell(_))).collect()
    }

    fn pass(&mut self, time: Duration) -> Vec<Effect> {
        self.now.mono += time;
        self.now.wall = self.now.wall.plus(time);
        self.give(Input::Tick)
    }

    fn connect(&mut self, lab: &str) -> Vec<Effect> {
        let paired = PairedAccount { id: "1".parse().expect("valid"), name: None };
        self.give(Input::Connected { lab: name(lab), result: Ok(paired) })
    }

    fn list(&mut self, lab: &str, orders: Vec<RemoteOrder>) -> Vec<Effect> {
        let result = Ok(ReadyList { orders, ..ReadyList::default() });
        self.give(Input::Polled { lab: name(lab), account: "1".parse().expect("valid"), result })
    }

    fn looked(&mut self, key: &OrderKey, picture: LocalPicture) -> Vec<Effect> {
        self.looked_with(key, picture, 1_000_000)
    }

    fn looked_with(&mut self, key: &OrderKey, local: LocalPicture, free: u64) -> Vec<Effect> {
        let held = self.engine.store().held(key).expect("journal");
        let held = held.map(|held| Box::new(held.manifest));
        self.give(Input::Looked { key: key.clone(), result: Ok(Seen { local, free, held }) })
    }

    fn fetched(&mut self, key: &OrderKey, sha: &str) -> Vec<Effect> {
        let fetched = Fetched { files: vec![file(sha)], ..Fetched::default() };
        self.give(Input::Fetched { key: key.clone(), result: Ok(fetched) })
    }

    fn published(&mut self, key: &OrderKey) -> Vec<Effect> {
        let result = Ok(PublishOutcome::Done { dir: PathBuf::from("out") });
        self.give(Input::Published { key: key.clone(), result })
    }

    fn record(&self, key: &OrderKey) -> OrderRecord {
        self.engine.store().order(key).expect("journal").expect("known")
    }

    /// From the start to a list that names the order.
    fn announce(&mut self, key: &OrderKey) {
        self.give(Input::Tick);
        self.connect(key.lab.as_str());
        let effects = self.list(key.lab.as_str(), vec![remote(key.order.as_str(), Status::Ready)]);
        assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    }

    /// From the start to a running download.
    fn begin_fetch(&mut self, key: &OrderKey) {
        self.announce(key);
        let effects = self.looked(key, LocalPicture::Absent);
        assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]), "{effects:?}");
    }

    /// From the start to a running publication.
    fn begin_publication(&mut self, key: &OrderKey) {
        self.begin_fetch(key);
        let effects = self.fetched(key, "a");
        assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
        let effects = self.looked(key, LocalPicture::Absent);
        assert!(matches!(effects.as_slice(), [Effect::Publish(_)]), "{effects:?}");
    }

    /// From the start to a published order.
    fn publish_first(&mut self, key: &OrderKey) {
        self.begin_publication(key);
        assert_eq!(self.published(key).len(), 0);
    }

    /// The process dies and starts again, 5 s later, with a login that works.
    fn restart(self) -> (Self, Vec<Effect>) {
        let mut world = Self::with(self.engine.store, &["lab"], 1_005_000);
        let mut effects = world.give(Input::Tick);
        effects.extend(world.connect("lab"));
        effects.retain(|effect| !matches!(effect, Effect::Connect { .. }));
        (world, effects)
    }
}

fn name(lab: &str) -> LabName {
    lab.parse().expect("valid")
}

fn key(lab: &str, order: &str) -> OrderKey {
    OrderKey {
        lab: name(lab),
        account: "1".parse().expect("valid"),
        order: order.parse().expect("valid"),
    }
}

fn file(sha: &str) -> ManifestFile {
    ManifestFile {
        path: casedrop_model::path::RelPath::parse("scan.stl").expect("portable"),
        size: 1,
        sha256: sha.to_owned(),
        role: Role::Scan,
        jaw: None,
        stage: None,
        part: None,
        copy_of: None,
        original_name: None,
        raw_name: None,
    }
}

fn remote(order: &str, status: Status) -> RemoteOrder {
    RemoteOrder::new(order.parse().expect("valid"), status)
}

fn transient() -> Fault {
    Fault::new(FaultClass::Transient, "http-503", "Align answers 503")
}

#[test]
fn a_ready_order_is_looked_at_fetched_published_and_recorded() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.publish_first(&order);
    let record = world.record(&order);
    assert_eq!(record.state(), OrderState::Published);
    assert_eq!(record.published.map(|published| published.revision), Some(1));
    assert_eq!(world.engine.store().intents().expect("journal"), []);
    let revisions = world.engine.store().revisions(&order).expect("journal");
    assert_eq!(revisions[0].manifest.reason, Reason::FirstScan);
}

#[test]
fn an_order_is_in_the_journal_before_its_first_byte_is_asked_for() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.begin_fetch(&order);
    // The process dies here; Align no longer lists the order.
    let (_, effects) = world.restart();
    assert!(
        effects.iter().any(|effect| matches!(effect, Effect::Look { key, .. } if *key == order)),
        "{effects:?}"
    );
}

#[test]
fn an_interrupted_publication_is_taken_up_at_once_without_any_login() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.begin_publication(&order);
    let mut world = World::with(world.engine.store, &["lab"], 1_005_000);
    let mut effects = world.give(Input::Tick);
    effects.retain(|effect| !matches!(effect, Effect::Connect { .. }));
    assert!(matches!(effects.as_slice(), [Effect::Recover(_)]), "{effects:?}");
    let result = Ok(Recovered::Published);
    world.give(Input::Recovered { key: order.clone(), result, staged: None });
    assert_eq!(world.record(&order).state(), OrderState::Published);
}

#[test]
fn a_lost_staging_is_fetched_again() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.begin_publication(&order);
    let (mut world, _) = world.restart();
    let effects = world.give(Input::Recovered {
        key: order.clone(),
        result: Ok(Recovered::Lost),
        staged: None,
    });
    assert!(matches!(effects.as_slice(), [Effect::Discard { .. }]), "{effects:?}");
    // Nothing else touches that place until it is resolved.
    assert_eq!(world.pass(Duration::from_secs(60)).len(), 0);
    let effects = world.give(Input::Discarded { key: order.clone() });
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    let effects = world.looked(&order, LocalPicture::Absent);
    assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]));
}

#[test]
fn an_account_is_polled_at_most_once_per_interval_across_restarts() {
    let mut world = World::new(&["lab"]);
    world.give(Input::Tick);
    let effects = world.connect("lab");
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]));
    world.list("lab", vec![]);
    assert_eq!(world.pass(Duration::from_secs(60)).len(), 0);
    let store = world.engine.store;
    let mut world = World::with(store, &["lab"], 1_060_000);
    world.give(Input::Tick);
    assert_eq!(world.connect("lab").len(), 0, "asked 60 s ago by the process before");
    assert_eq!(world.pass(Duration::from_secs(59)).len(), 0);
    let effects = world.pass(Duration::from_secs(1));
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]), "{effects:?}");
}

#[test]
fn a_poll_that_was_never_answered_counts_from_the_next_start() {
    let mut world = World::new(&["lab"]);
    world.give(Input::Tick);
    assert!(matches!(world.connect("lab").as_slice(), [Effect::Poll { .. }]));
    // The request hung for 100 s before Align heard it; then the process was killed.
    let mut world = World::with(world.engine.store, &["lab"], 1_100_000);
    world.give(Input::Tick);
    assert_eq!(world.connect("lab").len(), 0);
    assert_eq!(world.pass(Duration::from_secs(119)).len(), 0, "Align heard it 119 s ago at most");
    // A further restart does not make the wait longer.
    let mut world = World::with(world.engine.store, &["lab"], 1_220_000);
    world.give(Input::Tick);
    let effects = world.connect("lab");
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]), "{effects:?}");
}

#[test]
fn the_wait_that_align_asked_for_holds_across_restarts() {
    let mut world = World::new(&["lab"]);
    world.give(Input::Tick);
    world.connect("lab");
    let fault = transient().retry_after(Some(Duration::from_secs(600)));
    let account = "1".parse().expect("valid");
    world.give(Input::Polled { lab: name("lab"), account, result: Err(fault) });
    let mut world = World::with(world.engine.store, &["lab"], 1_200_000);
    world.give(Input::Tick);
    assert_eq!(world.connect("lab").len(), 0);
    assert_eq!(world.pass(Duration::from_secs(399)).len(), 0);
    let effects = world.pass(Duration::from_secs(2));
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]), "{effects:?}");
}

#[test]
fn a_clock_that_steps_back_neither_breaks_the_interval_nor_stops_polling() {
    let mut world = World::new(&["lab"]);
    world.give(Input::Tick);
    world.connect("lab");
    world.list("lab", vec![]);
    let store = world.engine.store;
    let now = Now { wall: WallMs(5_000), mono: Duration::from_secs(60) };
    let mut world = World::at(store, &["lab"], now);
    world.give(Input::Tick);
    assert_eq!(world.connect("lab").len(), 0);
    assert_eq!(world.pass(Duration::from_secs(119)).len(), 0);
    // The stored time is still ahead of the clock; the wait is one whole interval at most.
    let mut polls = 0;
    for _ in 0..4 {
        polls += world.pass(Duration::from_secs(60)).len();
    }
    assert_eq!(polls, 1);
}

#[test]
fn a_failing_order_or_lab_does_not_delay_another() {
    let mut world = World::new(&["bad", "good"]);
    let effects = world.give(Input::Tick);
    assert_eq!(effects.len(), 2);
    let fault = Fault::new(FaultClass::Auth, "login-needed", "no login");
    world.give(Input::Connected { lab: name("bad"), result: Err(fault) });
    world.connect("good");
    let effects = world.list("good", vec![remote("1", Status::Ready), remote("2", Status::Ready)]);
    assert_eq!(effects.len(), 2);
    let (first, second) = (key("good", "1"), key("good", "2"));
    let effects = world.give(Input::Looked { key: first.clone(), result: Err(transient()) });
    assert_eq!(effects.len(), 0, "it waits before it is tried again");
    assert_eq!(world.record(&first).state(), OrderState::Retrying);
    world.looked(&second, LocalPicture::Absent);
    world.fetched(&second, "b");
    world.looked(&second, LocalPicture::Absent);
    world.published(&second);
    assert_eq!(world.record(&second).state(), OrderState::Published);
    let mut effects = world.pass(Duration::from_secs(6));
    effects.retain(|effect| !matches!(effect, Effect::Connect { .. }));
    assert!(matches!(effects.as_slice(), [Effect::Look { key, .. }] if *key == first));
}

#[test]
fn what_waited_for_a_login_goes_on_as_soon_as_there_is_one() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.begin_fetch(&order);
    let revoked = || Fault::new(FaultClass::Auth, "login-needed", "revoked");
    world.give(Input::Fetched { key: order.clone(), result: Err(revoked()) });
    let effects = world.pass(Duration::from_secs(6));
    assert!(matches!(effects.as_slice(), [Effect::Connect { .. }]), "{effects:?}");
    world.give(Input::Connected { lab: name("lab"), result: Err(revoked()) });
    for _ in 0..200 {
        world.pass(Duration::from_secs(5));
        world.give(Input::Connected { lab: name("lab"), result: Err(revoked()) });
    }
    world.pass(Duration::from_secs(5));
    let effects = world.connect("lab");
    let looks = |effect: &Effect| matches!(effect, Effect::Look { key, .. } if *key == order);
    assert!(effects.iter().any(looks), "{effects:?}");
}

#[test]
fn a_login_that_another_process_made_is_looked_for_at_once() {
    let mut world = World::new(&["lab"]);
    world.give(Input::Tick);
    let fault = Fault::new(FaultClass::Auth, "login-needed", "no login");
    let effects = world.give(Input::Connected { lab: name("lab"), result: Err(fault) });
    let connects = |effect: &Effect| matches!(effect, Effect::Connect { .. });
    assert!(!effects.iter().any(connects), "it was just looked for");
    assert!(!world.give(Input::Tick).iter().any(connects));
    assert!(world.engine.store().settle_login("lab").expect("settled"));
    assert!(world.give(Input::Tick).iter().any(connects), "the journal says that it came");
}

#[test]
fn files_that_align_is_still_making_follow_their_own_schedule() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.begin_fetch(&order);
    let fault = Fault::new(FaultClass::NotConverted, "not-converted", "404");
    world.give(Input::Fetched { key: order.clone(), result: Err(fault) });
    assert_eq!(world.record(&order).state(), OrderState::Regenerating);
    assert_eq!(world.pass(Duration::from_secs(119)).len(), 0);
    let effects = world.pass(Duration::from_secs(1));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Look { .. })), "{effects:?}");
}

#[test]
fn a_permanent_fault_is_shown_and_not_repeated() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.begin_fetch(&order);
    let fault = Fault::new(FaultClass::Permanent, "zip-traversal", "it leaves its directory");
    world.give(Input::Fetched { key: order.clone(), result: Err(fault) });
    assert_eq!(world.record(&order).state(), OrderState::Attention);
    for _ in 0..200 {
        let effects = world.pass(Duration::from_secs(120));
        assert!(!effects.iter().any(|effect| matches!(effect, Effect::Look { .. })));
        world.list("lab", vec![remote("17", Status::Ready)]);
    }
    assert_eq!(world.record(&order).state(), OrderState::Attention);
    // A user may always try again.
    world.engine.store().ask(&order, world.now.wall).expect("journal");
    let effects = world.pass(Duration::from_secs(1));
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
}

#[test]
fn a_changed_order_becomes_the_next_revision_in_the_place_of_the_old() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.publish_first(&order);
    world.pass(INTERVAL);
    world.list("lab", vec![]);
    world.pass(INTERVAL);
    let effects = world.list("lab", vec![remote("17", Status::LabReview)]);
    let [Effect::Look { expected: Some(expected), .. }] = effects.as_slice() else {
        panic!("{effects:?}");
    };
    assert_eq!(expected.manifest.revision, 1);
    world.looked(&order, LocalPicture::AsPublished);
    world.fetched(&order, "b");
    let effects = world.looked(&order, LocalPicture::AsPublished);
    let [Effect::Publish(job)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(job.intent.target, IntentTarget::Replace(1));
    assert_eq!(job.intent.manifest.reason, Reason::AfterModeling);
    assert_eq!(job.intent.manifest.previous.as_ref().map(|previous| previous.revision), Some(1));
    world.published(&order);
    assert_eq!(world.record(&order).published.map(|published| published.revision), Some(2));
}

#[test]
fn the_same_bytes_are_recorded_and_not_published_again() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.publish_first(&order);
    world.pass(INTERVAL);
    world.list("lab", vec![]);
    world.pass(INTERVAL);
    world.list("lab", vec![remote("17", Status::Ready)]);
    world.looked(&order, LocalPicture::AsPublished);
    world.fetched(&order, "a");
    let effects = world.looked(&order, LocalPicture::AsPublished);
    assert!(matches!(effects.as_slice(), [Effect::Discard { .. }]), "{effects:?}");
    assert!(!world.record(&order).is_wanted());
    world.give(Input::Discarded { key: order });
    assert!(!world.engine.is_busy());
}

#[test]
fn news_that_comes_during_a_fetch_leads_to_another_one() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.begin_fetch(&order);
    world.pass(INTERVAL);
    world.list("lab", vec![remote("17", Status::LabReview)]);
    world.fetched(&order, "a");
    world.looked(&order, LocalPicture::Absent);
    let effects = world.published(&order);
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
}

#[test]
fn a_target_that_changed_at_the_last_moment_is_left_alone() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.begin_publication(&order);
    let found = LocalPicture::Foreign { what: "a file".to_owned() };
    let result = Ok(PublishOutcome::TargetChanged { found });
    let effects = world.give(Input::Published { key: order.clone(), result });
    let [Effect::Publish(job)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(job.intent.target, IntentTarget::Beside);
}

#[test]
fn a_stopping_engine_begins_nothing() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.announce(&order);
    world.give(Input::Stop);
    assert_eq!(world.looked(&order, LocalPicture::Absent).len(), 0);
    assert!(!world.engine.is_busy());
    assert!(world.record(&order).is_wanted(), "it is fetched after the next start");
}

#[test]
fn an_order_of_another_account_waits_until_the_lab_is_paired_with_it_again() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.announce(&order);
    world.give(Input::Looked { key: order.clone(), result: Err(transient()) });
    let store = world.engine.store;
    let mut world = World::with(store, &["lab"], 1_100_000);
    world.give(Input::Tick);
    let paired = PairedAccount { id: "2".parse().expect("valid"), name: None };
    let effects = world.give(Input::Connected { lab: name("lab"), result: Ok(paired) });
    assert!(matches!(effects.as_slice(), [Effect::Poll { .. }]), "{effects:?}");
    assert!(world.record(&order).is_wanted(), "it is not forgotten");
}

#[test]
fn a_published_order_that_is_gone_comes_back_where_the_policy_says_so() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.publish_first(&order);
    world.pass(INTERVAL);
    world.list("lab", vec![]);
    world.engine.policy.restore = true;
    let effects = world.pass(Duration::from_secs(1));
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    assert_eq!(world.looked(&order, LocalPicture::AsPublished).len(), 0, "it is still there");
    let effects = world.pass(PATROL);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Look { .. })), "{effects:?}");
    let effects = world.looked(&order, LocalPicture::Absent);
    assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]), "{effects:?}");
    assert!(world.record(&order).is_wanted(), "durable before its first byte is asked for");
}

mod extras;
mod holding;
mod isolation;
mod notifications;
mod outages;
mod patience;
mod prescription;
mod requests;
mod retention;
mod shop;
mod slots;
