//! A gate for each server that asks for fewer calls (429, or 503 with `Retry-After`). Pure: `now`
//! is an argument.
//!
//! The wait it asks for applies to all calls, and the longest one counts. After it, fewer downloads
//! run at the same time; successes gradually raise the limit again.
//!
//! If the server names no time, the gate is a guess. A download that starts after the refusal and
//! succeeds disproves it, and the gate opens.

use std::time::Duration;

/// The first wait if the server does not say how long; doubles with each further one.
const FIRST: Duration = Duration::from_secs(5);
/// The longest such wait.
const LONGEST: Duration = Duration::from_mins(2);

/// What one server asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttle {
    /// No call before this time.
    until: Duration,
    /// Whether the server itself asked for `until`.
    is_its_wish: bool,
    /// When it last refused a call.
    refused: Duration,
    /// The next wait if the server does not say how long.
    next: Duration,
    /// How many downloads may run at the same time.
    limit: usize,
    /// Successes since the limit was last changed.
    successes: usize,
}

impl Throttle {
    /// For a server's first refusal, with this many calls in flight.
    pub fn new(at_once: usize) -> Self {
        let limit = at_once.max(1);
        Self {
            until: Duration::ZERO,
            is_its_wish: false,
            refused: Duration::ZERO,
            next: FIRST,
            limit: limit.max(2),
            successes: 0,
        }
    }

    /// Records a refused call. `wish` is how long the server asked to be left alone.
    pub fn refused(&mut self, now: Duration, wish: Option<Duration>) {
        // Calls in flight together are refused together and count as one refusal.
        let is_late = now < self.until;
        self.refused = now;
        if let Some(wish) = wish {
            self.is_its_wish = !is_late || self.is_its_wish || now + wish > self.until;
            self.until = self.until.max(now + wish);
        } else if !is_late {
            self.until = now + self.next;
            self.is_its_wish = false;
            self.next = (self.next * 2).min(LONGEST);
        }
        if !is_late {
            self.limit = (self.limit / 2).max(1);
            self.successes = 0;
        }
    }

    /// Records a successful download that started at `began`. Returns whether the limit no longer
    /// constrains anything, given that at most `most` may run.
    pub fn succeeded(&mut self, began: Duration, most: usize) -> bool {
        self.next = FIRST;
        if !self.is_its_wish && began >= self.refused {
            self.until = began;
        }
        self.successes += 1;
        if self.successes >= self.limit {
            self.successes = 0;
            self.limit += 1;
        }
        self.limit >= most
    }

    /// Until when to leave the server alone.
    pub fn shut_until(&self, now: Duration) -> Option<Duration> {
        (now < self.until).then_some(self.until)
    }

    /// Whether the server itself said until when.
    pub fn is_its_wish(&self) -> bool {
        self.is_its_wish
    }

    /// How many downloads may run at the same time.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_longest_wish_counts_and_a_burst_is_one_refusal() {
        let mut throttle = Throttle::new(8);
        throttle.refused(at(0), Some(at(3)));
        assert_eq!((throttle.shut_until(at(0)), throttle.limit()), (Some(at(3)), 4));
        throttle.refused(at(1), Some(at(9)));
        throttle.refused(at(1), Some(at(1)));
        throttle.refused(at(1), None);
        assert_eq!((throttle.shut_until(at(2)), throttle.limit()), (Some(at(10)), 4));
        assert!(throttle.is_its_wish());
        assert_eq!(throttle.shut_until(at(10)), None);
    }

    #[test]
    fn waits_that_nobody_asked_for_grow_up_to_two_minutes_and_shrink_with_a_success() {
        let mut throttle = Throttle::new(4);
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..7 {
            throttle.refused(now, None);
            let until = throttle.shut_until(now).expect("shut");
            waits.push(until.saturating_sub(now).as_secs());
            now = until;
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 120, 120]);
        assert!(!throttle.is_its_wish());
        throttle.succeeded(now, 4);
        throttle.refused(now, None);
        assert_eq!(throttle.shut_until(now), Some(now + at(5)));
    }

    #[test]
    fn a_download_that_begins_and_succeeds_after_a_refusal_opens_a_gate_that_nobody_asked_for() {
        let mut throttle = Throttle::new(8);
        throttle.refused(at(10), None);
        throttle.succeeded(at(9), 8);
        assert_eq!(throttle.shut_until(at(11)), Some(at(15)), "it was under way already");
        throttle.succeeded(at(11), 8);
        assert_eq!(throttle.shut_until(at(11)), None);
        assert_eq!(throttle.limit(), 4, "still fewer at once");
        throttle.refused(at(20), Some(at(9)));
        throttle.succeeded(at(21), 8);
        assert_eq!(throttle.shut_until(at(22)), Some(at(29)), "a wish is a wish");
    }

    #[test]
    fn fewer_run_at_once_after_a_refusal_and_slowly_more_with_successes() {
        let mut throttle = Throttle::new(4);
        throttle.refused(at(0), Some(at(1)));
        throttle.refused(at(1), Some(at(1)));
        throttle.refused(at(2), Some(at(1)));
        assert_eq!(throttle.limit(), 1, "never none");
        let mut limits = Vec::new();
        for _ in 0..6 {
            throttle.succeeded(at(3), 9);
            limits.push(throttle.limit());
        }
        assert_eq!(limits, [2, 2, 3, 3, 3, 4]);
        assert!(throttle.succeeded(at(3), 4), "as many as ever");
    }
}
