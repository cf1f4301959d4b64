//! Whether the agent is alive and able to do its job, for monitoring and the status page. Decided
//! from the status snapshot alone.

use std::time::Duration;

use serde::Serialize;

use super::reasons::{Look, Reason, Severity};
use super::report::{LabState, Status};
use crate::model::time::WallMs;

/// The agent's loop counts as stuck after this long without a heartbeat. Systemd and the update
/// keeper have timeouts of their own.
pub const STUCK_AFTER: Duration = Duration::from_secs(60);
/// A lab may go this many poll intervals without a good poll.
pub const MISSED_POLLS: u32 = 5;
/// Lower bound of that time: a short outage needs no attention.
pub const LEAST_PATIENCE: Duration = Duration::from_mins(15);

/// The agent's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Whether the agent sends heartbeats. If not, restart it.
    pub live: bool,
    /// Whether it can do its job now: the journal can be read and written; the output is there,
    /// answers and has room; and at least one lab is polled, or paused on purpose.
    pub ready: bool,
    /// The highest severity among the reasons; `null` if there are none.
    pub worst: Option<Severity>,
    /// Most severe first.
    pub reasons: Vec<Reason>,
}

impl Health {
    /// The HTTP status of `/health/live`: 200 or 503.
    pub fn live_code(&self) -> u16 {
        code(self.live)
    }

    /// The HTTP status of `/health` and `/health/ready`: 200 or 503. Warnings alone do not affect
    /// it.
    pub fn ready_code(&self) -> u16 {
        code(self.live && self.ready)
    }
}

fn code(is_well: bool) -> u16 {
    if is_well { 200 } else { 503 }
}

/// Whether a loop with its last heartbeat that long ago is still running. Before the first
/// heartbeat it counts as live.
pub fn is_live(last_beat: Option<Duration>) -> bool {
    last_beat.is_none_or(|ago| ago <= STUCK_AFTER)
}

/// How long a lab may go without a good poll: [`MISSED_POLLS`] intervals, at least
/// [`LEAST_PATIENCE`].
pub fn patience(status: &Status) -> Duration {
    let interval = Duration::from_secs(status.poll_interval);
    interval.saturating_mul(MISSED_POLLS).max(LEAST_PATIENCE)
}

/// Derives the agent's health from its status; `now` is this PC's clock.
pub fn health(status: &Status, now: WallMs) -> Health {
    let live = status.agent.running && is_live(status.agent.silent.map(Duration::from_secs));
    let look = Look::new(status, now);
    let reasons = look.reasons();
    let works = status.labs.iter().any(|lab| match lab.state {
        LabState::Paused => true,
        LabState::Polling => !look.lacks_polls(lab),
        LabState::LoginNeeded | LabState::NotPaired | LabState::Unreachable | LabState::Waiting => {
            false
        }
    });
    let output = &status.output;
    let journal_works = status.fault.is_none() && status.journal.is_none();
    let output_works = output.waits.is_none() && !output.hangs() && !output.is_full();
    let ready = live && works && journal_works && output_works;
    Health { live, ready, worst: reasons.first().map(|reason| reason.severity), reasons }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
