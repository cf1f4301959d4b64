//! Which order is processed next. Pure: `now` is an argument, and the same input yields the same
//! choice.

use std::collections::BTreeMap;
use std::time::Duration;

use casedrop_model::ids::{LabName, OrderKey};

/// An order that failed before and has been due for this long goes first, once.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An order waiting for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Earliest start, on the monotonic clock.
    pub not_before: Duration,
    /// Position in the queue: first seen, first served.
    pub turn: u64,
    /// When it entered the queue.
    pub came: Duration,
    /// Whether nothing has failed since there was something to fetch.
    pub is_new: bool,
    /// The server its last attempt failed on, if any.
    pub host: Option<String>,
}

/// Whether something other than its own wait keeps an order from being processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nothing does.
    Free,
    /// It would test whether a server answers again; it has done so this many times.
    Trial(u32),
    /// The server is left alone until this time on the monotonic clock.
    Until(Duration),
    /// Something that no clock ends, such as a missing login of its lab.
    Held,
}

impl Hold {
    /// Combines two holds: the stronger one counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Held, _) | (_, Self::Held) => Self::Held,
            (Self::Until(one), Self::Until(other)) => Self::Until(one.max(other)),
            (Self::Until(time), _) | (_, Self::Until(time)) => Self::Until(time),
            (Self::Trial(one), Self::Trial(other)) => Self::Trial(one.max(other)),
            (Self::Trial(tries), _) | (_, Self::Trial(tries)) => Self::Trial(tries),
            (Self::Free, Self::Free) => Self::Free,
        }
    }
}

impl Waiting {
    /// When it may be processed, if that is only a matter of time.
    pub fn due(&self, hold: Hold) -> Option<Duration> {
        match hold {
            Hold::Free | Hold::Trial(_) => Some(self.not_before),
            Hold::Until(time) => Some(self.not_before.max(time)),
            Hold::Held => None,
        }
    }

    /// Its rank among its lab's due orders, smallest first.
    fn rank(&self, hold: Hold, now: Duration, had_a_retry: bool) -> (u8, u32, u64) {
        let newest_first = u64::MAX - self.turn;
        let is_overdue = !self.is_new && now >= self.not_before + PATIENCE;
        match hold {
            // Only one of many tests whether a server answers again: those tried least go first, so
            // that none is left out, and among them those that never failed.
            Hold::Trial(tries) => {
                (2, tries.saturating_mul(2) + u32::from(!self.is_new), newest_first)
            }
            _ if is_overdue && !had_a_retry => (0, 0, newest_first),
            _ if self.is_new => (1, 0, self.turn),
            _ => (3, 0, self.turn),
        }
    }
}

/// What decides who goes next, apart from the queue itself.
pub struct Circumstances<'a> {
    /// How many orders of each lab are being processed.
    pub busy: &'a BTreeMap<LabName, usize>,
    /// What keeps an order from being processed.
    pub hold: &'a dyn Fn(&OrderKey, &Waiting) -> Hold,
    /// Whether there is a slot for it.
    pub has_room: &'a dyn Fn(&OrderKey, &Waiting) -> bool,
    /// Whether an order that failed before is being processed, or was started recently.
    pub had_a_retry: bool,
}

/// Returns the order to process next, if one may start now.
///
/// Orders never tried go before those that failed, longest waiting first; but the failed ones are
/// not forgotten. Labs take turns: the lab with the fewest orders in progress goes first, so that
/// one lab's hundred orders do not hold up another lab's single one. Of the orders that would test
/// whether a server answers again, the newest goes first.
pub fn pick(
    waiting: &BTreeMap<OrderKey, Waiting>,
    circumstances: &Circumstances<'_>,
    now: Duration,
) -> Option<OrderKey> {
    let Circumstances { busy, hold, has_room, had_a_retry } = circumstances;
    let candidates = waiting.iter().filter_map(|(key, waiting)| {
        if waiting.not_before > now || !has_room(key, waiting) {
            return None;
        }
        let hold = hold(key, waiting);
        waiting.due(hold).filter(|due| *due <= now)?;
        let rank = waiting.rank(hold, now, *had_a_retry);
        let load = busy.get(&key.lab).copied().unwrap_or(0);
        Some(((rank.0, load, &key.lab, rank.1, rank.2, key), key))
    });
    candidates.min_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, key)| key.clone())
}

/// When the next order is due; `None` if none waits for the clock.
pub fn next_due(
    waiting: &BTreeMap<OrderKey, Waiting>,
    hold: &dyn Fn(&OrderKey, &Waiting) -> Hold,
    counts: &dyn Fn(&OrderKey, &Waiting) -> bool,
) -> Option<Duration> {
    let waiting = waiting.iter().filter(|(key, waiting)| counts(key, waiting));
    waiting.filter_map(|(key, waiting)| waiting.due(hold(key, waiting))).min()
}

/// Whether a download may start: there must be room for the order on top of what must stay free and
/// what other downloads still need.
pub fn has_room(free: u64, stays_free: u64, others: u64, order: u64) -> bool {
    free >= needed(stays_free, others, order)
}

/// How many bytes must be free for a download to begin.
pub fn needed(stays_free: u64, others: u64, order: u64) -> u64 {
    stays_free.saturating_add(others).saturating_add(order)
}

/// The bytes an order needs while it is fetched, for its archive and its files. `known` is the size
/// of its last revision, `typical` that of other orders.
pub fn room_for(known: Option<u64>, typical: u64) -> u64 {
    known.unwrap_or(typical).saturating_mul(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(lab: &str, order: &str) -> OrderKey {
        OrderKey {
            lab: lab.parse().expect("valid"),
            account: "1".parse().expect("valid"),
            order: order.parse().expect("valid"),
        }
    }

    fn free(_: &OrderKey, _: &Waiting) -> Hold {
        Hold::Free
    }

    fn line(orders: &[(&str, &str, u64, u64)]) -> BTreeMap<OrderKey, Waiting> {
        orders
            .iter()
            .map(|(lab, order, secs, turn)| {
                let waiting = Waiting {
                    not_before: Duration::from_secs(*secs),
                    turn: *turn,
                    came: Duration::ZERO,
                    is_new: true,
                    host: None,
                };
                (key(lab, order), waiting)
            })
            .collect()
    }

    /// The orders picked in sequence, if none finishes in between.
    fn picked(
        mut waiting: BTreeMap<OrderKey, Waiting>,
        mut busy: BTreeMap<LabName, usize>,
        hold: &dyn Fn(&OrderKey, &Waiting) -> Hold,
        now: u64,
    ) -> Vec<OrderKey> {
        let mut all = Vec::new();
        loop {
            let circumstances =
                Circumstances { busy: &busy, hold, has_room: &|_, _| true, had_a_retry: false };
            let Some(key) = pick(&waiting, &circumstances, Duration::from_secs(now)) else {
                return all;
            };
            waiting.remove(&key);
            *busy.entry(key.lab.clone()).or_default() += 1;
            all.push(key);
        }
    }

    #[test]
    fn labs_take_turns_and_the_longest_waiting_goes_first() {
        let waiting =
            line(&[("a", "1", 0, 3), ("a", "2", 0, 1), ("a", "3", 0, 2), ("b", "9", 0, 4)]);
        let picked = picked(waiting, BTreeMap::new(), &free, 0);
        assert_eq!(picked, [key("a", "2"), key("b", "9"), key("a", "3"), key("a", "1")]);
    }

    #[test]
    fn a_busy_lab_lets_the_other_go_first() {
        let waiting = line(&[("a", "1", 0, 1), ("b", "9", 0, 2)]);
        let busy = BTreeMap::from([("a".parse().expect("valid"), 3)]);
        assert_eq!(picked(waiting, busy, &free, 0)[0], key("b", "9"));
    }

    #[test]
    fn what_was_never_tried_goes_before_what_failed_and_what_failed_is_not_forgotten() {
        let mut waiting = line(&[("a", "1", 0, 1), ("a", "2", 0, 2), ("b", "3", 0, 3)]);
        waiting.get_mut(&key("a", "1")).expect("there").is_new = false;
        let early = picked(waiting.clone(), BTreeMap::new(), &free, 1);
        assert_eq!(early, [key("a", "2"), key("b", "3"), key("a", "1")]);
        let late = picked(waiting, BTreeMap::new(), &free, 31);
        assert_eq!(late[0], key("a", "1"), "it was due for half a minute");
    }

    #[test]
    fn the_newest_finds_out_whether_a_server_answers_again() {
        let waiting = line(&[("a", "1", 0, 1), ("a", "2", 0, 2), ("a", "3", 0, 3)]);
        let trial = |key: &OrderKey, _: &Waiting| Hold::Trial(u32::from(key.order.as_str() == "3"));
        let picked = picked(waiting, BTreeMap::new(), &trial, 1);
        assert_eq!(picked, [key("a", "2"), key("a", "1"), key("a", "3")], "and they take turns");
    }

    #[test]
    fn retries_that_are_overdue_leave_a_new_order_its_turn_to_try_a_server() {
        let mut waiting = line(&[("a", "1", 0, 1), ("a", "2", 0, 2), ("a", "3", 0, 3)]);
        for (key, one) in &mut waiting {
            one.is_new = key.order.as_str() == "1";
        }
        let trial = |_: &OrderKey, _: &Waiting| Hold::Trial(7);
        let long_after = PATIENCE.as_secs() + 1;
        let first = picked(waiting, BTreeMap::new(), &trial, long_after).remove(0);
        assert_eq!(first, key("a", "1"));
    }

    #[test]
    fn nothing_is_picked_before_its_time_or_from_a_held_lab() {
        let waiting = line(&[("a", "1", 10, 1), ("b", "9", 0, 2), ("c", "7", 0, 3)]);
        let held = |key: &OrderKey, _: &Waiting| match key.lab.as_str() {
            "b" => Hold::Held,
            "c" => Hold::Until(Duration::from_secs(20)),
            _ => Hold::Free,
        };
        let picked = |now| picked(waiting.clone(), BTreeMap::new(), &held, now);
        assert_eq!(picked(9), []);
        assert_eq!(next_due(&waiting, &held, &|_, _| true), Some(Duration::from_secs(10)));
        assert_eq!(picked(10), [key("a", "1")]);
        assert_eq!(picked(20), [key("a", "1"), key("c", "7")]);
    }

    #[test]
    fn room_is_kept_for_what_is_under_way() {
        assert!(has_room(100, 10, 50, room_for(Some(20), 999)));
        assert!(!has_room(99, 10, 50, room_for(Some(20), 0)));
        assert!(!has_room(99, 10, 50, room_for(None, 20)));
        assert!(!has_room(u64::MAX - 1, u64::MAX, 5, 5));
    }
}
