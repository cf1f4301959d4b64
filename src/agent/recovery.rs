//! Brings journal and disk into step before orders are worked on: recovers what the journal lost
//! from the output, history and claims, and removes orphaned files from staging.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::audit::{AuditEvent, Entry, Mark, Record};
use crate::execute::holds;
use crate::hotfolder::claim;
use crate::hotfolder::rebuild::{self, Standing};
use crate::hotfolder::retention::{self, Fate, Witness};
use crate::hotfolder::root::Prepared;
use crate::journal::{Rebuilt, RevisionRecord, Store, StoreError};
use crate::model::fault::Fault;
use crate::model::ids::OrderKey;
use crate::model::notice::Notice;
use crate::model::prescription::Prescription;
use crate::model::record::{OrderRecord, PublishedRecord, Retired};
use crate::model::time::{Now, WallMs};

use super::context::AgentContext;
use super::leftovers::{staged, sweep, worth_keeping};
use super::output_change::ROOT_FACT;
use super::session::OpenError;

/// What is known about a loss.
pub(super) struct Lost {
    /// The journal has never seen the output.
    pub(super) is_new: bool,
    /// Another output was chosen since the last start.
    pub(super) is_chosen: bool,
    /// The journal's newest part may be missing.
    pub(super) is_suspect: bool,
    /// Why the journal does not contain everything it should.
    pub(super) why: Option<String>,
    /// Where its predecessor is kept.
    pub(super) kept: Option<PathBuf>,
}

/// Brings journal and disk into step. Call it with the output prepared and still closed.
pub(super) fn recover(
    context: &AgentContext,
    store: &Store,
    now: Now,
    prepared: &Prepared,
    lost: &Lost,
    news: &mut Vec<Notice>,
) -> Result<(), OpenError> {
    if prepared.staging_was_gone {
        let staging = context.layout.staging.display();
        news.push(Notice::PcTrouble {
            message: format!(
                "the staging folder {staging} was gone and has been recreated; the replaced \
                 revisions in it are lost"
            ),
            hint: Some("keep other programs and people away from that folder".to_owned()),
        });
    }
    let kept = staged(store, &context.layout)?;
    let rescued = rebuild::rescue_replaced(&*context.disk, &context.layout, &kept);
    let records = Records { context, store, begun: OnceCell::new(), now: now.wall };
    match retention::settle(&*context.disk, &context.layout, &records, &context.step) {
        Ok(left) => {
            for what in left {
                tracing::warn!("while finishing removals: {what}");
            }
        }
        // What cannot be recorded stays until it can.
        Err(fault) => tracing::warn!("removals could not be finished this time: {}", fault.chain()),
    }
    let mut learned = 0;
    if lost.is_new || lost.is_chosen || lost.is_suspect || lost.why.is_some() {
        learned += learn(context, store, now, prepared, lost)?;
    }
    learned += take_claims(context, store, now.wall)?;
    let witness = holds::Recorded::new(&context.audit, now.wall);
    learned +=
        holds::settle(&*context.disk, &context.layout, store, now.wall, (&witness, &context.step))?;
    if let Some(rebuilt) = rebuilt(store, now.wall, lost, learned)? {
        news.push(Notice::JournalRebuilt(rebuilt));
    }
    // Nothing that could not be rescued may be removed; it does no harm there.
    let kept = worth_keeping(store, &context.config, &context.layout)?;
    let swept = rescued.and_then(|_| sweep(context, &kept, now.wall));
    if let Err(fault) = swept {
        tracing::warn!("staging could not be tidied up this time: {}", fault.chain());
    }
    retry_now(store, now.wall)?;
    Ok(())
}

/// Returns the notice for a journal lost while the output is missing.
pub(super) fn lost_for_now(why: &str) -> Notice {
    Notice::PcTrouble {
        message: format!(
            "the journal was lost ({why}) and is being rebuilt; it will be complete once the \
             output is back"
        ),
        hint: None,
    }
}

/// What a start knows about removals that had begun, and its records of those it finishes.
struct Records<'a> {
    context: &'a AgentContext,
    store: &'a Store,
    /// Hashes of manifests, from the audit log.
    begun: OnceCell<BTreeSet<String>>,
    now: WallMs,
}

impl Records<'_> {
    fn entry(&self, key: &OrderKey, revision: u32, files: usize, mark: Mark) -> Entry {
        Entry::by_agent(self.now, AuditEvent::Removed, mark)
            .about(key)
            .detail("revisions", vec![revision])
            .detail("files", files)
    }
}

impl Witness for Records<'_> {
    fn knows(&self, key: &OrderKey, manifest_sha256: &str) -> bool {
        let by_journal = self.store.knows_manifest(key, manifest_sha256).unwrap_or_else(|error| {
            tracing::warn!("{}", error.chain());
            false
        });
        let by_audit = || {
            let begun = self.begun.get_or_init(|| {
                let details =
                    records(self.context, &[AuditEvent::Removed, AuditEvent::TestOrderRemoved])
                        .into_iter()
                        .map(|mut record| record.details.remove("manifests").unwrap_or_default());
                let hashes = details.filter_map(|all| serde_json::from_value(all).ok());
                hashes.flat_map(|all: Vec<String>| all).collect()
            });
            begun.contains(manifest_sha256)
        };
        by_journal || by_audit()
    }

    fn begins(&self, key: &OrderKey, revision: u32, files: usize) -> Result<(), Fault> {
        tracing::info!(
            lab = %key.lab,
            order = %key.order,
            "finished the removal of revision {revision}: {files} files"
        );
        self.context.audit.record(&self.entry(key, revision, files, Mark::Begun))
    }

    fn ended(&self, key: &OrderKey, revision: u32, files: usize, result: &Result<Fate, Fault>) {
        let mark = match result {
            Ok(Fate::Removed | Fate::Absent) => Mark::Done,
            Ok(Fate::LeftAlone(_)) => Mark::Refused,
            Err(_) => Mark::Failed,
        };
        if let Err(fault) = self.context.audit.record(&self.entry(key, revision, files, mark)) {
            tracing::warn!(lab = %key.lab, order = %key.order, "{}", fault.chain());
        }
    }
}

/// Adds what the disk knows to the journal. Returns the number of orders that it did not know that
/// way.
fn learn(
    context: &AgentContext,
    store: &Store,
    now: Now,
    prepared: &Prepared,
    lost: &Lost,
) -> Result<usize, OpenError> {
    if prepared.known && !lost.is_chosen {
        tracing::warn!(
            "comparing the journal with {} and its history; with many orders this takes a while",
            context.layout.output.display()
        );
    }
    let survey = rebuild::survey(&*context.disk, &context.layout);
    // If the output had vanished in the meantime, orders would be missing.
    context.root.look()?;
    for what in &survey.unreadable {
        tracing::warn!("while comparing the journal with the disk: {what}");
    }
    let removed = removed(context);
    let before = store.found_orders()?;
    let learned = store.atomically(|store| {
        if prepared.known && lost.is_new && !store.polls_are_unknown()? {
            store.forget_polls(now.into())?;
        }
        let mut learned = 0;
        for (key, found) in survey.orders {
            learned += usize::from(merge(store, &key, found, now.wall)?);
        }
        for order in store.orders()? {
            mark_removed(context, store, order, &removed)?;
        }
        store.set_fact(ROOT_FACT, &prepared.id)?;
        Ok(learned)
    })?;
    let of_unknown_origin = store.found_orders()?.saturating_sub(before);
    if of_unknown_origin > 0 {
        tracing::warn!(
            "{of_unknown_origin} orders on the disk are of unknown origin: no journal has their \
             manifests, so the agent never removes them, however old they get; `casedrop verify` \
             lists them"
        );
    }
    Ok(learned)
}

/// Returns the revisions that, according to the audit log, were removed from the output because of
/// their age, or were about to be: apart from the journal, that is the only trace of them.
fn removed(context: &AgentContext) -> BTreeMap<(String, String, String), BTreeSet<u32>> {
    let mut removed: BTreeMap<_, BTreeSet<u32>> = BTreeMap::new();
    for record in removals(context) {
        let (Some(lab), Some(account), Some(order)) = (record.lab, record.account, record.order)
        else {
            continue;
        };
        let revisions = record.details.get("revisions").and_then(serde_json::Value::as_array);
        let revisions = revisions.into_iter().flatten().filter_map(serde_json::Value::as_u64);
        let revisions = revisions.filter_map(|revision| u32::try_from(revision).ok());
        removed.entry((lab, account, order)).or_default().extend(revisions);
    }
    removed
}

/// Returns the audit records of removals from the output.
fn removals(context: &AgentContext) -> Vec<Record> {
    records(context, &[AuditEvent::Removed])
}

fn records(context: &AgentContext, deeds: &[AuditEvent]) -> Vec<Record> {
    let mut records = context.audit.read(1).unwrap_or_else(|fault| {
        tracing::warn!("{}", fault.chain());
        Vec::new()
    });
    records.retain(|record| deeds.iter().any(|deed| record.what == deed.as_str()));
    records
}

/// Marks an order as removed if its newest known revision was removed because of its age, so that
/// it is not reported as missing.
fn mark_removed(
    context: &AgentContext,
    store: &Store,
    mut order: OrderRecord,
    removed: &BTreeMap<(String, String, String), BTreeSet<u32>>,
) -> Result<(), StoreError> {
    let key = &order.key;
    let name = (key.lab.to_string(), key.account.to_string(), key.order.to_string());
    let Some(revisions) = removed.get(&name) else { return Ok(()) };
    let Some(published) = &order.published else { return Ok(()) };
    let (place, newest) = (published.place, published.revision);
    let stands = context.disk.kind(&context.layout.dir_at(key, place, newest));
    // If the newest one is nowhere anymore, an older one in history is the newest known.
    let was_removed = revisions.last().is_some_and(|removed| *removed >= newest);
    if was_removed && order.retired == Retired::No && matches!(stands, Ok(None)) {
        order.retired = Retired::Yes;
        store.save(&order)?;
    }
    Ok(())
}

/// Returns what to report about a loss, and stores it for later queries.
fn rebuilt(
    store: &Store,
    now: WallMs,
    lost: &Lost,
    learned: usize,
) -> Result<Option<Rebuilt>, StoreError> {
    // A start that got no further than setting the journal aside left a record.
    let before = store.rebuilt()?.filter(|_| lost.is_new);
    let kept = lost.kept.clone().or_else(|| before.as_ref().and_then(|told| told.kept.clone()));
    let why = match (&lost.why, before) {
        (Some(why), _) => why.clone(),
        (None, Some(before)) => before.why,
        // Orders put there by another PC, or with a state folder that no longer exists.
        (None, None) if lost.is_new && learned > 0 => "there was none".to_owned(),
        (None, None) if lost.is_suspect && learned > 0 => {
            "its newest part, the -wal file, is gone".to_owned()
        }
        (None, None) => return Ok(None),
    };
    let (orders, wanted) = (store.orders()?.len(), store.wanted()?.len());
    let rebuilt = Rebuilt { at: now, why, kept, orders, wanted };
    store.set_rebuilt(&rebuilt)?;
    Ok(Some(rebuilt))
}

/// Adds the revisions of an order that are on disk to the journal. Returns whether there was
/// anything to add.
fn merge(
    store: &Store,
    key: &OrderKey,
    found: BTreeMap<u32, Standing>,
    now: WallMs,
) -> Result<bool, StoreError> {
    let known = store.revisions(key)?;
    let is_complete = store.order(key)?.is_some_and(|order| order.published.is_some());
    if is_complete
        && found.keys().all(|number| known.iter().any(|one| one.manifest.revision == *number))
    {
        return Ok(false);
    }
    let is_known = |number| known.iter().any(|one| one.manifest.revision == number);
    let mut first = None;
    for (number, one) in found {
        let at = WallMs::from_rfc3339(&one.manifest.published_at).unwrap_or(now);
        first.get_or_insert(at);
        if !is_known(number) {
            let Standing { manifest, manifest_sha256, place } = one;
            let revision = RevisionRecord {
                manifest,
                manifest_sha256,
                place,
                at,
                confirmed: at,
                // No longer known. With all of the history unseen, the most significant step
                // counts.
                history_seen: 0,
                is_found: true,
            };
            store.save_revision(key, &revision)?;
        }
    }
    let all = store.revisions(key)?;
    let Some(newest) = all.last() else { return Ok(false) };
    let mut order = match store.order(key)? {
        Some(order) => order,
        None => OrderRecord {
            listed: false,
            fetched: 1,
            first_seen: first.unwrap_or(now),
            last_seen: newest.at,
            ..OrderRecord::new(key.clone(), holds::remote_of(key, &newest.manifest), now)
        },
    };
    let newer = order.published.as_ref().is_none_or(|old| old.revision < newest.manifest.revision);
    if newer {
        order.published = Some(published_of(newest));
        order.prescription = Prescription::of(&newest.manifest);
        let origin = if newest.is_found {
            "; its origin is unknown, so the agent never removes it"
        } else {
            ""
        };
        let number = newest.manifest.revision;
        let text = format!("revision {number} was found again on the disk{origin}");
        store.tell(key, now, "rebuilt", &text)?;
    }
    store.save(&order)?;
    Ok(true)
}

/// Returns a revision's publication.
pub(super) fn published_of(revision: &RevisionRecord) -> PublishedRecord {
    PublishedRecord {
        revision: revision.manifest.revision,
        manifest_sha256: revision.manifest_sha256.clone(),
        at: revision.at,
        confirmed: revision.confirmed,
        place: revision.place,
        history_seen: revision.history_seen,
    }
}

/// Marks orders as wanted whose download was claimed and that the journal does not know, or not as
/// published since; Align does not name them again. Releases fulfilled claims. Returns how many
/// orders became wanted.
fn take_claims(context: &AgentContext, store: &Store, now: WallMs) -> Result<usize, OpenError> {
    let mut taken = 0;
    for (job, claim) in claim::claims(&*context.disk, &context.layout).map_err(Fault::from)? {
        let key = claim.key();
        let text = "its download had been requested when the journal was lost";
        match store.order(&key)? {
            None => {
                taken += 1;
                let mut order = OrderRecord::new(key.clone(), claim.remote.clone(), now);
                order.listed = false;
                order.begun = order.evidence;
                store.atomically(|store| {
                    store.save(&order)?;
                    store.tell(&key, now, "rebuilt", text)
                })?;
            }
            Some(order) if order.is_wanted() => {}
            Some(order) if order.confirmed().is_some_and(|confirmed| confirmed >= claim.at) => {
                claim::release(&*context.disk, &context.layout, &job).map_err(Fault::from)?;
            }
            Some(mut order) => {
                taken += 1;
                order.evidence += 1;
                order.begun = order.evidence;
                order.trouble = None;
                store.atomically(|store| {
                    store.save(&order)?;
                    store.tell(&key, now, "rebuilt", text)
                })?;
            }
        }
    }
    Ok(taken)
}

/// Makes orders that waited for the output due at once.
fn retry_now(store: &Store, now: WallMs) -> Result<(), StoreError> {
    const ABOUT_OUTPUT: [&str; 3] = ["output-gone", "output-not-ready", "not-found"];
    for mut order in store.wanted()? {
        let Some(trouble) = &mut order.trouble else { continue };
        if ABOUT_OUTPUT.contains(&trouble.code.as_str())
            && trouble.next_try.is_some_and(|next| next > now)
        {
            trouble.next_try = Some(now);
            store.save(&order)?;
        }
    }
    Ok(())
}
