//! Forms that must come from a page of the same session.

use axum::body::{Body, Bytes};
use axum::extract::{Form, FromRequest, RawForm, Request};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::de::DeserializeOwned;
use url::form_urlencoded;

use super::answer::{Refusal, no_gate};
use super::visitor::Visitor;

/// Name of the field with the token.
const FIELD: &str = "csrf";
/// The response to a form without its session's token.
const TOO_OLD: &str = "this form has expired; open the page again\n";

/// A form (`application/x-www-form-urlencoded`) whose `csrf` field is its session's token; the
/// other fields are `T`.
pub struct Checked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Checked<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let visitor = request.extensions().get::<Visitor>().cloned();
        let visitor = visitor.ok_or_else(|| no_gate().into_response())?;
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            // A link must not do what a form does.
            let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "send this as a form\n");
            return Err(refusal.into_response());
        }
        let RawForm(bytes) = RawForm::from_request(request, state)
            .await
            .map_err(axum::response::IntoResponse::into_response)?;
        let fields =
            fields(&visitor, &bytes).map_err(axum::response::IntoResponse::into_response)?;
        let form = axum::http::Request::post("/")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(fields))
            .map_err(|_| StatusCode::BAD_REQUEST.into_response())?;
        // The details of the error could quote what was sent.
        let Form(form) = Form::<T>::from_request(form, &()).await.map_err(|_| {
            let text = "a field of this form is missing or invalid\n";
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, text).into_response()
        })?;
        Ok(Self(form))
    }
}

/// Checks the token and returns the other fields.
fn fields(visitor: &Visitor, bytes: &Bytes) -> Result<String, Refusal> {
    let mut others = form_urlencoded::Serializer::new(String::new());
    let mut tokens = Vec::new();
    for (name, value) in form_urlencoded::parse(bytes) {
        if name == FIELD {
            tokens.push(value);
        } else {
            others.append_pair(&name, &value);
        }
    }
    match tokens.as_slice() {
        [token] if visitor.is_token(token) => Ok(others.finish()),
        _ => Err(Refusal::new(StatusCode::FORBIDDEN, TOO_OLD)),
    }
}
