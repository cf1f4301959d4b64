//! Whole lives of orders: random changes are applied and planned, and each plan is taken as done,
//! until nothing is left to do.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What is at an order's own path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum There {
    Nothing,
    /// One of our revisions, as we put it there.
    Revision(Manifest),
    /// The same with files taken away.
    Rest(Manifest),
    /// One of our revisions that someone has edited.
    Edited(Manifest),
    /// Something else.
    Foreign,
}

/// One order, seen from outside.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not one state")]
#[derive(Debug, Clone, PartialEq, Eq)]
struct Order {
    /// The version of its files at Align.
    version: u8,
    away: bool,
    /// Whether there was any sign of something to fetch.
    wanted: bool,
    asked: bool,
    /// Whether Align serves the pictures now.
    has_pictures: bool,
    /// Whether it is time to ask for the extras the newest revision lacks.
    due: bool,
    /// What is in staging, and which extras are missing from it.
    fetched: Option<(Vec<ManifestFile>, Vec<String>)>,
    /// The newest revision plus what it lacked, in staging.
    completed: Option<Vec<ManifestFile>>,
    newest: Option<Manifest>,
    at_main: Option<u32>,
    there: There,
    beside: Vec<Manifest>,
    writes: u32,
    /// Whether it was removed because of its age.
    retired: bool,
}

fn files_of(version: u8) -> Vec<ManifestFile> {
    vec![file("scan.stl", &version.to_string()), file("rx.pdf", "always the same")]
}

fn picture_of(version: u8) -> ManifestFile {
    file("thumbnails/1.jpg", &format!("picture {version}"))
}

/// The files of a revision that come from the package.
fn package(manifest: &Manifest) -> Vec<ManifestFile> {
    manifest.files.iter().filter(|file| !file.path.contains('/')).cloned().collect()
}

fn has_pictures(manifest: &Manifest) -> bool {
    manifest.files.iter().any(|file| file.path.contains('/'))
}

impl Order {
    fn action(&self, restore: bool) -> Action {
        let remote = match &self.fetched {
            Some((files, missing)) => Remote::Fetched(Staged { files, missing }),
            None if self.wanted || self.asked => Remote::Changed,
            None if self.completed.is_some() => {
                Remote::Completed(self.completed.as_deref().unwrap_or_default())
            }
            None if self.due => Remote::ExtrasDue,
            None if self.away => Remote::Away,
            None => Remote::Same,
        };
        let expected = self.at_main.is_some();
        let local = match &self.there {
            There::Nothing => Local::Absent,
            There::Revision(_) if expected => Local::AsPublished,
            There::Revision(manifest) => Local::Ours(manifest),
            There::Rest(_) if expected => Local::Reduced,
            There::Edited(_) if expected => Local::Altered,
            There::Rest(_) | There::Edited(_) | There::Foreign => {
                if expected {
                    Local::Altered
                } else {
                    Local::Foreign
                }
            }
        };
        let published = self.newest.as_ref().map(|newest| Published {
            newest,
            at_main: self.at_main,
            retired: self.retired,
        });
        plan(remote, published, local, Policy { restore, asked: self.asked, ..LEAVE })
    }

    /// Pretends to carry out the plan. Returns whether that was the end.
    fn carry_out(&mut self, action: Action) -> bool {
        match action {
            Action::Nothing | Action::Wait => {
                // Given up permanently, or nothing to do; something else may follow.
                let was_late = self.due || self.completed.is_some();
                self.due = false;
                self.completed = None;
                return !was_late;
            }
            Action::FetchExtras => {
                self.due = false;
                let newest = self.newest.as_ref().expect("something lacks something");
                let mut files = newest.files.clone();
                if self.has_pictures && !has_pictures(newest) {
                    files.push(picture_of(self.version));
                }
                self.completed = Some(files);
                return false;
            }
            Action::Fetch => {
                let (mut files, mut missing) = (files_of(self.version), vec![]);
                if self.has_pictures {
                    files.push(picture_of(self.version));
                } else {
                    missing.push("thumbnails".to_owned());
                }
                self.fetched = Some((files, missing));
                self.completed = None;
                return false;
            }
            Action::Adopt => {
                let There::Revision(found) = &self.there else { panic!("nothing to adopt") };
                self.at_main = Some(found.revision);
                self.newest = Some(found.clone());
                self.retired = false;
            }
            Action::RecordUnchanged => {}
            Action::Hold { .. } | Action::StillHeld => panic!("nothing is held back here"),
            Action::Publish { revision, target } => {
                let staged = self.fetched.take().map(|(files, _)| files);
                let staged = staged.or_else(|| self.completed.take());
                let new = manifest(revision, staged.expect("only what was fetched is published"));
                self.writes += 1;
                self.retired = false;
                match target {
                    IntentTarget::Fresh => assert_eq!(self.there, There::Nothing),
                    IntentTarget::Replace(old) => match &self.there {
                        There::Revision(found) | There::Rest(found) => {
                            assert_eq!(found.revision, old);
                        }
                        other => panic!("{other:?} would be replaced"),
                    },
                    IntentTarget::Beside => self.beside.push(new.clone()),
                }
                if target != IntentTarget::Beside {
                    self.there = There::Revision(new.clone());
                    self.at_main = Some(revision);
                }
                self.newest = Some(new);
            }
        }
        self.fetched = None;
        self.completed = None;
        self.due = false;
        self.wanted = false;
        self.asked = false;
        false
    }

    /// Plans and carries out until nothing is left to do; returns the number of steps.
    fn settle(&mut self, restore: bool) -> u32 {
        for steps in 0..10 {
            let action = self.action(restore);
            if self.carry_out(action) {
                return steps;
            }
        }
        panic!("it never ends: {self:?}");
    }
}

/// Something that happens to an order.
#[derive(Debug, Clone)]
enum Event {
    NewFiles,
    ListedAgain,
    Away(bool),
    Asked,
    Taken,
    PartlyTaken,
    Edited,
    ForeignPut,
    JournalLost,
    /// It is older than `retention.keep`.
    GrownOld,
    /// Align starts or stops serving the pictures.
    Pictures(bool),
    /// It is time to ask for the extras the newest revision lacks.
    ExtrasDue,
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::NewFiles),
        2 => Just(Event::ListedAgain),
        1 => any::<bool>().prop_map(Event::Away),
        1 => Just(Event::Asked),
        2 => Just(Event::Taken),
        1 => Just(Event::PartlyTaken),
        2 => Just(Event::Edited),
        1 => Just(Event::ForeignPut),
        1 => Just(Event::JournalLost),
        2 => Just(Event::GrownOld),
        2 => any::<bool>().prop_map(Event::Pictures),
        2 => Just(Event::ExtrasDue),
    ]
}

impl Order {
    fn new() -> Self {
        Self {
            version: 0,
            away: false,
            wanted: true,
            asked: false,
            has_pictures: false,
            due: false,
            fetched: None,
            completed: None,
            newest: None,
            at_main: None,
            there: There::Nothing,
            beside: Vec::new(),
            writes: 0,
            retired: false,
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::NewFiles => {
                self.version = self.version.wrapping_add(1);
                self.wanted = true;
                self.away = false;
            }
            Event::ListedAgain => self.wanted = true,
            Event::Away(away) => self.away = *away,
            Event::Asked => self.asked = true,
            Event::Pictures(there) => self.has_pictures = *there,
            Event::ExtrasDue => {
                self.due |= self.newest.as_ref().is_some_and(|newest| !has_pictures(newest));
            }
            Event::Taken => self.there = There::Nothing,
            Event::PartlyTaken => {
                if let There::Revision(manifest) = &self.there {
                    self.there = There::Rest(manifest.clone());
                }
            }
            Event::Edited => {
                if let There::Revision(manifest) | There::Rest(manifest) = &self.there {
                    self.there = There::Edited(manifest.clone());
                }
            }
            Event::ForeignPut => {
                if self.there == There::Nothing {
                    self.there = There::Foreign;
                }
            }
            Event::JournalLost => {
                self.newest = None;
                self.at_main = None;
                self.wanted = true;
                self.retired = false;
            }
            // As in the product: only if there is nothing to fetch and no one's work is in place.
            Event::GrownOld => {
                let is_ours =
                    matches!(self.there, There::Revision(_) | There::Rest(_) | There::Nothing);
                let is_known = self.newest.is_some() && self.at_main.is_some();
                if is_ours && is_known && !self.wanted && !self.asked {
                    self.there = There::Nothing;
                    self.retired = true;
                }
            }
        }
    }

    fn is_others_work(&self) -> bool {
        matches!(self.there, There::Edited(_) | There::Foreign)
    }
}

/// Everything a planner may be given in one batch, in some order.
fn settle_all(orders: &mut BTreeMap<u8, Order>, turns: &[u8], restore: bool) {
    // One step each at a time, so that they interleave.
    let mut left: Vec<u8> = turns.to_vec();
    for _ in 0..20 {
        left.retain(|id| {
            let order = orders.get_mut(id).expect("known");
            let action = order.action(restore);
            !order.carry_out(action)
        });
    }
    assert!(left.is_empty(), "it never ends");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn every_life_ends_in_the_newest_files_and_spares_the_work_of_others(
        events in proptest::collection::vec((any_event(), any::<bool>()), 0..12),
        restore: bool,
    ) {
        let mut order = Order::new();
        for (event, settle) in events {
            order.happen(&event);
            if !settle {
                continue;
            }
            let before = order.clone();
            let was_wanted = order.wanted || order.asked;
            // Promise 4: no one else's work is touched (replacing it would panic above).
            order.settle(restore);
            if before.is_others_work() {
                prop_assert_eq!(&order.there, &before.there);
            }
            // Promise 1: what was seen is published.
            if was_wanted {
                let newest = order.newest.as_ref().expect("something was published");
                prop_assert_eq!(package(newest), files_of(order.version));
            }
            // Any pictures belong to the package next to them, or arrived with it.
            if let Some(newest) = &order.newest
                && let Some(picture) = newest.files.iter().find(|file| file.path.contains('/'))
            {
                prop_assert_eq!(package(newest)[0].sha256.clone(), picture.sha256[8..].to_owned());
            }
            // Promise 6: the same remote state causes no second write.
            let known = before.newest.as_ref().is_some_and(|newest| {
                // Pictures are news only when they arrive for the first time.
                let is_complete = has_pictures(newest) || !before.has_pictures;
                package(newest) == files_of(before.version) && is_complete
            });
            let there = matches!(before.there, There::Revision(_));
            if known && there && before.at_main == before.newest.as_ref().map(|n| n.revision) {
                prop_assert_eq!(order.writes, before.writes);
            }
            prop_assert!(order.writes <= before.writes + 1);
            // Revision numbers increase.
            let revision = |order: &Order| order.newest.as_ref().map_or(0, |n| n.revision);
            if before.newest.is_some() {
                prop_assert!(revision(&order) >= revision(&before));
            }
            // What was removed because of its age stays away until there is something new.
            if before.retired && !was_wanted {
                prop_assert_eq!(&order.there, &before.there);
            }
            // Idempotent: a second look finds nothing to do.
            let settled = order.clone();
            prop_assert_eq!(order.settle(restore), 0);
            prop_assert_eq!(&order, &settled);
        }
    }

    #[test]
    fn the_order_within_a_batch_does_not_matter(
        events in proptest::collection::vec((0..4_u8, any_event()), 0..16),
        restore: bool,
        shuffled in Just((0..4_u8).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut orders: BTreeMap<u8, Order> = (0..4).map(|id| (id, Order::new())).collect();
        for (id, event) in &events {
            orders.get_mut(id).expect("known").happen(event);
        }
        let mut other_way = orders.clone();
        settle_all(&mut orders, &[0, 1, 2, 3], restore);
        settle_all(&mut other_way, &shuffled, restore);
        prop_assert_eq!(orders, other_way);
    }
}
