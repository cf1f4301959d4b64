//! Old orders and revisions are removed: when, and when not.

use super::*;
use crate::effects::{ForgetJob, RetireJob, Retirement};
use casedrop_model::local::Fate;
use casedrop_model::record::Retired;

const DAY: Duration = Duration::from_hours(24);
const HISTORY: Duration = Duration::from_hours(24 * 30);
const RETENTION: Duration = Duration::from_hours(24 * 90);

/// An agent that removes what is old, with one published order and no poll in progress.
fn world_with_order() -> (World, OrderKey) {
    let mut world = World::new(&["lab"]);
    world.remove_old();
    let order = key("lab", "17");
    world.publish_first(&order);
    world.list("lab", vec![]);
    (world, order)
}

fn removals(effects: Vec<Effect>) -> (Vec<RetireJob>, Vec<ForgetJob>) {
    let (mut retire, mut forget) = (Vec::new(), Vec::new());
    for effect in effects {
        match effect {
            Effect::Retire(job) => retire.push(*job),
            Effect::Forget(job) => forget.push(*job),
            _ => {}
        }
    }
    (retire, forget)
}

impl World {
    fn remove_old(&mut self) {
        self.engine.policy.history_keep = Some(HISTORY);
        self.engine.policy.retention_keep = Some(RETENTION);
    }

    /// Time passes hour by hour, with polls answered; returns what is to be removed.
    fn pass_time(&mut self, time: Duration) -> (Vec<RetireJob>, Vec<ForgetJob>) {
        let (mut retire, mut forget) = (Vec::new(), Vec::new());
        for _ in 0..time.as_secs() / 3600 {
            let effects = self.pass(Duration::from_hours(1));
            let polls = effects.iter().any(|effect| matches!(effect, Effect::Poll { .. }));
            let mut all = removals(effects);
            if polls {
                let more = removals(self.list("lab", vec![]));
                all.0.extend(more.0);
                all.1.extend(more.1);
            }
            retire.extend(all.0);
            forget.extend(all.1);
        }
        (retire, forget)
    }

    fn retired(&mut self, key: &OrderKey, removed: &[u32], left: &[&str]) -> Vec<Effect> {
        let retirement = Retirement {
            removed: removed.to_vec(),
            left: left.iter().map(|left| (*left).to_owned()).collect(),
        };
        self.give(Input::Retired { key: key.clone(), result: Ok(retirement) })
    }

    /// The order comes back with other files and is published as the next revision.
    fn publish_next(&mut self, key: &OrderKey, sha: &str) {
        self.pass(INTERVAL);
        let effects = self.list("lab", vec![remote(key.order.as_str(), Status::LabReview)]);
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Look { .. })), "{effects:?}");
        self.looked(key, LocalPicture::AsPublished);
        self.fetched(key, sha);
        let effects = self.looked(key, LocalPicture::AsPublished);
        assert!(effects.iter().any(|effect| matches!(effect, Effect::Publish(_))), "{effects:?}");
        self.published(key);
        self.pass(INTERVAL);
        self.list("lab", vec![]);
    }

    fn story(&self, key: &OrderKey) -> Vec<String> {
        let story = self.engine.store().story(key).expect("journal");
        story.into_iter().map(|event| event.kind).collect()
    }
}

#[test]
fn an_order_is_removed_when_it_is_old_enough_and_not_before() {
    let (mut world, order) = world_with_order();
    assert_eq!(world.pass_time(DAY * 89).0.len(), 0);
    let (jobs, _) = world.pass_time(DAY + DAY / 12);
    assert_eq!(jobs.len(), 1);
    assert_eq!((&jobs[0].key, jobs[0].pieces.len()), (&order, 1));
    // Durable before anything is moved, and one at a time.
    assert_eq!(world.record(&order).retired, Retired::UnderWay);
    world.retired(&order, &[1], &[]);
    let record = world.record(&order);
    assert_eq!((record.retired, record.state()), (Retired::Yes, OrderState::Removed));
    assert_eq!(world.story(&order).last().map(String::as_str), Some("removed"));
    assert_eq!(world.pass_time(RETENTION + DAY).0.len(), 0, "once");
}

#[test]
fn a_wanted_order_and_one_in_work_are_not_removed() {
    let (mut world, order) = world_with_order();
    world.pass_time(DAY * 89);
    world.pass(INTERVAL);
    let effects = world.list("lab", vec![remote("17", Status::LabReview)]);
    assert!(matches!(effects.as_slice(), [Effect::Look { .. }]), "{effects:?}");
    assert_eq!(world.pass_time(DAY * 2).0.len(), 0, "in work");
    let result = Err(transient());
    world.give(Input::Looked { key: order.clone(), result });
    assert!(world.record(&order).is_wanted());
    let began = world.now;
    assert_eq!(removals(world.give(Input::Tick)).0.len(), 0, "wanted");
    assert_eq!(world.now, began);
}

/// If missing orders are restored, every published order is looked at; one may be due for removal
/// at that moment.
#[test]
fn an_old_order_that_is_being_looked_at_is_removed_right_after() {
    let (mut world, order) = world_with_order();
    world.pass_time(DAY * 89);
    world.engine.policy.restore = true;
    world.now.mono += DAY * 2;
    world.now.wall = world.now.wall.plus(DAY * 2);
    let effects = world.give(Input::Tick);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Look { .. })), "{effects:?}");
    assert_eq!(removals(effects).0.len(), 0, "not while it is looked at");
    assert!(world.engine.next_keeping().is_none(), "and nobody asks again and again");
    let (jobs, _) = removals(world.looked(&order, LocalPicture::AsPublished));
    assert_eq!(jobs.len(), 1);
    assert!(!world.engine.is_settled(world.now));
    world.retired(&order, &[1], &[]);
    assert_eq!(world.record(&order).state(), OrderState::Removed);
}

#[test]
fn an_order_that_is_being_removed_is_not_looked_at_meanwhile() {
    let (mut world, _) = world_with_order();
    world.pass_time(DAY * 89);
    let now = Now { wall: world.now.wall.plus(DAY * 2), mono: world.now.mono + DAY * 2 };
    let mut world = World::at(world.engine.store, &["lab"], now);
    world.remove_old();
    world.engine.policy.restore = true;
    let order = key("lab", "17");
    assert_eq!(removals(world.give(Input::Tick)).0.len(), 1, "before the lab is connected");
    let effects = world.connect("lab");
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Look { .. })), "{effects:?}");
    let effects = world.retired(&order, &[1], &[]);
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Look { .. })), "{effects:?}");
    world.looked(&order, LocalPicture::Absent);
    assert_eq!(world.record(&order).state(), OrderState::Removed);
}

#[test]
fn a_new_revision_begins_anew_and_what_it_replaced_goes_from_history() {
    let (mut world, order) = world_with_order();
    world.pass_time(DAY * 80);
    world.publish_next(&order, "b");
    assert_eq!(world.record(&order).published.map(|published| published.revision), Some(2));
    let (retire, forget) = world.pass_time(DAY * 29);
    assert_eq!((retire.len(), forget.len()), (0, 0), "replaced 29 days ago");
    let (retire, forget) = world.pass_time(DAY + DAY / 12);
    assert_eq!((retire.len(), forget.len()), (0, 1));
    assert_eq!((&forget[0].key, forget[0].old.manifest.revision), (&order, 1));
    let result = Ok(Fate::Removed);
    world.give(Input::Forgotten { key: order.clone(), revision: 1, result });
    assert_eq!(world.story(&order).last().map(String::as_str), Some("forgotten"));
    let (retire, forget) = world.pass_time(DAY * 60);
    assert_eq!((retire.len(), forget.len()), (1, 0), "the newest, 90 days after it came");
}

#[test]
fn a_removed_order_gets_its_next_revision_as_usual() {
    let (mut world, order) = world_with_order();
    world.pass_time(RETENTION + DAY / 12);
    world.retired(&order, &[1], &[]);
    world.pass(INTERVAL);
    world.list("lab", vec![remote("17", Status::LabReview)]);
    world.looked(&order, LocalPicture::Absent);
    world.fetched(&order, "b");
    let effects = world.looked(&order, LocalPicture::Absent);
    let [Effect::Publish(job)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((job.intent.manifest.revision, job.intent.target), (2, IntentTarget::Fresh));
    world.published(&order);
    let record = world.record(&order);
    assert_eq!((record.retired, record.state()), (Retired::No, OrderState::Published));
}

#[test]
fn a_removed_order_is_not_restored() {
    let (mut world, order) = world_with_order();
    world.engine.policy.restore = true;
    world.pass_time(RETENTION + DAY / 12);
    // The patrol looks at it in between; it is in place.
    world.looked(&order, LocalPicture::AsPublished);
    let (jobs, _) = world.pass_time(DAY / 12);
    assert!(jobs.len() <= 1);
    world.retired(&order, &[1], &[]);
    for _ in 0..30 {
        let effects = world.pass(Duration::from_hours(1));
        assert!(!effects.iter().any(|one| matches!(one, Effect::Look { .. } | Effect::Fetch(_))));
        world.list("lab", vec![]);
    }
}

#[test]
fn what_others_changed_is_left_alone_and_told_once() {
    let (mut world, order) = world_with_order();
    world.pass_time(RETENTION + DAY / 12);
    world.retired(&order, &[], &["design.dcm is not part of the order"]);
    let record = world.record(&order);
    assert_eq!((record.retired, record.state()), (Retired::LeftAlone, OrderState::Published));
    assert_eq!(world.story(&order).last().map(String::as_str), Some("kept"));
    assert_eq!(world.pass_time(DAY * 10).0.len(), 0);
}

#[test]
fn an_interrupted_removal_is_finished_after_a_restart_whatever_the_config_says() {
    let (mut world, order) = world_with_order();
    let (jobs, _) = world.pass_time(RETENTION + DAY / 12);
    assert_eq!(jobs.len(), 1);
    let mut world = World::at(world.engine.store, &["lab"], world.now);
    let (jobs, _) = removals(world.give(Input::Tick));
    assert_eq!(jobs.len(), 1, "at once, without any login");
    world.retired(&order, &[1], &[]);
    assert_eq!(world.record(&order).state(), OrderState::Removed);
    assert!(world.engine.next_keeping().is_none(), "nothing else is removed");
}

#[test]
fn a_clock_that_is_set_removes_nothing_early() {
    let (mut world, _) = world_with_order();
    world.pass_time(DAY);
    world.now.wall = world.now.wall.plus(DAY * 4000);
    let (retire, forget) = world.pass_time(DAY * 80);
    assert_eq!((retire.len(), forget.len()), (0, 0));
    world.now.wall = WallMs(0);
    assert_eq!(world.pass_time(DAY * 8).0.len(), 0);
    assert_eq!(world.pass_time(DAY * 2).0.len(), 1, "its time has come");
}

#[test]
fn time_switched_off_counts_up_to_three_days_each_time() {
    let (world, _) = world_with_order();
    let (mut store, mut now) = (world.engine.store, world.now);
    let weeks = (RETENTION.as_secs() / (DAY * 3).as_secs()) + 1;
    for week in 0..weeks {
        now = Now { wall: now.wall.plus(DAY * 7), mono: Duration::from_secs(1) };
        let mut world = World::at(store, &["lab"], now);
        world.remove_old();
        let (jobs, _) = removals(world.give(Input::Tick));
        assert_eq!(jobs.len(), usize::from(week + 1 >= RETENTION.as_secs() / (DAY * 3).as_secs()));
        if !jobs.is_empty() {
            return;
        }
        // It runs for one second, longer than the next one.
        world.now.mono += Duration::from_secs(1);
        world.engine.store.count_time(world.now).expect("journal");
        store = world.engine.store;
    }
    panic!("it was never removed");
}

#[test]
fn what_cannot_be_removed_is_tried_again_in_the_next_round() {
    let (mut world, order) = world_with_order();
    world.pass_time(RETENTION + DAY / 12);
    let busy = Fault::new(FaultClass::Local, "target-busy", "held open");
    let effects = world.give(Input::Retired { key: order.clone(), result: Err(busy) });
    assert_eq!(removals(effects).0.len(), 0, "not in this round");
    assert_eq!(removals(world.pass(Duration::from_mins(59))).0.len(), 0);
    world.list("lab", vec![]);
    assert_eq!(world.pass_time(DAY / 12).0.len(), 1);
    // Without the audit nothing is removed, and that is reported.
    let result = Err(Fault::new(FaultClass::Local, "disk-full", "cannot write the audit"));
    let input = Input::Retired { key: order.clone(), result };
    let effects = world.engine.handle(world.now, input).expect("journal");
    let told = |effect: &Effect| matches!(effect, Effect::Tell(Notice::PcTrouble { .. }));
    assert!(effects.iter().any(told), "{effects:?}");
    assert_eq!(world.record(&order).retired, Retired::UnderWay);
    assert_eq!(world.pass_time(DAY / 12).0.len(), 1);
}

#[test]
fn nothing_is_removed_where_nothing_is_to_be() {
    let mut world = World::new(&["lab"]);
    world.publish_first(&key("lab", "17"));
    world.list("lab", vec![]);
    assert!(world.engine.next_keeping().is_none());
    let (retire, forget) = world.pass_time(RETENTION * 2);
    assert_eq!((retire.len(), forget.len()), (0, 0));
}
