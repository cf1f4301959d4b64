//! The proxy to the internet, checked.

use secrecy::ExposeSecret as _;

use super::build::Builder;
use super::proxy_choice::ProxyChoice;
use super::scalars::{PathText, ProxyText};
use crate::http::client::{NamedProxy, ProxyConfig};

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
