//! Whether a lab's login can be trusted although an order was refused.
//!
//! A server that answers one order with 401 or 403 speaks of that order. But the login may be gone, too:
//! so it is tested, by a call that is about nothing else. Only if that is refused as well does the lab
//! wait for a person.

use std::time::Duration;

use super::labs::LabState;
use super::{Effect, Engine, LabName, Now, StoreError};
use crate::model::fault::{Fault, FaultClass};

use super::super::verdict::{casts_doubt, is_about_login};

/// Time between two tests that nothing but refused orders asks for.
const PAUSE: Duration = Duration::from_mins(10);
/// Time between two tests of a login that was refused: somebody may have logged in.
const REFUTED: Duration = Duration::from_mins(1);

/// What is known of a login's worth.
#[derive(Debug)]
pub(super) struct Proof {
    /// The last test said that the login is no good.
    pub(super) is_refuted: bool,
    /// A test is under way.
    pub(super) is_under_way: bool,
    /// Somebody wants to know.
    is_wanted: bool,
    next: Duration,
}

impl Proof {
    pub(super) fn new(now: Now) -> Self {
        Self { is_refuted: false, is_under_way: false, is_wanted: false, next: now.mono }
    }

    /// Align accepted the login. Whether that is news.
    pub(super) fn is_given(&mut self, now: Now) -> bool {
        self.is_wanted = false;
        self.next = self.next.max(now.mono);
        std::mem::take(&mut self.is_refuted)
    }
}

impl LabState {
    /// Begins the test that is due.
    pub(super) fn start_proof(&mut self, lab: &LabName, now: Now, effects: &mut Vec<Effect>) {
        if self.next_proof().is_some_and(|at| at <= now.mono) {
            self.proof.is_under_way = true;
            self.proof.is_wanted = false;
            self.proof.next = now.mono + PAUSE;
            effects.push(Effect::Prove { lab: lab.clone() });
        }
    }

    /// When a test is due.
    pub(super) fn next_proof(&self) -> Option<Duration> {
        let proof = &self.proof;
        let may = self.account.is_some() && !self.paused && !proof.is_under_way;
        (may && (proof.is_wanted || proof.is_refuted)).then_some(proof.next)
    }
}

impl Engine {
    /// An order was refused: has the login tested, unless it was a short time ago.
    pub(super) fn doubt(&mut self, lab: &LabName, fault: &Fault) {
        if let Some(state) = self.labs.get_mut(lab)
            && casts_doubt(fault)
        {
            state.proof.is_wanted = true;
        }
    }

    /// A test of the login was answered.
    pub(super) fn proved(
        &mut self,
        now: Now,
        lab: &LabName,
        result: Result<(), Fault>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), StoreError> {
        let Some(state) = self.labs.get_mut(lab) else { return Ok(()) };
        state.proof.is_under_way = false;
        match result {
            Ok(()) => {
                if state.proof.is_given(now) {
                    self.lab_heals(lab)?;
                    self.resume_after_login(lab, now)?;
                }
                Ok(())
            }
            Err(mut fault) if is_about_login(&fault) || casts_doubt(&fault) => {
                state.proof.is_refuted = true;
                state.proof.next = now.mono + REFUTED;
                fault.class = FaultClass::Auth;
                self.lab_trouble(lab, &fault, effects)
            }
            // It says nothing about the login; the next refused order has it tested again.
            Err(_) => Ok(()),
        }
    }
}
