//! Makes the content of notifications durable: the prescriptions they name, or that something
//! changed.

use super::{Store, StoreError};
use casedrop_model::ids::{AccountId, LabName, OrderKey};
use casedrop_model::notification::{Mention, Named, Noted};
use casedrop_model::time::WallMs;

impl Store {
    /// Records what notifications say in one transaction: each prescription they name, including by
    /// the number of an order known here; for everything else, a request to poll the labs concerned
    /// as soon as allowed.
    pub fn mention(
        &self,
        labs: &[(LabName, AccountId)],
        mentions: &[Mention],
        now: WallMs,
    ) -> Result<Vec<Noted>, StoreError> {
        self.atomically(|store| {
            mentions.iter().map(|mention| store.mention_one(labs, mention, now)).collect()
        })
    }

    fn mention_one(
        &self,
        labs: &[(LabName, AccountId)],
        mention: &Mention,
        now: WallMs,
    ) -> Result<Noted, StoreError> {
        let (account, order) = match mention {
            Mention::Rx(named) => {
                let noted = self.notify(labs, std::slice::from_ref(named), now)?;
                return Ok(noted.into_iter().next().unwrap_or(Noted::Nobodys));
            }
            Mention::Order { account, order } => (account, Some(order)),
            Mention::Unclear { account } => (account, None),
        };
        let fits = |own: &AccountId| account.as_ref().is_none_or(|other| other == own);
        let concerned: Vec<_> = labs.iter().filter(|(_, own)| fits(own)).collect();
        for (lab, account) in &concerned {
            let Some(order) = order.cloned() else { break };
            let key = OrderKey { lab: lab.clone(), account: account.clone(), order };
            if let Some(rx) = self.order(&key)?.and_then(|known| known.remote.rx_id) {
                let named = Named { account: Some(account.clone()), rx };
                let of_lab = [(lab.clone(), account.clone())];
                let noted = self.notify(&of_lab, &[named], now)?;
                return Ok(noted.into_iter().next().unwrap_or(Noted::Nobodys));
            }
        }
        let mut noted = if concerned.is_empty() { Noted::Nobodys } else { Noted::Again };
        for (lab, _) in concerned {
            if self.want_poll(lab.as_str(), now)? {
                noted = Noted::New;
            }
        }
        Ok(noted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casedrop_model::order::{RemoteOrder, Status};
    use casedrop_model::record::OrderRecord;

    fn labs() -> Vec<(LabName, AccountId)> {
        [("one", "1"), ("other", "2")]
            .map(|(lab, account)| (lab.parse().expect("valid"), account.parse().expect("valid")))
            .to_vec()
    }

    #[test]
    fn an_order_is_looked_up_and_whatever_else_is_said_becomes_a_wish_for_a_poll() {
        let store = Store::in_memory().expect("journal");
        let (lab, account) = labs().remove(0);
        let key = OrderKey { lab, account, order: "17".parse().expect("valid") };
        let rx = Some("rx-17".parse().expect("valid"));
        let remote =
            RemoteOrder { rx_id: rx, ..RemoteOrder::new(key.order.clone(), Status::Ready) };
        store.save(&OrderRecord::new(key, remote, WallMs(1))).expect("saved");
        let order = |id: &str| Mention::Order { account: None, order: id.parse().expect("valid") };
        let say = |mention| {
            let noted = store.mention(&labs(), &[mention], WallMs(5)).expect("recorded");
            (noted[0], store.polls_wanted().expect("read").join(" "))
        };
        assert_eq!(say(order("17")), (Noted::New, String::new()));
        assert_eq!(store.notified(9).expect("read")[0].rx.as_str(), "rx-17");
        assert_eq!(store.notified_count().expect("read"), 1, "for the lab that has the order");
        let unclear = |account: Option<&str>| Mention::Unclear {
            account: account.map(|account| account.parse().expect("valid")),
        };
        assert_eq!(say(unclear(Some("3"))), (Noted::Nobodys, String::new()));
        assert_eq!(say(unclear(Some("2"))), (Noted::New, "other".to_owned()));
        assert_eq!(say(order("18")), (Noted::New, "one other".to_owned()), "nobody knows it");
        assert_eq!(say(unclear(None)).0, Noted::Again, "and is written once");
        assert_eq!(
            store.mention(&[], &[unclear(None)], WallMs(5)).expect("read"),
            [Noted::Nobodys]
        );
    }
}
