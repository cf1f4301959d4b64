use std::sync::Mutex;

use super::*;
use casedrop_model::fault::FaultClass;
use casedrop_model::order::{RemoteOrder, Status, StatusChange};
use casedrop_model::record::{OrderRecord, Spent, Trouble};

pub(super) fn order(id: &str) -> OrderRecord {
    let key = OrderKey {
        lab: "lab".parse().expect("valid"),
        account: "1".parse().expect("valid"),
        order: id.parse().expect("valid"),
    };
    let remote = RemoteOrder {
        order_id: id.parse().expect("valid"),
        rx_id: Some(format!("rx-{id}").parse().expect("valid")),
        order_code: Some("02NR8VTN".to_owned()),
        status: Status::Other("Odd".to_owned()),
        case_type: Some("iRecord".to_owned()),
        procedure: None,
        due_date: None,
        doctor: None,
        updated_at: None,
        history: vec![StatusChange { status: Status::Ready, at: None }],
        etag: Some("\"tag\"".to_owned()),
    };
    OrderRecord::new(key, remote, WallMs(7))
}

#[test]
fn what_is_saved_is_read_back() {
    let store = Store::in_memory().expect("journal");
    let mut record = order("17");
    record.trouble = Some(Trouble {
        class: FaultClass::NotConverted,
        code: "not-converted".to_owned(),
        message: "later".to_owned(),
        hint: Some("wait".to_owned()),
        attempts: 3,
        spent: Spent { not_converted: 3, damaged: 2 },
        since: WallMs(8),
        next_try: Some(WallMs(9)),
        wait: Duration::from_millis(1),
        attention: true,
    });
    record.away = Some(Status::Modeling);
    record.notified = Some(WallMs(6));
    record.notified_vain = 3;
    record.begun = 1;
    record.picked_up = Some(WallMs(9));
    record.last_asked = Some(WallMs(8));
    store.save(&record).expect("saved");
    assert_eq!(store.order(&record.key).expect("read"), Some(record.clone()));
    assert_eq!(store.find("rx-17").expect("read"), [record.clone()]);
    assert_eq!(store.wanted().expect("read"), [record.clone()]);
    assert_eq!(store.listed(&record.key.lab, &record.key.account).expect("read"), [record]);
}

#[test]
fn a_journal_on_disk_outlives_its_process_and_can_be_read_meanwhile() {
    let dir = tempfile::tempdir().expect("tempdir");
    let file = dir.path().join(FILE_NAME);
    assert!(Store::open_to_read(&file).expect("no fault").is_none());
    let store = Store::open(&file).expect("journal");
    store.save(&order("17")).expect("saved");
    let reader = Store::open_to_read(&file).expect("no fault").expect("there");
    assert_eq!(reader.orders().expect("read").len(), 1);
    assert!(reader.save(&order("18")).is_err(), "a reader cannot write");
    drop(store);
    let store = Store::open(&file).expect("journal");
    assert_eq!(store.orders().expect("read").len(), 1);
}

#[test]
fn the_order_that_waits_longest_is_asked_about_first() {
    let store = Store::in_memory().expect("journal");
    let mut left = order("17");
    left.listed = false;
    store.save(&left).expect("saved");
    store.save(&order("18")).expect("saved");
    let next = |now| {
        let key = &left.key;
        let found = store.next_to_ask(&key.lab, &key.account, WallMs(now)).expect("read");
        found.map(|order| order.key.order.to_string())
    };
    assert_eq!(next(6), None);
    assert_eq!(next(7).as_deref(), Some("17"), "it left the list and was never fetched");
    left.last_asked = Some(WallMs(7));
    store.save(&left).expect("saved");
    assert_eq!(next(8), None);
}

#[test]
fn a_piece_of_work_that_fails_leaves_nothing() {
    let store = Store::in_memory().expect("journal");
    let result: Result<(), StoreError> = store.atomically(|store| {
        store.save(&order("17"))?;
        Err(StoreError::Row("test".to_owned()))
    });
    assert!(result.is_err());
    assert_eq!(store.orders().expect("read"), []);
}

#[test]
fn a_journal_of_a_newer_agent_is_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    let file = dir.path().join(FILE_NAME);
    let store = Store::open(&file).expect("journal");
    store.db.pragma_update(None, "user_version", 99).expect("set");
    store.db.execute("UPDATE meta SET value = '99' WHERE key = 'readable-by'", []).expect("set");
    drop(store);
    assert!(matches!(Store::open(&file), Err(StoreError::Newer { found: 99, .. })));
}

#[test]
fn requests_stay_until_they_are_answered() {
    let store = Store::in_memory().expect("journal");
    let key = order("17").key;
    store.ask(&key, WallMs(1)).expect("asked");
    let asked = store.asked().expect("read");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].key, key);
    store.answered(asked[0].id).expect("answered");
    assert_eq!(store.asked().expect("read"), []);
}

#[test]
fn a_transaction_that_may_not_become_durable_leaves_nothing() {
    let mut store = Store::in_memory().expect("journal");
    let mut left = 1;
    let may_commit = move || {
        left -= 1;
        left >= 0
    };
    store.before_commit(may_commit).expect("set");
    store.save(&order("17")).expect("the first one may");
    assert!(store.atomically(|store| store.save(&order("18"))).is_err());
    assert!(store.save(&order("19")).is_err());
    let ids: Vec<_> = store.orders().expect("read").into_iter().map(|one| one.key.order).collect();
    assert_eq!(ids, ["17".parse().expect("valid")]);
}

/// Steps that the hook has seen. Only one test has a hook.
static MET: Mutex<Vec<Step>> = Mutex::new(Vec::new());

fn met() -> Vec<Step> {
    std::mem::take(&mut *MET.lock().expect("nobody panics with it"))
}

#[test]
fn the_hook_hears_of_a_record_before_it_is_made_and_once_it_is_durable() {
    use Step::{
        JournalDropped, JournalDroppedDurable, JournalFailed, JournalSeen, JournalSeenDurable,
    };
    let store = Store::in_memory().expect("journal").with_hook(|step| {
        MET.lock().expect("nobody panics with it").push(step);
    });
    let key = order("17").key;
    let told = |store: &Store, kind| store.tell(&key, WallMs(1), kind, "");
    let seen = || store.atomically(|store| told(store, "seen").and_then(|()| told(store, "seen")));
    seen().expect("recorded");
    assert_eq!(met(), [JournalSeen, JournalSeen, JournalSeenDurable, JournalSeenDurable]);

    let undone = store.atomically(|store| {
        told(store, "failed")?;
        Err::<(), _>(StoreError::Row("no".to_owned()))
    });
    assert!(undone.is_err());
    assert_eq!(met(), [JournalFailed], "what is undone never becomes durable");
    assert_eq!(store.story(&key).expect("read").len(), 2);

    store.drop_intent(&key).expect("dropped");
    told(&store, "a kind without a step").expect("told");
    assert_eq!(met(), [JournalDropped, JournalDroppedDurable]);
}

#[test]
fn two_that_read_before_they_write_take_turns() {
    let dir = tempfile::tempdir().expect("tempdir");
    let file = dir.path().join(FILE_NAME);
    drop(Store::open(&file).expect("made"));
    let count = || {
        let store = Store::open_beside(&file).expect("opened");
        for _ in 0..50 {
            let more = store.atomically(|store| {
                let count: u32 =
                    store.fact("count")?.map_or(0, |text| text.parse().expect("a number"));
                store.set_fact("count", &(count + 1).to_string())
            });
            more.expect("its turn comes");
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(count);
        }
    });
    let store = Store::open_to_read(&file).expect("opened").expect("there");
    let count = store.atomically(|store| store.fact("count")).expect("read");
    assert_eq!(count.as_deref(), Some("200"));
}
