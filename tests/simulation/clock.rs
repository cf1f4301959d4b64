//! Three clocks: the true time, what the PC's clock says, and the time since the PC started.

use std::time::Duration;

use casedrop::model::time::{Now, WallMs};

/// 2026-01-01, where every run begins.
const BEGIN: i64 = 1_767_225_600_000;

/// All of them, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// True time; it only goes on.
    pub now: u64,
    /// When the PC started, in true time.
    boot: u64,
    /// How wrong the PC's clock is.
    wrong: i64,
}

impl Clock {
    /// A PC that has run for a while, with a clock that is right.
    pub fn new() -> Self {
        Self { now: 1_000_000, boot: 0, wrong: 0 }
    }

    /// What the agent is told.
    pub fn told(&self) -> Now {
        let wall = BEGIN + i64::try_from(self.now).unwrap_or(i64::MAX) + self.wrong;
        Now { wall: WallMs(wall), mono: Duration::from_millis(self.now.saturating_sub(self.boot)) }
    }

    /// The true time at which the time since the start is so long.
    pub fn when(&self, mono: Duration) -> u64 {
        // Not a moment too early: the agent would find that it has nothing to do.
        self.boot + u64::try_from(mono.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// Somebody sets the PC's clock, or a time server does.
    pub fn step(&mut self, by: i64) {
        self.wrong += by;
    }

    /// The PC starts again; it is so old already when the agent starts.
    pub fn reboot(&mut self, at: u64, age: u64) {
        self.boot = at.saturating_sub(age);
    }
}
