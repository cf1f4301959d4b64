//! Identifies content that arrived instead of what was requested: proxies, login pages and gateways
//! answer for Align, with their own pages and any status.
//!
//! Detection uses the answer's content type and its first bytes, of which at most [`HEAD`] are
//! read. A page may contain anyone's name, so only its title is repeated, and only if every word in
//! it is typical of such pages.

use reqwest::header::{CONTENT_TYPE, HeaderMap};

use casedrop_model::discreet;

/// Bytes of a page read to find its title.
pub(super) const HEAD: usize = 4096;
/// Bytes of an archive or a picture that suffice to recognize it.
pub(super) const MAGIC: usize = 8;
const MAX_TYPE: usize = 60;

/// The kind of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What was requested, or nothing that says otherwise: unpacking it will tell.
    Files,
    Page,
    Json,
    /// Something else that, by its type, is not an archive.
    Other,
    Nothing,
}

/// Returns the kind of a body from its headers and first bytes.
pub(super) fn kind(headers: &HeaderMap, head: &[u8]) -> Kind {
    const MAGICS: [&[u8]; 5] =
        [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"\xFF\xD8\xFF", b"\x89PNG"];
    if head.is_empty() {
        return Kind::Nothing;
    }
    // The bytes prove more than the type: servers are careless about it.
    if MAGICS.iter().any(|magic| head.starts_with(magic)) {
        return Kind::Files;
    }
    let typed = by_type(headers);
    match text_start(head) {
        Some(b'<') if typed == Kind::Files && is_plain_xml(head) => Kind::Other,
        Some(b'<') if typed != Kind::Other => Kind::Page,
        Some(b'{' | b'[') if typed != Kind::Page => Kind::Json,
        _ => typed,
    }
}

/// Returns the kind of a body from its type alone.
pub(super) fn by_type(headers: &HeaderMap) -> Kind {
    let Some(essence) = essence(headers) else { return Kind::Files };
    match essence.split_once('/') {
        Some((_, "html" | "xhtml+xml")) => Kind::Page,
        Some((_, kind)) if kind == "json" || kind.ends_with("+json") => Kind::Json,
        Some(("text", _)) => Kind::Other,
        Some((_, kind)) if kind == "xml" || kind.ends_with("+xml") => Kind::Other,
        _ => Kind::Files,
    }
}

/// Describes it in words: `a web page (text/html, "Service unavailable")`.
pub(super) fn in_words(kind: Kind, headers: &HeaderMap, head: &[u8]) -> String {
    let essence = essence(headers);
    let word = match kind {
        Kind::Files => "a file",
        Kind::Page => "a web page",
        Kind::Json => "JSON",
        Kind::Other => "a text",
        Kind::Nothing => return "an empty body".to_owned(),
    };
    let title = title(head).filter(|_| kind == Kind::Page).map(|title| format!("\"{title}\""));
    let details: Vec<String> = essence.into_iter().chain(title).collect();
    if details.is_empty() { word.to_owned() } else { format!("{word} ({})", details.join(", ")) }
}

/// Returns the type without its parameters, if it is well-formed.
fn essence(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = text.split(';').next()?.trim().to_ascii_lowercase();
    let is_proper = |c: char| c.is_ascii_alphanumeric() || "/+-._".contains(c);
    let shaped = essence.split('/').filter(|part| !part.is_empty()).count() == 2;
    (shaped && essence.len() <= MAX_TYPE && essence.chars().all(is_proper)).then_some(essence)
}

/// Returns the first byte after white space and a byte order mark.
fn text_start(head: &[u8]) -> Option<u8> {
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head);
    text.iter().copied().find(|byte| !byte.is_ascii_whitespace())
}

/// Plain XML, for example an error of a storage server.
fn is_plain_xml(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    text.contains("<?xml") && !text.contains("<html") && !text.contains("<!doctype html")
}

/// Whether there are enough bytes to identify it.
pub(super) fn is_enough(head: &[u8]) -> bool {
    let blank = head.iter().filter(|byte| byte.is_ascii_whitespace()).count();
    head.len() - blank >= MAGIC
}

/// Returns the title of a page, if it may be repeated.
fn title(head: &[u8]) -> Option<String> {
    let page = String::from_utf8_lossy(head);
    // ASCII only, so that offsets in it are offsets in the page.
    let folded = page.to_ascii_lowercase();
    let open = folded.find("<title")?;
    let begin = open + folded[open..].find('>')? + 1;
    let end = begin + folded[begin..].find("</title")?;
    discreet::page_title(&page[begin..end])
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn typed(text: &'static str) -> HeaderMap {
        let value = HeaderValue::from_static(text);
        if text.is_empty() {
            HeaderMap::new()
        } else {
            HeaderMap::from_iter([(CONTENT_TYPE, value)])
        }
    }

    #[test]
    fn bytes_are_believed_before_types_and_a_doubtful_body_is_left_to_the_unpacker() {
        let cases: [(&str, &[u8], Kind); 22] = [
            ("", b"<?xml version='1.0'?><Error/>", Kind::Other),
            ("", b"<?xml version='1.0'?><!DOCTYPE html>", Kind::Page),
            ("application/zip", b"PK\x03\x04....", Kind::Files),
            ("text/html", b"PK\x03\x04....", Kind::Files),
            ("application/json", b"PK\x05\x06....", Kind::Files),
            ("image/jpeg", b"\xFF\xD8\xFF\xE0....", Kind::Files),
            ("text/plain", b"\x89PNG\r\n\x1a\n", Kind::Files),
            ("application/zip", b"\x00\x01\x02\x03....", Kind::Files),
            ("", b"0123456789", Kind::Files),
            ("application/octet-stream", b"0123456789", Kind::Files),
            ("application/zip", b"<!DOCTYPE html>", Kind::Page),
            ("", b"\xEF\xBB\xBF\r\n  <html>", Kind::Page),
            ("text/html; charset=utf-8", b"Service unavailable", Kind::Page),
            ("application/xhtml+xml", b"<html>", Kind::Page),
            ("text/html", b"{not json}", Kind::Page),
            ("application/json", b"null", Kind::Json),
            ("application/problem+json", b"{}", Kind::Json),
            ("application/octet-stream", b" {\"url\":", Kind::Json),
            ("text/plain", b"try again later", Kind::Other),
            ("application/xml", b"<Error><Code>AccessDenied", Kind::Other),
            ("image/svg+xml", b"<svg>", Kind::Other),
            ("application/zip", b"", Kind::Nothing),
        ];
        for (kind_of, head, expected) in cases {
            assert_eq!(kind(&typed(kind_of), head), expected, "{kind_of} {head:?}");
        }
    }

    #[test]
    fn a_page_is_told_with_its_type_and_a_harmless_title() {
        let page = |kind_of, head: &str| in_words(Kind::Page, &typed(kind_of), head.as_bytes());
        let html = "<html><head><TITLE lang=\"en\">\n 503 Service  Unavailable </Title></head>";
        assert_eq!(
            page("text/html;charset=x", html),
            "a web page (text/html, \"503 Service Unavailable\")"
        );
        assert_eq!(page("", html), "a web page (\"503 Service Unavailable\")");
        for head in ["<title>Jane Doe</title>", "<title>Error of Doe</title>", "<title>Error", ""] {
            assert_eq!(page("text/html", head), "a web page (text/html)", "{head}");
        }
    }

    #[test]
    fn a_type_that_is_no_proper_one_is_not_repeated() {
        for odd in ["text/Jane Doe", "text", "text/", "a/b/c", "text/\"x\""] {
            assert_eq!(in_words(Kind::Other, &typed(odd), b"x"), "a text", "{odd}");
        }
    }
}
