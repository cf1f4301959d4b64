//! The password: who knows it may come in.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ring::hmac;
use tokio::sync::Semaphore;

use super::throttle::Throttle;
use crate::password::PasswordHash;

/// So many passwords are checked at the same time: each takes 19 MiB and a core.
const CHECKS: usize = 2;
/// So many more wait for that.
const WAITING: usize = 16;

/// On which way a password comes. A monitor with an old one slows down no person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lane {
    /// By the form of `/login`.
    Form,
    /// With each request.
    Basic,
    /// The set-up code, by its form.
    Code,
}

/// A password was not taken: it is wrong, or comes too soon after wrong ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// How long until the next try makes sense; none after the first few.
    pub wait: Duration,
}

/// What the password opens.
pub(super) struct Lock {
    hash: PasswordHash,
    key: hmac::Key,
    /// The signed digest of the password that was right: a monitor asks every few seconds.
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
            // It goes on even if nobody waits any more, and so long it counts.
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
