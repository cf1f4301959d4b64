//! Tests of the request handler with a journal of its own and a minimal fake Align.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::*;
use crate::agent::clock;
use crate::agent::journal_access::{Journal, Wake};
use crate::agent::labs::Labs;
use crate::disk::{Disk, RealDisk};
use crate::execute::Link;
use crate::hotfolder::Layout;
use crate::hotfolder::root::Root;
use crate::journal::{Asked, CommandRecord, Errand, ErrandKind, FILE_NAME, Store};
use crate::model::asset::AssetRequest;
use crate::model::cancel::Cancel;
use crate::model::fault::FaultClass;
use crate::model::ids::{AccountId, LabName, OrderId, OrderKey, RxId};
use crate::model::order::{RemoteOrder, Status as OrderStatus};
use crate::model::record::{OrderRecord, Spent, Trouble};
use crate::model::remote::{AssetBody, ReadyList, Remote};
use crate::model::request::{CaseKind, Outcome, Text, Via};
use crate::model::time::WallMs;
use crate::secrets::PairedAccount;
use crate::status::{LabState, Verdict};
use crate::web::PageData;
use casedrop_testing::{Hang, Lie, NoExchange};

/// For the doctor's eyes only.
const REASON: &str = "Mr Geheim's margin is not visible";

#[derive(Default)]
struct Align {
    returned: Mutex<Vec<(String, String)>>,
    fault: Mutex<Option<Fault>>,
    login_missing: Mutex<bool>,
    calls: AtomicUsize,
}

impl Remote for Align {
    fn account(&self) -> Result<AccountId, Fault> {
        Ok("4711".parse().expect("valid"))
    }

    fn ready_orders(&self, _: &Cancel) -> Result<ReadyList, Fault> {
        Err(Fault::new(FaultClass::Permanent, "test", "the request handler never polls"))
    }

    fn order_by_rx(&self, _: &RxId, _: &Cancel) -> Result<RemoteOrder, Fault> {
        Err(Fault::new(FaultClass::Permanent, "test", "the request handler asks about no order"))
    }

    fn download(&self, _: &AssetRequest, _: &Cancel) -> Result<Box<dyn AssetBody>, Fault> {
        Err(Fault::new(FaultClass::Permanent, "test", "the request handler fetches nothing"))
    }

    fn return_to_doctor(&self, order: &OrderId, reason: &str, _: &Cancel) -> Result<(), Fault> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some(fault) = self.fault.lock().expect("not poisoned").take() {
            return Err(fault);
        }
        let mut returned = self.returned.lock().expect("not poisoned");
        returned.push((order.to_string(), reason.to_owned()));
        Ok(())
    }
}

struct World {
    dir: tempfile::TempDir,
    align: Arc<Align>,
    handler: RequestHandler,
    _runtime: tokio::runtime::Runtime,
}

fn who() -> Who {
    Who { user: Some("anna".to_owned()), via: Via::CommandLine }
}

fn id(order: &str) -> OrderId {
    order.parse().expect("valid")
}

fn key(lab: &str, order: &str) -> OrderKey {
    OrderKey {
        lab: lab.parse().expect("valid"),
        account: "4711".parse().expect("valid"),
        order: id(order),
    }
}

impl World {
    fn new(labs: &[&str]) -> Self {
        Self::on(labs, Arc::new(RealDisk))
    }

    fn on(labs: &[&str], files: Arc<dyn Disk>) -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut text =
            "output: orders\nstate: state\npolling: { interval: 10m }\nlabs:\n".to_owned();
        for lab in labs {
            let _ = write!(
                text,
                "  - name: {lab}\n    oauth_base: http://127.0.0.1:1\n    \
                 base_url: http://127.0.0.1:1\n    client_id: {lab}\n    \
                 redirect_url: https://lab.example/cb\n"
            );
        }
        let file = dir.path().join("casedrop.yaml");
        std::fs::write(&file, text).expect("written");
        let config = Arc::new(crate::config::load(&RealDisk, &file, &[]).expect("valid").config);
        std::fs::create_dir(dir.path().join("state")).expect("made");
        drop(Store::open(&dir.path().join("state").join(FILE_NAME)).expect("made"));
        let align = Arc::new(Align::default());
        let link = |lab: &&str| {
            let asked = Arc::clone(&align);
            let connect = move || {
                if *asked.login_missing.lock().expect("not poisoned") {
                    let fault = Fault::new(FaultClass::Auth, "login-needed", "nobody is logged in");
                    return Err(fault.hint("log in"));
                }
                Ok(PairedAccount { id: "4711".parse().expect("valid"), name: None })
            };
            let remote: Arc<dyn Remote> = align.clone();
            (lab.parse().expect("valid"), Link { remote, connect: Box::new(connect) })
        };
        let links = Arc::new(labs.iter().map(link).collect());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        let ways = Labs::new(Arc::clone(&config), runtime.handle().clone(), Arc::clone(&files));
        let shared = (Journal::of(&config.state), Wake::default());
        let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
        let live = Live::still(Arc::new(Root::new(Arc::clone(&files), layout)));
        let handler = RequestHandler::of_agent(config, files, Arc::new(ways), links, shared, live);
        Self { dir, align, handler, _runtime: runtime }
    }

    fn journal<T>(&self, work: impl FnOnce(&Store) -> Result<T, crate::journal::StoreError>) -> T {
        self.handler.journal.with(work).expect("journal")
    }

    fn know(&self, lab: &str, order: &str, rx: &str) {
        let key = key(lab, order);
        let remote = RemoteOrder {
            rx_id: Some(rx.parse().expect("valid")),
            ..RemoteOrder::new(key.order.clone(), OrderStatus::Ready)
        };
        self.journal(|store| store.save(&OrderRecord::new(key, remote, WallMs(1))));
    }

    fn serve(&self, id: &str, request: &Request) -> Reply {
        self.handler.serve_once(id, request, &who()).expect("the journal can be used")
    }

    /// Makes this the request handler of a command while no agent runs.
    fn without_agent(mut self) -> Self {
        self.handler.live = None;
        self
    }

    fn errands(&self) -> Vec<Errand> {
        self.journal(Store::asked)
    }

    /// Everything stored on this PC, as text.
    fn kept(&self) -> String {
        let mut text = String::new();
        for entry in std::fs::read_dir(self.dir.path().join("state")).expect("listed") {
            let bytes = std::fs::read(entry.expect("readable").path()).expect("readable");
            text += &String::from_utf8_lossy(&bytes);
        }
        text
    }
}

#[test]
fn a_share_that_hangs_costs_one_thread_however_many_ask() {
    let hang: &'static Hang = Box::leak(Box::default());
    let world = World::on(&["smile-lab"], Arc::new(NoExchange(Lie::Hangs(hang))));
    world.know("smile-lab", "17", "rx-17");
    let order = key("smile-lab", "17");
    let handler = &world.handler;
    let asks: [&(dyn Fn() + Sync); 8] = [
        &|| drop(PageData::health(handler)),
        &|| drop(PageData::metrics(handler)),
        &|| drop(PageData::status(handler)),
        &|| drop(PageData::transfers(handler)),
        &|| drop(PageData::order(handler, &order).expect("the journal knows it")),
        &|| drop(PageData::patient(handler, &order)),
        &|| drop(PageData::file(handler, &order, 1, "scan.stl")),
        &|| assert_eq!(PageData::setup(handler).expect_err("it is asked").code, "share-silent"),
    ];
    let most = AtomicUsize::new(0);
    for ask in asks {
        std::thread::scope(|scope| {
            for _ in 0..200 {
                scope.spawn(|| {
                    ask();
                    most.fetch_max(hang.waiting(), Ordering::SeqCst);
                });
            }
        });
    }
    assert_eq!((most.into_inner(), hang.waiting()), (1, 1), "and all were answered");
    let began = std::time::Instant::now();
    while !handler.picture().output.hangs() {
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "it is told");
        std::thread::yield_now();
    }
    assert_eq!(PageData::health(handler).reasons[0].code.as_str(), "output-away");
    hang.let_go();
    while handler.picture().output.free.is_none() {
        assert!(began.elapsed() < std::time::Duration::from_secs(90), "it answers again");
    }
    assert!(!handler.picture().output.hangs());
}

fn refetch(orders: &[&str]) -> Request {
    let orders = orders.iter().map(|order| id(order)).collect();
    Request::Refetch { lab: None, orders, kind: None }
}

fn send_back(order: &str, confirm: Option<&str>) -> Request {
    Request::Return {
        lab: None,
        order: id(order),
        reason: Text(REASON.to_owned()),
        confirm: confirm.map(id),
    }
}

#[test]
fn the_same_request_twice_is_carried_out_once_and_answered_twice() {
    let world = World::new(&["smile-lab"]);
    world.know("smile-lab", "17", "rx-17");
    let first = world.serve("a", &refetch(&["17", "rx-17"]));
    assert_eq!(first.outcome, Outcome::Done, "{first:?}");
    assert_eq!(world.serve("a", &refetch(&["17"])), first);
    let errands = world.errands();
    assert_eq!(errands.len(), 1, "{errands:?}");
    assert_eq!(errands[0].key, key("smile-lab", "17"));
    world.handler.settled("a").expect("settled");
    assert_eq!(world.journal(|store| store.command("a")), None);
    world.serve("b", &refetch(&["17"]));
    assert_eq!(world.errands().len(), 2, "another request is another one");
}

#[test]
fn an_order_that_is_not_known_is_asked_for_by_its_number_and_the_answer_says_so() {
    let world = World::new(&["smile-lab"]);
    let orders = vec![id("99")];
    let kind = Some(CaseKind::Ortho);
    let reply = world.serve("a", &Request::Refetch { lab: None, orders, kind });
    assert_eq!(reply.outcome, Outcome::Done);
    assert!(reply.message.contains("new here"), "{reply:?}");
    assert!(reply.message.contains("listed as failing"), "{reply:?}");
    assert_eq!(reply.details["orders"][0]["known"], false);
    let procedure = Some("Orthodontic".to_owned());
    assert_eq!(world.errands()[0].what, ErrandKind::Refetch { procedure });
    let reply = world.serve("b", &refetch(&["98"]));
    assert!(reply.message.contains("as for a restorative case"), "{reply:?}");
    let reply = world.serve("c", &refetch(&["c0ffee-rx"]));
    assert_eq!(reply.outcome, Outcome::Refused, "an Rx id says nothing to a download: {reply:?}");
    *world.align.login_missing.lock().expect("not poisoned") = true;
    let fault = world.handler.serve_once("d", &refetch(&["97"]), &who());
    assert!(matches!(&fault, Ok(reply) if reply.outcome == Outcome::LoginNeeded), "{fault:?}");
}

#[test]
fn labs_are_named_as_people_do_and_a_doubt_is_told() {
    let world = World::new(&["smile-lab", "other-lab"]);
    world.know("smile-lab", "17", "rx-1");
    world.know("other-lab", "17", "rx-2");
    let reply = world.serve("a", &refetch(&["17"]));
    assert_eq!(reply.outcome, Outcome::Refused);
    assert!(reply.message.contains("smile-lab/4711/17"), "{reply:?}");
    assert!(reply.message.contains("other-lab/4711/17"), "{reply:?}");
    let of = |lab: &str| {
        let lab = Some(lab.to_owned());
        Request::Refetch { lab, orders: vec![id("17")], kind: None }
    };
    assert_eq!(world.serve("b", &of("Smile-Lab")).outcome, Outcome::Done);
    let reply = world.serve("c", &of("smile-lap"));
    assert_eq!(reply.outcome, Outcome::Refused);
    assert!(reply.next.expect("a way out").contains("did you mean smile-lab"));
    let reply = world.serve("d", &refetch(&["99"]));
    assert_eq!(reply.outcome, Outcome::Refused, "whose is it? {reply:?}");
    assert!(reply.next.expect("a way out").contains("smile-lab, other-lab"));
    assert_eq!(world.errands().len(), 1);
}

#[test]
fn a_return_needs_its_confirmation_and_says_what_would_happen() {
    let world = World::new(&["smile-lab"]);
    world.know("smile-lab", "17", "rx-17");
    for confirm in [None, Some("18")] {
        let reply = world.serve("a", &send_back("17", confirm));
        assert_eq!(reply.outcome, Outcome::Refused);
        assert!(reply.message.contains("nothing was sent"), "{reply:?}");
        assert!(reply.message.contains("would go back to the doctor"), "{reply:?}");
    }
    assert_eq!(world.align.calls.load(Ordering::SeqCst), 0);
    // A refusal does not block a later request.
    assert_eq!(world.serve("a", &send_back("17", Some("17"))).outcome, Outcome::Done);
    assert_eq!(world.serve("a", &send_back("17", Some("17"))).outcome, Outcome::Done);
    let returned = world.align.returned.lock().expect("not poisoned").clone();
    assert_eq!(returned, [("17".to_owned(), REASON.to_owned())], "once, with the reason");
    assert_eq!(world.errands()[0].what, ErrandKind::Returned);
    let kept = world.kept();
    assert!(kept.contains("smile-lab/4711/17"), "the return itself is remembered");
    assert!(!kept.contains("Geheim"), "the reason is not");
}

#[test]
fn a_return_that_was_cut_off_is_not_repeated_and_its_answer_says_what_to_look_at() {
    let world = World::new(&["smile-lab"]);
    world.know("smile-lab", "17", "rx-17");
    let begun =
        CommandRecord { at: WallMs(5), what: "return smile-lab/4711/17".to_owned(), reply: None };
    world.journal(|store| store.save_command("a", &begun));
    for _ in 0..2 {
        let reply = world.serve("a", &send_back("17", Some("17")));
        assert_eq!(reply.outcome, Outcome::Unknown);
        assert!(reply.message.contains("not known whether"), "{reply:?}");
        assert!(reply.next.expect("a way out").contains("Scanning"));
    }
    assert_eq!(world.align.calls.load(Ordering::SeqCst), 0);
}

#[test]
fn a_return_that_align_does_not_answer_may_have_arrived_and_one_that_it_refuses_has_not() {
    let world = World::new(&["smile-lab"]);
    world.know("smile-lab", "17", "rx-17");
    let broken = Fault::new(FaultClass::Transient, "broken-off", "the connection broke");
    *world.align.fault.lock().expect("not poisoned") = Some(broken);
    let reply = world.serve("a", &send_back("17", Some("17")));
    assert_eq!(reply.outcome, Outcome::Failed);
    assert!(reply.next.expect("a way out").contains("look up order 17"));
    let refused = Fault::new(FaultClass::Permanent, "http-409", "it is with the doctor already");
    *world.align.fault.lock().expect("not poisoned") = Some(refused);
    let reply = world.serve("b", &send_back("17", Some("17")));
    assert_eq!((reply.outcome, reply.next), (Outcome::Failed, None));
    assert_eq!(world.serve("a", &send_back("17", Some("17"))).outcome, Outcome::Failed, "kept");
    assert_eq!(world.align.calls.load(Ordering::SeqCst), 2);
    assert_eq!(world.errands(), [], "nothing is expected back");
}

#[test]
fn callers_with_one_id_wait_for_each_other() {
    let world = World::new(&["smile-lab"]);
    world.know("smile-lab", "17", "rx-17");
    let outcomes: Vec<Outcome> = std::thread::scope(|scope| {
        let serve = || world.serve("a", &send_back("17", Some("17"))).outcome;
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(serve)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(outcomes, [Outcome::Done; 8]);
    assert_eq!(world.align.calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_pause_is_durable_says_who_wanted_it_and_ends_with_resume() {
    let world = World::new(&["smile-lab", "other-lab"]);
    let lab = Some("SMILE-LAB".to_owned());
    let reply = world.serve("a", &Request::Pause { lab: lab.clone() });
    assert_eq!(reply.outcome, Outcome::Done);
    let again = world.serve("b", &Request::Pause { lab: None });
    assert!(again.message.contains("smile-lab is already paused"), "{again:?}");
    assert!(again.message.contains("by anna"), "{again:?}");
    assert_eq!(world.journal(Store::pauses).len(), 2);
    let status = world.handler.picture();
    assert!(status.labs.iter().all(|lab| lab.state == LabState::Paused));
    let pause = status.labs[0].paused.clone().expect("a pause");
    assert_eq!(pause.by.as_deref(), Some("anna"));
    assert!(status.to_string().contains("PAUSED"), "{status}");
    world.know("smile-lab", "17", "rx-17");
    let reply = world.serve("c", &refetch(&["17"]));
    assert!(reply.message.contains("smile-lab is paused"), "{reply:?}");
    world.serve("d", &Request::Resume { lab });
    assert_eq!(world.journal(Store::pauses).into_keys().collect::<Vec<_>>(), ["other-lab"]);
    let reply = world.serve("e", &Request::Resume { lab: None });
    assert!(reply.message.contains("smile-lab was not paused"), "{reply:?}");
    assert!(world.journal(Store::pauses).is_empty());
}

#[test]
fn the_answer_to_poll_says_when_and_what_is_in_the_way() {
    let world = World::new(&["smile-lab", "other-lab"]);
    let now = clock::now();
    let record = |lab: &str| crate::journal::LabRecord {
        lab: lab.to_owned(),
        account: Some("4711".to_owned()),
        ..crate::journal::LabRecord::default()
    };
    let asked = Asked { at: now.into(), wait: std::time::Duration::ZERO, answered: true };
    world.journal(|store| {
        store.save_lab(&record("smile-lab"))?;
        store.set_asked("4711", asked)
    });
    let of = |lab: &str| Request::Poll { lab: Some(lab.to_owned()) };
    let reply = world.serve("a", &of("smile-lab"));
    assert_eq!(reply.outcome, Outcome::Done);
    assert!(reply.message.contains("Align does not allow it sooner"), "{reply:?}");
    let at: jiff::Timestamp =
        reply.details["polls"][0]["poll_at"].as_str().expect("a time").parse().expect("RFC 3339");
    let wait = at.as_millisecond() - now.wall.0;
    assert!((118_000..=121_000).contains(&wait), "{wait}: not the ten minutes of the config");
    assert_eq!(world.journal(Store::polls_wanted), ["smile-lab"]);
    let mut no_login = record("other-lab");
    no_login.fault_class = Some(FaultClass::Auth);
    no_login.fault = Some("nobody is logged in".to_owned());
    no_login.hint = Some("run `casedrop login other-lab`".to_owned());
    world.journal(|store| store.save_lab(&no_login));
    let reply = world.serve("b", &of("other-lab"));
    assert_eq!(reply.outcome, Outcome::LoginNeeded);
    assert!(reply.next.expect("a way out").contains("casedrop login other-lab"));
    let both = world.serve("bb", &Request::Poll { lab: None });
    assert_eq!(both.outcome, Outcome::Done, "one lab was asked: {both:?}");
    assert!(
        both.message.contains("other-lab cannot be polled yet: nobody is logged in"),
        "{both:?}"
    );
    assert!(both.next.expect("a way out").contains("casedrop login other-lab"));
    world.serve("c", &Request::Pause { lab: None });
    let reply = world.serve("d", &of("smile-lab"));
    assert_eq!(reply.outcome, Outcome::Refused);
    assert!(reply.next.expect("a way out").contains("casedrop resume"));
}

#[test]
fn whether_somebody_is_logged_in_is_looked_for_when_it_is_asked() {
    let world = World::new(&["smile-lab"]);
    let lab: LabName = "smile-lab".parse().expect("valid");
    let poll = Request::Poll { lab: None };
    *world.align.login_missing.lock().expect("not poisoned") = true;
    assert_eq!(world.serve("a", &poll).outcome, Outcome::LoginNeeded, "nobody had told so");
    *world.align.login_missing.lock().expect("not poisoned") = false;
    let record = |class, code: &str| crate::journal::LabRecord {
        lab: lab.to_string(),
        fault_class: Some(class),
        fault_code: Some(code.to_owned()),
        fault: Some("told before".to_owned()),
        ..crate::journal::LabRecord::default()
    };
    // A fault of the login store is over as soon as the store says so.
    world.journal(|store| store.save_lab(&record(FaultClass::Auth, "not-paired")));
    assert_eq!(world.serve("b", &poll).outcome, Outcome::Done);
    assert_eq!(world.handler.picture().verdict(), Verdict::Well);
    // A fault reported by Align counts until someone logs in.
    world.journal(|store| store.save_lab(&record(FaultClass::Auth, "http-401")));
    assert_eq!(world.serve("c", &poll).outcome, Outcome::LoginNeeded);
    assert_eq!(world.handler.picture().verdict(), Verdict::LoginNeeded);
    assert!(world.journal(|store| store.settle_login("SMILE-LAB")));
    assert_eq!(world.serve("d", &poll).outcome, Outcome::Done);
    assert_eq!(world.handler.picture().verdict(), Verdict::Well);
    // A login does not clear other faults.
    world.journal(|store| store.save_lab(&record(FaultClass::Transient, "connect")));
    assert!(!world.journal(|store| store.settle_login("smile-lab")));
}

#[test]
fn the_status_names_what_needs_a_person_and_the_one_thing_to_do() {
    let world = World::new(&["smile-lab"]);
    assert_eq!(world.handler.picture().verdict(), Verdict::Well);
    for number in 0..25 {
        world.know("smile-lab", &format!("{}", 100 + number), &format!("rx-{number}"));
        let mut order = world.journal(|store| store.find(&format!("rx-{number}"))).remove(0);
        order.trouble = Some(Trouble {
            class: FaultClass::Permanent,
            code: "zip".to_owned(),
            message: "the package is broken".to_owned(),
            hint: Some("write to Align".to_owned()),
            attempts: 1,
            spent: Spent::default(),
            since: WallMs(1),
            next_try: (number > 0).then_some(WallMs(9)),
            wait: std::time::Duration::ZERO,
            attention: number == 0,
        });
        world.journal(|store| store.save(&order));
    }
    let before = crate::agent::wall_now();
    let status = world.handler.picture();
    assert_eq!((status.orders["attention"], status.orders["retrying"]), (1, 24));
    let shown =
        PageData::order(&world.handler, &status.failing[1].key).expect("readable").expect("known");
    let next = shown.record.trouble.and_then(|trouble| trouble.next_try);
    assert!(next.is_some_and(|next| next >= before), "no next try is past");
    assert_eq!((status.failing.len(), status.failing_more), (20, 5));
    assert_eq!(
        (status.failing[0].state.as_str(), status.failing[0].key.order.as_str()),
        ("attention", "100")
    );
    assert_eq!(status.verdict(), Verdict::OrdersFailing);
    let text = status.to_string();
    assert!(text.contains("what to do: write to Align") && text.contains("and 5 more"), "{text}");
    *world.align.login_missing.lock().expect("not poisoned") = true;
    let status = world.handler.picture();
    assert_eq!(status.verdict(), Verdict::LoginNeeded);
    assert_eq!(status.labs[0].todo.as_deref(), Some("casedrop login smile-lab"));
    world.serve("a", &Request::Pause { lab: None });
    assert_eq!(
        world.handler.picture().labs[0].state,
        LabState::LoginNeeded,
        "a pause hides it not"
    );
    let reply = world.serve("b", &Request::Status {});
    assert_eq!(reply.outcome, Outcome::Done, "it was asked how things stand, and that is told");
    assert_eq!(reply.next.as_deref(), Some("casedrop login smile-lab"));
    assert_eq!(reply.details["labs"][0]["state"], "login-needed");
    let back: Status = serde_json::from_value(reply.details).expect("readable again");
    assert_eq!(back.labs, world.handler.picture().labs);
}

#[test]
fn without_an_agent_a_poll_is_recorded_and_nothing_is_called_done_now() {
    let world = World::new(&["smile-lab", "other-lab"]).without_agent();
    let reply = world.serve("a", &Request::Poll { lab: None });
    assert_eq!(reply.outcome, Outcome::Done, "it is recorded: {reply:?}");
    assert!(reply.message.starts_with(NOT_RUNNING), "{reply:?}");
    assert!(!reply.message.contains("now"), "{reply:?}");
    assert_eq!(reply.next.as_deref(), Some(START_IT));
    assert!(reply.details["polls"][0]["poll_at"].is_null(), "{reply:?}");
    assert_eq!(world.journal(Store::polls_wanted).len(), 2);
    let text = world.handler.picture().to_string();
    assert!(text.contains("requested: poll smile-lab"), "{text}");
}

#[test]
fn of_several_orders_each_is_answered_for_itself() {
    let world = World::new(&["smile-lab"]).without_agent();
    world.know("smile-lab", "17", "rx-17");
    let reply = world.serve("a", &refetch(&["17", "no-such-order", "99"]));
    assert_eq!(reply.outcome, Outcome::Differs, "{reply:?}");
    assert!(reply.message.contains("17: will be fetched again"), "{reply:?}");
    assert!(reply.message.contains("no-such-order: NOT fetched: "), "{reply:?}");
    assert!(reply.message.starts_with(NOT_RUNNING), "{reply:?}");
    assert_eq!(reply.details["refused"], serde_json::json!(["no-such-order"]));
    let wanted = world.journal(Store::asked);
    let wanted: Vec<_> = wanted.iter().map(|errand| errand.key.order.as_str()).collect();
    assert_eq!(wanted, ["17", "99"]);
    let wishes = world.handler.picture().wishes;
    let wishes: Vec<_> = wishes.into_iter().filter_map(|wish| wish.order_id).collect();
    assert_eq!(wishes, ["17", "99"], "they are seen until an agent begins");
    let text = world.handler.picture().to_string();
    assert!(text.contains("requested: fetch smile-lab/4711/99"), "{text}");
    let none = world.serve("b", &refetch(&["no-such-order", "nor-this"]));
    assert_eq!(none.outcome, Outcome::Refused, "{none:?}");
    assert_eq!(none.message.lines().count(), 2, "{none:?}");
}

#[test]
fn a_status_is_told_without_a_journal_too() {
    let world = World::new(&["smile-lab"]);
    std::fs::remove_file(world.dir.path().join("state").join(FILE_NAME)).expect("removed");
    let status = world.handler.picture();
    assert!(status.fault.is_some(), "{status:?}");
    assert_eq!(status.verdict(), Verdict::Unknown);
    assert!(world.handler.serve_once("a", &Request::Pause { lab: None }, &who()).is_err());
}

#[test]
fn a_command_makes_the_journal_only_where_no_agent_ever_was() {
    let world = World::new(&["smile-lab"]);
    let state = world.dir.path().join("state");
    std::fs::remove_dir_all(&state).expect("removed");
    let journal = Journal::perhaps_new(&state);
    journal.with(Store::pauses).expect("made");
    for entry in std::fs::read_dir(&state).expect("listed") {
        std::fs::remove_file(entry.expect("readable").path()).expect("removed");
    }
    std::fs::write(state.join("agent.lock"), "").expect("written");
    assert!(journal.with(Store::pauses).is_err(), "an agent must see that it is gone");
}

#[test]
fn a_journal_that_is_just_being_made_is_nothing_to_complain_of() {
    let world = World::new(&["smile-lab"]).without_agent();
    let state = world.dir.path().join("state");
    for name in std::fs::read_dir(&state).expect("listed") {
        std::fs::remove_file(name.expect("listed").path()).expect("removed");
    }
    // As SQLite creates it, before it contains a table.
    std::fs::write(state.join(FILE_NAME), "").expect("written");
    assert_eq!(world.handler.picture().verdict(), Verdict::Unknown, "nobody is making it");
    let lock =
        RealDisk.try_lock(&state.join(crate::agent::state_folder::LOCK_NAME)).expect("locked");
    let picture = world.handler.picture();
    assert_eq!((picture.fault.as_ref(), picture.verdict()), (None, Verdict::Well), "{picture}");
    drop(lock);
}

mod held;
