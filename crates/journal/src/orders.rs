//! Orders in the journal.

use rusqlite::{Row, named_params, params};

use super::{Store, StoreError, duration, unreadable};
use casedrop_model::fault::FaultClass;
use casedrop_model::findings::FindingCounts;
use casedrop_model::ids::{AccountId, LabName, OrderId, OrderKey, RxId};
use casedrop_model::order::{RemoteOrder, Status};
use casedrop_model::prescription::Prescription;
use casedrop_model::record::{
    HeldRecord, OrderRecord, Place, PublishedRecord, Retired, Spent, Trouble,
};
use casedrop_model::time::{WallMs, millis};

pub(super) const SELECT: &str = "
    SELECT o.lab, o.account, o.order_id, o.remote, o.listed, o.evidence, o.fetched, o.forced,
           o.rechecks, o.first_seen_ms, o.last_seen_ms, o.fault_class, o.fault_code, o.fault_text,
           o.fault_hint, o.attempts, o.since_ms, o.next_try_ms,
           r.revision, r.manifest_sha256, r.published_ms, r.confirmed_ms, r.place, r.history_seen,
           o.away, o.begun, o.last_asked_ms, o.wait_ms, o.attention,
           o.not_converted, o.damaged, o.retired, o.notified_ms, o.notified_vain,
           o.prescription AS prescription, o.picked_up_ms AS picked_up_ms,
           r.counted_ms AS counted_ms, r.findings AS findings,
           h.revision AS held_revision, h.at_ms AS held_ms, h.confirmed_ms AS held_confirmed_ms,
           h.released AS released, h.findings AS held_findings
    FROM orders o LEFT JOIN revisions r
      ON r.lab = o.lab AND r.account = o.account AND r.order_id = o.order_id
     AND r.revision = o.revision
    LEFT JOIN holds h ON h.lab = o.lab AND h.account = o.account AND h.order_id = o.order_id";

impl Store {
    pub fn order(&self, key: &OrderKey) -> Result<Option<OrderRecord>, StoreError> {
        let found = self.select(
            "WHERE o.lab = ?1 AND o.account = ?2 AND o.order_id = ?3",
            &[&key.lab.as_str(), &key.account.as_str(), &key.order.as_str()],
        )?;
        Ok(found.into_iter().next())
    }

    /// Returns all orders, newest first.
    pub fn orders(&self) -> Result<Vec<OrderRecord>, StoreError> {
        self.select("ORDER BY o.last_seen_ms DESC, o.order_id DESC", &[])
    }

    /// Whether any order was ever seen.
    pub fn has_orders(&self) -> Result<bool, StoreError> {
        Ok(self.db.query_row("SELECT EXISTS (SELECT 1 FROM orders)", [], |row| row.get(0))?)
    }

    /// Whether any order was ever published.
    pub fn has_published(&self) -> Result<bool, StoreError> {
        Ok(self.db.query_row("SELECT EXISTS (SELECT 1 FROM revisions)", [], |row| row.get(0))?)
    }

    /// Returns all orders with something to fetch, longest waiting first.
    pub fn wanted(&self) -> Result<Vec<OrderRecord>, StoreError> {
        self.select("WHERE o.evidence > o.fetched OR o.forced ORDER BY o.first_seen_ms", &[])
    }

    /// Returns the orders in the account's latest list.
    pub fn listed(
        &self,
        lab: &LabName,
        account: &AccountId,
    ) -> Result<Vec<OrderRecord>, StoreError> {
        self.select(
            "WHERE o.lab = ?1 AND o.account = ?2 AND o.listed",
            &[&lab.as_str(), &account.as_str()],
        )
    }

    /// Returns every order with this id or Rx id, in any lab.
    pub fn find(&self, id: &str) -> Result<Vec<OrderRecord>, StoreError> {
        self.select("WHERE o.order_id = ?1 OR o.rx_id = ?1 ORDER BY o.lab", &[&id])
    }

    /// Returns the order of this prescription.
    pub fn by_rx(
        &self,
        lab: &LabName,
        account: &AccountId,
        rx: &RxId,
    ) -> Result<Vec<OrderRecord>, StoreError> {
        self.select(
            "WHERE o.lab = ?1 AND o.account = ?2 AND o.rx_id = ?3",
            &[&lab.as_str(), &account.as_str(), &rx.as_str()],
        )
    }

    /// Returns the account's order that Align should be asked about next, if one is due.
    pub fn next_to_ask(
        &self,
        lab: &LabName,
        account: &AccountId,
        now: WallMs,
    ) -> Result<Option<OrderRecord>, StoreError> {
        let found = self.select(
            "WHERE o.lab = ?1 AND o.account = ?2 AND o.ask_at_ms <= ?3
             ORDER BY o.ask_at_ms LIMIT 1",
            &[&lab.as_str(), &account.as_str(), &now.0],
        )?;
        Ok(found.into_iter().next())
    }

    /// Saves an order, except its publication.
    pub fn save(&self, order: &OrderRecord) -> Result<(), StoreError> {
        let sql = "
            INSERT OR REPLACE INTO orders (lab, account, order_id, rx_id, remote, listed, evidence,
                fetched, forced, rechecks, first_seen_ms, last_seen_ms, fault_class, fault_code,
                fault_text, fault_hint, attempts, since_ms, next_try_ms, revision, away, begun,
                last_asked_ms, ask_at_ms, wait_ms, attention, not_converted, damaged, retired,
                notified_ms, notified_vain, held, prescription, picked_up_ms)
            VALUES (:lab, :account, :order_id, :rx_id, :remote, :listed, :evidence, :fetched,
                :forced, :rechecks, :first_seen_ms, :last_seen_ms, :fault_class, :fault_code,
                :fault_text, :fault_hint, :attempts, :since_ms, :next_try_ms, :revision, :away,
                :begun, :last_asked_ms, :ask_at_ms, :wait_ms, :attention, :not_converted, :damaged,
                :retired, :notified_ms, :notified_vain, :held, :prescription, :picked_up_ms)";
        let remote =
            serde_json::to_string(&order.remote).map_err(|error| unreadable("order", error))?;
        let prescription = Some(&order.prescription).filter(|one| **one != Prescription::default());
        let prescription = prescription.map(serde_json::to_string).transpose();
        let prescription = prescription.map_err(|error| unreadable("prescription", error))?;
        let trouble = order.trouble.as_ref();
        self.db.prepare_cached(sql)?.execute(named_params! {
            ":lab": order.key.lab.as_str(),
            ":account": order.key.account.as_str(),
            ":order_id": order.key.order.as_str(),
            ":rx_id": order.remote.rx_id.as_ref().map(RxId::as_str),
            ":remote": remote,
            ":listed": order.listed,
            ":evidence": order.evidence.cast_signed(),
            ":fetched": order.fetched.cast_signed(),
            ":forced": order.forced,
            ":rechecks": order.rechecks,
            ":first_seen_ms": order.first_seen.0,
            ":last_seen_ms": order.last_seen.0,
            ":fault_class": trouble.map(|t| t.class.as_str()),
            ":fault_code": trouble.map(|t| t.code.as_str()),
            ":fault_text": trouble.map(|t| t.message.as_str()),
            ":fault_hint": trouble.and_then(|t| t.hint.as_deref()),
            ":attempts": trouble.map(|t| t.attempts),
            ":since_ms": trouble.map(|t| t.since.0),
            ":next_try_ms": trouble.and_then(|t| t.next_try).map(|at| at.0),
            ":revision": order.published.as_ref().map(|p| p.revision),
            ":away": order.away.as_ref().map(Status::as_str),
            ":begun": order.begun.cast_signed(),
            ":last_asked_ms": order.last_asked.map(|at| at.0),
            ":ask_at_ms": order.ask_at().map(|at| at.0),
            ":wait_ms": trouble.map_or(0, |t| millis(t.wait)),
            ":attention": trouble.is_some_and(|t| t.attention),
            ":not_converted": trouble.map_or(0, |t| t.spent.not_converted),
            ":damaged": trouble.map_or(0, |t| t.spent.damaged),
            ":retired": order.retired.number(),
            ":notified_ms": order.notified.map(|at| at.0),
            ":notified_vain": order.notified_vain,
            ":prescription": prescription,
            ":held": order.held.as_ref().map_or(0, |held| 1 + u32::from(held.released)),
            ":picked_up_ms": order.picked_up.map(|at| at.0),
        })?;
        Ok(())
    }

    /// Postpones the next try of a failed order to this time, if it is to be retried.
    pub fn put_off_order(&self, key: &OrderKey, next_try: WallMs) -> Result<(), StoreError> {
        let sql = "UPDATE orders SET next_try_ms = ?4
            WHERE lab = ?1 AND account = ?2 AND order_id = ?3 AND next_try_ms < ?4";
        let (lab, account, order) = (key.lab.as_str(), key.account.as_str(), key.order.as_str());
        self.db.prepare_cached(sql)?.execute(params![lab, account, order, next_try.0])?;
        Ok(())
    }

    pub(super) fn select(
        &self,
        rest: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<OrderRecord>, StoreError> {
        self.gather(&format!("{SELECT} {rest}"), values, read)
    }
}

fn held(row: &Row<'_>) -> Result<Option<HeldRecord>, StoreError> {
    let Some(revision) = row.get("held_revision")? else { return Ok(None) };
    Ok(Some(HeldRecord {
        revision,
        at: WallMs(row.get("held_ms")?),
        confirmed: WallMs(row.get("held_confirmed_ms")?),
        released: row.get("released")?,
        findings: findings(row.get("held_findings")?)?,
    }))
}

/// Parses findings from the journal; older agents wrote none.
fn findings(text: Option<String>) -> Result<FindingCounts, StoreError> {
    let parsed = text.map(|text| serde_json::from_str(&text));
    Ok(parsed.transpose().map_err(|error| unreadable("findings", error))?.unwrap_or_default())
}

/// Parses a prescription; older agents wrote none.
fn prescription(text: Option<String>) -> Result<Prescription, StoreError> {
    let parsed = text.map(|text| serde_json::from_str(&text));
    Ok(parsed.transpose().map_err(|error| unreadable("prescription", error))?.unwrap_or_default())
}

fn retired(number: u32) -> Result<Retired, StoreError> {
    Retired::from_number(number).ok_or_else(|| unreadable("retired", number))
}

pub(super) fn read(row: &Row<'_>) -> Result<OrderRecord, StoreError> {
    let order_id: String = row.get(2)?;
    let key = key(&row.get::<_, String>(0)?, &row.get::<_, String>(1)?, &order_id)?;
    let remote: RemoteOrder = serde_json::from_str(&row.get::<_, String>(3)?)
        .map_err(|error| unreadable(&order_id, error))?;
    let trouble = match row.get::<_, Option<String>>(11)? {
        None => None,
        Some(class) => Some(Trouble {
            class: FaultClass::from_name(&class).ok_or_else(|| unreadable("fault class", class))?,
            code: row.get(12)?,
            message: row.get(13)?,
            hint: row.get(14)?,
            attempts: row.get(15)?,
            spent: Spent { not_converted: row.get(29)?, damaged: row.get(30)? },
            since: WallMs(row.get(16)?),
            next_try: row.get::<_, Option<i64>>(17)?.map(WallMs),
            wait: duration(row.get(27)?),
            attention: row.get(28)?,
        }),
    };
    let published = match row.get::<_, Option<u32>>(18)? {
        None => None,
        Some(revision) => Some(PublishedRecord {
            revision,
            manifest_sha256: row.get(19)?,
            at: WallMs(row.get(20)?),
            confirmed: WallMs(row.get(21)?),
            place: place(&row.get::<_, String>(22)?)?,
            history_seen: row.get(23)?,
        }),
    };
    Ok(OrderRecord {
        key,
        remote,
        prescription: prescription(row.get("prescription")?)?,
        listed: row.get(4)?,
        away: row.get::<_, Option<String>>(24)?.map(Status::from),
        evidence: row.get::<_, i64>(5)?.cast_unsigned(),
        begun: row.get::<_, i64>(25)?.cast_unsigned(),
        fetched: row.get::<_, i64>(6)?.cast_unsigned(),
        forced: row.get(7)?,
        rechecks: row.get(8)?,
        first_seen: WallMs(row.get(9)?),
        last_seen: WallMs(row.get(10)?),
        last_asked: row.get::<_, Option<i64>>(26)?.map(WallMs),
        notified: row.get::<_, Option<i64>>(32)?.map(WallMs),
        notified_vain: row.get(33)?,
        trouble,
        published,
        retired: retired(row.get(31)?)?,
        findings: findings(row.get("findings")?)?,
        held: held(row)?,
        picked_up: row.get::<_, Option<i64>>("picked_up_ms")?.map(WallMs),
        activity: None,
    })
}

pub(super) fn place(name: &str) -> Result<Place, StoreError> {
    Place::from_name(name).ok_or_else(|| unreadable("place", name))
}

pub(super) fn key(lab: &str, account: &str, order: &str) -> Result<OrderKey, StoreError> {
    let bad = |error| unreadable("order key", error);
    Ok(OrderKey {
        lab: lab.parse::<LabName>().map_err(bad)?,
        account: account.parse::<AccountId>().map_err(bad)?,
        order: order.parse::<OrderId>().map_err(bad)?,
    })
}
