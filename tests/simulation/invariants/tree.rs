//! Checks after every step: what a reader of the hot folder sees now.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use casedrop::hotfolder::root::MARKER;

use super::places;
use crate::disk::Node;
use crate::ledger::{Content, Frozen, Ledger};
use crate::setup::show;
use crate::world::{Failure, World};

/// Checks all promises about what is below the output.
pub fn tree(world: &mut World) -> Result<(), Failure> {
    crate::holds::check(world)?;
    let output = &world.layout.output;
    if world.share_gone {
        return nothing_without_the_share(world);
    }
    let entries = places::entries(output, world.disk.snapshot(output), MARKER)?;
    let ledger = &mut *world.hooks.ledger();
    put_back_by_a_crash(ledger, &entries);
    for (path, content) in &entries {
        if ledger.frozen.contains_key(path) {
            continue;
        }
        if ledger.reduced.get(path) == Some(content) {
            continue;
        }
        ledger.reduced.remove(path);
        if world.verified.get(path) == Some(content) {
            continue;
        }
        let orders = world.align.cloud().orders.clone();
        let order = one_whole_revision(&orders, &world.layout, path, content)
            .map_err(|why| format!("{} {why}", show(path)))?;
        crate::holds::may_stand(&*world, order, content)?;
        world.verified.insert(path.clone(), content.clone());
    }
    foreign_things_stay(world, ledger, &entries)
}

/// A power cut may undo the exchange that moved other people's work into history.
fn put_back_by_a_crash(ledger: &mut Ledger, entries: &BTreeMap<PathBuf, Content>) {
    for (path, content) in entries {
        if let Some(at) = ledger.displaced.iter().position(|displaced| displaced == content) {
            let content = ledger.displaced.swap_remove(at);
            ledger.frozen.insert(path.clone(), Frozen { content, in_between: true });
        }
    }
}

/// No partial file, no mixed revision, no temporary name: every entry is one whole revision of one
/// order, in its own place.
fn one_whole_revision<'a>(
    orders: &'a [crate::align::SimOrder],
    layout: &casedrop::hotfolder::Layout,
    path: &Path,
    content: &Content,
) -> Result<&'a crate::align::SimOrder, String> {
    let manifest = places::whole(content)?;
    let order = orders
        .iter()
        .find(|order| places::belongs(layout, &order.key, &manifest, path))
        .ok_or("is not the place of the order in it")?;
    let generation = places::generation(order, &manifest)?;
    if let Some(broken) = order.broken(generation) {
        return Err(format!("is generation {generation}, which is {broken:?}"));
    }
    places::pictures(order, &manifest).map(|_| order)
}

/// Nothing that others made or changed is overwritten or deleted.
fn foreign_things_stay(
    world: &World,
    ledger: &mut Ledger,
    entries: &BTreeMap<PathBuf, Content>,
) -> Result<(), Failure> {
    let mut moved = Vec::new();
    for (path, frozen) in &ledger.frozen {
        if entries.get(path) == Some(&frozen.content) {
            continue;
        }
        if !frozen.in_between {
            return Err(format!("what others left at {} was changed", show(path)));
        }
        moved.push(path.clone());
    }
    for path in moved {
        if let Some(frozen) = ledger.frozen.remove(&path) {
            ledger.displaced.push(frozen.content);
        }
    }
    if ledger.displaced.is_empty() {
        return Ok(());
    }
    let staging = world.disk.snapshot(&world.layout.staging);
    for content in &ledger.displaced {
        if !lies_somewhere(&staging, content) {
            return Err("what others put into an order in between is nowhere any more".to_owned());
        }
    }
    Ok(())
}

/// Whether a directory with exactly this content is anywhere in the snapshot.
pub fn lies_somewhere(snapshot: &BTreeMap<PathBuf, Node>, content: &Content) -> bool {
    let Some((first, node)) = content.iter().next() else { return true };
    snapshot.iter().filter(|(_, other)| *other == node).any(|(path, _)| {
        let depth = first.iter().count();
        let Some(base) = path.ancestors().nth(depth) else { return false };
        content.iter().all(|(below, node)| snapshot.get(&join(base, below)) == Some(node))
    })
}

fn join(base: &Path, below: &Path) -> PathBuf {
    if below.as_os_str().is_empty() { base.to_path_buf() } else { base.join(below) }
}

/// An unmounted share must not look like a mass deletion: nothing is written in its place.
fn nothing_without_the_share(world: &World) -> Result<(), Failure> {
    match world.disk.snapshot(&world.layout.output).into_keys().next() {
        Some(path) => Err(format!("{} was made while the output was away", show(&path))),
        None if world.disk.exists(&world.layout.output) => {
            Err("the output was made anew while it was away".to_owned())
        }
        None => Ok(()),
    }
}
