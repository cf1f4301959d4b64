//! What all answers have in common, and refusals.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;

use super::visitor::Visitor;

/// What every answer says. There is no `Strict-Transport-Security`: it would hold for all ports of the
/// host, other programs on this PC included, is void for addresses, and leaves nobody a way in when a
/// certificate of the lab's own has ended.
///
/// `Referrer-Policy` is not `no-referrer`: with that, browsers name the origin of a form `null` (Fetch
/// standard, "append a request Origin header"), and our own forms would look like somebody else's.
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

/// Puts on an answer what every answer says.
pub(super) fn dress(answer: &mut Response) {
    let headers = answer.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// The same answer; if it goes on and on (`text/event-stream`), only for as long as its visitor may see
/// it: what comes after the end of a session is not sent any more.
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

    /// With one more header.
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

/// A route that is not behind the gate asks for what only the gate knows.
pub(super) fn no_gate() -> Refusal {
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "this route stands outside of the gate\n")
}
