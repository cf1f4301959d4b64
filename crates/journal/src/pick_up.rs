//! Published orders whose folder somebody took.

use rusqlite::{Row, named_params};

use super::orders::{key, place};
use super::{Store, StoreError};
use casedrop_model::ids::OrderKey;
use casedrop_model::record::Place;
use casedrop_model::time::WallMs;

/// An order whose newest revision should be in the output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InOutput {
    /// Where [`Store::in_output_before`] continues.
    pub row: i64,
    pub key: OrderKey,
    pub revision: u32,
    pub place: Place,
    /// When it was found to be gone, if it was.
    pub picked_up: Option<WallMs>,
}

/// Retention is neither removing it nor has removed it.
const NOT_RETIRED: &str = "o.retired IN (0, 2)";

impl Store {
    /// Returns the orders published last, newest first.
    pub fn in_output(&self, limit: usize) -> Result<Vec<InOutput>, StoreError> {
        self.in_output_where("1", "r.published_ms DESC", &[], limit)
    }

    /// Returns orders before that row, to go through all of them a few at a time.
    pub fn in_output_before(&self, row: i64, limit: usize) -> Result<Vec<InOutput>, StoreError> {
        self.in_output_where("r.rowid < ?1", "r.rowid DESC", &[&row], limit)
    }

    fn in_output_where(
        &self,
        condition: &str,
        sort: &str,
        values: &[&dyn rusqlite::ToSql],
        limit: usize,
    ) -> Result<Vec<InOutput>, StoreError> {
        // Without the cross join, SQLite may start with the orders and sort all of them.
        let sql = format!(
            "SELECT r.rowid AS row, r.lab AS lab, r.account AS account, r.order_id AS order_id,
                    r.revision AS revision, r.place AS place, o.picked_up_ms AS picked_up_ms
             FROM revisions r CROSS JOIN orders o ON o.lab = r.lab AND o.account = r.account
                  AND o.order_id = r.order_id
             WHERE {condition} AND o.revision = r.revision AND {NOT_RETIRED}
             ORDER BY {sort} LIMIT {limit}"
        );
        self.gather(&sql, values, in_output)
    }

    /// Records that a revision's folder was taken at this time, or (`None`) that it is there.
    /// Returns whether that is news. An order that was published again since, or is being published
    /// now, is left as it is: then its folder is ours to move.
    pub fn set_picked_up(&self, of: &InOutput, at: Option<WallMs>) -> Result<bool, StoreError> {
        let sql = format!(
            "UPDATE orders AS o SET picked_up_ms = :at
             WHERE lab = :lab AND account = :account AND order_id = :order_id
               AND revision = :revision AND {NOT_RETIRED}
               AND (picked_up_ms IS NULL) <> (:at IS NULL)
               AND NOT EXISTS (SELECT 1 FROM intents i WHERE i.lab = o.lab
                   AND i.account = o.account AND i.order_id = o.order_id)"
        );
        let changed = self.db.prepare_cached(&sql)?.execute(named_params! {
            ":at": at.map(|at| at.0),
            ":lab": of.key.lab.as_str(),
            ":account": of.key.account.as_str(),
            ":order_id": of.key.order.as_str(),
            ":revision": of.revision,
        })?;
        Ok(changed > 0)
    }
}

fn in_output(row: &Row<'_>) -> Result<InOutput, StoreError> {
    let text = |name| row.get::<_, String>(name);
    Ok(InOutput {
        row: row.get("row")?,
        key: key(&text("lab")?, &text("account")?, &text("order_id")?)?,
        revision: row.get("revision")?,
        place: place(&text("place")?)?,
        picked_up: row.get::<_, Option<i64>>("picked_up_ms")?.map(WallMs),
    })
}

#[cfg(test)]
mod tests {
    use super::super::holds::tests::{intent, publish};
    use super::*;
    use casedrop_model::record::{OrderRecord, OrderState, Retired};

    fn three() -> Store {
        let store = Store::in_memory().expect("journal");
        for id in ["1", "2", "3"] {
            publish(&store, id, Vec::new());
        }
        store
    }

    fn ids(found: &[InOutput]) -> Vec<&str> {
        found.iter().map(|one| one.key.order.as_str()).collect()
    }

    fn first(store: &Store) -> InOutput {
        store.in_output_before(2, 1).expect("read").remove(0)
    }

    fn record(store: &Store, of: &InOutput) -> OrderRecord {
        store.order(&of.key).expect("read").expect("there")
    }

    #[test]
    fn all_of_them_are_gone_through_a_few_at_a_time() {
        let store = three();
        assert_eq!(store.in_output(2).expect("read").len(), 2);
        let newest = store.in_output_before(i64::MAX, 2).expect("read");
        assert_eq!(ids(&newest), ["3", "2"]);
        let next = store.in_output_before(newest[1].row, 2).expect("read");
        assert_eq!(ids(&next), ["1"]);
    }

    #[test]
    fn what_retention_removed_is_not_looked_for() {
        let store = three();
        let mut one = record(&store, &first(&store));
        one.retired = Retired::Yes;
        store.save(&one).expect("saved");
        assert_eq!(ids(&store.in_output_before(i64::MAX, 9).expect("read")), ["3", "2"]);
    }

    #[test]
    fn what_was_taken_is_told_once_until_it_is_there_again() {
        let store = three();
        let of = first(&store);
        assert!(store.set_picked_up(&of, Some(WallMs(5))).expect("set"));
        assert!(!store.set_picked_up(&of, Some(WallMs(6))).expect("known"));
        assert_eq!(record(&store, &of).picked_up, Some(WallMs(5)));
        assert_eq!(record(&store, &of).state(), OrderState::PickedUp);
        assert!(store.set_picked_up(&of, None).expect("set"));
        assert!(!store.set_picked_up(&of, None).expect("known"));
        assert_eq!(record(&store, &of).state(), OrderState::Published);
    }

    #[test]
    fn a_publication_under_way_or_over_since_is_no_pick_up() {
        let store = three();
        let of = first(&store);
        let later = InOutput { revision: 2, ..of.clone() };
        assert!(!store.set_picked_up(&later, Some(WallMs(5))).expect("not this revision"));
        store.save_intent(&intent("1", Vec::new())).expect("saved");
        assert!(!store.set_picked_up(&of, Some(WallMs(5))).expect("on its way"));
        assert_eq!(record(&store, &of).picked_up, None);
    }
}
