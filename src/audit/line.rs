//! One record of the audit log: building, sealing and reading it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use crate::model::digest::{hex, sha256};
use crate::model::ids::OrderKey;
use crate::model::request::{Outcome, Via, Who};
use crate::model::time::WallMs;

/// In bytes. Longer details are dropped, so that a record stays small.
const DETAILS_MAX: usize = 16 << 10;
/// In characters. Longer names are truncated.
const NAME_MAX: usize = 256;
/// How a line ends, with the hash in between.
const HASH_KEY: &str = ",\"hash\":\"";
const HASH_END: &str = "\"}";

/// An audited action.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "kebab-case")]
pub enum AuditEvent {
    /// The agent started working.
    AgentStarted,
    /// The agent shut down cleanly.
    AgentStopped,
    /// The agent started with a different config than last time.
    ConfigChanged,
    /// A lab was logged in.
    Login,
    /// A lab's login was revoked and deleted.
    Logout,
    /// A lab was paired with an account.
    Pair,
    /// An account was unpaired.
    Unpair,
    /// A user asked for an order again.
    Refetch,
    /// A user asked to publish an incomplete order that was held back.
    Publish,
    /// An order was returned to the doctor.
    Return,
    Pause,
    Resume,
    /// A published order was removed from the output because it is older than `retention.keep`.
    Removed,
    /// A replaced revision was removed from history because it is older than `history.keep`.
    HistoryRemoved,
    /// A held-back package was removed from staging because something newer of the order is
    /// durable.
    HeldRemoved,
    /// Leftovers of interrupted work were removed from staging at startup.
    LeftoversRemoved,
    /// The program updated itself to another version.
    Update,
    TestOrder,
    TestOrderRemoved,
    /// A user chose another output folder.
    OutputChosen,
}

impl AuditEvent {
    /// The name used in the audit file.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Serialize for AuditEvent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The outcome of an action, or that it is about to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// About to be done. Without a later record of the same action, its outcome is unknown.
    Begun,
    Done,
    /// Refused: nothing was done.
    Refused,
    Failed,
    /// It may or may not have been done.
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

/// An entry to record.
#[derive(Debug, Clone)]
pub struct Entry {
    pub at: WallMs,
    /// Who did it, and through which channel.
    pub who: Who,
    pub what: AuditEvent,
    pub result: Mark,
    pub lab: Option<String>,
    pub account: Option<String>,
    pub order: Option<String>,
    /// Further details. No secrets, no patient data, no user-written text.
    pub details: Map<String, Value>,
}

impl Entry {
    /// Returns an entry that names no lab and has no details.
    pub fn new(at: WallMs, who: Who, what: AuditEvent, result: Mark) -> Self {
        Self { at, who, what, result, lab: None, account: None, order: None, details: Map::new() }
    }

    /// Returns an entry for something the agent does on its own.
    pub fn by_agent(at: WallMs, what: AuditEvent, result: Mark) -> Self {
        Self::new(at, Who { user: None, via: Via::Agent }, what, result)
    }

    /// Sets the lab.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "names come as values and as references")]
    pub fn lab(mut self, lab: impl ToString) -> Self {
        self.lab = Some(lab.to_string());
        self
    }

    /// Sets the account.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "names come as values and as references")]
    pub fn account(mut self, account: impl ToString) -> Self {
        self.account = Some(account.to_string());
        self
    }

    /// Sets lab, account and order.
    #[must_use]
    pub fn about(self, key: &OrderKey) -> Self {
        self.lab(&key.lab).account(&key.account).order(&key.order)
    }

    /// Sets the order.
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

/// The remains of a record that a power cut interrupted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Torn {
    pub bytes: u64,
    pub sha256: String,
}

impl Torn {
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: sha256(bytes) }
    }
}

/// A record as read from the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Sequence number, from 1.
    pub seq: u64,
    /// RFC 3339.
    pub at: String,
    /// Who did it, if the system reported a user.
    #[serde(default)]
    pub user: Option<String>,
    /// The name of a [`Via`].
    pub via: String,
    /// The name of a [`AuditEvent`].
    pub what: String,
    #[serde(default)]
    pub lab: Option<String>,
    #[serde(default)]
    pub account: Option<String>,
    #[serde(default)]
    pub order: Option<String>,
    #[serde(default)]
    pub details: Map<String, Value>,
    /// The name of a [`Mark`].
    pub result: String,
    /// The torn record in front of this one, if a power cut left one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub torn: Option<Torn>,
    /// Whether `audit.head` was missing when this record was written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub head_lost: bool,
    /// The hash of the previous record.
    pub prev: String,
    /// The SHA-256 of the line without this last field.
    pub hash: String,
}

/// A line without its hash.
#[derive(Serialize)]
struct Body<'a> {
    seq: u64,
    at: String,
    user: Option<String>,
    via: Via,
    what: AuditEvent,
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

/// Returns an entry's line, without the line ending, and its hash.
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
    // Serializing strings and numbers cannot fail.
    let body = serde_json::to_string(&body).unwrap_or_default();
    let hash = sha256(body.as_bytes());
    let open = body.strip_suffix('}').unwrap_or_default();
    (format!("{open}{HASH_KEY}{hash}{HASH_END}"), hash)
}

/// Parses a line without its line ending.
///
/// # Errors
/// Why it is not a complete record.
pub(super) fn open(line: &[u8]) -> Result<Record, &'static str> {
    let no_record = "it is not a record";
    let text = std::str::from_utf8(line).map_err(|_| no_record)?;
    let (open, end) = text.rsplit_once(HASH_KEY).ok_or(no_record)?;
    let hash = end.strip_suffix(HASH_END).ok_or(no_record)?;
    if hex(Sha256::new_with_prefix(open.as_bytes()).chain_update("}").finalize()) != hash {
        return Err("it was changed: its hash does not match");
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
