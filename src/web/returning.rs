//! Sending a scan back to the doctor: a page of its own, with the order's number to be typed once more.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use serde::Deserialize;

use super::Shared;
use super::act::carry_out;
use super::frame::{Call, Frame, show};
use super::gate::Checked;
use super::order::{InAddress, href, named};
use crate::model::request::{Request, Text};

#[derive(Template)]
#[template(path = "return.html")]
struct ReturnPage {
    frame: Frame,
    path: String,
    order: String,
    state: String,
}

/// What is filled in.
#[derive(Deserialize)]
pub(super) struct Filled {
    id: String,
    reason: String,
    confirm: String,
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Path(parts): InAddress,
    call: Call,
) -> Response {
    let Some(key) = named(parts) else { return call.nothing(call.texts.not_found_order) };
    let asked = key.clone();
    match shared.ask(move |house| house.order(&asked)).await {
        Ok(Some(view)) => show(&ReturnPage {
            frame: call.frame(call.texts.return_title, "orders").still(),
            path: href(&key),
            order: key.order.to_string(),
            state: view.record.remote.status.to_string(),
        }),
        Ok(None) => call.nothing(call.texts.not_found_order),
        Err(fault) => call.cannot(&fault),
    }
}

pub(super) async fn send(
    State(shared): State<Arc<Shared>>,
    Path(parts): InAddress,
    call: Call,
    Checked(form): Checked<Filled>,
) -> Response {
    let Some(key) = named(parts) else { return call.nothing(call.texts.not_found_order) };
    let back = href(&key);
    let request = Request::Return {
        lab: Some(key.lab.to_string()),
        order: key.order,
        reason: Text(form.reason),
        // Anything else than a number confirms nothing.
        confirm: form.confirm.trim().parse().ok(),
    };
    carry_out(&shared, &call, (form.id, &back), request).await
}
