//! Injected faults as they appear on the wire.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use casedrop::simulator::{FaultKind, FaultRule, OrderSpec};

use crate::lab::{LENGTH, Lab, asset_path};

/// Result of a hand-written request: the announced length, the body, how the connection ended.
struct Raw {
    announced: Option<usize>,
    body: Vec<u8>,
    end: Result<(), ErrorKind>,
}

/// Sends a request without an HTTP library, so that nothing is smoothed over.
async fn raw(lab: &Lab, path: &str) -> Raw {
    let address = lab.sim.address();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n\r\n",
        lab.access
    );
    let exchange = move || {
        let mut stream = TcpStream::connect(address).expect("connect");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("timeout");
        stream.write_all(request.as_bytes()).expect("send");
        let (mut all, mut buffer) = (Vec::new(), vec![0; 1 << 16]);
        let end = loop {
            match stream.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(error) => break Err(error.kind()),
            }
        };
        let split = all.windows(4).position(|four| four == b"\r\n\r\n");
        let body = split.map(|at| all.split_off(at + 4)).unwrap_or_default();
        let head = String::from_utf8_lossy(&all).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        Raw { announced: length.map(|text| text.trim().parse().expect("number")), body, end }
    };
    tokio::task::spawn_blocking(exchange).await.expect("exchange")
}

/// A lab with one order and a one-time fault on its package.
async fn broken(kind: FaultKind) -> (Lab, String) {
    let lab = Lab::paired().await;
    let id = lab.order(&OrderSpec::default());
    lab.admin().inject(FaultRule::on("downloadAsset", kind).order(&id).asset("IDE").times(1));
    (lab, id)
}

async fn heals(lab: &Lab, id: &str) {
    assert_eq!(lab.bytes(id, "IDE").await.len(), LENGTH);
    assert_eq!(lab.admin().state().faults[0].hits, 1);
}

#[tokio::test]
async fn a_reset_is_a_reset() {
    let (lab, id) = broken(FaultKind::Reset { after_bytes: 20_000 }).await;
    let raw = raw(&lab, &asset_path(&id, "IDE")).await;
    assert_eq!(raw.end, Err(ErrorKind::ConnectionReset));
    assert_eq!(raw.announced, Some(LENGTH));
    // Windows discards received bytes after a reset.
    if cfg!(not(windows)) {
        assert_eq!(raw.body.len(), 20_000);
    }
    heals(&lab, &id).await;
}

#[tokio::test]
async fn a_truncated_body_ends_before_its_announced_length() {
    let kind = FaultKind::Truncate { after_bytes: 20_000, announce_short: false };
    let (lab, id) = broken(kind).await;
    let raw = raw(&lab, &asset_path(&id, "IDE")).await;
    assert_eq!((raw.announced, raw.body.len(), raw.end), (Some(LENGTH), 20_000, Ok(())));
    heals(&lab, &id).await;
}

#[tokio::test]
async fn a_truncated_chunked_body_has_no_last_chunk() {
    let kind = FaultKind::Truncate { after_bytes: 20_000, announce_short: false };
    let (lab, id) = broken(kind).await;
    lab.admin().update_settings(|settings| settings.content_length = false);
    let raw = raw(&lab, &asset_path(&id, "IDE")).await;
    assert_eq!(raw.announced, None);
    assert!(raw.body.len() > 20_000 && !raw.body.ends_with(b"0\r\n\r\n"));
}

#[tokio::test]
async fn a_short_body_can_look_complete() {
    let kind = FaultKind::Truncate { after_bytes: 20_000, announce_short: true };
    let (lab, id) = broken(kind).await;
    assert_eq!(lab.bytes(&id, "IDE").await.len(), 20_000);
    heals(&lab, &id).await;
    let (lab, id) = broken(FaultKind::WrongLength { by: -100 }).await;
    assert_eq!(lab.bytes(&id, "IDE").await.len(), LENGTH - 100);
    let (lab, id) = broken(FaultKind::WrongLength { by: 100 }).await;
    let raw = raw(&lab, &asset_path(&id, "IDE")).await;
    assert_eq!((raw.announced, raw.body.len()), (Some(LENGTH + 100), LENGTH));
}

#[tokio::test]
async fn a_slow_body_takes_its_time() {
    let (lab, id) = broken(FaultKind::Slow { bytes_per_second: 600_000 }).await;
    let start = Instant::now();
    assert_eq!(lab.bytes(&id, "IDE").await.len(), LENGTH);
    assert!(start.elapsed() >= Duration::from_millis(450), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_stalled_body_sends_nothing_more() {
    let (lab, id) = broken(FaultKind::Stall { after_bytes: 20_000 }).await;
    let mut answer = lab.download(&id, "IDE").await;
    let mut got = 0;
    while got < 20_000 {
        got += answer.chunk().await.expect("open").expect("not the end").len();
    }
    let more = tokio::time::timeout(Duration::from_millis(500), answer.chunk()).await;
    assert!(more.is_err(), "something came after the stall");
    assert_eq!(got, 20_000);
    heals(&lab, &id).await;
}

#[tokio::test]
async fn one_byte_can_be_wrong() {
    let (lab, id) = broken(FaultKind::Corrupt { at: 270_000 }).await;
    let bad = lab.bytes(&id, "IDE").await;
    let good = lab.bytes(&id, "IDE").await;
    let differ: Vec<usize> = (0..LENGTH).filter(|index| bad[*index] != good[*index]).collect();
    assert_eq!(differ, [270_000]);
}

#[tokio::test]
async fn a_hostile_archive_can_stand_in() {
    let (lab, id) = broken(FaultKind::Hostile { which: "traversal".to_owned() }).await;
    assert_eq!(lab.bytes(&id, "IDE").await, b"hostile traversal");
    heals(&lab, &id).await;
}

#[tokio::test]
async fn a_status_comes_with_retry_after_and_does_not_touch_the_order() {
    let kind = FaultKind::Status { code: 503, retry_after: Some(7), body: Some("busy".to_owned()) };
    let (lab, id) = broken(kind).await;
    let answer = lab.download(&id, "IDE").await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert_eq!(answer.text().await.expect("text"), "busy");
    assert_eq!(lab.listed().await, [id.as_str()]);
    heals(&lab, &id).await;
}

#[tokio::test]
async fn a_connection_can_end_without_an_answer() {
    let (lab, id) = broken(FaultKind::Disconnect).await;
    let raw = raw(&lab, &asset_path(&id, "IDE")).await;
    assert_eq!((raw.announced, raw.body.len(), raw.end), (None, 0, Ok(())));
    assert_eq!(lab.admin().state().log.last().expect("logged").status, 0);
    heals(&lab, &id).await;
}

#[tokio::test]
async fn tokens_can_expire_in_between() {
    let (mut lab, id) = broken(FaultKind::ExpireTokens).await;
    assert_eq!(lab.download(&id, "IDE").await.status(), 401);
    let form = [("grant_type", "refresh_token"), ("refresh_token", lab.refresh.as_str())];
    let tokens: serde_json::Value = lab.token(&form).await.json().await.expect("tokens");
    tokens["access_token"].as_str().expect("token").clone_into(&mut lab.access);
    heals(&lab, &id).await;
}

#[tokio::test]
async fn an_answer_can_be_late_and_then_wrong() {
    let (lab, id) = broken(FaultKind::Delay { ms: 200 }).await;
    let kind = FaultKind::Status { code: 500, retry_after: None, body: None };
    lab.admin().inject(FaultRule::on("downloadAsset", kind).times(1));
    let start = Instant::now();
    assert_eq!(lab.download(&id, "IDE").await.status(), 500);
    assert!(start.elapsed() >= Duration::from_millis(200));
    lab.admin().clear_faults();
    assert!(lab.admin().state().faults.is_empty());
}

#[tokio::test]
async fn any_endpoint_can_fail_and_body_faults_follow_a_redirect() {
    let lab = Lab::paired().await;
    let cut = FaultKind::Truncate { after_bytes: 1, announce_short: false };
    lab.admin().inject(FaultRule::on("getOrdersForLab", cut.clone()).times(1));
    let answer = lab.get("/api/third-party/v1/orders/lab").await;
    assert!(answer.bytes().await.is_err());
    assert!(lab.listed().await.is_empty());

    lab.admin().update_settings(|settings| settings.redirect_to_storage = true);
    let id = lab.order(&OrderSpec::default());
    lab.admin().inject(FaultRule::on("downloadAsset", cut).order(&id).times(1));
    let url = crate::lab::location(&lab.download(&id, "IDE").await);
    let answer = lab.http.get(url).send().await.expect("answer");
    assert!(answer.bytes().await.is_err());
    let gone = FaultKind::Status { code: 410, retry_after: None, body: None };
    lab.admin().inject(FaultRule::on("storage", gone).order(&id));
    let url = crate::lab::location(&lab.download(&id, "IDE").await);
    assert_eq!(lab.http.get(url).send().await.expect("answer").status(), 410);
}

#[tokio::test]
async fn one_account_can_fail_alone() {
    let lab = Lab::paired().await;
    let kind = FaultKind::Status { code: 500, retry_after: None, body: None };
    lab.admin().inject(FaultRule::on("getOrdersForLab", kind.clone()).account("other"));
    assert!(lab.listed().await.is_empty());
    lab.admin().inject(FaultRule::on("getOrdersForLab", kind).account("4711"));
    assert_eq!(lab.get("/api/third-party/v1/orders/lab").await.status(), 500);
}

#[tokio::test]
async fn somebody_else_may_answer_with_a_page_of_any_status() {
    for status in [200, 404, 503] {
        let lab = Lab::paired().await;
        let id = lab.order(&OrderSpec::default());
        let kind = FaultKind::web_page(status, "Service unavailable");
        lab.admin().inject(FaultRule::on("downloadAsset", kind).order(&id).times(1));
        let answer = lab.download(&id, "IDE").await;
        assert_eq!(answer.status(), status);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        let body = answer.text().await.expect("a body");
        assert!(body.contains("<title>Service unavailable</title>"), "{body}");
        heals(&lab, &id).await;
    }
}
