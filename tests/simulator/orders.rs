//! The list of ready orders, one order, and sending one back.

use casedrop::simulator::{AccountSpec, CaseKind, OrderSpec, Scenario};
use serde_json::{Value, json};

use crate::lab::{Lab, text};

const LIST: &str = "/api/third-party/v1/orders/lab";

fn with_status(status: &str) -> OrderSpec {
    OrderSpec { status: Some(status.to_owned()), ..OrderSpec::default() }
}

#[tokio::test]
async fn only_ready_orders_of_the_own_account_are_listed() {
    let mut scenario = Scenario::empty();
    scenario.accounts.push(AccountSpec::new("12", "Other Lab", "other", "secret"));
    let mut lab = Lab::signed_in(scenario).await;
    lab.pair(None).await;
    let ready = lab.order(&OrderSpec::default());
    let review = lab.order(&with_status("Lab Review"));
    for status in ["iTero Modeling", "Scanning", "Downloaded", "Waiting for Godot"] {
        lab.order(&with_status(status));
    }
    let foreign = lab.order(&OrderSpec { account: Some("12".to_owned()), ..OrderSpec::default() });
    assert_eq!(lab.listed().await, [ready, review]);
    assert_eq!(lab.download(&foreign, "IDE").await.status(), 404);
}

#[tokio::test]
async fn asking_too_early_is_refused_and_counted() {
    let lab = Lab::paired().await;
    lab.admin().update_settings(|settings| settings.min_poll_interval_ms = 120_000);
    assert_eq!(lab.get(LIST).await.status(), 200);
    let refused = lab.get(LIST).await;
    assert_eq!(refused.status(), 429);
    let wait: u64 =
        refused.headers()["retry-after"].to_str().expect("text").parse().expect("number");
    assert!((118..=120).contains(&wait), "{wait}");
    let state = lab.admin().state();
    assert_eq!((state.counters.polls, state.counters.poll_violations), (1, 1));
    assert_eq!((state.accounts[0].polls, state.accounts[0].poll_violations), (1, 1));
    lab.admin().forget_polls();
    assert_eq!(lab.get(LIST).await.status(), 200);
}

#[tokio::test]
async fn orders_are_described_in_different_shapes() {
    let lab = Lab::paired().await;
    for _ in 0..12 {
        lab.order(&OrderSpec::default());
    }
    let list = lab.list().await;
    let any = |test: &dyn Fn(&Value) -> bool| list.iter().any(test) && !list.iter().all(test);
    assert!(any(&|order| order["orderId"].is_number()));
    assert!(any(&|order| order["rxId"].is_number()));
    assert!(any(&|order| order["status"] == "Ready For Download"));
    assert!(any(&|order| text(&order["dueDate"]).contains('/')));
    assert!(any(&|order| order.get("flags").is_some()));
    assert!(any(&|order| order["orderCode"].is_null()));
    assert!(list.iter().all(|order| text(&order["orderId"]) != text(&order["rxId"])));
    lab.admin().update_settings(|settings| settings.vary = false);
    let list = lab.list().await;
    assert!(list.iter().all(|order| order["orderId"].is_number() && order["rxId"].is_string()));
}

#[tokio::test]
async fn one_order_is_found_by_its_rx_id_whatever_its_status() {
    let lab = Lab::paired().await;
    let spec =
        OrderSpec { rx_id: Some("RX 17".to_owned()), ..OrderSpec::new(CaseKind::Restorative) };
    let id = lab.order(&spec);
    lab.admin().flow(&id, "send-to-modeling").expect("moved");
    let answer = lab.get("/api/third-party/v1/orders/RX%2017").await;
    let order: Value = answer.json().await.expect("JSON");
    assert_eq!(text(&order["orderId"]), id);
    assert_eq!(order["status"], "iTero Modeling");
    assert_eq!(order["procedure"], "Restorative");
    assert_eq!(order["history"].as_array().expect("history").len(), 2);
    // The order id is not the Rx id.
    assert_eq!(lab.get(&format!("/api/third-party/v1/orders/{id}")).await.status(), 404);
}

#[tokio::test]
async fn a_returned_order_is_with_the_doctor() {
    let lab = Lab::paired().await;
    let id = lab.order(&OrderSpec::default());
    let path = format!("/api/third-party/v1/orders/{id}/return");
    assert_eq!(lab.post(&path, &json!({})).await.status(), 400);
    assert_eq!(lab.status(&id), "Ready for Download");
    let answer = lab.post(&path, &json!({"reason": "margin unclear"})).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(lab.status(&id), "Scanning");
    assert!(lab.listed().await.is_empty());
    assert_eq!(lab.admin().state().returns, [(id, "margin unclear".to_owned())]);
    let path = "/api/third-party/v1/orders/1/return";
    assert_eq!(lab.post(path, &json!({"reason": "x"})).await.status(), 404);
}

#[tokio::test]
async fn the_scanning_tool_creates_scans() {
    let lab = Lab::paired().await;
    let tool = |path: &str| {
        let url = lab.url(&format!("/scanning-tool/api/v1/{path}"));
        lab.http.request(
            if path.starts_with("presets") { reqwest::Method::GET } else { reqwest::Method::POST },
            url,
        )
    };
    let login = |request: reqwest::RequestBuilder| {
        request.basic_auth("casedrop-sim", Some("simulated-secret"))
    };
    let maps = login(tool("presets/available-procedure-maps")).send().await.expect("answer");
    let maps: Value = maps.json().await.expect("JSON");
    let mut body = json!({
        "companyId": 4711, "scannerSerialNumber": "SN1", "procedureMapId": maps[2]["id"],
        "patient": {"firstName": "A", "lastName": "B", "chartNumber": "1"},
    });
    let refused = tool("order/create-new-order").json(&body).send().await.expect("answer");
    assert_eq!(refused.status(), 401);
    let created = login(tool("order/create-new-order")).json(&body).send().await.expect("answer");
    let created: Value = created.json().await.expect("JSON");
    assert_eq!(lab.listed().await, [text(&created["orderId"])]);
    body["rxId"] = json!("RX-5");
    let by_rx = login(tool("order/create-new-order-by-rx")).json(&body).send().await;
    let by_rx: Value = by_rx.expect("answer").json().await.expect("JSON");
    assert_eq!(by_rx["rxId"], "RX-5");
    body["procedureMapId"] = json!(99);
    let wrong = login(tool("order/create-new-order")).json(&body).send().await.expect("answer");
    assert_eq!(wrong.status(), 400);
}
