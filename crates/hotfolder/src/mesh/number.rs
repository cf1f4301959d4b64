//! Fast number parsing for text meshes, which need no exact last digit.

/// What was found where a number belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number {
    /// A number; infinite or NaN if the text says so.
    Is(f32),
    /// A number with a decimal comma.
    Comma,
    /// Something else.
    Other,
}

/// Parses one word.
pub(super) fn number(word: &[u8]) -> Number {
    let (is_negative, digits) = match word {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        all => (false, all),
    };
    let mut mantissa = 0.0_f64;
    let mut scale = 0_i32;
    let mut seen = 0_usize;
    let mut at = 0;
    let mut is_behind_point = false;
    while let Some(byte) = digits.get(at) {
        match byte {
            b'0'..=b'9' => {
                mantissa = mantissa * 10.0 + f64::from(byte - b'0');
                seen += 1;
                scale -= i32::from(is_behind_point);
            }
            b'.' if !is_behind_point => is_behind_point = true,
            _ => break,
        }
        at += 1;
    }
    let rest = digits.get(at..).unwrap_or_default();
    let exponent = match rest {
        [] => 0,
        [b'e' | b'E', rest @ ..] => match exponent(rest) {
            Some(exponent) => exponent,
            None => return Number::Other,
        },
        [b',', b'0'..=b'9', ..] if seen > 0 && !is_behind_point => return Number::Comma,
        _ => return named(digits),
    };
    if seen == 0 {
        return Number::Other;
    }
    let value = mantissa * 10.0_f64.powi(scale.saturating_add(exponent));
    Number::Is(single(if is_negative { -value } else { value }))
}

fn exponent(word: &[u8]) -> Option<i32> {
    std::str::from_utf8(word).ok()?.parse::<i32>().ok().map(|value| value.clamp(-400, 400))
}

/// `nan`, `inf`, and how Windows writes them, such as `-1.#IND`.
fn named(word: &[u8]) -> Number {
    let is = |start: &str| {
        word.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start.as_bytes()))
    };
    if is("nan") || is("1.#") {
        Number::Is(f32::NAN)
    } else if is("inf") {
        Number::Is(f32::INFINITY)
    } else {
        Number::Other
    }
}

#[expect(clippy::cast_possible_truncation, reason = "meshes hold single precision")]
fn single(value: f64) -> f32 {
    value as f32
}

/// Returns the first `N` words as numbers, or the first that is not one; `Err(None)` if there are
/// too few.
pub(super) fn numbers<'a, const N: usize>(
    words: impl Iterator<Item = &'a [u8]>,
) -> Result<[f32; N], Option<Number>> {
    let mut found = [0.0; N];
    let mut count = 0;
    for (slot, word) in found.iter_mut().zip(words) {
        match number(word) {
            Number::Is(value) => *slot = value,
            other => return Err(Some(other)),
        }
        count += 1;
    }
    if count == N { Ok(found) } else { Err(None) }
}

/// Splits a line into words.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_in_every_common_form() {
        for (text, value) in [
            ("0", 0.0),
            ("-12.5", -12.5),
            ("+.25", 0.25),
            ("3.", 3.0),
            ("1.5e+01", 15.0),
            ("-2E-2", -0.02),
        ] {
            let Number::Is(found) = number(text.as_bytes()) else { panic!("{text}") };
            assert!((found - value).abs() < 1e-6, "{text}: {found}");
        }
        for (text, kind) in [
            ("1,5", Number::Comma),
            ("-1,250000e+00", Number::Comma),
            ("1.0,", Number::Other),
            ("", Number::Other),
            ("-", Number::Other),
            ("x1", Number::Other),
            ("1e", Number::Other),
            ("inf", Number::Is(f32::INFINITY)),
        ] {
            assert_eq!(number(text.as_bytes()), kind, "{text}");
        }
        for text in ["nan", "-1.#IND", "NaN(ind)"] {
            assert!(
                matches!(number(text.as_bytes()), Number::Is(value) if value.is_nan()),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_standard_library(value in proptest::num::f32::NORMAL) {
            for text in [format!("{value}"), format!("{value:e}")] {
                let Number::Is(found) = number(text.as_bytes()) else { panic!("{text}") };
                prop_assert!((found - value).abs() <= value.abs() * 1e-5, "{text}: {found}");
            }
        }
    }
}
