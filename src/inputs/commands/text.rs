//! Decodes a file's bytes as text: UTF-8 with or without a byte-order mark, and UTF-16 as old
//! editors write it.

use super::error::CommandError;

/// Returns the text without its byte-order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<String, CommandError> {
    let text = if let Some(rest) = bytes.strip_prefix(&[0xFF, 0xFE]) {
        utf16(rest, u16::from_le_bytes)
    } else if let Some(rest) = bytes.strip_prefix(&[0xFE, 0xFF]) {
        utf16(rest, u16::from_be_bytes)
    } else if zeros(bytes, 1) {
        utf16(bytes, u16::from_le_bytes)
    } else if zeros(bytes, 0) {
        utf16(bytes, u16::from_be_bytes)
    } else {
        let bytes = bytes.strip_prefix(&[0xEF, 0xBB, 0xBF]).unwrap_or(bytes);
        std::str::from_utf8(bytes).ok().map(str::to_owned)
    };
    let is_binary = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{1A}');
    match text {
        Some(text) if !text.contains(is_binary) => {
            // Very old programs put this at the end of a text.
            Ok(text.trim_end_matches('\u{1A}').to_owned())
        }
        None if looks_like_text(bytes) => Err(CommandError::unknown(
            "the file is in an old encoding (ANSI); in the editor, choose Save as and the encoding \
             UTF-8",
        )),
        _ => Err(CommandError::unknown(
            "the file is not plain text; documents, pictures and shortcuts cannot be commands, but \
             a file from the editor (Notepad) can",
        )),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let units = pairs.iter().map(|pair| unit(*pair));
    let text: Option<String> = char::decode_utf16(units).collect::<Result<_, _>>().ok();
    text.filter(|_| rest.is_empty())
}

/// Whether it looks like UTF-16 without a byte-order mark: every second byte is zero, and no other.
fn zeros(bytes: &[u8], at: usize) -> bool {
    bytes.len() >= 4
        && bytes.len().is_multiple_of(2)
        && bytes.iter().enumerate().all(|(index, byte)| (*byte == 0) == (index % 2 == at))
}

fn looks_like_text(bytes: &[u8]) -> bool {
    let has_mark = bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]);
    !has_mark && bytes.iter().all(|byte| *byte >= 0x20 || matches!(byte, b'\n' | b'\r' | b'\t'))
}
