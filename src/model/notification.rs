//! What scan notifications say, and what became of them. Pure.

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, RxId};
use super::time::WallMs;

/// One order that a notification names: its scan is ready, or its files changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// Whose; `None` where the notification does not say.
    pub account: Option<AccountId>,
    /// Which prescription.
    pub rx: RxId,
}

/// What became of one name in a notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It is recorded.
    New,
    /// It was recorded before, and nothing followed from it yet.
    Again,
    /// No lab has that account.
    Nobodys,
}

/// What the listener counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Received {
    /// Orders named by notifications.
    pub received: u64,
    /// Of these, those that a waiting notification named already.
    pub duplicates: u64,
    /// Of these, those of accounts that no lab is paired with.
    pub refused: u64,
    /// Notifications that name no order.
    pub unreadable: u64,
    /// Calls of other paths than the secret one.
    pub elsewhere: u64,
    /// Notifications that were not taken, since the journal could not be written.
    pub turned_away: u64,
    /// When the last one was recorded.
    pub last: Option<WallMs>,
}

impl Received {
    /// The count of what was noted now.
    pub fn of(noted: &[Noted], now: WallMs) -> Self {
        let count = |wanted| noted.iter().filter(|noted| **noted == wanted).count() as u64;
        let refused = count(Noted::Nobodys);
        let received = noted.len() as u64;
        Self {
            received,
            duplicates: count(Noted::Again),
            refused,
            last: (received > refused).then_some(now),
            ..Self::default()
        }
    }

    /// Adds what another count holds.
    pub fn add(&mut self, more: &Self) {
        self.received += more.received;
        self.duplicates += more.duplicates;
        self.refused += more.refused;
        self.unreadable += more.unreadable;
        self.elsewhere += more.elsewhere;
        self.turned_away += more.turned_away;
        self.last = self.last.max(more.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let mut sum = Received::of(&[Noted::New, Noted::Again, Noted::Nobodys], WallMs(5));
        assert_eq!((sum.received, sum.duplicates, sum.refused), (3, 1, 1));
        let more = Received::of(&[Noted::Nobodys], WallMs(9));
        assert_eq!(more.last, None, "nothing was recorded");
        sum.add(&more);
        assert_eq!((sum.received, sum.refused, sum.last), (4, 2, Some(WallMs(5))));
    }
}
