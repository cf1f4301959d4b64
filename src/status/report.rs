//! The whole picture, as it is told to people and programs. It holds no secret and no patient data.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::health::health;
use super::reasons::{Code, Reason};
use crate::model::ids::{AccountId, LabName, OrderKey};
use crate::model::time::WallMs;

/// How things stand. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version; the running agent's if there is one.
    pub version: String,
    /// When this was found.
    pub at: String,
    /// The agent.
    pub agent: AgentStatus,
    /// The labs, in the config's order.
    pub labs: Vec<LabStatus>,
    /// How many orders there are in each state.
    pub orders: BTreeMap<String, usize>,
    /// How many orders of each lab stand published and have a serious finding.
    #[serde(default)]
    pub incomplete: BTreeMap<String, u64>,
    /// Orders that fail: first those that wait for a person, the newest first. Only some if there are
    /// many.
    pub failing: Vec<FailingOrder>,
    /// How many more fail.
    pub failing_more: usize,
    /// Where the status page can be opened, if a running agent shows it.
    #[serde(default)]
    pub page: Option<String>,
    /// The file with the code that the page asks for before it changes the set-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_up_code: Option<PathBuf>,
    /// Time between two polls as the config has it, in seconds.
    #[serde(default)]
    pub poll_interval: u64,
    /// How much of its working hours a lab may pass without a publication, in seconds; `None`: any.
    #[serde(default)]
    pub no_orders_after: Option<u64>,
    /// Scan notifications, where they are on.
    pub notifications: Option<NotificationsStatus>,
    /// What is being downloaded right now.
    pub downloads: Vec<RunningDownload>,
    /// Servers whose downloads wait now.
    #[serde(default)]
    pub pauses: Vec<DownloadPause>,
    /// The output and its volume.
    pub output: VolumeStatus,
    /// What keeps the journal from being written, and so all work from being done.
    #[serde(default)]
    pub journal: Option<Note>,
    /// How updates stand, where this program updates itself.
    #[serde(default)]
    pub update: Option<UpdateStatus>,
    /// What people asked for and no agent has begun yet.
    #[serde(default)]
    pub wishes: Vec<Wish>,
    /// What else a person should know of this PC.
    pub notes: Vec<Note>,
    /// Why this picture is incomplete, if the journal cannot be read now.
    pub fault: Option<Note>,
}

/// The agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Whether one runs on this state folder.
    pub running: bool,
    /// Since when; `None` also where it could not be asked.
    pub since: Option<String>,
    /// How long ago the loop that decides everything gave its last sign of life, in seconds: about one
    /// while all is well. `None` where it could not be asked, or gave none yet.
    #[serde(default)]
    pub silent: Option<u64>,
}

/// One lab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabStatus {
    /// Its name in the config.
    pub lab: LabName,
    /// The account that it is paired with.
    pub account: Option<AccountId>,
    /// The account's name at Align.
    pub account_name: Option<String>,
    /// How it stands, in one word.
    pub state: LabState,
    /// Since when it rests and who wanted that, if it does.
    pub paused: Option<PauseStatus>,
    /// When Align last answered a poll.
    pub good_poll: Option<String>,
    /// When it is polled next, if an agent runs.
    pub next_poll: Option<String>,
    /// When something of it was published last.
    #[serde(default)]
    pub last_publication: Option<String>,
    /// How many of its orders were published since midnight, by this PC's clock.
    #[serde(default)]
    pub published_today: u64,
    /// How much of the lab's working hours passed since the last publication, in seconds; `None` if
    /// there was none.
    #[serde(default)]
    pub worked_since: Option<u64>,
    /// Until when its login works, if Align renews it no more: somebody must log in again by then.
    #[serde(default)]
    pub login_ends: Option<String>,
    /// What stands in the way.
    pub fault: Option<String>,
    /// What a person can do about that.
    pub hint: Option<String>,
    /// The one command to run now, if there is one.
    pub todo: Option<String>,
}

/// How a lab stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LabState {
    /// All is well: it is polled.
    Polling,
    /// Somebody lets it rest.
    Paused,
    /// Somebody must log in.
    LoginNeeded,
    /// Somebody must pair it.
    NotPaired,
    /// Align did not answer as it should.
    Unreachable,
    /// For the agent to run, for the output, or for Align's first answer.
    Waiting,
}

impl LabState {
    /// All states.
    pub const ALL: [Self; 6] = [
        Self::Polling,
        Self::Paused,
        Self::LoginNeeded,
        Self::NotPaired,
        Self::Unreachable,
        Self::Waiting,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::Paused => "paused",
            Self::LoginNeeded => "login-needed",
            Self::NotPaired => "not-paired",
            Self::Unreachable => "unreachable",
            Self::Waiting => "waiting",
        }
    }

    /// Whether nothing goes on before a person logs in or pairs.
    pub fn needs_login(self) -> bool {
        matches!(self, Self::LoginNeeded | Self::NotPaired)
    }
}

/// A lab rests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseStatus {
    /// Since when.
    pub since: String,
    /// Who wanted it, as far as the system told.
    pub by: Option<String>,
}

/// An order that fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailingOrder {
    /// Which order.
    #[serde(flatten)]
    pub key: OrderKey,
    /// `attention` or `retrying`.
    pub state: String,
    /// What failed.
    pub message: String,
    /// What a person can do.
    pub hint: Option<String>,
    /// When it is tried again; `None`: not by itself.
    pub next_try: Option<String>,
}

/// A download that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningDownload {
    /// Which order.
    #[serde(flatten)]
    pub key: OrderKey,
    /// Which part of it.
    pub asset: String,
    /// Bytes that have arrived.
    pub done: u64,
    /// Bytes that will arrive, where the server told.
    pub total: Option<u64>,
}

/// Downloads from a server wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownloadPause {
    /// Which server.
    pub host: String,
    /// When one is tried next.
    pub until: String,
    /// Why: what came in place of files.
    pub why: String,
    /// How many orders failed because of it and wait.
    pub orders: usize,
    /// Whether nothing that is tried is downloaded. If not, the server asks for fewer calls.
    pub outage: bool,
}

impl DownloadPause {
    /// In words.
    pub fn message(&self) -> String {
        let Self { host, until, why, .. } = self;
        format!("downloads from {host} are paused until {until}, because: {why}")
    }

    /// The same, for as long as it lasts.
    pub fn cause(&self) -> String {
        format!("downloads from {} are paused, because: {}", self.host, self.why)
    }
}

/// Scan notifications since the journal was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotificationsStatus {
    /// Orders that they named.
    pub received: u64,
    /// When the last one came.
    pub last: Option<String>,
    /// Those that Align still has to be asked about.
    pub waiting: u64,
    /// Those that named an account that no lab is paired with.
    pub refused: u64,
    /// Those in which no order could be read; the labs are polled because of them.
    #[serde(default)]
    pub unreadable: u64,
    /// Orders that polling found and no notification named.
    pub missed: u64,
    /// When the last of these was found.
    pub last_missed: Option<String>,
    /// What keeps the listener from its work.
    pub trouble: Option<String>,
}

/// A volume that owes an answer for so many seconds hangs.
const HANGS_AFTER: u64 = 10;

/// The output and its volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeStatus {
    /// The hot folder.
    pub path: PathBuf,
    /// Why nothing is written to it now, if so.
    pub waits: Option<String>,
    /// Free bytes; `None` if the volume does not tell, or not in time.
    pub free: Option<u64>,
    /// How old that number is, in seconds: it grows while the volume does not answer.
    #[serde(default)]
    pub free_age: Option<u64>,
    /// How long the volume has owed an answer, in seconds, if it owes one.
    #[serde(default)]
    pub silent: Option<u64>,
    /// Bytes that stay free.
    pub min_free: u64,
}

impl VolumeStatus {
    /// Whether it has owed an answer for longer than a share may stumble.
    pub fn hangs(&self) -> bool {
        self.silent.is_some_and(|silent| silent >= HANGS_AFTER)
    }

    /// Whether there is too little room for any download.
    pub fn is_full(&self) -> bool {
        self.free.is_some_and(|free| free < self.min_free)
    }
}

/// How updates of the program stand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateStatus {
    /// A newer version that is staged and not tried out yet.
    pub staged: Option<String>,
    /// The version that is on trial.
    pub trial: Option<String>,
    /// The newest version that was tried out here and taken back.
    pub taken_back: Option<String>,
}

/// Something to know, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// What there is to know.
    pub message: String,
    /// What a person can do.
    pub hint: Option<String>,
    /// Which reason it gives, by its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl Note {
    /// One without a code.
    pub fn new(message: impl Into<String>, hint: Option<&str>) -> Self {
        Self { message: message.into(), hint: hint.map(str::to_owned), code: None }
    }

    /// Says which reason it gives.
    #[must_use]
    pub fn code(self, code: Code) -> Self {
        Self { code: Some(code.as_str().to_owned()), ..self }
    }
}

/// Something that somebody asked for and no agent has begun yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// What is to be done.
    pub what: WishKind,
    /// For which lab.
    pub lab: String,
    /// The order's account.
    #[serde(default)]
    pub account: Option<String>,
    /// The order's number.
    #[serde(default)]
    pub order_id: Option<String>,
    /// When it was asked for, where that is known.
    #[serde(default)]
    pub since: Option<String>,
}

/// What somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WishKind {
    /// An order is to be fetched.
    Fetch,
    /// Align is to be asked for ready orders.
    Poll,
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, lab, account, order_id, since } = self;
        match (what, account, order_id) {
            (WishKind::Fetch, Some(account), Some(order)) => {
                write!(f, "fetch {lab}/{account}/{order}")?;
            }
            (WishKind::Fetch, ..) => write!(f, "fetch an order of {lab}")?,
            (WishKind::Poll, ..) => write!(f, "poll {lab}")?,
        }
        since.as_ref().map_or(Ok(()), |since| write!(f, " (since {since})"))
    }
}

/// What the picture comes down to; the gravest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody need do anything.
    Well,
    /// Orders fail.
    OrdersFailing,
    /// Somebody must log in or pair.
    LoginNeeded,
    /// The picture is incomplete.
    Unknown,
}

impl Status {
    /// What there is to know at the moment of the picture, the most urgent first.
    pub fn reasons(&self) -> Vec<Reason> {
        health(self, WallMs::from_rfc3339(&self.at).unwrap_or_default()).reasons
    }

    /// What it comes down to.
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
