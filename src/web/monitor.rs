//! The endpoints for monitoring.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::shared::Shared;
use crate::metrics;
use crate::model::fault::Fault;

/// Metrics for Prometheus.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    match shared.ask(|data| Ok::<_, Fault>(data.metrics())).await {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(fault) => (StatusCode::SERVICE_UNAVAILABLE, fault.chain()).into_response(),
    }
}

/// Whether the agent does its work, with every reason why not.
pub(super) async fn health(State(shared): State<Arc<Shared>>) -> Response {
    match shared.ask(|data| Ok::<_, Fault>(data.health())).await {
        Ok(health) => (code(health.ready_code()), Json(health)).into_response(),
        Err(fault) => (StatusCode::SERVICE_UNAVAILABLE, fault.chain()).into_response(),
    }
}

/// Whether the agent's loop still runs. Open to everyone: it reveals nothing else, and touches
/// neither disk nor journal.
pub(super) async fn live(State(shared): State<Arc<Shared>>) -> Response {
    let is_live = shared.data.is_live();
    let code = if is_live { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({ "live": is_live }))).into_response()
}

fn code(number: u16) -> StatusCode {
    StatusCode::from_u16(number).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
