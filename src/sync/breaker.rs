//! A circuit breaker for each server, so that one that is down is asked almost nothing. Pure: `now` is an
//! argument. (What its downloads do meanwhile, [`outage`](super::outage) says.)
//!
//! One order that fails again and again says nothing about the server. Only when several different
//! questions are met with silence in a row, with no answer between them, does the breaker open; it then
//! lets one question through from time to time, and closes with the first answer of any kind.

use std::collections::BTreeSet;
use std::time::Duration;

/// So many different questions must fail in a row.
const ENOUGH: usize = 3;
/// The first pause; each further one is twice as long.
const FIRST: Duration = Duration::from_secs(30);
/// The longest pause.
const LONGEST: Duration = Duration::from_mins(1);

/// What is known of one server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    /// What failed since the last answer.
    failing: BTreeSet<String>,
    /// Not before this time may a question be put, and how long the pause is.
    open: Option<(Duration, Duration)>,
}

/// What may be asked of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Anything.
    Open,
    /// One question at a time: nobody knows whether it answers again.
    OneAtATime,
    /// Nothing before this time of the monotonic clock.
    ShutUntil(Duration),
}

impl Breaker {
    /// A question went without an answer. `jitter` in `0.0..1.0` spreads the agents of many PCs.
    pub fn failed(&mut self, question: &str, now: Duration, jitter: f64) {
        if self.failing.len() < ENOUGH {
            self.failing.insert(question.to_owned());
        }
        let pause = match self.open {
            // Questions that were under way when it opened tell nothing new.
            Some((until, _)) if now < until => return,
            Some((_, pause)) => (pause * 2).min(LONGEST),
            None if self.failing.len() < ENOUGH => return,
            None => FIRST,
        };
        let spread = pause.mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 4.0);
        self.open = Some((now + spread, pause));
    }

    /// The server answered, whatever it said.
    pub fn answered(&mut self) {
        *self = Self::default();
    }

    /// What may be asked now.
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
