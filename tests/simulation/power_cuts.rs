//! Publishing while the power fails, the disk fails or the program dies, at every single call.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use casedrop::disk::Disk as _;
use casedrop::hotfolder::publish::{Publication, Recovered, Target};
use casedrop::hotfolder::{Layout, held, publish};
use casedrop::model::manifest::{FILE_NAME, Manifest};

use super::bench::{Bench, NEW, Revision, content, files_below, key};
use super::disk::{Call, Node, SimDisk, Verdict};

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

    /// Every kind of publication.
    fn each(seed: u64, mut play: impl FnMut(&dyn Fn() -> Self)) {
        for (replacing, exchange) in [(false, true), (true, true), (true, false)] {
            play(&|| Self::new(seed, replacing, exchange));
        }
    }

    fn layout(&self) -> &Layout {
        &self.bench.layout
    }

    /// Sets the verdict for one call; the next call is number 1.
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
    /// if there was nothing before, or if the old revision had to be moved aside first.
    fn assert_whole(&self, exchange: bool) {
        let found = content(&self.disk, &self.bench.dir(&self.revision));
        let fine = found == self.old
            || found == Some(self.new_content())
            || (found.is_none() && !exchange);
        assert!(fine, "{found:?}");
    }

    /// Recovers as the engine does after a restart; returns whether the order is then published. If
    /// not, it is still wanted and fetched again.
    fn go_on(&self) -> bool {
        match self.bench.recover(&self.disk, &self.revision).expect("decided") {
            Recovered::Published => true,
            Recovered::Ready | Recovered::Held => {
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

    /// Puts what was lost into staging again and publishes it.
    fn fetch_again(&self) {
        let Publication { staged, target, .. } = &self.revision.publication;
        self.disk.remove_tree(staged).expect("removed");
        let again = self.bench.stage(&self.disk, 2, NEW, target.clone());
        let outcome = self.bench.publish(&self.disk, &again).expect("published");
        assert!(self.bench.is_done(&again, &outcome));
    }

    /// Checks that no crash can undo what was reported as done, nor lose the previous revision.
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

/// A revision that is held back, or about to be.
struct Kept {
    disk: SimDisk,
    bench: Bench,
    revision: Revision,
    old: Option<Content>,
    name: String,
}

impl Kept {
    fn new(seed: u64, replacing: bool, exchange: bool) -> Self {
        let Scene { disk, bench, mut revision, old } = Scene::new(seed, replacing, exchange);
        let name = held::next_dir("job", None, 7);
        revision.publication.staged = bench.layout.held_dir(&name);
        Self { disk, bench, revision, old, name }
    }

    fn each(mut play: impl FnMut(&dyn Fn(u64) -> Self)) {
        for (replacing, exchange) in [(false, true), (true, true), (true, false)] {
            play(&|seed| Self::new(seed, replacing, exchange));
        }
    }

    fn end_at(&self, number: u64) {
        let wanted = self.disk.calls() + number;
        self.disk.on_call(Some(Box::new(move |call: &Call| {
            if call.number == wanted { Verdict::PowerOff } else { Verdict::Go }
        })));
    }

    fn hold(&self) -> bool {
        let staged = self.bench.layout.work_dir("job");
        let at = (staged.as_path(), self.name.as_str());
        held::keep(&self.disk, &self.bench.layout, at, &self.revision.manifest, &|_| {}).is_ok()
    }

    /// Publishes as the executor does, with the manifest of the publication.
    fn release(&self, manifest: &Manifest, revision: &Revision) -> bool {
        let dir = self.bench.layout.held_dir(&self.name);
        held::reseal(&self.disk, &dir, manifest, &|_| {}).is_ok()
            && publish(
                &self.disk,
                &self.bench.layout,
                &self.bench.root_id,
                &revision.publication,
                &|_| {},
            )
            .is_ok()
    }
}

/// The files of a directory except the manifest.
fn without_manifest(durable: &BTreeMap<PathBuf, Node>, dir: &Path) -> Option<Content> {
    let mut files = files_below(durable, dir)?;
    files.remove(FILE_NAME);
    Some(files)
}

fn new_files() -> Content {
    NEW.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn what_is_said_to_be_held_back_survives_any_power_cut_and_is_never_half_there() {
    Kept::each(|new| {
        for seed in 0..4 {
            for number in 1.. {
                let kept = new(seed);
                kept.end_at(number);
                let done = kept.hold();
                kept.disk.on_call(None);
                kept.disk.crash();
                let dir = kept.bench.layout.held_dir(&kept.name);
                let durable = kept.disk.durable(Path::new("/"));
                match files_below(&durable, &dir) {
                    Some(found) => assert_eq!(found, kept.revision.content(NEW)),
                    None => assert!(!done, "it was said to be kept"),
                }
                let main = content(&kept.disk, &kept.bench.layout.order_dir(&key()));
                assert_eq!(main, kept.old, "nothing of it is seen");
                if done {
                    break;
                }
            }
        }
    });
}

#[test]
fn what_is_published_all_the_same_is_at_no_moment_nowhere() {
    Kept::each(|new| {
        for seed in 0..4 {
            for number in 1.. {
                let kept = new(seed);
                assert!(kept.hold());
                let mut manifest = kept.revision.manifest.clone();
                manifest.published_at = "2026-11-25T10:00:00Z".to_owned();
                let mut publication = kept.revision.publication.clone();
                publication.manifest_sha256 = crate::align::hash(&manifest.to_bytes());
                let released = Revision { manifest: manifest.clone(), publication };
                kept.end_at(number);
                let done = kept.release(&manifest, &released);
                kept.disk.on_call(None);
                kept.disk.crash();
                let dirs =
                    [kept.bench.layout.held_dir(&kept.name), kept.bench.layout.order_dir(&key())];
                let durable = kept.disk.durable(Path::new("/"));
                let is_there = |dir: &PathBuf| without_manifest(&durable, dir) == Some(new_files());
                assert!(dirs.iter().any(is_there), "it is nowhere after call {number}");
                // As the engine does after a restart: with what is there, if nothing else is known.
                match kept.bench.recover(&kept.disk, &released).expect("decided") {
                    Recovered::Published => {}
                    Recovered::Ready | Recovered::Held => {
                        assert!(kept.release(&manifest, &released));
                    }
                    Recovered::Lost => {
                        let there = held::manifest_in(&kept.disk, &dirs[0]).expect("read");
                        let (there, _) = there.expect("a manifest of ours at any moment");
                        assert!(held::is_whole(&kept.disk, &dirs[0], &there).expect("looked at"));
                        assert!(kept.release(&manifest, &released));
                    }
                }
                let durable = kept.disk.durable(Path::new("/"));
                assert_eq!(files_below(&durable, &dirs[1]), Some(released.content(NEW)));
                if done {
                    break;
                }
            }
        }
    });
}
