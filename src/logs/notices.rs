//! Notices as log lines.

use crate::model::fault::FaultClass;
use crate::model::notice::Notice;

/// Writes a notice to the log, at the level that fits it.
pub fn log(notice: &Notice) {
    match notice {
        Notice::Failed { class: FaultClass::Cancelled, .. } => {}
        Notice::Failed { key, attention: true, .. } => {
            tracing::error!(lab = %key.lab, order = %key.order, "{notice}");
        }
        Notice::Failed { key, .. } | Notice::LeftAlone { key, .. } | Notice::Held { key, .. } => {
            tracing::warn!(lab = %key.lab, order = %key.order, "{notice}");
        }
        Notice::LabTrouble { lab, class: FaultClass::Auth, .. } => {
            tracing::error!(%lab, "{notice}");
        }
        Notice::LabTrouble { lab, .. } | Notice::Unreadable { lab, .. } => {
            tracing::warn!(%lab, "{notice}");
        }
        Notice::NamedInVain { lab, .. } => tracing::error!(%lab, "{notice}"),
        Notice::NotificationsMissing { key, .. } => {
            tracing::warn!(lab = %key.lab, order = %key.order, "{notice}");
        }
        Notice::PcTrouble { .. } | Notice::JournalRebuilt(_) => tracing::error!("{notice}"),
        Notice::Outage { .. } => tracing::error!("{notice}"),
        Notice::PcHealed { .. } | Notice::OutageOver { .. } => tracing::warn!("{notice}"),
        Notice::PageAt { .. } => tracing::info!("{notice}"),
        Notice::Paused { lab, .. } => tracing::warn!(%lab, "{notice}"),
        Notice::Connected { lab, .. } | Notice::Resumed { lab } => tracing::info!(%lab, "{notice}"),
        Notice::Polled { lab, wanted: 0, .. } => tracing::debug!(%lab, "{notice}"),
        Notice::Polled { lab, .. } => tracing::info!(%lab, "{notice}"),
        Notice::Fetching { key }
        | Notice::Regenerating { key, .. }
        | Notice::Published { key, .. }
        | Notice::Removed { key }
        | Notice::Unchanged { key } => {
            tracing::info!(lab = %key.lab, order = %key.order, "{notice}");
        }
    }
}
