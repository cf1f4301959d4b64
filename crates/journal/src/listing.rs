//! Lists of orders for people: one page at a time, however many there are.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{ToSql, params, params_from_iter};

use super::orders::{SELECT, key, read};
use super::{FeedRow, Store, StoreError};
use casedrop_model::listing::{OrderPage, OrderQuery, OrderSort};
use casedrop_model::time::WallMs;

/// What was published for one lab.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabActivity {
    /// When something was last published.
    pub last: Option<WallMs>,
    /// Number of the lab's orders published since the given time.
    pub since: u64,
}

impl Store {
    /// Returns a page of the orders that match the query.
    pub fn list(&self, query: &OrderQuery) -> Result<OrderPage, StoreError> {
        let (wanted, mut values) = wanted(query);
        // Left alone, SQLite scans the table and parses every order's JSON on the way.
        let sorts_itself = !matches!(query.sort, OrderSort::Newest | OrderSort::Oldest);
        let table = if query.words.is_empty() && query.lab.is_none() && !sorts_itself {
            "orders"
        } else {
            "orders INDEXED BY orders_listing"
        };
        let count = format!("SELECT count(*) FROM {table} {wanted}");
        let total: i64 = self
            .db
            .prepare_cached(&count)?
            .query_row(params_from_iter(&values), |row| row.get(0))?;
        if total == 0 {
            return Ok(OrderPage::default());
        }
        let (sort, rank) = (sql_of(query.sort), values.len());
        // Rows outside the page are not read: the inner part only needs an index.
        let sql = format!(
            "{SELECT} JOIN (SELECT rowid AS row, row_number() OVER () AS place FROM (
                 SELECT rowid FROM {table} {wanted} ORDER BY {sort} LIMIT ?{} OFFSET ?{}
             )) page ON page.row = o.rowid ORDER BY page.place",
            rank + 1,
            rank + 2
        );
        let number = |count: usize| Value::Integer(i64::try_from(count).unwrap_or(i64::MAX));
        values.extend([number(query.limit), number(query.skip)]);
        let values: Vec<&dyn ToSql> = values.iter().map(|value| value as &dyn ToSql).collect();
        let orders = self.gather(&sql, &values, read)?;
        Ok(OrderPage { orders, total: usize::try_from(total).unwrap_or(0) })
    }

    /// Counts the orders in each state; states without orders are absent.
    pub fn count_by_state(&self) -> Result<BTreeMap<String, usize>, StoreError> {
        let sql = "SELECT state, count(*) FROM orders GROUP BY state";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map([], |row| {
            let count: i64 = row.get(1)?;
            Ok((row.get(0)?, usize::try_from(count).unwrap_or(0)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns what was published for a lab, in total and since a time.
    pub fn activity(&self, lab: &str, since: WallMs) -> Result<LabActivity, StoreError> {
        let sql = "SELECT
            (SELECT max(published_ms) FROM revisions WHERE lab = ?1),
            (SELECT count(DISTINCT account || '/' || order_id) FROM revisions
             WHERE lab = ?1 AND published_ms >= ?2)";
        let mut query = self.db.prepare_cached(sql)?;
        Ok(query.query_row(params![lab, since.0], |row| {
            let count: i64 = row.get(1)?;
            Ok(LabActivity {
                last: row.get::<_, Option<i64>>(0)?.map(WallMs),
                since: u64::try_from(count).unwrap_or(0),
            })
        })?)
    }

    /// Returns the last lines of all event logs, newest first.
    pub fn latest_events(&self, limit: usize) -> Result<Vec<FeedRow>, StoreError> {
        let sql = "SELECT id, at_ms, lab, account, order_id, kind, text FROM events
                   ORDER BY id DESC LIMIT ?1";
        self.gather(sql, &[&i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            let text = |index| row.get::<_, String>(index);
            Ok(FeedRow {
                id: row.get(0)?,
                at: WallMs(row.get(1)?),
                key: key(&text(2)?, &text(3)?, &text(4)?)?,
                kind: text(5)?,
                text: text(6)?,
            })
        })
    }
}

fn sql_of(sort: OrderSort) -> &'static str {
    match sort {
        OrderSort::Newest => "last_seen_ms DESC, order_id DESC",
        OrderSort::Oldest => "last_seen_ms, order_id",
        // Longer numbers are higher; ids that are not numbers still have a stable order.
        OrderSort::Highest => "length(order_id) DESC, order_id DESC",
        OrderSort::Lowest => "length(order_id), order_id",
        OrderSort::CaseType => "case_type IS NULL, case_type, last_seen_ms DESC, order_id DESC",
        OrderSort::State => "state, last_seen_ms DESC, order_id DESC",
    }
}

/// Returns the SQL condition and its values.
fn wanted(query: &OrderQuery) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = Vec::new();
    let mut parts = Vec::new();
    for word in &query.words {
        let escaped = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        values.push(Value::Text(format!("%{escaped}%")));
        let at = values.len();
        let columns = ["order_id", "rx_id", "order_code", "case_type", "account", "lab"];
        let any: Vec<_> =
            columns.iter().map(|column| format!("{column} LIKE ?{at} ESCAPE '\\'")).collect();
        parts.push(format!("({})", any.join(" OR ")));
    }
    if let Some(lab) = &query.lab {
        values.push(Value::Text(lab.clone()));
        parts.push(format!("lab = ?{}", values.len()));
    }
    if !query.states.is_empty() {
        // Not user input, so no escaping is needed.
        let words: Vec<_> =
            query.states.iter().map(|state| format!("'{}'", state.as_str())).collect();
        parts.push(format!("state IN ({})", words.join(", ")));
    }
    if query.incomplete {
        // What is held back, and what was last published with a serious finding.
        let of_order = "i.lab = lab AND i.account = account AND i.order_id = order_id";
        let of_order = of_order.replace("= ", "= orders.");
        parts.push(format!(
            "(held <> 0 OR (retired <> 1 AND EXISTS (SELECT 1 FROM revisions i WHERE {of_order}
                AND i.revision = orders.revision AND i.serious > 0)))"
        ));
    }
    if let Some(since) = query.since {
        values.push(Value::Integer(since.0));
        let at = values.len();
        parts.push(format!(
            "(last_seen_ms >= ?{at} OR (lab, account, order_id) IN
                (SELECT lab, account, order_id FROM revisions WHERE published_ms >= ?{at}))"
        ));
    }
    let condition =
        if parts.is_empty() { String::new() } else { format!("WHERE {}", parts.join(" AND ")) };
    (condition, values)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::super::Held;
    use super::super::tests::order;
    use super::*;
    use casedrop_model::fault::FaultClass;
    use casedrop_model::order::Status;
    use casedrop_model::record::{OrderState, Retired, Spent, Trouble};

    fn everything() -> OrderQuery {
        OrderQuery::default()
    }

    fn found(store: &Store, query: &OrderQuery) -> Vec<String> {
        let page = store.list(query).expect("listed");
        page.orders.iter().map(|order| order.key.order.to_string()).collect()
    }

    fn three() -> Store {
        let store = Store::in_memory().expect("journal");
        for (id, at, case_type) in [("17", 30, "iRecord"), ("9", 20, "Crown"), ("118", 10, "a%b")] {
            let mut one = order(id);
            one.last_seen = WallMs(at);
            one.remote.case_type = Some(case_type.to_owned());
            store.save(&one).expect("saved");
        }
        store
    }

    #[test]
    fn a_list_is_sorted_and_cut_into_pages() {
        let store = three();
        let sorted = |sort| found(&store, &OrderQuery { sort, ..everything() });
        assert_eq!(sorted(OrderSort::Newest), ["17", "9", "118"]);
        assert_eq!(sorted(OrderSort::Oldest), ["118", "9", "17"]);
        assert_eq!(sorted(OrderSort::Highest), ["118", "17", "9"]);
        assert_eq!(sorted(OrderSort::Lowest), ["9", "17", "118"]);
        assert_eq!(sorted(OrderSort::CaseType), ["9", "118", "17"]);
        let second = store.list(&OrderQuery { skip: 1, limit: 1, ..everything() });
        let second = second.expect("listed");
        assert_eq!((second.total, second.orders.len()), (3, 1));
        assert_eq!(second.orders[0].key.order.as_str(), "9");
    }

    #[test]
    fn words_are_looked_for_as_they_stand() {
        let store = three();
        let with = |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            found(&store, &OrderQuery { words, ..everything() })
        };
        assert_eq!(with(&["x-1"]), ["17", "118"]);
        assert_eq!(with(&["x-1", "IRECORD"]), ["17"]);
        assert_eq!(with(&["rx-9"]), ["9"]);
        assert_eq!(with(&["02nr8"]), ["17", "9", "118"]);
        assert_eq!(with(&["%"]), ["118"], "no wildcard");
        assert_eq!(with(&["_"]), Vec::<String>::new());
        assert_eq!(with(&["' OR 1=1 --"]), Vec::<String>::new());
    }

    #[test]
    fn labs_and_states_choose() {
        let store = three();
        let mut published = order("50");
        published.fetched = published.evidence;
        store.save(&published).expect("saved");
        let of = |states: &[OrderState]| {
            found(&store, &OrderQuery { states: states.to_vec(), ..everything() })
        };
        assert_eq!(of(&[OrderState::Published]), ["50"]);
        assert_eq!(of(&[OrderState::Waiting]), ["17", "9", "118"]);
        assert_eq!(of(&[OrderState::Published, OrderState::Waiting]).len(), 4);
        let lab = |lab: &str| {
            found(&store, &OrderQuery { lab: Some(lab.to_owned()), ..everything() }).len()
        };
        assert_eq!((lab("lab"), lab("other")), (4, 0));
        let counts = store.count_by_state().expect("counted");
        let expected = [("published".to_owned(), 1), ("waiting".to_owned(), 3)];
        assert_eq!(counts, expected.into_iter().collect());
    }

    #[test]
    fn every_choice_goes_with_every_sort() {
        let store = three();
        for sort in OrderSort::ALL {
            for words in [vec![], vec!["rx".to_owned()]] {
                for lab in [None, Some("lab".to_owned())] {
                    for states in [vec![], vec![OrderState::Waiting]] {
                        for since in [None, Some(WallMs(0))] {
                            let (words, lab, states) = (words.clone(), lab.clone(), states.clone());
                            let query =
                                OrderQuery { words, lab, states, since, sort, ..everything() };
                            assert_eq!(store.list(&query).expect("listed").total, 3, "{query:?}");
                            assert_eq!(found(&store, &query).len(), 3, "{query:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn since_counts_what_was_listed_or_published() {
        let store = three();
        let since = |at| found(&store, &OrderQuery { since: Some(WallMs(at)), ..everything() });
        assert_eq!(since(20), ["17", "9"]);
        assert_eq!(since(31), Vec::<String>::new());
        let sql = "INSERT INTO revisions (lab, account, order_id, revision, manifest,
                manifest_sha256, published_ms, confirmed_ms, place, history_seen)
            SELECT lab, account, order_id, 1, '{}', '', 40, 40, 'main', 0 FROM orders
            WHERE order_id = '118'";
        store.db.execute(sql, []).expect("published");
        assert_eq!(since(31), ["118"]);
    }

    #[test]
    fn the_last_lines_of_all_stories_are_found() {
        let store = three();
        for at in 1..=3 {
            store.tell(&order("17").key, WallMs(at), "seen", "text").expect("told");
        }
        let lines = store.latest_events(2).expect("read");
        assert_eq!(lines.iter().map(|line| line.at.0).collect::<Vec<_>>(), [3, 2]);
    }

    fn any_status() -> impl Strategy<Value = Status> {
        prop::sample::select(vec![
            Status::Ready,
            Status::LabReview,
            Status::Modeling,
            Status::Milling,
            Status::Scanning,
            Status::Downloaded,
            Status::Other("scanning soon".to_owned()),
        ])
    }

    fn any_trouble() -> impl Strategy<Value = Option<Trouble>> {
        let classes = prop::sample::select(vec![
            FaultClass::Transient,
            FaultClass::NotConverted,
            FaultClass::Damaged,
            FaultClass::Permanent,
        ]);
        prop::option::of((classes, any::<bool>()).prop_map(|(class, attention)| Trouble {
            class,
            code: "code".to_owned(),
            message: "message".to_owned(),
            hint: None,
            attempts: 1,
            spent: Spent::default(),
            since: WallMs(1),
            next_try: None,
            wait: Duration::ZERO,
            attention,
        }))
    }

    proptest! {
        #[test]
        fn the_journal_and_the_program_agree_on_every_state(
            (status, trouble) in (any_status(), any_trouble()),
            (evidence, fetched, forced) in (0_u64..3, 0_u64..3, any::<bool>()),
            retired in prop::sample::select(
                vec![Retired::No, Retired::Yes, Retired::LeftAlone, Retired::UnderWay]),
            (holds, released) in (any::<bool>(), any::<bool>()),
        ) {
            let store = Store::in_memory().expect("journal");
            let mut one = order("17");
            one.remote.status = status;
            one.trouble = trouble;
            (one.evidence, one.fetched, one.forced) = (evidence, fetched, forced);
            one.retired = retired;
            if holds {
                let held = Held { released, ..super::super::holds::tests::held("17") };
                one.held = Some(held.record());
                store.hold(&held).expect("held");
            }
            store.save(&one).expect("saved");
            let counts = store.count_by_state().expect("counted");
            let expected = [(one.state().as_str().to_owned(), 1)];
            prop_assert_eq!(counts, expected.into_iter().collect());
            let read = store.order(&one.key).expect("read").expect("there");
            prop_assert_eq!(read.state(), one.state());
        }
    }
}
