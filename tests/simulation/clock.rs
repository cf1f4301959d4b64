//! Three clocks: true time, the PC's clock, and the time since the PC started.

use std::time::Duration;

use casedrop::model::time::{Now, WallMs};

/// 2026-01-01, where every run begins.
const BEGIN: i64 = 1_767_225_600_000;

/// All three, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// True time; it never goes back.
    pub now: u64,
    /// When the PC started, in true time.
    boot: u64,
    /// Error of the PC's clock.
    wrong: i64,
}

impl Clock {
    /// A PC that has been running for some time, with a correct clock.
    pub fn new() -> Self {
        Self { now: 1_000_000, boot: 0, wrong: 0 }
    }

    /// The time as the agent sees it.
    pub fn told(&self) -> Now {
        let wall = BEGIN + i64::try_from(self.now).unwrap_or(i64::MAX) + self.wrong;
        Now { wall: WallMs(wall), mono: Duration::from_millis(self.now.saturating_sub(self.boot)) }
    }

    /// The true time at which the time since the start is `mono`.
    pub fn when(&self, mono: Duration) -> u64 {
        // Round up: any earlier, and the agent would find nothing to do.
        self.boot + u64::try_from(mono.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }

    /// The PC's clock is set, by a user or a time server.
    pub fn step(&mut self, by: i64) {
        self.wrong += by;
    }

    /// The PC restarts and has been up for `age` when the agent starts.
    pub fn reboot(&mut self, at: u64, age: u64) {
        self.boot = at.saturating_sub(age);
    }
}
