//! Facts about this installation that are shown to users and that restarts depend on.

use std::time::Duration;

use rusqlite::OptionalExtension as _;

use super::check::keep_log_on_close;
use super::{Asked, Store, StoreError, duration, unreadable};
pub use casedrop_model::notice::Rebuilt;
use casedrop_model::time::{Kept, WallMs, millis};

const REBUILT: &str = "journal-rebuilt";
const OUTPUT_WAITS: &str = "output-waits";
const IN_USE: &str = "in-use";
const POLLS_UNKNOWN_SINCE: &str = "polls-unknown-since";

impl Store {
    /// Returns whether and when this journal was rebuilt.
    pub fn rebuilt(&self) -> Result<Option<Rebuilt>, StoreError> {
        let text = self.fact(REBUILT)?;
        let parsed = text.map(|text| serde_json::from_str(&text));
        parsed.transpose().map_err(|error| unreadable(REBUILT, error))
    }

    /// Records that this journal was rebuilt.
    pub fn set_rebuilt(&self, rebuilt: &Rebuilt) -> Result<(), StoreError> {
        let text = serde_json::to_string(rebuilt).map_err(|error| unreadable(REBUILT, error))?;
        self.set_fact(REBUILT, &text)
    }

    /// Returns what the running agent waits for before it can write to the output, if anything.
    pub fn output_waits(&self) -> Result<Option<String>, StoreError> {
        Ok(self.fact(OUTPUT_WAITS)?.filter(|text| !text.is_empty()))
    }

    /// Records what is blocking the output; `None` if nothing is.
    pub fn set_output_waits(&self, why: Option<&str>) -> Result<(), StoreError> {
        if self.output_waits()?.as_deref() == why {
            return Ok(());
        }
        self.set_fact(OUTPUT_WAITS, why.unwrap_or_default())
    }

    /// Whether an agent is using this journal, or died while it was.
    pub fn is_in_use(&self) -> Result<bool, StoreError> {
        Ok(self.fact(IN_USE)?.as_deref() == Some("yes"))
    }

    /// Records that an agent starts or stops using this journal. The mark goes to the main file
    /// immediately, so it survives the loss of the write-ahead log.
    pub fn set_in_use(&self, in_use: bool) -> Result<(), StoreError> {
        self.set_fact(IN_USE, if in_use { "yes" } else { "no" })?;
        // Keep the log until the agent shuts down properly, so that a lost log can be told from a
        // clean end.
        keep_log_on_close(&self.db, in_use)?;
        // If a reader blocks the checkpoint, the mark is just not in the main file yet.
        let truncate = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.db.query_row(truncate, [], |_| Ok(())).optional()?;
        Ok(())
    }

    /// Forgets when accounts were last polled: each of them may have been polled just now.
    pub fn forget_polls(&self, now: Kept) -> Result<(), StoreError> {
        self.atomically(|store| {
            store.db.execute("DELETE FROM polls", [])?;
            store.set_fact(POLLS_UNKNOWN_SINCE, &format!("{} {}", now.wall.0, millis(now.up)))
        })
    }

    /// Whether the times of earlier polls were lost.
    pub fn polls_are_unknown(&self) -> Result<bool, StoreError> {
        Ok(self.fact(POLLS_UNKNOWN_SINCE)?.is_some())
    }

    /// Returns the latest time at which an account without a record can have been polled.
    pub(super) fn asked_at_the_latest(&self) -> Result<Option<Asked>, StoreError> {
        let Some(since) = self.fact(POLLS_UNKNOWN_SINCE)? else { return Ok(None) };
        let number = |text: &str| {
            text.parse::<i64>().map_err(|error| unreadable(POLLS_UNKNOWN_SINCE, error))
        };
        let (wall, up) = since.split_once(' ').unwrap_or((&since, "0"));
        let at = Kept { wall: WallMs(number(wall)?), up: duration(number(up)?) };
        Ok(Some(Asked { at, wait: Duration::ZERO, answered: true }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_polls_count_as_just_asked_until_there_is_a_new_one() {
        let store = Store::in_memory().expect("journal");
        let kept = |at| Kept { wall: WallMs(at), up: Duration::from_secs(7) };
        let asked = |at| Asked { at: kept(at), wait: Duration::ZERO, answered: true };
        assert_eq!(store.last_asked("1").expect("read"), None);
        store.set_asked("1", asked(3)).expect("set");
        store.forget_polls(kept(5)).expect("forgotten");
        assert_eq!(store.last_asked("1").expect("read"), Some(asked(5)));
        assert_eq!(store.last_asked("2").expect("read"), Some(asked(5)), "an unknown account");
        store.set_asked("1", asked(9)).expect("set");
        assert_eq!(store.last_asked("1").expect("read"), Some(asked(9)));
    }

    #[test]
    fn what_people_are_told_is_read_back() {
        let store = Store::in_memory().expect("journal");
        let rebuilt = Rebuilt {
            at: WallMs(1),
            why: "damaged".to_owned(),
            kept: Some("there".into()),
            orders: 2,
            wanted: 1,
        };
        assert_eq!(store.rebuilt().expect("read"), None);
        store.set_rebuilt(&rebuilt).expect("set");
        assert_eq!(store.rebuilt().expect("read"), Some(rebuilt));
        store.set_output_waits(Some("gone")).expect("set");
        assert_eq!(store.output_waits().expect("read").as_deref(), Some("gone"));
        store.set_output_waits(None).expect("set");
        assert_eq!(store.output_waits().expect("read"), None);
    }
}
