//! Converts failed calls to [`Fault`]s: the fault class, and what the user can do.
//!
//! Messages name the operation and the host. They never contain a path, a query or a body: those
//! can carry codes, signed links and names.

use std::error::Error;
use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use url::Url;

use super::http::Subject;
use super::lenient_json::BadAnswer;
use casedrop_http::client::retry_after;
use casedrop_http::client::trouble;
use casedrop_model::fault::{Fault, FaultClass, WRONG_CONTENT};

/// Codes of faults that mean: no connection was established.
const UNREACHED: [&str; 4] = ["connect", "dns", "proxy", "tls"];

/// Whether the fault says that the server was not even reached.
pub(super) fn is_unreached(fault: &Fault) -> bool {
    UNREACHED.contains(&fault.code)
}

/// Returns the host, and the port if it is not the default, for messages.
pub(super) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Fault for a call that failed below HTTP, or a body that broke off. `proxy` is the one from the
/// config.
pub(super) fn network(what: &str, host: &str, error: reqwest::Error, proxy: Option<&str>) -> Fault {
    let transient = |code, text: String| Fault::new(FaultClass::Transient, code, text);
    let by = proxy.map(|proxy| format!(" by the proxy {proxy}")).unwrap_or_default();
    let unreached = if proxy.is_some() {
        "check `api.proxy`, the network and the firewall"
    } else {
        "check the network, the firewall and the system's proxy settings"
    };
    let fault = if error.is_builder() {
        Fault::new(FaultClass::Permanent, "bad-request", format!("cannot {what}: bad request"))
    } else if let Some(trouble) = trouble(host, &error) {
        transient(trouble.code, format!("cannot {what}: {}", trouble.reason)).hint(trouble.hint)
    } else if error.is_connect() && proxy.is_none() && mentions(&error, "dns") {
        transient("dns", format!("cannot {what}: the name {host} was not found"))
            .hint("check the network and the URLs in the config")
    } else if error.is_connect() && !error.is_timeout() {
        transient("connect", format!("cannot {what}: no connection to {host}{by}")).hint(unreached)
    } else if error.is_timeout() {
        transient("connect", format!("cannot {what}: {host} did not answer in time{by}"))
            .hint(unreached)
    } else {
        transient("broken-off", format!("cannot {what}: the connection to {host} was lost"))
    };
    fault.at(host).caused_by_library(error.without_url())
}

/// Fault for a server that sent nothing for too long.
pub(super) fn stalled(what: &str, host: &str, waited: Duration) -> Fault {
    let text = format!("cannot {what}: {host} sent nothing for {} s", waited.as_secs_f64());
    Fault::new(FaultClass::Transient, "stalled", text).at(host)
}

/// Fault for an answer that cannot be parsed.
pub(super) fn unreadable(what: &str, host: &str, error: BadAnswer) -> Fault {
    let text = format!("cannot {what}: the answer of {host} cannot be read");
    let fault = Fault::new(FaultClass::Transient, "bad-answer", text);
    match error {
        BadAnswer::WebPage => fault.hint("a proxy or a login page may have answered in its place"),
        _ => fault.hint("check `base_url` and `api.paths`"),
    }
    .at(host)
    .caused_by(error)
}

/// Fault for work that was asked to stop.
pub(super) fn cancelled() -> Fault {
    Fault::new(FaultClass::Cancelled, "cancelled", "stopped on request")
}

/// Fault code for a login that is missing or no longer usable.
pub const LOGIN_NEEDED: &str = "login-needed";

/// Fault for a login that is missing or no longer usable.
pub(super) fn login_needed(lab: impl std::fmt::Display, why: &str) -> Fault {
    Fault::new(FaultClass::Auth, LOGIN_NEEDED, format!("lab {lab} {why}"))
        .hint(format!("login needed: run `casedrop login {lab}`"))
}

/// Fault for an answer with an unexpected status, judged by the status alone. Callers first handle
/// the statuses with a special meaning for them (401, and 404 on downloads).
///
/// Faults of the login may change a lab's state; an answer about one resource only changes that
/// resource.
pub(super) fn status(
    what: &str,
    host: &str,
    subject: &Subject,
    status: StatusCode,
    headers: &HeaderMap,
    now: SystemTime,
) -> Fault {
    let number = status.as_u16();
    let text = match subject {
        Subject::Resource(resource) if REFUSALS.contains(&number) => {
            format!("cannot {what}: {host} refuses {resource} ({status})")
        }
        _ => format!("cannot {what}: {host} answered {status}"),
    };
    let fault = Fault::new(class(subject, number), code(status), text)
        .retry_after(retry_after(headers, now))
        .at(host);
    match (subject, number) {
        (_, 407 | 511) => fault.hint("a proxy asks for a login: check `api.proxy` and the network"),
        (_, 429) => fault.hint("Align asks for fewer calls; the agent waits and tries again"),
        (_, ..=399) => fault.hint(BY_A_PROXY),
        (Subject::Login, 403) => fault.hint(
            "the login may not be paired with this account, or was un-paired: run `casedrop \
             accounts LAB` and `casedrop pair LAB`",
        ),
        (Subject::Login, 404 | 405) => fault.hint("check `base_url` and `api.paths`"),
        (Subject::Resource(_), 401 | 403) => fault.hint(
            "check at myitero.com that the order belongs to this lab's account and can be opened \
             there; the login and other orders are not affected",
        ),
        (Subject::Resource(_), 402 | 451) => fault.hint(
            "ask Align's support why this account may not have it; the login and other orders are \
             not affected",
        ),
        (Subject::Resource(_), 400..=499) if fault.class == FaultClass::Refused => fault.hint(
            "look for the order at myitero.com; if its files can be downloaded there, write to \
             Align's support",
        ),
        _ => fault,
    }
}

/// Statuses with which a server refuses access.
const REFUSALS: [u16; 4] = [401, 402, 403, 451];

const BY_A_PROXY: &str =
    "a proxy may have answered for Align: ask your IT to let it pass unchanged";

fn class(subject: &Subject, status: u16) -> FaultClass {
    match (subject, status) {
        // Not an answer from Align itself, but from a proxy or a server in trouble.
        (_, ..=399 | 407 | 408 | 425 | 429 | 500..) => FaultClass::Transient,
        (Subject::Resource(_), _) => FaultClass::Refused,
        (Subject::Login, 401 | 403) => FaultClass::Auth,
        (Subject::Login, _) => FaultClass::Permanent,
    }
}

/// Extends a fault whose answer was a web page, described by `page`.
pub(super) fn with_page(mut fault: Fault, page: &str) -> Fault {
    fault.message = format!("{}, with {page}", fault.message);
    fault.hint = Some(match fault.hint.take() {
        Some(hint) if hint != BY_A_PROXY => format!("{BY_A_PROXY}; if not: {hint}"),
        _ => BY_A_PROXY.to_owned(),
    });
    fault
}

/// Fault for content other than the requested files; `came` describes it.
pub(super) fn wrong_content(what: &str, host: &str, came: &str) -> Fault {
    wrong_answer(what, host, &format!("{came} in place of the files"))
}

/// Fault for an answer that is not from Align; `came` describes it.
pub(super) fn wrong_answer(what: &str, host: &str, came: &str) -> Fault {
    let text = format!("cannot {what}: {host} answered with {came}");
    Fault::new(FaultClass::Transient, WRONG_CONTENT, text).hint(BY_A_PROXY).at(host)
}

fn mentions(error: &(dyn Error + 'static), word: &str) -> bool {
    causes(error).any(|cause| cause.to_string().starts_with(word))
}

fn causes<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> + 'a {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let this = next?;
        next = this.source();
        Some(this)
    })
}

fn code(status: StatusCode) -> &'static str {
    const CODES: [(u16, &str); 26] = [
        (400, "http-400"),
        (401, "http-401"),
        (402, "http-402"),
        (403, "http-403"),
        (404, "http-404"),
        (405, "http-405"),
        (406, "http-406"),
        (407, "http-407"),
        (408, "http-408"),
        (409, "http-409"),
        (410, "http-410"),
        (413, "http-413"),
        (415, "http-415"),
        (416, "http-416"),
        (421, "http-421"),
        (422, "http-422"),
        (425, "http-425"),
        (429, "http-429"),
        (451, "http-451"),
        (500, "http-500"),
        (501, "http-501"),
        (502, "http-502"),
        (503, "http-503"),
        (504, "http-504"),
        (507, "http-507"),
        (511, "http-511"),
    ];
    let number = status.as_u16();
    CODES.iter().find(|(known, _)| *known == number).map_or_else(
        || match number {
            100..=199 => "http-1xx",
            200..=299 => "http-2xx",
            300..=399 => "http-3xx",
            400..=499 => "http-4xx",
            _ => "http-5xx",
        },
        |(_, code)| code,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(subject: &Subject, number: u16) -> Fault {
        let code = StatusCode::from_u16(number).expect("a status");
        status("ask", "host", subject, code, &HeaderMap::new(), SystemTime::now())
    }

    fn resource() -> Subject {
        Subject::Resource("order 17".to_owned())
    }

    #[test]
    fn the_status_decides_the_class() {
        let class = |number| {
            let fault = answered(&Subject::Login, number);
            (fault.class, fault.code)
        };
        assert_eq!(class(503), (FaultClass::Transient, "http-503"));
        assert_eq!(class(529), (FaultClass::Transient, "http-5xx"));
        assert_eq!(class(425), (FaultClass::Transient, "http-425"));
        assert_eq!(class(407), (FaultClass::Transient, "http-407"));
        assert_eq!(class(403), (FaultClass::Auth, "http-403"));
        assert_eq!(class(418), (FaultClass::Permanent, "http-4xx"));
        assert_eq!(class(304), (FaultClass::Transient, "http-3xx"));
    }

    #[test]
    fn no_answer_about_one_resource_is_about_the_login_or_final() {
        for number in 100..=999 {
            let fault = answered(&resource(), number);
            let heals = [FaultClass::Transient, FaultClass::Refused].contains(&fault.class);
            assert!(heals, "{number}: {:?}", fault.class);
            let hint = fault.hint.unwrap_or_default();
            assert!(!hint.contains("login needed") && !hint.contains("casedrop "), "{hint}");
            // No one here can fix server trouble; for everything else there is a hint.
            assert_eq!(hint.is_empty(), matches!(number, 408 | 425 | 500..) && number != 511);
        }
    }
}
