//! Pairing and un-pairing.

use serde_json::json;

use super::names::refused;
use super::{AgentDesk, Task};
use crate::align::Account;
use crate::audit::{Deed, Entry};
use crate::model::cancel::Cancel;
use crate::model::fault::Fault;
use crate::model::ids::AccountId;
use crate::model::request::{Outcome, Reply, Text};

impl AgentDesk {
    pub(super) fn pair(
        &self,
        task: &Task<'_>,
        lab: Option<&str>,
        account: Option<&AccountId>,
        code: Option<&Text>,
    ) -> Result<Reply, Fault> {
        let lab = match self.the_lab(lab) {
            Ok(lab) => lab,
            Err(fault) => return refused(fault),
        };
        if code.is_some() {
            let text = format!("nothing was done: no login of lab {} waits for a code", lab.name);
            return Ok(Reply::new(Outcome::Refused, text)
                .next(format!("run `casedrop login {}`", lab.name)));
        }
        let client = self.labs.client(&lab.name)?;
        let accounts = match client.accounts(&Cancel::new()) {
            Ok(accounts) => accounts,
            Err(fault) => return Ok(fault.into()),
        };
        let account = match choose(lab.name.as_str(), &accounts, account.or(lab.account.as_ref())) {
            Ok(account) => account,
            Err(reply) => return Ok(*reply),
        };
        let entry = |mark| {
            let entry = Entry::new((self.now)().wall, task.who.clone(), Deed::Pair, mark);
            entry.lab(&lab.name).account(&account.id)
        };
        let call = || {
            client.pair(account, None, &Cancel::new())?;
            let text = format!("Lab {} is paired with {}.", lab.name, describe(account));
            let details =
                json!({ "lab": lab.name, "account": { "id": account.id, "name": account.name } });
            Ok(Reply::new(Outcome::Done, text).details(details))
        };
        let what = format!("pair {} with {}", lab.name, account.id);
        self.beyond(task, &what, entry, call, |_, _| Ok(()))
    }

    pub(super) fn unpair(
        &self,
        task: &Task<'_>,
        lab: Option<&str>,
        account: &AccountId,
        confirm: Option<&AccountId>,
    ) -> Result<Reply, Fault> {
        let lab = match self.the_lab(lab) {
            Ok(lab) => lab,
            Err(fault) => return refused(fault),
        };
        if confirm != Some(account) {
            let why =
                if confirm.is_some() { " (the confirmation names another account)" } else { "" };
            let text = format!(
                "nothing was done{why}: un-pairing account {account} would disconnect every user of \
                 that account, on all PCs, and end its notifications"
            );
            return Ok(Reply::new(Outcome::Refused, text).next(format!(
                "if you want that, ask again and confirm with {account}: `casedrop unpair {} \
                 {account} --confirm {account}`",
                lab.name
            )));
        }
        let client = self.labs.client(&lab.name)?;
        let entry = |mark| {
            let entry = Entry::new((self.now)().wall, task.who.clone(), Deed::Unpair, mark);
            entry.lab(&lab.name).account(account)
        };
        let call = || {
            client.unpair(account, &Cancel::new())?;
            let text = format!("Account {account} is un-paired, for all of its users.");
            Ok(Reply::new(Outcome::Done, text)
                .details(json!({ "lab": lab.name, "account": account, "unpaired": true })))
        };
        let what = format!("un-pair {account} of {}", lab.name);
        self.beyond(task, &what, entry, call, |_, _| Ok(()))
    }
}

/// The account to pair with.
fn choose<'a>(
    lab: &str,
    accounts: &'a [Account],
    wanted: Option<&AccountId>,
) -> Result<&'a Account, Box<Reply>> {
    let text = match (wanted, accounts) {
        (None, [only]) => return Ok(only),
        (Some(wanted), _) => match accounts.iter().find(|account| account.id == *wanted) {
            Some(account) => return Ok(account),
            None => format!("the login of lab {lab} has no account {wanted}"),
        },
        (None, []) => format!("Align lists no account for the login of lab {lab}"),
        (None, _) => format!("the login of lab {lab} has {} accounts", accounts.len()),
    };
    let mut next = "log in with a user that belongs to the lab's account".to_owned();
    if !accounts.is_empty() {
        let accounts: Vec<_> = accounts.iter().map(describe).collect();
        next =
            format!("name one of these: `casedrop pair LAB ACCOUNT`\n  {}", accounts.join("\n  "));
    }
    Err(Box::new(Reply::new(Outcome::Refused, text).next(next)))
}

fn describe(account: &Account) -> String {
    let parts = [Some(account.id.as_str()), account.name.as_deref(), account.kind.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}
