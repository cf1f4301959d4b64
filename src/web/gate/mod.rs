//! Access control: the server of the status page, and what every request to it must pass.
//!
//! ```text
//! let settings = Settings::of(&page);                      // config::StatusPage
//! let gate = Gate::new(&settings, clock)?;                 // clock: the computer's running time
//! let routes = Router::new()
//!     .route("/orders/{order}/refetch", post(refetch))
//!     .with_state(state);                                  // `gate` in it, for signing in
//! let router = gate.guard(routes);                         // after the last route
//! serve(settings, router, disk, tell, stop).await;         // tell: where it listens, or why not
//!
//! async fn order(visitor: Visitor) -> Html<String> {
//!     render(&visitor.token())                             // <input type=hidden name=csrf value=…>
//! }
//! async fn refetch(visitor: Visitor, Checked(form): Checked<Refetch>) -> Redirect { … }
//! ```
//!
//! Refused requests, in this order:
//!
//! | request | answer |
//! |---|---|
//! | names no host, or several | 400 |
//! | asks for the page under a name that is not its own (DNS rebinding) | 421, with what to do |
//! | comes from another site, by `Origin` or `Sec-Fetch-Site`, except links to pages | 403 |
//! | needs a sign-in: a page | 303 to `/login?to=…` |
//! | needs a sign-in: anything else | 401 |
//! | has a body of more than 64 KiB, or one that does not arrive | 413, 408 |
//! | [`Checked`]: a form without its session's token | 403 |
//!
//! With a password everything needs a sign-in except `/login`, everything below `/assets/`, and
//! `/health/live`, which must reveal nothing except that there is an agent. `/metrics`, `/health`
//! and everything below also accept the password by `Basic`, with any user name, so that a monitor
//! can ask.
//!
//! The port in `Host` does not matter: rebinding needs a name of the attacker, and proxies change
//! ports. In `Origin` it must be that of `Host`: another port is another program.

mod answer;
mod back;
mod code;
mod entry;
mod form;
mod guard;
mod lock;
mod serving;
mod sessions;
mod throttle;
mod visitor;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use ring::hmac;

use crate::config::{StatusPage, TlsFiles};
use crate::model::fault::{Fault, FaultClass};
use crate::password::PasswordHash;

use lock::{Lane, Lock};
use sessions::Sessions;

pub use back::local_path;
pub use code::{CODE_FILE, SetUpCode, read_code};
pub use form::Checked;
pub use lock::Refused;
pub use serving::serve;
pub use visitor::Visitor;

/// Time between two attempts to start, and between two checks of the certificate.
pub const CARE: Duration = Duration::from_secs(30);

/// Returns the time since some fixed moment: it never goes back, and includes the time the computer
/// slept.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// The gate's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Its own certificate; plain HTTP without one.
    pub tls: Option<TlsFiles>,
    /// The names under which it answers, besides addresses and `localhost`; in lower case.
    pub names: Vec<String>,
    /// The hash of the visitors' password; `None`: no password.
    pub password_hash: Option<PasswordHash>,
    /// Time between two attempts to start, and between two checks of the certificate.
    pub care: Duration,
}

impl Settings {
    /// The settings from the config.
    pub fn of(page: &StatusPage) -> Self {
        Self {
            listen: page.listen,
            tls: page.tls.clone(),
            names: page.names.clone(),
            password_hash: page.password_hash.clone(),
            care: CARE,
        }
    }

    /// The URL to open in a browser, with a trailing slash, if it listens `at` that address: with
    /// the first of its names where the address itself leads nowhere.
    pub fn url(&self, at: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        match self.names.first() {
            Some(name) if !at.ip().is_loopback() => format!("{scheme}://{name}:{}/", at.port()),
            _ => format!("{scheme}://{at}/"),
        }
    }
}

/// Admits requests or refuses them. Clones are the same gate.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    /// Whether only this PC can reach it.
    is_loopback: bool,
    is_encrypted: bool,
    names: Vec<String>,
    visitors: Arc<Visitors>,
    lock: Option<Lock>,
    /// Opens the set-up if there is no password.
    code: OnceLock<Arc<SetUpCode>>,
    clock: Clock,
}

/// The sessions. They outlive the gate if one agent of a process makes way for the next: choosing
/// another folder must not require the set-up code again.
pub struct Visitors {
    /// Belongs to this process: nothing signed with it survives a restart.
    key: hmac::Key,
    sessions: Mutex<Sessions>,
}

impl Visitors {
    /// Starts without sessions.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new() -> Result<Self, Fault> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &ring::rand::SystemRandom::new());
        let key = key.map_err(|_| {
            let text = "the status page cannot begin: the system gives no random numbers";
            Fault::new(FaultClass::Local, "random", text).hint("restart this PC")
        })?;
        Ok(Self { key, sessions: Mutex::default() })
    }
}

impl std::fmt::Debug for Visitors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Visitors")
    }
}

impl Gate {
    /// A gate without sessions.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, Fault> {
        Ok(Self::before(settings, clock, Arc::new(Visitors::new()?)))
    }

    /// A gate with sessions that may exist already.
    pub fn before(settings: &Settings, clock: Clock, visitors: Arc<Visitors>) -> Self {
        let hash = settings.password_hash.clone();
        Self(Arc::new(Inner {
            is_loopback: settings.listen.ip().is_loopback(),
            is_encrypted: settings.tls.is_some(),
            names: settings.names.clone(),
            lock: hash.map(|hash| Lock::new(hash, visitors.key.clone())),
            visitors,
            code: OnceLock::new(),
            clock,
        }))
    }

    /// Sets the code that opens the set-up; only the first call counts. Without a code and without
    /// a password no one can change it.
    pub fn set_code(&self, code: Arc<SetUpCode>) {
        drop(self.0.code.set(code));
    }

    /// The file with the set-up code, if visitors need it.
    pub fn code_file(&self) -> Option<&std::path::Path> {
        self.0.code.get().filter(|_| self.0.lock.is_none()).map(|code| code.file())
    }

    /// Whether visitors need a password.
    pub fn asks_password(&self) -> bool {
        self.0.lock.is_some()
    }

    /// Signs a visitor in. Their session gets a new id, which the response to this request carries.
    /// If there is no password, everyone is in.
    ///
    /// # Errors
    /// The password is wrong, or tried too soon after wrong ones. The error does not say which.
    pub async fn sign_in(&self, visitor: &Visitor, password: &str) -> Result<(), Refused> {
        let Some(lock) = &self.0.lock else { return Ok(()) };
        lock.open(visitor.from(), Lane::Form, password.as_bytes(), &*self.0.clock).await?;
        visitor.begin(true, false);
        Ok(())
    }

    /// Lets a visitor who knows the code change the set-up for the rest of their session. The
    /// session gets a new id, and there is a new code.
    ///
    /// # Errors
    /// The code is wrong, or tried too soon after wrong ones. The error does not say which.
    pub async fn open_set_up(&self, visitor: &Visitor, code: &str) -> Result<(), Refused> {
        let no = Refused { wait: Duration::ZERO };
        let own = self.0.code.get().filter(|_| self.0.lock.is_none()).cloned().ok_or(no)?;
        let (from, tried, now) = (visitor.from(), code.to_owned(), self.0.now());
        let opened = tokio::task::spawn_blocking(move || own.open(from, &tried, now));
        opened.await.unwrap_or(Err(no))?;
        visitor.begin(visitor.signed_in(), true);
        Ok(())
    }
}

impl Inner {
    fn now(&self) -> Duration {
        (self.clock)()
    }

    fn with_sessions<T>(&self, work: impl FnOnce(&mut Sessions) -> T) -> T {
        work(&mut self.visitors.sessions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn key(&self) -> &hmac::Key {
        &self.visitors.key
    }
}
