//! Accounts of a login.

use casedrop_model::ids::AccountId;
use serde::Serialize;

/// An account that the login may be paired with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    pub id: AccountId,
    /// Its name, if Align sends it.
    pub name: Option<String>,
    /// For example `Lab`, if Align sends it.
    pub kind: Option<String>,
}
