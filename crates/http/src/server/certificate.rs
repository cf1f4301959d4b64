//! A listener's own certificate, reloaded when its files change.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;

use super::TlsFiles;
use super::expiry;
use casedrop_disk::{Disk, read_limited};
use casedrop_model::fault::{Fault, FaultClass};

/// The largest accepted file, in bytes: a certificate with its chain has a few thousand.
const MOST_BYTES: u64 = 1 << 20;
const DAY: Duration = Duration::from_hours(24);
/// How many days before expiry to warn.
const WARN_AHEAD: [u32; 3] = [21, 7, 1];

/// Failed handshakes trigger a check of the certificate at most this often.
const LEAST: Duration = Duration::from_secs(1);

/// What a certificate is for, as named in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener {
    /// What it serves, such as `scan notifications`.
    pub what: &'static str,
    /// The config section that names its files, such as `notifications.tls`.
    pub key: &'static str,
}

impl Listener {
    pub const NOTIFICATIONS: Self = Self { what: "scan notifications", key: "notifications.tls" };
    pub const STATUS_PAGE: Self = Self { what: "the status page", key: "status_page.tls" };
}

/// The certificate of one listener, kept up to date.
pub struct OwnCertificate {
    listener: Listener,
    files: TlsFiles,
    certificate: RwLock<Certificate>,
    /// A handshake failed: the certificate may be outdated.
    handshake_failed: Notify,
}

impl OwnCertificate {
    /// Reads certificate and key. Blocks.
    ///
    /// # Errors
    /// They cannot be read, or do not work together.
    pub fn load(disk: &dyn Disk, listener: Listener, files: &TlsFiles) -> Result<Self, Fault> {
        Ok(Self {
            listener,
            files: files.clone(),
            certificate: RwLock::new(Certificate::load(disk, listener, files)?),
            handshake_failed: Notify::new(),
        })
    }

    /// Returns the current TLS settings for connections.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        let certificate = self.certificate.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&certificate.config)
    }

    /// Reports that a handshake failed.
    pub(super) fn handshake_failed(&self) {
        self.handshake_failed.notify_one();
    }

    /// Waits until the next check is due: for `care`, or less if a handshake failed.
    pub async fn wait(&self, care: Duration) {
        let least = care.min(LEAST);
        tokio::time::sleep(least).await;
        tokio::select! {
            () = tokio::time::sleep(care.saturating_sub(least)) => {}
            () = self.handshake_failed.notified() => {}
        }
    }

    /// Loads the files' current content if it changed, and logs what is worth reporting: a
    /// certificate that is new, unusable, or about to expire. Blocks.
    pub fn look(&self, disk: &dyn Disk) {
        let Self { listener, files, .. } = self;
        // Reading may take a while; only the swap happens under the lock.
        let read = read(disk, files);
        let (seen, ends) = {
            let mut certificate = self.certificate.write().unwrap_or_else(PoisonError::into_inner);
            let seen = certificate.look(*listener, files, read);
            (seen, certificate.ends_soon(SystemTime::now()))
        };
        let (path, what) = (files.certificate.display(), listener.what);
        match seen {
            Seen::Same => {}
            Seen::Renewed => tracing::info!("the certificate {path} is in use now"),
            Seen::Refused(fault) => tracing::error!(
                "the certificate for {what} has changed and cannot be used, the old one stays in use: {}",
                fault.chain()
            ),
        }
        match ends {
            None => {}
            Some(days) if days > 1 => {
                tracing::warn!(
                    "the certificate {path} for {what} expires in {days} days: renew it"
                );
            }
            Some(_) => tracing::error!(
                "the certificate {path} for {what} has expired, or expires within two days: renew \
                 it"
            ),
        }
    }
}

/// A certificate in use.
pub(super) struct Certificate {
    /// The TLS settings that use it.
    config: Arc<ServerConfig>,
    /// The digest of both files.
    files: [u8; 32],
    /// The digest of files that turned out to be unusable.
    refused: Option<[u8; 32]>,
    /// When it expires, if that can be read.
    ends: Option<SystemTime>,
    /// The last warning logged, in days.
    told: Option<u32>,
}

/// The result of checking the files.
pub(super) enum Seen {
    /// Nothing new, or nothing that was not already reported.
    Same,
    /// Another certificate is now in use.
    Renewed,
    /// The new files are unusable: the old certificate stays in use.
    Refused(Fault),
}

impl Certificate {
    /// Reads certificate and key.
    pub(super) fn load(
        disk: &dyn Disk,
        listener: Listener,
        files: &TlsFiles,
    ) -> Result<Self, Fault> {
        let (certificate, key) = read(disk, files)?;
        Self::of(listener, files, &certificate, &key)
    }

    fn of(
        listener: Listener,
        files: &TlsFiles,
        certificate: &[u8],
        key: &[u8],
    ) -> Result<Self, Fault> {
        let unusable = |path: &Path, what: &str, error: Cause| {
            let hint = format!(
                "give PEM files in {}: the certificate first, then its chain; the key without a \
                 passphrase",
                listener.key
            );
            Fault::new(FaultClass::Local, "certificate", format!("{} {what}", path.display()))
                .hint(hint)
                .caused_by(error)
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| {
            unusable(&files.certificate, "contains no readable certificate", error.into())
        })?;
        let Some(first) = chain.first() else {
            let none = rustls::pki_types::pem::Error::NoItemsFound;
            return Err(unusable(&files.certificate, "contains no certificate", none.into()));
        };
        let ends = expiry::not_after(first);
        let private = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            unusable(&files.key, "contains no readable private key", error.into())
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
            .map_err(|error| {
                unusable(&files.certificate, "cannot be used with its key", error.into())
            })?;
        Ok(Self {
            config: Arc::new(config),
            files: digest(certificate, key),
            refused: None,
            ends,
            told: None,
        })
    }

    /// Loads the files' current content if it changed.
    pub(super) fn look(
        &mut self,
        listener: Listener,
        files: &TlsFiles,
        read: Result<Files, Fault>,
    ) -> Seen {
        let read = match read {
            Ok(read) => read,
            // They may be missing briefly while being replaced.
            Err(fault) => return self.refuse([0; 32], fault),
        };
        let digest = digest(&read.0, &read.1);
        if digest == self.files {
            self.refused = None;
            return Seen::Same;
        }
        match Self::of(listener, files, &read.0, &read.1) {
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

    /// Returns the days until expiry, if a warning is due now.
    pub(super) fn ends_soon(&mut self, now: SystemTime) -> Option<u32> {
        let left = self.ends?.duration_since(now).unwrap_or_default();
        let step = WARN_AHEAD.into_iter().rev().find(|days| left <= DAY * *days)?;
        let is_news = self.told.is_none_or(|told| step < told);
        self.told = Some(step);
        is_news.then(|| u32::try_from(left.as_secs() / DAY.as_secs()).unwrap_or(u32::MAX))
    }
}

/// Checks whether certificate and key can be used. Returns the days until expiry if there are few
/// left.
pub fn check(
    disk: &dyn Disk,
    listener: Listener,
    files: &TlsFiles,
    now: SystemTime,
) -> Result<Option<u32>, Fault> {
    Ok(Certificate::load(disk, listener, files)?.ends_soon(now))
}

/// The underlying error.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The bytes of certificate and key.
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
