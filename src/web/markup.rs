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
    fn numbers_are_written_as_the_language_does() {
        assert_eq!(number(999, "en"), "999");
        assert_eq!(number(100_000, "en"), "100,000");
        assert_eq!(number(1_234_567, "de"), "1.234.567");
        assert_eq!(size(34_500_000, "de"), "34,5 MB");
        assert_eq!(segment("a/b ü"), "a%2Fb%20%C3%BC");
    }
}
