//! User requests that were put into the journal, and paused labs.

use std::time::Duration;

use super::polling::LabState;
use super::{Effect, Engine, LabName, Notice, Now, OrderRecord, Store, StoreError, observe};
use casedrop_journal::{Errand, ErrandKind};
use casedrop_model::order::RemoteOrder;

/// The interval Align requires between two requests for the ready orders. A poll asked for by a
/// user happens after this, even if the config polls less often.
pub const SHORTEST_INTERVAL: Duration = Duration::from_secs(120);

impl Engine {
    /// Takes up requests from the journal.
    pub(super) fn take_requests(
        &mut self,
        now: Now,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        self.take_pauses(effects)?;
        self.take_poll_wishes(now)?;
        for errand in self.store.asked()? {
            let known = self.store.order(&errand.key)?;
            match errand.what.clone() {
                ErrandKind::Refetch { procedure } => {
                    self.take_refetch(now, &errand, known, procedure)?;
                }
                ErrandKind::Returned => self.take_return(now, &errand, known)?,
            }
        }
        Ok(())
    }

    fn take_pauses(&mut self, effects: &mut Vec<Effect>) -> Result<(), StoreError> {
        let mut resting = self.store.pauses()?;
        for (lab, state) in &mut self.labs {
            let paused = resting.remove(lab.as_str());
            let lab = lab.clone();
            match (state.paused, paused) {
                (false, Some(paused)) => effects.push(Effect::Tell(Notice::Paused { lab, paused })),
                (true, None) => effects.push(Effect::Tell(Notice::Resumed { lab })),
                (true, Some(_)) | (false, None) => continue,
            }
            state.paused = !state.paused;
        }
        Ok(())
    }

    /// Schedules polls that users asked for as soon as Align's interval allows.
    fn take_poll_wishes(&mut self, now: Now) -> Result<(), StoreError> {
        for (name, begun) in self.store.poll_wishes()? {
            let state = self.labs.iter_mut().find(|(lab, _)| lab.as_str() == name);
            let Some((_, state)) = state else {
                // The config no longer has this lab.
                self.store.drop_poll_wish(&name)?;
                continue;
            };
            // A poll that was begun but is not in progress was not answered.
            let is_asked = begun && state.polling;
            if !state.wanted_soon && !is_asked {
                state.wanted_soon = true;
                // Whether the interval has passed is checked right before the poll.
                if state.account.is_some() {
                    state.next_poll = Some(now.mono);
                }
            }
        }
        Ok(())
    }

    fn take_refetch(
        &mut self,
        now: Now,
        errand: &Errand,
        known: Option<OrderRecord>,
        procedure: Option<String>,
    ) -> Result<(), StoreError> {
        let (record, what) = if let Some(mut record) = known {
            if procedure.is_some() && record.is_unheard_of() {
                record.remote.procedure = procedure;
            }
            (observe::asked_for(record), "requested again")
        } else {
            let order = errand.key.order.clone();
            let remote = RemoteOrder { procedure, ..RemoteOrder::unheard_of(order) };
            let what = "requested by its number; Align has not listed it here";
            (observe::asked_for_unseen(errand.key.clone(), remote, now.wall), what)
        };
        self.store.atomically(|store| {
            store.save(&record)?;
            store.tell(&record.key, now.wall, "asked", what)?;
            store.answered(errand.id)
        })?;
        self.look_soon(&record.key, now);
        Ok(())
    }

    /// Align took an order back to return it to the doctor: it is expected again with other files,
    /// and Align is soon asked about its status.
    fn take_return(
        &mut self,
        now: Now,
        errand: &Errand,
        known: Option<OrderRecord>,
    ) -> Result<(), StoreError> {
        let record = known.map(|record| observe::returned(record, now.wall));
        self.store.atomically(|store| {
            if let Some(record) = &record {
                store.save(record)?;
                let text = "sent back to the doctor for a rescan; expected back";
                store.tell(&record.key, now.wall, "returned", text)?;
            }
            store.answered(errand.id)
        })
    }

    pub(super) fn is_paused(&self, lab: &LabName) -> bool {
        self.labs.get(lab).is_some_and(|state| state.paused)
    }
}

impl LabState {
    /// The interval between two polls that applies now.
    pub(super) fn interval(&self, usual: Duration) -> Duration {
        if self.wanted_soon { usual.min(SHORTEST_INTERVAL) } else { usual }
    }

    /// Marks a requested poll as begun; the request is fulfilled once Align answers.
    pub(super) fn begin_wish(&mut self, lab: &LabName, store: &Store) -> Result<(), StoreError> {
        if self.wanted_soon {
            store.begin_poll_wish(lab.as_str())?;
            self.wanted_soon = false;
        }
        Ok(())
    }
}
