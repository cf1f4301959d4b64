//! Handles one request: finds its endpoint, applies faults, answers, and records it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};

use super::call::Call;
use super::conn::Breaker;
use super::faults::{FaultKind, Target};
use super::hub::Hub;
use super::reply::Reply;
use super::routes::{self, Endpoint};
use super::snapshot::RequestRecord;
use super::{accounts, assets, discovery, oauth, orders, scan_tool};

/// No API request is larger.
const MAX_BODY: usize = 1 << 20;

/// Set on a response: close the connection without sending it.
#[derive(Debug, Clone, Copy)]
pub(super) struct HangUp;

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
