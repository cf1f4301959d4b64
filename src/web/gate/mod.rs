//! Who may come in: the server under the status page, and what every request to it must pass.
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
//! What is refused, in this order:
//!
//! | request | answer |
//! |---|---|
//! | names no host, or several | 400 |
//! | asks for the page under a name that is not its own (DNS rebinding) | 421, with what to do |
//! | comes from another site: by `Origin`, or by `Sec-Fetch-Site`, links to pages apart | 403 |
//! | demands a sign-in: a page | 303 to `/login?to=…` |
//! | the same, anything else | 401 |
//! | has a body of more than 64 KiB, or one that does not come | 413, 408 |
//! | [`Checked`]: a form without the token of its session | 403 |
//!
//! With a password everything demands a sign-in but `/login`, what lies below `/assets/`, and
//! `/health/live`, which must tell nothing but that there is an agent. `/metrics`, `/health` and what
//! lies below take the password by `Basic` too, whatever the user is called, so that a monitor can
//! ask.
//!
//! The port in `Host` does not matter: rebinding needs a name of the attacker's, and ports change on the
//! way through proxies. In `Origin` it must be that of `Host`: another port is another program.

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

use axum::{Router, middleware};
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

/// Time between two attempts to begin, and between two looks at the certificate.
pub const CARE: Duration = Duration::from_secs(30);

/// Tells how much time has passed since some moment: never less than before, and not less because the
/// computer slept.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// How the gate is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens; port 0 is any that is free.
    pub listen: SocketAddr,
    /// Its own certificate; plain HTTP without one.
    pub tls: Option<TlsFiles>,
    /// The names under which it answers, beside addresses and `localhost`; in lower case.
    pub names: Vec<String>,
    /// The hash of the password that visitors are asked for; `None`: nobody is asked.
    pub password_hash: Option<PasswordHash>,
    /// Time between two attempts to begin, and between two looks at the certificate.
    pub care: Duration,
}

impl Settings {
    /// As the config says.
    pub fn of(page: &StatusPage) -> Self {
        Self {
            listen: page.listen,
            tls: page.tls.clone(),
            names: page.names.clone(),
            password_hash: page.password_hash.clone(),
            care: CARE,
        }
    }

    /// The address to open in a browser, with a slash at its end, when it listens `at` that place:
    /// under the first of its names where the address itself leads nowhere.
    pub fn url(&self, at: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        match self.names.first() {
            Some(name) if !at.ip().is_loopback() => format!("{scheme}://{name}:{}/", at.port()),
            _ => format!("{scheme}://{at}/"),
        }
    }
}

/// Lets requests in, or refuses them. Clones are the same gate.
#[derive(Clone)]
pub struct Gate(Arc<Inner>);

struct Inner {
    /// Whether only this PC can reach it.
    is_loopback: bool,
    is_encrypted: bool,
    names: Vec<String>,
    visitors: Arc<Visitors>,
    lock: Option<Lock>,
    /// What opens the set-up where there is no password.
    code: OnceLock<Arc<SetUpCode>>,
    clock: Clock,
}

/// Who is known to the page. It outlives the gate where one agent of a process makes way for the next:
/// nobody is asked for the set-up code twice because they chose another folder.
pub struct Visitors {
    /// Of this process: what was signed with it means nothing after a restart.
    key: hmac::Key,
    sessions: Mutex<Sessions>,
}

impl Visitors {
    /// Nobody so far.
    ///
    /// # Errors
    /// The system gives no random numbers.
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
    /// A gate without visitors.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn new(settings: &Settings, clock: Clock) -> Result<Self, Fault> {
        Ok(Self::before(settings, clock, Arc::new(Visitors::new()?)))
    }

    /// A gate before visitors who may be known already.
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

    /// Says with which code the set-up can be changed; the first word counts. Without a code and without
    /// a password nobody can.
    pub fn set_code(&self, code: Arc<SetUpCode>) {
        drop(self.0.code.set(code));
    }

    /// The file that holds the set-up code, where visitors need it.
    pub fn code_file(&self) -> Option<&std::path::Path> {
        self.0.code.get().filter(|_| self.0.lock.is_none()).map(|code| code.file())
    }

    /// The routes behind the gate, what they have no route for included. Routes that are added later
    /// are not.
    pub fn guard(&self, routes: Router) -> Router {
        routes.layer(middleware::from_fn_with_state(self.clone(), guard::enter))
    }

    /// Whether visitors are asked for a password.
    pub fn asks_password(&self) -> bool {
        self.0.lock.is_some()
    }

    /// Signs a visitor in, whose session gets a new id; the answer to the request carries it. Where
    /// no password is asked for, everybody is in.
    ///
    /// # Errors
    /// The password is wrong, or tried too soon after wrong ones. Which of both is not told.
    pub async fn sign_in(&self, visitor: &Visitor, password: &str) -> Result<(), Refused> {
        let Some(lock) = &self.0.lock else { return Ok(()) };
        lock.open(visitor.from(), Lane::Form, password.as_bytes(), &*self.0.clock).await?;
        visitor.begin(true, false);
        Ok(())
    }

    /// Lets a visitor who knows the code change the set-up, for as long as their session lasts. It gets a
    /// new id, and there is a new code.
    ///
    /// # Errors
    /// The code is wrong, or tried too soon after wrong ones. Which of both is not told.
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
