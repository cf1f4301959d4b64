//! What scan notifications say, and what became of them. Pure.

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, OrderId, RxId};
use super::time::WallMs;

/// One order named by a notification: its scan is ready, or its files changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// `None` if the notification does not say.
    pub account: Option<AccountId>,
    pub rx: RxId,
}

/// One statement in a notification.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mention {
    /// It names a prescription.
    Rx(Named),
    /// It names an order only by its number.
    Order {
        /// `None` if the notification does not say.
        account: Option<AccountId>,
        order: OrderId,
    },
    /// Something changed, but what cannot be read from the notification.
    Unclear {
        /// `None` if the notification does not say.
        account: Option<AccountId>,
    },
}

/// What could be read from a notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Everything it mentions. Never empty: its arrival alone means that something changed.
    pub mentions: Vec<Mention>,
    /// Why no order could be read, without any of the content.
    pub unreadable: Option<String>,
}

impl Reading {
    /// Nothing could be read except, perhaps, the account.
    pub fn unclear(account: Option<AccountId>, why: impl Into<String>) -> Self {
        Self { mentions: vec![Mention::Unclear { account }], unreadable: Some(why.into()) }
    }
}

/// What became of one mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// It was recorded.
    New,
    /// It was already recorded and is still waiting to be processed.
    Again,
    /// No lab is paired with that account.
    Nobodys,
}

/// The listener's counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Received {
    /// Orders named by notifications.
    pub received: u64,
    /// Of these, orders already named by a waiting notification.
    pub duplicates: u64,
    /// Of these, orders of accounts no lab is paired with.
    pub refused: u64,
    /// Notifications in which no order could be read; each makes us fetch Align's list.
    pub unreadable: u64,
    /// Calls to paths other than the secret one.
    pub elsewhere: u64,
    /// Notifications turned away because the journal could not be written.
    pub turned_away: u64,
    /// When the last one was recorded.
    pub last: Option<WallMs>,
}

impl Received {
    /// Counts what was just recorded. Notifications that name no order are counted where they are
    /// read; here they only update the time.
    pub fn of(mentions: &[Mention], noted: &[Noted], now: WallMs) -> Self {
        let names = |mention: &Mention| !matches!(mention, Mention::Unclear { .. });
        let named: Vec<_> =
            mentions.iter().zip(noted).filter(|(mention, _)| names(mention)).collect();
        let count = |wanted| named.iter().filter(|(_, noted)| **noted == wanted).count() as u64;
        let refused = count(Noted::Nobodys);
        let received = named.len() as u64;
        Self {
            received,
            duplicates: count(Noted::Again),
            refused,
            last: noted.iter().any(|noted| *noted != Noted::Nobodys).then_some(now),
            ..Self::default()
        }
    }

    /// Adds another count to this one.
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
        let named = || {
            let rx = "1".parse().expect("valid");
            Mention::Rx(Named { account: None, rx })
        };
        let mentions = [named(), named(), named(), Mention::Unclear { account: None }];
        let noted = [Noted::New, Noted::Again, Noted::Nobodys, Noted::Again];
        let mut sum = Received::of(&mentions, &noted, WallMs(5));
        assert_eq!((sum.received, sum.duplicates, sum.refused), (3, 1, 1));
        let more = Received::of(&[named()], &[Noted::Nobodys], WallMs(9));
        assert_eq!(more.last, None, "nothing was recorded");
        sum.add(&more);
        assert_eq!((sum.received, sum.refused, sum.last), (4, 2, Some(WallMs(5))));
    }
}
