//! Time as an argument: no decision code reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Wall time in milliseconds since 1970. For display, and for what must survive a restart.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct WallMs(pub i64);

impl WallMs {
    /// Formats as RFC 3339 in UTC, to the second.
    pub fn to_rfc3339(self) -> String {
        let seconds = Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH);
        seconds.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Parses a time as written by [`to_rfc3339`](Self::to_rfc3339); `None` if it is not a time.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(|at| Self(at.as_millisecond()))
    }

    #[must_use]
    pub fn plus(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(millis(wait)))
    }

    /// How long until this time, seen from `now`; zero if it has passed.
    pub fn after(self, now: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(now.0)).unwrap_or(0))
    }
}

impl From<SystemTime> for WallMs {
    fn from(time: SystemTime) -> Self {
        Self(time.duration_since(UNIX_EPOCH).map_or(0, millis))
    }
}

/// One instant on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The PC's clock; it may step in both directions.
    pub wall: WallMs,
    /// Time since the computer started, including sleep. All processes share it, and it never goes
    /// back until the computer restarts.
    pub mono: Duration,
}

/// An instant that can be stored across restarts of the process and of the computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// What the PC's clock said.
    pub wall: WallMs,
    /// How long the computer had been running.
    pub up: Duration,
}

/// A long weekend: see [`Kept::counted`].
pub const OFF_MAX: Duration = Duration::from_hours(3 * 24);

impl From<Now> for Kept {
    fn from(now: Now) -> Self {
        Self { wall: now.wall, up: now.mono }
    }
}

impl Kept {
    /// The minimum time that has passed since then: neither a clock change nor a restart of the
    /// computer can make it more than it was.
    pub fn elapsed(self, now: Now) -> Duration {
        // After a restart of the computer, at least its whole uptime has passed; if its uptime now
        // exceeds the stored one, the difference is less than that.
        let by_uptime = now.mono.checked_sub(self.up).unwrap_or(now.mono);
        by_uptime.min(now.wall.after(self.wall))
    }

    /// How much of the time since then counts towards the age of things removed by age. A clock
    /// change cannot make it more than it was: while the computer runs, its uptime counts. How long
    /// it was off is known from the PC's clock alone, which is trusted for up to [`OFF_MAX`] each
    /// time.
    pub fn counted(self, now: Now) -> Duration {
        let by_clock = now.wall.after(self.wall);
        match now.mono.checked_sub(self.up) {
            Some(running) => running.min(by_clock),
            None => by_clock.min(now.mono + OFF_MAX),
        }
    }

    /// The maximum time that an interval begun then still has to run.
    pub fn remaining(self, interval: Duration, now: Now) -> Duration {
        interval.saturating_sub(self.elapsed(now))
    }
}

pub fn millis(wait: Duration) -> i64 {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
}

/// How long an interval that began at the persisted time `began` still has to run. If the clock
/// steps back, the wait never exceeds the interval; if it steps forward, the wait ends early at
/// most once.
pub fn remaining(began: WallMs, interval: Duration, now: WallMs) -> Duration {
    if began > now { interval } else { began.plus(interval).after(now) }
}

/// Formats a duration for people.
pub fn in_words(wait: Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
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
    fn what_was_kept_never_seems_older_than_it_is() {
        let kept = Kept { wall: WallMs(1_000_000), up: Duration::from_secs(500) };
        let elapsed = |wall: i64, up: u64| {
            let now = Now { wall: WallMs(wall), mono: Duration::from_secs(up) };
            kept.elapsed(now).as_secs()
        };
        assert_eq!(elapsed(1_030_000, 530), 30);
        assert_eq!(elapsed(9_999_000, 530), 30, "the clock was set forward");
        assert_eq!(elapsed(5_000, 530), 0, "the clock was set back");
        assert_eq!(elapsed(1_060_000, 20), 20, "the computer was started anew");
        assert_eq!(elapsed(1_030_000, 9_000), 30, "the journal comes from another computer");
        let now = Now { wall: WallMs(1_030_000), mono: Duration::from_secs(530) };
        assert_eq!(kept.remaining(Duration::from_secs(120), now), Duration::from_secs(90));
    }

    #[test]
    fn only_time_that_surely_passed_counts_towards_an_age() {
        const HOUR: i64 = 3600;
        let kept = Kept { wall: WallMs(1_000_000), up: Duration::from_secs(7200) };
        let counted = |hours: i64, up: u64| {
            let wall = WallMs(1_000_000 + hours * HOUR * 1000);
            kept.counted(Now { wall, mono: Duration::from_secs(up) }).as_secs() / 3600
        };
        assert_eq!(counted(1, 7200 + 3600), 1);
        assert_eq!(counted(9000, 7200 + 3600), 1, "the clock was set forward");
        assert_eq!(counted(-9000, 7200 + 3600), 0, "the clock was set back");
        assert_eq!(counted(60, 60), 60, "the computer was off for a weekend");
        assert_eq!(counted(9000, 3600), 73, "off, and nobody knows for how long");
        assert_eq!(counted(-1, 60), 0, "off, and set back");
    }

    #[test]
    fn wall_time_is_shown_in_utc() {
        assert_eq!(WallMs(0).to_rfc3339(), "1970-01-01T00:00:00Z");
        let at = WallMs(1_780_315_200_000);
        assert_eq!(WallMs::from_rfc3339(&at.to_rfc3339()), Some(at));
        assert_eq!(WallMs::from_rfc3339("now"), None);
    }
}
