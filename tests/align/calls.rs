use std::time::Duration;

use casedrop::model::cancel::Cancel;
use casedrop::model::fault::{Fault, FaultClass};
use casedrop::model::remote::Remote;
use serde_json::json;

use crate::fixture::{Lab, ORDERS};
use crate::server::{End, Reply};

fn orders(reply: Reply) -> Result<usize, Fault> {
    let lab = Lab::new(move |call| (call.path == ORDERS).then(|| reply.clone()));
    Ok(lab.client.ready_orders(&Cancel::new())?.orders.len())
}

#[test]
fn statuses_become_faults_that_say_what_to_do() {
    let cases = [
        (400, FaultClass::Permanent, "http-400"),
        (403, FaultClass::Auth, "http-403"),
        (404, FaultClass::Permanent, "http-404"),
        (408, FaultClass::Transient, "http-408"),
        (425, FaultClass::Transient, "http-425"),
        (429, FaultClass::Transient, "http-429"),
        (500, FaultClass::Transient, "http-500"),
        (503, FaultClass::Transient, "http-503"),
    ];
    for (status, class, code) in cases {
        let body = "Jane Doe, chart 7";
        let fault = orders(Reply::bytes(body).with_status(status)).expect_err("a fault");
        assert_eq!((fault.class, fault.code), (class, code));
        assert!(fault.message.contains("get the ready orders of lab smile-lab"), "{fault}");
        assert!(!fault.chain().contains("Doe"), "{}", fault.chain());
    }
    let fault = orders(Reply::status(429).header("Retry-After", 30)).expect_err("a fault");
    assert_eq!(fault.retry_after, Some(Duration::from_secs(30)));
}

#[test]
fn an_answer_that_is_no_list_is_tried_again() {
    let page = Reply::bytes("<html>Please log in, Jane Doe</html>");
    let fault = orders(page).expect_err("a fault");
    assert_eq!((fault.class, fault.code), (FaultClass::Transient, "bad-answer"));
    assert!(fault.hint.as_deref().expect("a hint").contains("proxy"));
    assert!(!fault.chain().contains("Doe"));
    let fault = orders(Reply::json(&json!({ "Jane": "Doe" }))).expect_err("a fault");
    assert!(!fault.chain().contains("Doe"), "{}", fault.chain());
    let broken = Reply::bytes("[").header("Content-Length", 9).end(End::Reset);
    assert_eq!(orders(broken).expect_err("a fault").class, FaultClass::Transient);
}

#[test]
fn a_list_says_which_host_it_came_from() {
    let lab = Lab::new(|call| (call.path == ORDERS).then(|| Reply::bytes("[]")));
    let list = lab.client.ready_orders(&Cancel::new()).expect("a list");
    assert_eq!(list.host, Some(lab.server.host()));
}

#[test]
fn no_orders_may_be_told_in_many_ways() {
    for reply in [Reply::status(204), Reply::bytes("[]"), Reply::bytes(r#"{"Data":null}"#)] {
        assert_eq!(orders(reply).expect("none"), 0);
    }
}

#[test]
fn a_list_without_an_end_is_not_read_for_ever() {
    let endless = vec![b' '; 65 * 1024 * 1024];
    assert_eq!(orders(Reply::bytes(endless)).expect_err("too long").code, "answer-too-long");
}

#[test]
fn an_order_is_found_by_its_prescription() {
    let lab = Lab::new(|call| match call.path.as_str() {
        "/api/third-party/v1/orders/RX%2F9" => {
            Some(Reply::json(&json!({ "orderId": 17, "rxId": "RX/9", "status": "Lab Review" })))
        }
        _ => None,
    });
    let cancel = Cancel::new();
    let rx = "RX/9".parse().expect("valid");
    let order = lab.client.order_by_rx(&rx, &cancel).expect("an order");
    assert_eq!(order.order_id.as_str(), "17");
    let fault = lab.client.order_by_rx(&"other".parse().expect("valid"), &cancel);
    let fault = fault.expect_err("unknown");
    assert_eq!((fault.class, fault.code), (FaultClass::Permanent, "unknown-rx"));
    assert!(fault.message.contains("other"), "{fault}");
}

#[test]
fn an_order_is_returned_with_its_reason() {
    let path = "/api/third-party/v1/orders/17/return";
    let lab = Lab::new(move |call| (call.path == path).then(|| Reply::status(204)));
    let order = "17".parse().expect("valid");
    lab.client.return_to_doctor(&order, "margin unclear", &Cancel::new()).expect("returned");
    let call = &lab.server.calls_to(path)[0];
    assert_eq!((call.method.as_str(), call.bearer()), ("POST", Some("access-0")));
    assert_eq!(call.body, r#"{"reason":"margin unclear"}"#);
}

#[test]
fn a_posted_call_is_not_redirected() {
    let lab = Lab::new(|call| {
        (call.method == "POST").then(|| Reply::status(307).header("Location", "/elsewhere"))
    });
    let order = "17".parse().expect("valid");
    let fault = lab.client.return_to_doctor(&order, "x", &Cancel::new()).expect_err("refused");
    assert_eq!(fault.code, "bad-redirect");
    assert!(lab.server.calls_to("/elsewhere").is_empty());
}

#[test]
fn cancelling_interrupts_a_call() {
    let cancel = Cancel::new();
    let stopper = cancel.clone();
    let lab = Lab::new(move |call| {
        (call.path == ORDERS).then(|| {
            stopper.cancel();
            Reply::bytes("[").header("Content-Length", 2).end(End::Stall)
        })
    });
    let fault = lab.client.ready_orders(&cancel).expect_err("stopped");
    assert_eq!(fault.class, FaultClass::Cancelled);
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let lab = Lab::new(|_| None);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = closed.local_addr().expect("bound");
    drop(closed);
    let client = lab.another_with(|settings| {
        settings.base_url = format!("http://{address}/?secret=1").parse().expect("a URL");
    });
    let fault = client.ready_orders(&Cancel::new()).expect_err("nobody");
    assert_eq!((fault.class, fault.code), (FaultClass::Transient, "connect"));
    assert!(fault.message.contains(&address.to_string()), "{fault}");
    assert!(!fault.chain().contains("secret"), "{}", fault.chain());
}
