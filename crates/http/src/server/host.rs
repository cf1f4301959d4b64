//! The host name that a request uses for a listener.
//!
//! A page in a browser can reach this PC by a name that an attacker's name server points here (DNS
//! rebinding); the browser then treats the answer as the attacker's own. So the name matters, not
//! only the address that the connection came to.

use std::fmt;
use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header};

/// The host of a request: a name or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    name: Name,
    /// The port, if given.
    pub port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    /// An address, in canonical form.
    Ip(IpAddr),
    /// In lower case, without a trailing dot.
    Dns(String),
}

/// A request without a valid host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostFault;

impl Host {
    /// Returns the host of a request: the one in its target, if present (RFC 9112, section 3.2.2),
    /// otherwise the single header.
    ///
    /// # Errors
    /// There is none, there are several, they differ, or it is not a valid host.
    pub fn of(uri: &Uri, headers: &HeaderMap) -> Result<Self, HostFault> {
        let mut written = headers.get_all(header::HOST).into_iter();
        let header = match (written.next(), written.next()) {
            (Some(one), None) => Some(Self::read(one.to_str().map_err(|_| HostFault)?)?),
            (None, _) => None,
            (Some(_), Some(_)) => return Err(HostFault),
        };
        let target = uri.authority().map(|one| Self::read(one.as_str())).transpose()?;
        match (target, header) {
            (Some(target), Some(header)) if target != header => Err(HostFault),
            (Some(host), _) | (None, Some(host)) => Ok(host),
            (None, None) => Err(HostFault),
        }
    }

    /// Parses `name`, `name:port`, `127.0.0.1:port`, `[::1]:port`. Other spellings of addresses,
    /// such as `0x7f.1`, are treated as names, and match nothing.
    ///
    /// # Errors
    /// It is none of these.
    pub fn read(text: &str) -> Result<Self, HostFault> {
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => {
                let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
                let port = port.parse().ok().filter(|_| is_number).ok_or(HostFault)?;
                (name, Some(port))
            }
            _ => (text, None),
        };
        if let Some(inner) = name.strip_prefix('[') {
            let address = inner.strip_suffix(']').ok_or(HostFault)?;
            let address: std::net::Ipv6Addr = address.parse().map_err(|_| HostFault)?;
            return Ok(Self { name: Name::Ip(IpAddr::V6(address).to_canonical()), port });
        }
        if let Ok(address) = name.parse::<std::net::Ipv4Addr>() {
            return Ok(Self { name: Name::Ip(address.into()), port });
        }
        let bare = name.strip_suffix('.').unwrap_or(name);
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if bare.is_empty() || bare.len() > 253 || !bare.bytes().all(is_name) {
            return Err(HostFault);
        }
        Ok(Self { name: Name::Dns(bare.to_ascii_lowercase()), port })
    }

    /// Returns the address, if it is one. No name server can influence it.
    pub fn address(&self) -> Option<IpAddr> {
        match self.name {
            Name::Ip(address) => Some(address),
            Name::Dns(_) => None,
        }
    }

    /// Whether it is this name, ignoring case.
    pub fn is_named(&self, name: &str) -> bool {
        matches!(&self.name, Name::Dns(own) if own.eq_ignore_ascii_case(name))
    }

    /// Whether it can only mean this PC: `localhost`, which browsers do not look up (RFC 6761,
    /// section 6.3), or a loopback address.
    pub fn is_loopback(&self) -> bool {
        self.is_named("localhost") || self.address().is_some_and(|address| address.is_loopback())
    }

    /// Whether both are the same; `default` is used for a missing port.
    pub fn is_same(&self, other: &Self, default: u16) -> bool {
        let port = |host: &Self| host.port.unwrap_or(default);
        self.name == other.name && port(self) == port(other)
    }
}

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the request has no valid host")
    }
}

impl std::error::Error for HostFault {}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_loopback(text: &str) -> bool {
        Host::read(text).is_ok_and(|host| host.is_loopback())
    }

    #[test]
    fn this_pc_has_few_names() {
        for text in [
            "localhost",
            "LOCALHOST.:80",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]",
            "[::1]:8780",
            "[::ffff:127.0.0.1]:8780",
            "[0:0:0:0:0:0:0:1]",
        ] {
            assert!(is_loopback(text), "{text}");
        }
        for text in [
            "",
            ":80",
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example:80",
            "evil.example:127.0.0.1",
            "127.0.0.1@evil.example",
            "evil.example#127.0.0.1",
            "0x7f.1",
            "0177.0.0.1",
            "2130706433",
            "127.1",
            "127.0.0.1.",
            "0.0.0.0",
            "[::]",
            "::1",
            "[::1",
            "::1]",
            "[::1]evil",
            "[[::1]]",
            "[::1%25eth0]",
            "[127.0.0.1]",
            "127.0.0.1:",
            "127.0.0.1:http",
            "127.0.0.1:+80",
            "127.0.0.1:99999",
            "localhost..",
            " localhost",
            "local%68ost",
            "ⓛocalhost",
        ] {
            assert!(!is_loopback(text), "{text}");
        }
    }

    #[test]
    fn a_request_has_one_host() {
        let of = |uri: &str, hosts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, host.parse().expect("a header"));
            }
            Host::of(&uri.parse().expect("a target"), &headers)
        };
        let read = |text| Host::read(text).expect("a host");
        assert_eq!(of("/", &["a:1"]), Ok(read("A.:1")));
        assert_eq!(of("http://a:1/", &["a:1"]), Ok(read("a:1")));
        assert_eq!(of("http://a:1/", &[]), Ok(read("a:1")));
        for (uri, hosts) in [
            ("/", &[][..]),
            ("/", &["a", "a"][..]),
            ("http://evil.example/", &["127.0.0.1"][..]),
            ("http://127.0.0.1/", &["evil.example"][..]),
            ("http://user@127.0.0.1/", &["127.0.0.1"][..]),
            ("/", &["a b"][..]),
        ] {
            assert_eq!(of(uri, hosts), Err(HostFault), "{uri} {hosts:?}");
        }
    }

    #[test]
    fn ports_that_go_without_saying_are_the_same() {
        let same = |one: &str, other: &str| {
            Host::read(one).expect("a host").is_same(&Host::read(other).expect("a host"), 443)
        };
        assert!(same("lab", "LAB:443") && same("lab:8780", "lab:8780"));
        assert!(!same("lab", "lab:80") && !same("lab", "lib"));
    }
}
