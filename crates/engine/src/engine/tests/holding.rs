//! Incomplete orders are held back: stored, shown, released, replaced, and never lost.

use super::*;
use crate::effects::{HoldJob, Lacking};
use casedrop_journal::Held;
use casedrop_model::asset::AssetKind;
use casedrop_model::finding_code::FindingCode;
use casedrop_model::manifest::{Finding, Severity};

fn serious() -> Finding {
    Finding::new(FindingCode::JawAbsent, Severity::Serious, "the lower jaw is missing")
}

fn incomplete(sha: &str) -> Fetched {
    Fetched { files: vec![file(sha)], findings: vec![serious()], ..Fetched::default() }
}

impl World {
    fn holding() -> Self {
        let mut world = Self::new(&["lab"]);
        world.engine.policy.hold.insert(name("lab"));
        world
    }

    fn restarted(self) -> Self {
        let mut world = Self::at(self.engine.into_store(), &["lab"], self.now);
        world.engine.policy.hold.insert(name("lab"));
        world
    }

    fn brings(&mut self, key: &OrderKey, fetched: Fetched) -> Vec<Effect> {
        self.give(Input::Fetched { key: key.clone(), result: Ok(fetched) })
    }

    /// From the start to a held-back order.
    fn hold(&mut self, key: &OrderKey, fetched: Fetched) -> HoldJob {
        self.begin_fetch(key);
        self.brings(key, fetched);
        let job = self.begins_to_hold(key);
        self.kept(key);
        job
    }

    fn begins_to_hold(&mut self, key: &OrderKey) -> HoldJob {
        let mut effects = self.looked(key, LocalPicture::Absent);
        match effects.pop() {
            Some(Effect::Hold(job)) if effects.is_empty() => *job,
            other => panic!("{other:?}"),
        }
    }

    fn kept(&mut self, key: &OrderKey) -> Vec<Effect> {
        self.give(Input::Held { key: key.clone(), result: Ok(()) })
    }

    fn held(&self, key: &OrderKey) -> Option<Held> {
        self.engine.store().held(key).expect("journal")
    }

    /// A user wants it published, and the engine learns of it.
    fn release(&mut self, key: &OrderKey) -> Vec<Effect> {
        assert!(self.engine.store().release(key).expect("journal"));
        self.give(Input::Tick)
    }

    /// The list names the order with another status, and its download starts.
    fn refetches(&mut self, key: &OrderKey) {
        let order =
            RemoteOrder { etag: Some("\"2\"".to_owned()), ..remote("17", Status::LabReview) };
        let effects = self.list("lab", vec![order]);
        assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
        let effects = self.looked(key, LocalPicture::Absent);
        assert!(matches!(effects.as_slice(), [Effect::Fetch(_)]), "{effects:?}");
    }
}

/// Whether that held-back directory is to be removed.
fn drops(effects: &[Effect], held: &str) -> bool {
    effects.iter().any(|effect| matches!(effect, Effect::DropHeld { dir, .. } if dir == held))
}

#[test]
fn what_is_held_back_keeps_its_due_date_until_it_is_published() {
    let mut world = World::holding();
    let order = key("lab", "17");
    let due = Some("2026-12-24".parse().expect("a day"));
    let prescription = casedrop_model::prescription::Prescription {
        due_date: due,
        ..casedrop_model::prescription::Prescription::default()
    };
    let job = world.hold(&order, Fetched { prescription, ..incomplete("a") });
    assert_eq!(job.manifest.due_date, due);
    let mut world = world.restarted();
    world.give(Input::Tick);
    world.connect("lab");
    assert_eq!(world.record(&order).due_date(), due);
    world.release(&order);
    let mut effects = world.looked(&order, LocalPicture::Absent);
    match effects.pop() {
        Some(Effect::Publish(job)) => assert_eq!(job.intent.manifest.due_date, due),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_incomplete_order_is_kept_and_neither_published_waiting_nor_failing() {
    let mut world = World::holding();
    let order = key("lab", "17");
    let job = world.hold(&order, incomplete("a"));
    assert_eq!((job.manifest.revision, job.manifest.reason), (1, Reason::FirstScan));
    let record = world.record(&order);
    assert_eq!((record.state(), record.needs_work()), (OrderState::Held, false));
    assert_eq!(record.newest_findings().0[0].code, "jaw-absent");
    assert!(record.published.is_none() && !world.engine.is_busy());
    let story = world.engine.store().story(&order).expect("journal");
    let last = story.last().expect("told");
    assert_eq!(last.kind, "held");
    assert_eq!(last.text, "held back as incomplete: the lower jaw is missing");
    // A day and a restart.
    let mut world = world.restarted();
    world.give(Input::Tick);
    let about_it = |effect: &Effect| matches!(effect, Effect::Fetch(_) | Effect::Publish(_));
    assert!(!world.pass(Duration::from_hours(1)).iter().any(about_it));
    assert_eq!(world.record(&order).state(), OrderState::Held);
}

#[test]
fn without_the_switch_or_anything_serious_it_is_published_with_its_findings() {
    let warning = Finding::new(FindingCode::BiteAbsent, Severity::Warning, "open");
    let harmless = Fetched { findings: vec![warning], ..incomplete("a") };
    for (mut world, fetched) in
        [(World::new(&["lab"]), incomplete("a")), (World::holding(), harmless)]
    {
        let order = key("lab", "17");
        world.begin_fetch(&order);
        world.brings(&order, fetched.clone());
        let effects = world.looked(&order, LocalPicture::Absent);
        assert!(matches!(effects.as_slice(), [Effect::Publish(_)]), "{effects:?}");
        world.published(&order);
        let record = world.record(&order);
        assert_eq!(record.state(), OrderState::Published);
        assert_eq!(record.findings.is_incomplete(), fetched.findings[0].code == "jaw-absent");
    }
}

#[test]
fn whoever_publishes_it_anyway_needs_neither_login_nor_room_nor_align() {
    let mut world = World::holding();
    let order = key("lab", "17");
    let kept = world.hold(&order, incomplete("a"));
    // No lab is connected in this one.
    let mut world = world.restarted();
    world.give(Input::Tick);
    world.now.wall = world.now.wall.plus(Duration::from_hours(2));
    let effects = world.release(&order);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Look { .. })), "{effects:?}");
    assert_eq!(world.record(&order).state(), OrderState::Waiting);
    let effects = world.looked_with(&order, LocalPicture::Absent, 0);
    let [Effect::Publish(job)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(job.intent.job, format!("held/{}", kept.dir));
    assert_eq!(job.intent.manifest.files, kept.manifest.files);
    assert_ne!(job.intent.manifest.published_at, kept.manifest.published_at);
    assert_eq!(job.intent.manifest.findings, [serious()]);
    let effects = world.published(&order);
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::DropHeld { .. })), "it moved");
    assert_eq!(world.held(&order), None);
    let record = world.record(&order);
    assert_eq!((record.state(), record.held), (OrderState::Published, None));
    assert!(record.findings.is_incomplete(), "it stays marked");
}

#[test]
fn a_complete_revision_replaces_what_is_held_back_and_only_once_it_is_durable() {
    let mut world = World::holding();
    let order = key("lab", "17");
    let kept = world.hold(&order, incomplete("a"));
    world.refetches(&order);
    assert!(world.held(&order).is_some());
    world.fetched(&order, "b");
    let effects = world.looked(&order, LocalPicture::Absent);
    let [Effect::Publish(job)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(job.intent.manifest.revision, 1);
    assert!(world.held(&order).is_some(), "until it stands there");
    let effects = world.published(&order);
    assert!(drops(&effects, &kept.dir) && world.held(&order).is_none(), "{effects:?}");
    assert_eq!(world.record(&order).state(), OrderState::Published);
    assert!(world.engine.is_busy(), "a pass that ended now would leave its removal half recorded");
    let answer = |done| Input::HeldDropped { key: order.clone(), dir: kept.dir.clone(), done };
    world.give(answer(false));
    assert!(!world.engine.is_busy());
    let again = world.pass(Duration::from_mins(5));
    assert!(drops(&again, &kept.dir), "the disk may be well again: {again:?}");
    world.give(answer(true));
    let never = world.pass(Duration::from_mins(5));
    assert!(!never.iter().any(|effect| matches!(effect, Effect::DropHeld { .. })), "{never:?}");
}

#[test]
fn another_incomplete_revision_takes_the_place_of_the_one_before() {
    let mut world = World::holding();
    let order = key("lab", "17");
    let first = world.hold(&order, incomplete("a"));
    world.refetches(&order);
    world.brings(&order, incomplete("b"));
    let second = world.begins_to_hold(&order);
    assert_ne!(first.dir, second.dir);
    assert_eq!(world.held(&order).expect("held").dir, first.dir, "until the new one is safe");
    let effects = world.kept(&order);
    assert!(drops(&effects, &first.dir), "{effects:?}");
    assert_eq!(world.held(&order).expect("held").dir, second.dir);
    assert_eq!(world.record(&order).state(), OrderState::Held);
}

#[test]
fn a_refetch_that_brings_the_same_keeps_it_held_and_writes_nothing() {
    let mut world = World::holding();
    let order = key("lab", "17");
    let kept = world.hold(&order, incomplete("a"));
    world.engine.store().ask(&order, world.now.wall).expect("journal");
    world.give(Input::Tick);
    assert_eq!(world.record(&order).state(), OrderState::Waiting);
    world.looked(&order, LocalPicture::Absent);
    world.brings(&order, incomplete("a"));
    let effects = world.looked(&order, LocalPicture::Absent);
    assert!(matches!(effects.as_slice(), [Effect::Discard { .. }]), "{effects:?}");
    world.give(Input::Discarded { key: order.clone() });
    assert_eq!(world.held(&order).expect("held").dir, kept.dir);
    assert_eq!(world.record(&order).state(), OrderState::Held);
}

#[test]
fn a_refetch_that_fails_leaves_it_where_it_is_and_it_can_still_be_published() {
    let mut world = World::holding();
    let order = key("lab", "17");
    let kept = world.hold(&order, incomplete("a"));
    world.refetches(&order);
    let fault = Fault::new(FaultClass::Permanent, "zip-bomb", "a bomb");
    world.give(Input::Fetched { key: order.clone(), result: Err(fault) });
    assert_eq!(world.held(&order).expect("held").dir, kept.dir);
    assert_eq!(world.record(&order).state(), OrderState::Attention);
    let effects = world.release(&order);
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    let effects = world.looked(&order, LocalPicture::Absent);
    let [Effect::Publish(job)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(job.intent.job, format!("held/{}", kept.dir));
    world.published(&order);
    assert!(world.record(&order).is_wanted(), "what Align has is still to be fetched");
}

#[test]
fn what_a_person_published_anyway_is_not_held_back_when_it_is_fetched_again() {
    let mut world = World::holding();
    let order = key("lab", "17");
    world.hold(&order, incomplete("a"));
    world.release(&order);
    world.looked(&order, LocalPicture::Absent);
    world.published(&order);
    world.engine.store().ask(&order, world.now.wall).expect("journal");
    world.give(Input::Tick);
    world.looked(&order, LocalPicture::Absent);
    world.brings(&order, incomplete("a"));
    let effects = world.looked(&order, LocalPicture::Absent);
    assert!(matches!(effects.as_slice(), [Effect::Publish(_)]), "{effects:?}");
}

#[test]
fn a_hold_that_fails_leaves_the_order_wanted() {
    let mut world = World::holding();
    let order = key("lab", "17");
    world.begin_fetch(&order);
    world.brings(&order, incomplete("a"));
    let job = world.begins_to_hold(&order);
    let fault = Fault::new(FaultClass::Local, "disk", "no");
    let effects = world.give(Input::Held { key: order.clone(), result: Err(fault) });
    assert!(drops(&effects, &job.dir), "{effects:?}");
    let record = world.record(&order);
    assert!(record.is_wanted() && record.held.is_none());
    assert_eq!(record.state(), OrderState::Retrying);
}

#[test]
fn an_order_that_died_while_it_was_being_held_back_is_fetched_again() {
    let mut world = World::holding();
    let order = key("lab", "17");
    world.begin_fetch(&order);
    world.brings(&order, incomplete("a"));
    world.begins_to_hold(&order);
    let world = world.restarted();
    assert!(world.record(&order).is_wanted());
}

#[test]
fn an_interrupted_release_is_finished_and_a_lost_one_is_fetched_again() {
    for recovered in [Recovered::Ready, Recovered::Held, Recovered::Lost] {
        let mut world = World::holding();
        let order = key("lab", "17");
        world.hold(&order, incomplete("a"));
        world.release(&order);
        world.looked(&order, LocalPicture::Absent);
        let mut world = world.restarted();
        let effects = world.give(Input::Tick);
        let recovers = |effect: &Effect| matches!(effect, Effect::Recover(_));
        assert!(effects.iter().any(recovers), "{effects:?}");
        let mut effects = world.give(Input::Recovered {
            key: order.clone(),
            result: Ok(recovered),
            staged: None,
        });
        let record = world.record(&order);
        if recovered == Recovered::Lost {
            assert!(record.is_wanted() && record.held.is_none() && world.held(&order).is_none());
            continue;
        }
        if recovered == Recovered::Held {
            assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
            effects = world.looked(&order, LocalPicture::Absent);
        }
        assert!(matches!(effects.as_slice(), [Effect::Publish(_)]), "{effects:?}");
        world.published(&order);
        assert_eq!(world.record(&order).state(), OrderState::Published);
    }
}

#[test]
fn what_is_to_be_published_and_is_not_there_any_more_is_fetched_again() {
    let mut world = World::holding();
    let order = key("lab", "17");
    world.hold(&order, incomplete("a"));
    world.release(&order);
    let seen = Seen { local: LocalPicture::Absent, free: 1_000_000, held: None };
    world.give(Input::Looked { key: order.clone(), result: Ok(seen) });
    let record = world.record(&order);
    assert!(record.is_wanted() && record.held.is_none());
    assert_eq!(world.held(&order), None);
}

#[test]
fn pictures_that_come_late_join_what_is_held_back() {
    let mut world = World::holding();
    let order = key("lab", "17");
    let why = Some(FaultClass::Transient);
    let lacking = vec![Lacking { kind: AssetKind::Thumbnails, why, retry_after: None }];
    let missing = vec!["thumbnails".to_owned()];
    let first = world.hold(&order, Fetched { missing, lacking, ..incomplete("a") });
    let mut asked = None;
    for _ in 0..10 {
        let effects = world.pass(Duration::from_secs(30));
        if effects.iter().any(|effect| matches!(effect, Effect::Look { .. })) {
            asked = world.looked(&order, LocalPicture::Absent).pop();
            break;
        }
    }
    let Some(Effect::FetchExtras(job)) = asked else { panic!("{asked:?}") };
    assert_eq!(job.held.as_deref(), Some(first.dir.as_str()));
    let picture = ManifestFile {
        path: casedrop_model::path::RelPath::parse("thumbnails/1.jpg").expect("portable"),
        ..file("p")
    };
    let files = vec![file("a"), picture];
    let came = Fetched { files: files.clone(), missing: Vec::new(), ..incomplete("a") };
    world.brings(&order, came);
    let second = world.begins_to_hold(&order);
    assert_eq!((second.manifest.files, second.manifest.reason), (files, Reason::FirstScan));
    let since = world.held(&order).expect("held").at;
    world.kept(&order);
    let held = world.held(&order).expect("held");
    assert_eq!((held.dir, held.at), (second.dir, since));
    assert_eq!(world.record(&order).state(), OrderState::Held);
}

#[test]
fn an_order_that_went_back_to_the_doctor_is_away_and_what_is_held_back_stays() {
    use casedrop_journal::ErrandKind;
    let mut world = World::holding();
    let order = key("lab", "17");
    let kept = world.hold(&order, incomplete("a"));
    let store = world.engine.store();
    store.put_in(&order, world.now.wall, &ErrandKind::Returned).expect("journal");
    world.give(Input::Tick);
    assert_eq!(world.record(&order).state(), OrderState::Away);
    assert_eq!(world.held(&order).expect("held").dir, kept.dir);
}
