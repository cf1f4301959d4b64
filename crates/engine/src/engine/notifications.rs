//! Scan notifications: what follows from those in the journal, and which ones should have arrived.
//!
//! A notification says that files are ready or changed, and nothing else. So Align is asked about
//! its order first: the answer identifies the order and gives its status. What follows is recorded
//! in the order, in the same transaction that removes the notification.

use std::time::Duration;

use super::order_queries::PAUSE_NAMED;
use super::{
    AccountId, Effect, Engine, LabName, Notice, Now, OrderKey, OrderRecord, StoreError, WallMs,
    observe,
};
use crate::retry::Next;
use casedrop_journal::{Pending, PendingFault};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::order::RemoteOrder;
use casedrop_model::time::remaining;

use crate::observe::Follows;

/// Notifications processed in one transaction.
const AT_ONCE: usize = 64;
/// Transactions in direct succession, so that other work gets its turn.
const ROUNDS: usize = 8;
/// Time between two checks of the waits against the clock.
const BOUND: Duration = Duration::from_mins(1);
/// After this many attempts, an order that Align does not answer for is fetched anyway.
const ENOUGH: u32 = 3;
/// Time until the next attempt at something unlikely to succeed.
const DAILY: Duration = Duration::from_hours(24);
/// How long before or after a list its orders' notifications may arrive.
const LATE: Duration = Duration::from_mins(10);
/// Time between two warnings about missing notifications.
const TOLD: Duration = Duration::from_hours(24);
/// Maximum number of orders whose notifications are awaited.
const AWAITED: usize = 1_000;

/// An order that a list showed and a notification should name.
#[derive(Debug)]
pub(super) struct Awaited {
    key: OrderKey,
    /// Notifications since then count.
    since: WallMs,
    /// How long to wait, on the monotonic clock.
    until: Duration,
}

impl Engine {
    /// Processes notifications not seen before.
    pub(super) fn take_notified(&mut self, now: Now) -> Result<(), StoreError> {
        if now.mono >= self.next_bound {
            self.next_bound = now.mono + BOUND;
            self.store.bound_pending(now.wall)?;
        }
        self.more_notified = false;
        for (lab, account) in self.working_labs() {
            for round in 0.. {
                let new = self.store.pending_now(&lab, &account, false, now.wall, AT_ONCE)?;
                let is_all = new.len() < AT_ONCE;
                if !new.is_empty() {
                    self.store.atomically(|store| {
                        new.into_iter().try_for_each(|pending| review(store, pending, now))
                    })?;
                }
                if is_all {
                    break;
                }
                if round == ROUNDS {
                    self.more_notified = true;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Asks Align about the orders named by notifications, one at a time.
    pub(super) fn ask_about_named(
        &mut self,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        for (lab, account) in self.working_labs() {
            let Some(state) = self.labs.get(&lab) else { continue };
            let shut = self.questions_shut_until(state, now).is_some();
            let may_ask = state.may_ask_named() && state.next_named() <= now.mono && !shut;
            let due = if may_ask {
                self.store.pending_now(&lab, &account, true, now.wall, 1)?.pop()
            } else {
                None
            };
            let asks = due.is_some();
            if let Some(pending) = due {
                effects.push(Effect::Ask {
                    lab: lab.clone(),
                    account: account.clone(),
                    rx: pending.rx,
                });
            }
            let next = self.store.next_pending(&lab, &account)?;
            if let Some(state) = self.labs.get_mut(&lab) {
                if asks {
                    state.ask_named(now);
                }
                state.named_due = next.map(|at| now.mono + at.after(now.wall));
            }
        }
        Ok(())
    }

    /// When the next notification needs something done.
    pub(super) fn next_named(&self, now: Now) -> Option<Duration> {
        let labs = self.labs.values().filter(|lab| lab.may_ask_named()).filter_map(|lab| {
            let shut = self.questions_shut_until(lab, now).unwrap_or_default();
            Some(lab.named_due?.max(lab.next_named()).max(shut))
        });
        let awaited = self.awaited.iter().map(|awaited| awaited.until);
        labs.chain(awaited).chain(self.more_notified.then_some(now.mono)).min()
    }

    /// Whether a notification needs something done now or within a second.
    pub(super) fn has_named(&self, now: Now) -> bool {
        let is_due = |due: Duration| due <= now.mono;
        self.more_notified
            || self.labs.values().any(|lab| {
                lab.may_ask_named()
                    && lab.named_due.is_some_and(is_due)
                    && lab.next_named() <= now.mono + PAUSE_NAMED
                    && self.questions_shut_until(lab, now).is_none()
            })
    }

    /// Records in the order what follows from Align's answer.
    pub(super) fn named(
        &mut self,
        now: Now,
        pending: &Pending,
        mut remote: RemoteOrder,
    ) -> Result<(), StoreError> {
        // The answer may omit the Rx id it was asked by.
        remote.rx_id = remote.rx_id.or_else(|| Some(pending.rx.clone()));
        let key = OrderKey {
            lab: pending.lab.clone(),
            account: pending.account.clone(),
            order: remote.order_id.clone(),
        };
        let (order, follows) = match self.store.order(&key)? {
            Some(known) => observe::named(known, Some(remote), now.wall),
            None => (observe::first_named(key, remote, now.wall), Follows::Fetch),
        };
        self.follow(now, pending, &order, follows)
    }

    fn follow(
        &mut self,
        now: Now,
        pending: &Pending,
        order: &OrderRecord,
        follows: Follows,
    ) -> Result<(), StoreError> {
        self.store.atomically(|store| {
            store.save(order)?;
            let Pending { lab, account, rx, .. } = pending;
            match follows {
                Follows::Covered => store.take_notified(lab, account, rx),
                Follows::Fetch => {
                    let text = format!("announced by a scan notification: {}", order.remote.status);
                    store.tell(&order.key, now.wall, "seen", &text)?;
                    store.take_notified(lab, account, rx)
                }
                Follows::Later(wait) => store.put_off(&Pending {
                    next_try: now.wall.plus(wait),
                    wait,
                    attempts: 0,
                    attention: false,
                    fault: None,
                    ..pending.clone()
                }),
            }
        })?;
        if follows == Follows::Fetch {
            self.look_soon(&order.key, now);
        }
        Ok(())
    }

    /// Handles a question about a notification that Align did not answer, or answered with "no such
    /// order" (yet).
    pub(super) fn named_in_vain(
        &mut self,
        now: Now,
        mut pending: Pending,
        fault: &Fault,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        // The lab waits for a user, and its notifications with it.
        if fault.class == FaultClass::Auth {
            return Ok(());
        }
        let attempts = pending.attempts.saturating_add(1);
        let will_not_say = matches!(fault.class, FaultClass::Permanent | FaultClass::Refused)
            || attempts >= ENOUGH;
        let known = self.store.by_rx(&pending.lab, &pending.account, &pending.rx)?;
        if let [order] = known.as_slice()
            && will_not_say
        {
            let (order, follows) = observe::named(order.clone(), None, now.wall);
            return self.follow(now, &pending, &order, follows);
        }
        // A notification that arrives early finds no such order yet.
        let early =
            Fault::new(FaultClass::NotConverted, fault.code, "").retry_after(fault.retry_after);
        let next = match fault.class {
            FaultClass::Permanent => self.policy.retry.next(&early, attempts, self.rng.f64()),
            _ => self.policy.retry.next(fault, attempts, self.rng.f64()),
        };
        let Next { wait, attention } = next;
        let wait = wait.unwrap_or(DAILY);
        let is_news = attention && !pending.attention;
        pending.attempts = attempts;
        pending.next_try = now.wall.plus(wait);
        pending.wait = wait;
        pending.attention = attention;
        pending.fault = Some(PendingFault {
            code: fault.code.to_owned(),
            text: fault.brief(),
            hint: fault.hint.clone(),
        });
        self.store.put_off(&pending)?;
        if is_news {
            effects.push(Effect::Tell(Notice::NamedInVain {
                lab: pending.lab,
                rx: pending.rx,
                message: fault.brief(),
                hint: fault.hint.clone(),
            }));
        }
        Ok(())
    }

    /// Awaits the notification for an order that a list showed. `before` is the time of the
    /// previous list.
    pub(super) fn expect_notification(&mut self, key: OrderKey, before: WallMs, now: Now) {
        let is_awaited = self.awaited.iter().any(|awaited| awaited.key == key);
        if self.policy.notifications && !is_awaited && self.awaited.len() < AWAITED {
            let since = WallMs(before.0.saturating_sub(casedrop_model::time::millis(LATE)));
            self.awaited.push(Awaited { key, since, until: now.mono + LATE });
        }
    }

    /// Counts the notifications that did not arrive.
    pub(super) fn count_missing(
        &mut self,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if !self.awaited.iter().any(|awaited| awaited.until <= now.mono) {
            return Ok(());
        }
        let (over, awaited) = std::mem::take(&mut self.awaited)
            .into_iter()
            .partition(|awaited: &Awaited| awaited.until <= now.mono);
        self.awaited = awaited;
        let mut missing = Vec::new();
        for Awaited { key, since, .. } in over {
            let Some(order) = self.store.order(&key)? else { continue };
            let Some(rx) = &order.remote.rx_id else { continue };
            let was_named = order.notified.is_some_and(|at| at >= since)
                || self.store.pending(&key.lab, &key.account, rx)?.is_some();
            if !was_named {
                missing.push(key);
            }
        }
        let Some(first) = missing.first() else { return Ok(()) };
        let missed = self.store.add_missed(missing.len() as u64, now.wall)?.missed;
        if self.told_missing.is_none_or(|told| told + TOLD <= now.mono) {
            self.told_missing = Some(now.mono);
            effects.push(Effect::Tell(Notice::NotificationsMissing { key: first.clone(), missed }));
        }
        Ok(())
    }

    /// The labs that can ask Align, with their accounts.
    fn working_labs(&self) -> Vec<(LabName, AccountId)> {
        let labs = self.labs.iter().filter(|(_, state)| !state.is_held());
        labs.filter_map(|(lab, state)| Some((lab.clone(), state.account.clone()?))).collect()
    }
}

/// Removes a notification that adds nothing; for the others Align will be asked.
fn review(
    store: &casedrop_journal::Store,
    mut pending: Pending,
    now: Now,
) -> Result<(), StoreError> {
    let Pending { lab, account, rx, .. } = &pending;
    let known = store.by_rx(lab, account, rx)?;
    if known.is_empty() || !known.iter().all(observe::is_covered) {
        // A repeat right after the last question would get the same answer: the order's files are
        // already being fetched.
        let last = known.iter().filter_map(|order| order.notified).max();
        let wait = last.map_or(Duration::ZERO, |last| remaining(last, PAUSE_NAMED, now.wall));
        pending.to_ask = true;
        pending.next_try = now.wall.plus(wait);
        pending.wait = wait;
        return store.put_off(&pending);
    }
    for order in known {
        store.save(&OrderRecord { notified: Some(now.wall), ..order })?;
    }
    store.take_notified(lab, account, rx)
}
