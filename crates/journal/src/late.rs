//! What published orders still lack, and when to request it again.

use std::time::Duration;

use rusqlite::{Row, ToSql, named_params};

use super::orders::key;
use super::{Store, StoreError, duration, unreadable};
use casedrop_model::asset::AssetKind;
use casedrop_model::ids::OrderKey;
use casedrop_model::time::{WallMs, millis};

/// An extra that a published order lacks and that will be requested again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LateExtra {
    pub kind: AssetKind,
    /// How often it was requested since the publication.
    pub tries: u32,
    /// Whether more than a few tries make no sense.
    pub brief: bool,
    /// When to request it next.
    pub next_try: WallMs,
    /// Length of the wait until then, so that a clock change cannot extend it.
    pub wait: Duration,
}

const SELECT: &str = "SELECT kind, tries, brief, next_try_ms, wait_ms, lab, account, order_id
    FROM late_extras";

impl Store {
    /// Sets what the order lacks from now on, replacing everything known before.
    pub fn set_late(&self, order: &OrderKey, extras: &[LateExtra]) -> Result<(), StoreError> {
        let keys = [order.lab.as_str(), order.account.as_str(), order.order.as_str()];
        self.atomically(|store| {
            let sql = "DELETE FROM late_extras WHERE lab = ?1 AND account = ?2 AND order_id = ?3";
            store.db.prepare_cached(sql)?.execute(keys)?;
            let sql = "INSERT INTO late_extras (lab, account, order_id, kind, tries, brief,
                next_try_ms, wait_ms)
                VALUES (:lab, :account, :order_id, :kind, :tries, :brief, :next_try_ms, :wait_ms)";
            for extra in extras {
                store.db.prepare_cached(sql)?.execute(named_params! {
                    ":lab": keys[0],
                    ":account": keys[1],
                    ":order_id": keys[2],
                    ":kind": extra.kind.as_str(),
                    ":tries": extra.tries,
                    ":brief": extra.brief,
                    ":next_try_ms": extra.next_try.0,
                    ":wait_ms": millis(extra.wait),
                })?;
            }
            Ok(())
        })
    }

    /// Returns what the order lacks and will be requested.
    pub fn late(&self, order: &OrderKey) -> Result<Vec<LateExtra>, StoreError> {
        let values: &[&dyn ToSql] =
            &[&order.lab.as_str(), &order.account.as_str(), &order.order.as_str()];
        let rest = "WHERE lab = ?1 AND account = ?2 AND order_id = ?3 ORDER BY kind DESC";
        let found = self.gather(&format!("{SELECT} {rest}"), values, read)?;
        Ok(found.into_iter().map(|(_, extra)| extra).collect())
    }

    /// Returns the same for all orders.
    pub fn all_late(&self) -> Result<Vec<(OrderKey, LateExtra)>, StoreError> {
        self.gather(SELECT, &[], read)
    }
}

fn read(row: &Row<'_>) -> Result<(OrderKey, LateExtra), StoreError> {
    let text = |index| row.get::<_, String>(index);
    let kind = text(0)?;
    let extra = LateExtra {
        kind: AssetKind::extra(&kind).ok_or_else(|| unreadable("late extra", kind))?,
        tries: row.get(1)?,
        brief: row.get(2)?,
        next_try: WallMs(row.get(3)?),
        wait: duration(row.get(4)?),
    };
    Ok((key(&text(5)?, &text(6)?, &text(7)?)?, extra))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_remembered_for_each_order_until_it_is_replaced() {
        let store = Store::in_memory().expect("journal");
        let order = super::super::tests::order("17").key;
        let other = super::super::tests::order("18").key;
        let extra = |kind, tries| LateExtra {
            kind,
            tries,
            brief: kind == AssetKind::ScreenCaptures,
            next_try: WallMs(1_000),
            wait: Duration::from_secs(120),
        };
        let both = [extra(AssetKind::Thumbnails, 0), extra(AssetKind::ScreenCaptures, 1)];
        store.set_late(&order, &both).expect("saved");
        store.set_late(&other, &both[..1]).expect("saved");
        assert_eq!(store.late(&order).expect("read"), both);
        assert_eq!(store.all_late().expect("read").len(), 3);
        store.set_late(&order, &both[1..]).expect("saved");
        assert_eq!(store.late(&order).expect("read"), both[1..]);
        store.set_late(&order, &[]).expect("saved");
        assert_eq!(store.all_late().expect("read"), [(other, both[0].clone())]);
    }
}
