//! Returning a scan to the doctor: a separate page on which the user types the order's number
//! again.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;

use super::act::carry_out;
use super::data::OrderView;
use super::frame::{Call, Frame, show};
use super::gate::Checked;
use super::order::{InAddress, href, named};
use super::shared::Shared;
use super::texts::fill;
use crate::model::ids::OrderKey;
use crate::model::manifest::Severity;
use crate::model::request::{Request, Text};

#[derive(Template)]
#[template(path = "return.html")]
struct ReturnPage {
    frame: Frame,
    path: String,
    order: String,
    state: String,
    /// The proposed reason, or the one typed before.
    reason: String,
    /// Why the form was not sent.
    problem: Option<String>,
}

/// The parameters of the URL.
#[derive(Default, Deserialize)]
pub(super) struct Asked {
    /// `incomplete`: propose the findings as the reason, for the user to read and change before
    /// sending.
    #[serde(default)]
    ask: String,
}

/// The submitted form.
#[derive(Deserialize)]
pub(super) struct Filled {
    id: String,
    reason: String,
    confirm: String,
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Path(parts): InAddress,
    Query(wanted): Query<Asked>,
    call: Call,
) -> Response {
    let Some(key) = named(parts) else { return call.nothing(call.texts.not_found_order) };
    let proposal = |view: &OrderView| match wanted.ask.as_str() {
        "incomplete" => reason(view, &call),
        _ => String::new(),
    };
    form(&shared, &call, &key, proposal, None).await
}

/// The form, with a reason in it.
async fn form(
    shared: &Arc<Shared>,
    call: &Call,
    key: &OrderKey,
    reason: impl FnOnce(&OrderView) -> String,
    problem: Option<String>,
) -> Response {
    let asked = key.clone();
    match shared.ask(move |data| data.order(&asked)).await {
        Ok(Some(view)) => show(&ReturnPage {
            frame: call.frame(call.texts.return_title, "orders").still(),
            path: href(key),
            order: key.order.to_string(),
            state: view.record.remote.status.to_string(),
            reason: reason(&view),
            problem,
        }),
        Ok(None) => call.nothing(call.texts.not_found_order),
        Err(fault) => call.cannot(&fault),
    }
}

/// The serious findings, for the doctor: without file names.
fn reason(view: &OrderView, call: &Call) -> String {
    let newest = view.revisions.first().map(|revision| &revision.manifest);
    let manifest = view.held.as_ref().map(|held| &held.manifest).or(newest);
    let findings = manifest.map(|it| it.findings.as_slice()).unwrap_or_default();
    let mut serious: Vec<&str> = Vec::new();
    for finding in findings.iter().filter(|finding| finding.severity == Severity::Serious) {
        let words = call.texts.finding(&finding.code).unwrap_or(&finding.words);
        let words = words.trim_end_matches('.');
        if !serious.contains(&words) {
            serious.push(words);
        }
    }
    if serious.is_empty() {
        return String::new();
    }
    fill(call.texts.ask_text, &[("what", &serious.join("; "))])
}

pub(super) async fn send(
    State(shared): State<Arc<Shared>>,
    Path(parts): InAddress,
    call: Call,
    Checked(filled): Checked<Filled>,
) -> Response {
    let Some(key) = named(parts) else { return call.nothing(call.texts.not_found_order) };
    // Whoever mistypes the number must not lose the reason, which is kept nowhere.
    let w = call.lang.list_texts();
    let problem = if filled.confirm.trim() != key.order.as_str() {
        Some(fill(w.confirm_wrong, &[("order", key.order.as_str())]))
    } else if filled.reason.trim().is_empty() {
        Some(w.reason_missing.to_owned())
    } else {
        None
    };
    if problem.is_some() {
        let page = form(&shared, &call, &key, |_| filled.reason, problem).await;
        return (StatusCode::UNPROCESSABLE_ENTITY, page).into_response();
    }
    let back = href(&key);
    let request = Request::Return {
        lab: Some(key.lab.to_string()),
        confirm: Some(key.order.clone()),
        order: key.order,
        reason: Text(filled.reason),
    };
    carry_out(&shared, &call, (filled.id, &back), request).await
}
