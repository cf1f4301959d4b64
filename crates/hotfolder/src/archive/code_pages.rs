//! Code pages for names that are not UTF-8, and a guess at which one a set of names uses.
//!
//! A program that does not set the UTF-8 flag writes in its system's encoding: a DOS or Windows
//! code page, Shift-JIS or GBK. Nothing in the archive says which, but text in the wrong one looks
//! wrong: accented letters normally appear singly, Chinese and Japanese characters in runs, and DOS
//! box-drawing and shading characters not at all.

use encoding_rs::{Encoding, GBK, SHIFT_JIS, WINDOWS_1252};

use casedrop_model::export::CodePage;

/// The upper half of each table, in byte order.
const CP437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒ\
    áíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀\
    αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";
const CP850: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒ\
    áíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐\
    └┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈıÍÎÏ┘┌█▄¦Ì▀\
    ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// Letters that are common in western European names. The tables' other letters count too, but a
/// reading that needs them scores lower.
const USUAL: &str = "äöüÄÖÜßéèêëàâáíóúçñîïôûùåæøÅÆØÉ";

/// All pages. On equal scores the first wins: it is the one in the format's definition.
const ALL: [CodePage; 5] =
    [CodePage::Cp437, CodePage::Cp850, CodePage::Cp1252, CodePage::ShiftJis, CodePage::Gbk];

/// Decodes a name in this page; `None` if it is not valid text there.
pub(super) fn decode(page: CodePage, raw: &[u8]) -> Option<String> {
    match page {
        CodePage::Auto => None,
        CodePage::Cp437 => Some(by_table(CP437, raw)),
        CodePage::Cp850 => Some(by_table(CP850, raw)),
        CodePage::Cp1252 => by_crate(WINDOWS_1252, raw),
        CodePage::ShiftJis => by_crate(SHIFT_JIS, raw),
        CodePage::Gbk => by_crate(GBK, raw),
    }
}

/// Returns every possible reading of a name.
pub(super) fn readings(raw: &[u8]) -> impl Iterator<Item = String> {
    ALL.into_iter().filter_map(|page| decode(page, raw))
}

/// Returns the page that best fits all these names together: one program wrote them all.
pub(super) fn guess<'a>(names: &(impl Iterator<Item = &'a [u8]> + Clone)) -> CodePage {
    let sense = |page: CodePage| -> i64 {
        let scores = names.clone().map(|raw| decode(page, raw).map_or(-100, |text| score(&text)));
        scores.sum()
    };
    let mut best = (CodePage::Cp437, sense(CodePage::Cp437));
    for page in ALL {
        let found = sense(page);
        if found > best.1 {
            best = (page, found);
        }
    }
    best.0
}

fn by_table(upper: &str, raw: &[u8]) -> String {
    let upper: Vec<char> = upper.chars().collect();
    let letter = |byte: &u8| {
        byte.checked_sub(128)
            .and_then(|at| upper.get(usize::from(at)).copied())
            .unwrap_or(char::from(*byte))
    };
    raw.iter().map(letter).collect()
}

fn by_crate(encoding: &'static Encoding, raw: &[u8]) -> Option<String> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(raw)?;
    // Windows leaves five bytes undefined; the web standard maps them to control characters.
    let is_text = !text.chars().any(|c| ('\u{80}'..='\u{9f}').contains(&c));
    is_text.then(|| text.into_owned())
}

fn score(text: &str) -> i64 {
    let chars: Vec<char> = text.chars().collect();
    let mut sum = 0;
    let mut at = 0;
    while at < chars.len() {
        if chars[at].is_ascii() {
            at += 1;
            continue;
        }
        let from = at;
        while at < chars.len() && !chars[at].is_ascii() {
            at += 1;
        }
        let before = from.checked_sub(1).and_then(|before| chars.get(before)).copied();
        sum += score_run(&chars[from..at], before, chars.get(at).copied());
    }
    sum
}

/// Scores a run of non-ASCII characters, given the characters on either side of it.
fn score_run(run: &[char], before: Option<char>, after: Option<char>) -> i64 {
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
    let count = i64::try_from(run.len()).unwrap_or(i64::MAX);
    if run.iter().all(|c| is_western(*c)) {
        let mut sum: i64 = run.iter().map(|c| if USUAL.contains(*c) { 4 } else { 2 }).sum();
        if count > 2 {
            sum = -3 * count;
        }
        // A capital in the middle of lowercase letters.
        let follows_small = before.is_some_and(|c| c.is_ascii_lowercase());
        if follows_small && run.iter().any(|c| c.is_uppercase()) {
            sum -= 4;
        }
        return sum;
    }
    let asian: i64 = run.iter().map(|c| asian_worth(*c)).sum();
    // A lone one between Latin letters is really two bytes of something else.
    let is_alone = count == 1 && (is_letter(before) || is_letter(after));
    if is_alone && asian > 0 { -8 } else { asian }
}

fn is_western(c: char) -> bool {
    matches!(c, 'À'..='Ö' | 'Ø'..='ö' | 'ø'..='ÿ' | 'Œ' | 'œ' | 'Š' | 'š' | 'Ž' | 'ž' | 'Ÿ' | 'ı')
}

/// Scores a double-byte character by how common it is in the page it came from.
fn asian_worth(c: char) -> i64 {
    match c {
        '\u{3041}'..='\u{30ff}' => 8,
        '\u{4e00}'..='\u{9fff}' => {
            let lead = |encoding: &'static Encoding| {
                let text = c.to_string();
                let (bytes, _, is_lossy) = encoding.encode(&text);
                let pair = (bytes.first().copied().unwrap_or(0), bytes.get(1).copied());
                if is_lossy { (0, None) } else { pair }
            };
            // The first level of either standard.
            let is_usual = matches!(lead(SHIFT_JIS).0, 0x88..=0x97)
                || matches!(lead(GBK), (0xB0..=0xD7, Some(0xA1..)));
            let is_known = matches!(lead(SHIFT_JIS).0, 0x98..=0x9F | 0xE0..=0xEA)
                || matches!(lead(GBK), (0xD8..=0xF7, Some(0xA1..)));
            if is_usual {
                8
            } else if is_known {
                4
            } else {
                -4
            }
        }
        '\u{ff01}'..='\u{ff5e}' | '\u{3000}'..='\u{303f}' => 1,
        _ => -6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guessed(raw: &[u8]) -> (CodePage, String) {
        let page = guess(&[raw].into_iter());
        (page, decode(page, raw).expect("text"))
    }

    #[test]
    fn both_tables_are_whole() {
        assert_eq!((CP437.chars().count(), CP850.chars().count()), (128, 128));
        assert_eq!(by_table(CP437, b"\x80\xE1\xFFa"), "Çß\u{a0}a");
        assert_eq!(by_table(CP850, b"\x80\xB5\xFFa"), "ÇÁ\u{a0}a");
    }

    #[test]
    fn each_page_is_known_by_its_names() {
        let cases: [(&[u8], CodePage, &str); 11] = [
            (b"Foto_M\x81ller.jpg", CodePage::Cp437, "Foto_Müller.jpg"),
            (b"Ren\x82e Gar\x87on.jpg", CodePage::Cp437, "Renée Garçon.jpg"),
            (b"L\x94we.jpg", CodePage::Cp437, "Löwe.jpg"),
            (b"\xB5lvarez Jos\x82.jpg", CodePage::Cp850, "Álvarez José.jpg"),
            (b"Foto_M\xFCller.jpg", CodePage::Cp1252, "Foto_Müller.jpg"),
            (b"M\xE4rz Gr\xF6\xDFe.jpg", CodePage::Cp1252, "März Größe.jpg"),
            (b"Ren\xE9e Gar\xE7on.jpg", CodePage::Cp1252, "Renée Garçon.jpg"),
            (b"B\xF8rge \xC5se.jpg", CodePage::Cp1252, "Børge Åse.jpg"),
            (b"\x83X\x83L\x83\x83\x83\x93.jpg", CodePage::ShiftJis, "スキャン.jpg"),
            (b"\x8F\xE3\x8A{\x95\\.stl", CodePage::ShiftJis, "上顎表.stl"),
            (b"\xC9\xA8\xC3\xE8.jpg", CodePage::Gbk, "扫描.jpg"),
        ];
        for (raw, page, text) in cases {
            assert_eq!(guessed(raw), (page, text.to_owned()));
        }
    }

    #[test]
    fn all_names_of_an_archive_are_judged_together() {
        // On its own, the first could be either.
        let names: [&[u8]; 2] = [b"Stra\xE1e.jpg", b"M\x81ller.jpg"];
        assert_eq!(guess(&names.into_iter()), CodePage::Cp437);
        let names: [&[u8]; 2] = [b"Andr\xE1s.jpg", b"M\xFCller.jpg"];
        assert_eq!(guess(&names.into_iter()), CodePage::Cp1252);
    }
}
