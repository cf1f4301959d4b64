//! The driver: hands what happened to the engine and has done what the engine answers.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::disk::LockGuard;
use crate::model::ids::{LabName, OrderKey};
use crate::model::record::OrderState;
use crate::model::time::Now;
use crate::status::Progress;
use crate::store::{Store, StoreError};
use crate::sync::Engine;
use crate::sync::effects::{Effect, Input};
use crate::sync::engine::LabStanding;
use crate::sync::execute::Executor;
use crate::sync::notice::Notice;

use super::clock;

/// How often the journal is looked at for requests of other processes.
const TICK: Duration = Duration::from_secs(1);
/// How long running work may take to reach a safe point at shutdown.
const SHUTDOWN: Duration = Duration::from_secs(20);

/// Says from the journal whether an agent's work is done.
pub type IsDone = Box<dyn FnMut(&Store) -> Result<bool, StoreError> + Send>;

/// When an agent ends by itself.
pub enum Ending {
    /// Never; only when it is told to.
    Never,
    /// After one pass: every lab polled if that is allowed, and everything that can be done now done.
    AfterOnePass,
    /// As soon as this says so; asked whenever nothing is under way.
    When(IsDone),
}

/// Why the agent ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// Its work is done.
    Done,
    /// It was told to stop.
    Stopped,
}

/// How things stand at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Orders by state.
    pub published: usize,
    /// Waiting for their turn or for Align.
    pub waiting: usize,
    /// Failing: retried, or waiting for a person. Each with what is in its way.
    pub failing: Vec<(OrderKey, String)>,
    /// Labs that cannot work until somebody logs in or pairs.
    pub login_needed: Vec<LabName>,
    /// Labs whose last call to Align failed otherwise.
    pub unreachable: Vec<LabName>,
    /// Labs that were not polled because Align was asked a short time ago, and the wait.
    pub not_polled: Vec<(LabName, Duration)>,
    /// Orders whose work did not reach a safe point in time. They are taken up at the next start.
    pub stragglers: Vec<OrderKey>,
}

/// A running agent. Its locks are held as long as it lives.
pub struct Agent {
    pub(super) engine: Engine,
    pub(super) executor: Arc<Executor>,
    pub(super) _locks: Vec<LockGuard>,
}

impl Agent {
    /// What is being transferred.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.executor.progress)
    }

    /// Works until the ending or until `stop` resolves; then lets running work reach a safe point.
    ///
    /// # Errors
    /// The journal failed. Nothing is lost: whatever is not recorded is found again at the next start.
    pub async fn run(
        mut self,
        mut ending: Ending,
        stop: impl Future<Output = ()>,
        mut tell: impl FnMut(&Notice),
    ) -> Result<(Finished, Summary), StoreError> {
        let cancel = self.executor.cancel.clone();
        let result = self.drive(&mut ending, stop, &mut tell).await;
        if result.is_err() {
            cancel.cancel();
        }
        result
    }

    async fn drive(
        &mut self,
        ending: &mut Ending,
        stop: impl Future<Output = ()>,
        tell: &mut impl FnMut(&Notice),
    ) -> Result<(Finished, Summary), StoreError> {
        let (answers, mut inbox) = mpsc::unbounded_channel();
        let mut stop = pin!(stop);
        let mut input = Input::Tick;
        let finished = loop {
            let now = clock::now();
            self.step(now, input, &answers, tell)?;
            let done = match ending {
                Ending::Never => false,
                Ending::AfterOnePass => self.engine.is_settled(now),
                Ending::When(is_done) => !self.engine.is_busy() && is_done(self.engine.store())?,
            };
            if done {
                break Finished::Done;
            }
            let now = clock::now();
            let wait = self.engine.next_wake(now).map_or(TICK, |at| at.saturating_sub(now.mono));
            input = tokio::select! {
                biased;
                () = &mut stop => break Finished::Stopped,
                Some(answer) = inbox.recv() => answer,
                () = tokio::time::sleep(wait.min(TICK)) => Input::Tick,
            };
        };
        let stragglers = self.wind_down(&mut inbox, &answers, tell).await?;
        let summary = self.summarise(stragglers)?;
        Ok((finished, summary))
    }

    fn step(
        &mut self,
        now: Now,
        input: Input,
        answers: &mpsc::UnboundedSender<Input>,
        tell: &mut impl FnMut(&Notice),
    ) -> Result<(), StoreError> {
        for effect in self.engine.handle(now, input)? {
            if let Effect::Tell(notice) = effect {
                notice.log();
                tell(&notice);
                continue;
            }
            let executor = Arc::clone(&self.executor);
            let answers = answers.clone();
            tokio::task::spawn_blocking(move || {
                if let Some(input) = executor.perform(effect) {
                    // Nobody listens any more once the deadline of the shutdown has passed.
                    let _ = answers.send(input);
                }
            });
        }
        Ok(())
    }

    /// Begins nothing new, asks what runs to stop, and waits for it up to a deadline. Gives the
    /// orders that did not make it.
    async fn wind_down(
        &mut self,
        inbox: &mut mpsc::UnboundedReceiver<Input>,
        answers: &mpsc::UnboundedSender<Input>,
        tell: &mut impl FnMut(&Notice),
    ) -> Result<Vec<OrderKey>, StoreError> {
        let now = clock::now();
        self.step(now, Input::Stop, answers, tell)?;
        self.executor.cancel.cancel();
        let deadline = tokio::time::Instant::now() + SHUTDOWN;
        while self.engine.is_busy() {
            match tokio::time::timeout_at(deadline, inbox.recv()).await {
                Ok(Some(input)) => {
                    let now = clock::now();
                    self.step(now, input, answers, tell)?;
                }
                Ok(None) => break,
                Err(_) => return Ok(self.engine.under_way().cloned().collect()),
            }
        }
        Ok(Vec::new())
    }

    fn summarise(&self, stragglers: Vec<OrderKey>) -> Result<Summary, StoreError> {
        let mut summary = Summary { stragglers, ..Summary::default() };
        for order in self.engine.store().orders()? {
            match order.state() {
                OrderState::Published | OrderState::Away => summary.published += 1,
                OrderState::Waiting | OrderState::Regenerating => summary.waiting += 1,
                OrderState::Retrying | OrderState::Attention => {
                    let why = order.trouble.map(|trouble| trouble.message).unwrap_or_default();
                    summary.failing.push((order.key, why));
                }
            }
        }
        let now = clock::now();
        for (lab, standing) in self.engine.lab_standings(now) {
            match standing {
                LabStanding::Good => {}
                LabStanding::NotPolled(wait) => summary.not_polled.push((lab, wait)),
                LabStanding::LoginNeeded => summary.login_needed.push(lab),
                LabStanding::Unreachable => summary.unreachable.push(lab),
            }
        }
        Ok(summary)
    }
}
