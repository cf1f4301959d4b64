//! How an agent's life ends: killed, without power, told to stop, or without its journal. Each time it
//! is started again.

use casedrop::store::StoreError;
use casedrop::sync::effects::Input;

use super::{Event, Failure, World};
use crate::invariants;

impl World {
    pub(super) fn journal_failed(&mut self, left: i64, error: &StoreError) -> Result<(), Failure> {
        if left < 0 {
            return Err(format!("the journal failed by itself: {error:?}"));
        }
        self.tally.count("journal: failed");
        self.say(&"the journal fails");
        if self.rng.bool() {
            self.close(None);
        } else {
            self.power_cut();
        }
        Ok(())
    }

    /// The disk is off in the middle of something: the program was killed, or the power went.
    pub(super) fn died(&mut self) -> Result<(), Failure> {
        if self.rng.bool() {
            self.kill();
        } else {
            self.power_cut();
        }
        invariants::tree(self)
    }

    /// The program ends at once; the PC goes on.
    pub fn kill(&mut self) {
        self.tally.count("agent: killed");
        self.say(&"the program is killed");
        self.disk.restart();
        self.close(None);
    }

    /// The power goes, and comes back.
    pub fn power_cut(&mut self) {
        self.tally.count("agent: power cut");
        self.say(&"the power goes");
        self.disk.crash();
        let down =
            if self.rng.bool() { self.rng.u64(10_000..60_000) } else { self.rng.u64(..7_200_000) };
        let age = self.rng.u64(1_000..10_000);
        self.close(Some(down + age));
        let back = self.clock.now + down + age;
        self.clock.reboot(back, age.min(back));
    }

    /// Ends the agent and has it started again.
    pub(super) fn close(&mut self, again_after: Option<u64>) {
        self.life += 1;
        self.wake_at = None;
        if let Some(agent) = self.agent.take() {
            self.journal = Some(agent.engine.into_store());
        }
        self.align.cloud().powered = false;
        let wait = again_after.unwrap_or_else(|| self.rng.u64(500..30_000));
        self.schedule(wait, Event::Open);
    }

    /// Tells the agent to stop; it starts again afterwards.
    pub fn stop(&mut self) -> Result<(), Failure> {
        let Some(agent) = &mut self.agent else { return Ok(()) };
        if agent.stopping.is_some() {
            return Ok(());
        }
        agent.stopping = Some(self.clock.now + 20_000);
        agent.executor.cancel.cancel();
        self.tally.count("agent: told to stop");
        self.say(&"the agent is told to stop");
        self.feed(Input::Stop)
    }
}
