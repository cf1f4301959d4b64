//! Publications that were decided on: durable before the first rename, removed when the publication
//! is recorded.

use rusqlite::named_params;

use super::orders::key;
use super::{Store, StoreError, revisions, unreadable};
use casedrop_model::ids::OrderKey;
use casedrop_model::record::{Intent, IntentTarget};
use casedrop_model::step::Step;

impl Store {
    /// Records what is about to be published.
    pub fn save_intent(&self, intent: &Intent) -> Result<(), StoreError> {
        let (target, replaces) = match intent.target {
            IntentTarget::Fresh => ("fresh", None),
            IntentTarget::Replace(revision) => ("replace", Some(revision)),
            IntentTarget::Beside => ("beside", None),
        };
        let manifest = serde_json::to_string(&intent.manifest.without_names())
            .map_err(|error| unreadable("manifest", error))?;
        let sql = "INSERT OR REPLACE INTO intents (lab, account, order_id, manifest,
            manifest_sha256, evidence, job, target, replaces, history_seen, etag)
            VALUES (:lab, :account, :order_id, :manifest, :manifest_sha256, :evidence, :job,
                :target, :replaces, :history_seen, :etag)";
        let values = named_params! {
            ":lab": intent.key.lab.as_str(),
            ":account": intent.key.account.as_str(),
            ":order_id": intent.key.order.as_str(),
            ":manifest": manifest,
            ":manifest_sha256": intent.manifest_sha256,
            ":evidence": intent.evidence.cast_signed(),
            ":job": intent.job,
            ":target": target,
            ":replaces": replaces,
            ":history_seen": intent.history_seen,
            ":etag": intent.etag,
        };
        let steps = (Step::JournalIntent, Step::JournalIntentDurable);
        self.record(steps, || self.db.prepare_cached(sql)?.execute(values))?;
        Ok(())
    }

    /// Removes an intent.
    pub fn drop_intent(&self, key: &OrderKey) -> Result<(), StoreError> {
        let sql = "DELETE FROM intents WHERE lab = ?1 AND account = ?2 AND order_id = ?3";
        let keys = [key.lab.as_str(), key.account.as_str(), key.order.as_str()];
        let write = || self.db.prepare_cached(sql)?.execute(keys);
        if self.db.is_autocommit() {
            self.record((Step::JournalDropped, Step::JournalDroppedDurable), write)?;
        } else {
            // Part of recording the publication.
            write()?;
        }
        Ok(())
    }

    /// Returns everything that was about to be published when the agent last stopped.
    pub fn intents(&self) -> Result<Vec<Intent>, StoreError> {
        let sql = "SELECT lab, account, order_id, manifest, manifest_sha256, evidence, job, target,
            replaces, history_seen, etag FROM intents ORDER BY lab, account, order_id";
        let mut query = self.db.prepare_cached(sql)?;
        let mut rows = query.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let target: String = row.get(7)?;
            found.push(Intent {
                key: key(
                    &row.get::<_, String>(0)?,
                    &row.get::<_, String>(1)?,
                    &row.get::<_, String>(2)?,
                )?,
                manifest: revisions::manifest(&row.get::<_, String>(3)?)?,
                manifest_sha256: row.get(4)?,
                evidence: row.get::<_, i64>(5)?.cast_unsigned(),
                job: row.get(6)?,
                target: match (target.as_str(), row.get::<_, Option<u32>>(8)?) {
                    ("fresh", _) => IntentTarget::Fresh,
                    ("beside", _) => IntentTarget::Beside,
                    ("replace", Some(revision)) => IntentTarget::Replace(revision),
                    _ => return Err(unreadable("intent", target)),
                },
                history_seen: row.get(9)?,
                etag: row.get(10)?,
            });
        }
        Ok(found)
    }
}
