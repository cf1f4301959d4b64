//! How many orders are worked on at the same time, and which of them must make room. Pure: `now` is an
//! argument.
//!
//! The rule: *an order that was never tried gets a slot at once, whatever the others do.* So neither a
//! download that hardly moves nor one that began before the order came and takes long counts against it;
//! there are only so many beyond the usual number. Orders that failed before never take all slots.

use std::time::Duration;

/// Work that takes longer than this does not hold up an order that came after it.
pub const LONG: Duration = Duration::from_secs(3);

/// An order that is being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// When the work began.
    pub began: Duration,
    /// Whether it failed before.
    pub is_retry: bool,
    /// Whether its download hardly moves.
    pub is_slow: bool,
}

/// What runs, and how much may.
#[derive(Debug, Clone, Copy)]
pub struct Slots<'a> {
    /// The orders that are worked on.
    pub running: &'a [Running],
    /// How many there usually are at most.
    pub usual: usize,
    /// Now.
    pub now: Duration,
}

/// How many may be worked on in all, where so many usually are: beside those that count, as many again
/// that do not, and more where few are usual.
pub fn most(usual: usize) -> usize {
    if usual == 0 { 0 } else { usual + (2 * usual).max(4) }
}

impl Slots<'_> {
    /// Whether there is room for an order that came at that time and was never tried.
    pub fn has_room_for_new(&self, came: Duration) -> bool {
        let counts = |one: &&Running| {
            let is_long = self.now.saturating_sub(one.began) >= LONG && came > one.began;
            !one.is_slow && !is_long
        };
        !self.is_full() && self.running.iter().filter(counts).count() < self.usual
    }

    /// Whether there is room for an order that failed before, while others wait that were never tried
    /// or none does.
    pub fn has_room_for_retry(&self, new_ones_wait: bool) -> bool {
        let retries = self.running.iter().filter(|one| one.is_retry).count();
        let may = if new_ones_wait { self.usual / 2 } else { self.usual.saturating_sub(1) };
        let count = self.running.iter().filter(|one| one.is_retry || !one.is_slow).count();
        !self.is_full() && retries < may.max(1) && count < self.usual
    }

    /// Whether nothing more may run, whatever it is.
    pub fn is_full(&self) -> bool {
        self.running.len() >= most(self.usual)
    }

    /// When room may come about merely because time passes.
    pub fn next_room(&self) -> Option<Duration> {
        let ends = self.running.iter().map(|one| one.began + LONG);
        ends.filter(|at| *at > self.now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fast(began: u64) -> Running {
        Running { began: at(began), is_retry: false, is_slow: false }
    }

    fn slow(began: u64) -> Running {
        Running { is_slow: true, ..fast(began) }
    }

    fn retry(began: u64) -> Running {
        Running { is_retry: true, ..fast(began) }
    }

    fn new_at(running: &[Running], came: u64, now: u64) -> bool {
        Slots { running, usual: 4, now: at(now) }.has_room_for_new(at(came))
    }

    #[test]
    fn downloads_that_hardly_move_hold_up_no_new_order() {
        assert!(!new_at(&[fast(0); 4], 0, 1));
        assert!(new_at(&[slow(0); 4], 0, 5));
        assert!(new_at(&[fast(4), fast(4), fast(4), slow(0), slow(0)], 0, 5));
        assert!(!new_at(&[slow(0); 12], 0, 5), "memory has an end");
    }

    #[test]
    fn huge_downloads_hold_up_no_order_that_came_later() {
        assert!(new_at(&[fast(0); 4], 10, 10));
        assert!(!new_at(&[fast(8); 4], 10, 10), "they may be done in a moment");
        assert!(new_at(&[fast(8); 4], 10, 11));
        assert!(!new_at(&[fast(0); 4], 0, 99), "what came with them waits its turn");
    }

    #[test]
    fn orders_that_failed_before_leave_room_for_the_others() {
        let room = |running: &[Running], new_ones_wait| {
            Slots { running, usual: 4, now: at(1) }.has_room_for_retry(new_ones_wait)
        };
        assert!(room(&[retry(0)], true));
        assert!(!room(&[retry(0), retry(0)], true));
        assert!(room(&[retry(0), retry(0)], false));
        assert!(!room(&[retry(0), retry(0), retry(0)], false));
        assert!(!room(&[fast(0); 4], false));
        let one = Slots { running: &[], usual: 1, now: at(1) };
        assert!(one.has_room_for_retry(true), "one is not starved");
    }

    #[test]
    fn an_agent_that_may_fetch_nothing_fetches_nothing() {
        let none = Slots { running: &[], usual: 0, now: at(1) };
        assert!(!none.has_room_for_new(at(0)) && !none.has_room_for_retry(false));
    }
}
