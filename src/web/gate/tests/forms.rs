//! The tokens of forms, and the sessions behind them.

use super::*;

#[tokio::test]
async fn a_form_needs_the_token_of_its_own_session() {
    let page = Page::new(&open());
    let (ours, theirs) = (page.session("/").await, page.session("/").await);
    assert_ne!(ours.cookie, theirs.cookie);
    assert_eq!(page.send(ours.act()).await.text, "a");
    let mixed = Session { cookie: ours.cookie.clone(), token: theirs.token.clone() };
    let empty = Session { cookie: ours.cookie.clone(), token: String::new() };
    let long = Session { cookie: ours.cookie.clone(), token: format!("{}0", ours.token) };
    let upper = Session { cookie: ours.cookie.clone(), token: ours.token.to_uppercase() };
    for session in [mixed, empty, long, upper] {
        let answer = page.send(session.act()).await;
        assert_eq!((answer.status, answer.text.contains("has expired")), (403, true));
    }
    let none = form("/act", &format!("csrf={}&name=a", ours.token));
    assert_eq!(page.send(none).await.status, 403, "a token without its session");
    for body in ["name=a".to_owned(), format!("csrf={0}&csrf={0}&name=a", ours.token)] {
        let ask = form("/act", &body).header("cookie", &ours.cookie);
        assert_eq!(page.send(ask).await.status, 403, "{body}");
    }
    assert_eq!(page.acted(), 1);
}

#[tokio::test]
async fn a_form_is_sent_as_a_form() {
    let page = Page::new(&open());
    let session = page.session("/").await;
    let link = get_of(&format!("/act?csrf={}&name=a", session.token));
    assert_eq!(page.send(link.header("cookie", &session.cookie)).await.status, 405);
    for kind in ["text/plain", "application/json", "multipart/form-data"] {
        let answer = page.send(session.act().header("content-type", kind)).await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    let unknown = form("/act", &format!("csrf={}&name=a&more=Doe", session.token));
    let answer = page.send(unknown.header("cookie", &session.cookie)).await;
    assert_eq!(answer.status, 422);
    assert!(!answer.text.contains("Doe"));
    assert_eq!(page.acted(), 0);
    let umlaut = form("/act", &format!("name=J%C3%BCrgen+%26+co&csrf={}", session.token));
    assert_eq!(page.send(umlaut.header("cookie", &session.cookie)).await.text, "Jürgen & co");
}

#[tokio::test]
async fn bodies_are_bounded_whatever_a_route_does_with_them() {
    let page = Page::new(&open());
    let raw = |bytes: usize| form("/raw", &"x".repeat(bytes));
    assert_eq!(page.send(raw(64 * 1024)).await.text, "65536");
    assert_eq!(page.send(raw(64 * 1024 + 1)).await.status, 413);
}

#[tokio::test]
async fn a_session_is_kept_from_scripts_and_other_sites() {
    let page = Page::new(&open());
    let answer = page.send(get_of("/")).await;
    let cookie = answer.header("set-cookie");
    let id = cookie.strip_prefix("casedrop_session=").expect("named so");
    let (id, rest) = id.split_once(';').expect("attributes");
    assert_eq!((id.len(), rest), (64, " Path=/; HttpOnly; SameSite=Strict"));
    assert!(!answer.text.contains(id), "the token does not tell the id");
    let again = page.send(get_of("/").header("cookie", &answer.cookie().expect("a cookie"))).await;
    assert_eq!((again.cookie(), &again.text), (None, &answer.text));
    assert!(page.send(get_of("/health")).await.cookie().is_none(), "no form, no session");
}

#[tokio::test]
async fn a_session_that_was_made_up_is_nobodys() {
    let page = Page::new(&locked());
    let ours = page.signed_in().await;
    let made_up = format!("casedrop_session={}", "a".repeat(64));
    let answer = page.send(get_of("/login").header("cookie", &made_up)).await;
    assert_ne!(answer.cookie().expect("a new one"), made_up);
    // Of several cookies the one with a session counts; others may have put theirs in front.
    let several = format!("{made_up}; other=1; {}", ours.cookie);
    assert_eq!(page.send(get_of("/").header("cookie", &several)).await.status, 200);
    let many = format!("{}{}", format!("{made_up}; ").repeat(1000), ours.cookie);
    assert_eq!(page.send(get_of("/").header("cookie", &many)).await.status, 401, "bounded");
    for broken in ["casedrop_session", "casedrop_session=", "=;;=", "casedrop_sessionx=1"] {
        assert_eq!(page.send(get_of("/").header("cookie", broken)).await.status, 401, "{broken}");
    }
}

#[tokio::test]
async fn tokens_of_another_process_are_too_old() {
    let (before, after) = (Page::new(&open()), Page::new(&open()));
    let session = before.session("/").await;
    assert_eq!(before.send(session.act()).await.status, 200);
    assert_eq!(after.send(session.act()).await.status, 403);
}
