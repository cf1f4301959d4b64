//! The last safety net before anything leaves this PC: replaces known secrets of this installation
//! and anything that looks like a secret.
//!
//! It would rather redact too much. It is never the only protection: logs, journal and status hold
//! no secrets in the first place.

mod known;
mod shapes;

use std::borrow::Cow;

pub use known::Known;

/// Replaces a secret.
pub const REDACTED: &str = "[redacted]";
/// Replaces a mail address.
pub const MAIL: &str = "[mail]";
/// Replaces a user name.
pub const USER: &str = "[user]";

/// Replaces secrets in text.
#[derive(Debug, Default)]
pub struct Redactor {
    known: Known,
}

impl Redactor {
    /// Creates a redactor that knows these values.
    pub fn new(known: Known) -> Self {
        Self { known }
    }

    /// Returns the text without known values (plain, percent-encoded, JSON-escaped, hex or base64)
    /// and without anything that looks like a token, a password, the login or query of a URL, a
    /// mail address, or a user name in a path.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.known.replace(text);
        match shapes::replace(&known) {
            // Text next to a removed piece may have become a word of its own.
            Some(done) => Cow::Owned(self.known.replace(&done).into_owned()),
            None => known,
        }
    }

    /// Whether the text still contains a known value in any form. For a final check of the result.
    pub fn finds(&self, text: &str) -> bool {
        matches!(self.known.replace(text), Cow::Owned(_))
    }
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
