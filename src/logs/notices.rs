//! Notices as log lines.

use crate::model::fault::FaultClass;
use crate::model::notice::Notice;

/// The target of notices, which the user of a terminal sees anyway.
pub(super) const TARGET: &str = "casedrop::notice";

/// Writes a notice to the log, at the level that fits it.
pub fn log(notice: &Notice) {
    match notice {
        Notice::Failed { class: FaultClass::Cancelled, .. } => {}
        Notice::Failed { key, attention: true, .. } => {
            tracing::error!(target: TARGET, lab = %key.lab, order = %key.order, "{notice}");
        }
        Notice::Failed { key, .. } | Notice::LeftAlone { key, .. } | Notice::Held { key, .. } => {
            tracing::warn!(target: TARGET, lab = %key.lab, order = %key.order, "{notice}");
        }
        Notice::LabTrouble { lab, class: FaultClass::Auth, .. } => {
            tracing::error!(target: TARGET, %lab, "{notice}");
        }
        Notice::LabTrouble { lab, .. } | Notice::Unreadable { lab, .. } => {
            tracing::warn!(target: TARGET, %lab, "{notice}");
        }
        Notice::NamedInVain { lab, .. } => tracing::error!(target: TARGET, %lab, "{notice}"),
        Notice::NotificationsMissing { key, .. } => {
            tracing::warn!(target: TARGET, lab = %key.lab, order = %key.order, "{notice}");
        }
        Notice::PcTrouble { .. } | Notice::JournalRebuilt(_) => {
            tracing::error!(target: TARGET, "{notice}");
        }
        Notice::Outage { .. } => tracing::error!(target: TARGET, "{notice}"),
        Notice::PcHealed { .. } | Notice::OutageOver { .. } => {
            tracing::warn!(target: TARGET, "{notice}");
        }
        Notice::PageAt { .. } => tracing::info!(target: TARGET, "{notice}"),
        Notice::Paused { lab, .. } => tracing::warn!(target: TARGET, %lab, "{notice}"),
        Notice::Connected { lab, .. } | Notice::Resumed { lab } => {
            tracing::info!(target: TARGET, %lab, "{notice}");
        }
        Notice::Polled { lab, wanted: 0, .. } => tracing::debug!(target: TARGET, %lab, "{notice}"),
        Notice::Polled { lab, .. } => tracing::info!(target: TARGET, %lab, "{notice}"),
        Notice::Fetching { key }
        | Notice::Regenerating { key, .. }
        | Notice::Published { key, .. }
        | Notice::Removed { key }
        | Notice::Unchanged { key } => {
            tracing::info!(target: TARGET, lab = %key.lab, order = %key.order, "{notice}");
        }
    }
}
