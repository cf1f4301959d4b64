//! A lab's working hours, and how much working time passed between two instants. Pure.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;

use super::time::WallMs;

/// Time further back than this is not counted.
const FAR_BACK: Duration = Duration::from_hours(400 * 24);
/// Minutes per day.
const DAY: u16 = 24 * 60;
/// Names of the days, from Monday.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// When a lab works, in local time: `Mon-Fri 08:00-18:00, Sat 09:00-13:00`. A shift may span
/// midnight; it belongs to the day on which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkingHours(Vec<Shift>);

/// The same hours on some days of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shift {
    /// The first day; 0 is Monday.
    first: usize,
    /// The last day; if before the first, the range wraps past Sunday.
    last: usize,
    /// The first minute, counted from midnight.
    from: u16,
    /// The minute after the last; if not after the first, the shift spans midnight.
    to: u16,
}

impl WorkingHours {
    /// Returns the working time between two instants in a time zone: the time that really passes,
    /// even on days when the clocks change. Zero if `until` is not after `since`; time more than
    /// 400 days before `until` is not counted.
    pub fn between(&self, since: WallMs, until: WallMs, zone: &TimeZone) -> Duration {
        let since = since.max(WallMs(until.0.saturating_sub(super::time::millis(FAR_BACK))));
        let (Ok(since), Ok(until)) =
            (Timestamp::from_millisecond(since.0), Timestamp::from_millisecond(until.0))
        else {
            return Duration::ZERO;
        };
        let mut parts = self.parts(since, until, zone);
        // When clocks go forward, a later local time need not be a later instant.
        parts.sort_unstable();
        let mut counted = since;
        let mut sum = Duration::ZERO;
        for (from, to) in parts {
            let (from, to) = (from.max(counted), to.min(until));
            if to > from {
                sum += Duration::try_from(to.duration_since(from)).unwrap_or_default();
                counted = to;
            }
        }
        sum
    }

    /// Returns every shift on the days from the first instant to the second, unmerged.
    fn parts(
        &self,
        since: Timestamp,
        until: Timestamp,
        zone: &TimeZone,
    ) -> Vec<(Timestamp, Timestamp)> {
        let mut parts = Vec::new();
        // Yesterday's shift may continue today.
        let mut next = zone.to_datetime(since).date().yesterday().ok();
        let last = zone.to_datetime(until).date();
        while let Some(date) = next.filter(|date| *date <= last) {
            let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
            for shift in self.0.iter().filter(|shift| shift.is_on(day)) {
                let ends = if shift.to > shift.from { Some(date) } else { date.tomorrow().ok() };
                let from = instant(date, shift.from, zone);
                let to = ends.and_then(|date| instant(date, shift.to, zone));
                parts.extend(from.zip(to));
            }
            next = date.tomorrow().ok();
        }
        parts
    }
}

impl Default for WorkingHours {
    /// Monday to Friday, 8:00 to 18:00.
    fn default() -> Self {
        Self(vec![Shift { first: 0, last: 4, from: 8 * 60, to: 18 * 60 }])
    }
}

impl Shift {
    fn is_on(&self, day: usize) -> bool {
        if self.first <= self.last {
            (self.first..=self.last).contains(&day)
        } else {
            day >= self.first || day <= self.last
        }
    }
}

/// The instant at which local time shows that minute of that day. A time skipped by a clock change
/// is taken as the same time after the change, a repeated one as its first occurrence.
fn instant(date: Date, minute: u16, zone: &TimeZone) -> Option<Timestamp> {
    let (date, minute) = if minute == DAY { (date.tomorrow().ok()?, 0) } else { (date, minute) };
    let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
    let time = Time::new(hour, minute, 0, 0).ok()?;
    zone.to_timestamp(time.to_datetime(date)).ok()
}

impl FromStr for WorkingHours {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.split(',').map(shift).collect::<Result<_, ()>>().map(Self)
    }
}

fn shift(text: &str) -> Result<Shift, ()> {
    let (days, hours) = text.trim().split_once(' ').ok_or(())?;
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let (from, to) = hours.split_once('-').ok_or(())?;
    let shift =
        Shift { first: day(first)?, last: day(last)?, from: minute(from)?, to: minute(to)? };
    if shift.from == shift.to || shift.from == DAY { Err(()) } else { Ok(shift) }
}

fn day(text: &str) -> Result<usize, ()> {
    DAYS.iter().position(|day| day.eq_ignore_ascii_case(text)).ok_or(())
}

fn minute(text: &str) -> Result<u16, ()> {
    let (hour, minute) = text.trim().split_once(':').ok_or(())?;
    let number = |text: &str| match text.len() {
        1 | 2 if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().map_err(drop),
        _ => Err(()),
    };
    let (hour, minute): (u16, u16) = (number(hour)?, number(minute)?);
    let all = hour * 60 + minute;
    if minute < 60 && all <= DAY { Ok(all) } else { Err(()) }
}

impl fmt::Display for WorkingHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Shift { first, last, from, to }) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(DAYS[*first])?;
            if first != last {
                write!(f, "-{}", DAYS[*last])?;
            }
            write!(f, " {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Central Europe, without a database: clocks go forward on the last Sunday of March at 2:00,
    /// and back on the last Sunday of October at 3:00.
    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a time zone")
    }

    fn at(text: &str) -> WallMs {
        let local: jiff::civil::DateTime = text.parse().expect("a time");
        WallMs(berlin().to_timestamp(local).expect("an instant").as_millisecond())
    }

    fn hours(hours: &str) -> WorkingHours {
        hours.parse().expect("working hours")
    }

    fn minutes(hours: &WorkingHours, since: &str, until: &str) -> u64 {
        hours.between(at(since), at(until), &berlin()).as_secs() / 60
    }

    #[test]
    fn nights_and_weekends_are_not_worked() {
        let usual = WorkingHours::default();
        // 1 June 2026 is a Monday.
        assert_eq!(minutes(&usual, "2026-06-01T09:00", "2026-06-01T09:30"), 30);
        assert_eq!(minutes(&usual, "2026-06-01T17:30", "2026-06-02T08:30"), 60, "over night");
        assert_eq!(minutes(&usual, "2026-06-05T17:00", "2026-06-08T09:00"), 120, "a weekend");
        assert_eq!(minutes(&usual, "2026-06-06T00:00", "2026-06-08T08:00"), 0);
        assert_eq!(minutes(&usual, "2026-06-01T00:00", "2026-06-08T00:00"), 5 * 600);
        assert_eq!(minutes(&usual, "2026-06-01T12:00", "2026-06-01T11:00"), 0, "set back");
    }

    #[test]
    fn shifts_may_meet_overlap_and_go_over_midnight() {
        let late = hours("Fri 22:00-06:00");
        assert_eq!(minutes(&late, "2026-06-06T05:00", "2026-06-06T12:00"), 60);
        assert_eq!(minutes(&late, "2026-06-05T00:00", "2026-06-05T06:00"), 0, "not Thursday's");
        let twice = hours("Mon-Fri 08:00-18:00, Mon 10:00-20:00");
        assert_eq!(minutes(&twice, "2026-06-01T00:00", "2026-06-02T00:00"), 12 * 60);
        let always = hours("Mon-Sun 00:00-24:00");
        assert_eq!(minutes(&always, "2026-06-01T00:00", "2026-06-08T00:00"), 7 * 1440);
        let round = hours("Sat-Mon 08:00-09:00");
        assert_eq!(minutes(&round, "2026-06-01T00:00", "2026-06-08T00:00"), 3 * 60);
    }

    #[test]
    fn on_days_when_clocks_change_what_really_passes_counts() {
        let nights = hours("Mon-Sun 00:00-06:00");
        assert_eq!(minutes(&nights, "2026-03-29T00:00", "2026-03-29T12:00"), 5 * 60);
        assert_eq!(minutes(&nights, "2026-10-25T00:00", "2026-10-25T12:00"), 7 * 60);
        let gap = hours("Sun 02:15-02:45, Sun 03:00-04:00");
        assert_eq!(minutes(&gap, "2026-03-29T00:00", "2026-03-29T12:00"), 60, "counted once");
    }

    #[test]
    fn the_distant_past_costs_nothing() {
        let usual = WorkingHours::default();
        let all = usual.between(WallMs(0), at("2026-06-01T00:00"), &berlin());
        let year = usual.between(at("2025-04-27T00:00"), at("2026-06-01T00:00"), &berlin());
        assert_eq!(all, year);
        assert_eq!(usual.between(WallMs(i64::MIN), WallMs(i64::MAX), &berlin()), Duration::ZERO);
    }

    #[test]
    fn they_are_written_as_they_are_read() {
        for text in
            ["Mon-Fri 08:00-18:00", "Mon-Thu 07:30-16:00, Fri 07:30-12:00", "Sun 00:00-24:00"]
        {
            assert_eq!(hours(text).to_string(), text);
        }
        assert_eq!(hours(" mon-FRI 8:00 - 18:00 ").to_string(), "Mon-Fri 08:00-18:00");
        assert_eq!(WorkingHours::default().to_string(), "Mon-Fri 08:00-18:00");
        for bad in [
            "",
            "Mon-Fri",
            "08:00-18:00",
            "Mo-Fr 08:00-18:00",
            "Mon-Fri 8-18",
            "Mon 08:00-08:00",
            "Mon 24:00-08:00",
            "Mon 08:00-24:01",
            "Mon 08:60-09:00",
            "Mon 08:00-18:00,",
            "Mon 08:00-18:00; Tue 08:00-18:00",
        ] {
            assert!(bad.parse::<WorkingHours>().is_err(), "{bad}");
        }
    }

    fn any_hours() -> impl Strategy<Value = WorkingHours> {
        let shift = (0..7_usize, 0..7_usize, 0..DAY, 1..=DAY)
            .prop_filter_map("no time at all", |(first, last, from, to)| {
                (from != to).then_some(Shift { first, last, from, to })
            });
        proptest::collection::vec(shift, 1..4).prop_map(WorkingHours)
    }

    proptest! {
        /// For any hours and season: parts add up, and never exceed the elapsed time.
        #[test]
        fn working_time_adds_up(
            hours in any_hours(),
            start in 0_i64..60_000_000_000,
            first in 0_i64..2_000_000_000,
            second in 0_i64..2_000_000_000,
        ) {
            let zone = berlin();
            let a = WallMs(1_740_000_000_000 + start);
            let (b, c) = (WallMs(a.0 + first), WallMs(a.0 + first + second));
            let whole = hours.between(a, c, &zone);
            prop_assert_eq!(hours.between(a, b, &zone) + hours.between(b, c, &zone), whole);
            prop_assert!(whole <= c.after(a));
            let text = hours.to_string();
            prop_assert_eq!(text.parse::<WorkingHours>(), Ok(hours));
        }

        #[test]
        fn whoever_always_works_works_all_the_time(
            start in 0_i64..60_000_000_000, length in 0_i64..5_000_000_000,
        ) {
            let a = WallMs(1_740_000_000_000 + start);
            let b = WallMs(a.0 + length);
            let always = hours("Mon-Sun 00:00-24:00");
            prop_assert_eq!(always.between(a, b, &berlin()), b.after(a));
        }
    }
}
