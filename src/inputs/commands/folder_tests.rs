//! The folder on a real disk, with a request handler that only records requests and a clock moved
//! by the test.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Folder, Receipt};
use crate::disk::{Disk, RealDisk};
use crate::model::fault::{Fault, FaultClass};
use crate::model::request::{Outcome, Reply, Request, Requests, Via, Who};
use crate::model::step::Step;
use crate::model::time::{Now, WallMs};
use casedrop_testing::{Lie, NoExchange};

/// What a request handler was asked, and what it should answer.
#[derive(Default)]
struct Fake {
    /// Requests by id, and how often each was made.
    served: Mutex<BTreeMap<String, (Request, Who, u32)>>,
    settled: Mutex<Vec<String>>,
    answer: Mutex<Option<Outcome>>,
    down: Mutex<Option<FaultClass>>,
}

impl Requests for Fake {
    fn serve_once(&self, id: &str, request: &Request, who: &Who) -> Result<Reply, Fault> {
        if let Some(class) = *self.down.lock().expect("lock") {
            return Err(Fault::new(class, "journal", "the journal is locked"));
        }
        let mut served = self.served.lock().expect("lock");
        served.entry(id.to_owned()).or_insert((request.clone(), who.clone(), 0)).2 += 1;
        let outcome = self.answer.lock().expect("lock").unwrap_or(Outcome::Done);
        Ok(Reply::new(outcome, "it is so").next("nothing"))
    }

    fn settled(&self, id: &str) -> Result<(), Fault> {
        self.settled.lock().expect("lock").push(id.to_owned());
        Ok(())
    }
}

struct Place {
    dir: tempfile::TempDir,
    handler: Arc<Fake>,
    clock: Arc<AtomicU64>,
    folder: Folder,
}

impl Place {
    fn new() -> Self {
        Self::at_steps(|_| {})
    }

    fn at_steps(step: fn(Step)) -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let (handler, clock) = (Arc::new(Fake::default()), Arc::new(AtomicU64::new(1_000)));
        let folder = folder(dir.path().join("commands"), &handler, &clock, step);
        Self { dir, handler, clock, folder }
    }

    /// The same folder after a restart of the agent.
    fn restart(&mut self) {
        self.folder = folder(self.dir.path().join("commands"), &self.handler, &self.clock, |_| {});
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join("commands").join(name)
    }

    fn drop_file(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::create_dir_all(self.at("")).expect("made");
        std::fs::write(self.at(name), content).expect("written");
    }

    /// Scans once per second, this many times.
    fn look(&self, seconds: u64) {
        for _ in 0..seconds {
            if self.folder.look().slow {
                self.folder.work_off_slow();
            }
            self.clock.fetch_add(1_000, Ordering::SeqCst);
        }
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.at(dir)).expect("there");
        let mut names: Vec<_> = entries
            .map(|entry| entry.expect("entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        names
    }

    fn receipt(&self, path: &str) -> Receipt {
        let bytes = std::fs::read(self.at(&format!("{path}.receipt.json"))).expect(path);
        serde_json::from_slice(&bytes).expect("a receipt")
    }

    fn served(&self) -> Vec<Request> {
        let served = self.handler.served.lock().expect("lock");
        served.values().map(|(request, _, _)| request.clone()).collect()
    }

    /// How often each command was carried out.
    fn times(&self) -> Vec<u32> {
        self.handler.served.lock().expect("lock").values().map(|(_, _, times)| *times).collect()
    }
}

fn folder(dir: PathBuf, handler: &Arc<Fake>, clock: &Arc<AtomicU64>, step: fn(Step)) -> Folder {
    folder_on(Arc::new(RealDisk), dir, handler, clock, step)
}

fn folder_on(
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    handler: &Arc<Fake>,
    clock: &Arc<AtomicU64>,
    step: fn(Step),
) -> Folder {
    let clock = Arc::clone(clock);
    let now = move || {
        let ms = clock.load(Ordering::SeqCst);
        let wall = WallMs(1_795_000_000_000 + i64::try_from(ms).expect("small"));
        Now { wall, mono: Duration::from_millis(ms) }
    };
    Folder::new(dir, disk, Arc::clone(handler) as Arc<dyn Requests>, step, now)
}

#[test]
fn a_file_is_carried_out_and_kept_with_its_receipts() {
    let place = Place::new();
    place.drop_file("pause.txt", "");
    place.look(3);
    assert_eq!(place.served(), [Request::Pause { lab: None }]);
    assert_eq!(
        place.names("done"),
        ["pause.txt", "pause.txt.receipt.json", "pause.txt.receipt.txt"]
    );
    assert_eq!(place.names("working"), Vec::<String>::new());
    assert_eq!(place.names(""), ["README.txt", "done", "failed", "working"]);
    let receipt = place.receipt("done/pause.txt");
    assert_eq!((receipt.schema, receipt.command.as_deref()), (1, Some("pause")));
    assert_eq!((receipt.outcome, receipt.message.as_str()), (Outcome::Done, "it is so"));
    assert_eq!(receipt.received_at, "2026-11-18T11:06:42Z");
    assert_eq!(receipt.owner, RealDisk.owner(&place.at("done/pause.txt")).expect("asked"));
    let text = std::fs::read_to_string(place.at("done/pause.txt.receipt.txt")).expect("readable");
    assert!(text.starts_with("Casedrop: DONE\r\n") && text.contains("it is so"), "{text}");
    assert_eq!(
        place.handler.settled.lock().expect("lock").as_slice(),
        std::slice::from_ref(&receipt.id)
    );
    let served = place.handler.served.lock().expect("lock");
    let (_, who, _) = &served[&receipt.id];
    assert_eq!(*who, Who { user: receipt.owner, via: Via::CommandFolder });
}

#[test]
fn the_outcome_decides_where_a_file_is_kept() {
    for (outcome, dir) in [
        (Outcome::Done, "done"),
        (Outcome::Differs, "done"),
        (Outcome::Refused, "failed"),
        (Outcome::Failed, "failed"),
        (Outcome::LoginNeeded, "failed"),
        (Outcome::Unknown, "failed"),
    ] {
        let place = Place::new();
        *place.handler.answer.lock().expect("lock") = Some(outcome);
        place.drop_file("verify.txt", "");
        place.look(3);
        assert_eq!(place.names(dir).len(), 3, "{outcome:?}");
        assert_eq!(place.receipt(&format!("{dir}/verify.txt")).outcome, outcome);
    }
}

#[test]
fn a_file_that_grows_is_not_taken() {
    let place = Place::new();
    for lines in 1..20 {
        place.drop_file("x.yaml", format!("command: refetch\norders:\n{}", "- 17\n".repeat(lines)));
        place.look(1);
    }
    assert_eq!(place.served(), []);
    assert_eq!(place.names("").len(), 5);
    place.look(3);
    assert_eq!(place.served().len(), 1);
}

#[test]
fn one_look_is_not_enough_even_for_a_file_that_is_old() {
    let place = Place::new();
    place.drop_file("pause.txt", "");
    let look = place.folder.look();
    assert_eq!(place.served(), []);
    assert_eq!(
        look.again,
        Duration::from_secs(1),
        "the next look comes as soon as it may be ready"
    );
    place.clock.fetch_add(999, Ordering::SeqCst);
    place.folder.look();
    assert_eq!(place.served(), []);
    place.clock.fetch_add(1, Ordering::SeqCst);
    place.folder.look();
    assert_eq!(place.served().len(), 1);
}

#[test]
fn what_is_no_command_yet_gets_time_to_become_one() {
    let place = Place::new();
    place.drop_file("New Text Document.txt", "");
    place.drop_file("half.yaml", "command: refetch\norders: [17");
    place.look(3);
    assert_eq!(place.names("failed"), Vec::<String>::new());
    place.look(2);
    assert_eq!(place.names("failed").len(), 3, "the half-written one");
    std::fs::rename(place.at("New Text Document.txt"), place.at("pause.txt")).expect("renamed");
    place.look(3);
    assert_eq!(place.names("done").len(), 3);
    place.drop_file("New Text Document.txt", "");
    place.look(20);
    let receipt = place.receipt("failed/New Text Document.txt");
    assert!(receipt.next.expect("what to do").contains("refetch 17544365.txt"));
}

#[cfg(not(windows))]
#[test]
fn a_locked_file_waits_until_it_is_free() {
    let place = Place::new();
    place.drop_file("pause.txt", "");
    let held = std::fs::OpenOptions::new().append(true).open(place.at("pause.txt")).expect("open");
    held.lock().expect("locked");
    place.look(100);
    assert_eq!(place.served(), []);
    assert!(place.at("pause.txt").exists());
    drop(held);
    place.look(3);
    assert_eq!(place.served().len(), 1);
}

#[test]
fn foreign_things_are_left_alone() {
    let place = Place::new();
    for name in [".hidden", "~$pause.txt", "Thumbs.db", "x.receipt.json", "pause.txt.part"] {
        place.drop_file(name, "pause");
    }
    std::fs::create_dir(place.at("pause")).expect("made");
    place.look(60);
    assert_eq!(place.names("").len(), 5 + 1 + 4);
    assert_eq!(place.served(), []);
    place.look(3600);
    let receipt = place.receipt("failed/pause.txt.part");
    assert!(receipt.message.contains("still being written"), "{receipt:?}");
    assert_eq!(place.served(), [], "it is told of, and not carried out");
    assert_eq!(place.names("").len(), 4 + 1 + 4);
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_no_file_gets_a_receipt_and_is_not_waited_for() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let place = Place::new();
    place.folder.look();
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, place.at("pause.txt"), FileType::Fifo, mode, 0).expect("a pipe");
    std::fs::create_dir_all(place.at("refetch 17.txt/inner")).expect("a folder");
    std::fs::create_dir(place.at("archive")).expect("somebody's folder");
    drop(std::os::unix::net::UnixListener::bind(place.at("poll.txt")).expect("a socket"));
    place.look(6);
    for (name, what) in
        [("pause.txt", "a pipe"), ("refetch 17.txt", "a folder"), ("poll.txt", "a socket")]
    {
        let receipt = place.receipt(&format!("failed/{name}"));
        assert_eq!(receipt.outcome, Outcome::Refused, "{receipt:?}");
        assert!(receipt.message.contains(&format!("this is {what}, not a file")), "{receipt:?}");
        assert!(place.at(&format!("failed/{name}")).symlink_metadata().is_ok(), "it is kept");
    }
    assert_eq!(place.names(""), ["README.txt", "archive", "done", "failed", "working"]);
    assert_eq!(place.names("working"), Vec::<String>::new());
    assert_eq!(place.served(), []);
}

#[test]
fn a_file_that_may_not_be_read_gets_a_receipt() {
    let mut place = Place::new();
    place.drop_file("pause.txt", "");
    place.drop_file("poll.txt", "");
    let disk = Arc::new(NoExchange(Lie::Denied("pause.txt")));
    place.folder = folder_on(disk, place.at(""), &place.handler, &place.clock, |_| {});
    place.look(12);
    assert_eq!(place.served(), [Request::Poll { lab: None }], "the other is carried out");
    assert!(place.at("pause.txt").is_file(), "somebody may be about to give the right");
    place.look(8);
    let receipt = place.receipt("failed/pause.txt");
    assert_eq!(receipt.outcome, Outcome::Refused);
    assert!(receipt.message.contains("not allowed"), "{receipt:?}");
    assert!(place.at("failed/pause.txt").is_file() && place.served().len() == 1);
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let place = Place::new();
    place.drop_file("pause.txt", "");
    std::fs::rename(place.at("pause.txt"), place.dir.path().join("elsewhere")).expect("moved");
    std::os::unix::fs::symlink(place.dir.path().join("elsewhere"), place.at("pause.txt"))
        .expect("link");
    place.look(30);
    assert_eq!(place.served(), []);
    assert!(place.at("pause.txt").symlink_metadata().expect("there").is_symlink());
}

#[test]
fn the_same_name_again_is_a_new_command_with_a_receipt_of_its_own() {
    let place = Place::new();
    for _ in 0..3 {
        place.drop_file("pause.txt", "");
        place.look(3);
    }
    assert_eq!(place.served().len(), 3);
    assert_eq!(place.names("done").len(), 9);
    assert_eq!(place.receipt("done/pause~3.txt").file, "pause~3.txt");
    place.drop_file("pause.txt", "command: nonsense");
    place.look(6);
    assert!(place.names("failed").contains(&"pause~4.txt.receipt.json".to_owned()));
}

#[test]
fn large_and_binary_files_fail_with_a_receipt() {
    let place = Place::new();
    place.drop_file("large.txt", vec![b'x'; 70_000]);
    place.drop_file("scan.stl", [0_u8; 200]);
    place.look(6);
    assert!(place.receipt("failed/large.txt").message.contains("64 KiB"));
    assert!(place.receipt("failed/scan.stl").message.contains("not plain text"));
    assert_eq!(std::fs::metadata(place.at("failed/large.txt")).expect("kept").len(), 70_000);
}

#[test]
fn a_login_code_is_kept_nowhere() {
    let place = Place::new();
    place.drop_file("pair.txt", "command: pair\ncode: abc-987\n");
    place.drop_file("broken.txt", "command: pair\ncode: [abc-987\n");
    place.look(6);
    assert_eq!(place.names("done").len(), 3);
    assert_eq!(place.names("failed").len(), 3);
    for dir in ["done", "failed"] {
        for name in place.names(dir) {
            let text = std::fs::read_to_string(place.at(dir).join(&name)).expect("readable");
            assert!(!text.contains("abc-987"), "{name}: {text}");
        }
    }
    let text = std::fs::read_to_string(place.at("done/pair.txt")).expect("kept");
    assert!(text.contains("removed the content"), "{text}");
}

#[test]
fn reasons_stay_out_of_receipts() {
    let place = Place::new();
    place.drop_file("return.yaml", "order: 17\nreason: Anna Secret\nconfirm: 17\n");
    place.drop_file("bad.yaml", "command: return\norder: 17\nreasn: Anna Secret\n");
    place.look(6);
    assert_eq!(place.served().len(), 1);
    for (dir, name) in [("done", "return.yaml"), ("failed", "bad.yaml")] {
        for end in ["receipt.json", "receipt.txt"] {
            let path = place.at(dir).join(format!("{name}.{end}"));
            let text = std::fs::read_to_string(path).expect("readable");
            assert!(!text.contains("Secret"), "{text}");
        }
    }
}

#[test]
fn a_journal_that_is_away_loses_no_command() {
    let place = Place::new();
    *place.handler.down.lock().expect("lock") = Some(FaultClass::Local);
    place.drop_file("pause.txt", "");
    place.look(10);
    assert_eq!(place.names("working").len(), 1);
    assert_eq!(place.names("done"), Vec::<String>::new());
    *place.handler.down.lock().expect("lock") = None;
    place.look(1);
    assert_eq!(place.names("done").len(), 3);
    *place.handler.down.lock().expect("lock") = Some(FaultClass::Auth);
    place.drop_file("pair.txt", "");
    place.look(3);
    assert_eq!(place.receipt("failed/pair.txt").outcome, Outcome::LoginNeeded);
}

#[test]
fn what_lies_in_working_at_the_start_is_finished_first() {
    let place = Place::new();
    place.drop_file("resume.txt", "");
    std::fs::create_dir_all(place.at("working")).expect("made");
    place.drop_file("working/001a2b3c4d5e-00000007~pause~2.txt", "");
    place.drop_file("working/poll.txt", "");
    place.folder.look();
    assert_eq!(place.served(), [Request::Pause { lab: None }]);
    let receipt = place.receipt("done/pause~2.txt");
    assert_eq!(receipt.id, "command-file-001a2b3c4d5e-00000007");
    place.look(3);
    assert_eq!(place.served().len(), 3, "what somebody put there himself counts too");
    assert_eq!(place.names("working"), Vec::<String>::new());
}

#[test]
fn wherever_the_process_ends_each_file_gets_one_pair_of_receipts_and_is_asked_for_under_one_id() {
    // Unlike a crash, a panic unwinds, but it leaves the same files behind.
    macro_rules! crash_at {
        ($($step:ident),+) => {
            [$((Step::$step, (|step| assert!(step != Step::$step, "crash")) as fn(Step))),+]
        };
    }
    let cases = crash_at![
        CommandTake,
        CommandTaken,
        CommandServe,
        CommandServed,
        CommandAnswered,
        CommandSettled,
        CommandFiled,
        CommandTold,
        CommandEnded
    ];
    assert_eq!(cases.map(|(step, _)| step), Step::COMMANDS);
    for (step, crash) in cases {
        for (content, dir) in [("", "done"), ("command: pair\ncode: abc\n", "done")] {
            let mut place = Place::at_steps(crash);
            place.drop_file("poll.txt", content);
            let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| place.look(3)));
            assert!(died.is_err(), "{step:?} is met");
            place.restart();
            place.look(5);
            let names = place.names(dir);
            let whole = ["poll.txt", "poll.txt.receipt.json", "poll.txt.receipt.txt"];
            assert_eq!(names, whole, "{step:?}");
            assert_eq!(place.names("working"), Vec::<String>::new(), "{step:?}");
            assert_eq!(place.times().len(), 1, "{step:?}: one id");
            assert!(place.times()[0] <= 2, "{step:?}");
            let again = step == Step::CommandServed;
            assert_eq!(place.times()[0], if again { 2 } else { 1 }, "{step:?}");
            let settled = place.handler.settled.lock().expect("lock");
            assert!(settled.contains(&place.receipt("done/poll.txt").id), "{step:?}");
            let kept = std::fs::read_to_string(place.at("done/poll.txt")).expect("kept");
            assert!(!kept.contains("abc"), "{step:?}");
        }
    }
}

#[test]
fn a_receipt_that_stands_in_the_way_is_not_overwritten() {
    let place = Place::new();
    place.folder.look();
    place.drop_file("working/001a2b3c4d5e-00000007~pause.txt", "");
    place.drop_file("done/pause.txt.receipt.json", "somebody else's");
    place.look(1);
    let text = std::fs::read_to_string(place.at("done/pause.txt.receipt.json")).expect("there");
    assert_eq!(text, "somebody else's");
    assert_eq!(place.receipt("done/pause~2.txt").command.as_deref(), Some("pause"));
}

#[test]
fn a_receipt_that_somebody_made_up_leads_nowhere() {
    let place = Place::new();
    place.folder.look();
    let forged = |id: &str, file: &str| {
        let mut receipt = serde_json::to_value(Receipt {
            schema: 1,
            id: id.to_owned(),
            file: file.to_owned(),
            command: None,
            asked: String::new(),
            owner: None,
            received_at: String::new(),
            finished_at: String::new(),
            outcome: Outcome::Done,
            message: String::new(),
            next: None,
            kept: super::FileContent::Unchanged,
            details: serde_json::Value::Null,
        })
        .expect("JSON");
        receipt["details"] = "forged".into();
        receipt.to_string()
    };
    let own = "command-file-001a2b3c4d5e-00000007";
    for text in [forged(own, "../../escaped"), forged("another", "pause.txt"), "{".to_owned()] {
        place.drop_file("working/.001a2b3c4d5e-00000007.receipt.json", text);
        place.drop_file("working/001a2b3c4d5e-00000007~pause.txt", "");
        place.look(2);
    }
    assert_eq!(std::fs::read_dir(place.dir.path()).expect("there").count(), 1, "no way out");
    assert_eq!(place.names("working"), Vec::<String>::new());
    assert_eq!(place.receipt("done/pause.txt").id, own);
    assert!(place.receipt("done/pause.txt").details.is_null());
}

#[test]
fn a_folder_that_is_away_is_used_again_when_it_is_back() {
    let place = Place::new();
    place.look(1);
    let elsewhere = place.dir.path().join("elsewhere");
    std::fs::rename(place.at(""), &elsewhere).expect("away");
    std::fs::write(place.at("").with_file_name("commands"), "a file in its place")
        .expect("written");
    place.look(3);
    std::fs::remove_file(place.at("").with_file_name("commands")).expect("removed");
    std::fs::rename(&elsewhere, place.at("").with_file_name("commands")).expect("back");
    place.drop_file("pause.txt", "");
    place.look(3);
    assert_eq!(place.served().len(), 1);
    std::fs::remove_dir_all(place.at("")).expect("removed");
    assert!(place.folder.look().is_new, "it is made anew");
    assert_eq!(place.names(""), ["README.txt", "done", "failed", "working"]);
}

#[test]
fn the_explanation_is_renewed_unless_somebody_changed_it() {
    let place = Place::new();
    place.look(1);
    let ours = std::fs::read_to_string(place.at("README.txt")).expect("there");
    assert!(ours.contains("refetch 17544365.txt"));
    std::fs::write(place.at("README.txt"), "Ask Anna.").expect("written");
    place.look(3);
    let text = std::fs::read_to_string(place.at("README.txt")).expect("there");
    assert_eq!(text, "Ask Anna.");
    std::fs::remove_file(place.at("README.txt")).expect("removed");
    place.look(1);
    assert_eq!(std::fs::read_to_string(place.at("README.txt")).expect("there"), ours);
}

#[test]
fn what_takes_its_time_does_not_delay_the_rest() {
    let place = Place::new();
    place.drop_file("verify.txt", "");
    place.drop_file("zz pause.txt", "command: pause");
    for _ in 0..2 {
        let look = place.folder.look();
        place.clock.fetch_add(1_000, Ordering::SeqCst);
        assert_eq!(look.slow, place.at("done").exists() && !place.at("verify.txt").exists());
    }
    assert_eq!(place.served(), [Request::Pause { lab: None }], "verify waits for its own turn");
    place.folder.work_off_slow();
    assert_eq!(place.served().len(), 2);
}
