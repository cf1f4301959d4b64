//! The event logs of all orders as a feed: read in order, by kind, from where a reader stopped.

use rusqlite::{OptionalExtension as _, params};

use super::orders::key;
use super::{RevisionRecord, Store, StoreError};
use casedrop_model::ids::OrderKey;
use casedrop_model::time::WallMs;

/// One line of an order's event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedRow {
    /// Its number; later lines have larger ones, unless the journal is rebuilt.
    pub id: i64,
    pub at: WallMs,
    pub key: OrderKey,
    /// A stable word, such as `published`.
    pub kind: String,
    /// What happened, for a person.
    pub text: String,
}

/// How often orders of one lab were published in a part of the feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The lab's name in the config.
    pub lab: String,
    /// Number of orders.
    pub orders: u64,
    /// Number of their revisions.
    pub revisions: u64,
}

impl Store {
    /// Returns the number of the newest line of all event logs; 0 if there is none.
    pub fn newest_event(&self) -> Result<i64, StoreError> {
        let mut query = self.db.prepare_cached("SELECT COALESCE(MAX(id), 0) FROM events")?;
        Ok(query.query_row([], |row| row.get(0))?)
    }

    /// Returns the first `limit` lines of these kinds after the line with number `after`, oldest
    /// first.
    pub fn events_after(
        &self,
        after: i64,
        kinds: &[&str],
        limit: usize,
    ) -> Result<Vec<FeedRow>, StoreError> {
        // One query per kind, so that each walks the index from its position.
        let sql = "SELECT id, at_ms, lab, account, order_id, kind, text FROM events
                   WHERE kind = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
        let mut query = self.db.prepare_cached(sql)?;
        let mut found = Vec::new();
        for kind in kinds {
            let mut rows = query.query(params![kind, after, i64::try_from(limit).unwrap_or(-1)])?;
            while let Some(row) = rows.next()? {
                let text = |index| row.get::<_, String>(index);
                found.push(FeedRow {
                    id: row.get(0)?,
                    at: WallMs(row.get(1)?),
                    key: key(&text(2)?, &text(3)?, &text(4)?)?,
                    kind: text(5)?,
                    text: text(6)?,
                });
            }
        }
        found.sort_by_key(|row| row.id);
        found.truncate(limit);
        Ok(found)
    }

    /// Counts what was published after line `after` and up to line `upto`, by lab.
    pub fn published_between(&self, after: i64, upto: i64) -> Result<Vec<Tally>, StoreError> {
        let sql = "SELECT lab, COUNT(DISTINCT account || '/' || order_id), COUNT(*) FROM events
                   WHERE kind = 'published' AND id > ?1 AND id <= ?2 GROUP BY lab ORDER BY lab";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map([after, upto], |row| {
            let count = |index| row.get::<_, i64>(index).map(|n| u64::try_from(n).unwrap_or(0));
            Ok(Tally { lab: row.get(0)?, orders: count(1)?, revisions: count(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Returns the revision that a line of kind `published` is about: it has the line's time.
    pub fn revision_of(&self, row: &FeedRow) -> Result<Option<RevisionRecord>, StoreError> {
        let sql = "SELECT revision FROM revisions
                   WHERE lab = ?1 AND account = ?2 AND order_id = ?3 AND published_ms = ?4
                   ORDER BY revision DESC LIMIT 1";
        let mut query = self.db.prepare_cached(sql)?;
        let (lab, account, order) =
            (row.key.lab.as_str(), row.key.account.as_str(), row.key.order.as_str());
        let number: Option<u32> =
            query.query_row(params![lab, account, order, row.at.0], |row| row.get(0)).optional()?;
        let Some(number) = number else { return Ok(None) };
        let all = self.revisions(&row.key)?;
        Ok(all.into_iter().find(|revision| revision.manifest.revision == number))
    }

    /// Removes a fact about this installation, if present.
    pub fn drop_fact(&self, name: &str) -> Result<(), StoreError> {
        self.db.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute([name])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(lab: &str, id: &str) -> OrderKey {
        OrderKey {
            lab: lab.parse().expect("valid"),
            account: "1".parse().expect("valid"),
            order: id.parse().expect("valid"),
        }
    }

    fn told(store: &Store) {
        let lines = [
            ("a", "1", "seen"),
            ("a", "1", "published"),
            ("b", "2", "parked"),
            ("a", "1", "published"),
            ("a", "3", "published"),
            ("b", "2", "published"),
        ];
        for (at, (lab, id, kind)) in (10..).zip(lines) {
            store.tell(&order(lab, id), WallMs(at), kind, "text").expect("told");
        }
    }

    #[test]
    fn lines_come_in_order_by_kind_and_from_where_the_reader_stopped() {
        let store = Store::in_memory().expect("journal");
        assert_eq!(store.newest_event().expect("read"), 0);
        told(&store);
        assert_eq!(store.newest_event().expect("read"), 6);
        let read = |after, kinds: &[&str], limit| {
            let rows = store.events_after(after, kinds, limit).expect("read");
            rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
        };
        assert_eq!(read(0, &["published", "parked"], 9), [2, 3, 4, 5, 6]);
        assert_eq!(read(2, &["published", "parked"], 2), [3, 4]);
        assert_eq!(read(3, &["parked"], 9), Vec::<i64>::new());
        let rows = store.events_after(2, &["parked"], 1).expect("read");
        let expected = FeedRow {
            id: 3,
            at: WallMs(12),
            key: order("b", "2"),
            kind: "parked".to_owned(),
            text: "text".to_owned(),
        };
        assert_eq!(rows, [expected]);
    }

    #[test]
    fn publications_are_counted_by_lab_between_two_lines() {
        let store = Store::in_memory().expect("journal");
        told(&store);
        let tally = |lab: &str, orders, revisions| Tally { lab: lab.to_owned(), orders, revisions };
        let all = store.published_between(0, 6).expect("read");
        assert_eq!(all, [tally("a", 2, 3), tally("b", 1, 1)]);
        assert_eq!(store.published_between(2, 4).expect("read"), [tally("a", 1, 1)]);
    }

    #[test]
    fn a_dropped_fact_is_gone() {
        let store = Store::in_memory().expect("journal");
        store.set_fact("x", "1").expect("set");
        store.drop_fact("x").expect("dropped");
        store.drop_fact("x").expect("none there is fine");
        assert_eq!(store.fact("x").expect("read"), None);
    }
}
