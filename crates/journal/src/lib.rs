//! The journal: what was observed and what was published, in one SQLite file.
//!
//! Once a call has returned, its effect is durable (WAL with `synchronous=FULL`). The journal
//! contains no token, no secret and no patient name.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod check;
mod commands;
mod facts;
mod fault;
mod feed;
mod holds;
mod inbox;
mod intents;
mod labs;
mod late;
mod listing;
mod live;
mod mention;
mod names;
mod notifications;
mod orders;
mod pick_up;
mod retention;
mod revisions;
mod salvage;
mod schema;
mod wishes;

use std::cell::RefCell;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, Row, ToSql, Transaction, TransactionBehavior,
    params,
};

use casedrop_disk::{Disk as _, LockGuard, RealDisk, for_others, other_than_file, take_lock};
use casedrop_model::ids::OrderKey;
use casedrop_model::step::Step;
use casedrop_model::time::{Kept, WallMs, millis};

pub use check::Depth;
pub use commands::CommandRecord;
pub use facts::Rebuilt;
pub use fault::{StoreError, StoreTrouble};
pub use feed::{FeedRow, Tally};
pub use holds::Held;
pub use inbox::{Errand, ErrandKind};
pub use labs::LabRecord;
pub use late::LateExtra;
pub use listing::LabActivity;
pub use live::Activities;
pub use notifications::{Missed, Pending, PendingFault};
pub use pick_up::InOutput;
pub use retention::COUNTED;
pub use revisions::RevisionRecord;
pub use salvage::{Salvaged, salvage};
pub use wishes::{Paused, is_decision};

/// Size of the cache of prepared statements: more than there are.
const STATEMENTS: usize = 64;

/// The journal's file name in the state directory.
pub const FILE_NAME: &str = "journal.sqlite";

/// How long a call waits for another program that has the journal locked.
pub const BUSY: Duration = Duration::from_secs(10);
/// Time between two tries where SQLite itself does not wait.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// How long to tolerate a file that cannot be opened.
const MOMENT: Duration = Duration::from_secs(1);

pub struct Store {
    db: Connection,
    /// Whether it was opened for writing.
    writes: bool,
    hook: fn(Step),
    /// Steps to report once the current transaction is durable.
    due: RefCell<Vec<Step>>,
}

/// The last request for an account's ready orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// When it was about to be sent or, once it is answered, when the answer arrived.
    pub at: Kept,
    /// How long Align then asked us to wait, if longer than the usual interval.
    pub wait: Duration,
    /// Whether it was answered or is known to have failed. If not, Align may have received it at
    /// any time until the process that sent it was gone.
    pub answered: bool,
}

/// One line of an order's event log.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OrderEvent {
    pub at: WallMs,
    /// A stable word, such as `seen` or `published`.
    pub kind: String,
    /// What happened, for a person.
    pub text: String,
}

impl Store {
    /// Opens the journal, creating it if there is none.
    pub fn open(file: &Path) -> Result<Self, StoreError> {
        Self::open_with(file, BUSY)
    }

    /// Like [`open`](Self::open), with a custom wait for programs that lock it.
    pub fn open_with(file: &Path, busy: Duration) -> Result<Self, StoreError> {
        let _turn = turn_unless_made(file, busy);
        Self::prepare(connect(file, OpenFlags::default())?, busy)
    }

    /// Opens an agent's journal to add something to it: closing it does not remove the agent's
    /// write-ahead log.
    pub fn open_beside(file: &Path) -> Result<Self, StoreError> {
        let store = Self::open(file)?;
        check::keep_log_on_close(&store.db, true)?;
        Ok(store)
    }

    /// Like [`open_beside`](Self::open_beside), but never creates a journal: an agent must not be
    /// kept from noticing that its journal is gone.
    pub fn open_present(file: &Path, busy: Duration) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = connect(file, flags)?;
        let _turn = turn_unless_made(file, busy);
        let store = Self::prepare(db, busy)?;
        check::keep_log_on_close(&store.db, true)?;
        Ok(store)
    }

    /// Creates a journal that lives only as long as this value.
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::prepare(Connection::open_in_memory()?, BUSY)
    }

    /// Opens an existing journal for reading; `None` if there is none.
    pub fn open_to_read(file: &Path) -> Result<Option<Self>, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match connect(file, flags) {
            Ok(db) => {
                db.busy_timeout(BUSY)?;
                db.pragma_update(None, "query_only", true)?;
                check::keep_log_on_close(&db, true)?;
                Ok(Some(Self { writes: false, ..Self::of(db) }))
            }
            Err(StoreError::Sqlite(rusqlite::Error::SqliteFailure(error, _)))
                if error.code == rusqlite::ErrorCode::CannotOpen =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether this is a file in which no journal was created yet.
    pub fn holds_nothing(&self) -> Result<bool, StoreError> {
        Ok(schema::version(&self.db)? == 0)
    }

    /// Writes a copy of the current journal to a file that must not exist yet. The copy is
    /// complete, and as durable as the file's volume makes it without a sync.
    pub fn copy_to(&self, file: &Path) -> Result<(), StoreError> {
        let Some(name) = file.to_str() else {
            return Err(StoreError::Row(format!("{} is not a Unicode name", file.display())));
        };
        self.db.execute("VACUUM INTO ?1", [name])?;
        Ok(())
    }

    fn prepare(mut db: Connection, busy: Duration) -> Result<Self, StoreError> {
        db.busy_timeout(busy)?;
        // SQLite's busy timeout does not cover this switch while another process is creating the
        // journal.
        patiently(busy, || db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())))?;
        db.pragma_update(None, "synchronous", "FULL")?;
        db.pragma_update(None, "foreign_keys", true)?;
        // Values that differ between calls must not make it plan the same statement again.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.set_prepared_statement_cache_capacity(STATEMENTS);
        patiently(busy, || schema::migrate(&mut db))?;
        Ok(Self::of(db))
    }

    fn of(db: Connection) -> Self {
        Self { db, writes: true, hook: |_| {}, due: RefCell::default() }
    }

    /// Sets the hook called before and after each durable record that has a [`Step`].
    #[must_use]
    pub fn with_hook(mut self, hook: fn(Step)) -> Self {
        self.hook = hook;
        self
    }

    /// Makes one record, as part of the current transaction if there is one.
    fn record<T>(
        &self,
        (before, durable): (Step, Step),
        write: impl FnOnce() -> Result<T, rusqlite::Error>,
    ) -> Result<T, StoreError> {
        (self.hook)(before);
        let written = write()?;
        if self.db.is_autocommit() {
            (self.hook)(durable);
        } else {
            self.due.borrow_mut().push(durable);
        }
        Ok(written)
    }

    /// Makes everything that `work` writes durable atomically, or none of it.
    pub fn atomically<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if !self.db.is_autocommit() {
            // Part of a larger piece of work, which commits for both.
            return work(self);
        }
        self.due.take();
        // Writers take the write lock first: one that reads first and then finds that others wrote
        // in between could only fail.
        let behavior = if self.writes {
            TransactionBehavior::Immediate
        } else {
            TransactionBehavior::Deferred
        };
        let tx = Transaction::new_unchecked(&self.db, behavior)?;
        let result = work(self)?;
        tx.commit()?;
        for durable in self.due.take() {
            (self.hook)(durable);
        }
        Ok(result)
    }

    /// Calls `may_commit` before each transaction becomes durable; on `false` it is rolled back and
    /// its call fails. For tests of what happens if the agent dies, or its disk fails, between two
    /// writes.
    pub fn before_commit(
        &mut self,
        mut may_commit: impl FnMut() -> bool + Send + 'static,
    ) -> Result<(), StoreError> {
        Ok(self.db.commit_hook(Some(move || !may_commit()))?)
    }

    /// Runs a query and reads all its rows.
    fn gather<T>(
        &self,
        sql: &str,
        values: &[&dyn ToSql],
        read: impl Fn(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut query = self.db.prepare_cached(sql)?;
        let mut rows = query.query(values)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(read(row)?);
        }
        Ok(found)
    }

    /// Returns a fact about this installation, such as the id of its output folder.
    pub fn fact(&self, name: &str) -> Result<Option<String>, StoreError> {
        let mut query = self.db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(query.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Sets a fact about this installation.
    pub fn set_fact(&self, name: &str, value: &str) -> Result<(), StoreError> {
        let sql = "INSERT INTO meta (key, value) VALUES (?1, ?2)
                   ON CONFLICT (key) DO UPDATE SET value = ?2";
        self.db.prepare_cached(sql)?.execute([name, value])?;
        Ok(())
    }

    /// Returns when any process last asked the account for its ready orders.
    pub fn last_asked(&self, account: &str) -> Result<Option<Asked>, StoreError> {
        let sql = "SELECT asked_ms, up_ms, wait_ms, answered FROM polls WHERE account = ?1";
        let mut query = self.db.prepare_cached(sql)?;
        let found: Option<Asked> = query
            .query_row([account], |row| {
                Ok(Asked {
                    at: Kept { wall: WallMs(row.get(0)?), up: duration(row.get(1)?) },
                    wait: duration(row.get(2)?),
                    answered: row.get(3)?,
                })
            })
            .optional()?;
        match found {
            Some(asked) => Ok(Some(asked)),
            None => self.asked_at_the_latest(),
        }
    }

    /// Records that the account is being asked; call it before the request is sent and again when
    /// it was answered.
    pub fn set_asked(&self, account: &str, asked: Asked) -> Result<(), StoreError> {
        let sql = "INSERT OR REPLACE INTO polls (account, asked_ms, up_ms, wait_ms, answered)
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let (wall, up, wait) = (asked.at.wall.0, millis(asked.at.up), millis(asked.wait));
        let steps = if asked.answered {
            (Step::JournalAnswer, Step::JournalAnswerDurable)
        } else {
            (Step::JournalPoll, Step::JournalPollDurable)
        };
        self.record(steps, || {
            let values = params![account, wall, up, wait, asked.answered];
            self.db.prepare_cached(sql)?.execute(values)
        })?;
        Ok(())
    }

    /// Adds a line to an order's event log.
    pub fn tell(
        &self,
        key: &OrderKey,
        at: WallMs,
        kind: &str,
        text: &str,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO events (at_ms, lab, account, order_id, kind, text)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let write = || {
            self.db.prepare_cached(sql)?.execute(params![
                at.0,
                key.lab.as_str(),
                key.account.as_str(),
                key.order.as_str(),
                kind,
                text
            ])
        };
        match steps_of(kind) {
            Some(steps) => self.record(steps, write)?,
            None => write()?,
        };
        Ok(())
    }

    /// Returns an order's event log, oldest line first.
    pub fn story(&self, key: &OrderKey) -> Result<Vec<OrderEvent>, StoreError> {
        let sql = "SELECT at_ms, kind, text FROM events
                   WHERE lab = ?1 AND account = ?2 AND order_id = ?3 ORDER BY id";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query
            .query_map([key.lab.as_str(), key.account.as_str(), key.order.as_str()], |row| {
                Ok(OrderEvent { at: WallMs(row.get(0)?), kind: row.get(1)?, text: row.get(2)? })
            })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Opens a database, regardless of the length of its path.
fn connect(file: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    // SQLite would wait at a pipe for the other end.
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = file.file_name().unwrap_or_default().to_os_string();
        name.push(suffix);
        if let Some(what) = other_than_file(&file.with_file_name(&name)) {
            let name = name.to_string_lossy().into_owned();
            return Err(StoreError::NoFile { name, what });
        }
    }
    let given = for_others(file);
    if cfg!(windows) && given != file {
        // SQLite's default way to open files on Windows is limited to 260 characters.
        return Ok(Connection::open_with_flags_and_vfs(given, flags, "win32-longpath")?);
    }
    Ok(Connection::open_with_flags(given, flags)?)
}

/// Waits for at most `busy` until no other process is creating the journal; none starts to while
/// the lock is held. On some systems SQLite does not keep two creators apart, and a half-made
/// journal looks like a damaged one. `None` if there can be no lock.
fn turn_to_make(file: &Path, busy: Duration) -> Option<LockGuard> {
    take_lock(&RealDisk, &file.with_extension("lock"), busy).ok()?
}

/// The same, if nothing was created yet.
fn turn_unless_made(file: &Path, busy: Duration) -> Option<LockGuard> {
    let is_made = RealDisk.stamp(file).is_ok_and(|stamp| stamp.len > 0);
    if is_made { None } else { turn_to_make(file, busy) }
}

/// Retries while others have the journal locked, for at most `busy`. If one of its files cannot be
/// opened, retries for one second: Windows refuses to open a file that another process is deleting.
fn patiently<T, E: Into<StoreError>>(
    busy: Duration,
    mut act: impl FnMut() -> Result<T, E>,
) -> Result<T, StoreError> {
    let began = Instant::now();
    loop {
        let error = match act() {
            Ok(value) => return Ok(value),
            Err(error) => error.into(),
        };
        let patience = match error.kind() {
            StoreTrouble::Locked => busy,
            StoreTrouble::Forbidden => busy.min(MOMENT),
            _ => Duration::ZERO,
        };
        if began.elapsed() >= patience {
            return Err(error);
        }
        std::thread::sleep(BETWEEN_TRIES);
    }
}

fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

/// Everything recorded about an order adds a line to its event log in the same transaction, so the
/// line's kind tells which record it is.
fn steps_of(kind: &str) -> Option<(Step, Step)> {
    Some(match kind {
        "seen" | "left" | "taken" | "away" => (Step::JournalSeen, Step::JournalSeenDurable),
        "fetching" => (Step::JournalFetching, Step::JournalFetchingDurable),
        "failed" | "parked" => (Step::JournalFailed, Step::JournalFailedDurable),
        "published" => (Step::JournalPublished, Step::JournalPublishedDurable),
        "unchanged" => (Step::JournalUnchanged, Step::JournalUnchangedDurable),
        "held" => (Step::JournalHeld, Step::JournalHeldDurable),
        "released" => (Step::JournalReleased, Step::JournalReleasedDurable),
        "removed" => (Step::JournalRetired, Step::JournalRetiredDurable),
        "forgotten" => (Step::JournalForgotten, Step::JournalForgottenDurable),
        _ => return None,
    })
}

fn unreadable(what: &str, error: impl std::fmt::Display) -> StoreError {
    StoreError::Row(format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
