use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use casedrop::cli::account::{self, AccountsArgs, LoginArgs, LogoutArgs, PairArgs, UnpairArgs};
use casedrop::cli::loading;
use casedrop::cli::{CliError, Exit, Streams};
use casedrop::config::{
    Config, Downloads, History, LabConfig, Log, Names, Polling, Retention, SecretsIn, Updates,
    WhenMissing,
};
use serde_json::{Value, json};

use crate::server::{Reply, Server};

/// Align with two accounts.
fn align() -> Server {
    Server::start(|call| match call.path.as_str() {
        "/oauth/token" | "/api/third-party/v1/pair" => Reply::json(&json!({
            "access_token": "a", "refresh_token": "r", "expires_in": 3600
        })),
        "/api/third-party/v1/accounts" => {
            Reply::json(&json!([{ "accountId": 4711, "name": "Smile" }, { "accountId": 4712 }]))
        }
        "/oauth/revoke" | "/api/third-party/v1/unpair" => Reply::status(200),
        _ => Reply::status(404),
    })
}

fn config(server: &Server, state: &Path) -> Config {
    let lab = LabConfig {
        holds: false,
        name: "smile-lab".parse().expect("valid"),
        oauth_base: server.url("/").parse().expect("a URL"),
        base_url: server.url("/").parse().expect("a URL"),
        client_id: "client-1".to_owned(),
        client_secret: Some("hush".into()),
        redirect_url: "https://lab.example/return".parse().expect("a URL"),
        account: None,
    };
    let minute = Duration::from_mins(1);
    Config {
        output: state.join("out"),
        staging: state.join("staging"),
        commands: None,
        state: state.to_path_buf(),
        secrets: SecretsIn::File,
        names: Names::Vendor,
        when_missing: WhenMissing::Leave,
        labs: vec![lab],
        polling: Polling { interval: minute, ..Polling::default() },
        notifications: None,
        downloads: Downloads {
            concurrency: 1,
            retry_404: vec![minute],
            stall_timeout: minute,
            min_rate: 0,
            extras_wait: minute,
            ..Downloads::default()
        },
        formats: BTreeMap::new(),
        history: History { keep: None },
        retention: Retention { keep: None, min_free: 0 },
        status_page: None,
        updates: Updates::default(),
        log: Log::default(),
        allowed_hosts: Vec::new(),
        api_paths: BTreeMap::new(),
        ca_file: None,
        proxy: casedrop::config::ProxyConfig::default(),
        keys: casedrop::config::KeyHashes::default(),
        effective: casedrop::config::Effective::default(),
        alerts: casedrop::config::Alerts::default(),
        notices: casedrop::config::Notices::default(),
    }
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("written").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a command with this input; returns its result, output and messages.
fn run(
    json: bool,
    input: &str,
    command: impl FnOnce(&mut Streams) -> Result<Exit, CliError>,
) -> (Result<Exit, CliError>, String, String) {
    let (out, err) = (Written::default(), Written::default());
    let mut streams = Streams {
        out: Box::new(out.clone()),
        err: Box::new(err.clone()),
        input: Box::new(Cursor::new(input.to_owned())),
        json,
        terminal: false,
    };
    let result = command(&mut streams);
    let text = |written: &Written| {
        String::from_utf8(written.0.lock().expect("written").clone()).expect("text")
    };
    (result, text(&out), text(&err))
}

fn lab() -> String {
    "Smile-Lab".to_owned()
}

fn log_in(config: &Config) {
    let args = LoginArgs { lab: lab(), no_browser: true };
    let (result, ..) = run(false, "code-1\n", |streams| account::login(config, &args, streams));
    assert_eq!(result.expect("logged in"), Exit::Ok);
}

fn pair(config: &Config, account: Option<&str>) -> (Result<Exit, CliError>, String, String) {
    let account = account.map(|id| id.parse().expect("valid"));
    let args = PairArgs { lab: lab(), account };
    run(true, "", |streams| account::pair(config, &args, streams))
}

fn accounts(config: &Config) -> (Result<Exit, CliError>, String, String) {
    let args = AccountsArgs { lab: lab() };
    run(true, "", |streams| account::accounts(config, &args, streams))
}

#[test]
fn login_without_a_browser_prints_the_url_alone_and_says_what_comes_next() {
    let (server, dir) = (align(), tempfile::tempdir().expect("tempdir"));
    let config = config(&server, dir.path());
    let args = LoginArgs { lab: lab(), no_browser: true };
    let (result, out, err) =
        run(false, "code-1\n", |streams| account::login(&config, &args, streams));
    assert_eq!(result.expect("logged in"), Exit::Ok);
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.starts_with(&server.url("/authorize?")), "{out}");
    assert!(err.contains("casedrop pair smile-lab"), "{err}");
}

#[test]
fn commands_without_a_login_ask_for_one() {
    let (server, dir) = (align(), tempfile::tempdir().expect("tempdir"));
    let (result, ..) = accounts(&config(&server, dir.path()));
    let error = result.expect_err("no login");
    assert_eq!(error.exit, Exit::LoginNeeded);
    assert!(error.hint.expect("a hint").contains("casedrop login smile-lab"));
}

#[test]
fn pairing_needs_a_choice_where_there_is_one() {
    let (server, dir) = (align(), tempfile::tempdir().expect("tempdir"));
    let mut config = config(&server, dir.path());
    log_in(&config);
    let error = pair(&config, None).0.expect_err("two accounts");
    let hint = error.hint.expect("a hint");
    assert!(hint.contains("4711") && hint.contains("4712"), "{hint}");
    let error = pair(&config, Some("9")).0.expect_err("no such account");
    assert!(error.message.contains("no account 9"), "{error}");
    assert!(server.calls_to("/api/third-party/v1/pair").is_empty());
    config.labs[0].account = Some("4711".parse().expect("valid"));
    assert_eq!(pair(&config, None).0.expect("paired"), Exit::Ok);
    let (_, out, _) = accounts(&config);
    let listed: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(listed["accounts"][0]["paired"], true);
    assert_eq!(listed["accounts"][1]["paired"], false);
}

#[test]
fn un_pairing_without_the_right_confirmation_does_nothing() {
    let (server, dir) = (align(), tempfile::tempdir().expect("tempdir"));
    let config = config(&server, dir.path());
    log_in(&config);
    pair(&config, Some("4711")).0.expect("paired");
    let before = server.calls().len();
    let unpair = |confirm: Option<&str>| {
        let confirm = confirm.map(|id| id.parse().expect("valid"));
        let args = UnpairArgs { lab: lab(), account: "4711".parse().expect("valid"), confirm };
        run(false, "", |streams| account::unpair(&config, &args, streams)).0
    };
    for confirm in [None, Some("4712")] {
        let error = unpair(confirm).expect_err("not confirmed");
        assert_eq!(error.exit, Exit::Usage);
        assert!(error.message.contains("every user of that account"), "{error}");
        assert!(error.hint.expect("a hint").contains("--confirm 4711"));
    }
    assert_eq!(server.calls().len(), before);
    assert_eq!(unpair(Some("4711")).expect("un-paired"), Exit::Ok);
    assert_eq!(server.calls_to("/api/third-party/v1/unpair").len(), 1);
}

#[test]
fn logging_out_ends_the_login() {
    let (server, dir) = (align(), tempfile::tempdir().expect("tempdir"));
    let config = config(&server, dir.path());
    log_in(&config);
    let args = LogoutArgs { lab: lab() };
    let (result, out, _) = run(true, "", |streams| account::logout(&config, &args, streams));
    assert_eq!(result.expect("logged out"), Exit::Ok);
    let told: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(told["revoked"], true);
    assert_eq!(accounts(&config).0.expect_err("no login").exit, Exit::LoginNeeded);
}

#[test]
fn an_unknown_lab_is_answered_with_the_nearest() {
    let (server, dir) = (align(), tempfile::tempdir().expect("tempdir"));
    let config = config(&server, dir.path());
    let error = loading::find_lab(&config, "smile-lap").expect_err("unknown");
    assert_eq!(error.exit, Exit::Usage);
    assert!(error.hint.expect("a hint").contains("did you mean smile-lab?"));
    let error = loading::find_lab(&config, "zzz").expect_err("unknown");
    assert!(error.hint.expect("a hint").contains("smile-lab"));
}
