//! What the journal knows of an order: the pictures that the planner decides from.

use serde::Serialize;

use super::fault::FaultClass;
use super::ids::OrderKey;
use super::manifest::Manifest;
use super::order::RemoteOrder;
use super::time::WallMs;

/// Everything that is remembered of one order. Observations, not plans: what is to be done follows
/// from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    /// Which order.
    pub key: OrderKey,
    /// What Align last said.
    pub remote: RemoteOrder,
    /// Whether it stood in the latest list of ready orders.
    pub listed: bool,
    /// Grows with every sign that there is something to fetch.
    pub evidence: u64,
    /// The evidence that the last completed fetch covers. Smaller than `evidence`: to be fetched.
    pub fetched: u64,
    /// Somebody asked for it again: publish even if nothing changed.
    pub forced: bool,
    /// How often it was fetched again merely because the list went on naming it.
    pub rechecks: u32,
    /// When it was first seen.
    pub first_seen: WallMs,
    /// When it was last heard of.
    pub last_seen: WallMs,
    /// What stands in the way, if anything.
    pub trouble: Option<Trouble>,
    /// What was last published of it, if anything.
    pub published: Option<PublishedRecord>,
}

/// Why an order is not published yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// What kind of trouble.
    pub class: FaultClass,
    /// A stable word for programs.
    pub code: String,
    /// What failed.
    pub message: String,
    /// What a person can do.
    pub hint: Option<String>,
    /// Failed attempts of this class in a row.
    pub attempts: u32,
    /// When it began.
    pub since: WallMs,
    /// When it is tried again; `None`: not by itself, a person must act.
    pub next_try: Option<WallMs>,
}

/// The last publication.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PublishedRecord {
    /// Its revision.
    pub revision: u32,
    /// SHA-256 of its manifest's bytes.
    pub manifest_sha256: String,
    /// When.
    pub at: WallMs,
    /// When Align last handed out its content (a fetch that changed nothing counts).
    pub confirmed: WallMs,
    /// Where it stands.
    pub place: Place,
    /// How many steps of Align's status history it covers.
    pub history_seen: u32,
}

/// Where a revision was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// At the order's own path.
    Main,
    /// Beside it, as `<order-id>-r<N>`, since something that is not ours stood there.
    Beside,
}

impl Place {
    /// The word in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Beside => "beside",
        }
    }

    /// The place with that word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Main, Self::Beside].into_iter().find(|place| place.as_str() == name)
    }
}

/// A publication that was decided on and is about to happen, or was interrupted. Durable before the
/// first rename.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    /// Which order.
    pub key: OrderKey,
    /// The manifest that is published.
    pub manifest: Manifest,
    /// SHA-256 of its bytes.
    pub manifest_sha256: String,
    /// The evidence that it covers.
    pub evidence: u64,
    /// The staged directory's name below the staging's `work`.
    pub job: String,
    /// Where it goes.
    pub target: IntentTarget,
    /// How many steps of Align's status history it covers.
    pub history_seen: u32,
    /// The tag of the fetched package, for the remote picture.
    pub etag: Option<String>,
}

/// Where a publication goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentTarget {
    /// To the order's own path, where nothing of ours stands.
    Fresh,
    /// To the order's own path, in the place of the revision with that number.
    Replace(u32),
    /// Beside the order's own path.
    Beside,
}

impl IntentTarget {
    /// Where the revision stands afterwards.
    pub fn place(self) -> Place {
        match self {
            Self::Fresh | Self::Replace(_) => Place::Main,
            Self::Beside => Place::Beside,
        }
    }
}

/// An order's state in one word, for people and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OrderState {
    /// To be fetched as soon as there is room.
    Waiting,
    /// Align is making the files.
    Regenerating,
    /// Failed, and tried again by itself.
    Retrying,
    /// Failed for good: a person must act.
    Attention,
    /// Published, and nothing newer is known.
    Published,
}

impl OrderState {
    /// All states.
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Regenerating, Self::Retrying, Self::Attention, Self::Published];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Regenerating => "regenerating",
            Self::Retrying => "retrying",
            Self::Attention => "attention",
            Self::Published => "published",
        }
    }
}

impl OrderRecord {
    /// An order that is seen for the first time.
    pub fn new(key: OrderKey, remote: RemoteOrder, now: WallMs) -> Self {
        Self {
            key,
            remote,
            listed: true,
            evidence: 1,
            fetched: 0,
            forced: false,
            rechecks: 0,
            first_seen: now,
            last_seen: now,
            trouble: None,
            published: None,
        }
    }

    /// Whether something is to be fetched.
    pub fn is_wanted(&self) -> bool {
        self.forced || self.evidence > self.fetched
    }

    /// The state in one word.
    pub fn state(&self) -> OrderState {
        match &self.trouble {
            _ if !self.is_wanted() => OrderState::Published,
            None => OrderState::Waiting,
            Some(trouble) if trouble.next_try.is_none() => OrderState::Attention,
            Some(trouble) if trouble.class == FaultClass::NotConverted => OrderState::Regenerating,
            Some(_) => OrderState::Retrying,
        }
    }
}
