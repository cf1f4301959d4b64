//! Finds and reaches endpoints: discovery, its cache, and what to do when it is wrong.
//!
//! FACT: discovery is called before the first "refresh token", and names its URL. ASSUMED: it may
//! require a valid token. So:
//!
//! - It is asked before the first call, once a day, and immediately when there is a new token after
//!   one that it did not answer. A refresh goes where the last good answer says, without asking; if
//!   there is none, discovery is asked without a token, and then the config's path is used.
//! - A useless answer counts as none. The last good one stays in use, and discovery is asked again
//!   after a minute. If it never answered, the configured paths below `base_url` apply.
//! - If a URL that it named does not connect, or answers that nothing is there, we ask again, at
//!   most once a minute; then we try what worked before and the configured path.

use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Mutex, MutexGuard};
use tracing::{debug, info, warn};

use super::discovery_table::{Judged, Memory, Place, Table};
use super::endpoints::{Endpoint, Places};
use super::faults;
use super::http::{Answer, Clock, Http, Request};
use super::wire;
use casedrop_model::fault::{Fault, FaultClass};

const KEPT: Duration = Duration::from_hours(24);
/// How soon to retry a discovery that failed or was wrong.
const FAILED_KEPT: Duration = Duration::from_mins(1);
const MAX_BODY: usize = 1024 * 1024;
/// Faults caused by the config, or by someone who answered in Align's place.
const ELSEWHERE: [&str; 2] = ["host-not-allowed", "not-https"];

/// The way to one API.
pub(super) struct Reach {
    lab: String,
    pub(super) http: Http,
    pub(super) places: Places,
    clock: Clock,
    memory: Option<Memory>,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    is_loaded: bool,
    table: Table,
    asked_at: Option<SystemTime>,
    /// The token sent with the last request to discovery.
    asked_with: Option<SecretString>,
    /// When it was last asked because it had been wrong.
    asked_again_at: Option<SystemTime>,
    /// Why the last answer was useless, entirely or in part.
    trouble: Option<Trouble>,
    warned: bool,
    /// Counts requests to discovery, so that of many calls that failed together only one asks
    /// again.
    serial: u64,
    /// We have already reported that discovery refused a token.
    told_refused: bool,
}

struct Trouble {
    fault: Fault,
    /// Nothing in the answer was usable.
    is_total: bool,
    /// The token was refused.
    is_refused: bool,
}

/// Why the cached answer of discovery may be wrong.
#[derive(Clone, Copy)]
enum Doubt {
    /// Only its age counts.
    None,
    /// The answer with this serial was wrong.
    Wrong(u64),
}

impl Reach {
    pub(super) fn new(
        lab: String,
        http: Http,
        places: Places,
        clock: Clock,
        memory: Option<Memory>,
    ) -> Self {
        Self { lab, http, places, clock, memory, cache: Mutex::default() }
    }

    /// Sends the request to the endpoint; `values` fill its template. `known` is an access token
    /// for discovery, if there is a valid one; `bearer` is for the call itself.
    pub(super) async fn call(
        &self,
        endpoint: Endpoint,
        values: &[(&str, &str)],
        request: &Request,
        known: Option<&SecretString>,
        bearer: Option<&SecretString>,
    ) -> Result<Answer, Fault> {
        let cache = self.asked(endpoint, Doubt::None, known).await;
        let (serial, places) = (cache.serial, self.places(&cache, endpoint, values)?);
        drop(cache);
        let Some(Place { url, entry }) = places.into_iter().next() else {
            let text = format!("no URL is known for {}", endpoint.name());
            return Err(Fault::new(FaultClass::Local, "bad-endpoint", text));
        };
        let first = self.http.send(request, &url, bearer).await;
        if !is_elsewhere(endpoint, &first) {
            self.note(endpoint, entry.as_ref(), &first).await;
            return first;
        }
        self.note(endpoint, entry.as_ref(), &first).await;
        let cache = match entry {
            Some(_) => self.asked(endpoint, Doubt::Wrong(serial), known).await,
            None => self.cache.lock().await,
        };
        let others = self.places(&cache, endpoint, values)?;
        drop(cache);
        // If a host is unreachable, it is unreachable by another path too.
        let is_down = first.is_err();
        let is_worth =
            |place: &Place| place.url != url && !(is_down && place.url.origin() == url.origin());
        for Place { url: next, entry } in others.into_iter().filter(is_worth) {
            let result = self.http.send(request, &next, bearer).await;
            self.note(endpoint, entry.as_ref(), &result).await;
            // That something is missing only counts from the place that should know.
            let is_missing = matches!(&result, Ok(answer) if answer.status().as_u16() == 404);
            if result.is_ok() && !is_elsewhere(endpoint, &result) && !is_missing {
                info!(lab = self.lab, endpoint = endpoint.name(), "the endpoint has moved");
                return result;
            }
        }
        self.explained(endpoint, first).await
    }

    /// Whether discovery refused this token and nothing else says where calls go. Only reported
    /// once.
    pub(super) async fn refuses(&self, token: &SecretString) -> bool {
        let mut cache = self.asked(Endpoint::ReadyOrders, Doubt::None, Some(token)).await;
        let is_refused = cache.trouble.as_ref().is_some_and(|trouble| trouble.is_refused)
            && cache.table.is_empty()
            && is_same(cache.asked_with.as_ref(), Some(token));
        let is_news = is_refused && !cache.told_refused;
        cache.told_refused |= is_refused;
        is_news
    }

    fn places(
        &self,
        cache: &Cache,
        endpoint: Endpoint,
        values: &[(&str, &str)],
    ) -> Result<Vec<Place>, Fault> {
        cache.table.places(&self.places, endpoint, values, (self.clock)())
    }

    /// Records how the call went at the place named by an entry of discovery.
    async fn note(
        &self,
        endpoint: Endpoint,
        entry: Option<&wire::Discovered>,
        result: &Result<Answer, Fault>,
    ) {
        let (Some(entry), Ok(answer)) = (entry, result) else { return };
        let mut cache = self.cache.lock().await;
        if is_elsewhere(endpoint, result) {
            cache.table.doubt(entry, (self.clock)());
        } else if answer.at_origin && answer.status().is_success() && cache.table.prove(entry) {
            self.keep(&cache.table);
        }
    }

    /// Extends an answer that nothing is there with what went wrong with discovery.
    async fn explained(
        &self,
        endpoint: Endpoint,
        result: Result<Answer, Fault>,
    ) -> Result<Answer, Fault> {
        // Refusals by the token endpoint are explained there.
        let is_token = matches!(endpoint, Endpoint::Refresh | Endpoint::Revoke);
        let Ok(mut answer) = result else { return result };
        let told = self.cache.lock().await.trouble.as_ref().filter(|_| !is_token).map(|trouble| {
            let Fault { class, code, message, hint, .. } = &trouble.fault;
            let is_elsewhere = ELSEWHERE.contains(code);
            let own = Fault::new(*class, code, message.clone());
            (own, hint.clone(), trouble.fault.brief(), is_elsewhere)
        });
        let Some((own, hint, why, is_elsewhere)) = told else { return Ok(answer) };
        let fault = answer.whole_fault().await;
        let mut told = if is_elsewhere {
            own.caused_by(fault)
        } else {
            fault.caused_by(format!("and discovery failed: {why}"))
        };
        if is_elsewhere || told.hint.is_none() {
            told.hint = hint;
        }
        Err(told)
    }

    /// Returns the cache, after asking discovery if necessary.
    async fn asked(
        &self,
        endpoint: Endpoint,
        doubt: Doubt,
        known: Option<&SecretString>,
    ) -> MutexGuard<'_, Cache> {
        let mut cache = self.cache.lock().await;
        if !cache.is_loaded {
            cache.is_loaded = true;
            if let Some(memory) = &self.memory {
                cache.table = Table::load(memory, &self.places);
            }
        }
        let now = (self.clock)();
        match doubt {
            Doubt::None if cache.is_due(endpoint, known, now) => {}
            Doubt::Wrong(serial)
                if serial == cache.serial && is_older(cache.asked_again_at, FAILED_KEPT, now) =>
            {
                cache.asked_again_at = Some(now);
            }
            _ => return cache,
        }
        let asked = self.ask(known).await;
        cache.serial += 1;
        cache.asked_at = Some(now);
        cache.asked_with = known.cloned();
        match asked {
            Ok(judged) => self.take(&mut cache, judged),
            Err(trouble) => {
                if !cache.warned {
                    let (lab, used) = (&self.lab, cache.table.describe());
                    warn!(lab, "discovery failed, {used}: {}", trouble.fault.chain());
                    cache.warned = true;
                }
                cache.trouble = Some(trouble);
            }
        }
        cache
    }

    fn take(&self, cache: &mut Cache, mut judged: Judged) {
        cache.trouble = judged.trouble.take().map(|fault| {
            if !cache.warned {
                let (text, hint) = (fault.chain(), fault.hint.as_deref().unwrap_or_default());
                warn!(lab = self.lab, hint, "part of the discovery answer is not used: {text}");
            }
            Trouble { fault, is_total: false, is_refused: false }
        });
        cache.warned = cache.trouble.is_some();
        cache.told_refused = false;
        if cache.table.replace(judged) {
            self.keep(&cache.table);
        }
        debug!(lab = self.lab, endpoints = cache.table.len(), "discovery answered");
    }

    fn keep(&self, table: &Table) {
        if let Some(memory) = &self.memory {
            table.save(memory, &self.places);
        }
    }

    async fn ask(&self, known: Option<&SecretString>) -> Result<Judged, Trouble> {
        let failed = |fault| Trouble { fault, is_total: true, is_refused: false };
        let request = Request::get(format!("ask discovery for lab {}", self.lab));
        let url = self.places.discovery().map_err(failed)?;
        let mut answer = self.http.send(&request, &url, known).await.map_err(failed)?;
        if !answer.status().is_success() {
            let is_refused = answer.at_origin && answer.status().as_u16() == 401;
            return Err(Trouble { fault: answer.fault(), is_total: true, is_refused });
        }
        let bytes = answer.bytes(MAX_BODY).await.map_err(failed)?;
        let found = wire::discovery(&bytes)
            .map_err(|error| failed(faults::unreadable(answer.what(), &answer.host, error)))?;
        Judged::new(&self.places, &found).map_err(failed)
    }
}

impl Cache {
    fn is_due(&self, endpoint: Endpoint, known: Option<&SecretString>, now: SystemTime) -> bool {
        if known.is_none() && !self.table.is_empty() {
            // Wait for a valid token first: discovery may require one.
            return false;
        }
        let failed = self.trouble.as_ref().filter(|trouble| trouble.is_total);
        if failed.is_some() && known.is_some() && !is_same(self.asked_with.as_ref(), known) {
            return true;
        }
        let kept = match failed {
            Some(trouble) => FAILED_KEPT.max(trouble.fault.retry_after.unwrap_or_default()),
            None if self.table.is_doubtful(endpoint, now) => FAILED_KEPT,
            None => KEPT,
        };
        is_older(self.asked_at, kept, now)
    }
}

/// Whether it was at least `limit` ago. A clock that stepped back makes everything old.
fn is_older(at: Option<SystemTime>, limit: Duration, now: SystemTime) -> bool {
    at.and_then(|at| now.duration_since(at).ok()).is_none_or(|age| age >= limit)
}

fn is_same(one: Option<&SecretString>, other: Option<&SecretString>) -> bool {
    one.map(SecretString::expose_secret) == other.map(SecretString::expose_secret)
}

/// Whether no one is there, or someone says that the endpoint is not. If the path contains an id, a
/// 404 proves nothing: the order may be what is missing.
fn is_elsewhere(endpoint: Endpoint, result: &Result<Answer, Fault>) -> bool {
    match result {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let proof: &[u16] =
                if endpoint.slots().is_empty() { &[404, 405, 410, 421] } else { &[410, 421] };
            answer.at_origin && proof.contains(&status)
        }
        Err(fault) => faults::is_unreached(fault),
    }
}
