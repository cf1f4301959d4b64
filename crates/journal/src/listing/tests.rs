use std::time::Duration;

use proptest::prelude::*;

use super::super::holds::tests::publish;
use super::super::tests::order;
use super::super::{Held, LabRecord};
use super::*;
use casedrop_model::fault::FaultClass;
use casedrop_model::listing::search_words;
use casedrop_model::order::Status;
use casedrop_model::record::{OrderRecord, OrderState, Retired, Spent, Trouble};

fn everything() -> OrderQuery {
    OrderQuery::default()
}

fn found(store: &Store, query: &OrderQuery) -> Vec<String> {
    let page = store.list(query).expect("listed");
    page.orders.iter().map(|order| order.key.order.to_string()).collect()
}

fn three() -> Store {
    let store = Store::in_memory().expect("journal");
    for (id, at, case_type) in [("17", 30, "iRecord"), ("9", 20, "Crown"), ("118", 10, "a%b")] {
        let mut one = order(id);
        one.last_seen = WallMs(at);
        one.remote.case_type = Some(case_type.to_owned());
        store.save(&one).expect("saved");
    }
    store
}

#[test]
fn a_list_is_sorted_and_cut_into_pages() {
    let store = three();
    let sorted = |sort| found(&store, &OrderQuery { sort, ..everything() });
    assert_eq!(sorted(OrderSort::Newest), ["17", "9", "118"]);
    assert_eq!(sorted(OrderSort::Oldest), ["118", "9", "17"]);
    assert_eq!(sorted(OrderSort::Highest), ["118", "17", "9"]);
    assert_eq!(sorted(OrderSort::Lowest), ["9", "17", "118"]);
    assert_eq!(sorted(OrderSort::CaseType), ["9", "118", "17"]);
    let second = store.list(&OrderQuery { skip: 1, limit: 1, ..everything() });
    let second = second.expect("listed");
    assert_eq!((second.total, second.orders.len()), (3, 1));
    assert_eq!(second.orders[0].key.order.as_str(), "9");
}

#[test]
fn words_are_looked_for_as_they_stand() {
    let store = three();
    let with = |words: &[&str]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        found(&store, &OrderQuery { words, ..everything() })
    };
    assert_eq!(with(&["x-1"]), ["17", "118"]);
    assert_eq!(with(&["x-1", "IRECORD"]), ["17"]);
    assert_eq!(with(&["rx-9"]), ["9"]);
    assert_eq!(with(&["02nr8"]), ["17", "9", "118"]);
    assert_eq!(with(&["%"]), ["118"], "no wildcard");
    assert_eq!(with(&["_"]), Vec::<String>::new());
    assert_eq!(with(&["' OR 1=1 --"]), Vec::<String>::new());
}

fn day(text: &str) -> Option<Day> {
    text.parse().ok()
}

/// 17 is due by Align's answer, 9 by its files, 118 not at all.
fn due() -> Store {
    let store = three();
    let change = |id: &str, change: &dyn Fn(&mut OrderRecord)| {
        let mut one = store.order(&order(id).key).expect("read").expect("there");
        change(&mut one);
        store.save(&one).expect("saved");
    };
    change("17", &|one| {
        one.remote.due_date = day("2026-12-03");
        one.remote.doctor = Some("Dr. Zo\u{eb} Sample".to_owned());
        one.prescription.due_date = day("2026-12-24");
    });
    change("9", &|one| {
        one.prescription.due_date = day("2026-12-01");
        one.prescription.doctor = Some("Muster, Jo".to_owned());
    });
    store
}

#[test]
fn orders_are_found_and_sorted_by_due_date_and_doctor() {
    let store = due();
    let sorted = |sort| found(&store, &OrderQuery { sort, ..everything() });
    assert_eq!(sorted(OrderSort::DueFirst), ["9", "17", "118"]);
    assert_eq!(sorted(OrderSort::DueLast), ["17", "9", "118"]);
    let with = |words: &str| {
        let words = words.split(' ').map(str::to_owned).collect();
        found(&store, &OrderQuery { words, ..everything() })
    };
    for words in ["3.12.2026", "2026-12-03", "12/3", "dr. SAMPLE", "zo\u{eb} 3.12."] {
        assert_eq!(with(words), ["17"], "{words}");
    }
    assert_eq!(
        (with("muster"), with("2026-12")),
        (vec!["9".into()], vec!["17".into(), "9".into()])
    );
    assert_eq!(with("24.12.2026"), Vec::<String>::new(), "Align's answer counts");
    let read = store.order(&order("9").key).expect("read").expect("there");
    assert_eq!((read.due_date(), read.doctor()), (day("2026-12-01"), Some("Muster, Jo")));
}

#[test]
fn what_is_due_and_not_published_is_counted_by_lab() {
    let store = due();
    let on = |text| store.due_unpublished(day(text).expect("a day")).expect("counted");
    assert_eq!(on("2026-12-03"), BTreeMap::from([("lab".to_owned(), 1)]));
    assert_eq!(on("2026-12-24"), BTreeMap::new());
    let mut published = store.order(&order("17").key).expect("read").expect("there");
    published.fetched = published.evidence;
    store.save(&published).expect("saved");
    assert_eq!(on("2026-12-03"), BTreeMap::new());
}

#[test]
fn an_index_gives_the_order_by_due_date_and_the_days_orders() {
    let store = due();
    let plan = |sql: &str| {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        store.gather(&sql, &[], |row| Ok(row.get::<_, String>(3)?)).expect("planned").join("; ")
    };
    let sort = sql_of(OrderSort::DueFirst);
    let sorted = plan(&format!("SELECT rowid FROM orders ORDER BY {sort} LIMIT 50"));
    assert!(sorted.contains("orders_by_due") && !sorted.contains("TEMP B-TREE"), "{sorted}");
    let day = plan(&DUE_UNPUBLISHED.replace("?1", "'x'"));
    assert!(day.contains("SEARCH orders USING INDEX orders_by_due"), "{day}");
}

#[test]
fn an_account_is_found_by_its_name() {
    let store = three();
    let key = order("17").key;
    let record = LabRecord {
        lab: key.lab.to_string(),
        account: Some(key.account.to_string()),
        account_name: Some("M\u{fc}ller & Sons".to_owned()),
        ..LabRecord::default()
    };
    store.save_lab(&record).expect("saved");
    let with = |text: &str| {
        let words = search_words(text);
        found(&store, &OrderQuery { words, ..everything() })
    };
    assert_eq!(with("M\u{dc}LLER"), ["17", "9", "118"]);
    assert_eq!(with("m\u{fc}ller crown"), ["9"]);
    assert_eq!(with("M\u{f6}ller"), Vec::<String>::new());
}

#[test]
fn what_is_known_elsewhere_counts_for_its_word_alone() {
    let store = three();
    let with = |words: &[&str], named: &[&[&str]]| {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        let keys = |orders: &&[&str]| orders.iter().map(|id| order(id).key).collect();
        let named = named.iter().map(keys).collect();
        found(&store, &OrderQuery { words, named, ..everything() })
    };
    assert_eq!(with(&["doe"], &[&["17", "9"]]), ["17", "9"]);
    assert_eq!(with(&["doe", "crown"], &[&["17", "9"], &[]]), ["9"]);
    assert_eq!(with(&["doe"], &[]), Vec::<String>::new());
}

#[test]
fn days_choose_by_when_an_order_came_or_was_published() {
    let store = three();
    let mut old = order("50");
    (old.first_seen, old.last_seen) = (WallMs(1), WallMs(90));
    store.save(&old).expect("saved");
    for (id, first) in [("17", 30), ("9", 20), ("118", 10)] {
        let mut one = store.find(id).expect("read").remove(0);
        one.first_seen = WallMs(first);
        store.save(&one).expect("saved");
    }
    let between = |from: Option<i64>, until: Option<i64>| {
        let (from, until) = (from.map(WallMs), until.map(WallMs));
        found(&store, &OrderQuery { from, until, ..everything() })
    };
    assert_eq!(between(Some(20), None), ["17", "9"], "50 was only heard of again");
    assert_eq!(between(None, Some(20)), ["50", "118"]);
    assert_eq!(between(Some(10), Some(30)), ["9", "118"]);
    store
        .db
        .execute(
            "INSERT INTO revisions (lab, account, order_id, revision, manifest, manifest_sha256,
                published_ms, confirmed_ms, place, history_seen)
             SELECT lab, account, order_id, 1, '{}', '', 25, 25, 'main', 0
             FROM orders WHERE order_id = '50'",
            [],
        )
        .expect("published");
    assert_eq!(between(Some(25), Some(26)), ["50"]);
}

#[test]
fn labs_and_states_choose() {
    let store = three();
    let mut published = order("50");
    published.fetched = published.evidence;
    store.save(&published).expect("saved");
    let of = |states: &[OrderState]| {
        found(&store, &OrderQuery { states: states.to_vec(), ..everything() })
    };
    assert_eq!(of(&[OrderState::Published]), ["50"]);
    assert_eq!(of(&[OrderState::Waiting]), ["17", "9", "118"]);
    assert_eq!(of(&[OrderState::Published, OrderState::Waiting]).len(), 4);
    let lab =
        |lab: &str| found(&store, &OrderQuery { lab: Some(lab.to_owned()), ..everything() }).len();
    assert_eq!((lab("lab"), lab("other")), (4, 0));
    let counts = store.count_by_state().expect("counted");
    let expected = [("published".to_owned(), 1), ("waiting".to_owned(), 3)];
    assert_eq!(counts, expected.into_iter().collect());
}

#[test]
fn every_choice_goes_with_every_sort() {
    let store = three();
    for sort in OrderSort::ALL {
        for words in [vec![], vec!["rx".to_owned()]] {
            for lab in [None, Some("lab".to_owned())] {
                for states in [vec![], vec![OrderState::Waiting]] {
                    for from in [None, Some(WallMs(0))] {
                        let (words, lab, states) = (words.clone(), lab.clone(), states.clone());
                        let query = OrderQuery { words, lab, states, from, sort, ..everything() };
                        assert_eq!(store.list(&query).expect("listed").total, 3, "{query:?}");
                        assert_eq!(found(&store, &query).len(), 3, "{query:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_last_lines_of_all_stories_are_found() {
    let store = three();
    for at in 1..=3 {
        store.tell(&order("17").key, WallMs(at), "seen", "text").expect("told");
    }
    let lines = store.latest_events(2).expect("read");
    assert_eq!(lines.iter().map(|line| line.at.0).collect::<Vec<_>>(), [3, 2]);
}

fn any_status() -> impl Strategy<Value = Status> {
    prop::sample::select(vec![
        Status::Ready,
        Status::LabReview,
        Status::Modeling,
        Status::Milling,
        Status::Scanning,
        Status::Downloaded,
        Status::Other("scanning soon".to_owned()),
    ])
}

fn any_trouble() -> impl Strategy<Value = Option<Trouble>> {
    let classes = prop::sample::select(vec![
        FaultClass::Transient,
        FaultClass::NotConverted,
        FaultClass::Damaged,
        FaultClass::Permanent,
    ]);
    prop::option::of((classes, any::<bool>()).prop_map(|(class, attention)| Trouble {
        class,
        code: "code".to_owned(),
        message: "message".to_owned(),
        hint: None,
        attempts: 1,
        spent: Spent::default(),
        since: WallMs(1),
        next_try: None,
        wait: Duration::ZERO,
        attention,
    }))
}

proptest! {
    #[test]
    fn the_journal_and_the_program_agree_on_every_state(
        (status, trouble) in (any_status(), any_trouble()),
        (evidence, fetched, forced) in (0_u64..3, 0_u64..3, any::<bool>()),
        retired in prop::sample::select(
            vec![Retired::No, Retired::Yes, Retired::LeftAlone, Retired::UnderWay]),
        (holds, released) in (any::<bool>(), any::<bool>()),
        (is_published, is_taken) in (any::<bool>(), any::<bool>()),
    ) {
        let store = Store::in_memory().expect("journal");
        let mut one = order("17");
        if is_published {
            publish(&store, "17", Vec::new());
            one = store.order(&one.key).expect("read").expect("there");
        }
        one.picked_up = is_taken.then_some(WallMs(3));
        one.remote.status = status;
        one.trouble = trouble;
        (one.evidence, one.fetched, one.forced) = (evidence, fetched, forced);
        one.retired = retired;
        if holds {
            let held = Held { released, ..super::super::holds::tests::held("17") };
            one.held = Some(held.record());
            store.hold(&held).expect("held");
        }
        store.save(&one).expect("saved");
        let counts = store.count_by_state().expect("counted");
        let expected = [(one.state().as_str().to_owned(), 1)];
        prop_assert_eq!(counts, expected.into_iter().collect());
        let read = store.order(&one.key).expect("read").expect("there");
        prop_assert_eq!(read.state(), one.state());
    }
}
