//! Publishing, and crashing at every step of it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::super::root::prepare_root;
use super::super::testing::{HOLDER, Lie, NoExchange, Place, content_of, key, sealed};
use super::*;
use casedrop_disk::RealDisk;

const OLD: [(&str, &str); 2] = [("a.stl", "old mesh"), ("thumbnails/b.jpg", "old picture")];
const NEW: [(&str, &str); 3] = [("a.stl", "new mesh"), ("c.xml", "<x/>"), ("sub/d", "new")];

struct Setup {
    place: Place,
    id: String,
    publication: Publication,
    old: Option<(BTreeMap<String, Vec<u8>>, String)>,
    new: BTreeMap<String, Vec<u8>>,
}

impl Setup {
    fn fresh() -> Self {
        let place = Place::new();
        let id = prepare_root(&RealDisk, &place.layout, None).expect("prepared");
        let staged = place.layout.work_dir("job").join("staged");
        let (_, manifest_sha256) = sealed(&staged, 2, &NEW);
        let new = content_of(&staged);
        let target = Target::Fresh;
        let publication = Publication { key: key(), revision: 2, staged, target, manifest_sha256 };
        Self { place, id, publication, old: None, new }
    }

    fn replacing() -> Self {
        let mut setup = Self::fresh();
        let (previous_manifest, previous_sha256) = sealed(&setup.dir(), 1, &OLD);
        setup.old = Some((content_of(&setup.dir()), previous_sha256.clone()));
        setup.publication.target =
            Target::Replace { previous_manifest: Box::new(previous_manifest), previous_sha256 };
        setup
    }

    fn dir(&self) -> PathBuf {
        self.publication.dir(&self.place.layout)
    }

    fn publish_with(&self, disk: &dyn Disk, step: &dyn Fn(Step)) -> Result<PublishOutcome, Fault> {
        publish(disk, &self.place.layout, &self.id, &self.publication, step)
    }

    fn publish(&self, disk: &dyn Disk) -> Result<PublishOutcome, Fault> {
        self.publish_with(disk, &|_| {})
    }

    fn recover(&self, disk: &dyn Disk) -> Recovered {
        recover(disk, &self.place.layout, &self.publication, &|_| {}).expect("decided")
    }

    fn target(&self) -> Option<BTreeMap<String, Vec<u8>>> {
        self.dir().exists().then(|| content_of(&self.dir()))
    }

    /// Asserts that the new revision is published, the old one is in history, and nothing else is
    /// anywhere.
    fn assert_published(&self) {
        assert_eq!(self.target().as_ref(), Some(&self.new));
        assert!(!self.publication.staged.exists());
        let history = self.place.layout.history_dir(&key(), 1);
        match &self.old {
            Some((old, _)) => assert_eq!(&content_of(&history), old),
            None => assert!(!history.exists()),
        }
        let orders = std::fs::read_dir(self.dir().parent().expect("account")).expect("listed");
        assert_eq!(orders.count(), 1);
    }
}

/// Runs until `wanted` and stops there as a crash would; returns whether that step was reached.
fn crash_at(wanted: Step, run: impl FnOnce(&dyn Fn(Step))) -> bool {
    struct Crash;
    let hook = |step: Step| {
        if step == wanted {
            resume_unwind(Box::new(Crash));
        }
    };
    match catch_unwind(AssertUnwindSafe(|| run(&hook))) {
        Ok(()) => false,
        Err(panic) if panic.is::<Crash>() => true,
        Err(panic) => resume_unwind(panic),
    }
}

fn disks() -> [(&'static str, &'static dyn Disk); 2] {
    [("with exchange", &RealDisk), ("without exchange", &NoExchange(Lie::None))]
}

#[test]
fn a_first_revision_appears_and_publishing_again_is_harmless() {
    let setup = Setup::fresh();
    let done = PublishOutcome::Done { dir: setup.dir() };
    assert_eq!(setup.publish(&RealDisk).expect("published"), done);
    setup.assert_published();
    assert_eq!(setup.publish(&RealDisk).expect("again"), done);
    assert_eq!(setup.recover(&RealDisk), Recovered::Published);
    setup.assert_published();
}

#[test]
fn a_new_revision_takes_the_place_of_the_old_one() {
    for (_, disk) in disks() {
        let setup = Setup::replacing();
        setup.publish(disk).expect("published");
        setup.assert_published();
    }
}

#[test]
fn a_crash_at_any_step_leaves_a_whole_order_and_can_be_completed() {
    for (name, disk) in disks() {
        for make in [Setup::fresh as fn() -> Setup, Setup::replacing, || {
            let setup = Setup::replacing();
            std::fs::remove_dir_all(setup.dir()).expect("consumed");
            std::fs::create_dir(setup.dir()).expect("left empty");
            Setup { old: None, ..setup }
        }] {
            for &step in Step::PUBLISHING {
                let setup = make();
                let before = setup.target();
                let came = crash_at(step, |hook| {
                    let _ = setup.publish_with(disk, hook);
                });
                let target = setup.target();
                let whole = target == before || target.as_ref() == Some(&setup.new);
                let between = step == Step::MoveIn && target.is_none();
                assert!(whole || between, "{name}, {step:?}: {target:?}");
                if !came {
                    continue;
                }
                // Recovery is idempotent, and completing it ends as if there had been no crash.
                let recovered = setup.recover(disk);
                assert_eq!(setup.recover(disk), recovered, "{name}, {step:?}");
                match recovered {
                    Recovered::Published => {}
                    Recovered::Ready => {
                        setup.publish(disk).expect("published again");
                    }
                    Recovered::Held | Recovered::Lost => panic!("{name}, {step:?}: lost"),
                }
                setup.assert_published();

                // A publication that failed halfway is simply repeated.
                let setup = make();
                crash_at(step, |hook| {
                    let _ = setup.publish_with(disk, hook);
                });
                setup.publish(disk).expect("published again");
                setup.assert_published();
            }
        }
    }
}

#[test]
fn every_step_is_met_by_some_publication() {
    let met = RefCell::new(std::collections::BTreeSet::new());
    let note = |step| {
        met.borrow_mut().insert(step);
    };
    for (_, disk) in disks() {
        Setup::replacing().publish_with(disk, &note).expect("published");
    }
    let setup = Setup::fresh();
    std::fs::create_dir_all(setup.dir()).expect("empty");
    setup.publish_with(&RealDisk, &note).expect("published");
    let staged = setup.place.layout.work_dir("other");
    let (manifest, _) = sealed(&staged, 1, &OLD);
    super::super::write_manifest::write_manifest_with(&RealDisk, &staged, &manifest, &note)
        .expect("sealed");
    if cfg!(windows) {
        met.borrow_mut().insert(Step::OldToHistory);
    }
    assert_eq!(met.into_inner().into_iter().collect::<Vec<_>>(), Step::PUBLISHING);
}

#[test]
fn what_others_did_in_the_meantime_is_never_touched() {
    for (_, disk) in disks() {
        let setup = Setup::replacing();
        std::fs::write(setup.dir().join("design.dcm"), "a day's work").expect("write");
        let before = setup.target();
        let outcome = setup.publish(disk).expect("looked");
        let PublishOutcome::TargetChanged { found: LocalPicture::Altered { differences } } =
            outcome
        else {
            panic!("{outcome:?}")
        };
        assert_eq!(differences, ["design.dcm is not part of the order"]);
        assert_eq!(setup.target(), before);
        assert_eq!(setup.recover(disk), Recovered::Ready);

        let beside = Publication { target: Target::Beside, ..setup.publication.clone() };
        publish(disk, &setup.place.layout, &setup.id, &beside, &|_| {}).expect("beside");
        assert_eq!(setup.target(), before);
        let dir = setup.place.layout.beside_dir(&key(), 2);
        assert_eq!(content_of(&dir), setup.new);
        assert!(!setup.place.layout.history_dir(&key(), 1).exists());
    }
}

#[test]
fn a_fresh_publication_never_replaces() {
    let setup = Setup::fresh();
    std::fs::create_dir_all(setup.dir()).expect("mkdir");
    std::fs::write(setup.dir().join("x"), "mine").expect("write");
    let outcome = setup.publish(&RealDisk).expect("looked");
    assert!(matches!(
        outcome,
        PublishOutcome::TargetChanged { found: LocalPicture::Foreign { .. } }
    ));
    assert_eq!(setup.target().expect("there")["x"], b"mine");
}

#[test]
fn what_is_left_of_a_consumed_order_goes_to_history() {
    for (_, disk) in disks() {
        let setup = Setup::replacing();
        std::fs::remove_file(setup.dir().join("a.stl")).expect("consumed");
        let rest = setup.target().expect("there");
        setup.publish(disk).expect("published");
        assert_eq!(setup.target().as_ref(), Some(&setup.new));
        assert_eq!(content_of(&setup.place.layout.history_dir(&key(), 1)), rest);
    }
}

#[test]
fn without_its_root_nothing_is_published() {
    let setup = Setup::fresh();
    std::fs::remove_file(setup.place.layout.output.join(".casedrop-root")).expect("gone");
    assert_eq!(setup.publish(&RealDisk).expect_err("refused").code, "output-gone");
    assert!(setup.publication.staged.exists() && setup.target().is_none());
}

#[test]
fn a_move_in_that_fails_is_undone() {
    let setup = Setup::replacing();
    let before = setup.target();
    // The staged order disappears at the worst moment.
    let hook = |step: Step| {
        if step == Step::MoveIn {
            let away = setup.publication.staged.with_extension("away");
            std::fs::rename(&setup.publication.staged, away).expect("moved");
        }
    };
    setup.publish_with(&NoExchange(Lie::None), &hook).expect_err("nothing to move in");
    assert_eq!(setup.target(), before);
    assert!(!setup.place.layout.history_dir(&key(), 1).exists());
}

#[test]
fn a_lost_staging_brings_the_old_revision_back() {
    let setup = Setup::replacing();
    let before = setup.target();
    assert!(crash_at(Step::MoveIn, |hook| {
        let _ = setup.publish_with(&NoExchange(Lie::None), hook);
    }));
    assert_eq!(setup.target(), None);
    std::fs::write(setup.publication.staged.join("a.stl"), "torn").expect("damaged");
    assert_eq!(setup.recover(&NoExchange(Lie::None)), Recovered::Lost);
    assert_eq!(setup.target(), before);
    assert_eq!(setup.recover(&NoExchange(Lie::None)), Recovered::Lost);
}

#[test]
fn a_held_order_waits_and_is_published_once_it_is_free() {
    let setup = Setup::replacing();
    let before = setup.target();
    let fault = setup.publish(&NoExchange(Lie::Held("17"))).expect_err("busy");
    assert_eq!((fault.class, fault.code), (FaultClass::Local, "target-busy"));
    let words = format!("{HOLDER} holds a.stl of this order open");
    assert!(fault.message.contains(&words), "{fault}");
    assert_eq!(setup.target(), before);
    setup.publish(&NoExchange(Lie::None)).expect("published");
    setup.assert_published();

    // Held open only after the old revision has been moved out: that move is undone.
    let setup = Setup::replacing();
    let fault = setup.publish(&NoExchange(Lie::Held("staged"))).expect_err("busy");
    assert_eq!(fault.code, "target-busy");
    assert_eq!(setup.target(), before);
}
