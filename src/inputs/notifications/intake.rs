//! What the listener needs: its configuration, and the rest of the agent.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;

use crate::config::{Network, TlsFiles};
use crate::model::fault::Fault;
use crate::model::notification::{Mention, Noted, Reading, Received};

/// The listener's configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    pub listen: SocketAddr,
    /// The path of the public URL; the secret follows as one more segment.
    pub path: String,
    /// The listener's own certificate; plain HTTP without one.
    pub tls: Option<TlsFiles>,
    /// Proxies that are trusted to say where a call came from.
    pub trusted_proxies: Vec<Network>,
    /// Time between two attempts to start, and between two checks of certificate and secret.
    pub care: Duration,
}

/// What the listener needs from the rest of the agent. Calls block; they are made on threads where
/// that is allowed.
pub trait Intake: Send + Sync + 'static {
    /// The secret segment of the path.
    fn secret(&self) -> Result<SecretString, Fault>;

    /// Reads a notification. The reason for unreadable content never includes any of it.
    fn read(&self, body: &[u8], query: Option<&str>) -> Reading;

    /// Makes notifications durable, all or none. `counted` holds the counts since the last call
    /// that stored them; they are stored too if that costs nothing extra, or if `keep_count` asks
    /// for it.
    fn record(
        &self,
        mentions: &[Mention],
        counted: Received,
        keep_count: bool,
    ) -> Result<Recorded, Fault>;

    /// Reports what keeps the listener from working; `None`: nothing any more.
    fn trouble(&self, fault: Option<&Fault>);
}

/// What became of notifications.
#[derive(Debug)]
pub struct Recorded {
    /// One for each notification, in order.
    pub noted: Vec<Noted>,
    /// The counts that are still to be stored.
    pub uncounted: Received,
}
