//! Scan notifications over real sockets: quick, durable, and harmless whatever they contain.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use casedrop::journal::FILE_NAME;
use casedrop::simulator::{CaseKind, OrderSpec};

use super::listening::{Line, SECRET, listening, listening_at};
use super::world::{ACCOUNT, LAB, order, wait_for};

#[test]
fn an_order_is_published_at_its_notification_though_polls_are_rare() {
    let listening = listening("1h", "");
    let world = &listening.world;
    world.align().update_settings(|settings| settings.notification_repeats = 3);
    let agent = listening.run();
    let began = Instant::now();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.wait_for_revision(&id, 1);
    world.wait_for_state(&id, "published");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    // A new revision arrives the same way, with what Align says about it.
    world.align().flow(&id, "send-to-modeling").expect("sent");
    world.align().flow(&id, "modeling-completed").expect("back");
    let second = world.wait_for_revision(&id, 2);
    assert_eq!(serde_json::to_value(second.reason).expect("a word"), "after-modeling");
    assert_eq!(second.status, "Lab Review");
    let state = world.align().state();
    assert_eq!(state.counters.polls, 1, "nobody polled meanwhile");
    assert!(state.asset(&id, "IDE").started <= 3, "{:?}", state.asset(&id, "IDE"));
    assert!(state.notifications.iter().all(|sent| sent.status == Some(200)), "{state:#?}");
    wait_for("the counts", || (listening.journal().received().ok()?.received > 0).then_some(()));
    agent.kill();
}

#[test]
fn a_notification_that_is_early_follows_the_schedule_for_missing_files() {
    let listening = listening("1h", "");
    let world = &listening.world;
    world.align().update_settings(|settings| settings.early_notification = 3);
    let agent = listening.run();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.wait_for_revision(&id, 1);
    assert_eq!(world.align().state().asset(&id, "IDE").not_converted, 3);
    agent.kill();
}

#[test]
fn what_concerns_nobody_is_refused_quietly() {
    let listening = listening("1h", "");
    let agent = listening.run();
    for _ in 0..20 {
        assert_eq!(listening.post(r#"{"rxId":"77","accountNumber":"nobody-s"}"#), 404);
        assert_eq!(listening.post(r#"{"hello":"world"}"#), 200, "something changed");
    }
    let mut line = Line::connect(listening.address).expect("connected");
    assert_eq!(line.post("/itero/no-such-path", "{}").expect("answered"), 404);
    assert_eq!(listening.post(r#"{"rxId":"78"}"#), 200, "no account is every lab's");
    wait_for("the question about it", || {
        let rows = listening.journal().notified(9).expect("read");
        let fault = rows.first()?.fault.as_ref()?;
        (rows.len() == 1 && fault.code == "unknown-rx").then_some(())
    });
    let counted = listening.journal().received().expect("read");
    assert_eq!((counted.received, counted.refused), (21, 20), "{counted:?}");
    assert_eq!((counted.unreadable, counted.elsewhere), (20, 1), "{counted:?}");
    let ended = listening.world.good(&["orders"]);
    assert!(ended.stderr.contains("prescription 78"), "{ended:?}");
    let log = agent.kill();
    for word in ["nobody-s", "no-such-path", SECRET] {
        assert!(!log.contains(word), "{word}: {log}");
    }
    assert!(log.lines().count() < 12, "not a line for each: {log}");
}

#[test]
fn a_notification_that_cannot_be_read_is_not_lost_with_the_process() {
    let listening = listening("1h", "");
    let wanted = || listening.journal().polls_wanted().expect("read");
    let agent = listening.run();
    wait_for("the list", || wanted().is_empty().then_some(()));
    assert_eq!(listening.post("<scan>ready</scan>"), 200);
    agent.kill();
    assert_eq!(wanted(), [LAB]);
    let agent = listening.run_again();
    let status = wait_for("the status", || {
        let status = listening.world.casedrop(&["status", "--json"]).stdout;
        serde_json::from_str::<serde_json::Value>(&status).ok()
    });
    assert_eq!(status["notifications"]["unreadable"], 1, "{status}");
    assert_eq!(listening.world.align().state().counters.polls, 1, "120 s are kept to");
    agent.kill();
    assert_eq!(wanted(), [LAB]);
}

#[test]
fn an_order_that_is_named_by_its_own_number_is_fetched_at_once() {
    let listening = listening("1h", "");
    let world = &listening.world;
    let agent = listening.run();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.wait_for_revision(&id, 1);
    world.wait_for_state(&id, "published");
    // Align's own notification of the next revision gets lost.
    let account = listening.world.account().id.clone();
    world.align().flow(&id, "send-to-modeling").expect("sent");
    assert_eq!(listening.post(&format!(r#"{{"orderId":"{id}","account":"{account}"}}"#)), 200);
    wait_for("what Align says of it", || {
        let story = world.order_or_null(&id);
        (story["state"] == "away").then_some(())
    });
    assert_eq!(world.align().state().counters.polls, 1, "nobody polled meanwhile");
    agent.kill();
}

#[test]
fn without_the_listener_orders_are_found_by_polling_and_people_are_told() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let listening = listening_at(taken.local_addr().expect("bound"), "200ms", "");
    let world = &listening.world;
    let agent = world.run();
    let id = world.align().create_order(&OrderSpec { quiet: true, ..order(CaseKind::OrthoShell) });
    world.wait_for_revision(&id.expect("created"), 1);
    let ended = wait_for("the note", || {
        let ended = world.good(&["orders"]);
        ended.stderr.contains("scan notifications cannot be received").then_some(ended)
    });
    assert!(ended.stderr.contains(&listening.address.to_string()), "{ended:?}");
    let log = agent.kill();
    assert!(log.contains("another program is already listening there"), "{log}");
    drop(taken);
    let agent = listening.run();
    // The port answers a moment before the journal has it.
    wait_for("the end of the note", || {
        let ended = world.good(&["orders"]);
        (!ended.stderr.contains("cannot be received")).then_some(())
    });
    agent.kill();
}

#[test]
fn a_certificate_of_its_own_is_used_and_checked() {
    // A path without a drive letter is not enough under Wine.
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let data = std::fs::canonicalize(data).expect("there");
    let quoted = |name: &str| serde_json::to_string(&data.join(name)).expect("a Unicode path");
    let tls = format!(
        "  tls: {{ certificate: {}, key: {} }}\n",
        quoted("server.pem"),
        quoted("server.key.pem")
    );
    let listening = listening("1h", &tls);
    listening.world.good(&["check"]);
    let agent = listening.run();
    let authority = std::fs::read(data.join("authority.pem")).expect("there");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let status = runtime.block_on(async {
        let authority = reqwest::Certificate::from_pem(&authority).expect("PEM");
        // Another test in this process may have installed it first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([authority]).build();
        let client = client.expect("a client");
        let url = format!("https://{}/itero/{SECRET}", listening.address);
        let call = client.post(url).body(r#"{"rxId":1,"accountNumber":4711}"#);
        call.send().await.expect("trusted").status().as_u16()
    });
    assert_eq!(status, 200);
    agent.kill();
    let broken = std::fs::read_to_string(listening.world.config()).expect("readable");
    let broken = broken.replace("server.key.pem", "authority.pem");
    std::fs::write(listening.world.config(), broken).expect("written");
    let ended = listening.world.casedrop(&["check"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert!(told.contains("notifications.tls") && told.contains("private key"), "{told}");
}

/// Duration of the flood in seconds.
fn flood_seconds() -> u64 {
    std::env::var("CASEDROP_TEST_FLOOD_SECONDS").map_or(4, |text| text.parse().expect("a number"))
}

/// Calls are slow under Wine.
const PER_SECOND: u64 = if cfg!(windows) { 200 } else { 1_000 };
const LINES: u64 = 40;

/// Current memory of the process, in kB.
#[cfg(target_os = "linux")]
fn memory(agent: &super::world::Agent) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.id())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// Sends its share of the flood, repeating what was not answered. Returns what was acknowledged.
fn sender(address: SocketAddr, line: u64, began: Instant, done: &AtomicBool) -> Vec<String> {
    let each = Duration::from_micros(1_000_000 * LINES / PER_SECOND);
    let mut acknowledged = Vec::new();
    let mut connection = None;
    let count = flood_seconds() * PER_SECOND / LINES;
    for number in 0..count {
        let due = began + each * u32::try_from(number).expect("few");
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let rx = format!("flood-{line}-{number}");
        let body = format!(r#"{{"rxId":"{rx}","accountNumber":{ACCOUNT}}}"#);
        loop {
            assert!(!done.load(Ordering::SeqCst), "given up");
            if connection.is_none() {
                connection = Line::connect(address).ok();
            }
            let answer =
                connection.as_mut().map(|line| line.post(&format!("/itero/{SECRET}"), &body));
            match answer {
                Some(Ok(200)) => break,
                Some(Ok(503)) => {}
                Some(Ok(other)) => panic!("{other} for {rx}"),
                Some(Err(_)) | None => {
                    connection = None;
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
        acknowledged.push(rx);
    }
    acknowledged
}

#[test]
fn a_flood_of_notifications_loses_none_that_was_acknowledged_even_if_the_process_is_killed() {
    let listening = listening("1500ms", "");
    let world = &listening.world;
    let id = world.align().create_order(&OrderSpec { quiet: true, ..order(CaseKind::OrthoShell) });
    let id = id.expect("created");
    let agent = listening.run();
    let began = Instant::now();
    let length = Duration::from_secs(flood_seconds());
    let (acknowledged, gave_up) = (Mutex::new(BTreeSet::new()), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for line in 0..LINES {
            let (acknowledged, gave_up) = (&acknowledged, &gave_up);
            scope.spawn(move || {
                let all = sender(listening.address, line, began, gave_up);
                acknowledged.lock().expect("nobody panics with it").extend(all);
            });
        }
        std::thread::sleep((began + length / 2).saturating_duration_since(Instant::now()));
        agent.kill();
        let agent = world.run();
        listening.wait_until_up();
        #[cfg(target_os = "linux")]
        {
            let first = memory(&agent);
            std::thread::sleep((began + length).saturating_duration_since(Instant::now()));
            let last = memory(&agent);
            assert!(last < first + 48 * 1024, "{first} kB after the start, {last} kB at the end");
        }
        world.wait_for_revision(&id, 1);
        wait_for("the end of the flood", || {
            let acknowledged = acknowledged.lock().expect("nobody panics with it").len() as u64;
            (acknowledged == flood_seconds() * PER_SECOND / LINES * LINES).then_some(())
        });
        agent.kill();
    });
    // Align knows none of them, so all must still be waiting.
    let store = listening.journal();
    let waiting: BTreeSet<String> = store
        .notified(usize::MAX)
        .expect("read")
        .into_iter()
        .map(|row| row.rx.as_str().to_owned())
        .collect();
    let acknowledged = acknowledged.into_inner().expect("nobody panicked");
    let lost: Vec<_> = acknowledged.difference(&waiting).take(5).collect();
    assert!(lost.is_empty(), "acknowledged and lost: {lost:?}");
    assert_eq!(acknowledged.len() as u64, flood_seconds() * PER_SECOND / LINES * LINES);
}

#[test]
fn duplicates_of_a_waiting_notification_cost_nothing() {
    let listening = listening("1h", "");
    let agent = listening.run();
    let body = format!(r#"{{"rxId":"same","accountNumber":{ACCOUNT}}}"#);
    assert_eq!(listening.post(&body), 200);
    wait_for("the question", || {
        listening.journal().notified(1).expect("read").first()?.fault.as_ref().map(drop)
    });
    let log = || {
        let name = format!("{FILE_NAME}-wal");
        std::fs::metadata(listening.world.state().join(name)).expect("a log").len()
    };
    let before = log();
    let mut line = Line::connect(listening.address).expect("connected");
    for _ in 0..500 {
        assert_eq!(line.post(&format!("/itero/{SECRET}"), &body).expect("answered"), 200);
    }
    // The occasional write of the counters is allowed.
    assert!(log() <= before + 64 * 1024, "{before} bytes, then {}", log());
    assert_eq!(listening.journal().notified_count().expect("read"), 1);
    agent.kill();
}
