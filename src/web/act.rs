//! The page's buttons: each form is executed once, however often a browser sends it, and leads back
//! to its page with the answer.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::answers::{About, Answer};
use super::frame::{Call, Frame, show};
use super::gate::{Checked, local_path};
use super::markup::segment;
use super::order::{InAddress, href, named};
use super::setup;
use super::shared::Shared;
use crate::disk::random_text;
use crate::model::request::{Outcome, Reply, Request, Text, Via, Who};

/// Prefix of the ids of the page's requests.
const PREFIX: &str = "page-";
/// Maximum length of an id.
const ID_MAX: usize = 100;

/// Shown on the way to Align's login page.
#[derive(Template)]
#[template(path = "going.html")]
struct Going {
    frame: Frame,
    url: String,
}

/// The fields of every form.
#[derive(Deserialize)]
pub(super) struct Basic {
    /// The id of the request.
    pub(super) id: String,
    /// The page to return to.
    #[serde(default)]
    back: String,
}

/// A form about a lab.
#[derive(Deserialize)]
pub(super) struct OfLab {
    id: String,
    #[serde(default)]
    back: String,
    #[serde(default)]
    account: String,
    #[serde(default)]
    code: String,
}

pub(super) fn new_id() -> String {
    // Without random numbers the form is refused, and says so.
    random_text::<16>("random").map(|text| format!("{PREFIX}{text}")).unwrap_or_default()
}

fn is_id(id: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    id.len() > PREFIX.len()
        && id.len() <= ID_MAX
        && id.starts_with(PREFIX)
        && id.chars().all(is_plain)
}

/// Like [`carry_out`], but returns the answer itself, or the page to show instead.
pub(super) async fn answer_of(
    shared: &Arc<Shared>,
    call: &Call,
    id: &str,
    request: Request,
) -> Result<Reply, Response> {
    if request.changes_set_up() && !call.visitor.may_set_up() {
        return Err(setup::asks_for_code(shared, call).await);
    }
    served(shared, id, request).await.ok_or_else(|| call.bad_form())
}

/// Carries out a request and redirects to a page that shows the answer. The request is remembered,
/// so that sending a form again does not execute it again.
pub(super) async fn carry_out(
    shared: &Arc<Shared>,
    call: &Call,
    (id, back): (String, &str),
    request: Request,
) -> Response {
    let about = About::of(&request);
    match answer_of(shared, call, &id, request).await {
        Ok(reply) => answered(shared, id, Answer::new(about, reply), back),
        Err(response) => response,
    }
}

/// Carries out a request that the caller is allowed to make; `None` if the id is not one of ours.
async fn served(shared: &Arc<Shared>, id: &str, request: Request) -> Option<Reply> {
    if !is_id(id) {
        return None;
    }
    let asked = id.to_owned();
    let served = shared
        .ask(move |data| data.serve_once(&asked, &request, &Who { user: None, via: Via::Page }));
    Some(served.await.unwrap_or_else(Reply::from))
}

/// Where to go back to: the order's page as it was, with the list that led there.
fn back_to(back: &str, page: &str) -> String {
    let is_page = back.split('?').next() == Some(page);
    if is_page { back.to_owned() } else { page.to_owned() }
}

/// Redirects to a page that shows the answer.
pub(super) fn answered(
    shared: &Shared,
    id: String,
    answer: impl Into<Answer>,
    back: &str,
) -> Response {
    let back = local_path(Some(back));
    let joint = if back.contains('?') { '&' } else { '?' };
    let to = format!("{back}{joint}answer={id}");
    shared.answers.keep(id, answer.into());
    Redirect::to(&to).into_response()
}

pub(super) async fn refetch(
    State(shared): State<Arc<Shared>>,
    Path(parts): InAddress,
    call: Call,
    Checked(form): Checked<Basic>,
) -> Response {
    let Some(key) = named(parts) else { return call.nothing(call.texts.not_found_order) };
    let back = back_to(&form.back, &href(&key));
    let request =
        Request::Refetch { lab: Some(key.lab.to_string()), orders: vec![key.order], kind: None };
    carry_out(&shared, &call, (form.id, &back), request).await
}

pub(super) async fn publish(
    State(shared): State<Arc<Shared>>,
    Path(parts): InAddress,
    call: Call,
    Checked(form): Checked<Basic>,
) -> Response {
    let Some(key) = named(parts) else { return call.nothing(call.texts.not_found_order) };
    let back = back_to(&form.back, &href(&key));
    let request = Request::Publish { lab: Some(key.lab.to_string()), orders: vec![key.order] };
    carry_out(&shared, &call, (form.id, &back), request).await
}

/// Compares an order's published files with their manifest.
pub(super) async fn verify(
    State(shared): State<Arc<Shared>>,
    Path(parts): InAddress,
    call: Call,
    Checked(form): Checked<Basic>,
) -> Response {
    let Some(key) = named(parts) else { return call.nothing(call.texts.not_found_order) };
    let back = href(&key);
    carry_out(&shared, &call, (form.id, &back), Request::Verify { orders: vec![key.order] }).await
}

/// Compares all published files with their manifests.
pub(super) async fn verify_all(
    State(shared): State<Arc<Shared>>,
    call: Call,
    Checked(form): Checked<Basic>,
) -> Response {
    let request = Request::Verify { orders: Vec::new() };
    carry_out(&shared, &call, (form.id, "/commands"), request).await
}

pub(super) async fn lab(
    State(shared): State<Arc<Shared>>,
    Path((lab, what)): Path<(String, String)>,
    call: Call,
    Checked(form): Checked<OfLab>,
) -> Response {
    if what == "login" {
        return log_in(&shared, &call, form.id, lab).await;
    }
    let lab = Some(lab);
    let request = match what.as_str() {
        "pause" => Request::Pause { lab },
        "resume" => Request::Resume { lab },
        "poll" => Request::Poll { lab },
        "pair" => {
            let account = match form.account.trim() {
                "" => None,
                text => match text.parse() {
                    Ok(account) => Some(account),
                    Err(_) => return call.bad_form(),
                },
            };
            let code = Some(form.code.trim()).filter(|code| !code.is_empty());
            Request::Pair { lab, account, code: code.map(|code| Text(code.to_owned())) }
        }
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    carry_out(&shared, &call, (form.id, &form.back), request).await
}

/// Starts a login and sends the browser to Align. The way there is a page that leads on at once,
/// not a redirect: browsers let no form lead to another site here, even by a redirect.
async fn log_in(shared: &Arc<Shared>, call: &Call, id: String, lab: String) -> Response {
    let back = format!("/welcome?lab={}", segment(&lab));
    let request = Request::Pair { lab: Some(lab), account: None, code: None };
    let about = About::of(&request);
    let reply = match answer_of(shared, call, &id, request).await {
        Ok(reply) => reply,
        Err(response) => return response,
    };
    let url = reply.details.get("login_url").and_then(|url| url.as_str());
    let Some(url) = url.filter(|_| reply.outcome == Outcome::LoginNeeded) else {
        return answered(shared, id, Answer::new(about, reply), &back);
    };
    // If the browser does not come back by itself, the set-up page has a field for its address.
    if reply.details.get("finishes_by_itself") != Some(&serde_json::Value::Bool(true)) {
        return Redirect::to(&back).into_response();
    }
    let frame = call.frame(call.texts.step_login, "welcome").still();
    let mut page = show(&Going { frame, url: url.to_owned() });
    // The agent begins to listen for the browser at the same time.
    if let Ok(value) = HeaderValue::try_from(format!("1; url={url}")) {
        page.headers_mut().insert(header::REFRESH, value);
    }
    page
}

impl Basic {
    pub(super) fn parts(self) -> (String, String) {
        (self.id, self.back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_pages() {
        assert!(is_id(&new_id()));
        assert_ne!(new_id(), new_id());
        let long = format!("{PREFIX}{}", "a".repeat(200));
        for id in ["", "page-", "asked-1", "page-a b", "page-\u{e4}", &long] {
            assert!(!is_id(id), "{id}");
        }
    }
}
