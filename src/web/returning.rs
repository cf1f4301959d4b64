//! Returning a scan to the doctor: a separate page on which the user types the order's number
//! again.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::act::carry_out;
use super::data::OrderView;
use super::frame::{Call, Frame, show};
use super::gate::Checked;
use super::order::{InAddress, href, named};
use super::shared::Shared;
use super::texts::fill;
use crate::model::manifest::Severity;
use crate::model::request::{Request, Text};

#[derive(Template)]
#[template(path = "return.html")]
struct ReturnPage {
    frame: Frame,
    path: String,
    order: String,
    state: String,
    /// The proposed reason.
    reason: String,
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
    let asked = key.clone();
    match shared.ask(move |data| data.order(&asked)).await {
        Ok(Some(view)) => show(&ReturnPage {
            frame: call.frame(call.texts.return_title, "orders").still(),
            path: href(&key),
            order: key.order.to_string(),
            state: view.record.remote.status.to_string(),
            reason: if wanted.ask == "incomplete" { reason(&view, &call) } else { String::new() },
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
    Checked(form): Checked<Filled>,
) -> Response {
    let Some(key) = named(parts) else { return call.nothing(call.texts.not_found_order) };
    let back = href(&key);
    let request = Request::Return {
        lab: Some(key.lab.to_string()),
        order: key.order,
        reason: Text(form.reason),
        // Anything but a number confirms nothing.
        confirm: form.confirm.trim().parse().ok(),
    };
    carry_out(&shared, &call, (form.id, &back), request).await
}
