//! How it stands with a lab's login, for whoever waits for one that was begun.

use std::sync::PoisonError;

use serde::Serialize;
use serde_json::Value;

use super::AgentDesk;
use crate::model::fault::Fault;
use crate::model::ids::{AccountId, LabName};
use crate::model::request::Reply;
use crate::model::time::WallMs;

/// How it stands with a lab's login.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoginStanding {
    /// Which lab.
    pub lab: LabName,
    /// How far it is.
    #[serde(flatten)]
    pub state: LoginState,
    /// What went wrong last, if nothing went well since.
    pub trouble: Option<LoginTrouble>,
}

/// How far a login is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum LoginState {
    /// Nobody is logged in, and no login was begun.
    LoggedOut,
    /// A login was begun and waits for the person with the browser.
    Waiting {
        /// The link to open.
        login_url: String,
        /// Until when it is good: RFC 3339, UTC.
        until: String,
        /// Whether the browser comes back to the agent. If not, the person brings the address back.
        finishes_by_itself: bool,
    },
    /// Somebody is logged in, and the lab is paired with no account.
    LoggedIn,
    /// All is done.
    Paired {
        /// With which account.
        account: AccountId,
        /// Its name at Align, if it told one.
        name: Option<String>,
    },
}

/// What went wrong with a login.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LoginTrouble {
    /// What happened, if the login or the pairing failed.
    pub message: Option<String>,
    /// What a person can do about it.
    pub next: Option<String>,
    /// The same for programs, such as the accounts to choose from.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
    /// Why nobody can wait for the browser at this moment, such as a port that is taken. It is tried
    /// again all the time.
    pub cannot_wait: Option<String>,
}

impl AgentDesk {
    /// How it stands with the login of the lab of that name. Asks nothing of Align.
    ///
    /// # Errors
    /// There is no such lab, or its login cannot be looked for.
    pub fn login_standing(&self, lab: &str) -> Result<LoginStanding, Fault> {
        let lab = self.lab(lab)?.name.clone();
        let client = self.labs.client(&lab)?;
        let state = match (client.pending_login()?, client.paired()) {
            (Some(pending), _) => {
                let until = pending.until.duration_since(std::time::UNIX_EPOCH);
                LoginState::Waiting {
                    login_url: pending.request.url().to_string(),
                    until: WallMs(0).plus(until.unwrap_or_default()).to_rfc3339(),
                    finishes_by_itself: pending.request.returns_here() && self.live.is_some(),
                }
            }
            (None, Ok(Some(account))) => {
                LoginState::Paired { account: account.id, name: account.name }
            }
            (None, Ok(None)) => LoginState::LoggedIn,
            (None, Err(_)) => LoginState::LoggedOut,
        };
        let troubles = self.login_troubles.lock().unwrap_or_else(PoisonError::into_inner);
        // Whatever was wrong before, it is over.
        let is_over = matches!(state, LoginState::Paired { .. });
        let trouble = troubles.get(&lab).filter(|_| !is_over).cloned();
        Ok(LoginStanding { lab, state, trouble })
    }

    /// Remembers how a login that was begun went: what failed, or `None` where it goes well so far.
    pub(in crate::app) fn login_went(&self, lab: &LabName, failed: Option<Reply>) {
        self.trouble(lab, |trouble| {
            let cannot_wait = trouble.cannot_wait.take();
            *trouble = match failed {
                Some(Reply { message, next, details, .. }) => {
                    LoginTrouble { message: Some(message), next, details, cannot_wait }
                }
                None => LoginTrouble { cannot_wait, ..LoginTrouble::default() },
            };
        });
    }

    /// Remembers why nobody can wait for the browser, or that somebody can.
    pub(in crate::app) fn login_cannot_be_waited_for(&self, lab: &LabName, why: Option<String>) {
        self.trouble(lab, |trouble| trouble.cannot_wait = why);
    }

    fn trouble(&self, lab: &LabName, change: impl FnOnce(&mut LoginTrouble)) {
        let mut troubles = self.login_troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let mut trouble = troubles.remove(lab).unwrap_or_default();
        change(&mut trouble);
        if trouble != LoginTrouble::default() {
            troubles.insert(lab.clone(), trouble);
        }
    }
}
