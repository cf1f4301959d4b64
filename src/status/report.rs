//! The status snapshot shown to people and programs. It holds no secrets and no patient data.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::health::health;
use super::reasons::{Code, Reason};
use super::{Stage, Transfer};
use crate::model::ids::{AccountId, LabName, OrderKey};
use crate::model::local_time::local;
use crate::model::record::Activity;
use crate::model::time::WallMs;

/// The status of agent, labs and orders. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The running agent's version if there is one, otherwise this program's.
    pub version: String,
    /// When this snapshot was taken.
    pub at: String,
    pub agent: AgentStatus,
    /// In the config's order.
    pub labs: Vec<LabStatus>,
    /// Number of orders by state.
    pub orders: BTreeMap<String, usize>,
    /// Number of published orders with a serious finding, by lab.
    #[serde(default)]
    pub incomplete: BTreeMap<String, u64>,
    /// Number of orders due today, by the PC's clock, and not published, by lab.
    #[serde(default)]
    pub due_today: BTreeMap<String, u64>,
    /// Failing orders: those that need attention first, then newest first. Limited to some if there
    /// are many.
    pub failing: Vec<FailingOrder>,
    /// Number of failing orders not listed.
    pub failing_more: usize,
    /// URL of the status page, if a running agent serves it.
    #[serde(default)]
    pub page: Option<String>,
    /// The file with the code that the page asks for before it changes the setup.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_up_code: Option<PathBuf>,
    /// The configured poll interval, in seconds.
    #[serde(default)]
    pub poll_interval: u64,
    /// How long a lab may go without a publication, in seconds of its working hours; `None`: no
    /// limit.
    #[serde(default)]
    pub no_orders_after: Option<u64>,
    /// Scan notifications, if enabled.
    pub notifications: Option<NotificationsStatus>,
    pub downloads: Vec<RunningDownload>,
    /// Servers whose downloads are paused.
    #[serde(default)]
    pub pauses: Vec<DownloadPause>,
    pub output: VolumeStatus,
    /// Why the journal cannot be written, which stops all work.
    #[serde(default)]
    pub journal: Option<Note>,
    /// Updates, if this program updates itself.
    #[serde(default)]
    pub update: Option<UpdateStatus>,
    /// User requests that no agent has started yet.
    #[serde(default)]
    pub wishes: Vec<Wish>,
    /// Anything else the user should know about this PC.
    pub notes: Vec<Note>,
    /// Why this snapshot is incomplete, if the journal cannot be read now.
    pub fault: Option<Note>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentStatus {
    /// Whether an agent runs on this state folder.
    pub running: bool,
    /// Also `None` if the agent could not be asked.
    pub since: Option<String>,
    /// Seconds since the main loop's last heartbeat: about one while all is well. `None` if the
    /// agent could not be asked or has not sent one yet.
    #[serde(default)]
    pub silent: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LabStatus {
    /// As named in the config.
    pub lab: LabName,
    /// The account it is paired with.
    pub account: Option<AccountId>,
    /// The account's name at Align.
    pub account_name: Option<String>,
    pub state: LabState,
    /// Since when and by whom it was paused, if it is.
    pub paused: Option<PauseStatus>,
    /// When Align last answered a poll.
    pub good_poll: Option<String>,
    /// When it is polled next, if an agent runs.
    pub next_poll: Option<String>,
    /// When an order of this lab was last published.
    #[serde(default)]
    pub last_publication: Option<String>,
    /// Number of its orders published since midnight, by this PC's clock.
    #[serde(default)]
    pub published_today: u64,
    /// Working hours since the last publication, in seconds; `None` if there was none.
    #[serde(default)]
    pub worked_since: Option<u64>,
    /// When its login expires, if Align no longer renews it: someone must log in again by then.
    #[serde(default)]
    pub login_ends: Option<String>,
    /// What keeps it from working.
    pub fault: Option<String>,
    /// What the user can do about the fault.
    pub hint: Option<String>,
    /// The one command to run now, if any.
    pub todo: Option<String>,
}

/// The state of a lab.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum LabState {
    /// All is well: it is polled.
    Polling,
    /// Paused by a user.
    Paused,
    /// Someone must log in.
    LoginNeeded,
    /// Someone must pair it.
    NotPaired,
    /// Align's answer is missing or faulty.
    Unreachable,
    /// Waiting for the agent to run, for the output, or for Align's first answer.
    Waiting,
}

impl LabState {
    pub const ALL: [Self; 6] = [
        Self::Polling,
        Self::Paused,
        Self::LoginNeeded,
        Self::NotPaired,
        Self::Unreachable,
        Self::Waiting,
    ];

    /// The name used in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether nothing happens until someone logs in or pairs.
    pub fn needs_login(self) -> bool {
        matches!(self, Self::LoginNeeded | Self::NotPaired)
    }
}

/// The pause of a lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PauseStatus {
    pub since: String,
    /// Who paused it, if the system reported a user.
    pub by: Option<String>,
}

/// A failing order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailingOrder {
    #[serde(flatten)]
    pub key: OrderKey,
    /// `attention` or `retrying`.
    pub state: String,
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
    /// When it is retried; `None`: not automatically.
    pub next_try: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunningDownload {
    #[serde(flatten)]
    pub key: OrderKey,
    /// Which part of it.
    pub asset: String,
    /// Bytes received so far.
    pub done: u64,
    /// Expected bytes, if the server reported them.
    pub total: Option<u64>,
    /// `downloading`, `unpacking`, `checking` or `publishing`.
    #[serde(default = "downloading")]
    pub stage: String,
    /// How much of the scans' package is here, if its size is known.
    #[serde(default)]
    pub percent: Option<u8>,
}

impl RunningDownload {
    pub fn of(key: OrderKey, transfer: &Transfer, stage: Stage) -> Self {
        Self {
            key,
            asset: transfer.kind.as_str().to_owned(),
            done: transfer.done,
            total: transfer.total,
            stage: stage.as_str().to_owned(),
            percent: transfer.percent().filter(|_| stage == Stage::Downloading),
        }
    }

    /// What it says about its order.
    pub fn activity(&self) -> Activity {
        if self.stage == Stage::Downloading.as_str() {
            Activity::Downloading(self.percent)
        } else {
            Activity::Checking
        }
    }
}

/// The stage of a download that an older agent tells of.
fn downloading() -> String {
    Stage::Downloading.as_str().to_owned()
}

/// A pause of the downloads from one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DownloadPause {
    pub host: String,
    /// When the next one is tried.
    pub until: String,
    /// What the server sent instead of files.
    pub why: String,
    /// Number of orders that failed because of it and are waiting.
    pub orders: usize,
    /// Whether every download fails. If false, the server only asks for fewer requests.
    pub outage: bool,
}

impl DownloadPause {
    /// Returns the pause in words.
    pub fn message(&self) -> String {
        let Self { host, until, why, .. } = self;
        format!("downloads from {host} are paused until {}: {why}", local(until))
    }

    /// Returns the pause in words without the end time, which changes while it lasts.
    pub fn cause(&self) -> String {
        format!("downloads from {} are paused: {}", self.host, self.why)
    }
}

/// Scan notifications since the journal was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotificationsStatus {
    /// Orders that they named.
    pub received: u64,
    /// When the last one arrived.
    pub last: Option<String>,
    /// Orders about which Align has not been asked yet.
    pub waiting: u64,
    /// Notifications for an account that no lab is paired with.
    pub refused: u64,
    /// Notifications in which no order could be read; they trigger a poll of the labs.
    #[serde(default)]
    pub unreadable: u64,
    /// Orders that polling found and no notification named.
    pub missed: u64,
    /// When the last missed order was found.
    pub last_missed: Option<String>,
    /// Why the listener does not work.
    pub trouble: Option<String>,
}

/// Seconds without an answer after which a volume counts as hanging.
const HANGS_AFTER: u64 = 10;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VolumeStatus {
    /// The output folder.
    pub path: PathBuf,
    /// Why nothing is written to it now, if so.
    pub waits: Option<String>,
    /// Free bytes; `None` if the volume does not report them, or not in time.
    pub free: Option<u64>,
    /// Age of that number in seconds: it grows while the volume does not answer.
    #[serde(default)]
    pub free_age: Option<u64>,
    /// Seconds that the pending answer has been outstanding, if one is.
    #[serde(default)]
    pub silent: Option<u64>,
    /// Bytes that must stay free.
    pub min_free: u64,
}

impl VolumeStatus {
    /// Whether it has not answered for longer than a brief hiccup of a network share explains.
    pub fn hangs(&self) -> bool {
        self.silent.is_some_and(|silent| silent >= HANGS_AFTER)
    }

    /// Whether there is too little space for any download.
    pub fn is_full(&self) -> bool {
        self.free.is_some_and(|free| free < self.min_free)
    }
}

/// The state of self-updates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UpdateStatus {
    /// A newer version, staged and not tried yet.
    pub staged: Option<String>,
    /// The version on trial.
    pub trial: Option<String>,
    /// The newest version that was tried here and rolled back.
    pub taken_back: Option<String>,
}

/// Something to know, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
    /// The code of the reason it gives, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Note {
    /// Returns a note without a code.
    pub fn new(message: impl Into<String>, hint: Option<&str>) -> Self {
        Self { message: message.into(), hint: hint.map(str::to_owned), code: None }
    }

    /// Sets the code of the reason it gives.
    #[must_use]
    pub fn code(self, code: Code) -> Self {
        Self { code: Some(code.as_str().to_owned()), ..self }
    }
}

/// A user request that no agent has started yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Wish {
    pub what: WishKind,
    pub lab: String,
    #[serde(default)]
    pub account: Option<String>,
    #[serde(default)]
    pub order_id: Option<String>,
    /// When it was requested, if known.
    #[serde(default)]
    pub since: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WishKind {
    /// Fetch an order.
    Fetch,
    /// Poll Align for ready orders.
    Poll,
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, lab, account, order_id, since } = self;
        match (what, account, order_id) {
            (WishKind::Fetch, Some(account), Some(order)) => {
                write!(f, "fetch {lab}/{account}/{order}")?;
            }
            (WishKind::Fetch, ..) => write!(f, "fetch an order for {lab}")?,
            (WishKind::Poll, ..) => write!(f, "poll {lab}")?,
        }
        since.as_ref().map_or(Ok(()), |since| write!(f, " (since {})", local(since)))
    }
}

/// The overall verdict; the most serious one counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing needs attention.
    Well,
    /// Orders fail.
    OrdersFailing,
    /// Someone must log in or pair.
    LoginNeeded,
    /// The snapshot is incomplete.
    Unknown,
}

impl Status {
    /// Returns all reasons as of the snapshot's time, most urgent first.
    pub fn reasons(&self) -> Vec<Reason> {
        health(self, WallMs::from_rfc3339(&self.at).unwrap_or_default()).reasons
    }

    /// Returns the overall verdict.
    pub fn verdict(&self) -> Verdict {
        if self.labs.iter().any(|lab| lab.state.needs_login()) {
            Verdict::LoginNeeded
        } else if self.fault.is_some() {
            Verdict::Unknown
        } else if !self.failing.is_empty() {
            Verdict::OrdersFailing
        } else {
            Verdict::Well
        }
    }
}
