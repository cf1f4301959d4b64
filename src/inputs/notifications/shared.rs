//! What all connections of the listener share.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc;

use super::writer::{self, Job, Queue};
use super::{Intake, Settings};
use crate::disk::Disk;
use crate::http::server::{Listener, OwnCertificate};
use crate::model::fault::Fault;
use crate::model::notification::Received;

/// What all connections share.
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) intake: Arc<dyn Intake>,
    pub(super) disk: Arc<dyn Disk>,
    /// The path of the public URL, without the slash at its end.
    prefix: String,
    /// The digest of the secret: so that comparing takes the same time, whatever is wrong.
    secret: RwLock<[u8; 32]>,
    pub(super) certificate: Option<Arc<OwnCertificate>>,
    pub(super) jobs: mpsc::Sender<Job>,
    /// What is not in the journal's counts yet.
    counts: Mutex<Received>,
    /// What is not in the log yet.
    pub(super) unlogged: Mutex<Unlogged>,
}

/// What is told once an hour at the most.
#[derive(Debug, Default)]
pub(super) struct Unlogged {
    /// Notifications of accounts that no lab has, and where the last one came from.
    pub(super) refused: u64,
    pub(super) refused_from: Option<IpAddr>,
    /// Notifications in which nothing can be read, and why not in the last one.
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

    /// Whether it is the secret path: below the public URL's, or bare, since a proxy may take that
    /// off. A slash at the end does no harm.
    pub(super) fn is_secret_path(&self, path: &str) -> bool {
        let path = path.strip_suffix('/').unwrap_or(path);
        let Some((prefix, segment)) = path.rsplit_once('/') else { return false };
        let digest: [u8; 32] = Sha256::digest(segment.as_bytes()).into();
        let secret = *self.secret.read().unwrap_or_else(PoisonError::into_inner);
        (prefix.is_empty() || prefix == self.prefix) && digest == secret
    }

    /// The secret may have been made anew.
    pub(super) fn set_secret(&self, secret: &SecretString) {
        *self.secret.write().unwrap_or_else(PoisonError::into_inner) = digest_of(secret);
    }

    /// Counts something.
    pub(super) fn count(&self, more: impl FnOnce(&mut Received)) {
        more(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Takes what was counted, to keep it elsewhere.
    pub(super) fn take_counts(&self) -> Received {
        std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is to be logged later.
    pub(super) fn log_later(&self, what: impl FnOnce(&mut Unlogged)) {
        what(&mut self.unlogged.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn digest_of(secret: &SecretString) -> [u8; 32] {
    Sha256::digest(secret.expose_secret().as_bytes()).into()
}
