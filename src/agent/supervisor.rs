//! The agent: works until it is told to stop, whatever happens to this PC. A journal fault does not
//! end it: running work is stopped and resumed from the journal and the disk, as after a restart.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::audit::AuditEvent;
use crate::control;
use crate::engine::LabStanding;
use crate::journal::{StoreError, StoreTrouble};
use crate::model::ids::OrderKey;
use crate::model::notice::Notice;
use crate::model::record::OrderState;
use crate::service::{Events, Host};
use crate::status::{Note, Progress};

use super::background::BackgroundTasks;
use super::clock;
use super::config_audit;
use super::context::AgentContext;
use super::heartbeat::MonitoredHost;
use super::restart::Restart;
use super::session::{
    Attempt, Ending, Finished, Interruption, OpenError, Summary, WorkSession, waits,
};
use super::startup::{Agent, start_work};
use super::updates;
use super::updating::Updating;

/// The longest wait between two attempts to get back to work.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// After working this long, the next failure counts as a new problem.
const LASTING: Duration = Duration::from_secs(60);
/// Caps rebuilds of the journal per hour: a volume that damages every new one must not fill up with
/// their remains.
const REBUILDS_PER_HOUR: usize = 3;
/// How often a single pass tries to get back to work.
const TRIES_OF_A_PASS: u32 = 2;

/// Interval between heartbeats.
const BEAT: Duration = Duration::from_secs(1);

/// Recent problems.
#[derive(Default)]
struct Troubles {
    /// Consecutive failed attempts.
    attempts: u32,
    /// How many times in a row something changed soon after work began.
    changes: u32,
    /// The last problem reported, if it is not over.
    told: Option<String>,
    /// How often work was ended by damage that checking the journal had not found.
    suspicions: u32,
    rebuilds: Vec<Instant>,
}

impl Agent {
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.context.progress)
    }

    /// Sets the host that receives the agent's state.
    #[must_use]
    pub fn hosted_by(self, host: Arc<dyn Host>) -> Self {
        Self { host, ..self }
    }

    /// Sets how this program updates itself.
    #[must_use]
    pub fn updating(self, updating: Arc<Updating>) -> Self {
        self.context.handler.set_updating(updating);
        self
    }

    /// Sets how the agent restarts with a changed config.
    #[must_use]
    pub fn restart(self, restart: Arc<Restart>) -> Self {
        self.context.handler.set_restart(restart);
        self
    }

    /// Sets how rarely to check whether other processes wrote to the journal: this disables only
    /// the safety net.
    #[cfg(test)]
    pub(super) fn ticking(self, tick: Duration) -> Self {
        *self.context.tick.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = tick;
        self
    }

    /// Sets the source of wake-up events.
    #[must_use]
    pub fn woken_by(self, events: Events) -> Self {
        Self { events: Some(events), ..self }
    }

    /// Works until the ending applies or `stop` resolves, then lets running work reach a safe
    /// point.
    ///
    /// # Errors
    /// With an ending: what keeps the agent from its work and did not pass soon. Without one: only
    /// what waiting cannot fix, such as a journal of a newer agent. Nothing is lost: the next start
    /// finds again what was not recorded.
    pub async fn run(
        mut self,
        mut ending: Ending,
        stop: impl Future<Output = ()>,
        tell: impl FnMut(&Notice),
    ) -> Result<(Finished, Summary), OpenError> {
        let mut tasks = BackgroundTasks::new();
        if matches!(ending, Ending::Never) {
            self.context.events.begin();
            start_background_tasks(&self.context, &mut tasks);
            let (context, events) = (Arc::clone(&self.context), self.events.take());
            tasks.start(|until| super::sleep::look_after(context, events, until));
            let context = Arc::clone(&self.context);
            tasks.start(|until| super::event_log::look_after(context, until));
            config_audit::agent(&self.context, AuditEvent::AgentStarted);
        }
        let context = Arc::clone(&self.context);
        let tell = Mutex::new(tell);
        let told = |notice: &Notice| (tell.lock().unwrap_or_else(PoisonError::into_inner))(notice);
        let result = tokio::select! {
            result = self.work(&mut ending, stop, told) => result,
            never = tell_of_page(&context, told) => match never {},
        };
        context.handler.stop();
        tasks.end().await;
        // A look still in progress must not block whoever writes there next.
        context.root.release();
        if matches!(ending, Ending::Never) {
            config_audit::agent(&context, AuditEvent::AgentStopped);
        }
        result
    }

    async fn work(
        self,
        ending: &mut Ending,
        stop: impl Future<Output = ()>,
        mut tell: impl FnMut(&Notice),
    ) -> Result<(Finished, Summary), OpenError> {
        let Self { context, mut life, news, host, _lock, .. } = self;
        let host = MonitoredHost { host, heartbeat: Arc::clone(&context.heartbeat) };
        host.ready();
        let mut stop = pin!(stop);
        let mut tell = |notice: &Notice| {
            context.say(notice);
            context.told.send_replace(());
            tell(notice);
        };
        let mut troubles = Troubles::default();
        troubles.note(&news);
        news.iter().for_each(&mut tell);
        let patient = matches!(ending, Ending::Never);
        loop {
            let interruption = match life {
                Err(error) => Interruption::Failed(Box::new(error)),
                Ok(WorkSession { waits: Some(fault), .. }) if !patient => return Err(fault.into()),
                Ok(mut alive) => {
                    let lived = super::driver::run(
                        &mut alive, &context, &host, ending, &mut stop, &mut tell,
                    );
                    let lived = lived.await;
                    host.at_work(false);
                    context.idle.forget();
                    match lived {
                        Ok((finished, stragglers)) => {
                            return summary(&alive, finished, stragglers);
                        }
                        Err(interruption) => {
                            troubles.ended(&alive, &interruption);
                            if super::driver::abort(alive, &mut stop).await == Finished::Stopped {
                                return Ok((Finished::Stopped, Summary::default()));
                            }
                            interruption
                        }
                    }
                }
            };
            if let Interruption::Changed = interruption {
                let pause = tokio::time::sleep(troubles.pause());
                if waits(&mut stop, beating(&host, pause)).await.is_none() {
                    return Ok((Finished::Stopped, Summary::default()));
                }
            } else if let Interruption::Failed(error) = interruption {
                context.handler.set_journal_trouble(Some(note_of(&error)));
                troubles.attempts += 1;
                let wait = growing(troubles.attempts);
                let hopeless = is_hopeless(&error);
                if hopeless || (!patient && troubles.attempts > TRIES_OF_A_PASS) {
                    return Err(*error);
                }
                if let Some(notice) = troubles.tell(&error) {
                    tell(&notice);
                }
                if waits(&mut stop, beating(&host, tokio::time::sleep(wait))).await.is_none() {
                    return Ok((Finished::Stopped, Summary::default()));
                }
            }
            let attempt = troubles.next_attempt();
            let again = Arc::clone(&context);
            let revived = tokio::task::spawn_blocking(move || {
                let mut news = Vec::new();
                let life = start_work(&again, attempt, &mut news);
                (life, news)
            });
            let Some(revived) = waits(&mut stop, beating(&host, revived)).await else {
                return Ok((Finished::Stopped, Summary::default()));
            };
            let (next, news) = match revived {
                Ok(revived) => revived,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            troubles.note(&news);
            news.iter().for_each(&mut tell);
            if next.is_ok() {
                context.handler.set_journal_trouble(None);
            }
            if next.is_ok() && troubles.told.take().is_some() {
                tell(&Notice::PcHealed { message: "the journal can be used again".to_owned() });
            }
            life = next;
        }
    }
}

/// Reports the address of the status page as soon as it is available, and whenever it changes.
async fn tell_of_page(context: &AgentContext, tell: impl Fn(&Notice)) -> Infallible {
    if let Some(mut page) = context.handler.page() {
        loop {
            let url = page.borrow_and_update().clone();
            if let Some(url) = url {
                tell(&Notice::PageAt { url, code: context.handler.code_file() });
            }
            if page.changed().await.is_err() {
                break;
            }
        }
    }
    std::future::pending().await
}

/// Starts the tasks that run in parallel with the engine.
fn start_background_tasks(context: &Arc<AgentContext>, tasks: &mut BackgroundTasks) {
    let (disk, state) = (Arc::clone(&context.disk), context.config.state.clone());
    let source = Arc::clone(&context.handler);
    tasks.start(|until| async move {
        control::serve(disk, state, source, until.cancelled()).await;
    });
    if context.config.notifications.is_some() {
        let context = Arc::clone(context);
        tasks.start(|until| super::notifications::listen(context, until));
    }
    let for_logins = Arc::clone(&context.handler);
    tasks.start(|until| super::logins::look_after(for_logins, until));
    let of_folders = Arc::clone(context);
    tasks.start(|until| super::pick_up::look_after(of_folders, until));
    let of_page = Arc::clone(context);
    tasks.start(|until| super::page::show(of_page, until));
    super::command_folder::start(context, tasks);
    super::notices::start(context, tasks);
    updates::start(context, tasks);
}

impl Troubles {
    fn note(&mut self, news: &[Notice]) {
        if news.iter().any(|notice| matches!(notice, Notice::JournalRebuilt(_))) {
            self.rebuilds.push(Instant::now());
            self.suspicions = 0;
        }
    }

    /// Records the end of a stretch of work. How long it lasted decides what counts as a new
    /// problem.
    fn ended(&mut self, life: &WorkSession, why: &Interruption) {
        if life.began.elapsed() >= LASTING {
            self.attempts = 0;
            self.changes = 0;
        }
        if let Interruption::Failed(error) = why
            && let OpenError::Store(error) = &**error
            && error.kind() == StoreTrouble::Damaged
        {
            self.suspicions += 1;
        }
    }

    /// Returns a notice of the problem, if it is new.
    fn tell(&mut self, error: &OpenError) -> Option<Notice> {
        let Note { message, hint, .. } = note_of(error);
        if self.told.as_ref() == Some(&message) {
            return None;
        }
        self.told = Some(message.clone());
        let message = format!("{message}; the agent waits and retries");
        Some(Notice::PcTrouble { message, hint })
    }

    /// Backs off if things keep coming and going.
    fn pause(&mut self) -> Duration {
        self.changes += 1;
        match self.changes {
            0..=3 => Duration::ZERO,
            changes => growing(changes - 3),
        }
    }

    fn next_attempt(&mut self) -> Attempt {
        self.rebuilds.retain(|at| at.elapsed() < Duration::from_secs(3600));
        Attempt {
            first: false,
            suspicions: self.suspicions,
            may_rebuild: self.rebuilds.len() < REBUILDS_PER_HOUR,
        }
    }
}

fn note_of(error: &OpenError) -> Note {
    let (message, hint) = match error {
        OpenError::Store(error) => (error.chain(), Some(error.hint().to_owned())),
        OpenError::Fault(fault) | OpenError::Aside(fault) => (fault.chain(), fault.hint.clone()),
        OpenError::AnotherAgent(_) => (error.to_string(), None),
    };
    Note::new(message, hint.as_deref())
}

fn growing(attempt: u32) -> Duration {
    let seconds = 1_u64 << attempt.saturating_sub(1).min(10);
    Duration::from_secs(seconds).min(LONGEST_WAIT)
}

fn is_hopeless(error: &OpenError) -> bool {
    matches!(error, OpenError::Store(error) if error.kind() == StoreTrouble::Newer)
}

/// Sends heartbeats while waiting for something else.
async fn beating<T>(host: &dyn Host, what: impl Future<Output = T>) -> T {
    let mut what = pin!(what);
    let mut beat = tokio::time::interval(BEAT);
    loop {
        tokio::select! {
            biased;
            done = what.as_mut() => return done,
            _ = beat.tick() => host.alive(),
        }
    }
}

/// Ends the work gracefully.
fn summary(
    life: &WorkSession,
    finished: Finished,
    stragglers: Vec<OrderKey>,
) -> Result<(Finished, Summary), OpenError> {
    let told = life.engine.store().set_in_use(false).and_then(|()| summarise(life));
    match told {
        Ok(summary) => Ok((finished, Summary { stragglers, ..summary })),
        Err(error) if finished == Finished::Stopped => {
            tracing::warn!("{}", error.chain());
            Ok((finished, Summary { stragglers, ..Summary::default() }))
        }
        Err(error) => Err(error.into()),
    }
}

fn summarise(life: &WorkSession) -> Result<Summary, StoreError> {
    let mut summary = Summary::default();
    for order in life.engine.store().orders()? {
        match order.state() {
            OrderState::Published | OrderState::PickedUp | OrderState::Away => {
                summary.published += 1;
            }
            OrderState::Removed => {}
            OrderState::Held => summary.held += 1,
            OrderState::Waiting
            | OrderState::Downloading
            | OrderState::Checking
            | OrderState::Refetching
            | OrderState::Regenerating => summary.waiting += 1,
            OrderState::Retrying | OrderState::Attention => {
                let why = order.trouble.map(|trouble| trouble.message).unwrap_or_default();
                summary.failing.push((order.key, why));
            }
        }
    }
    for (lab, standing) in life.engine.lab_standings(clock::now()) {
        match standing {
            LabStanding::Good => {}
            LabStanding::NotPolled(wait) => summary.not_polled.push((lab, wait)),
            LabStanding::LoginNeeded => summary.login_needed.push(lab),
            LabStanding::Unreachable => summary.unreachable.push(lab),
            LabStanding::Paused => summary.paused.push(lab),
        }
    }
    Ok(summary)
}
