//! Discovery, and the paths without it.

use casedrop::simulator::{OrderSpec, Regional};
use serde_json::Value;

use crate::lab::{Lab, asset_path};

const NAMES: [&str; 9] = [
    "getAccountsForPairing",
    "pairAccount",
    "unpairAccount",
    "getOrdersForLab",
    "getOrderByRxId",
    "downloadAsset",
    "returnScan",
    "refreshToken",
    "revokeToken",
];

async fn endpoints(lab: &Lab) -> Vec<(String, String, String)> {
    let answer = lab.get("/api/third-party/v2/discovery").await;
    let body: Value = answer.json().await.expect("JSON");
    let all = body["endpoints"].as_array().expect("endpoints").iter();
    all.map(|endpoint| {
        let text = |name: &str| endpoint[name].as_str().expect(name).to_owned();
        (text("name"), text("domain"), text("path"))
    })
    .collect()
}

async fn url_of(lab: &Lab, name: &str) -> String {
    let all = endpoints(lab).await;
    let (_, domain, path) = all.iter().find(|(known, ..)| known == name).expect("named");
    format!("{}{path}", domain.trim_end_matches('/'))
}

#[tokio::test]
async fn every_endpoint_is_named_with_a_path_of_its_own_and_works() {
    let lab = Lab::paired().await;
    let id = lab.order(&OrderSpec::default());
    let all = endpoints(&lab).await;
    let names: Vec<_> = all.iter().map(|(name, ..)| name.as_str()).collect();
    assert_eq!(names, NAMES);
    assert!(all.iter().all(|(_, _, path)| !path.starts_with("/api/third-party/")));
    let get = |url: String| lab.http.get(url).bearer_auth(&lab.access).send();
    let list = get(url_of(&lab, "getOrdersForLab").await).await.expect("list");
    assert_eq!(list.status(), 200);
    let asset = url_of(&lab, "downloadAsset").await;
    let asset = asset.replace("{orderId}", &id).replace("{assetType}", "IDE");
    assert_eq!(get(asset).await.expect("asset").status(), 200);
    let state = lab.admin().state();
    assert_eq!(state.counters.discovered_requests["getOrdersForLab"], 1);
    // Pairing used the shared path.
    assert_eq!(state.counters.discovered_requests.get("pairAccount"), None);
}

#[tokio::test]
async fn the_shared_paths_go_on_working() {
    let lab = Lab::paired().await;
    let id = lab.order(&OrderSpec::default());
    assert_eq!(lab.listed().await, [id.as_str()]);
    assert_eq!(lab.get(&asset_path(&id, "IDE")).await.status(), 200);
}

#[tokio::test]
async fn discovery_can_leave_endpoints_out_or_fail() {
    let lab = Lab::paired().await;
    lab.admin().update_settings(|settings| {
        settings.discovery_omit = vec!["returnscan".to_owned(), "unpairAccount".to_owned()];
    });
    let names: Vec<_> = endpoints(&lab).await.into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), 7);
    assert!(!names.contains(&"returnScan".to_owned()));
    lab.admin().update_settings(|settings| settings.discovery = false);
    assert_eq!(lab.get("/api/third-party/v2/discovery").await.status(), 404);
}

#[tokio::test]
async fn discovery_wants_a_token_that_lives_unless_it_is_open_to_all() {
    let lab = Lab::paired().await;
    let asked = async || {
        let answer = lab.http.get(lab.url("/api/third-party/v2/discovery")).send().await;
        answer.expect("answer").status().as_u16()
    };
    assert_eq!(asked().await, 401);
    lab.admin().expire_tokens();
    assert_eq!(lab.get("/api/third-party/v2/discovery").await.status(), 401);
    lab.admin().update_settings(|settings| settings.discovery_needs_token = false);
    assert_eq!(asked().await, 200);
}

#[tokio::test]
async fn discovery_can_name_a_path_that_leads_nowhere() {
    let lab = Lab::paired().await;
    lab.admin().update_settings(|settings| {
        settings.discovery_wrong = vec!["getOrdersForLab".to_owned()];
    });
    let list = url_of(&lab, "getOrdersForLab").await;
    let answer = lab.http.get(list).bearer_auth(&lab.access).send().await;
    assert_eq!(answer.expect("answer").status(), 404);
}

#[tokio::test]
async fn discovery_sends_to_another_port_or_name() {
    let lab = Lab::paired().await;
    for (regional, host) in [(Regional::Port, "127.0.0.1"), (Regional::Localhost, "localhost")] {
        lab.admin().update_settings(|settings| settings.regional = regional);
        let url = url_of(&lab, "getOrdersForLab").await;
        let parsed = url::Url::parse(&url).expect("URL");
        assert_eq!(parsed.host_str(), Some(host));
        let same_port = parsed.port() == Some(lab.sim.address().port());
        assert_eq!(same_port, regional == Regional::Localhost);
        if regional == Regional::Port {
            let answer = lab.http.get(&url).bearer_auth(&lab.access).send().await;
            assert_eq!(answer.expect("answer").status(), 200);
            let log = lab.admin().state().log;
            assert_eq!(
                log.last().expect("logged").host,
                url::Url::parse(&url).expect("URL").authority()
            );
        }
    }
}

#[tokio::test]
async fn the_start_page_says_what_this_is() {
    let lab = Lab::paired().await;
    let page = lab.http.get(lab.url("/")).send().await.expect("page").text().await.expect("text");
    assert!(page.contains("simulation") && page.contains("assumed"), "{page}");
    assert_eq!(lab.get("/nowhere").await.status(), 404);
    let answer = lab.http.post(lab.url("/api/third-party/v1/orders/lab")).send().await;
    assert_eq!(answer.expect("answer").status(), 405);
}
