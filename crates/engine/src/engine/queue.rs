//! The queue of waiting orders, and the slots: which order is processed next, and which must make
//! room.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{
    Effect, Engine, Hold, Job, Now, OrderKey, OrderRecord, Pace, StoreError, Waiting, WallMs,
    millis, remaining, schedule,
};
use casedrop_model::fault::{Fault, FaultClass};

use crate::pace::Arrived;
use crate::schedule::Circumstances;
use crate::slots::{Running, Slots};
use casedrop_model::size::size;

/// A download below this many bytes per second is hardly moving, whatever the config demands.
const HARDLY: u64 = 1024;
/// A download that has run this long may have to give way if no slot is left.
const HUGE: Duration = Duration::from_secs(10);

/// For this long, nothing that arrived earlier is started next to a newcomer.
const COURTESY: Duration = Duration::from_millis(250);

/// Gives a newcomer the disk and CPU to itself for a moment: next to a long queue of orders that
/// fail immediately it would take several times as long. Then the queue gets the same amount of
/// time.
#[derive(Debug, Default)]
pub(super) struct Courtesy {
    to: Option<OrderKey>,
    /// When that order arrived.
    came: Duration,
    until: Duration,
    /// No newcomer is favored before this time.
    next: Duration,
}

/// After an order failed again, the next one that failed before waits this many times as long as
/// that took. This keeps orders that fail immediately cheap for the others, however many there are.
const REST: u32 = 3;
/// Upper limit of that wait.
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Why a running download is aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// It received only this many bytes per second.
    TooSlow(u64),
    /// It is big, and an order that may be small arrived later.
    GivesWay,
}

impl Engine {
    /// Whether an order must wait: while a job of it, such as its removal, is in progress; or for
    /// its lab, because of a missing login, another account, a server that does not answer, or a
    /// pause.
    pub(super) fn hold(&self, key: &OrderKey, waiting: &Waiting, now: Now) -> Hold {
        if self.jobs.contains_key(key) {
            return Hold::Held;
        }
        if self.interrupted.contains(key) || self.releasing.contains(key) {
            return Hold::Free;
        }
        match self.labs.get(&key.lab) {
            Some(lab) if !lab.is_held() && !lab.paused && lab.is_paired_with(&key.account) => {
                self.hold_of_hosts(key, waiting, lab, now)
            }
            _ => Hold::Held,
        }
    }

    /// Puts a wanted order into the queue, due when its trouble allows.
    pub(super) fn enqueue(&mut self, record: &OrderRecord, now: Now) {
        let wait = match &record.trouble {
            None => Duration::ZERO,
            Some(trouble) => match trouble.next_try {
                None => return,
                // The wait in the journal was set by another process, perhaps with a different
                // clock: it never gets longer than it was.
                Some(next) => {
                    let began = WallMs(next.0.saturating_sub(millis(trouble.wait)));
                    remaining(began, trouble.wait, now.wall)
                }
            },
        };
        self.wait_as(record.key.clone(), now, now.mono + wait, record.trouble.is_none());
    }

    /// Queues an order because there is something new to fetch.
    pub(super) fn wait_for_turn(&mut self, key: OrderKey, now: Now) {
        if let Some(waiting) = self.waiting.get_mut(&key) {
            // It may have been waiting to retry something older.
            waiting.came = now.mono;
        }
        self.wait_as(key, now, now.mono, true);
    }

    pub(super) fn wait_as(&mut self, key: OrderKey, now: Now, not_before: Duration, is_new: bool) {
        self.next_turn += 1;
        let new = Waiting { not_before, turn: self.next_turn, came: now.mono, is_new, host: None };
        self.waiting
            .entry(key)
            .and_modify(|waiting| {
                waiting.not_before = not_before;
                waiting.is_new = is_new;
                waiting.host = None;
            })
            .or_insert(new);
    }

    /// Queues an order that was processed before, so it does not count as a newcomer.
    pub(super) fn wait_again(&mut self, key: &OrderKey, came: Duration, now: Now, due: Duration) {
        self.wait_as(key.clone(), now, due, false);
        if let Some(waiting) = self.waiting.get_mut(key) {
            waiting.came = came;
        }
    }

    /// When an order with a free slot is due, or a slot may become free merely because time passes.
    pub(super) fn next_start(&self, now: Now) -> Option<Duration> {
        let running = self.running(now);
        let slots = self.slots(&running, now);
        let hold = |key: &OrderKey, waiting: &Waiting| self.hold(key, waiting, now);
        let new_ones_wait = self.new_ones_wait(now);
        let has_room =
            |key: &OrderKey, waiting: &Waiting| self.has_room(&slots, key, waiting, new_ones_wait);
        let due = schedule::next_due(&self.waiting, &hold, &has_room);
        let mut new = self.waiting.iter().filter(|(_, waiting)| waiting.is_new);
        let room = slots
            .next_room()
            .filter(|_| !slots.is_full() && new.any(|(key, waiting)| !has_room(key, waiting)));
        let rest = Some(self.rest_until).filter(|until| now.mono < *until);
        due.into_iter().chain(room).chain(rest).chain(self.courteous_until(now.mono)).min()
    }

    /// Starts all orders that are due and have a slot.
    pub(super) fn start_orders(
        &mut self,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        while let Some((key, waiting)) = self.next_order(now) {
            self.waiting.remove(&key);
            self.interrupted.remove(&key);
            if !waiting.is_new {
                self.last_retry = Some(now.mono);
            }
            if self.is_newcomer(&key, &waiting) && now.mono >= self.courtesy.next {
                let until = now.mono + COURTESY;
                let (came, next) = (waiting.came, until + COURTESY);
                self.courtesy = Courtesy { to: Some(key.clone()), came, until, next };
            }
            self.start(now, &key, &waiting, effects)?;
        }
        Ok(())
    }

    /// Pauses orders that failed before after one of them failed again.
    pub(super) fn failed_again(&mut self, job: &Job, now: Now) {
        let took = now.mono.saturating_sub(job.began);
        let rest = took.saturating_mul(REST).min(LONGEST_REST);
        self.rest_until = self.rest_until.max(now.mono + rest);
    }

    /// Until when earlier arrivals are not started, for the sake of a newcomer.
    fn courteous_until(&self, now: Duration) -> Option<Duration> {
        let Courtesy { to, until, .. } = &self.courtesy;
        let is_worked_on = to.as_ref().is_some_and(|key| self.jobs.contains_key(key));
        (is_worked_on && now < *until).then_some(*until)
    }

    /// Whether it arrived after every order of its lab that was ever started.
    fn is_newcomer(&self, key: &OrderKey, waiting: &Waiting) -> bool {
        let lab = self.labs.get(&key.lab);
        waiting.is_new && lab.is_some_and(|lab| waiting.came > lab.newest_begun)
    }

    fn next_order(&self, now: Now) -> Option<(OrderKey, Waiting)> {
        if self.waiting.is_empty() {
            return None;
        }
        let running = self.running(now);
        let slots = self.slots(&running, now);
        if slots.is_full() {
            return None;
        }
        let mut busy = BTreeMap::new();
        for (key, _) in self.jobs.iter().filter(|(_, job)| !job.is_late()) {
            *busy.entry(key.lab.clone()).or_default() += 1;
        }
        let new_ones_wait = self.new_ones_wait(now);
        let circumstances = Circumstances {
            busy: &busy,
            hold: &|key, waiting| self.hold(key, waiting, now),
            has_room: &|key, waiting| self.has_room(&slots, key, waiting, new_ones_wait),
            had_a_retry: running.iter().any(|one| one.is_retry)
                || self.last_retry.is_some_and(|last| now.mono < last + schedule::PATIENCE),
        };
        let key = schedule::pick(&self.waiting, &circumstances, now.mono)?;
        let waiting = self.waiting.get(&key)?.clone();
        Some((key, waiting))
    }

    /// Whether a never-tried order is waiting that could start now.
    fn new_ones_wait(&self, now: Now) -> bool {
        self.waiting.iter().any(|(key, waiting)| waiting.is_new && self.is_due(key, waiting, now))
    }

    fn is_due(&self, key: &OrderKey, waiting: &Waiting, now: Now) -> bool {
        waiting.not_before <= now.mono
            && waiting.due(self.hold(key, waiting, now)).is_some_and(|due| due <= now.mono)
    }

    fn has_room(
        &self,
        slots: &Slots<'_>,
        key: &OrderKey,
        waiting: &Waiting,
        new_ones_wait: bool,
    ) -> bool {
        if waiting.came < self.courtesy.came && self.courteous_until(slots.now).is_some() {
            return false;
        }
        if !waiting.is_new {
            return slots.now >= self.rest_until && slots.has_room_for_retry(new_ones_wait);
        }
        slots.has_room_for_new(waiting.came, self.is_newcomer(key, waiting))
    }

    /// Bytes per second below which a download is hardly moving.
    pub(super) fn least_rate(&self) -> u64 {
        self.policy.min_rate.max(HARDLY)
    }

    fn running(&self, now: Now) -> Vec<Running> {
        let least = self.least_rate();
        let is_slow =
            |job: &Job| job.pace.as_ref().is_some_and(|pace| pace.is_slow(now.mono, least));
        let in_slots = self.jobs.values().filter(|job| !job.is_late());
        let all = in_slots.map(|job| Running {
            began: job.began,
            is_retry: job.is_retry,
            is_slow: is_slow(job),
        });
        all.collect()
    }

    fn slots<'a>(&self, running: &'a [Running], now: Now) -> Slots<'a> {
        let long = self.usual.long();
        Slots { running, usual: self.policy.concurrency, long, now: now.mono }
    }

    /// Records what the running downloads have received so far.
    pub(super) fn see_progress(&mut self, now: Now, arrived: &BTreeMap<OrderKey, Arrived>) {
        for (key, job) in &mut self.jobs {
            let Some(pace) = &mut job.pace else { continue };
            match arrived.get(key) {
                Some(arrived) => pace.see(now.mono, *arrived),
                None => pace.waits(now.mono),
            }
        }
    }

    /// Aborts a download that keeps others from a slot, one at a time: the slowest; or if all are
    /// fast, the biggest of those that began before a never-tried order arrived. If no slot is left
    /// at all, it does so even before such an order arrives.
    ///
    /// A download that is hardly moving is aborted even if nothing waits: a connection from before
    /// the end of an outage may never recover, a new one does. A download that has received nothing
    /// yet may continue: `stall_timeout` limits how long a server may take to generate files.
    pub(super) fn make_room(&mut self, now: Now, effects: &mut Vec<Effect>) {
        if self.jobs.values().any(|job| job.given_up.is_some()) {
            return;
        }
        let running = self.running(now);
        let slots = self.slots(&running, now);
        let due = || self.waiting.iter().filter(|(key, one)| self.is_due(key, one, now));
        let too_slow = match due().next() {
            Some(_) => self.too_slow(now, self.policy.min_rate, |_| true),
            None => self.too_slow(now, self.policy.min_rate.min(HARDLY), Pace::has_begun),
        };
        let victim = too_slow.or_else(|| {
            let came = due().filter(|(_, one)| one.is_new).map(|(_, one)| one.came).max();
            match came {
                Some(came) if slots.is_crowded() => self.in_the_way(now, came),
                _ if slots.is_full() => self.in_the_way(now, now.mono),
                _ => None,
            }
        });
        if let Some((key, why)) = victim
            && let Some(job) = self.jobs.get_mut(&key)
        {
            job.given_up = Some(why);
            effects.push(Effect::GiveUp { key });
        }
    }

    fn downloads(&self) -> impl Iterator<Item = (&OrderKey, &Job, &Pace)> {
        let jobs = self.jobs.iter();
        let jobs = jobs.filter_map(|(key, job)| Some((key, job, job.pace.as_ref()?)));
        jobs.filter(|(_, _, pace)| pace.is_coming())
    }

    /// The slowest matching download that has received less than `least` bytes per second for 60 s.
    fn too_slow(
        &self,
        now: Now,
        least: u64,
        counts: impl Fn(&Pace) -> bool,
    ) -> Option<(OrderKey, GivenUp)> {
        let slow = self.downloads().filter(|(_, _, pace)| pace.is_too_slow(now.mono, least));
        let slow = slow.filter(|(_, _, pace)| counts(pace));
        let rates = slow.map(|(key, _, pace)| (pace.rate(now.mono), key));
        rates.min().map(|(rate, key)| (key.clone(), GivenUp::TooSlow(rate)))
    }

    /// The download that blocks an order that arrived at `came`, if no slot is left at all.
    fn in_the_way(&self, now: Now, came: Duration) -> Option<(OrderKey, GivenUp)> {
        let least = self.least_rate();
        let slow = self.downloads().filter(|(_, _, pace)| pace.is_slow(now.mono, least));
        let slowest = slow.map(|(key, _, pace)| (pace.rate(now.mono), key)).min();
        if let Some((rate, key)) = slowest {
            return Some((key.clone(), GivenUp::TooSlow(rate)));
        }
        let huge = self.downloads().filter(|(_, job, _)| {
            !job.is_retry && came > job.began && now.mono.saturating_sub(job.began) >= HUGE
        });
        let biggest = huge.map(|(key, _, pace)| (pace.left(), key)).max();
        biggest.map(|(_, key)| (key.clone(), GivenUp::GivesWay))
    }

    /// Handles the end of a download that was aborted.
    pub(super) fn given_up(
        &mut self,
        now: Now,
        key: &OrderKey,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        match self.jobs.get(key).and_then(|job| job.given_up) {
            None => self.finish(now, key),
            Some(GivenUp::GivesWay) => {
                let came = self.jobs.remove(key).map_or(now.mono, |job| job.came);
                self.wait_again(key, came, now, now.mono);
                Ok(())
            }
            Some(GivenUp::TooSlow(rate)) => {
                let text = format!(
                    "the download of order {} ran at only {} per second",
                    key.order,
                    size(rate)
                );
                let fault = Fault::new(FaultClass::Transient, "too-slow", text)
                    .hint("it resumes where it stopped, if the server allows that");
                self.fetch_failed(now, key, fault, effects)
            }
        }
    }
}
