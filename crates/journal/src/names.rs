//! Removes file names that could name a person from a journal written by an earlier version.

use rusqlite::{Connection, Transaction};

use super::{StoreError, unreadable};
use casedrop_model::manifest::Manifest;

/// Replaces names in all manifests by their stand-ins. Returns how many manifests changed.
pub(super) fn replace(tx: &Transaction<'_>) -> Result<usize, StoreError> {
    let mut changed = 0;
    for table in ["revisions", "intents", "holds"] {
        let mut found = Vec::new();
        {
            let sql = format!("SELECT rowid, manifest, order_id FROM {table}");
            let mut query = tx.prepare(&sql)?;
            let mut rows = query.query([])?;
            while let Some(row) = rows.next()? {
                let text: String = row.get(1)?;
                // An unreadable one is left for the journal's check to find.
                let Ok(manifest) = serde_json::from_str::<Manifest>(&text) else { continue };
                let without = manifest.without_names();
                if without != manifest {
                    let text = serde_json::to_string(&without);
                    let text = text.map_err(|error| unreadable("manifest", error))?;
                    found.push((row.get::<_, i64>(0)?, text));
                    in_stories(tx, &row.get::<_, String>(2)?, &manifest, &without)?;
                }
            }
        }
        let mut write =
            tx.prepare(&format!("UPDATE {table} SET manifest = ?2 WHERE rowid = ?1"))?;
        for (row, text) in &found {
            write.execute(rusqlite::params![row, text])?;
        }
        changed += found.len();
    }
    Ok(changed)
}

/// Does the same in event logs, where a disk fault quoted a file of that order.
fn in_stories(
    tx: &Transaction<'_>,
    order: &str,
    manifest: &Manifest,
    without: &Manifest,
) -> Result<(), StoreError> {
    let parts = |path: &str| path.split('/').map(str::to_owned).collect::<Vec<_>>();
    for (file, other) in manifest.files.iter().zip(&without.files) {
        for (name, number) in parts(&file.path).iter().zip(parts(&other.path)) {
            if *name == number {
                continue;
            }
            for (table, column) in [("events", "text"), ("orders", "fault_text")] {
                let sql = format!(
                    "UPDATE {table} SET {column} = replace({column}, ?2, ?3)
                     WHERE order_id = ?1 AND instr({column}, ?2) > 0"
                );
                tx.prepare_cached(&sql)?.execute([order, name, &number])?;
            }
        }
    }
    Ok(())
}

/// Removes the replaced names from the file too. If that is not possible now, for lack of space for
/// example, they stay in unused pages until overwritten.
pub(super) fn forget(db: &Connection) {
    let forgotten = db
        .execute_batch("VACUUM")
        .and_then(|()| db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())));
    if let Err(error) = forgotten {
        tracing::warn!("former names of files stay in unused parts of the journal: {error}");
    }
}

#[cfg(test)]
mod tests {
    use casedrop_model::path::RelPath;

    use super::super::{FILE_NAME, Store, schema};

    /// The bytes of a journal and its log.
    fn bytes(dir: &std::path::Path) -> Vec<u8> {
        let files = std::fs::read_dir(dir).expect("listed");
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            std::fs::read(entry.expect("an entry").path()).expect("read")
        };
        files.flat_map(read).collect()
    }

    fn holds(dir: &std::path::Path, word: &str) -> bool {
        bytes(dir).windows(word.len()).any(|window| window == word.as_bytes())
    }

    #[test]
    fn a_journal_of_a_former_version_is_opened_and_cleaned() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join(FILE_NAME);
        let db = schema::of_version(&file, 9);
        let key = casedrop_testing::key();
        let mut manifest = casedrop_testing::manifest_of(1, &[("a.stl", "mesh")]);
        manifest.files[0].path = RelPath::parse("Zzyzx_Marker_u.stl").expect("portable");
        manifest.files[0].original_name = Some("Zzyzx Marker/u?.stl".to_owned());
        manifest.left_out = vec!["__MACOSX/Zzyzx.stl".to_owned()];
        let text = serde_json::to_string(&manifest).expect("JSON");
        let insert = "INSERT INTO revisions (lab, account, order_id, revision, manifest,
            manifest_sha256, published_ms, confirmed_ms, place, history_seen)
            VALUES (?1, ?2, ?3, 1, ?4, 'ab', 1, 1, 'main', 0)";
        let keys = [key.lab.as_str(), key.account.as_str(), key.order.as_str(), &text];
        db.execute(insert, keys).expect("written");
        let line = "INSERT INTO events (at_ms, lab, account, order_id, kind, text)
            VALUES (1, ?1, ?2, ?3, 'failed', 'cannot write /x/17/Zzyzx_Marker_u.stl: full')";
        db.execute(line, [keys[0], keys[1], keys[2]]).expect("written");
        db.execute_batch("CREATE TABLE old (text TEXT); DROP TABLE old").expect("changed");
        drop(db);
        assert!(holds(dir.path(), "Zzyzx"), "planted");

        let store = Store::open(&file).expect("opened");
        let revisions = store.revisions(&key).expect("read");
        assert_eq!(revisions[0].manifest, manifest.without_names());
        assert!(revisions[0].manifest.same_content(&manifest.files), "it is known again");
        let story = store.story(&key).expect("read");
        assert!(story[0].text.starts_with("cannot write /x/17/n"), "{story:?}");
        drop(store);
        assert!(!holds(dir.path(), "Zzyzx"), "also from unused pages");
    }
}
