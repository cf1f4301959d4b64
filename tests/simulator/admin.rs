//! The admin endpoint.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::lab::Lab;

async fn call(lab: &Lab, method: Method, path: &str, body: Option<Value>) -> Response {
    let request = lab.http.request(method, format!("{}/{path}", lab.sim.admin_url()));
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    request.send().await.expect("answer")
}

#[tokio::test]
async fn scans_are_created_and_moved_over_http() {
    let lab = Lab::paired().await;
    let spec = json!({"kind": "restorative", "mesh": "ply", "triangles": 900, "id": "555"});
    let created = call(&lab, Method::POST, "orders", Some(spec.clone())).await;
    let created: Value = created.json().await.expect("JSON");
    assert_eq!(created["id"], "555");
    assert_eq!(call(&lab, Method::POST, "orders", Some(spec)).await.status(), 400);
    let path = "orders/555/flow/send-to-modeling";
    assert_eq!(call(&lab, Method::POST, path, None).await.status(), 200);
    let state: Value = call(&lab, Method::GET, "state", None).await.json().await.expect("JSON");
    assert_eq!(state["orders"][0]["status"], "iTero Modeling");
    assert!(state["note"].as_str().expect("note").contains("assumed"));
    let text = state.to_string();
    assert!(!text.contains(&lab.access) && !text.contains(&lab.refresh));
    assert_eq!(call(&lab, Method::POST, "orders/555/take", None).await.status(), 200);
    assert_eq!(lab.status("555"), "Downloaded");
    assert_eq!(call(&lab, Method::POST, "orders/556/notify", None).await.status(), 400);
}

#[tokio::test]
async fn faults_tokens_polls_and_settings_are_changed_over_http() {
    let lab = Lab::paired().await;
    let rule = json!({"endpoint": "getOrdersForLab", "kind": {"status": {"code": 502}}});
    assert_eq!(call(&lab, Method::POST, "faults", Some(rule)).await.status(), 200);
    let list = "/api/third-party/v1/orders/lab";
    assert_eq!(lab.get(list).await.status(), 502);
    let faults: Value = call(&lab, Method::GET, "faults", None).await.json().await.expect("JSON");
    assert_eq!(faults[0]["hits"], 1);
    assert_eq!(call(&lab, Method::DELETE, "faults", None).await.status(), 200);
    let changes = json!({"min_poll_interval_ms": 60_000});
    let settings = call(&lab, Method::PATCH, "settings", Some(changes)).await;
    let settings: Value = settings.json().await.expect("JSON");
    assert_eq!(settings["min_poll_interval_ms"], 60_000);
    assert_eq!(lab.get(list).await.status(), 200);
    assert_eq!(lab.get(list).await.status(), 429);
    assert_eq!(call(&lab, Method::POST, "polls/forget", None).await.status(), 200);
    assert_eq!(lab.get(list).await.status(), 200);
    assert_eq!(call(&lab, Method::POST, "tokens/expire", None).await.status(), 200);
    assert_eq!(lab.get(list).await.status(), 401);
}

#[tokio::test]
async fn wrong_commands_say_what_is_wrong() {
    let lab = Lab::paired().await;
    for (path, body, hint) in [
        ("orders", json!({"knd": "restorative"}), "knd"),
        ("orders", json!({"kind": "surgery"}), "surgery"),
        ("orders", json!({"account": "9"}), "9"),
        ("faults", json!({"kind": "explode"}), "explode"),
        ("faults", json!({"kind": {"status": {"code": 7}}}), "200"),
    ] {
        let answer = call(&lab, Method::POST, path, Some(body)).await;
        assert_eq!(answer.status(), 400, "{path}");
        let text = answer.text().await.expect("text");
        assert!(text.contains(hint), "{text}");
    }
    let answer = call(&lab, Method::PATCH, "settings", Some(json!({"lag": 1}))).await;
    assert!(answer.text().await.expect("text").contains("lag"));
}

#[tokio::test]
async fn web_pages_cannot_reach_the_admin_endpoint() {
    let lab = Lab::paired().await;
    let url = format!("{}/state", lab.sim.admin_url());
    let request = lab.http.get(&url).header("host", "rebound.example");
    assert_eq!(request.send().await.expect("answer").status(), 403);
    let url = format!("{}/orders", lab.sim.admin_url());
    let form = lab.http.post(&url).header("content-type", "text/plain").body("{}");
    assert_eq!(form.send().await.expect("answer").status(), 400);
    let bare = || lab.http.post(&url);
    let foreign = bare().header("origin", "https://web.example");
    assert_eq!(foreign.send().await.expect("answer").status(), 400, "a page's call without a body");
    assert!(lab.admin().state().orders.is_empty());
    assert_eq!(bare().send().await.expect("answer").status(), 200, "as `curl -X POST` sends it");
    assert_eq!(lab.admin().state().orders.len(), 1);
}
