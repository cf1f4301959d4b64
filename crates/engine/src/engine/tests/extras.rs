//! Extras a published order lacks: a schedule of their own that disturbs nothing else.

use super::*;
use crate::effects::{ExtrasJob, Lacking};
use casedrop_model::asset::AssetKind;
use casedrop_model::manifest::ManifestFile;

const MINUTE: Duration = Duration::from_mins(1);

fn lacking(kind: AssetKind, why: FaultClass) -> Lacking {
    Lacking { kind, why: Some(why), retry_after: None }
}

fn thumbnails() -> Vec<Lacking> {
    vec![lacking(AssetKind::Thumbnails, FaultClass::Transient)]
}

fn picture() -> ManifestFile {
    let path = casedrop_model::path::RelPath::parse("thumbnails/1.jpg").expect("portable");
    ManifestFile { path, role: Role::Thumbnail, ..file("p") }
}

fn fetched_without(lacking: Vec<Lacking>) -> Fetched {
    let missing = lacking.iter().map(|lacks| lacks.kind.as_str().to_owned()).collect();
    Fetched { files: vec![file("a")], missing, lacking, ..Fetched::default() }
}

fn completed() -> Fetched {
    Fetched { files: vec![file("a"), picture()], ..Fetched::default() }
}

/// The effects that concern orders.
fn about_orders(effects: Vec<Effect>) -> Vec<Effect> {
    let others = |effect: &Effect| matches!(effect, Effect::Poll { .. } | Effect::Connect { .. });
    effects.into_iter().filter(|effect| !others(effect)).collect()
}

impl World {
    /// From the start to a published order that lacks these.
    fn publish_lacking(&mut self, key: &OrderKey, lacking: Vec<Lacking>) {
        self.begin_fetch(key);
        let result = Ok(fetched_without(lacking));
        self.give(Input::Fetched { key: key.clone(), result });
        let effects = self.looked(key, LocalPicture::Absent);
        assert!(matches!(effects.as_slice(), [Effect::Publish(_)]), "{effects:?}");
        self.published(key);
        assert_eq!(self.record(key).state(), OrderState::Published);
    }

    /// Lets time pass until something is done about an order; returns how long that took.
    fn until_late(&mut self, at_most: Duration) -> Option<(Duration, Vec<Effect>)> {
        let began = self.now.mono;
        while self.now.mono < began + at_most {
            let effects = about_orders(self.pass(MINUTE / 2));
            if !effects.is_empty() {
                return Some((self.now.mono.saturating_sub(began), effects));
            }
        }
        None
    }

    /// The same, up to the question to Align.
    fn until_asked(&mut self, key: &OrderKey, at_most: Duration) -> Option<(Duration, ExtrasJob)> {
        let (took, effects) = self.until_late(at_most)?;
        assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
        let mut effects = self.looked(key, LocalPicture::AsPublished);
        match effects.pop() {
            Some(Effect::FetchExtras(job)) => Some((took, *job)),
            other => panic!("{other:?}"),
        }
    }

    fn extras(&mut self, key: &OrderKey, result: Result<Fetched, Fault>) -> Vec<Effect> {
        about_orders(self.give(Input::Fetched { key: key.clone(), result }))
    }

    fn revisions(&self, key: &OrderKey) -> Vec<(u32, Reason)> {
        let revisions = self.engine.store().revisions(key).expect("journal").into_iter();
        revisions.map(|one| (one.manifest.revision, one.manifest.reason)).collect()
    }

    fn late(&self, key: &OrderKey) -> Vec<(AssetKind, u32)> {
        let late = self.engine.store().late(key).expect("journal");
        late.into_iter().map(|extra| (extra.kind, extra.tries)).collect()
    }
}

#[test]
fn what_comes_late_is_published_as_the_next_revision() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.publish_lacking(&order, thumbnails());
    let before = world.record(&order);
    let (took, job) = world.until_asked(&order, Duration::from_mins(3)).expect("asked for");
    assert!(took >= MINUTE + MINUTE / 2 && took <= MINUTE * 2, "{took:?}");
    assert_eq!(job.kinds, [AssetKind::Thumbnails]);
    assert_eq!(job.published.files, [file("a")]);
    let effects = world.extras(&order, Ok(completed()));
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    let effects = world.looked(&order, LocalPicture::AsPublished);
    let [Effect::Publish(job)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(job.intent.target, IntentTarget::Replace(1));
    assert_eq!(job.intent.manifest.reason, Reason::Extras);
    world.published(&order);
    assert_eq!(world.revisions(&order), [(1, Reason::FirstScan), (2, Reason::Extras)]);
    let record = world.record(&order);
    assert_eq!(record.state(), OrderState::Published);
    // Nothing was learned about the package.
    assert_eq!((record.evidence, record.fetched), (before.evidence, before.fetched));
    let confirmed = |record: OrderRecord| record.published.map(|published| published.confirmed);
    assert_eq!(confirmed(record), confirmed(before));
    let story = world.engine.store().story(&order).expect("journal");
    let told: Vec<_> = story.iter().filter(|line| line.kind == "published").collect();
    assert!(
        told[0].text.ends_with("without thumbnails, which will be requested again"),
        "{told:?}"
    );
    assert_eq!(told[1].text, "Thumbnails arrived, published as revision 2");
    assert_eq!(world.late(&order), []);
    assert!(world.until_late(Duration::from_hours(4)).is_none(), "that was all");
}

#[test]
fn what_never_comes_is_asked_for_less_and_less_and_nobody_is_bothered() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.publish_lacking(&order, thumbnails());
    let mut waits = Vec::new();
    while let Some((took, _)) = world.until_asked(&order, Duration::from_hours(30)) {
        waits.push(took);
        let effects = world.extras(&order, Ok(fetched_without(thumbnails())));
        assert!(effects.is_empty(), "nothing is written: {effects:?}");
        let record = world.record(&order);
        assert_eq!((record.state(), record.trouble), (OrderState::Published, None));
        // The process may end at any time.
        let now = world.now;
        world = World::at(world.engine.store, &["lab"], now);
        world.give(Input::Tick);
        world.connect("lab");
    }
    let minutes: Vec<u64> = waits.iter().map(|wait| wait.as_secs() / 60).collect();
    let most = [2, 10, 30, 120, 360, 1440, 1440, 1440];
    assert_eq!(minutes.len(), most.len(), "{minutes:?}");
    for (took, most) in minutes.iter().zip(most) {
        assert!(*took <= most + 1 && *took * 4 + 8 >= most * 3, "{minutes:?}");
    }
    assert_eq!(world.revisions(&order), [(1, Reason::FirstScan)]);
    let story = world.engine.store().story(&order).expect("journal");
    let last = story.last().expect("a story");
    assert_eq!(last.text, "thumbnails did not arrive and will not be requested again");
}

#[test]
fn screen_captures_that_nobody_took_are_asked_for_a_few_times_only() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    let captures = || vec![lacking(AssetKind::ScreenCaptures, FaultClass::NotConverted)];
    world.publish_lacking(&order, captures());
    let mut tries = 0;
    while world.until_asked(&order, Duration::from_hours(30)).is_some() {
        tries += 1;
        world.extras(&order, Ok(fetched_without(captures())));
    }
    assert_eq!(tries, 2);
}

#[test]
fn what_was_not_even_asked_for_is_asked_for_at_once() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    let lacks = Lacking { kind: AssetKind::Thumbnails, why: None, retry_after: None };
    world.begin_fetch(&order);
    world.extras(&order, Ok(fetched_without(vec![lacks])));
    world.looked(&order, LocalPicture::Absent);
    let effects = world.published(&order);
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
}

#[test]
fn a_server_that_wants_to_be_left_alone_is() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    let hour = Some(Duration::from_hours(1));
    let lacks = Lacking { retry_after: hour, ..thumbnails().remove(0) };
    world.publish_lacking(&order, vec![lacks]);
    let (took, _) = world.until_asked(&order, Duration::from_hours(2)).expect("asked for");
    assert!(took >= Duration::from_hours(1), "{took:?}");
}

#[test]
fn an_order_that_was_taken_or_changed_is_left_alone_for_good() {
    for picture in [
        LocalPicture::Absent,
        LocalPicture::Reduced { gone: vec![] },
        LocalPicture::Altered { differences: vec![] },
        LocalPicture::Foreign { what: String::new() },
    ] {
        for comes_first in [false, true] {
            let mut world = World::new(&["lab"]);
            let order = key("lab", "17");
            world.publish_lacking(&order, thumbnails());
            if comes_first {
                world.until_asked(&order, Duration::from_mins(3)).expect("asked for");
                world.extras(&order, Ok(completed()));
            } else {
                world.until_late(Duration::from_mins(3)).expect("looked at");
            }
            let effects = world.looked(&order, picture.clone());
            let is_discarded = matches!(effects.as_slice(), [Effect::Discard { .. }]);
            assert_eq!((effects.len(), is_discarded), (usize::from(comes_first), comes_first));
            world.give(Input::Discarded { key: order.clone() });
            assert_eq!(world.late(&order), []);
            assert!(world.until_late(Duration::from_hours(30)).is_none());
            assert_eq!(world.revisions(&order), [(1, Reason::FirstScan)]);
        }
    }
}

#[test]
fn a_sign_of_new_files_goes_first() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.publish_lacking(&order, thumbnails());
    world.until_asked(&order, Duration::from_mins(3)).expect("asked for");
    // A user asks for the order again while the answer is on its way.
    world.engine.store().ask(&order, world.now.wall).expect("journal");
    assert_eq!(world.pass(Duration::from_secs(1)).len(), 0, "one thing at a time");
    let effects = world.extras(&order, Ok(completed()));
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]));
    let effects = world.looked(&order, LocalPicture::AsPublished);
    assert!(matches!(effects.as_slice(), [Effect::Discard { .. }]), "{effects:?}");
    let effects = world.give(Input::Discarded { key: order.clone() });
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    let effects = world.looked(&order, LocalPicture::AsPublished);
    assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]), "{effects:?}");
    // This one brings all of it.
    world.extras(&order, Ok(completed()));
    world.looked(&order, LocalPicture::AsPublished);
    world.published(&order);
    assert_eq!(world.late(&order), []);
    assert!(world.until_late(Duration::from_hours(4)).is_none());
}

#[test]
fn pictures_that_an_ordinary_fetch_brings_are_told_as_such() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.publish_lacking(&order, thumbnails());
    let changed = RemoteOrder { updated_at: Some("b".to_owned()), ..remote("17", Status::Ready) };
    let first = RemoteOrder { updated_at: Some("a".to_owned()), ..changed.clone() };
    assert_eq!(about_orders(world.list("lab", vec![first])).len(), 0);
    let effects = about_orders(world.list("lab", vec![changed]));
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    let effects = world.looked(&order, LocalPicture::AsPublished);
    assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]), "{effects:?}");
    world.extras(&order, Ok(completed()));
    world.looked(&order, LocalPicture::AsPublished);
    world.published(&order);
    assert_eq!(world.revisions(&order).last(), Some(&(2, Reason::Extras)));
}

#[test]
fn it_takes_no_slot_from_others_and_begins_only_when_one_is_free() {
    let mut world = World::new(&["lab"]);
    let late = key("lab", "17");
    world.publish_lacking(&late, thumbnails());
    let orders = ["1", "2", "3"].map(|order| key("lab", order));
    let list = || orders.iter().map(|key| remote(key.order.as_str(), Status::Ready)).collect();
    assert_eq!(about_orders(world.list("lab", list())).len(), 2, "both slots");
    assert!(world.until_late(Duration::from_mins(10)).is_none(), "nothing else begins");
    let fault = Fault::new(FaultClass::Permanent, "test", "test");
    let effects = world.give(Input::Looked { key: orders[0].clone(), result: Err(fault) });
    assert!(
        matches!(effects.as_slice(), [Effect::Look { key, .. }] if *key == orders[2]),
        "the other order first: {effects:?}"
    );
    let fault = Fault::new(FaultClass::Permanent, "test", "test");
    let effects = world.give(Input::Looked { key: orders[1].clone(), result: Err(fault) });
    assert!(
        matches!(effects.as_slice(), [Effect::Look { key, .. }] if *key == late),
        "{effects:?}"
    );
    let next = vec![remote("4", Status::Ready)];
    let effects = about_orders(world.list("lab", next));
    assert_eq!(effects.len(), 1, "both slots are there for others: {effects:?}");
}

#[test]
fn a_fault_of_it_touches_neither_the_order_nor_its_lab() {
    for class in FaultClass::ALL {
        let mut world = World::new(&["lab"]);
        let order = key("lab", "17");
        world.publish_lacking(&order, thumbnails());
        world.until_asked(&order, Duration::from_mins(3)).expect("asked for");
        let before = world.record(&order);
        world.extras(&order, Err(Fault::new(class, "test", "test").at("align.example")));
        assert_eq!(world.record(&order), before);
        assert!(
            world.engine.lab_standings(world.now).iter().all(|(_, is)| *is == LabStanding::Good)
        );
        assert_eq!(world.late(&order), [(AssetKind::Thumbnails, 0)], "that was no try: {class:?}");
        assert!(world.until_asked(&order, Duration::from_mins(20)).is_some(), "{class:?}");
    }
}

#[test]
fn a_publication_of_it_that_the_power_cut_off_is_finished() {
    for found in [Recovered::Published, Recovered::Ready, Recovered::Lost] {
        let mut world = World::new(&["lab"]);
        let order = key("lab", "17");
        world.publish_lacking(&order, thumbnails());
        world.until_asked(&order, Duration::from_mins(3)).expect("asked for");
        world.extras(&order, Ok(completed()));
        world.looked(&order, LocalPicture::AsPublished);
        let now = world.now;
        let mut world = World::at(world.engine.store, &["lab"], now);
        let effects = about_orders(world.give(Input::Tick));
        assert!(matches!(effects.as_slice(), [Effect::Recover(_)]), "{effects:?}");
        world.connect("lab");
        let is_lost = found == Recovered::Lost;
        let is_ready = found == Recovered::Ready;
        let effects =
            world.give(Input::Recovered { key: order.clone(), result: Ok(found), staged: None });
        if is_lost {
            assert!(matches!(effects.as_slice(), [Effect::Discard { .. }]), "{effects:?}");
            world.give(Input::Discarded { key: order.clone() });
            world.until_asked(&order, Duration::from_mins(3)).expect("asked for once more");
            continue;
        }
        if is_ready {
            assert!(matches!(effects.as_slice(), [Effect::Publish(_)]), "{effects:?}");
            world.published(&order);
        }
        assert_eq!(world.revisions(&order).last(), Some(&(2, Reason::Extras)));
        assert_eq!(world.late(&order), []);
    }
}

#[test]
fn a_folder_that_a_program_holds_open_is_tried_again() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    world.publish_lacking(&order, thumbnails());
    world.until_asked(&order, Duration::from_mins(3)).expect("asked for");
    world.extras(&order, Ok(completed()));
    world.looked(&order, LocalPicture::AsPublished);
    let busy = Fault::new(FaultClass::Local, "target-busy", "a program holds it open");
    world.give(Input::Published { key: order.clone(), result: Err(busy) });
    assert_eq!(world.record(&order).state(), OrderState::Published);
    let (_, effects) = world.until_late(Duration::from_mins(3)).expect("tried again");
    assert!(matches!(effects.as_slice(), [Effect::Recover(_)]), "{effects:?}");
    world.give(Input::Recovered { key: order.clone(), result: Ok(Recovered::Ready), staged: None });
    // It was taken in the meantime.
    let result = Ok(PublishOutcome::TargetChanged { found: LocalPicture::Absent });
    let effects = world.give(Input::Published { key: order.clone(), result });
    assert!(matches!(effects.as_slice(), [Effect::Discard { .. }]), "{effects:?}");
    world.give(Input::Discarded { key: order.clone() });
    assert_eq!(world.engine.store().intents().expect("journal"), []);
    assert_eq!(world.revisions(&order), [(1, Reason::FirstScan)]);
    assert!(world.until_late(Duration::from_hours(30)).is_none(), "consumed stays consumed");
}

#[test]
fn where_it_is_turned_off_nothing_is_asked_for() {
    let store = Store::in_memory().expect("journal");
    let off = EnginePolicy { late_extras: false, ..policy(&["lab"]) };
    let now = Now { wall: WallMs(1_000_000), mono: Duration::from_secs(50) };
    let mut world = World { engine: Engine::new(store, off, now).expect("journal"), now };
    let order = key("lab", "17");
    world.publish_lacking(&order, thumbnails());
    assert!(world.until_late(Duration::from_hours(30)).is_none());
}
