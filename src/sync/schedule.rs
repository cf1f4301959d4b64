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
}

/// Picks up to `free` orders that may be worked on now.
///
/// Labs take turns: the lab with the fewest orders in work goes first, so that one lab's hundred
/// orders do not hold up another lab's one. Within a lab the longest waiting goes first. Orders in
/// `held` (their lab has no login, say) are passed over.
pub fn pick(
    waiting: &BTreeMap<OrderKey, Waiting>,
    busy: &BTreeMap<LabName, usize>,
    held: &dyn Fn(&OrderKey) -> bool,
    free: usize,
    now: Duration,
) -> Vec<OrderKey> {
    let mut lines: BTreeMap<&LabName, Vec<(&Waiting, &OrderKey)>> = BTreeMap::new();
    for (key, waiting) in waiting {
        if waiting.not_before <= now && !held(key) {
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
    held: &dyn Fn(&OrderKey) -> bool,
) -> Option<Duration> {
    waiting.iter().filter(|(key, _)| !held(key)).map(|(_, waiting)| waiting.not_before).min()
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

    fn line(orders: &[(&str, &str, u64, u64)]) -> BTreeMap<OrderKey, Waiting> {
        orders
            .iter()
            .map(|(lab, order, secs, turn)| {
                let waiting = Waiting { not_before: Duration::from_secs(*secs), turn: *turn };
                (key(lab, order), waiting)
            })
            .collect()
    }

    #[test]
    fn labs_take_turns_and_the_longest_waiting_goes_first() {
        let waiting =
            line(&[("a", "1", 0, 3), ("a", "2", 0, 1), ("a", "3", 0, 2), ("b", "9", 0, 4)]);
        let picked = pick(&waiting, &BTreeMap::new(), &|_| false, 3, Duration::ZERO);
        assert_eq!(picked, [key("a", "2"), key("b", "9"), key("a", "3")]);
    }

    #[test]
    fn a_busy_lab_lets_the_other_go_first() {
        let waiting = line(&[("a", "1", 0, 1), ("b", "9", 0, 2)]);
        let busy = BTreeMap::from([("a".parse().expect("valid"), 3)]);
        assert_eq!(pick(&waiting, &busy, &|_| false, 1, Duration::ZERO), [key("b", "9")]);
    }

    #[test]
    fn nothing_is_picked_before_its_time_or_from_a_held_lab() {
        let waiting = line(&[("a", "1", 10, 1), ("b", "9", 0, 2)]);
        let held = |key: &OrderKey| key.lab.as_str() == "b";
        assert_eq!(pick(&waiting, &BTreeMap::new(), &held, 9, Duration::from_secs(9)), []);
        assert_eq!(next_due(&waiting, &held), Some(Duration::from_secs(10)));
        let at_ten = pick(&waiting, &BTreeMap::new(), &held, 9, Duration::from_secs(10));
        assert_eq!(at_ten, [key("a", "1")]);
    }
}
