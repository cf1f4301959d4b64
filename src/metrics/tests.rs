//! The rendered metrics, and what refers to them: alert rules, dashboard, documentation.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::parse::{Read, label_names, read};
use super::{Counters, render, render_with_process};
use crate::engine::effects::Input;
use crate::model::asset::AssetKind;
use crate::model::fault::{Fault, FaultClass};
use crate::model::finding_code::FindingCode;
use crate::model::findings::FindingCounts;
use crate::model::ids::OrderKey;
use crate::model::manifest::{Finding, Reason, Severity};
use crate::model::notice::Notice;
use crate::model::record::Place;
use crate::model::remote::ReadyList;
use crate::status::testing::{lab, well};
use crate::status::{LabState, Note, Progress, RunningDownload, Stage, Status, UpdateStatus};

const HOSTILE: &str = "a\"}\\ 1 {x=\"";

fn key(lab: &str, order: &str) -> OrderKey {
    OrderKey {
        lab: lab.parse().expect("a lab's name"),
        account: "4711".parse().expect("an account"),
        order: order.parse().expect("an order"),
    }
}

fn failed(key: OrderKey, class: FaultClass) -> Notice {
    let (code, message) = ("some-code".to_owned(), "some trouble".to_owned());
    Notice::Failed { key, class, code, message, hint: None, wait: None, attention: true }
}

fn published(key: OrderKey, reason: Reason) -> Notice {
    Notice::Published {
        key,
        revision: 1,
        reason,
        place: Place::Main,
        files: 7,
        bytes: 1000,
        findings: findings(),
    }
}

fn findings() -> FindingCounts {
    let cut =
        Finding::new(FindingCode::MeshCut, Severity::Serious, "it is cut").of("Mr Secret.stl");
    FindingCounts::of(&[
        cut.clone(),
        cut,
        Finding::new(FindingCode::BiteAbsent, Severity::Warning, "open"),
    ])
}

fn polled(lab: &str, result: Result<(), FaultClass>) -> Input {
    Input::Polled {
        lab: lab.parse().expect("a lab's name"),
        account: "4711".parse().expect("an account"),
        result: match result {
            Ok(()) => Ok(ReadyList::default()),
            Err(class) => Err(Fault::new(class, "some-code", "some trouble")),
        },
    }
}

/// A status snapshot with every field set.
fn full() -> Status {
    let mut status = well();
    status.labs.push(lab(HOSTILE));
    status.due_today.insert("smile-lab".to_owned(), 3);
    status.labs[1].state = LabState::LoginNeeded;
    status.no_orders_after = Some(8 * 3600);
    status.downloads = vec![RunningDownload {
        key: key("smile-lab", "17544365"),
        asset: AssetKind::Ide.as_str().to_owned(),
        done: 400,
        total: Some(1000),
        stage: Stage::Downloading.as_str().to_owned(),
        percent: Some(40),
    }];
    status.update = Some(UpdateStatus {
        staged: Some("1.4.0".to_owned()),
        trial: Some("1.3.1".to_owned()),
        taken_back: Some("1.3.0".to_owned()),
    });
    status
}

/// Counters after a busy day.
fn busy() -> Counters {
    let progress = Arc::new(Progress::default());
    progress.add(&key("smile-lab", "17544365"), 400);
    let counters = Counters::new(progress);
    let up = Duration::from_secs(100);
    counters.see(&polled("smile-lab", Ok(())));
    counters.tell(&Notice::Fetching { key: key("smile-lab", "17544365") }, up);
    let done = published(key("smile-lab", "17544365"), Reason::FirstScan);
    counters.tell(&done, up + Duration::from_secs(42));
    counters.tell(&failed(key(HOSTILE, "17544366"), FaultClass::Damaged), up);
    counters
}

fn families(counters: &Counters, status: &Status) -> BTreeMap<String, Read> {
    read(&render(counters, status)).expect("the right format")
}

/// The value of the sample with these labels, or `None` if there is no such sample.
fn value(families: &BTreeMap<String, Read>, sample: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let wanted = (sample.to_owned(), labels.iter().map(owned).collect());
    families.values().find_map(|read| read.samples.get(&wanted).copied())
}

#[test]
fn the_format_is_right_and_names_follow_the_conventions() {
    let text = render(&busy(), &full());
    // promtool checks it too: see `.ci/monitoring.sh`.
    if let Some(file) = std::env::var_os("CASEDROP_TEST_METRICS_FILE") {
        std::fs::write(file, &text).expect("written");
    }
    for (name, family) in read(&text).expect("the right format") {
        assert!(name.starts_with("casedrop_"), "{name}");
        assert!(family.help.ends_with('.') && !family.samples.is_empty(), "{name}");
        assert_eq!(family.kind == "counter", name.ends_with("_total"), "{name}");
        let few = ["lab", "state", "reason", "class", "result", "version", "code", "severity"];
        assert!(label_names(&family).iter().all(|label| few.contains(label)), "{name}");
        for ((sample, labels), value) in &family.samples {
            assert!(value.is_finite() && *value >= 0.0, "{sample}");
            if name.ends_with("_timestamp_seconds") {
                assert!((1_700_000_000.0..2_000_000_000.0).contains(value), "{sample} {value}");
            }
            let known = ["smile-lab", HOSTILE];
            assert!(
                labels.get("lab").is_none_or(|lab| known.contains(&lab.as_str())),
                "{labels:?}"
            );
        }
    }
}

#[test]
fn nothing_tells_of_orders_accounts_or_people() {
    let text = render(&busy(), &full());
    for secret in ["17544365", "17544366", "4711", "Smile Lab GmbH", "some trouble"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[test]
fn findings_are_counted_by_code_and_severity_without_their_files() {
    let counters = busy();
    let held = Notice::Held {
        key: key("smile-lab", "17544367"),
        findings: findings(),
        why: "it is cut".to_owned(),
    };
    counters.tell(&held, Duration::from_secs(200));
    let mut status = full();
    status.incomplete.insert("smile-lab".to_owned(), 3);
    let families = families(&counters, &status);
    let of = |code, severity| {
        let labels = [("lab", "smile-lab"), ("code", code), ("severity", severity)];
        value(&families, "casedrop_findings_total", &labels)
    };
    assert_eq!((of("mesh-cut", "serious"), of("bite-absent", "warning")), (Some(4.0), Some(2.0)));
    let lab = [("lab", "smile-lab")];
    assert_eq!(value(&families, "casedrop_held_orders_total", &lab), Some(1.0));
    assert_eq!(value(&families, "casedrop_incomplete_orders", &lab), Some(3.0));
    assert!(!render(&counters, &status).contains("Secret"));
}

#[test]
fn it_comes_out_in_the_same_order_each_time() {
    let labs = |names: [&str; 2]| {
        let counters = Counters::new(Arc::default());
        for name in names {
            counters.tell(&Notice::Removed { key: key(name, "1") }, Duration::ZERO);
        }
        render(&counters, &well())
    };
    assert_eq!(labs(["a", "b"]), labs(["b", "a"]));
}

#[test]
fn the_picture_is_told_in_numbers() {
    let found = families(&busy(), &full());
    let at = |sample, labels: &[(&str, &str)]| value(&found, sample, labels);
    assert_eq!(at("casedrop_build_info", &[("version", "1.2.3")]), Some(1.0));
    assert_eq!(at("casedrop_start_timestamp_seconds", &[]), Some(1_780_293_600.0));
    assert_eq!(at("casedrop_ready", &[]), Some(1.0));
    for (lab, state) in [("smile-lab", "polling"), (HOSTILE, "login-needed")] {
        for word in LabState::ALL.map(LabState::as_str) {
            let value = at("casedrop_lab_state", &[("lab", lab), ("state", word)]);
            assert_eq!(value, Some(f64::from(u8::from(word == state))), "{lab} {word}");
        }
    }
    assert_eq!(at("casedrop_lab_login_needed", &[("lab", HOSTILE)]), Some(1.0));
    let smile = [("lab", "smile-lab")];
    assert_eq!(at("casedrop_last_good_poll_timestamp_seconds", &smile), Some(1_780_315_140.0));
    assert_eq!(at("casedrop_working_seconds_since_last_publication", &smile), Some(3600.0));
    assert_eq!(at("casedrop_orders", &[("state", "published")]), Some(1.0));
    assert_eq!(at("casedrop_orders", &[("state", "attention")]), Some(0.0));
    assert_eq!(at("casedrop_orders_due_today", &smile), Some(3.0));
    assert_eq!(at("casedrop_orders_due_today", &[("lab", HOSTILE)]), Some(0.0));
    assert_eq!(at("casedrop_running_downloads", &[]), Some(1.0));
    assert_eq!(at("casedrop_running_downloads_received_bytes", &[]), Some(400.0));
    assert_eq!(at("casedrop_output_free_bytes", &[]), Some(100_000_000_000.0));
    assert_eq!(at("casedrop_output_full", &[]), Some(0.0));
    assert_eq!(at("casedrop_notifications_missed_total", &[]), Some(2.0));
    assert_eq!(at("casedrop_update_taken_back_info", &[("version", "1.3.0")]), Some(1.0));
}

#[test]
fn what_nobody_knows_is_left_out() {
    let mut status = well();
    status.labs[0].good_poll = None;
    status.labs[0].last_publication = None;
    status.labs[0].worked_since = None;
    status.output.free = None;
    status.notifications = None;
    status.fault = Some(Note::new("broken", None));
    status.orders.clear();
    let found = families(&Counters::new(Arc::default()), &status);
    for absent in [
        "casedrop_last_good_poll_timestamp_seconds",
        "casedrop_last_publication_timestamp_seconds",
        "casedrop_working_seconds_since_last_publication",
        "casedrop_output_free_bytes",
        "casedrop_notifications_received_total",
        "casedrop_orders",
        "casedrop_orders_due_today",
        "casedrop_orders_published_today",
        "casedrop_update_staged_info",
    ] {
        assert!(!found.contains_key(absent), "{absent}");
    }
    assert_eq!(value(&found, "casedrop_journal_fault", &[]), Some(1.0));
    assert_eq!(value(&found, "casedrop_ready", &[]), Some(0.0));
}

#[test]
fn each_thing_that_happens_is_counted_for_its_lab() {
    let counters = Counters::new(Arc::default());
    let zero = families(&counters, &well());
    let order = key("smile-lab", "1");
    let smile = ("lab", "smile-lab");
    let told = [
        Notice::Regenerating { key: order.clone(), wait: Duration::from_secs(1) },
        Notice::Unchanged { key: order.clone() },
        Notice::Removed { key: order.clone() },
        Notice::Fetching { key: order.clone() },
        Notice::Unreadable { lab: order.lab.clone(), what: "entry".to_owned() },
        published(order.clone(), Reason::Rescan),
        failed(order.clone(), FaultClass::Transient),
        failed(order.clone(), FaultClass::Cancelled),
        Notice::PcTrouble { message: "the output is gone".to_owned(), hint: None },
        Notice::PcHealed { message: "the output is back".to_owned() },
    ];
    for notice in &told {
        counters.tell(notice, Duration::ZERO);
    }
    for result in [Ok(()), Ok(()), Err(FaultClass::Auth), Err(FaultClass::Cancelled)] {
        counters.see(&polled("smile-lab", result));
    }
    counters.see(&Input::Tick);
    let found = families(&counters, &well());
    for (sample, labels, count) in [
        ("casedrop_regenerating_answers_total", vec![smile], 1.0),
        ("casedrop_unchanged_orders_total", vec![smile], 1.0),
        ("casedrop_removed_orders_total", vec![smile], 1.0),
        ("casedrop_downloads_begun_total", vec![smile], 1.0),
        ("casedrop_unreadable_entries_total", vec![smile], 1.0),
        ("casedrop_publications_total", vec![smile, ("reason", "rescan")], 1.0),
        ("casedrop_published_files_total", vec![smile], 7.0),
        ("casedrop_published_bytes_total", vec![smile], 1000.0),
        ("casedrop_failures_total", vec![smile, ("class", "transient")], 1.0),
        ("casedrop_pc_troubles_total", vec![], 1.0),
        ("casedrop_polls_total", vec![smile, ("result", "ok")], 2.0),
        ("casedrop_polls_total", vec![smile, ("result", "auth")], 1.0),
    ] {
        assert_eq!(value(&zero, sample, &labels), Some(0.0), "{sample} begins at zero");
        assert_eq!(value(&found, sample, &labels), Some(count), "{sample} {labels:?}");
    }
    let sum = |name: &str| found[name].samples.values().sum::<f64>();
    assert_eq!((sum("casedrop_failures_total"), sum("casedrop_polls_total")), (1.0, 3.0));
}

#[test]
fn what_arrived_is_counted_while_it_arrives() {
    let progress = Arc::new(Progress::default());
    let counters = Counters::new(Arc::clone(&progress));
    progress.begin(&key("smile-lab", "1"), AssetKind::Ide, 0, None);
    progress.add(&key("smile-lab", "1"), 12);
    let found = families(&counters, &well());
    let bytes = value(&found, "casedrop_downloaded_bytes_total", &[("lab", "smile-lab")]);
    assert_eq!(bytes, Some(12.0));
}

#[test]
fn the_time_of_a_publication_is_that_of_its_last_attempt() {
    let counters = Counters::new(Arc::default());
    let at = |notice: &Notice, second: u64| counters.tell(notice, Duration::from_secs(second));
    let order = |id: &str| key("smile-lab", id);
    at(&Notice::Fetching { key: order("1") }, 0);
    at(&failed(order("1"), FaultClass::Transient), 50);
    at(&Notice::Fetching { key: order("1") }, 100);
    at(&published(order("1"), Reason::FirstScan), 104);
    at(&Notice::Fetching { key: order("2") }, 200);
    at(&published(order("2"), Reason::FirstScan), 9000);
    // An order that a crash interrupted is completed without being fetched again.
    at(&published(order("3"), Reason::FirstScan), 9001);
    let found = families(&counters, &well());
    let name = "casedrop_publication_duration_seconds";
    let lab = ("lab", "smile-lab");
    let bucket = |le: &str| value(&found, &format!("{name}_bucket"), &[lab, ("le", le)]);
    assert_eq!((bucket("2.5"), bucket("5"), bucket("3600")), (Some(0.0), Some(1.0), Some(1.0)));
    assert_eq!(bucket("+Inf"), Some(2.0));
    assert_eq!(value(&found, &format!("{name}_count"), &[lab]), Some(2.0));
    assert_eq!(value(&found, &format!("{name}_sum"), &[lab]), Some(8804.0));
}

#[test]
fn a_thousand_interrupted_attempts_do_not_pile_up() {
    let counters = Counters::new(Arc::default());
    for id in 0..1000 {
        let key = key("smile-lab", &id.to_string());
        counters.tell(&Notice::Fetching { key }, Duration::ZERO);
    }
    let last = key("smile-lab", "last");
    counters.tell(&Notice::Fetching { key: last.clone() }, Duration::ZERO);
    let done = Duration::from_secs(3);
    counters.tell(&published(key("smile-lab", "0"), Reason::Rescan), done);
    counters.tell(&published(last, Reason::Rescan), done);
    let name = "casedrop_publication_duration_seconds_count";
    let count = value(&families(&counters, &well()), name, &[("lab", "smile-lab")]);
    assert_eq!(count, Some(1.0), "those before are forgotten");
}

/// The metric names that a file mentions, without the suffixes of histogram samples.
fn named(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let words = text.match_indices("casedrop_").filter(|(at, _)| !text[..*at].ends_with(is_part));
    let words = words.map(|(at, _)| {
        let rest = &text[at..];
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        (word.trim_end_matches("_bucket"), after)
    });
    // Skip file names such as casedrop_rules.yml.
    words.filter(|(_, after)| !after.starts_with(".y")).map(|(word, _)| word.to_owned()).collect()
}

#[test]
fn rules_and_dashboard_speak_of_what_there_is() {
    let there: BTreeSet<String> = families(&busy(), &full()).into_keys().collect();
    for (file, text, least) in [
        ("casedrop.rules.yml", include_str!("../../packaging/monitoring/casedrop.rules.yml"), 12),
        (
            "casedrop.rules.test.yml",
            include_str!("../../packaging/monitoring/casedrop.rules.test.yml"),
            12,
        ),
        (
            "grafana-dashboard.json",
            include_str!("../../packaging/monitoring/grafana-dashboard.json"),
            20,
        ),
    ] {
        let named = named(text);
        assert!(named.len() >= least, "{file} names only {named:?}");
        let unknown: Vec<_> = named.difference(&there).collect();
        assert!(unknown.is_empty(), "{file} names what there is not: {unknown:?}");
    }
}

#[test]
fn each_alert_is_tried_and_explained() {
    let rules = include_str!("../../packaging/monitoring/casedrop.rules.yml");
    let cases = include_str!("../../packaging/monitoring/casedrop.rules.test.yml");
    let page = include_str!("../../docs/monitoring.md");
    let alerts: Vec<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 15, "{alerts:?}");
    for alert in alerts {
        let is_tried = cases.contains(&format!("alertname: {alert}\n"))
            || cases.contains(&format!("alertname=\"{alert}\""));
        assert!(is_tried, "{alert} has no case in casedrop.rules.test.yml");
        assert!(page.contains(&format!("| {alert} |")), "{alert} is not in docs/monitoring.md");
    }
}

#[test]
fn what_the_process_uses_is_told_under_the_usual_names_and_documented() {
    let page = include_str!("../../docs/monitoring.md");
    let found = read(&render_with_process(&busy(), &full())).expect("the right format");
    let own: Vec<_> = found.iter().filter(|(name, _)| name.starts_with("process_")).collect();
    assert_eq!(own.len(), if cfg!(target_os = "linux") { 5 } else { own.len() });
    assert!(own.len() >= 2, "memory is known everywhere: {own:?}");
    for (name, family) in own {
        let help = family.help.trim_end_matches('.');
        let row = format!("| `{name}` | {} |  | {help} |", family.kind);
        assert!(page.contains(&row), "docs/monitoring.md lacks {row}");
        assert_eq!(family.kind == "counter", name.ends_with("_total"), "{name}");
        assert!(family.samples.values().all(|value| *value > 0.0), "{name}");
    }
    assert!(!render(&busy(), &full()).contains("process_"), "no agent runs in this process");
}

#[test]
fn the_dashboard_can_be_imported() {
    let text = include_str!("../../packaging/monitoring/grafana-dashboard.json");
    let board: serde_json::Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(board["__inputs"][0]["type"], "datasource");
    assert_eq!(board["__inputs"][0]["pluginId"], "prometheus");
    let input = format!("${{{}}}", board["__inputs"][0]["name"].as_str().expect("a name"));
    let panels = board["panels"].as_array().expect("panels");
    let mut ids = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: its id is taken");
        if panel["type"] == "row" {
            continue;
        }
        assert_eq!(panel["datasource"]["uid"], input.as_str(), "{title}");
        let targets = panel["targets"].as_array().expect("targets");
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            let query = target["expr"].as_str().expect("a query");
            assert!(query.contains("$instance"), "{title}: it shows all PCs: {query}");
        }
    }
}

#[test]
fn every_number_stands_in_the_documentation() {
    let page = include_str!("../../docs/monitoring.md");
    let rows: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `casedrop_").map(|_| line))
        .filter_map(|line| Some((line.split('`').nth(1)?, line)))
        .collect();
    let mut missing = Vec::new();
    let found = families(&busy(), &full());
    for (name, family) in &found {
        let labels: Vec<_> = label_names(family).into_iter().collect();
        let row = format!(
            "| `{name}` | {} | {} | {} |",
            family.kind,
            labels.join(", "),
            family.help.trim_end_matches('.')
        );
        if rows.get(name.as_str()) != Some(&row.as_str()) {
            missing.push(row);
        }
    }
    assert!(missing.is_empty(), "docs/monitoring.md lacks:\n{}", missing.join("\n"));
    let unknown: Vec<_> = rows.keys().filter(|name| !found.contains_key(**name)).collect();
    assert!(unknown.is_empty(), "docs/monitoring.md tells of {unknown:?}");
}
