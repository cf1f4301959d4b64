//! Small pieces of pages that are more than text.

use std::fmt;

use askama::filters::HtmlSafe;
use jiff::Timestamp;

use crate::model::size;
use crate::model::time::WallMs;

/// A time, as an element that the browser shows in its own time zone.
#[derive(Debug, Clone)]
pub(super) struct When {
    at: Option<Timestamp>,
    relative: bool,
    seconds: bool,
}

impl When {
    /// Parses RFC 3339; anything else shows nothing.
    pub(super) fn of(text: &str) -> Self {
        Self { at: text.parse().ok(), relative: false, seconds: false }
    }

    pub(super) fn at(wall: WallMs) -> Self {
        Self { at: Timestamp::from_millisecond(wall.0).ok(), relative: false, seconds: false }
    }

    /// Shown as "3 minutes ago" where scripts run.
    pub(super) fn relative(self) -> Self {
        Self { relative: true, ..self }
    }

    /// Shown with seconds.
    pub(super) fn exact(self) -> Self {
        Self { seconds: true, ..self }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = self.at else { return f.write_str("–") };
        let relative = if self.relative { " data-relative" } else { "" };
        let (seconds, format) = if self.seconds {
            (" data-seconds", "%Y-%m-%d %H:%M:%S")
        } else {
            ("", "%Y-%m-%d %H:%M")
        };
        write!(
            f,
            "<time datetime=\"{}\"{relative}{seconds}>{} UTC</time>",
            at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            at.strftime(format),
        )
    }
}

// Its content comes only from numbers.
impl HtmlSafe for When {}

/// A sentence of the agent, as HTML: its times are elements like any other, and the marks around
/// commands and keys are left out.
#[derive(Debug, Clone)]
pub(super) struct Spoken(String);

impl Spoken {
    pub(super) fn of(text: &str) -> Self {
        let mut html = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = next_time(rest) {
            escape(&rest[..at], &mut html);
            html.push_str(&When::of(&rest[at..at + TIME]).to_string());
            rest = &rest[at + TIME..];
        }
        escape(rest, &mut html);
        Self(html)
    }

    /// A sentence with a gap for a time.
    pub(super) fn with_time(text: &str, gap: &str, time: &When) -> Self {
        let (before, after) = text.split_once(gap).unwrap_or((text, ""));
        let mut html = String::new();
        escape(before, &mut html);
        if text.contains(gap) {
            html.push_str(&time.to_string());
        }
        escape(after, &mut html);
        Self(html)
    }
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// Everything in it is escaped but the times, which come only from numbers.
impl HtmlSafe for Spoken {}

/// The length of a time such as `2026-06-01T12:00:00Z`.
const TIME: usize = 20;

/// Finds the next time in UTC, to the second.
fn next_time(text: &str) -> Option<usize> {
    text.match_indices('Z').find_map(|(end, _)| {
        let start = (end + 1).checked_sub(TIME)?;
        text.get(start..=end)?.parse::<Timestamp>().ok().map(|_| start)
    })
}

fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '"' | '\'' => {
                html.push_str("&#");
                html.push_str(&u32::from(c).to_string());
                html.push(';');
            }
            '`' => {}
            _ => html.push(c),
        }
    }
}

/// A size in the language's notation.
pub(super) fn size(bytes: u64, lang: &str) -> String {
    let text = size::size(bytes);
    if lang == "de" { text.replace('.', ",") } else { text }
}

/// A number with thousands separators, in the language's notation.
pub(super) fn number(count: usize, lang: &str) -> String {
    let digits = count.to_string();
    let apart = if lang == "de" { '.' } else { ',' };
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(apart);
        }
        text.push(digit);
    }
    text
}

/// A text as one segment of a URL's path.
pub(super) fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_marked_and_anything_else_shows_nothing() {
        let text = When::of("2026-11-24T10:00:05Z").to_string();
        let expected = "<time datetime=\"2026-11-24T10:00:05Z\">2026-11-24 10:00 UTC</time>";
        assert_eq!(text, expected);
        assert!(When::at(WallMs(0)).relative().to_string().contains(" data-relative>1970"));
        let exact = When::of("2026-11-24T10:00:05Z").exact().to_string();
        assert!(exact.ends_with(" data-seconds>2026-11-24 10:00:05 UTC</time>"), "{exact}");
        assert_eq!(When::of("<script>").to_string(), "–");
    }

    #[test]
    fn a_sentence_shows_its_times_and_is_no_markup() {
        let said = Spoken::of("Z \u{dc}Z, since 2026-11-24T10:00:05Z & \"2026-13-40T10:00:05Z\"")
            .to_string();
        let time = "<time datetime=\"2026-11-24T10:00:05Z\">2026-11-24 10:00 UTC</time>";
        assert_eq!(said, format!("Z \u{dc}Z, since {time} &#38; &#34;2026-13-40T10:00:05Z&#34;"));
        assert_eq!(Spoken::of("<b>").to_string(), "&#60;b&#62;");
        let gap = Spoken::with_time("at {time}: <", "{time}", &When::of("2026-11-24T10:00:05Z"));
        assert_eq!(gap.to_string(), format!("at {time}: &#60;"));
    }

    #[test]
    fn numbers_are_written_as_the_language_does() {
        assert_eq!(number(999, "en"), "999");
        assert_eq!(number(100_000, "en"), "100,000");
        assert_eq!(number(1_234_567, "de"), "1.234.567");
        assert_eq!(size(34_500_000, "de"), "34,5 MB");
        assert_eq!(segment("a/b ü"), "a%2Fb%20%C3%BC");
    }
}
