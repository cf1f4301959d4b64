//! One line of the audit.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::model::digest::hex;
use crate::model::ids::OrderKey;
use crate::model::request::{Outcome, Via, Who};
use crate::model::time::WallMs;

/// Details that are longer are left out, so that a record stays small; in bytes.
const DETAILS_MAX: usize = 16 << 10;
/// Names are cut off there; in characters.
const NAME_MAX: usize = 256;
/// How a line ends: its hash is in between.
const HASH_KEY: &str = ",\"hash\":\"";
const HASH_END: &str = "\"}";

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// An agent began to work.
    AgentStarted,
    /// It ended in an orderly way.
    AgentStopped,
    /// An agent started with another config than the one before.
    ConfigChanged,
    /// A lab was logged in.
    Login,
    /// A lab's login was revoked and forgotten.
    Logout,
    /// A lab was paired with an account.
    Pair,
    /// An account was un-paired.
    Unpair,
    /// An order was asked for again.
    Refetch,
    /// An incomplete order that was held back was to be published all the same.
    Publish,
    /// An order was sent back to the doctor.
    Return,
    /// Work was paused.
    Pause,
    /// Work was resumed.
    Resume,
    /// A published order was removed from the output, since it is older than `retention.keep`.
    Removed,
    /// A replaced revision was removed from history, since it is older than `history.keep`.
    HistoryRemoved,
    /// What was held back was removed from staging, since something newer of the order is durable.
    HeldRemoved,
    /// What interrupted work had left in staging was removed at a start.
    LeftoversRemoved,
    /// The program replaced itself by another version.
    Update,
    /// The test order was published.
    TestOrder,
    /// The test order was removed.
    TestOrderRemoved,
    /// Somebody chose another output folder.
    OutputChosen,
}

impl Deed {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AgentStarted => "agent-started",
            Self::AgentStopped => "agent-stopped",
            Self::ConfigChanged => "config-changed",
            Self::Login => "login",
            Self::Logout => "logout",
            Self::Pair => "pair",
            Self::Unpair => "unpair",
            Self::Refetch => "refetch",
            Self::Publish => "publish",
            Self::Return => "return",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Removed => "removed",
            Self::HistoryRemoved => "history-removed",
            Self::HeldRemoved => "held-removed",
            Self::LeftoversRemoved => "leftovers-removed",
            Self::Update => "update",
            Self::TestOrder => "test-order",
            Self::TestOrderRemoved => "test-order-removed",
            Self::OutputChosen => "output-chosen",
        }
    }
}

impl Serialize for Deed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// How it stands with what was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// It is about to be done. Without a later record of the same, nobody knows whether it was.
    Begun,
    /// Done.
    Done,
    /// Refused: nothing was done.
    Refused,
    /// It failed.
    Failed,
    /// It may have been done or not.
    Unknown,
}

impl From<Outcome> for Mark {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done | Outcome::Differs => Self::Done,
            Outcome::Refused | Outcome::LoginNeeded => Self::Refused,
            Outcome::Failed => Self::Failed,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

/// What is to be recorded.
#[derive(Debug, Clone)]
pub struct Entry {
    /// When.
    pub at: WallMs,
    /// Who did it, and which way.
    pub who: Who,
    /// What.
    pub what: Deed,
    /// How it stands with it.
    pub result: Mark,
    /// Whose lab, if it is about one.
    pub lab: Option<String>,
    /// Which account, if it is about one.
    pub account: Option<String>,
    /// Which order, if it is about one.
    pub order: Option<String>,
    /// More of it. No secret, no patient data, no words that a person wrote.
    pub details: Map<String, Value>,
}

impl Entry {
    /// An entry about no lab, without details.
    pub fn new(at: WallMs, who: Who, what: Deed, result: Mark) -> Self {
        Self { at, who, what, result, lab: None, account: None, order: None, details: Map::new() }
    }

    /// What the agent does by itself.
    pub fn by_agent(at: WallMs, what: Deed, result: Mark) -> Self {
        Self::new(at, Who { user: None, via: Via::Agent }, what, result)
    }

    /// Names the lab.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "names come as values and as references")]
    pub fn lab(mut self, lab: impl ToString) -> Self {
        self.lab = Some(lab.to_string());
        self
    }

    /// Names the account.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "names come as values and as references")]
    pub fn account(mut self, account: impl ToString) -> Self {
        self.account = Some(account.to_string());
        self
    }

    /// Names lab, account and order.
    #[must_use]
    pub fn about(self, key: &OrderKey) -> Self {
        self.lab(&key.lab).account(&key.account).order(&key.order)
    }

    /// Names the order.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "names come as values and as references")]
    pub fn order(mut self, order: impl ToString) -> Self {
        self.order = Some(order.to_string());
        self
    }

    /// Adds a detail.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}

/// What a power cut left of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Torn {
    /// How many bytes.
    pub bytes: u64,
    /// Their SHA-256.
    pub sha256: String,
}

impl Torn {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: hex(Sha256::digest(bytes)) }
    }
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 1.
    pub seq: u64,
    /// When, RFC 3339.
    pub at: String,
    /// Who did it, as far as the system told.
    #[serde(default)]
    pub user: Option<String>,
    /// Which way: the word of a [`Via`].
    pub via: String,
    /// What was done: the word of a [`Deed`].
    pub what: String,
    /// Whose lab.
    #[serde(default)]
    pub lab: Option<String>,
    /// Which account.
    #[serde(default)]
    pub account: Option<String>,
    /// Which order.
    #[serde(default)]
    pub order: Option<String>,
    /// More of it.
    #[serde(default)]
    pub details: Map<String, Value>,
    /// How it stands with it: the word of a [`Mark`].
    pub result: String,
    /// What stands before it, if a power cut left something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torn: Option<Torn>,
    /// Whether `audit.head` was gone when it was written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub head_lost: bool,
    /// The hash of the record before it.
    pub prev: String,
    /// The SHA-256 of its line without this last field.
    pub hash: String,
}

/// What a line holds, but for its hash.
#[derive(Serialize)]
struct Body<'a> {
    seq: u64,
    at: String,
    user: Option<String>,
    via: Via,
    what: Deed,
    #[serde(skip_serializing_if = "Option::is_none")]
    lab: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: Map<String, Value>,
    result: Mark,
    #[serde(skip_serializing_if = "Option::is_none")]
    torn: Option<Torn>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    head_lost: bool,
    prev: &'a str,
}

/// The line of an entry, without its end, and its hash.
pub(super) fn seal(
    entry: &Entry,
    seq: u64,
    prev: &str,
    torn: Option<Torn>,
    head_lost: bool,
) -> (String, String) {
    let name = |name: &Option<String>| {
        name.as_ref().map(|name| name.chars().take(NAME_MAX).collect::<String>())
    };
    let body = Body {
        seq,
        at: entry.at.to_rfc3339(),
        user: name(&entry.who.user),
        via: entry.who.via,
        what: entry.what,
        lab: name(&entry.lab),
        account: name(&entry.account),
        order: name(&entry.order),
        details: short(&entry.details),
        result: entry.result,
        torn,
        head_lost,
        prev,
    };
    // What consists of texts and numbers can be written.
    let body = serde_json::to_string(&body).unwrap_or_default();
    let hash = hex(Sha256::digest(body.as_bytes()));
    let open = body.strip_suffix('}').unwrap_or_default();
    (format!("{open}{HASH_KEY}{hash}{HASH_END}"), hash)
}

/// Reads a line without its end.
///
/// # Errors
/// Why it is no whole record.
pub(super) fn open(line: &[u8]) -> Result<Record, &'static str> {
    let no_record = "it is no record";
    let text = std::str::from_utf8(line).map_err(|_| no_record)?;
    let (open, end) = text.rsplit_once(HASH_KEY).ok_or(no_record)?;
    let hash = end.strip_suffix(HASH_END).ok_or(no_record)?;
    if hex(Sha256::new_with_prefix(open.as_bytes()).chain_update("}").finalize()) != hash {
        return Err("it was changed: its hash is another");
    }
    serde_json::from_str(text).map_err(|_| no_record)
}

fn short(details: &Map<String, Value>) -> Map<String, Value> {
    let length = serde_json::to_string(details).map_or(0, |text| text.len());
    if length <= DETAILS_MAX {
        return details.clone();
    }
    let note = format!("{length} bytes of details are too many to be kept");
    std::iter::once(("left_out".to_owned(), Value::from(note))).collect()
}
