//! The sender of a request, as far as the gate knows them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use ring::hmac;

use super::answer::{Refusal, no_gate};
use super::{Gate, Inner};
use crate::disk::random_text;
use crate::model::digest::hex;

/// Name of the cookie on plain HTTP.
const COOKIE: &str = "casedrop_session";
/// With this name browsers accept it only encrypted, from this host and for all its paths (RFC
/// 6265bis, 4.1.3.2).
const HOST_COOKIE: &str = "__Host-casedrop_session";
/// How many cookies of our name to check; others on this host may have set some.
const MOST_COOKIES: usize = 8;

/// The sender of a request. Clones are the same visitor. Routes take it as an argument.
#[derive(Clone)]
pub struct Visitor(Arc<Sender>);

struct Sender {
    gate: Arc<Inner>,
    from: IpAddr,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<String>,
    /// Whether a password in the request itself let them in.
    knows_password: bool,
    /// What the response does to the cookie.
    says: Option<Says>,
}

#[derive(Clone, Copy)]
enum Says {
    Begun,
    Ended,
}

/// The address that a connection came from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub(super) IpAddr);

impl Visitor {
    /// The sender of a request with these headers, with their session if there is one.
    pub(super) fn of(gate: &Gate, peer: Option<Peer>, headers: &HeaderMap) -> Self {
        let gate = Arc::clone(&gate.0);
        let now = gate.now();
        let session = gate.with_sessions(|sessions| {
            let mut shown = cookies(headers, cookie_name(&gate)).take(MOST_COOKIES);
            shown.find(|id| sessions.touch(id, now).is_some()).map(str::to_owned)
        });
        let from = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.to_canonical());
        let state = Mutex::new(State { session, ..State::default() });
        Self(Arc::new(Sender { gate, from, state }))
    }

    /// Whether they may see everything: they are signed in, or there is no password.
    pub fn signed_in(&self) -> bool {
        self.0.gate.lock.is_none()
            || self.with_state(|state| {
                state.knows_password
                    || state.session.as_ref().is_some_and(|id| {
                        let now = self.0.gate.now();
                        self.0.gate.with_sessions(|sessions| sessions.is_signed_in(id, now))
                    })
            })
    }

    /// Whether they may change the set-up: where orders go, and who is logged in. They entered the
    /// set-up code, or know the page's password, which an administrator chose.
    pub fn may_set_up(&self) -> bool {
        if self.0.gate.lock.is_some() {
            return self.signed_in();
        }
        let now = self.0.gate.now();
        self.with_state(|state| {
            let session = state.session.as_ref();
            session.is_some_and(|id| self.0.gate.with_sessions(|all| all.sets_up(id, now)))
        })
    }

    /// The token that proves that a form comes from a page of this session. Starts a session if
    /// there is none, and the response carries its cookie, so call this before starting the
    /// response.
    pub fn token(&self) -> String {
        if !self.has_session() {
            self.begin(false, false);
        }
        // Without a session, because the system has no random numbers, no form is accepted.
        self.sign().map(|tag| hex(tag.as_ref())).unwrap_or_default()
    }

    /// Whether this is the session's token. Takes constant time.
    pub fn is_token(&self, token: &str) -> bool {
        // Sign again, so that input that is not hexadecimal takes the same path.
        let (Some(own), key) = (self.sign(), self.0.gate.key()) else { return false };
        let tag = hmac::sign(key, token.as_bytes());
        hmac::verify(key, hex(own.as_ref()).as_bytes(), tag.as_ref()).is_ok()
    }

    /// Ends the session: the visitor is signed out, and the response deletes the cookie.
    pub fn sign_out(&self) {
        self.with_state(|state| {
            if let Some(id) = state.session.take() {
                self.0.gate.with_sessions(|sessions| sessions.end(&id));
                state.says = Some(Says::Ended);
            }
        });
    }

    /// Starts a new session and ends the previous one, so that an id that others may know is
    /// useless.
    pub(super) fn begin(&self, signed_in: bool, sets_up: bool) {
        let gate = &self.0.gate;
        let id = match random_text::<32>("random") {
            Ok(id) => id,
            Err(fault) => {
                tracing::error!("no session can begin on the status page: {}", fault.chain());
                return;
            }
        };
        let now = gate.now();
        self.with_state(|state| {
            gate.with_sessions(|sessions| {
                if let Some(former) = &state.session {
                    sessions.end(former);
                }
                sessions.begin(&id, signed_in, sets_up, now);
            });
            state.session = Some(id);
            state.says = Some(Says::Begun);
        });
    }

    /// Records that the request itself carried the password.
    pub(super) fn knows_password(&self) {
        self.with_state(|state| state.knows_password = true);
    }

    pub(super) fn has_session(&self) -> bool {
        self.with_state(|state| state.session.is_some())
    }

    pub(super) fn from(&self) -> IpAddr {
        self.0.from
    }

    /// The `Set-Cookie` header of the response, if any.
    pub(super) fn set_cookie(&self) -> Option<HeaderValue> {
        let is_encrypted = self.0.gate.is_encrypted;
        let (name, secure) =
            (cookie_name(&self.0.gate), if is_encrypted { "; Secure" } else { "" });
        let text = self.with_state(|state| {
            let (id, ends) = match (state.says?, &state.session) {
                (Says::Begun, Some(id)) => (id.as_str(), ""),
                (Says::Begun, None) | (Says::Ended, _) => ("", "; Max-Age=0"),
            };
            Some(format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict{secure}{ends}"))
        });
        HeaderValue::from_str(&text?).ok()
    }

    /// The signed session id.
    fn sign(&self) -> Option<hmac::Tag> {
        self.with_state(|state| {
            let id = state.session.as_ref()?;
            Some(hmac::sign(self.0.gate.key(), format!("form {id}").as_bytes()))
        })
    }

    fn with_state<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or_else(no_gate)
    }
}

fn cookie_name(gate: &Inner) -> &'static str {
    if gate.is_encrypted { HOST_COOKIE } else { COOKIE }
}

fn cookies<'h>(headers: &'h HeaderMap, name: &'static str) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(header::COOKIE).into_iter();
    let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let own = pairs.filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='));
    own.filter(|id| !id.is_empty())
}
