use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use casedrop::align::{AlignClient, LoginRequest};
use casedrop::disk::RealDisk;
use casedrop::model::cancel::Cancel;
use casedrop::model::fault::{Fault, FaultClass};
use casedrop::secrets::FileSecrets;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::fixture::{Lab, TOKEN, lab_name};
use crate::server::{Call, Reply};

fn align(call: &Call) -> Option<Reply> {
    (call.path == TOKEN && call.form("code").as_deref() == Some("code-1")).then(|| {
        Reply::json(&json!({ "access_token": "new", "refresh_token": "r", "expires_in": 3600 }))
    })
}

fn query(request: &LoginRequest) -> BTreeMap<String, String> {
    request.url().query_pairs().into_owned().collect()
}

fn state(request: &LoginRequest) -> String {
    query(request).remove("state").expect("a state")
}

/// RFC 7636, section 4.2.
fn s256(verifier: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits: Vec<u8> = Sha256::digest(verifier.as_bytes())
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
        .collect();
    let sextet = |six: &[u8]| (0..6).fold(0, |n, at| n << 1 | six.get(at).copied().unwrap_or(0));
    bits.chunks(6).map(|six| char::from(ALPHABET[usize::from(sextet(six))])).collect()
}

#[test]
fn the_code_becomes_tokens_and_the_verifier_matches_the_challenge() {
    let lab = Lab::new(align);
    let request = lab.client.begin_login().expect("a request");
    let sent = query(&request);
    assert_eq!(request.url().path(), "/authorize");
    assert_eq!(sent["response_type"], "code");
    assert_eq!(sent["client_id"], "client-1");
    assert_eq!(sent["redirect_uri"], "https://lab.example/return");
    assert_eq!(sent["code_challenge_method"], "S256");
    assert!(request.listen(&lab.client).expect("nothing to bind").is_none());
    let pasted = format!("https://lab.example/return?code=code-1&state={}\n", sent["state"]);
    let code = request.code_from_input(&pasted).expect("a code");
    lab.client.finish_login(&request, &code, &Cancel::new()).expect("logged in");
    let call = &lab.server.calls_to(TOKEN)[0];
    assert_eq!(call.form("grant_type").as_deref(), Some("authorization_code"));
    assert_eq!(call.form("redirect_uri").as_deref(), Some("https://lab.example/return"));
    assert_eq!(s256(&call.form("code_verifier").expect("sent")), sent["code_challenge"]);
    assert_eq!(lab.stored_access(), "new");
    assert!(lab.client.paired().expect("logged in").is_none());
}

#[test]
fn what_a_person_pastes_is_checked() {
    let lab = Lab::new(align);
    let request = lab.client.begin_login().expect("a request");
    let state = state(&request);
    let code = |text: &str| request.code_from_input(text).map(|c| c.expose_secret().to_owned());
    assert_eq!(code(" code-1 \n").expect("a bare code"), "code-1");
    assert_eq!(code(&format!("?code=code-1&state={state}")).expect("a query"), "code-1");
    assert_eq!(code("").expect_err("nothing").code, "login-input");
    let fault = code("https://lab.example/return?code=c&state=other").expect_err("another login");
    assert_eq!(fault.code, "wrong-state");
    let denied = format!("https://lab.example/return?error=access_denied&state={state}");
    let fault = code(&denied).expect_err("denied");
    assert_eq!((fault.class, fault.code), (FaultClass::Auth, "login-refused"));
    assert!(fault.message.contains("access_denied"), "{fault}");
    let fault = code(&format!("https://lab.example/return?state={state}")).expect_err("no code");
    assert_eq!(fault.code, "login-input");
}

#[test]
fn a_code_that_align_refuses_says_what_to_do() {
    let lab = Lab::new(align);
    let request = lab.client.begin_login().expect("a request");
    let fault = lab.client.finish_login(&request, &"stale".into(), &Cancel::new());
    let fault = fault.expect_err("refused");
    assert_eq!((fault.class, fault.code), (FaultClass::Auth, "login-needed"));
    assert!(fault.hint.as_deref().expect("a hint").contains("too old"));
    assert!(!fault.chain().contains("stale"));
    assert_eq!(lab.stored_access(), "access-0");
    assert!(lab.store.load(&lab_name()).expect("load").is_some());
}

#[test]
fn a_new_login_replaces_one_that_cannot_be_read() {
    let dir = tempfile::tempdir().expect("tempdir");
    let lab = Lab::with(Arc::new(FileSecrets::new(Arc::new(RealDisk), dir.path())), align);
    std::fs::write(dir.path().join("secrets/smile-lab.json"), "half a fi").expect("damaged");
    assert_eq!(lab.client.paired().expect_err("damaged").code, "login-unreadable");
    let request = lab.client.begin_login().expect("a request");
    lab.client.finish_login(&request, &"code-1".into(), &Cancel::new()).expect("logged in");
    assert_eq!(lab.stored_access(), "new");
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound").port()
}

fn listening(lab: &Lab, port: u16) -> AlignClient {
    lab.another_with(|settings| {
        settings.redirect_url = format!("http://127.0.0.1:{port}/back").parse().expect("a URL");
    })
}

fn browse(port: u16, target: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    write!(stream, "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        .expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

/// Waits for the browser, which opens these pages one after the other.
fn wait(pages: &[&str], patience: Duration) -> (Result<SecretString, Fault>, Vec<String>) {
    let lab = Lab::new(align);
    let port = free_port();
    let client = listening(&lab, port);
    let request = client.begin_login().expect("a request");
    let loopback = request.listen(&client).expect("bound").expect("loopback");
    let state = state(&request);
    std::thread::scope(|scope| {
        let browser = scope.spawn(move || {
            pages.iter().map(|page| browse(port, &page.replace("STATE", &state))).collect()
        });
        let code = loopback.wait(&request, &client, patience, &Cancel::new());
        (code, browser.join().expect("the browser"))
    })
}

const LONG: Duration = Duration::from_mins(1);

#[test]
fn the_browser_brings_the_code_back_and_strays_do_not_disturb() {
    let pages = ["/favicon.ico", "/back?code=evil&state=guessed", "/back?code=code-1&state=STATE"];
    let (code, answers) = wait(&pages, LONG);
    assert_eq!(code.expect("a code").expose_secret(), "code-1");
    assert!(answers[0].starts_with("HTTP/1.1 404"), "{}", answers[0]);
    assert!(answers[1].starts_with("HTTP/1.1 400"), "{}", answers[1]);
    assert!(!answers[1].contains("evil"));
    assert!(answers[2].starts_with("HTTP/1.1 200"), "{}", answers[2]);
    assert!(answers[2].contains("You can close this window"), "{}", answers[2]);
}

#[test]
fn a_refused_login_ends_the_wait() {
    let (code, _) = wait(&["/back?error=access_denied&state=STATE"], LONG);
    assert_eq!(code.expect_err("refused").code, "login-refused");
}

#[test]
fn nobody_waits_for_ever() {
    let (code, _) = wait(&[], Duration::from_millis(50));
    let fault = code.expect_err("nobody came");
    assert_eq!((fault.class, fault.code), (FaultClass::Auth, "login-timeout"));
}

#[test]
fn a_silent_connection_does_not_hold_the_login_up() {
    let lab = Lab::new(align);
    let port = free_port();
    let client = listening(&lab, port);
    let request = client.begin_login().expect("a request");
    let loopback = request.listen(&client).expect("bound").expect("loopback");
    let page = format!("/back?code=code-1&state={}", state(&request));
    let _silent = TcpStream::connect(("127.0.0.1", port)).expect("connected");
    std::thread::scope(|scope| {
        scope.spawn(move || browse(port, &page));
        let code = loopback.wait(&request, &client, LONG, &Cancel::new()).expect("a code");
        assert_eq!(code.expose_secret(), "code-1");
    });
}

#[test]
fn a_busy_port_is_named() {
    let busy = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = busy.local_addr().expect("bound").port();
    let lab = Lab::new(align);
    let client = listening(&lab, port);
    let request = client.begin_login().expect("a request");
    let fault = request.listen(&client).err().expect("busy");
    assert_eq!((fault.class, fault.code), (FaultClass::Local, "login-port"));
    assert!(fault.message.contains(&port.to_string()), "{fault}");
}
