//! Who runs the agent: a console, systemd, Windows' service manager, or the keeper that tries out a new
//! version. Each of them wants to know how the agent fares, in a language of its own.

pub mod eventlog;

use std::time::Duration;

/// Somebody who runs the agent and is told how it fares. Calls return at once.
pub trait Host: Send + Sync {
    /// The agent runs: it has its locks, and works or waits for what it needs. Told once.
    fn ready(&self) {}

    /// Whether the agent has journal and engine at work. It may be told again and again.
    fn at_work(&self, _is: bool) {}

    /// The loop that decides everything goes round. Told about once a second.
    fn alive(&self) {}

    /// The agent ends what it does, which may take so long.
    fn stopping(&self, _up_to: Duration) {}
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {}
