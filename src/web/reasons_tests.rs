//! One list of reasons: the page, `casedrop status`, `/health` and the metrics report the same
//! ones, for every status.

use std::collections::BTreeSet;

use askama::Template as _;
use proptest::prelude::*;
use proptest::sample::subsequence;

use super::super::frame::Frame;
use super::super::lang::Lang;
use super::super::overview::Overview;
use super::*;
use crate::metrics::{self, Counters};
use crate::model::listing::OrderPage;
use crate::model::record::OrderState;
use crate::model::time::WallMs;
use crate::status::testing::{lab, well};
use crate::status::{DownloadPause, LabState, Note, PauseStatus, UpdateStatus, health};

/// A change to a status, and its name here.
type Change = (&'static str, fn(&mut Status));

/// What can happen to a status. At least one of them triggers each code.
const CHANGES: [Change; 27] = [
    ("stopped", |it| it.agent.running = false),
    ("stuck", |it| it.agent.silent = Some(600)),
    ("journal", |it| it.fault = Some(Note::new("the journal is locked", Some("wait")))),
    ("away", |it| it.output.waits = Some("the share is gone".to_owned())),
    ("full", |it| it.output.free = Some(1)),
    ("low", |it| it.output.free = Some(it.output.min_free + 1)),
    ("login", |it| it.labs[0].state = LabState::LoginNeeded),
    ("login of another", |it| {
        it.labs.push(lab("north"));
        it.labs.last_mut().expect("one").state = LabState::LoginNeeded;
    }),
    ("a login that ends", |it| {
        it.labs[0].login_ends = Some("2026-06-01T12:30:00Z".to_owned());
        it.labs[0].fault = Some("it works until 12:30".to_owned());
    }),
    ("pairing", |it| it.labs[0].state = LabState::NotPaired),
    ("overdue", |it| it.labs[0].good_poll = Some("2026-06-01T07:00:00Z".to_owned())),
    ("just overdue", |it| it.labs[0].good_poll = Some("2026-06-01T11:44:59Z".to_owned())),
    ("never polled", |it| it.labs[0].good_poll = None),
    ("silence", |it| it.no_orders_after = Some(60)),
    ("unreachable", |it| {
        it.labs[0].state = LabState::Unreachable;
        it.labs[0].fault = Some("no route".to_owned());
    }),
    ("waiting", |it| it.labs[0].state = LabState::Waiting),
    ("paused", |it| {
        it.labs[0].state = LabState::Paused;
        let since = "2026-06-01T11:00:00Z".to_owned();
        it.labs[0].paused = Some(PauseStatus { since, by: None });
    }),
    ("downloads paused", |it| {
        it.pauses.push(DownloadPause {
            host: "eu.itero.cloud".to_owned(),
            until: "2026-06-01T12:05:00Z".to_owned(),
            why: "it answered 503".to_owned(),
            orders: 3,
            outage: true,
        });
    }),
    ("attention", |it| it.orders.extend([("attention".to_owned(), 2)])),
    ("held back", |it| it.orders.extend([("held".to_owned(), 2)])),
    ("deaf", |it| {
        it.notifications.as_mut().expect("on").trouble = Some("port taken".to_owned());
    }),
    ("not notified", |it| {
        it.notifications.as_mut().expect("on").last_missed =
            Some("2026-06-01T11:59:00Z".to_owned());
    }),
    ("never notified", |it| it.notifications.as_mut().expect("on").last = None),
    ("taken back", |it| {
        let taken_back = Some("2.0.0".to_owned());
        it.update = Some(UpdateStatus { taken_back, ..UpdateStatus::default() });
    }),
    ("on trial", |it| {
        let trial = Some("2.0.0".to_owned());
        it.update = Some(UpdateStatus { trial, ..UpdateStatus::default() });
    }),
    ("rebuilt", |it| {
        it.notes.push(Note::new("the journal was damaged", None).code(Code::JournalRebuilt));
    }),
    ("note of a newer version", |it| it.notes.push(Note::new("something new", None))),
];

/// How often each code occurs.
type Codes = Vec<(String, usize)>;

fn counted<'a>(codes: impl Iterator<Item = &'a str>) -> Codes {
    let mut found = std::collections::BTreeMap::<String, usize>::new();
    codes.for_each(|code| *found.entry(code.to_owned()).or_default() += 1);
    found.into_iter().collect()
}

/// The page as a browser gets it.
fn page(status: &Status, lang: Lang) -> String {
    let frame = Frame {
        t: lang.texts(),
        w: lang.list_texts(),
        lang: lang.code(),
        title: String::new(),
        here: "overview",
        csrf: String::new(),
        answer: None,
        other: String::new(),
        back: String::new(),
        list: String::new(),
        search: String::new(),
        guarded: false,
        live: false,
        open: true,
        hint: "",
    };
    Overview::of(status, &OrderPage::default(), &[], frame, lang).render().expect("a page")
}

fn on_page(status: &Status, lang: Lang) -> Codes {
    let html = page(status, lang);
    counted(html.split("data-code=\"").skip(1).filter_map(|rest| rest.split('"').next()))
}

fn in_words(status: &Status) -> Codes {
    let text = status.to_string();
    let levels = ["critical: ", "warning: ", "info: "];
    let lines = text.lines().filter(|line| levels.iter().any(|level| line.starts_with(level)));
    let codes: Vec<_> = lines.filter_map(|line| line.rsplit_once('(')).collect();
    counted(codes.iter().map(|(_, code)| code.trim_end_matches(')')))
}

fn in_health(status: &Status) -> Codes {
    let now = WallMs::from_rfc3339(&status.at).expect("a time");
    let json = serde_json::to_value(health(status, now)).expect("JSON");
    let reasons = json["reasons"].as_array().expect("reasons").clone();
    counted(reasons.iter().filter_map(|reason| reason["code"].as_str()))
}

fn in_metrics(status: &Status) -> Codes {
    let text = metrics::render(&Counters::new(std::sync::Arc::default()), status);
    let lines = text.lines().filter_map(|line| line.strip_prefix("casedrop_reasons{code=\""));
    let mut found: Codes = lines
        .filter_map(|line| {
            let (code, rest) = line.split_once('"')?;
            let count: f64 = rest.rsplit_once(' ')?.1.parse().ok()?;
            Some((code.to_owned(), format!("{count:.0}").parse().ok()?))
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    found.sort();
    found
}

fn picture(changes: &[Change]) -> Status {
    let mut status = well();
    for (_, change) in changes {
        change(&mut status);
    }
    status
}

fn all_agree(status: &Status) -> Codes {
    let wanted = in_health(status);
    assert_eq!(on_page(status, Lang::English), wanted, "on the page");
    assert_eq!(on_page(status, Lang::German), wanted, "on the page in German");
    assert_eq!(in_words(status), wanted, "in words: {status}");
    assert_eq!(in_metrics(status), wanted, "in the metrics");
    wanted
}

#[test]
fn each_code_is_given_by_some_picture_and_by_all_who_tell_it() {
    let mut given = BTreeSet::new();
    for change in &CHANGES {
        given.extend(all_agree(&picture(&[*change])).into_iter().map(|(code, _)| code));
    }
    let all: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str().to_owned()).collect();
    assert_eq!(given, all, "a code that no picture gives is not tried");
    assert_eq!(all_agree(&well()), []);
}

proptest! {
    #[test]
    fn whatever_a_picture_shows_all_who_tell_it_give_the_same_reasons(
        changes in subsequence(CHANGES.to_vec(), 0..=CHANGES.len()),
    ) {
        all_agree(&picture(&changes));
    }

    #[test]
    fn the_page_says_that_all_is_well_only_where_nobody_must_act(
        changes in subsequence(CHANGES.to_vec(), 0..=CHANGES.len()),
    ) {
        let status = picture(&changes);
        let reasons = status.reasons();
        let must_act = reasons.iter().any(|reason| reason.severity > Severity::Info);
        for lang in [Lang::English, Lang::German] {
            let t = lang.texts();
            let wants = Wants::of(&reasons, &status, t, lang);
            let tones: Vec<_> = wants.urgent.iter().map(|want| want.tone == Tone::Bad).collect();
            prop_assert!(tones.is_sorted_by(|a, b| a >= b), "the most urgent first: {tones:?}");
            for want in wants.urgent.iter().chain(&wants.others) {
                let said = format!("{} {} {}", want.title, want.text, want.hint);
                prop_assert!(!said.contains(['{', '}', '`']), "{said}");
                let own = want.said.as_ref().is_some_and(|(_, hint)| hint.is_some());
                prop_assert!(own || !want.hint.is_empty(), "nothing to do about {}", want.title);
            }
            let html = page(&status, lang);
            prop_assert_eq!(html.contains(t.all_well), !must_act);
        }
        for one in &status.labs {
            let (tone, word) = of_lab(one, &reasons, &status, Lang::English.texts());
            let concerns = |reason: &&Reason| match &reason.lab {
                Some(lab) => *lab == one.lab && reason.severity > Severity::Info,
                None => reason.severity == Severity::Critical,
            };
            let is_concerned = reasons.iter().any(|reason| concerns(&reason));
            prop_assert!(!is_concerned || matches!(tone, Tone::Bad | Tone::Warn), "{}", word);
        }
    }
}

fn picture_of(name: &str) -> Status {
    let change = CHANGES.iter().find(|(known, _)| *known == name).expect("known");
    picture(&[*change])
}

#[test]
fn orders_in_a_state_have_the_tone_of_the_reason_for_them() {
    for (name, state) in [("attention", OrderState::Attention), ("held back", OrderState::Held)] {
        let reasons = picture_of(name).reasons();
        let tones: Vec<_> = reasons.iter().map(tone).collect();
        assert_eq!(tones, [Tone::of_state(state)], "{name}");
    }
}

#[test]
fn a_login_that_ends_sends_staff_to_it_and_not_to_a_set_up_without_a_login() {
    let status = picture_of("a login that ends");
    for lang in [Lang::English, Lang::German] {
        let t = lang.texts();
        let wants = Wants::of(&status.reasons(), &status, t, lang);
        let [want] = &wants.urgent[..] else { panic!("{} wants", wants.urgent.len()) };
        assert_eq!(want.hint, t.login_ends_hint);
        assert!(matches!(want.action, Action::None));
    }
}

#[test]
fn that_notifications_are_on_is_no_proof_that_they_arrive() {
    let word = |change: fn(&mut Status)| {
        let mut status = well();
        change(&mut status);
        of_lab(&status.labs[0], &status.reasons(), &status, Lang::English.texts())
    };
    let named = |name: &str| CHANGES.iter().find(|(known, _)| *known == name).expect("known").1;
    let t = Lang::English.texts();
    assert_eq!(word(|_| {}), (Tone::Good, t.lab_notified));
    assert_eq!(word(|it| it.notifications = None), (Tone::Good, t.lab_polling));
    assert_eq!(word(named("never notified")), (Tone::Rest, t.lab_never_notified));
    assert_eq!(word(named("not notified")), (Tone::Warn, t.lab_not_notified));
    assert_eq!(word(named("deaf")), (Tone::Warn, t.lab_not_notified));
}
