//! Parses and writes single values: durations, sizes, addresses, URLs.

use std::net::SocketAddr;
use std::time::Duration;

use url::{Host, Url};

use super::network::Network;
use super::updates::{UpdateSource, Window};
use crate::model::size::SIZES;
use crate::model::working_hours::WorkingHours;
use crate::password::PasswordHash;

/// Why a text is not a valid value, and how to write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) reason: String,
    pub(super) hint: String,
}

fn bad<T>(reason: impl Into<String>, hint: impl Into<String>) -> Result<T, Bad> {
    Err(Bad { reason: reason.into(), hint: hint.into() })
}

/// Milliseconds per unit, shortest first.
const TIMES: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const LONGEST_WAIT: Duration = Duration::from_hours(1);
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

/// Reads `120s`, `15m`, `2h`, `30d`, `500ms`.
pub(super) fn duration(text: &str) -> Result<Duration, Bad> {
    const HOW: &str = "write a whole number and one of ms, s, m, h, d, such as 120s or 15m";
    let (digits, unit) = split(text);
    let Ok(count) = digits.parse::<u64>() else {
        return bad(not(text, "a duration"), HOW);
    };
    let millis = match (unit, TIMES.iter().find(|(name, _)| *name == unit)) {
        (_, Some((_, millis))) => *millis,
        ("", None) => {
            return bad(
                format!("`{digits}` is a duration without a unit"),
                format!(
                    "write {digits}s for seconds, {digits}m for minutes, {digits}h for hours or \
                     {digits}d for days"
                ),
            );
        }
        _ => {
            let meant = match unit.trim().to_lowercase().as_str() {
                "ms" | "msec" | "millis" | "milliseconds" => "ms",
                "s" | "sec" | "secs" | "second" | "seconds" => "s",
                "m" | "min" | "mins" | "minute" | "minutes" => "m",
                "h" | "hr" | "hrs" | "hour" | "hours" => "h",
                "d" | "day" | "days" => "d",
                _ => return bad(not(text, "a duration"), HOW),
            };
            return bad(not(text, "a duration"), format!("write {digits}{meant}"));
        }
    };
    match count.checked_mul(millis).map(Duration::from_millis) {
        Some(Duration::ZERO) => bad("the duration is zero", "write more than zero, such as 120s"),
        Some(value) if value <= LONGEST => Ok(value),
        _ => bad(format!("`{text}` is longer than 100 years"), "write a shorter duration"),
    }
}

/// Reads a duration as in the config, such as `12h` or `7d`.
pub fn duration_of(text: &str) -> Option<Duration> {
    duration(text).ok()
}

/// Reads how long a scan may wait for its extras: a duration, or zero.
pub(super) fn wait(text: &str) -> Result<Duration, Bad> {
    let (digits, unit) = split(text);
    if digits.parse() == Ok(0_u64) && TIMES.iter().any(|(name, _)| *name == unit) {
        return Ok(Duration::ZERO);
    }
    let value = duration(text)?;
    if value > LONGEST_WAIT {
        let reason = format!("`{text}` would hold the scan back for more than an hour");
        return bad(reason, "write 1h or less, such as 30s; what arrives later is published later");
    }
    Ok(value)
}

/// Reads `5GB`, `500MB`, `64KiB`; ignores the unit's case.
pub(super) fn size(text: &str) -> Result<u64, Bad> {
    const HOW: &str = "write a whole number and a unit, such as 5GB: KB, MB, GB, TB count in \
                       thousands, KiB, MiB, GiB, TiB in 1024s";
    let (digits, unit) = split(text);
    let Ok(count) = digits.parse::<u64>() else {
        return bad(not(text, "a size"), HOW);
    };
    if unit.is_empty() && count > 0 {
        let hint = format!("write {digits}GB for gigabytes or {digits}MB for megabytes");
        return bad(format!("`{digits}` is a size without a unit"), hint);
    }
    let unit = if unit.is_empty() { "B" } else { unit };
    let Some((_, bytes)) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)) else {
        let meant = SIZES.iter().skip(1).find(|(name, _)| name[..1].eq_ignore_ascii_case(unit));
        let hint = match meant {
            Some((name, _)) => format!("write {digits}{name}"),
            None => HOW.to_owned(),
        };
        return bad(not(text, "a size"), hint);
    };
    match count.checked_mul(*bytes) {
        Some(value) if i64::try_from(value).is_ok() => Ok(value),
        _ => bad(format!("`{text}` is larger than any disk"), "write a smaller size"),
    }
}

/// Reads an address to listen on, such as `127.0.0.1:8780`.
pub(super) fn address(text: &str) -> Result<SocketAddr, Bad> {
    text.parse().or_else(|_| {
        let port = text.rsplit(':').next().unwrap_or(text);
        let host = text.strip_suffix(port).unwrap_or_default().trim_end_matches(':');
        let hint = match (port.parse::<u16>(), host) {
            (Ok(port), "" | "localhost") => format!("write 127.0.0.1:{port}"),
            (Ok(port), "*") => format!("write 0.0.0.0:{port}"),
            _ => "write the IP address of this PC and a port, such as 127.0.0.1:8780".to_owned(),
        };
        bad(not(text, "an address with a port"), hint)
    })
}

pub(super) fn network(text: &str) -> Result<Network, Bad> {
    let hint = "write an IP address such as 10.0.0.5, or a network such as 192.168.1.0/24";
    text.trim().parse().or_else(|()| bad(not(text, "an IP address or network"), hint))
}

pub(super) fn window(text: &str) -> Result<Window, Bad> {
    let hint = "write two times of day, such as 02:00-05:00; the window may span midnight";
    text.parse().or_else(|()| bad(not(text, "a time window"), hint))
}

pub(super) fn working_hours(text: &str) -> Result<WorkingHours, Bad> {
    let hint = "write days (Mon, Tue, Wed, Thu, Fri, Sat, Sun) and hours, such as Mon-Fri 08:00-18:00, \
                Sat 09:00-13:00";
    text.parse().or_else(|()| bad(not(text, "working hours"), hint))
}

pub(super) fn update_source(text: &str) -> Result<UpdateSource, Bad> {
    let hint = "write the https:// address of a folder, without `?` and `#`, or github:owner/name";
    text.trim().parse().or_else(|()| bad(not(text, "a place for releases"), hint))
}

/// Reads a URL that tokens and personal data may go to: `https`, or `http` to this PC itself.
pub(super) fn url(text: &str) -> Result<Url, Bad> {
    const HOW: &str = "write the full URL as it was given to you, starting with https://";
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return bad(format!("{} ({error})", not(text, "a URL")), HOW),
    };
    if url.host().is_none() {
        return bad(not(text, "a web address"), HOW);
    }
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => {
            let hint = "write https://; plain http is allowed for loopback addresses only";
            return bad("it would be sent unencrypted over http", hint);
        }
        other => return bad(format!("`{other}` is not a web address"), HOW),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("the URL contains a user name or password", "remove the part before the @");
    }
    Ok(url)
}

/// Reads a proxy's address. The fault does not quote the address: it may hold a password.
pub(super) fn proxy(text: &str) -> Result<Url, Bad> {
    const HOW: &str = "write `system`, `none`, or its address, such as http://proxy.example:3128";
    let Some(url) = Url::parse(text).ok().filter(|url| url.host().is_some()) else {
        return bad("this is not a proxy address".to_owned(), HOW);
    };
    if !url.username().is_empty() || url.password().is_some() {
        let hint = "remove the part before the @, write user:password into a separate file that \
                    only the agent's user may read, and set `api.proxy_credentials_file` to that \
                    file";
        return bad("the address contains a user name or password".to_owned(), hint);
    }
    if !matches!(url.scheme(), "http" | "https") {
        return bad(format!("proxies of the kind `{}` are not supported", url.scheme()), HOW);
    }
    if url.path().len() > 1 || url.query().is_some() || url.fragment().is_some() {
        let hint = "write scheme, host and port only; scripts (.pac) are not read: write the proxy \
                    that the script returns";
        return bad("the proxy's address contains a path".to_owned(), hint);
    }
    Ok(url)
}

/// Whether a URL points at this PC: 127.0.0.0/8, `::1` or `localhost`.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether a host is an allowed one or is below one.
pub(super) fn is_below(host: &str, allowed: &[String]) -> bool {
    let host = host.trim_end_matches('.');
    allowed.iter().any(|suffix| {
        host.strip_suffix(suffix.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// Checks a host that tokens may go to, and returns it in lower case.
pub(super) fn host_suffix(text: &str) -> Result<String, Bad> {
    const HOW: &str = "write a domain only, such as iterocloud.com; it covers all hosts below it";
    let host = text.trim().to_ascii_lowercase();
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    if !host.split('.').all(is_label) || host.len() > 253 {
        return bad(not(text, "a domain"), HOW);
    }
    if !host.contains('.') {
        return bad(format!("`{host}` would allow every host below it"), HOW);
    }
    if host.split('.').all(|label| label.chars().all(|c| c.is_ascii_digit())) {
        return bad(format!("`{host}` is an IP address"), HOW);
    }
    Ok(host)
}

/// Reads a name of this PC and returns it as browsers write it: in lower case, without a trailing
/// dot, and in ASCII.
pub(super) fn host_name(text: &str) -> Result<String, Bad> {
    const HOW: &str =
        "write the name only, without https:// and port, such as casedrop.lab.example";
    let text = text.trim();
    let is_bare = !text.contains(['%', '/', ':', '@', '[']);
    let host = is_bare.then(|| Host::parse(text.strip_suffix('.').unwrap_or(text)));
    let name = match host {
        Some(Ok(Host::Domain(name))) => name,
        Some(Ok(_)) => {
            let hint = "leave it out: addresses need no entry";
            return bad(format!("`{text}` is an IP address"), hint);
        }
        _ => return bad(not(text, "the name of a host"), HOW),
    };
    let is_label = |label: &str| {
        let sound = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.len() <= 63 && label.chars().all(sound)
    };
    if name.len() > 253 || !name.split('.').all(is_label) {
        return bad(not(text, "the name of a host"), HOW);
    }
    Ok(name)
}

/// Reads the hash of a password. The fault does not quote it.
pub(super) fn password_hash(text: &str) -> Result<PasswordHash, Bad> {
    let hint = "put in exactly what `casedrop hash-password` prints, in single quotes";
    text.trim().parse().or_else(|why: &str| bad(why, hint))
}

/// Checks a path on Align's servers.
pub(super) fn endpoint_path(text: &str) -> Result<(), Bad> {
    let sane = text.starts_with('/')
        && !text.starts_with("//")
        && !text.contains(['#', '\\'])
        && !text.split('/').any(|part| part == "..")
        && !text.chars().any(|c| c.is_whitespace() || c.is_control());
    if sane {
        return Ok(());
    }
    bad(not(text, "a path on the server"), "write the part of the URL after the host: /api/…")
}

/// Checks a log level or filter.
pub(super) fn log_level(text: &str) -> Result<(), Bad> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    if text.contains(['=', ',']) {
        return match text.parse::<tracing_subscriber::filter::Targets>() {
            Ok(_) => Ok(()),
            Err(error) => bad(
                format!("{} ({error})", not(text, "a log filter")),
                "write a level, or a filter such as info,casedrop::align=debug",
            ),
        };
    }
    if LEVELS.contains(&text) {
        return Ok(());
    }
    let hint = match super::fault::nearest(text, LEVELS) {
        Some(level) => format!("write {level}"),
        None => format!("write one of {}", LEVELS.join(", ")),
    };
    bad(not(text, "a log level"), hint)
}

fn not(text: &str, what: &str) -> String {
    if text.trim().is_empty() {
        return format!("expected {what}, found an empty text");
    }
    format!("`{}` is not {what}", super::fault::shorten(text))
}

fn split(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// Writes a duration the way it is read: in seconds up to two minutes, like Align's `120s`, else in
/// the largest unit that fits.
pub(super) fn write_duration(value: Duration) -> String {
    let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    if millis.is_multiple_of(1000) && millis <= 120_000 {
        return format!("{}s", millis / 1000);
    }
    let (unit, each) =
        TIMES.iter().rev().find(|(_, each)| millis.is_multiple_of(*each)).unwrap_or(&TIMES[0]);
    format!("{}{unit}", millis / each)
}

/// Writes a size the way it is read, in the largest unit that fits.
pub(super) fn write_size(value: u64) -> String {
    let (unit, each) = SIZES
        .iter()
        .rev()
        .filter(|(_, each)| value.is_multiple_of(*each))
        .max_by_key(|(_, each)| each)
        .unwrap_or(&SIZES[0]);
    format!("{}{unit}", value / each)
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
