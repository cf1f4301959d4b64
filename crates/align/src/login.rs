//! The authorization-code login, with `state` and PKCE.
//!
//! FACT: Authorization Code Grant; the redirect URL is registered with Align. ASSUMED: PKCE (S256)
//! is supported, or ignored without harm.

use std::sync::Arc;

use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl};
use secrecy::{ExposeSecret as _, SecretString};
use tracing::warn;
use url::Url;

use super::client::AlignClient;
use super::endpoints::Endpoint;
use super::faults::LOGIN_NEEDED;
use super::loopback::Loopback;
use super::wire;
use casedrop_http::client::is_loopback;
use casedrop_model::cancel::Cancel;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_secrets::PairedAccount;

/// A login that waits for a person.
pub struct LoginRequest {
    pub(super) url: Url,
    pub(super) expected: Arc<Expected>,
    pub(super) verifier: PkceCodeVerifier,
}

/// How to recognize the answer to a login.
pub(super) struct Expected {
    pub(super) redirect: Url,
    pub(super) state: CsrfToken,
}

impl AlignClient {
    /// Begins a login by creating the URL that the user opens in a browser.
    pub fn begin_login(&self) -> Result<LoginRequest, Fault> {
        let page = self.auth.reach.places.configured(Endpoint::Authorize, &[])?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state) = BasicClient::new(ClientId::new(self.auth.client_id.clone()))
            .set_auth_uri(AuthUrl::from_url(page))
            .set_redirect_uri(RedirectUrl::from_url(self.redirect_url.clone()))
            .authorize_url(CsrfToken::new_random)
            .set_pkce_challenge(challenge)
            .url();
        let expected = Arc::new(Expected { redirect: self.redirect_url.clone(), state });
        Ok(LoginRequest { url, expected, verifier })
    }

    /// Finishes a login: exchanges the code for tokens and saves them. The lab is not paired yet;
    /// returns the account that its previous login was paired with, if any. A pending login of the
    /// lab is dropped.
    pub fn finish_login(
        &self,
        request: &LoginRequest,
        code: &SecretString,
        cancel: &Cancel,
    ) -> Result<Option<PairedAccount>, Fault> {
        let lab = &self.auth.lab;
        let redirect = request.expected.redirect.as_str();
        let form = wire::code_form(code, redirect, request.verifier.secret());
        let what = format!("log lab {lab} in");
        let tokens = self
            .run(cancel, async {
                let answer = self.auth.post_form(Endpoint::Exchange, what, form).await?;
                self.auth.tokens(answer).await
            })
            .map_err(|fault| match fault.code {
                LOGIN_NEEDED => fault.hint(format!(
                    "the code is too old, was used before, or belongs to another redirect URL: \
                     run `casedrop login {lab}` again"
                )),
                _ => fault,
            })?;
        let former = self.keep(tokens)?;
        if let Err(fault) = self.abandon_login() {
            // It expires on its own.
            warn!(%lab, "an unfinished login could not be deleted: {}", fault.chain());
        }
        Ok(former)
    }
}

impl LoginRequest {
    /// The URL that the user opens in a browser.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether the browser returns to this PC, where we can listen for it.
    pub fn returns_here(&self) -> bool {
        let redirect = &self.expected.redirect;
        redirect.scheme() == "http" && is_loopback(redirect)
    }

    /// Whether both are the same attempt to log in.
    pub fn is_same(&self, other: &Self) -> bool {
        self.expected.state.secret() == other.expected.state.secret()
    }

    /// Listens for the browser's return, if the redirect URL points at this PC; otherwise `None`.
    pub fn listen(&self, client: &AlignClient) -> Result<Option<Loopback>, Fault> {
        if !self.returns_here() {
            return Ok(None);
        }
        Loopback::bind(&self.expected.redirect, client).map(Some)
    }

    /// Extracts the code from user input: the redirected URL, or the bare code.
    pub fn code_from_input(&self, text: &str) -> Result<SecretString, Fault> {
        let text = text.trim();
        if text.is_empty() {
            let fault = Fault::new(FaultClass::Auth, "login-input", "nothing was entered");
            return Err(fault.hint("paste the whole URL that the browser shows after the login"));
        }
        if !text.contains("://") && !text.contains(['?', '&', '=']) {
            return Ok(text.into());
        }
        let url =
            Url::parse(text).or_else(|_| self.expected.redirect.join(text)).map_err(|_| {
                Fault::new(FaultClass::Auth, "login-input", "what was entered is not a URL")
                    .hint("paste the whole URL that the browser shows after the login")
            })?;
        self.expected.code_from_url(&url)
    }
}

impl Expected {
    /// Extracts the code from the redirected URL. Its state must be the one we sent.
    pub(super) fn code_from_url(&self, url: &Url) -> Result<SecretString, Fault> {
        let seen = wire::redirected(url);
        if seen.state.as_ref().map(SecretString::expose_secret) != Some(self.state.secret()) {
            let text = "the answer belongs to another login (its `state` is not ours)";
            return Err(Fault::new(FaultClass::Auth, WRONG_STATE, text)
                .hint("open the URL of this login, and log in there"));
        }
        if let Some(error) = seen.error {
            let text = format!("Align did not log the user in: {error}");
            return Err(Fault::new(FaultClass::Auth, "login-refused", text)
                .hint("log in as a lab user and allow the access; then run the command again"));
        }
        seen.code.filter(|code| !code.expose_secret().is_empty()).ok_or_else(|| {
            Fault::new(FaultClass::Auth, "login-input", "the redirected URL contains no code")
                .hint("paste the whole URL that the browser shows after the login")
        })
    }
}

/// Fault code for an answer to another login.
pub(super) const WRONG_STATE: &str = "wrong-state";
