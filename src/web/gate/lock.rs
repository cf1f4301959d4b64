//! The password, and checking it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::hmac;
use tokio::sync::Semaphore;

use super::throttle::Throttle;
use crate::password::PasswordHash;

/// How many passwords to check at the same time: each check takes 19 MiB and a core.
const CHECKS: usize = 2;
/// How many more may wait for a check.
const WAITING: usize = 16;

/// How a password arrives. A monitor with an outdated one must not slow down people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// Through the form of `/login`.
    Form,
    /// With each request.
    Basic,
    /// The set-up code, through its form.
    Code,
}

/// A password was refused: it is wrong, or comes too soon after wrong ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Time until the next try makes sense; zero after the first few.
    pub wait: Duration,
}

/// The lock that the password opens.
pub(super) struct Lock {
    hash: PasswordHash,
    key: hmac::Key,
    /// The signed digest of the last correct password: a monitor asks every few seconds.
    right: Mutex<Option<hmac::Tag>>,
    throttle: Mutex<Throttle>,
    checks: Arc<Semaphore>,
    places: Semaphore,
}

impl Lock {
    pub(super) fn new(hash: PasswordHash, key: hmac::Key) -> Self {
        Self {
            hash,
            key,
            right: Mutex::default(),
            throttle: Mutex::default(),
            checks: Arc::new(Semaphore::new(CHECKS)),
            places: Semaphore::new(CHECKS + WAITING),
        }
    }

    /// Tries a password.
    pub(super) async fn open(
        &self,
        from: IpAddr,
        lane: Lane,
        password: &[u8],
        clock: &(dyn Fn() -> Duration + Send + Sync),
    ) -> Result<(), Refused> {
        let Ok(_place) = self.places.try_acquire() else {
            return Err(Refused { wait: Duration::from_secs(1) });
        };
        self.with_throttle(|throttle| throttle.admit(lane, from, clock()))
            .map_err(|wait| Refused { wait })?;
        if self.is_right(password).await {
            self.with_throttle(|throttle| throttle.right(lane, from));
            return Ok(());
        }
        tracing::debug!("a wrong password for the status page");
        let wait = self.with_throttle(|throttle| throttle.wait(lane, from, clock()));
        Err(Refused { wait })
    }

    async fn is_right(&self, password: &[u8]) -> bool {
        let remembered = *self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.is_some_and(|tag| hmac::verify(&self.key, password, tag.as_ref()).is_ok()) {
            return true;
        }
        // The semaphore is never closed.
        let Ok(permit) = Arc::clone(&self.checks).acquire_owned().await else { return false };
        let (hash, tried) = (self.hash.clone(), password.to_vec());
        let checked = tokio::task::spawn_blocking(move || {
            // The check continues even if no one waits for it any more, and counts until it is
            // done.
            let _permit = permit;
            hash.is_of(&tried)
        });
        let is_right = checked.await.unwrap_or(false);
        if is_right {
            let tag = hmac::sign(&self.key, password);
            *self.right.lock().unwrap_or_else(PoisonError::into_inner) = Some(tag);
        }
        is_right
    }

    fn with_throttle<T>(&self, work: impl FnOnce(&mut Throttle) -> T) -> T {
        work(&mut self.throttle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
