//! What other processes ask of the agent: durable once put in, taken out by the agent that runs now
//! or next.

use rusqlite::params;

use super::orders::key;
use super::{Store, StoreError};
use crate::model::ids::OrderKey;
use crate::model::step::Step;
use crate::model::time::WallMs;

/// Somebody wants an order fetched again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The request's number.
    pub id: i64,
    /// When it was made.
    pub at: WallMs,
    /// Which order.
    pub key: OrderKey,
}

impl Store {
    /// Puts a request in.
    pub fn ask(&self, key: &OrderKey, at: WallMs) -> Result<(), StoreError> {
        let sql = "INSERT INTO inbox (at_ms, lab, account, order_id) VALUES (?1, ?2, ?3, ?4)";
        self.db.prepare_cached(sql)?.execute(params![
            at.0,
            key.lab.as_str(),
            key.account.as_str(),
            key.order.as_str()
        ])?;
        Ok(())
    }

    /// All requests that nobody took yet.
    pub fn asked(&self) -> Result<Vec<Request>, StoreError> {
        let sql = "SELECT id, at_ms, lab, account, order_id FROM inbox ORDER BY id";
        let mut query = self.db.prepare_cached(sql)?;
        let mut rows = query.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(Request {
                id: row.get(0)?,
                at: WallMs(row.get(1)?),
                key: key(
                    &row.get::<_, String>(2)?,
                    &row.get::<_, String>(3)?,
                    &row.get::<_, String>(4)?,
                )?,
            });
        }
        Ok(found)
    }

    /// Takes a request out, once what it asks for is recorded in the order itself.
    pub fn answered(&self, id: i64) -> Result<(), StoreError> {
        let steps = (Step::JournalTaken, Step::JournalTakenDurable);
        self.record(steps, || {
            self.db.prepare_cached("DELETE FROM inbox WHERE id = ?1")?.execute([id])
        })?;
        Ok(())
    }
}
