//! What users want of whole labs: that they are paused, or that Align is polled soon.

use std::collections::BTreeMap;

use super::{Store, StoreError, unreadable};
pub use casedrop_model::notice::Paused;
use casedrop_model::time::WallMs;

/// Prefix of the facts about paused labs.
pub(super) const PAUSED: &str = "paused/";
/// Prefix of the facts about labs to poll soon.
const POLL_WANTED: &str = "poll-wanted/";
/// Prefix of a request's time while Align is being asked because of it. The request stays until
/// Align answers.
const BEGUN: &str = "begun ";

impl Store {
    /// Returns the paused labs.
    pub fn pauses(&self) -> Result<BTreeMap<String, Paused>, StoreError> {
        let mut resting = BTreeMap::new();
        for (lab, text) in self.facts_below(PAUSED)? {
            let paused = serde_json::from_str(&text).map_err(|error| unreadable(PAUSED, error))?;
            resting.insert(lab, paused);
        }
        Ok(resting)
    }

    pub fn pause(&self, lab: &str, paused: &Paused) -> Result<(), StoreError> {
        let text = serde_json::to_string(paused).map_err(|error| unreadable(PAUSED, error))?;
        self.set_fact(&format!("{PAUSED}{lab}"), &text)
    }

    pub fn resume(&self, lab: &str) -> Result<(), StoreError> {
        self.drop_fact(&format!("{PAUSED}{lab}"))
    }

    /// Returns the labs that a user wants polled as soon as allowed.
    pub fn polls_wanted(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.facts_below(POLL_WANTED)?.into_iter().map(|(lab, _)| lab).collect())
    }

    /// Returns the same labs, each with whether Align is being asked for it, or was when the
    /// process died.
    pub fn poll_wishes(&self) -> Result<Vec<(String, bool)>, StoreError> {
        let wishes = self.facts_below(POLL_WANTED)?.into_iter();
        Ok(wishes.map(|(lab, text)| (lab, text.starts_with(BEGUN))).collect())
    }

    /// Requests a poll of a lab that begins after this call. Returns whether the request is new; if
    /// not, nothing is written.
    pub fn want_poll(&self, lab: &str, at: WallMs) -> Result<bool, StoreError> {
        let fact = format!("{POLL_WANTED}{lab}");
        if self.fact(&fact)?.is_some_and(|text| !text.starts_with(BEGUN)) {
            return Ok(false);
        }
        self.set_fact(&fact, &at.0.to_string())?;
        Ok(true)
    }

    /// Marks the request as begun because Align is about to be asked: any later request is a new
    /// one.
    pub fn begin_poll_wish(&self, lab: &str) -> Result<(), StoreError> {
        let fact = format!("{POLL_WANTED}{lab}");
        match self.fact(&fact)? {
            Some(text) if !text.starts_with(BEGUN) => {
                self.set_fact(&fact, &format!("{BEGUN}{text}"))
            }
            _ => Ok(()),
        }
    }

    /// Removes the request that was begun, because Align answered.
    pub fn fulfil_poll_wish(&self, lab: &str) -> Result<(), StoreError> {
        let fact = format!("{POLL_WANTED}{lab}");
        match self.fact(&fact)? {
            Some(text) if text.starts_with(BEGUN) => self.drop_fact(&fact),
            _ => Ok(()),
        }
    }

    /// Removes a request that cannot be fulfilled.
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
}

/// Whether a fact of a damaged journal is worth keeping: decisions of users are.
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
        let wishes = || store.poll_wishes().expect("read");
        assert!(store.want_poll("a", WallMs(1)).expect("wanted"));
        assert!(!store.want_poll("a", WallMs(2)).expect("wanted"), "it is wished for already");
        assert_eq!(store.polls_wanted().expect("read"), ["a"]);
        store.fulfil_poll_wish("a").expect("written");
        assert_eq!(wishes(), [("a".to_owned(), false)], "Align was not asked yet");
        store.begin_poll_wish("a").expect("begun");
        assert_eq!(wishes(), [("a".to_owned(), true)]);
        assert!(store.want_poll("a", WallMs(3)).expect("wanted"), "the question may be too early");
        store.fulfil_poll_wish("a").expect("written");
        assert_eq!(wishes(), [("a".to_owned(), false)]);
        store.begin_poll_wish("a").expect("begun");
        store.fulfil_poll_wish("a").expect("fulfilled");
        assert_eq!(wishes(), []);
    }
}
