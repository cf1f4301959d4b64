//! Where each call goes: names, templates, and the rule which hosts may see a token.
//!
//! FACT: discovery returns the domain and path of every endpoint, and the old shared base URL still
//! works. The names and paths are ASSUMED; paths can be set in the config (`api.paths`), by name.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Host, Url};

use super::lenient_json::same_name;
use super::wire::Discovered;
use casedrop_http::client::is_loopback;
use casedrop_model::fault::{Fault, FaultClass};

/// ASSUMED. Below `base_url`; can be replaced in `api.paths` under the name `discovery`.
const DISCOVERY_PATH: &str = "/api/third-party/v2/discovery";
/// Everything except the characters that RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A call that Align offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Accounts,
    Pair,
    Unpair,
    ReadyOrders,
    OrderByRx,
    Download,
    Return,
    Refresh,
    Revoke,
    /// The login page. Not in discovery, which comes after the login.
    Authorize,
    /// Exchanges a code for tokens. Not in discovery either.
    Exchange,
}

/// Which of the two URLs in the config a path is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Base,
    Oauth,
}

impl Endpoint {
    /// All endpoints that discovery can name.
    pub(super) const DISCOVERED: [Self; 9] = [
        Self::Accounts,
        Self::Pair,
        Self::Unpair,
        Self::ReadyOrders,
        Self::OrderByRx,
        Self::Download,
        Self::Return,
        Self::Refresh,
        Self::Revoke,
    ];

    /// Placeholders that its path must have. Without any, a 404 means that the path is wrong;
    /// otherwise the requested object may be what is missing.
    pub(super) fn slots(self) -> &'static [&'static str] {
        match self {
            Self::OrderByRx => &["rxId"],
            Self::Download => &["orderId", "assetType"],
            Self::Return => &["orderId"],
            _ => &[],
        }
    }

    /// The name in discovery and in `api.paths`. ASSUMED.
    pub(super) fn name(self) -> &'static str {
        self.row().0
    }

    fn row(self) -> (&'static str, Root, &'static str) {
        match self {
            Self::Accounts => ("getAccountsForPairing", Root::Base, "/api/third-party/v1/accounts"),
            Self::Pair => ("pairAccount", Root::Base, "/api/third-party/v1/pair"),
            Self::Unpair => ("unpairAccount", Root::Base, "/api/third-party/v1/unpair"),
            // FACT: this path.
            Self::ReadyOrders => ("getOrdersForLab", Root::Base, "/api/third-party/v1/orders/lab"),
            Self::OrderByRx => ("getOrderByRxId", Root::Base, "/api/third-party/v1/orders/{rxId}"),
            Self::Download => (
                "downloadAsset",
                Root::Base,
                "/api/third-party/v1/orders/{orderId}/assets/{assetType}",
            ),
            Self::Return => {
                ("returnScan", Root::Base, "/api/third-party/v1/orders/{orderId}/return")
            }
            Self::Refresh => ("refreshToken", Root::Oauth, "/oauth/token"),
            Self::Revoke => ("revokeToken", Root::Oauth, "/oauth/revoke"),
            Self::Authorize => ("authorize", Root::Oauth, "/authorize"),
            Self::Exchange => ("token", Root::Oauth, "/oauth/token"),
        }
    }
}

/// The part of the config that says where calls go.
#[derive(Debug)]
pub(super) struct Places {
    base: Url,
    oauth: Url,
    paths: BTreeMap<String, String>,
    allowed: Vec<String>,
}

impl Places {
    /// Checks that tokens may be sent to both URLs.
    pub(super) fn new(
        base: Url,
        oauth: Url,
        paths: BTreeMap<String, String>,
        allowed: &[String],
    ) -> Result<Self, Fault> {
        let allowed = allowed.iter().map(|host| plain_host(host)).collect();
        let places = Self { base, oauth, paths, allowed };
        places.admit(&places.base, "`base_url` of the config")?;
        places.admit(&places.oauth, "`oauth_base` of the config")?;
        Ok(places)
    }

    /// The URL of discovery.
    pub(super) fn discovery(&self) -> Result<Url, Fault> {
        let template = self.join(Root::Base, self.path("discovery").unwrap_or(DISCOVERY_PATH));
        self.fill("discovery", &template, &[])
    }

    /// The URL of the endpoint from the config and the built-in paths.
    pub(super) fn configured(
        &self,
        endpoint: Endpoint,
        values: &[(&str, &str)],
    ) -> Result<Url, Fault> {
        let (name, root, built_in) = endpoint.row();
        self.fill(name, &self.join(root, self.path(name).unwrap_or(built_in)), values)
    }

    /// The URL of the endpoint from an entry of discovery.
    pub(super) fn discovered(
        &self,
        entry: &Discovered,
        endpoint: Endpoint,
        values: &[(&str, &str)],
    ) -> Result<Url, Fault> {
        let scheme = if entry.domain.contains("://") { "" } else { "https://" };
        let template = concat(&format!("{scheme}{}", entry.domain), &entry.path);
        self.fill(endpoint.name(), &template, values)
    }

    /// Checks that calls can go where an entry of discovery sends them: it has placeholders for the
    /// ids, and tokens may be sent to that host.
    pub(super) fn usable(&self, entry: &Discovered, endpoint: Endpoint) -> Result<(), Fault> {
        let values: Vec<_> = endpoint.slots().iter().map(|slot| (*slot, "1")).collect();
        self.discovered(entry, endpoint, &values).map(drop)
    }

    /// The base URL in the config that everything starts from.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    fn path(&self, name: &str) -> Option<&str> {
        self.paths.iter().find(|(key, _)| same_name(key, name)).map(|(_, path)| path.as_str())
    }

    fn join(&self, root: Root, path: &str) -> String {
        if path.contains("://") {
            return path.to_owned();
        }
        let root = if root == Root::Base { &self.base } else { &self.oauth };
        concat(root.as_str(), path)
    }

    fn fill(&self, name: &str, template: &str, values: &[(&str, &str)]) -> Result<Url, Fault> {
        let bad = |why: String| {
            Fault::new(FaultClass::Local, "bad-endpoint", format!("the URL of {name} {why}"))
                .hint("check `base_url`, `oauth_base` and `api.paths` in the config")
        };
        let mut text = template.to_owned();
        for (key, value) in values {
            // The URL standard treats these as path segments to resolve, however they are escaped.
            if matches!(*value, "." | "..") {
                let text = format!("{value:?} cannot be an id");
                return Err(Fault::new(FaultClass::Permanent, "bad-id", text));
            }
            let slot = placeholder(&text, key).ok_or_else(|| bad(format!("lacks {{{key}}}")))?;
            text.replace_range(slot, &utf8_percent_encode(value, ESCAPED).to_string());
        }
        if text.contains(['{', '}']) {
            return Err(bad("contains an unknown placeholder".to_owned()));
        }
        let url =
            Url::parse(&text).map_err(|error| bad("is not a URL".to_owned()).caused_by(error))?;
        self.admit(&url, name)?;
        Ok(url)
    }

    /// Checks that tokens and secrets may be sent to this URL: over TLS to a host that the config
    /// allows or, in simulation, to this PC.
    fn admit(&self, url: &Url, name: &str) -> Result<(), Fault> {
        let simulated = is_loopback(url) && is_loopback(&self.base);
        let host = plain_host(url.host_str().unwrap_or_default());
        let named = |allowed: &String| {
            let below = host.strip_suffix(allowed.as_str()).is_some_and(|rest| rest.ends_with('.'));
            host == *allowed || (below && matches!(url.host(), Some(Host::Domain(_))))
        };
        let refused = |code, why: String, hint: String| {
            let text = format!("{name} is at {host}, {why}");
            Err(Fault::new(FaultClass::Local, code, text).hint(hint))
        };
        if !url.username().is_empty() || url.password().is_some() {
            let hint = "remove the user name and password from the URL".to_owned();
            return refused("bad-endpoint", "with a user name in its URL".to_owned(), hint);
        }
        if simulated && matches!(url.scheme(), "http" | "https") {
            return Ok(());
        }
        if url.scheme() != "https" {
            let hint =
                "Align's URLs start with `https://`; only loopback may do without".to_owned();
            return refused("not-https", format!("by {}, not https", url.scheme()), hint);
        }
        if !self.allowed.iter().any(named) {
            let hint = format!("if {host} is Align's, add it to `api.allowed_hosts`");
            return refused("host-not-allowed", "where logins may not be sent".to_owned(), hint);
        }
        Ok(())
    }
}

fn concat(root: &str, path: &str) -> String {
    let path = path.trim_start_matches('/');
    let root = root.trim_end_matches('/');
    if path.is_empty() { root.to_owned() } else { format!("{root}/{path}") }
}

/// Finds `{key}` in the text, ignoring case.
fn placeholder(text: &str, key: &str) -> Option<std::ops::Range<usize>> {
    text.match_indices('{').find_map(|(start, _)| {
        let end = start + text[start..].find('}')?;
        same_name(&text[start + 1..end], key).then_some(start..end + 1)
    })
}

fn plain_host(host: &str) -> String {
    host.trim().trim_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(base: &str, paths: &[(&str, &str)]) -> Result<Places, Fault> {
        let paths = paths.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let base: Url = base.parse().expect("a URL");
        let allowed = ["Itero.cloud".to_owned(), ".iterocloud.com".to_owned()];
        Places::new(base.clone(), base, paths, &allowed)
    }

    fn align(paths: &[(&str, &str)]) -> Places {
        places("https://api.itero.cloud/root/", paths).expect("allowed")
    }

    #[test]
    fn built_in_paths_stand_below_the_base_url_and_the_config_replaces_them() {
        let url = align(&[]).configured(Endpoint::ReadyOrders, &[]).expect("a URL");
        assert_eq!(url.as_str(), "https://api.itero.cloud/root/api/third-party/v1/orders/lab");
        let url = align(&[("GETORDERSFORLAB", "v9/mine?kind=lab")]);
        let url = url.configured(Endpoint::ReadyOrders, &[]).expect("a URL");
        assert_eq!(url.as_str(), "https://api.itero.cloud/root/v9/mine?kind=lab");
    }

    #[test]
    fn ids_cannot_leave_their_place_in_the_path() {
        let url = |id| align(&[]).configured(Endpoint::Return, &[("orderId", id)]);
        let text = url("1/../#?{rxId}%").expect("a URL").to_string();
        assert!(text.ends_with("/orders/1%2F..%2F%23%3F%7BrxId%7D%25/return"), "{text}");
        assert_eq!(url("..").expect_err("no id").code, "bad-id");
    }

    #[test]
    fn a_template_must_have_room_for_the_id_and_for_nothing_else() {
        let by_rx = |path| align(&[("getOrderByRxId", path)]);
        let url = |path| by_rx(path).configured(Endpoint::OrderByRx, &[("rxId", "7")]);
        assert!(url("/rx/{RXID}").expect("a URL").as_str().ends_with("/rx/7"));
        assert!(url("/rx/all").expect_err("no room").message.contains("{rxId}"));
        assert_eq!(url("/{company}/{rxId}").expect_err("unknown").code, "bad-endpoint");
    }

    #[test]
    fn discovered_urls_go_to_allowed_hosts_only() {
        let discovered = |places: &Places, domain: &str| {
            let entry = Discovered {
                name: "GetOrdersForLab".to_owned(),
                domain: domain.to_owned(),
                path: "/o".to_owned(),
            };
            places.discovered(&entry, Endpoint::ReadyOrders, &[])
        };
        for domain in ["https://eu.itero.cloud", "itero.cloud/", "https://A.iterocloud.com:8443"] {
            discovered(&align(&[]), domain).expect(domain);
        }
        for domain in [
            "https://evil.example",
            "https://noitero.cloud",
            "https://itero.cloud.evil.example",
            "https://itero.cloud@evil.example",
            "https://127.0.0.1",
        ] {
            let fault = discovered(&align(&[]), domain).expect_err(domain);
            assert_eq!(fault.class, FaultClass::Local, "{domain}");
        }
        let fault = discovered(&align(&[]), "https://evil.example").expect_err("foreign");
        assert!(fault.message.contains("evil.example"), "{fault}");
        assert!(fault.hint.expect("a hint").contains("api.allowed_hosts"));
        assert_eq!(
            discovered(&align(&[]), "http://itero.cloud").expect_err("plain").code,
            "not-https"
        );
        let simulated = places("http://127.0.0.1:9000", &[]).expect("loopback");
        discovered(&simulated, "http://localhost:9001").expect("simulation");
    }

    #[test]
    fn a_discovered_template_without_room_for_the_ids_is_not_usable() {
        let entry = |path: &str| Discovered {
            name: "downloadAsset".to_owned(),
            domain: "https://eu.itero.cloud".to_owned(),
            path: path.to_owned(),
        };
        let usable = |path| align(&[]).usable(&entry(path), Endpoint::Download);
        usable("/{orderId}/files/{assetType}").expect("usable");
        assert_eq!(usable("/{orderId}/files").expect_err("no room").code, "bad-endpoint");
        assert_eq!(usable("/").expect_err("no room").code, "bad-endpoint");
    }

    #[test]
    fn the_configs_own_urls_must_be_allowed_too() {
        assert_eq!(places("http://api.itero.cloud", &[]).expect_err("plain").code, "not-https");
        let fault = places("https://align.example", &[]).expect_err("foreign");
        assert!(fault.message.contains("base_url"), "{fault}");
    }
}
