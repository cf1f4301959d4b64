//! Accepting connections, within bounds of number and time.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::answer::answer;
use super::shared::Shared;
use super::{caretaker, writer};

/// So many connections at a time; further ones wait in the system's queue.
const CONNECTIONS: usize = 256;
/// A handshake must be done in this time.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// A request's head must be there in this time, counted from the connection or the last answer; so
/// long, too, an idle connection is kept.
const HEAD_TIME: Duration = Duration::from_secs(15);
/// The largest head, in bytes.
const HEAD_BYTES: usize = 16 * 1024;
/// How long answers that are under way may take at the end.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Accepts connections until `stop` resolves; then ends all in good order.
pub(super) async fn accept(
    shared: Arc<Shared>,
    listener: TcpListener,
    queue: writer::Queue,
    mut stop: Pin<&mut (impl Future<Output = ()> + Send)>,
) {
    let writer = match writer::start(&shared, queue) {
        Ok(writer) => writer,
        Err(error) => {
            tracing::error!("scan notifications cannot be received: no thread for them ({error})");
            return;
        }
    };
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let (end, ends) = watch::channel(false);
    let mut connections = JoinSet::new();
    let address = listener.local_addr().map_or_else(|_| String::new(), |at| format!(" at {at}"));
    tracing::info!("scan notifications are received{address}");
    {
        // It holds the way to the writer, which ends when nobody does any more.
        let mut care = pin!(caretaker::care(Arc::clone(&shared)));
        loop {
            let accepted = async {
                // The semaphore is never closed.
                let place = Arc::clone(&room).acquire_owned().await.ok()?;
                Some((listener.accept().await, place))
            };
            let (accepted, place) = tokio::select! {
                biased;
                () = stop.as_mut() => break,
                never = care.as_mut() => match never {},
                Some(_) = connections.join_next() => continue,
                Some(accepted) = accepted => accepted,
                else => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (shared, ends) = (Arc::clone(&shared), ends.clone());
                    connections.spawn(async move {
                        connection(shared, stream, peer, ends).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    // Too many open files, say. What waits is accepted later.
                    tracing::debug!(%error, "cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
    drop(listener);
    end.send_replace(true);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(LAST_ANSWERS, all).await;
    connections.shutdown().await;
    caretaker::last_words(&shared);
    drop(shared);
    let ended = tokio::task::spawn_blocking(move || writer.join());
    // It ends once nothing waits any more; an answer that nobody awaits is no loss.
    let _ = timeout(LAST_ANSWERS, ended).await;
}

async fn connection(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    ends: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let Some(config) = shared.tls() else {
        return serve(shared, stream, peer.ip(), ends).await;
    };
    match timeout(HANDSHAKE_TIME, TlsAcceptor::from(config).accept(stream)).await {
        Ok(Ok(stream)) => serve(shared, stream, peer.ip(), ends).await,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a handshake failed");
            shared.handshake_failed.notify_one();
        }
        Err(_) => tracing::debug!("a handshake took too long"),
    }
}

async fn serve(
    shared: Arc<Shared>,
    stream: impl AsyncRead + AsyncWrite + Unpin,
    peer: IpAddr,
    mut ends: watch::Receiver<bool>,
) {
    let service = service_fn(move |call: Request<hyper::body::Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(&shared, peer, call.map(Body::new)).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let ended = async {
        // An error means that whoever could say so is gone.
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
