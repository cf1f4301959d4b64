//! Due date, doctor and teeth: what Align answers counts, and the files fill the gaps.

use super::*;
use casedrop_model::day::Day;
use casedrop_model::prescription::{Prescription, Tooth};

fn day(text: &str) -> Option<Day> {
    text.parse().ok()
}

fn told() -> Prescription {
    Prescription {
        due_date: day("2026-12-24"),
        doctor: Some("Sample, Jo".to_owned()),
        procedure: Some("Fixed Restorative".to_owned()),
        teeth: vec![Tooth::new(8, None).expect("a tooth")],
    }
}

fn publish(world: &mut World, order: &OrderKey, remote: RemoteOrder) -> Prescription {
    world.give(Input::Tick);
    world.connect("lab");
    world.list("lab", vec![remote]);
    world.looked(order, LocalPicture::Absent);
    let files = vec![file("a")];
    let fetched = Fetched { files, prescription: told(), ..Fetched::default() };
    world.give(Input::Fetched { key: order.clone(), result: Ok(fetched) });
    world.looked(order, LocalPicture::Absent);
    world.published(order);
    let revisions = world.engine.store().revisions(order).expect("journal");
    Prescription::of(&revisions[0].manifest)
}

#[test]
fn what_align_does_not_tell_comes_from_the_files() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    assert_eq!(publish(&mut world, &order, remote("17", Status::Ready)), told());
    let record = world.record(&order);
    assert_eq!((record.due_date(), record.doctor()), (day("2026-12-24"), Some("Sample, Jo")));
    assert_eq!(record.procedure(), Some("Fixed Restorative"));
    assert_eq!(record.teeth(), told().teeth);
    assert_eq!(record.remote.due_date, None, "what Align says stays apart");
}

#[test]
fn what_align_tells_counts_and_a_new_day_alone_fetches_nothing() {
    let mut world = World::new(&["lab"]);
    let order = key("lab", "17");
    let due = |text| RemoteOrder { due_date: day(text), ..remote("17", Status::Ready) };
    let published = publish(&mut world, &order, due("2026-12-01"));
    assert_eq!(published, Prescription { due_date: day("2026-12-01"), ..told() });

    world.pass(INTERVAL);
    let effects = world.list("lab", vec![due("2026-12-03")]);
    assert!(!effects.iter().any(|one| matches!(one, Effect::Look { .. })), "{effects:?}");
    assert_eq!(world.record(&order).due_date(), day("2026-12-03"));
    // An answer without one leaves what was published.
    world.pass(INTERVAL);
    world.list("lab", vec![remote("17", Status::Ready)]);
    assert_eq!(world.record(&order).due_date(), day("2026-12-01"));
}
