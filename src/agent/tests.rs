//! The agent on a misbehaving PC, against a minimal fake Align.

mod woken;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::*;
use crate::config::Config;
use crate::disk::{Disk as _, RealDisk};
use crate::execute::Link;
use crate::journal::{FILE_NAME, Store, StoreTrouble};
use crate::model::asset::{AssetInfo, AssetKind, AssetRequest};
use crate::model::cancel::Cancel;
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::{AccountId, OrderId, RxId};
use crate::model::notice::Notice;
use crate::model::order::{RemoteOrder, Status};
use crate::model::remote::{AssetBody, ReadyList, Remote};
use crate::model::time::WallMs;
use crate::secrets::PairedAccount;
use crate::service::Event;
use casedrop_testing::zip_of;

/// Upper bound for any wait in a test: beyond it, the event never comes.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Align {
    ready: Mutex<Vec<RemoteOrder>>,
    polls: AtomicUsize,
}

struct Body(AssetInfo, Option<Vec<u8>>);

impl AssetBody for Body {
    fn info(&self) -> &AssetInfo {
        &self.0
    }

    fn next_chunk(&mut self, _: &Cancel) -> Result<Option<bytes::Bytes>, Fault> {
        Ok(self.1.take().map(Into::into))
    }
}

impl Remote for Align {
    fn account(&self) -> Result<AccountId, Fault> {
        Ok("4711".parse().expect("valid"))
    }

    fn ready_orders(&self, _: &Cancel) -> Result<ReadyList, Fault> {
        self.polls.fetch_add(1, Ordering::SeqCst);
        let orders = self.ready.lock().expect("not poisoned").clone();
        Ok(ReadyList { orders, ..ReadyList::default() })
    }

    fn order_by_rx(&self, rx: &RxId, _: &Cancel) -> Result<RemoteOrder, Fault> {
        let ready = self.ready.lock().expect("not poisoned");
        let found = ready.iter().find(|order| order.rx_id.as_ref() == Some(rx)).cloned();
        found.ok_or_else(|| Fault::new(FaultClass::Permanent, "test", "nobody knows it"))
    }

    fn download(&self, asked: &AssetRequest, _: &Cancel) -> Result<Box<dyn AssetBody>, Fault> {
        if asked.kind != AssetKind::Ide {
            return Err(Fault::new(FaultClass::NotConverted, "http-404", "there is none"));
        }
        self.ready.lock().expect("not poisoned").retain(|order| order.order_id != asked.order);
        let bytes = zip_of(&[("scan.stl", b"solid")]);
        let info = AssetInfo { total: Some(bytes.len() as u64), ..AssetInfo::default() };
        Ok(Box::new(Body(info, Some(bytes))))
    }

    fn return_to_doctor(&self, _: &OrderId, _: &str, _: &Cancel) -> Result<(), Fault> {
        Ok(())
    }
}

struct Pc {
    dir: tempfile::TempDir,
    align: Arc<Align>,
    /// For what a real client would need.
    runtime: tokio::runtime::Runtime,
}

impl Pc {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let text = "output: orders\nstate: state\nstatus_page: { listen: null }\n\
            polling: { interval: 100ms }\nretention: { min_free: 0 }\nlabs:\n  - name: smile-lab\n    \
            oauth_base: http://127.0.0.1:1\n    base_url: http://127.0.0.1:1\n    client_id: a\n    \
            redirect_url: https://lab.example/cb\n";
        std::fs::write(dir.path().join("casedrop.yaml"), text).expect("written");
        Self { dir, align: Arc::default(), runtime: runtime() }
    }

    /// Changes the poll interval.
    fn poll_every(&self, interval: &str) {
        let file = self.dir.path().join("casedrop.yaml");
        let text = std::fs::read_to_string(&file).expect("readable");
        std::fs::write(&file, text.replace("100ms", interval)).expect("written");
    }

    fn config(&self) -> Config {
        let file = self.dir.path().join("casedrop.yaml");
        crate::config::load(&RealDisk, &file, &[]).expect("valid").config
    }

    fn journal(&self) -> PathBuf {
        self.dir.path().join("state").join(FILE_NAME)
    }

    fn announce(&self, id: &str) {
        let order = RemoteOrder {
            procedure: Some("Orthodontic".to_owned()),
            rx_id: Some(format!("rx-{id}").parse().expect("valid")),
            ..RemoteOrder::new(id.parse().expect("valid"), Status::Ready)
        };
        self.align.ready.lock().expect("not poisoned").push(order);
    }

    fn open(&self) -> Result<Agent, OpenError> {
        let remote = Arc::clone(&self.align);
        let paired = || Ok(PairedAccount { id: "4711".parse().expect("valid"), name: None });
        let link = Link { remote, connect: Box::new(paired) };
        let links = BTreeMap::from([("smile-lab".parse().expect("valid"), link)]);
        let busy = Duration::from_millis(50);
        let (config, disk) = (Arc::new(self.config()), Arc::new(RealDisk));
        let labs = Labs::new(Arc::clone(&config), self.runtime.handle().clone(), disk.clone());
        Agent::open_with(config, disk, (Arc::new(labs), links), |_| {}, busy)
    }

    fn run(&self) -> Running {
        Self::run_agent(self.open().expect("opened"))
    }

    fn run_agent(agent: Agent) -> Running {
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (tell, notices) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = runtime();
            let stopped = async move { drop(stopped.await) };
            let told = |notice: &Notice| tell.send(notice.clone()).expect("somebody listens");
            runtime.block_on(agent.run(Ending::Never, stopped, told))
        });
        Running { thread, stop, notices }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime")
}

struct Running {
    thread: JoinHandle<Result<(Finished, Summary), OpenError>>,
    stop: tokio::sync::oneshot::Sender<()>,
    notices: mpsc::Receiver<Notice>,
}

impl Running {
    /// Waits for the wanted notice and returns those that came before it.
    fn wait_for(&self, what: &str, wanted: impl Fn(&Notice) -> bool) -> Vec<Notice> {
        let began = Instant::now();
        let mut before = Vec::new();
        loop {
            let left = PATIENCE.saturating_sub(began.elapsed());
            let notice = self.notices.recv_timeout(left);
            let notice = notice.unwrap_or_else(|_| panic!("in vain for {what}: {before:#?}"));
            if wanted(&notice) {
                return before;
            }
            before.push(notice);
        }
    }

    fn wait_for_publication(&self, order: &str) {
        self.wait_for(
            order,
            |notice| matches!(notice, Notice::Published { key, .. } if key.order.as_str() == order),
        );
    }

    fn stop(self) -> Summary {
        self.stop.send(()).expect("it runs");
        let (finished, summary) = self.thread.join().expect("no panic").expect("no error");
        assert_eq!(finished, Finished::Stopped);
        summary
    }
}

/// Acts as a program that holds the journal.
fn hold(pc: &Pc) -> Connection {
    let db = Connection::open(pc.journal()).expect("opened");
    db.busy_timeout(PATIENCE).expect("set");
    db.execute_batch("BEGIN EXCLUSIVE").expect("held");
    db
}

fn trouble(words: &'static str) -> impl Fn(&Notice) -> bool {
    move |notice| matches!(notice, Notice::PcTrouble { message, .. } if message.contains(words))
}

fn healed(notice: &Notice) -> bool {
    matches!(notice, Notice::PcHealed { .. })
}

#[test]
fn what_the_agent_does_is_counted_and_a_lab_that_is_served_is_in_good_health() {
    let pc = Pc::new();
    let agent = pc.open().expect("opened");
    let context = Arc::clone(&agent.context);
    let look = || {
        let status = context.handler.picture();
        let now = WallMs::from_rfc3339(&status.at).expect("a time");
        let health = crate::status::health(&status, now);
        (crate::metrics::render(&context.counters, &status), health, status)
    };
    let (text, health, _) = look();
    assert_eq!(context.handler.last_beat(), None);
    assert!(text.contains("casedrop_polls_total{lab=\"smile-lab\",result=\"ok\"} 0\n"), "{text}");
    assert!(health.live && !health.ready, "it waits for the first answer: {health:?}");
    pc.announce("1");
    let running = Pc::run_agent(agent);
    running.wait_for_publication("1");
    assert!(context.handler.last_beat().expect("it turns") < PATIENCE);
    let (text, health, status) = look();
    assert!(health.live && health.ready && health.reasons.is_empty(), "{health:?}");
    assert!(status.agent.silent.is_some() && status.labs[0].worked_since.is_some(), "{status:?}");
    for line in [
        "casedrop_downloads_begun_total{lab=\"smile-lab\"} 1",
        "casedrop_publications_total{lab=\"smile-lab\",reason=\"first-scan\"} 1",
        "casedrop_publication_duration_seconds_count{lab=\"smile-lab\"} 1",
        "casedrop_pc_troubles_total 0",
        "casedrop_ready 1.0",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is missing in\n{text}");
    }
    for name in ["casedrop_downloaded_bytes_total{", "casedrop_polls_total{"] {
        let counted = |line: &str| line.starts_with(name) && !line.ends_with(" 0");
        assert!(text.lines().any(counted), "{name} is zero in\n{text}");
    }
    running.stop();
}

#[test]
fn a_journal_that_cannot_be_written_is_no_good_health_though_it_can_be_read() {
    let pc = Pc::new();
    let agent = pc.open().expect("opened");
    let context = Arc::clone(&agent.context);
    let health = || {
        let status = context.handler.picture();
        let now = WallMs::from_rfc3339(&status.at).expect("a time");
        (status.fault.is_none(), crate::status::health(&status, now).ready_code())
    };
    let running = Pc::run_agent(agent);
    wait_for("good health", || (health() == (true, 200)).then_some(()));
    let holder = hold(&pc);
    running.wait_for("the trouble", trouble("locked"));
    assert_eq!(health(), (true, 503));
    drop(holder);
    running.wait_for("the end of it", healed);
    wait_for("good health", || (health() == (true, 200)).then_some(()));
    running.stop();
}

#[test]
fn a_locked_journal_ends_no_agent_and_is_told_once() {
    let pc = Pc::new();
    pc.announce("1");
    let agent = pc.run();
    agent.wait_for_publication("1");
    let holder = hold(&pc);
    agent.wait_for("the trouble", trouble("locked"));
    pc.announce("2");
    // It keeps retrying, several times by now, without reporting it again.
    let more = agent.notices.recv_timeout(Duration::from_secs(3));
    assert_eq!(more, Err(mpsc::RecvTimeoutError::Timeout));
    drop(holder);
    assert_eq!(agent.wait_for("the end of it", healed), []);
    agent.wait_for_publication("2");
    assert_eq!(agent.stop().published, 2);
}

#[test]
fn an_agent_may_start_while_its_journal_is_locked() {
    let pc = Pc::new();
    pc.run().stop();
    let holder = hold(&pc);
    let agent = pc.run();
    agent.wait_for("the trouble", trouble("locked"));
    drop(holder);
    agent.wait_for("the end of it", healed);
    pc.announce("1");
    agent.wait_for_publication("1");
    agent.stop();
}

#[test]
fn a_single_pass_gives_up_on_a_locked_journal_with_the_way_out() {
    let pc = Pc::new();
    pc.run().stop();
    let _holder = hold(&pc);
    let agent = pc.open().expect("it waits at work");
    let ended =
        runtime().block_on(agent.run(Ending::AfterOnePass, std::future::pending::<()>(), |_| {}));
    match ended.expect_err("given up") {
        OpenError::Store(error) => {
            assert_eq!(error.kind(), StoreTrouble::Locked);
            assert!(error.hint().contains("close the program that has it open"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stop_is_heard_while_the_agent_waits_for_its_journal() {
    let pc = Pc::new();
    let agent = pc.run();
    agent.wait_for("a start", |notice| matches!(notice, Notice::Connected { .. }));
    let _holder = hold(&pc);
    agent.wait_for("the trouble", trouble("locked"));
    agent.stop();
}

#[test]
fn damage_under_the_hands_of_a_running_agent_is_healed_and_told() {
    let pc = Pc::new();
    pc.announce("1");
    let agent = pc.run();
    agent.wait_for_publication("1");
    let db = hold(&pc);
    db.execute_batch("DROP TABLE orders; COMMIT").expect("dropped");
    drop(db);
    agent.wait_for("the new journal", |notice| {
        matches!(notice, Notice::JournalRebuilt(rebuilt)
            if rebuilt.orders == 1 && rebuilt.kept.as_ref().is_some_and(|kept| kept.is_dir()))
    });
    pc.announce("2");
    agent.wait_for_publication("2");
    assert_eq!(agent.stop().published, 2);
}

#[test]
fn an_output_that_goes_and_comes_back_is_followed() {
    let pc = Pc::new();
    pc.announce("1");
    let agent = pc.run();
    agent.wait_for_publication("1");
    let (output, away) = (pc.dir.path().join("orders"), pc.dir.path().join("away"));
    std::fs::rename(&output, &away).expect("unmounted");
    agent.wait_for("the trouble", trouble("marker is gone"));
    let polls = pc.align.polls.load(Ordering::SeqCst);
    pc.announce("2");
    agent.wait_for("an order that waits", |notice| matches!(notice, Notice::Failed { .. }));
    assert!(pc.align.polls.load(Ordering::SeqCst) > polls, "polls go on");
    assert!(!output.exists());
    std::fs::rename(&away, &output).expect("mounted");
    agent.wait_for("the end of it", healed);
    agent.wait_for_publication("2");
    agent.stop();
}

#[test]
fn a_second_agent_on_an_output_that_came_back_waits_for_the_first_one() {
    let pc = Pc::new();
    pc.run().stop();
    let (output, away) = (pc.dir.path().join("orders"), pc.dir.path().join("away"));
    std::fs::rename(&output, &away).expect("unmounted");
    let agent = pc.run();
    agent.wait_for("the trouble", trouble("marker is gone"));
    let staging = pc.config().staging.join("lock");
    let other = RealDisk.try_lock(&staging).expect("asked").expect("free");
    std::fs::rename(&away, &output).expect("mounted");
    agent.wait_for("the other one", trouble("another agent is running"));
    drop(other);
    agent.wait_for("the end of it", healed);
    pc.announce("1");
    agent.wait_for_publication("1");
    agent.stop();
}

#[test]
fn a_first_start_without_a_place_for_the_output_is_an_error() {
    let pc = Pc::new();
    std::fs::write(pc.dir.path().join("orders"), "a file").expect("written");
    assert!(matches!(pc.open().err(), Some(OpenError::Fault(_))));
}

/// Waits until `look` returns something.
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_pc_that_wakes_up_has_align_asked_when_that_is_allowed_and_not_sooner() {
    let pc = Pc::new();
    pc.poll_every("1h");
    let (woke_up, events) = tokio::sync::mpsc::unbounded_channel();
    let running = Pc::run_agent(pc.open().expect("opened").woken_by(events));
    wait_for("the first poll", || (pc.align.polls.load(Ordering::SeqCst) > 0).then_some(()));
    let journal = Journal::of(&pc.config().state);
    let wanted = || journal.with(Store::polls_wanted).expect("readable");
    assert_eq!(wanted(), [] as [String; 0]);
    woke_up.send(Event::WokeUp).expect("heard");
    wait_for("the wish for a poll", || (wanted() == ["smile-lab"]).then_some(()));
    running.stop();
    assert_eq!(pc.align.polls.load(Ordering::SeqCst), 1, "the last poll was a moment ago");
    assert_eq!(wanted(), ["smile-lab"]);
}
