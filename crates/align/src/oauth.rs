//! Talks to the token endpoint: signed forms, and what its answers mean.

use reqwest::StatusCode;

use super::auth::Auth;
use super::endpoints::Endpoint;
use super::faults;
use super::http::{Answer, Body, Request};
use super::wire::{self, Form, Tokens};
use casedrop_model::fault::{Fault, FaultClass};

const MAX_BODY: usize = 1024 * 1024;

impl Auth {
    /// Posts a signed form to the token endpoint (or the revocation endpoint).
    pub(super) async fn post_form(
        &self,
        endpoint: Endpoint,
        what: String,
        mut form: Form,
    ) -> Result<Answer, Fault> {
        wire::sign_form(&mut form, &self.client_id, self.client_secret.as_ref());
        let request = Request::post(what, Body::Form(form));
        if matches!(endpoint, Endpoint::Exchange) {
            let url = self.reach.places.configured(endpoint, &[])?;
            return self.reach.http.send(&request, &url, None).await;
        }
        self.reach.call(endpoint, &[], &request, self.known().as_ref(), None).await
    }

    /// Returns the tokens in an answer of the token endpoint.
    pub(super) async fn tokens(&self, mut answer: Answer) -> Result<Tokens, Fault> {
        if !answer.status().is_success() {
            return Err(self.refusal(answer).await);
        }
        let bytes = answer.bytes(MAX_BODY).await?;
        wire::tokens(&bytes).map_err(|error| faults::unreadable(answer.what(), &answer.host, error))
    }

    /// Returns what a refusal by the token endpoint means.
    async fn refusal(&self, mut answer: Answer) -> Fault {
        let mut fault = answer.fault();
        if fault.class == FaultClass::Transient {
            return fault;
        }
        // Whatever it is, the login fails, not the order that happened to need it.
        fault.class = FaultClass::Auth;
        if answer.status() != StatusCode::UNAUTHORIZED {
            fault.hint = Some("check `oauth_base` and `api.paths` in the config".to_owned());
        }
        let bytes = answer.bytes(MAX_BODY).await.unwrap_or_default();
        let Some(error) = wire::oauth_error(&bytes) else { return fault };
        let mut text = format!("cannot {}: {} answered {}", answer.what(), answer.host, error.code);
        if let Some(description) = &error.description {
            text = format!("{text} ({description})");
        }
        let lab = &self.lab;
        match error.code.as_str() {
            "invalid_grant" => Fault::new(FaultClass::Auth, faults::LOGIN_NEEDED, text)
                .hint(format!("login needed: run `casedrop login {lab}`")),
            "invalid_client" | "unauthorized_client" => {
                Fault::new(FaultClass::Auth, "client-refused", text).hint(format!(
                    "check `client_id`, the client secret and `oauth_base` of lab {lab}; sandbox \
                     and production have their own"
                ))
            }
            "temporarily_unavailable" | "server_error" => {
                Fault::new(FaultClass::Transient, "oauth-unavailable", text)
                    .retry_after(fault.retry_after)
            }
            _ => Fault::new(FaultClass::Auth, "oauth-error", text)
                .hint(format!("check the config of lab {lab}, then run `casedrop login {lab}`")),
        }
    }
}
