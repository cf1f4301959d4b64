use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use casedrop::model::cancel::Cancel;
use casedrop::model::fault::FaultClass;
use casedrop::model::remote::Remote;
use serde_json::{Value, json};

use crate::fixture::{DISCOVERY, HOUR, Lab, ORDERS};
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
fn a_foreign_host_gets_no_call() {
    let lab = Lab::new(|call| {
        let foreign = || table("getOrdersForLab", "https://evil.example", "/o");
        (call.path == DISCOVERY).then(foreign)
    });
    let fault = lab.client.ready_orders(&Cancel::new()).expect_err("foreign");
    assert_eq!((fault.class, fault.code), (FaultClass::Local, "host-not-allowed"));
    assert!(fault.message.contains("evil.example"), "{fault}");
    assert!(fault.hint.expect("a hint").contains("api.allowed_hosts"));
}

/// Discovery names `first`, and once it was asked, the region.
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
