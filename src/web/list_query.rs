//! What a list of orders is asked for: search, filters, sort order and page, as URLs have them.

use serde::Deserialize;

use super::lang::Lang;
use super::texts::Texts;
use crate::model::day::Day;
use crate::model::listing::{OrderQuery, OrderSort, search_words};
use crate::model::record::OrderState;
use crate::model::time::WallMs;

/// How many orders a page of the list has.
pub(super) const PER_PAGE: usize = 50;
/// Maximum length of a search, in characters; the rest is cut off.
const SEARCH_MAX: usize = 100;

/// The word in URLs that selects orders that lack something.
const INCOMPLETE: &str = "incomplete";
/// The parameter of an order's URL that holds the query of the list that led there.
const LIST: &str = "list";

/// The sort orders and their words in URLs.
pub(super) const SORTS: [(OrderSort, &str); 9] = [
    (OrderSort::Newest, "newest"),
    (OrderSort::Oldest, "oldest"),
    (OrderSort::Highest, "highest"),
    (OrderSort::Lowest, "lowest"),
    (OrderSort::CaseType, "case-type"),
    (OrderSort::State, "state"),
    (OrderSort::DueFirst, "due"),
    (OrderSort::DueLast, "due-last"),
    (OrderSort::Published, "published"),
];

/// The parameters of the URL. Invalid ones are ignored.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Asked {
    #[serde(default)]
    pub(super) q: String,
    #[serde(default)]
    pub(super) lab: String,
    #[serde(default)]
    pub(super) state: String,
    /// `incomplete`, or nothing.
    #[serde(default)]
    pub(super) only: String,
    /// The first day, such as `2026-06-01`.
    #[serde(default)]
    pub(super) from: String,
    /// The last day.
    #[serde(default)]
    pub(super) to: String,
    #[serde(default)]
    pub(super) sort: String,
    #[serde(default)]
    pub(super) page: String,
}

impl Asked {
    /// A search in all orders.
    pub(super) fn searching(text: &str) -> Self {
        Self { q: cut(text), ..Self::default() }
    }

    /// The orders that came or were published on that day and later.
    pub(super) fn since(day: WallMs) -> Self {
        Self { from: day_of(day), ..Self::default() }
    }

    pub(super) fn state(&self) -> Option<OrderState> {
        OrderState::ALL.into_iter().find(|state| state.as_str() == self.state)
    }

    pub(super) fn is_incomplete(&self) -> bool {
        self.only == INCOMPLETE
    }

    /// Whether anything but the search chooses.
    pub(super) fn is_filtered(&self) -> bool {
        let chosen = [&self.lab, &self.state, &self.only, &self.from, &self.to];
        chosen.iter().any(|value| !value.is_empty())
    }

    pub(super) fn sort(&self) -> OrderSort {
        SORTS
            .iter()
            .find(|(_, word)| *word == self.sort)
            .map_or_else(OrderSort::default, |one| one.0)
    }

    /// Counted from 1.
    fn page(&self) -> usize {
        self.page.parse().unwrap_or(1).clamp(1, 1_000_000)
    }

    pub(super) fn search(&self) -> String {
        cut(&self.q)
    }

    pub(super) fn query(&self) -> OrderQuery {
        OrderQuery {
            words: search_words(&self.search()),
            named: Vec::new(),
            lab: Some(self.lab.clone()).filter(|lab| !lab.is_empty()),
            states: self.state().into_iter().collect(),
            incomplete: self.is_incomplete(),
            from: start_of(&self.from, 0),
            until: start_of(&self.to, 1),
            sort: self.sort(),
            skip: (self.page() - 1) * PER_PAGE,
            limit: PER_PAGE,
        }
    }

    /// The parameters that say which orders, and in which order.
    pub(super) fn pairs(&self) -> Vec<(&'static str, &str)> {
        let all = [
            ("q", self.q.as_str()),
            ("lab", &self.lab),
            ("state", &self.state),
            ("only", &self.only),
            ("from", &self.from),
            ("to", &self.to),
            ("sort", &self.sort),
        ];
        all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
    }

    /// The query of the URL, with that page unless it is the first.
    fn encoded(&self, page: usize) -> String {
        let mut pairs = url::form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(self.pairs());
        if page > 1 {
            pairs.append_pair("page", &page.to_string());
        }
        pairs.finish()
    }

    /// The URL of another page of the same list.
    pub(super) fn href(&self, page: usize) -> String {
        let query = self.encoded(page);
        if query.is_empty() { "/orders".to_owned() } else { format!("/orders?{query}") }
    }

    /// The URL of the list's first page.
    pub(super) fn address(&self) -> String {
        self.href(1)
    }

    /// The parameter by which an order's page finds back to the list; with its `?`.
    pub(super) fn way_back(&self, page: usize) -> String {
        let query = self.encoded(page);
        if query.is_empty() {
            return query;
        }
        let mut pairs = url::form_urlencoded::Serializer::for_suffix("?".to_owned(), 1);
        pairs.append_pair(LIST, &query).finish()
    }

    /// The head of a column: its words, and how it sorts.
    fn head(&self, word: &'static str, ways: &[OrderSort]) -> Head {
        let now = ways.iter().position(|way| *way == self.sort());
        let next = now.map_or(0, |now| (now + 1) % ways.len());
        let sort = SORTS.iter().find(|(one, _)| ways.get(next) == Some(one));
        let is_descending = |way: &OrderSort| {
            matches!(
                way,
                OrderSort::Newest | OrderSort::Highest | OrderSort::DueLast | OrderSort::Published
            )
        };
        Head {
            word,
            href: sort.map(|(_, word)| Self { sort: (*word).to_owned(), ..self.clone() }.address()),
            sorted: now.map(|now| {
                if ways.get(now).is_some_and(is_descending) { "descending" } else { "ascending" }
            }),
        }
    }

    pub(super) fn heads(&self, t: &'static Texts) -> [Head; 9] {
        use OrderSort::{
            CaseType, DueFirst, DueLast, Highest, Lowest, Newest, Oldest, Published, State,
        };
        [
            self.head(t.order, &[Highest, Lowest]),
            self.head(t.state, &[State]),
            self.head(t.due_date, &[DueFirst, DueLast]),
            self.head(t.doctor, &[]),
            self.head(t.case_type, &[CaseType]),
            self.head(t.lab, &[]),
            self.head(t.revision, &[]),
            self.head(t.published, &[Published]),
            self.head(t.heard, &[Newest, Oldest]),
        ]
    }
}

/// The head of a column.
pub(super) struct Head {
    pub(super) word: &'static str,
    /// The list sorted by it.
    pub(super) href: Option<String>,
    /// How the list is sorted by it now.
    pub(super) sorted: Option<&'static str>,
}

fn cut(text: &str) -> String {
    text.trim().chars().take(SEARCH_MAX).collect()
}

/// The start of a day in this PC's time zone, or of one that many days later.
fn start_of(day: &str, later: i64) -> Option<WallMs> {
    let day: jiff::civil::Date = day.parse().ok()?;
    let day = day.checked_add(jiff::Span::new().days(later)).ok()?;
    let start = day.to_zoned_datetime(jiff::tz::TimeZone::system()).ok()?;
    Some(WallMs(start.timestamp().as_millisecond()))
}

/// The day of a time in this PC's time zone, as a URL has it.
fn day_of(at: WallMs) -> String {
    Day::at(at).to_string()
}

/// The list that a page's URL says it was reached from; else the list of all orders.
pub(super) fn list_of(query: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let Some((_, list)) = pairs.find(|(name, _)| name == LIST) else { return "/orders".to_owned() };
    // Written anew, so that it can lead nowhere else.
    let mut written = url::form_urlencoded::Serializer::new(String::new());
    written.extend_pairs(url::form_urlencoded::parse(list.as_bytes()));
    format!("/orders?{}", written.finish())
}

pub(super) fn sort_word(sort: OrderSort, lang: Lang) -> &'static str {
    let t = lang.texts();
    match sort {
        OrderSort::Published => lang.list_texts().sort_published,
        OrderSort::Newest => t.sort_newest,
        OrderSort::Oldest => t.sort_oldest,
        OrderSort::Highest => t.sort_highest,
        OrderSort::Lowest => t.sort_lowest,
        OrderSort::CaseType => t.sort_case,
        OrderSort::State => t.sort_state,
        OrderSort::DueFirst => t.sort_due_first,
        OrderSort::DueLast => t.sort_due_last,
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
        assert!(asked.is_filtered() && !Asked::searching("17").is_filtered());
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
        assert_eq!(odd.address(), "/orders?state=x&sort=x");
        assert_eq!(Asked::default().address(), "/orders");
    }

    #[test]
    fn days_are_whole_and_in_the_time_zone_of_this_pc() {
        let asked = |from: &str, to: &str| {
            let days = Asked { from: from.to_owned(), to: to.to_owned(), ..Asked::default() };
            let query = days.query();
            (query.from, query.until)
        };
        let (from, until) = asked("2026-06-01", "2026-06-01");
        let (from, until) = (from.expect("a day"), until.expect("a day"));
        assert_eq!(from, from.start_of_day());
        assert_eq!(until.0 - from.0, 24 * 3_600_000);
        assert_eq!(asked("2026-02-30", "soon"), (None, None));
        assert_eq!(Asked::since(from).from, "2026-06-01");
    }

    #[test]
    fn an_order_finds_back_to_its_list_and_nowhere_else() {
        let asked = Asked { state: "held".to_owned(), ..Asked::searching("a&b 17") };
        let back = asked.way_back(3);
        assert_eq!(list_of(back.trim_start_matches('?')), asked.href(3));
        assert_eq!(asked.href(3), "/orders?q=a%26b+17&state=held&page=3");
        assert_eq!(Asked::default().way_back(1), "");
        assert_eq!(list_of(""), "/orders");
        assert_eq!(
            list_of("list=%23x%0d%0a//evil.example"),
            "/orders?%23x%0D%0A%2F%2Fevil.example="
        );
    }

    #[test]
    fn a_head_sorts_and_turns_the_order_round() {
        let t = Lang::English.texts();
        let heads = |sort: &str| Asked { sort: sort.to_owned(), ..Asked::default() }.heads(t);
        let [order, state, _, lab, .., heard] = heads("");
        assert_eq!((order.sorted, heard.sorted), (None, Some("descending")));
        assert_eq!(order.href.as_deref(), Some("/orders?sort=highest"));
        assert_eq!(heard.href.as_deref(), Some("/orders?sort=oldest"));
        assert_eq!((state.href.as_deref(), lab.href), (Some("/orders?sort=state"), None));
        let [order, ..] = heads("highest");
        assert_eq!(
            (order.sorted, order.href.as_deref()),
            (Some("descending"), Some("/orders?sort=lowest"))
        );
    }
}
