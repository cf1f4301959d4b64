//! The list of orders: searched, filtered, sorted, one page at a time.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::frame::{Call, Frame, show};
use super::markup::{When, number};
use super::order;
use super::shared::Shared;
use super::texts::{Texts, fill};
use super::words::Tone;
use crate::model::listing::{OrderQuery, OrderSort};
use crate::model::record::{OrderRecord, OrderState};
use crate::model::staff::for_staff;

const PER_PAGE: usize = 50;
/// Maximum length of a search, in characters; the rest is cut off.
const SEARCH_MAX: usize = 100;
/// How many words of a search count.
const WORDS: usize = 6;

/// The word in URLs that selects orders that lack something.
const INCOMPLETE: &str = "incomplete";

/// The sort orders and their words in URLs.
const SORTS: [(OrderSort, &str); 6] = [
    (OrderSort::Newest, "newest"),
    (OrderSort::Oldest, "oldest"),
    (OrderSort::Highest, "highest"),
    (OrderSort::Lowest, "lowest"),
    (OrderSort::CaseType, "case-type"),
    (OrderSort::State, "state"),
];

/// The parameters of the URL. Invalid ones are ignored.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    lab: String,
    #[serde(default)]
    state: String,
    /// `incomplete`, or nothing.
    #[serde(default)]
    only: String,
    #[serde(default)]
    sort: String,
    #[serde(default)]
    page: String,
}

#[derive(Template)]
#[template(path = "orders.html")]
struct Orders {
    frame: Frame,
    search: String,
    labs: Vec<(String, bool)>,
    states: Vec<(&'static str, &'static str, bool)>,
    only_incomplete: bool,
    sorts: Vec<(&'static str, &'static str, bool)>,
    found: String,
    rows: Vec<Row>,
    pages: String,
    before: Option<String>,
    after: Option<String>,
}

/// One order in the list.
struct Row {
    href: String,
    order: String,
    lab: String,
    account: String,
    code: String,
    case_type: String,
    tone: Tone,
    state: &'static str,
    why: Option<String>,
    /// Whether the files lack something.
    incomplete: bool,
    revision: String,
    published: Option<When>,
    heard: When,
}

impl Asked {
    fn state(&self) -> Option<OrderState> {
        OrderState::ALL.into_iter().find(|state| state.as_str() == self.state)
    }

    fn is_incomplete(&self) -> bool {
        self.only == INCOMPLETE
    }

    fn sort(&self) -> OrderSort {
        SORTS
            .iter()
            .find(|(_, word)| *word == self.sort)
            .map_or_else(OrderSort::default, |one| one.0)
    }

    /// Counted from 1.
    fn page(&self) -> usize {
        self.page.parse().unwrap_or(1).clamp(1, 1_000_000)
    }

    fn search(&self) -> String {
        self.q.trim().chars().take(SEARCH_MAX).collect()
    }

    fn query(&self) -> OrderQuery {
        OrderQuery {
            words: self.search().split_whitespace().take(WORDS).map(str::to_owned).collect(),
            lab: Some(self.lab.clone()).filter(|lab| !lab.is_empty()),
            states: self.state().into_iter().collect(),
            incomplete: self.is_incomplete(),
            sort: self.sort(),
            skip: (self.page() - 1) * PER_PAGE,
            limit: PER_PAGE,
            ..OrderQuery::default()
        }
    }

    /// The URL of another page of the same list.
    fn href(&self, page: usize) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [
            ("q", &self.q),
            ("lab", &self.lab),
            ("state", &self.state),
            ("only", &self.only),
            ("sort", &self.sort),
        ] {
            if !value.is_empty() {
                pairs.append_pair(name, value);
            }
        }
        pairs.append_pair("page", &page.to_string());
        format!("/orders?{}", pairs.finish())
    }
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    asked: Query<Asked>,
    call: Call,
) -> Response {
    let Query(asked) = asked;
    let query = asked.query();
    let found = match shared.ask(move |data| data.orders(&query)).await {
        Ok(found) => found,
        Err(fault) => return call.cannot(&fault),
    };
    let (t, lang) = (call.texts, call.lang.code());
    let pages = found.total.div_ceil(PER_PAGE).max(1);
    let here = asked.page();
    let sort = asked.sort();
    let page = Orders {
        search: asked.search(),
        labs: shared.labs.iter().map(|lab| (lab.clone(), *lab == asked.lab)).collect(),
        states: OrderState::ALL
            .into_iter()
            .map(|state| (state.as_str(), t.state(state), asked.state() == Some(state)))
            .collect(),
        only_incomplete: asked.is_incomplete(),
        sorts: SORTS.iter().map(|(one, word)| (*word, sort_word(*one, t), *one == sort)).collect(),
        found: match found.total {
            1 => t.found_one.to_owned(),
            total => fill(t.found, &[("n", &number(total, lang))]),
        },
        rows: found.orders.iter().map(|order| Row::of(order, t)).collect(),
        pages: fill(t.page_of, &[("page", &number(here, lang)), ("pages", &number(pages, lang))]),
        before: (here > 1).then(|| asked.href((here - 1).min(pages))),
        after: (here < pages).then(|| asked.href(here + 1)),
        frame: call.frame(t.orders, "orders"),
    };
    show(&page)
}

fn sort_word(sort: OrderSort, t: &Texts) -> &'static str {
    match sort {
        OrderSort::Newest => t.sort_newest,
        OrderSort::Oldest => t.sort_oldest,
        OrderSort::Highest => t.sort_highest,
        OrderSort::Lowest => t.sort_lowest,
        OrderSort::CaseType => t.sort_case,
        OrderSort::State => t.sort_state,
    }
}

impl Row {
    fn of(order: &OrderRecord, t: &Texts) -> Self {
        let state = order.state();
        let published = order.published.as_ref();
        let trouble = order.trouble.as_ref().filter(|_| order.is_wanted());
        Self {
            href: order::href(&order.key),
            order: order.key.order.to_string(),
            lab: order.key.lab.to_string(),
            account: order.key.account.to_string(),
            code: order.remote.order_code.clone().unwrap_or_default(),
            case_type: order.remote.case_type.clone().unwrap_or_default(),
            tone: Tone::of_state(state),
            state: t.state(state),
            why: trouble.map(|trouble| for_staff(&trouble.message)),
            incomplete: order.newest_findings().is_incomplete(),
            revision: published.map_or_else(String::new, |one| one.revision.to_string()),
            published: published.map(|one| When::at(one.at)),
            heard: When::at(order.last_seen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_which_orders_and_nonsense_counts_for_nothing() {
        let asked: Asked = serde_json::from_value(serde_json::json!({
            "q": " 17  crown ", "lab": "smile-lab", "state": "attention", "sort": "lowest", "page": "3"
        }))
        .expect("readable");
        let query = asked.query();
        assert_eq!(query.words, ["17", "crown"]);
        assert_eq!((query.lab.as_deref(), query.skip), (Some("smile-lab"), 100));
        assert_eq!((query.states, query.sort), (vec![OrderState::Attention], OrderSort::Lowest));
        assert_eq!(
            asked.href(4),
            "/orders?q=+17++crown+&lab=smile-lab&state=attention&sort=lowest&page=4"
        );
        let odd = Asked {
            state: "x".to_owned(),
            sort: "x".to_owned(),
            page: "-1".to_owned(),
            ..Asked::default()
        };
        assert_eq!(odd.query(), OrderQuery::default());
    }
}
