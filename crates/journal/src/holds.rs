//! Revisions that are held back: fetched, checked and kept in staging until a person decides.

use std::collections::BTreeMap;

use rusqlite::{Row, ToSql, named_params};

use super::orders::key;
use super::revisions::{finding_columns, manifest};
use super::{Store, StoreError, unreadable};
use casedrop_model::findings::FindingCounts;
use casedrop_model::ids::OrderKey;
use casedrop_model::manifest::Manifest;
use casedrop_model::record::{HeldRecord, OrderRecord};
use casedrop_model::time::WallMs;

/// A revision that is held back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub key: OrderKey,
    /// Its manifest, as stored next to its files.
    pub manifest: Manifest,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: String,
    /// The name of its directory below the `held` directory of staging.
    pub dir: String,
    /// The evidence it covers.
    pub evidence: u64,
    /// How many steps of Align's status history it covers.
    pub history_seen: u32,
    /// The tag of the fetched package.
    pub etag: Option<String>,
    /// When it was first held back.
    pub at: WallMs,
    /// When Align last served its content.
    pub confirmed: WallMs,
    /// A user wants it published anyway.
    pub released: bool,
}

impl Held {
    /// Returns what the order's record keeps of it.
    pub fn record(&self) -> HeldRecord {
        HeldRecord {
            revision: self.manifest.revision,
            at: self.at,
            confirmed: self.confirmed,
            released: self.released,
            findings: FindingCounts::of(&self.manifest.findings),
        }
    }
}

const SELECT: &str = "SELECT lab, account, order_id, manifest, manifest_sha256, dir, evidence,
    history_seen, etag, at_ms, confirmed_ms, released FROM holds";

impl Store {
    /// Records a revision that is held back, replacing an older one. The caller must save the order
    /// with it.
    pub fn hold(&self, held: &Held) -> Result<(), StoreError> {
        let manifest = serde_json::to_string(&held.manifest.without_names())
            .map_err(|error| unreadable("manifest", error))?;
        let (serious, findings) = finding_columns(&held.manifest);
        let sql = "INSERT OR REPLACE INTO holds (lab, account, order_id, manifest,
            manifest_sha256, revision, serious, findings, dir, evidence, history_seen, etag, at_ms,
            confirmed_ms, released)
            VALUES (:lab, :account, :order_id, :manifest, :manifest_sha256, :revision, :serious,
                :findings, :dir, :evidence, :history_seen, :etag, :at_ms, :confirmed_ms,
                :released)";
        self.db.prepare_cached(sql)?.execute(named_params! {
            ":lab": held.key.lab.as_str(),
            ":account": held.key.account.as_str(),
            ":order_id": held.key.order.as_str(),
            ":manifest": manifest,
            ":manifest_sha256": held.manifest_sha256,
            ":revision": held.manifest.revision,
            ":serious": serious,
            ":findings": findings.unwrap_or_else(|| "[]".to_owned()),
            ":dir": held.dir,
            ":evidence": held.evidence.cast_signed(),
            ":history_seen": held.history_seen,
            ":etag": held.etag,
            ":at_ms": held.at.0,
            ":confirmed_ms": held.confirmed.0,
            ":released": held.released,
        })?;
        Ok(())
    }

    /// Returns what is held back for an order.
    pub fn held(&self, key: &OrderKey) -> Result<Option<Held>, StoreError> {
        let values: &[&dyn ToSql] =
            &[&key.lab.as_str(), &key.account.as_str(), &key.order.as_str()];
        let rest = "WHERE lab = ?1 AND account = ?2 AND order_id = ?3";
        Ok(self.gather(&format!("{SELECT} {rest}"), values, read)?.into_iter().next())
    }

    /// Returns everything that is held back, longest first.
    pub fn holds(&self) -> Result<Vec<Held>, StoreError> {
        self.gather(&format!("{SELECT} ORDER BY at_ms, order_id"), &[], read)
    }

    /// Returns the orders whose held-back revision a user wants published.
    pub fn released(&self) -> Result<Vec<OrderKey>, StoreError> {
        let sql = "SELECT lab, account, order_id FROM holds WHERE released ORDER BY at_ms";
        self.gather(sql, &[], |row| {
            let text = |index| row.get::<_, String>(index);
            key(&text(0)?, &text(1)?, &text(2)?)
        })
    }

    /// Records that a user wants it published anyway. Returns whether anything is held back.
    pub fn release(&self, key: &OrderKey) -> Result<bool, StoreError> {
        let keys = [key.lab.as_str(), key.account.as_str(), key.order.as_str()];
        self.atomically(|store| {
            let sql = "UPDATE holds SET released = 1
                WHERE lab = ?1 AND account = ?2 AND order_id = ?3";
            let count = store.db.prepare_cached(sql)?.execute(keys)?;
            let sql = "UPDATE orders SET held = 2, fault_class = NULL
                WHERE lab = ?1 AND account = ?2 AND order_id = ?3";
            if count > 0 {
                store.db.prepare_cached(sql)?.execute(keys)?;
            }
            Ok(count > 0)
        })
    }

    /// Records that nothing is held back for the order any longer. The caller must save the order
    /// with it.
    pub fn drop_hold(&self, key: &OrderKey) -> Result<(), StoreError> {
        let sql = "DELETE FROM holds WHERE lab = ?1 AND account = ?2 AND order_id = ?3";
        let keys = [key.lab.as_str(), key.account.as_str(), key.order.as_str()];
        self.db.prepare_cached(sql)?.execute(keys)?;
        Ok(())
    }

    /// Records that what was held back is lost: the order is wanted again, and its event log says
    /// why.
    pub fn lose_hold(
        &self,
        mut order: OrderRecord,
        now: WallMs,
        why: &str,
    ) -> Result<(), StoreError> {
        order.evidence += 1;
        order.trouble = None;
        order.held = None;
        self.atomically(|store| {
            store.drop_hold(&order.key)?;
            store.drop_intent(&order.key)?;
            store.save(&order)?;
            store.tell(&order.key, now, "asked", why)
        })
    }

    /// Repairs what an older agent, which does not know about holds, wrote about orders.
    pub fn settle_holds(&self) -> Result<(), StoreError> {
        let sql = "UPDATE orders SET held = COALESCE((SELECT 1 + released FROM holds h
                WHERE h.lab = orders.lab AND h.account = orders.account
                AND h.order_id = orders.order_id), 0)
            WHERE held <> 0 OR EXISTS (SELECT 1 FROM holds h
                WHERE h.lab = orders.lab AND h.account = orders.account
                AND h.order_id = orders.order_id)";
        let any = "SELECT EXISTS (SELECT 1 FROM holds)";
        if self.db.query_row(any, [], |row| row.get::<_, bool>(0))? {
            self.db.prepare_cached(sql)?.execute([])?;
        }
        Ok(())
    }

    /// Counts, per lab, the orders whose last publication has a serious finding and was not removed
    /// since.
    pub fn incomplete(&self) -> Result<BTreeMap<String, u64>, StoreError> {
        let sql = "SELECT o.lab, count(*) FROM revisions r JOIN orders o
                ON o.lab = r.lab AND o.account = r.account AND o.order_id = r.order_id
                AND o.revision = r.revision
            WHERE r.serious > 0 AND o.retired <> 1 GROUP BY o.lab";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map([], |row| {
            let count: i64 = row.get(1)?;
            Ok((row.get(0)?, u64::try_from(count).unwrap_or(0)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn read(row: &Row<'_>) -> Result<Held, StoreError> {
    let text = |index| row.get::<_, String>(index);
    Ok(Held {
        key: key(&text(0)?, &text(1)?, &text(2)?)?,
        manifest: manifest(&text(3)?)?,
        manifest_sha256: text(4)?,
        dir: text(5)?,
        evidence: row.get::<_, i64>(6)?.cast_unsigned(),
        history_seen: row.get(7)?,
        etag: row.get(8)?,
        at: WallMs(row.get(9)?),
        confirmed: WallMs(row.get(10)?),
        released: row.get(11)?,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use rusqlite::Connection;

    use super::super::tests::order;
    use super::super::{FILE_NAME, Store};
    use super::*;
    use casedrop_model::finding_code::FindingCode;
    use casedrop_model::listing::OrderQuery;
    use casedrop_model::manifest::{Finding, Severity};
    use casedrop_model::record::{Intent, IntentTarget, OrderState, Place, PublishedRecord};

    fn manifest(id: &str, findings: Vec<Finding>) -> Manifest {
        let order_id = id.to_owned();
        Manifest { order_id, findings, ..casedrop_testing::manifest_of(1, &[]) }
    }

    fn serious() -> Vec<Finding> {
        let note =
            Finding::new(FindingCode::NamesGuessed, Severity::Note, "guessed").of("Mr Secret.jpg");
        vec![
            Finding::new(FindingCode::JawAbsent, Severity::Serious, "the lower jaw is missing"),
            note,
        ]
    }

    pub(crate) fn held(id: &str) -> Held {
        Held {
            key: order(id).key,
            manifest: manifest(id, serious()),
            manifest_sha256: "ab".to_owned(),
            dir: format!("lab~1~{id}~h1-00000001"),
            evidence: 1,
            history_seen: 2,
            etag: Some("\"tag\"".to_owned()),
            at: WallMs(5),
            confirmed: WallMs(6),
            released: false,
        }
    }

    fn hold(store: &Store, id: &str) -> Held {
        let held = held(id);
        let mut one = order(id);
        (one.fetched, one.held) = (one.evidence, Some(held.record()));
        store.hold(&held).expect("held");
        store.save(&one).expect("saved");
        held
    }

    /// As stored in the journal.
    fn without_names(held: Held) -> Held {
        Held { manifest: held.manifest.without_names(), ..held }
    }

    pub(in super::super) fn intent(id: &str, findings: Vec<Finding>) -> Intent {
        Intent {
            key: order(id).key,
            manifest: manifest(id, findings),
            manifest_sha256: "cd".to_owned(),
            evidence: 1,
            job: "job".to_owned(),
            target: IntentTarget::Fresh,
            history_seen: 0,
            etag: None,
        }
    }

    pub(in super::super) fn publish(store: &Store, id: &str, findings: Vec<Finding>) {
        let mut one = order(id);
        one.fetched = one.evidence;
        let intent = intent(id, findings);
        one.published = Some(PublishedRecord {
            revision: 1,
            manifest_sha256: "cd".to_owned(),
            at: WallMs(1),
            confirmed: WallMs(1),
            place: Place::Main,
            history_seen: 0,
        });
        store.record_publication(&one, &intent, WallMs(1)).expect("recorded");
    }

    #[test]
    fn what_is_held_back_is_remembered_until_it_is_released_and_dropped() {
        let store = Store::in_memory().expect("journal");
        let held = without_names(hold(&store, "17"));
        assert_eq!(store.held(&held.key).expect("read"), Some(held.clone()));
        assert_eq!(store.holds().expect("read"), std::slice::from_ref(&held));
        let record = store.order(&held.key).expect("read").expect("there");
        assert_eq!((record.held.clone(), record.state()), (Some(held.record()), OrderState::Held));
        assert_eq!(store.released().expect("read"), []);
        assert!(store.release(&held.key).expect("released"));
        assert_eq!(store.released().expect("read"), std::slice::from_ref(&held.key));
        let record = store.order(&held.key).expect("read").expect("there");
        assert!(record.needs_work() && !record.is_wanted());
        store.drop_hold(&held.key).expect("dropped");
        assert!(!store.release(&held.key).expect("there is none"));
        assert_eq!(store.order(&held.key).expect("read").expect("there").held, None);
    }

    #[test]
    fn incomplete_orders_are_chosen_and_counted_without_a_look_at_any_manifest() {
        let store = Store::in_memory().expect("journal");
        hold(&store, "17");
        publish(&store, "18", serious());
        publish(&store, "19", serious()[1..].to_vec());
        publish(&store, "20", Vec::new());
        let query = OrderQuery { incomplete: true, ..OrderQuery::default() };
        let page = store.list(&query).expect("listed");
        let mut found: Vec<_> = page.orders.iter().map(|one| one.key.order.as_str()).collect();
        found.sort_unstable();
        assert_eq!((found, page.total), (vec!["17", "18"], 2));
        let counts = |id: &str| store.find(id).expect("read")[0].findings.in_words();
        assert_eq!(counts("18"), "1 serious, 1 note");
        assert_eq!((counts("19").as_str(), counts("20").as_str()), ("1 note", ""));
        assert_eq!(store.incomplete().expect("read").get("lab"), Some(&1));
        let sql = "SELECT group_concat(findings) || group_concat(manifest)
            FROM (SELECT findings, manifest FROM revisions
            UNION ALL SELECT findings, manifest FROM holds)";
        let kept: String = store.db.query_row(sql, [], |row| row.get(0)).expect("read");
        assert!(kept.contains("jaw-absent") && !kept.contains("Secret"), "{kept}");
    }

    #[test]
    fn what_an_older_agent_forgot_of_an_order_is_put_right() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join(FILE_NAME);
        let store = Store::open(&file).expect("made");
        let held = without_names(hold(&store, "17"));
        drop(store);
        let db = Connection::open(&file).expect("opened");
        db.execute_batch("UPDATE orders SET held = 0").expect("as REPLACE leaves it");
        drop(db);
        let store = Store::open(&file).expect("opened");
        assert_eq!(store.count_by_state().expect("read").get("published"), Some(&1));
        store.settle_holds().expect("settled");
        assert_eq!(store.count_by_state().expect("read").get("held"), Some(&1));
        assert_eq!(store.held(&held.key).expect("read"), Some(held));
    }
}
