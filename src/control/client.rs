//! The client side, used by commands.

use std::path::Path;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;

use super::{Asked, MAX_ANSWER, Place, Refusal};
use crate::disk::Disk;
use crate::model::fault::{Fault, FaultClass};
use crate::model::request::{Reply, Request};
use crate::status::Status;

/// Connect timeout, and the limit for dropping a reply. A live agent responds at once.
const CONNECT: Duration = Duration::from_secs(2);
/// Time limit for a whole status call.
const STATUS: Duration = Duration::from_secs(15);

/// Client of the running agent.
pub struct Control {
    place: Place,
    http: reqwest::Client,
}

/// Why the agent gave no answer.
#[derive(Debug)]
pub enum NotAsked {
    /// No agent answers, or not the one described in `control.json`. Or the connection broke: the
    /// request may have been carried out, and sending it again with the same id is safe.
    Unreachable,
    /// The agent answered with an error.
    Fault(Fault),
}

impl Control {
    /// Returns a client for the agent of a state folder; `None` without a usable `control.json`.
    /// Does not connect, so the agent may be gone.
    pub fn find(disk: &dyn Disk, state: &Path) -> Option<Self> {
        let place = Place::read(disk, state)?;
        crate::http::client::install_provider();
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .tls_certs_only([])
            .connect_timeout(CONNECT)
            .build()
            .ok()?;
        Some(Self { place, http })
    }

    /// Sends a request and waits for the reply without a timeout.
    pub async fn ask(
        &self,
        id: &str,
        request: &Request,
        user: Option<String>,
    ) -> Result<Reply, NotAsked> {
        let asked = Asked { id: Some(id.to_owned()), request: request.clone(), user };
        let reply = answer(self.call(Method::POST, "/v1/requests").json(&asked)).await?;
        // The agent need not keep the reply any longer. If this fails, the reply expires later.
        let forget = self.call(Method::DELETE, &format!("/v1/requests/{id}"));
        let _ = forget.timeout(CONNECT).send().await;
        Ok(reply)
    }

    pub async fn status(&self) -> Result<Status, NotAsked> {
        answer(self.call(Method::GET, "/v1/status").timeout(STATUS)).await
    }

    fn call(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.place.address);
        self.http.request(method, url).bearer_auth(self.place.token.expose_secret())
    }
}

async fn answer<T: DeserializeOwned>(call: RequestBuilder) -> Result<T, NotAsked> {
    let response = call.send().await.map_err(|_| NotAsked::Unreachable)?;
    let status = response.status();
    // By now another program or another agent listens on that port.
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
        return Err(NotAsked::Unreachable);
    }
    let bytes = whole(response).await?;
    if status.is_success() {
        return serde_json::from_slice(&bytes).map_err(|_| NotAsked::Unreachable);
    }
    let refusal: Refusal = serde_json::from_slice(&bytes).map_err(|_| NotAsked::Unreachable)?;
    let mut fault = Fault::new(FaultClass::Local, "agent", refusal.message);
    if let Some(cause) = refusal.cause {
        fault = fault.caused_by_library(cause);
    }
    Err(NotAsked::Fault(match refusal.hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }))
}

async fn whole(mut response: Response) -> Result<Vec<u8>, NotAsked> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|_| NotAsked::Unreachable)? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(NotAsked::Unreachable);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
