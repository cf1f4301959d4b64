//! One HTTP exchange, with the rules that apply to all of them.
//!
//! - `https` only, except on loopback, and no proxy there.
//! - Redirects are followed manually, at most five, for GET only. The bearer token is sent only to
//!   the original origin, and not even there again after a detour. A redirect neither leaves
//!   `https` nor leads from the network to this PC.
//! - Nothing waits forever: there is a limit on connecting and on every wait for the next bytes.
//! - Bodies are read as they are (no compression), so that lengths can be checked.

use std::collections::VecDeque;
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
use super::unexpected::{self, Kind};
use super::wire::{self, Form};
use casedrop_http::client::{Outgoing, is_loopback};
use casedrop_model::fault::{Fault, FaultClass};

/// How long an answer that is read completely may take, however steadily it arrives.
const MAX_READ: Duration = Duration::from_mins(5);
/// How long to wait for the rest of a web page that arrived instead of the expected content.
const PAGE_PATIENCE: Duration = Duration::from_secs(5);
const MAX_REDIRECTS: usize = 5;
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Returns the current time; tests supply their own.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// One request, except where it goes and who asks.
pub(super) struct Request {
    /// A verb and its object, for messages: "get the ready orders of lab smile-lab".
    pub(super) what: String,
    pub(super) method: Method,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Body,
    pub(super) subject: Subject,
}

/// What a call is about, which decides what a refusal means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Subject {
    /// Open to every paired login: a refusal is about the login.
    Login,
    /// One resource, in words ("the files of order 17"): a refusal is only about that.
    Resource(String),
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
        let (query, headers, subject) = (Vec::new(), Vec::new(), Subject::Login);
        Self { what: what.into(), method, query, headers, body, subject }
    }

    /// Sets the one resource that the request is about.
    pub(super) fn about(mut self, resource: impl Into<String>) -> Self {
        self.subject = Subject::Resource(resource.into());
        self
    }
}

/// The head of an answer whose body is still to be read.
pub(super) struct Answer {
    response: Response,
    /// The part of the body that was read ahead.
    ahead: VecDeque<Bytes>,
    has_ended: bool,
    way: Way,
    what: String,
    subject: Subject,
    pub(super) host: String,
    /// Whether the requested server answered itself, not one it redirected to.
    pub(super) at_origin: bool,
    stall: Duration,
    now: SystemTime,
}

/// The way from the requested URL to the one that answered.
struct Way {
    origin: Url,
    here: Url,
    at_origin: bool,
    hosts: Vec<String>,
    hops: usize,
}

/// Sends requests. One per login, whose calls share connections.
pub(super) struct Http {
    outgoing: Outgoing,
    stall: Duration,
    clock: Clock,
    clients: Mutex<[Option<Client>; 2]>,
}

impl Http {
    /// Creates it without sending anything.
    ///
    /// # Errors
    /// The certificates of `outgoing` are not usable.
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
        let way = Way { origin: url.clone(), here, at_origin: true, hosts: Vec::new(), hops: 0 };
        self.walk(request, way, bearer).await
    }

    /// Continues at a URL in the answer, as if it had been a redirect.
    pub(super) async fn follow(
        &self,
        request: &Request,
        answer: Answer,
        next: Url,
        bearer: Option<&SecretString>,
    ) -> Result<Answer, Fault> {
        let mut way = answer.way;
        admit(request, &way, &next)?;
        way.step(next);
        self.walk(request, way, bearer).await
    }

    async fn walk(
        &self,
        request: &Request,
        mut way: Way,
        bearer: Option<&SecretString>,
    ) -> Result<Answer, Fault> {
        while way.hops <= MAX_REDIRECTS {
            let token = bearer.filter(|_| way.at_origin);
            let response = self.exchange(request, &way.here, token).await?;
            let host = faults::host_of(&way.here);
            if !way.hosts.contains(&host) {
                way.hosts.push(host.clone());
            }
            let Some(next) = redirect(request, &way, &response)? else {
                let at_origin = way.at_origin;
                let (what, subject) = (request.what.clone(), request.subject.clone());
                let (ahead, has_ended, stall, now) =
                    (VecDeque::new(), false, self.stall, (self.clock)());
                #[rustfmt::skip]
                let answer = Answer { response, ahead, has_ended, way, what, subject, host, at_origin, stall, now };
                return Ok(answer);
            };
            way.step(next);
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

    /// Returns the client for this PC or for the network. They are created on first use, since a PC
    /// without any root certificates can still run the simulation.
    fn client(&self, loopback: bool) -> Result<Client, Fault> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = &mut clients[usize::from(loopback)];
        if let Some(client) = slot {
            return Ok(client.clone());
        }
        Ok(slot.insert(self.outgoing.client(loopback)?).clone())
    }
}

impl Way {
    fn step(&mut self, next: Url) {
        self.at_origin &= next.origin() == self.origin.origin();
        self.here = next;
        self.hops += 1;
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

    /// The hosts that answered, without duplicates: the requested one, then the redirect targets.
    pub(super) fn hosts(&self) -> &[String] {
        &self.way.hosts
    }

    /// Whether it is about one resource, and not about the login.
    pub(super) fn is_about_a_resource(&self) -> bool {
        self.subject != Subject::Login
    }

    /// The fault for this answer's status.
    pub(super) fn fault(&self) -> Fault {
        let status = self.status();
        let (subject, headers) = (&self.subject, self.headers());
        let fault = faults::status(&self.what, &self.host, subject, status, headers, self.now);
        if self.at_origin || fault.class != FaultClass::Auth {
            return fault;
        }
        // A storage host that refuses says nothing about the login: its signed link has expired.
        let wait = fault.retry_after;
        Fault::new(FaultClass::Transient, fault.code, fault.message)
            .retry_after(wait)
            .at(&self.host)
    }

    /// The same, including a description of the web page in the body, if there is one.
    pub(super) async fn whole_fault(&mut self) -> Fault {
        let fault = self.fault();
        match self.page().await {
            Some(page) => faults::with_page(fault, &page),
            None => fault,
        }
    }

    /// Describes the web page in the body, if it is one. Ignores faults in reading it, and only
    /// waits a few seconds.
    pub(super) async fn page(&mut self) -> Option<String> {
        if matches!(unexpected::by_type(self.headers()), Kind::Json | Kind::Other) {
            return None;
        }
        let head = self.read_ahead(unexpected::HEAD).await;
        match unexpected::kind(self.headers(), &head) {
            Kind::Page => Some(unexpected::in_words(Kind::Page, self.headers(), &head)),
            _ => None,
        }
    }

    /// Identifies the body by its first bytes; they are returned again by later reads.
    pub(super) async fn kind(&mut self) -> Result<Kind, Fault> {
        let mut head = Vec::new();
        while !unexpected::is_enough(&head) && head.len() < unexpected::HEAD {
            let Some(chunk) = self.arriving().await? else { break };
            head.extend_from_slice(&chunk);
            self.ahead.push_back(chunk);
        }
        Ok(unexpected::kind(self.headers(), &head))
    }

    /// Describes the body in words.
    pub(super) async fn in_words(&mut self, kind: Kind) -> String {
        let head =
            if kind == Kind::Page { self.read_ahead(unexpected::HEAD).await } else { Vec::new() };
        unexpected::in_words(kind, self.headers(), &head)
    }

    /// Returns the first bytes, as far as they arrive soon.
    async fn read_ahead(&mut self, max: usize) -> Vec<u8> {
        let mut head: Vec<u8> = self.ahead.iter().flatten().copied().collect();
        let reading = async {
            while head.len() < max {
                let Ok(Some(chunk)) = self.arriving().await else { break };
                head.extend_from_slice(&chunk);
                self.ahead.push_back(chunk);
            }
        };
        // What has arrived by then is enough.
        let _ = tokio::time::timeout(PAGE_PATIENCE, reading).await;
        head.truncate(max);
        head
    }

    /// Returns the next bytes of the body, or `None` at its end.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, Fault> {
        match self.ahead.pop_front() {
            Some(chunk) => Ok(Some(chunk)),
            None => self.arriving().await,
        }
    }

    async fn arriving(&mut self) -> Result<Option<Bytes>, Fault> {
        if self.has_ended {
            return Ok(None);
        }
        match tokio::time::timeout(self.stall, self.response.chunk()).await {
            Ok(Ok(chunk)) => {
                self.has_ended = chunk.is_none();
                Ok(chunk)
            }
            Ok(Err(error)) => Err(faults::network(&self.what, &self.host, error, None)),
            Err(_) => Err(faults::stalled(&self.what, &self.host, self.stall)),
        }
    }

    /// Reads the whole body, which may be at most `max` bytes long.
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

/// Returns where the answer redirects to, or `None` if it is final.
fn redirect(request: &Request, way: &Way, response: &Response) -> Result<Option<Url>, Fault> {
    let status = response.status().as_u16();
    let Some(location) = response.headers().get(LOCATION).filter(|_| REDIRECTS.contains(&status))
    else {
        return Ok(None);
    };
    if request.method != Method::GET {
        return Err(astray(request, way, "a call that must not be redirected"));
    }
    let Some(next) = location.to_str().ok().and_then(|text| way.here.join(text).ok()) else {
        return Err(astray(request, way, "to something that is not a URL"));
    };
    admit(request, way, &next)?;
    Ok(Some(next))
}

/// Refuses redirects that leave `https` or lead from the network to this PC.
fn admit(request: &Request, way: &Way, next: &Url) -> Result<(), Fault> {
    let simulated = is_loopback(next) && is_loopback(&way.origin);
    if next.scheme() != "https" && !(next.scheme() == "http" && simulated) {
        let why = format!("to {} without TLS", faults::host_of(next));
        return Err(astray(request, way, &why));
    }
    if is_loopback(next) && !simulated {
        return Err(astray(request, way, "to this PC"));
    }
    Ok(())
}

fn astray(request: &Request, way: &Way, why: &str) -> Fault {
    let host = faults::host_of(&way.here);
    let text = format!("cannot {}: {host} redirected {why}", request.what);
    Fault::new(FaultClass::Transient, "bad-redirect", text)
        .hint("check `base_url` and `oauth_base`; a proxy may be answering in Align's place")
        .at(host)
}

fn bearer_header(token: &SecretString) -> Result<HeaderValue, Fault> {
    let mut value =
        HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(|_| {
            Fault::new(FaultClass::Auth, "login-unreadable", "the access token is not plain text")
        })?;
    value.set_sensitive(true);
    Ok(value)
}
