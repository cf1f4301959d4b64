//! Reads what is still readable in a damaged journal, without changing it.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row};

use super::check::keep_log_on_close;
use super::notifications::salvaged;
use super::orders::{key, place};
use super::{Asked, Pending, RevisionRecord, StoreError, connect, duration, revisions, unreadable};
use casedrop_model::ids::OrderKey;
use casedrop_model::order::{RemoteOrder, Status};
use casedrop_model::record::OrderRecord;
use casedrop_model::time::{Kept, WallMs};

#[derive(Debug, Default)]
pub struct Salvaged {
    /// Orders, without their faults and publications.
    pub orders: Vec<OrderRecord>,
    pub revisions: Vec<(OrderKey, RevisionRecord)>,
    /// Orders that a user had asked to fetch again.
    pub requests: Vec<OrderKey>,
    /// Notifications that are still to be processed.
    pub notified: Vec<Pending>,
    /// Accounts whose last poll is known.
    pub polls: Vec<(String, Asked)>,
    /// Facts about the installation.
    pub facts: Vec<(String, String)>,
}

/// Reads whatever can be read, row by row, skipping the rest. Empty if nothing can be read.
pub fn salvage(file: &Path) -> Salvaged {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let Ok(db) = connect(file, flags) else { return Salvaged::default() };
    if keep_log_on_close(&db, true).is_err() {
        return Salvaged::default();
    }
    // These columns have existed since the first version; a missing table counts as empty.
    let mut salvaged = Salvaged {
        orders: rows(
            &db,
            "orders",
            "lab, account, order_id, remote, listed, evidence, fetched, forced, first_seen_ms, last_seen_ms",
            order,
        ),
        revisions: rows(
            &db,
            "revisions",
            "lab, account, order_id, manifest, manifest_sha256, place, published_ms, confirmed_ms, history_seen",
            revision,
        ),
        requests: rows(&db, "inbox", "lab, account, order_id", order_key),
        notified: rows(&db, "notified", "lab, account, rx_id, first_ms", salvaged),
        polls: rows(&db, "polls", "account, asked_ms, wait_ms", poll),
        facts: rows(&db, "meta", "key, value", |row| Ok((row.get(0)?, row.get(1)?))),
    };
    // This column has not, and its content must not be lost.
    let columns = "lab, account, order_id, revision, found";
    let of_unknown_origin: BTreeSet<(OrderKey, u32)> =
        rows(&db, "revisions", columns, found).into_iter().flatten().collect();
    for (key, revision) in &mut salvaged.revisions {
        let number = revision.manifest.revision;
        revision.is_found = of_unknown_origin.contains(&(key.clone(), number));
    }
    salvaged
}

fn rows<T>(
    db: &Connection,
    table: &str,
    columns: &str,
    read: fn(&Row<'_>) -> Result<T, StoreError>,
) -> Vec<T> {
    let sql = format!("SELECT {columns} FROM {table} WHERE rowid = ?1");
    let Ok(mut query) = db.prepare(&sql) else { return Vec::new() };
    let mut found = Vec::new();
    for id in row_ids(db, table) {
        if let Ok(Ok(one)) = query.query_row([id], |row| Ok(read(row))) {
            found.push(one);
        }
    }
    found
}

/// Returns the rows before the first damaged page and those after the last.
fn row_ids(db: &Connection, table: &str) -> BTreeSet<i64> {
    let mut ids = BTreeSet::new();
    for order in ["ASC", "DESC"] {
        let sql = format!("SELECT rowid FROM {table} NOT INDEXED ORDER BY rowid {order}");
        let Ok(mut query) = db.prepare(&sql) else { continue };
        let Ok(rows) = query.query_map([], |row| row.get::<_, i64>(0)) else { continue };
        ids.extend(rows.map_while(Result::ok));
    }
    ids
}

fn order_key(row: &Row<'_>) -> Result<OrderKey, StoreError> {
    let text = |index| row.get::<_, String>(index);
    key(&text(0)?, &text(1)?, &text(2)?)
}

fn order(row: &Row<'_>) -> Result<OrderRecord, StoreError> {
    let key = order_key(row)?;
    let remote: RemoteOrder = parsed(row, 3)?;
    let mut order = OrderRecord::new(key, remote, WallMs(row.get(8)?));
    order.listed = row.get(4)?;
    order.evidence = row.get::<_, i64>(5)?.cast_unsigned();
    // It is no longer known whether its download was begun.
    order.begun = order.evidence;
    order.away = Some(order.remote.status.clone()).filter(Status::is_away);
    order.fetched = row.get::<_, i64>(6)?.cast_unsigned();
    order.forced = row.get(7)?;
    order.last_seen = WallMs(row.get(9)?);
    Ok(order)
}

fn revision(row: &Row<'_>) -> Result<(OrderKey, RevisionRecord), StoreError> {
    let revision = RevisionRecord {
        manifest: revisions::manifest(&row.get::<_, String>(3)?)?,
        manifest_sha256: row.get(4)?,
        place: place(&row.get::<_, String>(5)?)?,
        at: WallMs(row.get(6)?),
        confirmed: WallMs(row.get(7)?),
        history_seen: row.get(8)?,
        is_found: false,
    };
    Ok((order_key(row)?, revision))
}

/// Returns a revision that had been found on disk.
fn found(row: &Row<'_>) -> Result<Option<(OrderKey, u32)>, StoreError> {
    let is_found: bool = row.get(4)?;
    Ok(if is_found { Some((order_key(row)?, row.get(3)?)) } else { None })
}

fn poll(row: &Row<'_>) -> Result<(String, Asked), StoreError> {
    // An old journal has no uptime of the computer; nothing counts from it any longer.
    let at = Kept { wall: WallMs(row.get(1)?), up: Duration::ZERO };
    let asked = Asked { at, wait: duration(row.get(2)?), answered: true };
    Ok((row.get(0)?, asked))
}

fn parsed<T: serde::de::DeserializeOwned>(row: &Row<'_>, index: usize) -> Result<T, StoreError> {
    serde_json::from_str(&row.get::<_, String>(index)?)
        .map_err(|error| unreadable("salvage", error))
}

#[cfg(test)]
mod tests {
    use super::super::{FILE_NAME, Store};
    use super::*;

    #[test]
    fn what_a_damaged_page_leaves_is_read_and_the_file_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join(FILE_NAME);
        let store = Store::open(&file).expect("made");
        for number in 1000..1400 {
            store.save(&super::super::tests::order(&format!("{number}"))).expect("saved");
        }
        store.ask(&super::super::tests::order("1001").key, WallMs(5)).expect("asked");
        store.set_fact("output-root", "id").expect("set");
        let labs = [("lab".parse().expect("valid"), "1".parse().expect("valid"))];
        let named = casedrop_model::notification::Named {
            account: None,
            rx: "rx-77".parse().expect("valid"),
        };
        store.notify(&labs, &[named], WallMs(6)).expect("recorded");
        drop(store);
        let whole = salvage(&file);
        assert_eq!((whole.orders.len(), whole.requests.len()), (400, 1));
        assert!(whole.facts.contains(&("output-root".to_owned(), "id".to_owned())));
        assert!(whole.orders.iter().all(OrderRecord::is_wanted));
        assert_eq!(whole.notified[0].rx.as_str(), "rx-77");
        assert_eq!(whole.notified[0].first, WallMs(6));

        // A leaf page of the orders, recognized by the texts in it.
        let mut bytes = std::fs::read(&file).expect("read");
        let page = bytes
            .chunks(4096)
            .position(|page| {
                page[0] == 13 && page.windows(12).any(|text| text == b"\"order_id\":\"")
            })
            .expect("a page of orders");
        let middle = page * 4096;
        bytes[middle..middle + 4096].fill(0xA5);
        std::fs::write(&file, &bytes).expect("written");
        let left = salvage(&file);
        assert!(left.orders.len() > 200 && left.orders.len() < 400, "{}", left.orders.len());
        assert_eq!(std::fs::read(&file).expect("read"), bytes);

        std::fs::write(&file, "no database").expect("written");
        assert!(salvage(&file).orders.is_empty());
    }
}
