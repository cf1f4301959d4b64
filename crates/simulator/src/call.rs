//! A request as the endpoints see it, and who makes it.

use std::collections::BTreeMap;

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, header};
use bytes::Bytes;

use super::hub::Hub;
use super::reply::Reply;
use super::routes::{Endpoint, Route};
use super::tokens::{Holder, Refused};

/// A request to one of the endpoints.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    pub(super) query: Pairs,
    pub(super) body: Bytes,
    pub(super) route: Route,
}

/// Names and values of a query or a form; the first of duplicate names wins.
pub(super) type Pairs = BTreeMap<String, String>;

/// Parses `a=b&c=d`.
pub(super) fn pairs(text: &[u8]) -> Pairs {
    let mut pairs = Pairs::new();
    for (name, value) in url::form_urlencoded::parse(text) {
        pairs.entry(name.into_owned()).or_insert_with(|| value.into_owned());
    }
    pairs
}

impl Call {
    pub(super) fn new(parts: Parts, body: Bytes, route: Route) -> Self {
        let query = pairs(parts.uri.query().unwrap_or_default().as_bytes());
        Self { method: parts.method, headers: parts.headers, query, body, route }
    }

    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Returns the host and port that the client used for us.
    pub(super) fn host(&self) -> &str {
        self.header(&header::HOST).unwrap_or("127.0.0.1")
    }

    /// Returns that host with another port.
    pub(super) fn host_with_port(&self, port: u16) -> String {
        format!("{}:{port}", without_port(self.host()))
    }

    pub(super) fn form(&self) -> Pairs {
        pairs(&self.body)
    }

    pub(super) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header(&header::AUTHORIZATION)?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }

    pub(super) fn endpoint_name(&self) -> &'static str {
        let refresh = self.route.endpoint == Endpoint::Token
            && self.form().get("grant_type").is_some_and(|grant| grant == "refresh_token");
        if refresh { "refreshToken" } else { self.route.endpoint.name() }
    }
}

/// Returns a host without its port; IPv6 addresses keep their brackets.
pub(super) fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Returns the holder of the request's token, or the response that refuses it (401).
pub(super) fn signed_in(hub: &Hub, call: &Call) -> Result<Holder, Reply> {
    let state = hub.state();
    state.tokens.check(call.bearer()).cloned().map_err(|refused| {
        let (challenge, message) = match refused {
            Refused::Missing => ("Bearer", "a bearer token is needed"),
            Refused::Unknown => {
                (r#"Bearer error="invalid_token""#, "the access token is not known")
            }
            Refused::Expired => (
                r#"Bearer error="invalid_token", error_description="The access token expired""#,
                "the access token expired",
            ),
        };
        Reply::error(StatusCode::UNAUTHORIZED, "Unauthorized", message)
            .with(header::WWW_AUTHENTICATE, challenge)
    })
}

/// Like [`signed_in`], and requires a pairing with the account (403).
pub(super) fn paired(hub: &Hub, call: &Call) -> Result<Holder, Reply> {
    let holder = signed_in(hub, call)?;
    let state = hub.state();
    if state.tokens.is_paired(&holder, state.settings.pair_tokens_only) {
        return Ok(holder);
    }
    let message = "the user is not paired with the account";
    Err(Reply::error(StatusCode::FORBIDDEN, "NotPaired", message))
}
