//! Time as an argument: nothing that decides asks a clock.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Wall time in milliseconds since 1970. For display, and for what must survive a restart.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WallMs(pub i64);

impl WallMs {
    /// RFC 3339 in UTC, to the second.
    pub fn to_rfc3339(self) -> String {
        let seconds = Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH);
        seconds.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// This time and a duration more.
    #[must_use]
    pub fn plus(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(millis(wait)))
    }

    /// How long until then, seen from `now`; zero if it is past.
    pub fn after(self, now: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(now.0)).unwrap_or(0))
    }
}

/// One instant, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// What the PC's clock says; it may step in both directions.
    pub wall: WallMs,
    /// Time since some fixed instant of this process; it never goes back.
    pub mono: Duration,
}

/// A duration in whole milliseconds.
pub fn millis(wait: Duration) -> i64 {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
}

/// How long an interval that began at the persisted time `began` still has to run. A clock that
/// stepped back cannot make the wait longer than the interval, one that stepped forward can end it
/// early at most once.
pub fn remaining(began: WallMs, interval: Duration, now: WallMs) -> Duration {
    if began > now { interval } else { began.plus(interval).after(now) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_survives_restarts_and_clock_steps() {
        let interval = Duration::from_secs(120);
        let at = |s: i64| WallMs(s * 1000);
        assert_eq!(remaining(at(1000), interval, at(1030)), Duration::from_secs(90));
        assert_eq!(remaining(at(1000), interval, at(2000)), Duration::ZERO);
        assert_eq!(remaining(at(1000), interval, at(10)), interval, "the clock stepped back");
    }

    #[test]
    fn wall_time_is_shown_in_utc() {
        assert_eq!(WallMs(0).to_rfc3339(), "1970-01-01T00:00:00Z");
    }
}
