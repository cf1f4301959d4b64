//! Decodes the text of the vendor's files from whatever encoding it has, and encodes it back.

use encoding_rs::{Encoding, UTF_16BE, UTF_16LE, WINDOWS_1252};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Utf8,
    Utf16Le,
    Utf16Be,
    Other(&'static Encoding),
}

/// Decodes XML or HTML, keeping the byte order mark if there is one. `None` if it is not valid in
/// the encoding that it claims.
pub(super) fn decode(bytes: Vec<u8>) -> Option<(String, Form)> {
    let wide = match bytes.get(..2) {
        Some([0xFF, 0xFE] | [b'<', 0]) => Some((UTF_16LE, Form::Utf16Le)),
        Some([0xFE, 0xFF] | [0, b'<']) => Some((UTF_16BE, Form::Utf16Be)),
        _ => None,
    };
    if let Some((encoding, form)) = wide {
        let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes)?;
        return Some((text.into_owned(), form));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some((text, Form::Utf8)),
        Err(error) => {
            let bytes = error.into_bytes();
            let encoding = declared(&bytes)?;
            let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes)?;
            Some((text.into_owned(), Form::Other(encoding)))
        }
    }
}

/// Like [`decode`], for text that claims no encoding: if it is not UTF-8 it is decoded byte by
/// byte, and always encodes back to the same bytes.
pub(super) fn decode_any(bytes: &[u8]) -> (String, Form) {
    match decode(bytes.to_vec()) {
        Some((text, form)) if encode(&text, form).is_some_and(|again| again == bytes) => {
            (text, form)
        }
        _ => {
            let text = WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned();
            (text, Form::Other(WINDOWS_1252))
        }
    }
}

/// Encodes a text; `None` if the encoding lacks one of its characters.
pub(super) fn encode(text: &str, form: Form) -> Option<Vec<u8>> {
    match form {
        Form::Utf8 => Some(text.as_bytes().to_vec()),
        Form::Utf16Le => Some(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        Form::Utf16Be => Some(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        Form::Other(encoding) => {
            let (bytes, _, is_lossy) = encoding.encode(text);
            (!is_lossy).then(|| bytes.into_owned())
        }
    }
}

/// Returns the encoding named by an XML declaration or an HTML header.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head: String = bytes.iter().take(1024).map(|byte| char::from(*byte)).collect();
    let head = head.to_ascii_lowercase();
    let rest = ["encoding=", "charset="].iter().find_map(|key| head.split_once(key))?.1;
    let label = rest.trim_start_matches(['"', '\'']);
    let label = label.split(['"', '\'', '>', ';', '?', ' ']).next()?;
    Encoding::for_label_no_replacement(label.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn each_encoding_is_read_and_written_back() {
        let latin = b"<?xml version='1.0' encoding='windows-1252'?><a>M\xFCller</a>".to_vec();
        let sjis = b"<?xml version=\"1.0\" encoding=\"Shift_JIS\"?><a>\x8F\xE3</a>".to_vec();
        let big: Vec<u8> = "\u{feff}<a>ü</a>".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (bytes, part) in [
            ("\u{feff}<a>ü</a>".as_bytes().to_vec(), "ü"),
            (wide("\u{feff}<a>ü</a>"), "ü"),
            (wide("<a>ü</a>"), "ü"),
            (big, "ü"),
            (latin, "Müller"),
            (sjis, "上"),
        ] {
            let (text, form) = decode(bytes.clone()).expect("text");
            assert!(text.contains(part), "{text}");
            assert_eq!(encode(&text, form), Some(bytes));
        }
        assert_eq!(decode(b"<a>\xFC</a>".to_vec()), None);
        assert_eq!(decode(b"\xFF\xFE<\0a".to_vec()), None);
        let odd = b"\x81\xFCa".to_vec();
        let (text, form) = decode_any(&odd);
        assert_eq!(encode(&text, form), Some(odd));
    }
}
