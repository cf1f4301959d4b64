//! What scan notifications say, and what became of them. Pure.

use serde::{Deserialize, Serialize};

use super::ids::{AccountId, OrderId, RxId};
use super::time::WallMs;

/// One order that a notification names: its scan is ready, or its files changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// Whose; `None` where the notification does not say.
    pub account: Option<AccountId>,
    /// Which prescription.
    pub rx: RxId,
}

/// One thing that a notification says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mention {
    /// It names a prescription.
    Rx(Named),
    /// It names an order by its own number only.
    Order {
        /// Whose; `None` where the notification does not say.
        account: Option<AccountId>,
        /// Which order.
        order: OrderId,
    },
    /// Something changed. What, it does not say in a way that can be read.
    Unclear {
        /// Whose; `None` where the notification does not say.
        account: Option<AccountId>,
    },
}

/// What a notification says, as far as it can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// All that it mentions. Never empty: that it came means that something changed.
    pub mentions: Vec<Mention>,
    /// Why no order could be read in it, without any of its content.
    pub unreadable: Option<String>,
}

impl Reading {
    /// Nothing can be read but, perhaps, whose it is.
    pub fn unclear(account: Option<AccountId>, why: impl Into<String>) -> Self {
        Self { mentions: vec![Mention::Unclear { account }], unreadable: Some(why.into()) }
    }
}

/// What became of one mention in a notification.
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
    /// Notifications in which no order could be read: Align is asked for its list because of them.
    pub unreadable: u64,
    /// Calls of other paths than the secret one.
    pub elsewhere: u64,
    /// Notifications that were not taken, since the journal could not be written.
    pub turned_away: u64,
    /// When the last one was recorded.
    pub last: Option<WallMs>,
}

impl Received {
    /// The count of what was noted now. Notifications that name no order are counted where they are
    /// read, and only their time counts here.
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
