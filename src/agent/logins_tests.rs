//! Logins that commands start, against the simulated Align.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use tokio::runtime::Runtime;

use super::super::background::BackgroundTasks;
use super::super::journal_access::{Journal, Wake};
use super::super::labs::Labs;
use super::super::requests::Live;
use super::*;
use crate::audit::FILE_NAME as AUDIT;
use crate::disk::{Disk, RealDisk};
use crate::hotfolder::layout::Layout;
use crate::hotfolder::root::Root;
use crate::journal::{FILE_NAME, Store};
use crate::model::request::Text;
use crate::simulator::{AccountSpec, Running, Scenario, Simulator, SimulatorConfig};

const LAB: &str = "smile-lab";
/// Upper bound for any wait in a test: beyond it, the event never comes.
const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    dir: tempfile::TempDir,
    align: Running,
    redirect: String,
    runtime: Runtime,
}

/// A running agent, as far as logins are concerned.
struct Agent<'a> {
    world: &'a World,
    handler: Arc<RequestHandler>,
    tasks: Option<BackgroundTasks>,
}

impl World {
    fn new(redirect: &str) -> Self {
        let mut scenario = Scenario::empty();
        scenario.accounts = vec![AccountSpec {
            redirect_urls: vec![redirect.to_owned()],
            ..AccountSpec::new("4711", "Smile Dental Lab", "client", "s3cret-of-client")
        }];
        let align = Simulator::start(SimulatorConfig::new(scenario)).expect("simulator");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let dir = tempfile::tempdir().expect("tempdir");
        let state = dir.path().join("state");
        std::fs::create_dir(&state).expect("made");
        drop(Store::open(&state.join(FILE_NAME)).expect("made"));
        Self { dir, align, redirect: redirect.to_owned(), runtime: runtime.expect("runtime") }
    }

    fn elsewhere() -> Self {
        Self::new("https://lab.example/casedrop")
    }

    fn start(&self, more: &str) -> Agent<'_> {
        let text = format!(
            "output: orders\nstate: state\nsecrets: file\n{more}labs:\n  - name: {LAB}\n    \
             oauth_base: {}\n    base_url: {}\n    client_id: client\n    \
             client_secret: s3cret-of-client\n    redirect_url: {}\n",
            self.align.oauth_base(),
            self.align.base_url(),
            self.redirect,
        );
        let file = self.dir.path().join("casedrop.yaml");
        std::fs::write(&file, text).expect("written");
        let config = Arc::new(crate::config::load(&RealDisk, &file, &[]).expect("valid").config);
        let files: Arc<dyn Disk> = Arc::new(RealDisk);
        let handle = self.runtime.handle().clone();
        let labs = Arc::new(Labs::new(Arc::clone(&config), handle, Arc::clone(&files)));
        let links = Arc::new(labs.links().expect("links"));
        let shared = (Journal::of(&config.state), Wake::default());
        let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
        let live = Live::still(Arc::new(Root::new(Arc::clone(&files), layout)));
        let handler = Arc::new(RequestHandler::of_agent(config, files, labs, links, shared, live));
        let tasks = self.runtime.block_on(async {
            let (mut tasks, handler) = (BackgroundTasks::new(), Arc::clone(&handler));
            tasks.start(|until| look_after(handler, until));
            tasks
        });
        Agent { world: self, handler, tasks: Some(tasks) }
    }

    fn pairings(&self) -> u64 {
        self.align.admin().state().counters.requests.get("pairAccount").copied().unwrap_or(0)
    }

    fn audit(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("state").join(AUDIT)).unwrap_or_default()
    }
}

impl Agent<'_> {
    fn ask(&self, id: &str, account: Option<&str>, code: Option<&str>) -> Reply {
        self.ask_via(Via::CommandFolder, id, account, code)
    }

    fn ask_via(&self, via: Via, id: &str, account: Option<&str>, code: Option<&str>) -> Reply {
        let account = account.map(|account| account.parse().expect("valid"));
        let code = code.map(|code| Text(code.to_owned()));
        let request = Request::Pair { lab: Some(LAB.to_owned()), account, code };
        let who = Who { user: Some("anna".to_owned()), via };
        self.handler.serve_once(id, &request, &who).expect("the journal can be used")
    }

    /// Logs in on the command line, which forgets the pairing.
    fn log_in_anew(&self) {
        let client = self.handler.labs_ways().client(&lab()).expect("a client");
        let request = client.begin_login().expect("begun");
        let code = request.code_from_input(&log_in(request.url().as_str())).expect("a code");
        let who = Who { user: None, via: Via::CommandLine };
        self.handler.finish_login(&who, &lab(), &client, &request, &code).expect("logged in");
    }

    fn pair(&self, id: &str) {
        let reply = self.ask(id, Some("4711"), None);
        assert_eq!(reply.outcome, Outcome::Done, "{reply:?}");
    }

    /// The state of the login as reported to a page.
    fn standing(&self) -> serde_json::Value {
        let standing = self.handler.login_standing(LAB).expect("told");
        serde_json::to_value(standing).expect("JSON")
    }

    fn paired(&self) -> Option<String> {
        let account =
            self.handler.labs_ways().client(&lab()).expect("a client").paired().ok()??;
        Some(account.id.to_string())
    }

    fn wait(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self) {
            assert!(
                began.elapsed() < PATIENCE,
                "waited in vain for {what}: {}",
                self.world.audit()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Agent<'_> {
    fn drop(&mut self) {
        if let Some(tasks) = self.tasks.take() {
            self.world.runtime.block_on(tasks.end());
        }
    }
}

fn lab() -> LabName {
    LAB.parse().expect("valid")
}

/// The address to which the simulated login page sends the browser.
fn log_in(url: &str) -> String {
    let answer = browse(url);
    let is_location = |line: &&str| line.to_ascii_lowercase().starts_with("location: ");
    answer.lines().find(is_location).expect("a redirect")["location: ".len()..].to_owned()
}

/// The response of a server on this PC.
fn browse(url: &str) -> String {
    let (host, target) =
        url.strip_prefix("http://").and_then(|url| url.split_once('/')).expect("a URL");
    let began = Instant::now();
    let mut stream = loop {
        match TcpStream::connect(host) {
            Ok(stream) => break stream,
            Err(error) => assert!(began.elapsed() < PATIENCE, "nobody listens: {error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    write!(stream, "GET /{target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

fn url_in(reply: &Reply) -> String {
    assert_eq!(reply.outcome, Outcome::LoginNeeded, "{reply:?}");
    let url = reply.details["login_url"].as_str().expect("a URL").to_owned();
    assert!(reply.message.contains(&url), "a person finds it too: {}", reply.message);
    url
}

#[test]
fn a_login_that_a_command_began_ends_in_the_browser_and_pairs_by_itself_even_after_a_restart() {
    let world = World::new(&format!("http://127.0.0.1:{}/callback", free_port()));
    let agent = world.start("");
    let reply = agent.ask("one", None, None);
    let url = url_in(&reply);
    assert_eq!(reply.details["finishes_by_itself"], true);
    assert_eq!(url_in(&agent.ask("two", None, None)), url, "asked again, it is the same login");
    drop(agent);
    let agent = world.start("");
    let back = log_in(&url);
    let stranger = back.replace("state=", "state=x");
    assert!(browse(&stranger).starts_with("HTTP/1.1 400"));
    assert!(browse(&back).contains("You can close this window"));
    agent.wait("the pairing", |agent| agent.paired().as_deref() == Some("4711"));
    let audit = world.audit();
    assert!(audit.contains(r#""what":"login""#) && audit.contains(r#""what":"pair""#), "{audit}");
}

#[test]
fn a_second_file_ends_the_login_and_what_it_holds_is_told_to_nobody() {
    let world = World::elsewhere();
    let agent = world.start("");
    let reply = agent.ask("one", None, None);
    assert_eq!(reply.details["finishes_by_itself"], false);
    assert!(reply.next.as_deref().expect("a way on").contains("\"code\""));
    let back = log_in(&url_in(&reply));
    let code = back.split_once("code=").expect("a code").1.split('&').next().expect("it");
    let wrong = agent.ask("two", None, Some(&back.replace("state=", "state=x")));
    assert_eq!(wrong.outcome, Outcome::Refused, "{wrong:?}");
    assert!(wrong.message.contains("another login"), "{}", wrong.message);
    let done = agent.ask("three", None, Some(&back));
    assert_eq!(done.outcome, Outcome::Done, "{done:?}");
    assert_eq!(agent.paired().as_deref(), Some("4711"));
    let state = world.dir.path().join("state");
    for reply in [wrong, done] {
        assert!(!format!("{reply:?}").contains(code));
    }
    for entry in std::fs::read_dir(state).expect("listed").filter_map(Result::ok) {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        let found = bytes.windows(code.len()).any(|window| window == code.as_bytes());
        assert!(!found, "the code is in {}", entry.path().display());
    }
}

#[test]
fn a_code_that_comes_unasked_or_too_late_is_explained() {
    let world = World::elsewhere();
    let agent = world.start("");
    let unasked = agent.ask("one", None, Some("https://lab.example/casedrop?code=a&state=b"));
    assert_eq!(unasked.outcome, Outcome::Refused);
    assert!(unasked.message.contains("60 minutes"), "{}", unasked.message);
    assert!(unasked.next.expect("a way out").contains("without a code"));
    let reply = agent.ask("two", None, None);
    let state = url_in(&reply).split_once("state=").expect("a state").1.to_owned();
    let state = state.split('&').next().expect("it").to_owned();
    let too_old = format!("https://lab.example/casedrop?code=stale-code&state={state}");
    let refused = agent.ask("three", None, Some(&too_old));
    assert_eq!(refused.outcome, Outcome::LoginNeeded, "{refused:?}");
    assert!(!format!("{refused:?}").contains("stale-code"));
    assert!(refused.next.expect("a way out").contains("start again"));
    // The login is still pending: the right code completes it.
    let back = log_in(&url_in(&reply));
    assert_eq!(agent.ask("four", None, Some(&back)).outcome, Outcome::Done);
}

#[test]
fn a_login_anew_is_paired_with_the_account_as_before_and_after_an_un_pairing_it_is_not() {
    let world = World::elsewhere();
    let agent = world.start("");
    agent.log_in_anew();
    agent.pair("one");
    agent.log_in_anew();
    agent.wait("the pairing", |agent| agent.paired().is_some());
    assert!(world.audit().contains(r#""via":"agent""#), "{}", world.audit());
    let account: AccountId = "4711".parse().expect("valid");
    let request = Request::Unpair { lab: None, account: account.clone(), confirm: Some(account) };
    let who = Who { user: None, via: Via::CommandFolder };
    // A check in the middle of it does not undo it.
    std::thread::scope(|scope| {
        let served = scope.spawn(|| agent.handler.serve_once("three", &request, &who));
        while !served.is_finished() {
            assert_eq!(agent.handler.pair_again(&lab()).expect("looked"), None);
            // Checking nonstop would starve everyone else of the login's file.
            std::thread::sleep(Duration::from_millis(1));
        }
        let reply = served.join().expect("no panic").expect("served");
        assert_eq!(reply.outcome, Outcome::Done, "{reply:?}");
    });
    agent.log_in_anew();
    assert_eq!(agent.handler.pair_again(&lab()).expect("looked"), None);
    assert_eq!(agent.paired(), None);
}

#[test]
fn a_login_anew_is_paired_however_seldom_the_agent_looks() {
    let world = World::elsewhere();
    let mut agent = world.start("");
    world.runtime.block_on(agent.tasks.take().expect("it looks by itself").end());
    let mut looks = Lab::default();
    let mut look = |agent: &Agent<'_>| looks.look(&agent.handler, &lab());
    agent.log_in_anew();
    look(&agent);
    assert_eq!(agent.paired(), None, "nobody ever said with which account");
    agent.pair("one");
    // No check happens between these two.
    agent.log_in_anew();
    assert_eq!(agent.paired(), None);
    look(&agent);
    assert_eq!(agent.paired().as_deref(), Some("4711"));
}

#[test]
fn align_is_given_the_callback_url_again_when_it_changes_and_only_then() {
    let world = World::elsewhere();
    let agent = world.start("");
    let back = log_in(&url_in(&agent.ask("one", None, None)));
    assert_eq!(agent.ask("two", None, Some(&back)).outcome, Outcome::Done);
    let told = || world.align.admin().state().accounts[0].callback;
    assert!(!told() && world.pairings() == 1);
    drop(agent);
    for (times, url) in
        [(2, "https://one.example/"), (2, "https://one.example"), (3, "https://two.example/itero")]
    {
        let agent = world.start(&format!("notifications: {{ public_url: '{url}' }}\n"));
        agent.wait("the pairing", |_| world.pairings() == times);
        assert!(told());
        assert_eq!(agent.handler.pair_again(&lab()).expect("looked"), None, "once is enough");
        drop(agent);
        assert_eq!(world.pairings(), times);
    }
    let secret = world.dir.path().join("state/secrets/callback.text");
    let secret = std::fs::read_to_string(secret).expect("a secret");
    assert!(!world.audit().contains(&secret));
}

#[test]
fn a_page_can_follow_a_login_from_its_beginning_to_its_end() {
    let world = World::new(&format!("http://127.0.0.1:{}/callback", free_port()));
    let agent = world.start("");
    assert_eq!(agent.standing()["state"], "logged-out");
    let url = url_in(&agent.ask_via(Via::Page, "one", None, None));
    let standing = agent.standing();
    assert_eq!((&standing["state"], &standing["lab"]), (&"waiting".into(), &LAB.into()));
    assert_eq!(
        (&standing["login_url"], &standing["finishes_by_itself"]),
        (&url.into(), &true.into())
    );
    assert!(standing["until"].is_string() && standing["trouble"].is_null(), "{standing}");

    world.align.admin().update_settings(|settings| settings.deny_login = true);
    let open = |agent: &Agent<'_>| {
        let url = agent.standing()["login_url"].as_str().expect("a URL").to_owned();
        drop(browse(&log_in(&url)));
    };
    open(&agent);
    agent.wait("the refusal", |agent| agent.standing()["trouble"]["message"].is_string());
    let standing = agent.standing();
    assert_eq!(standing["state"], "waiting", "it can be tried once more");
    let message = standing["trouble"]["message"].as_str().expect("a message");
    assert!(message.contains("access_denied"), "{message}");

    world.align.admin().update_settings(|settings| settings.deny_login = false);
    open(&agent);
    agent.wait("the pairing", |agent| agent.standing()["state"] == "paired");
    let standing = agent.standing();
    assert_eq!(
        (&standing["account"], &standing["name"]),
        (&"4711".into(), &"Smile Dental Lab".into())
    );
    assert!(standing["trouble"].is_null(), "{standing}");
    assert!(agent.handler.login_standing("no-lab").is_err());
}

#[test]
fn accounts_to_choose_from_are_told_as_data() {
    let world = World::new(&format!("http://127.0.0.1:{}/callback", free_port()));
    let agent = world.start("");
    let url = url_in(&agent.ask_via(Via::Page, "one", Some("9999"), None));
    drop(browse(&log_in(&url)));
    agent.wait("the refusal", |agent| agent.standing()["state"] == "logged-in");
    agent.wait("its reason", |agent| agent.standing()["trouble"]["details"].is_object());
    let accounts = |details: &serde_json::Value| {
        let account = &details["accounts"][0];
        assert_eq!(
            (&account["id"], &account["name"]),
            (&"4711".into(), &"Smile Dental Lab".into())
        );
    };
    accounts(&agent.standing()["trouble"]["details"]);
    let refused = agent.ask_via(Via::Page, "two", Some("9999"), None);
    assert_eq!(refused.outcome, Outcome::Refused, "{refused:?}");
    accounts(&refused.details);
    let done = agent.ask_via(Via::Page, "three", Some("4711"), None);
    assert_eq!((done.outcome, &done.details["paired"]), (Outcome::Done, &true.into()));
    assert_eq!(done.details["account"]["id"], "4711");
    assert_eq!(agent.standing()["state"], "paired");
}

#[test]
fn what_a_person_pastes_at_the_page_is_answered_for_the_page() {
    let world = World::elsewhere();
    let agent = world.start("");
    let reply = agent.ask_via(Via::Page, "one", None, None);
    assert!(reply.next.as_deref().is_some_and(|next| next.contains("paste it here")), "{reply:?}");
    let wrong = agent.ask_via(Via::Page, "two", None, Some("https://lab.example/casedrop?code=a"));
    assert_eq!((wrong.outcome, &wrong.details["code"]), (Outcome::Refused, &"wrong-state".into()));
    assert!(wrong.next.as_deref().is_some_and(|next| !next.contains("file")), "{wrong:?}");
    let back = log_in(&url_in(&reply));
    let done = agent.ask_via(Via::Page, "three", None, Some(&back));
    assert_eq!(done.outcome, Outcome::Done, "{done:?}");
    let late = agent.ask_via(Via::Page, "four", None, Some(&back));
    assert_eq!(late.outcome, Outcome::Done, "it is paired already: {late:?}");
}

#[test]
fn a_port_that_is_taken_is_told_until_it_is_free() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    let world = World::new(&format!("http://127.0.0.1:{port}/callback"));
    let agent = world.start("");
    url_in(&agent.ask_via(Via::Page, "one", None, None));
    agent.wait("the trouble", |agent| agent.standing()["trouble"]["cannot_wait"].is_string());
    drop(taken);
    agent.wait("the port", |agent| agent.standing()["trouble"].is_null());
}
