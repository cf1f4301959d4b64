//! When to check for releases automatically: once a day, within the configured window, and not on
//! all PCs at the same moment. Pure.

use std::time::Duration;

use super::Pace;
use crate::config::Window;
use crate::model::time::WallMs;

/// The schedule of one agent.
#[derive(Debug, Clone)]
pub struct Daily {
    pace: Pace,
    next: WallMs,
    was_open: bool,
}

impl Daily {
    /// Starts the schedule of an agent. `chance` is between 0 and 1 and differs from PC to PC.
    pub fn new(pace: Pace, now: WallMs, chance: f64) -> Self {
        Self { pace, next: now.plus(part(pace.first, chance)), was_open: false }
    }

    /// Whether it is time to check. `minute` is the minute of the day in local time.
    pub fn is_due(
        &mut self,
        now: WallMs,
        window: Option<Window>,
        minute: u16,
        chance: f64,
    ) -> bool {
        let Pace { first, every, .. } = self.pace;
        if self.next.after(now) > every * 2 {
            // The clock was set back.
            self.next = now.plus(part(first, chance));
        }
        if !is_open(window, minute) {
            self.was_open = false;
            return false;
        }
        if !std::mem::replace(&mut self.was_open, true)
            && let Some(window) = window
        {
            let half = Duration::from_secs(u64::from(window.minutes()) * 30);
            self.next = self.next.max(now.plus(part(first.min(half), chance)));
        }
        if now < self.next {
            return false;
        }
        // With a window, its next opening decides.
        let wait =
            if window.is_some() { every / 2 } else { every * 7 / 8 + part(every / 4, chance) };
        self.next = now.plus(wait);
        true
    }
}

/// Whether updates may be installed automatically at that minute of the day.
pub fn is_open(window: Option<Window>, minute: u16) -> bool {
    window.is_none_or(|window| window.contains(minute))
}

fn part(whole: Duration, chance: f64) -> Duration {
    whole.mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The minutes at which it checks during that many days, counted from midnight of the first
    /// day.
    fn looks(window: Option<&str>, chance: f64, started: i64, days: i64) -> Vec<i64> {
        let window = window.map(|text| text.parse().expect("a window"));
        let at = |minute: i64| WallMs(minute * 60_000);
        let mut daily = Daily::new(Pace::default(), at(started), chance);
        let day = |minute: i64| u16::try_from(minute % 1440).expect("a minute");
        (started..days * 1440)
            .filter(|minute| daily.is_due(at(*minute), window, day(*minute), chance))
            .collect()
    }

    #[test]
    fn it_looks_once_a_day_at_any_time_or_in_its_window() {
        let any = looks(None, 0.5, 600, 8);
        assert_eq!(any[0], 615);
        assert!((7..=8).contains(&any.len()), "{any:?}");
        let night = looks(Some("02:00-05:00"), 0.5, 600, 8);
        let expected: Vec<_> = (1..8).map(|day| day * 1440 + 135).collect();
        assert_eq!(night, expected, "a quarter of an hour after each opening");
        assert_eq!(looks(Some("02:00-05:00"), 0.0, 200, 1), [200], "started within it");
        assert_eq!(looks(Some("02:00-02:10"), 1.0, 0, 2), [125, 1565], "in its first half");
    }

    #[test]
    fn a_clock_that_is_set_back_delays_it_by_no_more_than_usual() {
        let mut daily = Daily::new(Pace::default(), WallMs(1_000_000_000_000), 1.0);
        assert!(!daily.is_due(WallMs(0), None, 0, 1.0));
        assert!(daily.is_due(WallMs(31 * 60_000), None, 31, 1.0));
    }
}
