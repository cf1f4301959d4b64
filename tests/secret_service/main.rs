//! Logins sealed with a key in a real keyring (GNOME Keyring on a D-Bus of its own) or with a
//! systemd credential, and read back by other processes. `.ci/secret-service.sh` installs the
//! prerequisites.

#![cfg(target_os = "linux")]

mod session;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use casedrop::simulator::{AccountSpec, Running, Scenario, Simulator, SimulatorConfig};
use serde_json::Value;

use session::{Keyring, Session};

const LAB: &str = "smile-lab";
const REDIRECT: &str = "https://lab.example/casedrop";

/// A PC with a lab, and the simulated Align that it logs in to.
struct World {
    dir: tempfile::TempDir,
    align: Running,
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl World {
    fn new(secrets: &str) -> Self {
        let mut scenario = Scenario::empty();
        scenario.accounts = vec![AccountSpec {
            redirect_urls: vec![REDIRECT.to_owned()],
            ..AccountSpec::new("4711", "Smile Dental Lab", "client", "s3cret-of-client")
        }];
        scenario.settings.min_poll_interval_ms = 0;
        let align = Simulator::start(SimulatorConfig::new(scenario)).expect("simulator");
        let world = Self { dir: tempfile::tempdir().expect("tempdir"), align };
        world.keep_secrets_in(secrets);
        world
    }

    fn keep_secrets_in(&self, secrets: &str) {
        let config = format!(
            "output: orders\nstate: state\nsecrets: {secrets}\nstatus_page: {{ listen: null }}\n\
             polling: {{ interval: 100ms }}\nretention: {{ min_free: 1MB }}\n\
             labs:\n  - name: {LAB}\n    oauth_base: {}\n    base_url: {}\n    client_id: client\n    \
             client_secret: s3cret-of-client\n    redirect_url: {REDIRECT}\n",
            self.align.oauth_base(),
            self.align.base_url(),
        );
        std::fs::write(self.dir.path().join("casedrop.yaml"), config).expect("written");
    }

    fn command(&self, session: &Session, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_casedrop"));
        command.args(args).arg("--config").arg(self.dir.path().join("casedrop.yaml"));
        command.env_remove("CASEDROP_CONFIG").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        session.enter(&mut command);
        command
    }

    fn casedrop(&self, session: &Session, args: &[&str]) -> Ended {
        Ended::of(self.command(session, args).output().expect("the program starts"))
    }

    #[track_caller]
    fn log_in(&self, session: &Session) -> Ended {
        let mut command = self.command(session, &["login", LAB, "--no-browser"]);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let url = lines.next().expect("a line").expect("readable");
        let mut stdin = child.stdin.take().expect("piped");
        writeln!(stdin, "{}", back_from(&url)).expect("it reads");
        drop(stdin);
        Ended::of(child.wait_with_output().expect("it ends")).with(0)
    }

    fn secrets(&self) -> PathBuf {
        self.dir.path().join("state/secrets")
    }

    fn login(&self) -> Value {
        let bytes = std::fs::read(self.secrets().join("smile-lab.json")).expect("a login");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    /// Returns the warning of `check` about where secrets are kept.
    fn warning(&self, session: &Session) -> Option<String> {
        let ended = self.casedrop(session, &["check", "--json"]);
        let findings: Value = serde_json::from_str(&ended.stdout).expect("JSON");
        let warnings = findings["warnings"].as_array().expect("warnings").iter();
        let about = warnings.filter(|warning| warning["key"] == "secrets");
        about.map(ToString::to_string).next()
    }
}

impl Ended {
    fn of(output: std::process::Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code();
        Self { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    #[track_caller]
    fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    fn says(&self, word: &str) {
        assert!(self.stderr.contains(word), "{word}: {}{}", self.stdout, self.stderr);
    }
}

/// Returns the address to which the simulated login page sends the browser.
fn back_from(url: &str) -> String {
    let (host, target) =
        url.strip_prefix("http://").and_then(|url| url.split_once('/')).expect("a URL");
    let mut stream = TcpStream::connect(host).expect("the simulator listens");
    write!(stream, "GET /{target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    let is_location = |line: &&str| line.to_ascii_lowercase().starts_with("location: ");
    answer.lines().find(is_location).expect("a redirect")["location: ".len()..].to_owned()
}

fn key_id(secrets: &Path) -> String {
    std::fs::read_to_string(secrets.join("key.id")).expect("a key")
}

#[test]
fn a_login_is_sealed_with_a_key_in_the_keyring_and_read_by_other_processes() {
    let (world, session) = (World::new("auto"), Session::start(Keyring::Unlocked));
    assert_eq!(world.warning(&session), None);
    assert!(!world.secrets().exists(), "a check makes nothing");
    let ended = world.log_in(&session);
    assert!(!ended.stderr.contains("not sealed"), "{}", ended.stderr);
    let login = world.login();
    assert_eq!(login["vault"], "secret-service");
    assert!(login["access_token"].is_null());
    let first = key_id(&world.secrets());
    assert_eq!(login["key"], *first);
    world.casedrop(&session, &["accounts", LAB]).with(0);
    world.casedrop(&session, &["pair", LAB]).with(0);
    world.casedrop(&session, &["sync"]).with(0);
    assert_eq!(world.login()["key"], *first, "a rotation needs no other key");
    // Logging out leaves nothing behind, and the next login gets a key of its own.
    world.casedrop(&session, &["logout", LAB]).with(0);
    assert!(!world.secrets().join("key.id").exists());
    world.log_in(&session);
    assert_ne!(key_id(&world.secrets()), first);
}

#[test]
fn a_locked_keyring_is_told_and_asks_nobody() {
    let world = World::new("auto");
    let session = Session::start(Keyring::Unlocked);
    world.log_in(&session);
    let session = session.again(Keyring::Locked);
    let ended = world.casedrop(&session, &["accounts", LAB]).with(4);
    for word in ["keyring", "locked", "casedrop login smile-lab"] {
        ended.says(word);
    }
    assert!(world.warning(&session).expect("a warning").contains("locked"));
    // The announced fallback: a plain file.
    world.log_in(&session).says("not sealed");
    assert!(world.login()["access_token"].is_string());
    world.casedrop(&session, &["accounts", LAB]).with(0);
    // Once unlocked, the plain file is sealed at the next change.
    let session = session.again(Keyring::Unlocked);
    world.casedrop(&session, &["pair", LAB]).with(0);
    assert_eq!(world.login()["vault"], "secret-service");
}

#[test]
fn another_users_session_cannot_read_a_sealed_login_and_says_whose_it_is() {
    let world = World::new("auto");
    let first = Session::start(Keyring::Unlocked);
    world.log_in(&first);
    let other = Session::start(Keyring::Unlocked);
    let ended = world.casedrop(&other, &["accounts", LAB]).with(4);
    ended.says("another user");
    ended.says("casedrop login smile-lab");
    world.casedrop(&first, &["accounts", LAB]).with(0);
}

#[test]
fn without_a_session_the_fallback_is_told_or_refused_as_the_config_says() {
    let (world, headless) = (World::new("auto"), Session::none());
    assert!(world.warning(&headless).expect("a warning").contains("state/secrets"));
    world.log_in(&headless).says("not sealed");
    world.casedrop(&headless, &["pair", LAB]).with(0);
    world.casedrop(&headless, &["sync"]).with(0);
    world.keep_secrets_in("vault");
    let ended = world.casedrop(&headless, &["sync"]).with(1);
    ended.says("no vault");
    ended.says("secrets: auto");
    world.casedrop(&headless, &["check"]).with(2);
    world.keep_secrets_in("file");
    assert_eq!(world.warning(&headless), None, "it is wanted so");
    world.casedrop(&headless, &["sync"]).with(0);
}

#[test]
fn a_service_is_handed_its_key_as_a_credential() {
    let world = World::new("vault");
    let given = Session::with_credential(&[7; 32]);
    world.log_in(&given);
    assert_eq!(world.login()["vault"], "credential");
    world.casedrop(&given, &["pair", LAB]).with(0);
    world.casedrop(&given, &["sync"]).with(0);
    let ended = world.casedrop(&Session::none(), &["accounts", LAB]).with(4);
    ended.says("casedrop-key");
    let ended = world.casedrop(&Session::with_credential(&[8; 32]), &["accounts", LAB]).with(4);
    ended.says("does not have");
}
