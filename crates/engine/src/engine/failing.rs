//! Handles failed attempts: records why they failed and when to try again.

use std::time::Duration;

use super::server_health::Cost;
use super::{Effect, Engine, Notice, Now, OrderKey, OrderRecord, StoreError, WallMs};
use crate::retry::Next;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::ids::{LabName, RxId};
use casedrop_model::record::{Spent, Trouble};

use crate::outage::Before;
use crate::verdict::is_about_login;

/// Fault code of orders whose lab was removed from the config.
const UNKNOWN_LAB: &str = "unknown-lab";

/// The fault of an order whose lab is no longer in the config.
pub fn unknown_lab(lab: &LabName) -> Fault {
    let text = format!("lab {lab} is no longer in the config");
    Fault::new(FaultClass::Permanent, UNKNOWN_LAB, text)
        .hint("put the lab back into the config, or leave its orders as they are")
}

impl Engine {
    /// Waiting does not help an order whose lab was removed from the config: it needs attention
    /// until the lab is back.
    pub(super) fn see_whether_its_lab_is_known(
        &self,
        now: Now,
        mut record: OrderRecord,
    ) -> Result<OrderRecord, StoreError> {
        let (key, is_known) = (record.key.clone(), self.labs.contains_key(&record.key.lab));
        let was_known = record.trouble.as_ref().is_none_or(|trouble| trouble.code != UNKNOWN_LAB);
        if is_known == was_known || self.interrupted.contains(&key) {
            return Ok(record);
        }
        record.trouble = (!is_known).then(|| {
            let fault = unknown_lab(&key.lab);
            Trouble {
                class: fault.class,
                code: fault.code.to_owned(),
                message: fault.brief(),
                hint: fault.hint.clone(),
                attempts: 0,
                spent: record.trouble.as_ref().map_or_else(Spent::default, |trouble| trouble.spent),
                since: now.wall,
                next_try: None,
                wait: Duration::ZERO,
                attention: true,
            }
        });
        self.store.atomically(|store| {
            store.save(&record)?;
            match &record.trouble {
                Some(trouble) => store.tell(&key, now.wall, "parked", &trouble.message),
                None => store.tell(&key, now.wall, "seen", "its lab is back in the config"),
            }
        })?;
        Ok(record)
    }

    /// Handles a failed download.
    pub(super) fn fetch_failed(
        &mut self,
        now: Now,
        key: &OrderKey,
        fault: Fault,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let fault = as_of_one_order(fault);
        if fault.class == FaultClass::Refused {
            self.doubt(&key.lab, &fault);
        }
        let before = self.store.order(key)?.and_then(|record| record.trouble);
        let before = before.map_or_else(Before::default, |trouble| Before {
            spent: trouble.spent,
            attempts: if trouble.class == fault.class { trouble.attempts } else { 0 },
        });
        let cost = self.download_failed(now, key, &fault, before, effects)?;
        self.record_failure(now, key, &fault, cost, effects)
    }

    /// Handles an attempt that failed outside a download.
    pub(super) fn failed(
        &mut self,
        now: Now,
        key: &OrderKey,
        fault: &Fault,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if self.is_late(key) {
            return self.late_failed(now, key, fault, effects);
        }
        self.record_failure(now, key, fault, Cost::Attempt, effects)
    }

    fn record_failure(
        &mut self,
        now: Now,
        key: &OrderKey,
        fault: &Fault,
        cost: Cost,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if is_about_login(fault) {
            self.lab_trouble(&key.lab, fault, effects)?;
        }
        let Some(mut record) = self.store.order(key)? else {
            self.jobs.remove(key);
            return Ok(());
        };
        if fault.class == FaultClass::Cancelled {
            return self.finish(now, key);
        }
        let before = record.trouble.take();
        let mut spent = before.as_ref().map_or_else(Spent::default, |trouble| trouble.spent);
        let before = before.filter(|trouble| trouble.class == fault.class);
        let so_far = before.as_ref().map_or(0, |trouble| trouble.attempts);
        let (attempts, Next { wait, attention }) = match cost {
            Cost::Nothing(until) => {
                let wait = until.saturating_sub(now.mono);
                (so_far, Next { wait: Some(wait), attention: false })
            }
            Cost::Attempt => {
                let attempts = spent.count(fault.class).unwrap_or(so_far.saturating_add(1));
                (attempts, self.policy.retry.next(fault, attempts, self.rng.f64()))
            }
        };
        let is_news = before.as_ref().is_none_or(|trouble| trouble.code != fault.code)
            || attention
            || (fault.class == FaultClass::NotConverted && cost == Cost::Attempt);
        let since = before.map_or(now.wall, |trouble| trouble.since);
        let hint = match fault.class {
            FaultClass::NotConverted if attention && record.is_unheard_of() => {
                Some(is_the_number_right(&record))
            }
            FaultClass::NotConverted if attention => Some(for_support(&record, attempts, since)),
            _ => fault.hint.clone(),
        };
        record.trouble = Some(Trouble {
            class: fault.class,
            code: fault.code.to_owned(),
            message: fault.brief(),
            hint: hint.clone(),
            attempts,
            spent,
            since,
            next_try: wait.map(|wait| now.wall.plus(wait)),
            wait: wait.unwrap_or_default(),
            attention,
        });
        if let Some(cause) = fault.rest() {
            tracing::info!(lab = %key.lab, order = %key.order, "{}: {cause}", fault.brief());
        }
        self.store.atomically(|store| {
            store.save(&record)?;
            if is_news {
                let kind = if attention { "parked" } else { "failed" };
                store.tell(key, now.wall, kind, &fault.brief())?;
            }
            Ok(())
        })?;
        effects.push(Effect::Tell(match (fault.class, wait) {
            (FaultClass::NotConverted, Some(wait)) if !attention => {
                Notice::Regenerating { key: key.clone(), wait }
            }
            _ => Notice::Failed {
                key: key.clone(),
                class: fault.class,
                code: fault.code.to_owned(),
                message: fault.brief(),
                hint,
                wait,
                attention,
            },
        }));
        let job = self.jobs.remove(key);
        if let Some(job) = job.as_ref().filter(|job| job.is_retry) {
            self.failed_again(job, now);
        }
        let came = job.map_or(now.mono, |job| job.came);
        if let Some(wait) = wait {
            self.wait_after((key, came), fault, cost, wait, now);
        }
        Ok(())
    }

    /// Puts an order back into the queue after a fault.
    fn wait_after(
        &mut self,
        (key, came): (&OrderKey, Duration),
        fault: &Fault,
        cost: Cost,
        wait: Duration,
        now: Now,
    ) {
        let not_before = match cost {
            Cost::Attempt => now.mono + wait,
            // The server's gate decides.
            Cost::Nothing(_) => now.mono,
        };
        self.wait_again(key, came, now, not_before);
        // A wait the server asked for applies whether or not it answers others again.
        let waits_for_sign = fault.class == FaultClass::Transient && fault.retry_after.is_none();
        let is_spared = matches!(cost, Cost::Nothing(_));
        let host = self.host_of(key, fault).filter(|_| waits_for_sign || is_spared);
        if let Some(waiting) = self.waiting.get_mut(key) {
            waiting.host = host;
        }
    }

    /// Gives back the attempts that orders lost before the outage was recognized. Returns whether
    /// one of the orders was marked as needing attention.
    pub(super) fn give_back(
        &mut self,
        now: Now,
        orders: &[(OrderKey, Before)],
        host: &str,
        until: Duration,
    ) -> Result<bool, StoreError> {
        let mut was_parked = false;
        for (key, before) in orders {
            let Some(mut record) = self.store.order(key)? else { continue };
            if !record.is_wanted() {
                continue;
            }
            let Some(trouble) = &mut record.trouble else { continue };
            was_parked |= std::mem::take(&mut trouble.attention);
            trouble.spent = before.spent;
            trouble.attempts = before.attempts;
            trouble.wait = until.saturating_sub(now.mono);
            trouble.next_try = Some(now.wall.plus(trouble.wait));
            self.store.save(&record)?;
            if !self.jobs.contains_key(key) {
                self.wait_as(key.clone(), now, now.mono, false);
                if let Some(waiting) = self.waiting.get_mut(key) {
                    waiting.host = Some(host.to_owned());
                }
            }
        }
        Ok(was_parked)
    }

    /// Records in the journal when orders that wait for a server will really be tried next.
    pub(super) fn put_off(&mut self, now: Now) -> Result<(), StoreError> {
        let hosts = std::mem::take(&mut self.gates_moved);
        if hosts.is_empty() {
            return Ok(());
        }
        let mut later = Vec::new();
        for (key, waiting) in &self.waiting {
            let is_meant = waiting.host.as_ref().is_some_and(|host| hosts.contains(host));
            if waiting.is_new || !is_meant {
                continue;
            }
            if let super::Hold::Until(until) = self.hold(key, waiting, now) {
                let until = until.max(waiting.not_before).saturating_sub(now.mono);
                later.push((key.clone(), now.wall.plus(until)));
            }
        }
        if later.is_empty() {
            return Ok(());
        }
        self.store.atomically(|store| {
            later.iter().try_for_each(|(key, next_try)| store.put_off_order(key, *next_try))
        })
    }
}

/// An answer about one order is about that order, even if it says that the login is invalid: that
/// is tested with a call that concerns nothing else.
fn as_of_one_order(mut fault: Fault) -> Fault {
    if fault.class == FaultClass::Auth && !is_about_login(&fault) {
        fault.class = FaultClass::Refused;
        fault.hint = Some(
            "only this order is refused: look it up at myitero.com; if it is there, ask Align's \
             support"
                .to_owned(),
        );
    }
    fault
}

/// What Align's support needs to know about files that never arrive.
fn for_support(record: &OrderRecord, attempts: u32, since: WallMs) -> String {
    let or_none = |text: Option<&str>| text.unwrap_or("unknown").to_owned();
    format!(
        "send this to iTeroAPISupport@aligntech.com: \"Order {} (Rx id {}, code {}), account {}: \
         the download has returned 404 (not converted) since {}, {attempts} times so far.\" Then \
         fetch it again: `casedrop refetch {}`",
        record.key.order,
        or_none(record.remote.rx_id.as_ref().map(RxId::as_str)),
        or_none(record.remote.order_code.as_deref()),
        record.key.account,
        since.local_with_offset(),
        record.key.order,
    )
}

/// What to do about an order that only a user named and whose files never arrive.
fn is_the_number_right(record: &OrderRecord) -> String {
    format!(
        "Align has never listed order {} here: look it up at myitero.com, and compare the number \
         and the account ({}); if the number was wrong, fetch the right one",
        record.key.order, record.key.account
    )
}
