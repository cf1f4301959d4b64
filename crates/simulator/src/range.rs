//! `Range` and `If-Range`, as far as downloads need them (RFC 9110, section 14).

/// The part of a body that a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    /// An inclusive range of bytes.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte, inclusive.
        last: u64,
    },
    /// A range that lies outside the body.
    Nothing,
}

/// Parses the headers. Anything not understood, or meant for another version, means the whole body.
pub(super) fn wanted(
    range: Option<&str>,
    if_range: Option<&str>,
    etag: Option<&str>,
    total: u64,
) -> Wanted {
    let Some(spec) = range.and_then(|range| range.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    if if_range.is_some_and(|tag| Some(tag.trim()) != etag) {
        return Wanted::Whole;
    }
    let Some((first, last)) = spec.split_once('-') else { return Wanted::Whole };
    let end = total.saturating_sub(1);
    match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), _) if first >= total => Wanted::Nothing,
        (Ok(first), Ok(last)) if first <= last => Wanted::Part { first, last: last.min(end) },
        (Ok(first), Err(_)) if last.trim().is_empty() => Wanted::Part { first, last: end },
        (Err(_), Ok(0)) => Wanted::Nothing,
        (Err(_), Ok(count)) if first.trim().is_empty() => {
            Wanted::Part { first: total.saturating_sub(count), last: end }
        }
        _ => Wanted::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_others_mean_the_whole() {
        let of = |text| wanted(Some(text), None, None, 100);
        assert_eq!(of("bytes=10-"), Wanted::Part { first: 10, last: 99 });
        assert_eq!(of("bytes=10-19"), Wanted::Part { first: 10, last: 19 });
        assert_eq!(of("bytes=-5"), Wanted::Part { first: 95, last: 99 });
        assert_eq!(of("bytes=100-"), Wanted::Nothing);
        assert_eq!(of("bytes=1-2,5-6"), Wanted::Whole);
        assert_eq!(of("lines=1-2"), Wanted::Whole);
    }

    #[test]
    fn another_version_is_sent_whole() {
        let of = |tag| wanted(Some("bytes=10-"), Some(tag), Some("\"a\""), 100);
        assert_eq!(of("\"a\""), Wanted::Part { first: 10, last: 99 });
        assert_eq!(of("\"b\""), Wanted::Whole);
    }
}
