use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use casedrop::align::Memory;
use casedrop::disk::RealDisk;
use casedrop::model::cancel::Cancel;
use casedrop::model::fault::FaultClass;
use casedrop::model::remote::Remote;
use serde_json::{Value, json};

use crate::fixture::{DISCOVERY, HOUR, Lab, MINUTE, ORDERS};
use crate::server::{Reply, Server};

fn table(name: &str, domain: &str, path: &str) -> Reply {
    Reply::json(&json!({ "endpoints": [{ "name": name, "domain": domain, "path": path }] }))
}

fn regional() -> Server {
    Server::start(|_| Reply::json(&json!([{ "orderId": "from the region" }])))
}

fn asked(lab: &Lab) -> usize {
    lab.server.calls_to(DISCOVERY).len()
}

#[test]
fn discovered_urls_are_used_and_kept_for_a_day() {
    let region = regional();
    let domain = region.url("");
    let lab = Lab::new(move |call| {
        (call.path == DISCOVERY).then(|| table("GETORDERSFORLAB", &domain, "/eu/orders?kind=lab"))
    });
    for _ in 0..2 {
        let list = lab.client.ready_orders(&Cancel::new()).expect("orders");
        assert_eq!(list.orders[0].order_id.as_str(), "from the region");
    }
    assert_eq!(region.calls()[0].query, "kind=lab");
    assert_eq!(region.calls()[0].bearer(), Some("access-0"));
    assert_eq!(asked(&lab), 1);
    lab.pass(24 * HOUR);
    lab.client.ready_orders(&Cancel::new()).expect("orders");
    assert!(asked(&lab) > 1);
}

#[test]
fn without_discovery_the_known_paths_are_used_and_it_is_not_asked_each_time() {
    for status in [404, 500] {
        let lab = Lab::new(move |call| (call.path == DISCOVERY).then(|| Reply::status(status)));
        for _ in 0..3 {
            lab.client.ready_orders(&Cancel::new()).expect("orders");
        }
        assert_eq!((asked(&lab), lab.server.calls_to(ORDERS).len()), (1, 3));
    }
}

#[test]
fn paths_can_be_set_in_the_config() {
    let lab = Lab::new(|call| match call.path.as_str() {
        "/where" => Some(Reply::json(&json!([]))),
        "/mine" => Some(Reply::json(&json!([{ "orderId": 1 }]))),
        _ => None,
    });
    let client = lab.another_with(|settings| {
        settings.api_paths.insert("discovery".to_owned(), "/where".to_owned());
        settings.api_paths.insert("getOrdersForLab".to_owned(), "mine".to_owned());
    });
    client.ready_orders(&Cancel::new()).expect("orders");
    assert_eq!(lab.server.calls_to("/where").len(), 1);
}

#[test]
fn a_foreign_host_gets_no_call_and_the_known_path_is_used() {
    let foreign = || table("getOrdersForLab", "https://evil.example", "/o");
    let lab = Lab::new(move |call| (call.path == DISCOVERY).then(foreign));
    let list = lab.client.ready_orders(&Cancel::new()).expect("orders");
    assert_eq!(list.orders[0].order_id.as_str(), "17");
    // If the known path leads nowhere either, the foreign host is what needs attention.
    let lab = Lab::new(move |call| match call.path.as_str() {
        DISCOVERY => Some(foreign()),
        ORDERS => Some(Reply::status(404)),
        _ => None,
    });
    let fault = lab.client.ready_orders(&Cancel::new()).expect_err("foreign");
    assert_eq!((fault.class, fault.code), (FaultClass::Local, "host-not-allowed"));
    assert!(fault.message.contains("evil.example"), "{fault}");
    assert!(fault.hint.expect("a hint").contains("api.allowed_hosts"));
}

#[test]
fn an_answer_that_is_of_no_use_leaves_the_last_good_one_in_use_and_is_asked_for_again_soon() {
    let endpoint = |name: &str, domain: &str, path: &str| table(name, domain, path);
    let odd: [Reply; 11] = [
        Reply::json(&Value::Null),
        Reply::json(&json!([])),
        Reply::json(&json!({ "endpoints": [] })),
        Reply::json(&json!({ "endpoints": [7, { "name": "getOrdersForLab" }] })),
        endpoint("somethingElse", "https://eu.itero.cloud", "/o"),
        endpoint("getOrdersForLab", "https://evil.example", "/o"),
        endpoint("getOrdersForLab", "http://itero.cloud", "/o"),
        endpoint("getOrderByRxId", "https://eu.itero.cloud", "/no-room"),
        Reply::bytes("<!doctype html><title>Sign in to the hotel</title>"),
        Reply::bytes(r#"{"endpoints":[{"name":"getOrdersForLab","domain":"https://eu.it"#),
        Reply::status(500),
    ];
    for odd in odd {
        let region = regional();
        let (answer, domain) = (Arc::new(Mutex::new(None::<Reply>)), region.url(""));
        let given = Arc::clone(&answer);
        let lab = Lab::new(move |call| {
            let good = || table("getOrdersForLab", &domain, "/eu/orders");
            let given = given.lock().expect("answer").clone();
            (call.path == DISCOVERY).then(|| given.unwrap_or_else(good))
        });
        let orders = || {
            let list = lab.client.ready_orders(&Cancel::new()).expect("orders");
            assert_eq!(list.orders[0].order_id.as_str(), "from the region", "{odd:?}");
        };
        orders();
        lab.pass(24 * HOUR);
        *answer.lock().expect("answer") = Some(odd.clone());
        orders();
        orders();
        assert_eq!(asked(&lab), 2, "not with every call: {odd:?}");
        *answer.lock().expect("answer") = None;
        lab.pass(MINUTE);
        orders();
        assert_eq!(asked(&lab), 3, "soon again: {odd:?}");
    }
}

#[test]
fn a_restart_works_with_what_discovery_said_before() {
    let dir = tempfile::tempdir().expect("tempdir");
    let file = dir.path().join("discovery-smile-lab.json");
    let region = regional();
    let (fails, domain) = (Arc::new(AtomicUsize::new(0)), region.url(""));
    let failing = Arc::clone(&fails);
    let lab = Lab::new(move |call| {
        let good = || table("getOrdersForLab", &domain, "/eu/orders");
        let fails = failing.load(Ordering::SeqCst) > 0;
        (call.path == DISCOVERY).then(|| if fails { Reply::status(503) } else { good() })
    });
    let restarted = || {
        lab.another_with(|settings| {
            settings.memory = Some(Memory { disk: Arc::new(RealDisk), file: file.clone() });
        })
    };
    restarted().ready_orders(&Cancel::new()).expect("orders");
    let kept = std::fs::read_to_string(&file).expect("kept");
    assert!(!kept.contains("access-") && !kept.contains("hush"), "{kept}");
    fails.store(1, Ordering::SeqCst);
    let list = restarted().ready_orders(&Cancel::new()).expect("orders");
    assert_eq!(list.orders[0].order_id.as_str(), "from the region");
    // A file that is broken, or from another server, counts as missing.
    std::fs::write(&file, &kept.as_bytes()[..20]).expect("written");
    let list = restarted().ready_orders(&Cancel::new()).expect("orders");
    assert_eq!(list.orders[0].order_id.as_str(), "17");
    std::fs::write(&file, kept.replace("base_url\":\"http://", "base_url\":\"https://"))
        .expect("written");
    let list = restarted().ready_orders(&Cancel::new()).expect("orders");
    assert_eq!(list.orders[0].order_id.as_str(), "17");
}

/// A server where nothing works without discovery, which itself needs a live token.
fn guarded(live: &'static str) -> Lab {
    Lab::new(move |call| match call.path.as_str() {
        DISCOVERY if call.bearer() == Some(live) => {
            let host = call.header("host").expect("a host");
            Some(table("getOrdersForLab", &format!("http://{host}"), "/v3/list"))
        }
        DISCOVERY => Some(Reply::status(401)),
        "/v3/list" if call.bearer() == Some(live) => Some(Reply::json(&json!([{ "orderId": 3 }]))),
        ORDERS => Some(Reply::status(404)),
        _ => None,
    })
}

#[test]
fn an_expired_token_is_renewed_before_discovery_is_asked_again_with_the_new_one() {
    let lab = guarded("access-1");
    lab.pass(8 * HOUR);
    let list = lab.client.ready_orders(&Cancel::new()).expect("at the first attempt");
    assert_eq!(list.orders[0].order_id.as_str(), "3");
    assert_eq!(lab.refreshes(), 1);
    let sent: Vec<_> = lab
        .server
        .calls_to(DISCOVERY)
        .iter()
        .map(|call| call.bearer().map(str::to_owned))
        .collect();
    assert_eq!(sent, [None, Some("access-1".to_owned())]);
    // From then on, an expired token is renewed before discovery is asked.
    lab.pass(8 * HOUR);
    drop(lab.client.ready_orders(&Cancel::new()));
    let sent = lab.server.calls_to(DISCOVERY);
    assert!(sent.iter().skip(1).all(|call| call.bearer().is_some()), "{sent:?}");
}

#[test]
fn a_token_that_only_discovery_refuses_is_renewed_once() {
    let lab = guarded("access-1");
    let list = lab.client.ready_orders(&Cancel::new()).expect("at the first attempt");
    assert_eq!((list.orders[0].order_id.as_str(), lab.refreshes()), ("3", 1));
    // A discovery that refuses everyone costs one renewal, and the known paths are used.
    let lab = Lab::new(|call| (call.path == DISCOVERY).then(|| Reply::status(401)));
    for _ in 0..3 {
        lab.client.ready_orders(&Cancel::new()).expect("orders");
        lab.pass(2 * MINUTE);
    }
    assert_eq!(lab.refreshes(), 1);
}

#[test]
fn a_discovered_path_that_leads_nowhere_is_left_and_looked_up_again_within_a_minute() {
    let asked_for = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked_for);
    let lab = Lab::new(move |call| {
        let here = || format!("http://{}", call.header("host").expect("a host"));
        match call.path.as_str() {
            DISCOVERY => {
                let path = if count.load(Ordering::SeqCst) == 0 { "/wrong" } else { "/right" };
                Some(table("getOrdersForLab", &here(), path))
            }
            "/right" => Some(Reply::json(&json!([{ "orderId": 9 }]))),
            _ => None,
        }
    });
    let order = || {
        let list = lab.client.ready_orders(&Cancel::new()).expect("orders");
        list.orders[0].order_id.to_string()
    };
    for _ in 0..3 {
        assert_eq!(order(), "17", "the known path is used");
    }
    assert_eq!(lab.server.calls_to("/wrong").len(), 1, "what is wrong is not tried first again");
    assert_eq!(asked(&lab), 2);
    asked_for.store(1, Ordering::SeqCst);
    lab.pass(MINUTE);
    assert_eq!((order().as_str(), asked(&lab)), ("9", 3));
}

#[test]
fn what_worked_before_is_used_where_a_new_answer_leads_nowhere() {
    let region = regional();
    let (wrong, domain) = (Arc::new(AtomicUsize::new(0)), region.url(""));
    let turned = Arc::clone(&wrong);
    let lab = Lab::new(move |call| match call.path.as_str() {
        DISCOVERY if turned.load(Ordering::SeqCst) == 0 => {
            Some(table("getOrdersForLab", &domain, "/eu/orders"))
        }
        DISCOVERY => {
            let here = format!("http://{}", call.header("host").expect("a host"));
            Some(table("getOrdersForLab", &here, "/wrong"))
        }
        ORDERS => Some(Reply::status(404)),
        _ => None,
    });
    for wrongs in [0, 1] {
        wrong.store(wrongs, Ordering::SeqCst);
        let list = lab.client.ready_orders(&Cancel::new()).expect("orders");
        assert_eq!(list.orders[0].order_id.as_str(), "from the region");
        lab.pass(24 * HOUR);
    }
}

#[test]
fn where_a_path_holds_an_id_a_404_says_nothing_about_discovery() {
    let lab = Lab::new(|call| {
        let here = || format!("http://{}", call.header("host").expect("a host"));
        (call.path == DISCOVERY).then(|| table("getOrderByRxId", &here(), "/rx/{rxId}"))
    });
    let rx = "rx-17".parse().expect("valid");
    let fault = lab.client.order_by_rx(&rx, &Cancel::new()).expect_err("unknown");
    assert_eq!(fault.code, "unknown-rx");
    let paths: Vec<_> = lab.server.calls().into_iter().map(|call| call.path).collect();
    assert_eq!(paths, [DISCOVERY, "/rx/rx-17"]);
}

/// Discovery names `first` on the first request and the region from then on.
fn moving(first: String, region: &Server) -> Lab {
    let (count, second) = (Arc::new(AtomicUsize::new(0)), region.url(""));
    Lab::new(move |call| {
        (call.path == DISCOVERY).then(|| {
            let domain = if count.fetch_add(1, Ordering::SeqCst) == 0 { &first } else { &second };
            table("getOrdersForLab", domain, "/o")
        })
    })
}

#[test]
fn a_server_that_is_gone_is_looked_up_again() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let region = regional();
    let lab = moving(format!("http://{closed}"), &region);
    lab.client.ready_orders(&Cancel::new()).expect("orders");
    assert_eq!((asked(&lab), region.calls().len()), (2, 1));
}

#[test]
fn a_server_that_says_it_is_the_wrong_one_is_looked_up_again() {
    for status in [410, 421] {
        let old = Server::start(move |_| Reply::status(status));
        let region = regional();
        let lab = moving(old.url(""), &region);
        lab.client.ready_orders(&Cancel::new()).expect("orders");
        assert_eq!((asked(&lab), old.calls().len(), region.calls().len()), (2, 1, 1));
    }
}

#[test]
fn discovery_comes_before_a_refresh_and_names_its_address() {
    let elsewhere =
        Server::start(|_| Reply::json(&json!({ "access_token": "access-0", "expires_in": 3600 })));
    let domain = elsewhere.url("");
    let lab = Lab::new(move |call| {
        (call.path == DISCOVERY).then(|| table("refreshToken", &domain, "/regional/token"))
    });
    lab.pass(HOUR);
    lab.client.ready_orders(&Cancel::new()).expect("orders");
    assert_eq!(elsewhere.calls()[0].path, "/regional/token");
    assert_eq!(lab.refreshes(), 0);
    assert_eq!(lab.server.calls()[0].header("authorization"), None, "an expired token was sent");
}

#[test]
fn an_unreadable_discovery_is_as_good_as_none() {
    let odd: [Value; 2] = [json!("Doe"), json!({ "endpoints": [1, { "name": "x" }] })];
    for answer in odd {
        let lab = Lab::new(move |call| (call.path == DISCOVERY).then(|| Reply::json(&answer)));
        lab.client.ready_orders(&Cancel::new()).expect("orders");
    }
}
