//! The machine-wide proxy of Windows, as set by `netsh winhttp set proxy` or a deployment tool. The
//! HTTP client itself only reads the environment and the settings of its own user; a service
//! account has none.

use std::net::Ipv4Addr;

use url::Url;

/// Returns the machine's proxy and the hosts reached without it, if neither the environment nor the
/// user's settings name one.
#[cfg(windows)]
pub(super) fn proxy() -> Option<(Url, String)> {
    use hyper_util::client::proxy::matcher::Matcher;
    let any = "https://casedrop.invalid/".parse().ok()?;
    if Matcher::from_system().intercept(&any).is_some() {
        return None;
    }
    let key = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections";
    let value =
        windows_registry::LOCAL_MACHINE.open(key).ok()?.get_value("WinHttpSettings").ok()?;
    settings(&value)
}

/// Other systems have no such setting.
#[cfg(not(windows))]
pub(super) fn proxy() -> Option<(Url, String)> {
    None
}

/// Parses the registry value: a header of three numbers, the last of which holds flags, then the
/// proxy and the exceptions, each prefixed with its length.
#[cfg_attr(not(any(windows, test)), expect(dead_code, reason = "tested everywhere"))]
fn settings(value: &[u8]) -> Option<(Url, String)> {
    const BY_PROXY: u32 = 2;
    let (flags, rest) = number(value.get(8..)?)?;
    let (proxy, rest) = text(rest)?;
    let except = text(rest).map(|(text, _)| text).unwrap_or_default();
    if flags & BY_PROXY == 0 {
        return None;
    }
    Some((server(&proxy)?, exceptions(&except)))
}

/// Returns the server for https: `proxy:8080`, or one of `http=proxy:8080;https=proxy:8443`.
fn server(text: &str) -> Option<Url> {
    let mut parts = text.split([';', ' ']).map(str::trim).filter(|part| !part.is_empty());
    let found = parts.clone().find_map(|part| part.strip_prefix("https="));
    let found = found.or_else(|| parts.find(|part| !part.contains('=')))?;
    let with_scheme =
        if found.contains("://") { found.to_owned() } else { format!("http://{found}") };
    Url::parse(&with_scheme).ok().filter(|url| url.host().is_some())
}

/// Converts Windows' exceptions (`<local>;*.lab.example;10.*`) to the form of `NO_PROXY`.
fn exceptions(text: &str) -> String {
    let parts = text.split([';', ' ']).map(str::trim).filter(|part| !part.is_empty());
    // Casedrop never calls hosts without a dot in their name.
    let parts = parts.filter(|part| *part != "<local>");
    let parts: Vec<String> = parts
        .map(|part| network(part).unwrap_or_else(|| part.trim_start_matches("*.").to_owned()))
        .collect();
    parts.join(",")
}

/// Converts `10.*` or `192.168.1.*` to a network.
fn network(text: &str) -> Option<String> {
    let octets: Vec<&str> = text.trim_end_matches(".*").split('.').collect();
    let known = octets.len();
    if !text.ends_with(".*") || known > 3 {
        return None;
    }
    let mut address = [0; 4];
    for (place, octet) in octets.iter().enumerate() {
        address[place] = octet.parse().ok()?;
    }
    Some(format!("{}/{}", Ipv4Addr::from(address), known * 8))
}

fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = number(bytes)?;
    let (text, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    Some((String::from_utf8_lossy(text).into_owned(), rest))
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*number), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(flags: u32, proxy: &str, except: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [0x18, 0, flags] {
            bytes.extend(u32::to_le_bytes(number));
        }
        for text in [proxy, except] {
            bytes.extend(u32::to_le_bytes(u32::try_from(text.len()).expect("short")));
            bytes.extend(text.as_bytes());
        }
        bytes
    }

    #[test]
    fn the_machines_proxy_is_read_with_its_exceptions() {
        let found = settings(&value(3, "proxy.lab:8080", "<local>;*.lab.example;10.*;172.16.1.*"));
        let (url, except) = found.expect("a proxy");
        assert_eq!(url.as_str(), "http://proxy.lab:8080/");
        assert_eq!(except, "lab.example,10.0.0.0/8,172.16.1.0/24");
        let (url, _) = settings(&value(3, "http=a:80;https=b:443", "")).expect("a proxy for https");
        assert_eq!(url.as_str(), "http://b:443/");
    }

    #[test]
    fn a_machine_without_a_proxy_has_none() {
        assert_eq!(settings(&value(1, "", "")), None);
        assert_eq!(settings(&value(1, "proxy.lab:8080", "")), None, "switched off");
        assert_eq!(settings(&value(3, "http=a:80", "")), None, "for plain http only");
        for length in 0..value(3, "proxy:1", "").len() - 4 {
            let cut = &value(3, "proxy:1", "")[..length];
            assert_eq!(settings(cut), None, "{length}");
        }
        let mut long = value(3, "proxy:1", "");
        long[12] = 200;
        assert_eq!(settings(&long), None);
    }
}
