//! The proxy to the internet: the written form and the checked one.

use secrecy::ExposeSecret as _;
use url::Url;

use super::build::Builder;
use super::scalars::{PathText, ProxyText};
use super::values::{self, Bad};
use crate::http::client::{NamedProxy, ProxyConfig};

/// The key `api.proxy` as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProxyChoice {
    System,
    None,
    Url(Url),
}

impl ProxyChoice {
    pub(super) fn read(text: &str) -> Result<Self, Bad> {
        match text.trim() {
            "system" => Ok(Self::System),
            "none" => Ok(Self::None),
            text => values::proxy(text).map(Self::Url),
        }
    }

    pub(super) fn write(&self) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::None => "none".to_owned(),
            Self::Url(url) => url.to_string(),
        }
    }
}

impl Builder<'_> {
    /// Checks the proxy and reads its credentials.
    pub(super) fn proxy(
        &mut self,
        choice: &ProxyText,
        credentials: Option<&PathText>,
    ) -> ProxyConfig {
        let key = "api.proxy_credentials_file";
        let url = match (&choice.0, credentials) {
            (ProxyChoice::Url(url), _) => url.clone(),
            (other, file) => {
                if file.is_some() {
                    let hint = "set `api.proxy` too, or leave this key out";
                    self.fault(key, "credentials without a proxy in `api.proxy`", hint);
                }
                return if *other == ProxyChoice::None {
                    ProxyConfig::None
                } else {
                    ProxyConfig::System
                };
            }
        };
        let login = credentials.and_then(|file| match self.secret_file(file) {
            Ok(secret) => match secret.expose_secret().split_once(':') {
                Some((user, password)) if !user.is_empty() => {
                    Some((user.to_owned(), password.to_owned().into()))
                }
                _ => {
                    let hint =
                        "write the user, a colon and the password on one line: user:password";
                    self.fault(key, "the file contains no user and password", hint);
                    None
                }
            },
            Err((reason, hint)) => {
                self.fault(key, reason, hint);
                None
            }
        });
        let except = self.variable("NO_PROXY").map(str::to_owned);
        ProxyConfig::Named(NamedProxy { url, login, except })
    }
}
