//! Whether a lab's login can still be trusted after an order was refused.
//!
//! A 401 or 403 for one order is about that order. But the login may be invalid too, so it is
//! tested with a call that concerns nothing else. Only if that is refused as well does the lab wait
//! for a user.

use std::time::Duration;

use super::polling::LabState;
use super::{Effect, Engine, LabName, Now, StoreError};
use casedrop_model::fault::{Fault, FaultClass};

use crate::verdict::{casts_doubt, is_about_login};

/// Time between two tests that only refused orders asked for.
const PAUSE: Duration = Duration::from_mins(10);
/// Time between two tests of a rejected login: a user may have logged in.
const REFUTED: Duration = Duration::from_mins(1);

/// What is known about the validity of a login.
#[derive(Debug)]
pub(super) struct Proof {
    /// The last test found the login invalid.
    pub(super) is_refuted: bool,
    /// A test is in progress.
    pub(super) is_under_way: bool,
    /// A test was asked for.
    is_wanted: bool,
    next: Duration,
}

impl Proof {
    pub(super) fn new(now: Now) -> Self {
        Self { is_refuted: false, is_under_way: false, is_wanted: false, next: now.mono }
    }

    /// Align accepted the login. Returns whether it was considered invalid before.
    pub(super) fn is_given(&mut self, now: Now) -> bool {
        self.is_wanted = false;
        self.next = self.next.max(now.mono);
        std::mem::take(&mut self.is_refuted)
    }
}

impl LabState {
    /// Starts the login test if it is due.
    pub(super) fn start_proof(&mut self, lab: &LabName, now: Now, effects: &mut Vec<Effect>) {
        if self.next_proof().is_some_and(|at| at <= now.mono) {
            self.proof.is_under_way = true;
            self.proof.is_wanted = false;
            self.proof.next = now.mono + PAUSE;
            effects.push(Effect::Prove { lab: lab.clone() });
        }
    }

    /// When the next test is due.
    pub(super) fn next_proof(&self) -> Option<Duration> {
        let proof = &self.proof;
        let may = self.account.is_some() && !self.paused && !proof.is_under_way;
        (may && (proof.is_wanted || proof.is_refuted)).then_some(proof.next)
    }
}

impl Engine {
    /// Has the login tested because an order was refused, once the pause since the last test is
    /// over.
    pub(super) fn doubt(&mut self, lab: &LabName, fault: &Fault) {
        if let Some(state) = self.labs.get_mut(lab)
            && casts_doubt(fault)
        {
            state.proof.is_wanted = true;
        }
    }

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
            // Says nothing about the login; the next refused order has it tested again.
            Err(_) => Ok(()),
        }
    }
}
