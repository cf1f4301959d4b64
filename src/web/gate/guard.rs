//! The steps that every request passes, in order.

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::{Refusal, dress, while_signed_in};
use super::back::local_path;
use super::lock::Lane;
use super::visitor::Visitor;
use super::{Gate, entry};

/// The largest request body, in bytes.
const MOST_BYTES: usize = 64 * 1024;
/// Time limit for receiving the body.
const BODY_TIME: Duration = Duration::from_secs(10);

impl Gate {
    /// Puts the routes behind the gate, including their fallback. Routes added later are not behind
    /// it.
    pub fn guard(&self, routes: Router) -> Router {
        routes.layer(middleware::from_fn_with_state(self.clone(), enter))
    }
}

/// Admits a request or refuses it.
pub(super) async fn enter(
    State(gate): State<Gate>,
    request: Request<Body>,
    next: Next,
) -> Response {
    let mut answer = match admit(&gate, request).await {
        Ok((request, visitor)) => {
            let mut answer = next.run(request).await;
            if let Some(cookie) = visitor.set_cookie() {
                answer.headers_mut().append(header::SET_COOKIE, cookie);
            }
            while_signed_in(answer, visitor)
        }
        Err(refused) => *refused,
    };
    dress(&mut answer);
    answer
}

/// Returns the request with its visitor, or the response to send instead.
async fn admit(
    gate: &Gate,
    request: Request<Body>,
) -> Result<(Request<Body>, Visitor), Box<Response>> {
    let refuse = |refusal: Refusal| Box::new(refusal.into_response());
    let (mut head, body) = request.into_parts();
    let (method, uri, headers) = (&head.method, &head.uri, &head.headers);
    let host = entry::host(&gate.0, uri, headers).map_err(refuse)?;
    entry::origin(&gate.0, &host, method, headers).map_err(refuse)?;
    let visitor = Visitor::of(gate, head.extensions.get().copied(), headers);
    if entry::is_link_from_elsewhere(method, headers) && !visitor.has_session() {
        return Err(Box::new(once_more(uri)));
    }
    demand(gate, &visitor, method, uri, headers).await?;
    let body = if entry::is_safe(method) {
        // Requests that change nothing have no body here.
        Body::empty()
    } else {
        whole(body).await.map_err(refuse)?
    };
    head.extensions.insert(visitor.clone());
    Ok((Request::from_parts(head, body), visitor))
}

/// Demands a sign-in where one is needed.
async fn demand(
    gate: &Gate,
    visitor: &Visitor,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Box<Response>> {
    let path = uri.path();
    let Some(lock) = gate.0.lock.as_ref().filter(|_| !entry::is_open(path)) else { return Ok(()) };
    if visitor.signed_in() {
        return Ok(());
    }
    let refuse = |refusal: Refusal| Box::new(refusal.into_response());
    if entry::takes_basic(path)
        && let Some(password) = basic(headers)
    {
        return match lock.open(visitor.from(), Lane::Basic, &password, &*gate.0.clock).await {
            Ok(()) => {
                visitor.knows_password();
                Ok(())
            }
            Err(refused) if refused.wait > Duration::ZERO => {
                let text = "the password is wrong, or was sent too soon after a wrong one\n";
                let wait = HeaderValue::from(refused.wait.as_secs().saturating_add(1));
                let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, text);
                Err(refuse(refusal.with(header::RETRY_AFTER, wait)))
            }
            Err(_) => Err(refuse(unauthorized(path))),
        };
    }
    if !entry::is_navigation(headers) {
        return Err(refuse(unauthorized(path)));
    }
    // The detour through the sign-in does not resend a form.
    let to = uri.path_and_query().map(axum::http::uri::PathAndQuery::as_str);
    let login = match local_path(to.filter(|_| entry::is_safe(method))) {
        "/" => "/login".to_owned(),
        to => format!("/login?to={}", utf8_percent_encode(to, NON_ALPHANUMERIC)),
    };
    let login = HeaderValue::try_from(login).unwrap_or(HeaderValue::from_static("/login"));
    Err(Box::new((StatusCode::SEE_OTHER, [(header::LOCATION, login)]).into_response()))
}

/// Asks the browser for the password only on paths that accept it with the request: elsewhere it
/// would open its own dialog for each part of a page.
fn unauthorized(path: &str) -> Refusal {
    let refusal = Refusal::new(StatusCode::UNAUTHORIZED, "sign in on the status page first\n");
    if entry::takes_basic(path) {
        let basic = HeaderValue::from_static("Basic realm=\"Casedrop\", charset=\"UTF-8\"");
        return refusal.with(header::WWW_AUTHENTICATE, basic);
    }
    refusal
}

/// The password sent with a request (RFC 7617).
fn basic(headers: &HeaderMap) -> Option<Vec<u8>> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair.get(colon + 1..)?.to_vec())
}

/// Makes the browser repeat the request on its own behalf instead of another site's, so that it
/// sends its cookie. Otherwise everyone who follows a link from elsewhere would lose their session.
fn once_more(uri: &Uri) -> Response {
    let to = local_path(uri.path_and_query().map(axum::http::uri::PathAndQuery::as_str));
    let shown = to.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let page =
        format!("<!doctype html><title>Casedrop</title><p><a href=\"{shown}\">Casedrop</a></p>\n");
    let mut answer = axum::response::Html(page).into_response();
    if let Ok(value) = HeaderValue::try_from(format!("0; url={to}")) {
        answer.headers_mut().insert(header::REFRESH, value);
    }
    answer
}

/// Reads the whole body if it is small and arrives in time.
async fn whole(body: Body) -> Result<Body, Refusal> {
    let last = HeaderValue::from_static("close");
    match tokio::time::timeout(BODY_TIME, to_bytes(body, MOST_BYTES)).await {
        Ok(Ok(bytes)) => Ok(Body::from(bytes)),
        // What follows on this connection is the rest of the body.
        Ok(Err(_)) => {
            let text = "the body is longer than 64 KiB, or was cut off\n";
            Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text).with(header::CONNECTION, last))
        }
        Err(_) => {
            let text = "the body did not arrive in time\n";
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, text).with(header::CONNECTION, last))
        }
    }
}
