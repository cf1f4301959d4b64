//! The timing of notices: where to start, how much per message, and when to retry.

use std::time::Duration;

use crate::model::time::{WallMs, remaining};

/// The longest wait between two attempts, unless the receiver asks for more.
pub const LONGEST: Duration = Duration::from_hours(1);
/// Maximum events per message.
pub const MOST_EVENTS: usize = 100;
/// In bytes. A message is closed once it is this long.
pub const MOST_BYTES: usize = 512 * 1024;
/// The waits after failed hook runs for one order. After the last one, the agent gives up.
const HOOK_WAITS: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
];

/// Returns the journal line after which to report, given the last one reported. A new receiver gets
/// nothing from the past, and no receiver gets everything again if the numbering restarts.
pub fn begin(kept: Option<i64>, newest: i64) -> i64 {
    kept.filter(|kept| *kept <= newest).unwrap_or(newest)
}

/// Returns how long the oldest event still waits for others to share its message.
pub fn window(oldest: WallMs, batch: Duration, waiting: usize, now: WallMs) -> Duration {
    if waiting >= MOST_EVENTS { Duration::ZERO } else { remaining(oldest, batch, now) }
}

/// Returns how many events of these lengths in bytes fit into one message: at least one.
pub fn fitting(lengths: impl IntoIterator<Item = usize>) -> usize {
    let mut sum = 0;
    let mut count = 0;
    for length in lengths.into_iter().take(MOST_EVENTS) {
        if count > 0 && sum + length > MOST_BYTES {
            break;
        }
        sum += length;
        count += 1;
    }
    count
}

/// Returns the wait after that many consecutive failures: it doubles each time.
pub fn growing(first: Duration, failures: u32) -> Duration {
    let factor = 1_u32 << failures.saturating_sub(1).min(20);
    first.saturating_mul(factor).min(LONGEST)
}

/// Returns the wait after that many failed hook runs for one order; `None`: give up.
pub fn hook_wait(failures: u32) -> Option<Duration> {
    let index = usize::try_from(failures.saturating_sub(1)).ok()?;
    HOOK_WAITS.get(index).copied()
}

/// The outcome of sending a message to a web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It was accepted.
    Delivered,
    /// The endpoint is gone permanently (410).
    Gone,
    /// It was refused in a way that only a person can fix.
    Refused(String),
    /// It was not accepted this time; and how long the receiver asks us to wait.
    NotNow(String, Option<Duration>),
}

/// Returns how long to wait after a message to a web server: zero if it was delivered; `None`:
/// forever.
pub fn web_wait(sent: &Sent, failures: u32) -> Option<Duration> {
    match sent {
        Sent::Delivered => Some(Duration::ZERO),
        Sent::Gone => None,
        Sent::Refused(_) => Some(growing(Duration::from_mins(1), failures)),
        Sent::NotNow(_, wanted) => {
            Some(growing(Duration::from_secs(1), failures).max(wanted.unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_told_to_nobody_and_nothing_is_left_out() {
        assert_eq!(begin(None, 70), 70, "told for the first time");
        assert_eq!(begin(Some(50), 70), 50, "twenty lines wait");
        assert_eq!(begin(Some(70), 70), 70);
        assert_eq!(begin(Some(71), 5), 5, "the journal was made anew");
        assert_eq!(begin(None, 0), 0);
    }

    #[test]
    fn events_wait_for_company_but_not_for_ever() {
        let batch = Duration::from_secs(10);
        let at = |s: i64| WallMs(s * 1000);
        assert_eq!(window(at(100), batch, 1, at(103)), Duration::from_secs(7));
        assert_eq!(window(at(100), batch, 1, at(110)), Duration::ZERO);
        assert_eq!(window(at(100), batch, 1, at(5)), batch, "the clock stepped back");
        assert_eq!(window(at(100), batch, MOST_EVENTS, at(100)), Duration::ZERO);
    }

    #[test]
    fn a_message_has_a_limit_and_is_never_empty() {
        assert_eq!(fitting([1, 2, 3]), 3);
        assert_eq!(fitting([MOST_BYTES * 9, 1]), 1);
        assert_eq!(fitting([MOST_BYTES - 1, 1, 1]), 2);
        assert_eq!(fitting(std::iter::repeat_n(1, 1000)), MOST_EVENTS);
        assert_eq!(fitting([]), 0);
    }

    #[test]
    fn waits_grow_up_to_an_hour() {
        let second = Duration::from_secs(1);
        let waits: Vec<_> = (1..=4).map(|n| growing(second, n).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8]);
        assert_eq!(growing(second, u32::MAX), LONGEST);
        assert_eq!(growing(second, 0), second);
    }

    #[test]
    fn a_hook_is_run_five_times_for_one_order() {
        let waits: Vec<_> = (1..).map_while(hook_wait).collect();
        assert_eq!(waits.len() + 1, 5);
        assert!(waits.is_sorted());
    }

    #[test]
    fn a_receiver_that_asks_for_rest_has_it_and_one_that_is_gone_is_left_alone() {
        let not_now =
            |wait: Option<u64>| Sent::NotNow(String::new(), wait.map(Duration::from_secs));
        assert_eq!(web_wait(&not_now(Some(7200)), 1), Some(Duration::from_hours(2)));
        assert_eq!(web_wait(&not_now(Some(0)), 3), Some(Duration::from_secs(4)));
        assert_eq!(web_wait(&not_now(None), 99), Some(LONGEST));
        assert_eq!(web_wait(&Sent::Gone, 1), None);
        let refused = web_wait(&Sent::Refused(String::new()), 1).expect("tried again");
        assert!(refused > web_wait(&not_now(None), 1).expect("tried again"));
        assert_eq!(web_wait(&Sent::Delivered, 0), Some(Duration::ZERO));
    }
}
