//! Reads when a certificate expires: the only X.509 field that the agent parses itself.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The version has the tag of the first optional field.
const VERSION: u8 = 0xA0;

/// Returns the end of a certificate's validity (RFC 5280, section 4.1.2.5); `None` if it cannot be
/// read.
pub(super) fn not_after(der: &[u8]) -> Option<SystemTime> {
    let (mut outer, _) = enter(der, SEQUENCE)?;
    let (mut fields, _) = enter(outer, SEQUENCE)?;
    outer = fields;
    if outer.first() == Some(&VERSION) {
        fields = element(outer)?.2;
    }
    // Serial number, signature algorithm, issuer.
    for _ in 0..3 {
        fields = element(fields)?.2;
    }
    let (validity, _) = enter(fields, SEQUENCE)?;
    let (_, _, end) = element(validity)?;
    let (tag, content, _) = element(end)?;
    time(tag, std::str::from_utf8(content).ok()?)
}

/// Returns the content of the first element, which must have this tag, and what follows it.
fn enter(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

/// Returns tag and content of the first element, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let count = usize::from(first & 0x7F);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        (digits.iter().fold(0, |sum, digit| (sum << 8) | usize::from(*digit)), rest)
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

/// Parses `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn time(tag: u8, text: &str) -> Option<SystemTime> {
    let digits = text.strip_suffix('Z')?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: i16 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let number = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    let end = jiff::civil::DateTime::new(
        year,
        number(0)?,
        number(2)?,
        number(4)?,
        number(6)?,
        number(8)?,
        0,
    );
    let seconds = jiff::tz::TimeZone::UTC.to_timestamp(end.ok()?).ok()?.as_second();
    UNIX_EPOCH.checked_add(Duration::from_secs(u64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(tag: u8, text: &str) -> Option<u64> {
        Some(time(tag, text)?.duration_since(UNIX_EPOCH).ok()?.as_secs())
    }

    #[test]
    fn both_spellings_of_a_time_are_read() {
        assert_eq!(seconds(UTC_TIME, "700101000001Z"), Some(1));
        assert_eq!(seconds(UTC_TIME, "261124101500Z"), Some(1_795_515_300));
        assert_eq!(seconds(GENERALIZED_TIME, "20261124101500Z"), Some(1_795_515_300));
        for text in ["", "Z", "2611Z", "261324101500Z", "261124101500", "éé1124101500Z"] {
            assert_eq!(seconds(UTC_TIME, text), None, "{text}");
        }
        assert_eq!(seconds(SEQUENCE, "261124101500Z"), None);
    }

    #[test]
    fn what_is_no_certificate_ends_never() {
        let cases: [&[u8]; 6] = [
            b"",
            b"0",
            &[SEQUENCE, 0x84, 0xFF, 0xFF, 0xFF, 0xFF],
            &[SEQUENCE, 0x80],
            &[SEQUENCE, 2, SEQUENCE, 0],
            &[SEQUENCE; 64],
        ];
        for der in cases {
            assert_eq!(not_after(der), None);
        }
    }
}
