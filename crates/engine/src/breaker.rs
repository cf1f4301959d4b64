//! A circuit breaker per server, so that a server that is down gets almost no requests. Pure: `now`
//! is an argument. ([`outage`](super::outage) decides about its downloads.)
//!
//! One order that keeps failing says nothing about the server. The breaker opens only after several
//! different requests in a row get no answer; it then lets one request through from time to time,
//! and closes on the first answer of any kind.

use std::collections::BTreeSet;
use std::time::Duration;

/// This many different requests must fail in a row.
const ENOUGH: usize = 3;
/// The first pause; doubles with each further one.
const FIRST: Duration = Duration::from_secs(30);
/// The longest pause.
const LONGEST: Duration = Duration::from_mins(1);

/// What is known about one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    /// What failed since the last answer.
    failing: BTreeSet<String>,
    /// When the next request may be sent, and the length of the pause.
    open: Option<(Duration, Duration)>,
}

/// What may be requested from a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Anything.
    Open,
    /// One request at a time: it is not known whether the server answers again.
    OneAtATime,
    /// Nothing before this time on the monotonic clock.
    ShutUntil(Duration),
}

impl Breaker {
    /// Records that a request got no answer. `jitter` in `0.0..1.0` spreads the agents of many PCs.
    pub fn failed(&mut self, question: &str, now: Duration, jitter: f64) {
        if self.failing.len() < ENOUGH {
            self.failing.insert(question.to_owned());
        }
        let pause = match self.open {
            // Requests that were in flight when the breaker opened say nothing new.
            Some((until, _)) if now < until => return,
            Some((_, pause)) => (pause * 2).min(LONGEST),
            None if self.failing.len() < ENOUGH => return,
            None => FIRST,
        };
        let spread = pause.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0);
        self.open = Some((now + spread, pause));
    }

    /// Records that the server answered, whatever it said.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// Returns what may be requested now.
    pub fn gate(&self, now: Duration) -> Gate {
        match self.open {
            None => Gate::Open,
            Some((until, _)) if now < until => Gate::ShutUntil(until),
            Some(_) => Gate::OneAtATime,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn one_order_that_fails_for_ever_closes_nothing_for_the_others() {
        let mut breaker = Breaker::default();
        for second in 0..1000 {
            breaker.failed("17", at(second), 0.0);
            breaker.failed("18", at(second), 0.0);
        }
        assert_eq!(breaker.gate(at(1000)), Gate::Open);
    }

    #[test]
    fn different_failures_in_a_row_make_a_pause_that_grows_and_ends_with_an_answer() {
        let mut breaker = Breaker::default();
        for order in ["1", "2", "3"] {
            assert_eq!(breaker.gate(at(0)), Gate::Open);
            breaker.failed(order, at(0), 0.0);
        }
        assert_eq!(breaker.gate(at(29)), Gate::ShutUntil(at(30)));
        breaker.failed("4", at(29), 0.0);
        assert_eq!(breaker.gate(at(30)), Gate::OneAtATime, "late news make the pause no longer");
        let mut now = at(30);
        let mut pauses = Vec::new();
        for _ in 0..6 {
            breaker.failed("1", now, 0.0);
            let Gate::ShutUntil(until) = breaker.gate(now) else { panic!("it failed again") };
            pauses.push(until.saturating_sub(now).as_secs());
            now = until;
        }
        assert_eq!(pauses, [60; 6]);
        breaker.answered();
        assert_eq!(breaker.gate(now), Gate::Open);
        breaker.failed("1", now, 0.0);
        assert_eq!(breaker.gate(now), Gate::Open, "counted anew");
    }

    #[test]
    fn an_answer_in_between_shows_that_the_server_lives() {
        let mut breaker = Breaker::default();
        for order in 0..100 {
            breaker.failed(&order.to_string(), at(order), 0.0);
            if order % 2 == 1 {
                breaker.answered();
            }
            assert_eq!(breaker.gate(at(order)), Gate::Open);
        }
    }
}
