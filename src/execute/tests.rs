//! Fetching from an Align whose connections break off, with a real disk.

mod extras;

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::fetch::PATIENCE;
use super::*;
use crate::disk::RealDisk;
use crate::engine::effects::{FetchJob, Fetched};
use crate::hotfolder::root::Root;
use crate::model::asset::{AssetInfo, AssetKind, AssetRequest, Resume};
use crate::model::fault::FaultClass;
use crate::model::ids::{AccountId, OrderId, RxId};
use crate::model::order::{RemoteOrder, Status};
use crate::model::remote::{AssetBody, ReadyList};
use crate::status::Transfer;
use casedrop_testing::{Lie, NoExchange, Volume};
use casedrop_testing::{key, zip_of};

const CHUNK: usize = 100;

/// What happens to the next download of the package.
#[derive(Clone, Copy)]
enum Trouble {
    /// Breaks off after this many bytes.
    Breaks(usize),
    Refused(FaultClass, &'static str),
}

/// An Align with one order.
struct Align {
    package: Vec<u8>,
    etag: Option<&'static str>,
    ranges: bool,
    /// Added to the requested offset and to the announced length.
    lies: (u64, u64),
    troubles: VecDeque<Trouble>,
    /// What is wrong with an extra, and how many times.
    bad: BTreeMap<AssetKind, (extras::Bad, u32)>,
    asked: Vec<(AssetKind, Option<Resume>)>,
    /// Whether the length of the package is announced.
    tells_length: bool,
}

/// The displayed progress of the running download, sampled whenever bytes are requested.
type Shown = Arc<Mutex<Vec<Transfer>>>;

struct FakeRemote {
    align: Mutex<Align>,
    progress: Arc<Progress>,
    shown: Shown,
}

struct FakeBody {
    info: AssetInfo,
    rest: VecDeque<Bytes>,
    breaks: bool,
    stalls: bool,
    progress: Arc<Progress>,
    shown: Shown,
}

impl AssetBody for FakeBody {
    fn info(&self) -> &AssetInfo {
        &self.info
    }

    fn next_chunk(&mut self, cancel: &Cancel) -> Result<Option<Bytes>, Fault> {
        let now = self.progress.snapshot().into_values();
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).extend(now);
        match self.rest.pop_front() {
            Some(chunk) => Ok(Some(chunk)),
            None if self.stalls => Err(stall(cancel)),
            None if self.breaks => Err(Fault::new(FaultClass::Transient, "broken-off", "broke")),
            None => Ok(None),
        }
    }
}

impl Remote for FakeRemote {
    fn account(&self) -> Result<AccountId, Fault> {
        Ok(key().account)
    }

    fn ready_orders(&self, _: &Cancel) -> Result<ReadyList, Fault> {
        Ok(ReadyList::default())
    }

    fn order_by_rx(&self, _: &RxId, _: &Cancel) -> Result<RemoteOrder, Fault> {
        Err(Fault::new(FaultClass::Permanent, "unused", "unused"))
    }

    fn download(
        &self,
        wanted: &AssetRequest,
        cancel: &Cancel,
    ) -> Result<Box<dyn AssetBody>, Fault> {
        let mut align = self.align.lock().unwrap_or_else(PoisonError::into_inner);
        align.asked.push((wanted.kind, wanted.resume.clone()));
        let is_package = wanted.kind == AssetKind::Ide;
        let trouble = is_package.then(|| align.troubles.pop_front()).flatten();
        if let Some(Trouble::Refused(class, code)) = trouble {
            return Err(Fault::new(class, code, "refused"));
        }
        if let Some(bad) = extras::next_bad(&mut align, wanted.kind) {
            return bad.answer(wanted.kind, cancel, self);
        }
        let bytes = if is_package { align.package.clone() } else { zip_of(&[("1.jpg", b"jpg")]) };
        let same = |resume: &&Resume| Some(resume.etag.as_str()) == align.etag;
        let resume = wanted.resume.as_ref().filter(|_| align.ranges).filter(same);
        let offset = resume.map_or(0, |resume| resume.offset + align.lies.0);
        let told = resume.map_or(0, |_| align.lies.1);
        let rest = &bytes[usize::try_from(offset).expect("small")..];
        let came = if let Some(Trouble::Breaks(after)) = trouble { after } else { rest.len() };
        let info = AssetInfo {
            total: align.tells_length.then_some(bytes.len() as u64 + told),
            offset,
            etag: align.etag.map(str::to_owned),
            hosts: vec!["align.example".to_owned(), format!("{}.example", wanted.kind.as_str())],
        };
        let chunks = rest[..came].chunks(CHUNK).map(Bytes::copy_from_slice);
        Ok(Box::new(FakeBody {
            info,
            rest: chunks.collect(),
            breaks: came < rest.len(),
            stalls: false,
            progress: Arc::clone(&self.progress),
            shown: Arc::clone(&self.shown),
        }))
    }

    fn return_to_doctor(&self, _: &OrderId, _: &str, _: &Cancel) -> Result<(), Fault> {
        Ok(())
    }
}

struct World {
    _dir: tempfile::TempDir,
    remote: Arc<FakeRemote>,
    executor: Executor,
}

thread_local! {
    static TIME: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// The test thread's time, which passes only during waits.
fn told() -> Duration {
    TIME.get()
}

fn passes(time: Duration) {
    TIME.set(TIME.get() + time);
}

/// Waits until the work is canceled, or as long as the client waits for a server.
fn stall(cancel: &Cancel) -> Fault {
    for _ in 0..600 {
        if cancel.is_cancelled() {
            return Fault::new(FaultClass::Cancelled, "cancelled", "stopped on request");
        }
        passes(Duration::from_millis(100));
    }
    Fault::new(FaultClass::Transient, "stalled", "nothing came for 60 s")
}

/// A package that compresses to some hundred bytes and whose only file names its version.
fn package(version: u8) -> Vec<u8> {
    let noise: Vec<u8> = (0..1000_u32)
        .map(|at| u8::try_from(at.wrapping_mul(2_654_435_761) >> 24).expect("a byte"))
        .map(|byte| byte ^ version)
        .collect();
    zip_of(&[("scan.stl", &noise)])
}

impl World {
    fn new() -> Self {
        Self::with_config("thumbnails: false, screen_captures: false")
    }

    fn with_config(format: &str) -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("casedrop.yaml");
        let yaml = format!(
            "output: orders\nstate: state\nretention: {{ min_free: 1MB }}\nformats:\n  \
             restorative: {{ {format} }}\nlabs:\n  - name: smile-lab\n    \
             oauth_base: https://oauth.iterocloud.com\n    base_url: https://base.iterocloud.com\n    \
             client_id: abc\n    redirect_url: https://lab.example/cb\n"
        );
        std::fs::write(&path, yaml).expect("written");
        let config = crate::config::load(&RealDisk, &path, &[]).expect("a config").config;
        let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
        let root = Root::new(Arc::new(RealDisk), layout.clone());
        root.prepare(None).expect("prepared");
        root.open();
        let progress = Arc::new(Progress::default());
        let align = Align {
            package: package(1),
            etag: Some("\"v1\""),
            ranges: true,
            lies: (0, 0),
            troubles: VecDeque::new(),
            bad: BTreeMap::new(),
            asked: Vec::new(),
            tells_length: true,
        };
        let remote = Arc::new(FakeRemote {
            align: Mutex::new(align),
            progress: Arc::clone(&progress),
            shown: Shown::default(),
        });
        let link = Link {
            remote: Arc::clone(&remote) as Arc<dyn Remote>,
            connect: Box::new(|| Err(Fault::new(FaultClass::Auth, "unused", "unused"))),
        };
        let executor = Executor {
            config: Arc::new(config),
            disk: Arc::new(RealDisk),
            audit: Audit::new(Arc::new(RealDisk), dir.path().join("state")),
            layout,
            root: Arc::new(root),
            links: Arc::new(BTreeMap::from([(key().lab, link)])),
            progress,
            cancel: Cancel::new(),
            fetches: Fetches::default(),
            step: |_| {},
            clock: || WallMs(0),
            timer: Timer { now: told, sleep: passes },
        };
        Self { _dir: dir, remote, executor }
    }

    /// On a volume of that size.
    fn on_volume(mut self, size: u64) -> (Self, &'static Volume) {
        let volume = Volume::of(&self.executor.layout.staging, size);
        self.executor.disk = Arc::new(NoExchange(Lie::Small(volume)));
        (self, volume)
    }

    fn align(&self) -> std::sync::MutexGuard<'_, Align> {
        self.remote.align.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fetch(&self) -> Result<Fetched, Fault> {
        self.fetch_after(0)
    }

    /// Fetches as the attempt after this many damaged ones.
    fn fetch_after(&self, damaged: u32) -> Result<Fetched, Fault> {
        let remote = RemoteOrder::new(key().order, Status::Ready);
        let job = FetchJob { key: key(), remote, job: "job".to_owned(), damaged };
        match self.executor.perform(Effect::Fetch(Box::new(job))) {
            Some(Input::Fetched { result, .. }) => result,
            other => panic!("{other:?}"),
        }
    }

    /// An attempt that breaks off after this many bytes.
    fn break_off(&self, after: usize) {
        self.align().troubles.push_back(Trouble::Breaks(after));
        assert_eq!(self.fetch().expect_err("it breaks off").code, "broken-off");
        self.align().asked.clear();
    }

    /// An attempt during which the process dies.
    fn die_at(&mut self, step: fn(Step)) {
        self.executor.step = step;
        let died = catch_unwind(AssertUnwindSafe(|| self.fetch())).is_err();
        assert!(died, "it comes to the step");
        self.executor.step = |_| {};
        self.align().asked.clear();
    }

    /// The whole order arrived in that version, and nothing else is left.
    fn assert_fetched(&self, version: u8) -> Fetched {
        let fetched = self.fetch().expect("fetched");
        let dir = self.executor.layout.work_dir("job");
        let own = World::new();
        own.align().package = package(version);
        let whole = own.fetch().expect("fetched");
        assert_eq!(fetched.files[0].sha256, whole.files[0].sha256);
        assert!(dir.join("scan.stl").is_file());
        assert!(!self.spools().exists(), "no spool is left");
        fetched
    }

    fn spools(&self) -> PathBuf {
        self.executor.layout.spool_dir("job")
    }

    fn left(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.spools()) else { return Vec::new() };
        let name = |entry: std::fs::DirEntry| entry.file_name().into_string().expect("Unicode");
        let mut names: Vec<_> = entries.map(|entry| name(entry.expect("an entry"))).collect();
        names.sort();
        names
    }

    fn asked(&self) -> Vec<Option<u64>> {
        let asked = std::mem::take(&mut self.align().asked);
        asked.into_iter().map(|(_, resume)| resume.map(|resume| resume.offset)).collect()
    }
}

fn die(at: Step, step: Step) {
    struct Died;
    if step == at {
        resume_unwind(Box::new(Died));
    }
}

#[test]
fn what_is_wrong_with_a_scan_is_told_with_the_order() {
    let world = World::new();
    world.align().package = zip_of(&[("scan.stl", b"solid one\n facet normal 0 0 1\n")]);
    let fetched = world.fetch().expect("no fault");
    let told: Vec<_> =
        fetched.findings.iter().map(|one| (one.code.as_str(), one.path.as_deref())).collect();
    assert_eq!(told, [("mesh-cut", Some("scan.stl"))]);
}

#[test]
fn an_attachment_that_stays_damaged_is_left_out_in_the_end_and_a_scan_is_not() {
    let crc = |content: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        crc.sum().to_le_bytes()
    };
    let damaged = |name: &str| {
        let mut bytes = zip_of(&[("scan.stl", b"solid one"), (name, b"attached")]);
        let wanted = crc(b"attached");
        for at in 0..bytes.len() - 4 {
            if bytes[at..at + 4] == wanted {
                bytes[at] ^= 1;
            }
        }
        bytes
    };
    let world = World::new();
    world.align().package = damaged("photo.bmp");
    for before in 0..PATIENCE {
        assert_eq!(world.fetch_after(before).expect_err("another download").code, "zip-crc");
    }
    let fetched = world.fetch_after(PATIENCE).expect("without it");
    assert_eq!(
        (fetched.files.len(), fetched.left_out.as_slice()),
        (1, &["photo.bmp".to_owned()][..])
    );
    assert_eq!(fetched.findings[0].code, "member-unreadable");
    world.align().package = damaged("lower.stl");
    assert_eq!(world.fetch_after(PATIENCE).expect_err("no order without it").code, "zip-crc");
}

#[test]
fn a_broken_download_goes_on_where_it_broke_off() {
    let world = World::new();
    world.break_off(250);
    assert_eq!(world.left(), ["ide", "ide.json"]);
    assert!(!world.executor.layout.work_dir("job").exists(), "nothing half-unpacked is left");
    world.break_off(100);
    let fetched = world.assert_fetched(1);
    assert_eq!(world.asked(), [Some(350)]);
    assert_eq!(fetched.etag.as_deref(), Some("\"v1\""));
}

#[test]
fn progress_counts_what_is_there_already() {
    let world = World::new();
    world.break_off(250);
    world.remote.shown.lock().expect("shown").clear();
    world.assert_fetched(1);
    let total = Some(package(1).len() as u64);
    let shown = world.remote.shown.lock().expect("shown");
    let done: Vec<_> = shown.iter().map(|transfer| (transfer.done, transfer.total)).collect();
    assert_eq!(done[..2], [(250, total), (350, total)]);
    assert_eq!(done.last().map(|(done, _)| Some(*done)), Some(total));
}

#[test]
fn a_server_without_ranges_sends_the_whole_again() {
    let world = World::new();
    world.break_off(250);
    world.align().ranges = false;
    world.assert_fetched(1);
    assert_eq!(world.asked(), [Some(250)]);
}

#[test]
fn a_package_that_changed_in_between_comes_whole() {
    let world = World::new();
    world.break_off(250);
    world.align().package = package(2);
    world.align().etag = Some("\"v2\"");
    world.assert_fetched(2);
    assert_eq!(world.asked(), [Some(250)]);
}

#[test]
fn versions_without_a_strong_tag_are_never_continued() {
    for etag in [None, Some("W/\"v1\"")] {
        let world = World::new();
        world.align().etag = etag;
        world.break_off(250);
        assert!(world.left().is_empty(), "{:?}", world.left());
        world.align().package = package(2);
        world.assert_fetched(2);
        assert_eq!(world.asked(), [None]);
    }
}

#[test]
fn a_rest_that_does_not_fit_is_not_taken() {
    for lies in [(7, 0), (0, 7)] {
        let world = World::new();
        world.break_off(250);
        world.align().lies = lies;
        world.assert_fetched(1);
        assert_eq!(world.asked(), [Some(250), None], "{lies:?}");
    }
}

#[test]
fn a_process_that_dies_in_the_middle_of_a_body_goes_on_after_its_start() {
    let mut world = World::new();
    world.die_at(|step| die(Step::SpoolFirstChunk, step));
    world.assert_fetched(1);
    assert_eq!(world.asked(), [Some(CHUNK as u64)]);
}

#[test]
fn a_download_that_was_complete_is_used_only_if_it_still_is_the_present_version() {
    for (etag, version) in [("\"v1\"", 1), ("\"v2\"", 2)] {
        let mut world = World::new();
        world.die_at(|step| die(Step::SpoolComplete, step));
        let len = package(1).len() as u64;
        world.align().etag = Some(etag);
        world.align().package = package(version);
        world.assert_fetched(version);
        assert_eq!(world.asked(), [Some(len - 1)]);
    }
}

#[test]
fn a_process_that_dies_before_the_first_byte_or_after_the_last_use_starts_over() {
    for at in [
        (|step| die(Step::FetchAsked, step)) as fn(Step),
        |step| die(Step::FetchAnswered, step),
        |step| die(Step::SpoolBegun, step),
        |step| die(Step::Unpacked, step),
        |step| die(Step::ExtrasTaken, step),
        |step| die(Step::Staged, step),
    ] {
        let mut world = World::new();
        world.die_at(at);
        world.assert_fetched(1);
        assert_eq!(world.asked(), [None]);
    }
}

#[test]
fn old_bytes_never_get_the_name_of_a_new_version() {
    for at in [(|step| die(Step::FetchAnswered, step)) as fn(Step), |step| {
        die(Step::SpoolBegun, step);
    }] {
        let mut world = World::new();
        world.break_off(250);
        world.align().package = package(2);
        world.align().etag = Some("\"v2\"");
        world.die_at(at);
        world.assert_fetched(2);
    }
}

#[test]
fn earlier_bytes_that_a_power_cut_damaged_are_found_and_all_comes_again() {
    let world = World::new();
    world.break_off(250);
    let spool = world.spools().join("ide");
    let mut bytes = std::fs::read(&spool).expect("kept");
    bytes[100] ^= 0xff;
    std::fs::write(&spool, bytes).expect("damaged");
    assert_eq!(world.fetch().expect_err("damaged").class, FaultClass::Damaged);
    assert!(world.left().is_empty(), "{:?}", world.left());
    world.asked();
    world.assert_fetched(1);
    assert_eq!(world.asked(), [None]);
}

#[test]
fn only_a_package_that_came_whole_is_bad_for_good() {
    let world = World::new();
    world.align().package = zip_of(&[("../scan.stl", &[7; 900])]);
    world.break_off(50);
    assert_eq!(world.fetch().expect_err("continued").class, FaultClass::Damaged);
    assert_eq!(world.fetch().expect_err("whole").class, FaultClass::Permanent);
    assert_eq!(world.asked(), [Some(50), None]);
    assert!(world.left().is_empty());
}

#[test]
fn what_came_stays_only_while_it_may_be_of_use() {
    let stays = [
        (FaultClass::Transient, "connect", true),
        (FaultClass::Auth, "login-needed", true),
        (FaultClass::Cancelled, "cancelled", true),
        (FaultClass::Local, "output-gone", true),
        (FaultClass::Local, "disk-full", false),
        (FaultClass::Local, "disk", false),
        (FaultClass::NotConverted, "not-converted", false),
        (FaultClass::Damaged, "zip-crc", false),
    ];
    for (class, code, stay) in stays {
        let world = World::new();
        world.break_off(250);
        world.align().troubles.push_back(Trouble::Refused(class, code));
        assert_eq!(world.fetch().expect_err("refused").code, code);
        assert_eq!(!world.left().is_empty(), stay, "{code}");
        world.asked();
        world.assert_fetched(1);
        assert_eq!(world.asked(), [stay.then_some(250)], "{code}");
    }
}

#[test]
fn a_server_that_refuses_the_rest_is_asked_for_the_whole_at_once() {
    for (class, code) in [(FaultClass::Permanent, "bad-id"), (FaultClass::Refused, "http-400")] {
        let refused = Trouble::Refused(class, code);
        let world = World::new();
        world.break_off(250);
        world.align().troubles.push_back(refused);
        world.assert_fetched(1);
        assert_eq!(world.asked(), [Some(250), None]);

        let world = World::new();
        world.break_off(250);
        world.align().troubles.extend([refused, refused]);
        assert_eq!(world.fetch().expect_err("the whole, too").class, class);
        // What may be allowed tomorrow can then be resumed.
        assert_eq!(world.left().is_empty(), class == FaultClass::Permanent);
    }
}

#[test]
fn a_server_that_never_continues_is_asked_for_the_whole_in_the_end() {
    let world = World::new();
    world.break_off(250);
    for _ in 0..4 {
        world.align().troubles.push_back(Trouble::Refused(FaultClass::Transient, "http-502"));
        world.fetch().expect_err("refused");
        // A network that is down says nothing about the server.
        world.align().troubles.push_back(Trouble::Refused(FaultClass::Transient, "connect"));
        world.fetch().expect_err("no network");
    }
    assert!(!world.left().is_empty());
    world.align().troubles.push_back(Trouble::Breaks(0));
    world.fetch().expect_err("nothing comes");
    assert!(world.left().is_empty());
    world.asked();
    world.assert_fetched(1);
    assert_eq!(world.asked(), [None]);
}

#[test]
fn pictures_always_come_from_their_first_byte() {
    let world = World::with_config("thumbnails: true, screen_captures: false");
    world.break_off(250);
    assert_eq!(world.left(), ["ide", "ide.json"], "those of the attempt are not kept");
    let fetched = world.assert_fetched(1);
    assert_eq!(world.asked(), [Some(250), None], "the scan first");
    assert!(fetched.files.iter().any(|file| file.path == "thumbnails/1.jpg"));
    let hosts = ["align.example", "ide.example", "thumbnails.example"];
    assert_eq!(fetched.hosts, hosts, "who answered: for the package first, each once");
}

#[test]
fn a_stop_keeps_what_came() {
    let mut world = World::new();
    world.align().troubles.push_back(Trouble::Breaks(250));
    world.fetch().expect_err("broken off");
    world.executor.cancel.cancel();
    assert_eq!(world.fetch().expect_err("stopped").class, FaultClass::Cancelled);
    world.executor.cancel = Cancel::new();
    world.asked();
    world.assert_fetched(1);
    assert_eq!(world.asked(), [Some(250)]);
}

#[test]
fn a_body_without_a_length_ends_where_room_must_stay() {
    let (world, _) = World::new().on_volume(12_000_000);
    // 11 MB may be used.
    world.align().tells_length = false;
    world.align().package = vec![7; 16_000_000];
    let fault = world.fetch().expect_err("too much");
    assert_eq!((fault.class, fault.code), (FaultClass::Local, "disk-full"));
    let shown = world.remote.shown.lock().unwrap_or_else(PoisonError::into_inner);
    let most = shown.iter().map(|transfer| transfer.done).max().expect("it was under way");
    assert!(most > 6_000_000 && most <= 11_000_000, "{most}");
    assert!(world.left().is_empty(), "what is left would keep the disk full");
}

#[test]
fn a_package_that_unpacks_to_too_much_stays_and_is_not_fetched_again() {
    let (world, volume) = World::new().on_volume(8_000_000);
    let zeros = vec![0; 4 << 20];
    let package = zip_of(&[("scan.stl", &zeros), ("lower.stl", &zeros)]);
    let length = package.len() as u64;
    world.align().package = package;
    for _ in 0..2 {
        let fault = world.fetch().expect_err("8 MiB and 1 MB are more than 8 MB");
        assert_eq!((fault.class, fault.code), (FaultClass::Local, "disk-full"));
        assert!(volume.used() < length + 10_000, "{} bytes are used", volume.used());
    }
    assert_eq!(world.asked(), [None, Some(length - 1)], "one byte, to see that it is the same");
}
