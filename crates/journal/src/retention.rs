//! The age of publications, and which of them are old enough to be removed.
//!
//! The PC's clock may be changed, so ages are not computed from it. A separate time is counted
//! while agents run ([`Kept::counted`]); a publication is stored with the count at that moment, and
//! so is a revision when it is replaced. Publications of an older version start to count when they
//! are first encountered.

use std::time::Duration;

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::orders::{SELECT, key, read};
use super::revisions::{self, COLUMNS, RevisionRecord};
use super::{Store, StoreError, duration, unreadable};
use casedrop_model::ids::{OrderId, OrderKey};
use casedrop_model::record::{OrderRecord, Retired};
use casedrop_model::step::Step;
use casedrop_model::time::{Kept, Now, WallMs, millis};

/// The fact that stores the time counted so far.
pub const COUNTED: &str = "counted-time";

/// The time counted so far, and what the clocks said then; in milliseconds.
#[derive(Serialize, Deserialize)]
struct Counted {
    sum: i64,
    wall: i64,
    up: i64,
}

impl Store {
    /// Returns those of `orders` that were removed from the output because of their age, in every
    /// lab.
    pub fn removed_of(&self, orders: &[OrderId]) -> Result<Vec<OrderId>, StoreError> {
        let mut removed = Vec::new();
        for id in orders {
            let found = self.find(id.as_str())?;
            if !found.is_empty() && found.iter().all(|order| order.retired == Retired::Yes) {
                removed.push(id.clone());
            }
        }
        Ok(removed)
    }

    /// Advances the counted time to now and returns it.
    pub fn count_time(&self, now: Now) -> Result<Duration, StoreError> {
        let known = self.counted_fact()?;
        let so_far = known.as_ref().map_or(Duration::ZERO, |known| {
            let then = Kept { wall: WallMs(known.wall), up: duration(known.up) };
            duration(known.sum) + then.counted(now)
        });
        let counted = Counted { sum: millis(so_far), wall: now.wall.0, up: millis(now.mono) };
        let text = serde_json::to_string(&counted).map_err(|error| unreadable(COUNTED, error))?;
        self.set_fact(COUNTED, &text)?;
        Ok(so_far)
    }

    /// The time counted so far.
    pub fn counted(&self) -> Result<Duration, StoreError> {
        Ok(self.counted_fact()?.map_or(Duration::ZERO, |known| duration(known.sum)))
    }

    fn counted_fact(&self) -> Result<Option<Counted>, StoreError> {
        let text = self.fact(COUNTED)?;
        let parsed = text.map(|text| serde_json::from_str(&text));
        parsed.transpose().map_err(|error| unreadable(COUNTED, error))
    }

    /// Starts the count for revisions that have none yet.
    pub fn begin_to_count(&self, counted: Duration) -> Result<(), StoreError> {
        let sql = "UPDATE revisions SET counted_ms = ?1 WHERE counted_ms IS NULL AND NOT gone";
        self.db.prepare_cached(sql)?.execute([millis(counted)])?;
        Ok(())
    }

    /// Returns the oldest order that `accept` takes among those whose last publication was made at
    /// a count of at most `counted` and that are neither removed, being removed nor left alone.
    /// Publications of unknown origin are excluded. `accept` also gets the count at the time of
    /// publication.
    pub fn first_published_before(
        &self,
        counted: Duration,
        mut accept: impl FnMut(&OrderRecord, Duration) -> bool,
    ) -> Result<Option<OrderRecord>, StoreError> {
        let sql = format!(
            "{SELECT} WHERE o.retired = 0 AND NOT r.gone AND NOT r.found AND r.counted_ms <= ?1
             ORDER BY r.counted_ms, o.order_id"
        );
        let mut query = self.db.prepare_cached(&sql)?;
        let mut rows = query.query([millis(counted)])?;
        while let Some(row) = rows.next()? {
            let order = read(row)?;
            let at = duration(row.get("counted_ms")?);
            if accept(&order, at) {
                return Ok(Some(order));
            }
        }
        Ok(None)
    }

    /// Returns the longest replaced revision that `accept` takes among those replaced at a count of
    /// at most `counted`, not known to be gone and not of unknown origin.
    pub fn first_replaced_before(
        &self,
        counted: Duration,
        mut accept: impl FnMut(&OrderKey, u32, Duration) -> bool,
    ) -> Result<Option<(OrderKey, RevisionRecord)>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, lab, account, order_id, revision, counted_ms, found FROM revisions AS old
             WHERE NOT gone AND NOT found AND place = 'main' AND counted_ms <= ?1 AND EXISTS (
                SELECT 1 FROM revisions AS new WHERE new.lab = old.lab
                AND new.account = old.account AND new.order_id = old.order_id
                AND new.place = 'main' AND new.revision > old.revision)
             ORDER BY counted_ms, order_id, revision"
        );
        let mut query = self.db.prepare_cached(&sql)?;
        let mut rows = query.query([millis(counted)])?;
        while let Some(row) = rows.next()? {
            let text = |index| row.get::<_, String>(index);
            let key = key(&text(6)?, &text(7)?, &text(8)?)?;
            if accept(&key, row.get(9)?, duration(row.get(10)?)) {
                return Ok(Some((key, revisions::read(row)?)));
            }
        }
        Ok(None)
    }

    /// Returns the orders whose removal was begun and is not recorded as done.
    pub fn retiring(&self) -> Result<Vec<OrderRecord>, StoreError> {
        self.select("WHERE o.retired = 3 ORDER BY o.lab, o.order_id", &[])
    }

    /// Records that an order is about to be removed from the output.
    pub fn begin_retirement(&self, key: &OrderKey) -> Result<(), StoreError> {
        let sql = "UPDATE orders SET retired = 3
            WHERE lab = ?1 AND account = ?2 AND order_id = ?3";
        let keys = [key.lab.as_str(), key.account.as_str(), key.order.as_str()];
        let steps = (Step::JournalRetiring, Step::JournalRetiringDurable);
        self.record(steps, || self.db.prepare_cached(sql)?.execute(keys))?;
        Ok(())
    }

    /// Records that a revision is gone from where it was kept, or will be left there permanently.
    pub fn set_gone(&self, key: &OrderKey, revision: u32) -> Result<(), StoreError> {
        let sql = "UPDATE revisions SET gone = 1
            WHERE lab = ?1 AND account = ?2 AND order_id = ?3 AND revision = ?4";
        self.db.prepare_cached(sql)?.execute(params![
            key.lab.as_str(),
            key.account.as_str(),
            key.order.as_str(),
            revision,
        ])?;
        Ok(())
    }
}
