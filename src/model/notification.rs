//! What a scan notification says. Pure.

use super::ids::{AccountId, RxId};

/// One order that a notification names: its scan is ready, or its files changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// Whose; `None` where the notification does not say.
    pub account: Option<AccountId>,
    /// Which prescription.
    pub rx: RxId,
}
