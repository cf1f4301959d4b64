//! One call and its answer.

use std::net::IpAddr;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::decode::MOST_BYTES;
use super::shared::Shared;
use super::writer::Job;
use super::{RECORDED, TEST, TESTED};
use super::{decode, peer};
use crate::model::notification::{Mention, Noted, Reading};

/// Time limit for receiving a body.
const BODY_TIME: Duration = Duration::from_secs(10);
/// How long a call waits for room in the commit queue.
const ROOM_TIME: Duration = Duration::from_secs(2);
/// How long it then waits for its commit.
const COMMIT_TIME: Duration = Duration::from_secs(15);
/// Seconds after which to resend a notification that could not be accepted.
const AGAIN: &str = "10";

pub(super) async fn answer(shared: &Shared, peer: IpAddr, call: Request<Body>) -> Response<Body> {
    if !shared.is_secret_path(call.uri().path()) {
        shared.count(|counts| counts.elsewhere += 1);
        return empty(StatusCode::NOT_FOUND);
    }
    match *call.method() {
        Method::GET | Method::HEAD => text(StatusCode::OK, "ok\n"),
        Method::POST => notified(shared, peer, call).await,
        _ => {
            let mut refused = empty(StatusCode::METHOD_NOT_ALLOWED);
            refused
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
            refused
        }
    }
}

async fn notified(shared: &Shared, peer: IpAddr, call: Request<Body>) -> Response<Body> {
    let (head, body) = call.into_parts();
    let declared = head.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared
        .and_then(|text| text.parse().ok())
        .is_some_and(|bytes: u64| bytes > MOST_BYTES as u64)
    {
        return lost(shared, StatusCode::PAYLOAD_TOO_LARGE, "it is too large").await;
    }
    let body = match timeout(BODY_TIME, to_bytes(body, MOST_BYTES)).await {
        Ok(Ok(body)) => body,
        // It broke off or is too large. It does not matter which: either way, this answer is the
        // only one.
        Ok(Err(_)) => {
            let why = "it is too large, or was cut off";
            return lost(shared, StatusCode::PAYLOAD_TOO_LARGE, why).await;
        }
        Err(_) => {
            return lost(shared, StatusCode::REQUEST_TIMEOUT, "it did not arrive in time").await;
        }
    };
    let Reading { mentions, unreadable } = match decode::plain(&body, &head.headers) {
        Ok(body) if body.trim_ascii() == TEST.as_bytes() => return text(StatusCode::OK, TESTED),
        Ok(body) => shared.intake.read(&body, head.uri.query()),
        Err(why) => Reading::unclear(None, why),
    };
    if let Some(why) = unreadable {
        note_unreadable(shared, why);
    }
    match record(shared, mentions).await {
        None => {
            let mut later = empty(StatusCode::SERVICE_UNAVAILABLE);
            later.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static(AGAIN));
            later
        }
        Some(noted) if noted.iter().all(|noted| *noted == Noted::Nobodys) => {
            let from = peer::remote(peer, &head.headers, &shared.settings.trusted_proxies);
            shared.log_later(|unlogged| {
                unlogged.refused += noted.len() as u64;
                unlogged.refused_from = Some(from);
            });
            empty(StatusCode::NOT_FOUND)
        }
        Some(_) => text(StatusCode::OK, RECORDED),
    }
}

/// A notification arrived whose content is lost. It is not acknowledged and may come again. But its
/// sender is unlikely to send a different one, so the change it announces is recorded anyway.
async fn lost(shared: &Shared, status: StatusCode, why: &str) -> Response<Body> {
    note_unreadable(shared, why.to_owned());
    record(shared, Reading::unclear(None, why).mentions).await;
    let mut answer = empty(status);
    // The rest of the body would follow on this connection.
    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn note_unreadable(shared: &Shared, why: String) {
    shared.count(|counts| counts.unreadable += 1);
    shared.log_later(|unlogged| {
        unlogged.unreadable += 1;
        unlogged.unreadable_why = why;
    });
}

/// Makes the mentions durable; `None` if that fails.
async fn record(shared: &Shared, mentions: Vec<Mention>) -> Option<Vec<Noted>> {
    let (answer, outcome) = oneshot::channel();
    let job = Job { mentions, answer };
    let Ok(Ok(())) = timeout(ROOM_TIME, shared.jobs.send(job)).await else {
        shared.count(|counts| counts.turned_away += 1);
        return None;
    };
    // If it becomes durable after that, the resent notification does no harm.
    timeout(COMMIT_TIME, outcome).await.ok()?.ok()?.ok()
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

fn text(status: StatusCode, text: &str) -> Response<Body> {
    let mut answer = Response::new(Body::from(text.to_owned()));
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    answer.headers_mut().insert(header::CONTENT_TYPE, plain);
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
}
