//! The process dies at the worst moments. After the next start everything is as promised.

use std::sync::atomic::{AtomicUsize, Ordering};

use casedrop::model::manifest::Manifest;
use casedrop::model::step::Step;
use casedrop::simulator::{CaseKind, FaultKind, FaultRule};
use serde_json::Value;

use super::command_folder::Commands;
use super::faults::download;
use super::notified::listening;
use super::world::{Ended, World, order, order_with_id, wait_for};
use super::{portal, tree};

/// Defines the ways in which a process comes to its steps, each with its test.
macro_rules! ways {
    ($($(#[doc = $doc:literal])+ $way:ident: $test:ident, $case:path;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Way {
            $($(#[doc = $doc])+ $way,)+
            /// An update: `update.rs` has a test of its own for it.
            Updated,
            /// On another system only.
            Elsewhere,
        }

        $(
            #[test]
            fn $test() {
                side_by_side(Way::$way, $case);
            }
        )+
    };
}

ways! {
    /// A first publication.
    First: a_first_publication_that_dies_at_any_step_is_finished_after_the_next_start, first;
    /// A new revision takes the place of the old one.
    Replace: a_replacement_that_dies_at_any_step_is_finished_after_the_next_start, replace;
    /// A new revision goes beside the old one, in which somebody works.
    Beside: a_publication_beside_an_edited_order_that_dies_at_any_step_touches_nothing_of_it, beside;
    /// An empty directory stands at the order's place.
    Empty: an_empty_directory_at_an_orders_place_is_replaced_even_if_the_process_dies, empty;
    /// The order stands there and the journal was lost.
    Adopt: an_adoption_that_dies_at_any_step_is_finished_without_a_second_write, adopt;
    /// Somebody asks again for an order that did not change.
    Refetch: a_refetch_that_dies_at_any_step_is_finished_without_a_second_write, refetch;
    /// The download fails.
    Failure: a_failed_attempt_that_dies_while_it_is_recorded_is_repeated, failure;
    /// The process died before, and dies again in its recovery.
    Again: a_recovery_that_dies_itself_is_finished_after_the_next_start, again;
    /// An order is removed because of its age.
    Retire: an_order_whose_removal_dies_at_any_step_is_whole_or_gone, retire;
    /// The same, and the start that finishes it dies too.
    Reclaim: a_start_that_dies_while_it_finishes_a_removal_is_repeated, reclaim;
    /// A replaced revision is removed because of its age.
    Forget: a_removal_from_history_that_dies_at_any_step_is_finished, forget;
    /// A scan notification names the order.
    Notified: a_notification_that_dies_at_any_step_is_followed_after_the_next_start, notified;
    /// The new revision was lost while the old one was out of the way.
    Lost: an_old_revision_comes_back_even_if_the_process_dies_meanwhile, lost;
    /// A file in the command folder asks for something beyond this PC.
    Dropped: a_command_that_dies_at_any_step_is_carried_out_once_and_answered_once, dropped;
}

/// In which ways each step is met; the compiler asks for those of a new one. Where the volume knows an
/// exchange (Linux), nothing is moved aside, and the other way round.
fn ways_to(step: Step) -> &'static [Way] {
    use Way::{
        Adopt, Again, Beside, Dropped, Elsewhere, Empty, Failure, First, Forget, Lost, Notified,
        Reclaim, Refetch, Replace, Retire, Updated,
    };
    let linux = cfg!(target_os = "linux");
    match step {
        Step::FetchAsked
        | Step::FetchAnswered
        | Step::SpoolBegun
        | Step::SpoolFirstChunk
        | Step::SpoolComplete
        | Step::Unpacked
        | Step::ExtrasTaken
        | Step::Staged
        | Step::JournalFetching
        | Step::JournalFetchingDurable => &[First, Replace, Beside, Adopt, Refetch],
        Step::SyncFiles
        | Step::WriteManifest
        | Step::SyncStaged
        | Step::Look
        | Step::SyncTarget
        | Step::SyncStaging
        | Step::Report
        | Step::JournalIntent
        | Step::JournalIntentDurable => &[First, Replace, Beside],
        Step::NotifiedRecorded
        | Step::NotifiedRecordedDurable
        | Step::NotifiedPutOff
        | Step::NotifiedPutOffDurable
        | Step::NotifiedTaken
        | Step::NotifiedTakenDurable => &[Notified],
        Step::MakeParent => &[First, Beside],
        Step::ClearEmpty => &[Empty],
        Step::MoveIn if linux => &[First, Beside, Empty],
        Step::MoveIn => &[First, Replace, Beside, Empty],
        Step::Exchange | Step::MakeHistory => &[Replace],
        Step::OldToHistory if linux => &[Replace],
        Step::MoveAside if !linux => &[Replace],
        Step::OldToHistory | Step::MoveAside => &[Elsewhere],
        Step::Sweep
        | Step::Recover
        | Step::Recovered
        | Step::JournalDropped
        | Step::JournalDroppedDurable => &[Again],
        Step::PutBack => &[Lost],
        Step::JournalRetiring
        | Step::JournalRetiringDurable
        | Step::RetireMove
        | Step::RetireMoved
        | Step::RetireRemove
        | Step::RetireDone
        | Step::JournalRetired
        | Step::JournalRetiredDurable => &[Retire],
        Step::Reclaim => &[Reclaim],
        Step::ForgetRemove
        | Step::ForgetDone
        | Step::JournalForgotten
        | Step::JournalForgottenDurable => &[Forget],
        Step::JournalPoll
        | Step::JournalPollDurable
        | Step::JournalAnswer
        | Step::JournalAnswerDurable
        | Step::JournalSeen
        | Step::JournalSeenDurable => &[First, Replace, Adopt],
        Step::JournalTaken
        | Step::JournalTakenDurable
        | Step::JournalUnchanged
        | Step::JournalUnchangedDurable => &[Refetch],
        Step::JournalFailed | Step::JournalFailedDurable => &[Failure],
        Step::JournalPublished | Step::JournalPublishedDurable => &[First, Replace, Beside, Adopt],
        Step::CommandTake
        | Step::CommandTaken
        | Step::CommandServe
        | Step::CommandServed
        | Step::CommandAnswered
        | Step::CommandSettled
        | Step::CommandFiled
        | Step::CommandTold
        | Step::CommandEnded => &[Dropped],
        Step::UpdateDownload
        | Step::UpdateDownloaded
        | Step::UpdateUnpacked
        | Step::UpdateTried
        | Step::UpdateStaged
        | Step::UpdateCopied
        | Step::UpdateTrial
        | Step::UpdateCounted
        | Step::UpdateHealthy
        | Step::UpdateCurrent
        | Step::UpdateFailed
        | Step::UpdateRefused => &[Updated],
    }
}

#[test]
fn every_step_is_met_in_some_way() {
    for step in Step::ALL {
        assert!(!ways_to(*step).is_empty(), "{}", step.as_str());
    }
}

/// Runs the cases of a way side by side: each mostly waits for its own processes.
fn side_by_side(way: Way, case: impl Fn(&World, Step) + Sync) {
    let steps: Vec<_> =
        Step::ALL.iter().copied().filter(|step| ways_to(*step).contains(&way)).collect();
    let next = AtomicUsize::new(0);
    let one = &|step: Step| {
        let world = World::new();
        std::fs::create_dir_all(world.output()).expect("made");
        std::fs::write(world.output().join("note.txt"), "mine").expect("written");
        case(&world, step);
    };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while let Some(&step) = steps.get(next.fetch_add(1, Ordering::SeqCst)) {
                    // A failure names the thread.
                    let name = format!("killed at {}, {way:?}", step.as_str());
                    let thread = std::thread::Builder::new().name(name.clone());
                    let running = thread.spawn_scoped(scope, move || one(step)).expect("started");
                    assert!(running.join().is_ok(), "{name}");
                }
            });
        }
    });
}

/// One pass that ends itself at the step; it must get there. What others see then is whole.
fn die_at(world: &World, step: Step) {
    wait_for(&format!("a pass that comes to {}", step.as_str()), || {
        let mut command = world.command(&["sync"]);
        command.env("CASEDROP_TEST_KILL_AT", step.as_str());
        let output = command.output().expect("the program starts");
        // While the interval between polls lasts, a pass has nothing to do and ends well.
        let said = String::from_utf8_lossy(&output.stderr);
        let died = said.lines().any(|line| line == format!("killed at {}", step.as_str()));
        assert!(!(died && output.status.success()), "{said}");
        died.then_some(())
    });
    for dir in tree::orders(&world.output()) {
        // Somebody else's are none of ours, and whoever edits an order knows what it holds.
        if dir.join("manifest.json").exists() && !dir.join("design.dcm").exists() {
            tree::check_order(&dir).expect("whole");
        }
    }
}

/// Passes until the order stands there in that revision.
fn finish(world: &World, order: &str, revision: u32) {
    pass_until(world, order, |world| {
        let found = tree::manifest(&world.dir_of(order)).ok()?;
        (found.revision >= revision).then_some(())
    });
}

fn pass_until(world: &World, order: &str, done: impl Fn(&World) -> Option<()>) {
    wait_for(&format!("{order} to be finished"), || {
        let Ended { code, stderr, .. } = world.casedrop(&["sync"]);
        assert_eq!(code, Some(0), "{stderr}");
        done(world)
    });
}

fn is_published(world: &World, order: &str) -> Option<Value> {
    Some(world.order_or_null(order)).filter(|story| story["state"] == "published")
}

fn times_told(story: &Value, kind: &str) -> usize {
    let events = story["events"].as_array().expect("events");
    events.iter().filter(|event| event["kind"] == kind).count()
}

/// The promises, once all is done: the journal and the tree agree, the newest revision holds what Align
/// has, each was published once, and nothing but the tree and the history remains.
fn assert_promises(world: &World, id: &str, newest: &Manifest, orders: usize) {
    let story = is_published(world, id).expect("published");
    assert_eq!(story["revision"], newest.revision, "{story:#}");
    assert_eq!(story["trouble"], Value::Null, "{story:#}");
    let revisions = story["revisions"].as_array().expect("revisions").len();
    assert_eq!(revisions, newest.revision as usize, "{story:#}");
    assert_eq!(times_told(&story, "published"), revisions, "once each: {story:#}");
    assert_eq!(tree::orders(&world.output()).len(), orders, "nothing is doubled");
    let work = world.staging().join("work");
    let left: Vec<_> = std::fs::read_dir(&work).map(|dir| dir.flatten().collect()).expect("there");
    assert!(left.is_empty(), "{left:?} in {}", work.display());
    let note = world.output().join("note.txt");
    assert_eq!(std::fs::read_to_string(&note).expect("still there"), "mine");
    // Verify tells of what is not ours.
    std::fs::remove_file(note).expect("removed");
    world.good(&["verify"]);
    let counters = world.align().state().counters;
    assert_eq!(counters.poll_violations, 0, "never asked too early");
    assert_eq!(portal::listed(newest), portal::package(world, id), "the files at Align");
}

/// The order's replaced revisions.
fn history(world: &World, id: &str) -> Vec<String> {
    let dir = world.history_of(id, 1);
    let Ok(entries) = std::fs::read_dir(dir.parent().expect("the order's")) else { return vec![] };
    entries.map(|entry| entry.expect("entry").file_name().into_string().expect("text")).collect()
}

fn first(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::Restorative)).expect("created");
    die_at(world, step);
    let asked = step >= Step::FetchAnswered && step <= Step::Report;
    assert!(!asked || !world.align().state().order(&id).expect("known").listed, "no longer listed");
    finish(world, &id, 1);
    let story = world.order(&id);
    assert_eq!(times_told(&story, "seen"), 1, "{story:#}");
    assert_promises(world, &id, &world.published(&id), 1);
    assert!(history(world, &id).is_empty());
}

/// A published order of which there is a new revision, and something of somebody else beside it.
fn published_and_back(world: &World) -> (String, Manifest) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    let before = world.published(&id);
    let bystander = world.dir_of("not-an-order");
    std::fs::create_dir_all(&bystander).expect("made");
    std::fs::write(bystander.join("note.txt"), "mine").expect("written");
    world.align().flow(&id, "send-to-modeling").expect("sent");
    world.align().flow(&id, "modeling-completed").expect("back");
    (id, before)
}

fn assert_replaced(world: &World, id: &str, before: &Manifest) {
    finish(world, id, 2);
    let after = world.published(id);
    assert_eq!(after.previous.as_ref().expect("a predecessor").revision, 1);
    let kept = tree::check_order(&world.history_of(id, 1)).expect("the old revision, whole");
    assert_eq!(&kept, before);
    assert_eq!(history(world, id), ["r1"]);
    let bystander = world.dir_of("not-an-order");
    assert_eq!(std::fs::read_to_string(bystander.join("note.txt")).expect("there"), "mine");
    std::fs::remove_dir_all(bystander).expect("removed");
    assert_promises(world, id, &after, 1);
}

fn replace(world: &World, step: Step) {
    let (id, before) = published_and_back(world);
    die_at(world, step);
    if let Ok(found) = tree::manifest(&world.dir_of(&id)) {
        assert!(found == before || found.revision == 2);
    }
    assert_replaced(world, &id, &before);
}

fn beside(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    std::fs::write(world.dir_of(&id).join("design.dcm"), "mine").expect("written");
    let before = tree::listing(&world.dir_of(&id));
    world.align().flow(&id, "return-to-doctor").expect("returned");
    world.align().flow(&id, "rescan-completed").expect("back");
    die_at(world, step);
    let place = world.dir_of(&format!("{id}-r2"));
    pass_until(world, &id, |world| {
        is_published(world, &id).filter(|story| story["revision"] == 2).map(|_| ())
    });
    let after = tree::check_order(&place).expect("whole");
    assert_eq!(after.revision, 2);
    assert_eq!(tree::listing(&world.dir_of(&id)), before);
    assert!(history(world, &id).is_empty());
    // What verify says of the edited order is its business.
    std::fs::remove_file(world.dir_of(&id).join("design.dcm")).expect("removed");
    assert_promises(world, &id, &after, 2);
}

fn empty(world: &World, step: Step) {
    let spec = order_with_id(CaseKind::OrthoShell, "17544365");
    let id = world.align().create_order(&spec).expect("created");
    std::fs::create_dir_all(world.dir_of(&id)).expect("made");
    die_at(world, step);
    assert_eq!(world.dir_of(&id).exists(), step == Step::ClearEmpty);
    finish(world, &id, 1);
    assert_promises(world, &id, &world.published(&id), 1);
}

/// When the order's files were written.
fn written(world: &World, id: &str) -> Vec<std::time::SystemTime> {
    let files = tree::files(&world.dir_of(id)).into_iter();
    files.map(|file| file.metadata().and_then(|meta| meta.modified()).expect("a time")).collect()
}

fn adopt(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    let before = written(world, &id);
    // The journal is lost while the order's folder is elsewhere; then somebody brings that back.
    let elsewhere = world.dir().join("elsewhere");
    std::fs::rename(world.dir_of(&id), &elsewhere).expect("moved");
    for file in tree::files(&world.state()) {
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("journal")) {
            std::fs::remove_file(file).expect("removed");
        }
    }
    world.sync();
    assert_eq!(world.order_or_null(&id), Value::Null, "nobody knows it any more");
    std::fs::rename(&elsewhere, world.dir_of(&id)).expect("moved back");
    world.align().flow(&id, "first-scan").expect("listed again");
    die_at(world, step);
    pass_until(world, &id, |world| is_published(world, &id).map(|_| ()));
    assert_eq!(written(world, &id), before, "no second write");
    assert_promises(world, &id, &world.published(&id), 1);
    assert!(history(world, &id).is_empty());
}

fn refetch(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    let before = written(world, &id);
    world.good(&["refetch", &id]);
    die_at(world, step);
    pass_until(world, &id, |world| {
        is_published(world, &id).filter(|story| times_told(story, "unchanged") > 0).map(|_| ())
    });
    let story = world.order(&id);
    assert_eq!((times_told(&story, "asked"), times_told(&story, "unchanged")), (1, 1), "{story:#}");
    assert_eq!(written(world, &id), before, "no second write");
    assert_promises(world, &id, &world.published(&id), 1);
    assert!(history(world, &id).is_empty());
}

fn failure(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    world.align().inject(download(FaultKind::Reset { after_bytes: 2000 }));
    die_at(world, step);
    world.align().clear_faults();
    let is_durable = step == Step::JournalFailedDurable;
    assert_eq!(world.order(&id)["trouble"].is_object(), is_durable);
    if is_durable {
        world.let_time_pass(&id);
    }
    finish(world, &id, 1);
    assert_promises(world, &id, &world.published(&id), 1);
}

fn again(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    die_at(
        world,
        match step {
            // What lies in staging then is of no use to anyone.
            Step::Sweep => Step::Unpacked,
            // What lies in staging then has no manifest, though the journal holds an intent.
            Step::JournalDropped | Step::JournalDroppedDurable => Step::SyncFiles,
            _ => Step::Report,
        },
    );
    die_at(world, step);
    finish(world, &id, 1);
    assert_promises(world, &id, &world.published(&id), 1);
}

fn lost(world: &World, step: Step) {
    let (id, before) = published_and_back(world);
    die_at(world, Step::Look);
    // As a system without an exchange leaves it that dies before the new revision is moved in; and
    // what was staged did not reach the disk.
    let aside = world.history_of(&id, 1);
    std::fs::create_dir_all(aside.parent().expect("the order's")).expect("made");
    std::fs::rename(world.dir_of(&id), &aside).expect("moved aside");
    let work = world.staging().join("work");
    let torn = tree::files(&work).into_iter().find(|file| !file.ends_with("manifest.json"));
    std::fs::write(torn.expect("a staged file"), "torn").expect("torn");
    die_at(world, step);
    assert!(!world.dir_of(&id).exists() && aside.exists());
    assert_replaced(world, &id, &before);
}

/// An order that is older than is kept, and others' things around it.
fn published_long_ago(world: &World) -> String {
    let keep = world.yaml().replace("retention: {", "retention: { keep: 90d,");
    std::fs::write(world.config(), keep).expect("config");
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    world.let_days_pass(91);
    id
}

fn assert_removed(world: &World, id: &str) {
    pass_until(world, id, |world| (world.order(id)["state"] == "removed").then_some(()));
    let story = world.order(id);
    assert_eq!(times_told(&story, "removed"), 1, "{story:#}");
    assert_eq!(story["path"], Value::Null, "{story:#}");
    assert!(!world.dir_of(id).exists() && world.dir_of(id).parent().expect("account").is_dir());
    for folder in ["retired", "work"] {
        let left = std::fs::read_dir(world.staging().join(folder)).expect("there").count();
        assert_eq!(left, 0, "{folder}");
    }
    let audit = world.audit();
    assert!(audit.contains(&("removed".to_owned(), "begun".to_owned())), "{audit:?}");
    world.good(&["audit", "--verify"]);
    let note = world.output().join("note.txt");
    assert_eq!(std::fs::read_to_string(&note).expect("still there"), "mine");
    std::fs::remove_file(note).expect("removed");
    world.good(&["verify"]);
}

fn retire(world: &World, step: Step) {
    let id = published_long_ago(world);
    die_at(world, step);
    let is_there =
        matches!(step, Step::JournalRetiring | Step::JournalRetiringDurable | Step::RetireMove);
    assert_eq!(world.dir_of(&id).exists(), is_there);
    assert_removed(world, &id);
}

fn reclaim(world: &World, step: Step) {
    let id = published_long_ago(world);
    die_at(world, Step::RetireRemove);
    // As it is left by one that dies in the middle.
    let moved = tree::files(&world.staging().join("retired"));
    let some = moved.iter().find(|file| !file.ends_with("manifest.json")).expect("a file");
    std::fs::remove_file(some).expect("removed");
    die_at(world, step);
    assert_removed(world, &id);
}

fn forget(world: &World, step: Step) {
    let (id, _) = published_and_back(world);
    finish(world, &id, 2);
    world.let_days_pass(31);
    die_at(world, step);
    pass_until(world, &id, |world| {
        (times_told(&world.order(&id), "forgotten") == 1 || history(world, &id).is_empty())
            .then_some(())
    });
    assert!(history(world, &id).is_empty());
    let audit = world.audit();
    assert!(audit.contains(&("history-removed".to_owned(), "begun".to_owned())), "{audit:?}");
    world.good(&["audit", "--verify"]);
    std::fs::remove_dir_all(world.dir_of("not-an-order")).expect("removed");
    assert_promises(world, &id, &world.published(&id), 1);
}

/// This way has a world of its own, with a listener.
fn notified(_: &World, step: Step) {
    let listening = listening("1h", "");
    let world = &listening.world;
    std::fs::create_dir_all(world.output()).expect("made");
    std::fs::write(world.output().join("note.txt"), "mine").expect("written");
    let agent = listening.run_with(&[("CASEDROP_TEST_KILL_AT", step.as_str())]);
    // Whatever is sent while the agent is down is sent again, as by Align.
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let (_, log) = agent.wait();
    assert!(log.lines().any(|line| line == format!("killed at {}", step.as_str())), "{log}");
    let sent = world.align().state().notifications;
    let is_acknowledged = sent.iter().any(|sent| sent.status == Some(200));
    let agent = listening.run_again();
    if !is_acknowledged {
        world.align().notify(&id).expect("sent again");
    }
    world.wait_for_revision(&id, 1);
    world.wait_for_state(&id, "published");
    agent.kill();
    let story = world.order(&id);
    let named = times_told(&story, "seen");
    assert!((1..=2).contains(&named), "{story:#}");
    assert_promises(world, &id, &world.published(&id), 1);
}

fn dropped(world: &World, step: Step) {
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    finish(world, &id, 1);
    let config = format!("{}commands: commands\n", world.yaml());
    std::fs::write(world.config(), config).expect("written");
    let commands = Commands::of(world);
    let text = format!("command: return\norder: {id}\nreason: margin\nconfirm: {id}\n");
    commands.put("return.yaml", text);
    let (code, log) = world.run_with(&[("CASEDROP_TEST_KILL_AT", step.as_str())]).wait();
    assert_ne!(code, Some(0), "{log}");
    assert!(log.lines().any(|line| line == format!("killed at {}", step.as_str())), "{log}");
    let agent = world.run();
    let receipt = commands.wait_for("done/return.yaml");
    assert_eq!(receipt["outcome"], "done", "{receipt:#}");
    wait_for("all to be tidied up", || commands.names("working").is_empty().then_some(()));
    agent.kill();
    let whole = ["return.yaml", "return.yaml.receipt.json", "return.yaml.receipt.txt"];
    assert_eq!(commands.names("done"), whole);
    assert_eq!(commands.names("failed"), Vec::<String>::new());
    let returns = world.align().state().returns;
    assert_eq!(returns, [(id, "margin".to_owned())], "once");
}

#[test]
fn a_kill_during_a_download_loses_nothing_though_align_no_longer_lists_the_order() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let stall = FaultRule::on("downloadAsset", FaultKind::Stall { after_bytes: 2000 }).asset("IDE");
    world.align().inject(stall);
    let agent = world.run();
    wait_for("the download to begin", || {
        let state = world.align().state();
        (state.asset(&id, "IDE").started > 0 && !state.order(&id)?.listed).then_some(())
    });
    agent.kill();
    world.align().clear_faults();
    assert_eq!(tree::orders(&world.output()).len(), 0, "nothing half-written is visible");
    finish(&world, &id, 1);
    world.published(&id);
    world.good(&["verify"]);
}

#[cfg(unix)]
#[test]
fn a_stop_during_a_download_is_prompt_and_the_order_is_finished_later() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let stall = FaultRule::on("downloadAsset", FaultKind::Stall { after_bytes: 2000 }).asset("IDE");
    world.align().inject(stall);
    let agent = world.run();
    wait_for("the download to begin", || {
        (world.align().state().asset(&id, "IDE").started > 0).then_some(())
    });
    let (code, log) = agent.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("safe point"), "it stopped within its deadline: {log}");
    world.align().clear_faults();
    finish(&world, &id, 1);
}

#[test]
fn a_second_agent_on_the_same_state_or_output_is_refused() {
    let world = World::new();
    let id = world.align().create_order(&order(CaseKind::OrthoShell)).expect("created");
    let agent = world.run();
    world.wait_for_revision(&id, 1);
    let ended = world.casedrop(&["sync"]);
    assert_eq!(ended.code, Some(5), "{ended:?}");
    assert!(ended.stderr.contains("another agent is running"), "{ended:?}");
    let mut command = world.command(&["sync"]);
    command.env("CASEDROP_STATE", world.dir().join("other-state"));
    let output = command.output().expect("the program starts");
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stderr));
    agent.kill();
}
