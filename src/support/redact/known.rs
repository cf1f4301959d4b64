//! Values known to be secret on this PC.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

use super::REDACTED;

/// In bytes. A shorter value is replaced only where it is a word of its own.
const SHORT: usize = 6;

/// User names that belong to no person. Some of them are common words.
const NOBODY: [&str; 9] = [
    "casedrop",
    "root",
    "system",
    "administrator",
    "admin",
    "agent",
    "user",
    "lab",
    "localservice",
];

/// Words of this program. They make no real secret, and without them no text makes sense.
const OWN: [&str; 16] = [
    "casedrop",
    "casedrop-sim",
    "align",
    "itero",
    "orders",
    "webhook",
    "webhooks",
    "notify",
    "notices",
    "publish",
    "published",
    "default",
    "password",
    "secret",
    "client_id",
    "status_page",
];

/// Values that are replaced wherever they occur. `Debug` does not show them.
#[derive(Default)]
pub struct Known {
    forms: Vec<Form>,
}

/// One way to write a value.
struct Form {
    text: SecretString,
    kind: Kind,
    by: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Anywhere,
    /// Only if not adjacent to letters or digits.
    Word,
    /// Within a run of base64, which is replaced as a whole.
    Base64,
}

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} forms, not shown", self.forms.len())
    }
}

impl Known {
    /// Adds a secret in every form in which it may be written. Surrounding whitespace is ignored,
    /// and so is an empty value.
    pub fn secret(&mut self, value: &str) {
        self.value(value, REDACTED);
    }

    /// Adds a word, such as a user name, to be replaced by `by`, but only where it is a whole word.
    /// Ignores names that do not identify a person.
    pub fn word(&mut self, value: &str, by: &'static str) {
        let value = value.trim();
        if !NOBODY.contains(&value.to_lowercase().as_str()) {
            self.form(value, Kind::Word, by);
        }
    }

    /// Number of values, counting every form.
    pub fn len(&self) -> usize {
        self.forms.len()
    }

    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    fn value(&mut self, value: &str, by: &'static str) {
        let value = value.trim();
        if OWN.contains(&value.to_lowercase().as_str()) {
            return;
        }
        if value.len() < SHORT {
            self.form(value, Kind::Word, by);
            return;
        }
        self.form(value, Kind::Anywhere, by);
        // A JSON log may quote text that was already escaped.
        let escaped = inner(&serde_json::Value::from(value).to_string());
        self.form(
            &inner(&serde_json::Value::from(escaped.as_str()).to_string()),
            Kind::Anywhere,
            by,
        );
        self.form(&escaped, Kind::Anywhere, by);
        self.form(&inner(&format!("{value:?}")), Kind::Anywhere, by);
        let percent = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        self.form(&percent, Kind::Anywhere, by);
        self.form(&lower_escapes(&percent), Kind::Anywhere, by);
        self.form(&percent.to_lowercase(), Kind::Anywhere, by);
        let form = url::form_urlencoded::byte_serialize(value.as_bytes()).collect::<String>();
        self.form(&form, Kind::Anywhere, by);
        let hex = crate::model::digest::hex(value);
        self.form(&hex.to_uppercase(), Kind::Anywhere, by);
        self.form(&hex, Kind::Anywhere, by);
        // Depending on what precedes it, the base64 of a value starts at one of three offsets.
        for before in 0..3_usize {
            let mut bytes = vec![0; before];
            bytes.extend_from_slice(value.as_bytes());
            for engine in [&STANDARD, &URL_SAFE] {
                let text = engine.encode(&bytes);
                // Leave out the characters at both ends that also depend on the neighbors.
                let start = (before * 8).div_ceil(6);
                // Use whole groups, so that a value truncated there is found too; for a short
                // value, use everything that does not depend on the neighbors.
                let groups = bytes.len() / 3 * 4;
                let is_short = groups.saturating_sub(start) < SHORT;
                let end = if is_short { bytes.len() * 8 / 6 } else { groups };
                if let Some(core) = text.get(start..end).filter(|core| core.len() >= SHORT) {
                    self.form(core, Kind::Base64, by);
                    let percent = utf8_percent_encode(core, NON_ALPHANUMERIC).to_string();
                    self.form(&lower_escapes(&percent), Kind::Base64, by);
                    self.form(&percent, Kind::Base64, by);
                }
            }
        }
    }

    fn form(&mut self, text: &str, kind: Kind, by: &'static str) {
        let is_there = |form: &Form| form.kind == kind && form.text.expose_secret() == text;
        if text.is_empty() || self.forms.iter().any(is_there) {
            return;
        }
        self.forms.push(Form { text: text.into(), kind, by });
        // Longest first, so that a value that contains another one is replaced as a whole.
        self.forms.sort_by_key(|form| std::cmp::Reverse(form.text.expose_secret().len()));
    }

    /// Returns the text without the values; borrowed if it contains none.
    pub(super) fn replace<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for form in &self.forms {
            if let Some(without) = form.replaced(&text) {
                text = Cow::Owned(without);
            }
        }
        text
    }
}

impl Form {
    /// Returns the text without this form of the value; `None` if it does not occur.
    fn replaced(&self, text: &str) -> Option<String> {
        let value = self.text.expose_secret();
        let mut done = String::new();
        let (mut from, mut search) = (0, 0);
        while let Some(at) = text[search..].find(value).map(|at| search + at) {
            let (start, end) = match self.kind {
                Kind::Base64 => run(text, at, at + value.len()),
                Kind::Anywhere | Kind::Word => (at, at + value.len()),
            };
            search = end;
            if self.kind == Kind::Word && !is_word(text, start, end) {
                // The end of this match may be the beginning of the next one.
                search = at + value.chars().next().map_or(1, char::len_utf8);
                continue;
            }
            // What an earlier run covered is already gone.
            done.push_str(&text[from..start.max(from)]);
            done.push_str(self.by);
            from = end;
        }
        if from == 0 {
            return None;
        }
        done.push_str(&text[from..]);
        Some(done)
    }
}

/// `%2f` for `%2F`: both occur in practice.
fn lower_escapes(percent: &str) -> String {
    let mut pieces = percent.split('%');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (escape, rest) = piece.split_at_checked(2).unwrap_or((piece, ""));
        text.extend(["%", &escape.to_lowercase(), rest]);
    }
    text
}

/// Strips the quotes.
fn inner(quoted: &str) -> String {
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

fn is_word(text: &str, start: usize, end: usize) -> bool {
    let before = text[..start].chars().next_back();
    let after = text[end..].chars().next();
    [before, after].into_iter().flatten().all(|c| !c.is_alphanumeric())
}

/// Returns the whole run of base64 around a range.
fn run(text: &str, start: usize, end: usize) -> (usize, usize) {
    let is_part = |c: &char| c.is_ascii_alphanumeric() || "+/-_=%".contains(*c);
    let before: usize = text[..start].chars().rev().take_while(is_part).map(char::len_utf8).sum();
    let after: usize = text[end..].chars().take_while(is_part).map(char::len_utf8).sum();
    (start - before, end + after)
}
