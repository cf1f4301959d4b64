//! Pairing and unpairing.

use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::Url;

use super::login::needs_login;
use super::refusal::cannot_use;
use super::refusal::refused;
use super::{RequestHandler, Task};
use crate::agent::callback::callback_url;
use crate::align::{Account, AlignClient};
use crate::audit::{AuditEvent, Entry};
use crate::config::LabConfig;
use crate::journal::{Store, StoreError};
use crate::model::cancel::Cancel;
use crate::model::digest::hex;
use crate::model::fault::Fault;
use crate::model::ids::{AccountId, LabName};
use crate::model::request::{Outcome, Reply, Request, Requests as _, Text, Via, Who};

/// What the journal stores about a lab's pairing: enough to pair again automatically after a new
/// login, or if Align has the wrong callback URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Pairing {
    account: AccountId,
    /// The hash of the callback URL given to Align with it, if any.
    callback: Option<String>,
}

impl RequestHandler {
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
        let client = self.labs.client(&lab.name)?;
        let Some(code) = code else { return self.pair_now(task, lab, &client, account) };
        // The agent may have ended between login and pairing, or the browser may have been faster.
        let is_over = matches!(client.pending_login(), Ok(None)) && client.paired().is_ok();
        if is_over {
            return self.pair_now(task, lab, &client, account);
        }
        match self.end_login(task.who, lab, &client, code) {
            Ok(wanted) => self.pair_now(task, lab, &client, account.or(wanted.as_ref())),
            Err(reply) => Ok(*reply),
        }
    }

    fn pair_now(
        &self,
        task: &Task<'_>,
        lab: &LabConfig,
        client: &AlignClient,
        account: Option<&AccountId>,
    ) -> Result<Reply, Fault> {
        let accounts = match client.accounts(&Cancel::new()) {
            Ok(accounts) => accounts,
            Err(fault) if needs_login(&fault) => {
                return Ok(self.ask_for_login(task, lab, client, account, fault));
            }
            Err(fault) => return Ok(fault.into()),
        };
        let account = match choose(lab.name.as_str(), &accounts, account.or(lab.account.as_ref())) {
            Ok(account) => account,
            Err(reply) => return Ok(*reply),
        };
        let callback = match callback_url(&self.config, &**self.labs.secrets()) {
            Ok(callback) => callback,
            Err(fault) => return Ok(fault.into()),
        };
        let _turn = self.pairing.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = |mark| {
            let entry = Entry::new((self.now)().wall, task.who.clone(), AuditEvent::Pair, mark);
            entry.lab(&lab.name).account(&account.id)
        };
        let call = || {
            client.pair(account, callback.as_ref(), &Cancel::new())?;
            let text = match callback {
                Some(_) => "; Align sends its scan notifications to this PC",
                None => "",
            };
            let text = format!("Lab {} is paired with account {}{text}.", lab.name, named(account));
            let details = json!({ "lab": lab.name, "paired": true,
                "account": { "id": account.id, "name": account.name } });
            Ok(Reply::new(Outcome::Done, text).details(details))
        };
        let pairing =
            Pairing { account: account.id.clone(), callback: callback.as_ref().map(hash) };
        let what = format!("pair {} with {}", lab.name, account.id);
        self.beyond(task, &what, entry, call, |store, _| {
            store.settle_login(lab.name.as_str())?;
            pairing.remember(store, &lab.name)
        })
    }

    /// Pairs a lab again if the agent can do so on its own and it is needed: the lab was paired and
    /// someone logged in again, or Align has no callback URL or an outdated one. `None` if there
    /// was nothing to do.
    ///
    /// # Errors
    /// The journal or the secrets cannot be used now.
    pub fn pair_again(&self, lab: &LabName) -> Result<Option<Reply>, Fault> {
        // A caller that waits for another one's pairing finds it done.
        let _turn = self.pairing_again.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = self.called_for(lab)? else { return Ok(None) };
        let lab = Some(lab.to_string());
        let request = Request::Pair { lab, account: Some(account), code: None };
        let who = Who { user: None, via: Via::Agent };
        let id = crate::control::new_id()?;
        let reply = self.serve_once(&id, &request, &who)?;
        self.settled(&id)?;
        Ok(Some(reply))
    }

    /// Returns the account that a lab should be paired with again, if any.
    fn called_for(&self, name: &LabName) -> Result<Option<AccountId>, Fault> {
        let lab = self.lab(name.as_str())?;
        let client = self.labs.client(name)?;
        // Without a login there is nothing to pair.
        let Ok(paired) = client.paired() else { return Ok(None) };
        let known = self.journal.with(|store| Pairing::of(store, name)).map_err(cannot_use)?;
        let account = match (&paired, &known) {
            (Some(paired), _) => &paired.id,
            (None, Some(known)) => &known.account,
            (None, None) => return Ok(None),
        };
        if lab.account.as_ref().is_some_and(|wanted| wanted != account) {
            return Ok(None);
        }
        let callback = callback_url(&self.config, &**self.labs.secrets())?;
        let told = known.as_ref().filter(|known| known.account == *account);
        let told = told.and_then(|known| known.callback.clone());
        let is_due = paired.is_none() || callback.is_some_and(|url| told != Some(hash(&url)));
        Ok(is_due.then(|| account.clone()))
    }

    /// Returns the account that a lab was last paired with, unless it was unpaired or logged out
    /// since, or the config wants another one.
    pub fn account_of_former_pairing(&self, lab: &LabName) -> Option<AccountId> {
        let wanted = self.lab(lab.as_str()).ok()?.account.as_ref();
        let pairing = self.journal.look(|store| Pairing::of(store, lab)).ok()??;
        let account = pairing?.account;
        Some(account).filter(|account| wanted.is_none_or(|wanted| wanted == account))
    }

    /// Stores the account that a lab was paired with before a new login, so that it can be paired
    /// again whatever happens next.
    pub(super) fn remember_former(&self, lab: &LabName, account: &AccountId) {
        let kept = self.journal.with(|store| {
            if Pairing::of(store, lab)?.is_some_and(|known| known.account == *account) {
                return Ok(());
            }
            Pairing { account: account.clone(), callback: None }.remember(store, lab)
        });
        if let Err(error) = kept {
            tracing::warn!(%lab, "the pairing could not be stored: {}", error.chain());
        }
    }

    /// Forgets a lab's pairing, because a user ended it.
    pub(super) fn forget_pairing(&self, lab: &LabName) {
        let is_there =
            matches!(self.journal.look(|store| Pairing::of(store, lab)), Ok(Some(Some(_))));
        if is_there && let Err(error) = self.journal.with(|store| forget(store, lab)) {
            tracing::warn!(%lab, "the pairing could not be deleted: {}", error.chain());
        }
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
                if confirm.is_some() { " (the confirmation is for another account)" } else { "" };
            let text = format!(
                "nothing was done{why}: un-pairing account {account} would disconnect every user of \
                 that account, on all PCs, and end its notifications"
            );
            return Ok(Reply::new(Outcome::Refused, text).next(format!(
                "if that is what you want, ask again and confirm it with {account}: `casedrop \
                 unpair {} {account} --confirm {account}`",
                lab.name
            )));
        }
        let client = self.labs.client(&lab.name)?;
        // Prevents automatic pairing of what is being unpaired, now or after a crash in between.
        let _again = self.pairing_again.lock().unwrap_or_else(PoisonError::into_inner);
        let _turn = self.pairing.lock().unwrap_or_else(PoisonError::into_inner);
        let forgotten = self.journal.with(|store| match Pairing::of(store, &lab.name)? {
            Some(pairing) if pairing.account == *account => forget(store, &lab.name),
            _ => Ok(()),
        });
        forgotten.map_err(cannot_use)?;
        let entry = |mark| {
            let entry = Entry::new((self.now)().wall, task.who.clone(), AuditEvent::Unpair, mark);
            entry.lab(&lab.name).account(account)
        };
        let call = || {
            client.unpair(account, &Cancel::new())?;
            let text = format!("Account {account} is un-paired, for all its users.");
            Ok(Reply::new(Outcome::Done, text)
                .details(json!({ "lab": lab.name, "account": account, "unpaired": true })))
        };
        let what = format!("un-pair {account} of {}", lab.name);
        self.beyond(task, &what, entry, call, |_, _| Ok(()))
    }
}

impl Pairing {
    fn of(store: &Store, lab: &LabName) -> Result<Option<Self>, StoreError> {
        // An unreadable pairing counts as none: pairing again does no harm.
        Ok(store.fact(&fact(lab))?.and_then(|text| serde_json::from_str(&text).ok()))
    }

    fn remember(&self, store: &Store, lab: &LabName) -> Result<(), StoreError> {
        // Strings without keys of their own can always be serialized.
        store.set_fact(&fact(lab), &serde_json::to_string(self).unwrap_or_default())
    }
}

fn forget(store: &Store, lab: &LabName) -> Result<(), StoreError> {
    match store.fact(&fact(lab))? {
        None => Ok(()),
        Some(_) => store.set_fact(&fact(lab), ""),
    }
}

fn fact(lab: &LabName) -> String {
    format!("paired-with:{}", lab.as_str().to_lowercase())
}

/// The callback URL contains a secret, so only its hash is kept.
fn hash(url: &Url) -> String {
    hex(Sha256::new_with_prefix("casedrop callback\n").chain_update(url.as_str()).finalize())
}

/// Chooses the account to pair with.
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
        (None, []) => format!("Align lists no accounts for the login of lab {lab}"),
        (None, _) => format!("the login of lab {lab} has {} accounts", accounts.len()),
    };
    let mut next = "log in with a user that belongs to the lab's account".to_owned();
    if !accounts.is_empty() {
        let accounts: Vec<_> = accounts.iter().map(describe).collect();
        next = format!(
            "choose one of these: `casedrop pair LAB ACCOUNT`\n  {}",
            accounts.join("\n  ")
        );
    }
    let details = json!({ "lab": lab, "accounts": accounts });
    Err(Box::new(Reply::new(Outcome::Refused, text).next(next).details(details)))
}

/// The account in a sentence, such as `4711 (Smile Lab)`.
fn named(account: &Account) -> String {
    match account.name.as_deref().map(str::trim).filter(|name| !name.is_empty()) {
        Some(name) => format!("{} ({name})", account.id),
        None => account.id.to_string(),
    }
}

fn describe(account: &Account) -> String {
    let parts = [Some(account.id.as_str()), account.name.as_deref(), account.kind.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
