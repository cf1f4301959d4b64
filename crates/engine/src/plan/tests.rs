//! The table line by line, and invariants for every combination.

use proptest::prelude::*;

use super::*;
use casedrop_model::manifest::Role;

fn file(path: &str, sha: &str) -> ManifestFile {
    ManifestFile {
        path: casedrop_model::path::RelPath::parse(path).expect("portable"),
        size: 1,
        sha256: sha.to_owned(),
        role: Role::Scan,
        jaw: None,
        stage: None,
        part: None,
        copy_of: None,
        original_name: None,
        raw_name: None,
    }
}

fn manifest(revision: u32, files: Vec<ManifestFile>) -> Manifest {
    Manifest { files, ..casedrop_testing::manifest_of(revision, &[]) }
}

/// A fetch with nothing missing.
fn whole(files: &[ManifestFile]) -> Staged<'_> {
    Staged { files, missing: &[] }
}

const LEAVE: Policy<'_> = Policy { restore: false, asked: false, holds: false, held: None };
const RESTORE: Policy<'_> = Policy { restore: true, ..LEAVE };
const ASKED: Policy<'_> = Policy { asked: true, ..LEAVE };

fn publish(revision: u32, target: IntentTarget) -> Action {
    Action::Publish { revision, target }
}

#[test]
fn a_new_order_is_fetched_and_published_as_revision_1() {
    assert_eq!(plan(Remote::Changed, None, Local::Absent, LEAVE), Action::Fetch);
    let files = [file("a", "1")];
    assert_eq!(
        plan(Remote::Fetched(whole(&files)), None, Local::Absent, LEAVE),
        publish(1, IntentTarget::Fresh)
    );
}

#[test]
fn a_tree_that_is_already_right_is_adopted() {
    let files = vec![file("a", "1")];
    let there = manifest(3, files.clone());
    assert_eq!(
        plan(Remote::Fetched(whole(&files)), None, Local::Ours(&there), LEAVE),
        Action::Adopt
    );
}

#[test]
fn what_is_not_ours_stays_and_the_order_goes_beside_it() {
    let files = [file("a", "1")];
    assert_eq!(
        plan(Remote::Fetched(whole(&files)), None, Local::Foreign, LEAVE),
        publish(1, IntentTarget::Beside)
    );
    let other = manifest(2, vec![file("a", "2")]);
    assert_eq!(
        plan(Remote::Fetched(whole(&files)), None, Local::Ours(&other), LEAVE),
        publish(3, IntentTarget::Beside)
    );
}

#[test]
fn a_published_order_that_nothing_is_said_about_is_left_alone() {
    let newest = manifest(1, vec![file("a", "1")]);
    let published = Some(Published { newest: &newest, at_main: Some(1), retired: false });
    for local in [Local::AsPublished, Local::Absent, Local::Reduced, Local::Altered] {
        assert_eq!(plan(Remote::Same, published, local, LEAVE), Action::Nothing);
    }
    for local in [Local::AsPublished, Local::Absent, Local::Reduced, Local::Altered] {
        assert_eq!(plan(Remote::Away, published, local, LEAVE), Action::Wait);
    }
    assert_eq!(plan(Remote::Same, published, Local::Absent, RESTORE), Action::Fetch);
    assert_eq!(plan(Remote::Away, published, Local::Absent, RESTORE), Action::Fetch);
    assert_eq!(plan(Remote::Same, published, Local::AsPublished, ASKED), Action::Fetch);
}

#[test]
fn changed_content_replaces_what_is_untouched() {
    let newest = manifest(4, vec![file("a", "1")]);
    let published = Some(Published { newest: &newest, at_main: Some(4), retired: false });
    let files = [file("a", "2")];
    let act = |local| plan(Remote::Fetched(whole(&files)), published, local, LEAVE);
    assert_eq!(act(Local::AsPublished), publish(5, IntentTarget::Replace(4)));
    assert_eq!(act(Local::Reduced), publish(5, IntentTarget::Replace(4)));
    assert_eq!(act(Local::Absent), publish(5, IntentTarget::Fresh));
    assert_eq!(act(Local::Altered), publish(5, IntentTarget::Beside));
    assert_eq!(act(Local::Foreign), publish(5, IntentTarget::Beside));
}

#[test]
fn the_same_bytes_cause_no_second_write() {
    let files = vec![file("a", "1")];
    let newest = manifest(1, files.clone());
    let published = Some(Published { newest: &newest, at_main: Some(1), retired: false });
    for local in [Local::AsPublished, Local::Absent, Local::Reduced, Local::Altered] {
        let action = plan(Remote::Fetched(whole(&files)), published, local, LEAVE);
        assert_eq!(action, Action::RecordUnchanged, "{local:?}");
    }
    // Asked for again although it is in place and untouched: still nothing to write.
    assert_eq!(
        plan(Remote::Fetched(whole(&files)), published, Local::AsPublished, ASKED),
        Action::RecordUnchanged
    );
    // Asked for again and gone: it comes back.
    assert_eq!(
        plan(Remote::Fetched(whole(&files)), published, Local::Absent, ASKED),
        publish(2, IntentTarget::Fresh)
    );
}

#[test]
fn pictures_that_do_not_come_this_time_are_no_news() {
    let files = vec![file("a", "1"), file("thumbnails/1.jpg", "2"), file("thumbnails/2.jpg", "3")];
    let newest = manifest(1, files.clone());
    let published = Some(Published { newest: &newest, at_main: Some(1), retired: false });
    let missing = ["thumbnails".to_owned()];
    let act = |files: &[ManifestFile]| {
        plan(
            Remote::Fetched(Staged { files, missing: &missing }),
            published,
            Local::AsPublished,
            LEAVE,
        )
    };
    assert_eq!(act(&files[..1]), Action::RecordUnchanged, "none came");
    assert_eq!(act(&files[..2]), Action::RecordUnchanged, "some came");
    let others = [file("a", "1"), file("thumbnails/3.jpg", "4")];
    assert_eq!(act(&others), Action::RecordUnchanged, "others, and fewer");
    // New bytes in the package are news, whatever comes with them.
    let changed = [file("a", "9")];
    assert_eq!(act(&changed), publish(2, IntentTarget::Replace(1)));
    // If pictures are not reported missing, fewer of them are a change.
    let act = plan(Remote::Fetched(whole(&files[..1])), published, Local::AsPublished, LEAVE);
    assert_eq!(act, publish(2, IntentTarget::Replace(1)));
    // After the journal was lost, the complete order is still recognized.
    let staged = Staged { files: &files[..1], missing: &missing };
    assert_eq!(plan(Remote::Fetched(staged), None, Local::Ours(&newest), LEAVE), Action::Adopt);
}

#[test]
fn missing_pictures_complete_what_stands_untouched_and_nothing_else() {
    let newest = manifest(2, vec![file("a", "1")]);
    let published = Some(Published { newest: &newest, at_main: Some(2), retired: false });
    let completed = [file("a", "1"), file("thumbnails/1.jpg", "2")];
    let act = |remote, local| plan(remote, published, local, LEAVE);
    assert_eq!(act(Remote::ExtrasDue, Local::AsPublished), Action::FetchExtras);
    assert_eq!(
        act(Remote::Completed(&completed), Local::AsPublished),
        publish(3, IntentTarget::Replace(2))
    );
    assert_eq!(act(Remote::Completed(&newest.files), Local::AsPublished), Action::Nothing);
    for local in [Local::Absent, Local::Reduced, Local::Altered, Local::Foreign] {
        assert_eq!(act(Remote::ExtrasDue, local), Action::Nothing);
        assert_eq!(act(Remote::Completed(&completed), local), Action::Nothing);
    }
    for published in [
        None,
        Some(Published { newest: &newest, at_main: Some(1), retired: false }),
        Some(Published { newest: &newest, at_main: None, retired: false }),
        Some(Published { newest: &newest, at_main: Some(2), retired: true }),
    ] {
        let act = |remote| plan(remote, published, Local::AsPublished, LEAVE);
        assert_eq!(act(Remote::ExtrasDue), Action::Nothing);
        assert_eq!(act(Remote::Completed(&completed)), Action::Nothing);
    }
}

#[test]
fn an_order_whose_place_is_taken_stays_beside_it() {
    let newest = manifest(2, vec![file("a", "1")]);
    let published = Some(Published { newest: &newest, at_main: None, retired: false });
    let files = [file("a", "2")];
    assert_eq!(
        plan(Remote::Fetched(whole(&files)), published, Local::Foreign, LEAVE),
        publish(3, IntentTarget::Beside)
    );
}

#[test]
fn a_removed_order_is_not_restored_and_its_next_revision_is_published() {
    let newest = manifest(2, vec![file("a", "1")]);
    let published = Some(Published { newest: &newest, at_main: Some(2), retired: true });
    let restore = Policy { restore: true, ..LEAVE };
    let act = |remote, policy| plan(remote, published, Local::Absent, policy);
    assert_eq!(act(Remote::Same, restore), Action::Nothing);
    assert_eq!(act(Remote::Away, restore), Action::Wait);
    assert_eq!(act(Remote::Changed, restore), Action::Fetch);
    let (same, other) = ([file("a", "1")], [file("a", "2")]);
    assert_eq!(act(Remote::Fetched(whole(&same)), restore), Action::RecordUnchanged);
    assert_eq!(act(Remote::Fetched(whole(&other)), restore), publish(3, IntentTarget::Fresh));
    // A user can get it back.
    assert_eq!(act(Remote::Same, ASKED), Action::Fetch);
    assert_eq!(act(Remote::Fetched(whole(&same)), ASKED), publish(3, IntentTarget::Fresh));
}

fn any_files() -> impl Strategy<Value = Vec<ManifestFile>> {
    proptest::collection::vec((0..3_u8, 0..3_u8), 0..3).prop_map(|parts| {
        let names = ["a", "b", "thumbnails/c"];
        let one = |(name, sha): &(u8, u8)| file(names[usize::from(*name)], &sha.to_string());
        parts.iter().map(one).collect()
    })
}

#[test]
fn an_incomplete_order_is_held_back_where_that_is_wanted() {
    let files = [file("a", "1")];
    let act =
        |published, policy| plan(Remote::Fetched(whole(&files)), published, Local::Absent, policy);
    let holds = Policy { holds: true, ..LEAVE };
    assert_eq!(act(None, holds), Action::Hold { revision: 1 });
    let same = manifest(1, files.to_vec());
    assert_eq!(act(None, Policy { held: Some(&same), ..holds }), Action::StillHeld);
    let other = manifest(1, vec![file("a", "2")]);
    assert_eq!(act(None, Policy { held: Some(&other), ..holds }), Action::Hold { revision: 1 });
    // A complete order is published, whatever is held back.
    let complete = Policy { held: Some(&other), ..LEAVE };
    assert_eq!(act(None, complete), publish(1, IntentTarget::Fresh));
    // What was published before is not held back when it is fetched again.
    let published = Some(Published { newest: &same, at_main: Some(1), retired: false });
    let again = Policy { asked: true, ..holds };
    assert_eq!(act(published, again), publish(2, IntentTarget::Fresh));
    let published = Some(Published { newest: &other, at_main: Some(1), retired: false });
    assert_eq!(act(published, again), Action::Hold { revision: 2 });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100_000))]
    #[test]
    fn promises_hold_for_every_triple(
        remote in 0..6_u8,
        lacks_pictures: bool,
        fetched in any_files(),
        ours in any_files(),
        newest in proptest::option::of((any_files(), 1..5_u32, any::<bool>())),
        retired: bool,
        local in 0..6_u8,
        asked: bool,
        restore: bool,
        holds: bool,
        held in proptest::option::of(any_files()),
    ) {
        let missing = if lacks_pictures { vec!["thumbnails".to_owned()] } else { vec![] };
        let remote = match remote {
            0 => Remote::Same,
            1 => Remote::Away,
            2 => Remote::Changed,
            3 => Remote::ExtrasDue,
            4 => Remote::Completed(&fetched),
            _ => Remote::Fetched(Staged { files: &fetched, missing: &missing }),
        };
        let ours = manifest(1, ours);
        let newest = newest.map(|(files, revision, main)| (manifest(revision, files), main));
        let published = newest.as_ref().map(|(manifest, main)| Published {
            newest: manifest,
            at_main: main.then_some(manifest.revision),
            retired,
        });
        let local = [
            Local::Absent,
            Local::AsPublished,
            Local::Reduced,
            Local::Altered,
            Local::Ours(&ours),
            Local::Foreign,
        ][usize::from(local)];
        let held = held.map(|files| manifest(1, files));
        let policy = Policy { restore, asked, holds, held: held.as_ref() };
        match plan(remote, published, local, policy) {
            Action::Publish { revision, target } => {
                // Only what is in staging can be published, under an unused number.
                prop_assert!(matches!(remote, Remote::Fetched(_) | Remote::Completed(_)));
                prop_assert!(published.is_none_or(|p| revision == p.newest.revision + 1));
                // If incomplete orders are held back, none is published that never was before.
                if let (Remote::Fetched(staged), true) = (remote, holds) {
                    prop_assert!(published.is_some_and(|p| staged.is_in(p.newest)));
                }
                prop_assert!(held.is_none() || !matches!(remote, Remote::Completed(_)));
                // Unless it goes beside the order's path, a publication meets nothing foreign or
                // altered there.
                match target {
                    IntentTarget::Fresh => prop_assert_eq!(local, Local::Absent),
                    IntentTarget::Replace(old) => {
                        prop_assert!(matches!(local, Local::AsPublished | Local::Reduced));
                        prop_assert_eq!(published.and_then(|p| p.at_main), Some(old));
                    }
                    IntentTarget::Beside => prop_assert_ne!(local, Local::Absent),
                }
                // The same remote state causes no second write of what is in place and untouched.
                let standing = local == Local::AsPublished
                    && published.is_some_and(|published| published.at_main.is_some());
                if let (Remote::Fetched(staged), Some(published)) = (remote, published)
                    && standing
                {
                    prop_assert!(!published.newest.same_content(staged.files));
                    // Nor do pictures that fail to arrive this time.
                    let rest = |files: &[ManifestFile]| {
                        let rest = files.iter().filter(|file| !file.path.starts_with("thumbnails/"));
                        rest.cloned().collect::<Vec<_>>()
                    };
                    let no_pictures = rest(staged.files).len() == staged.files.len();
                    let package = rest(&published.newest.files);
                    let same = manifest(1, package).same_content(&rest(staged.files));
                    prop_assert!(!(lacks_pictures && no_pictures && same));
                }
                // Late extras replace the revision they complete, and nothing else.
                if let (Remote::Completed(files), Some(published)) = (remote, published) {
                    prop_assert!(standing && !published.retired);
                    prop_assert_eq!(target, IntentTarget::Replace(published.newest.revision));
                    prop_assert!(!published.newest.same_content(files));
                }
            }
            Action::RecordUnchanged => prop_assert!(published.is_some()),
            Action::Adopt => prop_assert!(matches!(local, Local::Ours(_))),
            Action::Fetch => {
                let kinds = matches!(remote, Remote::Fetched(_) | Remote::Completed(_));
                prop_assert!(!kinds && remote != Remote::ExtrasDue);
                // What was removed because of its age is not restored.
                let wanted = remote == Remote::Changed || asked || (restore && !retired);
                prop_assert!(wanted);
            }
            // What is known to exist and was never published is never given up.
            Action::Nothing => {
                let late = matches!(remote, Remote::ExtrasDue | Remote::Completed(_));
                prop_assert!(late || remote == Remote::Same);
            }
            // Consumed stays consumed, and no one's work is touched.
            Action::FetchExtras if held.is_some() => prop_assert_eq!(remote, Remote::ExtrasDue),
            Action::FetchExtras => {
                prop_assert_eq!(remote, Remote::ExtrasDue);
                prop_assert_eq!(local, Local::AsPublished);
                let published = published.expect("something is published");
                prop_assert_eq!(published.at_main, Some(published.newest.revision));
                prop_assert!(!published.retired);
            }
            Action::Wait => prop_assert_eq!(remote, Remote::Away),
            Action::Hold { revision } => match (remote, held.as_ref()) {
                (Remote::Fetched(staged), held) => {
                    prop_assert!(holds && held.is_none_or(|held| !staged.is_in(held)));
                    prop_assert!(published.is_none_or(|p| revision == p.newest.revision + 1));
                }
                (Remote::Completed(files), Some(held)) => {
                    prop_assert!(!held.same_content(files));
                    prop_assert_eq!(revision, held.revision);
                }
                other => prop_assert!(false, "{:?}", other),
            },
            Action::StillHeld => {
                let Remote::Fetched(staged) = remote else { panic!("{remote:?}") };
                prop_assert!(holds && held.is_some_and(|held| staged.is_in(&held)));
            }
        }
    }
}

mod life;
