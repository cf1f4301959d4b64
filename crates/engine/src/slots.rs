//! How many orders are processed at the same time, and which of them must make room. Pure: `now` is
//! an argument.
//!
//! The rule: *an order that was never tried gets a slot immediately, whatever the others do.*
//! Neither a stalling download counts against it, nor one that takes long and began before the
//! order arrived. A newcomer, which arrived after every order of its lab that was ever started,
//! gets one slot beyond the usual ones, since it is not known yet how long the others take. The
//! total is capped: see [`most`]. The last of those slots are reserved for such newcomers, so that
//! a hundred orders that never finish cannot take them all. Orders that failed before never take
//! all slots. For a moment after a newcomer starts, nothing that arrived before it is started: see
//! `engine/line.rs`.

use std::collections::VecDeque;
use std::time::Duration;

/// Work that takes longer than this does not hold up an order that arrived after it.
const LONG: Duration = Duration::from_secs(3);
/// Lower bound of that threshold where downloads are usually quick.
const LEAST_LONG: Duration = Duration::from_millis(250);
/// Number of recent downloads from which the usual duration is taken.
const USUAL_OF: usize = 16;
/// With fewer downloads than this there is no usual duration.
const ENOUGH: usize = 3;

/// An order that is being processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    pub began: Duration,
    /// Whether it failed before.
    pub is_retry: bool,
    /// Whether its download is hardly moving.
    pub is_slow: bool,
}

/// How long the latest successful downloads took.
#[derive(Debug, Clone, Default)]
pub struct Usual(VecDeque<Duration>);

impl Usual {
    /// Records how long a successful download took.
    pub fn took(&mut self, time: Duration) {
        if self.0.len() == USUAL_OF {
            self.0.pop_front();
        }
        self.0.push_back(time);
    }

    /// Returns the duration beyond which work counts as long: twice the median.
    pub fn long(&self) -> Duration {
        let mut sorted: Vec<_> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        match sorted.get(sorted.len() / 2) {
            Some(median) if sorted.len() >= ENOUGH => (*median * 2).clamp(LEAST_LONG, LONG),
            _ => LONG,
        }
    }
}

/// What is running, and how much may.
#[derive(Debug, Clone, Copy)]
pub struct Slots<'a> {
    pub running: &'a [Running],
    /// The usual maximum.
    pub usual: usize,
    /// Work that takes longer than this counts as long.
    pub long: Duration,
    pub now: Duration,
}

/// The absolute maximum for a given usual one: on top of those that count, twice as many (at least
/// 4) that do not. Each costs a connection and a read buffer.
pub fn most(usual: usize) -> usize {
    if usual == 0 { 0 } else { usual + (2 * usual).max(4) }
}

/// How many of [`most`] may be taken by orders that are not newcomers.
fn most_of_old(usual: usize) -> usize {
    usual + (most(usual) - usual) / 2
}

impl Slots<'_> {
    /// Whether there is room for a never-tried order that arrived at `came`.
    pub fn has_room_for_new(&self, came: Duration, is_newcomer: bool) -> bool {
        let counts = |one: &&Running| {
            let is_long = self.now.saturating_sub(one.began) >= self.long && came > one.began;
            !one.is_slow && !is_long
        };
        let count = self.running.iter().filter(counts).count();
        (!self.is_crowded() && count < self.usual)
            || (!self.is_full() && count <= self.usual && is_newcomer)
    }

    /// Whether there is room for an order that failed before. It gets fewer slots while never-tried
    /// orders wait.
    pub fn has_room_for_retry(&self, new_ones_wait: bool) -> bool {
        let retries = self.running.iter().filter(|one| one.is_retry).count();
        let may = if new_ones_wait { self.usual / 2 } else { self.usual.saturating_sub(1) };
        let count = self.running.iter().filter(|one| one.is_retry || !one.is_slow).count();
        !self.is_crowded() && retries < may.max(1) && count < self.usual
    }

    /// Whether only newcomers may still start.
    pub fn is_crowded(&self) -> bool {
        self.running.len() >= most_of_old(self.usual)
    }

    /// Whether nothing more may start at all.
    pub fn is_full(&self) -> bool {
        self.running.len() >= most(self.usual)
    }

    /// When a slot may become free merely because time passes.
    pub fn next_room(&self) -> Option<Duration> {
        let ends = self.running.iter().flat_map(|one| [one.began + self.long, one.began + LONG]);
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

    fn slots(running: &[Running], usual: usize, now: u64) -> Slots<'_> {
        Slots { running, usual, long: LONG, now: at(now) }
    }

    fn new_at(running: &[Running], came: u64, now: u64) -> bool {
        slots(running, 4, now).has_room_for_new(at(came), false)
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
    fn where_downloads_are_quick_long_is_short() {
        let mut usual = Usual::default();
        usual.took(at(0));
        usual.took(at(0));
        assert_eq!(usual.long(), LONG, "two of them tell nothing");
        usual.took(at(60));
        assert_eq!(usual.long(), LEAST_LONG);
        for _ in 0..USUAL_OF {
            usual.took(Duration::from_millis(400));
        }
        assert_eq!(usual.long(), Duration::from_millis(800));
        for _ in 0..USUAL_OF {
            usual.took(at(20));
        }
        assert_eq!(usual.long(), LONG, "never longer");
        let running = [fast(9); 5];
        let quick = Slots { long: LEAST_LONG, ..slots(&running, 4, 10) };
        assert!(quick.has_room_for_new(at(10), false));
    }

    #[test]
    fn a_newcomer_waits_for_nobody_who_may_be_done_in_a_moment() {
        let newcomer = |running: &[Running]| slots(running, 4, 10).has_room_for_new(at(10), true);
        assert!(newcomer(&[fast(9); 4]), "one more than usual");
        assert!(!newcomer(&[fast(9); 5]), "not two more");
        assert!(newcomer(&[slow(1), slow(1), fast(9), fast(9), fast(9), fast(9)]));
        assert!(!slots(&[], 0, 1).has_room_for_new(at(1), true));
    }

    #[test]
    fn orders_that_never_come_leave_slots_for_newcomers() {
        let mut running = Vec::new();
        while slots(&running, 4, 9).has_room_for_new(at(0), false) {
            running.push(slow(0));
        }
        assert_eq!(running.len(), 8, "though none of them counts");
        assert!(!slots(&running, 4, 9).has_room_for_retry(false));
        while slots(&running, 4, 9).has_room_for_new(at(9), true) {
            running.push(slow(0));
        }
        assert_eq!(running.len(), most(4), "memory has an end");
    }

    #[test]
    fn orders_that_failed_before_leave_room_for_the_others() {
        let room = |running: &[Running], new_ones_wait| {
            slots(running, 4, 1).has_room_for_retry(new_ones_wait)
        };
        assert!(room(&[retry(0)], true));
        assert!(!room(&[retry(0), retry(0)], true));
        assert!(room(&[retry(0), retry(0)], false));
        assert!(!room(&[retry(0), retry(0), retry(0)], false));
        assert!(!room(&[fast(0); 4], false));
        assert!(slots(&[], 1, 1).has_room_for_retry(true), "one is not starved");
    }

    #[test]
    fn an_agent_that_may_fetch_nothing_fetches_nothing() {
        let none = slots(&[], 0, 1);
        assert!(!none.has_room_for_new(at(0), true) && !none.has_room_for_retry(false));
    }
}
