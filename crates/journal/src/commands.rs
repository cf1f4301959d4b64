//! Requests that were carried out or begun, with their answers, so that none is carried out twice.

use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError};
use casedrop_model::time::WallMs;

/// What is remembered about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRecord {
    pub at: WallMs,
    /// What it is about, in a few words.
    pub what: String,
    /// The answer, as serialized by the caller; `None`: it was begun, and how it ended is unknown.
    pub reply: Option<String>,
}

impl Store {
    /// Returns what is remembered about the request with this id.
    pub fn command(&self, id: &str) -> Result<Option<CommandRecord>, StoreError> {
        let sql = "SELECT at_ms, what, reply FROM commands WHERE id = ?1";
        let mut query = self.db.prepare_cached(sql)?;
        let read = |row: &rusqlite::Row<'_>| {
            Ok(CommandRecord { at: WallMs(row.get(0)?), what: row.get(1)?, reply: row.get(2)? })
        };
        Ok(query.query_row([id], read).optional()?)
    }

    /// Saves a request, with its answer if it has one. Replaces any earlier record of it.
    pub fn save_command(&self, id: &str, command: &CommandRecord) -> Result<(), StoreError> {
        let sql =
            "INSERT OR REPLACE INTO commands (id, at_ms, what, reply) VALUES (?1, ?2, ?3, ?4)";
        let CommandRecord { at, what, reply } = command;
        self.db.prepare_cached(sql)?.execute(params![id, at.0, what, reply])?;
        Ok(())
    }

    pub fn forget_command(&self, id: &str) -> Result<(), StoreError> {
        self.db.prepare_cached("DELETE FROM commands WHERE id = ?1")?.execute([id])?;
        Ok(())
    }

    /// Forgets all requests begun before a time.
    pub fn sweep_commands(&self, before: WallMs) -> Result<(), StoreError> {
        self.db.prepare_cached("DELETE FROM commands WHERE at_ms < ?1")?.execute([before.0])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_remembered_until_it_is_settled_or_old() {
        let store = Store::in_memory().expect("journal");
        let begun = CommandRecord { at: WallMs(5), what: "return 17".to_owned(), reply: None };
        store.save_command("a", &begun).expect("saved");
        assert_eq!(store.command("a").expect("read"), Some(begun.clone()));
        let done = CommandRecord { reply: Some("{}".to_owned()), ..begun };
        store.save_command("a", &done).expect("saved");
        store.save_command("b", &CommandRecord { at: WallMs(9), ..done.clone() }).expect("saved");
        assert_eq!(store.command("a").expect("read"), Some(done));
        store.sweep_commands(WallMs(6)).expect("swept");
        assert_eq!(store.command("a").expect("read"), None);
        assert!(store.command("b").expect("read").is_some());
        store.forget_command("b").expect("forgotten");
        assert_eq!(store.command("b").expect("read"), None);
    }
}
