//! The command's side.

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

/// An agent that lives answers the call itself at once.
const CONNECT: Duration = Duration::from_secs(2);
/// How things stand is told within this time.
const STATUS: Duration = Duration::from_secs(15);

/// The way to the running agent.
pub struct Control {
    place: Place,
    http: reqwest::Client,
}

/// Why the agent gave no answer.
#[derive(Debug)]
pub enum NotAsked {
    /// There is none, or it is not the one that `control.json` tells of. Or the connection broke:
    /// then the request may have been carried out, and asking once more with its id does no harm.
    Unreachable,
    /// It cannot answer now.
    Fault(Fault),
}

impl Control {
    /// The way to the agent of that state folder, as far as its file tells; `None` if there is no
    /// file.
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

    /// Has a request carried out. Waits for as long as that takes.
    pub async fn ask(
        &self,
        id: &str,
        request: &Request,
        user: Option<String>,
    ) -> Result<Reply, NotAsked> {
        let asked = Asked { id: Some(id.to_owned()), request: request.clone(), user };
        let reply = answer(self.call(Method::POST, "/v1/requests").json(&asked)).await?;
        // What it remembers of the request is of no more use; if this fails, it forgets in time.
        let forget = self.call(Method::DELETE, &format!("/v1/requests/{id}"));
        let _ = forget.timeout(CONNECT).send().await;
        Ok(reply)
    }

    /// How things stand.
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
    // Another program listens there by now, or another agent.
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND) {
        return Err(NotAsked::Unreachable);
    }
    let bytes = whole(response).await?;
    if status.is_success() {
        return serde_json::from_slice(&bytes).map_err(|_| NotAsked::Unreachable);
    }
    let refusal: Refusal = serde_json::from_slice(&bytes).map_err(|_| NotAsked::Unreachable)?;
    let fault = Fault::new(FaultClass::Local, "agent", refusal.message);
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
