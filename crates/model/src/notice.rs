//! Notices to the user while the agent works: one line each, for terminals and logs.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fault::FaultClass;
use super::findings::FindingCounts;
use super::ids::{AccountId, LabName, OrderKey, RxId};
use super::manifest::Reason;
use super::record::Place;
use super::size::size;
use super::time::{WallMs, in_words};

/// A lab is paused until a user resumes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    pub at: WallMs,
    /// Who paused it, if the system knew.
    pub by: Option<String>,
}

/// Record of a rebuild: the journal was lost, and rebuilt from other sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rebuilt {
    pub at: WallMs,
    pub why: String,
    /// Where the old journal is kept, if anything was left of it.
    pub kept: Option<PathBuf>,
    /// Number of orders in the new journal.
    pub orders: usize,
    /// Number of those that will be fetched (again).
    pub wanted: usize,
}

impl fmt::Display for Rebuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, why, kept, orders, wanted } = self;
        write!(f, "the journal was rebuilt on {} ({why}): it has ", at.local())?;
        write!(f, "{orders} orders, of which {wanted} are still to be fetched")?;
        match kept {
            Some(kept) => write!(f, "; the old one is kept in {}", kept.display()),
            None => Ok(()),
        }
    }
}

/// One thing worth reporting.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// A lab's login works and is paired.
    Connected {
        lab: LabName,
        /// The account it is paired with.
        account: AccountId,
    },
    /// A lab cannot work until a user acts, or Align does not answer.
    LabTrouble {
        lab: LabName,
        class: FaultClass,
        /// What failed.
        message: String,
        /// What a user can do about it.
        hint: Option<String>,
    },
    /// A lab is paused: nothing new is started for it.
    Paused {
        lab: LabName,
        /// Since when, and at whose request.
        paused: Paused,
    },
    /// A paused lab continues.
    Resumed {
        /// The lab that was paused.
        lab: LabName,
    },
    /// A poll was answered.
    Polled {
        lab: LabName,
        /// Number of orders in the list.
        ready: usize,
        /// How many of them are to be fetched.
        wanted: usize,
    },
    /// An entry of Align's list could not be understood.
    Unreadable {
        lab: LabName,
        /// The entry.
        what: String,
    },
    /// A download starts.
    Fetching {
        /// The order being downloaded.
        key: OrderKey,
    },
    /// Align is still generating the files.
    Regenerating {
        key: OrderKey,
        /// Time until the next attempt.
        wait: Duration,
    },
    /// An attempt failed.
    Failed {
        key: OrderKey,
        class: FaultClass,
        /// Stable identifier of the fault.
        code: String,
        /// What failed.
        message: String,
        /// What a user can do about it.
        hint: Option<String>,
        /// Time until the next attempt; `None` if there is no automatic retry.
        wait: Option<Duration>,
        /// Whether a user should act.
        attention: bool,
    },
    /// An order is in the hot folder.
    Published {
        key: OrderKey,
        revision: u32,
        reason: Reason,
        place: Place,
        /// Number of files.
        files: usize,
        /// Total size of the files.
        bytes: u64,
        findings: FindingCounts,
    },
    /// An order was fetched, is incomplete, and is held back until a user decides.
    Held {
        key: OrderKey,
        findings: FindingCounts,
        /// The serious findings.
        why: String,
    },
    /// An order was fetched again and is already published as it is.
    Unchanged {
        /// The published order.
        key: OrderKey,
    },
    /// An order was removed from the output because of its age.
    Removed {
        /// The removed order.
        key: OrderKey,
    },
    /// An order is old enough to be removed, but is left alone permanently.
    LeftAlone {
        key: OrderKey,
        /// Why it is left alone.
        why: String,
    },
    /// Align does not show the prescription that a scan notification named.
    NamedInVain {
        lab: LabName,
        rx: RxId,
        /// What Align says.
        message: String,
        /// What a user can do about it.
        hint: Option<String>,
    },
    /// Polling found orders that no scan notification named.
    NotificationsMissing {
        /// One such order.
        key: OrderKey,
        /// How many there have been so far.
        missed: u64,
    },
    /// This PC keeps the agent from working, fully or in part.
    PcTrouble {
        /// What failed.
        message: String,
        /// What a user can do about it.
        hint: Option<String>,
    },
    /// No order can be downloaded from a server: the server fails, or something between it and this
    /// PC.
    Outage {
        host: String,
        /// What arrived instead of files.
        what: String,
        /// How many orders wait for the end of the outage.
        orders: usize,
    },
    /// Orders can be downloaded again.
    OutageOver {
        /// The server.
        host: String,
        /// How long nothing could be downloaded.
        lasted: Duration,
    },
    /// This PC no longer keeps the agent from working.
    PcHealed {
        /// What works again.
        message: String,
    },
    /// The journal was lost and has been rebuilt.
    JournalRebuilt(Rebuilt),
    /// The status page can be opened.
    PageAt {
        /// Its address, for a browser.
        url: String,
        /// The file holding the code that the setup page asks for, if it asks for one.
        code: Option<PathBuf>,
    },
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
                write!(f, "{lab}: PAUSED since {}", paused.at.local())?;
                paused.by.as_ref().map_or(Ok(()), |by| write!(f, " by {by}"))?;
                write!(f, ": nothing is polled or fetched until `casedrop resume`")
            }
            Self::Resumed { lab } => write!(f, "{lab}: resumed"),
            Self::Polled { lab, ready, wanted } => {
                write!(f, "{lab}: {ready} ready at Align, fetching {wanted}")
            }
            Self::Unreadable { lab, what } => write!(f, "{lab}: skipped an entry: {what}"),
            Self::Fetching { key } => write!(f, "{key}: fetching"),
            Self::Regenerating { key, wait } => write!(
                f,
                "{key}: Align is still preparing the files, asking again in {}",
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
                wait.map_or(Ok(()), |wait| write!(f, ", retrying in {}", in_words(wait)))
            }
            Self::Held { key, why, .. } => {
                write!(f, "{key}: held back as incomplete: {why}")
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
                    write!(f, " next to what others put there, as {}-r{revision}", key.order)?;
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
                write!(f, "{key}: old enough to be removed, but left alone: {why}")
            }
            Self::NamedInVain { lab, rx, message, hint } => {
                write!(
                    f,
                    "{lab}: a scan notification announced prescription {rx}, which Align does not \
                     show yet: {message}"
                )?;
                hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))?;
                f.write_str(", needs attention, asking again once a day")
            }
            Self::NotificationsMissing { key, missed } => write!(
                f,
                "{key}: found by polling; Align sent no notification for it ({missed} missed so \
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
                "nothing can be downloaded from {host}, {orders} orders are waiting: {what}; the \
                 agent retries automatically"
            ),
            Self::OutageOver { host, lasted } => {
                write!(f, "downloads from {host} work again after {}", in_words(*lasted))
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
