//! The stored form of a login.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::{Login, PairedAccount, Renewal};

const SCHEMA: u32 = 1;

/// The content of a login file before it is sealed. Times are in milliseconds, so that tokens valid
/// for a few seconds (simulation) work. It cannot be printed.
#[derive(Serialize, Deserialize)]
struct Stored {
    schema: u32,
    access_token: String,
    refresh_token: Option<String>,
    issued_at_ms: u64,
    lifetime_ms: u64,
    account: Option<PairedAccount>,
    // Earlier versions do not know these fields, and drop them when they write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former_refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renewal: Option<StoredRenewal>,
}

#[derive(Serialize, Deserialize)]
struct StoredRenewal {
    begun_at_ms: u64,
    lost: Option<String>,
}

/// Serializes a login.
pub(super) fn write(login: &Login) -> serde_json::Result<Zeroizing<Vec<u8>>> {
    serde_json::to_vec(&Stored::from(login)).map(Zeroizing::new)
}

/// Parses a login. The error of serde could quote a token, so it is dropped.
pub(super) fn read(bytes: &[u8]) -> Option<Login> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    (stored.schema == SCHEMA).then(|| stored.into())
}

/// Returns all texts in a secret: the values of its keys if it is an object, otherwise the whole.
pub(super) fn values(bytes: &[u8]) -> Vec<SecretString> {
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(bytes) {
        Ok(keys) => {
            // The account is not secret, and addresses are useless without their queries.
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
        Self {
            schema: SCHEMA,
            access_token: login.access.expose_secret().to_owned(),
            refresh_token: login.refresh.as_ref().map(|token| token.expose_secret().to_owned()),
            issued_at_ms: since_epoch(login.issued_at),
            lifetime_ms: millis(login.lifetime),
            account: login.account.clone(),
            former_refresh_token: login.former.as_ref().map(|it| it.expose_secret().to_owned()),
            renewal: login.renewal.as_ref().map(|renewal| StoredRenewal {
                begun_at_ms: since_epoch(renewal.begun_at),
                lost: renewal.lost.clone(),
            }),
        }
    }
}

impl From<Stored> for Login {
    fn from(stored: Stored) -> Self {
        Self {
            access: stored.access_token.into(),
            refresh: stored.refresh_token.map(Into::into),
            issued_at: time(stored.issued_at_ms),
            lifetime: Duration::from_millis(stored.lifetime_ms),
            account: stored.account,
            former: stored.former_refresh_token.map(Into::into),
            renewal: stored
                .renewal
                .map(|renewal| Renewal { begun_at: time(renewal.begun_at_ms), lost: renewal.lost }),
        }
    }
}

fn since_epoch(time: SystemTime) -> u64 {
    millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

fn time(ms: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(ms)).unwrap_or(UNIX_EPOCH)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
