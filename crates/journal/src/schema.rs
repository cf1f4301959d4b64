//! The journal's tables, as a list of migration steps from the empty file to the newest version.

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};

use super::{StoreError, names};

/// Each step takes the journal from version `index` to `index + 1`. Released steps are never
/// edited; a change is a new step.
const STEPS: &[&str] = &[
    "
    CREATE TABLE meta (
        key   TEXT PRIMARY KEY,
        value TEXT NOT NULL
    ) STRICT;
    CREATE TABLE polls (
        account  TEXT PRIMARY KEY,
        asked_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE labs (
        lab          TEXT PRIMARY KEY,
        account      TEXT,
        account_name TEXT,
        good_poll_ms INTEGER,
        fault_code   TEXT,
        fault_text   TEXT,
        fault_hint   TEXT
    ) STRICT;
    CREATE TABLE orders (
        lab           TEXT NOT NULL,
        account       TEXT NOT NULL,
        order_id      TEXT NOT NULL,
        rx_id         TEXT,
        remote        TEXT NOT NULL,
        listed        INTEGER NOT NULL,
        evidence      INTEGER NOT NULL,
        fetched       INTEGER NOT NULL,
        forced        INTEGER NOT NULL,
        rechecks      INTEGER NOT NULL,
        first_seen_ms INTEGER NOT NULL,
        last_seen_ms  INTEGER NOT NULL,
        fault_class   TEXT,
        fault_code    TEXT,
        fault_text    TEXT,
        fault_hint    TEXT,
        attempts      INTEGER,
        since_ms      INTEGER,
        next_try_ms   INTEGER,
        revision      INTEGER,
        PRIMARY KEY (lab, account, order_id)
    ) STRICT;
    CREATE INDEX orders_by_id ON orders (order_id);
    CREATE INDEX orders_by_rx ON orders (rx_id);
    CREATE INDEX orders_wanted ON orders (lab) WHERE evidence > fetched OR forced;
    CREATE INDEX orders_listed ON orders (lab, account) WHERE listed;
    CREATE TABLE revisions (
        lab             TEXT NOT NULL,
        account         TEXT NOT NULL,
        order_id        TEXT NOT NULL,
        revision        INTEGER NOT NULL,
        manifest        TEXT NOT NULL,
        manifest_sha256 TEXT NOT NULL,
        published_ms    INTEGER NOT NULL,
        confirmed_ms    INTEGER NOT NULL,
        place           TEXT NOT NULL,
        history_seen    INTEGER NOT NULL,
        PRIMARY KEY (lab, account, order_id, revision)
    ) STRICT;
    CREATE TABLE intents (
        lab             TEXT NOT NULL,
        account         TEXT NOT NULL,
        order_id        TEXT NOT NULL,
        manifest        TEXT NOT NULL,
        manifest_sha256 TEXT NOT NULL,
        evidence        INTEGER NOT NULL,
        job             TEXT NOT NULL,
        target          TEXT NOT NULL,
        replaces        INTEGER,
        history_seen    INTEGER NOT NULL,
        etag            TEXT,
        PRIMARY KEY (lab, account, order_id)
    ) STRICT;
    CREATE TABLE events (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms    INTEGER NOT NULL,
        lab      TEXT NOT NULL,
        account  TEXT NOT NULL,
        order_id TEXT NOT NULL,
        kind     TEXT NOT NULL,
        text     TEXT NOT NULL
    ) STRICT;
    CREATE INDEX events_by_order ON events (order_id, lab, account);
    CREATE TABLE inbox (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms    INTEGER NOT NULL,
        lab      TEXT NOT NULL,
        account  TEXT NOT NULL,
        order_id TEXT NOT NULL
    ) STRICT;
",
    "
    ALTER TABLE polls ADD COLUMN wait_ms INTEGER NOT NULL DEFAULT 0;
",
    "
    ALTER TABLE polls ADD COLUMN answered INTEGER NOT NULL DEFAULT 1;
",
    "
    ALTER TABLE polls ADD COLUMN up_ms INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE orders ADD COLUMN away TEXT;
    ALTER TABLE orders ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE orders ADD COLUMN last_asked_ms INTEGER;
    ALTER TABLE orders ADD COLUMN ask_at_ms INTEGER;
    ALTER TABLE orders ADD COLUMN wait_ms INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE orders ADD COLUMN attention INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE orders ADD COLUMN not_converted INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE orders ADD COLUMN damaged INTEGER NOT NULL DEFAULT 0;
    UPDATE orders SET begun = evidence;
    UPDATE orders SET attention = 1 WHERE fault_class IS NOT NULL AND next_try_ms IS NULL;
    CREATE INDEX revisions_by_time ON revisions (published_ms);
    CREATE INDEX orders_to_ask ON orders (lab, account, ask_at_ms) WHERE ask_at_ms IS NOT NULL;
",
    "
    ALTER TABLE inbox ADD COLUMN kind TEXT NOT NULL DEFAULT 'refetch';
    ALTER TABLE inbox ADD COLUMN procedure TEXT;
    ALTER TABLE orders ADD COLUMN notified_ms INTEGER;
    ALTER TABLE orders ADD COLUMN retired INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX orders_retiring ON orders (lab) WHERE retired = 3;
    ALTER TABLE revisions ADD COLUMN counted_ms INTEGER;
    ALTER TABLE revisions ADD COLUMN gone INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX revisions_by_age ON revisions (counted_ms) WHERE NOT gone;
    ALTER TABLE orders ADD COLUMN notified_vain INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE notified (
        lab         TEXT NOT NULL,
        account     TEXT NOT NULL,
        rx_id       TEXT NOT NULL,
        first_ms    INTEGER NOT NULL,
        to_ask      INTEGER NOT NULL DEFAULT 0,
        attempts    INTEGER NOT NULL DEFAULT 0,
        next_try_ms INTEGER NOT NULL DEFAULT 0,
        wait_ms     INTEGER NOT NULL DEFAULT 0,
        attention   INTEGER NOT NULL DEFAULT 0,
        fault_code  TEXT,
        fault_text  TEXT,
        fault_hint  TEXT,
        PRIMARY KEY (lab, account, rx_id)
    ) STRICT;
    CREATE INDEX notified_due ON notified (lab, account, to_ask, next_try_ms);
    CREATE TABLE commands (
        id    TEXT PRIMARY KEY,
        at_ms INTEGER NOT NULL,
        what  TEXT NOT NULL,
        reply TEXT
    ) STRICT;
    ALTER TABLE labs ADD COLUMN fault_class TEXT;
    CREATE INDEX events_by_kind ON events (kind, id);
",
    // Computed, not stored: an older agent that continues with this journal keeps them correct too.
    "
    ALTER TABLE orders ADD COLUMN state TEXT GENERATED ALWAYS AS (
        CASE
        WHEN evidence <= fetched AND NOT forced THEN
            CASE
            WHEN retired = 1 THEN 'removed'
            WHEN json_valid(remote) AND json_extract(remote, '$.status')
                IN ('iTero Modeling', 'Scanning', 'iTero Milling') THEN 'away'
            ELSE 'published'
            END
        WHEN fault_class IS NULL THEN 'waiting'
        WHEN attention THEN 'attention'
        WHEN fault_class = 'not-converted' THEN 'regenerating'
        ELSE 'retrying'
        END) VIRTUAL;
    ALTER TABLE orders ADD COLUMN order_code TEXT GENERATED ALWAYS AS (
        CASE WHEN json_valid(remote) THEN json_extract(remote, '$.order_code') END) VIRTUAL;
    ALTER TABLE orders ADD COLUMN case_type TEXT GENERATED ALWAYS AS (
        CASE WHEN json_valid(remote) THEN json_extract(remote, '$.case_type') END) VIRTUAL;
    CREATE INDEX orders_by_state ON orders (state, last_seen_ms, order_id);
    CREATE INDEX orders_listing ON orders
        (last_seen_ms, order_id, rx_id, order_code, case_type, lab, account, state);
    CREATE INDEX revisions_by_lab ON revisions (lab, published_ms);
",
    "
    CREATE TABLE late_extras (
        lab         TEXT NOT NULL,
        account     TEXT NOT NULL,
        order_id    TEXT NOT NULL,
        kind        TEXT NOT NULL,
        tries       INTEGER NOT NULL,
        brief       INTEGER NOT NULL,
        next_try_ms INTEGER NOT NULL,
        wait_ms     INTEGER NOT NULL,
        PRIMARY KEY (lab, account, order_id, kind)
    ) STRICT;
",
    // `orders.held` is derived from `holds`; an older agent that writes an order drops it, and the
    // next start of a newer one repairs it.
    "
    ALTER TABLE revisions ADD COLUMN serious INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE revisions ADD COLUMN findings TEXT;
    CREATE INDEX revisions_serious ON revisions (lab, account, order_id, revision) WHERE serious > 0;
    CREATE TABLE holds (
        lab             TEXT NOT NULL,
        account         TEXT NOT NULL,
        order_id        TEXT NOT NULL,
        manifest        TEXT NOT NULL,
        manifest_sha256 TEXT NOT NULL,
        revision        INTEGER NOT NULL,
        serious         INTEGER NOT NULL,
        findings        TEXT NOT NULL,
        dir             TEXT NOT NULL,
        evidence        INTEGER NOT NULL,
        history_seen    INTEGER NOT NULL,
        etag            TEXT,
        at_ms           INTEGER NOT NULL,
        confirmed_ms    INTEGER NOT NULL,
        released        INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (lab, account, order_id)
    ) STRICT;
    ALTER TABLE orders ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
    DROP INDEX orders_by_state;
    DROP INDEX orders_listing;
    ALTER TABLE orders DROP COLUMN state;
    ALTER TABLE orders ADD COLUMN state TEXT GENERATED ALWAYS AS (
        CASE
        WHEN evidence <= fetched AND NOT forced AND held <> 2 THEN
            CASE
            WHEN held = 0 AND retired = 1 THEN 'removed'
            WHEN json_valid(remote) AND json_extract(remote, '$.status')
                IN ('iTero Modeling', 'Scanning', 'iTero Milling') THEN 'away'
            WHEN held = 1 THEN 'held'
            ELSE 'published'
            END
        WHEN fault_class IS NULL THEN 'waiting'
        WHEN attention THEN 'attention'
        WHEN fault_class = 'not-converted' THEN 'regenerating'
        ELSE 'retrying'
        END) VIRTUAL;
    CREATE INDEX orders_by_state ON orders (state, last_seen_ms, order_id);
    CREATE INDEX orders_listing ON orders
        (last_seen_ms, order_id, rx_id, order_code, case_type, lab, account, state);
",
    // Revisions that were found on disk and that no journal knew.
    "
    ALTER TABLE revisions ADD COLUMN found INTEGER NOT NULL DEFAULT 0;
",
    // Manifests have stand-ins for names; see WITHOUT_NAMES.
    "",
    // Due date and doctor: as Align answered last, else as the files fetched last say. An older
    // agent that writes an order drops what its files say, until they are fetched again.
    "
    ALTER TABLE orders ADD COLUMN prescription TEXT;
    ALTER TABLE orders ADD COLUMN due_date TEXT GENERATED ALWAYS AS (coalesce(
        CASE WHEN json_valid(remote) THEN json_extract(remote, '$.due_date') END,
        CASE WHEN json_valid(prescription) THEN json_extract(prescription, '$.due_date') END
    )) VIRTUAL;
    ALTER TABLE orders ADD COLUMN doctor TEXT GENERATED ALWAYS AS (coalesce(
        CASE WHEN json_valid(remote) THEN json_extract(remote, '$.doctor') END,
        CASE WHEN json_valid(prescription) THEN json_extract(prescription, '$.doctor') END
    )) VIRTUAL;
    CREATE INDEX orders_by_due ON orders (due_date, last_seen_ms DESC, order_id DESC);
",
    // An older agent that writes an order drops `picked_up_ms`; the next look of a newer one finds
    // it again.
    "
    ALTER TABLE orders ADD COLUMN picked_up_ms INTEGER;
    DROP INDEX orders_by_state;
    DROP INDEX orders_listing;
    ALTER TABLE orders DROP COLUMN state;
    ALTER TABLE orders ADD COLUMN state TEXT GENERATED ALWAYS AS (
        CASE
        WHEN evidence <= fetched AND NOT forced AND held <> 2 THEN
            CASE
            WHEN held = 0 AND retired = 1 THEN 'removed'
            WHEN json_valid(remote) AND json_extract(remote, '$.status')
                IN ('iTero Modeling', 'Scanning', 'iTero Milling') THEN 'away'
            WHEN held = 1 THEN 'held'
            WHEN picked_up_ms IS NOT NULL THEN 'picked-up'
            ELSE 'published'
            END
        WHEN fault_class IS NULL THEN
            CASE
            WHEN (evidence > fetched OR forced) AND revision IS NOT NULL AND retired <> 1
                AND picked_up_ms IS NULL THEN 'refetching'
            ELSE 'waiting'
            END
        WHEN attention THEN 'attention'
        WHEN fault_class = 'not-converted' THEN 'regenerating'
        ELSE 'retrying'
        END) VIRTUAL;
    CREATE INDEX orders_by_state ON orders (state, last_seen_ms, order_id);
    CREATE INDEX orders_listing ON orders (last_seen_ms, order_id, rx_id, order_code, case_type,
        lab, account, state, due_date, doctor);
",
];

/// The step after which no manifest in the journal names a person.
const WITHOUT_NAMES: usize = 9;

/// The lowest version whose agents can still read and write a journal of the newest version. An
/// agent that is rolled back after an update continues with the newer journal if this allows it. A
/// new step that only adds tables, indexes, and columns with a default leaves it unchanged; any
/// other step sets it to the step's own version.
const READABLE_BY: usize = 5;

/// The fact that stores [`READABLE_BY`] as the newest agent wrote it.
const READABLE_BY_FACT: &str = "readable-by";

/// Migrates the journal to the newest version: a new one in a single transaction, so that no reader
/// sees half of it, an old one in one transaction per step. A journal left by a newer agent is used
/// as it is, if that agent allows it.
pub(super) fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    let found = version(db)?;
    check_known(db, found)?;
    let mut replaced = 0;
    let each = if found == 0 { STEPS.len() } else { 1 };
    for last in (found..STEPS.len()).step_by(each).map(|first| first + each) {
        let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been faster since we checked.
        let found = version(&tx)?;
        for step in STEPS.iter().take(last).skip(found) {
            tx.execute_batch(step)?;
        }
        if (found..last).contains(&WITHOUT_NAMES) {
            replaced = names::replace(&tx)?;
        }
        if found < last {
            let sql = "INSERT OR REPLACE INTO meta (key, value) VALUES (?1, ?2)";
            tx.execute(sql, [READABLE_BY_FACT, &READABLE_BY.to_string()])?;
            tx.pragma_update(None, "user_version", u32::try_from(last).unwrap_or(u32::MAX))?;
            tx.commit()?;
        }
    }
    if replaced > 0 {
        names::forget(db);
    }
    Ok(())
}

/// Returns the journal's version; 0 for an empty file.
pub(super) fn version(db: &Connection) -> Result<usize, StoreError> {
    let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(found).unwrap_or(usize::MAX))
}

/// Refuses a journal written by a newer agent, unless that agent says that this one can work with
/// it.
pub(super) fn check_known(db: &Connection, found: usize) -> Result<(), StoreError> {
    let known = STEPS.len();
    if found <= known {
        return Ok(());
    }
    let sql = "SELECT value FROM meta WHERE key = ?1";
    let fact = db.query_row(sql, [READABLE_BY_FACT], |row| row.get::<_, String>(0)).optional();
    // We could not work with a journal that no longer has such a table.
    let readable_by = fact.ok().flatten().and_then(|text| text.parse::<usize>().ok());
    if readable_by.is_some_and(|lowest| lowest <= known) {
        return Ok(());
    }
    Err(StoreError::Newer { found, known })
}

/// Makes a journal as the agents of a former version left it.
#[cfg(test)]
pub(super) fn of_version(file: &std::path::Path, version: usize) -> Connection {
    let db = Connection::open(file).expect("made");
    db.pragma_update(None, "journal_mode", "wal").expect("set");
    for step in STEPS.iter().take(version) {
        db.execute_batch(step).expect("a step");
    }
    db.pragma_update(None, "user_version", u32::try_from(version).expect("few")).expect("set");
    db
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Depth, FILE_NAME, Store, StoreTrouble};
    use super::*;

    /// A journal as a newer agent leaves it.
    fn newer(sql: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join(FILE_NAME);
        let store = Store::open(&file).expect("made");
        store.save(&super::super::tests::order("17")).expect("saved");
        drop(store);
        let db = Connection::open(&file).expect("opened");
        db.execute_batch(sql).expect("changed");
        db.pragma_update(None, "user_version", 99).expect("set");
        (dir, file)
    }

    #[test]
    fn processes_that_make_a_journal_at_the_same_time_do_not_disturb_each_other() {
        for _ in 0..10 {
            let dir = tempfile::tempdir().expect("tempdir");
            let file = dir.path().join(FILE_NAME);
            let barrier = std::sync::Barrier::new(6);
            std::thread::scope(|scope| {
                for _ in 0..6 {
                    scope.spawn(|| {
                        barrier.wait();
                        drop(Store::open(&file).expect("opened"));
                    });
                }
            });
        }
    }

    fn open(file: &std::path::Path) -> Result<Store, StoreError> {
        Store::open_checked(file, Duration::ZERO, Depth::Quick)
    }

    #[test]
    fn an_older_journal_is_opened_and_its_orders_get_a_due_date_and_a_doctor() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join(FILE_NAME);
        let old = super::super::tests::order("17");
        let mut remote = serde_json::to_value(&old.remote).expect("JSON");
        let fields = remote.as_object_mut().expect("an object");
        // As agents of that version wrote it.
        assert!(fields.remove("due_date").is_some() && fields.remove("doctor").is_some());
        let db = of_version(&file, 10);
        let sql = "INSERT INTO orders (lab, account, order_id, remote, listed, evidence, fetched,
            forced, rechecks, first_seen_ms, last_seen_ms) VALUES ('lab', '1', '17', ?1, 1, 1, 1,
            0, 0, 7, 7)";
        db.execute(sql, [remote.to_string()]).expect("written");
        drop(db);

        let store = open(&file).expect("opened");
        let mut read = store.order(&old.key).expect("read").expect("there");
        assert_eq!((read.due_date(), read.doctor(), &read.remote), (None, None, &old.remote));
        let query = casedrop_model::listing::OrderQuery {
            words: vec!["muster".to_owned()],
            ..Default::default()
        };
        assert_eq!(store.list(&query).expect("listed").total, 0);
        read.prescription.doctor = Some("Muster, Jo".to_owned());
        store.save(&read).expect("saved");
        assert_eq!(store.list(&query).expect("listed").orders, [read]);
    }

    #[test]
    fn a_newer_journal_is_used_as_it_is_where_its_agent_allows_it() {
        let (_dir, file) = newer("ALTER TABLE orders ADD COLUMN new TEXT NOT NULL DEFAULT 'x'");
        let store = open(&file).expect("it says that version 5 can work with it");
        store.save(&super::super::tests::order("18")).expect("saved");
        drop(store);
        drop(Store::open(&file).expect("opened again"));
        let db = Connection::open(&file).expect("opened");
        assert_eq!(version(&db).expect("read"), 99, "nothing was migrated, up or down");
        let new = "SELECT count(*) FROM orders WHERE new = 'x'";
        let rows: u32 = db.query_row(new, [], |row| row.get(0)).expect("read");
        assert_eq!(rows, 2);
    }

    #[test]
    fn a_newer_journal_is_refused_where_its_agent_does_not_allow_it() {
        for sql in [
            "UPDATE meta SET value = '90' WHERE key = 'readable-by'",
            "UPDATE meta SET value = 'soon' WHERE key = 'readable-by'",
            "DELETE FROM meta WHERE key = 'readable-by'",
            "DROP TABLE meta",
        ] {
            let (_dir, file) = newer(sql);
            let error = open(&file).err().expect("refused");
            assert_eq!(error.kind(), StoreTrouble::Newer, "{sql}");
        }
    }
}
