//! The rules that refuse requests regardless of who sent them.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use super::Inner;
use super::answer::Refusal;
use crate::http::server::Host;

/// Paths that need no sign-in.
const OPEN: [&str; 2] = ["/login", "/health/live"];
const OPEN_BELOW: &str = "/assets/";

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The host of a request, if the page answers under it.
pub(super) fn host(gate: &Inner, uri: &Uri, headers: &HeaderMap) -> Result<Host, Refusal> {
    let host = Host::of(uri, headers).map_err(|_| {
        Refusal::new(StatusCode::BAD_REQUEST, "the request must name exactly one host\n")
    })?;
    let is_own = if gate.is_loopback {
        host.is_loopback()
    } else {
        // No name server controls an IP address, so no other site can be behind it.
        host.address().is_some()
    };
    if is_own || gate.names.iter().any(|name| host.is_named(name)) {
        return Ok(host);
    }
    Err(Refusal::new(
        StatusCode::MISDIRECTED_REQUEST,
        "The status page does not answer under this name.\nAdd the name to status_page.names in \
         casedrop.yaml and restart the agent, or open the page by its address.\n",
    ))
}

/// Checks the origin of a request, as far as browsers report it: other sites may neither act here
/// nor read anything.
pub(super) fn origin(
    gate: &Inner,
    host: &Host,
    method: &Method,
    headers: &HeaderMap,
) -> Result<(), Refusal> {
    let is_own = |origin: &HeaderValue| is_own_origin(origin, host, gate.is_encrypted);
    let may = headers.get_all(header::ORIGIN).iter().all(is_own)
        && (is_of_own_site(headers) || (is_safe(method) && is_link(headers)));
    if may {
        return Ok(());
    }
    let text = "The status page accepts no requests from other sites.\n";
    Err(Refusal::new(StatusCode::FORBIDDEN, text))
}

/// Whether the browser says that the page itself or the user asks, or says nothing.
fn is_of_own_site(headers: &HeaderMap) -> bool {
    headers.get_all(SITE).iter().all(|site| site == "same-origin" || site == "none")
}

/// Whether the request follows a link or the address bar to a page.
fn is_link(headers: &HeaderMap) -> bool {
    headers.get(MODE).is_some_and(|mode| mode == "navigate")
        && headers.get(DEST).is_some_and(|dest| dest == "document")
}

/// Whether the request follows a link from another site. Browsers then withhold our cookie, even if
/// they have one (`SameSite=Strict`).
pub(super) fn is_link_from_elsewhere(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET && !is_of_own_site(headers)
}

fn is_own_origin(origin: &HeaderValue, host: &Host, is_encrypted: bool) -> bool {
    let Some((scheme, rest)) = origin.to_str().ok().and_then(|text| text.split_once("://")) else {
        return false;
    };
    let default = match scheme {
        "https" => 443,
        // Behind a proxy with a certificate it is https although this connection is not encrypted.
        "http" if !is_encrypted => 80,
        _ => return false,
    };
    Host::read(rest).is_ok_and(|origin| origin.is_same(host, default))
}

/// Whether a method changes nothing.
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether a path needs no sign-in.
pub(super) fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || path.starts_with(OPEN_BELOW)
}

/// Whether a path accepts the password with the request itself.
pub(super) fn takes_basic(path: &str) -> bool {
    matches!(path, "/metrics" | "/health") || path.starts_with("/health/")
}

/// Whether a browser will show the response as a page.
pub(super) fn is_navigation(headers: &HeaderMap) -> bool {
    if let Some(mode) = headers.get(MODE) {
        return mode == "navigate";
    }
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|kinds| kinds.contains("text/html"))
}
