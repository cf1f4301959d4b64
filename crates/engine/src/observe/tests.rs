use super::*;
use casedrop_model::fault::FaultClass;
use casedrop_model::order::Status;
use casedrop_model::record::{Place, PublishedRecord, Spent, Trouble};

const MINUTE: i64 = 60_000;

fn key() -> OrderKey {
    OrderKey {
        lab: "lab".parse().expect("valid"),
        account: "1".parse().expect("valid"),
        order: "17".parse().expect("valid"),
    }
}

fn remote(status: Status) -> RemoteOrder {
    RemoteOrder::new("17".parse().expect("valid"), status)
}

fn published(at: i64) -> OrderRecord {
    let mut record = OrderRecord::new(key(), remote(Status::Ready), WallMs(0));
    record.fetched = record.evidence;
    record.published = Some(PublishedRecord {
        revision: 1,
        manifest_sha256: String::new(),
        at: WallMs(at),
        confirmed: WallMs(at),
        place: Place::Main,
        history_seen: 0,
    });
    record
}

fn see(record: OrderRecord, remote: RemoteOrder, now: i64) -> (OrderRecord, News) {
    seen_in_list(Some(record), &key(), remote, WallMs(now))
}

#[test]
fn a_new_order_is_wanted() {
    let (record, news) = seen_in_list(None, &key(), remote(Status::Ready), WallMs(5));
    assert!(record.is_wanted());
    assert!(matches!(news, News::Wanted(_)));
}

#[test]
fn a_list_that_lags_behind_a_download_causes_no_loop() {
    let mut record = published(0);
    let mut fetches = Vec::new();
    for minute in 0..48 * 60 {
        let (seen, _) = see(record, remote(Status::Ready), minute * MINUTE);
        record = seen;
        if record.is_wanted() {
            fetches.push(minute);
            record.fetched = record.evidence;
            if let Some(published) = &mut record.published {
                published.confirmed = WallMs(minute * MINUTE);
            }
        }
    }
    assert_eq!(fetches, [10, 70, 430, 1870]);
}

#[test]
fn an_order_that_left_the_list_and_is_back_is_wanted() {
    let record = gone_from_list(published(0));
    assert!(!record.is_wanted(), "leaving the list is by design");
    let (record, news) = see(record, remote(Status::Ready), MINUTE);
    assert!(record.is_wanted());
    assert_eq!(news, News::Wanted("ready again at Align"));
}

#[test]
fn a_changed_status_date_or_tag_is_a_sign() {
    let (record, _) = see(published(0), remote(Status::LabReview), 1);
    assert!(record.is_wanted());
    let mut before = published(0);
    before.remote.updated_at = Some("a".to_owned());
    let mut after = remote(Status::Ready);
    after.updated_at = Some("b".to_owned());
    assert!(see(before, after, 1).0.is_wanted());
    let mut before = published(0);
    before.remote.etag = Some("a".to_owned());
    let mut after = remote(Status::Ready);
    after.etag = Some("b".to_owned());
    assert!(see(before, after, 1).0.is_wanted());
}

#[test]
fn a_sign_of_change_gives_a_parked_order_another_chance() {
    let mut record = OrderRecord::new(key(), remote(Status::Ready), WallMs(0));
    record.trouble = Some(Trouble {
        class: FaultClass::Permanent,
        code: "x".to_owned(),
        message: "x".to_owned(),
        hint: None,
        attempts: 1,
        spent: Spent::default(),
        since: WallMs(0),
        next_try: None,
        wait: Duration::ZERO,
        attention: true,
    });
    let (same, news) = see(record.clone(), remote(Status::Ready), 1);
    assert_eq!((same.trouble.is_some(), news), (true, News::None));
    let (changed, _) = see(record.clone(), remote(Status::LabReview), 1);
    assert_eq!(changed.trouble, None);
    let (again, news) = see(gone_from_list(record), remote(Status::Ready), 1);
    assert_eq!((again.trouble, news), (None, News::Wanted("ready again at Align")));
}

#[test]
fn what_align_says_of_one_order_is_remembered_and_wanted_only_where_it_says_so_plainly() {
    let wanted = |known: Status, says: RemoteOrder| {
        let mut record = published(0);
        record.remote.status = known;
        let (record, news) = answered(record, says, WallMs(9));
        assert_eq!((record.last_seen, record.last_asked), (WallMs(9), Some(WallMs(9))));
        matches!(news, News::Wanted(_))
    };
    assert!(!wanted(Status::Ready, remote(Status::Downloaded)), "by us");
    assert!(!wanted(Status::Downloaded, remote(Status::Modeling)));
    assert!(!wanted(Status::Modeling, remote(Status::Modeling)));
    assert!(wanted(Status::Modeling, remote(Status::LabReview)));
    assert!(wanted(Status::Scanning, remote(Status::Ready)));
    let tagged =
        |tag: &str| RemoteOrder { etag: Some(tag.to_owned()), ..remote(Status::Downloaded) };
    let mut record = published(0);
    record.remote = tagged("a");
    assert_eq!(answered(record.clone(), tagged("a"), WallMs(1)).1, News::None);
    assert!(matches!(answered(record, tagged("b"), WallMs(1)).1, News::Wanted(_)));
}

#[test]
fn a_trip_to_the_modeler_is_remembered_until_the_order_is_published_again() {
    let (away, _) = answered(published(0), remote(Status::Modeling), WallMs(1));
    assert_eq!(away.state(), casedrop_model::record::OrderState::Away);
    let (back, news) = see(away, remote(Status::LabReview), 2);
    assert!(matches!(news, News::Wanted(_)));
    assert_eq!(back.away, Some(Status::Modeling));
}

#[test]
fn a_clock_that_was_set_back_does_not_put_a_recheck_off_for_as_long() {
    let (_, news) = see(published(1_000_000_000), remote(Status::Ready), 1000);
    assert!(matches!(news, News::Wanted(_)));
}

#[test]
fn an_order_that_is_back_in_the_list_while_it_is_fetched_or_parked_is_fetched_once_more() {
    let mut record = gone_from_list(OrderRecord::new(key(), remote(Status::Ready), WallMs(0)));
    let (waiting, news) = see(record.clone(), remote(Status::Ready), MINUTE);
    assert_eq!((waiting.evidence, news), (1, News::Details), "it is fetched as it is then");
    record.begun = record.evidence;
    let (back, news) = see(record, remote(Status::Ready), MINUTE);
    assert_eq!((back.evidence, news), (2, News::Wanted("ready again at Align")));
    let (same, news) = see(back, remote(Status::Ready), 2 * MINUTE);
    assert_eq!((same.evidence, news), (2, News::None));
}
