//! The origin of a call behind reverse proxies. Any caller can write a header, so only what a proxy
//! from the config added is believed.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

use crate::config::Network;

/// Returns the address a call came from: that of the connection, or, as long as that belongs to a
/// trusted proxy, the one the proxy names.
pub(super) fn remote(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let mut remote = peer.to_canonical();
    // Each proxy appends its entry.
    for named in named(headers).into_iter().rev() {
        if !trusted.iter().any(|network| network.contains(remote)) {
            break;
        }
        // An entry that hides its address ends the chain.
        let Some(address) = named else { break };
        remote = address;
    }
    remote
}

/// The addresses in `Forwarded` (RFC 7239), or else in `X-Forwarded-For`, in order.
fn named(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let texts = |name: header::HeaderName| {
        let values = headers.get_all(name).into_iter();
        let lines = values.filter_map(|value| value.to_str().ok()).map(str::to_owned);
        lines.collect::<Vec<_>>().join(",")
    };
    let forwarded = texts(header::FORWARDED);
    if !forwarded.trim().is_empty() {
        return forwarded.split(',').map(of_element).collect();
    }
    let chain = texts(header::HeaderName::from_static("x-forwarded-for"));
    chain.split(',').filter(|one| !one.trim().is_empty()).map(address).collect()
}

/// The `for=` of one `Forwarded` element.
fn of_element(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| address(value))?
    })
}

/// `10.0.0.5`, `10.0.0.5:4711`, `"[2001:db8::1]:4711"`, `[2001:db8::1]`, `2001:db8::1`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"').trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    let found = bare.parse::<IpAddr>().or_else(|_| with_port()).ok()?;
    Some(found.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, headers: &[(&'static str, &str)], trusted: &[&str]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().expect("a header"));
        }
        let trusted: Vec<Network> =
            trusted.iter().map(|text| text.parse().expect("a network")).collect();
        remote(peer.parse().expect("an address"), &map, &trusted).to_string()
    }

    #[test]
    fn headers_count_only_from_a_trusted_proxy() {
        let header = [("x-forwarded-for", "203.0.113.7")];
        assert_eq!(from("10.0.0.5", &header, &[]), "10.0.0.5");
        assert_eq!(from("10.0.0.5", &header, &["10.0.0.6"]), "10.0.0.5");
        assert_eq!(from("10.0.0.5", &header, &["10.0.0.5"]), "203.0.113.7");
        assert_eq!(from("::ffff:10.0.0.5", &header, &["10.0.0.0/8"]), "203.0.113.7");
        assert_eq!(from("10.0.0.5", &[], &["10.0.0.5"]), "10.0.0.5");
    }

    #[test]
    fn what_the_sender_itself_wrote_is_not_believed() {
        let header = [("x-forwarded-for", "127.0.0.1, 203.0.113.7")];
        assert_eq!(from("10.0.0.5", &header, &["10.0.0.5"]), "203.0.113.7");
        let twice = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.7, 10.0.0.9")];
        assert_eq!(from("10.0.0.5", &twice, &["10.0.0.0/24"]), "203.0.113.7");
    }

    #[test]
    fn the_newer_header_is_read_in_all_its_spellings() {
        for (value, expected) in [
            ("for=203.0.113.7", "203.0.113.7"),
            ("For=\"203.0.113.7:4711\";proto=https", "203.0.113.7"),
            ("for=1.1.1.1, proto=https;for=\"[2001:db8::1]:443\"", "2001:db8::1"),
            ("for=1.1.1.1, for=_hidden", "10.0.0.5"),
            ("for=unknown", "10.0.0.5"),
        ] {
            let headers = [("forwarded", value), ("x-forwarded-for", "9.9.9.9")];
            assert_eq!(from("10.0.0.5", &headers, &["10.0.0.5"]), expected, "{value}");
        }
    }
}
