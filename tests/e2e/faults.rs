//! Align misbehaves, over real sockets: every fault is survived, reported, and costs no other
//! order.

use std::collections::BTreeSet;

use casedrop::model::manifest::{Manifest, Reason};
use casedrop::model::path::RelPath;
use casedrop::simulator::package::hostile;
use casedrop::simulator::{CaseKind, FaultKind, FaultRule, OrderSpec, RequestRecord};

use super::tree;
use super::world::{LAB, World, order, order_with_id, wait_for};

pub const IDE: &str = "IDE";

pub fn status(code: u16) -> FaultKind {
    FaultKind::Status { code, retry_after: None, body: None }
}

pub fn download(kind: FaultKind) -> FaultRule {
    FaultRule::on("downloadAsset", kind).asset(IDE)
}

/// Returns the requests to an endpoint, oldest first.
pub fn requests(world: &World, endpoint: &str) -> Vec<RequestRecord> {
    world.align().state().log.into_iter().filter(|record| record.endpoint == endpoint).collect()
}

pub fn refreshes(world: &World) -> u64 {
    world.align().state().counters.refreshes
}

/// Makes one order's downloads fail during a pass, next to a healthy order. The fault is reported
/// by its code, nothing of the order is visible, the neighbour is published in the same pass, and
/// the next attempt after the fault succeeds.
pub fn heals(world: &World, rule: FaultRule, code: &str) -> Manifest {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let neighbour = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    world.align().inject(rule.order(&id));
    let ended = world.sync();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let story = world.order(&id);
    assert_eq!((&story["state"], &story["trouble"]["code"]), (&"retrying".into(), &code.into()));
    assert!(
        ended.stderr.contains(story["trouble"]["message"].as_str().expect("text")),
        "{ended:?}"
    );
    assert_eq!(tree::orders(&world.output()), [world.dir_of(&neighbour)]);
    world.published(&neighbour);

    world.align().clear_faults();
    world.let_time_pass(&id);
    world.good(&["sync"]);
    world.good(&["verify"]);
    assert_eq!(world.order(&id)["trouble"], serde_json::Value::Null);
    assert_eq!(world.align().state().counters.poll_violations, 0);
    world.published(&id)
}

#[test]
fn a_connection_reset_in_the_middle_of_a_body_is_survived() {
    heals(&World::new(), download(FaultKind::Reset { after_bytes: 3000 }), "broken-off");
}

#[test]
fn a_connection_that_closes_without_an_answer_is_survived() {
    heals(&World::new(), download(FaultKind::Disconnect), "broken-off");
}

#[test]
fn a_truncated_body_is_survived() {
    let fault = FaultKind::Truncate { after_bytes: 3000, announce_short: false };
    heals(&World::new(), download(fault), "broken-off");
}

#[test]
fn a_truncated_body_of_no_announced_length_is_survived() {
    let world = World::new();
    world.align().update_settings(|settings| settings.content_length = false);
    let fault = FaultKind::Truncate { after_bytes: 3000, announce_short: false };
    heals(&world, download(fault), "broken-off");
}

#[test]
fn a_body_cut_short_with_a_matching_length_is_not_taken_for_a_package() {
    let fault = FaultKind::Truncate { after_bytes: 3000, announce_short: true };
    heals(&World::new(), download(fault), "not-a-zip");
}

#[test]
fn an_announced_length_that_is_too_long_is_survived() {
    heals(&World::new(), download(FaultKind::WrongLength { by: 7 }), "broken-off");
}

#[test]
fn an_announced_length_that_is_too_short_is_survived() {
    heals(&World::new(), download(FaultKind::WrongLength { by: -7 }), "not-a-zip");
}

#[test]
fn a_download_that_stalls_is_given_up_and_repeated() {
    let world = World::with_config("downloads: { stall_timeout: 1s }\n");
    heals(&world, download(FaultKind::Stall { after_bytes: 3000 }), "stalled");
}

#[test]
fn a_server_that_is_busy_is_asked_again() {
    heals(&World::new(), download(status(503)), "http-503");
}

#[test]
fn a_corrupt_byte_is_noticed_and_the_repeat_is_published() {
    heals(&World::new(), download(FaultKind::Corrupt { at: 2000 }), "zip-crc");
}

#[test]
fn a_package_that_stays_corrupt_waits_for_a_person_in_the_end() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.align().inject(download(FaultKind::Corrupt { at: 2000 }));
    let mut attempts = 1;
    let mut ended = world.sync();
    while world.order(&id)["state"] == "retrying" {
        assert_eq!(ended.code, Some(3), "{ended:?}");
        world.let_time_pass(&id);
        ended = world.casedrop(&["sync"]);
        attempts += 1;
    }
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert!(ended.stderr.contains("needs attention"), "{ended:?}");
    let story = world.order(&id);
    assert_eq!(story["state"], "attention", "{story:#}");
    assert_eq!((attempts, &story["trouble"]["attempts"]), (5, &5.into()));
    assert!(!world.dir_of(&id).exists());

    let ended = world.sync();
    assert_eq!(ended.code, Some(3), "{ended:?}");
    assert_eq!(world.align().state().asset(&id, IDE).started, 5, "not by itself");

    world.align().clear_faults();
    world.good(&["refetch", &id]);
    world.good(&["sync"]);
    assert_eq!(world.published(&id).revision, 1);
}

#[test]
fn an_access_token_that_expires_is_renewed_before_it_does() {
    let world = World::with_config("polling: { interval: 300ms }\n");
    world.align().update_settings(|settings| {
        settings.access_token_seconds = 2;
        settings.min_poll_interval_ms = 300;
    });
    // Replace the current token by one with the short lifetime.
    world.align().expire_tokens();
    let agent = world.run();
    let mut ids = Vec::new();
    for more in 1..=3 {
        ids.push(world.align().create_order(&order(CaseKind::OrthoShell)).expect("created"));
        wait_for("a refresh", || (refreshes(&world) > more).then_some(()));
    }
    for id in &ids {
        world.wait_for_state(id, "published");
    }
    agent.kill();
    assert_eq!(world.align().state().counters.refresh_reuses, 0);
    world.good(&["verify"]);
}

#[test]
fn four_downloads_that_meet_an_expired_token_share_one_refresh() {
    let world = World::new();
    for _ in 0..4 {
        world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    }
    world.align().inject(FaultRule::on("downloadAsset", FaultKind::ExpireTokens).times(1));
    let before = refreshes(&world);
    world.good(&["sync"]);
    assert_eq!(tree::orders(&world.output()).len(), 4);
    assert_eq!(refreshes(&world), before + 1);
    assert_eq!(world.align().state().counters.refresh_reuses, 0);
    assert!(requests(&world, "downloadAsset").iter().any(|record| record.status == 401));
}

#[test]
fn a_token_that_expires_during_a_download_does_not_break_it() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let length = world.align().prepare(&id, &[("cadCamSystem", "3Shape")]).expect("made");
    let slow = FaultKind::Slow { bytes_per_second: length.max(1000) / 2 };
    world.align().inject(download(slow));
    let before = refreshes(&world);
    let _agent = world.run();
    wait_for("the body to begin", || {
        (world.align().state().asset(&id, IDE).started == 1).then_some(())
    });
    world.align().expire_tokens();
    world.wait_for_state(&id, "published");
    let ide = world.align().state().asset(&id, IDE);
    assert_eq!((ide.started, ide.resumed), (1, 0));
    // The next poll renews the token.
    wait_for("a refresh", || (refreshes(&world) == before + 1).then_some(()));
}

#[test]
fn a_refused_token_is_renewed_exactly_once() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let before = refreshes(&world);
    world.align().inject(download(status(401)).times(1));
    world.good(&["sync"]);
    world.published(&id);
    assert_eq!(refreshes(&world), before + 1);
}

#[test]
fn a_login_that_was_revoked_asks_for_a_new_one() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.align().expire_tokens();
    let refused = r#"{"error":"invalid_grant","error_description":"revoked"}"#.to_owned();
    let kind = FaultKind::Status { code: 400, retry_after: None, body: Some(refused) };
    world.align().inject(FaultRule::on("refreshToken", kind));
    let ended = world.casedrop(&["sync"]);
    assert_eq!(ended.code, Some(4), "{ended:?}");
    assert!(ended.stderr.contains(&format!("casedrop login {LAB}")), "{ended:?}");

    world.align().clear_faults();
    world.log_in_and_pair(LAB);
    assert_eq!(world.sync().code, Some(0));
    world.published(&id);
}

#[test]
fn files_that_are_not_converted_yet_are_asked_for_until_they_are_there() {
    let world = World::new();
    let spec = OrderSpec { regenerating: 2, ..order(CaseKind::OrthoShell) };
    let id = world.align().create_order(&spec).expect("created");
    let ended = world.sync();
    assert_eq!(ended.code, Some(0), "waiting for Align is no failure: {ended:?}");
    assert_eq!(world.order(&id)["state"], "regenerating");
    let _agent = world.run();
    world.wait_for_state(&id, "published");
    let ide = world.align().state().asset(&id, IDE);
    assert_eq!((ide.not_converted, ide.started), (2, 1));
    world.published(&id);
}

#[test]
fn thumbnails_that_are_not_there_yet_are_waited_for() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let rule = FaultRule::on("downloadAsset", status(404)).asset("IMAGE_GALLERY").times(1);
    world.align().inject(rule);
    let _agent = world.run();
    world.wait_for_state(&id, "published");
    let manifest = world.published(&id);
    let thumbnails = manifest.files.iter().filter(|file| file.path.starts_with("thumbnails/"));
    assert_eq!(thumbnails.count(), 6);
    assert_eq!(manifest.missing, ["screen-captures"]);
}

#[test]
fn thumbnails_that_never_come_hold_no_scan_back() {
    let world = World::with_config("downloads: { extras_wait: 1s }\n");
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    world.align().inject(FaultRule::on("downloadAsset", status(404)).asset("IMAGE_GALLERY"));
    let _agent = world.run();
    world.wait_for_state(&id, "published");
    let missing: BTreeSet<_> = world.published(&id).missing.into_iter().collect();
    assert_eq!(missing, ["screen-captures".to_owned(), "thumbnails".to_owned()].into());
}

/// Longer than any test waits: a call that is not cut off hangs the test.
const FOR_EVER: &str = "stall_timeout: 12h";

#[test]
fn extras_that_stall_are_cut_off_when_their_time_is_over() {
    // As long as the other extra may take on a busy machine.
    let config = format!("downloads: {{ extras_wait: 10s, {FOR_EVER} }}\n");
    let both = [0, 2000].map(|after_bytes| {
        let world = World::with_config(&config);
        let with = OrderSpec { screen_captures: true, ..order(CaseKind::Restorative) };
        let id = world.align().create_order(&with).expect("created");
        let stalls = FaultRule::on("downloadAsset", FaultKind::Stall { after_bytes });
        world.align().inject(stalls.asset("IMAGE_GALLERY"));
        let agent = world.run();
        (world, id, agent)
    });
    for (world, id, _agent) in &both {
        world.wait_for_state(id, "published");
        let manifest = world.published(id);
        assert_eq!(manifest.missing, ["thumbnails"], "the other extra came");
        assert!(!world.dir_of(id).join("thumbnails").exists());
    }
}

#[test]
fn thumbnails_that_come_after_the_scan_are_published_as_its_next_revision() {
    let world = World::with_config("downloads: { extras_wait: 0s }\n");
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let agent = world.run();
    let manifest = world.wait_for_revision(&id, 2);
    assert_eq!(manifest.reason, Reason::Extras);
    assert_eq!(manifest.missing, ["screen-captures"]);
    wait_for("the story", || {
        let story = world.good(&["show", &id]).stdout;
        story.contains("Thumbnails arrived, published as revision 2").then_some(())
    });
    let first = tree::check_order(&world.history_of(&id, 1)).expect("the scan alone");
    assert_eq!(first.missing, ["thumbnails", "screen-captures"]);
    assert_eq!(manifest.files.len(), first.files.len() + 6);
    agent.kill();
    world.good(&["verify"]);
    assert_eq!(world.align().state().asset(&id, IDE).started, 1, "the package came once");
}

#[test]
fn late_extras_can_be_turned_off() {
    let world = World::with_config("downloads: { extras_wait: 0s, late_extras: false }\n");
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    world.good(&["sync"]);
    world.good(&["sync"]);
    let manifest = world.published(&id);
    assert_eq!((manifest.revision, manifest.reason), (1, Reason::FirstScan));
    assert_eq!(manifest.missing, ["thumbnails", "screen-captures"]);
    assert_eq!(requests(&world, "downloadAsset").len(), 1, "the package, and nothing else");
}

#[test]
fn screen_captures_are_published_where_there_are_any() {
    let world = World::new();
    let with = OrderSpec { screen_captures: true, ..order(CaseKind::OrthoShell) };
    let with = world.align().create_order(&with).expect("created");
    let without = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.good(&["sync"]);
    let captures = |manifest: &Manifest| {
        manifest.files.iter().filter(|file| file.path.starts_with("screen-captures/")).count()
    };
    let (with, without) = (world.published(&with), world.published(&without));
    assert!(captures(&with) > 0 && with.missing.is_empty(), "{with:?}");
    assert_eq!((captures(&without), without.missing), (0, vec!["screen-captures".to_owned()]));
}

/// Returns the times of the first two requests to an endpoint; the first one was answered with 429.
fn waits_after_429(world: &World, endpoint: &str) -> (u64, u64) {
    let records = wait_for("the second request", || {
        Some(requests(world, endpoint)).filter(|records| records.len() >= 2)
    });
    assert_eq!((records[0].status, records[1].status), (429, 200));
    (records[0].at_ms, records[1].at_ms)
}

#[test]
fn a_poll_waits_as_long_as_align_asks() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let kind = FaultKind::Status { code: 429, retry_after: Some(2), body: None };
    world.align().inject(FaultRule::on("getOrdersForLab", kind).times(1));
    let _agent = world.run();
    world.wait_for_state(&id, "published");
    let (first, second) = waits_after_429(&world, "getOrdersForLab");
    assert!(second >= first + 2000, "{first} {second}");
}

#[test]
fn a_restart_does_not_cut_short_the_wait_that_align_asked_for() {
    let world = World::new();
    let kind = FaultKind::Status { code: 429, retry_after: Some(2), body: None };
    world.align().inject(FaultRule::on("getOrdersForLab", kind).times(1));
    let ended = world.casedrop(&["sync"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let ended = world.good(&["sync"]);
    assert!(ended.stderr.contains("not polled"), "{ended:?}");
    world.sync();
    let (first, second) = waits_after_429(&world, "getOrdersForLab");
    assert!(second >= first + 2000, "{first} {second}");
}

#[test]
fn a_download_waits_as_long_as_align_asks() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let kind = FaultKind::Status { code: 429, retry_after: Some(3), body: None };
    world.align().inject(FaultRule::on("downloadAsset", kind).times(1));
    let _agent = world.run();
    world.wait_for_state(&id, "published");
    let records = requests(&world, "downloadAsset");
    let (first, second) = (records[0].at_ms, records[1].at_ms);
    assert_eq!(records[0].status, 429);
    assert!(second >= first + 3000, "{first} {second}");
}

/// Returns what becomes of each hostile archive: published (`None`), or failed in this state with
/// this code. What no retry can fix needs attention; what may be transmission damage is fetched
/// again.
fn expected(which: &str) -> Option<(&'static str, &'static str)> {
    let never = |code| Some(("attention", code));
    let perhaps = |code| Some(("retrying", code));
    match which {
        "case-clash" | "file-and-folder" | "reserved-names" | "nested-top-folder"
        | "wide-window" => None,
        "traversal" | "traversal-backslash" => never("zip-traversal"),
        "absolute" | "absolute-windows" => never("zip-absolute"),
        "symlink" => never("zip-link"),
        "duplicate-names" => never("zip-duplicate"),
        "bomb" => never("zip-bomb"),
        "many-members" => never("zip-too-many"),
        "bad-crc" | "named-after-patient" => perhaps("zip-crc"),
        "lying-size" | "local-name-differs" => perhaps("zip-corrupt"),
        "truncated" => perhaps("not-a-zip"),
        // A web page, which is reported before it is taken for a package.
        "not-a-zip" => perhaps("wrong-content"),
        "empty-zip" => perhaps("zip-empty"),
        other => panic!("nobody says yet what is to become of {other}"),
    }
}

#[test]
fn hostile_archives_write_nothing_outside_and_spoil_no_other_order() {
    let world = World::with_config("downloads: { concurrency: 8 }\n");
    for (which, _) in hostile::ALL {
        world.align().create_order(&order_with_id(CaseKind::OrthoShell, which)).expect("created");
        let which = which.to_owned();
        world.align().inject(download(FaultKind::Hostile { which: which.clone() }).order(&which));
    }
    let good: Vec<_> = (0..3)
        .map(|_| world.align().create_order(&order(CaseKind::OrthoShell)).expect("created"))
        .collect();
    let ended = world.casedrop(&["sync"]);
    assert_eq!(ended.code, Some(3), "{ended:?}");
    for id in &good {
        world.published(id);
    }
    for (which, _) in hostile::ALL {
        let story = world.order(which);
        if let Some(code) = expected(which) {
            let (state, code) = code;
            assert_eq!((&story["state"], &story["trouble"]["code"]), (&state.into(), &code.into()));
            assert!(!world.dir_of(which).exists(), "{which}");
            assert!(ended.stderr.contains(which), "{ended:?}");
            continue;
        }
        assert_eq!(story["state"], "published", "{which}: {story:#}");
        for file in world.published(which).files {
            RelPath::parse(&file.path).expect("a safe name");
        }
    }
    let published = hostile::ALL.iter().filter(|(which, _)| expected(which).is_none()).count();
    assert_eq!(tree::orders(&world.output()).len(), good.len() + published);
    assert_nothing_outside(&world);
    world.good(&["verify"]);
}

/// Checks the hostile archives' own targets and everything else they could have left.
fn assert_nothing_outside(world: &World) {
    for target in
        ["/tmp/casedrop-outside.stl", "/etc/casedrop-outside.stl", r"C:\Windows\outside.stl"]
    {
        assert!(!std::path::Path::new(target).exists(), "{target}");
    }
    for file in tree::files(world.dir()) {
        assert!(!file.to_string_lossy().contains("outside"), "{}", file.display());
    }
    let mut beside: Vec<_> = std::fs::read_dir(world.dir())
        .expect("readable")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("Unicode"))
        .collect();
    beside.sort();
    assert_eq!(beside, [".orders.casedrop-staging", "casedrop.yaml", "orders", "state"]);
}
