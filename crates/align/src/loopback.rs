//! Waits for the browser to return to this PC after a login.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use url::{Host, Url};

use super::client::AlignClient;
use super::login::{Expected, LoginRequest, WRONG_STATE};
use casedrop_model::cancel::Cancel;
use casedrop_model::fault::{Fault, FaultClass};

/// How long the page may take to reach the browser once the outcome of the login is known.
const LAST_ANSWER: Duration = Duration::from_secs(2);

/// A listener at the redirect URL.
pub struct Loopback {
    listeners: Vec<TcpListener>,
    back: Option<String>,
}

impl Loopback {
    pub(super) fn bind(redirect: &Url, client: &AlignClient) -> Result<Self, Fault> {
        let port = redirect.port_or_known_default().unwrap_or(80);
        let bind = async {
            let mut listeners = Vec::new();
            match redirect.host() {
                Some(Host::Ipv4(address)) => {
                    listeners.push(TcpListener::bind((address, port)).await?);
                }
                Some(Host::Ipv6(address)) => {
                    listeners.push(TcpListener::bind((address, port)).await?);
                }
                // Browsers try both for "localhost". A PC without IPv6 works with just one.
                _ => {
                    listeners.push(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?);
                    let second = SocketAddr::from((Ipv6Addr::LOCALHOST, port));
                    listeners.extend(TcpListener::bind(second).await.ok());
                }
            }
            Ok(listeners)
        };
        let bound: io::Result<_> = client.block_on(bind);
        let listeners = bound.map_err(|error| {
            let text =
                format!("cannot listen on port {port}, where the browser returns after the login");
            let fault = Fault::new(FaultClass::Local, "login-port", text);
            match error.kind() {
                io::ErrorKind::AddrInUse => fault.hint(
                    "another program (perhaps another `casedrop login`) uses that port: stop it, \
                     or register another `redirect_url` with Align",
                ),
                io::ErrorKind::PermissionDenied => fault.hint(
                    "this user may not use that port: register a `redirect_url` with a port above \
                     1023 with Align",
                ),
                _ => fault,
            }
            .caused_by(error)
        })?;
        Ok(Self { listeners, back: None })
    }

    /// Leads the browser on to that page once it has brought the code.
    #[must_use]
    pub fn leading_back_to(self, back: Option<String>) -> Self {
        Self { back, ..self }
    }

    /// Waits until the browser brings the code, for at most `patience`. Answers that belong to
    /// another login are refused, and the wait continues.
    pub fn wait(
        self,
        request: &LoginRequest,
        client: &AlignClient,
        patience: Duration,
        cancel: &Cancel,
    ) -> Result<SecretString, Fault> {
        let (sender, mut results) = mpsc::channel(1);
        let shared =
            Arc::new(Shared { expected: Arc::clone(&request.expected), sender, back: self.back });
        let (stop, _) = tokio::sync::watch::channel(false);
        client.run(cancel, async {
            let mut servers = tokio::task::JoinSet::new();
            for listener in self.listeners {
                let app = Router::new().fallback(returned).with_state(Arc::clone(&shared));
                let mut stopped = stop.subscribe();
                let server = axum::serve(listener, app).with_graceful_shutdown(async move {
                    // An error means that the sender is gone, which also ends it.
                    let _ = stopped.wait_for(|stop| *stop).await;
                });
                servers.spawn(server.into_future());
            }
            let result = tokio::time::timeout(patience, results.recv()).await;
            stop.send_replace(true);
            let all_ended = async { while servers.join_next().await.is_some() {} };
            let _ = tokio::time::timeout(LAST_ANSWER, all_ended).await;
            servers.shutdown().await;
            result.ok().flatten().unwrap_or_else(|| {
                let text = format!("no login within {} s", patience.as_secs());
                Err(Fault::new(FaultClass::Auth, "login-timeout", text)
                    .hint("run the command again and log in with the browser that it opens"))
            })
        })
    }
}

struct Shared {
    expected: Arc<Expected>,
    sender: mpsc::Sender<Result<SecretString, Fault>>,
    /// The page on which the user goes on.
    back: Option<String>,
}

async fn returned(State(shared): State<Arc<Shared>>, call: Request) -> Response {
    let path = call.uri().path();
    if path != shared.expected.redirect.path() {
        return page(
            StatusCode::NOT_FOUND,
            "Nothing here",
            "This is not the address for the login.",
        );
    }
    if call.method() != Method::GET {
        let text = "Only GET requests are accepted here.";
        return page(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", text);
    }
    let mut url = shared.expected.redirect.clone();
    url.set_query(call.uri().query());
    let code = shared.expected.code_from_url(&url);
    let link = |back: &String| format!("<a href=\"{back}\">Back to Casedrop</a>");
    let back = shared.back.as_ref().map(link);
    let answer = match &code {
        Ok(_) => {
            let text = back.as_deref().unwrap_or("You can close this window.");
            page(StatusCode::OK, "Logged in", text)
        }
        Err(fault) if fault.code == WRONG_STATE => {
            let text = "This page belongs to another login. Please use the newest login window.";
            return page(StatusCode::BAD_REQUEST, "Not this login", text);
        }
        Err(_) => {
            let text = "You can close this window; the command says what happened.";
            page(StatusCode::OK, "Not logged in", back.as_deref().unwrap_or(text))
        }
    };
    // Full means that there already is a result: reloading the page changes nothing.
    let _ = shared.sender.try_send(code);
    match &shared.back {
        Some(back) => leading_to(back, answer),
        None => answer,
    }
}

/// Adds the way back to a page. The agent takes a moment to exchange the code.
fn leading_to(back: &str, mut answer: Response) -> Response {
    if let Ok(value) = HeaderValue::try_from(format!("1; url={back}")) {
        answer.headers_mut().insert(header::REFRESH, value);
    }
    answer
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Casedrop: {title}</title>\
         <body style=\"font:1.1em sans-serif;margin:4em auto;max-width:30em\"><h1>{title}</h1>\
         <p>{text}</p></body></html>"
    );
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    (status, headers, Html(html)).into_response()
}
