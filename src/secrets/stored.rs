//! How a login is written down.

use std::time::{Duration, UNIX_EPOCH};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
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

/// All texts in a secret: of one that is an object those of its keys, else the whole.
pub(super) fn values(bytes: &[u8]) -> Vec<SecretString> {
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(bytes) {
        Ok(keys) => {
            // Which account it is for is no secret, and addresses are nothing without their queries.
            let keys = keys
                .iter()
                .filter(|(key, _)| !["url", "redirect", "account"].contains(&key.as_str()));
            keys.filter_map(|(_, value)| value.as_str().map(SecretString::from)).collect()
        }
        Err(_) => vec![String::from_utf8_lossy(bytes).into_owned().into()],
    }
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
