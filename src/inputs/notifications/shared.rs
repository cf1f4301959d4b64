//! State shared by all connections of the listener.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::intake::{Intake, Settings};
use super::writer::{self, Job, Queue};
use crate::disk::Disk;
use crate::http::server::{Listener, OwnCertificate};
use crate::model::fault::Fault;
use crate::model::notification::Received;

/// State shared by all connections.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) intake: Arc<dyn Intake>,
    pub(super) disk: Arc<dyn Disk>,
    /// The path of the public URL, without its trailing slash.
    prefix: String,
    /// A digest of the secret, so that comparing takes the same time whatever differs.
    secret: RwLock<[u8; 32]>,
    pub(super) certificate: Option<Arc<OwnCertificate>>,
    pub(super) jobs: mpsc::Sender<Job>,
    /// What is not yet in the journal's counts.
    counts: Mutex<Received>,
    /// What is not yet in the log.
    pub(super) unlogged: Mutex<Unlogged>,
}

/// What is logged at most once per hour.
#[derive(Debug, Default)]
pub(super) struct Unlogged {
    /// Notifications for accounts that no lab has, and where the last one came from.
    pub(super) refused: u64,
    pub(super) refused_from: Option<IpAddr>,
    /// Notifications with nothing readable in them, and the reason for the last one.
    pub(super) unreadable: u64,
    pub(super) unreadable_why: String,
}

impl Shared {
    /// Reads the secret and the certificate.
    pub(super) fn prepare(
        settings: Settings,
        intake: Arc<dyn Intake>,
        disk: Arc<dyn Disk>,
    ) -> Result<(Self, Queue), Fault> {
        let secret = digest_of(&intake.secret()?);
        let load = |files| OwnCertificate::load(&*disk, Listener::NOTIFICATIONS, files);
        let certificate = settings.tls.as_ref().map(load).transpose()?.map(Arc::new);
        let (jobs, queue) = writer::queue();
        let shared = Self {
            prefix: settings.path.trim_end_matches('/').to_owned(),
            settings,
            intake,
            disk,
            secret: RwLock::new(secret),
            certificate,
            jobs,
            counts: Mutex::default(),
            unlogged: Mutex::default(),
        };
        Ok((shared, queue))
    }

    /// Whether this is the secret path: below that of the public URL, or bare, since a proxy may
    /// strip that. A trailing slash is allowed.
    pub(super) fn is_secret_path(&self, path: &str) -> bool {
        let path = path.strip_suffix('/').unwrap_or(path);
        let Some((prefix, segment)) = path.rsplit_once('/') else { return false };
        let digest: [u8; 32] = Sha256::digest(segment.as_bytes()).into();
        let secret = *self.secret.read().unwrap_or_else(PoisonError::into_inner);
        (prefix.is_empty() || prefix == self.prefix) && digest == secret
    }

    /// Replaces the secret, which may have been regenerated.
    pub(super) fn set_secret(&self, secret: &SecretString) {
        *self.secret.write().unwrap_or_else(PoisonError::into_inner) = digest_of(secret);
    }

    pub(super) fn count(&self, more: impl FnOnce(&mut Received)) {
        more(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes the counts, to store them elsewhere.
    pub(super) fn take_counts(&self) -> Received {
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes something to log later.
    pub(super) fn log_later(&self, what: impl FnOnce(&mut Unlogged)) {
        what(&mut self.unlogged.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn digest_of(secret: &SecretString) -> [u8; 32] {
    Sha256::digest(secret.expose_secret().as_bytes()).into()
}
