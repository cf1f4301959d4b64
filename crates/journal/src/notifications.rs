//! Scan notifications: durable once put in, taken out by the engine once an order's record reflects
//! them. Until then they stay here, however long Align is unreachable.

use std::time::Duration;

use rusqlite::{Row, named_params, params};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, duration, unreadable};
use casedrop_model::ids::{AccountId, LabName, RxId};
use casedrop_model::notification::{Named, Noted, Received};
use casedrop_model::step::Step;
use casedrop_model::time::{WallMs, millis};

const RECEIVED: &str = "notifications-received";
const MISSED: &str = "notifications-missed";
const TROUBLE: &str = "notifications-trouble";

const SELECT: &str = "SELECT lab, account, rx_id, first_ms, to_ask, attempts, next_try_ms, wait_ms,
    attention, fault_code, fault_text, fault_hint FROM notified";

/// A notification that is still to be processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    pub lab: LabName,
    pub account: AccountId,
    pub rx: RxId,
    /// When it first arrived.
    pub first: WallMs,
    /// Whether it was examined, and Align is to be asked about its order.
    pub to_ask: bool,
    /// How often that failed.
    pub attempts: u32,
    /// The earliest time for the next try.
    pub next_try: WallMs,
    /// Length of the wait until then, so that a clock change cannot extend it.
    pub wait: Duration,
    /// Whether a person should act.
    pub attention: bool,
    /// What failed, if anything.
    pub fault: Option<PendingFault>,
}

/// Why a notification could not be processed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingFault {
    /// A stable word.
    pub code: String,
    /// What failed.
    pub text: String,
    /// What the user can do.
    pub hint: Option<String>,
}

/// Orders found by polling that no notification named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Missed {
    pub missed: u64,
    /// When the last one was found.
    pub last: Option<WallMs>,
}

impl Store {
    /// Records what notifications name in one transaction, for each lab with that account; a name
    /// without an account goes to all labs. What is already here costs no write.
    pub fn notify(
        &self,
        labs: &[(LabName, AccountId)],
        named: &[Named],
        now: WallMs,
    ) -> Result<Vec<Noted>, StoreError> {
        let sql = "INSERT INTO notified (lab, account, rx_id, first_ms) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT DO NOTHING";
        self.atomically(|store| {
            let steps = (Step::NotifiedRecorded, Step::NotifiedRecordedDurable);
            store.record(steps, || {
                let mut insert = store.db.prepare_cached(sql)?;
                let mut noted = Vec::with_capacity(named.len());
                for Named { account, rx } in named {
                    let mut found = Noted::Nobodys;
                    let fits = |own: &AccountId| account.as_ref().is_none_or(|other| other == own);
                    for (lab, account) in labs.iter().filter(|(_, own)| fits(own)) {
                        let values = params![lab.as_str(), account.as_str(), rx.as_str(), now.0];
                        match insert.execute(values)? {
                            0 if found == Noted::Nobodys => found = Noted::Again,
                            0 => {}
                            _ => found = Noted::New,
                        }
                    }
                    noted.push(found);
                }
                Ok(noted)
            })
        })
    }

    /// Returns up to `most` notifications that are still to be processed, oldest first.
    pub fn notified(&self, most: usize) -> Result<Vec<Pending>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.pending_rows("ORDER BY first_ms LIMIT ?1", &[&most])
    }

    /// Returns the number of notifications that are still to be processed.
    pub fn notified_count(&self) -> Result<u64, StoreError> {
        let mut query = self.db.prepare_cached("SELECT count(*) FROM notified")?;
        Ok(query.query_row([], |row| row.get::<_, i64>(0))?.cast_unsigned())
    }

    /// Returns the notification that names this prescription.
    pub fn pending(
        &self,
        lab: &LabName,
        account: &AccountId,
        rx: &RxId,
    ) -> Result<Option<Pending>, StoreError> {
        let found = self.pending_rows(
            "WHERE lab = ?1 AND account = ?2 AND rx_id = ?3",
            &[&lab.as_str(), &account.as_str(), &rx.as_str()],
        )?;
        Ok(found.into_iter().next())
    }

    /// Returns up to `most` notifications of an account: those not examined yet or, if `to_ask`,
    /// those about whose orders Align is to be asked now.
    pub fn pending_now(
        &self,
        lab: &LabName,
        account: &AccountId,
        to_ask: bool,
        now: WallMs,
        most: usize,
    ) -> Result<Vec<Pending>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.pending_rows(
            "WHERE lab = ?1 AND account = ?2 AND to_ask = ?3 AND next_try_ms <= ?4
             ORDER BY next_try_ms LIMIT ?5",
            &[&lab.as_str(), &account.as_str(), &to_ask, &now.0, &most],
        )
    }

    /// Returns when the next examined notification of an account is due.
    pub fn next_pending(
        &self,
        lab: &LabName,
        account: &AccountId,
    ) -> Result<Option<WallMs>, StoreError> {
        let sql = "SELECT min(next_try_ms) FROM notified
                   WHERE lab = ?1 AND account = ?2 AND to_ask = 1";
        let mut query = self.db.prepare_cached(sql)?;
        let at: Option<i64> =
            query.query_row([lab.as_str(), account.as_str()], |row| row.get(0))?;
        Ok(at.map(WallMs))
    }

    /// Updates an existing notification: when to ask Align, and what failed.
    pub fn put_off(&self, pending: &Pending) -> Result<(), StoreError> {
        let sql = "UPDATE notified SET to_ask = :to_ask, attempts = :attempts,
                   next_try_ms = :next_try_ms, wait_ms = :wait_ms, attention = :attention,
                   fault_code = :fault_code, fault_text = :fault_text, fault_hint = :fault_hint
                   WHERE lab = :lab AND account = :account AND rx_id = :rx_id";
        let fault = pending.fault.as_ref();
        self.record((Step::NotifiedPutOff, Step::NotifiedPutOffDurable), || {
            self.db.prepare_cached(sql)?.execute(named_params! {
                ":lab": pending.lab.as_str(),
                ":account": pending.account.as_str(),
                ":rx_id": pending.rx.as_str(),
                ":to_ask": pending.to_ask,
                ":attempts": pending.attempts,
                ":next_try_ms": pending.next_try.0,
                ":wait_ms": millis(pending.wait),
                ":attention": pending.attention,
                ":fault_code": fault.map(|fault| fault.code.as_str()),
                ":fault_text": fault.map(|fault| fault.text.as_str()),
                ":fault_hint": fault.and_then(|fault| fault.hint.as_deref()),
            })
        })?;
        Ok(())
    }

    /// Removes a notification: the order's record reflects it in the same transaction.
    pub fn take_notified(
        &self,
        lab: &LabName,
        account: &AccountId,
        rx: &RxId,
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM notified WHERE lab = ?1 AND account = ?2 AND rx_id = ?3";
        self.record((Step::NotifiedTaken, Step::NotifiedTakenDurable), || {
            self.db.prepare_cached(sql)?.execute([lab.as_str(), account.as_str(), rx.as_str()])
        })?;
        Ok(())
    }

    /// Makes a waiting notification be examined again, because there is news of its order.
    pub fn review_notified(
        &self,
        lab: &LabName,
        account: &AccountId,
        rx: &RxId,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE notified SET to_ask = 0, next_try_ms = 0, wait_ms = 0
                   WHERE lab = ?1 AND account = ?2 AND rx_id = ?3 AND to_ask = 1";
        let values = [lab.as_str(), account.as_str(), rx.as_str()];
        self.db.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Ensures that no wait gets longer because the clock was set back.
    pub fn bound_pending(&self, now: WallMs) -> Result<(), StoreError> {
        let late = "WHERE next_try_ms > ?1 + wait_ms";
        let sql = format!("SELECT EXISTS (SELECT 1 FROM notified {late})");
        if self.db.prepare_cached(&sql)?.query_row([now.0], |row| row.get(0))? {
            let sql = format!("UPDATE notified SET next_try_ms = ?1 + wait_ms {late}");
            self.db.prepare_cached(&sql)?.execute([now.0])?;
        }
        Ok(())
    }

    /// Restores a notification that was found elsewhere.
    pub fn restore_notified(&self, found: &Pending) -> Result<(), StoreError> {
        let labs = [(found.lab.clone(), found.account.clone())];
        let named = Named { account: Some(found.account.clone()), rx: found.rx.clone() };
        self.notify(&labs, &[named], found.first).map(drop)
    }

    pub fn received(&self) -> Result<Received, StoreError> {
        self.counts(RECEIVED)
    }

    pub fn add_received(&self, more: &Received) -> Result<(), StoreError> {
        self.atomically(|store| {
            let mut sum = store.received()?;
            sum.add(more);
            store.set_counts(RECEIVED, &sum)
        })
    }

    pub fn missed(&self) -> Result<Missed, StoreError> {
        self.counts(MISSED)
    }

    /// Counts orders that no notification named.
    pub fn add_missed(&self, more: u64, now: WallMs) -> Result<Missed, StoreError> {
        self.atomically(|store| {
            let missed = Missed { missed: store.missed()?.missed + more, last: Some(now) };
            store.set_counts(MISSED, &missed)?;
            Ok(missed)
        })
    }

    /// Returns what keeps the listener from working, if anything.
    pub fn listener_trouble(&self) -> Result<Option<String>, StoreError> {
        Ok(self.fact(TROUBLE)?.filter(|text| !text.is_empty()))
    }

    /// Records what keeps the listener from working; `None` if nothing does.
    pub fn set_listener_trouble(&self, why: Option<&str>) -> Result<(), StoreError> {
        if self.listener_trouble()?.as_deref() == why {
            return Ok(());
        }
        self.set_fact(TROUBLE, why.unwrap_or_default())
    }

    fn counts<T: Default + serde::de::DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<T, StoreError> {
        let text = self.fact(name)?;
        let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
        Ok(parsed.map_err(|error| unreadable(name, error))?.unwrap_or_default())
    }

    fn set_counts(&self, name: &str, counts: &impl Serialize) -> Result<(), StoreError> {
        let text = serde_json::to_string(counts).map_err(|error| unreadable(name, error))?;
        self.set_fact(name, &text)
    }

    fn pending_rows(
        &self,
        rest: &str,
        values: &[&dyn rusqlite::ToSql],
    ) -> Result<Vec<Pending>, StoreError> {
        self.gather(&format!("{SELECT} {rest}"), values, read)
    }
}

fn read(row: &Row<'_>) -> Result<Pending, StoreError> {
    let fault = match row.get::<_, Option<String>>(9)? {
        None => None,
        Some(code) => Some(PendingFault {
            code,
            text: row.get::<_, Option<String>>(10)?.unwrap_or_default(),
            hint: row.get(11)?,
        }),
    };
    let (lab, account, rx, first) = named(row)?;
    Ok(Pending {
        lab,
        account,
        rx,
        first,
        to_ask: row.get(4)?,
        attempts: row.get(5)?,
        next_try: WallMs(row.get(6)?),
        wait: duration(row.get(7)?),
        attention: row.get(8)?,
        fault,
    })
}

fn named(row: &Row<'_>) -> Result<(LabName, AccountId, RxId, WallMs), StoreError> {
    let bad = |error| unreadable("notification", error);
    Ok((
        row.get::<_, String>(0)?.parse().map_err(bad)?,
        row.get::<_, String>(1)?.parse().map_err(bad)?,
        row.get::<_, String>(2)?.parse().map_err(bad)?,
        WallMs(row.get(3)?),
    ))
}

/// Reads a row of a damaged journal, as far as it matters.
pub(super) fn salvaged(row: &Row<'_>) -> Result<Pending, StoreError> {
    let (lab, account, rx, first) = named(row)?;
    Ok(Pending {
        lab,
        account,
        rx,
        first,
        to_ask: false,
        attempts: 0,
        next_try: WallMs(0),
        wait: Duration::ZERO,
        attention: false,
        fault: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(account: Option<&str>, rx: &str) -> Named {
        let account = account.map(|account| account.parse().expect("valid"));
        Named { account, rx: rx.parse().expect("valid") }
    }

    fn labs() -> Vec<(LabName, AccountId)> {
        [("one", "1"), ("other", "2")]
            .map(|(lab, account)| (lab.parse().expect("valid"), account.parse().expect("valid")))
            .to_vec()
    }

    #[test]
    fn a_notification_is_recorded_once_for_the_lab_that_has_the_account() {
        let store = Store::in_memory().expect("journal");
        let all = [named(Some("1"), "a"), named(Some("1"), "a"), named(Some("3"), "a")];
        let noted = store.notify(&labs(), &all, WallMs(5)).expect("recorded");
        assert_eq!(noted, [Noted::New, Noted::Again, Noted::Nobodys]);
        assert_eq!(store.notified_count().expect("read"), 1);
        let noted = store.notify(&labs(), &[named(None, "a")], WallMs(6)).expect("recorded");
        assert_eq!(noted, [Noted::New], "for the other lab");
        let rows = store.notified(10).expect("read");
        let seen: Vec<_> = rows.iter().map(|row| (row.lab.as_str(), row.first)).collect();
        assert_eq!(seen, [("one", WallMs(5)), ("other", WallMs(6))]);
        assert_eq!(store.notified(1).expect("read").len(), 1);
    }

    #[test]
    fn duplicates_write_nothing() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join(super::super::FILE_NAME);
        let store = Store::open(&file).expect("journal");
        store.notify(&labs(), &[named(Some("1"), "a")], WallMs(5)).expect("recorded");
        let log = || std::fs::metadata(file.with_extension("sqlite-wal")).expect("a log").len();
        let before = log();
        for _ in 0..100 {
            store.notify(&labs(), &[named(Some("1"), "a")], WallMs(5)).expect("recorded");
        }
        assert_eq!(log(), before);
    }

    #[test]
    fn what_is_put_off_is_due_at_its_time_and_no_later_should_the_clock_be_set_back() {
        let store = Store::in_memory().expect("journal");
        let (lab, account) = labs().remove(0);
        let due = |to_ask, at| {
            let found = store.pending_now(&lab, &account, to_ask, WallMs(at), 9);
            found.expect("read").len()
        };
        store.notify(&labs(), &[named(Some("1"), "a")], WallMs(5)).expect("recorded");
        assert_eq!((due(false, 5), due(true, 5)), (1, 0));
        let mut row = store.notified(1).expect("read").remove(0);
        row.to_ask = true;
        row.attempts = 2;
        row.next_try = WallMs(1_000);
        row.wait = Duration::from_millis(400);
        row.attention = true;
        row.fault = Some(PendingFault {
            code: "unknown-rx".to_owned(),
            text: "nobody knows it".to_owned(),
            hint: None,
        });
        store.put_off(&row).expect("written");
        assert_eq!(store.pending(&lab, &account, &row.rx).expect("read"), Some(row.clone()));
        assert_eq!((due(false, 9_999), due(true, 999), due(true, 1_000)), (0, 0, 1));
        assert_eq!(store.next_pending(&lab, &account).expect("read"), Some(WallMs(1_000)));
        store.bound_pending(WallMs(100)).expect("bounded");
        assert_eq!(store.next_pending(&lab, &account).expect("read"), Some(WallMs(500)));
        store.review_notified(&lab, &account, &row.rx).expect("written");
        assert_eq!(due(false, 100), 1);
        store.take_notified(&lab, &account, &row.rx).expect("taken");
        assert_eq!(store.notified_count().expect("read"), 0);
    }

    #[test]
    fn counts_add_up() {
        let store = Store::in_memory().expect("journal");
        let more =
            Received { received: 3, duplicates: 1, last: Some(WallMs(9)), ..Received::default() };
        store.add_received(&more).expect("counted");
        store.add_received(&Received { received: 1, ..Received::default() }).expect("counted");
        let sum = Received { received: 4, ..more };
        assert_eq!(store.received().expect("read"), sum);
        store.add_missed(2, WallMs(4)).expect("counted");
        let missed = store.add_missed(1, WallMs(5)).expect("counted");
        assert_eq!(missed, Missed { missed: 3, last: Some(WallMs(5)) });
        assert_eq!(store.missed().expect("read"), missed);
        store.set_listener_trouble(Some("the port is taken")).expect("set");
        assert_eq!(store.listener_trouble().expect("read").as_deref(), Some("the port is taken"));
        store.set_listener_trouble(None).expect("set");
        assert_eq!(store.listener_trouble().expect("read"), None);
    }
}
