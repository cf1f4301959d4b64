//! Whether the agent is idle for the moment, which an update waits for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The driver's last report about the engine; `None` while no engine is running, as at first.
#[derive(Default)]
pub(super) struct IdleState(Mutex<Option<Told>>);

#[derive(Clone, Copy)]
struct Told {
    busy: bool,
    /// Time until something begins on its own.
    next: Option<Duration>,
}

impl IdleState {
    /// Records the driver's report: whether the engine has anything in flight, and when it begins
    /// something on its own.
    pub(super) fn tell(&self, busy: bool, next: Option<Duration>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Told { busy, next });
    }

    /// Records that no engine is running.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether no engine is running.
    pub(super) fn is_not_running(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Whether an engine is running that has nothing in flight and begins nothing on its own for at
    /// least that long.
    pub(super) fn is_idle(&self, at_least: Duration) -> bool {
        let told = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.is_some_and(|told| !told.busy && told.next.is_none_or(|next| next >= at_least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_quiet_when_nothing_is_under_way_and_nothing_begins_soon() {
        let idle = IdleState::default();
        let soon = Duration::from_secs(3);
        assert!(!idle.is_idle(Duration::ZERO) && idle.is_not_running(), "nobody said so");
        idle.tell(true, None);
        assert!(!idle.is_not_running());
        assert!(!idle.is_idle(Duration::ZERO));
        idle.tell(false, Some(Duration::from_secs(2)));
        assert!(!idle.is_idle(soon) && idle.is_idle(Duration::ZERO));
        idle.tell(false, Some(Duration::from_secs(100)));
        assert!(idle.is_idle(soon));
        idle.forget();
        assert!(!idle.is_idle(Duration::ZERO));
    }
}
