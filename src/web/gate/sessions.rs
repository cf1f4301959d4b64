//! The visitors' sessions, in memory: bounded in number and time.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// An idle session ends after this long.
const IDLE: Duration = Duration::from_hours(12);
/// A session ends after this long in any case.
const OLDEST: Duration = Duration::from_hours(7 * 24);
/// Maximum number of sessions. Those that are not signed in make room first.
const MOST: usize = 1000;

/// All sessions, by the digest of their id: the time of a lookup reveals nothing about the ids.
#[derive(Default)]
pub(super) struct Sessions(BTreeMap<[u8; 32], Session>);

struct Session {
    began: Duration,
    used: Duration,
    signed_in: bool,
    /// Whether the set-up code was entered in it.
    sets_up: bool,
}

impl Session {
    fn has_ended(&self, now: Duration) -> bool {
        now.saturating_sub(self.used) >= IDLE || now.saturating_sub(self.began) >= OLDEST
    }
}

impl Sessions {
    /// Starts a session. The id must be unguessable.
    pub(super) fn begin(&mut self, id: &str, signed_in: bool, sets_up: bool, now: Duration) {
        if self.0.len() >= MOST {
            self.0.retain(|_, session| !session.has_ended(now));
        }
        while self.0.len() >= MOST {
            let least =
                self.0.iter().min_by_key(|(_, one)| (one.signed_in || one.sets_up, one.used));
            let Some(least) = least.map(|(key, _)| *key) else { break };
            self.0.remove(&least);
        }
        self.0.insert(key(id), Session { began: now, used: now, signed_in, sets_up });
    }

    /// Uses a session. Returns whether its visitor is signed in; `None` if there is no such
    /// session.
    pub(super) fn touch(&mut self, id: &str, now: Duration) -> Option<bool> {
        let session = self.0.get_mut(&key(id))?;
        if session.has_ended(now) {
            self.end(id);
            return None;
        }
        session.used = now;
        Some(session.signed_in)
    }

    /// Whether a visitor is signed in with that session; does not count as use.
    pub(super) fn is_signed_in(&self, id: &str, now: Duration) -> bool {
        self.0.get(&key(id)).is_some_and(|session| session.signed_in && !session.has_ended(now))
    }

    /// Whether the set-up code was entered in that session; does not count as use.
    pub(super) fn sets_up(&self, id: &str, now: Duration) -> bool {
        self.0.get(&key(id)).is_some_and(|session| session.sets_up && !session.has_ended(now))
    }

    pub(super) fn end(&mut self, id: &str) {
        self.0.remove(&key(id));
    }
}

fn key(id: &str) -> [u8; 32] {
    Sha256::digest(id.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn a_session_ends_when_nobody_uses_it_and_after_a_week_in_any_case() {
        let mut sessions = Sessions::default();
        sessions.begin("a", true, false, HOUR);
        assert_eq!(sessions.touch("a", HOUR * 12), Some(true));
        assert!(sessions.is_signed_in("a", HOUR * 23));
        assert!(!sessions.is_signed_in("a", HOUR * 24), "a look is no use");
        assert_eq!(sessions.touch("a", HOUR * 24), None);
        assert_eq!(sessions.touch("a", HOUR * 12), None, "it is gone for good");
        sessions.begin("b", false, false, HOUR);
        let used = (0..20).map_while(|times| sessions.touch("b", HOUR * (1 + 11 * times)));
        assert_eq!(used.count(), 16, "165 hours are less than a week, 176 are more");
    }

    #[test]
    fn strangers_do_not_push_out_who_is_signed_in() {
        let mut sessions = Sessions::default();
        sessions.begin("in", true, false, Duration::ZERO);
        sessions.begin("stranger", false, false, HOUR);
        for number in 0..MOST * 2 {
            sessions.begin(&number.to_string(), false, false, HOUR * 2);
        }
        assert_eq!(sessions.0.len(), MOST);
        assert_eq!(sessions.touch("in", HOUR * 2), Some(true));
        assert_eq!(sessions.touch("stranger", HOUR * 2), None, "the oldest went first");
        sessions.begin("other", true, false, HOUR * 2);
        for number in 0..MOST {
            sessions.begin(&format!("in {number}"), true, false, HOUR * 3);
        }
        assert_eq!((sessions.0.len(), sessions.touch("in", HOUR * 3)), (MOST, None));
    }

    #[test]
    fn where_the_code_was_entered_is_as_good_as_signed_in() {
        let mut sessions = Sessions::default();
        sessions.begin("staff", false, true, Duration::ZERO);
        for number in 0..MOST * 2 {
            sessions.begin(&number.to_string(), false, false, HOUR);
        }
        assert!(sessions.sets_up("staff", HOUR) && !sessions.is_signed_in("staff", HOUR));
        assert!(!sessions.sets_up("7", HOUR), "a stranger");
        assert!(!sessions.sets_up("staff", HOUR * 12), "nobody used it");
    }

    #[test]
    fn who_signs_out_is_out() {
        let mut sessions = Sessions::default();
        sessions.begin("a", true, false, HOUR);
        sessions.begin("b", true, false, HOUR);
        sessions.end("a");
        assert_eq!((sessions.touch("a", HOUR), sessions.touch("b", HOUR)), (None, Some(true)));
    }
}
