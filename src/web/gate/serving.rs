//! The server of the page.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use tokio::net::TcpListener;
use tower_service::Service as _;

use super::Settings;
use super::visitor::Peer;
use crate::disk::Disk;
use crate::http::server::{Listener, OwnCertificate, accept, cannot_listen};
use crate::model::fault::{Fault, FaultClass};

/// Maximum number of connections; for one more, an idle one is closed. A browser opens up to six.
const CONNECTIONS: usize = 128;

/// Serves a router until `stop` resolves, then ends within a few seconds, whatever is still being
/// answered. Retries after trouble: the agent works without the page too.
///
/// `tell` hears where the page listens once it does, and before that what prevents it, each trouble
/// once. Listening ends any trouble.
pub async fn serve(
    settings: Settings,
    router: Router,
    disk: Arc<dyn Disk>,
    tell: impl Fn(Result<SocketAddr, &Fault>) + Send + Sync,
    stop: impl Future<Output = ()> + Send,
) {
    let mut stop = std::pin::pin!(stop);
    let mut told = None;
    let (listener, at, certificate) = loop {
        let begun = tokio::select! {
            biased;
            () = stop.as_mut() => return,
            begun = begin(&settings, &disk) => begun,
        };
        match begun {
            Ok(begun) => break begun,
            Err(fault) => {
                let chain = Some(fault.chain());
                if told != chain {
                    tell(Err(&fault));
                    told = chain;
                }
            }
        }
        tokio::select! {
            biased;
            () = stop.as_mut() => return,
            () = tokio::time::sleep(settings.care) => {}
        }
    };
    tell(Ok(at));
    let answer = move |peer: SocketAddr, mut request: Request<Body>| {
        request.extensions_mut().insert(Peer(peer.ip()));
        let mut router = router.clone();
        async move {
            // A router is always ready.
            let answered: Result<_, Infallible> = router.call(request).await;
            match answered {
                Ok(answer) => answer,
                Err(never) => match never {},
            }
        }
    };
    let accepting = accept(listener, certificate.clone(), CONNECTIONS, answer, stop);
    tokio::select! {
        never = care(certificate, &settings, &disk) => match never {},
        () = accepting => {}
    }
}

async fn begin(
    settings: &Settings,
    disk: &Arc<dyn Disk>,
) -> Result<(TcpListener, SocketAddr, Option<Arc<OwnCertificate>>), Fault> {
    let certificate = match settings.tls.clone() {
        None => None,
        Some(files) => {
            let disk = Arc::clone(disk);
            let load = move || OwnCertificate::load(&*disk, Listener::STATUS_PAGE, &files);
            let loaded = tokio::task::spawn_blocking(load).await.unwrap_or_else(|error| {
                let text = "the status page cannot begin";
                Err(Fault::new(FaultClass::Local, "listener", text).caused_by(error))
            });
            Some(Arc::new(loaded?))
        }
    };
    let listen = settings.listen;
    let cannot = |error| {
        let what = format!("the status page cannot be shown at {listen}");
        cannot_listen(what, "status_page.listen", error)
    };
    let listener = TcpListener::bind(listen).await.map_err(cannot)?;
    let at = listener.local_addr().map_err(cannot)?;
    Ok((listener, at, certificate))
}

/// Watches the certificate, forever.
async fn care(
    certificate: Option<Arc<OwnCertificate>>,
    settings: &Settings,
    disk: &Arc<dyn Disk>,
) -> Infallible {
    let Some(certificate) = certificate else { return std::future::pending().await };
    loop {
        certificate.wait(settings.care).await;
        let (certificate, disk) = (Arc::clone(&certificate), Arc::clone(disk));
        // `look` reports its own failures.
        let _ = tokio::task::spawn_blocking(move || certificate.look(&*disk)).await;
    }
}
