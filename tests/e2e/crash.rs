//! The process dies at the worst moments. After the next start everything is as promised.

mod asking;
mod holding;
mod publishing;
mod removing;
mod stopping;

use std::sync::atomic::{AtomicUsize, Ordering};

use casedrop::model::manifest::Manifest;
use casedrop::model::step::Step;
use serde_json::Value;

use super::world::{Ended, World, started, wait_for};
use super::{portal, tree};

use asking::{dropped, notified, renewed};
use holding::{hold, release, supersede};
use publishing::{adopt, again, beside, empty, failure, first, late, lost, refetch, replace};
use removing::{forget, reclaim, retire};

/// Defines the ways in which a process reaches its steps, each with its test.
macro_rules! ways {
    ($($(#[doc = $doc:literal])+ $way:ident: $test:ident, $case:path;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Way {
            $($(#[doc = $doc])+ $way,)+
            /// During an update: `update.rs` has its own test.
            Updated,
            /// Only on another system.
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
    /// An order is published for the first time.
    First: a_first_publication_that_dies_at_any_step_is_finished_after_the_next_start, first;
    /// A new revision replaces the old one.
    Replace: a_replacement_that_dies_at_any_step_is_finished_after_the_next_start, replace;
    /// A new revision goes next to the old one, which someone has edited.
    Beside: a_publication_beside_an_edited_order_that_dies_at_any_step_touches_nothing_of_it, beside;
    /// An empty directory is in the order's place.
    Empty: an_empty_directory_at_an_orders_place_is_replaced_even_if_the_process_dies, empty;
    /// The order is in its place, but the journal was lost.
    Adopt: an_adoption_that_dies_at_any_step_is_finished_without_a_second_write, adopt;
    /// A user refetches an order that has not changed.
    Refetch: a_refetch_that_dies_at_any_step_is_finished_without_a_second_write, refetch;
    /// The download fails.
    Failure: a_failed_attempt_that_dies_while_it_is_recorded_is_repeated, failure;
    /// The process died before, and dies again during recovery.
    Again: a_recovery_that_dies_itself_is_finished_after_the_next_start, again;
    /// An order is removed because of its age.
    Retire: an_order_whose_removal_dies_at_any_step_is_whole_or_gone, retire;
    /// The same, and the start that finishes the removal dies too.
    Reclaim: a_start_that_dies_while_it_finishes_a_removal_is_repeated, reclaim;
    /// A replaced revision is removed because of its age.
    Forget: a_removal_from_history_that_dies_at_any_step_is_finished, forget;
    /// A scan notification names the order.
    Notified: a_notification_that_dies_at_any_step_is_followed_after_the_next_start, notified;
    /// The new revision was lost while the old one was moved aside.
    Lost: an_old_revision_comes_back_even_if_the_process_dies_meanwhile, lost;
    /// The login is renewed, and Align accepts the former token once more.
    Renewed: a_renewal_that_dies_at_any_step_does_not_end_the_login, renewed;
    /// Pictures that a published order was missing arrive.
    Late: pictures_that_come_late_and_die_at_any_step_are_published_once, late;
    /// An incomplete order is held back.
    Hold: an_order_whose_holding_back_dies_at_any_step_is_held_back_after_the_next_start, hold;
    /// A held-back order is published anyway.
    Release: a_publication_of_what_is_held_back_that_dies_at_any_step_is_finished, release;
    /// A complete revision replaces the held-back one.
    Supersede: what_is_held_back_goes_once_even_if_the_process_dies_meanwhile, supersede;
    /// A file in the command folder requests something beyond this PC.
    Dropped: a_command_that_dies_at_any_step_is_carried_out_once_and_answered_once, dropped;
}

/// Returns the ways that reach a step; the compiler demands an entry for every new step. Where the
/// volume supports an exchange (Linux), nothing is moved aside, and vice versa.
#[expect(clippy::too_many_lines, reason = "a table: one line for each step")]
fn ways_to(step: Step) -> &'static [Way] {
    use Way::{
        Adopt, Again, Beside, Dropped, Elsewhere, Empty, Failure, First, Forget, Hold, Late, Lost,
        Notified, Reclaim, Refetch, Release, Renewed, Replace, Retire, Supersede, Updated,
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
        Step::LateAsked | Step::LateCopied | Step::LateStaged => &[Late],
        Step::SyncFiles
        | Step::WriteManifest
        | Step::SyncStaged
        | Step::Look
        | Step::SyncTarget
        | Step::SyncStaging
        | Step::Report => &[First, Replace, Beside, Late],
        Step::JournalIntent | Step::JournalIntentDurable => {
            &[First, Replace, Beside, Late, Release]
        }
        Step::NotifiedRecorded
        | Step::NotifiedRecordedDurable
        | Step::NotifiedPutOff
        | Step::NotifiedPutOffDurable
        | Step::NotifiedTaken
        | Step::NotifiedTakenDurable => &[Notified],
        Step::HoldMove
        | Step::HoldMoved
        | Step::HoldDurable
        | Step::JournalHeld
        | Step::JournalHeldDurable => &[Hold],
        Step::JournalReleased | Step::JournalReleasedDurable | Step::HoldReseal => &[Release],
        Step::HoldDrop => &[Supersede],
        Step::MakeParent => &[First, Beside],
        Step::ClearEmpty => &[Empty],
        Step::MoveIn if linux => &[First, Beside, Empty, Release],
        Step::MoveIn => &[First, Replace, Beside, Empty, Release],
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
        Step::JournalPublished | Step::JournalPublishedDurable => {
            &[First, Replace, Beside, Adopt, Release, Supersede]
        }
        Step::CommandTake
        | Step::CommandTaken
        | Step::CommandServe
        | Step::CommandServed
        | Step::CommandAnswered
        | Step::CommandSettled
        | Step::CommandFiled
        | Step::CommandTold
        | Step::CommandEnded => &[Dropped],
        Step::RenewalBegun | Step::RenewalAnswered | Step::RenewalSaved => &[Renewed],
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

/// Runs the cases of a way in parallel: each mostly waits for its own processes.
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
                    // On failure, the thread's name shows the case.
                    let name = format!("killed at {}, {way:?}", step.as_str());
                    let thread = std::thread::Builder::new().name(name.clone());
                    let running = thread.spawn_scoped(scope, move || one(step)).expect("started");
                    assert!(running.join().is_ok(), "{name}");
                }
            });
        }
    });
}

/// Runs passes until one kills itself at the step. The orders then visible must be whole.
fn die_at(world: &World, step: Step) {
    wait_for(&format!("a pass that comes to {}", step.as_str()), || {
        let mut command = world.command(&["sync"]);
        command.env("CASEDROP_TEST_KILL_AT", step.as_str());
        let output = started(|| command.output());
        // Until the next poll is due, a pass has nothing to do and ends normally.
        let said = String::from_utf8_lossy(&output.stderr);
        let died = said.lines().any(|line| line == format!("killed at {}", step.as_str()));
        assert!(!(died && output.status.success()), "{said}");
        died.then_some(())
    });
    for dir in tree::orders(&world.output()) {
        // Skip what is not ours, and orders that a user has edited.
        if dir.join("manifest.json").exists() && !dir.join("design.dcm").exists() {
            tree::check_order(&dir).expect("whole");
        }
    }
}

/// Runs passes until the order is published in that revision.
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

/// Checks the promises at the end: the journal and the tree agree, the newest revision holds what
/// Align has, each revision was published once, and only the tree and the history remain.
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
    // `verify` reports files that are not ours.
    std::fs::remove_file(note).expect("removed");
    world.good(&["verify"]);
    let counters = world.align().state().counters;
    assert_eq!(counters.poll_violations, 0, "never asked too early");
    assert_eq!(portal::listed(newest), portal::package(world, id), "the files at Align");
}

fn history(world: &World, id: &str) -> Vec<String> {
    let dir = world.history_of(id, 1);
    let Ok(entries) = std::fs::read_dir(dir.parent().expect("the order's")) else { return vec![] };
    entries.map(|entry| entry.expect("entry").file_name().into_string().expect("text")).collect()
}
