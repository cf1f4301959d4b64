//! References in the prescription's HTML: pictures and links.

use std::ops::Range;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use quick_xml::escape::{escape, unescape};

const ATTRIBUTES: [&str; 5] = ["src", "href", "background", "data", "poster"];
const PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// The value of an attribute that refers to a file, and its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    /// The value as a path, unescaped.
    pub(super) path: String,
    span: Range<usize>,
}

/// Returns all references to local files.
pub(super) fn references(text: &str) -> Vec<Reference> {
    let lower = text.to_ascii_lowercase();
    let mut found: Vec<Reference> =
        ATTRIBUTES.iter().flat_map(|name| attributes(text, &lower, name)).collect();
    found.sort_by_key(|reference| reference.span.start);
    found.dedup_by(|b, a| b.span.start < a.span.end);
    found
}

/// Rewrites the references; `None` if nothing changes.
pub(super) fn renamed<E>(
    text: &str,
    new_path: impl Fn(&str) -> Result<Option<String>, E>,
) -> Result<Option<String>, E> {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for reference in references(text) {
        if let Some(new) = new_path(&reference.path)? {
            out.push_str(&text[at..reference.span.start]);
            out.push_str(&escape(utf8_percent_encode(&new, PATH).to_string()));
            at = reference.span.end;
        }
    }
    if at == 0 {
        return Ok(None);
    }
    out.push_str(&text[at..]);
    Ok(Some(out))
}

fn attributes<'a>(
    text: &'a str,
    lower: &'a str,
    name: &'a str,
) -> impl Iterator<Item = Reference> + 'a {
    lower.match_indices(name).filter_map(move |(at, _)| {
        let before = lower[..at].chars().next_back()?;
        if !(before.is_ascii_whitespace() || matches!(before, '"' | '\'' | '/')) {
            return None;
        }
        let mut start = at + name.len();
        let skip = |from: usize| from + (lower[from..].len() - lower[from..].trim_start().len());
        start = skip(start);
        start = skip(lower[start..].strip_prefix('=').map(|_| start + 1)?);
        let end = match lower[start..].chars().next()? {
            quote @ ('"' | '\'') => {
                start += 1;
                start + lower[start..].find(quote)?
            }
            _ => start + lower[start..].find(|c: char| c.is_ascii_whitespace() || c == '>')?,
        };
        let raw = &text[start..end];
        let value = unescape(raw).map_or_else(|_| raw.to_owned(), std::borrow::Cow::into_owned);
        let value = value.trim();
        let is_elsewhere = value.starts_with(['#', '/', '?'])
            || value.split(['/', '#', '?']).next().is_some_and(|first| first.contains(':'));
        let path = percent_decode_str(value).decode_utf8().ok()?.into_owned();
        (!is_elsewhere && !path.is_empty()).then_some(Reference { path, span: start..end })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_and_changed_and_all_else_stays() {
        let text = "<html><IMG class=x SRC='gallery_%231.jpg'><a href = \"a&amp;b.html\">src=\"no\"\
            </a><img src=plain.png><img src=\"data:image/png;base64,AA\"><a href=\"https://x/y\">";
        let paths: Vec<_> = references(text).into_iter().map(|one| one.path).collect();
        assert_eq!(paths, ["gallery_#1.jpg", "a&b.html", "plain.png"]);
        let new = renamed(text, |path| {
            Ok::<_, ()>((path == "gallery_#1.jpg").then(|| "thumbnails/gallery_#1.jpg".to_owned()))
        });
        let expected = text.replace("gallery_%231.jpg", "thumbnails/gallery_%231.jpg");
        assert_eq!(new, Ok(Some(expected)));
        assert_eq!(renamed(text, |_| Ok::<_, ()>(None)), Ok(None));
    }
}
