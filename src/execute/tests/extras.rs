//! Extras, with everything that can go wrong with them: the scan is there, in time, and nothing of
//! what failed is left.

use super::*;
use crate::engine::effects::{ExtrasJob, Lacking};
use crate::hotfolder::files::{Tree, hash_file};
use crate::model::manifest::{Manifest, Role};
use casedrop_testing::{Lie, NoExchange, content_of, sealed};

/// What is wrong with an extra.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bad {
    /// It is answered with a fault, and perhaps a requested wait in seconds.
    Refused(FaultClass, &'static str, Option<u64>),
    NoAnswer,
    /// The connection breaks in the middle of the body.
    Resets,
    /// Nothing arrives after the first bytes.
    Stalls,
    /// It is a web page.
    Html,
    /// It is shorter than announced, but ends normally.
    Short,
    /// Its archive is truncated.
    Cut,
    /// Nothing is wrong.
    Whole,
    /// One of its pictures is damaged.
    OnePicture,
    /// All of its pictures are damaged.
    AllPictures,
    /// Its archive tries to write outside the folder.
    Hostile,
    /// It is larger than archives may be.
    TooBig,
    /// It announces more than the disk can hold.
    Huge,
}

pub(super) fn next_bad(align: &mut Align, kind: AssetKind) -> Option<Bad> {
    let (bad, times) = align.bad.get_mut(&kind)?;
    *times = times.checked_sub(1)?;
    Some(*bad)
}

const EVERY: [Bad; 23] = [
    Bad::Refused(FaultClass::Auth, "http-401", None),
    Bad::Refused(FaultClass::Auth, "login-needed", None),
    Bad::Refused(FaultClass::Refused, "http-403", None),
    Bad::Refused(FaultClass::NotConverted, "not-converted", None),
    Bad::Refused(FaultClass::NotConverted, "not-converted", Some(3600)),
    Bad::Refused(FaultClass::Permanent, "http-410", None),
    Bad::Refused(FaultClass::Transient, "http-429", None),
    Bad::Refused(FaultClass::Transient, "http-429", Some(3)),
    Bad::Refused(FaultClass::Transient, "http-429", Some(3600)),
    Bad::Refused(FaultClass::Transient, "http-500", None),
    Bad::Refused(FaultClass::Transient, "http-503", None),
    Bad::Refused(FaultClass::Local, "disk", None),
    Bad::NoAnswer,
    Bad::Resets,
    Bad::Stalls,
    Bad::Html,
    Bad::Short,
    Bad::Cut,
    Bad::OnePicture,
    Bad::AllPictures,
    Bad::Hostile,
    Bad::TooBig,
    Bad::Huge,
];

/// Pictures whose content does not compress.
fn pictures() -> Vec<u8> {
    let noise = |seed: u32| -> Vec<u8> {
        let byte = |at: u32| (at.wrapping_mul(2_654_435_761) ^ seed) >> 24;
        (0..300).map(|at| u8::try_from(byte(at * 7 + seed)).expect("a byte")).collect()
    };
    zip_of(&[("a.jpg", &noise(1)), ("sub/b.jpg", &noise(2)), ("c.jpg", &noise(3))])
}

fn damage(archive: &mut [u8], name: &str) {
    let found = archive.windows(name.len()).position(|here| here == name.as_bytes());
    archive[found.expect("its header") + name.len() + 99] ^= 0x55;
}

impl Bad {
    pub(super) fn answer(
        self,
        kind: AssetKind,
        cancel: &Cancel,
        remote: &FakeRemote,
    ) -> Result<Box<dyn AssetBody>, Fault> {
        let mut bytes = pictures();
        let mut total = None;
        match self {
            Self::Refused(class, code, wait) => {
                let wait = wait.map(Duration::from_secs);
                let text = format!("no {}", kind.as_str());
                return Err(Fault::new(class, code, text).retry_after(wait));
            }
            Self::NoAnswer => return Err(stall(cancel)),
            Self::Html => bytes = b"<!doctype html><title>Sign in</title>".to_vec(),
            Self::Short => total = Some(bytes.len() as u64 + 7),
            Self::Cut => bytes.truncate(bytes.len() - 40),
            Self::OnePicture => damage(&mut bytes, "sub/b.jpg"),
            Self::AllPictures => {
                for name in ["a.jpg", "sub/b.jpg", "c.jpg"] {
                    damage(&mut bytes, name);
                }
            }
            Self::Hostile => bytes = zip_of(&[("good.jpg", b"g"), ("../../evil.jpg", b"e")]),
            Self::TooBig => bytes = vec![7; 5000],
            Self::Huge => total = Some(1 << 60),
            Self::Resets | Self::Stalls => bytes.truncate(150),
            Self::Whole => {}
        }
        Ok(Box::new(FakeBody {
            info: AssetInfo { total, ..AssetInfo::default() },
            rest: bytes.chunks(CHUNK).map(Bytes::copy_from_slice).collect(),
            breaks: self == Self::Resets,
            stalls: self == Self::Stalls,
            progress: Arc::clone(&remote.progress),
            shown: Arc::clone(&remote.shown),
        }))
    }
}

fn with_extras() -> World {
    let mut world = World::with_config("thumbnails: true, screen_captures: true");
    let mut config = (*world.executor.config).clone();
    config.downloads.limits.archive = 4000;
    world.executor.config = Arc::new(config);
    world
}

/// What is staged is what the fetch says, byte for byte, and staging holds nothing else.
fn assert_staged(world: &World, fetched: &Fetched) {
    let dir = world.executor.layout.work_dir("job");
    let tree = Tree::read(&RealDisk, &dir).expect("there");
    let paths: Vec<&str> = fetched.files.iter().map(|file| file.path.as_str()).collect();
    let there: Vec<&str> = tree.files.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(there, paths);
    for file in &fetched.files {
        let found = hash_file(&RealDisk, &dir.join(&file.path)).expect("readable");
        assert_eq!(found, (file.size, file.sha256.clone()), "{}", file.path);
    }
    for folder in &tree.dirs {
        let inside = |path: &&str| path.starts_with(&format!("{folder}/"));
        assert!(paths.iter().any(inside), "{folder} is empty");
    }
    assert!(world.left().is_empty(), "{:?} in the spools", world.left());
    assert_eq!(world.executor.layout.work().read_dir().expect("there").count(), 1);
}

fn other(kind: AssetKind) -> AssetKind {
    match kind {
        AssetKind::Thumbnails => AssetKind::ScreenCaptures,
        _ => AssetKind::Thumbnails,
    }
}

#[test]
fn whatever_an_extra_does_the_scan_is_there_in_time_with_the_other_extra() {
    for kind in AssetKind::EXTRAS {
        for bad in EVERY {
            let world = with_extras();
            world.align().bad.insert(kind, (bad, u32::MAX));
            let began = told();
            let fetched = world.fetch().unwrap_or_else(|fault| panic!("{bad:?}: {fault:?}"));
            let took = told().saturating_sub(began);
            assert!(took <= Duration::from_secs(30), "{kind:?} {bad:?} took {took:?}");
            assert_eq!(fetched.missing, [kind.as_str()], "{bad:?}");
            assert_eq!(fetched.lacking.len(), 1, "{bad:?}");
            assert_eq!(fetched.lacking[0].kind, kind, "{bad:?}");
            assert!(fetched.lacking[0].why.is_some(), "{kind:?} {bad:?}: it was asked for");
            assert_staged(&world, &fetched);
            let has = |path: &str| fetched.files.iter().any(|file| file.path == path);
            assert!(has("scan.stl"), "{bad:?}");
            assert!(has(&format!("{}/1.jpg", other(kind).as_str())), "{kind:?} {bad:?}");
            let of_it = fetched.files.iter().filter(|file| kind.holds(&file.path)).count();
            assert_eq!(of_it, if bad == Bad::OnePicture { 2 } else { 0 }, "{bad:?}");
            let left_out = format!("{}/sub/b.jpg", kind.as_str());
            assert_eq!(fetched.left_out.contains(&left_out), bad == Bad::OnePicture, "{bad:?}");
            let first = world.align().asked.first().map(|(kind, _)| *kind);
            assert_eq!(first, Some(AssetKind::Ide), "the scan is asked for first");
        }
    }
}

#[test]
fn two_extras_that_stall_share_the_time() {
    for bad in [Bad::NoAnswer, Bad::Stalls, Bad::Refused(FaultClass::Transient, "http-500", None)] {
        let world = with_extras();
        for kind in AssetKind::EXTRAS {
            world.align().bad.insert(kind, (bad, u32::MAX));
        }
        let began = told();
        let fetched = world.fetch().expect("the scan is there");
        assert!(told().saturating_sub(began) <= Duration::from_secs(30), "{bad:?}");
        assert_eq!(fetched.missing, ["thumbnails", "screen-captures"]);
        assert!(fetched.lacking.iter().all(|lacking| lacking.why.is_some()), "{fetched:?}");
        assert_staged(&world, &fetched);
    }
}

#[test]
fn what_passes_within_the_time_is_in_the_first_revision() {
    let passing = [
        Bad::Refused(FaultClass::Transient, "http-503", None),
        Bad::Refused(FaultClass::Transient, "http-429", Some(3)),
        Bad::Refused(FaultClass::NotConverted, "not-converted", None),
        Bad::Resets,
        Bad::Stalls,
        Bad::Short,
        Bad::Cut,
        Bad::AllPictures,
    ];
    for bad in passing {
        let world = with_extras();
        world.align().bad.insert(AssetKind::Thumbnails, (bad, 1));
        let fetched = world.fetch().expect("fetched");
        assert_eq!((&fetched.missing, &fetched.lacking), (&vec![], &vec![]), "{bad:?}");
        assert_staged(&world, &fetched);
    }
}

#[test]
fn what_will_not_pass_costs_no_time() {
    let lasting = [
        (AssetKind::ScreenCaptures, Bad::Refused(FaultClass::NotConverted, "not-converted", None)),
        (AssetKind::Thumbnails, Bad::Refused(FaultClass::Refused, "http-403", None)),
        (AssetKind::Thumbnails, Bad::Refused(FaultClass::Auth, "http-401", None)),
        (AssetKind::Thumbnails, Bad::Refused(FaultClass::Transient, "http-429", Some(3600))),
        (AssetKind::Thumbnails, Bad::Hostile),
    ];
    for (kind, bad) in lasting {
        let world = with_extras();
        world.align().bad.insert(kind, (bad, u32::MAX));
        let began = told();
        world.fetch().expect("fetched");
        assert_eq!(told(), began, "{kind:?} {bad:?}");
    }
}

#[test]
fn without_a_wait_extras_are_not_even_asked_for() {
    let mut world = with_extras();
    let mut config = (*world.executor.config).clone();
    config.downloads.extras_wait = Duration::ZERO;
    world.executor.config = Arc::new(config);
    let fetched = world.fetch().expect("fetched");
    assert_eq!(world.align().asked.len(), 1, "the package alone");
    let lacks = |kind| Lacking { kind, why: None, retry_after: None };
    assert_eq!(fetched.lacking, AssetKind::EXTRAS.map(lacks));
    assert_staged(&world, &fetched);
}

#[test]
fn a_package_that_fails_fails_the_order_and_no_extra_is_asked_for() {
    let world = with_extras();
    world.align().troubles.push_back(Trouble::Refused(FaultClass::NotConverted, "not-converted"));
    assert_eq!(world.fetch().expect_err("nothing there").class, FaultClass::NotConverted);
    assert_eq!(world.align().asked.len(), 1);
}

#[test]
fn a_disk_that_takes_no_extra_takes_the_scan() {
    for kind in AssetKind::EXTRAS {
        let mut world = with_extras();
        world.executor.disk = Arc::new(NoExchange(Lie::Full(kind.as_str())));
        let fetched = world.fetch().expect("the scan is there");
        assert_eq!(fetched.missing, [kind.as_str()]);
        assert_eq!(fetched.lacking[0].why, Some(FaultClass::Local));
        assert_staged(&world, &fetched);
    }
}

#[test]
fn pictures_that_the_package_brings_stay_when_an_extra_of_their_folder_fails() {
    for bad in EVERY {
        let world = with_extras();
        world.align().package =
            zip_of(&[("scan.stl", &[7; 50]), ("Thumbnails/v.jpg", b"vendor's")]);
        world.align().bad.insert(AssetKind::Thumbnails, (bad, u32::MAX));
        let fetched = world.fetch().expect("fetched");
        assert!(fetched.files.iter().any(|file| file.path == "Thumbnails/v.jpg"), "{bad:?}");
        assert_staged(&world, &fetched);
    }
}

#[test]
fn an_agent_that_stops_during_an_extra_still_has_the_whole_scan() {
    let mut world = with_extras();
    STOP.set(Some(world.executor.cancel.clone()));
    world.executor.step = |step| {
        if step == Step::Unpacked {
            STOP.with_borrow(|stop| stop.as_ref().expect("set").cancel());
        }
    };
    let fetched = world.fetch().expect("the scan is there");
    assert_eq!(fetched.missing, ["thumbnails", "screen-captures"]);
    assert_staged(&world, &fetched);
}

thread_local! {
    static STOP: std::cell::RefCell<Option<Cancel>> = const { std::cell::RefCell::new(None) };
}

/// A published order that lacks its thumbnails.
fn published(world: &World, files: &[(&str, &str)]) -> Manifest {
    let dir = world.executor.layout.order_dir(&key());
    let (mut manifest, _) = sealed(&dir, 1, files);
    manifest.missing = vec!["thumbnails".to_owned(), "screen-captures".to_owned()];
    manifest
}

fn complete(world: &World, published: &Manifest) -> Result<Fetched, Fault> {
    let job = ExtrasJob {
        key: key(),
        remote: RemoteOrder::new(key().order, Status::Ready),
        job: "job".to_owned(),
        kinds: vec![AssetKind::Thumbnails],
        published: published.clone(),
        held: None,
    };
    match world.executor.perform(Effect::FetchExtras(Box::new(job))) {
        Some(Input::Fetched { result, .. }) => result,
        other => panic!("{other:?}"),
    }
}

fn assert_nothing_staged(world: &World) {
    let work = world.executor.layout.work();
    let left = work.read_dir().map(Iterator::count);
    assert!(matches!(left, Ok(0) | Err(_)), "{left:?} in {}", work.display());
}

#[test]
fn what_comes_late_is_staged_with_the_published_files_and_nothing_is_downloaded_twice() {
    let world = with_extras();
    let old = published(&world, &[("scan.stl", "mesh"), ("sub/rx.pdf", "paper")]);
    let fetched = complete(&world, &old).expect("it came");
    let paths: Vec<_> = fetched.files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["scan.stl", "sub/rx.pdf", "thumbnails/1.jpg"]);
    assert_eq!(fetched.files[2].role, Role::Thumbnail);
    assert_eq!(fetched.missing, ["screen-captures"], "that was not asked for");
    assert_eq!(fetched.lacking, []);
    assert_staged(&world, &fetched);
    let asked: Vec<_> = world.align().asked.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(asked, [AssetKind::Thumbnails], "the package is not asked for");
    let dir = world.executor.layout.order_dir(&key());
    assert_eq!(content_of(&dir)["scan.stl"], b"mesh", "what is published is untouched");
}

#[test]
fn a_late_extra_that_fails_leaves_nothing_and_says_what_is_published() {
    for bad in EVERY.into_iter().filter(|bad| *bad != Bad::OnePicture) {
        let world = with_extras();
        let old = published(&world, &[("scan.stl", "mesh")]);
        world.align().bad.insert(AssetKind::Thumbnails, (bad, u32::MAX));
        let began = told();
        let fetched = complete(&world, &old).expect("no fault of the order");
        assert!(told().saturating_sub(began) <= Duration::from_mins(2), "{bad:?}");
        assert!(old.same_content(&fetched.files), "{bad:?}");
        assert_eq!(fetched.missing, old.missing);
        assert_eq!(fetched.lacking.len(), 1, "{bad:?}");
        assert_nothing_staged(&world);
    }
}

#[test]
fn good_pictures_that_are_published_already_do_not_come_twice() {
    let world = with_extras();
    let old = published(&world, &[("scan.stl", "mesh")]);
    world.align().bad.insert(AssetKind::Thumbnails, (Bad::OnePicture, 2));
    let first = complete(&world, &old).expect("in part");
    assert_eq!(first.left_out, ["thumbnails/sub/b.jpg"]);
    assert_eq!(first.missing, ["thumbnails", "screen-captures"], "not whole");
    let text = |path: &str| {
        std::fs::read(world.executor.layout.work_dir("job").join(path)).expect("staged")
    };
    let (a, c) = (text("thumbnails/a.jpg"), text("thumbnails/c.jpg"));
    let dir = world.executor.layout.order_dir(&key());
    std::fs::create_dir(dir.join("thumbnails")).expect("made");
    std::fs::write(dir.join("thumbnails/a.jpg"), a).expect("written");
    std::fs::write(dir.join("thumbnails/c.jpg"), c).expect("written");
    let part = Manifest { files: first.files, left_out: first.left_out, ..old };
    let again = complete(&world, &part).expect("the same part");
    assert!(part.same_content(&again.files));
    assert_nothing_staged(&world);
    world.align().bad.insert(AssetKind::Thumbnails, (Bad::Whole, 1));
    let whole = complete(&world, &part).expect("whole");
    assert_eq!(whole.files.len(), part.files.len() + 1, "the one that was damaged");
    assert_staged(&world, &whole);
    assert_eq!((whole.left_out, whole.missing), (vec![], vec!["screen-captures".to_owned()]));
    // Pictures of another version are not mixed in.
    world.align().bad.clear();
    let other = complete(&world, &part).expect("another archive");
    assert!(part.same_content(&other.files));
    assert_eq!((&other.missing, &other.left_out), (&part.missing, &part.left_out));
    assert_eq!(
        other.lacking,
        [Lacking {
            kind: AssetKind::Thumbnails,
            why: Some(FaultClass::Damaged),
            retry_after: None,
        }]
    );
    assert_nothing_staged(&world);
}

#[test]
fn nothing_is_put_together_from_files_that_others_changed_or_took() {
    let changed: fn(&Path) = |file| std::fs::write(file, "mEsh").expect("changed");
    let taken: fn(&Path) = |file| std::fs::remove_file(file).expect("taken");
    for change in [changed, taken] {
        let world = with_extras();
        let old = published(&world, &[("scan.stl", "mesh")]);
        change(&world.executor.layout.order_dir(&key()).join("scan.stl"));
        let fault = complete(&world, &old).expect_err("not what was published");
        assert_eq!(fault.class, FaultClass::Local);
        assert_nothing_staged(&world);
    }
}
