//! Logins begun by a command: stored as a secret until the user has logged in, across restarts, for
//! at most one hour.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oauth2::{CsrfToken, PkceCodeVerifier};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::client::AlignClient;
use super::login::{Expected, LoginRequest};
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::ids::AccountId;

/// How long a login that was begun can be finished.
pub const PENDING_FOR: Duration = Duration::from_hours(1);
/// A repeated request gets the same login, unless less than this is left of its time.
const WORTH_GIVING: Duration = Duration::from_mins(15);

/// A login that waits for a user, wherever the user may be.
pub struct PendingLogin {
    /// What the user is asked, and what the answer must contain.
    pub request: LoginRequest,
    /// The account to pair with afterwards, if one was named.
    pub account: Option<AccountId>,
    /// When it expires.
    pub until: SystemTime,
}

/// The stored form. It cannot be printed.
#[derive(Serialize, Deserialize)]
struct Stored {
    url: Url,
    redirect: Url,
    state: String,
    verifier: String,
    account: Option<AccountId>,
    began_ms: u64,
}

impl AlignClient {
    /// Begins a login that is finished later, perhaps by another process; continues one that was
    /// begun recently.
    ///
    /// # Errors
    /// The config does not allow a login, or it cannot be saved.
    pub fn await_login(&self, account: Option<&AccountId>) -> Result<PendingLogin, Fault> {
        let now = self.auth.now();
        let earlier = self.pending_login()?.filter(|pending| {
            pending.until.duration_since(now).unwrap_or_default() >= WORTH_GIVING
                && pending.request.expected.redirect == self.redirect_url
        });
        let pending = match earlier {
            Some(pending) if account.is_none() || pending.account.as_ref() == account => {
                return Ok(pending);
            }
            Some(pending) => PendingLogin { account: account.cloned(), ..pending },
            None => PendingLogin {
                request: self.begin_login()?,
                account: account.cloned(),
                until: now + PENDING_FOR,
            },
        };
        self.auth.store.save_text(&self.pending_name(), &pending.to_text()?)?;
        Ok(pending)
    }

    /// Returns the pending login, if there is one and it has not expired.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn pending_login(&self) -> Result<Option<PendingLogin>, Fault> {
        let name = self.pending_name();
        let Some(text) = self.auth.store.load_text(&name)? else { return Ok(None) };
        let now = self.auth.now();
        // A clock that was set back must not extend its life.
        let is_current =
            |pending: &PendingLogin| pending.until > now && pending.until <= now + PENDING_FOR;
        let pending = PendingLogin::from_text(&text).filter(is_current);
        if pending.is_none() {
            self.auth.store.remove_text(&name)?;
        }
        Ok(pending)
    }

    /// Drops the pending login; returns whether there was one.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn abandon_login(&self) -> Result<bool, Fault> {
        // An unreadable one is dropped too.
        let was_there = !matches!(self.pending_login(), Ok(None));
        self.auth.store.remove_text(&self.pending_name())?;
        Ok(was_there)
    }

    fn pending_name(&self) -> String {
        format!("pending-login-{}", self.auth.lab.dir_name().to_lowercase())
    }
}

impl PendingLogin {
    fn to_text(&self) -> Result<SecretString, Fault> {
        let began = self.until.checked_sub(PENDING_FOR).unwrap_or(UNIX_EPOCH);
        let began = began.duration_since(UNIX_EPOCH).unwrap_or_default();
        let LoginRequest { url, expected, verifier } = &self.request;
        let stored = Stored {
            url: url.clone(),
            redirect: expected.redirect.clone(),
            state: expected.state.secret().clone(),
            verifier: verifier.secret().clone(),
            account: self.account.clone(),
            began_ms: u64::try_from(began.as_millis()).unwrap_or(u64::MAX),
        };
        serde_json::to_string(&stored).map(Into::into).map_err(|error| {
            let text = "cannot store an unfinished login";
            Fault::new(FaultClass::Local, "login-unwritable", text).caused_by(error)
        })
    }

    /// `None` if it cannot be parsed. The error of serde could quote it, so it is dropped.
    fn from_text(text: &SecretString) -> Option<Self> {
        let stored: Stored = serde_json::from_str(text.expose_secret()).ok()?;
        let began = UNIX_EPOCH.checked_add(Duration::from_millis(stored.began_ms))?;
        let expected = Expected { redirect: stored.redirect, state: CsrfToken::new(stored.state) };
        Some(Self {
            request: LoginRequest {
                url: stored.url,
                expected: Arc::new(expected),
                verifier: PkceCodeVerifier::new(stored.verifier),
            },
            account: stored.account,
            until: began.checked_add(PENDING_FOR)?,
        })
    }
}
