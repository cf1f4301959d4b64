//! The journal is damaged or lost in every way with no one around: no order is forgotten, revision
//! numbers continue, Align is not polled early, and it is reported loudly.

use std::path::{Path, PathBuf};

use casedrop::journal::FILE_NAME;
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};

use super::tree;
use super::world::{World, order, started, wait_for};

/// A way to ruin a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Damage {
    Emptied,
    GarbageHeader,
    Truncated,
    FlippedPage,
    Deleted,
    LogDeleted,
    TableDropped,
}

use Damage::{Deleted, Emptied, FlippedPage, GarbageHeader, LogDeleted, TableDropped, Truncated};

const ALL: [Damage; 7] =
    [Emptied, GarbageHeader, Truncated, FlippedPage, Deleted, LogDeleted, TableDropped];

impl Damage {
    fn to(self, world: &World) {
        let file = world.state().join(FILE_NAME);
        let log = world.state().join(format!("{FILE_NAME}-wal"));
        let rewrite = |change: fn(&mut Vec<u8>)| {
            let mut bytes = std::fs::read(&file).expect("a journal");
            change(&mut bytes);
            std::fs::write(&file, bytes).expect("written");
        };
        match self {
            Emptied => rewrite(Vec::clear),
            GarbageHeader => rewrite(|bytes| bytes[..64].fill(b'x')),
            Truncated => rewrite(|bytes| bytes.truncate(bytes.len() / 2)),
            FlippedPage => rewrite(|bytes| bytes[4096..8192].reverse()),
            Deleted => {
                for suffix in ["", "-wal", "-shm"] {
                    // After a clean shutdown the others do not exist.
                    let _ =
                        std::fs::remove_file(world.state().join(format!("{FILE_NAME}{suffix}")));
                }
            }
            LogDeleted => {
                std::fs::remove_file(&log).expect("a log");
                let _ = std::fs::remove_file(world.state().join(format!("{FILE_NAME}-shm")));
            }
            TableDropped => {
                let db = rusqlite::Connection::open(&file).expect("opened");
                db.execute_batch("DROP TABLE orders").expect("dropped");
            }
        }
        // Intact pages in the log would heal the main file.
        if !matches!(self, TableDropped | LogDeleted | Deleted) {
            let _ = std::fs::remove_file(log);
        }
    }

    /// Whether anything is left to set aside.
    fn leaves_remains(self) -> bool {
        !matches!(self, Deleted | LogDeleted)
    }
}

fn kept(world: &World) -> Vec<PathBuf> {
    let names = std::fs::read_dir(world.state()).expect("readable");
    let paths = names.map(|entry| entry.expect("readable").path());
    paths.filter(|path| name_of(path).starts_with("journal.damaged-")).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Two published orders, one of them in two revisions.
fn world_with_orders(interval: &str) -> (World, String, String) {
    let world = World::with_config(&format!("polling: {{ interval: {interval} }}\n"));
    let first = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let second = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.align().flow(&second, "send-to-modeling").expect("sent");
    world.align().flow(&second, "modeling-completed").expect("back");
    wait_for("revision 2", || {
        world.sync();
        (world.published(&second).revision == 2).then_some(())
    });
    (world, first, second)
}

/// After a clean shutdown the whole journal is in its main file.
fn in_order(world: &World) -> bool {
    !world.state().join(format!("{FILE_NAME}-wal")).exists()
}

fn side_by_side(cases: &[Damage], case: impl Fn(Damage) + Sync) {
    for group in cases.chunks(3) {
        std::thread::scope(|scope| {
            for damage in group {
                scope.spawn(|| case(*damage));
            }
        });
    }
}

#[test]
fn a_journal_damaged_while_nothing_ran_is_set_aside_and_made_anew() {
    let cases: Vec<_> = ALL.into_iter().filter(|damage| *damage != LogDeleted).collect();
    side_by_side(&cases, |damage| {
        let (world, first, second) = world_with_orders("150ms");
        assert!(in_order(&world), "{damage:?}");
        let before = tree::listing(&world.output());
        let downloads = world.align().state().asset(&first, "IDE").started;
        damage.to(&world);
        // A read-only command may not come across the one bad page.
        if !matches!(damage, Deleted | FlippedPage) {
            let ended = world.casedrop(&["orders"]);
            assert_eq!(ended.code, Some(1), "{damage:?}: {ended:?}");
            assert!(ended.stderr.contains("at its next start"), "{damage:?}: {ended:?}");
            assert!(world.casedrop(&["check"]).stdout.contains("at its next start"), "{damage:?}");
        }

        let ended = world.good(&["sync"]);
        assert!(ended.stderr.contains("the journal was rebuilt on"), "{damage:?}: {ended:?}");
        assert_eq!(kept(&world).len(), usize::from(damage.leaves_remains()), "{damage:?}");
        for dir in kept(&world) {
            assert!(dir.join(FILE_NAME).is_file() && dir.join("about.txt").is_file());
            assert!(ended.stderr.contains(&name_of(&dir)), "{damage:?}: {ended:?}");
        }
        let story = world.order(&second);
        assert_eq!((&story["revision"], &story["state"]), (&2.into(), &"published".into()));
        assert_eq!(story["revisions"].as_array().expect("revisions").len(), 2, "{story:#}");
        assert!(world.good(&["orders"]).stderr.contains("was rebuilt on"), "{damage:?}");
        assert!(world.good(&["check"]).stdout.contains("was rebuilt on"), "{damage:?}");
        assert_eq!(tree::listing(&world.output()), before, "{damage:?}");

        // A case that comes back replaces its previous revision.
        world.align().flow(&first, "send-to-modeling").expect("sent");
        world.align().flow(&first, "modeling-completed").expect("back");
        wait_for("revision 2", || {
            world.sync();
            (world.published(&first).revision == 2).then_some(())
        });
        tree::check_order(&world.history_of(&first, 1)).expect("the old revision, whole");
        assert_eq!(world.published(&first).previous.expect("one").revision, 1);

        // The order is found by its Rx id, and fetched again.
        let rx = world.order(&second)["rx_id"].as_str().expect("an Rx id").to_owned();
        assert_eq!(world.order(&rx)["order_id"], second.as_str());
        std::fs::remove_dir_all(world.dir_of(&second)).expect("consumed");
        world.good(&["refetch", &rx]);
        world.good(&["sync"]);
        assert_eq!(world.published(&second).revision, 3, "{damage:?}");
        world.good(&["verify"]);
        assert_eq!(world.align().state().counters.poll_violations, 0, "{damage:?}");
        assert_eq!(world.align().state().asset(&first, "IDE").started, downloads + 1);
    });
}

#[test]
fn an_order_in_download_is_not_forgotten_with_the_journal() {
    side_by_side(&ALL, |damage| {
        let world = World::new();
        let done = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
        world.sync();
        let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
        let stall = FaultKind::Stall { after_bytes: 2000 };
        world.align().inject(FaultRule::on("downloadAsset", stall).asset("IDE"));
        let agent = world.run();
        wait_for("the download to begin", || {
            let state = world.align().state();
            (state.asset(&id, "IDE").started > 0 && !state.order(&id)?.listed).then_some(())
        });
        agent.kill();
        world.align().clear_faults();
        damage.to(&world);
        let agent = world.run();
        assert_eq!(world.wait_for_revision(&id, 1).revision, 1, "{damage:?}");
        world.wait_for_state(&id, "published");
        assert_eq!(world.published(&done).revision, 1);
        let log = agent.kill();
        assert!(log.contains("the journal was rebuilt on"), "{damage:?}: {log}");
        assert_eq!(tree::orders(&world.output()).len(), 2, "{damage:?}");
        let claims = std::fs::read_dir(world.staging().join("claims")).expect("readable");
        assert_eq!(claims.count(), 0, "{damage:?}");
        assert_eq!(world.align().state().counters.poll_violations, 0, "{damage:?}");
        world.good(&["verify"]);
    });
}

#[test]
fn a_running_agent_makes_a_journal_that_is_ruined_under_its_hands_anew() {
    let (world, first, _) = world_with_orders("150ms");
    let agent = world.run();
    world.wait_for_polls(2);
    {
        let db = rusqlite::Connection::open(world.state().join(FILE_NAME)).expect("opened");
        let ruin = || db.execute_batch("DROP TABLE revisions; DROP TABLE orders").ok();
        wait_for("a quiet moment", ruin);
    }
    wait_for("the new journal", || {
        (world.order_or_null(&first)["state"] == "published").then_some(())
    });
    assert_eq!(kept(&world).len(), 1);
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.wait_for_revision(&id, 1);
    let log = agent.kill();
    assert!(log.contains("the journal was rebuilt on"), "{log}");
    assert_eq!(world.align().state().counters.poll_violations, 0);
}

#[test]
fn a_journal_that_vanishes_under_a_running_agent_is_made_anew() {
    let (world, first, _) = world_with_orders("150ms");
    let agent = world.run();
    world.wait_for_polls(2);
    Deleted.to(&world);
    wait_for("the new journal", || {
        (world.order_or_null(&first)["state"] == "published").then_some(())
    });
    agent.kill();
    assert_eq!(world.align().state().counters.poll_violations, 0);
}

#[test]
fn an_interrupted_replacement_is_whole_after_the_loss_of_the_journal() {
    // The exchange is done and the old revision is still in staging; or it is in history and the
    // new one still in staging.
    for step in ["old-to-history", "move-in", "report"] {
        let world = World::new();
        let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
        world.sync();
        let before = world.published(&id);
        world.align().flow(&id, "send-to-modeling").expect("sent");
        world.align().flow(&id, "modeling-completed").expect("back");
        // Not every system goes through every step.
        wait_for("revision 2, or a death on the way", || {
            let mut command = world.command(&["sync"]);
            command.env("CASEDROP_TEST_KILL_AT", step);
            let died = !started(|| command.output()).status.success();
            (died || world.published(&id).revision == 2).then_some(())
        });
        Deleted.to(&world);
        wait_for("revision 2", || {
            world.casedrop(&["sync"]);
            let found = tree::manifest(&world.dir_of(&id)).ok()?;
            (found.revision == 2 && world.order(&id)["revision"] == 2).then_some(())
        });
        assert_eq!(world.published(&id).previous.expect("one").revision, 1, "{step}");
        let old = tree::check_order(&world.history_of(&id, 1)).expect("the old revision, whole");
        assert_eq!(old, before, "{step}");
        assert_eq!(std::fs::read_dir(world.staging().join("work")).expect("read").count(), 0);
    }
}

#[test]
fn no_account_is_polled_early_because_the_journal_was_lost() {
    let (world, ..) = world_with_orders("150ms");
    let slow = world.yaml().replace("interval: 150ms", "interval: 600s");
    std::fs::write(world.config(), slow).expect("config");
    let polls = world.align().state().counters.polls;
    for damage in [Deleted, GarbageHeader] {
        damage.to(&world);
        let ended = world.good(&["sync"]);
        assert!(ended.stderr.contains("not polled"), "{damage:?}: {ended:?}");
        let ended = world.good(&["sync"]);
        assert!(ended.stderr.contains("not polled"), "{damage:?}: {ended:?}");
    }
    assert_eq!(world.align().state().counters.polls, polls);
}

#[test]
fn a_state_folder_of_another_pc_learns_what_is_in_the_output() {
    let (world, first, _) = world_with_orders("150ms");
    let secrets = world.dir().join("secrets");
    std::fs::rename(world.state().join("secrets"), &secrets).expect("kept");
    std::fs::remove_dir_all(world.state()).expect("lost");
    std::fs::create_dir(world.state()).expect("made");
    std::fs::rename(&secrets, world.state().join("secrets")).expect("put back");
    let ended = world.good(&["sync"]);
    assert!(ended.stderr.contains("it has 2 orders"), "{ended:?}");
    assert_eq!(world.order(&first)["state"], "published");
}

#[test]
fn a_journal_of_a_newer_agent_is_neither_used_nor_set_aside() {
    let (world, ..) = world_with_orders("150ms");
    let file = world.state().join(FILE_NAME);
    let db = rusqlite::Connection::open(&file).expect("opened");
    db.pragma_update(None, "user_version", 99).expect("set");
    // It is not marked as readable by this agent.
    db.execute("UPDATE meta SET value = '99' WHERE key = 'readable-by'", []).expect("set");
    drop(db);
    for command in ["sync", "run"] {
        let ended = world.casedrop(&[command]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("newer agent"), "{ended:?}");
    }
    assert!(kept(&world).is_empty() && file.is_file());
}

#[test]
fn an_agent_that_starts_without_its_output_waits_for_it() {
    let world = World::new();
    let first = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.sync();
    world.published(&first);
    let away = world.dir().join("unmounted");
    std::fs::rename(world.output(), &away).expect("unmounted");
    let second = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    let agent = world.run();
    world.wait_for_state(&second, "retrying");
    assert_eq!(world.align().state().asset(&second, "IDE").started, 0, "nothing is fetched");
    let ended = world.good(&["orders"]);
    assert!(ended.stderr.contains("the agent is waiting"), "{ended:?}");
    assert!(world.good(&["check"]).stdout.contains("the agent is waiting"));
    assert!(!world.output().exists());
    world.wait_for_polls(2);

    std::fs::rename(&away, world.output()).expect("mounted");
    world.wait_for_revision(&second, 1);
    world.wait_for_state(&second, "published");
    assert!(!world.good(&["orders"]).stderr.contains("the agent is waiting"));
    // Its output is locked again.
    let mut command = world.command(&["sync"]);
    command.env("CASEDROP_STATE", world.dir().join("other-state"));
    assert_eq!(started(|| command.output()).status.code(), Some(5));
    let log = agent.kill();
    assert!(log.contains("mount the share") && log.contains("is back"), "{log}");
    assert_eq!(world.align().state().counters.poll_violations, 0);
    world.good(&["verify"]);
}

#[test]
fn a_journal_lost_while_the_output_is_away_makes_no_new_output() {
    let (world, first, second) = world_with_orders("150ms");
    let away = world.dir().join("unmounted");
    std::fs::rename(world.output(), &away).expect("unmounted");
    GarbageHeader.to(&world);
    assert_eq!(world.casedrop(&["sync"]).code, Some(1));
    let agent = world.run();
    world.wait_for_polls(2);
    assert!(!world.output().exists());
    std::fs::rename(&away, world.output()).expect("mounted");
    for (id, revision) in [(&first, 1), (&second, 2)] {
        let story = world.wait_for_state(id, "published");
        assert_eq!(story["revision"], revision);
    }
    let log = agent.kill();
    assert!(log.contains("the journal was rebuilt on"), "{log}");
    assert_eq!(world.align().state().counters.poll_violations, 0);
    world.good(&["verify"]);
}

/// Windows does not delete open files, such as the lock in there.
#[cfg(unix)]
#[test]
fn a_staging_folder_that_somebody_deleted_is_made_again() {
    let (world, first, _) = world_with_orders("150ms");
    let agent = world.run();
    world.wait_for_polls(2);
    std::fs::remove_dir_all(world.staging()).expect("deleted");
    wait_for("a new one", || world.staging().join("lock").exists().then_some(()));
    world.align().flow(&first, "send-to-modeling").expect("sent");
    world.align().flow(&first, "modeling-completed").expect("back");
    world.wait_for_revision(&first, 2);
    world.wait_for_state(&first, "published");
    let log = agent.kill();
    assert!(log.contains("was gone and has been recreated"), "{log}");
    tree::check_order(&world.history_of(&first, 1)).expect("the old revision, whole");
}
