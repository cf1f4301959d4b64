//! What people want of whole labs: that they rest, or that Align is asked soon.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, unreadable};
use crate::model::time::WallMs;

/// The facts about labs that rest begin so.
pub(super) const PAUSED: &str = "paused/";
/// The facts about labs that are to be asked soon begin so.
const POLL_WANTED: &str = "poll-wanted/";

/// A lab rests until somebody lets it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub at: WallMs,
    /// Who wanted it, as far as the system told.
    pub by: Option<String>,
}

impl Store {
    /// The labs that rest.
    pub fn pauses(&self) -> Result<BTreeMap<String, Paused>, StoreError> {
        let mut resting = BTreeMap::new();
        for (lab, text) in self.facts_below(PAUSED)? {
            let paused = serde_json::from_str(&text).map_err(|error| unreadable(PAUSED, error))?;
            resting.insert(lab, paused);
        }
        Ok(resting)
    }

    /// Lets a lab rest.
    pub fn pause(&self, lab: &str, paused: &Paused) -> Result<(), StoreError> {
        let text = serde_json::to_string(paused).map_err(|error| unreadable(PAUSED, error))?;
        self.set_fact(&format!("{PAUSED}{lab}"), &text)
    }

    /// Lets a lab go on.
    pub fn resume(&self, lab: &str) -> Result<(), StoreError> {
        self.drop_fact(&format!("{PAUSED}{lab}"))
    }

    /// The labs whose ready orders somebody wants to be asked for as soon as that is allowed.
    pub fn polls_wanted(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.facts_below(POLL_WANTED)?.into_iter().map(|(lab, _)| lab).collect())
    }

    /// Somebody wants a lab's ready orders to be asked for.
    pub fn want_poll(&self, lab: &str, at: WallMs) -> Result<(), StoreError> {
        self.set_fact(&format!("{POLL_WANTED}{lab}"), &at.0.to_string())
    }

    /// That wish is being fulfilled.
    pub fn drop_poll_wish(&self, lab: &str) -> Result<(), StoreError> {
        self.drop_fact(&format!("{POLL_WANTED}{lab}"))
    }

    fn facts_below(&self, prefix: &str) -> Result<Vec<(String, String)>, StoreError> {
        let sql = "SELECT substr(key, length(?1) + 1), value FROM meta
                   WHERE key >= ?1 AND key < ?1 || char(1114111) ORDER BY key";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map([prefix], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn drop_fact(&self, name: &str) -> Result<(), StoreError> {
        self.db.prepare_cached("DELETE FROM meta WHERE key = ?1")?.execute(params![name])?;
        Ok(())
    }
}

/// Whether a fact of a damaged journal is worth taking over: what people decided is.
pub fn is_decision(fact: &str) -> bool {
    fact.starts_with(PAUSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labs_rest_and_go_on_each_for_itself() {
        let store = Store::in_memory().expect("journal");
        let paused = Paused { at: WallMs(7), by: Some("anna".to_owned()) };
        store.pause("a", &paused).expect("paused");
        store.pause("Zahnlabor Ü", &paused).expect("paused");
        store.set_fact("paused", "another fact").expect("set");
        store.set_fact("pausee", "another fact").expect("set");
        let names = |pauses: BTreeMap<String, Paused>| pauses.into_keys().collect::<Vec<_>>();
        assert_eq!(names(store.pauses().expect("read")), ["Zahnlabor Ü", "a"]);
        store.resume("a").expect("resumed");
        let left = store.pauses().expect("read");
        assert_eq!(left.get("Zahnlabor Ü"), Some(&paused));
        assert_eq!(left.len(), 1);
    }

    #[test]
    fn a_wish_for_a_poll_is_kept_until_it_is_fulfilled() {
        let store = Store::in_memory().expect("journal");
        store.want_poll("a", WallMs(1)).expect("wanted");
        store.want_poll("a", WallMs(2)).expect("wanted");
        assert_eq!(store.polls_wanted().expect("read"), ["a"]);
        store.drop_poll_wish("a").expect("fulfilled");
        assert_eq!(store.polls_wanted().expect("read"), [] as [String; 0]);
    }
}
