//! Orders on their way into the output folder.

use casedrop::model::manifest::{Manifest, Reason};
use casedrop::model::step::Step;
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};
use serde_json::Value;

use super::{assert_promises, die_at, finish, history, is_published, pass_until, times_told};
use crate::faults::{IDE, download, status};
use crate::tree;
use crate::world::{World, order, order_with_id};

pub(super) fn first(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    die_at(world, step);
    let asked = step >= Step::FetchAnswered && step <= Step::Report;
    assert!(!asked || !world.align().state().order(&id).expect("known").listed, "no longer listed");
    finish(world, &id, 1);
    let story = world.order(&id);
    assert_eq!(times_told(&story, "seen"), 1, "{story:#}");
    assert_promises(world, &id, &world.published(&id), 1);
    assert!(history(world, &id).is_empty());
}

/// Returns a published order with a new revision at Align; someone else's folder is next to it.
pub(super) fn published_and_back(world: &World) -> (String, Manifest) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    let before = world.published(&id);
    let bystander = world.dir_of("not-an-order");
    std::fs::create_dir_all(&bystander).expect("made");
    std::fs::write(bystander.join("note.txt"), "mine").expect("written");
    world.align().flow(&id, "send-to-modeling").expect("sent");
    world.align().flow(&id, "modeling-completed").expect("back");
    (id, before)
}

fn assert_replaced(world: &World, id: &str, before: &Manifest) {
    finish(world, id, 2);
    let after = world.published(id);
    assert_eq!(after.previous.as_ref().expect("a predecessor").revision, 1);
    let kept = tree::check_order(&world.history_of(id, 1)).expect("the old revision, whole");
    assert_eq!(&kept, before);
    assert_eq!(history(world, id), ["r1"]);
    let bystander = world.dir_of("not-an-order");
    assert_eq!(std::fs::read_to_string(bystander.join("note.txt")).expect("there"), "mine");
    std::fs::remove_dir_all(bystander).expect("removed");
    assert_promises(world, id, &after, 1);
}

pub(super) fn replace(world: &World, step: Step) {
    let (id, before) = published_and_back(world);
    die_at(world, step);
    if let Ok(found) = tree::manifest(&world.dir_of(&id)) {
        assert!(found == before || found.revision == 2);
    }
    assert_replaced(world, &id, &before);
}

pub(super) fn beside(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    std::fs::write(world.dir_of(&id).join("design.dcm"), "mine").expect("written");
    let before = tree::listing(&world.dir_of(&id));
    world.align().flow(&id, "return-to-doctor").expect("returned");
    world.align().flow(&id, "rescan-completed").expect("back");
    die_at(world, step);
    let place = world.dir_of(&format!("{id}-r2"));
    pass_until(world, &id, |world| {
        is_published(world, &id).filter(|story| story["revision"] == 2).map(|_| ())
    });
    let after = tree::check_order(&place).expect("whole");
    assert_eq!(after.revision, 2);
    assert_eq!(tree::listing(&world.dir_of(&id)), before);
    assert!(history(world, &id).is_empty());
    // `verify` would report the edited order.
    std::fs::remove_file(world.dir_of(&id).join("design.dcm")).expect("removed");
    assert_promises(world, &id, &after, 2);
}

pub(super) fn empty(world: &World, step: Step) {
    let spec = order_with_id(CaseKind::OrthoShell, "17544365");
    let id = world.align().create_order(&spec).expect("created");
    std::fs::create_dir_all(world.dir_of(&id)).expect("made");
    die_at(world, step);
    assert_eq!(world.dir_of(&id).exists(), step == Step::ClearEmpty);
    finish(world, &id, 1);
    assert_promises(world, &id, &world.published(&id), 1);
}

/// Modification times of the order's files.
fn written(world: &World, id: &str) -> Vec<std::time::SystemTime> {
    let files = tree::files(&world.dir_of(id)).into_iter();
    files.map(|file| file.metadata().and_then(|meta| meta.modified()).expect("a time")).collect()
}

pub(super) fn adopt(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    let before = written(world, &id);
    // The journal is lost while the order's folder is elsewhere; then someone moves it back.
    let elsewhere = world.dir().join("elsewhere");
    std::fs::rename(world.dir_of(&id), &elsewhere).expect("moved");
    for file in tree::files(&world.state()) {
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal")) {
            std::fs::remove_file(file).expect("removed");
        }
    }
    world.sync();
    assert_eq!(world.order_or_null(&id), Value::Null, "nobody knows it any more");
    std::fs::rename(&elsewhere, world.dir_of(&id)).expect("moved back");
    world.align().flow(&id, "first-scan").expect("listed again");
    die_at(world, step);
    pass_until(world, &id, |world| is_published(world, &id).map(|_| ()));
    assert_eq!(written(world, &id), before, "no second write");
    assert_promises(world, &id, &world.published(&id), 1);
    assert!(history(world, &id).is_empty());
}

pub(super) fn refetch(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    let before = written(world, &id);
    world.good(&["refetch", &id]);
    die_at(world, step);
    pass_until(world, &id, |world| {
        is_published(world, &id).filter(|story| times_told(story, "unchanged") > 0).map(|_| ())
    });
    let story = world.order(&id);
    assert_eq!((times_told(&story, "asked"), times_told(&story, "unchanged")), (1, 1), "{story:#}");
    assert_eq!(written(world, &id), before, "no second write");
    assert_promises(world, &id, &world.published(&id), 1);
    assert!(history(world, &id).is_empty());
}

pub(super) fn late(world: &World, step: Step) {
    // No extras are requested before the publication, and those requested after it do not arrive.
    let config = world.yaml().replace("downloads: {", "downloads: { extras_wait: 0s,");
    std::fs::write(world.config(), config).expect("written");
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let refused = FaultRule::on("downloadAsset", status(403)).asset("IMAGE_GALLERY");
    world.align().inject(refused);
    finish(world, &id, 1);
    let before = world.published(&id);
    assert!(before.missing.contains(&"thumbnails".to_owned()), "{before:?}");
    world.align().clear_faults();
    world.let_late_extras_be_due(&id);
    die_at(world, step);
    finish(world, &id, 2);
    let after = world.published(&id);
    assert_eq!(after.reason, Reason::Extras);
    assert_eq!(after.files.len(), before.files.len() + 6, "the pictures");
    let kept = tree::check_order(&world.history_of(&id, 1)).expect("the old revision, whole");
    assert_eq!(kept, before);
    assert_eq!(world.align().state().asset(&id, IDE).started, 1, "the package came once");
    assert_promises(world, &id, &after, 1);
}

pub(super) fn failure(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.align().inject(download(FaultKind::Reset { after_bytes: 2000 }));
    die_at(world, step);
    world.align().clear_faults();
    let is_durable = step == Step::JournalFailedDurable;
    assert_eq!(world.order(&id)["trouble"].is_object(), is_durable);
    if is_durable {
        world.let_time_pass(&id);
    }
    finish(world, &id, 1);
    assert_promises(world, &id, &world.published(&id), 1);
}

pub(super) fn again(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    die_at(
        world,
        match step {
            // What is then in staging is useless.
            Step::Sweep => Step::Unpacked,
            // What is then in staging has no manifest, but the journal holds an intent.
            Step::JournalDropped | Step::JournalDroppedDurable => Step::SyncFiles,
            _ => Step::Report,
        },
    );
    die_at(world, step);
    finish(world, &id, 1);
    assert_promises(world, &id, &world.published(&id), 1);
}

pub(super) fn lost(world: &World, step: Step) {
    let (id, before) = published_and_back(world);
    die_at(world, Step::Look);
    // The state after a system without an exchange died before the new revision was moved in; also,
    // the staged files never reached the disk.
    let aside = world.history_of(&id, 1);
    std::fs::create_dir_all(aside.parent().expect("the order's")).expect("made");
    std::fs::rename(world.dir_of(&id), &aside).expect("moved aside");
    let work = world.staging().join("work");
    let torn = tree::files(&work).into_iter().find(|file| !file.ends_with("manifest.json"));
    std::fs::write(torn.expect("a staged file"), "torn").expect("torn");
    die_at(world, step);
    assert!(!world.dir_of(&id).exists() && aside.exists());
    assert_replaced(world, &id, &before);
}
