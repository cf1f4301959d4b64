//! "Where did the scan go?": the list of orders. It is read from the journal, so it works whether or
//! not an agent runs.

use clap::Args;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;

use crate::agent::{RequestHandler, wall_now};
use crate::config::{self, Config};
use crate::journal::{Activities, Errand, Store, StoreError};
use crate::model::listing::{OrderPage, OrderQuery, OrderSort, search_words};
use crate::model::record::{OrderRecord, OrderState};
use crate::model::time::{WallMs, millis};

use super::ask::RequestClient;
use super::asked::{AskedFor, tell_not_running, to_fetch};
use super::incomplete::mark;
use super::journal::{notes, open, unusable};
use super::order_view::{OrderView, known_lab, layout, tell_logins};
use super::table::Table;
use super::{CliError, Exit, Streams};

#[derive(Debug, Args)]
pub struct OrdersArgs {
    /// Show only this lab's orders.
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
    /// Show only orders in this state: waiting, downloading, checking, regenerating, retrying,
    /// attention, held, away, published, refetching, picked-up or removed.
    #[arg(long, value_name = "STATE", value_parser = parse_state)]
    pub state: Option<OrderState>,
    /// Show only orders that lack something serious, held back or published anyway.
    #[arg(long)]
    pub incomplete: bool,
    /// Show only orders with all of these words in number, Rx id, code, case type, doctor, due date
    /// (2026-12-01 or 12/1), account or lab.
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// Show only orders that arrived or were published since then: a day such as 2026-11-29, `today`,
    /// `yesterday`, or how long ago, such as 12h or 7d.
    #[arg(long, value_name = "DAY|DURATION", value_parser = parse_since)]
    pub since: Option<WallMs>,
    /// Sort by this.
    #[arg(long, value_name = "KEY", default_value = "newest", value_parser = sort_parser())]
    pub sort: OrderSort,
    /// Show only the first N orders.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Compare Align's list, the journal and the disk, and explain each difference.
    #[arg(long, conflicts_with_all = ["state", "incomplete", "search", "since", "sort", "limit"])]
    pub reconcile: bool,
}

fn parse_state(text: &str) -> Result<OrderState, String> {
    OrderState::named(text).ok_or_else(|| {
        let known: Vec<_> = OrderState::ALL.iter().map(|state| state.as_str()).collect();
        format!("one of {}", known.join(", "))
    })
}

fn sort_parser() -> impl clap::builder::TypedValueParser<Value = OrderSort> {
    PossibleValuesParser::new(OrderSort::ALL.map(OrderSort::as_str)).map(|word| {
        let mut all = OrderSort::ALL.into_iter();
        all.find(|sort| sort.as_str() == word).unwrap_or_default()
    })
}

/// Reads a day, a time or how long ago.
pub(super) fn parse_since(text: &str) -> Result<WallMs, String> {
    let now = wall_now();
    let ago = || config::duration_of(text).map(|ago| WallMs(now.0.saturating_sub(millis(ago))));
    WallMs::from_local(text, now).or_else(ago).ok_or_else(|| {
        "write a day such as 2026-11-29, `today` or `yesterday`, or how long ago, such as 12h or 7d"
            .to_owned()
    })
}

impl OrdersArgs {
    fn query(&self, lab: Option<String>) -> OrderQuery {
        let states = match self.state {
            // The journal may not know yet that a folder was taken.
            Some(OrderState::PickedUp) => vec![OrderState::PickedUp, OrderState::Published],
            other => other.into_iter().collect(),
        };
        OrderQuery {
            words: search_words(self.search.as_deref().unwrap_or_default()),
            lab,
            states,
            incomplete: self.incomplete,
            from: self.since,
            sort: self.sort,
            limit: self
                .limit
                .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            ..OrderQuery::default()
        }
    }

    /// Whether an order that was only asked for is among those wanted: it is in no state.
    fn wants_unseen(&self, errand: &Errand, query: &OrderQuery) -> bool {
        let text = errand.key.to_string().to_lowercase();
        self.state.is_none()
            && !self.incomplete
            && query.words.iter().all(|word| text.contains(&word.to_lowercase()))
            && query.lab.as_ref().is_none_or(|lab| errand.key.lab.as_str() == lab)
            && self.since.is_none_or(|since| errand.at >= since)
    }

    fn is_filtered(&self) -> bool {
        let Self { lab, state, incomplete, search, since, .. } = self;
        *incomplete || lab.is_some() || state.is_some() || search.is_some() || since.is_some()
    }
}

/// What the journal says about the wanted orders.
#[derive(Default)]
struct Found {
    page: OrderPage,
    /// All orders that were asked for and that nobody started on.
    asked: Vec<Errand>,
    /// Those of them that are wanted here and not in the journal.
    unseen: Vec<Errand>,
    /// The number of orders in the journal.
    all: usize,
}

/// Lists the orders in the journal.
pub fn orders(config: &Config, args: &OrdersArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    if args.reconcile {
        return super::reconcile::run(config, args.lab.as_deref(), streams);
    }
    let store = open(config)?;
    let client = RequestClient::of(config)?;
    let lab = args.lab.as_deref().map(|lab| known_lab(config, store.as_ref(), lab)).transpose()?;
    let found = match &store {
        Some(store) => {
            for (note, _) in notes(store).map_err(unusable)? {
                streams.note(note);
            }
            let handler = client.own();
            tell_logins(config, &handler, store, lab.as_deref(), streams)?;
            // One transaction: a running agent keeps writing.
            let activities = client.activities();
            let found = store.atomically(|store| find(store, args, lab, &activities));
            let mut found = found.map_err(unusable)?;
            found.look_for_folders(&handler, args.state);
            found
        }
        None => Found::default(),
    };
    if streams.json {
        return as_json(config, &found, streams);
    }
    if found.page.orders.is_empty() && found.unseen.is_empty() {
        streams.note(none(args, found.all));
        return Ok(Exit::Ok);
    }
    table(&found).print(streams)?;
    let (shown, total) = (found.page.orders.len(), found.page.total);
    if shown < total {
        streams.note(format!("{shown} of {total} orders; for more: --limit"));
    }
    if !found.asked.is_empty() {
        tell_not_running(config, streams);
    }
    Ok(Exit::Ok)
}

impl Found {
    /// Looks whether the folders are still there; what is in another state then is left out.
    fn look_for_folders(&mut self, handler: &RequestHandler, state: Option<OrderState>) {
        let OrderPage { orders, total } = &mut self.page;
        handler.look_for_folders(orders);
        let before = orders.len();
        orders.retain(|order| state.is_none_or(|state| order.state() == state));
        *total -= before - orders.len();
    }
}

fn find(
    store: &Store,
    args: &OrdersArgs,
    lab: Option<String>,
    activities: &Activities,
) -> Result<Found, StoreError> {
    let query = args.query(lab);
    let (page, asked) = (store.list_now(&query, activities)?, to_fetch(store)?);
    let mut unseen = Vec::new();
    for errand in asked.iter().filter(|errand| args.wants_unseen(errand, &query)) {
        if store.order(&errand.key)?.is_none() {
            unseen.push(errand.clone());
        }
    }
    let all = store.count_by_state()?.values().sum();
    Ok(Found { page, asked, unseen, all })
}

fn as_json(config: &Config, found: &Found, streams: &mut Streams) -> Result<Exit, CliError> {
    let layout = layout(config);
    let views = found.page.orders.iter().map(|order| OrderView::new(order, &layout, &found.asked));
    let views = views.map(serde_json::to_value);
    let unseen = found.unseen.iter().map(|errand| serde_json::to_value(AskedFor::new(errand)));
    let views: Result<Vec<_>, _> = views.chain(unseen).collect();
    streams.json(&views.map_err(|error| CliError::new(Exit::Failed, error.to_string()))?)?;
    Ok(Exit::Ok)
}

/// Says that there is nothing to show.
fn none(args: &OrdersArgs, all: usize) -> String {
    let total = match all {
        0 => return "no orders yet".to_owned(),
        1 => "1 order in total".to_owned(),
        many => format!("{many} orders in total"),
    };
    match args.state.filter(|_| args.search.is_none() && args.since.is_none()) {
        Some(state) => format!("no order is in the state {} ({total})", state.words()),
        None if args.is_filtered() => format!("no order matches ({total})"),
        None => "no orders to show".to_owned(),
    }
}

fn table(found: &Found) -> Table<12> {
    let mut table = Table::new([
        "ORDER",
        "CODE",
        "CASE TYPE",
        "STATE",
        "DUE",
        "DOCTOR",
        "REV",
        "PUBLISHED",
        "FINDINGS",
        "LAB",
        "ACCOUNT",
        "AT ALIGN",
    ]);
    for order in &found.page.orders {
        let published = order.published.as_ref();
        table.row([
            order.key.order.to_string(),
            order.remote.order_code.clone().unwrap_or_default(),
            order.remote.case_type.clone().unwrap_or_default(),
            order.state_in_words(),
            order.due_date().map(|day| day.to_string()).unwrap_or_default(),
            order.doctor().unwrap_or_default().to_owned(),
            published.map(|published| published.revision.to_string()).unwrap_or_default(),
            published.map(|published| published.at.local()).unwrap_or_default(),
            mark(order),
            order.key.lab.to_string(),
            order.key.account.to_string(),
            at_align(order),
        ]);
        if let Some(trouble) = order.trouble.as_ref().filter(|_| order.is_wanted()) {
            table.remark(trouble.message.clone());
        }
        if let Some(errand) = found.asked.iter().find(|errand| errand.key == order.key) {
            table.remark(format!("requested again at {}, not started yet", errand.at.local()));
        }
    }
    for errand in &found.unseen {
        let one = AskedFor::new(errand);
        let mut cells = [const { String::new() }; 12];
        one.order_id.clone_into(&mut cells[0]);
        one.state.clone_into(&mut cells[3]);
        one.lab.clone_into(&mut cells[9]);
        one.account.clone_into(&mut cells[10]);
        table.row(cells);
        table.remark(format!("requested at {}, not started yet", errand.at.local()));
    }
    table
}

/// What Align says, where that tells more than the state does: nothing for an order that was
/// fetched and has left Align's list.
fn at_align(order: &OrderRecord) -> String {
    if order.state() == OrderState::Away {
        format!("{}, expected back", order.remote.status)
    } else if order.listed {
        order.remote.status.to_string()
    } else if order.is_wanted() {
        format!("no longer listed (was {})", order.remote.status)
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args() -> OrdersArgs {
        OrdersArgs {
            lab: None,
            state: None,
            incomplete: false,
            search: None,
            since: None,
            sort: OrderSort::Newest,
            limit: None,
            reconcile: false,
        }
    }

    #[test]
    fn an_empty_list_says_whether_that_is_because_of_the_filter() {
        assert_eq!(none(&args(), 0), "no orders yet");
        let attention = OrdersArgs { state: Some(OrderState::Attention), ..args() };
        assert_eq!(
            none(&attention, 6),
            "no order is in the state needs attention (6 orders in total)"
        );
        assert_eq!(none(&attention, 0), "no orders yet");
        let search = OrdersArgs { search: Some("x".to_owned()), ..args() };
        assert_eq!(none(&search, 1), "no order matches (1 order in total)");
    }

    #[test]
    fn a_search_is_split_into_words_and_numbers_may_have_their_sign() {
        let search = OrdersArgs { search: Some(" #17551207  crown ".to_owned()), ..args() };
        let query = search.query(None);
        assert_eq!(query.words, ["17551207", "crown"]);
        assert_eq!(query.limit, usize::MAX);
        assert_eq!(OrdersArgs { limit: Some(3), ..args() }.query(None).limit, 3);
    }

    #[test]
    fn since_is_a_day_or_a_duration() {
        let now = wall_now();
        let hours_ago = now.0 - parse_since("12h").expect("a duration").0;
        assert!((hours_ago - 12 * 3_600_000).abs() < 60_000, "{hours_ago}");
        assert!(parse_since("today").expect("a day") <= now);
        assert!(parse_since("2026-11-29").is_ok());
        assert!(parse_since("soon").expect_err("no time").contains("7d"));
    }
}
