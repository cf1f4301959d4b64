//! Checks at the end, once everything has settled: nothing forgotten, nothing done twice, nothing
//! left over.

use std::sync::Arc;

use casedrop::audit::Audit;
use casedrop::journal::{Held, Pending, RevisionRecord};
use casedrop::model::manifest::Manifest;
use casedrop::model::record::{OrderRecord, OrderState, Place, Retired};

use super::places;
use super::tree::lies_somewhere;
use crate::align::{SimOrder, hash};
use crate::ledger::{Content, Ledger, content};
use crate::setup::show;
use crate::world::{Failure, World};

/// An order as the journal has it.
struct Known {
    order: SimOrder,
    record: Option<OrderRecord>,
    revisions: Vec<RevisionRecord>,
    held: Option<Held>,
}

fn known(world: &World) -> Vec<Known> {
    let store = world.store();
    let orders = world.align.cloud().orders.clone();
    let all = orders.into_iter().map(|order| Known {
        record: store.order(&order.key).expect("readable"),
        revisions: store.revisions(&order.key).expect("readable"),
        held: store.held(&order.key).expect("readable"),
        order,
    });
    all.collect()
}

/// What is still outstanding: one line per order that is neither published as last shown by Align
/// nor visibly failing for a lasting reason.
pub fn unmet(world: &World) -> Vec<String> {
    let all = known(world);
    let lines = all.iter().filter_map(|known| {
        not_delivered(known)
            .or_else(|| not_removed(known))
            .or_else(|| not_restored(world, known))
            .map(|why| format!("{}: {why}", known.order.key))
    });
    // One of several notifications for a known order may wait: its content is checked above.
    let waiting = world.store().notified(usize::MAX).expect("readable");
    let is_known = |row: &Pending| {
        let found = world.store().by_rx(&row.lab, &row.account, &row.rx).expect("readable");
        !found.is_empty()
    };
    let waiting = waiting.iter().filter(|row| !is_known(row));
    let waiting = waiting.map(|row| format!("a notification was not followed: {row:?}"));
    lines.chain(waiting).collect()
}

/// An order once seen, by list or request, is published or visibly failing; it is never forgotten.
fn not_delivered(known: &Known) -> Option<String> {
    let order = &known.order;
    let wanted = if order.listed { order.generation } else { order.known };
    let Some(record) = &known.record else {
        return (wanted > 0).then(|| "it was forgotten".to_owned());
    };
    if record.is_wanted() {
        let why = format!("it is still {:?}: {:?}", record.state(), record.trouble);
        let fails = record.trouble.is_some();
        // Later content that the agent was not told about may be good.
        let lasts = (order.known..=order.generation).any(|at| order.broken(at).is_some());
        // Five damaged packages in a row need attention, whatever the reason.
        let enough = record.state() == OrderState::Attention && order.damaged >= 5;
        return (!(fails && (lasts || enough))).then_some(why);
    }
    if record.is_released() {
        return Some("it is not published, though somebody wants that".to_owned());
    }
    let held = known.held.as_ref().map(|held| &held.manifest);
    let Some(newest) = held.or(known.revisions.last().map(|newest| &newest.manifest)) else {
        return Some("nothing of it is published, and it does not fail".to_owned());
    };
    let published = match places::generation(order, newest) {
        Ok(published) => published,
        Err(why) => return Some(format!("revision {} {why}", newest.revision)),
    };
    if published < wanted {
        return Some(format!("generation {published} is published, and Align showed {wanted}"));
    }
    match places::pictures(order, newest) {
        Ok(Some(pictures)) if pictures < wanted => {
            Some(format!("its pictures are of generation {pictures}, and Align showed {wanted}"))
        }
        Ok(_) => None,
        Err(why) => Some(format!("revision {} {why}", newest.revision)),
    }
}

/// A removal that was begun must be finished.
fn not_removed(known: &Known) -> Option<String> {
    let retired = known.record.as_ref()?.retired;
    (retired == Retired::UnderWay).then(|| "its removal is not finished".to_owned())
}

/// Where orders are restored, a missing one comes back, unless all that Align has of it is held
/// back.
fn not_restored(world: &World, known: &Known) -> Option<String> {
    let record = known.record.as_ref()?;
    let dir = world.layout.order_dir(&record.key);
    let published = record.published.is_some()
        && !record.is_wanted()
        && record.retired != Retired::Yes
        && record.held.is_none();
    let is_gone = !world.disk.exists(&dir) || world.hooks.ledger().reduced.contains_key(&dir);
    (world.policy.restore && published && is_gone).then(|| "it was not restored".to_owned())
}

/// Checks all promises about the end.
pub fn at_end(world: &World) -> Result<(), Failure> {
    if let Some(line) = unmet(world).into_iter().next() {
        return Err(line);
    }
    let ledger = &*world.hooks.ledger();
    for known in known(world) {
        let checks = [
            revisions_only_grow(&known),
            nothing_twice(world, ledger, &known),
            the_journal_is_right(world, ledger, &known),
            history_is_whole(world, ledger, &known),
        ];
        for check in checks {
            check.map_err(|why| format!("{}: {why}", known.order.key))?;
        }
    }
    nothing_is_left(world)?;
    the_audit_is_whole(world)?;
    displaced_things_are_in_history(world, ledger)
}

/// Revisions are numbered 1, 2, 3, …; a number is skipped only where others occupy its place.
fn revisions_only_grow(known: &Known) -> Result<(), Failure> {
    let numbers: Vec<u32> =
        known.revisions.iter().map(|revision| revision.manifest.revision).collect();
    let besides = known.revisions.iter().any(|revision| revision.place == Place::Beside);
    let contiguous = numbers.iter().copied().eq(1..=u32::try_from(numbers.len()).unwrap_or(0));
    let previous = |manifest: &Manifest| manifest.previous.as_ref().map(|one| one.revision);
    let chained = known
        .revisions
        .windows(2)
        .all(|pair| previous(&pair[1].manifest) == Some(pair[0].manifest.revision));
    if (contiguous || besides) && chained {
        return Ok(());
    }
    Err(format!("its revisions are {numbers:?}"))
}

fn is_touched(world: &World, ledger: &Ledger, known: &Known) -> bool {
    let main = world.layout.order_dir(&known.order.key);
    known
        .revisions
        .iter()
        .map(|one| world.layout.beside_dir(&known.order.key, one.manifest.revision))
        .chain([main])
        .any(|dir| ledger.touched.contains(&dir))
}

/// Whether any revision of it was removed because of its age.
fn was_removed(world: &World, known: &Known) -> bool {
    let story = world.store().story(&known.order.key).expect("readable");
    story.iter().any(|event| event.kind == "removed")
}

/// An unchanged remote state causes no second write: consecutive revisions differ, unless someone
/// touched the order and then wanted it again.
fn nothing_twice(world: &World, ledger: &Ledger, known: &Known) -> Result<(), Failure> {
    let key = &known.order.key;
    let wanted_again = world.script.asked.contains(key) || world.policy.restore;
    if (is_touched(world, ledger, known) || was_removed(world, known)) && wanted_again {
        return Ok(());
    }
    for pair in known.revisions.windows(2) {
        if pair[0].manifest.same_content(&pair[1].manifest.files) {
            let number = pair[1].manifest.revision;
            return Err(format!("revision {number} is what was published before"));
        }
    }
    Ok(())
}

/// What the journal says is published is where it says, unless someone else was there.
fn the_journal_is_right(world: &World, ledger: &Ledger, known: &Known) -> Result<(), Failure> {
    let key = &known.order.key;
    let Some(published) = known.record.as_ref().and_then(|record| record.published.as_ref()) else {
        return Ok(());
    };
    let newest = known.revisions.last().map(|one| one.manifest.revision);
    if newest != Some(published.revision) {
        return Err(format!("the journal's newest revision is {newest:?}, not {published:?}"));
    }
    let dir = match published.place {
        Place::Main => world.layout.order_dir(key),
        Place::Beside => world.layout.beside_dir(key, published.revision),
    };
    if ledger.touched.contains(&dir) {
        return Ok(());
    }
    if known.record.as_ref().is_some_and(|record| record.retired == Retired::Yes) {
        let stands = world.disk.exists(&dir);
        return if stands { Err(format!("{} was not removed", show(&dir))) } else { Ok(()) };
    }
    if known.record.as_ref().is_some_and(|record| record.retired == Retired::LeftAlone)
        && !world.disk.exists(&dir)
    {
        // Others put something there after part of it had been removed.
        return Ok(());
    }
    let here = content(&world.disk, &dir);
    places::whole(&here).map_err(|why| format!("{} {why}", show(&dir)))?;
    let bytes = world.disk.read(&dir.join("manifest.json")).unwrap_or_default();
    if hash(&bytes) != published.manifest_sha256 {
        return Err(format!("{} holds another manifest than the journal", show(&dir)));
    }
    Ok(())
}

/// Replaced revisions are in history, whole.
fn history_is_whole(world: &World, ledger: &Ledger, known: &Known) -> Result<(), Failure> {
    let main = world.layout.order_dir(&known.order.key);
    if ledger.touched.contains(&main) || was_removed(world, known) {
        return Ok(());
    }
    let at_main: Vec<&RevisionRecord> =
        known.revisions.iter().filter(|one| one.place == Place::Main).collect();
    let Some((_, replaced)) = at_main.split_last() else { return Ok(()) };
    for revision in replaced {
        let number = revision.manifest.revision;
        let key = &known.order.key;
        let keep = world.policy.history_keep;
        if keep.is_some_and(|keep| !world.ages.is_young(key, number, keep, world.clock.now)) {
            continue;
        }
        let dir = world.layout.history_dir(key, number);
        let here = content(&world.disk, &dir);
        places::whole(&here).map_err(|why| format!("{} {why}", show(&dir)))?;
        let bytes = world.disk.read(&dir.join("manifest.json")).unwrap_or_default();
        if hash(&bytes) != revision.manifest_sha256 {
            return Err(format!("{} holds another revision", show(&dir)));
        }
    }
    Ok(())
}

/// Staging's work folder holds at most what belongs to orders that are still wanted.
fn nothing_is_left(world: &World) -> Result<(), Failure> {
    let wanted = world.store().wanted().expect("readable");
    let work = world.layout.work();
    for path in world.disk.snapshot(&work).into_keys() {
        let name = path.strip_prefix(&work).unwrap_or(&path).to_string_lossy().into_owned();
        let is_wanted = wanted.iter().any(|record| name.contains(record.key.order.as_str()));
        if !is_wanted {
            return Err(format!("{} is left", show(&path)));
        }
    }
    let holds = world.store().holds().expect("readable");
    let held = world.layout.held();
    for path in world.disk.snapshot(&held).into_keys().filter(|path| *path != held) {
        let kept = |one: &Held| path.starts_with(world.layout.held_dir(&one.dir));
        if !holds.iter().any(kept) {
            return Err(format!("{} is left", show(&path)));
        }
    }
    match world.store().intents().expect("readable").first() {
        Some(intent) => Err(format!("the intent for {} is left", intent.key)),
        None => Ok(()),
    }
}

/// Whatever interfered, no audit record that was relied on is lost or torn.
fn the_audit_is_whole(world: &World) -> Result<(), Failure> {
    if !world.keeps_house() {
        return Ok(());
    }
    let audit = Audit::new(Arc::new(world.disk.clone()), "/pc/state");
    let found = audit.verify().map_err(|fault| format!("the audit: {}", fault.chain()))?;
    match found.problems.first() {
        Some(problem) => Err(format!("the audit, line {}: {}", problem.line, problem.what)),
        None => Ok(()),
    }
}

/// After a start, nothing that was moved out for removal is left, except for what others put into
/// it.
pub fn nothing_half_removed(world: &World) -> Result<(), Failure> {
    let ledger = world.hooks.ledger();
    let retired = world.layout.retired();
    for (path, node) in world.disk.snapshot(&retired) {
        let is_displaced = ledger.displaced.iter().any(|one| one.values().any(|it| *it == node));
        if matches!(node, crate::disk::Node::File(_)) && !is_displaced {
            return Err(format!("{} is left", show(&path)));
        }
    }
    Ok(())
}

fn displaced_things_are_in_history(world: &World, ledger: &Ledger) -> Result<(), Failure> {
    let mut history = world.disk.snapshot(&world.layout.history());
    history.extend(world.disk.snapshot(&world.layout.retired()));
    let lost = |content: &&Content| !lies_somewhere(&history, content);
    match ledger.displaced.iter().find(lost) {
        Some(_) => Err("what others put into an order in between is not in history".to_owned()),
        None => Ok(()),
    }
}
