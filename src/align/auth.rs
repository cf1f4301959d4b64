//! Keeping a lab logged in.
//!
//! - Tokens are read from the store for every call, so a login, a pairing or a refresh by another
//!   process counts at once.
//! - A refresh happens once, however many calls need it: within the process by a mutex, across
//!   processes by the store's lock, and whoever gets the lock reads the store again before asking.
//! - Refresh tokens may rotate (ASSUMED), so what Align returned is durable before it is used. A
//!   refresh that has begun is finished and saved even if its caller is cancelled. Only a power cut
//!   between Align's answer and the saving of it can cost the login.
//! - A refresh token that Align refused is not offered again: a login that was revoked is told from
//!   then on, until there is another.
//! - FACT: an access token lives one hour. ASSUMED where the server does not say how long.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Handle;
use tracing::{info, warn};

use super::endpoints::Endpoint;
use super::faults::{self, LOGIN_NEEDED};
use super::http::Clock;
use super::reach::Reach;
use super::wire::{self, Tokens};
use crate::disk::LockGuard;
use crate::model::fault::{Fault, FaultClass};
use crate::model::ids::LabName;
use crate::secrets::{Login, SEALED, SecretStore, UNREADABLE};

const HOUR: Duration = Duration::from_hours(1);
/// A token is refreshed when a tenth of its life is left, but not earlier than this.
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
    flight: Arc<tokio::sync::Mutex<Option<FaultCopy>>>,
    attempts: AtomicU64,
    unsaved: Mutex<Option<Unsaved>>,
    dead: Mutex<Option<(SecretString, FaultCopy)>>,
}

/// Tokens that Align handed out and that could not be saved, and the access token they replace.
struct Unsaved {
    replaced: SecretString,
    login: Login,
}

/// What callers that waited for one failed refresh are told.
struct FaultCopy(FaultClass, &'static str, String, Option<String>, Option<Duration>);

impl Auth {
    pub(super) fn new(
        lab: LabName,
        client: (String, Option<SecretString>),
        reach: Reach,
        store: Arc<dyn SecretStore>,
        clock: Clock,
        handle: Handle,
    ) -> Self {
        let (client_id, client_secret) = client;
        let (flight, attempts, unsaved, dead) = Default::default();
        #[rustfmt::skip]
        let auth = Self { lab, client_id, client_secret, reach, store, clock, handle, flight, attempts, unsaved, dead };
        auth
    }

    /// The time.
    pub(super) fn now(&self) -> SystemTime {
        (self.clock)()
    }

    /// The login as it is now.
    pub(super) fn login(&self) -> Result<Login, Fault> {
        self.load()?.ok_or_else(|| faults::login_needed(&self.lab, "is not logged in"))
    }

    /// The login as it is now, unless Align was seen to refuse to renew it: then only another login
    /// helps.
    pub(super) fn living(&self) -> Result<Login, Fault> {
        let login = self.login()?;
        match self.refusal_of(&login) {
            Some(fault) => Err(fault),
            None => Ok(login),
        }
    }

    /// An access token that is good for a call, refreshed where need be.
    pub(super) async fn access(self: &Arc<Self>) -> Result<SecretString, Fault> {
        let login = self.login()?;
        let now = (self.clock)();
        if left(&login, now) > margin(&login) {
            return Ok(login.access);
        }
        match self.renewed(&login.access).await {
            Ok(login) => Ok(login.access),
            // Better a token with a few seconds left than none.
            Err(fault) if fault.class != FaultClass::Auth && !left(&login, now).is_zero() => {
                warn!(lab = %self.lab, "the login could not be refreshed yet: {}", fault.chain());
                Ok(login.access)
            }
            Err(fault) => Err(fault),
        }
    }

    /// An access token that is worth sending with discovery, if there is one.
    pub(super) fn known(&self) -> Option<SecretString> {
        let login = self.load().ok().flatten()?;
        (!left(&login, (self.clock)()).is_zero()).then_some(login.access)
    }

    /// The login after `seen` turned out to be of no use any more.
    pub(super) async fn renewed(self: &Arc<Self>, seen: &SecretString) -> Result<Login, Fault> {
        let attempts = self.attempts.load(Ordering::SeqCst);
        let (me, seen) = (Arc::clone(self), seen.clone());
        self.finish(async move |failure| me.renew(&seen, attempts, failure).await).await
    }

    /// Waits until no refresh is under way, so that none is cut off when the program ends.
    pub(super) async fn settled(&self) {
        drop(self.flight.lock().await);
    }

    /// Replaces the login by what `change` makes of the one that is stored.
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

    /// A login from tokens that were just handed out.
    pub(super) fn login_from(&self, tokens: Tokens) -> Login {
        Login {
            access: tokens.access,
            refresh: tokens.refresh,
            issued_at: (self.clock)(),
            lifetime: tokens.lifetime.unwrap_or(HOUR),
            account: None,
        }
    }

    async fn renew(
        &self,
        seen: &SecretString,
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
        let _lock = self.lock().await?;
        let login = self.login()?;
        if usable(&login) {
            return Ok(login);
        }
        let result = self.refresh(login).await;
        self.attempts.fetch_add(1, Ordering::SeqCst);
        *failure = result.as_ref().err().map(FaultCopy::of);
        result
    }

    async fn refresh(&self, old: Login) -> Result<Login, Fault> {
        let lab = &self.lab;
        let Some(refresh) = &old.refresh else {
            return Err(faults::login_needed(lab, "has a login that has expired"));
        };
        if let Some(fault) = self.refusal_of(&old) {
            return Err(fault);
        }
        let what = format!("refresh the login of lab {lab}");
        let answer = self.post_form(Endpoint::Refresh, what, wire::refresh_form(refresh)).await?;
        let tokens = self.tokens(answer).await.inspect_err(|fault| {
            if fault.code == LOGIN_NEEDED {
                let dead = (refresh.clone(), FaultCopy::of(fault));
                *self.dead.lock().unwrap_or_else(PoisonError::into_inner) = Some(dead);
            }
        })?;
        let mut login = self.login_from(tokens);
        login.refresh = login.refresh.or(old.refresh);
        login.account = old.account;
        if let Err(fault) = self.store.save(lab, &login) {
            // The old tokens may be dead already: keep the new ones until they can be saved.
            let unsaved = Unsaved { replaced: old.access, login };
            *self.unsaved.lock().unwrap_or_else(PoisonError::into_inner) = Some(unsaved);
            return Err(fault);
        }
        info!(%lab, lifetime = login.lifetime.as_secs(), "the login was refreshed");
        Ok(login)
    }

    /// What Align said when it refused to renew this login, if it did.
    fn refusal_of(&self, login: &Login) -> Option<Fault> {
        let refresh = login.refresh.as_ref()?;
        let dead = self.dead.lock().unwrap_or_else(PoisonError::into_inner);
        let (refused, why) = dead.as_ref()?;
        (refused.expose_secret() == refresh.expose_secret()).then(|| why.fault())
    }

    fn load(&self) -> Result<Option<Login>, Fault> {
        let stored = self.store.load(&self.lab)?;
        let mut unsaved = self.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(kept) = &*unsaved else { return Ok(stored) };
        let current = stored.as_ref().map(|login| login.access.expose_secret());
        if current != Some(kept.replaced.expose_secret()) {
            // Somebody logged in or out meanwhile: that is newer.
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
                let text = format!("another program holds the login of lab {}", self.lab);
                return Err(Fault::new(FaultClass::Local, "login-locked", text)
                    .hint("end other `casedrop` commands that wait for an answer"));
            }
            tokio::time::sleep(LOCK_POLL).await;
            waited += LOCK_POLL;
        }
    }

    /// Runs the work, one at a time, to its end on a thread that may block, even if the caller goes
    /// away. Once it holds the turn, there is no point at which the caller could be dropped before
    /// the work has begun.
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

impl FaultCopy {
    fn of(fault: &Fault) -> Self {
        Self(fault.class, fault.code, fault.chain(), fault.hint.clone(), fault.retry_after)
    }

    fn fault(&self) -> Fault {
        let mut fault = Fault::new(self.0, self.1, self.2.clone()).retry_after(self.4);
        fault.hint.clone_from(&self.3);
        fault
    }
}

/// How long the access token still lives. A clock that stepped back behind the time of issue tells
/// nothing, so the token counts as expired then.
fn left(login: &Login, now: SystemTime) -> Duration {
    let age = now.duration_since(login.issued_at).unwrap_or(Duration::MAX);
    login.lifetime.saturating_sub(age)
}

fn margin(login: &Login) -> Duration {
    MAX_MARGIN.min(login.lifetime / 10)
}
