//! Reconciles the journal with what is below `held`, before any order is processed. The journal may
//! have been lost, or the process may have ended between updating the one and the other.

use std::collections::{BTreeMap, BTreeSet};

use crate::disk::{Disk, Kind};
use crate::hotfolder::held::{self, Found, Lying, Witness, number_of};
use crate::hotfolder::layout::Layout;
use crate::hotfolder::rebuild::key_of;
use crate::journal::{Held, Store, StoreError};
use crate::model::fault::Fault;
use crate::model::ids::{OrderKey, RxId};
use crate::model::manifest::Manifest;
use crate::model::order::{RemoteOrder, Status};
use crate::model::prescription::Prescription;
use crate::model::record::OrderRecord;
use crate::model::step::Step;
use crate::model::time::WallMs;

mod recorded;

pub use recorded::Recorded;

/// Why journal and disk could not be reconciled.
#[derive(Debug, thiserror::Error)]
pub enum Unsettled {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] Fault),
    /// The journal cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reconciles the two and returns how many held-back orders the journal learned of.
///
/// Call it with the output prepared but still closed, and before anything is swept. Unknown
/// held-back orders are added to the journal, published or replaced ones are removed, and an order
/// whose held-back revision is gone becomes wanted again. Nothing is removed without a record.
pub fn settle(
    disk: &dyn Disk,
    layout: &Layout,
    store: &Store,
    now: WallMs,
    (witness, step): (&dyn Witness, &dyn Fn(Step)),
) -> Result<usize, Unsettled> {
    let Lying { found, leftovers, others } = held::found(disk, layout)?;
    held::sweep(disk, &leftovers, witness)?;
    for path in others {
        tracing::warn!("{} was not created by Casedrop and is left alone", path.display());
    }
    let mut by_order: BTreeMap<OrderKey, Vec<Found>> = BTreeMap::new();
    for one in found {
        if let Some(key) = key_of(&one.manifest) {
            by_order.entry(key).or_default().push(one);
        } else {
            tracing::warn!("the held-back files in {} belong to no order", one.dir);
        }
    }
    // The engine finishes what is being published; the rest of such an order waits.
    let publishing: BTreeSet<OrderKey> =
        store.intents()?.into_iter().map(|intent| intent.key).collect();
    lost(disk, layout, (store, &publishing), now)?;
    if !by_order.is_empty() {
        // A process that died right after moving something there did not sync the directory.
        disk.sync_dir(&layout.held()).map_err(Fault::from)?;
    }
    let drop = |key: &OrderKey, dir: &str| held::discard(disk, layout, (key, dir), witness, step);
    let mut learnt = 0;
    for (key, mut all) in by_order.into_iter().filter(|(key, _)| !publishing.contains(key)) {
        let known = store.held(&key)?;
        let rank = |one: &Found| {
            let is_known = known.as_ref().is_some_and(|known| known.dir == one.dir);
            (number_of(&one.dir), is_known)
        };
        all.sort_by_key(rank);
        let newest = newest(disk, layout, store, &key, known.as_ref(), &mut all, &drop)?;
        let Some(newest) = newest else { continue };
        let is_known = known.as_ref().is_some_and(|known| known.dir == newest.dir);
        if !is_known {
            learn(store, &key, newest, known.as_ref(), now)?;
            learnt += 1;
        }
        let keep = store.held(&key)?.map(|held| held.dir);
        for one in all.iter().filter(|one| keep.as_deref() != Some(one.dir.as_str())) {
            drop(&key, &one.dir)?;
        }
    }
    Ok(learnt)
}

/// Returns the newest one that is complete and was neither published nor replaced. The one the
/// journal knows always counts as such.
///
/// Older ones stay in `all` for the caller to remove. Those already published are removed here;
/// incomplete ones are taken out of `all` and left on disk.
fn newest(
    disk: &dyn Disk,
    layout: &Layout,
    store: &Store,
    key: &OrderKey,
    known: Option<&Held>,
    all: &mut Vec<Found>,
    drop: &dyn Fn(&OrderKey, &str) -> Result<(), Fault>,
) -> Result<Option<Found>, Unsettled> {
    let published = store.order(key)?.and_then(|order| order.published);
    let is_over = |one: &Found| {
        known.is_none() && published.as_ref().is_some_and(|it| it.revision >= one.manifest.revision)
    };
    while let Some(one) = all.pop() {
        let is_known = known.is_some_and(|known| known.dir == one.dir);
        if is_known {
            return Ok(Some(one));
        }
        if is_over(&one) {
            drop(key, &one.dir)?;
        } else if held::is_whole(disk, &layout.held_dir(&one.dir), &one.manifest)? {
            return Ok(Some(one));
        } else {
            tracing::warn!("the held-back files in {} are incomplete and are left alone", one.dir);
        }
    }
    Ok(None)
}

/// Records what was found on disk in the journal.
fn learn(
    store: &Store,
    key: &OrderKey,
    found: Found,
    known: Option<&Held>,
    now: WallMs,
) -> Result<(), StoreError> {
    let mut order = match store.order(key)? {
        Some(order) => order,
        None => OrderRecord {
            listed: false,
            fetched: 1,
            ..OrderRecord::new(key.clone(), remote_of(key, &found.manifest), now)
        },
    };
    let at = WallMs::from_rfc3339(&found.manifest.published_at).unwrap_or(now);
    let held = Held {
        key: key.clone(),
        manifest: found.manifest,
        manifest_sha256: found.manifest_sha256,
        dir: found.dir,
        // Whether it covers the newest sign of new files is unknown: an order that is wanted stays
        // wanted.
        evidence: known.map_or(order.fetched, |known| known.evidence),
        history_seen: 0,
        etag: None,
        at,
        confirmed: at,
        released: false,
    };
    order.held = Some(held.record());
    order.prescription = Prescription::of(&held.manifest);
    store.atomically(|store| {
        store.hold(&held)?;
        store.save(&order)?;
        store.tell(key, now, "rebuilt", "found again on the disk; held back as incomplete")
    })
}

/// Makes orders wanted again if their held-back revision is gone.
fn lost(
    disk: &dyn Disk,
    layout: &Layout,
    (store, publishing): (&Store, &BTreeSet<OrderKey>),
    now: WallMs,
) -> Result<(), Unsettled> {
    for held in store.holds()? {
        let is_there = disk.kind(&layout.held_dir(&held.dir)).map_err(Fault::from)?;
        if is_there == Some(Kind::Dir) || publishing.contains(&held.key) {
            continue;
        }
        let Some(order) = store.order(&held.key)? else { continue };
        let why = "the held-back files are gone from staging; the order is fetched again";
        store.lose_hold(order, now, why)?;
    }
    Ok(())
}

/// Reconstructs from a manifest what Align said about the order.
pub fn remote_of(key: &OrderKey, manifest: &Manifest) -> RemoteOrder {
    RemoteOrder {
        rx_id: manifest.rx_id.as_ref().and_then(|id| id.parse::<RxId>().ok()),
        order_code: manifest.order_code.clone(),
        case_type: manifest.case_type.clone(),
        procedure: manifest.procedure.clone(),
        ..RemoteOrder::new(key.order.clone(), Status::from(manifest.status.clone()))
    }
}

#[cfg(test)]
mod tests;
