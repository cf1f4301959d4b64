//! What people are told while the agent works: one line each, for terminals and logs.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::fault::FaultClass;
use crate::model::findings::FindingCounts;
use crate::model::ids::{AccountId, LabName, OrderKey, RxId};
use crate::model::manifest::Reason;
use crate::model::record::Place;
use crate::store::{Paused, Rebuilt};

/// One thing worth telling.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// A lab's login works and is paired.
    Connected {
        /// Which lab.
        lab: LabName,
        /// With which account.
        account: AccountId,
    },
    /// A lab cannot work until a person acts, or Align does not answer.
    LabTrouble {
        /// Which lab.
        lab: LabName,
        /// What kind of trouble.
        class: FaultClass,
        /// What failed.
        message: String,
        /// What a person can do.
        hint: Option<String>,
    },
    /// A lab rests: nothing new is begun for it.
    Paused {
        /// Which lab.
        lab: LabName,
        /// Since when, and who wanted it.
        paused: Paused,
    },
    /// A lab that rested goes on.
    Resumed {
        /// Which lab.
        lab: LabName,
    },
    /// A poll was answered.
    Polled {
        /// Which lab.
        lab: LabName,
        /// Orders in the list.
        ready: usize,
        /// How many of them are to be fetched.
        wanted: usize,
    },
    /// An entry of Align's list makes no sense.
    Unreadable {
        /// Which lab.
        lab: LabName,
        /// Which entry.
        what: String,
    },
    /// A download begins.
    Fetching {
        /// Which order.
        key: OrderKey,
    },
    /// Align is still making the files.
    Regenerating {
        /// Which order.
        key: OrderKey,
        /// Until the next attempt.
        wait: Duration,
    },
    /// An attempt failed.
    Failed {
        /// Which order.
        key: OrderKey,
        /// What kind of trouble.
        class: FaultClass,
        /// A stable word.
        code: String,
        /// What failed.
        message: String,
        /// What a person can do.
        hint: Option<String>,
        /// Until the next attempt; `None`: not by itself.
        wait: Option<Duration>,
        /// Whether a person should act.
        attention: bool,
    },
    /// An order stands in the hot folder.
    Published {
        /// Which order.
        key: OrderKey,
        /// Which revision.
        revision: u32,
        /// Why.
        reason: Reason,
        /// Where.
        place: Place,
        /// Its files.
        files: usize,
        /// Their bytes.
        bytes: u64,
        /// What there is to know of them.
        findings: FindingCounts,
    },
    /// An order was fetched, is incomplete, and is held back until a person decides.
    Held {
        /// Which order.
        key: OrderKey,
        /// What there is to know of its files.
        findings: FindingCounts,
        /// What is serious of it.
        why: String,
    },
    /// An order was fetched and is what is published already.
    Unchanged {
        /// Which order.
        key: OrderKey,
    },
    /// An order was removed from the output because of its age.
    Removed {
        /// Which order.
        key: OrderKey,
    },
    /// An order is old enough to be removed, and is left alone for good.
    LeftAlone {
        /// Which order.
        key: OrderKey,
        /// Why.
        why: String,
    },
    /// Align does not show what a scan notification named.
    NamedInVain {
        /// Which lab.
        lab: LabName,
        /// Which prescription.
        rx: RxId,
        /// What Align says.
        message: String,
        /// What a person can do.
        hint: Option<String>,
    },
    /// Polling found what no scan notification named.
    NotificationsMissing {
        /// One such order.
        key: OrderKey,
        /// How many there were so far.
        missed: u64,
    },
    /// This PC keeps the agent from its work, in whole or in part.
    PcTrouble {
        /// What failed.
        message: String,
        /// What a person can do.
        hint: Option<String>,
    },
    /// Nothing can be downloaded from a server, whichever order is tried: it, or something between it
    /// and this PC, fails.
    Outage {
        /// Which server.
        host: String,
        /// What came in place of files.
        what: String,
        /// How many orders wait for its end.
        orders: usize,
    },
    /// Orders are downloaded again.
    OutageOver {
        /// From which server.
        host: String,
        /// How long nothing was.
        lasted: Duration,
    },
    /// What this PC kept the agent from goes on.
    PcHealed {
        /// What works again.
        message: String,
    },
    /// The journal was lost, and made anew.
    JournalRebuilt(Rebuilt),
    /// The status page can be opened.
    PageAt {
        /// Its address, for a browser.
        url: String,
        /// The file with the code that its set-up asks for, if it asks for one.
        code: Option<PathBuf>,
    },
}

impl Notice {
    /// Writes it to the log.
    pub fn log(&self) {
        match self {
            Self::Failed { class: FaultClass::Cancelled, .. } => {}
            Self::Failed { key, attention: true, .. } => {
                tracing::error!(lab = %key.lab, order = %key.order, "{self}");
            }
            Self::Failed { key, .. } | Self::LeftAlone { key, .. } | Self::Held { key, .. } => {
                tracing::warn!(lab = %key.lab, order = %key.order, "{self}");
            }
            Self::LabTrouble { lab, class: FaultClass::Auth, .. } => {
                tracing::error!(%lab, "{self}");
            }
            Self::LabTrouble { lab, .. } | Self::Unreadable { lab, .. } => {
                tracing::warn!(%lab, "{self}");
            }
            Self::NamedInVain { lab, .. } => tracing::error!(%lab, "{self}"),
            Self::NotificationsMissing { key, .. } => {
                tracing::warn!(lab = %key.lab, order = %key.order, "{self}");
            }
            Self::PcTrouble { .. } | Self::JournalRebuilt(_) => tracing::error!("{self}"),
            Self::Outage { .. } => tracing::error!("{self}"),
            Self::PcHealed { .. } | Self::OutageOver { .. } => tracing::warn!("{self}"),
            Self::PageAt { .. } => tracing::info!("{self}"),
            Self::Paused { lab, .. } => tracing::warn!(%lab, "{self}"),
            Self::Connected { lab, .. } | Self::Resumed { lab } => tracing::info!(%lab, "{self}"),
            Self::Polled { lab, wanted: 0, .. } => tracing::debug!(%lab, "{self}"),
            Self::Polled { lab, .. } => tracing::info!(%lab, "{self}"),
            Self::Fetching { key }
            | Self::Regenerating { key, .. }
            | Self::Published { key, .. }
            | Self::Removed { key }
            | Self::Unchanged { key } => {
                tracing::info!(lab = %key.lab, order = %key.order, "{self}");
            }
        }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { lab, account } => write!(f, "{lab}: paired with account {account}"),
            Self::LabTrouble { lab, message, hint, .. } => {
                write!(f, "{lab}: {message}")?;
                hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
            }
            Self::Paused { lab, paused } => {
                write!(f, "{lab}: PAUSED since {}", paused.at.to_rfc3339())?;
                paused.by.as_ref().map_or(Ok(()), |by| write!(f, " by {by}"))?;
                write!(f, ": nothing is polled or fetched until `casedrop resume`")
            }
            Self::Resumed { lab } => write!(f, "{lab}: goes on after its pause"),
            Self::Polled { lab, ready, wanted } => {
                write!(f, "{lab}: {ready} ready at Align, {wanted} to fetch")
            }
            Self::Unreadable { lab, what } => write!(f, "{lab}: skipped an entry: {what}"),
            Self::Fetching { key } => write!(f, "{key}: fetching"),
            Self::Regenerating { key, wait } => write!(
                f,
                "{key}: Align is still making the files, asking again in {}",
                in_words(*wait)
            ),
            Self::Failed { key, message, hint, wait, attention, .. } => {
                write!(f, "{key}: {message}")?;
                if let Some(hint) = hint {
                    write!(f, " ({hint})")?;
                }
                if *attention {
                    f.write_str(", needs attention")?;
                }
                wait.map_or(Ok(()), |wait| write!(f, ", trying again in {}", in_words(wait)))
            }
            Self::Held { key, why, .. } => {
                write!(f, "{key}: held back, since it is incomplete: {why}")
            }
            Self::Published { key, revision, reason, place, files, bytes, findings } => {
                let reason = serde_json::to_string(reason).unwrap_or_default();
                write!(
                    f,
                    "{key}: published revision {revision} ({}, {files} files, {})",
                    reason.trim_matches('"'),
                    size(*bytes)
                )?;
                if *place == Place::Beside {
                    write!(f, " beside what others put there, as {}-r{revision}", key.order)?;
                }
                match findings.in_words() {
                    words if words.is_empty() => Ok(()),
                    words => write!(f, ", with findings: {words}"),
                }
            }
            Self::Unchanged { key } => write!(f, "{key}: unchanged"),
            Self::Removed { key } => {
                write!(f, "{key}: removed from the output, older than retention.keep")
            }
            Self::LeftAlone { key, why } => {
                write!(f, "{key}: older than what is kept, and left alone: {why}")
            }
            Self::NamedInVain { lab, rx, message, hint } => {
                write!(
                    f,
                    "{lab}: a scan notification named prescription {rx}, which Align does not show \
                     yet: {message}"
                )?;
                hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))?;
                f.write_str(", needs attention, asking again once a day")
            }
            Self::NotificationsMissing { key, missed } => write!(
                f,
                "{key}: found by polling, and no scan notification named it ({missed} missed so \
                 far); check notifications.public_url, the reverse proxy and firewall in front of \
                 it, and pair the lab again (`casedrop pair {}`)",
                key.lab
            ),
            Self::PcTrouble { message, hint } => {
                f.write_str(message)?;
                hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
            }
            Self::Outage { host, what, orders } => write!(
                f,
                "nothing can be downloaded from {host}, {orders} orders wait: {what}; the agent \
                 tries again by itself"
            ),
            Self::OutageOver { host, lasted } => {
                write!(f, "orders are downloaded from {host} again, after {}", in_words(*lasted))
            }
            Self::PcHealed { message } => f.write_str(message),
            Self::JournalRebuilt(rebuilt) => f.write_str(&rebuilt.to_string()),
            Self::PageAt { url, code } => {
                write!(f, "status page: {url}")?;
                let Some(file) = code else { return Ok(()) };
                write!(f, " (its set-up asks for the code in {})", file.display())
            }
        }
    }
}

/// A duration as a person says it.
pub fn in_words(wait: Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

/// A size as a person says it, in decimal units.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut tenths = bytes / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(1_000), "1.0 kB");
        assert_eq!(size(34_500_000), "34.5 MB");
        assert_eq!(size(2_000_000_000), "2.0 GB");
        assert_eq!(in_words(Duration::from_millis(1500)), "2 s");
        assert_eq!(in_words(Duration::from_secs(600)), "10 min");
    }
}
