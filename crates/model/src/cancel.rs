//! A flag that asks long work to stop at its next safe point.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Shared between the work and anyone who may cancel it. Once set, it stays set.
#[derive(Debug, Clone, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    /// The flag of the larger piece of work that this one is part of.
    parent: Option<Arc<AtomicBool>>,
    deadline: Option<Deadline>,
}

/// When the work must end, on a clock chosen by its owner.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Duration,
    clock: fn() -> Duration,
}

impl Cancel {
    /// Creates a flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a flag for a part of the work: set together with this one, or on its own.
    #[must_use]
    pub fn child(&self) -> Self {
        debug_assert!(self.parent.is_none(), "parts have no parts");
        Self { flag: Arc::default(), parent: Some(Arc::clone(&self.flag)), deadline: self.deadline }
    }

    /// Returns the same flag with a deadline `at` on `clock` for one part of the work. The rest of
    /// the work is unaffected.
    #[must_use]
    pub fn by(&self, at: Duration, clock: fn() -> Duration) -> Self {
        Self { deadline: Some(Deadline { at, clock }), ..self.clone() }
    }

    /// Asks the work to stop.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::SeqCst);
    }

    /// Whether the work was asked to stop or its deadline has passed.
    pub fn is_cancelled(&self) -> bool {
        let is_set = |flag: &Arc<AtomicBool>| flag.load(Ordering::SeqCst);
        is_set(&self.flag)
            || self.parent.as_ref().is_some_and(is_set)
            || self.deadline.is_some_and(|deadline| (deadline.clock)() >= deadline.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_alone_or_with_the_whole() {
        let whole = Cancel::new();
        let (one, other) = (whole.child(), whole.child());
        one.cancel();
        assert!(one.is_cancelled() && !other.is_cancelled() && !whole.is_cancelled());
        whole.cancel();
        assert!(other.is_cancelled());
    }

    #[test]
    fn a_part_with_a_deadline_ends_then_or_with_the_whole() {
        let whole = Cancel::new();
        let part = whole.child();
        let over = part.by(Duration::from_secs(5), || Duration::from_secs(5));
        let open = part.by(Duration::from_secs(6), || Duration::from_secs(5));
        assert!(over.is_cancelled() && !open.is_cancelled() && !part.is_cancelled());
        whole.cancel();
        assert!(open.is_cancelled());
    }
}
