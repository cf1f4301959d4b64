//! The program against a third-party OAuth 2 server: oidc-provider, with PKCE required, rotating
//! refresh tokens, its own login pages, and revocation. `.ci/oidc.sh test` installs and names it.

mod browser;
mod server;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use browser::{Answer, Browser};
use server::Server;

const LAB: &str = "smile-lab";
const SECRET: &str = "s3cret-of-client";
/// Longer than anything that a test waits for takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// A PC with a lab, and the server that it logs in to.
struct World {
    dir: tempfile::TempDir,
    server: Server,
    redirect: String,
}

/// Where the browser returns to.
#[derive(Clone, Copy, PartialEq)]
enum Return {
    ToThisPc,
    Elsewhere,
}

impl World {
    /// `seconds` is the lifetime of access tokens.
    fn new(back: Return, seconds: u64) -> Self {
        let redirect = match back {
            Return::ToThisPc => format!("http://127.0.0.1:{}/callback", free_port()),
            Return::Elsewhere => "https://lab.example/casedrop".to_owned(),
        };
        let server = Server::start(&redirect, seconds);
        let dir = tempfile::tempdir().expect("tempdir");
        let quoted = |name: &str| serde_json::to_string(&dir.path().join(name)).expect("Unicode");
        let config = format!(
            "output: {}\nstate: {}\nsecrets: file\nstatus_page: {{ listen: null }}\n\
             polling: {{ interval: 100ms }}\nretention: {{ min_free: 1MB }}\n\
             api:\n  paths: {{ authorize: '/auth?scope=openid', token: /token, refreshToken: /token, \
             revokeToken: /token/revocation }}\n\
             labs:\n  - name: {LAB}\n    oauth_base: {base}\n    base_url: {base}\n    \
             client_id: casedrop-test\n    client_secret: {SECRET}\n    redirect_url: {redirect}\n",
            quoted("orders"),
            quoted("state"),
            base = server.base(),
        );
        std::fs::write(dir.path().join("casedrop.yaml"), config).expect("written");
        Self { dir, server, redirect }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_casedrop"));
        command.args(args).arg("--config").arg(self.dir.path().join("casedrop.yaml"));
        command.env_remove("CASEDROP_CONFIG").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn casedrop(&self, args: &[&str]) -> Output {
        self.command(args).output().expect("the program starts")
    }

    fn good(&self, args: &[&str]) -> String {
        let output = self.casedrop(args);
        assert_ends(&output, 0);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs one pass that polls: the polling interval is short, but not zero.
    fn sync(&self) -> Output {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.casedrop(&["sync"]);
            if !told(&output).contains("not polled") || Instant::now() > deadline {
                return output;
            }
        }
    }

    /// Logs in; `person` does what the user would do in the browser.
    fn log_in(&self, person: impl FnOnce(&mut Browser, &str) -> String) -> Output {
        let mut command = self.command(&["login", LAB, "--no-browser"]);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let Some(url) = lines.next() else {
            panic!("no URL: {}", told(&child.wait_with_output().expect("it ends")));
        };
        let url = url.expect("readable");
        let back = person(&mut Browser::new(&self.redirect), &url);
        if self.redirect.starts_with("http://127.0.0.1") {
            let answer = browser::get(&back);
            assert!(answer.body.contains("You can close this window"), "{}", answer.body);
        } else {
            // The program may have exited; its output then says why.
            let stdin = child.stdin.as_mut().expect("piped");
            let _ = writeln!(stdin, "{back}");
        }
        child.wait_with_output().expect("it ends")
    }

    fn logged_in_and_paired(&self) {
        assert_ends(&self.log_in(Browser::log_in), 0);
        self.good(&["pair", LAB]);
    }

    fn login_file(&self) -> PathBuf {
        self.dir.path().join("state/secrets/smile-lab.json")
    }

    fn token(&self, kind: &str) -> String {
        let bytes = std::fs::read(self.login_file()).expect("a login");
        let login: Value = serde_json::from_slice(&bytes).expect("JSON");
        login[kind].as_str().expect("a token").to_owned()
    }

    /// Returns the server's answer to a refresh by someone else with the token and the client's
    /// secret.
    fn refresh_elsewhere(&self, token: &str) -> Answer {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.server.post("/token", &form)
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[track_caller]
fn assert_ends(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", told(output));
}

#[test]
fn the_browser_comes_back_to_this_pc_and_the_lab_works() {
    let world = World::new(Return::ToThisPc, 3600);
    assert_ends(&world.log_in(Browser::log_in), 0);
    assert!(world.good(&["accounts", LAB]).contains("4711"));
    world.good(&["pair", LAB]);
    assert_ends(&world.sync(), 0);
}

#[test]
fn the_address_that_the_browser_shows_is_pasted() {
    let world = World::new(Return::Elsewhere, 3600);
    assert_ends(&world.log_in(Browser::log_in), 0);
    world.good(&["accounts", LAB]);
    // The same address again belongs to a login that is over.
    let mut first = String::new();
    let output = world.log_in(|browser, url| {
        first = browser.log_in(url);
        first.clone()
    });
    assert_ends(&output, 0);
    let output = world.log_in(|_, _| first);
    assert_ends(&output, 4);
    assert!(told(&output).contains("another login"), "{}", told(&output));
}

#[test]
fn whoever_cancels_at_the_server_is_told_so_and_an_older_login_stays() {
    let world = World::new(Return::Elsewhere, 3600);
    world.logged_in_and_paired();
    let output = world.log_in(Browser::cancel);
    assert_ends(&output, 4);
    assert!(told(&output).contains("access_denied"), "{}", told(&output));
    assert_ends(&world.sync(), 0);
}

#[test]
fn a_code_is_good_once_and_only_for_whoever_began_the_login() {
    let world = World::new(Return::Elsewhere, 3600);
    let mut used = String::new();
    let output = world.log_in(|browser, url| {
        let back = browser.log_in(url);
        used =
            back.split_once("code=").expect("a code").1.split('&').next().expect("it").to_owned();
        back
    });
    assert_ends(&output, 0);
    // A bare code carries no state, so here the server must see that it is not this login's.
    let output = world.log_in(|_, _| used.clone());
    assert_ends(&output, 4);
    let told = told(&output);
    assert!(told.contains("invalid_grant") && told.contains("casedrop login"), "{told}");
    assert!(!told.contains(&used), "{told}");
}

#[test]
fn refresh_tokens_rotate_and_one_that_was_stolen_ends_the_login_visibly() {
    let world = World::new(Return::ToThisPc, 2);
    world.logged_in_and_paired();
    let first = world.token("refresh_token");
    let deadline = Instant::now() + PATIENCE;
    while world.token("refresh_token") == first {
        assert!(Instant::now() < deadline, "no refresh");
        assert_ends(&world.sync(), 0);
    }
    // Someone uses the old token: the server takes it for stolen and ends the whole login.
    let answer = world.refresh_elsewhere(&first);
    assert!(answer.status == 400 && answer.body.contains("invalid_grant"), "{}", answer.body);
    let output = world.sync();
    assert_ends(&output, 4);
    assert!(told(&output).contains("casedrop login smile-lab"), "{}", told(&output));
}

#[test]
fn a_login_that_was_revoked_is_noticed_at_once_and_a_new_one_goes_on_with_the_same_account() {
    let world = World::new(Return::ToThisPc, 3600);
    world.logged_in_and_paired();
    assert_ends(&world.sync(), 0);
    let token = world.token("refresh_token");
    assert_eq!(world.server.post("/token/revocation", &[("token", &token)]).status, 200);
    let output = world.sync();
    assert_ends(&output, 4);
    assert!(told(&output).contains("casedrop login smile-lab"), "{}", told(&output));
    let output = world.log_in(Browser::log_in);
    assert_ends(&output, 0);
    assert!(told(&output).contains("paired with account 4711 as before"), "{}", told(&output));
    assert_ends(&world.sync(), 0);
}

#[test]
fn logging_out_ends_the_login_at_the_server_too() {
    let world = World::new(Return::ToThisPc, 3600);
    world.logged_in_and_paired();
    let token = world.token("refresh_token");
    world.good(&["logout", LAB]);
    assert!(!world.login_file().exists());
    let answer = world.refresh_elsewhere(&token);
    assert!(answer.status == 400 && answer.body.contains("invalid_grant"), "{}", answer.body);
    assert_ends(&world.casedrop(&["accounts", LAB]), 4);
}

#[test]
fn a_wrong_client_secret_is_told_as_such() {
    let world = World::new(Return::Elsewhere, 3600);
    let file = world.dir.path().join("casedrop.yaml");
    let config = std::fs::read_to_string(&file).expect("a config").replace(SECRET, "another");
    std::fs::write(&file, config).expect("written");
    let output = world.log_in(Browser::log_in);
    assert_ends(&output, 4);
    let told = told(&output);
    assert!(told.contains("invalid_client") && told.contains("client_id"), "{told}");
}
