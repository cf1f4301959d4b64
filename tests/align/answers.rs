//! What an answer means for the login, for the single resource, or for neither.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use casedrop::model::cancel::Cancel;
use casedrop::model::fault::{Fault, FaultClass, WRONG_CONTENT};
use casedrop::model::remote::{AssetBody, Remote};
use serde_json::json;

use crate::fixture::{ASSET, DISCOVERY, Lab, ORDERS, TOKEN, ide};
use crate::server::{End, Reply, Server};

const ZIP: &[u8] = b"PK\x03\x04 and so on";

fn lab(reply: impl Fn() -> Reply + Send + Sync + 'static) -> Lab {
    Lab::new(move |call| (![DISCOVERY, TOKEN].contains(&call.path.as_str())).then(&reply))
}

fn rest(mut body: Box<dyn AssetBody>) -> Result<Vec<u8>, Fault> {
    let mut all = Vec::new();
    while let Some(chunk) = body.next_chunk(&Cancel::new())? {
        all.extend_from_slice(&chunk);
    }
    Ok(all)
}

fn fetch(lab: &Lab) -> Result<Vec<u8>, Fault> {
    rest(lab.client.download(&ide(), &Cancel::new())?)
}

/// The faults of a download, an order by its Rx, a return, and the list.
fn faults(lab: &Lab) -> [Option<Fault>; 4] {
    let cancel = Cancel::new();
    let order = "17".parse().expect("valid");
    [
        fetch(lab).err(),
        lab.client.order_by_rx(&"RX9".parse().expect("valid"), &cancel).err(),
        lab.client.return_to_doctor(&order, "margin", &cancel).err(),
        lab.client.ready_orders(&cancel).err(),
    ]
}

fn page(status: u16, title: &str) -> Reply {
    let html = format!("<!doctype html><html><head><title>{title}</title></head><p>Jane Doe</p>");
    Reply::bytes(html).with_status(status).header("Content-Type", "text/html; charset=utf-8")
}

#[test]
fn every_status_has_its_class_code_and_way_out() {
    use FaultClass::{Auth, NotConverted, Permanent, Refused, Transient};

    for status in (201..=207).chain(300..=308).chain(400..=599) {
        let lab = lab(move || Reply::status(status).header("Retry-After", 7));
        let [download, by_rx, returned, list] = faults(&lab);

        let download = download.expect("no status but 200 brings the files");
        let class = match status {
            202 | 204 | 404 => NotConverted,
            ..400 | 407 | 408 | 425 | 429 | 500.. => Transient,
            _ => Refused,
        };
        assert_eq!(download.class, class, "{status}: {download}");
        let code = match status {
            202 | 204 | 404 => "not-converted",
            ..400 => WRONG_CONTENT,
            _ => download.code,
        };
        assert_eq!(download.code, code, "{status}");
        assert_eq!(download.code.starts_with("http-"), status >= 400 && status != 404);
        assert!(download.message.contains("files of order 17"), "{download}");

        // An unreadable success is tested with the single calls.
        let by_rx = by_rx.expect("there is no order in it");
        let class = match status {
            404 => Permanent,
            ..400 | 407 | 408 | 425 | 429 | 500.. => Transient,
            _ => Refused,
        };
        assert_eq!(by_rx.class, class, "{status}: {by_rx}");
        assert!(by_rx.message.contains("Rx RX9"), "{by_rx}");

        if status >= 300 {
            let returned = returned.expect("not returned");
            let class = match status {
                ..400 | 407 | 408 | 425 | 429 | 500.. => Transient,
                _ => Refused,
            };
            assert_eq!(returned.class, class, "{status}: {returned}");
            assert!(returned.message.contains("order 17"), "{returned}");

            let list = list.expect("no list");
            let class = match status {
                ..=399 | 407 | 408 | 425 | 429 | 500.. => Transient,
                401 | 403 => Auth,
                _ => Permanent,
            };
            assert_eq!(list.class, class, "{status}: {list}");
        } else {
            assert!(
                returned.is_none() && list.is_none(),
                "{status} is a success with nothing in it"
            );
        }

        assert!(download.retry_after.is_some(), "{status}");
        assert_eq!(by_rx.retry_after.is_some(), status >= 300, "{status}");
        for fault in [&download, &by_rx] {
            let text = format!("{fault} {}", fault.hint.as_deref().unwrap_or_default());
            assert!(!text.contains("login needed") && !text.contains("casedrop "), "{text}");
            assert!(!text.contains(" ide "), "{text}");
            if fault.class == Refused {
                let host = lab.server.host();
                assert_eq!(fault.host.as_deref(), Some(host.as_str()), "{status}");
                assert!(fault.message.contains(&host), "{fault}");
                assert!(fault.hint.is_some(), "{status}: {fault}");
            }
        }
    }
}

#[test]
fn a_refused_resource_names_order_and_host_and_where_to_look() {
    for status in [401, 403] {
        let lab = Lab::new(move |call| (call.path == ASSET).then(|| Reply::status(status)));
        let fault = fetch(&lab).expect_err("refused");
        assert_eq!(fault.class, FaultClass::Refused);
        let words = format!("cannot download the files of order 17: {} refuses", lab.server.host());
        assert!(fault.message.starts_with(&words), "{fault}");
        assert!(fault.message.contains(&status.to_string()), "{fault}");
        assert!(fault.hint.as_deref().expect("a hint").contains("myitero.com"), "{fault:?}");
        lab.client.ready_orders(&Cancel::new()).expect("the login is good");
    }
}

#[test]
fn the_login_is_renewed_once_for_all_resources_that_are_refused() {
    let lab = Lab::new(|call| call.path.contains("/orders/17/").then(|| Reply::status(401)));
    let poisoned = || assert_eq!(fetch(&lab).expect_err("refused").class, FaultClass::Refused);
    for _ in 0..200 {
        poisoned();
    }
    assert_eq!(lab.refreshes(), 1, "the first one may mean the token; the others do not");
    assert_eq!(lab.server.calls_to(ASSET).len(), 201, "asked again once, with the new token");

    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(poisoned);
        }
    });
    assert_eq!(lab.refreshes(), 1);

    lab.pass(Duration::from_mins(11));
    poisoned();
    poisoned();
    assert_eq!(lab.refreshes(), 2, "the token may have been revoked since");
}

#[test]
fn a_token_that_was_revoked_is_renewed_for_a_download() {
    let lab = Lab::new(|call| {
        (call.path == ASSET && call.bearer() != Some("access-0")).then(|| Reply::bytes(ZIP))
    });
    lab.tokens.revoke_access();
    assert_eq!(fetch(&lab).expect("with the new token"), ZIP);
    assert_eq!(lab.refreshes(), 1);
}

#[test]
fn a_page_in_place_of_the_files_is_told_at_once() {
    for (kind, body, came) in [
        (
            "text/html",
            "<html><title>Service unavailable</title>",
            "a web page (text/html, \"Service unavailable\")",
        ),
        ("text/html", "<html><title>Chart of Jane Doe</title>", "a web page (text/html)"),
        (
            "application/zip",
            "\n<!DOCTYPE html><title>Log in</title>",
            "a web page (application/zip, \"Log in\")",
        ),
        ("text/plain", "Jane Doe", "a text (text/plain)"),
        ("application/json", r#"{"patient": "Jane Doe"}"#, "JSON (application/json)"),
        ("application/zip", "", "an empty body"),
    ] {
        let lab = lab(move || Reply::bytes(body).header("Content-Type", kind));
        // Refused before any byte of it counts as the package.
        let fault = lab.client.download(&ide(), &Cancel::new()).err().expect(came);
        assert_eq!((fault.class, fault.code), (FaultClass::Transient, WRONG_CONTENT), "{came}");
        let host = lab.server.host();
        let text = format!(
            "cannot download the files of order 17: {host} answered with {came} in place of the files"
        );
        assert_eq!(fault.to_string(), text);
        assert_eq!(fault.host.as_deref(), Some(host.as_str()));
        assert!(fault.hint.as_deref().expect("a hint").contains("a proxy may have answered"));
        assert!(!fault.chain().contains("Doe"), "{}", fault.chain());
    }
}

#[test]
fn a_page_without_an_end_is_read_for_its_first_words_only() {
    let mut html = b"<html><title>Bad gateway</title>".to_vec();
    html.resize(16 * 1024 * 1024, b' ');
    let lab =
        lab(move || Reply::bytes(html.clone()).header("Content-Type", "text/html").end(End::Stall));
    let fault = fetch(&lab).expect_err("a page");
    assert!(fault.message.contains("\"Bad gateway\""), "{fault}");
}

#[test]
fn a_page_that_comes_with_a_status_is_told_and_changes_no_class() {
    let answers = |status| faults(&lab(move || page(status, "502 Bad Gateway")));
    for (status, plain) in [404, 403, 500, 503, 429]
        .map(|status| (status, faults(&lab(move || Reply::status(status)))))
    {
        for (fault, plain) in answers(status).into_iter().zip(plain) {
            let (fault, plain) = (fault.expect("a fault"), plain.expect("a fault"));
            assert_eq!((fault.class, fault.code), (plain.class, plain.code), "{fault}");
            let came = "with a web page (text/html, \"502 Bad Gateway\")";
            assert!(fault.message.contains(came), "{fault}");
            assert!(fault.message.contains(&status.to_string()), "{fault}");
            assert!(!fault.chain().contains("Doe"), "{}", fault.chain());
            let hint = fault.hint.expect("a hint");
            assert!(hint.contains("a proxy may have answered"), "{hint}");
        }
    }
}

#[test]
fn a_return_that_a_proxy_answered_is_not_taken_for_done() {
    let [_, _, returned, _] = faults(&lab(|| page(200, "Log in")));
    let fault = returned.expect("nobody returned it");
    assert_eq!((fault.class, fault.code), (FaultClass::Transient, WRONG_CONTENT), "{fault}");
}

#[test]
fn a_wait_that_the_server_asks_for_is_obeyed_in_both_forms_and_for_a_day_at_most() {
    let day = Duration::from_hours(24);
    for (asked, wait) in [
        ("3", Some(Duration::from_secs(3))),
        ("0", Some(Duration::ZERO)),
        ("86401", Some(day)),
        ("99999999999999999999999999", Some(day)),
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(Duration::ZERO)),
        ("Thu, 31 Dec 2099 23:59:59 GMT", Some(day)),
        ("-3", None),
        ("soon", None),
        ("", None),
    ] {
        for status in [429, 503, 404, 403] {
            let lab = lab(move || Reply::status(status).header("Retry-After", asked));
            assert_eq!(fetch(&lab).expect_err("fails").retry_after, wait, "{status} {asked}");
        }
    }
}

#[test]
fn json_with_one_url_is_followed_without_the_token() {
    let storage = Server::start(|_| Reply::bytes(ZIP).header("ETag", "\"v1\""));
    let target = storage.url("/signed/17.zip?signature=s");
    let lab = Lab::new(move |call| {
        (call.path == ASSET).then(|| Reply::json(&json!({ "url": target, "seconds": 60 })))
    });
    let body = lab.client.download(&ide(), &Cancel::new()).expect("a body");
    assert_eq!(body.info().hosts, [lab.server.host(), storage.host()]);
    assert_eq!(body.info().etag.as_deref(), Some("\"v1\""));
    assert_eq!(rest(body).expect("bytes"), ZIP);
    let call = &storage.calls()[0];
    assert_eq!((call.path.as_str(), call.query.as_str()), ("/signed/17.zip", "signature=s"));
    assert_eq!(call.header("authorization"), None);
}

#[test]
fn a_link_is_taken_where_a_redirect_would_be_and_nowhere_else() {
    for target in ["http://storage.example/17.zip", "http://storage.example:8080/x"] {
        let lab = lab(move || Reply::json(&json!({ "url": target })));
        let fault = fetch(&lab).expect_err("not by TLS");
        assert_eq!((fault.class, fault.code), (FaultClass::Transient, "bad-redirect"), "{fault}");
    }
    // An address in an answer is followed only once.
    let hops = AtomicUsize::new(0);
    let circle = Lab::new(move |call| {
        let host = call.header("host").expect("sent").to_owned();
        let hop = hops.fetch_add(1, Ordering::SeqCst);
        call.path.contains("/1").then(|| Reply::json(&json!(format!("http://{host}/1/{hop}"))))
    });
    let fault = fetch(&circle).expect_err("no file anywhere");
    assert_eq!(fault.code, WRONG_CONTENT, "{fault}");
}

#[test]
fn json_with_no_url_or_several_is_no_download() {
    for (body, why) in [
        (json!({ "status": "ok", "patient": "Jane Doe" }), "no address"),
        (json!(["https://a.example/1", "https://b.example/2"]), "no single address"),
    ] {
        let lab = lab(move || Reply::json(&body));
        let fault = fetch(&lab).expect_err("no file");
        assert_eq!((fault.class, fault.code), (FaultClass::Transient, WRONG_CONTENT));
        assert!(fault.chain().contains(why), "{}", fault.chain());
        assert!(!fault.chain().contains("Doe") && !fault.chain().contains("a.example"));
    }
    let endless = vec![b' '; 1024 * 1024];
    let lab = lab(move || {
        let body = [b"[".as_slice(), &endless].concat();
        Reply::bytes(body).header("Content-Type", "application/json")
    });
    assert_eq!(fetch(&lab).expect_err("too long").code, "answer-too-long");
}

#[test]
fn a_linked_download_goes_on_where_it_broke_off() {
    let storage = Server::start(|call| {
        assert_eq!(call.header("range"), Some("bytes=4-"));
        Reply::bytes(&ZIP[4..])
            .with_status(206)
            .header("Content-Range", format!("bytes 4-{}/{}", ZIP.len() - 1, ZIP.len()))
            .header("ETag", "\"v1\"")
    });
    let target = storage.url("/17.zip");
    let lab = lab(move || Reply::json(&json!({ "url": target })));
    let mut request = ide();
    let etag = "\"v1\"".to_owned();
    request.resume = Some(casedrop::model::asset::Resume { offset: 4, etag });
    let body = lab.client.download(&request, &Cancel::new()).expect("a body");
    assert_eq!(body.info().offset, 4);
    assert_eq!(rest(body).expect("bytes"), &ZIP[4..]);
}

#[test]
fn the_list_tells_of_the_login_and_a_resource_does_not() {
    let lab = Lab::new(|call| {
        let refuse = call.path == ORDERS || call.path == ASSET;
        refuse.then(|| Reply::status(401))
    });
    assert_eq!(fetch(&lab).expect_err("refused").class, FaultClass::Refused);
    let list = lab.client.ready_orders(&Cancel::new()).expect_err("refused");
    assert_eq!((list.class, list.code), (FaultClass::Auth, "http-401"));
}
