//! Questions to Align about single orders: those that left the list before they were fetched, and
//! published ones, which may be in modeling by now.

use std::time::Duration;

use super::polling::LabState;
use super::server_health::Question;
use super::{AccountId, Effect, Engine, LabName, Now, OrderKey, OrderRecord, StoreError, observe};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::ids::RxId;
use casedrop_model::order::{RemoteOrder, Status};

use crate::observe::News;
use crate::verdict::is_about_login;

/// Time between two questions for one lab.
const PAUSE: Duration = Duration::from_secs(5);
/// The same for orders named by notifications, in the long run.
pub(super) const PAUSE_NAMED: Duration = Duration::from_secs(1);
/// This many of them may be asked about in direct succession: what a lab sends in a busy minute
/// waits only for Align's answers.
const AT_ONCE_NAMED: u32 = 20;
/// Time between two checks for orders to ask about.
const IDLE: Duration = Duration::from_mins(1);
/// Time until the next question after Align failed to answer one.
const AFTER_FAULT: Duration = Duration::from_mins(10);

impl Engine {
    /// When the next question may be asked.
    pub(super) fn next_asking(&self) -> Option<Duration> {
        let labs = self.labs.values().filter(|_| self.policy.follow_up);
        labs.filter(|lab| lab.may_ask()).map(|lab| lab.next_ask).min()
    }

    /// Asks the questions that are due.
    pub(super) fn start_asking(
        &mut self,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if !self.policy.follow_up {
            return Ok(());
        }
        for (lab, state) in &mut self.labs {
            if !state.may_ask() || state.next_ask > now.mono {
                continue;
            }
            let Some(account) = state.account.clone() else { continue };
            state.next_ask = now.mono + IDLE;
            let due = self.store.next_to_ask(lab, &account, now.wall)?;
            if let Some(rx) = due.and_then(|order| order.remote.rx_id) {
                state.asking = true;
                effects.push(Effect::Ask { lab: lab.clone(), account, rx });
            }
        }
        Ok(())
    }

    pub(super) fn answered(
        &mut self,
        now: Now,
        lab: &LabName,
        account: &AccountId,
        rx: &RxId,
        result: Result<RemoteOrder, Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if let Some(state) = self.labs.get_mut(lab) {
            state.asking = false;
            state.next_ask = now.mono + if result.is_ok() { PAUSE } else { AFTER_FAULT };
        }
        let known = self.store.by_rx(lab, account, rx)?;
        let pending = self.store.pending(lab, account, rx)?;
        match result {
            Ok(remote) => {
                self.question_answered(lab, None, now);
                let about = |order: &OrderRecord| order.key.order == remote.order_id;
                let is_named = pending.is_some();
                if let Some(pending) = &pending {
                    self.named(now, pending, remote.clone())?;
                }
                for order in known {
                    if about(&order) && is_named {
                        continue;
                    }
                    if about(&order) {
                        self.take_answer(now, order, remote.clone())?;
                    } else {
                        self.asked_in_vain(now, order)?;
                    }
                }
                Ok(())
            }
            Err(fault) if fault.class == FaultClass::Cancelled => Ok(()),
            Err(fault) => {
                for order in known.iter().cloned() {
                    self.asked_in_vain(now, order)?;
                }
                self.question_failed(Question::Ask(lab, rx), &fault, now);
                if let Some(pending) = pending {
                    self.named_in_vain(now, pending, &fault, effects)?;
                }
                if is_about_login(&fault) {
                    self.lab_trouble(lab, &fault, effects)?;
                } else {
                    // An answer about one prescription only.
                    self.doubt(lab, &fault);
                }
                Ok(())
            }
        }
    }

    fn take_answer(
        &mut self,
        now: Now,
        order: OrderRecord,
        remote: RemoteOrder,
    ) -> Result<(), StoreError> {
        let (was_away, left) = (order.is_away(), order.left_unfetched());
        let (order, news) = observe::answered(order, remote, now.wall);
        let key = order.key.clone();
        self.store.atomically(|store| {
            store.save(&order)?;
            let status = &order.remote.status;
            if left && *status == Status::Downloaded {
                let text = "taken by another client before it was fetched here; Casedrop fetches \
                            it anyway";
                store.tell(&key, now.wall, "taken", text)?;
            } else if order.is_away() && !was_away {
                store.tell(&key, now.wall, "away", &format!("{status}: expected back"))?;
            }
            match news {
                News::Wanted(why) => {
                    store.tell(&key, now.wall, "seen", &format!("{why}: {status}"))
                }
                News::Details | News::None => Ok(()),
            }
        })?;
        if matches!(news, News::Wanted(_)) {
            self.look_soon(&key, now);
        }
        Ok(())
    }

    /// Keeps the question from being asked again immediately.
    fn asked_in_vain(&self, now: Now, mut order: OrderRecord) -> Result<(), StoreError> {
        order.last_asked = Some(now.wall);
        self.store.save(&order)
    }

    /// Queues the order. If it is being processed, it picks up the news when that is done.
    pub(super) fn look_soon(&mut self, key: &OrderKey, now: Now) {
        if !self.jobs.contains_key(key) {
            self.wait_for_turn(key.clone(), now);
        }
    }
}

impl LabState {
    /// Earliest time for the next question about an order named by a notification.
    pub(super) fn next_named(&self) -> Duration {
        self.named_paid.saturating_sub(PAUSE_NAMED * (AT_ONCE_NAMED - 1))
    }

    /// Records that such a question is being asked.
    pub(super) fn ask_named(&mut self, now: Now) {
        self.asking = true;
        self.named_paid = self.named_paid.max(now.mono) + PAUSE_NAMED;
    }

    /// Whether Align may be asked about orders named by notifications. The first list takes
    /// precedence: it may answer many of the questions at once.
    pub(super) fn may_ask_named(&self) -> bool {
        let waits_for_list = self.polling && self.last_list.is_none();
        !self.is_held() && !self.paused && !self.asking && !waits_for_list
    }

    pub(super) fn may_ask(&self) -> bool {
        !self.is_held() && !self.paused && !self.asking && !self.polling
    }
}
