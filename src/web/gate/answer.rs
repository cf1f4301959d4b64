//! Refusals, and what all responses have in common.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;

use super::visitor::Visitor;

/// The headers of every response. There is no `Strict-Transport-Security`: it would apply to all
/// ports of the host, including other programs on this PC, has no effect for IP addresses, and
/// locks everyone out once a lab's own certificate expires.
///
/// `Referrer-Policy` is not `no-referrer`: with that, browsers send the origin of a form as `null`
/// (Fetch standard, "append a request Origin header"), and our own forms would look foreign.
const HEADERS: [(HeaderName, &str); 8] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=(), usb=(), clipboard-write=(self)",
    ),
    (HeaderName::from_static("x-permitted-cross-domain-policies"), "none"),
];

/// Adds the common headers to a response.
pub(super) fn dress(answer: &mut Response) {
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Ends an event stream (`text/event-stream`) together with its visitor's session; leaves other
/// responses alone.
pub(super) fn while_signed_in(answer: Response, visitor: Visitor) -> Response {
    let kind = answer.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    if !kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
        return answer;
    }
    answer.map(|body| {
        let events = body.into_data_stream();
        Body::from_stream(events.take_while(move |_| std::future::ready(visitor.signed_in())))
    })
}

/// A refusal in plain words.
pub struct Refusal {
    pub(super) status: StatusCode,
    pub(super) text: &'static str,
    pub(super) more: Option<(HeaderName, HeaderValue)>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, text: &'static str) -> Self {
        Self { status, text, more: None }
    }

    pub(super) fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { more: Some((name, value)), ..self }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut answer = (self.status, self.text).into_response();
        if let Some((name, value)) = self.more {
            answer.headers_mut().insert(name, value);
        }
        answer
    }
}

/// The refusal for a route that needs the gate but is not behind it.
pub(super) fn no_gate() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "this route is not behind the gate\n")
}
