//! Which snapshot gives which reasons.

use super::super::reasons::Code;
use super::super::report::{Note, NotificationsStatus, PauseStatus, UpdateStatus};
use super::super::testing::{lab, well};
use super::*;

const NOON: &str = "2026-06-01T12:00:00Z";

fn at(text: &str) -> WallMs {
    WallMs::from_rfc3339(text).expect("a time")
}

fn look(change: impl FnOnce(&mut Status)) -> Health {
    look_at(NOON, change)
}

fn look_at(time: &str, change: impl FnOnce(&mut Status)) -> Health {
    let mut status = well();
    change(&mut status);
    health(&status, at(time))
}

/// The codes of a snapshot's reasons, and whether it is ready.
fn codes(change: impl FnOnce(&mut Status)) -> (Vec<&'static str>, bool) {
    let health = look(change);
    (health.reasons.iter().map(|reason| reason.code.as_str()).collect(), health.ready)
}

#[test]
fn an_agent_at_work_is_live_and_ready_and_there_is_nothing_to_say() {
    let health = look(|_| {});
    assert_eq!(health, Health { live: true, ready: true, worst: None, reasons: Vec::new() });
    assert_eq!((health.live_code(), health.ready_code()), (200, 200));
}

#[test]
fn what_keeps_orders_away_makes_it_unready() {
    assert_eq!(
        codes(|status| status.labs[0].state = LabState::LoginNeeded),
        (vec!["login-needed"], false)
    );
    assert_eq!(
        codes(|status| status.labs[0].state = LabState::NotPaired),
        (vec!["not-paired"], false)
    );
    assert_eq!(
        codes(|status| status.output.free = Some(4_999_999_999)),
        (vec!["disk-full"], false)
    );
    assert_eq!(
        codes(|status| status.output.waits = Some("gone".to_owned())),
        (vec!["output-away"], false)
    );
    let broken = Note::new("broken", Some("wait"));
    let health = look(|status| status.fault = Some(broken.clone()));
    assert_eq!(health.reasons[0].code, Code::Journal);
    assert_eq!(
        (&health.reasons[0].message, &health.reasons[0].hint),
        (&broken.message, &broken.hint)
    );
    assert_eq!((health.live, health.ready), (true, false));
    assert_eq!((health.live_code(), health.ready_code()), (200, 503));
}

#[test]
fn what_only_wants_a_look_leaves_it_ready() {
    let attention = |status: &mut Status| status.orders.extend([("attention".to_owned(), 3)]);
    assert_eq!(codes(attention), (vec!["orders-need-attention"], true));
    assert!(look(attention).reasons[0].message.starts_with("3 orders need"));
    let retrying = |status: &mut Status| status.orders.extend([("retrying".to_owned(), 3)]);
    assert_eq!(codes(retrying), (vec![], true), "it heals by itself");
    assert_eq!(codes(|status| status.output.free = Some(9_999_999_999)), (vec!["disk-low"], true));
    assert_eq!(codes(|status| status.output.free = Some(10_000_000_000)), (vec![], true));
    assert_eq!(codes(|status| status.output.free = None), (vec![], true), "it does not tell");
    let update = |update: UpdateStatus| codes(|status| status.update = Some(update));
    let version = Some("2.0.0".to_owned());
    let failed = UpdateStatus { taken_back: version.clone(), ..UpdateStatus::default() };
    assert_eq!(update(failed), (vec!["update-taken-back"], true));
    let trial = UpdateStatus { trial: version, ..UpdateStatus::default() };
    assert_eq!(update(trial), (vec!["update-on-trial"], true));
}

#[test]
fn a_lab_at_rest_is_ready_and_one_that_works_is_enough() {
    let rest = |lab: &mut super::super::LabStatus| {
        lab.state = LabState::Paused;
        let since = "2026-05-01T00:00:00Z".to_owned();
        lab.paused = Some(PauseStatus { since, by: Some("mueller".to_owned()) });
        lab.good_poll = Some("2026-05-01T00:00:00Z".to_owned());
        lab.todo = Some("casedrop resume --lab smile-lab".to_owned());
    };
    let (found, ready) = codes(|status| rest(&mut status.labs[0]));
    assert_eq!((found, ready), (vec!["paused"], true));
    let health = look(|status| {
        rest(&mut status.labs[0]);
        status.labs.push(lab("other"));
        status.labs[1].state = LabState::LoginNeeded;
    });
    assert!(health.ready);
    let found: Vec<_> =
        health.reasons.iter().map(|reason| (reason.code, reason.lab.as_ref())).collect();
    let names = ["other", "smile-lab"].map(|name| name.parse().expect("a lab's name"));
    assert_eq!(
        found,
        [(Code::LoginNeeded, Some(&names[0])), (Code::Paused, Some(&names[1]))],
        "the gravest first"
    );
    assert_eq!(health.worst, Some(Severity::Critical));
    let rests = &health.reasons[1];
    assert_eq!(rests.hint.as_deref(), Some("run `casedrop resume --lab smile-lab`"));
    assert!(!rests.message.contains("mueller"), "names of people are not for everybody");
}

#[test]
fn a_lab_without_an_answer_for_five_intervals_is_told_of() {
    let polls = |interval: u64, time: &str, state: LabState| {
        let health = look_at(time, |status| {
            status.poll_interval = interval;
            status.labs[0].state = state;
            status.labs[0].fault = Some("no route".to_owned());
        });
        (health.reasons.first().map(|reason| reason.code), health.ready)
    };
    let unreachable = (Some(Code::AlignUnreachable), false);
    let missing = (Some(Code::NoGoodPoll), false);
    // The last good poll was at 11:59.
    assert_eq!(polls(120, "2026-06-01T12:14:00Z", LabState::Unreachable), unreachable);
    assert_eq!(polls(120, "2026-06-01T12:14:01Z", LabState::Unreachable), missing);
    assert_eq!(polls(120, "2026-06-01T12:14:01Z", LabState::Polling), missing, "nor a fault");
    assert_eq!(polls(600, "2026-06-01T12:49:00Z", LabState::Polling), (None, true));
    assert_eq!(polls(600, "2026-06-01T12:49:01Z", LabState::Polling), missing);
    let login = (Some(Code::LoginNeeded), false);
    assert_eq!(polls(120, "2026-06-02T12:00:00Z", LabState::LoginNeeded), login);
}

#[test]
fn a_failed_poll_or_two_need_nobody() {
    let severity = |time: &str| {
        let health = look_at(time, |status| {
            status.poll_interval = 120;
            status.labs[0].state = LabState::Unreachable;
        });
        health.reasons.first().map(|reason| (reason.code, reason.severity))
    };
    // The last good poll was at 11:59.
    let unreachable = |severity| Some((Code::AlignUnreachable, severity));
    assert_eq!(severity("2026-06-01T12:05:00Z"), unreachable(Severity::Info));
    assert_eq!(severity("2026-06-01T12:05:01Z"), unreachable(Severity::Warning));
}

#[test]
fn time_in_which_no_agent_ran_does_not_count() {
    let monday = |time: &str, since: Option<&str>| {
        let health = look_at(time, |status| {
            status.agent.since = since.map(str::to_owned);
            status.labs[0].good_poll = None;
            status.labs[0].state = LabState::Waiting;
        });
        health.reasons.iter().map(|reason| reason.code).collect::<Vec<_>>()
    };
    let started = Some("2026-06-01T12:00:00Z");
    assert_eq!(monday("2026-06-01T12:10:00Z", started), [Code::Starting]);
    assert_eq!(monday("2026-06-01T12:15:01Z", started), [Code::NoGoodPoll]);
    assert_eq!(monday("2026-06-01T12:15:01Z", None), [Code::Starting], "nobody knows since when");
    assert_eq!(monday("2026-06-01T11:00:00Z", started), [Code::Starting], "set back");
}

#[test]
fn a_loop_that_stands_still_is_not_live() {
    let silent = |silent| look(|status| status.agent.silent = silent);
    assert!(silent(Some(60)).live && silent(None).live);
    let stuck = silent(Some(61));
    assert_eq!((stuck.live, stuck.ready, stuck.live_code()), (false, false, 503));
    assert_eq!(stuck.reasons[0].code, Code::AgentStuck);
    assert!(is_live(None) && is_live(Some(STUCK_AFTER)));
    assert!(!is_live(Some(STUCK_AFTER + Duration::from_millis(1))));
    let stopped = look(|status| {
        status.agent.running = false;
        status.agent.silent = None;
        status.labs[0].state = LabState::Waiting;
        status.labs[0].good_poll = Some("2026-05-01T00:00:00Z".to_owned());
    });
    let codes: Vec<_> = stopped.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!((codes, stopped.live, stopped.ready), (vec![Code::AgentStopped], false, false));
}

#[test]
fn a_share_that_hangs_and_a_journal_that_cannot_be_written_are_no_good_health() {
    let silent = |silent| codes(|status| status.output.silent = silent);
    assert_eq!(silent(None), (vec![], true));
    assert_eq!(silent(Some(9)), (vec![], true), "a share may stumble");
    assert_eq!(silent(Some(10)), (vec!["output-away"], false));
    let full = look(|status| {
        let message = "the journal's volume is full".to_owned();
        status.journal = Some(Note::new(message, Some("free some space")));
    });
    assert_eq!((full.live, full.ready_code()), (true, 503));
    assert_eq!(full.reasons[0].code, Code::Journal);
    assert_eq!(full.reasons[0].hint.as_deref(), Some("free some space"));
}

#[test]
fn silence_in_working_hours_is_told_of_where_somebody_wants_that() {
    let quiet = |after: Option<u64>, worked: Option<u64>, state: LabState| {
        codes(|status| {
            status.no_orders_after = after;
            status.labs[0].worked_since = worked;
            status.labs[0].state = state;
        })
    };
    assert_eq!(quiet(None, Some(1_000_000), LabState::Polling), (vec![], true));
    assert_eq!(quiet(Some(3600), Some(3600), LabState::Polling), (vec![], true));
    assert_eq!(quiet(Some(3600), Some(3601), LabState::Polling), (vec!["no-orders"], true));
    assert_eq!(quiet(Some(3600), None, LabState::Polling), (vec![], true), "never any");
    assert_eq!(quiet(Some(3600), Some(9999), LabState::Paused), (vec!["paused"], true));
}

#[test]
fn notifications_that_stay_away_are_told_of_until_one_comes() {
    let told = |last: &str, missed: &str, trouble: Option<String>| {
        codes(|status| {
            let before = status.notifications.take().expect("they are on");
            status.notifications = Some(NotificationsStatus {
                last: Some(last.to_owned()),
                last_missed: Some(missed.to_owned()),
                trouble,
                ..before
            });
        })
    };
    let (early, late) = ("2026-06-01T10:00:00Z", "2026-06-01T11:00:00Z");
    assert_eq!(told(late, early, None), (vec![], true));
    assert_eq!(told(early, late, None), (vec!["notifications-missing"], true));
    assert_eq!(told("2026-05-01T00:00:00Z", "2026-05-31T11:59:59Z", None), (vec![], true), "old");
    let both = (vec!["listener", "notifications-missing"], true);
    assert_eq!(told(early, late, Some("port taken".to_owned())), both);
    assert_eq!(codes(|status| status.notifications = None), (vec![], true));
}

#[test]
fn programs_get_words_that_stay() {
    let health = look(|status| {
        status.labs[0].state = LabState::LoginNeeded;
        status.labs[0].fault = Some("not logged in".to_owned());
        status.labs[0].todo = Some("casedrop login smile-lab".to_owned());
    });
    let expected = serde_json::json!({
        "live": true,
        "ready": false,
        "worst": "critical",
        "reasons": [{
            "code": "login-needed",
            "severity": "critical",
            "lab": "smile-lab",
            "message": "smile-lab: not logged in",
            "hint": "run `casedrop login smile-lab`",
        }],
    });
    assert_eq!(serde_json::to_value(&health).expect("JSON"), expected);
    for code in Code::ALL {
        assert_eq!(serde_json::to_value(code).expect("JSON"), code.as_str());
    }
}

#[test]
fn a_login_that_ends_is_told_while_the_lab_still_works() {
    let health = look(|status| {
        status.labs[0].login_ends = Some("2026-06-01T12:30:00Z".to_owned());
        status.labs[0].fault = Some("it works until 12:30".to_owned());
        status.labs[0].todo = Some("casedrop login smile-lab".to_owned());
    });
    let ends = health.reasons.iter().find(|reason| reason.code == Code::LoginEnds);
    let ends = ends.expect("told");
    assert!(ends.message.contains("it works until 12:30"), "{ends:?}");
    assert_eq!(ends.hint.as_deref(), Some("run `casedrop login smile-lab`"));
}

#[test]
fn every_code_is_explained_to_operators() {
    let page = include_str!("../../docs/monitoring.md");
    for code in Code::ALL {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", code.as_str())));
        let severity = serde_json::to_value(code.severity()).expect("JSON");
        let severity = severity.as_str().expect("a word");
        assert!(
            row.is_some_and(|row| row.contains(&format!("| {severity} |"))),
            "{}",
            code.as_str()
        );
    }
}
