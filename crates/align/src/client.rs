//! The client for one lab's login, with blocking calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::runtime::Handle;
use url::Url;

use super::auth::Auth;
use super::discovery::Reach;
use super::download;
use super::endpoints::{Endpoint, Places};
use super::faults;
use super::http::{Answer, Body, Http, Request};
use super::lenient_json::BadAnswer;
use super::settings::AlignSettings;
use super::wire;
use casedrop_model::asset::AssetRequest;
use casedrop_model::cancel::Cancel;
use casedrop_model::fault::{Fault, FaultClass, NOT_PAIRED};
use casedrop_model::ids::{AccountId, OrderId, RxId};
use casedrop_model::order::RemoteOrder;
use casedrop_model::remote::{AssetBody, ReadyList, Remote};
use casedrop_secrets::SecretStore;

const MIB: usize = 1024 * 1024;
const MAX_LIST: usize = 64 * MIB;
pub(super) const MAX_ANSWER: usize = 4 * MIB;
/// A token renewed because one resource was refused is not renewed for another within this time. If
/// it is revoked in between, the next poll finds out.
const RENEWED_LATELY: Duration = Duration::from_mins(10);
/// How often a wait checks for cancellation.
const CANCEL_POLL: Duration = Duration::from_millis(100);

/// One lab's login at Align.
pub struct AlignClient {
    pub(super) auth: Arc<Auth>,
    pub(super) redirect_url: Url,
    handle: Handle,
    /// The last token that was renewed because a resource was refused, and when.
    renewed: Mutex<Option<(SecretString, SystemTime)>>,
}

impl AlignClient {
    /// Creates a client that keeps its tokens in `store` and does its I/O on `handle`'s runtime,
    /// which must be multi-threaded. Sends nothing yet.
    ///
    /// # Errors
    /// A URL that tokens may not be sent to, or unusable certificates.
    pub fn new(
        settings: AlignSettings,
        store: Arc<dyn SecretStore>,
        handle: Handle,
    ) -> Result<Self, Fault> {
        let AlignSettings { lab, clock, outgoing, stall_timeout, redirect_url, .. } = settings;
        let places = Places::new(
            settings.base_url,
            settings.oauth_base,
            settings.api_paths,
            &settings.allowed_hosts,
        )?;
        let http = Http::new(outgoing, stall_timeout, Arc::clone(&clock))?;
        let reach = Reach::new(lab.to_string(), http, places, Arc::clone(&clock), settings.memory);
        let client = (settings.client_id, settings.client_secret);
        let runs = (handle.clone(), settings.step);
        let auth = Arc::new(Auth::new(lab, client, reach, store, clock, runs));
        Ok(Self { auth, redirect_url, handle, renewed: Mutex::new(None) })
    }

    /// Checks that Align answers at all, whatever the answer; sends no token.
    pub fn probe(&self, cancel: &Cancel) -> Result<(), Fault> {
        let request = Request::get(format!("reach Align for lab {}", self.auth.lab));
        let url = self.auth.reach.places.discovery()?;
        self.run(cancel, async {
            self.auth.reach.http.send(&request, &url, None).await.map(|_| ())
        })
    }

    /// Does the work on this thread, unless cancelled first.
    pub(super) fn run<T>(
        &self,
        cancel: &Cancel,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        self.handle.block_on(async {
            if let Some(result) = unless_cancelled(cancel, work).await {
                return result;
            }
            self.auth.settled().await;
            Err(faults::cancelled())
        })
    }

    pub(super) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.handle.block_on(work)
    }

    /// Sends the request with the lab's token; a refused token is renewed once. If the answer is
    /// still 401, it is a fault of the login, unless the request is about one resource: then the
    /// caller gets the answer, and the token is not renewed for the next resource.
    pub(super) async fn authorized(
        &self,
        endpoint: Endpoint,
        values: &[(&str, &str)],
        request: &Request,
    ) -> Result<Answer, Fault> {
        let token = self.auth.access().await?;
        let answer = self.with_token(endpoint, values, request, &token).await?;
        let is_one_resource = answer.is_about_a_resource();
        // If the login can no longer be renewed, its remaining validity is not given up for one
        // resource.
        let is_settled = || self.was_renewed_lately(&token) || self.auth.ending().is_some();
        if !refused(&answer) || (is_one_resource && is_settled()) {
            return Ok(answer);
        }
        let token = self.auth.renewed(&token, !is_one_resource).await?.access;
        if is_one_resource {
            *self.lock_renewed() = Some((token.clone(), self.auth.now()));
        }
        let answer = self.with_token(endpoint, values, request, &token).await?;
        if refused(&answer) && !is_one_resource {
            let lab = &self.auth.lab;
            let text = format!(
                "cannot {}: {} does not accept the login of lab {lab}, although it is new",
                answer.what(),
                answer.host
            );
            return Err(Fault::new(FaultClass::Auth, "http-401", text).hint(format!(
                "login needed: run `casedrop login {lab}`, then `casedrop pair {lab}`"
            )));
        }
        Ok(answer)
    }

    /// Continues at the URL in an answer; sends the token only if it is the same server.
    pub(super) async fn followed(
        &self,
        request: &Request,
        answer: Answer,
        next: Url,
    ) -> Result<Answer, Fault> {
        let token = self.auth.access().await?;
        self.auth.reach.http.follow(request, answer, next, Some(&token)).await
    }

    /// Whether this token was renewed because a resource was refused. Another refused resource is
    /// no reason to renew it again, and the token endpoint would not like it either.
    fn was_renewed_lately(&self, token: &SecretString) -> bool {
        let renewed = self.lock_renewed();
        renewed.as_ref().is_some_and(|(renewed, at)| {
            renewed.expose_secret() == token.expose_secret()
                && self.auth.now().duration_since(*at).is_ok_and(|age| age < RENEWED_LATELY)
        })
    }

    fn lock_renewed(&self) -> MutexGuard<'_, Option<(SecretString, SystemTime)>> {
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn with_token(
        &self,
        endpoint: Endpoint,
        values: &[(&str, &str)],
        request: &Request,
        token: &SecretString,
    ) -> Result<Answer, Fault> {
        self.auth.reach.call(endpoint, values, request, Some(token), Some(token)).await
    }

    /// Like [`authorized`](Self::authorized), for answers that are read completely.
    pub(super) async fn ask<T>(
        &self,
        endpoint: Endpoint,
        values: &[(&str, &str)],
        request: &Request,
        max: usize,
        read: impl FnOnce(&[u8]) -> Result<T, BadAnswer>,
    ) -> Result<T, Fault> {
        Ok(self.ask_whom(endpoint, values, request, max, read).await?.0)
    }

    /// Like [`ask`](Self::ask), but also returns the host that answered.
    async fn ask_whom<T>(
        &self,
        endpoint: Endpoint,
        values: &[(&str, &str)],
        request: &Request,
        max: usize,
        read: impl FnOnce(&[u8]) -> Result<T, BadAnswer>,
    ) -> Result<(T, String), Fault> {
        let mut answer = self.authorized(endpoint, values, request).await?;
        if !answer.status().is_success() {
            return Err(answer.whole_fault().await);
        }
        let bytes = answer.bytes(max).await?;
        let value =
            read(&bytes).map_err(|error| faults::unreadable(answer.what(), &answer.host, error))?;
        Ok((value, answer.host))
    }
}

impl Remote for AlignClient {
    fn account(&self) -> Result<AccountId, Fault> {
        let lab = &self.auth.lab;
        self.auth.login()?.account.map(|account| account.id).ok_or_else(|| {
            Fault::new(FaultClass::Auth, NOT_PAIRED, format!("lab {lab} is not paired"))
                .hint(format!("run `casedrop pair {lab}`"))
        })
    }

    fn prove_login(&self, cancel: &Cancel) -> Result<(), Fault> {
        self.accounts(cancel).map(drop)
    }

    fn ready_orders(&self, cancel: &Cancel) -> Result<ReadyList, Fault> {
        let request = Request::get(format!("get the ready orders of lab {}", self.auth.lab));
        self.run(cancel, async {
            let list = Endpoint::ReadyOrders;
            let (list, host) =
                self.ask_whom(list, &[], &request, MAX_LIST, wire::ready_orders).await?;
            Ok(ReadyList { host: Some(host), ..list })
        })
    }

    fn order_by_rx(&self, rx: &RxId, cancel: &Cancel) -> Result<RemoteOrder, Fault> {
        let request = Request::get(format!("get the order of Rx {rx}")).about(format!("Rx {rx}"));
        let values = [("rxId", rx.as_str())];
        self.run(cancel, async {
            let mut answer = self.authorized(Endpoint::OrderByRx, &values, &request).await?;
            if answer.status() == StatusCode::NOT_FOUND {
                return Err(unknown_rx(rx, &mut answer).await);
            }
            if !answer.status().is_success() {
                return Err(answer.whole_fault().await);
            }
            let bytes = answer.bytes(MAX_ANSWER).await?;
            wire::single_order(&bytes)
                .map_err(|error| faults::unreadable(answer.what(), &answer.host, error))
        })
    }

    fn download(
        &self,
        request: &AssetRequest,
        cancel: &Cancel,
    ) -> Result<Box<dyn AssetBody>, Fault> {
        let body = self.run(cancel, download::open(self, request))?;
        Ok(Box::new(body.on(self.handle.clone())))
    }

    fn return_to_doctor(
        &self,
        order: &OrderId,
        reason: &str,
        cancel: &Cancel,
    ) -> Result<(), Fault> {
        let what = format!("return order {order} to the doctor");
        let request = Request::post(what, Body::Json(wire::return_body(reason)))
            .about(format!("order {order}"));
        let values = [("orderId", order.as_str())];
        self.run(cancel, async {
            let mut answer = self.authorized(Endpoint::Return, &values, &request).await?;
            if !answer.status().is_success() {
                return Err(answer.whole_fault().await);
            }
            // A proxy that answers with its own page has not passed the call on.
            match answer.page().await {
                Some(page) => Err(faults::wrong_answer(answer.what(), &answer.host, &page)),
                None => Ok(()),
            }
        })
    }
}

/// Returns the result of the work, or `None` if it was cancelled first.
pub(super) async fn unless_cancelled<T>(
    cancel: &Cancel,
    work: impl Future<Output = T>,
) -> Option<T> {
    let cancelled = async {
        while !cancel.is_cancelled() {
            tokio::time::sleep(CANCEL_POLL).await;
        }
    };
    tokio::select! {
        biased;
        () = cancelled => None,
        result = work => Some(result),
    }
}

async fn unknown_rx(rx: &RxId, answer: &mut Answer) -> Fault {
    let wait = answer.fault().retry_after;
    let unknown = |text| Fault::new(FaultClass::Permanent, "unknown-rx", text).retry_after(wait);
    let fault = match answer.page().await {
        None => unknown(format!("Align has no order for Rx {rx}")),
        // Align answers with JSON, so this may come from a proxy.
        Some(page) => faults::with_page(unknown(answer.fault().message), &page),
    };
    match fault.hint {
        Some(_) => fault,
        None => fault.hint("look for the scan at myitero.com; it may belong to another lab"),
    }
}

fn refused(answer: &Answer) -> bool {
    answer.at_origin && answer.status() == StatusCode::UNAUTHORIZED
}
