//! Logging in as users experience it: what they paste, who comes back to this PC, what goes wrong.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use std::time::{Duration, Instant};

use casedrop::simulator::{AccountSpec, CaseKind};

use super::command_folder::Commands;
use super::world::{ACCOUNT, Ended, LAB, World, client, follow, order, wait_for};

/// Asserts that a command ended with this code and printed all of this.
#[track_caller]
fn assert_says(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not in {ended:?}");
    }
}

fn not_logged_in() -> World {
    not_logged_in_with("")
}

fn not_logged_in_with(more: &str) -> World {
    let account = AccountSpec::new(ACCOUNT, "Smile Dental Lab", "client", "s3cret-of-client");
    World::unpaired(vec![(LAB.to_owned(), account)], more)
}

/// Revokes the login at Align, as its support would.
fn revoke(world: &World) {
    let file = world.state().join("secrets/smile-lab.json");
    let login: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file).expect("a login")).expect("JSON");
    for kind in ["refresh_token", "access_token"] {
        let form = [
            ("client_id", "client"),
            ("client_secret", "s3cret-of-client"),
            ("token", login[kind].as_str().expect("a token")),
        ];
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let url = format!("{}/oauth/revoke", world.oauth_base().trim_end_matches('/'));
        let answer = runtime.expect("runtime").block_on(client().post(url).form(&form).send());
        assert!(answer.expect("answered").status().is_success());
    }
}

/// Sets the redirect URL at which the browser comes back to this PC.
fn redirect_to(world: &World, url: &str) {
    let yaml = world.yaml().replace("https://lab0.example/callback", url);
    std::fs::write(world.config(), yaml).expect("config");
}

/// Calls a listener on this PC as a browser does; returns the whole answer.
fn browse(url: &str) -> String {
    let url: url::Url = url.parse().expect("a URL");
    let mut stream =
        TcpStream::connect(("127.0.0.1", url.port().expect("a port"))).expect("somebody listens");
    let target = &url[url::Position::BeforePath..];
    write!(stream, "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

#[test]
fn what_is_pasted_is_checked_before_anybody_is_asked() {
    let world = not_logged_in();
    for (pasted, said) in [
        ("https://lab0.example/callback?code=abc&state=of-another-login", "another login"),
        ("https://lab0.example/callback?code=abc", "another login"),
        ("http://[no-url?x=", "not a URL"),
    ] {
        let ended = world.log_in_pasting(LAB, |_| pasted.to_owned());
        assert_says(&ended, 4, &[said]);
    }
    assert_eq!(world.align().state().requests("token"), 0);
    let ended = world.log_in_pasting(LAB, |_| "a-code-of-nobody".to_owned());
    assert_says(&ended, 4, &["casedrop login smile-lab"]);
    assert!(!ended.stderr.contains("a-code-of"), "{ended:?}");
    // The address at which the browser ended in the previous login.
    let old = std::cell::RefCell::new(String::new());
    world.log_in_pasting(LAB, |back| {
        *old.borrow_mut() = back;
        String::new()
    });
    assert_says(&world.log_in_pasting(LAB, |_| old.take()), 4, &["another login"]);
    assert_eq!(world.align().state().counters.logins, 0);
    world.log_in_and_pair(LAB);
}

#[test]
fn a_login_that_comes_back_to_this_pc_waits_for_the_right_browser() {
    let world = not_logged_in();
    let here = format!("http://127.0.0.1:{}/callback", free_port());
    redirect_to(&world, &here);
    let ended = world.log_in_pasting(LAB, |back| {
        let stranger = browse(&format!("{here}?code=stolen&state=guessed"));
        assert!(stranger.starts_with("HTTP/1.1 400"), "{stranger}");
        assert!(browse(&format!("{here}/elsewhere")).starts_with("HTTP/1.1 404"));
        let welcome = browse(&back);
        assert!(welcome.starts_with("HTTP/1.1 200") && welcome.contains("Logged in"), "{welcome}");
        String::new()
    });
    assert_says(&ended, 0, &["casedrop pair smile-lab"]);
    world.good(&["pair", LAB]);
    world.align().update_settings(|settings| settings.deny_login = true);
    let ended = world.log_in_pasting(LAB, |back| {
        assert!(browse(&back).contains("Not logged in"));
        String::new()
    });
    assert_says(&ended, 4, &["access_denied", "allow the access"]);
    // The login that worked is still valid.
    world.good(&["accounts", LAB]);
}

#[test]
fn a_port_that_another_program_holds_is_named() {
    let world = not_logged_in();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("bound").port();
    redirect_to(&world, &format!("http://127.0.0.1:{port}/callback"));
    let ended = world.casedrop(&["login", LAB, "--no-browser"]);
    assert_says(&ended, 1, &[&port.to_string(), "another program"]);
    assert_eq!(ended.stdout, "", "there is no use in a URL");
}

#[test]
fn a_command_file_begins_a_login_and_a_second_one_ends_it() {
    let world = not_logged_in_with("commands: commands\n");
    let commands = Commands::of(&world);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    commands.put("pair.txt", "");
    let receipt = commands.wait_for("failed/pair.txt");
    assert_eq!(receipt["outcome"], "login-needed", "{receipt:#}");
    let url = receipt["details"]["login_url"].as_str().expect("a URL").to_owned();
    let back = follow(&url);
    let content = serde_json::json!({ "command": "pair", "lab": LAB, "code": back });
    commands.put("code.json", content.to_string());
    let receipt = commands.wait_for("done/code.json");
    assert_eq!(receipt["outcome"], "done", "{receipt:#}");
    world.wait_for_revision(&id, 1);
    let code = back.split_once("code=").expect("a code").1.split('&').next().expect("it");
    let kept = std::fs::read_to_string(world.dir().join("commands/done/code.json")).expect("kept");
    assert!(!kept.contains(code), "{kept}");
    assert!(!agent.kill().contains(code));
}

#[test]
fn the_browser_ends_a_login_that_a_command_file_began_and_a_command_may_take_its_place() {
    let world = not_logged_in_with("commands: commands\n");
    redirect_to(&world, &format!("http://127.0.0.1:{}/callback", free_port()));
    let commands = Commands::of(&world);
    let agent = world.run();
    commands.put("pair.txt", "");
    let receipt = commands.wait_for("failed/pair.txt");
    assert_eq!(receipt["details"]["finishes_by_itself"], true, "{receipt:#}");
    let url = receipt["details"]["login_url"].as_str().expect("a URL").to_owned();
    // The agent listens at the redirect URL, but yields it to a login command.
    let back = follow(&url);
    wait_for("the agent to listen", || {
        let url: url::Url = back.parse().expect("a URL");
        TcpStream::connect(("127.0.0.1", url.port().expect("a port"))).ok()
    });
    let ended = world.log_in_pasting(LAB, |back| {
        assert!(browse(&back).contains("Logged in"));
        String::new()
    });
    assert_says(&ended, 0, &["logged in"]);
    // A login that is begun again finishes in the browser.
    world.good(&["logout", LAB]);
    commands.put("pair again.txt", "");
    commands.put("pair.yaml", "command: pair\n");
    let receipt = commands.wait_for("failed/pair.yaml");
    let url = receipt["details"]["login_url"].as_str().expect("a URL").to_owned();
    let back = follow(&url);
    wait_for("the agent to listen", || {
        let url: url::Url = back.parse().expect("a URL");
        TcpStream::connect(("127.0.0.1", url.port().expect("a port"))).ok()
    });
    assert!(browse(&back).contains("Logged in"));
    wait_for("the pairing", || {
        let accounts = world.casedrop(&["accounts", LAB, "--json"]);
        accounts
            .stdout
            .contains("\"paired\": true")
            .then_some(())
            .or_else(|| accounts.stdout.contains("\"paired\":true").then_some(()))
    });
    agent.kill();
}

#[test]
fn a_login_that_was_revoked_is_told_everywhere_and_after_a_new_one_the_work_goes_on_by_itself() {
    let world = World::new();
    let first = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&first, 1);
    revoke(&world);
    let second = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let status = wait_for("the status to say so", || {
        let ended = world.casedrop(&["status", "--json"]);
        (ended.code == Some(4)).then_some(ended.stdout)
    });
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    assert_eq!(status["labs"][0]["state"], "login-needed", "{status:#}");
    assert!(status.to_string().contains("casedrop login smile-lab"), "{status:#}");
    for args in [&["orders"][..], &["show", &first]] {
        assert_says(&world.casedrop(args), 0, &["casedrop login smile-lab"]);
    }
    let refused = world.align().state().requests("refreshToken");
    world.casedrop(&["refetch", &first]);
    // No restart, no pairing, nothing but the login.
    let began = Instant::now();
    let ended = world.log_in_as_is(LAB);
    assert_says(&ended, 0, &["paired with account 4711 as before"]);
    world.wait_for_revision(&second, 1);
    wait_for("the order that was asked for", || {
        (world.align().state().asset(&first, "IDE").started >= 2).then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(refused <= 2, "a refused token is not offered again and again: {refused}");
    world.good(&["show", &first]);
    let log = agent.kill();
    let told = log.lines().filter(|line| line.contains("ERROR") && line.contains("login")).count();
    assert!((1..=3).contains(&told), "{log}");
}

/// Asserts what every command now says about the lab.
#[track_caller]
fn assert_known(world: &World, state: &str, code: i32) {
    let ended = world.casedrop(&["status", "--json"]);
    assert_eq!(ended.code, Some(code), "{ended:?}");
    let status: serde_json::Value = serde_json::from_str(&ended.stdout).expect("JSON");
    assert_eq!(status["labs"][0]["state"], state, "{status:#}");
    let poll = world.casedrop(&["poll"]);
    assert_eq!(poll.code, Some(code), "{poll:?}");
    let orders = world.casedrop(&["orders"]);
    for text in [&ended.stdout, &poll.stderr, &orders.stderr] {
        let tells = text.contains("not logged in") || text.contains("casedrop login");
        assert_eq!(tells, state == "login-needed", "{text}");
        let tells = text.contains("not paired") || text.contains("casedrop pair");
        assert_eq!(tells, state == "not-paired", "{text}");
    }
}

#[test]
fn who_logged_in_and_paired_is_known_at_once_without_an_agent() {
    let world = not_logged_in();
    // Starting the agent once too early leaves a complaint in the journal.
    let agent = world.run();
    wait_for("the agent to miss the login", || {
        let orders = world.casedrop(&["orders"]);
        orders.stderr.contains("not logged in").then_some(())
    });
    agent.kill();
    assert_known(&world, "login-needed", 4);
    world.log_in(LAB);
    assert_known(&world, "not-paired", 4);
    world.good(&["pair", LAB]);
    assert_known(&world, "waiting", 0);
    world.good(&["unpair", LAB, ACCOUNT, "--confirm", ACCOUNT]);
    assert_known(&world, "not-paired", 4);
    world.good(&["logout", LAB]);
    assert_known(&world, "login-needed", 4);
}

#[test]
fn who_logged_in_and_paired_is_known_at_once_beside_an_agent() {
    let world = not_logged_in();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    // `orders` shows it only once the agent has created its journal.
    wait_for("the agent to miss the login", || {
        let orders = world.casedrop(&["orders"]);
        orders.stderr.contains("not logged in").then_some(())
    });
    assert_known(&world, "login-needed", 4);
    world.log_in(LAB);
    assert_known(&world, "not-paired", 4);
    world.good(&["pair", LAB]);
    world.good(&["status"]);
    world.good(&["poll"]);
    world.wait_for_revision(&id, 1);
    agent.kill();
}

#[test]
fn one_pass_without_a_login_ends_with_its_own_code() {
    let world = World::new();
    revoke(&world);
    let ended = world.sync();
    assert_says(&ended, 4, &["casedrop login smile-lab"]);
    world.log_in(LAB);
    assert_says(&world.sync(), 0, &[]);
}

#[cfg(windows)]
#[test]
fn logins_are_sealed_with_the_key_of_this_pc() {
    let world = World::with_config("secrets: vault\n");
    let secrets = world.state().join("secrets");
    assert!(secrets.join("key.dpapi").is_file());
    let login = std::fs::read_to_string(secrets.join("smile-lab.json")).expect("a login");
    assert!(login.contains(r#""vault":"dpapi""#) && !login.contains("access_token"), "{login}");
    assert_says(&world.sync(), 0, &[]);
    world.good(&["logout", LAB]);
    assert!(!secrets.join("key.dpapi").exists());
}
