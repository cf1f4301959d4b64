//! Handles one request: finds its endpoint, applies faults, answers, and records it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use bytes::Bytes;

use super::conn::Breaker;
use super::faults::{FaultKind, Target};
use super::hub::Hub;
use super::reply::Reply;
use super::routes::{self, Endpoint, Route};
use super::snapshot::RequestRecord;
use super::tokens::{Holder, Refused};
use super::{accounts, assets, discovery, oauth, orders, scan_tool};

/// No API request is larger.
const MAX_BODY: usize = 1 << 20;

/// Set on a response: close the connection without sending it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HangUp;

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
    fn new(parts: Parts, body: Bytes, route: Route) -> Self {
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

    fn endpoint_name(&self) -> &'static str {
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

pub(super) async fn answer(
    hub: Arc<Hub>,
    breaker: Breaker,
    request: Request<Body>,
) -> Response<Body> {
    let disk = hub.library.disk().clone();
    let refuse =
        |status, code, message| Reply::error(status, code, message).send(None, &breaker, &disk);
    let (parts, body) = request.into_parts();
    let Some(route) = routes::find(parts.uri.path()) else {
        tracing::info!(method = %parts.method, path = parts.uri.path(), "no such endpoint");
        return refuse(StatusCode::NOT_FOUND, "NoSuchEndpoint", "there is nothing at this path");
    };
    if !routes::allows(route.endpoint, &parts.method) {
        let message = "the endpoint does not answer to this method";
        return refuse(StatusCode::METHOD_NOT_ALLOWED, "WrongMethod", message);
    }
    let Ok(body) = axum::body::to_bytes(body, MAX_BODY).await else {
        return refuse(StatusCode::BAD_REQUEST, "BadBody", "the body could not be read");
    };
    let call = Call::new(parts, body, route);
    let mut record = record_of(&hub, &call);
    let hit = hub.state().faults.hit(&Target {
        endpoint: &record.endpoint,
        account: record.account.as_deref(),
        order: record.order.as_deref(),
        asset: record.asset.as_deref(),
    });
    if hit.delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(hit.delay_ms)).await;
    }
    if hit.expire_tokens {
        hub.state().tokens.expire(record.account.as_deref());
    }
    let mut fault = hit.fault;
    let reply = match &fault {
        Some(FaultKind::Disconnect) => None,
        Some(FaultKind::Status { code, retry_after, body }) => {
            Some(status_reply(*code, *retry_after, body.as_deref()))
        }
        Some(FaultKind::Answer { status, content_type, body }) => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Some(Reply::text(status, content_type, body.clone()))
        }
        _ => Some(dispatch(&hub, &call, &mut fault).await),
    };
    record.status = reply.as_ref().map_or(0, |reply| reply.status.as_u16());
    tracing::info!(
        endpoint = record.endpoint,
        order = record.order,
        asset = record.asset,
        status = record.status,
        "answered"
    );
    hub.state().record(record);
    if let Some(reply) = reply {
        return reply.send(fault.as_ref(), &breaker, &disk);
    }
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(HangUp);
    response
}

fn record_of(hub: &Hub, call: &Call) -> RequestRecord {
    let state = hub.state();
    let id = call.route.id.as_deref();
    let mut asset = call.route.asset.clone();
    let order = match call.route.endpoint {
        Endpoint::Order => {
            let by_rx = state.orders.iter().find(|order| Some(order.rx_id.as_str()) == id);
            by_rx.map(|order| order.id.clone())
        }
        Endpoint::Storage => {
            let ticket = id.and_then(|id| state.tickets.get(id));
            asset = ticket.map(|ticket| ticket.asset.clone());
            ticket.map(|ticket| ticket.order.clone())
        }
        _ => id.map(str::to_owned),
    };
    let owner = order.as_deref().filter(|_| call.route.endpoint == Endpoint::Storage);
    let account = match owner.and_then(|id| state.order(id)) {
        Some(order) => Some(order.account.clone()),
        None => account_of(&state, call),
    };
    RequestRecord {
        at_ms: state.age_ms(),
        endpoint: call.endpoint_name().to_owned(),
        host: call.host().to_owned(),
        discovered: call.route.discovered,
        account,
        order,
        asset,
        status: 0,
    }
}

/// Identifies the account by the bearer token, or by the client id in login and refresh.
fn account_of(state: &super::state::State, call: &Call) -> Option<String> {
    if let Ok(holder) = state.tokens.check(call.bearer()) {
        return Some(holder.account.clone());
    }
    let form = call.form();
    let client = form.get("client_id").or_else(|| call.query.get("client_id"))?;
    let account = state.accounts.iter().find(|account| account.client_id == *client)?;
    Some(account.id.clone())
}

fn status_reply(code: u16, retry_after: Option<u64>, body: Option<&str>) -> Reply {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let reply = match body {
        Some(body) => Reply::text(status, "text/plain", body.to_owned()),
        None => Reply::error(status, "Injected", "an injected fault"),
    };
    match retry_after {
        Some(seconds) => reply.with(header::RETRY_AFTER, seconds.to_string()),
        None => reply,
    }
}

async fn dispatch(hub: &Arc<Hub>, call: &Call, fault: &mut Option<FaultKind>) -> Reply {
    match call.route.endpoint {
        Endpoint::Authorize => oauth::authorize(hub, call),
        Endpoint::Token => oauth::token(hub, call),
        Endpoint::Revoke => oauth::revoke(hub, call),
        Endpoint::Discovery => discovery::discover(hub, call),
        Endpoint::Accounts => accounts::list(hub, call),
        Endpoint::Pair => accounts::pair(hub, call),
        Endpoint::Unpair => accounts::unpair(hub, call),
        Endpoint::Orders => orders::list(hub, call).await,
        Endpoint::Order => orders::by_rx(hub, call),
        Endpoint::Return => orders::send_back(hub, call),
        Endpoint::Asset => assets::download(hub, call, fault).await,
        Endpoint::Storage => assets::storage(hub, call, fault).await,
        Endpoint::CreateOrder | Endpoint::CreateOrderByRx => scan_tool::create(hub, call),
        Endpoint::Procedures => scan_tool::procedures(hub, call),
    }
}
