//! Runs the engine's effects after a delay, and delivers their answers after another one.

use casedrop::engine::effects::{Effect, Input};
use casedrop::model::ids::OrderKey;
use casedrop::model::order::RemoteOrder;

use super::{Event, Failure, World};
use crate::hooks::Ambush;
use crate::invariants;

impl World {
    pub(super) fn plan(&mut self, effect: Effect) -> Result<(), Failure> {
        if let Effect::Tell(notice) = &effect {
            self.ages.told(notice, self.clock.now);
            invariants::count_notice(&mut self.tally, notice);
            self.trace.say(self.clock.now, &format_args!("told: {notice}"));
            if let Some(told) = &mut self.told {
                told.push((self.clock.now, notice.clone()));
            }
            return Ok(());
        }
        if let Some(agent) = &self.agent {
            let (store, now) = (agent.engine.store(), self.clock.now);
            self.ages.check(&effect, store, &self.policy, now, &mut self.tally)?;
        }
        let slow = self.dangers.slowness;
        let wait = if slow > 0.0 && self.rng.f64() < slow {
            self.rng.u64(..90_000)
        } else {
            self.rng.u64(..40)
        };
        let life = self.life;
        self.schedule(wait, Event::Perform(life, effect));
        Ok(())
    }

    pub(super) fn perform(&mut self, effect: Effect) -> Result<(), Failure> {
        let Some(agent) = &self.agent else { return Ok(()) };
        let (key, publishing) = subject(&effect);
        self.trace.say(self.clock.now, &format_args!("does {}", name(&effect)));
        if let (Effect::Fetch(_), Some(key)) = (&effect, &key) {
            invariants::is_wanted(agent.engine.store(), key)?;
        }
        let ambush = self.ambush(key.as_ref());
        let dir = key.as_ref().map(|key| self.layout.order_dir(key));
        self.hooks.begin(dir, publishing, ambush);
        let is_disk = !matches!(
            effect,
            Effect::Connect { .. }
                | Effect::Prove { .. }
                | Effect::Poll { .. }
                | Effect::Ask { .. }
        );
        if matches!(effect, Effect::FetchExtras(_)) {
            self.tally.count("asked for what is late");
        }
        if matches!(effect, Effect::DropHeld { .. }) {
            self.tally.count("held: replaced");
        }
        if matches!(effect, Effect::Ask { .. }) {
            self.tally.count("asked about one order");
        }
        let Some(agent) = &self.agent else { return Ok(()) };
        let mut input = agent.executor.perform(effect);
        if let Some(input) = &mut input {
            crate::holds::find(self, input);
        }
        self.end_ambush();
        if self.disk.is_off() {
            return self.died();
        }
        if is_disk && self.looks_each_time {
            invariants::tree(self)?;
        }
        let complaint = self.align.cloud().complaints.pop();
        if let Some(complaint) = complaint {
            return Err(complaint);
        }
        let list = match &input {
            Some(Input::Polled { .. }) => self.align.cloud().handed_out.clone(),
            _ => Vec::new(),
        };
        if let Some(input) = input {
            let slow = self.dangers.slowness;
            let wait = if slow > 0.0 && self.rng.f64() < slow {
                self.rng.u64(..600_000)
            } else {
                self.rng.u64(..self.pace)
            };
            // A call that fails by a timeout takes that long.
            let fails = matches!(
                &input,
                Input::Connected { result: Err(_), .. }
                    | Input::Polled { result: Err(_), .. }
                    | Input::Answered { result: Err(_), .. }
                    | Input::Fetched { result: Err(_), .. }
            );
            let outage = self.align.cloud().outage.filter(|_| fails);
            let wait = wait + outage.map_or(0, |outage| outage.takes);
            let life = self.life;
            self.schedule(wait, Event::Answer(life, input, list));
        }
        Ok(())
    }

    pub(super) fn answer(
        &mut self,
        input: Input,
        list: &[(RemoteOrder, u32)],
    ) -> Result<(), Failure> {
        let polled = match &input {
            Input::Polled { account, result, .. } => Some((account.clone(), result.is_ok())),
            _ => None,
        };
        if let Some((account, _)) = &polled {
            self.align.cloud().answer_arrived(account, self.clock.now);
        }
        let before = self.life;
        self.feed(input)?;
        // If the agent ended over this answer, it never learned what the list said.
        if let Some((account, true)) = &polled
            && self.life == before
        {
            self.align.cloud().list_arrived(account, list);
        }
        Ok(())
    }

    fn ambush(&mut self, key: Option<&OrderKey>) -> Option<(u32, Ambush)> {
        let at = self.rng.u32(..60);
        if self.dangers.ends > 0.0 && self.rng.f64() < self.dangers.ends {
            return Some((at, Ambush::End));
        }
        let may_act = key.is_some() && !self.share_gone && self.dangers.deeds > 0.0;
        if may_act && self.rng.f64() < self.dangers.deeds {
            return Some((at, Ambush::Deed(crate::actors::Deed::draw(&mut self.rng))));
        }
        None
    }

    pub(super) fn end_ambush(&mut self) {
        self.hooks.end();
        let lines = std::mem::take(&mut self.hooks.between().log);
        let calls = std::mem::take(&mut self.align.cloud().log);
        for line in calls.into_iter().chain(lines) {
            self.trace.say(self.clock.now, &format_args!("  {line}"));
        }
    }
}

fn subject(effect: &Effect) -> (Option<OrderKey>, bool) {
    match effect {
        Effect::Look { key, .. } | Effect::Discard { key, .. } => (Some(key.clone()), false),
        Effect::Fetch(job) => (Some(job.key.clone()), false),
        Effect::FetchExtras(job) => (Some(job.key.clone()), false),
        Effect::Hold(job) => (Some(job.key.clone()), false),
        Effect::Publish(job) | Effect::Recover(job) => (Some(job.intent.key.clone()), true),
        Effect::Retire(job) => (Some(job.key.clone()), true),
        Effect::Forget(job) => (Some(job.key.clone()), false),
        _ => (None, false),
    }
}

fn name(effect: &Effect) -> String {
    match effect {
        Effect::Connect { lab } => format!("connect {lab}"),
        Effect::Prove { lab } => format!("prove the login of {lab}"),
        Effect::Poll { lab, .. } => format!("poll {lab}"),
        Effect::Ask { lab, rx, .. } => format!("ask {lab} about {rx}"),
        Effect::Look { key, .. } => format!("look {key}"),
        Effect::Fetch(job) => format!("fetch {}", job.key),
        Effect::GiveUp { key } => format!("give up {key}"),
        Effect::FetchExtras(job) => format!("fetch {:?} of {}", job.kinds, job.key),
        Effect::Publish(job) => format!("publish {} {:?}", job.intent.key, job.intent.target),
        Effect::Recover(job) => format!("recover {} {:?}", job.intent.key, job.intent.target),
        Effect::Discard { key, .. } => format!("discard {key}"),
        Effect::Hold(job) => format!("hold {} back", job.key),
        Effect::DropHeld { key, dir } => format!("drop {dir}, held back of {key}"),
        Effect::Retire(job) => format!("retire {}", job.key),
        Effect::Forget(job) => {
            format!("forget revision {} of {}", job.old.manifest.revision, job.key)
        }
        Effect::Tell(notice) => notice.to_string(),
    }
}
