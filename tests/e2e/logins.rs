//! The login as a person meets it: what is pasted, who comes back to this PC, what goes wrong.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use casedrop::simulator::AccountSpec;

use super::world::{ACCOUNT, Ended, LAB, World};

/// Asserts that a command ended in this way and said all of this.
#[track_caller]
fn assert_says(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not in {ended:?}");
    }
}

fn not_logged_in() -> World {
    let account = AccountSpec::new(ACCOUNT, "Smile Dental Lab", "client", "s3cret-of-client");
    World::unpaired(vec![(LAB.to_owned(), account)], "")
}

/// Moves the place where the browser comes back to this PC.
fn redirect_to(world: &World, url: &str) {
    let yaml = world.yaml().replace("https://lab0.example/callback", url);
    std::fs::write(world.config(), yaml).expect("config");
}

/// Asks a listener on this PC as a browser does; gives its whole answer.
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
        ("http://[no-url?x=", "no URL"),
    ] {
        let ended = world.log_in_pasting(LAB, |_| pasted.to_owned());
        assert_says(&ended, 4, &[said]);
    }
    assert_eq!(world.align().state().requests("token"), 0);
    let ended = world.log_in_pasting(LAB, |_| "a-code-of-nobody".to_owned());
    assert_says(&ended, 4, &["casedrop login smile-lab"]);
    assert!(!ended.stderr.contains("a-code-of"), "{ended:?}");
    // Where the browser ended up in the login before this one.
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
    // The login that worked is still there.
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
