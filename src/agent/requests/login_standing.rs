//! The state of a lab's login, as callers see it.

use serde::Serialize;
use serde_json::Value;

use crate::model::ids::{AccountId, LabName};

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
