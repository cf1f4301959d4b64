//! What the journal knows of an order: the pictures that the planner decides from.

use std::time::Duration;

use serde::Serialize;

use super::fault::FaultClass;
use super::findings::FindingCounts;
use super::ids::OrderKey;
use super::manifest::Manifest;
use super::order::{RemoteOrder, Status, UNHEARD_OF};
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
    /// The status in which it was last away from the lab (in modeling, say) since the newest revision:
    /// it is expected back with other files.
    pub away: Option<Status>,
    /// Grows with every sign that there is something to fetch.
    pub evidence: u64,
    /// The evidence for which a download was last begun. Align counts the order as downloaded from
    /// then on, and need not list it again.
    pub begun: u64,
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
    /// When Align was last asked about this one order, whatever came of it.
    pub last_asked: Option<WallMs>,
    /// When a scan notification last named it.
    pub notified: Option<WallMs>,
    /// How many notifications led to a fetch since its content last changed.
    pub notified_vain: u32,
    /// What stands in the way, if anything.
    pub trouble: Option<Trouble>,
    /// What was last published of it, if anything.
    pub published: Option<PublishedRecord>,
    /// Whether that was removed from the output, since it is older than `retention.keep`.
    pub retired: Retired,
    /// What there is to know of the files of the last publication.
    pub findings: FindingCounts,
    /// What was fetched and is held back, if anything.
    pub held: Option<HeldRecord>,
}

/// A revision that was fetched and checked, and is kept in staging: it is incomplete, and a person
/// decides whether it is published all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRecord {
    /// The number that it would have been published with.
    pub revision: u32,
    /// Since when.
    pub at: WallMs,
    /// When Align last handed out its content.
    pub confirmed: WallMs,
    /// Somebody wants it published all the same.
    pub released: bool,
    /// What there is to know of its files.
    pub findings: FindingCounts,
}

/// Whether a published order was removed from the output because of its age. A new publication begins
/// anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Retired {
    /// No: it is not that old yet.
    #[default]
    No,
    /// Yes. It is neither missed nor restored.
    Yes,
    /// It is old enough, and others changed or took its place: it is left alone for good.
    LeftAlone,
    /// It is being removed: durable before anything is moved.
    UnderWay,
}

impl Retired {
    /// The number in the journal.
    pub fn number(self) -> u32 {
        match self {
            Self::No => 0,
            Self::Yes => 1,
            Self::LeftAlone => 2,
            Self::UnderWay => 3,
        }
    }

    /// The one with that number.
    pub fn from_number(number: u32) -> Option<Self> {
        let all = [Self::No, Self::Yes, Self::LeftAlone, Self::UnderWay];
        all.into_iter().find(|one| one.number() == number)
    }
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
    /// Failed attempts of this class, in a row or, where a budget counts them, since the last success
    /// or news.
    pub attempts: u32,
    /// What the budgets counted so far.
    #[serde(skip)]
    pub spent: Spent,
    /// When it began.
    pub since: WallMs,
    /// When it is tried again; `None`: not by itself.
    pub next_try: Option<WallMs>,
    /// How long the wait until then is, so that a clock that was set cannot make it longer.
    #[serde(skip)]
    pub wait: Duration,
    /// Whether a person should act.
    pub attention: bool,
}

impl Trouble {
    /// When it is tried again, as seen at `now`: never a time that is past. An order whose wait is over
    /// is tried as soon as its turn comes.
    pub fn next_try_from(&self, now: WallMs) -> Option<WallMs> {
        self.next_try.map(|at| at.max(now))
    }
}

/// Failures that have a budget. Other faults in between do not give it back: an order whose files are
/// now missing, now broken would be tried for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Answers "not converted yet".
    pub not_converted: u32,
    /// Broken packages.
    pub damaged: u32,
}

impl Spent {
    /// Counts one more failure, if its class has a budget. Gives the count.
    pub fn count(&mut self, class: FaultClass) -> Option<u32> {
        let count = match class {
            FaultClass::NotConverted => &mut self.not_converted,
            FaultClass::Damaged => &mut self.damaged,
            _ => return None,
        };
        *count = count.saturating_add(1);
        Some(*count)
    }
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
    /// Failing for good or for long: a person should act.
    Attention,
    /// Published, and away from the lab since (in modeling, with the doctor): expected back.
    Away,
    /// Published, and nothing newer is known.
    Published,
    /// Published once, and removed from the output since, because of its age.
    Removed,
    /// Fetched and kept safely, and not published, since it is incomplete: a person decides.
    Held,
}

impl OrderState {
    /// All states.
    pub const ALL: [Self; 8] = [
        Self::Waiting,
        Self::Regenerating,
        Self::Retrying,
        Self::Attention,
        Self::Held,
        Self::Away,
        Self::Published,
        Self::Removed,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Regenerating => "regenerating",
            Self::Retrying => "retrying",
            Self::Attention => "attention",
            Self::Away => "away",
            Self::Published => "published",
            Self::Removed => "removed",
            Self::Held => "held",
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
            away: None,
            evidence: 1,
            begun: 0,
            fetched: 0,
            forced: false,
            rechecks: 0,
            first_seen: now,
            last_seen: now,
            last_asked: None,
            notified: None,
            notified_vain: 0,
            trouble: None,
            published: None,
            retired: Retired::No,
            findings: FindingCounts::default(),
            held: None,
        }
    }

    /// Whether something is to be fetched.
    pub fn is_wanted(&self) -> bool {
        self.forced || self.evidence > self.fetched
    }

    /// Whether somebody wants published what is held back.
    pub fn is_released(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.released)
    }

    /// Whether there is something to do about it: to fetch it, or to publish what was held back.
    pub fn needs_work(&self) -> bool {
        self.is_wanted() || self.is_released()
    }

    /// What there is to know of the files that a person would work with now: of those that are held
    /// back, else of those that were published last.
    pub fn newest_findings(&self) -> &FindingCounts {
        self.held.as_ref().map_or(&self.findings, |held| &held.findings)
    }

    /// When Align last handed out what lies here.
    pub fn confirmed(&self) -> Option<WallMs> {
        let published = self.published.as_ref().map(|published| published.confirmed);
        published.max(self.held.as_ref().map(|held| held.confirmed))
    }

    /// Whether it is out of the lab's hands and expected back.
    pub fn is_away(&self) -> bool {
        self.remote.status.is_away()
    }

    /// Whether a person named it, and Align did not so far.
    pub fn is_unheard_of(&self) -> bool {
        self.remote.status.as_str() == UNHEARD_OF
    }

    /// Whether it left Align's list before a download was begun here: another client took it, or it
    /// was sent on.
    pub fn left_unfetched(&self) -> bool {
        !self.listed && self.is_wanted() && self.begun < self.evidence && !self.forced
    }

    /// When Align is to be asked about this one order next, if at all. The list names ready orders
    /// only; that a case is in modeling, or was taken by another client, is found by asking.
    pub fn ask_at(&self) -> Option<WallMs> {
        let hours = Duration::from_hours;
        self.remote.rx_id.as_ref()?;
        let heard = self.last_asked.map_or(self.last_seen, |asked| asked.max(self.last_seen));
        if self.left_unfetched() {
            return Some(match self.last_asked {
                Some(asked) if asked >= self.last_seen => heard.plus(hours(4)),
                _ => heard,
            });
        }
        let confirmed = self.confirmed().filter(|_| !self.is_wanted())?;
        let age = heard.after(confirmed);
        let sent_back = self.last_asked.is_none_or(|asked| asked < self.last_seen);
        let wait = if self.is_away() && sent_back {
            // That it is away was not learned by asking: see soon whether Align says so too.
            Duration::from_mins(10)
        } else if self.is_away() && age < hours(90 * 24) {
            hours(8)
        } else if age < hours(24) {
            hours(4)
        } else if age < hours(14 * 24) {
            hours(24)
        } else {
            return None;
        };
        Some(heard.plus(wait))
    }

    /// The state in one word.
    pub fn state(&self) -> OrderState {
        match &self.trouble {
            _ if !self.needs_work() && self.held.is_none() && self.retired == Retired::Yes => {
                OrderState::Removed
            }
            _ if !self.needs_work() && self.is_away() => OrderState::Away,
            _ if !self.needs_work() && self.held.is_some() => OrderState::Held,
            _ if !self.needs_work() => OrderState::Published,
            None => OrderState::Waiting,
            Some(trouble) if trouble.attention => OrderState::Attention,
            Some(trouble) if trouble.class == FaultClass::NotConverted => OrderState::Regenerating,
            Some(_) => OrderState::Retrying,
        }
    }
}
