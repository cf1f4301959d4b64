//! An order number that is not known here: why that may be, and a button that fetches the order
//! from Align by its number.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::act::carry_out;
use super::address::href;
use super::frame::{Call, Frame, show};
use super::gate::Checked;
use super::list_query::Asked;
use super::markup::segment;
use super::search::number_in;
use super::shared::Shared;
use super::texts::fill;
use crate::model::ids::OrderId;
use crate::model::listing::OrderQuery;
use crate::model::request::{CaseKind, Request};
use crate::status::WishKind;

/// How many orders may have the same number: one in each lab.
const SAME_NUMBER: usize = 100;

#[derive(Template)]
#[template(path = "unknown.html")]
struct UnknownPage {
    frame: Frame,
    /// What the page offers; `None` while the order is being requested.
    offer: Option<Offer>,
}

/// What is said and offered for an unknown number.
pub(super) struct Offer {
    pub(super) order: String,
    pub(super) title: String,
    /// The labs to choose from, and whether each is the likely one.
    pub(super) labs: Vec<(String, bool)>,
}

/// The id of the answer to show, which moves on with the visitor.
#[derive(Default, Deserialize)]
pub(super) struct Answered {
    answer: Option<String>,
}

/// The form that fetches an order by its number.
#[derive(Deserialize)]
pub(super) struct Filled {
    id: String,
    order: String,
    lab: String,
    kind: CaseKind,
}

impl Offer {
    pub(super) fn of(order: &str, lab: &str, shared: &Shared, call: &Call) -> Self {
        Self {
            order: order.to_owned(),
            title: fill(call.lang.list_texts().unknown, &[("order", order)]),
            labs: shared.labs.iter().map(|one| (one.clone(), one == lab)).collect(),
        }
    }
}

/// The page of a number: it leads to the order with that number.
pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    Path(order): Path<String>,
    Query(answered): Query<Answered>,
    call: Call,
) -> Response {
    let Some(order) = number_in(&order).and_then(|number| number.parse::<OrderId>().ok()) else {
        return call.nothing(call.texts.not_found_order);
    };
    let words = vec![order.to_string()];
    let query = OrderQuery { words, limit: SAME_NUMBER, ..OrderQuery::default() };
    let found = match shared.ask(move |data| data.orders(&query)).await {
        Ok(found) => found,
        Err(fault) => return call.cannot(&fault),
    };
    let same: Vec<_> = found.orders.iter().filter(|one| one.key.order == order).collect();
    match same[..] {
        [] => not_here(&shared, &call, &order, "").await,
        [only] => {
            let id = answered.answer.map(|id| format!("?answer={}", segment(&id)));
            Redirect::to(&(href(&only.key) + &id.unwrap_or_default())).into_response()
        }
        _ => Redirect::to(&Asked::searching(order.as_str()).address()).into_response(),
    }
}

/// Responds that an order is not known, with what can be done. `lab` is the likely one.
pub(super) async fn not_here(
    shared: &Arc<Shared>,
    call: &Call,
    order: &OrderId,
    lab: &str,
) -> Response {
    // Only by its number can an order be requested.
    if number_in(order.as_str()).is_none() {
        return call.nothing(call.texts.not_found_order);
    }
    let number = order.to_string();
    let asked = shared.ask(move |data| {
        let wishes = data.status().wishes;
        Ok(wishes.iter().any(|wish| {
            wish.what == WishKind::Fetch && wish.order_id.as_deref() == Some(number.as_str())
        }))
    });
    let is_requested = match asked.await {
        Ok(is_requested) => is_requested,
        Err(fault) => return call.cannot(&fault),
    };
    let w = call.lang.list_texts();
    let (status, title, offer) = if is_requested {
        let title = fill(w.fetch_requested, &[("order", order.as_str())]);
        (StatusCode::OK, title, None)
    } else {
        let offer = Offer::of(order.as_str(), lab, shared, call);
        (StatusCode::NOT_FOUND, offer.title.clone(), Some(offer))
    };
    let frame = call.frame(title, "orders").still();
    (status, show(&UnknownPage { frame, offer })).into_response()
}

/// Fetches an order by its number, and leads to where it will be.
pub(super) async fn fetch(
    State(shared): State<Arc<Shared>>,
    call: Call,
    Checked(form): Checked<Filled>,
) -> Response {
    let Ok(order) = form.order.trim().parse::<OrderId>() else { return call.bad_form() };
    let back = format!("/orders/{}", segment(order.as_str()));
    let lab = Some(form.lab).filter(|lab| !lab.is_empty());
    let request = Request::Refetch { lab, orders: vec![order], kind: Some(form.kind) };
    carry_out(&shared, &call, (form.id, &back), request).await
}
