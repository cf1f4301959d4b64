//! Accepts connections, with limits on their number and time.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::certificate::OwnCertificate;
use super::connection_slots::{Place, Places};
use super::write_deadline::Patient;

/// A handshake must complete within this time.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// A request's head must arrive within this time after the connection or the last answer; an idle
/// connection is also kept this long.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// The largest accepted head, in bytes.
const HEAD_BYTES: usize = 16 * 1024;
/// A client that accepts no bytes of an answer for this long is disconnected.
const TAKE_TIME: Duration = Duration::from_secs(60);
/// How long answers in flight may take at shutdown.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Accepts connections and answers their requests until `stop` resolves; then gives answers in
/// flight two seconds to finish, and disconnects. Serves up to `connections` at a time; when one
/// more arrives, an idle one must give way. `answer` decides how long an answer may last, as long
/// as its receiver accepts it.
pub async fn accept<A, F>(
    listener: TcpListener,
    certificate: Option<Arc<OwnCertificate>>,
    connections: usize,
    answer: A,
    stop: impl Future<Output = ()> + Send,
) where
    A: Fn(SocketAddr, Request<Body>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let places = Places::new(connections);
    let (end, ends) = watch::channel(false);
    let mut served = JoinSet::new();
    let mut stop = pin!(stop);
    // Accepted, but still without a place.
    let mut waiting: Option<(TcpStream, SocketAddr)> = None;
    loop {
        let next = async {
            match &waiting {
                Some((_, peer)) => Next::Place(places.take(peer.ip()).await),
                None => Next::Accepted(listener.accept().await),
            }
        };
        let next = tokio::select! {
            biased;
            () = stop.as_mut() => break,
            Some(_) = served.join_next() => continue,
            next = next => next,
        };
        match next {
            Next::Accepted(Ok(accepted)) => waiting = Some(accepted),
            Next::Accepted(Err(error)) => {
                // Too many open files, for example. Waiting connections are accepted later.
                tracing::debug!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Next::Place(place) => {
                let Some((stream, peer)) = waiting.take() else { continue };
                let (certificate, ends) = (certificate.clone(), ends.clone());
                let answer = answer.clone();
                served.spawn(async move {
                    let answer = |call| place.answering(answer(peer, call));
                    tokio::select! {
                        () = place.to_leave() => tracing::debug!("an idle connection gives way"),
                        () = connection(stream, certificate, ends, answer) => {}
                    }
                });
            }
        }
    }
    drop(listener);
    end.send_replace(true);
    let all = async { while served.join_next().await.is_some() {} };
    let _ = timeout(LAST_ANSWERS, all).await;
    served.shutdown().await;
}

/// What the accept loop does next.
enum Next {
    Accepted(std::io::Result<(TcpStream, SocketAddr)>),
    Place(Place),
}

async fn connection<F>(
    stream: TcpStream,
    certificate: Option<Arc<OwnCertificate>>,
    ends: watch::Receiver<bool>,
    answer: impl Fn(Request<Body>) -> F + Send,
) where
    F: Future<Output = Response<Body>> + Send,
{
    let _ = stream.set_nodelay(true);
    let stream = Patient::new(stream, TAKE_TIME);
    let Some(certificate) = certificate else {
        return serve(stream, ends, answer).await;
    };
    match timeout(HANDSHAKE_TIME, TlsAcceptor::from(certificate.config()).accept(stream)).await {
        Ok(Ok(stream)) => serve(stream, ends, answer).await,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a handshake failed");
            certificate.handshake_failed();
        }
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

async fn serve<F>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    mut ends: watch::Receiver<bool>,
    answer: impl Fn(Request<Body>) -> F,
) where
    F: Future<Output = Response<Body>>,
{
    let service = service_fn(|call: Request<hyper::body::Incoming>| {
        let answered = answer(call.map(Body::new));
        async move { Ok::<_, Infallible>(answered.await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let ended = async {
        // An error means that the sender is gone.
        let _ = ends.wait_for(|end| *end).await;
    };
    let result = tokio::select! {
        result = served.as_mut() => Some(result),
        () = ended => None,
    };
    let result = if let Some(result) = result {
        result
    } else {
        served.as_mut().graceful_shutdown();
        served.await
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended early");
    }
}
