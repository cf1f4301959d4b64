//! Whether the agent has nothing to do for a while: what an update waits for.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// What the driver last said of the engine. At first it is at work.
#[derive(Default)]
pub(super) struct Quiet(Mutex<Option<Told>>);

#[derive(Clone, Copy)]
struct Told {
    busy: bool,
    /// The time until something begins by itself.
    next: Option<Duration>,
}

impl Quiet {
    /// The driver goes round: whether the engine has anything under way, and in which time it begins
    /// something by itself.
    pub(super) fn tell(&self, busy: bool, next: Option<Duration>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Told { busy, next });
    }

    /// No engine is at work.
    pub(super) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether no engine is at work.
    pub(super) fn is_nobody_at_work(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Whether an engine is at work that has nothing under way, and begins nothing by itself for so
    /// long.
    pub(super) fn is_quiet(&self, at_least: Duration) -> bool {
        let told = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.is_some_and(|told| !told.busy && told.next.is_none_or(|next| next >= at_least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_quiet_when_nothing_is_under_way_and_nothing_begins_soon() {
        let quiet = Quiet::default();
        let soon = Duration::from_secs(3);
        assert!(!quiet.is_quiet(Duration::ZERO) && quiet.is_nobody_at_work(), "nobody said so");
        quiet.tell(true, None);
        assert!(!quiet.is_nobody_at_work());
        assert!(!quiet.is_quiet(Duration::ZERO));
        quiet.tell(false, Some(Duration::from_secs(2)));
        assert!(!quiet.is_quiet(soon) && quiet.is_quiet(Duration::ZERO));
        quiet.tell(false, Some(Duration::from_secs(100)));
        assert!(quiet.is_quiet(soon));
        quiet.forget();
        assert!(!quiet.is_quiet(Duration::ZERO));
    }
}
