//! The search field in the header of every page: it leads to the order if there is exactly one, and
//! else to the list.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::address::href;
use super::frame::Call;
use super::list_query::Asked;
use super::shared::Shared;
use crate::model::ids::RxId;
use crate::model::listing::{OrderQuery, search_words};
use crate::model::record::OrderRecord;

/// What was typed.
#[derive(Default, Deserialize)]
pub(super) struct Typed {
    #[serde(default)]
    q: String,
}

pub(super) async fn go(
    State(shared): State<Arc<Shared>>,
    Query(typed): Query<Typed>,
    call: Call,
) -> Response {
    let list = Asked::searching(&typed.q);
    let query = OrderQuery { limit: 2, ..list.query() };
    let words = query.words.clone();
    if words.is_empty() {
        return Redirect::to("/orders").into_response();
    }
    let found = match shared.find(query, |data, query| data.orders(&query)).await {
        Ok(found) => found,
        Err(fault) => return call.cannot(&fault),
    };
    match &found.orders[..] {
        [only] if names(only, &words) => Redirect::to(&href(&only.key)).into_response(),
        _ => Redirect::to(&list.address()).into_response(),
    }
}

/// The number that a search consists of, if it is one.
pub(super) fn number_in(search: &str) -> Option<String> {
    let mut words = search_words(search);
    let word = words.pop().filter(|_| words.is_empty())?;
    let is_number = word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some(word)
}

/// Whether a search names this order, by its number, code or Rx id, and does not merely match it.
fn names(order: &OrderRecord, words: &[String]) -> bool {
    let remote = &order.remote;
    let [word] = words else { return false };
    let is = |text: Option<&str>| text.is_some_and(|text| text.eq_ignore_ascii_case(word));
    is(Some(order.key.order.as_str()))
        || is(remote.order_code.as_deref())
        || is(remote.rx_id.as_ref().map(RxId::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_alone_is_one() {
        for (search, number) in [
            (" 17551207 ", Some("17551207")),
            ("#17551207", Some("17551207")),
            ("17551207 crown", None),
            ("123", None),
            ("VT2CINMZ", None),
            ("", None),
        ] {
            assert_eq!(number_in(search).as_deref(), number, "{search}");
        }
    }
}
