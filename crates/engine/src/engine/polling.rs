//! Logins and polls: when each lab is asked, and what the answers mean.

use std::time::Duration;

use super::{AccountId, Effect, Engine, LabName, Notice, Now, OrderKey, StoreError, observe};
use casedrop_journal::{Asked, LabRecord, Store};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::remote::PairedAccount;
use casedrop_model::remote::ReadyList;
use casedrop_model::time::WallMs;

use super::login_check::Proof;
use super::server_health::Question;
use crate::observe::News;
use crate::verdict::casts_doubt;

/// Time between two checks whether a missing login has become available.
const RECONNECT: Duration = Duration::from_secs(5);

/// The state of a lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabStanding {
    /// Align answered, or is being asked.
    Good,
    /// Another process asked Align recently; it may be asked again after this.
    NotPolled(Duration),
    /// A user must log in or pair.
    LoginNeeded,
    /// Align did not answer as it should.
    Unreachable,
    /// A user paused it.
    Paused,
}

/// An order that is wanted because of a list.
struct Listed {
    key: OrderKey,
    /// Whether a notification should name it as well.
    should_be_named: bool,
}

/// What is in progress for one lab.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not one state")]
pub(super) struct LabState {
    pub(super) account: Option<AccountId>,
    /// The last answer was "no login", so orders would only fail.
    refused: bool,
    connecting: bool,
    pub(super) polling: bool,
    /// A question about one order is in progress.
    pub(super) asking: bool,
    /// Earliest time of the next question about one order.
    pub(super) next_ask: Duration,
    /// Questions about orders named by notifications have used up their long-run budget up to this
    /// time.
    pub(super) named_paid: Duration,
    /// When the next named order is due, as of the last check.
    pub(super) named_due: Option<Duration>,
    /// When Align last answered a poll of this process.
    pub(super) last_list: Option<WallMs>,
    /// The server that answers, or should answer, polls and questions.
    pub(super) poll_host: Option<String>,
    /// When the newest of the orders started so far arrived.
    pub(super) newest_begun: Duration,
    /// The servers that its downloads need, according to the last ones.
    pub(super) download_hosts: Vec<String>,
    /// Whether the login can be trusted.
    pub(super) proof: Proof,
    next_connect: Duration,
    pub(super) next_poll: Option<Duration>,
    /// Whether this process has asked Align.
    asked: bool,
    /// A user paused the lab: nothing new is started for it.
    pub(super) paused: bool,
    /// A user wants it polled as soon as that is allowed.
    pub(super) wanted_soon: bool,
    /// The last trouble reported, so that it is not reported again while it lasts.
    told: Option<(FaultClass, String)>,
}

impl LabState {
    pub(super) fn new(now: Now) -> Self {
        Self {
            account: None,
            refused: false,
            connecting: false,
            polling: false,
            asking: false,
            next_ask: now.mono,
            named_paid: now.mono,
            named_due: None,
            last_list: None,
            poll_host: None,
            newest_begun: now.mono,
            download_hosts: Vec::new(),
            proof: Proof::new(now),
            next_connect: now.mono,
            next_poll: None,
            asked: false,
            paused: false,
            wanted_soon: false,
            told: None,
        }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.connecting || self.polling || self.asking || self.proof.is_under_way
    }

    pub(super) fn is_paired_with(&self, account: &AccountId) -> bool {
        self.account.as_ref() == Some(account)
    }

    fn is_refused(&self) -> bool {
        self.refused || self.proof.is_refuted || matches!(self.told, Some((FaultClass::Auth, _)))
    }

    pub(super) fn is_held(&self) -> bool {
        self.account.is_none() || self.refused || self.proof.is_refuted
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        let connect = (self.lacks_login() && !self.connecting).then_some(self.next_connect);
        let may_poll = self.account.is_some() && !self.polling && !self.paused;
        let poll = self.next_poll.filter(|_| may_poll);
        let proof = self.next_proof();
        connect.into_iter().chain(poll).chain(proof).min()
    }

    fn lacks_login(&self) -> bool {
        self.account.is_none() || self.refused
    }
}

impl Engine {
    /// Looks for a login immediately if a user logged in or paired, in whichever process: the
    /// journal then no longer records anything in the lab's way.
    fn notice_logins(&mut self, now: Now) -> Result<(), StoreError> {
        let waits = |state: &LabState| {
            state.is_held() && !state.connecting && state.next_connect > now.mono
        };
        if !self.labs.values().any(waits) {
            return Ok(());
        }
        for record in self.store.labs()?.iter().filter(|record| record.fault.is_none()) {
            let held = self.labs.iter_mut().find(|(lab, _)| lab.as_str() == record.lab);
            if let Some((_, state)) = held.filter(|(_, state)| waits(state)) {
                state.next_connect = now.mono;
            }
        }
        Ok(())
    }

    /// Starts what is due for the labs.
    pub(super) fn start_labs(
        &mut self,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        self.notice_logins(now)?;
        for (lab, state) in &mut self.labs {
            if state.lacks_login() && !state.connecting && state.next_connect <= now.mono {
                state.connecting = true;
                effects.push(Effect::Connect { lab: lab.clone() });
            }
            state.start_proof(lab, now, effects);
            let Some(account) = state.account.clone().filter(|_| !state.polling) else { continue };
            if state.paused || state.next_poll.is_none_or(|at| at > now.mono) {
                continue;
            }
            // Another process using this journal may have asked in the meantime.
            let interval = state.interval(self.policy.poll_interval);
            let wait = wait_for_poll(&self.store, &account, interval, now)?;
            state.next_poll = Some(now.mono + wait);
            if wait.is_zero() {
                let asked = Asked { at: now.into(), wait: Duration::ZERO, answered: false };
                self.store.atomically(|store| {
                    store.set_asked(account.as_str(), asked)?;
                    state.begin_wish(lab, store)
                })?;
                state.polling = true;
                state.asked = true;
                state.next_poll = Some(now.mono + self.policy.poll_interval);
                effects.push(Effect::Poll { lab: lab.clone(), account });
            }
        }
        Ok(())
    }

    pub(super) fn connected(
        &mut self,
        now: Now,
        lab: &LabName,
        result: Result<PairedAccount, Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Some(state) = self.labs.get_mut(lab) else { return Ok(()) };
        state.connecting = false;
        state.next_connect = now.mono + RECONNECT;
        match result {
            Err(fault) => {
                state.account = None;
                self.lab_trouble(lab, &fault, effects)
            }
            Ok(paired) => {
                let account = paired.id;
                let is_new = state.account.as_ref() != Some(&account);
                state.refused = false;
                if is_new {
                    settle_unanswered(&self.store, &account, now)?;
                    let interval = state.interval(self.policy.poll_interval);
                    let wait = wait_for_poll(&self.store, &account, interval, now)?;
                    state.next_poll = Some(now.mono + wait);
                    state.account = Some(account.clone());
                    let mut record = self.lab_record(lab)?;
                    if record.fault_class == Some(FaultClass::Auth) {
                        // Login and pairing are in order again; the next poll shows whether
                        // everything else is.
                        record.clear_fault();
                    }
                    record.account = Some(account.as_str().to_owned());
                    record.account_name = paired.name;
                    self.store.save_lab(&record)?;
                    self.resume_after_login(lab, now)?;
                    effects.push(Effect::Tell(Notice::Connected { lab: lab.clone(), account }));
                }
                Ok(())
            }
        }
    }

    pub(super) fn polled(
        &mut self,
        now: Now,
        lab: &LabName,
        account: &AccountId,
        result: Result<ReadyList, Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Some(state) = self.labs.get_mut(lab) else { return Ok(()) };
        state.polling = false;
        // The interval runs from the answer: only then is it certain that it has passed in full for
        // Align, too.
        let interval = state.interval(self.policy.poll_interval);
        state.next_poll = Some(now.mono + interval);
        let wanted = result.as_ref().err().and_then(|fault| fault.retry_after).unwrap_or_default();
        let asked = Asked { at: now.into(), wait: wanted, answered: true };
        self.store.set_asked(account.as_str(), asked)?;
        let list = match result {
            Ok(list) => list,
            Err(mut fault) => {
                state.next_poll = Some(now.mono + interval.max(wanted));
                self.question_failed(Question::Poll(lab), &fault, now);
                if fault.class == FaultClass::Refused && casts_doubt(&fault) {
                    // Any paired login gets the list.
                    fault.class = FaultClass::Auth;
                }
                return self.lab_trouble(lab, &fault, effects);
            }
        };
        state.refused = false;
        state.told = None;
        let was_refuted = state.proof.is_given(now);
        let before = state.last_list.replace(now.wall);
        let mut record = self.lab_record(lab)?;
        record.good_poll = Some(now.wall);
        record.clear_fault();
        let ready = list.orders.len();
        for what in list.unreadable {
            effects.push(Effect::Tell(Notice::Unreadable { lab: lab.clone(), what }));
        }
        let wanted = self.store_list(now, lab, account, list.orders, &record)?;
        let count = wanted.len();
        self.question_answered(lab, list.host, now);
        if was_refuted {
            self.resume_after_login(lab, now)?;
        }
        for Listed { key, should_be_named } in wanted {
            self.look_soon(&key, now);
            // The first list includes what became ready while no one was listening.
            if let (true, Some(before)) = (should_be_named, before) {
                self.expect_notification(key, before, now);
            }
        }
        effects.push(Effect::Tell(Notice::Polled { lab: lab.clone(), ready, wanted: count }));
        Ok(())
    }

    /// Makes an answer durable, all of it or nothing. Returns the orders that are wanted because of
    /// it.
    fn store_list(
        &self,
        now: Now,
        lab: &LabName,
        account: &AccountId,
        orders: Vec<casedrop_model::order::RemoteOrder>,
        record: &LabRecord,
    ) -> Result<Vec<Listed>, StoreError> {
        self.store.atomically(|store| {
            store.save_lab(record)?;
            store.fulfil_poll_wish(lab.as_str())?;
            let mut wanted = Vec::new();
            let mut seen = std::collections::BTreeSet::new();
            for remote in orders {
                let order = remote.order_id.clone();
                let key = OrderKey { lab: lab.clone(), account: account.clone(), order };
                if !seen.insert(key.order.clone()) {
                    continue;
                }
                let known = store.order(&key)?;
                let should_be_named = observe::should_be_named(known.as_ref(), &remote);
                let (order, news) = observe::seen_in_list(known, &key, remote, now.wall);
                if news != News::None {
                    store.save(&order)?;
                }
                if let News::Wanted(why) = news {
                    store.tell(
                        &key,
                        now.wall,
                        "seen",
                        &format!("{why}: {}", order.remote.status),
                    )?;
                    if let Some(rx) = &order.remote.rx_id {
                        store.review_notified(lab, account, rx)?;
                    }
                    wanted.push(Listed { key, should_be_named });
                }
            }
            for order in store.listed(lab, account)? {
                if !seen.contains(&order.key.order) {
                    let order = observe::gone_from_list(order);
                    store.save(&order)?;
                    if order.left_unfetched() {
                        let text = "no longer listed, although it was not fetched here; Casedrop \
                                    fetches it anyway";
                        store.tell(&order.key, now.wall, "left", text)?;
                    }
                }
            }
            Ok(wanted)
        })
    }

    /// Queues what waited for a login.
    pub(super) fn resume_after_login(&mut self, lab: &LabName, now: Now) -> Result<(), StoreError> {
        for order in self.store.wanted()? {
            let waits = order.trouble.as_ref().is_some_and(|trouble| {
                matches!(trouble.class, FaultClass::Auth | FaultClass::Refused)
                    && trouble.next_try.is_some()
            });
            if waits && order.key.lab == *lab {
                self.look_soon(&order.key, now);
            }
        }
        Ok(())
    }

    /// Remembers what keeps a lab from working, and reports it if it is new.
    pub(super) fn lab_trouble(
        &mut self,
        lab: &LabName,
        fault: &Fault,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        if fault.class == FaultClass::Cancelled {
            return Ok(());
        }
        let mut record = self.lab_record(lab)?;
        record.fault_class = Some(fault.class);
        record.fault_code = Some(fault.code.to_owned());
        record.fault = Some(fault.brief());
        record.hint.clone_from(&fault.hint);
        self.store.save_lab(&record)?;
        let Some(state) = self.labs.get_mut(lab) else { return Ok(()) };
        state.refused |= fault.class == FaultClass::Auth;
        let message = fault.brief();
        if state.told.as_ref().is_none_or(|(_, told)| *told != message) {
            if let Some(cause) = fault.rest() {
                tracing::info!(%lab, "{message}: {cause}");
            }
            effects.push(Effect::Tell(Notice::LabTrouble {
                lab: lab.clone(),
                class: fault.class,
                message: message.clone(),
                hint: fault.hint.clone(),
            }));
            state.told = Some((fault.class, message));
        }
        Ok(())
    }

    /// Clears what kept a lab from working and needed a user.
    pub(super) fn lab_heals(&mut self, lab: &LabName) -> Result<(), StoreError> {
        let mut record = self.lab_record(lab)?;
        if record.fault_class == Some(FaultClass::Auth) {
            record.clear_fault();
            self.store.save_lab(&record)?;
        }
        if let Some(state) = self.labs.get_mut(lab) {
            state.told = None;
        }
        Ok(())
    }

    pub(super) fn lab_record(&self, lab: &LabName) -> Result<LabRecord, StoreError> {
        let known = self.store.labs()?.into_iter().find(|record| record.lab == lab.as_str());
        Ok(known
            .unwrap_or_else(|| LabRecord { lab: lab.as_str().to_owned(), ..LabRecord::default() }))
    }

    /// The state of each lab, as far as this process knows.
    pub fn lab_standings(&self, now: Now) -> Vec<(LabName, LabStanding)> {
        let standing = |state: &LabState| match state.next_poll {
            _ if state.paused => LabStanding::Paused,
            _ if state.is_refused() => LabStanding::LoginNeeded,
            _ if state.told.is_some() => LabStanding::Unreachable,
            Some(at) if !state.asked => LabStanding::NotPolled(at.saturating_sub(now.mono)),
            _ => LabStanding::Good,
        };
        self.labs.iter().map(|(lab, state)| (lab.clone(), standing(state))).collect()
    }
}

/// If an earlier process died while asking, assumes that Align heard it just now: on a slow network
/// that may have been long after the request began, and could not be recorded.
fn settle_unanswered(store: &Store, account: &AccountId, now: Now) -> Result<(), StoreError> {
    match store.last_asked(account.as_str())? {
        Some(asked) if !asked.answered => {
            let asked = Asked { at: now.into(), answered: true, ..asked };
            store.set_asked(account.as_str(), asked)
        }
        _ => Ok(()),
    }
}

/// How long until the account may be asked again, according to what any process recorded.
fn wait_for_poll(
    store: &Store,
    account: &AccountId,
    interval: Duration,
    now: Now,
) -> Result<Duration, StoreError> {
    let Some(asked) = store.last_asked(account.as_str())? else { return Ok(Duration::ZERO) };
    if asked.at.wall > now.wall {
        // The clock stepped back. It is no longer known when Align was really asked; just now at
        // the latest.
        store.set_asked(account.as_str(), Asked { at: now.into(), ..asked })?;
    }
    Ok(asked.at.remaining(interval.max(asked.wait), now))
}

/// How long until an account may be asked for its ready orders, with `interval` between two polls.
/// Changes nothing.
pub fn earliest_poll(
    store: &Store,
    account: &str,
    interval: Duration,
    now: Now,
) -> Result<Duration, StoreError> {
    Ok(store
        .last_asked(account)?
        .map_or(Duration::ZERO, |asked| asked.at.remaining(interval.max(asked.wait), now)))
}
