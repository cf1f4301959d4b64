//! The state of a lab's login, for callers that wait for one in progress.

use std::sync::PoisonError;

use serde::Serialize;
use serde_json::Value;

use super::RequestHandler;
use crate::model::fault::Fault;
use crate::model::ids::{AccountId, LabName};
use crate::model::request::Reply;
use crate::model::time::WallMs;

/// The state of a lab's login.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LoginStanding {
    pub lab: LabName,
    #[serde(flatten)]
    pub state: LoginState,
    /// The last problem, if nothing has succeeded since.
    pub trouble: Option<LoginTrouble>,
}

/// The progress of a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum LoginState {
    /// No one is logged in, and no login was started.
    LoggedOut,
    /// A login was started and waits for the user with the browser.
    Waiting {
        /// The link to open.
        login_url: String,
        /// When it expires: RFC 3339, UTC.
        until: String,
        /// Whether the browser returns to the agent. If not, the user brings back the address.
        finishes_by_itself: bool,
    },
    /// Logged in, but not paired with an account.
    LoggedIn,
    Paired {
        account: AccountId,
        /// The account's name at Align, if reported.
        name: Option<String>,
    },
}

/// What went wrong with a login.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LoginTrouble {
    /// What happened, if the login or the pairing failed.
    pub message: Option<String>,
    /// What the user can do about it.
    pub next: Option<String>,
    /// The same for programs, such as the accounts to choose from.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
    /// Why the agent cannot wait for the browser at the moment, such as a port in use. Retried
    /// continuously.
    pub cannot_wait: Option<String>,
}

impl RequestHandler {
    /// Returns the state of the named lab's login, without contacting Align.
    ///
    /// # Errors
    /// There is no such lab, or its login cannot be read.
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
        // Any earlier problem is over.
        let is_over = matches!(state, LoginState::Paired { .. });
        let trouble = troubles.get(&lab).filter(|_| !is_over).cloned();
        Ok(LoginStanding { lab, state, trouble })
    }

    /// Records the outcome of a login that was started: what failed, or `None` while it goes well.
    pub(in crate::agent) fn login_went(&self, lab: &LabName, failed: Option<Reply>) {
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

    /// Records why no one can wait for the browser, or `None` if someone can.
    pub(in crate::agent) fn login_cannot_be_waited_for(&self, lab: &LabName, why: Option<String>) {
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
