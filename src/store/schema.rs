//! The journal's tables, as a list of steps from the empty file to the newest version.

use rusqlite::Connection;

use super::StoreError;

/// Each step brings the journal from version `index` to `index + 1`. Steps are never edited once
/// released; a change is a new step.
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
];

/// Brings the journal to the newest version, one step and one transaction at a time.
pub(super) fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    let found = version(db)?;
    check_known(found)?;
    for (version, step) in STEPS.iter().enumerate().skip(found) {
        let tx = db.transaction()?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", u32::try_from(version + 1).unwrap_or(u32::MAX))?;
        tx.commit()?;
    }
    Ok(())
}

/// The journal's version; 0 for an empty file.
pub(super) fn version(db: &Connection) -> Result<usize, StoreError> {
    let found: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(found).unwrap_or(usize::MAX))
}

/// Refuses what a newer agent wrote.
pub(super) fn check_known(found: usize) -> Result<(), StoreError> {
    if found > STEPS.len() {
        return Err(StoreError::Newer { found, known: STEPS.len() });
    }
    Ok(())
}
