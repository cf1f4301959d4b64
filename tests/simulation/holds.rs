//! Runs that hold incomplete orders back: which generations are incomplete, what users decide, and
//! that nothing held back is ever lost or published on its own.

use std::collections::BTreeSet;
use std::path::Path;

use casedrop::engine::effects::Input;
use casedrop::model::finding_code::FindingCode;
use casedrop::model::ids::OrderKey;
use casedrop::model::manifest::{FILE_NAME, Finding, ManifestFile, Severity};

use crate::align::SimOrder;
use crate::invariants::generation_of;
use crate::ledger::Content;
use crate::script::Action;
use crate::setup::show;
use crate::world::{Event, Failure, World};

const MINUTE: u64 = 60_000;

/// The script's knowledge of holds; empty where incomplete orders are published like all others.
#[derive(Debug, Default)]
pub struct Holds {
    seed: Option<u64>,
    /// What users had published anyway: an order and its generation.
    released: BTreeSet<(OrderKey, u32)>,
}

/// Some runs hold incomplete orders back. Excludes all kept seeds, so that they stay what they
/// were.
pub fn draw(world: &mut World, seed: u64) {
    if seed % 4 != 2 || crate::seeds::kept().contains(&seed) {
        return;
    }
    let mut rng = fastrand::Rng::with_seed(seed ^ 0x686f_6c64);
    world.policy.hold = world.policy.labs.iter().cloned().collect();
    world.script.holds.seed = Some(seed);
    let length = world.script.ends - world.clock.now;
    for _ in 0..rng.usize(2..10) {
        world.schedule(rng.u64(..length + 10 * MINUTE), Event::Act(Action::Release));
    }
}

impl Holds {
    fn is_incomplete(&self, order: &SimOrder, generation: u32) -> bool {
        let Some(seed) = self.seed else { return false };
        let number = order.key.order.as_str().bytes().map(u64::from).sum::<u64>();
        fastrand::Rng::with_seed(seed ^ number ^ (u64::from(generation) << 32)).u8(..2) == 0
    }
}

/// Adds the finding that the file checks would report.
pub fn find(world: &World, input: &mut Input) {
    let Input::Fetched { key, result: Ok(fetched) } = input else { return };
    if world.script.holds.seed.is_none() {
        return;
    }
    fetched.findings.retain(|finding| finding.severity != Severity::Serious);
    let cloud = world.align.cloud();
    let Some(order) = cloud.orders.iter().find(|order| order.key == *key) else { return };
    let fetched_generation =
        (1..=order.generation).rev().find(|at| holds(&fetched.files, order, *at));
    if fetched_generation.is_some_and(|at| world.script.holds.is_incomplete(order, at)) {
        let words = "the lower jaw is missing";
        fetched.findings.push(Finding::new(FindingCode::JawAbsent, Severity::Serious, words));
    }
}

fn holds(files: &[ManifestFile], order: &SimOrder, generation: u32) -> bool {
    let package = order.package(generation).files;
    package.iter().all(|(path, hash)| {
        files.iter().any(|file| file.path.as_str() == path && file.sha256 == *hash)
    })
}

/// A user has a held-back order published.
pub fn release(world: &mut World) {
    let held = world.store().holds().expect("readable");
    let Some(one) = held.first() else { return };
    let generation = {
        let cloud = world.align.cloud();
        let order = cloud.orders.iter().find(|order| order.key == one.key).expect("known");
        generation_of(order, &one.manifest).expect("one of Align's")
    };
    assert!(world.store().release(&one.key).expect("released"));
    world.script.holds.released.insert((one.key.clone(), generation));
    world.tally.count("script: released");
    world.wake_soon();
}

/// Checks at any moment that held-back orders are where the journal says, whole, and safe from
/// power cuts.
pub fn check(world: &World) -> Result<(), Failure> {
    if world.script.holds.seed.is_none() {
        return Ok(());
    }
    let publishing = world.store().intents().expect("readable");
    let held = world.store().holds().expect("readable");
    let waiting = held.iter().filter(|one| publishing.iter().all(|intent| intent.key != one.key));
    for one in waiting {
        let dir = world.layout.held_dir(&one.dir);
        let durable = below(world.disk.durable(&dir), &dir);
        let found = crate::invariants::whole(&durable)
            .map_err(|why| format!("{} {why}, though it is held back", show(&dir)))?;
        if found.without_names().files != one.manifest.files {
            return Err(format!("{} holds other files than the journal says", show(&dir)));
        }
    }
    Ok(())
}

/// Checks that nothing incomplete is in the output unless a user wanted it there.
pub fn may_stand(world: &World, order: &SimOrder, content: &Content) -> Result<(), Failure> {
    if world.script.holds.seed.is_none() || !content.contains_key(Path::new(FILE_NAME)) {
        return Ok(());
    }
    let Ok(manifest) = crate::invariants::whole(content) else { return Ok(()) };
    let Ok(generation) = generation_of(order, &manifest) else { return Ok(()) };
    let is_wanted = world.script.holds.released.contains(&(order.key.clone(), generation));
    if manifest.is_incomplete() && !is_wanted {
        return Err(format!("{} is incomplete, and nobody wanted it published", order.key));
    }
    if !manifest.is_incomplete() && world.script.holds.is_incomplete(order, generation) {
        return Err(format!("{} is incomplete, and its manifest does not say so", order.key));
    }
    Ok(())
}

fn below(
    snapshot: std::collections::BTreeMap<std::path::PathBuf, crate::disk::Node>,
    dir: &Path,
) -> Content {
    let inside = |path: &Path| {
        path.strip_prefix(dir).ok().filter(|it| !it.as_os_str().is_empty()).map(Path::to_path_buf)
    };
    snapshot.into_iter().filter_map(|(path, node)| Some((inside(&path)?, node))).collect()
}
