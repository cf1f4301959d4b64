//! Checks a journal for damage before an agent works with it.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::{Store, StoreError, StoreTrouble, connect, schema, turn_to_make};

/// Opens a journal without changing it, and reads its version.
fn open(file: &Path, busy: Duration) -> Result<(Connection, usize), StoreError> {
    let db = connect(file, OpenFlags::default())?;
    db.busy_timeout(busy)?;
    keep_log_on_close(&db, true)?;
    let found = schema::version(&db)?;
    Ok((db, found))
}

/// How thoroughly to check a journal before it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// All pages and all rows: takes a few seconds for a million files.
    Quick,
    /// Also the indexes.
    Thorough,
}

impl Store {
    /// Opens an existing journal after checking all of it. If that finds damage, nothing is
    /// changed, not even the contents of the write-ahead log.
    ///
    /// # Errors
    /// Of kind [`Damaged`](super::StoreTrouble::Damaged) if the journal must be rebuilt.
    pub fn open_checked(file: &Path, busy: Duration, depth: Depth) -> Result<Self, StoreError> {
        let mut opened = open(file, busy);
        let is_half_made = match &opened {
            Ok((_, found)) => *found == 0,
            Err(error) => error.kind() == StoreTrouble::Damaged,
        };
        if is_half_made {
            drop(opened);
            // Another process may be creating it.
            let _turn = turn_to_make(file, busy);
            opened = open(file, busy);
        }
        let (db, found) = opened?;
        schema::check_known(&db, found)?;
        if found == 0 {
            return Err(StoreError::Damaged("it is empty".to_owned()));
        }
        let pragma = match depth {
            Depth::Quick => "quick_check",
            Depth::Thorough => "integrity_check",
        };
        let said: String = db.query_row(&format!("PRAGMA {pragma}(1)"), [], |row| row.get(0))?;
        if said != "ok" {
            // It may span several lines.
            let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
            return Err(StoreError::Damaged(said));
        }
        let store = Self::prepare(db, busy)?;
        store.check_tables()?;
        store.check_rows()?;
        keep_log_on_close(&store.db, false)?;
        Ok(store)
    }

    /// Returns what is wrong with the journal's pages; `None` if nothing is. Safe to call while an
    /// agent runs; changes nothing.
    pub fn quick_check(&self) -> Result<Option<String>, StoreError> {
        let said: String = self.db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((said != "ok").then(|| said.split_whitespace().collect::<Vec<_>>().join(" ")))
    }

    /// Returns the number of rows of each table, by table name.
    pub fn row_counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
        let mut query = self.db.prepare(sql)?;
        let names = query.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        let mut counts = Vec::new();
        for name in names.into_iter().filter(|name| !name.starts_with("sqlite_")) {
            let sql = format!("SELECT count(*) FROM \"{name}\"");
            let count: i64 = self.db.query_row(&sql, [], |row| row.get(0))?;
            counts.push((name, u64::try_from(count).unwrap_or(0)));
        }
        Ok(counts)
    }

    /// Checks that every table and column created by this version exists.
    fn check_tables(&self) -> Result<(), StoreError> {
        let fresh = Self::in_memory()?;
        let wanted = columns(&fresh.db)?;
        let found = columns(&self.db)?;
        match wanted.iter().find(|column| !found.contains(column)) {
            None => Ok(()),
            Some((table, column)) => {
                Err(StoreError::Damaged(format!("{table}.{column} is missing")))
            }
        }
    }

    /// Reads everything once, as the agent will.
    fn check_rows(&self) -> Result<(), StoreError> {
        self.orders()?;
        self.each_revision(|_, _| Ok(()))?;
        self.intents()?;
        self.holds()?;
        self.asked()?;
        self.notified(usize::MAX)?;
        self.labs()?;
        let polls = "SELECT asked_ms, wait_ms FROM polls";
        let mut polls = self.db.prepare(polls)?;
        let read = polls.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        read.collect::<Result<Vec<(i64, i64)>, _>>()?;
        let mut facts = self.db.prepare("SELECT key, value FROM meta")?;
        let read = facts.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        read.collect::<Result<Vec<(String, String)>, _>>()?;
        Ok(())
    }
}

/// Sets whether closing leaves the write-ahead log as it is.
pub(super) fn keep_log_on_close(db: &Connection, keep: bool) -> Result<(), StoreError> {
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, keep)?;
    Ok(())
}

fn columns(db: &Connection) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
        WHERE t.type = 'table' ORDER BY t.name, c.name";
    let mut query = db.prepare(sql)?;
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::super::FILE_NAME;
    use super::*;

    fn journal() -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join(FILE_NAME);
        let store = Store::open(&file).expect("made");
        for number in 0..200 {
            store.save(&super::super::tests::order(&format!("{number}"))).expect("saved");
        }
        drop(store);
        (dir, file)
    }

    fn kind(file: &Path) -> StoreTrouble {
        let busy = Duration::from_millis(50);
        let error = Store::open_checked(file, busy, Depth::Quick).err().expect("refused");
        assert!(!error.hint().is_empty());
        error.kind()
    }

    #[test]
    fn a_sound_journal_passes_both_checks() {
        let (_dir, file) = journal();
        for depth in [Depth::Quick, Depth::Thorough] {
            let store = Store::open_checked(&file, Duration::ZERO, depth).expect("sound");
            assert_eq!(store.orders().expect("read").len(), 200);
        }
    }

    #[test]
    fn a_journal_can_be_looked_over_beside_its_agent() {
        let (_dir, file) = journal();
        let agent = Store::open(&file).expect("opened");
        let store = Store::open_to_read(&file).expect("opened").expect("there");
        assert_eq!(store.quick_check().expect("asked"), None);
        let counts = store.row_counts().expect("counted");
        assert!(counts.contains(&("orders".to_owned(), 200)), "{counts:?}");
        drop((store, agent));
        let mut bytes = std::fs::read(&file).expect("read");
        let middle = bytes.len() / 2;
        bytes[middle..middle + 4096].fill(0xA5);
        std::fs::write(&file, &bytes).expect("written");
        let store = Store::open_to_read(&file).expect("opened").expect("there");
        assert!(!matches!(store.quick_check(), Ok(None)));
    }

    #[test]
    fn every_kind_of_damage_is_found() {
        let damage: [fn(&mut Vec<u8>); 5] = [
            Vec::clear,
            |bytes| bytes[..64].fill(b'x'),
            |bytes| bytes.truncate(bytes.len() / 2),
            |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle..middle + 4096].fill(0xA5);
            },
            |bytes| bytes.truncate(100),
        ];
        for damage in damage {
            let (_dir, file) = journal();
            let mut bytes = std::fs::read(&file).expect("read");
            damage(&mut bytes);
            std::fs::write(&file, &bytes).expect("written");
            assert_eq!(kind(&file), StoreTrouble::Damaged);
            assert_eq!(std::fs::read(&file).expect("read"), bytes, "nothing is changed");
        }
    }

    #[test]
    fn a_dropped_table_and_a_row_that_makes_no_sense_are_damage() {
        for sql in ["DROP TABLE intents", "UPDATE orders SET remote = '{' WHERE order_id = '17'"] {
            let (_dir, file) = journal();
            Connection::open(&file).expect("opened").execute_batch(sql).expect("done");
            assert_eq!(kind(&file), StoreTrouble::Damaged, "{sql}");
        }
    }

    #[test]
    fn a_locked_journal_is_not_damaged() {
        let (_dir, file) = journal();
        let viewer = Connection::open(&file).expect("opened");
        viewer.pragma_update(None, "locking_mode", "EXCLUSIVE").expect("set");
        viewer.execute_batch("BEGIN EXCLUSIVE").expect("locked");
        assert_eq!(kind(&file), StoreTrouble::Locked);
    }

    #[test]
    fn a_journal_that_another_process_makes_is_not_damaged() {
        use casedrop_disk::{Disk as _, RealDisk};

        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join(FILE_NAME);
        let turn = RealDisk.lock(&file.with_extension("lock")).expect("locked");
        std::fs::write(&file, "").expect("begun");
        let busy = Duration::from_secs(60);
        std::thread::scope(|scope| {
            let opened = scope.spawn(|| Store::open_checked(&file, busy, Depth::Quick));
            std::thread::sleep(Duration::from_millis(100));
            let db = connect(&file, OpenFlags::default()).expect("opened");
            drop(Store::prepare(db, busy).expect("made"));
            drop(turn);
            drop(opened.join().expect("no panic").expect("whole"));
        });
    }

    #[test]
    fn a_folder_in_its_place_cannot_be_opened() {
        let dir = tempfile::tempdir().expect("tempdir");
        assert_eq!(kind(dir.path()), StoreTrouble::Forbidden);
    }
}
