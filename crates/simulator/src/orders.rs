//! Orders: the list of ready ones, one by its prescription, and returning one to the doctor.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::{StatusCode, header};

use super::call::{Call, paired};
use super::flows;
use super::hub::Hub;
use super::reply::Reply;
use super::wire::{self, ReturnRequest};

/// Lists all orders that are ready now; refused if called too early.
pub(super) async fn list(hub: &Arc<Hub>, call: &Call) -> Reply {
    let holder = match paired(hub, call) {
        Ok(holder) => holder,
        Err(refused) => return refused,
    };
    if let Err(wait) = may_poll(hub, &holder.account) {
        tracing::warn!(account = holder.account, "polled too early");
        let message = "wait 120 seconds or more between successive calls";
        return Reply::error(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message)
            .with(header::RETRY_AFTER, wait.to_string());
    }
    let looking = hub.clone();
    if tokio::task::spawn_blocking(move || looking.look_for_packages()).await.is_err() {
        tracing::warn!("looking for packages failed");
    }
    let state = hub.state();
    let own = state.orders.iter().filter(|order| order.account == holder.account);
    let shown: Vec<_> = own
        .filter_map(|order| {
            let (status, updated) = order.listed()?;
            Some(wire::order(order, status, updated, state.settings.vary))
        })
        .collect();
    Reply::json(StatusCode::OK, &shown.into())
}

/// Counts the poll, or returns the seconds to wait. Tolerates half a second (at most two percent),
/// since the client measures between different moments than we do.
fn may_poll(hub: &Hub, account: &str) -> Result<(), u64> {
    let mut guard = hub.state();
    let state = &mut *guard;
    let interval = Duration::from_millis(state.settings.min_poll_interval_ms);
    let slack = (interval / 50).min(Duration::from_millis(500));
    let Some(account) = state.accounts.iter_mut().find(|known| known.id == account) else {
        return Ok(());
    };
    let since = account.last_poll.map(|last| last.elapsed());
    if let Some(since) = since.filter(|since| *since + slack < interval) {
        account.violations += 1;
        state.counters.poll_violations += 1;
        let wait = interval.saturating_sub(since);
        return Err(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
    }
    account.last_poll = Some(Instant::now());
    account.polls += 1;
    state.counters.polls += 1;
    Ok(())
}

/// Returns one order by its Rx id, whatever its status.
pub(super) fn by_rx(hub: &Hub, call: &Call) -> Reply {
    let holder = match paired(hub, call) {
        Ok(holder) => holder,
        Err(refused) => return refused,
    };
    let state = hub.state();
    let wanted = call.route.id.as_deref().unwrap_or_default();
    let found = state.orders.iter().find(|o| o.rx_id == wanted && o.account == holder.account);
    match found {
        Some(order) => {
            let shown = wire::order(order, &order.status, order.updated, state.settings.vary);
            Reply::json(StatusCode::OK, &shown)
        }
        None => Reply::error(StatusCode::NOT_FOUND, "NoSuchOrder", "no order has this Rx id"),
    }
}

/// Returns an order to the doctor; it comes back under the same id after `rescan-completed`.
pub(super) fn send_back(hub: &Arc<Hub>, call: &Call) -> Reply {
    let holder = match paired(hub, call) {
        Ok(holder) => holder,
        Err(refused) => return refused,
    };
    let id = call.route.id.as_deref().unwrap_or_default();
    let reason = match serde_json::from_slice::<ReturnRequest>(&call.body) {
        Ok(request) if !request.reason.trim().is_empty() => request.reason,
        _ => {
            let message = "the body must be JSON with a reason";
            return Reply::error(StatusCode::BAD_REQUEST, "BadRequest", message);
        }
    };
    let own = hub.state().order(id).is_some_and(|order| order.account == holder.account);
    if !own || flows::apply(hub, id, "return-to-doctor").is_err() {
        return Reply::error(StatusCode::NOT_FOUND, "NoSuchOrder", "no order has this id");
    }
    let mut state = hub.state();
    state.returns.push((id.to_owned(), reason));
    match state.order(id) {
        Some(order) => Reply::json(StatusCode::OK, &wire::returned(order)),
        None => Reply::error(StatusCode::NOT_FOUND, "NoSuchOrder", "no order has this id"),
    }
}
