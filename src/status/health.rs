//! Whether the agent lives and can do its job, for programs that watch it and for the page: from the
//! picture alone.

use std::time::Duration;

use serde::Serialize;

use super::reasons::{Look, Reason, Severity};
use super::report::{LabState, Status};
use crate::model::time::WallMs;

/// Without a sign of life for so long the agent's loop is stuck. Systemd and the keeper of an update
/// have a patience of their own.
pub const STUCK_AFTER: Duration = Duration::from_secs(60);
/// So many intervals may pass without a good poll.
pub const MISSED_POLLS: u32 = 5;
/// But so much time at the least: a short outage is nobody's business.
pub const LEAST_PATIENCE: Duration = Duration::from_mins(15);

/// How the agent fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Whether it gives signs of life. If not, start it anew.
    pub live: bool,
    /// Whether it can do its job now: the journal can be read and written, the output is there, answers and has room, and
    /// at least one lab is polled, or rests because somebody wanted that.
    pub ready: bool,
    /// The gravest of the reasons; `null`: nobody need do anything or know anything.
    pub worst: Option<Severity>,
    /// What there is to know, the gravest first.
    pub reasons: Vec<Reason>,
}

impl Health {
    /// The HTTP status for `/health/live`: 200 or 503.
    pub fn live_code(&self) -> u16 {
        code(self.live)
    }

    /// The HTTP status for `/health` and `/health/ready`: 200 or 503. Warnings alone change nothing
    /// in it.
    pub fn ready_code(&self) -> u16 {
        code(self.live && self.ready)
    }
}

fn code(is_well: bool) -> u16 {
    if is_well { 200 } else { 503 }
}

/// Whether a loop that gave its last sign of life so long ago goes round. Before its first one it has
/// the benefit of the doubt.
pub fn is_live(last_beat: Option<Duration>) -> bool {
    last_beat.is_none_or(|ago| ago <= STUCK_AFTER)
}

/// How long a lab may be without a good poll: [`MISSED_POLLS`] intervals, at least [`LEAST_PATIENCE`].
pub fn patience(status: &Status) -> Duration {
    let interval = Duration::from_secs(status.poll_interval);
    interval.saturating_mul(MISSED_POLLS).max(LEAST_PATIENCE)
}

/// How the agent fares, by its picture; `now` is the time by this PC's clock.
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
