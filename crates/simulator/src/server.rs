//! Listens, accepts connections, and dispatches to the admin endpoint, the index page or the API.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tower_service::Service;

use super::admin;
use super::call::without_port;
use super::conn::{Breakable, Breaker};
use super::handle::Admin;
use super::hub::Hub;
use super::pages;
use super::reply::Reply;
use super::service::{self, HangUp};

/// The port on which a connection arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    /// Serves everything.
    Main,
    /// Serves the API under the paths that discovery returns.
    Regional,
    /// Serves signed downloads only.
    Storage,
}

/// Accepts connections forever.
pub(super) async fn serve(listener: std::net::TcpListener, port: Port, hub: Arc<Hub>) {
    let listener =
        match listener.set_nonblocking(true).and_then(|()| TcpListener::from_std(listener)) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::error!(%error, "cannot listen");
                return;
            }
        };
    let admin = admin::router(Admin::new(hub.clone()));
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                tokio::spawn(connection(stream, peer, port, hub.clone(), admin.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, port: Port, hub: Arc<Hub>, admin: Router) {
    let breaker = Breaker::default();
    let _ = stream.set_nodelay(true);
    let io = TokioIo::new(Breakable::new(stream, breaker.clone()));
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let (hub, admin, breaker) = (hub.clone(), admin.clone(), breaker.clone());
        async move {
            let request = request.map(Body::new);
            let response = answer(request, peer.ip(), port, hub, admin, breaker).await;
            if response.extensions().get::<HangUp>().is_some() {
                return Err(io::Error::other("hung up on purpose"));
            }
            Ok(response)
        }
    });
    let served = http1::Builder::new().timer(TokioTimer::new()).serve_connection(io, service).await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn answer(
    request: Request<Body>,
    peer: IpAddr,
    port: Port,
    hub: Arc<Hub>,
    mut admin: Router,
    breaker: Breaker,
) -> Response<Body> {
    let path = request.uri().path();
    let plain = |reply: Reply| reply.send(None, &breaker, hub.library.disk());
    if port == Port::Storage && !path.starts_with("/storage/") {
        let message = "only signed downloads are here";
        return plain(Reply::error(StatusCode::NOT_FOUND, "NoSuchKey", message));
    }
    if path == "/" {
        return plain(pages::index());
    }
    if path.starts_with("/admin/") {
        if !may_administrate(&request, peer) {
            let message = "the admin endpoint answers to this computer only";
            return plain(Reply::error(StatusCode::FORBIDDEN, "LoopbackOnly", message));
        }
        return match admin.call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
    }
    service::answer(hub, breaker, request).await
}

/// Allows requests from this computer under a loopback name only, so that no web page can reach the
/// admin endpoint through a name of its own.
fn may_administrate(request: &Request<Body>, peer: IpAddr) -> bool {
    let host =
        request.headers().get(header::HOST).and_then(|value: &HeaderValue| value.to_str().ok());
    let host = without_port(host.unwrap_or_default()).trim_matches(['[', ']']);
    let loopback = host.parse::<IpAddr>().map_or(host == "localhost", |ip| ip.is_loopback());
    peer.is_loopback() && loopback
}
