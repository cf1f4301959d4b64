//! The speed of a download. Pure: `now` is an argument.

use std::collections::VecDeque;
use std::time::Duration;

/// A download below the minimum rate for this long counts as slow.
const MOMENT: Duration = Duration::from_secs(3);
/// A download below the minimum rate for this long may be aborted.
pub const LASTING: Duration = Duration::from_secs(60);

/// What a running download has received so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// Bytes, over all of its parts.
    pub bytes: u64,
    /// Bytes still to come of its current part, if the server said.
    pub left: Option<u64>,
    /// Whether more is expected from the server. If not, the download is being checked and
    /// unpacked.
    pub is_coming: bool,
}

/// The pace of one download.
#[derive(Debug, Clone)]
pub struct Pace {
    /// Bytes received by a given time, oldest first; starts with the beginning of the download.
    seen: VecDeque<(Duration, u64)>,
    is_coming: bool,
    left: Option<u64>,
}

impl Pace {
    /// Starts measuring a download.
    pub fn new(now: Duration) -> Self {
        Self { seen: VecDeque::from([(now, 0)]), is_coming: true, left: None }
    }

    /// Records what has been received so far.
    pub fn see(&mut self, now: Duration, arrived: Arrived) {
        if arrived.is_coming && !self.is_coming {
            // The time in between was spent on this PC.
            self.seen.clear();
        }
        self.is_coming = arrived.is_coming;
        self.left = arrived.left;
        let is_due = self.seen.back().is_none_or(|(at, _)| now >= *at + Duration::from_millis(500));
        if is_due {
            self.seen.push_back((now, arrived.bytes));
        }
        // Keeps one entry old enough to measure from.
        while self.seen.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= LASTING) {
            self.seen.pop_front();
        }
    }

    /// Records that no byte has arrived yet: the server has not answered.
    pub fn waits(&mut self, now: Duration) {
        let bytes = self.seen.back().map_or(0, |(_, bytes)| *bytes);
        self.see(now, Arrived { bytes, left: None, is_coming: true });
    }

    /// Whether it has been slower than `least` bytes per second for 3 s.
    pub fn is_slow(&self, now: Duration, least: u64) -> bool {
        self.was_below(now, least, MOMENT)
    }

    /// Whether it has been slower than `least` bytes per second for 60 s.
    pub fn is_too_slow(&self, now: Duration, least: u64) -> bool {
        self.was_below(now, least, LASTING)
    }

    /// Returns the bytes per second over the recorded time.
    pub fn rate(&self, now: Duration) -> u64 {
        let Some(((from, first), (_, last))) = self.seen.front().zip(self.seen.back()) else {
            return 0;
        };
        per_second(last.saturating_sub(*first), now.saturating_sub(*from))
    }

    /// Whether a byte has arrived. If not, the server may still be generating the files.
    pub fn has_begun(&self) -> bool {
        self.seen.back().is_some_and(|(_, bytes)| *bytes > 0)
    }

    /// Returns how much is still to come; assumes the maximum if unknown.
    pub fn left(&self) -> u64 {
        self.left.unwrap_or(u64::MAX)
    }

    /// Whether more is expected from the server.
    pub fn is_coming(&self) -> bool {
        self.is_coming
    }

    fn was_below(&self, now: Duration, least: u64, time: Duration) -> bool {
        let from = self.seen.iter().rev().find(|(at, _)| now.saturating_sub(*at) >= time);
        let Some((from, first)) = from.filter(|_| self.is_coming) else { return false };
        let last = self.seen.back().map_or(*first, |(_, bytes)| *bytes);
        per_second(last.saturating_sub(*first), now.saturating_sub(*from)) < least
    }
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(1000) / millis
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn coming(bytes: u64) -> Arrived {
        Arrived { bytes, left: None, is_coming: true }
    }

    #[test]
    fn a_download_that_trickles_is_slow_after_a_moment_and_too_slow_after_a_minute() {
        let mut pace = Pace::new(at(0));
        for second in 1..=60 {
            pace.see(at(second), coming(second));
            assert_eq!(pace.is_slow(at(second), 8192), second >= 3, "after {second} s");
            assert_eq!(pace.is_too_slow(at(second), 8192), second >= 60, "after {second} s");
        }
        assert_eq!(pace.rate(at(60)), 1);
        assert!(!pace.is_too_slow(at(60), 0), "nothing is demanded");
    }

    #[test]
    fn what_comes_fast_enough_or_lies_here_already_is_never_slow() {
        let mut pace = Pace::new(at(0));
        for second in 1..=200 {
            pace.see(at(second), coming(second * 9000));
            assert!(!pace.is_slow(at(second), 8192));
        }
        for second in 201..=400 {
            pace.see(at(second), Arrived { is_coming: false, ..coming(1_800_000) });
            assert!(!pace.is_slow(at(second), 8192), "it is being unpacked");
        }
        pace.see(at(401), coming(1_800_000));
        assert!(!pace.is_slow(at(402), 8192), "the next part only begins");
        assert!(pace.seen.len() < 200, "{} are remembered", pace.seen.len());
    }

    #[test]
    fn a_pause_in_a_fast_download_is_seen_at_once_and_forgiven() {
        let mut pace = Pace::new(at(0));
        pace.see(at(1), coming(50_000_000));
        for second in 2..=5 {
            pace.see(at(second), coming(50_000_000));
        }
        assert!(pace.is_slow(at(5), 8192));
        assert!(!pace.is_too_slow(at(5), 8192));
        pace.see(at(6), coming(90_000_000));
        assert!(!pace.is_slow(at(6), 8192));
    }
}
