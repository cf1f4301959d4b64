//! What looks like a secret, whether known or not.

use super::{MAIL, REDACTED, USER};

/// Keys that end like this have a secret value.
const SECRET_KEYS: [&str; 16] = [
    "password",
    "passwd",
    "passphrase",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "authorization",
    "cookie",
    "credential",
    "credentials",
    "verifier",
    "signature",
    "code_challenge",
];
/// Values that are not secret: they only say whether there is one.
const HARMLESS: [&str; 7] = ["(set)", "null", "none", "true", "false", REDACTED, "[redacted"];
/// The characters of a token besides letters and digits.
const TOKEN: &str = "+/-_=.~";
/// The parent folders of home folders.
const HOMES: [&str; 3] = ["\\Users\\", "/home/", "/Users/"];

/// Returns the text without what looks like a secret; `None` if nothing does.
pub(super) fn replace(text: &str) -> Option<String> {
    let passes: [fn(&str) -> Option<String>; 6] = [urls, schemes, tokens, pairs, mails, homes];
    let mut done: Option<String> = None;
    for pass in passes {
        if let Some(next) = pass(done.as_deref().unwrap_or(text)) {
            done = Some(next);
        }
    }
    done
}

/// A text being copied with pieces of it replaced.
struct Copy<'a> {
    text: &'a str,
    done: String,
    from: usize,
}

impl<'a> Copy<'a> {
    fn of(text: &'a str) -> Self {
        Self { text, done: String::new(), from: 0 }
    }

    /// Replaces a piece. Pieces must come in order; one that overlaps an earlier piece is skipped.
    fn replace(&mut self, start: usize, end: usize, by: &str) {
        if start < self.from || end <= start {
            return;
        }
        self.done.push_str(&self.text[self.from..start]);
        self.done.push_str(by);
        self.from = end;
    }

    fn finish(mut self) -> Option<String> {
        if self.from == 0 {
            return None;
        }
        self.done.push_str(&self.text[self.from..]);
        Some(self.done)
    }
}

/// Length in bytes of the longest prefix of such characters.
fn span(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_part(c)).unwrap_or(text.len())
}

/// Length in bytes of the longest suffix of such characters.
fn span_back(text: &str, is_part: impl Fn(char) -> bool) -> usize {
    text.len() - text.trim_end_matches(is_part).len()
}

fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || TOKEN.contains(c)
}

/// Returns the positions of a word. To ignore ASCII case, pass folded text and a lowercase word.
fn positions<'a>(folded: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    folded.match_indices(word).map(|(at, _)| at)
}

/// Replaces logins, queries and fragments of URLs.
fn urls(text: &str) -> Option<String> {
    let mut copy = Copy::of(text);
    for at in positions(text, "://") {
        let start = at + 3;
        let is_part = |c: char| !c.is_whitespace() && !"\"'<>`{}|^\\".contains(c);
        let end = start + span(&text[start..], is_part);
        let url = &text[start..end];
        let host_end = url.find(['/', '?', '#']).unwrap_or(url.len());
        if let Some(login) = url[..host_end].rfind('@') {
            copy.replace(start, start + login, REDACTED);
        }
        if let Some(query) = url.find(['?', '#']) {
            let len = url[query + 1..].trim_end_matches([',', ';', ')', '.', ':']).len();
            copy.replace(start + query + 1, start + query + 1 + len, REDACTED);
        }
    }
    copy.finish()
}

/// Replaces what follows `Bearer` and `Basic`.
fn schemes(text: &str) -> Option<String> {
    let folded = text.to_ascii_lowercase();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for scheme in ["bearer", "basic"] {
        for at in positions(&folded, scheme) {
            let rest = &text[at + scheme.len()..];
            let gap = span(rest, |c| c.is_whitespace() || "\"':=".contains(c));
            let token = span(&rest[gap..], is_of_token);
            let has_digit =
                rest[gap..gap + token].contains(|c: char| c.is_ascii_digit() || c == '=');
            if gap > 0 && token >= 8 && has_digit {
                let start = at + scheme.len() + gap;
                found.push((start, start + token));
            }
        }
    }
    found.sort_unstable();
    let mut copy = Copy::of(text);
    for (start, end) in found {
        copy.replace(start, end, REDACTED);
    }
    copy.finish()
}

/// Replaces JSON Web Tokens and secrets of Standard Webhooks.
fn tokens(text: &str) -> Option<String> {
    let mut copy = Copy::of(text);
    let mut found: Vec<usize> = positions(text, "eyJ").chain(positions(text, "whsec_")).collect();
    found.sort_unstable();
    for at in found {
        let len = span(&text[at..], is_of_token);
        if len >= 16 {
            copy.replace(at, at + len, REDACTED);
        }
    }
    copy.finish()
}

/// Replaces values of secret keys: `password=x`, `"token": "x"`, `client_secret: x` at the start of
/// a line or in a list.
fn pairs(text: &str) -> Option<String> {
    let folded = text.to_ascii_lowercase();
    let mut found: Vec<(usize, usize)> = Vec::new();
    for key in SECRET_KEYS {
        for at in positions(&folded, key) {
            if let Some(value) = value_after(text, at, at + key.len()) {
                found.push(value);
            }
        }
    }
    found.sort_unstable();
    let mut copy = Copy::of(text);
    for (start, end) in found {
        copy.replace(start, end, REDACTED);
    }
    copy.finish()
}

/// Returns the range of the value, if the name that ends at `end` is a key and has one.
fn value_after(text: &str, key: usize, end: usize) -> Option<(usize, usize)> {
    let rest = &text[end..];
    let quote = span(rest, |c| "\"'\\".contains(c));
    let gap = quote + span(&rest[quote..], |c| c == ' ');
    let sign = rest[gap..].chars().next().filter(|c| "=:".contains(*c))?;
    let mut at = end + gap + 1;
    if sign == ':' && quote == 0 && !begins(text, key) {
        // Prose: "cannot renew the token: Align does not answer".
        return None;
    }
    at += span(&text[at..], |c| c == ' ');
    let value = &text[at..];
    let opening = span(value, |c| "\"'\\".contains(c));
    let (start, value) = (at + opening, &value[opening..]);
    let len = if opening > 0 {
        let closing = if text[at..start].ends_with('\'') { '\'' } else { '"' };
        let len = span(value, |c| c != closing && c != '\n');
        // The quotes may themselves be escaped.
        len - span_back(&value[..len], |c| c == '\\')
    } else if sign == ':' {
        // A header's value extends to the end of the line; an unquoted one in a list ends with its
        // entry.
        span(value, |c| !"\n\r,}]".contains(c))
    } else {
        span(value, |c| !c.is_whitespace() && !"&,;\"'()[]{}<>".contains(c))
    };
    // The bracket of a replacement from an earlier pass does not end the value.
    let cut =
        value[..len].contains(&REDACTED[..REDACTED.len() - 1]) && value[len..].starts_with(']');
    let len = len + usize::from(cut && !value[..len].ends_with(REDACTED));
    let value = &value[..len];
    let is_harmless = value.is_empty() || HARMLESS.iter().any(|it| value.trim() == *it);
    (!is_harmless).then_some((start, start + len))
}

/// Whether a key starts a line or a list entry.
fn begins(text: &str, end: usize) -> bool {
    let before = &text[..end];
    let name = span_back(before, |c| c.is_alphanumeric() || "_-.[]".contains(c));
    let before = before[..before.len() - name].trim_end_matches(' ');
    before.is_empty() || before.ends_with(['\n', '{', ',', '-', '[', '(', '"', '\''])
}

/// Replaces mail addresses.
fn mails(text: &str) -> Option<String> {
    let mut copy = Copy::of(text);
    for at in positions(text, "@") {
        let local = span_back(&text[..at], |c| c.is_alphanumeric() || "._%+-'".contains(c));
        let domain = span(&text[at + 1..], |c| c.is_alphanumeric() || ".-".contains(c));
        let host = text[at + 1..at + 1 + domain].trim_end_matches(['.', '-']);
        if local > 0 && host.contains('.') {
            copy.replace(at - local, at + 1 + host.len(), MAIL);
        }
    }
    copy.finish()
}

/// Replaces user names in home folder paths.
fn homes(text: &str) -> Option<String> {
    // As escaped in JSON.
    let escaped = "\\\\Users\\\\";
    let mut found: Vec<usize> = Vec::new();
    for home in HOMES.into_iter().chain([escaped]) {
        found.extend(positions(text, home).map(|at| at + home.len()));
    }
    found.sort_unstable();
    let mut copy = Copy::of(text);
    for start in found {
        let len = span(&text[start..], |c| !"/\\\"'\n\r:;,<>|?*".contains(c));
        // Without a trailing separator, the name may be followed by other words.
        let ends = text[start + len..].starts_with(['/', '\\']);
        let len = if ends { len } else { span(&text[start..], |c| !c.is_whitespace()).min(len) };
        copy.replace(start, start + len, USER);
    }
    copy.finish()
}
