//! Finding an endpoint and reaching it: discovery, its cache, and its fallback.
//!
//! Discovery is asked before the first call and then once a day, and again when a call to a
//! discovered URL does not connect or is answered with 410 or 421. While it fails, what it said last
//! holds; if it never answered, the configured paths below `base_url` do.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use tokio::sync::Mutex;
use tracing::{debug, info, warn};
use url::Url;

use super::endpoints::{Endpoint, Places};
use super::faults;
use super::http::{Answer, Clock, Http, Request};
use super::wire::{self, Discovered};
use crate::model::fault::Fault;

const KEPT: Duration = Duration::from_hours(24);
/// How soon a discovery that failed is tried again.
const FAILED_KEPT: Duration = Duration::from_mins(1);
const MAX_BODY: usize = 1024 * 1024;

/// The way to one API.
pub(super) struct Reach {
    lab: String,
    pub(super) http: Http,
    pub(super) places: Places,
    clock: Clock,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    table: Option<Arc<Vec<Discovered>>>,
    asked_at: Option<SystemTime>,
    failed: bool,
    warned: bool,
    /// Counts the times that discovery was asked, so that of many calls that failed together only
    /// one asks again.
    serial: u64,
}

impl Reach {
    pub(super) fn new(lab: String, http: Http, places: Places, clock: Clock) -> Self {
        Self { lab, http, places, clock, cache: Mutex::default() }
    }

    /// Sends the request to the endpoint; `values` fill its template. `known` is an access token for
    /// discovery, if there is a good one; `bearer` is for the call itself.
    pub(super) async fn call(
        &self,
        endpoint: Endpoint,
        values: &[(&str, &str)],
        request: &Request,
        known: Option<&SecretString>,
        bearer: Option<&SecretString>,
    ) -> Result<Answer, Fault> {
        let (table, serial) = self.table(None, known).await;
        let Some(url) = self.discovered(table.as_deref(), endpoint, values)? else {
            let url = self.places.configured(endpoint, values)?;
            return self.http.send(request, &url, bearer).await;
        };
        let result = self.http.send(request, &url, bearer).await;
        let moved = match &result {
            Ok(answer) => answer.at_origin && matches!(answer.status().as_u16(), 410 | 421),
            Err(fault) => faults::is_unreached(fault),
        };
        if !moved {
            return result;
        }
        let (table, _) = self.table(Some(serial), known).await;
        let again = match self.discovered(table.as_deref(), endpoint, values)? {
            Some(url) => url,
            None => self.places.configured(endpoint, values)?,
        };
        if again == url {
            return result;
        }
        info!(lab = self.lab, endpoint = endpoint.name(), "the endpoint has moved");
        self.http.send(request, &again, bearer).await
    }

    fn discovered(
        &self,
        table: Option<&Vec<Discovered>>,
        endpoint: Endpoint,
        values: &[(&str, &str)],
    ) -> Result<Option<Url>, Fault> {
        table.map_or(Ok(None), |table| self.places.discovered(table, endpoint, values))
    }

    /// What discovery says, asked where the cache is too old or is the one of serial `stale`.
    async fn table(
        &self,
        stale: Option<u64>,
        known: Option<&SecretString>,
    ) -> (Option<Arc<Vec<Discovered>>>, u64) {
        let mut cache = self.cache.lock().await;
        let now = (self.clock)();
        let limit = if cache.failed { FAILED_KEPT } else { KEPT };
        // A clock that stepped back makes the age an error, and the cache too old.
        let good = cache
            .asked_at
            .and_then(|at| now.duration_since(at).ok())
            .is_some_and(|age| age < limit);
        if !good || stale == Some(cache.serial) {
            let asked = self.ask(known).await;
            cache.serial += 1;
            cache.asked_at = Some(now);
            cache.failed = asked.is_err();
            match asked {
                Ok(table) => {
                    debug!(lab = self.lab, endpoints = table.len(), "discovery answered");
                    cache.table = Some(Arc::new(table));
                    cache.warned = false;
                }
                Err(fault) if !cache.warned => {
                    let lab = &self.lab;
                    warn!(lab, "discovery failed, known paths are used: {}", fault.chain());
                    cache.warned = true;
                }
                Err(_) => {}
            }
        }
        (cache.table.clone(), cache.serial)
    }

    async fn ask(&self, known: Option<&SecretString>) -> Result<Vec<Discovered>, Fault> {
        let request = Request::get(format!("ask discovery for lab {}", self.lab));
        let mut answer = self.http.send(&request, &self.places.discovery()?, known).await?;
        if !answer.status().is_success() {
            return Err(answer.fault());
        }
        let bytes = answer.bytes(MAX_BODY).await?;
        wire::discovery(&bytes)
            .map_err(|error| faults::unreadable(answer.what(), &answer.host, error))
    }
}
