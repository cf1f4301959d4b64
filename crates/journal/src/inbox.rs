//! Requests about orders from other processes: durable once put in, taken out by the agent that
//! runs now or next.

use rusqlite::params;

use super::orders::key;
use super::{Store, StoreError, unreadable};
use casedrop_model::ids::OrderKey;
use casedrop_model::step::Step;
use casedrop_model::time::WallMs;

/// Something to do about an order, or to take note of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errand {
    pub id: i64,
    /// When it was put in.
    pub at: WallMs,
    pub key: OrderKey,
    pub what: ErrandKind,
}

/// What to do about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrandKind {
    /// A user wants it fetched again.
    Refetch {
        /// The kind of case, as Align would write it; for orders that the journal has never seen.
        procedure: Option<String>,
    },
    /// It was sent back to the doctor, and Align accepted that.
    Returned,
}

const REFETCH: &str = "refetch";
const RETURNED: &str = "returned";

impl Store {
    /// Requests that an order be fetched again.
    pub fn ask(&self, key: &OrderKey, at: WallMs) -> Result<(), StoreError> {
        self.put_in(key, at, &ErrandKind::Refetch { procedure: None })
    }

    pub fn put_in(&self, key: &OrderKey, at: WallMs, what: &ErrandKind) -> Result<(), StoreError> {
        let sql = "INSERT INTO inbox (at_ms, lab, account, order_id, kind, procedure)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (kind, procedure) = match what {
            ErrandKind::Refetch { procedure } => (REFETCH, procedure.as_deref()),
            ErrandKind::Returned => (RETURNED, None),
        };
        self.db.prepare_cached(sql)?.execute(params![
            at.0,
            key.lab.as_str(),
            key.account.as_str(),
            key.order.as_str(),
            kind,
            procedure,
        ])?;
        Ok(())
    }

    /// Returns all errands that are still to be taken, in the order in which they were put in.
    pub fn asked(&self) -> Result<Vec<Errand>, StoreError> {
        let sql =
            "SELECT id, at_ms, lab, account, order_id, kind, procedure FROM inbox ORDER BY id";
        let mut query = self.db.prepare_cached(sql)?;
        let mut rows = query.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(Errand {
                id: row.get(0)?,
                at: WallMs(row.get(1)?),
                key: key(
                    &row.get::<_, String>(2)?,
                    &row.get::<_, String>(3)?,
                    &row.get::<_, String>(4)?,
                )?,
                what: match row.get::<_, String>(5)?.as_str() {
                    REFETCH => ErrandKind::Refetch { procedure: row.get(6)? },
                    RETURNED => ErrandKind::Returned,
                    other => return Err(unreadable("kind of errand", other)),
                },
            });
        }
        Ok(found)
    }

    /// Removes an errand, once what it asks for is recorded in the order itself.
    pub fn answered(&self, id: i64) -> Result<(), StoreError> {
        let steps = (Step::JournalTaken, Step::JournalTakenDurable);
        self.record(steps, || {
            self.db.prepare_cached("DELETE FROM inbox WHERE id = ?1")?.execute([id])
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_comes_out_as_it_was_and_in_its_order() {
        let store = Store::in_memory().expect("journal");
        let key = super::super::tests::order("17").key;
        let procedure = Some("Orthodontic".to_owned());
        let kinds = [
            ErrandKind::Refetch { procedure },
            ErrandKind::Returned,
            ErrandKind::Refetch { procedure: None },
        ];
        for what in &kinds {
            store.put_in(&key, WallMs(3), what).expect("put in");
        }
        let out = store.asked().expect("read");
        assert!(out.iter().all(|errand| errand.key == key && errand.at == WallMs(3)));
        let found: Vec<_> = out.iter().map(|errand| errand.what.clone()).collect();
        assert_eq!(found, kinds);
        store.answered(out[0].id).expect("taken");
        assert_eq!(store.asked().expect("read"), out[1..]);
    }
}
