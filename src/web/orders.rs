//! The list of orders: searched, filtered, sorted, one page at a time.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;

use super::address::href;
use super::data::PageData;
use super::frame::{Call, Frame, show};
use super::lang::Lang;
use super::list_query::{Asked, Head, PER_PAGE, SORTS, sort_word};
use super::markup::{Spoken, When, number};
use super::search::number_in;
use super::shared::Shared;
use super::texts::fill;
use super::unknown::Offer;
use super::words::Tone;
use crate::model::fault::Fault;
use crate::model::listing::{OrderPage, OrderQuery};
use crate::model::record::{OrderRecord, OrderState};
use crate::model::staff::for_staff;

#[derive(Template)]
#[template(path = "orders.html")]
struct Orders {
    frame: Frame,
    asked: Asked,
    /// What was searched for, in words; empty if nothing.
    searched: String,
    labs: Vec<(String, bool)>,
    states: Vec<(&'static str, &'static str, bool)>,
    sorts: Vec<(&'static str, &'static str, bool)>,
    found: String,
    rows: Vec<Row>,
    /// An unknown number, and what can be done.
    offer: Option<Offer>,
    /// The same search in all orders, if there are filters.
    everywhere: Option<String>,
    pages: Pages,
}

/// Where this page of the list is among the others.
struct Pages {
    /// Counted from 1.
    here: usize,
    all: usize,
    of: String,
    first: Option<String>,
    before: Option<String>,
    after: Option<String>,
    last: Option<String>,
}

/// One order in the list.
pub(super) struct Row {
    pub(super) href: String,
    pub(super) order: String,
    pub(super) lab: String,
    pub(super) account: String,
    pub(super) code: String,
    pub(super) case_type: String,
    pub(super) doctor: String,
    pub(super) due: String,
    pub(super) tone: Tone,
    pub(super) state: String,
    pub(super) why: Option<Spoken>,
    /// Whether the files lack something.
    pub(super) incomplete: bool,
    pub(super) revision: String,
    pub(super) published: Option<When>,
    pub(super) heard: When,
}

pub(super) async fn page(
    State(shared): State<Arc<Shared>>,
    asked: Query<Asked>,
    call: Call,
) -> Response {
    let Query(asked) = asked;
    let query = asked.query();
    let found = match shared.find(query, page_or_last).await {
        Ok(found) => found,
        Err(fault) => return call.cannot(&fault),
    };
    show(&Orders::of(&found, asked, &call, &shared))
}

/// The page that is asked for, or the last one if there are fewer, with its number.
fn page_or_last(data: &dyn PageData, query: OrderQuery) -> Result<(OrderPage, usize), Fault> {
    let found = data.orders(&query)?;
    let (asked, last) = (query.skip / PER_PAGE, found.total.div_ceil(PER_PAGE).max(1) - 1);
    if asked <= last {
        return Ok((found, asked + 1));
    }
    Ok((data.orders(&OrderQuery { skip: last * PER_PAGE, ..query })?, last + 1))
}

impl Orders {
    fn of((found, here): &(OrderPage, usize), asked: Asked, call: &Call, shared: &Shared) -> Self {
        let (t, w, lang) = (call.texts, call.lang.list_texts(), call.lang.code());
        let (search, sort) = (asked.search(), asked.sort());
        let is_missing = found.total == 0 && !search.is_empty();
        let offer = number_in(&search).filter(|_| is_missing && !asked.is_filtered());
        let way_back = asked.way_back(*here);
        let row = |order| {
            let row = Row::of(order, call.lang);
            Row { href: format!("{}{way_back}", row.href), ..row }
        };
        Self {
            searched: match search.as_str() {
                "" => String::new(),
                search => fill(w.searched_for, &[("text", search)]),
            },
            labs: shared.labs.iter().map(|lab| (lab.clone(), *lab == asked.lab)).collect(),
            states: OrderState::ALL
                .into_iter()
                .map(|state| (state.as_str(), t.state(state), asked.state() == Some(state)))
                .collect(),
            sorts: SORTS
                .iter()
                .map(|(one, word)| (*word, sort_word(*one, call.lang), *one == sort))
                .collect(),
            found: match found.total {
                1 => t.found_one.to_owned(),
                total => fill(t.found, &[("n", &number(total, lang))]),
            },
            rows: found.orders.iter().map(row).collect(),
            offer: offer.map(|number| Offer::of(&number, "", shared, call)),
            everywhere: (is_missing && asked.is_filtered())
                .then(|| Asked::searching(&search).address()),
            pages: Pages::of(&asked, *here, found.total, call.lang),
            frame: Frame { search, ..call.frame(t.orders, "orders") },
            asked,
        }
    }

    fn heads(&self) -> [Head; 9] {
        self.asked.heads(self.frame.t)
    }

    /// The words for the search everywhere.
    fn everywhere_text(&self) -> String {
        fill(self.frame.w.search_all, &[("text", &self.frame.search)])
    }

    /// The same list without its search.
    fn unsearched(&self) -> String {
        Asked { q: String::new(), ..self.asked.clone() }.address()
    }

    /// The same search without filters.
    fn unfiltered(&self) -> String {
        Asked { sort: self.asked.sort.clone(), ..Asked::searching(&self.asked.q) }.address()
    }
}

impl Pages {
    fn of(asked: &Asked, here: usize, total: usize, lang: Lang) -> Self {
        let all = total.div_ceil(PER_PAGE).max(1);
        Self {
            here,
            all,
            of: fill(lang.list_texts().of_pages, &[("pages", &number(all, lang.code()))]),
            first: (here > 2).then(|| asked.href(1)),
            before: (here > 1).then(|| asked.href(here - 1)),
            after: (here < all).then(|| asked.href(here + 1)),
            last: (here + 1 < all).then(|| asked.href(all)),
        }
    }
}

impl Row {
    pub(super) fn of(order: &OrderRecord, lang: Lang) -> Self {
        let t = lang.texts();
        let state = order.state();
        let published = order.published.as_ref();
        let trouble = order.trouble.as_ref().filter(|_| order.is_wanted());
        Self {
            href: href(&order.key),
            order: order.key.order.to_string(),
            lab: order.key.lab.to_string(),
            account: order.key.account.to_string(),
            code: order.remote.order_code.clone().unwrap_or_default(),
            case_type: order.remote.case_type.clone().unwrap_or_default(),
            doctor: order.doctor().unwrap_or_default().to_owned(),
            due: order.due_date().map_or_else(String::new, |day| day.in_words(lang.code())),
            tone: Tone::of_state(state),
            state: t.state_of(order),
            why: trouble.map(|trouble| Spoken::of(&for_staff(&trouble.message))),
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
    fn pages_lead_to_both_ends() {
        let at = |here| Pages::of(&Asked::default(), here, 250, Lang::German);
        let links = |pages: Pages| [pages.first, pages.before, pages.after, pages.last];
        let page = |number: usize| Some(format!("/orders?page={number}"));
        let first = || Some("/orders".to_owned());
        assert_eq!(links(at(1)), [None, None, page(2), page(5)]);
        assert_eq!(links(at(2)), [None, first(), page(3), page(5)]);
        assert_eq!(links(at(4)), [first(), page(3), page(5), None]);
        assert_eq!(links(at(5)), [first(), page(4), None, None]);
    }
}
