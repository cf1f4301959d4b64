//! Servers that do not answer: who must wait for them, and who tries whether they are back.

use std::time::Duration;

use super::labs::LabState;
use super::{Engine, Hold, Now, OrderKey};
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::{LabName, RxId};

use super::super::breaker::Gate;

/// What is asked of a server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Question<'a> {
    /// The ready orders of a lab.
    Poll(&'a LabName),
    /// What a prescription's order is, for a lab.
    Ask(&'a LabName, &'a RxId),
    /// The files of an order.
    Order(&'a OrderKey),
}

impl Engine {
    /// Whether the server that a lab's downloads last failed on keeps its orders waiting.
    pub(super) fn hold_of_host(&self, lab: &LabState, now: Now) -> Hold {
        let Some(host) = &lab.download_host else { return Hold::Free };
        let Some(breaker) = self.hosts.get(host) else { return Hold::Free };
        match breaker.gate(now.mono) {
            Gate::ShutUntil(time) => Hold::Until(time),
            Gate::OneAtATime if self.is_tried(host) => Hold::Held,
            Gate::Open | Gate::OneAtATime => Hold::Free,
        }
    }

    /// Until when the server that did not answer a lab's questions is left alone.
    pub(super) fn questions_shut_until(&self, lab: &LabState, now: Now) -> Option<Duration> {
        let breaker = self.hosts.get(lab.poll_host.as_ref()?)?;
        match breaker.gate(now.mono) {
            Gate::ShutUntil(time) => Some(time),
            Gate::Open | Gate::OneAtATime => None,
        }
    }

    /// Whether an order that needs the server is being worked on.
    fn is_tried(&self, host: &str) -> bool {
        let needs = |key: &OrderKey| {
            self.labs.get(&key.lab).and_then(|lab| lab.download_host.as_deref()) == Some(host)
        };
        self.jobs.keys().any(needs)
    }

    /// A question failed: notes what that says about the server.
    pub(super) fn host_failed(&mut self, question: Question<'_>, fault: &Fault, now: Now) {
        let Some(host) = fault.host.as_deref().map(str::to_owned) else { return };
        if fault.class != FaultClass::Transient {
            // It answered, whatever it said.
            self.host_answered(&host, now);
            return;
        }
        let jitter = self.rng.f64();
        let breaker = self.hosts.entry(host.clone()).or_default();
        let lab = match question {
            Question::Poll(lab) => {
                breaker.failed(&format!("the orders of {lab}"), now.mono, jitter);
                self.labs.get_mut(lab).map(|state| &mut state.poll_host)
            }
            Question::Ask(lab, rx) => {
                breaker.failed(&format!("Rx {rx} of {lab}"), now.mono, jitter);
                self.labs.get_mut(lab).map(|state| &mut state.poll_host)
            }
            Question::Order(key) => {
                breaker.failed(&key.to_string(), now.mono, jitter);
                self.labs.get_mut(&key.lab).map(|state| &mut state.download_host)
            }
        };
        if let Some(known) = lab {
            *known = Some(host);
        }
    }

    /// A question was answered by the server that such questions last failed on.
    pub(super) fn question_answered(&mut self, question: Question<'_>, now: Now) {
        let host = match question {
            Question::Poll(lab) | Question::Ask(lab, _) => {
                self.labs.get_mut(lab).and_then(|lab| lab.poll_host.take())
            }
            Question::Order(key) => {
                self.labs.get_mut(&key.lab).and_then(|lab| lab.download_host.take())
            }
        };
        if let Some(host) = host {
            self.host_answered(&host, now);
        }
    }

    /// The server lives: whoever waited for it waits no longer.
    fn host_answered(&mut self, host: &str, now: Now) {
        if let Some(breaker) = self.hosts.remove(host)
            && breaker.gate(now.mono) != Gate::Open
        {
            for waiting in self.waiting.values_mut() {
                if waiting.host.as_deref() == Some(host) {
                    waiting.not_before = waiting.not_before.min(now.mono);
                    waiting.host = None;
                }
            }
        }
    }

    /// An order goes back into the line after a fault.
    pub(super) fn wait_after(&mut self, key: &OrderKey, fault: &Fault, wait: Duration, now: Now) {
        self.wait_for_turn(key.clone(), now.mono + wait);
        // A server's own wish stands whether or not it answers others again.
        let host = fault
            .host
            .as_deref()
            .filter(|_| fault.class == FaultClass::Transient && fault.retry_after.is_none());
        if let Some(waiting) = self.waiting.get_mut(key) {
            waiting.host = host.map(str::to_owned);
        }
    }
}
