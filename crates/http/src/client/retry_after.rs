//! How long a server asks to be left alone (`Retry-After`, RFC 9110, section 10.2.3).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};

/// The longest wait that a server can impose.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// Reads `Retry-After`, in seconds or as a date. A date is measured against the server's own `Date`
/// where present, since this PC's clock may be wrong.
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let wanted = text(RETRY_AFTER)?;
    let is_number = !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_digit());
    let wait = if is_number {
        wanted.parse().map_or(MAX_RETRY_AFTER, Duration::from_secs)
    } else {
        let now = text(DATE).and_then(http_date).unwrap_or(now);
        http_date(wanted)?.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

/// Parses an HTTP date (RFC 9110, section 5.6.7).
fn http_date(text: &str) -> Option<SystemTime> {
    let parsed = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    let seconds = u64::try_from(parsed.as_second()).ok()?;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn wait(headers: &[(HeaderName, &'static str)]) -> Option<u64> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(name, HeaderValue::from_static(value));
        }
        let now = http_date("Mon, 23 Nov 2026 10:00:00 GMT").expect("a date");
        retry_after(&map, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_comes_as_seconds_or_as_a_date() {
        assert_eq!(wait(&[(RETRY_AFTER, "120")]), Some(120));
        assert_eq!(wait(&[(RETRY_AFTER, "Mon, 23 Nov 2026 10:02:00 GMT")]), Some(120));
        assert_eq!(wait(&[(RETRY_AFTER, "Mon, 23 Nov 2020 10:02:00 GMT")]), Some(0));
        assert_eq!(wait(&[(RETRY_AFTER, "soon")]), None);
        assert_eq!(wait(&[]), None);
    }

    #[test]
    fn a_date_is_measured_by_the_servers_clock_and_no_wait_exceeds_a_day() {
        let date = (DATE, "Wed, 25 Nov 2026 10:00:00 GMT");
        assert_eq!(wait(&[(RETRY_AFTER, "Wed, 25 Nov 2026 10:00:30 GMT"), date]), Some(30));
        assert_eq!(wait(&[(RETRY_AFTER, "9999999")]), Some(86_400));
        assert_eq!(wait(&[(RETRY_AFTER, "99999999999999999999999")]), Some(86_400));
    }
}
