//! Which order is worked on next. Pure: `now` is an argument, and the same input gives the same
//! choice.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::ids::{LabName, OrderKey};

/// An order that waits for its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Not before this time of the monotonic clock.
    pub not_before: Duration,
    /// Its place in the line: what was seen first goes first.
    pub turn: u64,
    /// The server that did not answer, if that is what it waits for: it need not wait any longer than
    /// until that server answers again.
    pub host: Option<String>,
}

/// Whether something other than its own time keeps an order from being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nothing does.
    Free,
    /// The server is left alone until this time of the monotonic clock.
    Until(Duration),
    /// Something that no clock ends: its lab has no login, say.
    Held,
}

impl Waiting {
    fn due(&self, hold: Hold) -> Option<Duration> {
        match hold {
            Hold::Free => Some(self.not_before),
            Hold::Until(time) => Some(self.not_before.max(time)),
            Hold::Held => None,
        }
    }
}

/// Picks up to `free` orders that may be worked on now.
///
/// Labs take turns: the lab with the fewest orders in work goes first, so that one lab's hundred
/// orders do not hold up another lab's one. Within a lab the longest waiting goes first.
pub fn pick(
    waiting: &BTreeMap<OrderKey, Waiting>,
    busy: &BTreeMap<LabName, usize>,
    hold: &dyn Fn(&OrderKey) -> Hold,
    free: usize,
    now: Duration,
) -> Vec<OrderKey> {
    let mut lines: BTreeMap<&LabName, Vec<(&Waiting, &OrderKey)>> = BTreeMap::new();
    for (key, waiting) in waiting {
        if waiting.not_before <= now && waiting.due(hold(key)).is_some_and(|due| due <= now) {
            lines.entry(&key.lab).or_default().push((waiting, key));
        }
    }
    for line in lines.values_mut() {
        line.sort_by_key(|(waiting, key)| (std::cmp::Reverse(waiting.turn), *key));
    }
    let mut load: BTreeMap<&LabName, usize> =
        lines.keys().map(|lab| (*lab, busy.get(*lab).copied().unwrap_or(0))).collect();
    let mut picked = Vec::new();
    while picked.len() < free {
        let next = lines
            .iter()
            .filter(|(_, line)| !line.is_empty())
            .map(|(lab, _)| *lab)
            .min_by_key(|lab| (load.get(lab).copied().unwrap_or(0), *lab));
        let Some(lab) = next else { break };
        if let Some((_, key)) = lines.get_mut(lab).and_then(Vec::pop) {
            picked.push(key.clone());
            *load.entry(lab).or_default() += 1;
        }
    }
    picked
}

/// When the next order becomes due; `None` if none waits for the clock.
pub fn next_due(
    waiting: &BTreeMap<OrderKey, Waiting>,
    hold: &dyn Fn(&OrderKey) -> Hold,
) -> Option<Duration> {
    waiting.iter().filter_map(|(key, waiting)| waiting.due(hold(key))).min()
}

/// Whether a download may begin: beside what is to stay free and what other downloads still need,
/// there must be room for the order.
pub fn has_room(free: u64, stays_free: u64, others: u64, order: u64) -> bool {
    free >= needed(stays_free, others, order)
}

/// How many bytes must be free for a download to begin.
pub fn needed(stays_free: u64, others: u64, order: u64) -> u64 {
    stays_free.saturating_add(others).saturating_add(order)
}

/// The room that an order needs while it is fetched, in bytes: its archive and its files. `known` is
/// the size of its last revision, `typical` that of other orders.
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

    fn free(_: &OrderKey) -> Hold {
        Hold::Free
    }

    fn line(orders: &[(&str, &str, u64, u64)]) -> BTreeMap<OrderKey, Waiting> {
        orders
            .iter()
            .map(|(lab, order, secs, turn)| {
                let waiting =
                    Waiting { not_before: Duration::from_secs(*secs), turn: *turn, host: None };
                (key(lab, order), waiting)
            })
            .collect()
    }

    #[test]
    fn labs_take_turns_and_the_longest_waiting_goes_first() {
        let waiting =
            line(&[("a", "1", 0, 3), ("a", "2", 0, 1), ("a", "3", 0, 2), ("b", "9", 0, 4)]);
        let picked = pick(&waiting, &BTreeMap::new(), &free, 3, Duration::ZERO);
        assert_eq!(picked, [key("a", "2"), key("b", "9"), key("a", "3")]);
    }

    #[test]
    fn a_busy_lab_lets_the_other_go_first() {
        let waiting = line(&[("a", "1", 0, 1), ("b", "9", 0, 2)]);
        let busy = BTreeMap::from([("a".parse().expect("valid"), 3)]);
        assert_eq!(pick(&waiting, &busy, &free, 1, Duration::ZERO), [key("b", "9")]);
    }

    #[test]
    fn nothing_is_picked_before_its_time_or_from_a_held_lab() {
        let waiting = line(&[("a", "1", 10, 1), ("b", "9", 0, 2), ("c", "7", 0, 3)]);
        let held = |key: &OrderKey| match key.lab.as_str() {
            "b" => Hold::Held,
            "c" => Hold::Until(Duration::from_secs(20)),
            _ => Hold::Free,
        };
        assert_eq!(pick(&waiting, &BTreeMap::new(), &held, 9, Duration::from_secs(9)), []);
        assert_eq!(next_due(&waiting, &held), Some(Duration::from_secs(10)));
        let at_ten = pick(&waiting, &BTreeMap::new(), &held, 9, Duration::from_secs(10));
        assert_eq!(at_ten, [key("a", "1")]);
        let later = pick(&waiting, &BTreeMap::new(), &held, 9, Duration::from_secs(20));
        assert_eq!(later, [key("a", "1"), key("c", "7")]);
    }

    #[test]
    fn room_is_kept_for_what_is_under_way() {
        assert!(has_room(100, 10, 50, room_for(Some(20), 999)));
        assert!(!has_room(99, 10, 50, room_for(Some(20), 0)));
        assert!(!has_room(99, 10, 50, room_for(None, 20)));
        assert!(!has_room(u64::MAX - 1, u64::MAX, 5, 5));
    }
}
