//! Other names, other sites, other frames: none of them gets anywhere.

use super::*;

async fn status(page: &Page, ask: Ask) -> u16 {
    page.send(ask).await.status
}

#[tokio::test]
async fn the_page_answers_under_its_own_names_only() {
    let page = Page::new(&open());
    let of = |host: &str| get_of("/").header("host", host);
    for host in [
        "127.0.0.1:8780",
        "127.0.0.1",
        "127.0.0.2:1",
        "[::1]",
        "[::1]:8780",
        "[::ffff:127.0.0.1]",
        "localhost",
        "LOCALHOST.:8780",
        "Casedrop.Lab.Example:8780",
        "casedrop.lab.example.",
    ] {
        assert_eq!(status(&page, of(host)).await, 200, "{host}");
    }
    for host in [
        "evil.example",
        "evil.example:8780",
        "127.0.0.1.evil.example",
        "127.0.0.1.evil.example:8780",
        "localhost.evil.example",
        "evil.casedrop.lab.example",
        "0x7f.1",
        "2130706433",
        "127.1:8780",
        "0.0.0.0:8780",
        "[::]:8780",
        "192.168.1.5:8780",
        "[::ffff:192.168.1.5]",
        "[fe80::1]",
    ] {
        let answer = page.send(of(host)).await;
        assert_eq!(answer.status, 421, "{host}");
        assert!(answer.text.contains("status_page.names"), "{}", answer.text);
        assert!(answer.cookie().is_none() && !answer.text.contains("evil"));
    }
    for host in ["", ":8780", "127.0.0.1@evil.example", "127.0.0.1:x", "a b", "[::1"] {
        assert_eq!(status(&page, of(host)).await, 400, "{host}");
    }
    let mut two = get_of("/");
    two.headers.push(("host", "localhost".to_owned()));
    assert_eq!(status(&page, two).await, 400);
    let mut none = get_of("/");
    none.headers.clear();
    assert_eq!(status(&page, none).await, 400);
    // A target in absolute form counts, and must not contradict the header.
    assert_eq!(status(&page, get_of("http://evil.example/")).await, 400);
    let both = get_of("http://evil.example/").header("host", "evil.example");
    assert_eq!(status(&page, both).await, 421);
    assert_eq!(status(&page, get_of("http://127.0.0.1:8780/")).await, 200);
}

#[tokio::test]
async fn on_the_network_addresses_count_and_this_pcs_own_name_does_not() {
    let page = Page::new(&settings("0.0.0.0:8780"));
    for (host, expected) in [
        ("192.168.1.5:8780", 200),
        ("[2001:db8::1]:8780", 200),
        ("casedrop.lab.example:8780", 200),
        ("localhost:8780", 421),
        ("evil.example", 421),
        ("192.168.1.5.evil.example", 421),
        ("0xC0A80105", 421),
    ] {
        assert_eq!(status(&page, get_of("/").header("host", host)).await, expected, "{host}");
    }
}

#[tokio::test]
async fn forms_of_other_sites_are_refused_whatever_they_know() {
    let page = Page::new(&open());
    let session = page.session("/").await;
    for origin in [
        "null",
        "",
        "https://evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:8781",
        "http://localhost:8780",
        "http://127.0.0.1:8780.evil.example",
        "http://evil@127.0.0.1:8780",
        "ftp://127.0.0.1:8780",
        "127.0.0.1:8780",
        "file://",
    ] {
        let answer = page.send(session.act().header("origin", origin)).await;
        assert_eq!(answer.status, 403, "{origin}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    for site in ["cross-site", "same-site", "", "same-origin, same-origin"] {
        assert_eq!(
            status(&page, session.act().header("sec-fetch-site", site)).await,
            403,
            "{site}"
        );
    }
    // Following a link from another site to a page is allowed; sending a form from another site is
    // not.
    let link = session.act().header("sec-fetch-site", "cross-site");
    let link = link.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document");
    assert_eq!(status(&page, link).await, 403);
    let asked = Ask { method: Method::OPTIONS, ..get_of("/act") };
    assert_eq!(status(&page, asked.header("origin", "https://evil.example")).await, 403);
    assert_eq!(page.acted(), 0);
    let own = [("origin", "http://127.0.0.1:8780"), ("sec-fetch-site", "same-origin")];
    let ask = own.iter().fold(session.act(), |ask, (name, value)| ask.header(name, value));
    assert_eq!(status(&page, ask).await, 200);
    assert_eq!(status(&page, session.act()).await, 200, "what says nothing of it has the token");
    // Behind a proxy with a certificate.
    let proxied = session.act().header("host", "casedrop.lab.example");
    let proxied = proxied.header("origin", "https://casedrop.lab.example");
    assert_eq!(status(&page, proxied).await, 200);
    assert_eq!(page.acted(), 3);
}

#[tokio::test]
async fn with_a_certificate_only_encrypted_origins_are_its_own() {
    let files = TlsFiles { certificate: "c".into(), key: "k".into() };
    let page = Page::new(&Settings { tls: Some(files), ..open() });
    let session = page.session("/").await;
    assert!(session.cookie.starts_with("__Host-casedrop_session="), "{}", session.cookie);
    for (origin, expected) in [
        ("https://127.0.0.1:8780", 200),
        ("http://127.0.0.1:8780", 403),
        ("https://127.0.0.1", 403),
    ] {
        assert_eq!(
            status(&page, session.act().header("origin", origin)).await,
            expected,
            "{origin}"
        );
    }
    let bare = session.act().header("host", "casedrop.lab.example");
    assert_eq!(status(&page, bare.header("origin", "https://casedrop.lab.example")).await, 200);
}

#[tokio::test]
async fn other_sites_may_link_to_a_page_and_not_look_into_it() {
    let page = Page::new(&open());
    let session = page.session("/").await;
    let from = |site: &str, mode: &str, dest: &str| {
        let ask = get_of("/events").header("cookie", &session.cookie);
        ask.header("sec-fetch-site", site)
            .header("sec-fetch-mode", mode)
            .header("sec-fetch-dest", dest)
    };
    for (site, mode, dest) in [
        ("cross-site", "no-cors", "image"),
        ("cross-site", "no-cors", "script"),
        ("cross-site", "cors", "empty"),
        ("same-site", "cors", "empty"),
        ("cross-site", "navigate", "iframe"),
        ("cross-site", "navigate", "embed"),
        ("cross-site", "navigate", ""),
        ("cross-site", "websocket", "document"),
    ] {
        assert_eq!(status(&page, from(site, mode, dest)).await, 403, "{site} {mode} {dest}");
    }
    let link = |ask: Ask| {
        let ask = ask.header("sec-fetch-site", "cross-site");
        ask.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document")
    };
    assert_eq!(status(&page, link(get_of("/health").header("cookie", &session.cookie))).await, 200);
    let evil = get_of("/").header("origin", "https://evil.example");
    assert_eq!(status(&page, evil).await, 403, "a read by a script, in an old browser");
}

#[tokio::test]
async fn a_link_from_elsewhere_costs_nobody_the_session() {
    let page = Page::new(&open());
    let link = |target: &str| {
        let ask = get_of(target).header("sec-fetch-site", "cross-site");
        ask.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document")
    };
    // The browser withholds the cookie, and sends it when the page redirects to itself.
    let answer = page.send(link("/a\"b?c=1&d=2")).await;
    assert_eq!((answer.status, answer.header("refresh")), (200, "0; url=/a\"b?c=1&d=2"));
    assert!(answer.cookie().is_none());
    assert!(answer.text.contains("/a&quot;b?c=1&amp;d=2\">"), "{}", answer.text);
    for target in ["//evil.example/", "/login", "/./%2e//evil.example"] {
        assert_eq!(page.send(link(target)).await.header("refresh"), "0; url=/", "{target}");
    }
}

#[tokio::test]
async fn every_answer_says_what_browsers_must_keep_to() {
    let page = Page::new(&locked());
    for ask in [
        get_of("/"),
        get_of("/login"),
        get_of("/nowhere"),
        get_of("/assets/a.js"),
        get_of("/assets/none"),
        get_of("/").header("host", "evil.example"),
        get_of("/").header("origin", "null"),
        form("/act", "").header("sec-fetch-mode", "navigate"),
    ] {
        let target = ask.target.clone();
        let answer = page.send(ask).await;
        let policy = answer.header("content-security-policy");
        for rule in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
            assert!(policy.contains(rule), "{target}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{target}: {name}");
        }
        let cached = if target == "/assets/a.js" { "max-age=60" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), cached, "{target}");
        assert!(!answer.headers.contains_key("strict-transport-security"));
    }
}
