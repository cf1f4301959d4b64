//! One HTTP exchange, with the rules that hold for all of them.
//!
//! - `https` only, except on loopback, and no proxy there.
//! - Redirects are followed by hand, at most five, for GET only. The bearer token goes to the origin
//!   that was asked and to no other, not even back to it after a detour. A redirect neither leaves
//!   `https` nor leads from the network to this PC.
//! - Nothing waits for ever: connecting has a limit, and so has every wait for the next bytes.
//! - Bodies are taken as they are (no compression), so that lengths can be checked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    LOCATION,
};
use reqwest::{Client, Method, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::faults;
use super::wire::{self, Form};
use crate::model::fault::{Fault, FaultClass};
use crate::outgoing::{Outgoing, is_loopback};

/// How long an answer that is read as a whole may take, however steadily it comes.
const MAX_READ: Duration = Duration::from_mins(5);
const MAX_REDIRECTS: usize = 5;
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Tells the time; tests bring their own.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// One request, apart from where it goes and who asks.
pub(super) struct Request {
    /// A verb with its object, for messages: "get the ready orders of lab smile-lab".
    pub(super) what: String,
    pub(super) method: Method,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Body,
}

pub(super) enum Body {
    None,
    Json(Value),
    Form(Form),
}

impl Request {
    pub(super) fn get(what: impl Into<String>) -> Self {
        Self::new(what, Method::GET, Body::None)
    }

    pub(super) fn post(what: impl Into<String>, body: Body) -> Self {
        Self::new(what, Method::POST, body)
    }

    fn new(what: impl Into<String>, method: Method, body: Body) -> Self {
        Self { what: what.into(), method, query: Vec::new(), headers: Vec::new(), body }
    }
}

/// The head of an answer, whose body is still to be read.
pub(super) struct Answer {
    response: Response,
    what: String,
    pub(super) host: String,
    /// Who answered, each once: the host that was asked, then those that it redirected to.
    pub(super) hosts: Vec<String>,
    /// Whether the server that was asked answered itself, and not one that it redirected to.
    pub(super) at_origin: bool,
    stall: Duration,
    now: SystemTime,
}

/// Sends requests. One per login; connections are shared by its calls.
pub(super) struct Http {
    outgoing: Outgoing,
    stall: Duration,
    clock: Clock,
    clients: Mutex<[Option<Client>; 2]>,
}

impl Http {
    /// Nothing is sent yet.
    ///
    /// # Errors
    /// The certificates of `outgoing` must be usable.
    pub(super) fn new(outgoing: Outgoing, stall: Duration, clock: Clock) -> Result<Self, Fault> {
        outgoing.authorities()?;
        Ok(Self { outgoing, stall, clock, clients: Mutex::new([None, None]) })
    }

    /// Sends the request to `url` and returns the head of the final answer, whatever its status.
    pub(super) async fn send(
        &self,
        request: &Request,
        url: &Url,
        bearer: Option<&SecretString>,
    ) -> Result<Answer, Fault> {
        let mut here = url.clone();
        if !request.query.is_empty() {
            here.query_pairs_mut().extend_pairs(&request.query);
        }
        let mut at_origin = true;
        let mut hosts = Vec::new();
        for _ in 0..=MAX_REDIRECTS {
            let token = bearer.filter(|_| at_origin);
            let response = self.exchange(request, &here, token).await?;
            let host = faults::host_of(&here);
            if !hosts.contains(&host) {
                hosts.push(host.clone());
            }
            let Some(next) = redirect(request, url, &here, &response)? else {
                let (what, stall, now) = (request.what.clone(), self.stall, (self.clock)());
                return Ok(Answer { response, what, host, hosts, at_origin, stall, now });
            };
            at_origin &= next.origin() == url.origin();
            here = next;
        }
        let text = format!("cannot {}: more than {MAX_REDIRECTS} redirects", request.what);
        Err(Fault::new(FaultClass::Transient, "redirect-loop", text))
    }

    async fn exchange(
        &self,
        request: &Request,
        url: &Url,
        token: Option<&SecretString>,
    ) -> Result<Response, Fault> {
        let (what, host) = (&request.what, faults::host_of(url));
        let mut call = self
            .client(is_loopback(url))?
            .request(request.method.clone(), url.clone())
            .header(ACCEPT_ENCODING, "identity");
        for (name, value) in &request.headers {
            call = call.header(name, value);
        }
        if let Some(token) = token {
            call = call.header(AUTHORIZATION, bearer_header(token)?);
        }
        call = match &request.body {
            Body::None => call,
            Body::Json(value) => call.header(ACCEPT, "application/json").json(value),
            Body::Form(form) => call
                .header(ACCEPT, "application/json")
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(wire::encode_form(form)),
        };
        match tokio::time::timeout(self.stall, call.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let proxy = self.outgoing.named_proxy().filter(|_| !is_loopback(url));
                Err(faults::network(what, &host, error, proxy.as_deref()))
            }
            Err(_) => Err(faults::stalled(what, &host, self.stall)),
        }
    }

    /// The client for this PC or for the network. They are made when first needed, since a PC
    /// without any root certificate can still run the simulation.
    fn client(&self, loopback: bool) -> Result<Client, Fault> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut clients[usize::from(loopback)];
        if let Some(client) = slot {
            return Ok(client.clone());
        }
        Ok(slot.insert(self.outgoing.client(loopback)?).clone())
    }
}

impl Answer {
    pub(super) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub(super) fn what(&self) -> &str {
        &self.what
    }

    /// The fault that this answer's status stands for.
    pub(super) fn fault(&self) -> Fault {
        let fault = faults::status(&self.what, &self.host, self.status(), self.headers(), self.now);
        if self.at_origin || fault.class != FaultClass::Auth {
            return fault;
        }
        // A storage host that refuses says nothing about the login: its signed link has expired.
        let wait = fault.retry_after;
        Fault::new(FaultClass::Transient, fault.code, fault.message)
            .retry_after(wait)
            .at(&self.host)
    }

    /// The next bytes of the body, or `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        match tokio::time::timeout(self.stall, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(faults::network(&self.what, &self.host, error, None)),
            Err(_) => Err(faults::stalled(&self.what, &self.host, self.stall)),
        }
    }

    /// The whole body, which may be `max` bytes long.
    pub(super) async fn bytes(&mut self, max: usize) -> Result<Vec<u8>, Fault> {
        let (what, host) = (self.what.clone(), self.host.clone());
        tokio::time::timeout(MAX_READ, self.read(max)).await.unwrap_or_else(|_| {
            let text = format!("cannot {what}: {host} takes too long to answer");
            Err(Fault::new(FaultClass::Transient, "too-slow", text).at(&host))
        })
    }

    async fn read(&mut self, max: usize) -> Result<Vec<u8>, Fault> {
        let mut all = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if all.len() + chunk.len() > max {
                let text = format!(
                    "cannot {}: the answer of {} is longer than {max} bytes",
                    self.what, self.host
                );
                return Err(Fault::new(FaultClass::Transient, "answer-too-long", text));
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all)
    }
}

/// Where the answer sends us, or `None` where it is the final one.
fn redirect(
    request: &Request,
    origin: &Url,
    here: &Url,
    response: &Response,
) -> Result<Option<Url>, Fault> {
    let status = response.status().as_u16();
    let Some(location) = response.headers().get(LOCATION).filter(|_| REDIRECTS.contains(&status))
    else {
        return Ok(None);
    };
    let host = faults::host_of(here);
    let refused = |why: String| {
        let text = format!("cannot {}: {host} redirected {why}", request.what);
        Err(Fault::new(FaultClass::Transient, "bad-redirect", text)
            .hint("check `base_url` and `oauth_base`; a proxy may be answering in Align's place"))
    };
    if request.method != Method::GET {
        return refused("a call that must not be redirected".to_owned());
    }
    let Some(next) = location.to_str().ok().and_then(|text| here.join(text).ok()) else {
        return refused("to something that is not a URL".to_owned());
    };
    let simulated = is_loopback(&next) && is_loopback(origin);
    if next.scheme() != "https" && !(next.scheme() == "http" && simulated) {
        return refused(format!("to {} without TLS", faults::host_of(&next)));
    }
    if is_loopback(&next) && !simulated {
        return refused("to this PC".to_owned());
    }
    Ok(Some(next))
}

fn bearer_header(token: &SecretString) -> Result<HeaderValue, Fault> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(|_| {
            Fault::new(FaultClass::Auth, "login-unreadable", "the access token is no plain text")
        })?;
    value.set_sensitive(true);
    Ok(value)
}
