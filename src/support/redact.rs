//! The last net before something leaves this PC: what is known to be secret here, and what looks like a
//! secret, is replaced.
//!
//! It errs on the side of too much. Nobody relies on it alone: logs, journal and status hold no secret
//! in the first place.

mod known;
mod shapes;

use std::borrow::Cow;

pub use known::Known;

/// What stands in for a secret.
pub const REDACTED: &str = "[redacted]";
/// What stands in for a mail address.
pub const MAIL: &str = "[mail]";
/// What stands in for the name of a user.
pub const USER: &str = "[user]";

/// Replaces secrets in texts.
#[derive(Debug, Default)]
pub struct Redactor {
    known: Known,
}

impl Redactor {
    /// One that knows these values.
    pub fn new(known: Known) -> Self {
        Self { known }
    }

    /// The text without secrets: without the known values, plain, percent-encoded, escaped as JSON or in
    /// base64, and without what looks like a token, a password, the login or the query of a URL, a mail
    /// address, or the name of a user in a path.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.known.replace(text);
        match shapes::replace(&known) {
            // What stood beside what is gone now may be a word of its own since.
            Some(done) => Cow::Owned(self.known.replace(&done).into_owned()),
            None => known,
        }
    }

    /// Whether some known value is still in there, in any form. For a last look at what was made.
    pub fn finds(&self, text: &str) -> bool {
        matches!(self.known.replace(text), Cow::Owned(_))
    }
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
