//! The gate in front of a small page.

mod coming_in;
mod forms;
mod served;
mod strangers;

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tower_service::Service as _;

use super::visitor::Peer;
use super::*;
use crate::password::cheap;
use axum::Router;

const PASSWORD: &str = "correct horse";

fn settings(listen: &str) -> Settings {
    Settings {
        listen: listen.parse().expect("an address"),
        tls: None,
        names: vec!["casedrop.lab.example".to_owned()],
        password_hash: None,
        care: Duration::from_millis(50),
    }
}

/// On this PC, without a password.
fn open() -> Settings {
    settings("127.0.0.1:8780")
}

/// On this PC, with a password.
fn locked() -> Settings {
    Settings { password_hash: Some(cheap(PASSWORD)), ..open() }
}

/// A small page behind a gate.
struct Page {
    gate: Gate,
    router: Router,
    /// In seconds.
    clock: Arc<AtomicU64>,
    acted: Arc<AtomicUsize>,
    events: tokio::sync::watch::Sender<u64>,
}

#[derive(Clone)]
struct Behind {
    gate: Gate,
    acted: Arc<AtomicUsize>,
    events: tokio::sync::watch::Sender<u64>,
}

#[derive(Deserialize)]
struct Login {
    password: String,
    to: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Act {
    name: String,
}

async fn sign_in(
    State(behind): State<Behind>,
    visitor: Visitor,
    Checked(login): Checked<Login>,
) -> Response {
    match behind.gate.sign_in(&visitor, &login.password).await {
        Ok(()) => Redirect::to(local_path(login.to.as_deref())).into_response(),
        Err(Refused { wait }) => {
            (StatusCode::FORBIDDEN, format!("wait {}", wait.as_secs())).into_response()
        }
    }
}

async fn act(State(behind): State<Behind>, Checked(act): Checked<Act>) -> String {
    behind.acted.fetch_add(1, Ordering::SeqCst);
    act.name
}

async fn events(State(behind): State<Behind>) -> Response {
    let numbers = futures_util::stream::unfold(behind.events.subscribe(), |mut seen| async {
        seen.changed().await.ok()?;
        let number = *seen.borrow_and_update();
        Some((Ok::<_, Infallible>(Bytes::from(format!("data: {number}\n\n"))), seen))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(numbers)).into_response()
}

impl Page {
    fn new(settings: &Settings) -> Self {
        let clock = Arc::new(AtomicU64::new(1_000_000));
        let seconds = Arc::clone(&clock);
        let time: Clock = Arc::new(move || Duration::from_secs(seconds.load(Ordering::SeqCst)));
        let gate = Gate::new(settings, time).expect("random numbers");
        let acted = Arc::new(AtomicUsize::new(0));
        let events = tokio::sync::watch::Sender::new(0);
        let behind =
            Behind { gate: gate.clone(), acted: Arc::clone(&acted), events: events.clone() };
        let cached = || async { ([(header::CACHE_CONTROL, "max-age=60")], "script") };
        let routes = Router::new()
            .route("/", get(|visitor: Visitor| async move { visitor.token() }))
            .route("/login", get(|visitor: Visitor| async move { visitor.token() }).post(sign_in))
            .route("/logout", post(|visitor: Visitor| async move { visitor.sign_out() }))
            .route("/act", post(act).get(act))
            .route("/raw", post(|body: Bytes| async move { body.len().to_string() }))
            .route("/events", get(self::events))
            .route("/metrics", get(|| async { "metrics" }))
            .route("/health", get(|| async { "health" }))
            .route("/health/live", get(|| async { "live" }))
            .route("/health/ready", get(|| async { "ready" }))
            .route("/assets/a.js", get(cached))
            .with_state(behind);
        Self { router: gate.guard(routes), gate, clock, acted, events }
    }

    fn pass(&self, time: Duration) {
        self.clock.fetch_add(time.as_secs(), Ordering::SeqCst);
    }

    fn acted(&self) -> usize {
        self.acted.load(Ordering::SeqCst)
    }

    async fn send(&self, ask: Ask) -> Answer {
        let mut request = Request::builder().method(ask.method).uri(ask.target.as_str());
        for (name, value) in &ask.headers {
            request = request.header(*name, value.as_str());
        }
        let mut request = request.body(Body::from(ask.body)).expect("a request");
        request.extensions_mut().insert(Peer(ask.from.parse().expect("an address")));
        let answered: Result<Response, Infallible> = self.router.clone().call(request).await;
        let (head, body) = answered.expect("answered").into_parts();
        let body = to_bytes(body, usize::MAX).await.expect("a body");
        Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            text: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// Signs in, and returns the cookie and token after that.
    async fn signed_in(&self) -> Session {
        let before = self.session("/login").await;
        let answer = self.send(before.login(PASSWORD)).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        let cookie = answer.cookie().expect("a new session");
        let page = self.send(get_of("/").header("cookie", &cookie)).await;
        Session { cookie, token: page.text }
    }

    /// Starts a session and returns it with its token.
    async fn session(&self, path: &str) -> Session {
        let page = self.send(get_of(path)).await;
        assert_eq!(page.status, 200, "{}", page.text);
        Session { cookie: page.cookie().expect("a session begins"), token: page.text }
    }
}

struct Session {
    cookie: String,
    token: String,
}

impl Session {
    fn login(&self, password: &str) -> Ask {
        let body = format!("csrf={}&password={password}", self.token);
        form("/login", &body).header("cookie", &self.cookie)
    }

    fn act(&self) -> Ask {
        form("/act", &format!("csrf={}&name=a", self.token)).header("cookie", &self.cookie)
    }
}

/// A request as a browser on this PC sends it.
struct Ask {
    method: Method,
    target: String,
    headers: Vec<(&'static str, String)>,
    body: String,
    from: &'static str,
}

fn get_of(target: &str) -> Ask {
    let headers = vec![("host", "127.0.0.1:8780".to_owned())];
    let (target, body) = (target.to_owned(), String::new());
    Ask { method: Method::GET, target, headers, body, from: "127.0.0.1" }
}

fn form(target: &str, body: &str) -> Ask {
    let ask = get_of(target).header("content-type", "application/x-www-form-urlencoded");
    Ask { method: Method::POST, body: body.to_owned(), ..ask }
}

impl Ask {
    fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn from(self, from: &'static str) -> Self {
        Self { from, ..self }
    }
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The cookie as the browser sends it back.
    fn cookie(&self) -> Option<String> {
        let set = self.headers.get(header::SET_COOKIE)?.to_str().expect("text");
        Some(set.split(';').next().expect("a cookie").to_owned())
    }
}
