//! The password.

use base64::Engine as _;

use super::*;

const NETWORK: &str = "203.0.113.7";

fn basic(target: &str, user: &str, password: &str) -> Ask {
    let pair = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
    get_of(target).header("authorization", &format!("Basic {pair}"))
}

#[tokio::test]
async fn without_a_password_nobody_is_asked() {
    let page = Page::new(&open());
    assert!(!page.gate.asks_password());
    for target in ["/", "/metrics", "/health", "/health/live"] {
        assert_eq!(page.send(get_of(target)).await.status, 200, "{target}");
    }
}

#[tokio::test]
async fn with_a_password_strangers_see_the_sign_in_and_nothing_else() {
    let page = Page::new(&locked());
    assert!(page.gate.asks_password());
    for target in ["/login", "/assets/a.js", "/health/live"] {
        assert_eq!(page.send(get_of(target)).await.status, 200, "{target}");
    }
    for target in
        ["/", "/events", "/metrics", "/health", "/health/ready", "/nowhere", "/login/", "/assets"]
    {
        let answer = page.send(get_of(target)).await;
        assert_eq!(answer.status, 401, "{target}");
        assert!(!answer.text.contains("metrics") && answer.cookie().is_none());
        let asks = answer.header("www-authenticate").starts_with("Basic ");
        assert_eq!(asks, target == "/metrics" || target.starts_with("/health"), "{target}");
    }
    // Even with a token: a session alone is not a sign-in.
    let session = page.session("/login").await;
    assert_eq!(page.send(session.act()).await.status, 401);
    assert_eq!(page.acted(), 0);
}

#[tokio::test]
async fn a_page_leads_to_the_sign_in_and_back() {
    let page = Page::new(&locked());
    let navigate = |target: &str| get_of(target).header("sec-fetch-mode", "navigate");
    for (target, to) in [
        ("/", "/login"),
        ("/orders", "/login?to=%2Forders"),
        ("/orders?search=a%20b&page=2", "/login?to=%2Forders%3Fsearch%3Da%2520b%26page%3D2"),
        ("//evil.example/", "/login"),
        ("/a\"b", "/login?to=%2Fa%22b"),
    ] {
        let answer = page.send(navigate(target)).await;
        assert_eq!((answer.status, answer.header("location")), (303, to), "{target}");
    }
    let old = get_of("/orders").header("accept", "text/html,*/*;q=0.8");
    assert_eq!(page.send(old).await.status, 303, "a browser that tells less");
    let script = get_of("/orders").header("accept", "text/html").header("sec-fetch-mode", "cors");
    assert_eq!(page.send(script).await.status, 401);
    let sent = form("/act", "name=a").header("sec-fetch-mode", "navigate");
    assert_eq!(page.send(sent).await.header("location"), "/login", "a form is not sent again");
    let session = page.session("/login").await;
    for (to, expected) in [("%2Forders%3Fa%3D1", "/orders?a=1"), ("%2F%2Fevil.example", "/")] {
        let body = format!("csrf={}&password=correct+horse&to={to}", session.token);
        let ask = form("/login", &body).header("cookie", &session.cookie);
        let answer = page.send(ask).await;
        if answer.status == 303 {
            assert_eq!(answer.header("location"), expected);
        } else {
            assert_eq!(answer.status, 403, "the former session ended with the sign-in");
        }
    }
}

#[tokio::test]
async fn who_signs_in_gets_another_session_and_who_signs_out_loses_it() {
    let page = Page::new(&locked());
    let planted = page.session("/login").await;
    let answer = page.send(planted.login(PASSWORD)).await;
    let cookie = answer.cookie().expect("a new session");
    assert_ne!(cookie, planted.cookie);
    let get = |cookie: &str| get_of("/").header("cookie", cookie);
    assert_eq!(page.send(get(&planted.cookie)).await.status, 401, "who planted it is not in");
    assert_eq!(page.send(planted.login(PASSWORD)).await.status, 403, "nor is it good for a form");
    let inside = page.send(get(&cookie)).await;
    assert_eq!(inside.status, 200);
    let session = Session { cookie: cookie.clone(), token: inside.text };
    assert_eq!(page.send(session.act()).await.status, 200);
    let out = page.send(form("/logout", "").header("cookie", &cookie)).await;
    let gone = "casedrop_session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0";
    assert_eq!(out.header("set-cookie"), gone);
    assert_eq!(page.send(get(&cookie)).await.status, 401);
    assert_eq!(page.send(session.act()).await.status, 401);
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let page = Page::new(&locked());
    let session = page.signed_in().await;
    let get = || get_of("/").header("cookie", &session.cookie);
    for _ in 0..5 {
        page.pass(Duration::from_hours(11));
        assert_eq!(page.send(get()).await.status, 200, "in use");
    }
    page.pass(Duration::from_hours(12));
    assert_eq!(page.send(get()).await.status, 401, "nobody used it");
    let session = page.signed_in().await;
    let mut hours = 0;
    while page.send(get_of("/").header("cookie", &session.cookie)).await.status == 200 {
        page.pass(Duration::from_hours(6));
        hours += 6;
        assert!(hours <= 7 * 24, "it never ends");
    }
    assert_eq!(hours, 7 * 24);
}

#[tokio::test]
async fn wrong_passwords_are_slowed_down_and_the_right_one_waits_too() {
    let page = Page::new(&locked());
    let session = page.session("/login").await;
    let guess = |password: &str, from| session.login(password).from(from);
    for _ in 0..4 {
        let answer = page.send(guess("wrong", NETWORK)).await;
        assert_eq!((answer.status, answer.text.as_str()), (403, "wait 0"));
        assert!(answer.cookie().is_none());
    }
    assert_eq!(page.send(guess("wrong", NETWORK)).await.text, "wait 1");
    let early = page.send(guess(PASSWORD, NETWORK)).await;
    assert_eq!((early.status, early.text.as_str()), (403, "wait 1"), "nothing is learned so");
    page.pass(Duration::from_secs(1));
    assert_eq!(page.send(guess("wrong", NETWORK)).await.text, "wait 2");
    for _ in 0..30 {
        page.send(guess("wrong", NETWORK)).await;
    }
    assert_eq!(page.send(guess("wrong", NETWORK)).await.text, "wait 2", "waiting is no failure");
    page.pass(Duration::from_secs(2));
    assert_eq!(page.send(guess(PASSWORD, NETWORK)).await.status, 303);
    let other = page.session("/login").await;
    let answer = page.send(other.login("wrong").from(NETWORK)).await;
    assert_eq!(answer.text, "wait 0", "it begins anew");
}

#[tokio::test]
async fn tries_at_the_same_time_are_no_way_around() {
    let page = Page::new(&locked());
    let session = page.session("/login").await;
    let mut asks: Vec<_> = (0..17).map(|_| session.login("wrong").from(NETWORK)).collect();
    asks.push(session.login(PASSWORD).from(NETWORK));
    let answers = futures_util::future::join_all(asks.into_iter().map(|ask| page.send(ask))).await;
    assert!(answers.iter().all(|answer| answer.status == 403));
}

#[tokio::test]
async fn a_monitor_shows_the_password_with_each_question() {
    let page = Page::new(&locked());
    for target in ["/metrics", "/health", "/health/ready"] {
        for user in ["prometheus", "", "ä"] {
            let answer = page.send(basic(target, user, PASSWORD)).await;
            assert_eq!(answer.status, 200, "{target} {user}");
            assert!(answer.cookie().is_none());
        }
        assert_eq!(page.send(basic(target, "admin", "wrong")).await.status, 401);
    }
    for target in ["/", "/act", "/events", "/metricsx"] {
        assert_eq!(page.send(basic(target, "", PASSWORD)).await.status, 401, "{target}");
    }
    for value in ["Basic", "Basic ", "Basic %%%", "Basic Y29ycmVjdCBob3JzZQ==", "Bearer x"] {
        let ask = get_of("/metrics").header("authorization", value);
        assert_eq!(page.send(ask).await.status, 401, "{value}");
    }
}

#[tokio::test]
async fn a_monitor_with_an_old_password_is_slowed_down_and_nobody_else() {
    let page = Page::new(&locked());
    let mut answers = Vec::new();
    for _ in 0..20 {
        answers.push(page.send(basic("/metrics", "", "old").from(NETWORK)).await);
        page.pass(Duration::from_secs(15));
    }
    let slowed: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(slowed.len() > 8, "{}", slowed.len());
    assert!(slowed[0].header("retry-after").parse::<u64>().expect("seconds") > 0);
    let early = page.send(basic("/metrics", "", PASSWORD).from(NETWORK)).await;
    assert_eq!(early.status, 429, "nothing is learned so");
    let session = page.session("/login").await;
    assert_eq!(page.send(session.login(PASSWORD).from(NETWORK)).await.status, 303);
}

#[tokio::test]
async fn what_was_right_once_is_not_worked_out_again() {
    // This hash takes long enough that a thousand of them would be noticed.
    let hash = crate::password::hash(PASSWORD).expect("hashed").parse().expect("a hash");
    let page = Page::new(&Settings { password_hash: Some(hash), ..open() });
    for _ in 0..1000 {
        assert_eq!(page.send(basic("/metrics", "", PASSWORD)).await.status, 200);
    }
    assert_eq!(page.send(basic("/metrics", "", "wrong")).await.status, 401);
    assert_eq!(page.send(basic("/metrics", "", "")).await.status, 401);
}
