//! Outgoing connections: which proxy, which certificates, and what to say if something blocks them.
//! Every HTTP client for other hosts is created here, so that all follow the same rules: `https`
//! only, no automatic redirects, and no proxy for this PC.

mod connection_errors;
mod retry_after;
mod system_proxy;

use std::path::Path;
use std::sync::Once;
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, NoProxy, Proxy};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use casedrop_disk::{Disk, read_limited};
use casedrop_model::fault::{Fault, FaultClass};

pub use connection_errors::{Trouble, trouble, unreached};
pub use retry_after::retry_after;

const USER_AGENT: &str = concat!("Casedrop/", env!("CARGO_PKG_VERSION"));
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_CA_FILE: u64 = 4 * 1024 * 1024;

/// How to reach servers on the network. Calls to this PC never use a proxy.
#[derive(Debug, Clone, Default)]
pub enum ProxyConfig {
    /// The system's proxy, if it names one.
    #[default]
    System,
    /// A direct connection, whatever the system says.
    None,
    /// The one that the config names.
    Named(NamedProxy),
}

#[derive(Debug, Clone)]
pub struct NamedProxy {
    /// Without user and password.
    pub url: Url,
    /// User and password, if it needs them.
    pub login: Option<(String, SecretString)>,
    /// The hosts to reach without it, in the form of `NO_PROXY`.
    pub except: Option<String>,
}

/// How servers on the network are reached.
#[derive(Debug, Clone, Default)]
pub struct Outgoing {
    /// Certificate authorities trusted in addition to the system's: the bytes of a PEM file.
    pub ca_pem: Option<Vec<u8>>,
    pub proxy: ProxyConfig,
}

impl Outgoing {
    /// Trusts the certificate authorities in `ca_file` in addition to the system's.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn new(ca_file: Option<&Path>, proxy: ProxyConfig, disk: &dyn Disk) -> Result<Self, Fault> {
        Ok(Self { ca_pem: ca_file.map(|file| ca_pem(file, disk)).transpose()?, proxy })
    }

    /// Returns the authorities trusted in addition to the system's.
    ///
    /// # Errors
    /// If `api.ca_file` contains no usable certificate.
    pub fn authorities(&self) -> Result<Vec<Certificate>, Fault> {
        let Some(pem) = &self.ca_pem else { return Ok(Vec::new()) };
        match Certificate::from_pem_bundle(pem) {
            Ok(found) if !found.is_empty() => Ok(found),
            _ => {
                let text = "`api.ca_file` contains no usable certificate";
                Err(Fault::new(FaultClass::Local, "ca-file", text)
                    .hint("it must be a PEM file with `BEGIN CERTIFICATE` blocks"))
            }
        }
    }

    /// Creates a client for this PC or for the network. It follows no redirects.
    ///
    /// # Errors
    /// If TLS or the proxy cannot be set up.
    pub fn client(&self, loopback: bool) -> Result<Client, Fault> {
        install_provider();
        let authorities = self.authorities()?;
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_gzip()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT);
        let builder = if loopback {
            builder.no_proxy().tls_certs_only(authorities)
        } else {
            self.through(builder.https_only(true).tls_certs_merge(authorities))?
        };
        builder.build().map_err(|error| {
            Fault::new(FaultClass::Local, "tls-setup", "cannot set up TLS on this PC")
                .hint(if cfg!(windows) {
                    "check `api.ca_file`, if it is set, and Windows' certificate store"
                } else {
                    "install the system's root certificates (package `ca-certificates`)"
                })
                .caused_by_library(error)
        })
    }

    /// Creates a client for one server: proxy, certificate authorities, no redirects, and `https`
    /// only unless the server is on this PC.
    ///
    /// # Errors
    /// If TLS or the proxy cannot be set up.
    pub fn client_for(&self, url: &Url) -> Result<Client, Fault> {
        self.client(is_loopback(url))
    }

    /// Returns the proxy named in the config, for messages.
    pub fn named_proxy(&self) -> Option<String> {
        match &self.proxy {
            ProxyConfig::Named(proxy) => Some(authority(&proxy.url)),
            ProxyConfig::System | ProxyConfig::None => None,
        }
    }

    fn through(&self, builder: ClientBuilder) -> Result<ClientBuilder, Fault> {
        let proxy = match &self.proxy {
            ProxyConfig::None => return Ok(builder.no_proxy()),
            ProxyConfig::Named(proxy) => proxy.clone(),
            ProxyConfig::System => match system_proxy::proxy() {
                Some((url, except)) => NamedProxy { url, login: None, except: Some(except) },
                // The one from the environment or the user's settings, which the client reads
                // itself.
                None => return Ok(builder),
            },
        };
        let mut set = Proxy::all(proxy.url.as_str()).map_err(|error| {
            Fault::new(FaultClass::Local, "proxy", "the address of the proxy cannot be used")
                .hint("check `api.proxy`")
                .caused_by_library(error.without_url())
        })?;
        if let Some((user, password)) = &proxy.login {
            set = set.basic_auth(user, password.expose_secret());
        }
        let except = proxy.except.as_deref().and_then(NoProxy::from_string);
        Ok(builder.proxy(set.no_proxy(except)))
    }
}

/// Reads the file with additional certificate authorities.
fn ca_pem(file: &Path, disk: &dyn Disk) -> Result<Vec<u8>, Fault> {
    read_limited(disk, file, MAX_CA_FILE).map_err(|error| {
        let text = format!("`api.ca_file`: {error}");
        Fault::new(FaultClass::Local, "ca-file", text)
            .hint("give the path of a readable PEM file")
            .caused_by(error.source)
    })
}

/// Whether a URL points at this PC.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

/// Sets rustls's crypto provider, once per process.
pub fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // If the program has already set one, that one is just as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// Returns scheme, host and port.
fn authority(url: &Url) -> String {
    url.origin().ascii_serialization()
}
