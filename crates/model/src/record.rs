//! What the journal knows about an order: the state that the planner decides from.

use std::time::Duration;

use serde::Serialize;

use super::day::Day;
use super::fault::FaultClass;
use super::findings::FindingCounts;
use super::ids::OrderKey;
use super::manifest::Manifest;
use super::order::{RemoteOrder, Status, UNHEARD_OF};
pub use super::order_state::OrderState;
use super::prescription::{Prescription, Tooth};
use super::time::WallMs;

/// Everything remembered about one order. Observations, not plans: what to do is derived from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRecord {
    pub key: OrderKey,
    /// What Align last reported.
    pub remote: RemoteOrder,
    /// What the files fetched last say about the prescription. Where Align's answers say it too,
    /// they count, since they may be newer.
    pub prescription: Prescription,
    /// Whether it was in the latest list of ready orders.
    pub listed: bool,
    /// The status in which it last left the lab (for modeling, say) since the newest revision: it
    /// is expected back with different files.
    pub away: Option<Status>,
    /// Grows with every sign that there is something to fetch.
    pub evidence: u64,
    /// The evidence for which a download was last begun. From then on, Align counts the order as
    /// downloaded and need not list it again.
    pub begun: u64,
    /// The evidence covered by the last completed fetch. Less than `evidence` means: fetch it.
    pub fetched: u64,
    /// A user asked for it again: publish even if nothing changed.
    pub forced: bool,
    /// How often it was fetched again merely because the list kept naming it.
    pub rechecks: u32,
    /// When it was first seen.
    pub first_seen: WallMs,
    /// When it was last seen.
    pub last_seen: WallMs,
    /// When Align was last asked about this one order, whatever the outcome.
    pub last_asked: Option<WallMs>,
    /// When a scan notification last named it.
    pub notified: Option<WallMs>,
    /// How many notifications led to a fetch since its content last changed.
    pub notified_vain: u32,
    /// What is blocking it, if anything.
    pub trouble: Option<Trouble>,
    /// The last publication, if any.
    pub published: Option<PublishedRecord>,
    /// Whether retention removed that publication from the output (older than `retention.keep`).
    pub retired: Retired,
    /// The findings of the last publication.
    pub findings: FindingCounts,
    /// What was fetched and is held back, if anything.
    pub held: Option<HeldRecord>,
    /// When the folder of the newest revision was found to be gone or empty: somebody took it.
    pub picked_up: Option<WallMs>,
    /// What a running agent is doing with it at this moment. In memory only.
    pub activity: Option<Activity>,
}

/// What is being done with an order at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Its files are arriving: how much of the scans' package is here, in percent, if that is known.
    Downloading(Option<u8>),
    /// Everything is here, and is being unpacked, checked and published.
    Checking,
}

/// A revision that was fetched and checked but is kept in staging because it is incomplete. A
/// person decides whether to publish it anyway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldRecord {
    /// The revision number it would have been published as.
    pub revision: u32,
    /// When it was first held back.
    pub at: WallMs,
    /// When Align last served its content.
    pub confirmed: WallMs,
    /// A user wants it published anyway.
    pub released: bool,
    pub findings: FindingCounts,
}

/// Whether retention removed a published order from the output. A new publication resets this.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Retired {
    /// Not old enough yet.
    #[default]
    No,
    /// Removed. It is neither reported missing nor restored.
    Yes,
    /// Old enough, but others changed it or took its place: permanently left alone.
    LeftAlone,
    /// Being removed; recorded durably before anything is moved.
    UnderWay,
}

impl Retired {
    /// The number stored in the journal.
    pub fn number(self) -> u32 {
        match self {
            Self::No => 0,
            Self::Yes => 1,
            Self::LeftAlone => 2,
            Self::UnderWay => 3,
        }
    }

    /// Returns the variant with this number.
    pub fn from_number(number: u32) -> Option<Self> {
        let all = [Self::No, Self::Yes, Self::LeftAlone, Self::UnderWay];
        all.into_iter().find(|one| one.number() == number)
    }
}

/// Why an order is not published yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    pub class: FaultClass,
    /// A stable word for programs.
    pub code: String,
    /// What failed.
    pub message: String,
    /// What the user can do.
    pub hint: Option<String>,
    /// Failed attempts of this class: in a row or, if the class has a budget, since the last
    /// success or news.
    pub attempts: u32,
    /// What the budgets counted so far.
    #[serde(skip)]
    pub spent: Spent,
    /// When it began.
    pub since: WallMs,
    /// When it is retried; `None` if not automatically.
    pub next_try: Option<WallMs>,
    /// Length of the wait until then, so that a clock change cannot extend it.
    #[serde(skip)]
    pub wait: Duration,
    /// Whether a person should act.
    pub attention: bool,
}

impl Trouble {
    /// The next retry as seen at `now`: never in the past. An order whose wait is over is retried
    /// as soon as its turn comes.
    pub fn next_try_from(&self, now: WallMs) -> Option<WallMs> {
        self.next_try.map(|at| at.max(now))
    }
}

/// Failures that have a budget. Other faults in between do not reset it; otherwise an order whose
/// files alternate between missing and broken would be retried forever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Answers "not converted yet".
    pub not_converted: u32,
    /// Broken packages.
    pub damaged: u32,
}

impl Spent {
    /// Counts one more failure and returns the count, if the class has a budget.
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
    pub revision: u32,
    /// SHA-256 of its manifest's bytes.
    pub manifest_sha256: String,
    pub at: WallMs,
    /// When Align last served its content (a fetch that changed nothing counts).
    pub confirmed: WallMs,
    pub place: Place,
    /// How many steps of Align's status history it covers.
    pub history_seen: u32,
}

/// Where a revision was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, strum::IntoStaticStr)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Place {
    /// At the order's own path.
    Main,
    /// Next to it, as `<order-id>-r<N>`, because something that is not ours was there.
    Beside,
}

impl Place {
    /// The word in the journal.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the place with this word.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Main, Self::Beside].into_iter().find(|place| place.as_str() == name)
    }
}

/// A publication that was decided on and is about to happen, or was interrupted. Durable before the
/// first rename.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Intent {
    pub key: OrderKey,
    /// The manifest to publish.
    pub manifest: Manifest,
    /// SHA-256 of its bytes.
    pub manifest_sha256: String,
    /// The evidence it covers.
    pub evidence: u64,
    /// The name of the staged directory below the `work` directory of staging.
    pub job: String,
    pub target: IntentTarget,
    /// How many steps of Align's status history it covers.
    pub history_seen: u32,
    /// The tag of the fetched package, for the remote state.
    pub etag: Option<String>,
}

/// Where a publication goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntentTarget {
    /// To the order's own path, where nothing of ours is.
    Fresh,
    /// To the order's own path, replacing the revision with this number.
    Replace(u32),
    /// Next to the order's own path.
    Beside,
}

impl IntentTarget {
    /// Where the revision is afterwards.
    pub fn place(self) -> Place {
        match self {
            Self::Fresh | Self::Replace(_) => Place::Main,
            Self::Beside => Place::Beside,
        }
    }
}

impl OrderRecord {
    /// Creates the record of an order seen for the first time.
    pub fn new(key: OrderKey, remote: RemoteOrder, now: WallMs) -> Self {
        Self {
            key,
            remote,
            prescription: Prescription::default(),
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
            picked_up: None,
            activity: None,
        }
    }

    /// The day on which the doctor needs the work, if known.
    pub fn due_date(&self) -> Option<Day> {
        self.remote.due_date.or(self.prescription.due_date)
    }

    /// The doctor's name, if known.
    pub fn doctor(&self) -> Option<&str> {
        self.remote.doctor.as_deref().or(self.prescription.doctor.as_deref())
    }

    /// What is to be done, if known: for example `Restorative`.
    pub fn procedure(&self) -> Option<&str> {
        self.remote.procedure.as_deref().or(self.prescription.procedure.as_deref())
    }

    /// The teeth that something is ordered for, as far as known.
    pub fn teeth(&self) -> &[Tooth] {
        &self.prescription.teeth
    }

    /// Whether there is something to fetch.
    pub fn is_wanted(&self) -> bool {
        self.forced || self.evidence > self.fetched
    }

    /// Whether a user wants the held-back revision published.
    pub fn is_released(&self) -> bool {
        self.held.as_ref().is_some_and(|held| held.released)
    }

    /// Whether there is anything to do: fetch it, or publish what was held back.
    pub fn needs_work(&self) -> bool {
        self.is_wanted() || self.is_released()
    }

    /// The findings of the files someone would work with now: the held-back ones if there are any,
    /// otherwise the last published.
    pub fn newest_findings(&self) -> &FindingCounts {
        self.held.as_ref().map_or(&self.findings, |held| &held.findings)
    }

    /// When Align last served the content we have.
    pub fn confirmed(&self) -> Option<WallMs> {
        let published = self.published.as_ref().map(|published| published.confirmed);
        published.max(self.held.as_ref().map(|held| held.confirmed))
    }

    /// Whether it has left the lab and is expected back.
    pub fn is_away(&self) -> bool {
        self.remote.status.is_away()
    }

    /// Whether a user named it and Align has not reported it so far.
    pub fn is_unheard_of(&self) -> bool {
        self.remote.status.as_str() == UNHEARD_OF
    }

    /// Whether it left Align's list before a download was begun here: another client took it, or it
    /// was sent on.
    pub fn left_unfetched(&self) -> bool {
        !self.listed && self.is_wanted() && self.begun < self.evidence && !self.forced
    }

    /// When to ask Align about this one order next, if at all. The list only names ready orders;
    /// that a case is in modeling or was taken by another client can only be learned by asking.
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
            // We learned that it is away without asking: check soon whether Align agrees.
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

    /// Whether its newest revision is in the output, as far as anybody knows.
    pub fn is_in_output(&self) -> bool {
        self.published.is_some() && self.retired != Retired::Yes && self.picked_up.is_none()
    }

    pub fn state(&self) -> OrderState {
        // Pictures that arrive late change nothing about a published order.
        match (self.activity.filter(|_| self.needs_work()), self.is_in_output()) {
            (Some(_), true) => return OrderState::Refetching,
            (Some(Activity::Downloading(_)), false) => return OrderState::Downloading,
            (Some(Activity::Checking), false) => return OrderState::Checking,
            (None, _) => {}
        }
        match &self.trouble {
            _ if !self.needs_work() && self.held.is_none() && self.retired == Retired::Yes => {
                OrderState::Removed
            }
            _ if !self.needs_work() && self.is_away() => OrderState::Away,
            _ if !self.needs_work() && self.held.is_some() => OrderState::Held,
            _ if !self.needs_work() && self.picked_up.is_some() => OrderState::PickedUp,
            _ if !self.needs_work() => OrderState::Published,
            None if self.is_wanted() && self.is_in_output() => OrderState::Refetching,
            None => OrderState::Waiting,
            Some(trouble) if trouble.attention => OrderState::Attention,
            Some(trouble) if trouble.class == FaultClass::NotConverted => OrderState::Regenerating,
            Some(_) => OrderState::Retrying,
        }
    }

    /// How much of the scans' package has arrived, in percent, while it is arriving.
    pub fn percent(&self) -> Option<u8> {
        match self.activity {
            Some(Activity::Downloading(percent)) => percent,
            Some(Activity::Checking) | None => None,
        }
    }

    /// Its state for people, with how far its download has come.
    pub fn state_in_words(&self) -> String {
        let words = self.state().words();
        self.percent().map_or(words.to_owned(), |percent| format!("{words}, {percent} %"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::RemoteOrder;

    fn order() -> OrderRecord {
        let key = OrderKey {
            lab: "lab".parse().expect("valid"),
            account: "1".parse().expect("valid"),
            order: "17".parse().expect("valid"),
        };
        let remote = RemoteOrder::new(key.order.clone(), Status::Ready);
        OrderRecord::new(key, remote, WallMs(0))
    }

    fn published() -> OrderRecord {
        let published = PublishedRecord {
            revision: 1,
            manifest_sha256: String::new(),
            at: WallMs(1),
            confirmed: WallMs(1),
            place: Place::Main,
            history_seen: 0,
        };
        OrderRecord { published: Some(published), fetched: 1, ..order() }
    }

    #[test]
    fn an_order_that_is_being_fetched_says_so_and_how_far_it_is() {
        let arriving = OrderRecord { activity: Some(Activity::Downloading(Some(42))), ..order() };
        assert_eq!(arriving.state(), OrderState::Downloading);
        assert_eq!(arriving.state_in_words(), "downloading, 42 %");
        let here = OrderRecord { activity: Some(Activity::Checking), ..order() };
        assert_eq!((here.state(), here.percent()), (OrderState::Checking, None));
        let activity = Some(Activity::Downloading(Some(7)));
        let pictures = OrderRecord { activity, ..published() };
        assert_eq!(pictures.state(), OrderState::Published);
        let again = OrderRecord { activity, evidence: 2, ..published() };
        assert_eq!(again.state(), OrderState::Refetching, "its files are in the folder");
        assert_eq!(again.state_in_words(), "published, being fetched again, 7 %");
    }

    #[test]
    fn a_published_order_that_is_wanted_again_does_not_look_as_if_nothing_were_there() {
        let again = OrderRecord { evidence: 2, ..published() };
        assert_eq!(again.state(), OrderState::Refetching);
        let nothing_there = OrderRecord { picked_up: Some(WallMs(2)), ..again.clone() };
        assert_eq!(nothing_there.state(), OrderState::Waiting);
        let removed = OrderRecord { retired: Retired::Yes, ..again };
        assert_eq!(removed.state(), OrderState::Waiting);
    }

    #[test]
    fn an_order_whose_folder_was_taken_is_picked_up() {
        let taken = OrderRecord { picked_up: Some(WallMs(2)), ..published() };
        assert_eq!(taken.state(), OrderState::PickedUp);
        let removed = OrderRecord { retired: Retired::Yes, ..taken };
        assert_eq!(removed.state(), OrderState::Removed);
    }
}
