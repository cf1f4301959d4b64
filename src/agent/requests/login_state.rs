//! The state of a lab's login, for callers that wait for one in progress.

use std::sync::PoisonError;

use super::RequestHandler;
use super::login_standing::{LoginStanding, LoginState, LoginTrouble};
use crate::model::fault::Fault;
use crate::model::ids::LabName;
use crate::model::request::Reply;
use crate::model::time::WallMs;

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
