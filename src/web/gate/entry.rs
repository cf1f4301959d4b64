//! The rules by which requests are refused, without a look at who sent them.

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};

use super::Inner;
use super::answer::Refusal;
use crate::http::server::Host;

/// Where no password is asked for before the sign-in.
const OPEN: [&str; 2] = ["/login", "/health/live"];
const OPEN_BELOW: &str = "/assets/";

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
const DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// The host of a request, if the page answers under it.
pub(super) fn host(gate: &Inner, uri: &Uri, headers: &HeaderMap) -> Result<Host, Refusal> {
    let host = Host::of(uri, headers).map_err(|_| {
        Refusal::new(StatusCode::BAD_REQUEST, "the request does not name the one host it is for\n")
    })?;
    let is_own = if gate.is_loopback {
        host.is_loopback()
    } else {
        // No name server has a say in an address, so no other site can be behind it.
        host.address().is_some()
    };
    if is_own || gate.names.iter().any(|name| host.is_named(name)) {
        return Ok(host);
    }
    Err(Refusal::new(
        StatusCode::MISDIRECTED_REQUEST,
        "The status page does not answer under this name.\nAdd the name to status_page.names in \
         casedrop.yaml and start the agent anew, or open the page by its address.\n",
    ))
}

/// Whether a request may come from where it comes from, as far as browsers say: programs of other
/// sites may neither act here nor look.
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
    let text = "The status page takes no requests from other sites.\n";
    Err(Refusal::new(StatusCode::FORBIDDEN, text))
}

/// Whether the browser says that the page itself, or the person, asks; or says nothing.
fn is_of_own_site(headers: &HeaderMap) -> bool {
    headers.get_all(SITE).iter().all(|site| site == "same-origin" || site == "none")
}

/// Whether a link or the address line leads to a page.
fn is_link(headers: &HeaderMap) -> bool {
    headers.get(MODE).is_some_and(|mode| mode == "navigate")
        && headers.get(DEST).is_some_and(|dest| dest == "document")
}

/// Whether a link of another site leads to a page. Then browsers keep our cookie back, even if they
/// have one (`SameSite=Strict`).
pub(super) fn is_link_from_elsewhere(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::GET && !is_of_own_site(headers)
}

fn is_own_origin(origin: &HeaderValue, host: &Host, is_encrypted: bool) -> bool {
    let Some((scheme, rest)) = origin.to_str().ok().and_then(|text| text.split_once("://")) else {
        return false;
    };
    let default = match scheme {
        "https" => 443,
        // Behind a proxy with a certificate it is https although we are not encrypted.
        "http" if !is_encrypted => 80,
        _ => return false,
    };
    Host::read(rest).is_ok_and(|origin| origin.is_same(host, default))
}

/// Whether a method changes nothing.
pub(super) fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether a path is for everybody.
pub(super) fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || path.starts_with(OPEN_BELOW)
}

/// Whether a path takes the password with the request itself.
pub(super) fn takes_basic(path: &str) -> bool {
    matches!(path, "/metrics" | "/health") || path.starts_with("/health/")
}

/// Whether somebody looks at the answer in a browser, as a page.
pub(super) fn is_navigation(headers: &HeaderMap) -> bool {
    if let Some(mode) = headers.get(MODE) {
        return mode == "navigate";
    }
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|kinds| kinds.contains("text/html"))
}
