//! Pairing and unpairing.

use casedrop::simulator::{OrderSpec, Scenario, UserSpec};
use serde_json::{Value, json};

use crate::lab::{Lab, REDIRECT, Receiver, location, text, value_of};

const LIST: &str = "/api/third-party/v1/orders/lab";

#[tokio::test]
async fn orders_need_a_pairing() {
    let mut lab = Lab::signed_in(Scenario::empty()).await;
    assert_eq!(lab.get(LIST).await.status(), 403);
    let accounts: Value =
        lab.get("/api/third-party/v1/accounts").await.json().await.expect("accounts");
    assert_eq!(text(&accounts[0]["accountId"]), "4711");
    assert_eq!(accounts[0]["type"], "Lab");
    let login_token = lab.access.clone();
    lab.pair(None).await;
    assert_ne!(lab.access, login_token);
    assert_eq!(lab.get(LIST).await.status(), 200);
    // Pairing binds the user, so the login's token works too, unless the settings say otherwise.
    let ask = || lab.http.get(lab.url(LIST)).bearer_auth(&login_token).send();
    assert_eq!(ask().await.expect("answer").status(), 200);
    lab.admin().update_settings(|settings| settings.pair_tokens_only = true);
    assert_eq!(ask().await.expect("answer").status(), 403);
    assert_eq!(lab.get(LIST).await.status(), 200);
}

#[tokio::test]
async fn pairing_again_gives_the_same_tokens() {
    let mut lab = Lab::signed_in(Scenario::empty()).await;
    let first = lab.pair(None).await;
    let again = lab.pair(None).await;
    assert_eq!(first["access_token"], again["access_token"]);
    assert_eq!(first["refresh_token"], again["refresh_token"]);
}

#[tokio::test]
async fn another_account_cannot_be_paired() {
    let lab = Lab::signed_in(Scenario::empty()).await;
    let pair = |body: Value| {
        let lab = &lab;
        async move { lab.post("/api/third-party/v1/pair", &body).await.status().as_u16() }
    };
    assert_eq!(pair(json!({"accountId": 9})).await, 403);
    assert_eq!(pair(json!({"account": 4711})).await, 400);
    assert_eq!(pair(json!({"accountId": 4711, "callbackUrl": "not a url"})).await, 400);
    assert_eq!(pair(json!({"accountId": 4711})).await, 200);
}

#[tokio::test]
async fn unpairing_hits_every_user_and_drops_the_callback() {
    let mut scenario = Scenario::empty();
    let user_type = "Lab person".to_owned();
    scenario.accounts[0].users.push(UserSpec { name: "second".to_owned(), user_type });
    let mut lab = Lab::signed_in(scenario).await;
    let receiver = Receiver::start().await;
    lab.pair(Some(&receiver.url)).await;
    assert!(lab.admin().state().accounts[0].callback);

    let form = [
        ("client_id", "casedrop-sim"),
        ("redirect_uri", REDIRECT),
        ("user", "second"),
        ("decision", "approve"),
    ];
    let url = format!("{}/authorize", lab.sim.oauth_base());
    let answer = lab.http.post(url).form(&form).send().await.expect("answer");
    let code = value_of(&location(&answer), "code").expect("a code");
    let form =
        [("grant_type", "authorization_code"), ("code", code.as_str()), ("redirect_uri", REDIRECT)];
    let tokens: Value = lab.token(&form).await.json().await.expect("tokens");
    let second = tokens["access_token"].as_str().expect("token").to_owned();
    let body = json!({"accountId": "4711"});
    let ask = |path: &str| lab.http.post(lab.url(path)).bearer_auth(&second).json(&body).send();
    assert_eq!(ask("/api/third-party/v1/pair").await.expect("answer").status(), 200);
    assert_eq!(lab.admin().state().accounts[0].paired_users, ["lab", "second"]);
    // The callback that the first user registered stays.
    assert!(lab.admin().state().accounts[0].callback);

    let answer = ask("/api/third-party/v1/unpair").await.expect("answer");
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["unpairedUsers"], 2);
    let refused = lab.get(LIST).await;
    assert_eq!(refused.status(), 403);
    let body: Value = refused.json().await.expect("JSON");
    assert!(text(&body["message"]).contains("not paired"));
    assert!(!lab.admin().state().accounts[0].callback);
    lab.order(&OrderSpec::default());
    assert!(lab.admin().state().notifications.is_empty() && receiver.is_empty());
}
