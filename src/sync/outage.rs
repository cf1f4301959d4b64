//! Whose fault it is that downloads from one server fail: the orders', or nobody's here. Pure: `now` is
//! an argument.
//!
//! When several orders fail alike and none is downloaded in between, that is an outage: of the server, or
//! of something between it and this PC. It costs no order an attempt. The orders that failed wait
//! together; one of them is tried from time to time, the newest first, and the first success wakes all.
//! Orders that were never tried are tried all the same, since they may have nothing to do with it: one
//! that comes at once, many that came together a few in a second.
//!
//! An order that failed, then others were downloaded, and then it failed again: that is its own fault.
//! It neither begins an outage nor belongs to one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::fault::FaultClass;
use crate::model::ids::OrderKey;
use crate::model::record::Spent;

/// So many orders must fail alike.
const ENOUGH: usize = 3;
/// An order that is refused although others are downloaded so often is meant itself.
const CERTAINLY: u32 = 2;
/// Time until the first try in an outage; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(5);
/// The longest time between two tries.
const LONGEST: Duration = Duration::from_secs(60);
/// Time between two tries of orders that were never tried and came together.
const BETWEEN_NEW: Duration = Duration::from_secs(1);
/// The same where something answers, which costs next to nothing: among many orders that fail there may be
/// one that does not.
const BETWEEN_ANSWERED: Duration = Duration::from_millis(200);
/// What all ways of not answering have in common.
pub const SILENCE: &str = "silent";

/// What failures have in common that are alike.
pub type Signature = (FaultClass, &'static str);

/// What the budgets had counted before an order failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Before {
    /// Failures with a budget.
    pub spent: Spent,
    /// Failures of its class in a row.
    pub attempts: u32,
}

/// An order whose download failed.
#[derive(Debug, Clone, Copy)]
struct Failing {
    signature: Signature,
    /// When it failed for the first time since its last success.
    first: Duration,
    /// When it failed last.
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
    /// When the next order may be tried that was never tried.
    next_new: Duration,
    /// When the last such order was begun: one that came later is news.
    last_new: Duration,
    /// How often each of the orders was tried, so that they take turns.
    tries: BTreeMap<OrderKey, u32>,
}

/// What is known of the downloads from one server.
#[derive(Debug, Clone, Default)]
pub struct Outages {
    failing: BTreeMap<OrderKey, Failing>,
    outage: Option<Outage>,
    /// When the last download that succeeded began and ended.
    success: Option<(Duration, Duration)>,
    /// When the end of an outage last woke orders that fail by their own fault.
    all_woken: Option<Duration>,
}

/// One attempt that failed.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// When it began.
    pub began: Duration,
    /// When it failed.
    pub ended: Duration,
    /// How.
    pub signature: Signature,
    /// What the budgets had counted before.
    pub before: Before,
}

/// Whose fault a failure is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// The order's, as far as anybody can tell.
    Orders,
    /// Nobody's here: an outage.
    Nobodys,
    /// The same, and the outage begins with it: these orders failed before, and get back what that cost.
    NobodysNow(Vec<(OrderKey, Before)>),
}

/// Whether an order may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It has nothing to do with an outage.
    Free,
    /// It is tried to find out whether the outage is over.
    Trial,
    /// Not before this time.
    NotBefore(Duration),
}

impl Outages {
    /// A download failed.
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

    /// The server asked for fewer calls. Whether it means this order only: others are downloaded
    /// between its refusals, and it was `alone`, or that happened several times.
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
            // What an outage gives back is what failures since the last success cost.
            before: if self.is_after_success(known.last) { known.before } else { before },
            ..new
        });
        self.failing.insert(key.clone(), failing);
        failing
    }

    /// A download that began then succeeded. Gives the orders that waited for that, if there was an
    /// outage, and how long it lasted.
    pub fn succeeded(
        &mut self,
        key: &OrderKey,
        began: Duration,
        now: Duration,
    ) -> Option<(BTreeSet<OrderKey>, Duration)> {
        self.failing.remove(key);
        let ended = self.outage.take().map(|outage| {
            // Orders of their own fault too: after an outage everybody gets a try. But where outages come
            // and go, hundreds of these at each end would be a burden on all others.
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

    /// Whether the order may be tried now. `new`: when it came, if it was never tried.
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

    /// An order's download begins.
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

    /// Since when there is an outage, and how it shows.
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

    /// Nothing more is expected of the order.
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
