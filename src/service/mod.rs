//! Who runs the agent: a console, systemd, Windows' service manager, or the keeper that tries out a new
//! version. Each of them wants to know how the agent fares, in a language of its own.
//!
//! [`host`] finds out who it is and hands the program's body what it needs of them ([`Hosted`]).

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

/// Somebody who runs the agent and is told how it fares. Calls return at once.
pub trait Host: Send + Sync {
    /// The agent runs: it has its locks, and works or waits for what it needs. Told once.
    fn ready(&self) {}

    /// Whether the agent has journal and engine at work. It may be told again and again.
    fn at_work(&self, _is: bool) {}

    /// The loop that decides everything goes round. Told about once a second.
    fn alive(&self) {}

    /// What the agent does, in a few words without names of people or orders. It may be told again and
    /// again.
    fn doing(&self, _what: &str) {}

    /// The agent ends what it does, which may take so long.
    fn stopping(&self, _up_to: Duration) {}
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {}

/// Resolves when the program is to end. It needs a tokio runtime with time and signals around it.
pub type Stop = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What happens to the PC, as far as whoever runs the program tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// It woke up from sleep.
    WokeUp,
}

/// Events as they come. Nobody tells any once the other end is gone.
pub type Events = mpsc::UnboundedReceiver<Event>;

/// What the program's body gets from whoever runs it.
pub struct Hosted {
    /// Is told how the program fares.
    pub host: Arc<dyn Host>,
    /// When to end.
    pub stop: Stop,
    /// What happens to the PC.
    pub events: Events,
    /// Whether a service manager runs the program: nobody watches a terminal, and the current folder
    /// means nothing.
    pub is_service: bool,
}

/// How the program ended, for a service manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The exit status: 0 is well.
    pub code: u8,
    /// Why, if it did not end well.
    pub reason: Option<String>,
}

/// Runs the program's body for whoever started the process: Windows' service manager, systemd, or a
/// person at a console. `judge` says of the body's result how the program ended.
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
        // Systemd learns the result from the exit status.
        drop(judge);
        body(systemd::hosted().unwrap_or_else(console::hosted))
    }
}

/// A channel that nothing comes through.
fn no_events() -> Events {
    mpsc::unbounded_channel().1
}
