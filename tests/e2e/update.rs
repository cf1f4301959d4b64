//! The program replaces itself: a good version takes over, a bad one never does, and whenever the
//! power fails, some version runs.

mod pc;

use casedrop::disk::RealDisk;
use casedrop::journal::FILE_NAME;
use casedrop::model::step::Step;
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};
use casedrop::update::MANAGED;
use casedrop::update::release::Manifest;

use self::pc::{NEW, OLD, Pc, archive, manifest, packed, program_name, signed};
use super::world::{order, wait_for};

#[test]
fn a_good_version_is_brought_tried_out_and_stays() {
    let pc = Pc::new("");
    let id = pc.world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let running = pc.run();
    pc.world.wait_for_revision(&id, 1);
    assert_eq!(pc.wait_for_version(OLD)["version"], OLD);
    let check = pc.good(&["update", "--check", "--json"]).stdout;
    let check: serde_json::Value = serde_json::from_str(&check).expect("JSON");
    assert_eq!((&check["state"], &check["update"]["version"]), (&"available".into(), &NEW.into()));
    assert!(pc.good(&["update"]).stdout.contains("starts it as soon as nothing is being"));
    pc.wait_until_current();
    pc.wait_for_version(NEW);
    running.wait_for("passed its trial");
    let id = pc.world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    pc.world.wait_for_revision(&id, 1);
    // The command line now runs that version too, and so does the next start.
    assert_eq!(pc.good(&["--version"]).stdout.trim(), format!("casedrop {NEW}"));
    assert!(pc.good(&["update", "--check"]).stdout.contains("is the newest version"));
    drop(running);
    let running = pc.run();
    pc.wait_for_version(NEW);
    drop(running);
    let audit = pc.world.audit();
    for result in ["begun", "done"] {
        assert!(audit.contains(&("update".to_owned(), result.to_owned())), "{audit:?}");
    }
    pc.world.good(&["verify"]);
}

#[cfg(unix)]
#[test]
fn a_keeper_that_is_told_to_stop_lets_its_agent_end_in_order() {
    let pc = Pc::new("");
    let running = pc.run();
    pc.wait_for_version(OLD);
    let (code, log) = running.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(pc.world.audit().iter().any(|(what, _)| what == "agent-stopped"));
}

/// What is wrong with the release, how to cause it, and the expected message.
type Trick = (&'static str, fn(&Pc), &'static str);

#[test]
fn what_is_not_signed_whole_new_and_fitting_is_not_installed() {
    let tricks: [Trick; 9] = [
        (
            "another key",
            |pc| pc.offer("stable", &manifest(NEW, b"x"), b"x", 2),
            "not signed by a key",
        ),
        (
            "the signature of another file",
            |pc| {
                pc.offer("candidate", &manifest("98.0.0", b"x"), b"x", 1);
                let other = pc.get("candidate.json.sig");
                pc.put("stable.json.sig", &other);
            },
            "not signed by a key",
        ),
        ("no signature", |pc| pc.put("stable.json.sig", b""), "not signed by a key"),
        (
            "an older version",
            |pc| offer(pc, &manifest("0.0.1", b"x"), b"x"),
            "is the newest version",
        ),
        (
            "an expired manifest",
            |pc| {
                let expires = "2026-01-01T00:00:00Z".to_owned();
                offer(pc, &Manifest { expires, ..manifest(NEW, b"x") }, b"x");
            },
            "expired on 2026-01-01",
        ),
        (
            "nothing for this PC",
            |pc| offer(pc, &Manifest { artifacts: [].into(), ..manifest(NEW, b"x") }, b"x"),
            "it has nothing for",
        ),
        (
            "other bytes",
            |pc| offer(pc, &manifest(NEW, b"good"), b"evil"),
            "is not the file that was signed",
        ),
        (
            "too few bytes",
            |pc| offer(pc, &manifest(NEW, b"good"), b"goo"),
            "ends after 3 of 4 bytes",
        ),
        ("too many bytes", |pc| offer(pc, &manifest(NEW, b"good"), b"goods"), "is longer than"),
    ];
    let pc = Pc::new("");
    are_refused(&pc, &tricks);
    // A download that breaks off.
    pc.publish();
    let name = manifest(NEW, b"").artifacts.into_values().next().expect("one").file;
    pc.put(&format!("short:{name}"), b"");
    let ended = pc.casedrop(&["update"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("was lost"), "{ended:?}");
}

#[test]
fn only_an_archive_with_one_signed_program_is_installed() {
    let tricks: [Trick; 6] = [
        (
            "no program",
            |pc| {
                let zip = signed(NEW, &packed("readme.txt", b"x"), 1);
                offer(pc, &manifest(NEW, &zip), &zip);
            },
            "must contain one file",
        ),
        (
            "a program that does not start",
            |pc| {
                let zip = signed(NEW, &packed(program_name(), b"x"), 1);
                offer(pc, &manifest(NEW, &zip), &zip);
            },
            "does not work on this PC",
        ),
        (
            "a program below a folder",
            |pc| {
                let zip = signed(NEW, &packed(&format!("x/{}", program_name()), b"x"), 1);
                offer(pc, &manifest(NEW, &zip), &zip);
            },
            "must contain one file",
        ),
        (
            "an archive without a signature, though its manifest has one",
            |pc| {
                let zip = packed(program_name(), b"x");
                offer(pc, &manifest(NEW, &zip), &zip);
            },
            "is not signed by a key",
        ),
        (
            "an archive that another key signed",
            |pc| {
                let zip = signed(NEW, &packed(program_name(), b"x"), 2);
                offer(pc, &manifest(NEW, &zip), &zip);
            },
            "is not signed by a key",
        ),
        (
            "an archive that was signed under another name",
            |pc| {
                let zip = signed("98.0.0", &packed(program_name(), b"x"), 1);
                offer(pc, &manifest(NEW, &zip), &zip);
            },
            "is not signed by a key",
        ),
    ];
    let pc = Pc::new("");
    are_refused(&pc, &tricks);
    // The archive of another version, signed as this one.
    let other = signed("98.0.0", archive(), 1);
    offer(&pc, &manifest("98.0.0", &other), &other);
    let ended = pc.casedrop(&["update"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("casedrop 99.0.0"), "{ended:?}");
    assert!(pc.place().staged(&RealDisk).is_empty());
}

/// Each of these is not installed, and nothing of it stays.
fn are_refused(pc: &Pc, tricks: &[Trick]) {
    for (what, play, words) in tricks {
        pc.publish();
        play(pc);
        let ended = pc.casedrop(&["update"]);
        let is_old = *what == "an older version";
        assert_eq!(ended.code, Some(i32::from(!is_old)), "{what}: {ended:?}");
        assert!(format!("{}{}", ended.stdout, ended.stderr).contains(words), "{what}: {ended:?}");
        let left = std::fs::read_dir(pc.place().versions()).expect("readable");
        let left: Vec<_> = left.map(|entry| entry.expect("readable").file_name()).collect();
        assert!(left.iter().all(|name| *name == "update.lock"), "{what}: {left:?}");
    }
}

fn offer(pc: &Pc, manifest: &Manifest, archive: &[u8]) {
    pc.offer("stable", manifest, archive, 1);
}

#[test]
fn who_may_not_update_says_so() {
    let mut pc = Pc::new("");
    pc.env.push(("CASEDROP_TEST_RELEASE_KEY".to_owned(), String::new()));
    let ended = pc.casedrop(&["update"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("has no release keys"), "{ended:?}");
    assert!(pc.good(&["update", "--check"]).stdout.contains("self-update is off"));
    pc.env.clear();
    std::fs::write(pc.installed().with_file_name(MANAGED), "msi\n").expect("written");
    let ended = pc.casedrop(&["update"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("through the MSI"), "{ended:?}");
    assert!(pc.good(&["update", "--check"]).stdout.contains("through the MSI"));
}

/// The new version fails this way; the old one comes back automatically and reports why.
fn comes_back(pc: &Pc, wrong: &str, words: &str, meanwhile: impl Fn()) {
    let running = pc.run_with(&[("CASEDROP_TEST_NEW_VERSION", wrong)]);
    pc.wait_for_version(OLD);
    wait_for("a good poll", || {
        let status = pc.casedrop(&["status", "--json"]).stdout;
        let status: serde_json::Value = serde_json::from_str(&status).ok()?;
        status["labs"][0]["good_poll"].is_string().then_some(())
    });
    pc.good(&["update"]);
    running.wait_for("trying out version");
    meanwhile();
    let why = pc.wait_for_refusal();
    assert!(why.contains(words), "{why}");
    pc.wait_for_version(OLD);
    running.wait_for("did not work and was rolled back");
    assert!(pc.casedrop(&["status"]).stdout.contains("was tried on"), "status says it");
    let again = pc.casedrop(&["update"]);
    assert!(again.code == Some(1) && again.stderr.contains("--retry"), "{again:?}");
    assert_eq!(pc.place().current(&RealDisk), None);
    pc.world.align().clear_faults();
    let id = pc.world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    pc.world.wait_for_revision(&id, 1);
    drop(running);
    let audit = pc.world.audit();
    assert!(audit.contains(&("update".to_owned(), "failed".to_owned())), "{audit:?}");
}

#[test]
fn a_version_that_crashes_is_taken_back_and_tried_again_when_a_person_asks() {
    let pc = Pc::new("");
    // On Windows even a crash has an exit status.
    let words = if cfg!(windows) { "ended on its own" } else { "it crashed" };
    comes_back(&pc, "crash", words, || {});
    let running = pc.run();
    pc.wait_for_version(OLD);
    pc.good(&["update", "--retry"]);
    pc.wait_until_current();
    pc.wait_for_version(NEW);
    drop(running);
}

#[test]
fn a_version_that_hangs_is_taken_back_and_a_journal_that_only_it_can_read_is_made_anew() {
    let pc = Pc::new("");
    let id = pc.world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    pc.world.sync();
    pc.world.published(&id);
    let journal = pc.world.state().join(FILE_NAME);
    comes_back(&pc, "hang", "it was not ready after", || {
        // As a newer version would leave it.
        let db = rusqlite::Connection::open(&journal).expect("opened");
        db.execute_batch(
            "ALTER TABLE orders RENAME TO cases; UPDATE meta SET value = '99' WHERE key = 'readable-by';
             PRAGMA user_version = 99;",
        )
        .expect("changed");
    });
    assert!(pc.world.state().join("journal.before-update.sqlite").is_file());
    assert_eq!(pc.world.order(&id)["state"], "published");
    pc.world.good(&["verify"]);
}

#[test]
fn a_version_that_starts_and_cannot_poll_is_taken_back() {
    let pc = Pc::new("");
    comes_back(&pc, "", "lab smile-lab", || {
        let body = Some("{".to_owned());
        let garbage = FaultKind::Status { code: 200, retry_after: None, body };
        pc.world.align().inject(FaultRule::on("getOrdersForLab", garbage));
    });
}

#[test]
fn updates_come_by_themselves_and_an_align_that_is_down_is_not_held_against_them() {
    let pc = Pc::new(", automatic: true");
    let running = pc.run();
    running.wait_for("trying out version");
    let kind = FaultKind::Status { code: 503, retry_after: None, body: None };
    pc.world.align().inject(FaultRule::on("getOrdersForLab", kind));
    pc.wait_until_current();
    pc.wait_for_version(NEW);
    drop(running);
}

/// Only an administrator can change a folder's owner.
#[cfg(target_os = "linux")]
#[test]
fn an_administrator_runs_nothing_that_the_agents_account_could_have_put_there() {
    let pc = Pc::new("");
    if std::os::unix::fs::chown(pc.place().versions(), Some(65_533), None).is_err() {
        return;
    }
    let ended = pc.casedrop(&["update"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("can be changed by"), "{ended:?}");
    assert!(pc.place().staged(&RealDisk).is_empty());
    let running = pc.run();
    pc.wait_for_version(OLD);
    assert!(pc.good(&["update"]).stdout.contains("the agent downloads version 99.0.0 itself"));
    pc.wait_until_current();
    running.wait_for("passed its trial");
    let asked = pc.good(&["--version"]);
    assert_eq!(asked.stdout.trim(), format!("casedrop {OLD}"));
    assert!(asked.stderr.contains("which the agent runs"), "{asked:?}");
    let newest = format!("casedrop {NEW} is the newest version");
    assert!(pc.good(&["update", "--check"]).stdout.contains(&newest));
    pc.offer("stable", &manifest("98.0.0", b"x"), b"x", 1);
    assert!(pc.good(&["update"]).stdout.contains(&newest), "no downgrade behind its back");
}

#[test]
fn nothing_is_installed_without_being_asked_outside_of_the_window() {
    let now = jiff::ZonedDateTime::now();
    // A one-hour window eleven hours from now: never now, however long this test takes.
    let at = |hours: i64| (i64::from(now.hour()) + hours) % 24;
    let pc = Pc::new(&format!(", automatic: true, window: \"{:02}:00-{:02}:00\"", at(11), at(12)));
    let running = pc.run();
    pc.world.wait_for_polls(8);
    assert!(!running.log().contains("is staged"), "{}", running.log());
    assert!(pc.place().staged(&RealDisk).is_empty());
}

#[test]
fn a_power_cut_at_any_step_leaves_a_version_that_runs() {
    let pc = Pc::new("");
    let runs = |version: &str| {
        let running = pc.run();
        pc.wait_for_version(version);
        drop(running);
    };
    for step in [
        Step::UpdateDownload,
        Step::UpdateDownloaded,
        Step::UpdateDownload,
        Step::UpdateUnpacked,
        Step::UpdateDownload,
        Step::UpdateTried,
        Step::UpdateStaged,
        Step::UpdateCopied,
    ] {
        pc.die(&["update"], step.as_str());
        // Nothing is downloaded to elsewhere, and what is left there goes with the next attempt.
        // (On Windows the unpacked archive may stay until then.)
        let left = std::fs::read_dir(pc.place().downloads()).map_or(0, Iterator::count);
        match step {
            Step::UpdateDownload => assert_eq!(left, 0),
            Step::UpdateDownloaded => assert_ne!(left, 0),
            _ => {}
        }
        assert_eq!(pc.place().trial(&RealDisk), None, "{}", step.as_str());
        assert_eq!(pc.good(&["--version"]).stdout.trim(), format!("casedrop {OLD}"));
    }
    runs(OLD);
    pc.die(&["update"], Step::UpdateTrial.as_str());
    // The power fails twice while the new version is on trial.
    pc.die(&["run"], Step::UpdateCounted.as_str());
    pc.die(&["run"], Step::UpdateHealthy.as_str());
    runs(OLD);
    assert!(pc.wait_for_refusal().contains("twice"));
    // The version fails, and the power fails while that is recorded.
    let crashing = |step: Step| {
        let running = &mut pc.run_with(&[
            ("CASEDROP_TEST_NEW_VERSION", "crash"),
            ("CASEDROP_TEST_KILL_AT", step.as_str()),
        ]);
        assert_ne!(running.wait(), Some(0));
        running.wait_for(&format!("killed at {}", step.as_str()));
    };
    pc.good(&["update", "--retry"]);
    crashing(Step::UpdateFailed);
    crashing(Step::UpdateRefused);
    runs(OLD);
    assert!(pc.wait_for_refusal().contains(if cfg!(windows) { "status" } else { "crashed" }));
    // The version passes, and the power fails before that is fully recorded.
    pc.good(&["update", "--retry"]);
    pc.die(&["run"], Step::UpdateCurrent.as_str());
    assert!(pc.place().trial(&RealDisk).is_some());
    runs(NEW);
    assert_eq!(pc.place().trial(&RealDisk), None);
    pc.world.good(&["audit", "--verify"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_stops_an_update_and_nothing_else() {
    let pc = Pc::new("");
    let script = "mount -t tmpfs -o size=8m tmpfs \"$VERSIONS\"\n\
                  \"$PROGRAM\" update --config \"$CONFIG\" || echo \"exit $?\"\n\
                  ls \"$VERSIONS\"\n\"$PROGRAM\" --version";
    let mut command = std::process::Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-euc", script]);
    command.env("VERSIONS", pc.place().versions()).env("PROGRAM", pc.installed());
    command.env("CONFIG", pc.world.config());
    for (name, value) in pc.command(&[]).get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let ended = super::world::ended(command.output().expect("unshare (util-linux) is there"));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, format!("exit 1\nupdate.lock\ncasedrop {OLD}\n"), "{ended:?}");
    assert!(ended.stderr.contains("too little free space"), "{ended:?}");
}
