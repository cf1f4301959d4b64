//! The sign-in page, for configs with a password.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::frame::{Call, Frame, show};
use super::gate::{Checked, local_path};
use super::shared::Shared;
use super::texts::fill;

#[derive(Template)]
#[template(path = "login.html")]
struct Login {
    frame: Frame,
    to: String,
    problem: Option<String>,
}

/// Where to go after the sign-in.
#[derive(Deserialize, Default)]
pub(super) struct Whereto {
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    to: String,
    password: String,
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Query(whereto): Query<Whereto>,
    call: Call,
) -> Response {
    if !shared.gate.asks_password() || call.visitor.signed_in() {
        return Redirect::to(local_path(Some(&whereto.to))).into_response();
    }
    form(&call, whereto.to, None)
}

pub(super) async fn sign_in(
    State(shared): State<Arc<Shared>>,
    call: Call,
    Checked(filled): Checked<Filled>,
) -> Response {
    match shared.gate.sign_in(&call.visitor, &filled.password).await {
        Ok(()) => Redirect::to(local_path(Some(&filled.to))).into_response(),
        Err(refused) => {
            let seconds = refused.wait.as_secs();
            let problem = if seconds == 0 {
                call.texts.password_wrong.to_owned()
            } else {
                fill(call.texts.password_wait, &[("seconds", &seconds.to_string())])
            };
            let page = form(&call, filled.to, Some(problem));
            (StatusCode::FORBIDDEN, page).into_response()
        }
    }
}

pub(super) async fn sign_out(call: Call, Checked(Nothing {}): Checked<Nothing>) -> Response {
    call.visitor.sign_out();
    Redirect::to("/login").into_response()
}

fn form(call: &Call, to: String, problem: Option<String>) -> Response {
    let frame = call.frame(call.texts.password_title, "login").still();
    show(&Login { frame, to, problem })
}
