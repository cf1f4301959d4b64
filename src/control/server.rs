//! The server side, run by the agent.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, Request as Call, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::{Asked, MAX_BODY, Place, Refusal, new_id, random_text};
use crate::disk::Disk;
use crate::http::server::Host;
use crate::model::fault::Fault;
use crate::model::request::{Requests, Via, Who};
use crate::status::Status;

/// How long a caller may take to send the header, and then the body.
const PATIENCE: Duration = Duration::from_secs(10);
/// Maximum number of simultaneous connections.
const CALLERS: usize = 64;
/// Maximum length of a request id in bytes; our own ids are shorter.
const MAX_ID: usize = 200;

/// What the endpoint needs to answer its callers.
pub trait StatusSource: Requests {
    /// Returns the current status. Blocks.
    fn status(&self) -> Status;
}

struct Shared {
    source: Arc<dyn StatusSource>,
    token: SecretString,
}

/// Answers commands until `stopped` resolves. Failing to listen is only logged, because commands
/// then act on the journal directly.
pub async fn serve(
    disk: Arc<dyn Disk>,
    state: PathBuf,
    source: Arc<dyn StatusSource>,
    stopped: impl Future<Output = ()>,
) {
    let (listener, place) = match open(&*disk, &state).await {
        Ok(opened) => opened,
        Err(fault) => {
            tracing::warn!(
                "commands cannot reach this agent and will use its journal instead: {}",
                fault.chain()
            );
            return;
        }
    };
    let shared = Arc::new(Shared { source, token: place.token });
    let calls = accept(listener, &router(shared), stopped).await;
    Place::remove(&*disk, &state);
    calls.end().await;
}

/// Calls in flight.
struct Calls {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Calls {
    /// Closes idle connections and waits until all calls in flight are answered.
    async fn end(mut self) {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Listens on a free loopback port and writes `control.json`.
async fn open(disk: &dyn Disk, state: &std::path::Path) -> Result<(TcpListener, Place), Fault> {
    let cannot = |error: io::Error| {
        let text = "cannot listen on this PC's loopback address";
        Fault::new(crate::model::fault::FaultClass::Local, "control", text).caused_by(error)
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    let place = Place { address, token: random_text()?.into() };
    place.write(disk, state)?;
    Ok((listener, place))
}

async fn accept(
    listener: TcpListener,
    router: &Router,
    stopped: impl Future<Output = ()>,
) -> Calls {
    let mut stopped = std::pin::pin!(stopped);
    let mut calls = Calls { tasks: JoinSet::new(), stop: watch::Sender::new(false) };
    let callers = Arc::new(Semaphore::new(CALLERS));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopped.as_mut() => return calls,
            accepted = listener.accept() => accepted,
            Some(_) = calls.tasks.join_next() => continue,
        };
        match accepted {
            Ok((stream, _)) => {
                // Hang up on callers beyond the limit.
                if let Ok(permit) = Arc::clone(&callers).try_acquire_owned() {
                    let call = connection(stream, router.clone(), calls.stop.subscribe());
                    calls.tasks.spawn(async move {
                        call.await;
                        drop(permit);
                    });
                }
            }
            Err(error) => {
                tracing::debug!("cannot accept a command: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    let io = TokioIo::new(stream);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let serving = http.serve_connection(io, TowerToHyperService::new(router));
    let mut serving = std::pin::pin!(serving);
    let stopped = async {
        // An error means that the sender is gone: stop as well.
        drop(stop.wait_for(|stop| *stop).await);
    };
    let served = tokio::select! {
        served = serving.as_mut() => served,
        () = stopped => {
            // Finish the call in flight.
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = served {
        tracing::debug!("a command's connection ended early: {error}");
    }
}

fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/v1/requests", post(requests))
        .route("/v1/requests/{id}", delete(settled))
        .route("/v1/status", get(status))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "there is nothing here") })
        .method_not_allowed_fallback(|| async {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "this method is not allowed")
        })
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), guard))
        .with_state(shared)
}

/// Admits callers that address this PC by a loopback name and present the token.
async fn guard(State(shared): State<Arc<Shared>>, call: Call<Body>, next: Next) -> Response {
    if !Host::of(call.uri(), call.headers()).is_ok_and(|host| host.is_loopback()) {
        let text = "only requests to a loopback name are answered";
        return refusal(StatusCode::FORBIDDEN, text);
    }
    let shown = call.headers().get(header::AUTHORIZATION).map(HeaderValue::as_bytes);
    let shown = shown.and_then(|value| value.strip_prefix(b"Bearer "));
    let token = shared.token.expose_secret().as_bytes();
    if !shown.is_some_and(|shown| is_same(shown, token)) {
        let text = "the token is not that of the running agent; it is in control.json";
        return refusal(StatusCode::UNAUTHORIZED, text);
    }
    next.run(call).await
}

async fn requests(State(shared): State<Arc<Shared>>, call: Call<Body>) -> Response {
    let body = match whole(call.into_body()).await {
        Ok(body) => body,
        Err(refused) => return refused,
    };
    let asked: Asked = match serde_json::from_slice(&body) {
        Ok(asked) => asked,
        // serde's message could quote the body.
        Err(_) => return refusal(StatusCode::BAD_REQUEST, "the body is not a request"),
    };
    let Asked { id, request, user } = asked;
    if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > MAX_ID) {
        return refusal(StatusCode::BAD_REQUEST, "the id is empty or too long");
    }
    let who = Who { user, via: Via::CommandLine };
    blocking(move || {
        let source = &shared.source;
        // Without an id the caller cannot ask for the answer again, so do not keep it.
        let (id, is_ours) = match id {
            Some(id) => (id, false),
            None => (new_id()?, true),
        };
        let reply = source.serve_once(&id, &request, &who)?;
        if is_ours && let Err(fault) = source.settled(&id) {
            tracing::debug!("{}", fault.chain());
        }
        Ok(Json(reply).into_response())
    })
    .await
}

/// Drops the kept answer: the caller has received it.
async fn settled(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    blocking(move || shared.source.settled(&id).map(|()| StatusCode::NO_CONTENT.into_response()))
        .await
}

async fn status(State(shared): State<Arc<Shared>>) -> Response {
    blocking(move || Ok(Json(shared.source.status()).into_response())).await
}

/// Runs blocking work on another thread, to completion even if the caller disconnects.
async fn blocking(work: impl FnOnce() -> Result<Response, Fault> + Send + 'static) -> Response {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(response)) => response,
        Ok(Err(fault)) => {
            let (message, cause) = (fault.brief(), fault.rest());
            let refusal = Refusal { message, hint: fault.hint, cause };
            (StatusCode::SERVICE_UNAVAILABLE, Json(refusal)).into_response()
        }
        Err(_) => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the request ended in a panic"),
    }
}

/// Reads the whole body, limited in size and time.
async fn whole(body: Body) -> Result<Bytes, Response> {
    match tokio::time::timeout(PATIENCE, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => {
            let text = format!("the body is longer than {MAX_BODY} bytes, or was cut off");
            Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, text))
        }
        Err(_) => Err(refusal(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time")),
    }
}

fn refusal(status: StatusCode, message: impl Into<String>) -> Response {
    (status, Json(Refusal { message: message.into(), hint: None, cause: None })).into_response()
}

/// Compares in time independent of the content, so that timing reveals nothing about the token.
fn is_same(shown: &[u8], token: &[u8]) -> bool {
    let differences = shown.iter().zip(token).fold(0, |sum, (a, b)| sum | (a ^ b));
    shown.len() == token.len() && std::hint::black_box(differences) == 0
}
