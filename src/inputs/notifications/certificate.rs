//! The listener's own certificate, read again when its files change.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};

use super::expiry;
use crate::config::TlsFiles;
use crate::disk::{Disk, read_limited};
use crate::model::fault::{Fault, FaultClass};

/// The largest file, in bytes: a certificate with all that vouch for it has a few thousand.
const MOST_BYTES: u64 = 1 << 20;
const DAY: Duration = Duration::from_hours(24);
/// So many days ahead the end is told.
const WARN_AHEAD: [u32; 3] = [21, 7, 1];

/// A certificate in use.
pub(super) struct Certificate {
    /// How connections are encrypted with it.
    pub(super) config: Arc<ServerConfig>,
    /// The digest of both files.
    files: [u8; 32],
    /// The digest of files that turned out to be of no use.
    refused: Option<[u8; 32]>,
    /// Until when it is good, where that can be read.
    ends: Option<SystemTime>,
    /// The warning that was told last, in days.
    told: Option<u32>,
}

/// What a look at the files brought.
pub(super) enum Seen {
    /// Nothing new, or nothing that has not been told.
    Same,
    /// Another certificate is in use now.
    Renewed,
    /// The new files are of no use: the old certificate stays.
    Refused(Fault),
}

impl Certificate {
    /// Reads certificate and key.
    pub(super) fn load(disk: &dyn Disk, files: &TlsFiles) -> Result<Self, Fault> {
        let (certificate, key) = read(disk, files)?;
        Self::of(files, &certificate, &key)
    }

    fn of(files: &TlsFiles, certificate: &[u8], key: &[u8]) -> Result<Self, Fault> {
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(certificate).collect::<Result<_, _>>().map_err(
                |error| unusable(&files.certificate, "holds no readable certificate", error),
            )?;
        let Some(first) = chain.first() else {
            let none = rustls::pki_types::pem::Error::NoItemsFound;
            return Err(unusable(&files.certificate, "holds no certificate", none));
        };
        let ends = expiry::not_after(first);
        let private = PrivateKeyDer::from_pem_slice(key)
            .map_err(|error| unusable(&files.key, "holds no readable private key", error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
            .map_err(|error| unusable(&files.certificate, "cannot be used with its key", error))?;
        Ok(Self {
            config: Arc::new(config),
            files: digest(certificate, key),
            refused: None,
            ends,
            told: None,
        })
    }

    /// Takes over what the files hold now, should they have changed.
    pub(super) fn look(&mut self, files: &TlsFiles, read: Result<Files, Fault>) -> Seen {
        let read = match read {
            Ok(read) => read,
            // They may be missing for a moment, while others are put in their place.
            Err(fault) => return self.refuse([0; 32], fault),
        };
        let digest = digest(&read.0, &read.1);
        if digest == self.files {
            self.refused = None;
            return Seen::Same;
        }
        match Self::of(files, &read.0, &read.1) {
            Ok(new) => {
                *self = new;
                Seen::Renewed
            }
            Err(fault) => self.refuse(digest, fault),
        }
    }

    fn refuse(&mut self, digest: [u8; 32], fault: Fault) -> Seen {
        if self.refused.replace(digest) == Some(digest) { Seen::Same } else { Seen::Refused(fault) }
    }

    /// How many days it is still good, if that is to be told now.
    pub(super) fn ends_soon(&mut self, now: SystemTime) -> Option<u32> {
        let left = self.ends?.duration_since(now).unwrap_or_default();
        let step = WARN_AHEAD.into_iter().rev().find(|days| left <= DAY * *days)?;
        let is_news = self.told.is_none_or(|told| step < told);
        self.told = Some(step);
        is_news.then(|| u32::try_from(left.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX))
    }
}

/// Whether certificate and key can be used. Gives the days for which the certificate is still good,
/// where they are few.
pub fn check(disk: &dyn Disk, files: &TlsFiles, now: SystemTime) -> Result<Option<u32>, Fault> {
    Ok(Certificate::load(disk, files)?.ends_soon(now))
}

/// What certificate and key hold.
pub(super) type Files = (Vec<u8>, Vec<u8>);

/// Reads certificate and key.
pub(super) fn read(disk: &dyn Disk, files: &TlsFiles) -> Result<Files, Fault> {
    let certificate = read_limited(disk, &files.certificate, MOST_BYTES)?;
    Ok((certificate, read_limited(disk, &files.key, MOST_BYTES)?))
}

fn digest(certificate: &[u8], key: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(Sha256::digest(certificate));
    hasher.update(Sha256::digest(key));
    hasher.finalize().into()
}

fn unusable(
    path: &std::path::Path,
    what: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Fault {
    Fault::new(FaultClass::Local, "certificate", format!("{} {what}", path.display()))
        .hint(
            "give PEM files in notifications.tls: the certificate first, then those that vouch for \
             it; the key without a passphrase",
        )
        .caused_by(error)
}
