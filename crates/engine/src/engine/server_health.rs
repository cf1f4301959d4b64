//! What is known about the servers: which orders must wait for them, which order tests whether they
//! are back, and whose fault a failed download is.

use std::collections::BTreeSet;
use std::time::Duration;

use super::polling::LabState;
use super::{Effect, Engine, Hold, Job, Notice, Now, OrderKey, StoreError, Waiting};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::ids::{LabName, RxId};

use crate::breaker::{Breaker, Gate};
use crate::outage::{Attempt, Before, Outages, Turn, Whose};
use crate::throttle::Throttle;
use crate::verdict::{Verdict, signature, verdict};

/// A download that began this long ago is no reason to start fewer others.
const BEGUN_LATELY: Duration = Duration::from_secs(10);
/// If a server does not say how long to wait, one never-tried order is tried per interval. One that
/// arrived after the last of them is tried immediately: it may not be among those the server
/// refuses, and if it gets through, the server is open to all.
const BETWEEN_NEW: Duration = Duration::from_secs(2);

/// What is asked of a server, apart from downloads.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question<'a> {
    /// A lab's ready orders.
    Poll(&'a LabName),
    /// The order of a prescription, for a lab.
    Ask(&'a LabName, &'a RxId),
}

/// What is known about one server.
#[derive(Debug, Default)]
pub(super) struct Server {
    breaker: Breaker,
    throttle: Option<Throttle>,
    outages: Outages,
    /// When the next never-tried order may be tried although the server wants fewer calls.
    next_new: Duration,
    /// When such an order was last started during that time.
    last_new: Duration,
    /// What last arrived instead of files.
    what: String,
    /// Whether the outage was reported.
    is_told: bool,
    /// The last question went unanswered.
    was_silent: bool,
}

/// A server whose downloads wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostPause {
    pub host: String,
    /// Until when, on the monotonic clock.
    pub until: Duration,
    /// The reason: what arrived instead of files.
    pub why: String,
    /// How many orders failed because of it and wait.
    pub orders: usize,
    /// Whether no download succeeds. If not, the server asks for fewer calls.
    pub is_outage: bool,
}

/// What a failed download costs the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    Attempt,
    /// Nothing, since it is not at fault. It is tried again at this time.
    Nothing(Duration),
}

impl Engine {
    /// Whether an order has to wait for the servers its download needs.
    pub(super) fn hold_of_hosts(
        &self,
        key: &OrderKey,
        waiting: &Waiting,
        lab: &LabState,
        now: Now,
    ) -> Hold {
        if self.hosts.is_empty() {
            return Hold::Free;
        }
        let own = waiting.host.as_ref().filter(|host| !lab.download_hosts.contains(host));
        let needed = lab.download_hosts.iter().chain(own);
        let servers = needed.filter_map(|host| Some((host, self.hosts.get(host)?)));
        servers.fold(Hold::Free, |hold, (host, server)| {
            hold.and(server.hold(key, waiting, now.mono, || self.begun_lately(host, now)))
        })
    }

    /// Until when to leave alone the server that a lab's questions need.
    pub(super) fn questions_shut_until(&self, lab: &LabState, now: Now) -> Option<Duration> {
        let server = self.hosts.get(lab.poll_host.as_ref()?)?;
        let wish = server.throttle.as_ref().filter(|throttle| throttle.is_its_wish());
        let wish = wish.and_then(|throttle| throttle.shut_until(now.mono));
        match server.breaker.gate(now.mono) {
            Gate::ShutUntil(time) => Some(wish.map_or(time, |wish| wish.max(time))),
            Gate::Open | Gate::OneAtATime => wish,
        }
    }

    /// How many orders that need a server were started recently. A download that is hardly moving
    /// costs the server nothing and may never end, so it does not count.
    fn begun_lately(&self, host: &str, now: Now) -> usize {
        let least = self.least_rate();
        let moves = |job: &Job| job.pace.as_ref().is_none_or(|pace| !pace.is_slow(now.mono, least));
        let jobs = self.jobs.iter().filter(|(_, job)| {
            !job.is_late()
                && job.fetched.is_none()
                && now.mono.saturating_sub(job.began) < BEGUN_LATELY
                && moves(job)
        });
        jobs.filter(|(key, _)| self.needs(key, host)).count()
    }

    fn needs(&self, key: &OrderKey, host: &str) -> bool {
        let lab = self.labs.get(&key.lab);
        lab.is_some_and(|lab| lab.download_hosts.iter().any(|known| known == host))
    }

    /// Records what a failed question says about the server.
    pub(super) fn question_failed(&mut self, question: Question<'_>, fault: &Fault, now: Now) {
        let Some(host) = fault.host.as_deref() else { return };
        let (lab, name) = match question {
            Question::Poll(lab) => (lab, format!("the orders of {lab}")),
            Question::Ask(lab, rx) => (lab, format!("Rx {rx} of {lab}")),
        };
        if let Some(state) = self.labs.get_mut(lab) {
            state.poll_host = Some(host.to_owned());
        }
        match verdict(fault) {
            Verdict::Nothing => {}
            Verdict::Lives => self.host_lives(host, now),
            Verdict::Silent => {
                let jitter = self.rng.f64();
                let server = self.hosts.entry(host.to_owned()).or_default();
                server.was_silent = true;
                server.breaker.failed(&name, now.mono, jitter);
            }
            Verdict::Busy => self.refused(host, fault, true, now),
        }
    }

    /// Records that a question was answered, by `host` if the client knows it.
    pub(super) fn question_answered(&mut self, lab: &LabName, host: Option<String>, now: Now) {
        let Some(state) = self.labs.get_mut(lab) else { return };
        state.poll_host = host.or_else(|| state.poll_host.take());
        if let Some(host) = state.poll_host.clone() {
            self.host_lives(&host, now);
        }
    }

    /// Records that the server answered: orders waiting for any sign of life stop waiting.
    fn host_lives(&mut self, host: &str, now: Now) {
        let Some(server) = self.hosts.get_mut(host) else { return };
        let was_down = server.was_silent || server.breaker.gate(now.mono) != Gate::Open;
        server.breaker.answered();
        server.was_silent = false;
        if was_down {
            server.outages.lives(now.mono);
            self.gates_moved.insert(host.to_owned());
            for waiting in self.waiting.values_mut() {
                if waiting.host.as_deref() == Some(host) {
                    waiting.not_before = waiting.not_before.min(now.mono);
                }
            }
        }
    }

    /// Records that the server asks for fewer calls.
    fn refused(&mut self, host: &str, fault: &Fault, is_new: bool, now: Now) {
        let at_once = self.begun_lately(host, now).max(1);
        let server = self.hosts.entry(host.to_owned()).or_default();
        let throttle = server.throttle.get_or_insert_with(|| Throttle::new(at_once));
        let before = throttle.shut_until(now.mono);
        throttle.refused(now.mono, fault.retry_after);
        let is_moved = throttle.shut_until(now.mono) != before;
        if is_new {
            server.next_new = server.next_new.max(now.mono + BETWEEN_NEW);
        }
        server.what = fault.brief();
        if is_moved {
            self.gates_moved.insert(host.to_owned());
        }
    }

    /// Records that an order's job starts: it may be the one that tests whether a server is back.
    pub(super) fn work_begins(&mut self, key: &OrderKey, is_new: bool, now: Now) {
        let Some(lab) = self.labs.get(&key.lab) else { return };
        for (host, server) in &mut self.hosts {
            if !lab.download_hosts.contains(host) && !server.outages.is_member(key) {
                continue;
            }
            let before = server.outages.next_try();
            server.outages.began(key, is_new, now.mono, self.rng.f64());
            if server.shut_until(now.mono).is_some() {
                server.next_new = now.mono + BETWEEN_NEW;
            }
            if is_new {
                server.last_new = now.mono;
            }
            if server.outages.next_try() != before {
                self.gates_moved.insert(host.clone());
            }
        }
    }

    /// Records what a failed download says about the server, and returns what it costs the order.
    pub(super) fn download_failed(
        &mut self,
        now: Now,
        key: &OrderKey,
        fault: &Fault,
        before: Before,
        effects: &mut Vec<Effect>,
    ) -> Result<Cost, StoreError> {
        let Some(host) = self.host_of(key, fault) else { return Ok(Cost::Attempt) };
        if let Some(lab) = self.labs.get_mut(&key.lab)
            && fault.host.is_some()
            && !lab.download_hosts.contains(&host)
        {
            lab.download_hosts.push(host.clone());
        }
        let job = self.jobs.get(key);
        let began = job.and_then(|job| job.fetching_since).unwrap_or(now.mono);
        let signature = signature(fault);
        let attempt = Attempt { began, ended: now.mono, signature, before };
        let kind = verdict(fault);
        if kind == Verdict::Busy {
            let is_alone = self.begun_lately(&host, now) <= 1;
            let server = self.hosts.entry(host.clone()).or_default();
            if server.outages.refused(key, attempt, is_alone) {
                return Ok(Cost::Attempt);
            }
            let is_new = self.jobs.get(key).is_none_or(|job| !job.is_retry);
            self.refused(&host, fault, is_new, now);
            let until = self.hosts.get(&host).and_then(|server| server.shut_until(now.mono));
            return Ok(Cost::Nothing(until.unwrap_or(now.mono)));
        }
        let jitter = self.rng.f64();
        let server = self.hosts.entry(host.clone()).or_default();
        match kind {
            Verdict::Silent if !server.outages.is_its_own_fault(key) => {
                server.breaker.failed(&key.to_string(), now.mono, jitter);
            }
            Verdict::Lives => self.host_lives(&host, now),
            _ => {}
        }
        let server = self.hosts.entry(host.clone()).or_default();
        let whose = server.outages.failed(key, attempt);
        if whose == Whose::Orders {
            return Ok(Cost::Attempt);
        }
        if !server.is_told {
            // Once reported, an outage keeps the reason it was reported with.
            server.what = fault.brief();
        }
        let until = server.outages.next_try().unwrap_or(now.mono);
        if let Whose::NobodysNow(others) = whose {
            self.gates_moved.insert(host.clone());
            let was_parked = self.give_back(now, &others, &host, until)?;
            if was_parked || fault.class != FaultClass::NotConverted {
                self.tell_outage(&host, effects);
            }
        }
        Ok(Cost::Nothing(until))
    }

    /// The server a failed download is about: the one the fault names, or for bad content the one
    /// that served it.
    pub(super) fn host_of(&self, key: &OrderKey, fault: &Fault) -> Option<String> {
        match fault.class {
            FaultClass::Local | FaultClass::Cancelled | FaultClass::Auth => None,
            FaultClass::Damaged => {
                let last = || self.labs.get(&key.lab)?.download_hosts.last().cloned();
                fault.host.as_deref().map(str::to_owned).or_else(last)
            }
            _ => fault.host.as_deref().map(str::to_owned),
        }
    }

    /// Records a successful download, from these servers if the client knows them.
    pub(super) fn downloaded(
        &mut self,
        now: Now,
        key: &OrderKey,
        hosts: &[String],
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let job = self.jobs.get(key);
        let began = job.and_then(|job| job.fetching_since).unwrap_or(now.mono);
        self.rest_until = now.mono;
        let Some(lab) = self.labs.get_mut(&key.lab) else { return Ok(()) };
        if !hosts.is_empty() {
            lab.download_hosts = hosts.to_vec();
        }
        let waited_for = self.hosts.iter().filter(|(_, server)| server.outages.is_member(key));
        let waited_for = waited_for.map(|(host, _)| host.clone());
        let all: BTreeSet<String> = lab.download_hosts.iter().cloned().chain(waited_for).collect();
        for host in all {
            self.host_lives(&host, now);
            // Successes are recorded too, so that other orders can be compared with them.
            let server = self.hosts.entry(host.clone()).or_default();
            if let Some(throttle) = &mut server.throttle {
                server.next_new = now.mono;
                if throttle.succeeded(began, self.policy.concurrency)
                    && throttle.shut_until(now.mono).is_none()
                {
                    server.throttle = None;
                }
            }
            let Some((woken, lasted)) = server.outages.succeeded(key, began, now.mono) else {
                continue;
            };
            if std::mem::take(&mut server.is_told) {
                effects.push(Effect::Tell(Notice::OutageOver { host: host.clone(), lasted }));
            }
            self.wake(&host, &woken, now)?;
        }
        for server in self.hosts.values_mut() {
            server.outages.forget(key);
        }
        Ok(())
    }

    /// Has orders that failed in an outage tried immediately, including those that need attention.
    fn wake(&mut self, host: &str, keys: &BTreeSet<OrderKey>, now: Now) -> Result<(), StoreError> {
        for key in keys {
            // An order kept waiting by an outage counts as new: it has not failed on its own.
            let server = self.hosts.get(host);
            let is_new = !server.is_some_and(|server| server.outages.is_its_own_fault(key));
            if self.jobs.contains_key(key) {
                continue;
            }
            if self.waiting.contains_key(key)
                || self.store.order(key)?.is_some_and(|record| record.is_wanted())
            {
                self.wait_as(key.clone(), now, now.mono, is_new);
            }
        }
        Ok(())
    }

    /// Reports outages that last although files seemed merely to be in the making.
    pub(super) fn tell_of_lasting_outages(&mut self, now: Now, effects: &mut Vec<Effect>) {
        let patience = self.policy.retry.not_converted.iter().sum::<Duration>();
        let lasting: Vec<String> = self
            .hosts
            .iter()
            .filter(|(_, server)| {
                !server.is_told
                    && server.outages.since().is_some_and(|(since, (class, _))| {
                        class != FaultClass::NotConverted || since + patience <= now.mono
                    })
            })
            .map(|(host, _)| host.clone())
            .collect();
        for host in lasting {
            self.tell_outage(&host, effects);
        }
    }

    fn tell_outage(&mut self, host: &str, effects: &mut Vec<Effect>) {
        let Some(server) = self.hosts.get_mut(host) else { return };
        if !std::mem::replace(&mut server.is_told, true) {
            effects.push(Effect::Tell(Notice::Outage {
                host: host.to_owned(),
                what: server.what.clone(),
                orders: server.outages.waiting(),
            }));
        }
    }

    /// The servers whose downloads wait now, each with the reason.
    pub fn pauses(&self, now: Now) -> Vec<HostPause> {
        let pauses = self.hosts.iter().filter_map(|(host, server)| {
            let shut = server.throttle.as_ref().and_then(|one| one.shut_until(now.mono));
            let outage = server.outages.next_try().filter(|_| server.is_told);
            let until = shut.max(outage)?;
            Some(HostPause {
                host: host.clone(),
                until: until.max(now.mono),
                why: server.what.clone(),
                orders: server.outages.waiting(),
                is_outage: outage.is_some(),
            })
        });
        pauses.collect()
    }
}

impl Server {
    fn shut_until(&self, now: Duration) -> Option<Duration> {
        self.throttle.as_ref()?.shut_until(now)
    }

    fn hold(
        &self,
        key: &OrderKey,
        waiting: &Waiting,
        now: Duration,
        begun_lately: impl Fn() -> usize,
    ) -> Hold {
        let Waiting { is_new, came, .. } = *waiting;
        let mut hold = Hold::Free;
        if let Some(throttle) = &self.throttle {
            if begun_lately() >= throttle.limit() {
                return Hold::Held;
            }
            if is_new {
                // While few may run, the newest goes first: what is ahead of it may never finish.
                hold = Hold::Trial(0);
            }
            if let Some(until) = throttle.shut_until(now) {
                let may_try = is_new && !throttle.is_its_wish();
                hold = match self.next_new.min(until) {
                    _ if !may_try => Hold::Until(until),
                    _ if came > self.last_new => Hold::Trial(0),
                    next if next > now => Hold::Until(next),
                    _ => Hold::Trial(0),
                };
            }
        }
        hold.and(match self.outages.turn(key, is_new.then_some(came), now) {
            Turn::Free => Hold::Free,
            Turn::Trial => Hold::Trial(self.outages.tries(key)),
            Turn::NotBefore(time) => Hold::Until(time),
        })
    }
}
