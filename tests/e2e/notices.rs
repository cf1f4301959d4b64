//! Other programs and people are notified at least once, in order, and only of what they may know.

use casedrop::simulator::package::{DOCTOR_MARKER, PATIENT_MARKER};
use casedrop::simulator::{AccountSpec, CaseKind, FaultKind};

use super::faults::download;
use super::receivers::{HookProgram, MailReceiver, Run, WebReceiver};
use super::world::{ACCOUNT, Agent, LAB, World, order, wait_for};

/// A variable of the agent's environment that no hook may see.
const SECRET: (&str, &str) = ("CASEDROP_LABS__0__CLIENT_SECRET", "s3cret-of-client");

/// Adds a notices section to the world's config.
fn tell(world: &World, section: &str) {
    let yaml = format!("{}notices:\n{section}", world.yaml());
    std::fs::write(world.config(), yaml).expect("config");
}

fn with_hook(more: &str) -> (World, HookProgram) {
    let (world, hook) = (World::new(), HookProgram::new());
    tell(&world, &format!("  hook: {{ {}, {more} }}\n", HookProgram::run_line()));
    (world, hook)
}

fn run(world: &World, hook: &HookProgram, more: &[(&str, &str)]) -> Agent {
    let mut env = vec![hook.env()];
    env.extend(more);
    world.run_with(&env)
}

fn create(world: &World) -> String {
    world.align().create_order(&order(CaseKind::Restorative)).expect("created")
}

/// A fault that no retry fixes: it needs attention at once.
fn hostile() -> FaultKind {
    FaultKind::Hostile { which: "traversal".to_owned() }
}

fn wait_for_runs(hook: &HookProgram, count: usize) -> Vec<Run> {
    wait_for("runs of the hook", || Some(hook.runs()).filter(|runs| runs.len() >= count))
}

/// The order and revision of each run.
fn abouts(runs: &[Run]) -> Vec<(String, u64)> {
    runs.iter().map(Run::about).collect()
}

/// The text may contain no personal name and no secret.
fn assert_discreet(world: &World, text: &str) {
    let login = std::fs::read(world.state().join("secrets/smile-lab.json")).expect("a login");
    let login: serde_json::Value = serde_json::from_slice(&login).expect("JSON");
    let token = |key: &str| login[key].as_str().expect("a token").to_owned();
    let words = [
        PATIENT_MARKER.to_owned(),
        DOCTOR_MARKER.to_owned(),
        SECRET.1.to_owned(),
        token("access_token"),
        token("refresh_token"),
    ];
    for word in words {
        assert!(!text.contains(&word), "{word} is in {text}");
    }
}

#[test]
fn a_hook_gets_each_revision_once_and_nothing_from_before() {
    let (world, hook) = (World::new(), HookProgram::new());
    let old = create(&world);
    let agent = world.run();
    world.wait_for_revision(&old, 1);
    world.wait_for_state(&old, "published");
    agent.kill();
    tell(&world, &format!("  hook: {{ {} }}\n", HookProgram::run_line()));
    world.good(&["check"]);

    let agent = run(&world, &hook, &[SECRET]);
    let id = create(&world);
    let runs = wait_for_runs(&hook, 1);
    let manifest = world.published(&id);
    let event = runs[0].event();
    assert_eq!((&event["schema"], &event["event"]), (&1.into(), &"published".into()));
    assert_eq!((&event["lab"], &event["account"]), (&LAB.into(), &ACCOUNT.into()));
    assert_eq!((&event["order_id"], &event["revision"]), (&id.clone().into(), &1.into()));
    assert_eq!(event["rx_id"], serde_json::json!(manifest.rx_id));
    assert_eq!(event["reason"], "first-scan");
    assert_eq!(event["path"], world.dir_of(&id).to_str().expect("Unicode"));
    assert_eq!(event["folder"], format!("{LAB}/{ACCOUNT}/{id}"));
    assert_eq!(event["files"], serde_json::json!(manifest.files));
    assert!(std::path::Path::new(event["manifest"].as_str().expect("a path")).is_file());
    let get = |name: &str| runs[0].variables.get(name).map(String::as_str);
    assert_eq!(get("CASEDROP_EVENT"), Some("published"));
    assert_eq!(get("CASEDROP_ORDER"), Some(id.as_str()));
    assert_eq!(get("CASEDROP_PATH"), world.dir_of(&id).to_str());
    assert_eq!(runs[0].variables.len(), 8, "{:?}", runs[0].variables);
    let folder = std::env::current_exe().expect("a program");
    assert_eq!(Some(runs[0].cwd.as_path()), folder.parent());

    world.align().flow(&id, "return-to-doctor").expect("returned");
    world.align().flow(&id, "rescan-completed").expect("back");
    wait_for_runs(&hook, 2);
    let other = create(&world);
    let runs = wait_for_runs(&hook, 3);
    assert_eq!(abouts(&runs), [(id.clone(), 1), (id, 2), (other, 1)]);
    for run in &runs {
        assert_discreet(&world, &format!("{run:?}"));
    }
    agent.kill();
}

#[test]
fn a_hook_that_hangs_is_ended_and_holds_up_no_publication() {
    let (world, hook) = with_hook("timeout: 3s");
    hook.shall("hang");
    let agent = run(&world, &hook, &[]);
    let first = create(&world);
    let runs = wait_for_runs(&hook, 1);
    let second = create(&world);
    world.wait_for_revision(&second, 1);
    let is_first = |run: &Run| run.about() == (first.clone(), 1);
    assert!(hook.runs().iter().all(is_first), "one run at a time");
    // The next run hangs too; by then the first one has been killed.
    wait_for_runs(&hook, 2);
    #[cfg(target_os = "linux")]
    assert!(!std::path::Path::new(&format!("/proc/{}", runs[0].pid)).exists(), "it goes on");
    assert!(is_first(&runs[0]));
    hook.shall_not("hang");
    let runs = wait_for("the second order", || {
        Some(hook.runs()).filter(|runs| runs.iter().any(|run| run.about().0 == second))
    });
    let (last, before) = runs.split_last().expect("runs");
    assert!(before.len() >= 2 && before.iter().all(is_first), "{:?}", abouts(&runs));
    assert_eq!(last.about(), (second, 1));
    let log = agent.kill();
    assert!(log.contains("did not finish within 3 s and was stopped"), "{log}");
}

#[test]
fn a_hook_that_fails_is_run_again_before_the_next_order() {
    let (world, hook) = with_hook("timeout: 60s");
    hook.shall("fail");
    let agent = run(&world, &hook, &[]);
    let first = create(&world);
    wait_for_runs(&hook, 1);
    let second = create(&world);
    world.wait_for_revision(&second, 1);
    wait_for_runs(&hook, 2);
    hook.shall_not("fail");
    let runs = wait_for("the second order", || {
        Some(hook.runs()).filter(|runs| runs.iter().any(|run| run.about().0 == second))
    });
    let before = runs.iter().take_while(|run| run.about().0 == first).count();
    assert!(before >= 2 && before + 1 == runs.len(), "{:?}", abouts(&runs));
    let log = agent.kill();
    assert!(log.contains("ended with status 3; retrying in 1 s"), "{log}");
}

#[test]
fn what_was_published_is_told_after_a_crash() {
    let (world, hook) = with_hook("timeout: 60s");
    // One crash before the hook starts, and one while it runs.
    let id = create(&world);
    let agent = run(&world, &hook, &[("CASEDROP_TEST_KILL_AT", "journal-published-durable")]);
    let (code, _) = agent.wait();
    assert_ne!(code, Some(0));
    assert_eq!(hook.runs().len(), 0);
    hook.shall("hang");
    let agent = run(&world, &hook, &[]);
    wait_for_runs(&hook, 1);
    agent.kill();
    hook.shall_not("hang");
    let agent = run(&world, &hook, &[]);
    let other = create(&world);
    let runs = wait_for_runs(&hook, 3);
    assert_eq!(abouts(&runs), [(id.clone(), 1), (id, 1), (other, 1)]);
    agent.kill();
}

#[cfg(unix)]
#[test]
fn a_stop_waits_for_no_hook_and_loses_none() {
    let (world, hook) = with_hook("timeout: 10m");
    hook.shall("hang");
    let id = create(&world);
    let agent = run(&world, &hook, &[]);
    wait_for_runs(&hook, 1);
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("did not end in time"), "{log}");
    hook.shall_not("hang");
    let agent = run(&world, &hook, &[]);
    assert_eq!(abouts(&wait_for_runs(&hook, 2)), [(id.clone(), 1), (id, 1)]);
    agent.kill();
}

#[test]
fn a_webhook_is_signed_and_repeated_with_the_same_id_until_it_is_taken() {
    let (world, web) = (World::new(), WebReceiver::answering(&[500, 429]));
    tell(&world, &web.section(world.dir(), "batch: 100ms"));
    let agent = world.run();
    let good = create(&world);
    world.wait_for_revision(&good, 1);
    wait_for("a first message", || (!web.got().is_empty()).then_some(()));
    // Later events wait for their own message, even across a crash.
    let before = agent.kill();
    let bad = create(&world);
    world.align().inject(download(hostile()).order(&bad));
    let agent = world.run();
    let events = wait_for("both events", || Some(web.events()).filter(|all| all.len() >= 2));
    assert_eq!((&events[0]["event"], &events[0]["order_id"]), (&"published".into(), &good.into()));
    assert_eq!((&events[1]["event"], &events[1]["order_id"]), (&"attention".into(), &bad.into()));
    assert_eq!(events[1]["code"], "zip-traversal");
    let got = web.got();
    let ids: Vec<_> = got.iter().map(super::receivers::Got::checked).collect();
    assert_eq!(ids[..3], [ids[0].clone(), ids[0].clone(), ids[0].clone()], "{ids:?}");
    assert_eq!(got[0].json()["events"], got[2].json()["events"]);
    assert_ne!(ids[3], ids[0]);
    assert_eq!(got.len(), 4, "{got:#?}");
    // The first agent may have been killed before it got its answer.
    let log = before + &agent.kill();
    assert!(log.contains("the webhook failed: 127.0.0.1 answered "), "{log}");
    for text in got.iter().map(|got| format!("{got:?}")).chain([log.clone()]) {
        assert_discreet(&world, &text);
        assert!(!text.contains(WebReceiver::SECRET), "{text}");
    }
}

#[test]
fn what_a_pass_published_is_told_by_the_next_agent_in_one_message() {
    let (world, web) = (World::new(), WebReceiver::answering(&[]));
    tell(&world, &web.section(world.dir(), "batch: 10ms"));
    let mut ids = [create(&world), create(&world), create(&world)];
    world.sync();
    assert_eq!(web.got().len(), 0);
    let agent = world.run();
    let events = wait_for("all events", || Some(web.events()).filter(|all| all.len() >= 3));
    let mut told: Vec<_> =
        events.iter().map(|event| event["order_id"].as_str().expect("an id")).collect();
    told.sort_unstable();
    ids.sort();
    assert_eq!(told, ids);
    assert_eq!(web.got().len(), 1);
    agent.kill();
}

#[test]
fn a_webhook_whose_receiver_is_gone_is_off_until_the_next_start() {
    let (world, web) = (World::new(), WebReceiver::answering(&[410]));
    tell(&world, &web.section(world.dir(), "batch: 10ms"));
    let agent = world.run();
    let first = create(&world);
    wait_for("a message", || (!web.got().is_empty()).then_some(()));
    let second = create(&world);
    world.wait_for_revision(&second, 1);
    world.wait_for_polls(5);
    let log = agent.kill();
    assert!(log.contains("the webhook is off until the next start"), "{log}");
    assert_eq!(web.got().len(), 1);
    let agent = world.run();
    let events = wait_for("both events", || Some(web.events()).filter(|all| all.len() >= 2));
    let told: Vec<_> = events.iter().map(|event| event["order_id"].clone()).collect();
    assert_eq!(told, [first, second]);
    agent.kill();
}

#[test]
fn a_digest_tells_what_was_published_and_what_needs_a_person() {
    let (world, server) = (World::new(), MailReceiver::new());
    tell(&world, &server.section(world.dir(), "every: 2s"));
    let agent = world.run();
    let good = create(&world);
    world.wait_for_revision(&good, 1);
    let first = wait_for("a mail", || server.sessions().into_iter().next());
    assert!(first.mail.contains("Subject: Casedrop: 1 order published"), "{first:#?}");
    assert!(first.mail.contains(&format!("  {LAB}: 1 order\n")), "{first:#?}");
    let said = |start: &str| {
        first.commands.iter().filter(|line| line.starts_with(start)).cloned().collect::<Vec<_>>()
    };
    assert_eq!(said("MAIL FROM"), ["MAIL FROM:<agent@lab.example>"]);
    assert_eq!(said("RCPT TO"), ["RCPT TO:<a@lab.example>", "RCPT TO:<b@lab.example>"]);
    assert_eq!(said("AUTH PLAIN").len(), 1, "{first:#?}");

    let bad = create(&world);
    world.align().inject(download(hostile()).order(&bad));
    let second = wait_for("another mail", || server.sessions().into_iter().nth(1));
    // Nothing happened in between, and what was already reported is not counted again.
    assert!(second.mail.contains("Subject: Casedrop: 1 order needs attention\n"), "{second:#?}");
    assert!(second.mail.contains(&format!("  {LAB}/{ACCOUNT}/{bad}: ")), "{second:#?}");
    assert!(second.mail.contains("leaves its directory"), "{second:#?}");
    assert!(!second.mail.contains("Published since"), "{second:#?}");
    let log = agent.kill();
    for text in [format!("{first:?}"), format!("{second:?}"), log] {
        assert_discreet(&world, &text);
        assert!(!text.contains("p4ss-of-mail"), "{text}");
    }
}

#[test]
fn a_lab_that_waits_for_a_login_is_told_by_mail() {
    let account = AccountSpec::new(ACCOUNT, "Smile Dental Lab", "client", "s3cret-of-client");
    let world = World::unpaired(vec![(LAB.to_owned(), account)], "");
    let server = MailReceiver::new();
    tell(&world, &server.section(world.dir(), "every: 1s, only: problems"));
    let agent = world.run();
    let mail = wait_for("a mail", || server.sessions().into_iter().next()).mail;
    assert!(mail.contains("Subject: Casedrop: 1 lab needs a login\n"), "{mail}");
    assert!(mail.contains(&format!("casedrop login {LAB}")), "{mail}");
    agent.kill();
}
