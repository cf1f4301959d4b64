//! How an executor measures and passes time for work with a deadline.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A monotonic clock and a way to wait. Tests and simulations supply their own.
#[derive(Debug, Clone, Copy)]
pub struct Timer {
    /// Time since an arbitrary fixed moment.
    pub now: fn() -> Duration,
    /// Blocks for this long.
    pub sleep: fn(Duration),
}

impl Timer {
    /// The real clock of this computer.
    pub fn real() -> Self {
        Self { now: since_first_asked, sleep: std::thread::sleep }
    }
}

fn since_first_asked() -> Duration {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed()
}
