//! A simulated Align, a config, and the program.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use casedrop::journal::Store;
use casedrop::model::manifest::Manifest;
use casedrop::model::record::{OrderRecord, Trouble};
use casedrop::model::time::WallMs;
use casedrop::simulator::{
    AccountSpec, Admin, CaseKind, OrderSpec, Running, Scenario, Simulator, SimulatorConfig,
};

use super::tree;

// Benches include this file from elsewhere.
#[path = "world/agent.rs"]
mod agent;

pub use agent::Agent;

/// The lab of most tests.
pub const LAB: &str = "smile-lab";
/// The account of that lab.
pub const ACCOUNT: &str = "4711";
/// Shortest interval between polls.
const POLL_MS: u64 = 150;
/// Longer than anything that a test waits for takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// One PC with one agent, and its Align.
pub struct World {
    dir: tempfile::TempDir,
    /// Where all folders are: `dir`, or a folder below it.
    base: PathBuf,
    simulator: Running,
    /// The URL of a gateway between the agent and Align, if any.
    front: Option<String>,
    labs: Vec<(String, AccountSpec)>,
    more: String,
}

#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output: results.
    pub stdout: String,
    /// Standard error: messages.
    pub stderr: String,
}

/// A small order.
pub fn order(kind: CaseKind) -> OrderSpec {
    OrderSpec { triangles: Some(300), pixels: Some(64), ..OrderSpec::new(kind) }
}

/// A small order with that id.
pub fn order_with_id(kind: CaseKind, id: &str) -> OrderSpec {
    OrderSpec { id: Some(id.to_owned()), ..order(kind) }
}

impl World {
    /// One lab, logged in and paired.
    pub fn new() -> Self {
        Self::with_config("")
    }

    /// Like [`new`](Self::new), with more lines in the config.
    pub fn with_config(more: &str) -> Self {
        let world = Self::unpaired(one_lab(), more);
        world.log_in_and_pair(LAB);
        world
    }

    /// The same, with all folders and the config below a path longer than most of Windows supports.
    pub fn far_down(more: &str) -> Self {
        let mut world = Self::unpaired(one_lab(), more);
        world.base.extend((0..6).map(|level| format!("{level}-{}", "x".repeat(50))));
        std::fs::create_dir_all(&world.base).expect("a deep folder");
        std::fs::write(world.config(), world.yaml()).expect("config");
        world.log_in_and_pair(LAB);
        world
    }

    /// Several labs, neither logged in nor paired.
    pub fn unpaired(labs: Vec<(String, AccountSpec)>, more: &str) -> Self {
        let mut scenario = Scenario::empty();
        let accounts = labs.iter().enumerate().map(|(index, (_, account))| AccountSpec {
            redirect_urls: vec![redirect_url(index)],
            ..account.clone()
        });
        scenario.accounts = accounts.collect();
        scenario.settings.min_poll_interval_ms = POLL_MS;
        Self::of(SimulatorConfig::new(scenario), labs, more)
    }

    /// Any simulator, neither logged in nor paired.
    pub fn of(config: SimulatorConfig, labs: Vec<(String, AccountSpec)>, more: &str) -> Self {
        let simulator = Simulator::start(config).expect("simulator");
        let dir = tempfile::tempdir().expect("tempdir");
        let base = dir.path().to_path_buf();
        let more = more.to_owned();
        let world = Self { dir, base, simulator, front: None, labs, more };
        std::fs::write(world.config(), world.yaml()).expect("config");
        world
    }

    /// Puts a gateway at that URL between the agent and Align; must precede the login.
    pub fn behind(mut self, url: String) -> Self {
        self.front = Some(url);
        std::fs::write(self.config(), self.yaml()).expect("config");
        self
    }

    /// Align's own address, whatever gateway is in front of it.
    pub fn simulator_address(&self) -> std::net::SocketAddr {
        self.simulator.address()
    }

    pub fn yaml(&self) -> String {
        let quoted = |path: PathBuf| serde_json::to_string(&path).expect("a Unicode path");
        let mut yaml =
            format!("output: {}\nstate: {}\n", quoted(self.output()), quoted(self.state()));
        if !self.more.contains("polling:") {
            let _ = writeln!(yaml, "polling: {{ interval: {POLL_MS}ms }}");
        }
        if !self.more.contains("downloads:") {
            yaml.push_str("downloads: { retry_404: [100ms, 100ms, 100ms, 100ms, 100ms, 100ms] }\n");
        }
        if !self.more.contains("retention:") {
            yaml.push_str("retention: { min_free: 1MB }\n");
        }
        if !self.more.contains("secrets:") {
            // Leave nothing in the keyring of the user who runs the tests.
            yaml.push_str("secrets: file\n");
        }
        if !self.more.contains("status_page:") {
            // Tests that run in parallel would compete for the port.
            yaml.push_str("status_page: { listen: null }\n");
        }
        yaml.push_str("labs:\n");
        for (index, (name, account)) in self.labs.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(
                yaml,
                "  - name: {name}\n    oauth_base: {}\n    base_url: {}\n    client_id: {}\n    \
                 client_secret: {}\n    redirect_url: {}\n    \
                 account: \"{}\"\n",
                self.oauth_base(),
                self.base_url(),
                account.client_id,
                account.client_secret,
                redirect_url(index),
                account.id,
            );
        }
        yaml + &self.more
    }

    /// The simulator's controls.
    pub fn align(&self) -> &Admin {
        self.simulator.admin()
    }

    /// Base URL of Align's API.
    pub fn base_url(&self) -> String {
        self.front.clone().unwrap_or_else(|| self.simulator.base_url())
    }

    /// Base URL of Align's sign-in.
    pub fn oauth_base(&self) -> String {
        self.simulator.oauth_base().replace(&self.simulator.base_url(), &self.base_url())
    }

    /// The first lab's account.
    pub fn account(&self) -> &AccountSpec {
        &self.labs[0].1
    }

    /// Stops the simulator: Align is down.
    pub fn stop_align(self) -> tempfile::TempDir {
        self.simulator.stop();
        self.dir
    }

    /// This test's own folder.
    pub fn dir(&self) -> &Path {
        &self.base
    }

    /// The hot folder.
    pub fn output(&self) -> PathBuf {
        self.base.join("orders")
    }

    /// Where orders are put together.
    pub fn staging(&self) -> PathBuf {
        self.base.join(".orders.casedrop-staging")
    }

    /// The journal's folder.
    pub fn state(&self) -> PathBuf {
        self.base.join("state")
    }

    pub fn config(&self) -> PathBuf {
        self.base.join("casedrop.yaml")
    }

    /// The program with arguments, not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command.args(args).arg("--config").arg(self.config());
        command.env_remove("CASEDROP_CONFIG").stdin(Stdio::null());
        command
    }

    /// Runs the program to its end.
    pub fn casedrop(&self, args: &[&str]) -> Ended {
        let mut command = self.command(args);
        ended(started(|| command.output()))
    }

    /// Like [`casedrop`](Self::casedrop), but must succeed.
    pub fn good(&self, args: &[&str]) -> Ended {
        let ended = self.casedrop(args);
        assert_eq!(ended.code, Some(0), "{args:?}: {ended:?}");
        ended
    }

    /// The parsed JSON of a command that must succeed.
    pub fn json(&self, args: &[&str]) -> serde_json::Value {
        let mut args = args.to_vec();
        args.push("--json");
        serde_json::from_str(&self.good(&args).stdout).expect("JSON")
    }

    /// Runs one pass that polls every lab: repeats passes until the interval allows it.
    pub fn sync(&self) -> Ended {
        wait_for("a pass that may poll", || {
            let ended = self.casedrop(&["sync"]);
            (!ended.stderr.contains("not polled")).then_some(ended)
        })
    }

    /// Waits for this many more polls.
    pub fn wait_for_polls(&self, more: u64) {
        let wanted = self.align().state().counters.polls + more;
        wait_for("polls", || (self.align().state().counters.polls >= wanted).then_some(()));
    }

    /// Makes an order's next attempt due now, since tests do not wait for it. No agent may be
    /// running.
    pub fn let_time_pass(&self, order: &str) {
        let store = Store::open(&self.state().join(casedrop::journal::FILE_NAME)).expect("journal");
        for mut record in store.find(order).expect("readable") {
            let trouble = record.trouble.as_mut().expect("an order in trouble");
            assert!(trouble.next_try.is_some(), "it waits for a person: {trouble:?}");
            trouble.next_try = Some(WallMs(0));
            store.save(&record).expect("saved");
        }
    }

    /// Makes the missing extras of a published order due now. No agent may be running.
    pub fn let_late_extras_be_due(&self, order: &str) {
        let store = Store::open(&self.state().join(casedrop::journal::FILE_NAME)).expect("journal");
        for record in store.find(order).expect("readable") {
            let mut late = store.late(&record.key).expect("readable");
            assert!(!late.is_empty(), "nothing of {order} is late");
            for extra in &mut late {
                extra.next_try = WallMs(0);
            }
            store.set_late(&record.key, &late).expect("saved");
        }
    }

    /// Adds this many days to the age of everything published. No agent may be running.
    pub fn let_days_pass(&self, days: i64) {
        let store = Store::open(&self.state().join(casedrop::journal::FILE_NAME)).expect("journal");
        let text = store.fact(casedrop::journal::COUNTED).expect("readable").expect("counted");
        let mut counted: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let so_far = counted["sum"].as_i64().expect("a number");
        counted["sum"] = (so_far + days * 86_400_000).into();
        store.set_fact(casedrop::journal::COUNTED, &counted.to_string()).expect("saved");
    }

    /// The audit's records, as `what` and `result`.
    pub fn audit(&self) -> Vec<(String, String)> {
        let text = |value: &serde_json::Value| value.as_str().expect("a word").to_owned();
        let records = self.json(&["audit"]);
        let records = records.as_array().expect("records").iter();
        records.map(|record| (text(&record["what"]), text(&record["result"]))).collect()
    }

    /// Where a replaced revision of an order of the usual lab is kept.
    pub fn history_of(&self, order: &str, revision: u32) -> PathBuf {
        let orders = self.staging().join("history").join(LAB).join(ACCOUNT);
        orders.join(order).join(format!("r{revision}"))
    }

    /// Logs a lab in as a user with a browser would, and pairs it.
    pub fn log_in_and_pair(&self, lab: &str) {
        self.log_in(lab);
        self.good(&["pair", lab]);
    }

    /// Logs a lab in: the URL is printed, "opened", and the address it leads to is pasted.
    pub fn log_in(&self, lab: &str) {
        let ended = self.log_in_as_is(lab);
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// Like [`log_in`](Self::log_in), but may fail.
    pub fn log_in_as_is(&self, lab: &str) -> Ended {
        self.log_in_pasting(lab, |back| back)
    }

    /// The same, but pastes another text.
    pub fn log_in_pasting(&self, lab: &str, paste: impl Fn(String) -> String) -> Ended {
        let mut command = self.command(&["login", lab, "--no-browser"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = started(|| command.spawn());
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let url = lines.next().expect("a line").expect("readable");
        let back = paste(follow(&url));
        let mut stdin = child.stdin.take().expect("piped");
        // If the browser returns to the program itself, it does not wait for this input.
        let _ = std::io::Write::write_all(&mut stdin, format!("{back}\n").as_bytes());
        drop(stdin);
        ended(child.wait_with_output().expect("it ends"))
    }

    pub fn run(&self) -> Agent {
        self.run_with(&[])
    }

    /// Starts the agent with extra environment variables.
    pub fn run_with(&self, env: &[(&str, &str)]) -> Agent {
        let mut command = self.command(&["run"]);
        command.envs(env.iter().copied());
        Agent::of(command)
    }

    /// The directory of an order of the usual lab.
    pub fn dir_of(&self, order: &str) -> PathBuf {
        self.output().join(LAB).join(ACCOUNT).join(order)
    }

    /// The manifest of an order's directory, which must be complete.
    pub fn published(&self, order: &str) -> Manifest {
        tree::check_order(&self.dir_of(order)).expect("a complete order")
    }

    /// Waits until the order is published in that revision or a newer one.
    pub fn wait_for_revision(&self, order: &str, revision: u32) -> Manifest {
        let dir = self.dir_of(order);
        wait_for(&format!("revision {revision} of {order}"), || {
            tree::manifest(&dir).ok().filter(|manifest| manifest.revision >= revision)
        })
    }

    /// All orders in the journal, from one read.
    pub fn journal(&self) -> Vec<OrderRecord> {
        let file = self.state().join(casedrop::journal::FILE_NAME);
        let store = Store::open_to_read(&file).expect("readable").expect("there");
        store.orders().expect("readable")
    }

    pub fn trouble(&self, order: &str) -> Option<Trouble> {
        let mut all = self.journal().into_iter();
        all.find(|record| record.key.order.as_str() == order)?.trouble
    }

    /// What `casedrop show` reports about an order.
    pub fn order(&self, order: &str) -> serde_json::Value {
        self.json(&["show", order])[0].clone()
    }

    /// The same, or null while the journal does not know the order.
    pub fn order_or_null(&self, order: &str) -> serde_json::Value {
        let ended = self.casedrop(&["show", order, "--json"]);
        let stories: Option<serde_json::Value> = serde_json::from_str(&ended.stdout).ok();
        stories.map_or(serde_json::Value::Null, |stories| stories[0].clone())
    }

    /// Waits until the order's trouble message contains these words.
    pub fn wait_for_message(&self, order: &str, words: &str) {
        wait_for(&format!("{order}: {words}"), || {
            let story = self.order_or_null(order);
            story["trouble"]["message"].as_str()?.contains(words).then_some(())
        });
    }

    /// Waits until the order is in that state.
    pub fn wait_for_state(&self, order: &str, state: &str) -> serde_json::Value {
        wait_for(&format!("{order} to be {state}"), || {
            Some(self.order_or_null(order)).filter(|story| story["state"] == state)
        })
    }
}

/// The usual lab with its account.
pub fn one_lab() -> Vec<(String, AccountSpec)> {
    let account = AccountSpec::new(ACCOUNT, "Smile Dental Lab", "client", "s3cret-of-client");
    vec![(LAB.to_owned(), account)]
}

/// A redirect URL that leads nowhere: pasting is enough.
fn redirect_url(lab: usize) -> String {
    format!("https://lab{lab}.example/callback")
}

/// The program under test.
pub fn program() -> &'static str {
    env!("CARGO_BIN_EXE_casedrop")
}

/// Polls until `look` returns something.
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_up_to(PATIENCE, what, look)
}

/// Like [`wait_for`], for what may take longer.
pub fn wait_up_to<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < patience, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Opens a URL as a browser does, and returns where it redirects to.
pub fn follow(url: &str) -> String {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(async {
        let answer = client().get(url).send().await.expect("the sign-in page answers");
        let location = answer.headers().get("location").expect("it redirects");
        location.to_str().expect("readable").to_owned()
    })
}

/// A client for the simulator that does not follow redirects.
pub fn client() -> reqwest::Client {
    // Another test in this process may have installed it first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_certs_only([])
        .build()
        .expect("client")
}

/// Starts a program, with retries: under Wine a process occasionally dies before any of it has run.
pub fn started<T>(mut start: impl FnMut() -> std::io::Result<T>) -> T {
    const INTERNAL_ERROR: i32 = 1359;
    for _ in 0..3 {
        match start() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(INTERNAL_ERROR) => {
                std::thread::sleep(Duration::from_millis(200));
            }
            other => return other.expect("the program starts"),
        }
    }
    start().expect("the program starts")
}

pub fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("Unicode"),
        stderr: String::from_utf8(output.stderr).expect("Unicode"),
    }
}
