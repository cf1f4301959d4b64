//! The listener for scan notifications: an HTTP server with one secret path.
//!
//! | call | answer |
//! |---|---|
//! | POST to the secret path, names orders | 200 once they are durable |
//! | the same, all of accounts that no lab has | 404, as for any path |
//! | the same, names nothing that can be read | 200 once it is durable that something changed |
//! | the same, too large, or too slow | 413, 408; that something changed is recorded |
//! | the same while the journal cannot be written | 503 with `Retry-After` |
//! | GET of the secret path | 200 `ok`: a test by a person or by Align |
//! | anything else | 404 without a body |
//!
//! Only who knows the secret path can post to it, so whatever comes there means that something changed.
//! What it says may be lost on the way, by a gateway that converts or strips it; the list tells then.
//! However many of them come, the list is asked for once per interval.
//!
//! What comes in a moment is made durable at once, in one go, and answered together, so that a flood
//! costs few writes; the room for what waits is bounded, and so are connections, sizes and times. No
//! single call is logged: calls are counted.

mod answer;
mod caretaker;
mod decode;
mod peer;
mod shared;
mod writer;

#[cfg(test)]
mod tests;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::config::{Network, TlsFiles};
use crate::disk::Disk;
use crate::http::server::{accept, cannot_listen};
use crate::model::fault::{Fault, FaultClass};
use crate::model::notification::{Mention, Noted, Reading, Received};

use shared::Shared;

/// Time between two attempts to begin, and between two looks at certificate and secret.
pub const CARE: Duration = Duration::from_secs(30);

/// So many connections at a time; for one more, an idle one gives way.
const CONNECTIONS: usize = 256;
/// How long what waits for its commit may take at the end.
const LAST_COMMIT: Duration = Duration::from_secs(2);

/// How the listener is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The path of the public URL; the secret follows as one more segment.
    pub path: String,
    /// Its own certificate; plain HTTP without one.
    pub tls: Option<TlsFiles>,
    /// Whose word counts on where a call came from.
    pub trusted_proxies: Vec<Network>,
    /// Time between two attempts to begin, and between two looks at certificate and secret.
    pub care: Duration,
}

/// What the listener needs of the rest of the agent. Calls block; they come from threads that may.
pub trait Intake: Send + Sync + 'static {
    /// The secret segment of the path.
    fn secret(&self) -> Result<SecretString, Fault>;

    /// What a notification says. Why nothing could be read is told without any of the content.
    fn read(&self, body: &[u8], query: Option<&str>) -> Reading;

    /// Makes notifications durable, all or none. `counted` is what was counted since the last call
    /// that kept it; it is kept with them where that costs nothing, or if `keep_count` says so.
    fn record(
        &self,
        mentions: &[Mention],
        counted: Received,
        keep_count: bool,
    ) -> Result<Recorded, Fault>;

    /// Tells people what keeps the listener from its work; `None`: nothing any more.
    fn trouble(&self, fault: Option<&Fault>);
}

/// What became of notifications.
#[derive(Debug)]
pub struct Recorded {
    /// Each of them, in their order.
    pub noted: Vec<Noted>,
    /// What is still to be kept of the counts.
    pub uncounted: Received,
}

/// Listens until `stop` resolves. What keeps it from its work is told and tried again: the agent
/// works without notifications too.
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

/// Receives until `stop` resolves; then ends all in good order.
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
    // It ends once nothing waits any more; an answer that nobody awaits is no loss.
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
        Err(Fault::new(FaultClass::Local, "listener", "the listener cannot begin").caused_by(error))
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
