//! Calendar days, such as the day on which an order is due.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::time::WallMs;

/// A calendar day without a time zone, written `2026-12-01`. Years before 2000 do not occur:
/// exports use them where no day is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(Date);

/// A text that is not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a day, such as 2026-12-01")]
pub struct NoDay;

impl Day {
    pub fn new(year: i16, month: i8, day: i8) -> Option<Self> {
        Date::new(year, month, day).ok().filter(|date| date.year() >= 2000).map(Self)
    }

    /// Reads a day as Align writes it: `12/01/2026` (month first), or ISO 8601; a time of day may
    /// follow. The day counts as written, whatever its time zone.
    pub fn from_vendor(text: &str) -> Option<Self> {
        let day = text.trim().split(['T', 't', ' ']).next().unwrap_or_default();
        if day.contains('/') {
            let [month, day, year] = numbers(day, '/')?;
            return Self::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?);
        }
        day.parse().ok()
    }

    /// The day in this PC's time zone.
    pub fn at(wall: WallMs) -> Self {
        let at = Timestamp::from_millisecond(wall.0).unwrap_or(Timestamp::UNIX_EPOCH);
        Self(at.to_zoned_datetime(TimeZone::system()).date())
    }

    /// Formats the day for people: `1 Dec 2026`, or `01.12.2026` in German.
    pub fn in_words(self, lang: &str) -> String {
        self.0.strftime(if lang == "de" { "%d.%m.%Y" } else { "%-d %b %Y" }).to_string()
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Day {
    type Err = NoDay;

    fn from_str(text: &str) -> Result<Self, NoDay> {
        let [year, month, day] = numbers(text, '-').ok_or(NoDay)?;
        let small = |number| i8::try_from(number).map_err(|_| NoDay);
        Self::new(year, small(month)?, small(day)?).ok_or(NoDay)
    }
}

impl TryFrom<String> for Day {
    type Error = NoDay;

    fn try_from(text: String) -> Result<Self, NoDay> {
        text.parse()
    }
}

impl From<Day> for String {
    fn from(day: Day) -> Self {
        day.to_string()
    }
}

impl JsonSchema for Day {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Day".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date" })
    }
}

fn numbers<const N: usize>(text: &str, between: char) -> Option<[i16; N]> {
    let parts = text.split(between).map(number).collect::<Option<Vec<_>>>()?;
    parts.try_into().ok()
}

fn number(text: &str) -> Option<i16> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// Returns the days that a word of a search may mean, as patterns for SQL's `LIKE` on days; none if
/// it means no day. `2026-12-01`, `2026-12`, `1.12.2026`, `1.12.26`, `1.12.` and, in either order of
/// day and month, `12/1/2026`, `12/1/26` and `12/1` are understood.
pub fn sought(word: &str) -> Vec<String> {
    if word.contains('-') {
        let month = numbers(word, '-').filter(|[year, month]| is_day(*year, *month, 1));
        return match (word.parse::<Day>(), month) {
            (Ok(day), _) => vec![day.to_string()],
            (Err(_), Some([year, month])) => vec![format!("{year:04}-{month:02}-__")],
            (Err(_), None) => Vec::new(),
        };
    }
    let (between, either_order) = if word.contains('/') { ('/', true) } else { ('.', false) };
    let word = if either_order { word } else { word.strip_suffix('.').unwrap_or(word) };
    let (day, month, year) = match numbers(word, between) {
        Some([day, month, year]) if year < 100 => (day, month, Some(2000 + year)),
        Some([day, month, year]) => (day, month, Some(year)),
        None => match numbers(word, between) {
            Some([day, month]) => (day, month, None),
            None => return Vec::new(),
        },
    };
    let mut found = Vec::new();
    for (day, month) in [(day, month), (month, day)].into_iter().take(1 + usize::from(either_order))
    {
        // A leap year, so that 29 February is a day.
        if is_day(year.unwrap_or(2024), month, day) {
            let year = year.map_or("____".to_owned(), |year| format!("{year:04}"));
            found.push(format!("{year}-{month:02}-{day:02}"));
        }
    }
    found.dedup();
    found
}

fn is_day(year: i16, month: i16, day: i16) -> bool {
    let small = |number| i8::try_from(number).unwrap_or(0);
    Day::new(year, small(month), small(day)).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_the_vendor_writes_them() {
        let read = |text| Day::from_vendor(text).map(|day| day.to_string());
        for text in ["12/01/2026", "12/1/2026 08:30:00", "2026-12-01", "2026-12-01T23:59:00-08:00"]
        {
            assert_eq!(read(text).as_deref(), Some("2026-12-01"), "{text}");
        }
        // What programs write where no day is set, and nonsense.
        for text in ["", "01/01/0001", "1/1/1900", "13/01/2026", "soon", "2026-02-30", "+1/1/2026"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_search_understands_the_usual_ways_to_write_a_day() {
        let day = ["2026-12-01"];
        for word in ["2026-12-01", "1.12.2026", "01.12.26", "1.12.2026."] {
            assert_eq!(sought(word), day, "{word}");
        }
        assert_eq!(sought("12/01/2026"), ["2026-01-12", "2026-12-01"]);
        assert_eq!(sought("12/31/26"), ["2026-12-31"]);
        assert_eq!(sought("12/12"), ["____-12-12"]);
        assert_eq!(sought("29.2."), ["____-02-29"]);
        assert_eq!(sought("2026-12"), ["2026-12-__"]);
        for word in ["17544365", "2026", "", ".", "-", "/", "a/b", "31.2.", "1.2.3.4", "02NR8VTN"] {
            assert!(sought(word).is_empty(), "{word}");
        }
    }

    #[test]
    fn a_day_is_a_short_text_for_programs_and_reads_well_for_people() {
        let day: Day = "2026-12-01".parse().expect("a day");
        assert_eq!(serde_json::to_string(&day).expect("JSON"), "\"2026-12-01\"");
        assert_eq!(
            (day.in_words("en"), day.in_words("de")),
            ("1 Dec 2026".into(), "01.12.2026".into())
        );
        assert!(serde_json::from_str::<Day>("\"tomorrow\"").is_err());
        assert_eq!(Day::at(WallMs(1_796_083_200_000)).0.year(), 2026);
    }
}
