//! Tests the endpoint with legitimate and hostile callers.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::*;
use crate::disk::RealDisk;
use crate::model::request::{Outcome, Reply, Requests, Via, Who};
use crate::status::{AgentStatus, Status, VolumeStatus};

#[derive(Default)]
struct Fake {
    served: Mutex<Vec<(String, Request, Who)>>,
    settled: Mutex<Vec<String>>,
}

impl Requests for Fake {
    fn serve_once(&self, id: &str, request: &Request, who: &Who) -> Result<Reply, Fault> {
        if matches!(request, Request::Verify { .. }) {
            let fault = Fault::new(FaultClass::Local, "journal", "the journal is locked");
            return Err(fault.hint("end the other program"));
        }
        let mut served = self.served.lock().expect("not poisoned");
        served.push((id.to_owned(), request.clone(), who.clone()));
        Ok(Reply::new(Outcome::Done, "paused"))
    }

    fn settled(&self, id: &str) -> Result<(), Fault> {
        self.settled.lock().expect("not poisoned").push(id.to_owned());
        Ok(())
    }
}

impl StatusSource for Fake {
    fn status(&self) -> Status {
        Status {
            version: "1".to_owned(),
            at: "now".to_owned(),
            agent: AgentStatus { running: true, since: None, silent: None },
            labs: Vec::new(),
            orders: std::collections::BTreeMap::new(),
            incomplete: std::collections::BTreeMap::new(),
            due_today: std::collections::BTreeMap::new(),
            failing: Vec::new(),
            page: None,
            set_up_code: None,
            poll_interval: 120,
            no_orders_after: None,
            update: None,
            failing_more: 0,
            notifications: None,
            downloads: Vec::new(),
            pauses: Vec::new(),
            output: VolumeStatus {
                path: "out".into(),
                waits: None,
                free: None,
                free_age: None,
                silent: None,
                min_free: 1,
            },
            journal: None,
            wishes: Vec::new(),
            notes: Vec::new(),
            fault: None,
        }
    }
}

struct Agent {
    dir: tempfile::TempDir,
    source: Arc<Fake>,
    stop: oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Agent {
    async fn start() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let source = Arc::new(Fake::default());
        let (stop, stopped) = oneshot::channel();
        let (state, served): (PathBuf, Arc<dyn StatusSource>) = (dir.path().into(), source.clone());
        let task = tokio::spawn(serve(Arc::new(RealDisk), state, served, async {
            drop(stopped.await);
        }));
        let began = std::time::Instant::now();
        while Place::read(&RealDisk, dir.path()).is_none() {
            assert!(began.elapsed() < Duration::from_secs(30), "it does not listen");
            tokio::task::yield_now().await;
        }
        Self { dir, source, stop, task }
    }

    fn place(&self) -> Place {
        Place::read(&RealDisk, self.dir.path()).expect("written")
    }

    fn client(&self) -> Control {
        Control::find(&RealDisk, self.dir.path()).expect("written")
    }

    /// Posts as an arbitrary client.
    async fn call(
        &self,
        path: &str,
        change: impl FnOnce(reqwest::RequestBuilder) -> reqwest::RequestBuilder,
    ) -> (StatusCode, Value) {
        crate::http::client::install_provider();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
        let url = format!("http://{}{path}", self.place().address);
        let answer = change(client.expect("client").post(url)).send().await.expect("answered");
        let status = answer.status();
        (status, serde_json::from_slice(&answer.bytes().await.expect("whole")).unwrap_or_default())
    }
}

use reqwest::StatusCode;

fn pause() -> Request {
    Request::Pause { lab: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_reaches_the_desk_with_its_id_and_its_user() {
    let agent = Agent::start().await;
    let reply = agent.client().ask("7", &pause(), Some("anna".to_owned())).await.expect("done");
    assert_eq!((reply.outcome, reply.message.as_str()), (Outcome::Done, "paused"));
    let served = agent.source.served.lock().expect("not poisoned").clone();
    let who = Who { user: Some("anna".to_owned()), via: Via::CommandLine };
    assert_eq!(served, [("7".to_owned(), pause(), who)]);
    assert_eq!(*agent.source.settled.lock().expect("not poisoned"), ["7"]);
    assert!(agent.client().status().await.expect("told").agent.running);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_desk_cannot_do_now_is_told_with_the_way_out() {
    let agent = Agent::start().await;
    let asked = Request::Verify { orders: Vec::new() };
    match agent.client().ask("7", &asked, None).await {
        Err(NotAsked::Fault(fault)) => {
            assert_eq!(fault.message, "the journal is locked");
            assert_eq!(fault.hint.as_deref(), Some("end the other program"));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_nonsense_are_refused() {
    let agent = Agent::start().await;
    let token = agent.place().token.expose_secret().to_owned();
    let good = json!({ "request": { "command": "pause" } });
    let (status, _) = agent.call("/v1/requests", |call| call.json(&good)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "no token");
    let mut other = token.clone();
    other.replace_range(..1, if token.starts_with('0') { "1" } else { "0" });
    for wrong in [other.as_str(), &token[1..], ""] {
        let (status, _) =
            agent.call("/v1/requests", |call| call.bearer_auth(wrong).json(&good)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let ours = |call: reqwest::RequestBuilder| call.bearer_auth(&token);
    for host in ["evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", ""] {
        let (status, _) =
            agent.call("/v1/requests", |call| ours(call).header("Host", host).json(&good)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{host}");
    }
    let long = json!({ "request": { "command": "pause", "lab": "x".repeat(MAX_BODY) } });
    let (status, _) = agent.call("/v1/requests", |call| ours(call).json(&long)).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    for body in ["", "{", r#"{"request":{"command":"format"}}"#, r#"{"request":"s3cret"}"#] {
        let (status, said) = agent.call("/v1/requests", |call| ours(call).body(body)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
        assert!(!said.to_string().contains("s3cret"));
    }
    let (status, _) = agent.call("/v1/other", |call| ours(call).json(&good)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = agent.call("/v1/status", |call| ours(call).json(&good)).await;
    assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(agent.source.served.lock().expect("not poisoned").len(), 0, "nothing was done");
    let (status, _) =
        agent.call("/v1/requests", |call| ours(call).header("Host", "localhost").json(&good)).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_site_is_told_that_it_may_ask() {
    let agent = Agent::start().await;
    let token = agent.place().token.expose_secret().to_owned();
    crate::http::client::install_provider();
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("client");
    let url = format!("http://{}/v1/requests", agent.place().address);
    let asked = client.request(reqwest::Method::OPTIONS, url).bearer_auth(token);
    let answer = asked.header("Origin", "https://evil.example").send().await.expect("answered");
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_for_its_owner_and_goes_with_the_agent() {
    let agent = Agent::start().await;
    let file = agent.dir.path().join(FILE_NAME);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let client = agent.client();
    agent.stop.send(()).expect("it runs");
    agent.task.await.expect("no panic");
    assert!(!file.exists());
    assert!(matches!(client.status().await, Err(NotAsked::Unreachable)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_leads_elsewhere_is_followed_nowhere() {
    let dir = tempfile::tempdir().expect("tempdir");
    assert!(Control::find(&RealDisk, dir.path()).is_none(), "there is none");
    for text in ["", "{", r#"{"address":"192.0.2.1:80","token":"t","pid":1}"#] {
        std::fs::write(dir.path().join(FILE_NAME), text).expect("written");
        assert!(Control::find(&RealDisk, dir.path()).is_none(), "{text}");
    }
    let other = Agent::start().await;
    let stale = Place { address: other.place().address, token: "old".to_owned().into() };
    stale.write(&RealDisk, dir.path()).expect("written");
    let client = Control::find(&RealDisk, dir.path()).expect("readable");
    let asked = client.ask("7", &pause(), None).await;
    assert!(matches!(asked, Err(NotAsked::Unreachable)), "{asked:?}");
}
