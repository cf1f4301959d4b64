//! How a login is written down.

use std::time::{Duration, UNIX_EPOCH};

use secrecy::ExposeSecret as _;
use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize};

use super::{Login, PairedAccount};

const SCHEMA: u32 = 1;

/// The content of a login's file, before it is sealed. Times are in milliseconds, so that tokens of a
/// few seconds (simulation) work. It cannot be printed.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    access_token: String,
    refresh_token: Option<String>,
    issued_at_ms: u64,
    lifetime_ms: u64,
    account: Option<PairedAccount>,
}

/// A login as bytes.
pub(super) fn write(login: &Login) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    serde_json::to_vec(&Stored::from(login)).map(Zeroizing::new)
}

/// A login from its bytes. What serde says of broken ones could quote a token, so it is dropped.
pub(super) fn read(bytes: &[u8]) -> Option<Login> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    (stored.schema == SCHEMA).then(|| stored.into())
}

impl From<&Login> for Stored {
    fn from(login: &Login) -> Self {
        let since_epoch = login.issued_at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            schema: SCHEMA,
            access_token: login.access.expose_secret().to_owned(),
            refresh_token: login.refresh.as_ref().map(|token| token.expose_secret().to_owned()),
            issued_at_ms: millis(since_epoch),
            lifetime_ms: millis(login.lifetime),
            account: login.account.clone(),
        }
    }
}

impl From<Stored> for Login {
    fn from(stored: Stored) -> Self {
        let issued_at = UNIX_EPOCH.checked_add(Duration::from_millis(stored.issued_at_ms));
        Self {
            access: stored.access_token.into(),
            refresh: stored.refresh_token.map(Into::into),
            issued_at: issued_at.unwrap_or(UNIX_EPOCH),
            lifetime: Duration::from_millis(stored.lifetime_ms),
            account: stored.account,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
