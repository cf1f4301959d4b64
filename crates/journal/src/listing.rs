//! Lists of orders for people: one page at a time, however many there are.

use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{ToSql, params, params_from_iter};

use super::live::LiveState;
use super::orders::{SELECT, key, read};
use super::{FeedRow, Store, StoreError};
use casedrop_model::day::{Day, sought};
use casedrop_model::ids::OrderKey;
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

/// Left alone, SQLite goes through all orders by lab.
const DUE_UNPUBLISHED: &str = "SELECT lab, count(*) FROM orders INDEXED BY orders_by_due
    WHERE due_date = ?1 AND (evidence > fetched OR forced OR held <> 0) GROUP BY lab";

impl Store {
    /// Returns a page of the orders that match the query.
    pub fn list(&self, query: &OrderQuery) -> Result<OrderPage, StoreError> {
        self.list_with(query, &[])
    }

    /// The same with orders whose state at this moment is not the journal's.
    pub(super) fn list_with(
        &self,
        query: &OrderQuery,
        live: &[LiveState],
    ) -> Result<OrderPage, StoreError> {
        let (wanted, mut values) = wanted(query, live, &self.accounts_named(&query.words)?);
        // Left alone, SQLite scans the table and parses every order's JSON on the way.
        let has_index = match query.sort {
            OrderSort::Newest | OrderSort::Oldest => true,
            OrderSort::DueFirst | OrderSort::DueLast => {
                query.states.is_empty() && !query.incomplete
            }
            _ => false,
        };
        let table = if query.words.is_empty() && query.lab.is_none() && has_index {
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

    /// For each word, the paired accounts whose names contain it, in any case of letters.
    fn accounts_named(&self, words: &[String]) -> Result<Vec<Vec<Account>>, StoreError> {
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let sql = "SELECT lab, account, account_name FROM labs
                   WHERE account IS NOT NULL AND account_name IS NOT NULL";
        let named = self.gather(sql, &[], |row| {
            Ok(((row.get(0)?, row.get(1)?), row.get::<_, String>(2)?.to_lowercase()))
        })?;
        let with = |word: &String| {
            let word = word.to_lowercase();
            let found = named.iter().filter(|(_, name): &&(Account, String)| name.contains(&word));
            found.map(|(account, _)| account.clone()).collect()
        };
        Ok(words.iter().map(with).collect())
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

    /// Counts each lab's orders that are due on a day and not published: those to be fetched or
    /// held back. Labs without any are absent.
    pub fn due_unpublished(&self, day: Day) -> Result<BTreeMap<String, u64>, StoreError> {
        let mut query = self.db.prepare_cached(DUE_UNPUBLISHED)?;
        let rows = query.query_map([day.to_string()], |row| {
            let count: i64 = row.get(1)?;
            Ok((row.get(0)?, u64::try_from(count).unwrap_or(0)))
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

/// A lab and its account.
type Account = (String, String);

fn sql_of(sort: OrderSort) -> &'static str {
    match sort {
        OrderSort::Newest => "last_seen_ms DESC, order_id DESC",
        OrderSort::Oldest => "last_seen_ms, order_id",
        // Longer numbers are higher; ids that are not numbers still have a stable order.
        OrderSort::Highest => "length(order_id) DESC, order_id DESC",
        OrderSort::Lowest => "length(order_id), order_id",
        OrderSort::CaseType => "case_type IS NULL, case_type, last_seen_ms DESC, order_id DESC",
        OrderSort::State => "state, last_seen_ms DESC, order_id DESC",
        OrderSort::DueFirst => "due_date NULLS LAST, last_seen_ms DESC, order_id DESC",
        OrderSort::DueLast => "due_date DESC, last_seen_ms DESC, order_id DESC",
        OrderSort::Published => {
            "(SELECT p.published_ms FROM revisions p WHERE p.lab = orders.lab
                AND p.account = orders.account AND p.order_id = orders.order_id
                AND p.revision = orders.revision) DESC, last_seen_ms DESC, order_id DESC"
        }
    }
}

/// Returns the SQL condition and its values. `accounts` are those whose names contain each word.
fn wanted(
    query: &OrderQuery,
    live: &[LiveState],
    accounts: &[Vec<Account>],
) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = Vec::new();
    let mut parts = Vec::new();
    for (number, word) in query.words.iter().enumerate() {
        let escaped = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        values.push(Value::Text(format!("%{escaped}%")));
        let at = values.len();
        let columns = ["order_id", "rx_id", "order_code", "case_type", "doctor", "account", "lab"];
        let mut any: Vec<_> =
            columns.iter().map(|column| format!("{column} LIKE ?{at} ESCAPE '\\'")).collect();
        for days in sought(word) {
            values.push(Value::Text(days));
            any.push(format!("due_date LIKE ?{}", values.len()));
        }
        for (lab, account) in accounts.get(number).into_iter().flatten() {
            values.extend([Value::Text(lab.clone()), Value::Text(account.clone())]);
            any.push(format!("(lab = ?{} AND account = ?{})", values.len() - 1, values.len()));
        }
        let named = query.named.get(number).map(Vec::as_slice).unwrap_or_default();
        if !named.is_empty() {
            let row = |key: &OrderKey| {
                let parts = [key.lab.as_str(), key.account.as_str(), key.order.as_str()];
                values.extend(parts.map(|part| Value::Text(part.to_owned())));
                let last = values.len();
                format!("(?{}, ?{}, ?{last})", last - 2, last - 1)
            };
            let rows: Vec<_> = named.iter().map(row).collect();
            any.push(format!("(lab, account, order_id) IN (VALUES {})", rows.join(", ")));
        }
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
        let mut part = format!("state IN ({})", words.join(", "));
        for LiveState { key, now, .. } in live {
            let of_key = [key.lab.as_str(), key.account.as_str(), key.order.as_str()];
            let at = values.len();
            values.extend(of_key.map(|text| Value::Text(text.to_owned())));
            let (lab, account, order) = (at + 1, at + 2, at + 3);
            let is_it = format!("(lab = ?{lab} AND account = ?{account} AND order_id = ?{order})");
            part = if query.states.contains(now) {
                format!("({part} OR {is_it})")
            } else {
                format!("({part} AND NOT {is_it})")
            };
        }
        parts.push(part);
    }
    if query.from.is_some() || query.until.is_some() {
        let (from, until) = (query.from.unwrap_or(WallMs(0)), query.until);
        values.push(Value::Integer(from.0));
        values.push(Value::Integer(until.map_or(i64::MAX, |until| until.0)));
        let (from, until) = (values.len() - 1, values.len());
        // What was seen last before that time cannot have been seen first after it; the index of
        // the list knows only the former.
        parts.push(format!(
            "rowid IN (
                SELECT s.rowid FROM orders s INDEXED BY orders_listing
                WHERE s.last_seen_ms >= ?{from} AND s.first_seen_ms >= ?{from}
                  AND s.first_seen_ms < ?{until}
                UNION
                SELECT s.rowid FROM revisions p JOIN orders s
                  ON s.lab = p.lab AND s.account = p.account AND s.order_id = p.order_id
                WHERE p.published_ms >= ?{from} AND p.published_ms < ?{until})"
        ));
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
    let condition =
        if parts.is_empty() { String::new() } else { format!("WHERE {}", parts.join(" AND ")) };
    (condition, values)
}

#[cfg(test)]
mod tests;
