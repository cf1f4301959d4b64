//! Receivers of the agent's notices: a program, a web server, a mail server.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Environment variable that turns this very test program into a hook; its value is the hook's
/// folder.
const STAND_IN: &str = "HOOK_STAND_IN";
/// The test below, by the name that the test runner uses.
const STAND_IN_TEST: &str = "receivers::a_stand_in_for_a_hook_keeps_what_it_is_given";

/// A hook that records its input and obeys control files in its folder.
pub struct HookProgram {
    dir: tempfile::TempDir,
}

/// One run of the hook.
#[derive(Debug, Clone)]
pub struct Run {
    /// What it read from standard input.
    pub input: String,
    /// The environment variables that begin with `CASEDROP_`.
    pub variables: BTreeMap<String, String>,
    pub cwd: PathBuf,
    #[cfg(target_os = "linux")]
    pub pid: u32,
}

impl HookProgram {
    /// A hook that succeeds.
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("tempdir") }
    }

    /// The config line that names the hook.
    pub fn run_line() -> String {
        let program = std::env::current_exe().expect("a program");
        let words = [
            program.to_str().expect("a Unicode path"),
            STAND_IN_TEST,
            "--exact",
            "--nocapture",
            "--test-threads=1",
        ];
        format!("run: {}", serde_json::to_string(&words).expect("JSON"))
    }

    /// The environment variable that the agent must pass on to the hook.
    pub fn env(&self) -> (&'static str, &str) {
        (STAND_IN, self.dir.path().to_str().expect("a Unicode path"))
    }

    /// From now on each run fails after recording its input (`fail`), or does not end (`hang`).
    pub fn shall(&self, what: &str) {
        std::fs::write(self.dir.path().join(what), "").expect("written");
    }

    /// Undoes [`shall`](Self::shall).
    pub fn shall_not(&self, what: &str) {
        std::fs::remove_file(self.dir.path().join(what)).expect("removed");
    }

    /// All runs, in order.
    pub fn runs(&self) -> Vec<Run> {
        let mut names: Vec<_> = std::fs::read_dir(self.dir.path())
            .expect("readable")
            .map(|entry| entry.expect("readable").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .collect();
        names.sort();
        let read = |path: &PathBuf| {
            let run: Value =
                serde_json::from_slice(&std::fs::read(path).expect("readable")).expect("JSON");
            let variables = run["variables"].as_object().expect("an object");
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            Run {
                input: text(&run["input"]),
                variables: variables.iter().map(|(k, v)| (k.clone(), text(v))).collect(),
                cwd: text(&run["cwd"]).into(),
                #[cfg(target_os = "linux")]
                pid: u32::try_from(run["pid"].as_u64().expect("a number")).expect("a number"),
            }
        };
        names.iter().map(read).collect()
    }
}

impl Run {
    /// The order and revision of its event.
    pub fn about(&self) -> (String, u64) {
        let event = self.event();
        let order = event["order_id"].as_str().expect("an id").to_owned();
        (order, event["revision"].as_u64().expect("a number"))
    }

    /// The event that it was given.
    pub fn event(&self) -> Value {
        serde_json::from_str(&self.input).expect("JSON")
    }
}

/// The hook itself: records its input in a file that appears by an atomic rename.
fn stand_in(dir: &Path) -> ! {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input).expect("readable");
    let variables: BTreeMap<String, String> =
        std::env::vars().filter(|(name, _)| name.to_uppercase().starts_with("CASEDROP_")).collect();
    let cwd = std::env::current_dir().expect("a folder");
    let run = json!({
        "input": input, "variables": variables, "cwd": cwd, "pid": std::process::id(),
    });
    let number = std::fs::read_dir(dir)
        .expect("readable")
        .filter_map(|entry| entry.expect("readable").file_name().into_string().ok())
        .filter(|name| name.starts_with("run-"))
        .count();
    let kept = dir.join(format!("run-{number:04}.json"));
    let part = dir.join("part");
    std::fs::write(&part, run.to_string()).expect("written");
    std::fs::rename(&part, kept).expect("kept");
    while dir.join("hang").exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::process::exit(if dir.join("fail").exists() { 3 } else { 0 });
}

#[test]
fn a_stand_in_for_a_hook_keeps_what_it_is_given() {
    if let Some(dir) = std::env::var_os(STAND_IN) {
        stand_in(Path::new(&dir));
    }
    let hook = HookProgram::new();
    hook.shall("fail");
    let (name, value) = hook.env();
    let mut child = Command::new(std::env::current_exe().expect("a program"))
        .args([STAND_IN_TEST, "--exact", "--nocapture"])
        .env(name, value)
        .env("CASEDROP_ORDER", "17")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("started");
    child.stdin.take().expect("piped").write_all(b"hello").expect("written");
    assert_eq!(child.wait().expect("ended").code(), Some(3));
    let runs = hook.runs();
    assert_eq!(runs.len(), 1);
    assert_eq!(
        (runs[0].input.as_str(), runs[0].variables["CASEDROP_ORDER"].as_str()),
        ("hello", "17")
    );
}

/// A web server that accepts messages.
pub struct WebReceiver {
    address: std::net::SocketAddr,
    kept: Arc<Mutex<WebKept>>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Default)]
struct WebKept {
    answers: VecDeque<u16>,
    got: Vec<Got>,
}

/// A received message, and how it was answered.
#[derive(Debug, Clone)]
pub struct Got {
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// The status of the answer.
    pub status: u16,
}

impl WebReceiver {
    /// The secret for signatures.
    pub const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDazfIYYHBCf8=";

    /// Answers with these statuses first, then with 204.
    pub fn answering(statuses: &[u16]) -> Self {
        let kept = Arc::new(Mutex::new(WebKept {
            answers: statuses.iter().copied().collect(),
            got: Vec::new(),
        }));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("runtime");
        let router = axum::Router::new()
            .route("/hook", axum::routing::post(take))
            .with_state(Arc::clone(&kept));
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("bound");
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, kept, _runtime: runtime }
    }

    /// The config section that names it; writes the secret to a file in that folder.
    pub fn section(&self, dir: &Path, more: &str) -> String {
        std::fs::write(dir.join("webhook.secret"), Self::SECRET).expect("written");
        let url = format!("http://{}/hook", self.address);
        format!("  webhook: {{ url: '{url}', secret_file: webhook.secret, {more} }}\n")
    }

    /// All received messages, in order.
    pub fn got(&self) -> Vec<Got> {
        self.kept.lock().expect("not poisoned").got.clone()
    }

    /// The events of all accepted messages.
    pub fn events(&self) -> Vec<Value> {
        let taken = self.got().into_iter().filter(|got| got.status == 204);
        taken.flat_map(|got| got.json()["events"].as_array().expect("a list").clone()).collect()
    }
}

async fn take(
    State(kept): State<Arc<Mutex<WebKept>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let mut kept = kept.lock().expect("not poisoned");
    let status = kept.answers.pop_front().unwrap_or(204);
    let headers = headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), value.to_str().expect("readable").to_owned())
        })
        .collect();
    let body = String::from_utf8(body.to_vec()).expect("Unicode");
    kept.got.push(Got { headers, body, status });
    StatusCode::from_u16(status).expect("a status")
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Checks the signature as a receiver would, and returns the message's id.
    pub fn checked(&self) -> String {
        let key = WebReceiver::SECRET.strip_prefix("whsec_").expect("a secret");
        let key = STANDARD.decode(key).expect("base64");
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &key);
        let (id, at) = (&self.headers["webhook-id"], &self.headers["webhook-timestamp"]);
        let signature = self.headers["webhook-signature"].strip_prefix("v1,").expect("version 1");
        let signature = STANDARD.decode(signature).expect("base64");
        let signed = format!("{id}.{at}.{}", self.body);
        ring::hmac::verify(&key, signed.as_bytes(), &signature).expect("signed");
        let now = jiff::Timestamp::now().as_second();
        let age = now - at.parse::<i64>().expect("seconds");
        assert!((0..300).contains(&age), "sent {age} s ago");
        assert_eq!(self.json()["id"], id.as_str());
        id.clone()
    }
}

/// A mail server that accepts everything.
pub struct MailReceiver {
    port: u16,
    sessions: Arc<Mutex<Vec<Session>>>,
}

#[derive(Debug, Clone, Default)]
pub struct Session {
    pub commands: Vec<String>,
    /// The mail, decoded.
    pub mail: String,
}

impl MailReceiver {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let sessions: Arc<Mutex<Vec<Session>>> = Arc::default();
        let kept = Arc::clone(&sessions);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let session = converse(stream.expect("accepted"));
                kept.lock().expect("not poisoned").push(session);
            }
        });
        Self { port, sessions }
    }

    /// The config section that names it; writes the password to a file in that folder.
    pub fn section(&self, dir: &Path, more: &str) -> String {
        std::fs::write(dir.join("mail.secret"), "p4ss-of-mail").expect("written");
        format!(
            "  mail: {{ server: 127.0.0.1, port: {}, security: none, user: lab, password_file: \
             mail.secret, from: 'Casedrop <agent@lab.example>', to: [a@lab.example, b@lab.example], \
             {more} }}\n",
            self.port
        )
    }

    /// All finished sessions, in order.
    pub fn sessions(&self) -> Vec<Session> {
        self.sessions.lock().expect("not poisoned").clone()
    }
}

/// The little of SMTP (RFC 5321) that one mail needs. Hanging up ends the session.
fn converse(mut stream: TcpStream) -> Session {
    let mut session = Session::default();
    let mut lines = BufReader::new(stream.try_clone().expect("cloned")).lines();
    let mut say = |text: &str| stream.write_all(format!("{text}\r\n").as_bytes());
    if say("220 lab.example").is_err() {
        return session;
    }
    while let Some(Ok(line)) = lines.next() {
        let verb = line.split(' ').next().unwrap_or_default().to_uppercase();
        let said = match verb.as_str() {
            "EHLO" => say("250-lab.example\r\n250-8BITMIME\r\n250 AUTH PLAIN"),
            "AUTH" => say("235 welcome"),
            "DATA" => {
                let begun = say("354 go on");
                let mail = lines.by_ref().map_while(Result::ok).take_while(|line| line != ".");
                session.mail = plain(&mail.collect::<Vec<_>>().join("\n"));
                begun.and_then(|()| say("250 taken"))
            }
            "QUIT" => say("221 bye"),
            _ => say("250 ok"),
        };
        session.commands.push(line);
        if said.is_err() || verb == "QUIT" {
            break;
        }
    }
    session
}

/// The mail with its body decoded.
fn plain(mail: &str) -> String {
    let Some((head, body)) = mail.split_once("\n\n") else { return mail.to_owned() };
    let body = if head.contains("Content-Transfer-Encoding: base64") {
        let bytes = STANDARD.decode(body.replace('\n', "")).expect("base64");
        String::from_utf8(bytes).expect("Unicode")
    } else {
        body.replace("=\n", "").replace("=20", " ").replace("=3D", "=")
    };
    format!("{head}\n\n{body}")
}
