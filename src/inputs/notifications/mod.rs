//! The listener for scan notifications: an HTTP server with one secret path.
//!
//! | call | answer |
//! |---|---|
//! | POST to the secret path, names orders | 200 once they are durable |
//! | the same, all for accounts that no lab has | 404, as for any other path |
//! | the same, nothing readable in it | 200 once it is durable that something changed |
//! | the same, too large or too slow | 413 or 408; that something changed is recorded |
//! | the same while the journal cannot be written | 503 with `Retry-After` |
//! | the same, [`TEST`] | 200; nothing is recorded |
//! | GET of the secret path | 200 `ok`: a test by a user or by Align |
//! | anything else | 404 without a body |
//!
//! Only a caller who knows the secret path can post to it, so anything posted there means that
//! something changed. A gateway that converts or strips a notification may lose its content; then
//! the list shows what changed. However many notifications arrive, the list is requested once per
//! interval.
//!
//! Notifications that arrive together are committed and answered together, so that a flood costs
//! few writes. The queue is bounded, and so are connections, sizes and times. Calls are counted,
//! never logged one by one.

mod answer;
mod caretaker;
mod decode;
mod intake;
mod peer;
mod shared;
mod writer;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;

use crate::disk::Disk;
use crate::http::server::{accept, cannot_listen};
use crate::model::fault::{Fault, FaultClass};

use shared::Shared;

pub use intake::{Intake, Recorded, Settings};

/// Time between two attempts to start, and between two checks of certificate and secret.
pub const CARE: Duration = Duration::from_secs(30);

/// The body of a test by `casedrop notifications test`, and the answer to it.
pub const TEST: &str = r#"{"casedrop":"test"}"#;
pub const TESTED: &str = "casedrop: test received\n";
/// The answer to what was recorded.
pub const RECORDED: &str = "recorded\n";

/// Maximum number of connections; for one more, an idle one is closed.
const CONNECTIONS: usize = 256;
/// How long pending commits may take at shutdown.
const LAST_COMMIT: Duration = Duration::from_secs(2);

/// Listens until `stop` resolves. What keeps it from working is reported and retried: the agent
/// works without notifications, too.
pub async fn serve(
    settings: Settings,
    intake: Arc<dyn Intake>,
    disk: Arc<dyn Disk>,
    stop: impl Future<Output = ()> + Send,
) {
    let mut stop = std::pin::pin!(stop);
    loop {
        let begun = tokio::select! {
            biased;
            () = stop.as_mut() => return,
            begun = begin(&settings, &intake, &disk) => begun,
        };
        match begun {
            Ok((shared, listener, queue)) => {
                intake.trouble(None);
                receive(shared, listener, queue, stop).await;
                return;
            }
            Err(fault) => intake.trouble(Some(&fault)),
        }
        tokio::select! {
            biased;
            () = stop.as_mut() => return,
            () = tokio::time::sleep(settings.care) => {}
        }
    }
}

/// Receives until `stop` resolves, then shuts down gracefully.
async fn receive(
    shared: Arc<Shared>,
    listener: TcpListener,
    queue: writer::Queue,
    stop: impl Future<Output = ()> + Send,
) {
    let writer = match writer::start(&shared, queue) {
        Ok(writer) => writer,
        Err(error) => {
            tracing::error!("scan notifications cannot be received: no thread for them ({error})");
            return;
        }
    };
    let address = listener.local_addr().map_or_else(|_| String::new(), |at| format!(" at {at}"));
    tracing::info!("scan notifications are received{address}");
    let answering = Arc::clone(&shared);
    let answer = move |peer: SocketAddr, call| {
        let shared = Arc::clone(&answering);
        async move { answer::answer(&shared, peer.ip(), call).await }
    };
    let accepting = accept(listener, shared.certificate.clone(), CONNECTIONS, answer, stop);
    tokio::select! {
        never = caretaker::care(Arc::clone(&shared)) => match never {},
        () = accepting => {}
    }
    caretaker::last_words(&shared);
    drop(shared);
    let ended = tokio::task::spawn_blocking(move || writer.join());
    // The writer ends once nothing waits; an answer that no one awaits is no loss.
    let _ = tokio::time::timeout(LAST_COMMIT, ended).await;
}

async fn begin(
    settings: &Settings,
    intake: &Arc<dyn Intake>,
    disk: &Arc<dyn Disk>,
) -> Result<(Arc<Shared>, TcpListener, writer::Queue), Fault> {
    let (settings, intake, disk) = (settings.clone(), Arc::clone(intake), Arc::clone(disk));
    let listen = settings.listen;
    let prepared = tokio::task::spawn_blocking(move || Shared::prepare(settings, intake, disk));
    let prepared = prepared.await.unwrap_or_else(|error| {
        Err(Fault::new(FaultClass::Local, "listener", "the listener cannot start").caused_by(error))
    });
    let (shared, queue) = prepared?;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        let what = format!(
            "scan notifications cannot be received at {listen}; orders are found by polling"
        );
        cannot_listen(what, "notifications.listen", error)
    })?;
    Ok((Arc::new(shared), listener, queue))
}
