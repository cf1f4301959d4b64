//! What monitoring programs ask for.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

use super::Shared;
use crate::metrics;
use crate::model::fault::Fault;
use crate::status::Health;

pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    match shared.ask(|house| Ok::<_, Fault>(house.metrics())).await {
        Ok(text) => ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response(),
        Err(fault) => (StatusCode::SERVICE_UNAVAILABLE, fault.chain()).into_response(),
    }
}
