//! Decodes member names.
//!
//! A name is UTF-8 if the archive says so or the bytes are valid UTF-8. Otherwise the vendor's XML
//! decides, if it lists a matching file; then the Unicode name field; then the configured code
//! page, or the one that best fits all names together.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::code_pages::{decode, guess, readings};
use super::directory::Entry;
use casedrop_model::export::CodePage;

/// A member's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: String,
    /// The raw bytes in the archive, if the text was guessed: ASCII as is, everything else as
    /// `%XX`.
    pub(crate) raw: Option<String>,
}

/// Whether any name is ambiguous on its own, so that the XML is worth consulting.
pub(crate) fn is_doubtful(entries: &[Entry]) -> bool {
    entries.iter().any(|entry| plain(entry).is_none())
}

/// Decodes the names of all members, in order. `listed` holds the file names in the order's XML.
pub(crate) fn decode_all(
    entries: &[Entry],
    configured: CodePage,
    listed: &BTreeSet<String>,
) -> Vec<Name> {
    let mut names: Vec<Option<Name>> = entries
        .iter()
        .map(|entry| match plain(entry) {
            Some(text) => Some(Name { text, raw: None }),
            None => by_xml(&entry.raw_name, listed)
                .or_else(|| entry.unicode_name.clone())
                .or_else(|| decode(configured, &entry.raw_name))
                .map(|text| Name { text, raw: Some(escaped(&entry.raw_name)) }),
        })
        .collect();
    let open = entries.iter().zip(&names).filter(|(_, name)| name.is_none());
    let page = guess(&open.map(|(entry, _)| entry.raw_name.as_slice()));
    for (entry, name) in entries.iter().zip(&mut names) {
        name.get_or_insert_with(|| Name {
            text: decode(page, &entry.raw_name)
                .unwrap_or_else(|| String::from_utf8_lossy(&entry.raw_name).into_owned()),
            raw: Some(escaped(&entry.raw_name)),
        });
    }
    names.into_iter().flatten().collect()
}

/// Returns a name that needs no guess. Many programs write UTF-8 without saying so; other text is
/// hardly ever valid UTF-8 by chance.
fn plain(entry: &Entry) -> Option<String> {
    let text = std::str::from_utf8(&entry.raw_name).ok()?;
    // Programs write this for a letter they cannot encode.
    let has_gaps = !entry.says_utf8() && text.contains('?');
    (!has_gaps).then(|| text.to_owned())
}

/// Returns the reading that the XML lists, or else the only listed name of the same shape:
/// identical in its ASCII, with as many letters between as the bytes allow.
fn by_xml(raw: &[u8], listed: &BTreeSet<String>) -> Option<String> {
    if listed.is_empty() {
        return None;
    }
    let known = |text: &str| {
        let name = text.rsplit(['/', '\\']).next().unwrap_or(text).to_lowercase();
        listed.iter().any(|listed| listed.to_lowercase() == name)
    };
    if let Some(text) = readings(raw).find(|text| known(text)) {
        return Some(text);
    }
    let dir_len = raw.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let (dir, name) = raw.split_at(dir_len);
    let dir = std::str::from_utf8(dir).ok()?;
    let mut alike = listed.iter().filter(|listed| is_of_form(name, listed));
    let only = alike.next().filter(|_| alike.next().is_none())?;
    Some(format!("{dir}{only}"))
}

fn is_of_form(raw: &[u8], text: &str) -> bool {
    let is_open = |byte: u8| !byte.is_ascii() || byte == b'?';
    let (mut raw, mut chars) = (raw.iter().copied().peekable(), text.chars().peekable());
    loop {
        let bytes = std::iter::from_fn(|| raw.next_if(|byte| is_open(*byte))).count();
        let letters = std::iter::from_fn(|| chars.next_if(|c| !c.is_ascii())).count();
        if (bytes == 0) != (letters == 0) || letters > bytes || bytes > 4 * letters {
            return false;
        }
        match (raw.next(), chars.next()) {
            (None, None) => return true,
            (Some(byte), Some(c)) if char::from(byte).eq_ignore_ascii_case(&c) => {}
            _ => return false,
        }
    }
}

fn escaped(raw: &[u8]) -> String {
    let mut out = String::with_capacity(raw.len());
    for &byte in raw {
        if byte == b'%' || !(b' '..=b'~').contains(&byte) {
            // Writing to a String cannot fail.
            let _ = write!(out, "%{byte:02X}");
        } else {
            out.push(char::from(byte));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_xml_decides_by_reading_and_by_form() {
        let listed: BTreeSet<String> =
            ["Foto_Müller.jpg", "Vorschau_Anna.jpg", "上顎.stl"].map(str::to_owned).into();
        let found = |raw: &[u8]| by_xml(raw, &listed);
        assert_eq!(found(b"foto_M\x81ller.jpg").as_deref(), Some("foto_Müller.jpg"));
        assert_eq!(found(b"top/Foto_M\xFCller.jpg").as_deref(), Some("top/Foto_Müller.jpg"));
        assert_eq!(found(b"\x8F\xE3\x8A{.stl").as_deref(), Some("上顎.stl"));
        assert_eq!(found(b"x/Foto_M?ller.jpg").as_deref(), Some("x/Foto_Müller.jpg"));
        assert_eq!(found(b"Foto_M\xC8ller.jpg").as_deref(), Some("Foto_Müller.jpg"));
        assert_eq!(found(b"Foto_M\x81llers.jpg"), None);
        assert_eq!(found(b"Foto_M?????????ller.jpg"), None);
    }

    #[test]
    fn bytes_are_written_so_that_they_can_be_had_back() {
        assert_eq!(escaped(b"M\x81ller 100%.jpg"), "M%81ller 100%25.jpg");
    }
}
