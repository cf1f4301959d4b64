//! Login, tokens, logout.

use casedrop::simulator::package::{DOCTOR_MARKER, PATIENT_MARKER};
use casedrop::simulator::{Scenario, UserSpec};
use serde_json::Value;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::lab::{Lab, REDIRECT, location, value_of};

async fn error_of(answer: reqwest::Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("JSON");
    (status, body["error"].as_str().expect("an error").to_owned())
}

#[tokio::test]
async fn a_code_is_exchanged_once_and_only_with_its_verifier() {
    let lab = Lab::signed_in(Scenario::empty()).await;
    let verifier = "v".repeat(50);
    let challenge = oauth2::PkceCodeChallenge::from_code_verifier_sha256(
        &oauth2::PkceCodeVerifier::new(verifier.clone()),
    );
    let pkce = [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")];
    let wrong = "w".repeat(50);
    for (given, expected) in [(verifier.as_str(), 200), (&wrong, 400)] {
        let back = location(&lab.authorize(&pkce).await);
        assert!(back.starts_with(REDIRECT));
        assert_eq!(value_of(&back, "state").as_deref(), Some("s t+a"));
        let code = value_of(&back, "code").expect("a code");
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("redirect_uri", REDIRECT),
            ("code_verifier", given),
        ];
        assert_eq!(lab.token(&form).await.status(), expected);
        assert_eq!(error_of(lab.token(&form).await).await, (400, "invalid_grant".to_owned()));
    }
    let code = lab.code().await;
    let elsewhere = "http://127.0.0.1:10/callback";
    let form = [("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", elsewhere)];
    assert_eq!(error_of(lab.token(&form).await).await, (400, "invalid_grant".to_owned()));
}

#[tokio::test]
async fn clients_and_redirects_that_are_not_registered_are_refused() {
    let mut scenario = Scenario::empty();
    scenario.accounts[0].redirect_urls = vec!["https://lab.example/back".to_owned()];
    let lab = Lab::signed_in(scenario).await;
    let known = [("redirect_uri", "https://lab.example/back")];
    assert!(location(&lab.authorize(&known).await).starts_with("https://lab.example/back?code="));
    for redirect in ["https://lab.example/other", "https://evil.example/", "http://127.0.0.1/#x"] {
        let answer = lab.authorize(&[("redirect_uri", redirect)]).await;
        assert_eq!(answer.status(), 400);
        assert!(answer.headers().get("location").is_none());
    }
    assert_eq!(lab.authorize(&[("client_id", "nobody")]).await.status(), 400);
    let url = format!("{}/oauth/token", lab.sim.oauth_base());
    let form = [("client_id", "casedrop-sim"), ("client_secret", "wrong")];
    let answer = lab.http.post(url).form(&form).send().await.expect("answer");
    assert_eq!(error_of(answer).await, (401, "invalid_client".to_owned()));
    let answer = lab.token(&[("grant_type", "password")]).await;
    assert_eq!(error_of(answer).await, (400, "unsupported_grant_type".to_owned()));
}

#[tokio::test]
async fn a_person_signs_in_or_denies() {
    let lab = Lab::signed_in(Scenario::empty()).await;
    lab.admin().update_settings(|settings| settings.auto_approve = false);
    let page = lab.authorize(&[]).await;
    assert_eq!(page.status(), 200);
    assert!(page.text().await.expect("page").contains("Smile Dental Lab"));
    let url = format!("{}/authorize", lab.sim.oauth_base());
    for (decision, name, expected) in
        [("approve", "code", None), ("deny", "error", Some("access_denied"))]
    {
        let form = [
            ("client_id", "casedrop-sim"),
            ("redirect_uri", REDIRECT),
            ("state", "x"),
            ("user", "lab"),
            ("decision", decision),
        ];
        let answer = lab.http.post(&url).form(&form).send().await.expect("answer");
        let found = value_of(&location(&answer), name).expect(name);
        assert!(expected.is_none_or(|expected| found == expected));
    }
    lab.admin().update_settings(|settings| settings.deny_login = true);
    let back = location(&lab.authorize(&[]).await);
    assert_eq!(value_of(&back, "error").as_deref(), Some("access_denied"));
    assert_eq!(value_of(&back, "state").as_deref(), Some("s t+a"));
}

#[tokio::test]
async fn refresh_tokens_rotate_and_work_once() {
    let lab = Lab::paired().await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", lab.refresh.as_str())];
    let answer = lab.token(&form).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let tokens: Value = answer.json().await.expect("tokens");
    assert_ne!(tokens["refresh_token"], lab.refresh.as_str());
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(error_of(lab.token(&form).await).await, (400, "invalid_grant".to_owned()));
    let counters = lab.admin().state().counters;
    assert_eq!((counters.refreshes, counters.refresh_reuses), (1, 1));
    assert_eq!(lab.admin().state().requests("refreshToken"), 2);

    let lab = Lab::paired().await;
    lab.admin().update_settings(|settings| {
        settings.rotate_refresh_tokens = false;
        settings.access_token_seconds = 77;
    });
    let form = [("grant_type", "refresh_token"), ("refresh_token", lab.refresh.as_str())];
    for _ in 0..2 {
        let tokens: Value = lab.token(&form).await.json().await.expect("tokens");
        assert_eq!(tokens["refresh_token"], lab.refresh.as_str());
        assert_eq!(tokens["expires_in"], 77);
    }
}

#[tokio::test]
async fn expired_tokens_are_refused_and_can_be_refreshed() {
    let mut lab = Lab::paired().await;
    lab.admin().expire_tokens();
    let answer = lab.get("/api/third-party/v1/orders/lab").await;
    assert_eq!(answer.status(), 401);
    let challenge = answer.headers()["www-authenticate"].to_str().expect("text");
    assert!(challenge.contains("invalid_token") && challenge.contains("expired"), "{challenge}");
    let form = [("grant_type", "refresh_token"), ("refresh_token", lab.refresh.as_str())];
    let tokens: Value = lab.token(&form).await.json().await.expect("tokens");
    tokens["access_token"].as_str().expect("token").clone_into(&mut lab.access);
    assert!(lab.listed().await.is_empty());
    "no-such-token".clone_into(&mut lab.access);
    assert_eq!(lab.get("/api/third-party/v1/orders/lab").await.status(), 401);
}

#[tokio::test]
async fn revoking_ends_the_login() {
    let lab = Lab::paired().await;
    let url = format!("{}/oauth/revoke", lab.sim.oauth_base());
    let revoke = |token: &str| {
        let form = [&crate::lab::CLIENT[..], &[("token", token)]].concat();
        lab.http.post(&url).form(&form).send()
    };
    assert_eq!(revoke("never-seen").await.expect("answer").status(), 200);
    assert_eq!(revoke(&lab.refresh).await.expect("answer").status(), 200);
    assert_eq!(lab.get("/api/third-party/v1/orders/lab").await.status(), 401);
    let form = [("grant_type", "refresh_token"), ("refresh_token", lab.refresh.as_str())];
    assert_eq!(lab.token(&form).await.status(), 400);
}

#[tokio::test]
async fn a_dentist_sees_no_lab() {
    let mut scenario = Scenario::empty();
    let user_type = "Dentist".to_owned();
    scenario.accounts[0].users = vec![UserSpec { name: "doc".to_owned(), user_type }];
    let lab = Lab::signed_in(scenario).await;
    let accounts: Value =
        lab.get("/api/third-party/v1/accounts").await.json().await.expect("accounts");
    assert_eq!(accounts, serde_json::json!([]));
    let body = serde_json::json!({"accountId": "4711"});
    assert_eq!(lab.post("/api/third-party/v1/pair", &body).await.status(), 403);
}

/// Collects the log output.
#[derive(Clone, Default)]
struct Sink(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_log_holds_requests_but_no_secret_and_no_patient() {
    let sink = Sink::default();
    let writer = sink.clone();
    let ours = Targets::new().with_target("casedrop", LevelFilter::TRACE);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish()
        .with(ours);
    // The simulator logs from its own threads, so the subscriber must be global.
    tracing::subscriber::set_global_default(subscriber).expect("the only one");
    let mut lab = Lab::signed_in(Scenario::empty()).await;
    let code = lab.code().await;
    lab.pair(Some("http://127.0.0.1:9/callback-secret")).await;
    let id = lab.order(&casedrop::simulator::OrderSpec::default());
    lab.bytes(&id, "IDE").await;
    lab.get("/api/third-party/v1/no-such-thing?token=in-a-query").await;
    let log = String::from_utf8(sink.0.lock().expect("lock").clone()).expect("text");
    assert!(log.contains("downloadAsset") && log.contains(&id), "{log}");
    for secret in [&code, &lab.access, &lab.refresh] {
        assert!(!log.contains(secret.as_str()), "{log}");
    }
    for word in ["simulated-secret", "callback-secret", "in-a-query", PATIENT_MARKER, DOCTOR_MARKER]
    {
        assert!(!log.contains(word), "{word}");
    }
}
