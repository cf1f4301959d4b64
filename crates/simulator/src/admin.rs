//! The admin endpoint, for people and programs on this computer:
//!
//! | call | does |
//! |---|---|
//! | `GET /admin/state` | the simulator's state and counters |
//! | `POST /admin/orders` | creates a scan from an [`OrderSpec`]; without a body everything is made up |
//! | `POST /admin/orders/{id}/flow/{transition}` | applies a transition to an order |
//! | `POST /admin/orders/{id}/take` | another client downloads the order |
//! | `POST /admin/orders/{id}/notify` | sends its notification again |
//! | `GET`, `POST`, `DELETE /admin/faults` | shows, injects ([`FaultRule`]) or clears faults |
//! | `POST /admin/tokens/expire` | expires all access tokens |
//! | `POST /admin/polls/forget` | allows the next poll at once |
//! | `GET`, `PATCH /admin/settings` | shows or changes settings |

use axum::body::HttpBody as _;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::faults::FaultRule;
use super::handle::Admin;
use super::scenario::OrderSpec;

type Answer = Result<Json<Value>, (StatusCode, Json<Value>)>;

pub(super) fn router(admin: Admin) -> Router {
    Router::new()
        .route("/admin/state", get(state))
        .route("/admin/orders", post(create))
        .route("/admin/orders/{id}/flow/{transition}", post(flow))
        .route("/admin/orders/{id}/take", post(take))
        .route("/admin/orders/{id}/notify", post(notify))
        .route("/admin/faults", get(faults).post(inject).delete(clear))
        .route("/admin/tokens/expire", post(expire))
        .route("/admin/polls/forget", post(forget_polls))
        .route("/admin/settings", get(settings).patch(patch))
        .with_state(admin)
}

/// A JSON body; no body counts as `{}`, and a rejection becomes the response. The content type must
/// be JSON, and a browser sends the page's origin, so that no web form can pass as a command.
struct Body<T>(T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = (StatusCode, Json<Value>);

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let headers = request.headers();
        let is_bare =
            !headers.contains_key(header::CONTENT_TYPE) && !headers.contains_key(header::ORIGIN);
        let request = if is_bare && request.body().is_end_stream() {
            let (mut parts, _) = request.into_parts();
            let json = HeaderValue::from_static("application/json");
            parts.headers.insert(header::CONTENT_TYPE, json);
            Request::from_parts(parts, axum::body::Body::from("{}"))
        } else {
            request
        };
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(error) => Err(bad(&error.body_text())),
        }
    }
}

fn bad(message: &str) -> (StatusCode, Json<Value>) {
    (StatusCode::BAD_REQUEST, Json(json!({"error": message})))
}

fn answer(result: Result<(), String>) -> Answer {
    result.map(|()| Json(json!({"ok": true}))).map_err(|message| bad(&message))
}

fn shown(value: &impl serde::Serialize) -> Answer {
    serde_json::to_value(value).map(Json).map_err(|error| bad(&error.to_string()))
}

async fn state(State(admin): State<Admin>) -> Answer {
    shown(&admin.state())
}

async fn create(State(admin): State<Admin>, Body(spec): Body<OrderSpec>) -> Answer {
    let id = admin.create_order(&spec).map_err(|message| bad(&message))?;
    shown(&admin.state().order(&id))
}

async fn flow(State(admin): State<Admin>, Path((id, name)): Path<(String, String)>) -> Answer {
    answer(admin.flow(&id, &name))
}

async fn take(State(admin): State<Admin>, Path(id): Path<String>) -> Answer {
    answer(admin.take(&id))
}

async fn notify(State(admin): State<Admin>, Path(id): Path<String>) -> Answer {
    answer(admin.notify(&id))
}

async fn faults(State(admin): State<Admin>) -> Answer {
    shown(&admin.state().faults)
}

async fn inject(State(admin): State<Admin>, Body(rule): Body<FaultRule>) -> Answer {
    if let Some(code) = rule.kind.status()
        && !(200..=599).contains(&code)
    {
        return Err(bad("the status code must be between 200 and 599"));
    }
    Ok(Json(json!({"id": admin.inject(rule)})))
}

async fn clear(State(admin): State<Admin>) -> Answer {
    admin.clear_faults();
    answer(Ok(()))
}

async fn expire(State(admin): State<Admin>) -> Answer {
    admin.expire_tokens();
    answer(Ok(()))
}

async fn forget_polls(State(admin): State<Admin>) -> Answer {
    admin.forget_polls();
    answer(Ok(()))
}

async fn settings(State(admin): State<Admin>) -> Answer {
    shown(&admin.state().settings)
}

async fn patch(State(admin): State<Admin>, Body(changes): Body<Value>) -> Answer {
    let settings = admin.patch_settings(&changes).map_err(|message| bad(&message))?;
    shown(&settings)
}
