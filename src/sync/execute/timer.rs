//! How an executor measures and passes time, where what it does has a deadline.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// A clock that only goes on, and a way to wait. Tests and simulations bring their own.
#[derive(Debug, Clone, Copy)]
pub struct Timer {
    /// Time since some moment.
    pub now: fn() -> Duration,
    /// Lets so much time pass.
    pub sleep: fn(Duration),
}

impl Timer {
    /// This computer's.
    pub fn real() -> Self {
        Self { now: since_first_asked, sleep: std::thread::sleep }
    }
}

fn since_first_asked() -> Duration {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed()
}
