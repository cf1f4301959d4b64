//! Compares Align's list, the journal and the disk: what differs, and why. Pure.

use serde::Serialize;

use casedrop_model::discreet::file_name;
use casedrop_model::local::LocalPicture;
use casedrop_model::record::{OrderRecord, OrderState, Retired};
use casedrop_model::time::WallMs;

/// One difference between the three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    /// Why it is so, and what happens next.
    pub explanation: String,
}

/// Kinds of difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Ready at Align, but not here yet.
    NotHereYet,
    /// Ready at Align, but failing here.
    Failing,
    /// Left the list before it was fetched here.
    LeftUnfetched,
    /// The same, and Align says it was downloaded: by another client.
    TakenByAnotherClient,
    /// Published, but still in Align's list.
    ListedAgain,
    /// Fetched, incomplete, and held back.
    HeldBack,
    /// Published, and no longer with the lab.
    Away,
    /// Published, but its folder is gone.
    Consumed,
    /// Published, but some of its files are gone.
    PartlyTaken,
    /// Published, and changed by others since.
    ChangedByOthers,
    /// A publication that was interrupted.
    Interrupted,
    /// A folder that the journal does not know.
    UnknownFolder,
}

/// The state of a publication on disk.
#[derive(Debug, Clone, Copy)]
pub struct OnDisk<'a> {
    /// What is at the order's own path, compared with the revision put there.
    pub main: Option<&'a LocalPicture>,
    /// What is beside it, if the newest revision was published there.
    pub beside: Option<&'a LocalPicture>,
    /// A publication was started and is not recorded as complete.
    pub interrupted: bool,
}

/// Whether Align listed the order after we had its content: a list read earlier says nothing.
fn is_listed_again(order: &OrderRecord, list_read: Option<WallMs>) -> bool {
    let fetched = order.published.as_ref().filter(|_| order.listed && !order.is_wanted());
    fetched.is_some_and(|published| list_read.is_some_and(|read| read > published.confirmed))
}

/// Returns everything about one order that is not simply "published and in place". `list_read` is
/// when Align's list was last read.
pub fn findings(order: &OrderRecord, list_read: Option<WallMs>, disk: OnDisk<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |kind, explanation: String| found.push(Finding { kind, explanation });
    if disk.interrupted {
        add(
            Kind::Interrupted,
            "its publication was interrupted: the next start of the agent completes or undoes it"
                .to_owned(),
        );
    }
    if order.is_wanted() {
        let (kind, explanation) = wanted(order);
        add(kind, explanation);
    } else if order.is_away() {
        let text = format!(
            "{} at Align: nothing to do; a new revision is expected, which will replace this one",
            order.remote.status
        );
        add(Kind::Away, text);
    }
    if let Some(held) = &order.held {
        let text = if held.released {
            "incomplete; it will be published as it is as soon as its turn comes".to_owned()
        } else {
            format!(
                "incomplete ({}), held back since {}: it is kept until somebody publishes it \
                 (`casedrop publish {}`) or a new revision arrives",
                held.findings.in_words(),
                held.at.local(),
                order.key.order
            )
        };
        add(Kind::HeldBack, text);
    }
    if let Some(published) = order.published.as_ref().filter(|_| is_listed_again(order, list_read))
    {
        let text = format!(
            "published, but Align still lists it ({}): its list lags behind downloads; if it stays \
             there, Casedrop fetches the order again and compares it (last done {})",
            order.remote.status,
            published.confirmed.local()
        );
        add(Kind::ListedAgain, text);
    }
    for (place, picture) in [("its folder", disk.main), ("the folder next to it", disk.beside)] {
        // An order removed because of its age is not missed.
        let is_removed = order.retired == Retired::Yes;
        let picture = picture.filter(|picture| !(is_removed && **picture == LocalPicture::Absent));
        if let Some((kind, text)) = picture.and_then(|picture| on_disk(place, picture)) {
            add(kind, text);
        }
    }
    found
}

fn wanted(order: &OrderRecord) -> (Kind, String) {
    use casedrop_model::order::Status;
    let why = order.trouble.as_ref().map_or_else(
        || {
            "waiting: it is fetched once the agent runs, its lab is logged in and paired, and no \
             server is down"
                .to_owned()
        },
        |trouble| {
            let next = trouble.next_try.map_or_else(
                || "it is not retried automatically".to_owned(),
                |at: WallMs| format!("the next try is at {}", at.local()),
            );
            let hint = trouble.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            format!("{}{hint}; {next}", trouble.message)
        },
    );
    if order.activity.is_some() && order.needs_work() {
        return (Kind::NotHereYet, format!("{} right now", order.state_in_words()));
    }
    match order.state() {
        _ if order.left_unfetched() && order.remote.status == Status::Downloaded => (
            Kind::TakenByAnotherClient,
            format!(
                "Align says Downloaded, but nothing was fetched here: another client took it. \
                 Casedrop fetches it anyway: {why}"
            ),
        ),
        _ if order.left_unfetched() => (
            Kind::LeftUnfetched,
            format!(
                "no longer in Align's list, although it was not fetched here. Casedrop fetches it \
                 anyway: {why}"
            ),
        ),
        OrderState::Attention | OrderState::Retrying => (Kind::Failing, why),
        _ => (Kind::NotHereYet, why),
    }
}

fn on_disk(place: &str, picture: &LocalPicture) -> Option<(Kind, String)> {
    match picture {
        LocalPicture::AsPublished => None,
        LocalPicture::Absent => Some((
            Kind::Consumed,
            format!(
                "{place} was taken (moved or deleted), so the order counts as picked up; `casedrop \
                 refetch` brings it back"
            ),
        )),
        LocalPicture::Reduced { gone } => Some((
            Kind::PartlyTaken,
            format!("{place} lacks {}, which somebody took", some_of(gone)),
        )),
        LocalPicture::Altered { differences } => Some((
            Kind::ChangedByOthers,
            format!(
                "{place} was changed by others ({}): it is left alone, and a new revision goes \
                 next to it",
                some_of(differences)
            ),
        )),
        LocalPicture::Ours { .. } => Some((
            Kind::UnknownFolder,
            format!("{place} contains a revision that is not in the journal; it is left alone"),
        )),
        LocalPicture::Foreign { what } => Some((
            Kind::ChangedByOthers,
            format!(
                "{place} contains something else ({what}): it is left alone, and the order goes \
                 next to it"
            ),
        )),
    }
}

/// The first few entries, and how many more there are.
fn some_of(all: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = all.iter().take(SHOWN).map(|file| file_name(file)).collect::<Vec<_>>().join(", ");
    match all.len() {
        0..=SHOWN => shown,
        more => format!("{shown} and {} more", more - SHOWN),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use casedrop_model::fault::FaultClass;
    use casedrop_model::ids::OrderKey;
    use casedrop_model::order::{RemoteOrder, Status};
    use casedrop_model::record::{Place, PublishedRecord, Spent, Trouble};

    const NOTHING: OnDisk<'_> = OnDisk { main: None, beside: None, interrupted: false };

    fn order(status: Status) -> OrderRecord {
        let key = OrderKey {
            lab: "lab".parse().expect("valid"),
            account: "1".parse().expect("valid"),
            order: "17".parse().expect("valid"),
        };
        OrderRecord::new(key, RemoteOrder::new("17".parse().expect("valid"), status), WallMs(0))
    }

    fn published(status: Status) -> OrderRecord {
        let mut order = order(status);
        order.begun = order.evidence;
        order.fetched = order.evidence;
        order.listed = false;
        order.published = Some(PublishedRecord {
            revision: 1,
            manifest_sha256: String::new(),
            at: WallMs(0),
            confirmed: WallMs(0),
            place: Place::Main,
            history_seen: 0,
        });
        order
    }

    fn kinds(order: &OrderRecord, disk: OnDisk<'_>) -> Vec<Kind> {
        findings(order, Some(WallMs(1)), disk).into_iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn a_published_order_that_stands_there_is_no_difference() {
        let disk = OnDisk { main: Some(&LocalPicture::AsPublished), ..NOTHING };
        assert_eq!(kinds(&published(Status::Downloaded), disk), []);
    }

    #[test]
    fn each_difference_has_its_kind() {
        let mut left = order(Status::Ready);
        assert_eq!(kinds(&left, NOTHING), [Kind::NotHereYet]);
        left.listed = false;
        assert_eq!(kinds(&left, NOTHING), [Kind::LeftUnfetched]);
        left.remote.status = Status::Downloaded;
        assert_eq!(kinds(&left, NOTHING), [Kind::TakenByAnotherClient]);
        left.begun = left.evidence;
        assert_eq!(kinds(&left, NOTHING), [Kind::NotHereYet], "it was us");

        let mut listed = published(Status::Ready);
        listed.listed = true;
        assert_eq!(kinds(&listed, NOTHING), [Kind::ListedAgain]);
        assert_eq!(findings(&listed, Some(WallMs(0)), NOTHING), [], "read before it was fetched");
        let away = published(Status::Modeling);
        let interrupted = OnDisk { interrupted: true, ..NOTHING };
        assert_eq!(kinds(&away, interrupted), [Kind::Interrupted, Kind::Away]);
    }

    #[test]
    fn what_is_held_back_is_a_difference_that_says_what_to_do() {
        let mut order = order(Status::Downloaded);
        order.fetched = order.evidence;
        order.held = Some(casedrop_model::record::HeldRecord {
            revision: 1,
            at: WallMs(0),
            confirmed: WallMs(0),
            released: false,
            findings: casedrop_model::findings::FindingCounts::default(),
        });
        let found = findings(&order, Some(WallMs(1)), NOTHING);
        assert_eq!(found[0].kind, Kind::HeldBack);
        assert!(found[0].explanation.contains("casedrop publish 17"), "{found:?}");
    }

    #[test]
    fn the_disk_tells_who_took_or_changed_what() {
        let order = published(Status::Downloaded);
        let on = |picture: &LocalPicture| kinds(&order, OnDisk { main: Some(picture), ..NOTHING });
        assert_eq!(on(&LocalPicture::Absent), [Kind::Consumed]);
        let gone = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let reduced = LocalPicture::Reduced { gone };
        assert_eq!(on(&reduced), [Kind::PartlyTaken]);
        let disk = OnDisk { main: Some(&reduced), ..NOTHING };
        let found = findings(&order, None, disk);
        assert!(found[0].explanation.contains("a, b, c and 1 more"), "{found:?}");
        let altered = LocalPicture::Altered { differences: vec!["x".to_owned()] };
        assert_eq!(on(&altered), [Kind::ChangedByOthers]);
        assert_eq!(
            on(&LocalPicture::Foreign { what: "a file".to_owned() }),
            [Kind::ChangedByOthers]
        );
    }

    #[test]
    fn a_failing_order_says_what_is_in_its_way_and_what_to_do() {
        let mut failing = order(Status::Ready);
        failing.trouble = Some(Trouble {
            class: FaultClass::Permanent,
            code: "zip-bomb".to_owned(),
            message: "it is a bomb".to_owned(),
            hint: Some("tell Align".to_owned()),
            attempts: 1,
            spent: Spent::default(),
            since: WallMs(0),
            next_try: None,
            wait: std::time::Duration::ZERO,
            attention: true,
        });
        let found = findings(&failing, None, NOTHING);
        assert_eq!(found[0].kind, Kind::Failing);
        assert_eq!(
            found[0].explanation,
            "it is a bomb (tell Align); it is not retried automatically"
        );
    }
}
