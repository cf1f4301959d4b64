//! Keeps a lab logged in.
//!
//! - Tokens are read from the store for every call, so a login, pairing or refresh by another
//!   process takes effect immediately.
//! - A token is renewed at about half its life, so that a failed renewal leaves time: for the next
//!   attempt, and for a person to act. While an access token is valid, the lab works with it,
//!   whatever happened to its renewal.
//! - A refresh happens once, however many calls need it: within the process by a mutex, across
//!   processes by the store's lock; the lock holder reads the store again before asking.
//! - A refresh that has begun is finished and saved even if its caller is cancelled.
//!   [`renewal`](super::renewal) describes why a lost answer does not end the login.
//! - A refresh token that Align refused is never sent again: from then on the login is reported as
//!   revoked, until there is a new one.
//! - FACT: an access token lives one hour. ASSUMED if the server does not say how long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Handle;
use tracing::{error, warn};

use super::discovery::Reach;
use super::faults;
use super::http::Clock;
use super::wire::Tokens;
use casedrop_disk::LockGuard;
use casedrop_model::fault::{Fault, FaultClass};
use casedrop_model::ids::LabName;
use casedrop_model::step::Step;
use casedrop_model::time::WallMs;
use casedrop_secrets::{Login, SEALED, SecretStore, UNREADABLE};

const HOUR: Duration = Duration::from_hours(1);
/// A token is renewed when this fraction of its life is left. Each process picks its own value in
/// the range, so that many labs do not renew at the same time.
const EARLY: std::ops::Range<f64> = 0.45..0.55;
/// After a failed renewal, the next one waits for at most this fraction of the token's life (one in
/// 20).
const PARTS: u32 = 20;
/// A token with less than this left, or a tenth of its life, is not used if a new one can be had.
const MAX_MARGIN: Duration = Duration::from_mins(1);
const LOCK_POLL: Duration = Duration::from_millis(50);
const LOCK_PATIENCE: Duration = Duration::from_mins(2);

/// One lab's login.
pub(super) struct Auth {
    pub(super) lab: LabName,
    pub(super) client_id: String,
    pub(super) client_secret: Option<SecretString>,
    pub(super) reach: Reach,
    pub(super) store: Arc<dyn SecretStore>,
    pub(super) clock: Clock,
    pub(super) handle: Handle,
    pub(super) step: fn(Step),
    early: f64,
    flight: Arc<tokio::sync::Mutex<Option<FaultCopy>>>,
    attempts: AtomicU64,
    pub(super) unsaved: Mutex<Option<Unsaved>>,
    pub(super) dead: Mutex<Option<Dead>>,
    /// A valid token is not renewed before this time: the last attempt failed.
    not_before: Mutex<Option<SystemTime>>,
}

/// Tokens issued by Align that could not be saved, and the access token they replace.
pub(super) struct Unsaved {
    pub(super) replaced: SecretString,
    pub(super) login: Login,
}

/// A refresh token that Align refused, and why.
pub(super) struct Dead {
    pub(super) refresh: SecretString,
    pub(super) why: FaultCopy,
    /// The access token, if Align refused that too.
    pub(super) access: Option<SecretString>,
}

/// A login that is about to end, because Align no longer renews it.
pub struct Ending {
    /// The lab can work until then.
    pub at: SystemTime,
    pub why: Fault,
}

/// Whether a renewal waits for one by another process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// The token is needed.
    Waits,
    /// There is another valid token.
    Passes,
}

/// The fault returned to callers that waited for the same failed refresh.
pub(super) struct FaultCopy(
    FaultClass,
    &'static str,
    /// The message, and the causes that it leaves out.
    (String, Option<String>),
    Option<String>,
    Option<Duration>,
);

impl Auth {
    pub(super) fn new(
        lab: LabName,
        client: (String, Option<SecretString>),
        reach: Reach,
        store: Arc<dyn SecretStore>,
        clock: Clock,
        (handle, step): (Handle, fn(Step)),
    ) -> Self {
        let (client_id, client_secret) = client;
        Self {
            lab,
            client_id,
            client_secret,
            reach,
            store,
            clock,
            handle,
            step,
            early: EARLY.start + fastrand::f64() * (EARLY.end - EARLY.start),
            flight: Arc::default(),
            attempts: AtomicU64::default(),
            unsaved: Mutex::default(),
            dead: Mutex::default(),
            not_before: Mutex::default(),
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// Returns the current login.
    pub(super) fn login(&self) -> Result<Login, Fault> {
        self.load()?.ok_or_else(|| faults::login_needed(&self.lab, "is not logged in"))
    }

    /// Returns the current login, unless it is over: Align refused to renew it, and the tokens
    /// issued before are no longer valid. Then only a new login helps.
    pub(super) fn living(&self) -> Result<Login, Fault> {
        let login = self.login()?;
        match self.refusal_of(&login) {
            Some(fault) if !self.still_works(&login) => Err(fault),
            _ => Ok(login),
        }
    }

    /// Returns when the login stops working, if Align no longer renews it.
    pub(super) fn ending(&self) -> Option<Ending> {
        let login = self.load().ok().flatten()?;
        let why = self.refusal_of(&login).filter(|_| self.still_works(&login))?;
        Some(Ending { at: login.issued_at.checked_add(login.lifetime)?, why })
    }

    /// Returns an access token that is good for a call, renewed if necessary.
    pub(super) async fn access(self: &Arc<Self>) -> Result<SecretString, Fault> {
        let login = self.login()?;
        let now = self.now();
        let left = left(&login, now);
        let token = if left <= margin(&login) {
            match self.renewal(&login.access, Patience::Waits).await {
                Ok(login) => login.access,
                // A token with a few seconds left is better than none.
                Err(fault) if !left.is_zero() => {
                    warn!(lab = %self.lab, "the login could not be renewed: {}", fault.chain());
                    login.access
                }
                Err(fault) => return Err(fault),
            }
        } else if self.is_early(&login, left, now) {
            self.renew_early(login, now).await
        } else {
            login.access
        };
        // If only discovery can say where calls go, its refusal of the token is the only one we
        // get.
        if self.reach.refuses(&token).await
            && let Ok(login) = self.renewal(&token, Patience::Waits).await
        {
            return Ok(login.access);
        }
        Ok(token)
    }

    /// Whether to renew a token that is still valid now.
    fn is_early(&self, login: &Login, left: Duration, now: SystemTime) -> bool {
        let until = *self.not_before.lock().unwrap_or_else(PoisonError::into_inner);
        // A clock that was set back must not delay it for long.
        let waits = until.is_some_and(|until| {
            until.duration_since(now).is_ok_and(|wait| wait <= login.lifetime / PARTS)
        });
        // Once an answer was lost, the sooner the former token is tried again, the better.
        let is_due = login.renewal.is_some() || left <= login.lifetime.mul_f64(self.early);
        is_due && !waits && login.refresh.is_some() && self.refusal_of(login).is_none()
    }

    async fn renew_early(self: &Arc<Self>, login: Login, now: SystemTime) -> SecretString {
        if self.flight.try_lock().is_err() {
            return login.access;
        }
        match self.renewal(&login.access, Patience::Passes).await {
            Ok(login) => login.access,
            Err(fault) => {
                let until = now.checked_add(login.lifetime / PARTS);
                *self.not_before.lock().unwrap_or_else(PoisonError::into_inner) = until;
                self.tell_early_failure(&login, &fault, now);
                login.access
            }
        }
    }

    /// Logs the failure: a person has time to act, and should.
    fn tell_early_failure(&self, login: &Login, fault: &Fault, now: SystemTime) {
        let lab = &self.lab;
        match self.ending() {
            Some(Ending { at, why }) => {
                let until = WallMs::from(at).in_words(now.into());
                let (hint, why) = (why.hint.as_deref().unwrap_or_default(), why.chain());
                error!(%lab, hint, "the lab works until {until}; log in again before then: {why}");
            }
            None if fault.code == LOCKED => {}
            None => {
                let left = left(login, now).as_secs();
                warn!(%lab, left, "the login could not be renewed yet, but still works: {}", fault.chain());
            }
        }
    }

    /// Returns an access token worth sending with discovery, if there is one.
    pub(super) fn known(&self) -> Option<SecretString> {
        let login = self.load().ok().flatten()?;
        self.still_works(&login).then_some(login.access)
    }

    /// Returns the login after Align refused the access token `seen`. `is_proof`: the refusal
    /// proves that the token is useless, rather than that it may not access one resource.
    pub(super) async fn renewed(
        self: &Arc<Self>,
        seen: &SecretString,
        is_proof: bool,
    ) -> Result<Login, Fault> {
        let result = self.renewal(seen, Patience::Waits).await;
        if result.is_err()
            && is_proof
            && let Some(dead) = &mut *self.dead.lock().unwrap_or_else(PoisonError::into_inner)
        {
            dead.access = Some(seen.clone());
        }
        result
    }

    /// Returns the login with an access token other than `seen`.
    async fn renewal(
        self: &Arc<Self>,
        seen: &SecretString,
        patience: Patience,
    ) -> Result<Login, Fault> {
        let attempts = self.attempts.load(Ordering::SeqCst);
        let (me, seen) = (Arc::clone(self), seen.clone());
        self.finish(async move |failure| me.renew(&seen, patience, attempts, failure).await).await
    }

    /// Waits until no refresh is in flight, so that none is cut off when the program ends.
    pub(super) async fn settled(&self) {
        drop(self.flight.lock().await);
    }

    /// Replaces the stored login with the result of `change`.
    pub(super) async fn change(
        self: &Arc<Self>,
        change: impl FnOnce(Option<Login>) -> Option<Login> + Send + 'static,
    ) -> Result<(), Fault> {
        let me = Arc::clone(self);
        self.finish(async move |_| {
            let _lock = me.lock().await?;
            let stored = match me.load() {
                Err(fault) if [UNREADABLE, SEALED].contains(&fault.code) => None,
                stored => stored?,
            };
            match change(stored) {
                Some(login) => me.store.save(&me.lab, &login)?,
                None => me.store.remove(&me.lab)?,
            }
            *me.unsaved.lock().unwrap_or_else(PoisonError::into_inner) = None;
            Ok(())
        })
        .await
    }

    /// Makes a login from newly issued tokens.
    pub(super) fn login_from(&self, tokens: Tokens) -> Login {
        Login {
            access: tokens.access,
            refresh: tokens.refresh,
            issued_at: (self.clock)(),
            lifetime: tokens.lifetime.unwrap_or(HOUR),
            account: None,
            former: None,
            renewal: None,
        }
    }

    async fn renew(
        &self,
        seen: &SecretString,
        patience: Patience,
        attempts: u64,
        failure: &mut Option<FaultCopy>,
    ) -> Result<Login, Fault> {
        let same = |login: &Login| login.access.expose_secret() == seen.expose_secret();
        let usable = |login: &Login| !same(login) && !left(login, (self.clock)()).is_zero();
        let login = self.login()?;
        if usable(&login) {
            return Ok(login);
        }
        if self.attempts.load(Ordering::SeqCst) != attempts
            && let Some(fault) = failure
        {
            return Err(fault.fault());
        }
        let _lock = match patience {
            Patience::Waits => self.lock().await?,
            Patience::Passes => self.store.try_lock(&self.lab)?.ok_or_else(|| locked(&self.lab))?,
        };
        let login = self.login()?;
        if usable(&login) {
            return Ok(login);
        }
        let result = self.refresh(login).await;
        self.attempts.fetch_add(1, Ordering::SeqCst);
        *failure = result.as_ref().err().map(FaultCopy::of);
        result
    }

    /// Returns what Align said when it refused to renew this login, if it did.
    pub(super) fn refusal_of(&self, login: &Login) -> Option<Fault> {
        let refresh = login.refresh.as_ref()?;
        let dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
        let dead = dead.as_ref()?;
        (dead.refresh.expose_secret() == refresh.expose_secret()).then(|| dead.why.fault())
    }

    /// Whether the access token is valid and Align has not refused it.
    fn still_works(&self, login: &Login) -> bool {
        let dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = dead.as_ref().and_then(|dead| dead.access.as_ref());
        let is_refused =
            refused.is_some_and(|refused| refused.expose_secret() == login.access.expose_secret());
        !is_refused && !left(login, self.now()).is_zero()
    }

    fn load(&self) -> Result<Option<Login>, Fault> {
        let stored = self.store.load(&self.lab)?;
        let mut unsaved = self.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = &*unsaved else { return Ok(stored) };
        let current = stored.as_ref().map(|login| login.access.expose_secret());
        if current != Some(kept.replaced.expose_secret()) {
            // The user logged in or out in the meantime: the stored login is newer.
            *unsaved = None;
            return Ok(stored);
        }
        let login = kept.login.clone();
        if self.store.save(&self.lab, &login).is_ok() {
            *unsaved = None;
        }
        Ok(Some(login))
    }

    async fn lock(&self) -> Result<LockGuard, Fault> {
        let mut waited = Duration::ZERO;
        loop {
            if let Some(guard) = self.store.try_lock(&self.lab)? {
                return Ok(guard);
            }
            if waited >= LOCK_PATIENCE {
                return Err(locked(&self.lab));
            }
            tokio::time::sleep(LOCK_POLL).await;
            waited += LOCK_POLL;
        }
    }

    /// Runs the work, one at a time, to its end on a thread that may block, even if the caller goes
    /// away. Once it has its turn, there is no point at which dropping the caller would prevent the
    /// work from starting.
    async fn finish<T: Send + 'static>(
        &self,
        work: impl AsyncFnOnce(&mut Option<FaultCopy>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let mut turn = Arc::clone(&self.flight).lock_owned().await;
        let handle = self.handle.clone();
        let done = self.handle.spawn_blocking(move || handle.block_on(work(&mut turn)));
        match done.await {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Err(faults::cancelled()),
        }
    }
}

const LOCKED: &str = "login-locked";

fn locked(lab: &LabName) -> Fault {
    let text = format!("another program is using the login of lab {lab}");
    Fault::new(FaultClass::Local, LOCKED, text)
        .hint("stop other `casedrop` commands that are waiting for an answer")
}

impl FaultCopy {
    pub(super) fn of(fault: &Fault) -> Self {
        let said = (fault.brief(), fault.rest());
        Self(fault.class, fault.code, said, fault.hint.clone(), fault.retry_after)
    }

    fn fault(&self) -> Fault {
        let (message, cause) = self.2.clone();
        let mut fault = Fault::new(self.0, self.1, message).retry_after(self.4);
        fault.hint.clone_from(&self.3);
        match cause {
            Some(cause) => fault.caused_by_library(cause),
            None => fault,
        }
    }
}

/// How long the access token is still valid. If the clock stepped back to before the token was
/// issued, its age is unknown, so it counts as expired.
fn left(login: &Login, now: SystemTime) -> Duration {
    let age = now.duration_since(login.issued_at).unwrap_or(Duration::MAX);
    login.lifetime.saturating_sub(age)
}

fn margin(login: &Login) -> Duration {
    MAX_MARGIN.min(login.lifetime / 10)
}
