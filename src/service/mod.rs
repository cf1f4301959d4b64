//! Hosts the agent: on a console, or under systemd, the Windows service manager or the keeper that
//! tries out a new version. Each wants to know the agent's state in its own protocol.
//!
//! [`host`] detects the host and gives the program's body what it needs from it ([`Hosted`]).

mod console;
pub mod eventlog;
pub mod manage;
mod pending;
#[cfg(unix)]
mod systemd;
#[cfg(windows)]
mod windows;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

pub use console::stop_signal;

/// Hosts the agent and receives its state. Calls return at once.
pub trait Host: Send + Sync {
    /// The agent is up: it has its locks, and works or waits for what it needs. Called once.
    fn ready(&self) {}

    /// Whether the agent has journal and engine running. May be called repeatedly.
    fn at_work(&self, _is: bool) {}

    /// The main loop is alive. Called about once a second.
    fn alive(&self) {}

    /// What the agent is doing, in a few words without names of people or orders. May be called
    /// repeatedly.
    fn doing(&self, _what: &str) {}

    /// The agent is shutting down, which may take up to this long.
    fn stopping(&self, _up_to: Duration) {}
}

/// A host that ignores all reports.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {}

/// Resolves when the program should stop. Needs a tokio runtime with time and signals enabled.
pub type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// An event of the PC, as reported by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The PC woke up from sleep.
    WokeUp,
}

/// The stream of events. None arrive once the sender is gone.
pub type Events = mpsc::UnboundedReceiver<Event>;

/// What the host gives to the program's body.
pub struct Hosted {
    /// Receives the program's state.
    pub host: Arc<dyn Host>,
    /// Resolves when the program should stop.
    pub stop: Stop,
    pub events: Events,
    /// Whether a service manager runs the program: no one watches a terminal, and the current
    /// folder means nothing.
    pub is_service: bool,
}

/// How the program ended, for a service manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// 0 is success.
    pub code: u8,
    /// Why it failed, if it did.
    pub reason: Option<String>,
}

/// Runs the program's body under whatever started the process: the Windows service manager, systemd
/// or a console. `judge` turns the body's result into how the program ended.
pub fn host<R: Send + 'static>(
    body: impl FnOnce(Hosted) -> R + Send + 'static,
    judge: impl Fn(&R) -> Ended + Send + 'static,
) -> R {
    #[cfg(windows)]
    {
        windows::host(body, judge)
    }
    #[cfg(unix)]
    {
        // systemd gets the result from the exit status.
        drop(judge);
        body(systemd::hosted().unwrap_or_else(console::hosted))
    }
}

/// Returns a channel on which nothing arrives.
fn no_events() -> Events {
    mpsc::unbounded_channel().1
}
