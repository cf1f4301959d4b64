//! Decides whose fault failing downloads from a server are: the orders', or an outage's. Pure:
//! `now` is an argument.
//!
//! If several orders fail alike and none succeeds in between, that is an outage: of the server, or
//! of something between it and this PC. It costs no order an attempt. The orders that failed wait
//! together; one of them is tried from time to time, the newest first, and the first success wakes
//! them all. Orders that were never tried are still tried, since the outage may not affect them: a
//! single new one immediately, many that arrived together a few per second.
//!
//! An order that fails both before and after others succeed is at fault itself. It neither starts
//! an outage nor belongs to one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use casedrop_model::fault::FaultClass;
use casedrop_model::ids::OrderKey;
use casedrop_model::record::Spent;

/// This many orders must fail alike.
const ENOUGH: usize = 3;
/// An order refused while others succeed in between this often is itself what the server refuses.
const CERTAINLY: u32 = 2;
/// Time until the first try in an outage; doubles with each further one.
const FIRST: Duration = Duration::from_secs(5);
/// Longest time between two tries.
const LONGEST: Duration = Duration::from_secs(60);
/// Time between two tries of orders that were never tried and arrived together.
const BETWEEN_NEW: Duration = Duration::from_secs(1);
/// The same while the server still answers, so that a try costs next to nothing: among many failing
/// orders there may be one that works.
const BETWEEN_ANSWERED: Duration = Duration::from_millis(200);
/// The common code of all ways of not answering.
pub const SILENCE: &str = "silent";

/// What failures of the same kind have in common.
pub type Signature = (FaultClass, &'static str);

/// What the retry budgets had counted before an order failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Before {
    /// Failures that have a budget.
    pub spent: Spent,
    /// Consecutive failures of its class.
    pub attempts: u32,
}

/// An order whose download failed.
#[derive(Debug, Clone, Copy)]
struct Failing {
    signature: Signature,
    /// When it first failed since its last success.
    first: Duration,
    /// When it last failed.
    last: Duration,
    /// It failed before and after others succeeded.
    is_its_own: bool,
    /// How often others succeeded between two of its failures.
    successes: u32,
    before: Before,
}

/// Downloads from the server fail, whichever order is tried.
#[derive(Debug, Clone)]
struct Outage {
    signature: Signature,
    since: Duration,
    next_try: Duration,
    pause: Duration,
    /// When the next never-tried order may be tried.
    next_new: Duration,
    /// When the last never-tried order was started; one that arrived later is new.
    last_new: Duration,
    /// How often each order was tried, so that they take turns.
    tries: BTreeMap<OrderKey, u32>,
}

/// What is known about the downloads from one server.
#[derive(Debug, Clone, Default)]
pub struct Outages {
    failing: BTreeMap<OrderKey, Failing>,
    outage: Option<Outage>,
    /// When the last successful download began and ended.
    success: Option<(Duration, Duration)>,
    /// When the end of an outage last woke orders that are themselves at fault.
    all_woken: Option<Duration>,
}

/// One failed attempt.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    pub began: Duration,
    pub ended: Duration,
    /// How it failed.
    pub signature: Signature,
    /// What the retry budgets had counted before.
    pub before: Before,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The order's, as far as we can tell.
    Orders,
    /// No order's: an outage.
    Nobodys,
    /// An outage that starts with this failure: these orders failed before, and get back the
    /// attempts that cost them.
    NobodysNow(Vec<(OrderKey, Before)>),
}

/// Whether an order may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// No outage affects it.
    Free,
    /// It may be tried to find out whether the outage is over.
    Trial,
    NotBefore(Duration),
}

impl Outages {
    /// Records a failed download and decides whose fault it is.
    pub fn failed(&mut self, key: &OrderKey, attempt: Attempt) -> Whose {
        let (signature, ended) = (attempt.signature, attempt.ended);
        let failing = self.note(key, attempt, true);
        if failing.is_its_own {
            return Whose::Orders;
        }
        if self.outage.is_some() {
            return Whose::Nobodys;
        }
        let alike: Vec<_> = self
            .members()
            .filter(|(_, failing)| failing.signature == signature)
            .map(|(key, failing)| (key.clone(), failing.before))
            .collect();
        if alike.len() < ENOUGH {
            return Whose::Orders;
        }
        self.outage = Some(Outage {
            signature,
            since: self.members().map(|(_, failing)| failing.first).min().unwrap_or(ended),
            next_try: ended + FIRST,
            pause: FIRST,
            next_new: ended,
            last_new: ended,
            tries: BTreeMap::new(),
        });
        Whose::NobodysNow(alike.into_iter().filter(|(other, _)| other != key).collect())
    }

    /// Records that the server asked for fewer calls. Returns whether it means just this order:
    /// others succeeded between its refusals, and it ran `alone` or that happened several times.
    pub fn refused(&mut self, key: &OrderKey, attempt: Attempt, alone: bool) -> bool {
        self.note(key, attempt, alone).is_its_own
    }

    fn note(&mut self, key: &OrderKey, attempt: Attempt, may_be_its_own: bool) -> Failing {
        let Attempt { began, ended, signature, before } = attempt;
        let between = |first: Duration| {
            self.success.is_some_and(|(start, end)| start >= first && end <= began)
        };
        let new = Failing {
            signature,
            first: ended,
            last: ended,
            is_its_own: false,
            successes: 0,
            before,
        };
        let failing = self.failing.get(key).map_or(new, |known| Failing {
            first: known.first,
            is_its_own: known.is_its_own
                || (may_be_its_own && between(known.first))
                || known.successes >= CERTAINLY,
            successes: known.successes + u32::from(between(known.last)),
            // An outage gives back what failures since the last success cost.
            before: if self.is_after_success(known.last) { known.before } else { before },
            ..new
        });
        self.failing.insert(key.clone(), failing);
        failing
    }

    /// Records a successful download that started at `began`. If that ends an outage, returns the
    /// orders that waited for it and how long it lasted.
    pub fn succeeded(
        &mut self,
        key: &OrderKey,
        began: Duration,
        now: Duration,
    ) -> Option<(BTreeSet<OrderKey>, Duration)> {
        self.failing.remove(key);
        let ended = self.outage.take().map(|outage| {
            // This includes orders that are themselves at fault: after an outage every order gets a
            // try. But if outages come and go, hundreds of those at each end would burden all
            // others.
            let all_may = self.all_woken.is_none_or(|at| now.saturating_sub(at) >= LONGEST);
            let all = self.failing.iter().filter(|(_, failing)| {
                failing.last >= outage.since && (all_may || !failing.is_its_own)
            });
            if all.clone().any(|(_, failing)| failing.is_its_own) {
                self.all_woken = Some(now);
            }
            (all.map(|(key, _)| key.clone()).collect(), now.saturating_sub(outage.since))
        });
        self.success = Some((began, now));
        ended
    }

    /// The server answered something else: if it was silent, it may be back.
    pub fn lives(&mut self, now: Duration) {
        if let Some(outage) = &mut self.outage
            && outage.signature.1 == SILENCE
        {
            outage.next_try = outage.next_try.min(now);
            outage.pause = FIRST;
        }
    }

    /// Returns whether the order may be tried now. `new` is when it arrived, if it was never tried.
    pub fn turn(&self, key: &OrderKey, new: Option<Duration>, now: Duration) -> Turn {
        let Some(outage) = &self.outage else { return Turn::Free };
        let not_before = if self.is_member(key) {
            outage.next_try
        } else if let Some(came) = new {
            if came > outage.last_new { now } else { outage.next_new }
        } else {
            return Turn::Free;
        };
        if now < not_before { Turn::NotBefore(not_before) } else { Turn::Trial }
    }

    /// Records that an order's download starts.
    pub fn began(&mut self, key: &OrderKey, is_new: bool, now: Duration, jitter: f64) {
        let is_member = self.is_member(key);
        let Some(outage) = &mut self.outage else { return };
        if is_member {
            let spread = outage.pause.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0);
            outage.next_try = now + spread;
            outage.pause = (outage.pause * 2).min(LONGEST);
            *outage.tries.entry(key.clone()).or_default() += 1;
        } else if is_new {
            let is_silent = outage.signature.1 == SILENCE;
            outage.last_new = now;
            outage.next_new = now + if is_silent { BETWEEN_NEW } else { BETWEEN_ANSWERED };
        }
    }

    /// How often the order was tried in this outage, so that orders take turns.
    pub fn tries(&self, key: &OrderKey) -> u32 {
        let outage = self.outage.as_ref();
        outage.and_then(|outage| outage.tries.get(key).copied()).unwrap_or(0)
    }

    /// When the next order is tried, if there is an outage.
    pub fn next_try(&self) -> Option<Duration> {
        self.outage.as_ref().map(|outage| outage.next_try)
    }

    /// When the outage began and how it shows, if there is one.
    pub fn since(&self) -> Option<(Duration, Signature)> {
        self.outage.as_ref().map(|outage| (outage.since, outage.signature))
    }

    /// Whether the order waits for the end of an outage.
    pub fn is_member(&self, key: &OrderKey) -> bool {
        self.outage.is_some() && self.failing.get(key).is_some_and(|failing| self.counts(failing))
    }

    /// How many orders wait for the end of an outage.
    pub fn waiting(&self) -> usize {
        if self.outage.is_some() { self.members().count() } else { 0 }
    }

    /// Whether the order failed before and after others succeeded.
    pub fn is_its_own_fault(&self, key: &OrderKey) -> bool {
        self.failing.get(key).is_some_and(|failing| failing.is_its_own)
    }

    /// Forgets the order's failures: nothing more is expected of it.
    pub fn forget(&mut self, key: &OrderKey) {
        self.failing.remove(key);
    }

    fn members(&self) -> impl Iterator<Item = (&OrderKey, &Failing)> {
        self.failing.iter().filter(|(_, failing)| self.counts(failing))
    }

    fn counts(&self, failing: &Failing) -> bool {
        !failing.is_its_own && self.is_after_success(failing.last)
    }

    fn is_after_success(&self, at: Duration) -> bool {
        self.success.is_none_or(|(_, ended)| at >= ended)
    }
}

#[cfg(test)]
mod tests;
