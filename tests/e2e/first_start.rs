//! A PC without a config, or with the example's placeholders: the page asks for what is missing.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use casedrop::simulator::CaseKind;

use super::page::Browser;
use super::tree;
use super::world::{LAB, World, follow, one_lab, order, wait_for};

const SECRET: &str = "s3cret-of-client";
/// Longer than anything that a test waits for takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// A program that says where its page is. Dropping it kills it.
struct Started {
    child: Child,
    lines: Receiver<String>,
    said: Vec<String>,
}

impl Started {
    fn of(mut command: Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let log = BufReader::new(child.stderr.take().expect("piped"));
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                // The test may have ended.
                drop(tell.send(line));
            }
        });
        Self { child, lines, said: Vec::new() }
    }

    /// The URL of the page, without a trailing slash, once it is served.
    fn page(&mut self) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("no page: {:?}", self.said));
            let url = line.split_whitespace().find(|word| word.starts_with("http://127.0.0.1:"));
            let url = url.map(|url| url.trim_matches(['/', ';', ',', '.']).to_owned());
            self.said.push(line);
            if let Some(url) = url {
                return url;
            }
        }
    }

    /// Kills it. Returns everything that it said.
    fn kill(mut self) -> String {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        self.said.extend(self.lines.iter());
        std::mem::take(&mut self.said).join("\n")
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}

/// A PC with an account at Align and no config.
fn new_pc() -> World {
    let world = World::unpaired(one_lab(), "");
    std::fs::remove_file(world.config()).expect("removed");
    world
}

/// `run`, with what tests change about the defaults.
fn run(world: &World, page: Option<u16>) -> Started {
    Started::of(command(world, page))
}

fn command(world: &World, page: Option<u16>) -> Command {
    let mut command = world.command(&["run"]);
    command
        .env("CASEDROP_STATE", world.state())
        .env("CASEDROP_SECRETS", "file")
        .env("CASEDROP_POLLING__INTERVAL", "150ms")
        .env("CASEDROP_RETENTION__MIN_FREE", "1MB");
    if let Some(port) = page {
        command.env("CASEDROP_STATUS_PAGE__LISTEN", format!("127.0.0.1:{port}"));
    }
    command
}

fn code(world: &World) -> String {
    let file = world.state().join("set-up-code.txt");
    std::fs::read_to_string(file).expect("a code").trim().to_owned()
}

/// The values as Align sends them, to be pasted at once.
fn letter(world: &World) -> String {
    format!(
        "oauthBase: {}\nbaseUrl: {}\nclient id: client\nclient secret: \"{SECRET}\",\nredirect URL: \
         https://lab0.example/callback\n",
        world.oauth_base(),
        world.base_url()
    )
}

fn fill(world: &World, browser: &mut Browser) -> (u16, String) {
    let (letter, output) = (letter(world), world.output());
    let output = output.to_str().expect("Unicode");
    browser.post("/welcome/fill", &[("paste", letter.as_str()), ("name", LAB), ("other", output)])
}

/// The files on this PC that contain a text.
fn files_with(world: &World, text: &str) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    tree::files(world.dir()).into_iter().filter(holds).collect()
}

#[test]
fn from_no_config_at_all_to_a_published_order_with_a_browser_alone() {
    let world = new_pc();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let mut agent = run(&world, Some(free_port()));
    let mut browser = Browser::at(agent.page());
    assert_eq!(browser.get("/").0, 303, "every page leads to the set-up");
    assert_eq!((browser.get("/health").0, browser.get("/health/live").0), (503, 200));
    let (status, page) = browser.get("/welcome");
    assert_eq!(status, 200);
    assert!(
        page.contains("id=\"set-up-code\"") && !page.contains("first-start\" method"),
        "{page}"
    );

    // Nobody without the code sees the form, checks a value or writes anything.
    assert_eq!(fill(&world, &mut browser).0, 403);
    assert_eq!(browser.post("/welcome/check", &[("client_id", "x")]).0, 403);
    assert_eq!(browser.post("/welcome/code", &[("code", "AAAA-AAAA")]).0, 403);
    assert_eq!(fill(&world, &mut browser).0, 403);
    assert!(!world.config().exists());
    let used = code(&world);
    assert_eq!(browser.post("/welcome/code", &[("code", &used)]).0, 303);
    let (_, page) = browser.get("/welcome");
    assert!(page.contains("name=\"oauth_base\"") && page.contains("type=\"password\""), "{page}");

    // Each value is checked, and a pasted letter taken apart.
    let evil =
        [("base_url", "https://evil.example"), ("client_id", " client "), ("paste", "secret: x")];
    let (status, json) = browser.post("/welcome/check", &evil);
    assert_eq!(status, 200, "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert!(json["fields"]["base_url"]["reason"].as_str().expect("why").contains("evil.example"));
    assert_eq!(json["fields"]["client_id"], serde_json::json!({}));
    assert_eq!(json["fields"]["oauth_base"]["missing"], true);
    assert_eq!(json["pasted"], serde_json::json!({ "client_secret": "x" }));
    let letter = letter(&world);
    let wrong = [("paste", letter.as_str()), ("name", "a/b"), ("other", "orders")];
    let (status, page) = browser.post("/welcome/fill", &wrong);
    assert_eq!(status, 422);
    assert!(page.contains("not a full path") && page.contains(&world.base_url()), "{page}");
    assert!(!page.contains(SECRET), "no page shows it");
    assert!(!world.config().exists() && files_with(&world, SECRET).is_empty());

    // The values are right; the secret was entered before.
    let (status, page) = fill(&world, &mut browser);
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("data-restart=\"/welcome\""), "{page}");
    let config = std::fs::read_to_string(world.config()).expect("written");
    assert!(config.contains("# --- Labs: ") && config.contains("\n#downloads:\n"), "{config}");
    let secret = world.state().join(format!("{LAB}.secret"));
    assert_eq!(files_with(&world, SECRET), std::slice::from_ref(&secret));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&secret).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    // The agent starts by itself, at the same place, and knows this browser.
    wait_for("the agent's page", || browser.sees("/welcome", "id=\"step-login\"").then_some(()));
    let (_, page) = browser.get("/welcome");
    assert!(!page.contains("id=\"set-up-code\""), "{page}");
    assert!(!page.contains("action=\"/welcome/folder\""), "the folder is chosen: {page}");
    let lab = format!("/labs/{}", LAB.replace('-', "%2D"));
    assert_eq!(browser.post(&format!("{lab}/login"), &[("id", "page-login")]).0, 303);
    let (_, page) = browser.get("/welcome");
    let link = page.split("href=\"").find(|link| link.starts_with("http")).expect("a link");
    let link = link.split('"').next().unwrap_or_default();
    let back = follow(&link.replace("&#38;", "&").replace("&amp;", "&"));
    let pair = [("id", "page-pair"), ("back", "/welcome"), ("code", &*back)];
    assert_eq!(browser.post(&format!("{lab}/pair"), &pair).0, 303);
    world.wait_for_revision(&id, 1);
    assert_eq!(browser.get("/").0, 200, "now the overview comes first");
    let said = agent.kill();
    assert!(said.contains("there is no config yet") && said.contains("set-up-code.txt"), "{said}");
    assert!(!said.contains(SECRET) && !said.contains(&used), "{said}");
    assert_eq!(files_with(&world, SECRET), [secret]);
}

#[test]
fn the_examples_placeholders_are_filled_in_also_if_the_port_of_the_page_is_taken() {
    let world = new_pc();
    world.good(&["setup"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = taken.local_addr().expect("its address").to_string();
    let text = std::fs::read_to_string(world.config()).expect("the example");
    let text = text.replace("\n#status_page:\n", "\nstatus_page:\n");
    let text = text.replace("  #listen: \"127.0.0.1:8780\"", &format!("  listen: {at} # mine"));
    assert!(text.contains("CHANGE-ME") && text.contains(&at), "{text}");
    std::fs::write(world.config(), text).expect("written");
    let mut agent = run(&world, None);
    let page = agent.page();
    assert!(!page.ends_with(&at), "{page}");
    let mut browser = Browser::at(page.clone());
    assert_eq!(browser.post("/welcome/code", &[("code", &code(&world))]).0, 303);
    let (status, answer) = fill(&world, &mut browser);
    assert_eq!(status, 200, "{answer}");
    let config = std::fs::read_to_string(world.config()).expect("written");
    let listen = page.trim_start_matches("http://");
    assert!(config.contains(&format!("  listen: '{listen}' # mine")), "{config}");
    assert!(!config.contains(SECRET), "{config}");
    wait_for("the agent's page", || browser.sees("/welcome", "id=\"step-login\"").then_some(()));
    let said = agent.kill();
    assert!(said.contains("still contains placeholders"), "{said}");
}

#[test]
fn an_invalid_config_is_an_error_at_the_command_line() {
    let world = new_pc();
    world.good(&["setup"]);
    let text = std::fs::read_to_string(world.config()).expect("the example");
    for wrong in [format!("{text}\npoling: {{}}\n"), "output: [\n".to_owned()] {
        std::fs::write(world.config(), wrong).expect("written");
        let ended = world.casedrop(&["run"]);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.stderr.contains("error: "), "{ended:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_config_that_may_not_be_written_is_told_and_stays() {
    use std::os::unix::fs::PermissionsExt as _;
    if rustix::process::geteuid().is_root() {
        return; // Root may write everywhere.
    }
    let world = new_pc();
    world.good(&["setup"]);
    let before = std::fs::read_to_string(world.config()).expect("the example");
    let read_only = std::fs::Permissions::from_mode(0o444);
    std::fs::set_permissions(world.config(), read_only).expect("set");
    let mut agent = run(&world, Some(free_port()));
    let mut browser = Browser::at(agent.page());
    assert!(browser.get("/welcome").1.contains("id=\"refused\""));
    assert_eq!(browser.post("/welcome/code", &[("code", &code(&world))]).0, 303);
    assert_eq!(fill(&world, &mut browser).0, 422);
    assert_eq!(std::fs::read_to_string(world.config()).expect("there"), before);
}

#[cfg(unix)]
#[test]
fn a_service_manager_sees_a_service_that_runs_while_the_page_waits() {
    let world = new_pc();
    let path = world.dir().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("bound");
    socket.set_read_timeout(Some(PATIENCE)).expect("set");
    let mut command = command(&world, Some(free_port()));
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "400000");
    let mut agent = Started::of(command);
    let mut heard = String::new();
    while !(heard.contains("READY=1") && heard.contains("WATCHDOG=1")) {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).expect("a message");
        heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
    let mut browser = Browser::at(agent.page());
    assert_eq!(browser.get("/welcome").0, 200);
    agent.kill();
}
