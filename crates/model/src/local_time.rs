//! Times for people, in this PC's time zone. Whatever a person reads is formatted here and nowhere
//! else; programs get RFC 3339 in UTC ([`WallMs::to_rfc3339`]).

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::time::WallMs;

/// How precisely a time is shown.
const TIME_OF_DAY: &str = "%H:%M";
const MINUTE: &str = "%Y-%m-%d %H:%M";
const SECOND: &str = "%Y-%m-%d %H:%M:%S";
/// The difference to UTC, such as `+02:00`.
const OFFSET: &str = "%:z";

impl WallMs {
    /// Returns the local date and time to the minute, such as `2026-11-29 05:43`. The offset
    /// follows if this PC's clock shows that time twice, at the end of summer time.
    pub fn local(self) -> String {
        text(self, MINUTE, &TimeZone::system())
    }

    /// Like [`local`](Self::local), to the second.
    pub fn local_seconds(self) -> String {
        text(self, SECOND, &TimeZone::system())
    }

    /// Like [`local`](Self::local), always with the offset: for texts that are stored, or read on
    /// other PCs.
    pub fn local_with_offset(self) -> String {
        zoned(self, &TimeZone::system()).strftime(&format!("{MINUTE} {OFFSET}")).to_string()
    }

    /// Returns the local time: with the date, unless it is today.
    pub fn in_words(self, now: Self) -> String {
        let zone = TimeZone::system();
        let is_today = zoned(self, &zone).date() == zoned(now, &zone).date();
        text(self, if is_today { TIME_OF_DAY } else { MINUTE }, &zone)
    }

    /// The start of this day in this PC's time zone.
    #[must_use]
    pub fn start_of_day(self) -> Self {
        let began = zoned(self, &TimeZone::system()).start_of_day();
        Self(began.map_or(self.0, |began| began.timestamp().as_millisecond()))
    }

    /// Parses what a person writes for a time in the past: a day such as `2026-11-29` (its start),
    /// `today`, `yesterday`, a local time such as `2026-11-29 05:43`, or RFC 3339.
    pub fn from_local(written: &str, now: Self) -> Option<Self> {
        from_local(written, now, &TimeZone::system())
    }
}

/// Formats a time that is given as RFC 3339 like [`WallMs::local`]; other text stays as it is.
pub fn local(rfc3339: &str) -> String {
    WallMs::from_rfc3339(rfc3339).map_or_else(|| rfc3339.to_owned(), WallMs::local)
}

/// Formats a time that is given as RFC 3339 like [`WallMs::local_seconds`]; other text stays as it
/// is.
pub fn local_seconds(rfc3339: &str) -> String {
    WallMs::from_rfc3339(rfc3339).map_or_else(|| rfc3339.to_owned(), WallMs::local_seconds)
}

fn zoned(at: WallMs, zone: &TimeZone) -> jiff::ZonedDateTime {
    let at = Timestamp::from_millisecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
    at.to_zoned_datetime(zone.clone())
}

fn text(at: WallMs, form: &str, zone: &TimeZone) -> String {
    let at = zoned(at, zone);
    if zone.to_ambiguous_timestamp(at.datetime()).is_ambiguous() {
        at.strftime(&format!("{form} {OFFSET}")).to_string()
    } else {
        at.strftime(form).to_string()
    }
}

fn from_local(written: &str, now: WallMs, zone: &TimeZone) -> Option<WallMs> {
    let written = written.trim();
    if let Some(at) = WallMs::from_rfc3339(written) {
        return Some(at);
    }
    let today = zoned(now, zone).date();
    let when = match written {
        "today" => today.at(0, 0, 0, 0),
        "yesterday" => today.yesterday().ok()?.at(0, 0, 0, 0),
        // A date alone is midnight.
        _ => written.parse::<jiff::civil::DateTime>().ok()?,
    };
    let at = zone.to_ambiguous_timestamp(when).compatible().ok()?;
    Some(WallMs(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a time zone")
    }

    fn at(utc: &str) -> WallMs {
        WallMs::from_rfc3339(utc).expect("a time")
    }

    #[test]
    fn people_read_the_time_of_their_clock() {
        let shown = |utc: &str| text(at(utc), MINUTE, &berlin());
        assert_eq!(shown("2026-11-29T04:43:26Z"), "2026-11-29 05:43");
        assert_eq!(shown("2026-07-31T22:30:00Z"), "2026-08-01 00:30", "summer, and the next day");
        assert_eq!(text(at("2026-11-29T04:43:26Z"), SECOND, &berlin()), "2026-11-29 05:43:26");
    }

    #[test]
    fn an_hour_that_comes_twice_has_its_offset() {
        let shown = |utc: &str| text(at(utc), MINUTE, &berlin());
        assert_eq!(shown("2026-10-25T00:30:00Z"), "2026-10-25 02:30 +02:00");
        assert_eq!(shown("2026-10-25T01:30:00Z"), "2026-10-25 02:30 +01:00");
        assert_eq!(shown("2026-10-25T02:30:00Z"), "2026-10-25 03:30");
    }

    #[test]
    fn text_that_is_no_time_stays() {
        assert_eq!(local("never"), "never");
        assert_eq!(local_seconds(""), "");
        assert_eq!(local("2026-11-29T04:43:26Z"), at("2026-11-29T04:43:26Z").local());
    }

    #[test]
    fn what_people_write_is_in_their_time() {
        let now = at("2026-11-29T23:30:00Z");
        let read = |written: &str| {
            from_local(written, now, &berlin()).map(WallMs::to_rfc3339).unwrap_or_default()
        };
        assert_eq!(read("2026-11-29"), "2026-11-28T23:00:00Z");
        assert_eq!(read("2026-11-29 05:43"), "2026-11-29T04:43:00Z");
        assert_eq!(read("2026-11-29T04:43:00Z"), "2026-11-29T04:43:00Z");
        assert_eq!(read("today"), "2026-11-29T23:00:00Z", "here it is the 30th by now");
        assert_eq!(read("yesterday"), "2026-11-28T23:00:00Z");
        for wrong in ["", "soon", "29.11.2026", "2026-13-01"] {
            assert_eq!(read(wrong), "", "{wrong}");
        }
    }

    #[test]
    fn what_is_stored_says_its_offset() {
        let text = at("2026-11-29T04:43:26Z").local_with_offset();
        let (_, offset) = text.rsplit_once(' ').expect("an offset");
        assert!(offset.starts_with(['+', '-']) && offset.len() == 6, "{text}");
    }
}
