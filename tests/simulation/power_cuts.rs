//! Publishing while the power fails, the disk fails or the program dies, at every single call.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use casedrop::disk::Disk as _;
use casedrop::local::Layout;
use casedrop::local::publish::{Publication, Recovered, Target};

use super::bench::{Bench, NEW, Revision, content, files_below, key};
use super::disk::{Call, SimDisk, Verdict};

type Content = BTreeMap<String, String>;

/// A revision 2 in staging, about to be published.
struct Scene {
    disk: SimDisk,
    bench: Bench,
    revision: Revision,
    old: Option<Content>,
}

impl Scene {
    fn new(seed: u64, replacing: bool, exchange: bool) -> Self {
        let disk = SimDisk::new(seed);
        disk.set_exchange(exchange);
        let bench = Bench::new(&disk, Path::new("/pc"));
        let target = if replacing { bench.published(&disk) } else { Target::Fresh };
        let old = content(&disk, &bench.layout.order_dir(&key()));
        assert_eq!(old.is_some(), replacing);
        let revision = bench.stage(&disk, 2, NEW, target);
        Self { disk, bench, revision, old }
    }

    /// All kinds of publications.
    fn each(seed: u64, mut play: impl FnMut(&dyn Fn() -> Self)) {
        for (replacing, exchange) in [(false, true), (true, true), (true, false)] {
            play(&|| Self::new(seed, replacing, exchange));
        }
    }

    fn layout(&self) -> &Layout {
        &self.bench.layout
    }

    /// The calls of the publication count from 1.
    fn at_call(&self, number: u64, verdict: Verdict) {
        let wanted = self.disk.calls() + number;
        self.disk.on_call(Some(Box::new(move |call: &Call| {
            if call.number == wanted { verdict } else { Verdict::Go }
        })));
    }

    fn new_content(&self) -> Content {
        self.revision.content(NEW)
    }

    /// Whatever happened, the order's place holds one whole revision or nothing; and nothing only
    /// where nothing was, or where the old revision had to make room first.
    fn assert_whole(&self, exchange: bool) {
        let found = content(&self.disk, &self.bench.dir(&self.revision));
        let fine = found == self.old
            || found == Some(self.new_content())
            || (found.is_none() && !exchange);
        assert!(fine, "{found:?}");
    }

    /// As the engine does after a restart; whether the order is published then. If not, it is still
    /// wanted and fetched again.
    fn go_on(&self) -> bool {
        match self.bench.recover(&self.disk, &self.revision).expect("decided") {
            Recovered::Published => true,
            Recovered::Ready => {
                let outcome = self.bench.publish(&self.disk, &self.revision).expect("published");
                assert!(self.bench.is_done(&self.revision, &outcome));
                true
            }
            Recovered::Lost => {
                let found = content(&self.disk, &self.bench.dir(&self.revision));
                assert_eq!(found, self.old, "the old revision is back");
                false
            }
        }
    }

    /// What was lost is brought into staging and published anew.
    fn fetch_again(&self) {
        let Publication { staged, target, .. } = &self.revision.publication;
        self.disk.remove_tree(staged).expect("removed");
        let again = self.bench.stage(&self.disk, 2, NEW, target.clone());
        let outcome = self.bench.publish(&self.disk, &again).expect("published");
        assert!(self.bench.is_done(&again, &outcome));
    }

    /// Reported as done: no crash can take it away any more, nor the revision before.
    fn assert_durable(&self) {
        let durable = self.disk.durable(Path::new("/"));
        let dir = self.bench.dir(&self.revision);
        assert_eq!(files_below(&durable, &dir), Some(self.new_content()));
        if self.old.is_some() {
            let history = self.layout().history_dir(&key(), 1);
            assert_eq!(files_below(&durable, &history), self.old);
        }
        let accounts = self.disk.snapshot(dir.parent().expect("the account's"));
        assert_eq!(accounts.keys().filter(|path| path.parent() == dir.parent()).count(), 1);
    }
}

#[test]
fn a_power_cut_at_any_call_loses_neither_revision() {
    let mut outcomes = BTreeMap::new();
    for seed in 0..12 {
        Scene::each(seed, |scene| {
            for number in 1.. {
                let scene = scene();
                let exchange = scene.disk.exchange(Path::new("/pc"), Path::new("/pc"));
                scene.at_call(number, Verdict::PowerOff);
                let done = scene.bench.publish(&scene.disk, &scene.revision).is_ok();
                scene.disk.on_call(None);
                scene.disk.crash();
                scene.assert_whole(exchange.expect("asked"));
                let published = scene.go_on();
                if published {
                    scene.assert_durable();
                }
                *outcomes.entry((done, published)).or_insert(0) += 1;
                if done {
                    break;
                }
            }
        });
    }
    assert!(!outcomes.contains_key(&(true, false)), "done, and lost: {outcomes:?}");
    assert_eq!(outcomes.len(), 3, "some are completed, some fetched again: {outcomes:?}");
}

#[test]
fn a_failure_at_any_call_is_made_good_by_the_next_attempt() {
    let fault = ErrorKind::Other;
    for verdict in [Verdict::Fail(fault), Verdict::FailAfter(fault), Verdict::Torn, Verdict::Busy] {
        Scene::each(1, |scene| {
            for number in 1.. {
                let scene = scene();
                let before = scene.disk.calls();
                scene.at_call(number, verdict);
                let done = scene.bench.publish(&scene.disk, &scene.revision).is_ok();
                let calls = scene.disk.calls() - before;
                scene.disk.on_call(None);
                if !done && !scene.go_on() {
                    scene.fetch_again();
                }
                scene.assert_durable();
                if calls < number {
                    break;
                }
            }
        });
    }
}

#[test]
fn a_program_that_dies_at_any_call_leaves_nothing_that_a_later_power_cut_takes() {
    Scene::each(1, |scene| {
        for number in 1.. {
            let scene = scene();
            scene.at_call(number, Verdict::PowerOff);
            let done = scene.bench.publish(&scene.disk, &scene.revision).is_ok();
            scene.disk.on_call(None);
            scene.disk.restart();
            if scene.go_on() {
                scene.assert_durable();
            }
            if done {
                break;
            }
        }
    });
}

#[test]
fn a_full_volume_stops_the_publication_and_loses_nothing() {
    Scene::each(1, |scene| {
        let scene = scene();
        scene.disk.set_free(5);
        scene.bench.publish(&scene.disk, &scene.revision).expect_err("full");
        assert_eq!(content(&scene.disk, &scene.bench.dir(&scene.revision)), scene.old);
        scene.disk.set_free(1 << 20);
        let outcome = scene.bench.publish(&scene.disk, &scene.revision).expect("published");
        assert!(scene.bench.is_done(&scene.revision, &outcome));
        scene.assert_durable();
    });
}
