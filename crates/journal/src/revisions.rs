//! Published revisions in the journal.

use rusqlite::{OptionalExtension as _, Row, ToSql, named_params, params};

use super::orders::{key, place};
use super::{Store, StoreError, unreadable};
use casedrop_model::findings::FindingCounts;
use casedrop_model::ids::OrderKey;
use casedrop_model::manifest::{Manifest, Severity};
use casedrop_model::record::{Intent, OrderRecord, Place};
use casedrop_model::time::{WallMs, millis};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRecord {
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: String,
    pub place: Place,
    pub at: WallMs,
    /// When Align last served its content.
    pub confirmed: WallMs,
    /// How many steps of Align's status history it covers.
    pub history_seen: u32,
    /// Whether it was found on disk without any record in a journal: anyone may have put it there,
    /// so the agent never removes it.
    pub is_found: bool,
}

pub(super) const COLUMNS: &str =
    "manifest, manifest_sha256, place, published_ms, confirmed_ms, history_seen";

const SELECT: &str = "SELECT manifest, manifest_sha256, place, published_ms, confirmed_ms,
    history_seen, found FROM revisions WHERE lab = ?1 AND account = ?2 AND order_id = ?3";

impl Store {
    /// Returns every published revision of an order, oldest first.
    pub fn revisions(&self, key: &OrderKey) -> Result<Vec<RevisionRecord>, StoreError> {
        let values: &[&dyn ToSql] =
            &[&key.lab.as_str(), &key.account.as_str(), &key.order.as_str()];
        self.gather(&format!("{SELECT} ORDER BY revision"), values, read)
    }

    /// Returns the newest revision published at the order's own path.
    pub fn newest_at_main(&self, key: &OrderKey) -> Result<Option<RevisionRecord>, StoreError> {
        let sql = format!("{SELECT} AND place = 'main' ORDER BY revision DESC LIMIT 1");
        let mut query = self.db.prepare_cached(&sql)?;
        let keys = [key.lab.as_str(), key.account.as_str(), key.order.as_str()];
        let row = query.query_row(keys, |row| Ok(read(row))).optional()?;
        row.transpose()
    }

    /// Returns the sizes in bytes of the latest publications of any order.
    pub fn recent_sizes(&self, count: u32) -> Result<Vec<u64>, StoreError> {
        let sql = "SELECT manifest FROM revisions ORDER BY published_ms DESC LIMIT ?1";
        let mut query = self.db.prepare_cached(sql)?;
        let mut rows = query.query([count])?;
        let mut sizes = Vec::new();
        while let Some(row) = rows.next()? {
            sizes.push(manifest(&row.get::<_, String>(0)?)?.bytes());
        }
        Ok(sizes)
    }

    /// Whether a manifest of an order is known, from a publication or an intent. One that was
    /// merely found on disk is not.
    pub fn knows_manifest(&self, key: &OrderKey, sha256: &str) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM revisions WHERE lab = ?1 AND account = ?2
                AND order_id = ?3 AND manifest_sha256 = ?4 AND NOT found)
            OR EXISTS (SELECT 1 FROM intents WHERE lab = ?1 AND account = ?2
                AND order_id = ?3 AND manifest_sha256 = ?4)";
        let keys = [key.lab.as_str(), key.account.as_str(), key.order.as_str(), sha256];
        Ok(self.db.prepare_cached(sql)?.query_row(keys, |row| row.get(0))?)
    }

    /// Counts the orders with a revision that was merely found on disk.
    pub fn found_orders(&self) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM
            (SELECT DISTINCT lab, account, order_id FROM revisions WHERE found AND NOT gone)";
        let count: i64 = self.db.query_row(sql, [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Calls `take` for every revision of every order.
    pub fn each_revision(
        &self,
        mut take: impl FnMut(OrderKey, RevisionRecord) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT manifest, manifest_sha256, place, published_ms, confirmed_ms,
            history_seen, lab, account, order_id, found FROM revisions";
        let mut query = self.db.prepare_cached(sql)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let text = |index| row.get::<_, String>(index);
            take(key(&text(6)?, &text(7)?, &text(8)?)?, read(row)?)?;
        }
        Ok(())
    }

    /// Saves a revision that was published without this journal's knowledge.
    pub fn save_revision(
        &self,
        key: &OrderKey,
        revision: &RevisionRecord,
    ) -> Result<(), StoreError> {
        let manifest = serde_json::to_string(&revision.manifest.without_names())
            .map_err(|error| unreadable("manifest", error))?;
        let sql = "INSERT OR REPLACE INTO revisions (lab, account, order_id, revision, manifest,
            manifest_sha256, published_ms, confirmed_ms, place, history_seen, serious, findings,
            found)
            VALUES (:lab, :account, :order_id, :revision, :manifest, :manifest_sha256,
                :published_ms, :confirmed_ms, :place, :history_seen, :serious, :findings, :found)";
        let (serious, findings) = finding_columns(&revision.manifest);
        self.db.prepare_cached(sql)?.execute(named_params! {
            ":lab": key.lab.as_str(),
            ":account": key.account.as_str(),
            ":order_id": key.order.as_str(),
            ":revision": revision.manifest.revision,
            ":manifest": manifest,
            ":manifest_sha256": revision.manifest_sha256,
            ":published_ms": revision.at.0,
            ":confirmed_ms": revision.confirmed.0,
            ":place": revision.place.as_str(),
            ":history_seen": revision.history_seen,
            ":serious": serious,
            ":findings": findings,
            ":found": revision.is_found,
        })?;
        Ok(())
    }

    /// Records atomically that an intended publication is durable on disk: the revision, the order
    /// as given, and the end of the intent.
    pub fn record_publication(
        &self,
        order: &OrderRecord,
        intent: &Intent,
        at: WallMs,
    ) -> Result<(), StoreError> {
        let manifest = serde_json::to_string(&intent.manifest.without_names())
            .map_err(|error| unreadable("manifest", error))?;
        self.atomically(|store| {
            let counted = millis(store.counted()?);
            if intent.target.place() == Place::Main {
                // From now on the previous one counts as replaced.
                let sql = "UPDATE revisions SET counted_ms = ?4
                    WHERE lab = ?1 AND account = ?2 AND order_id = ?3 AND revision = (
                        SELECT MAX(revision) FROM revisions
                        WHERE lab = ?1 AND account = ?2 AND order_id = ?3 AND place = 'main')";
                let key = &order.key;
                store.db.prepare_cached(sql)?.execute(params![
                    key.lab.as_str(),
                    key.account.as_str(),
                    key.order.as_str(),
                    counted,
                ])?;
            }
            let sql =
                "INSERT OR REPLACE INTO revisions (lab, account, order_id, revision, manifest,
                manifest_sha256, published_ms, confirmed_ms, place, history_seen, counted_ms,
                serious, findings)
                VALUES (:lab, :account, :order_id, :revision, :manifest, :manifest_sha256,
                    :published_ms, :confirmed_ms, :place, :history_seen, :counted_ms, :serious,
                    :findings)";
            let confirmed = order.published.as_ref().map_or(at, |published| published.confirmed);
            let (serious, findings) = finding_columns(&intent.manifest);
            store.db.prepare_cached(sql)?.execute(named_params! {
                ":lab": order.key.lab.as_str(),
                ":account": order.key.account.as_str(),
                ":order_id": order.key.order.as_str(),
                ":revision": intent.manifest.revision,
                ":manifest": manifest,
                ":manifest_sha256": intent.manifest_sha256,
                ":published_ms": at.0,
                ":confirmed_ms": confirmed.0,
                ":place": intent.target.place().as_str(),
                ":history_seen": intent.history_seen,
                ":counted_ms": counted,
                ":serious": serious,
                ":findings": findings,
            })?;
            store.save(order)?;
            store.drop_intent(&order.key)
        })
    }

    /// Records atomically that Align still serves what is already published. From now on its origin
    /// is known, no matter who put it there.
    pub fn record_unchanged(&self, order: &OrderRecord) -> Result<(), StoreError> {
        self.atomically(|store| {
            if let Some(published) = &order.published {
                let sql = "UPDATE revisions SET confirmed_ms = ?5, history_seen = ?6,
                    found = 0 WHERE lab = ?1 AND account = ?2 AND order_id = ?3 AND revision = ?4";
                store.db.prepare_cached(sql)?.execute(params![
                    order.key.lab.as_str(),
                    order.key.account.as_str(),
                    order.key.order.as_str(),
                    published.revision,
                    published.confirmed.0,
                    published.history_seen,
                ])?;
            }
            store.save(order)
        })
    }
}

/// Returns the number of serious findings, and all findings by code, as stored in the journal:
/// without names.
pub(super) fn finding_columns(manifest: &Manifest) -> (u32, Option<String>) {
    let counts = FindingCounts::of(&manifest.findings);
    let text = (!counts.is_empty()).then(|| serde_json::to_string(&counts).unwrap_or_default());
    (counts.of_severity(Severity::Serious), text)
}

/// Parses a manifest from a row.
pub(super) fn manifest(text: &str) -> Result<Manifest, StoreError> {
    Manifest::parse(text.as_bytes()).map_err(|refusal| unreadable("manifest", refusal))
}

pub(super) fn read(row: &Row<'_>) -> Result<RevisionRecord, StoreError> {
    let manifest = manifest(&row.get::<_, String>(0)?)?;
    Ok(RevisionRecord {
        manifest,
        manifest_sha256: row.get(1)?,
        place: place(&row.get::<_, String>(2)?)?,
        at: WallMs(row.get(3)?),
        confirmed: WallMs(row.get(4)?),
        history_seen: row.get(5)?,
        is_found: row.get("found")?,
    })
}
