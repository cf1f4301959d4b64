//! The driver: passes events to the engine, carries out the engine's effects, and watches whether
//! output, staging and journal stay in place.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use crate::engine::effects::{Effect, Input};
use crate::hotfolder::root::STAGING_GONE;
use crate::journal::{FILE_NAME, StoreError};
use crate::model::fault::Fault;
use crate::model::ids::OrderKey;
use crate::model::notice::Notice;
use crate::model::time::Now;
use crate::service::Host;
use crate::status::DownloadPause;

use super::clock;
use super::context::AgentContext;
use super::session::{Ending, Finished, Interruption, WorkSession, waits};

/// How long running work may take to reach a safe point at shutdown.
const SHUTDOWN: Duration = Duration::from_secs(20);
/// Interval for checking that output, staging and journal are in place.
const WATCH: Duration = Duration::from_secs(5);
/// The same while one of them is missing.
const WATCH_CLOSELY: Duration = Duration::from_secs(1);
/// How many times in a row the output must be missing before it counts as gone: a share may hiccup.
const MISSES: u32 = 2;

type Answers = mpsc::UnboundedSender<Input>;

/// What a check found.
enum Seen {
    AllThere,
    /// Staging or journal are not where they were.
    Changed,
    /// The output is missing or unusable.
    Away(Fault),
}

/// Works until the ending applies, a stop, or an interruption. Returns the orders that did not
/// reach a safe point in time.
pub(super) async fn run(
    life: &mut WorkSession,
    context: &Arc<AgentContext>,
    host: &dyn Host,
    ending: &mut Ending,
    stop: &mut Pin<&mut impl Future<Output = ()>>,
    tell: &mut impl FnMut(&Notice),
) -> Result<(Finished, Vec<OrderKey>), Interruption> {
    let (answers, mut inbox) = mpsc::unbounded_channel();
    let (report, mut reports) = mpsc::unbounded_channel();
    let tick = *context.tick.lock().unwrap_or_else(PoisonError::into_inner);
    let look_after = |wait: Duration| clock::now().mono + wait.max(tick);
    let mut next_look = matches!(ending, Ending::Never).then(|| look_after(WATCH_CLOSELY));
    let mut misses = 0;
    let mut input = Input::Tick;
    let finished = loop {
        let now = clock::now();
        step(life, context, (now, input), &answers, tell)?;
        host.at_work(true);
        host.alive();
        host.doing(&doing(life, context.config.labs.len()));
        let done = match ending {
            Ending::Never => false,
            Ending::AfterOnePass => life.engine.is_settled(now),
            Ending::When(is_done) => !life.engine.is_busy() && is_done(life.engine.store())?,
        };
        if done {
            break Finished::Done;
        }
        let now = clock::now();
        if next_look.is_some_and(|at| at <= now.mono) {
            // No other check starts until it answers: a hanging share is asked only once.
            next_look = None;
            look_around(context, life.waits.is_some(), &report);
        }
        let wait = life.engine.next_wake(now).map(|at| at.saturating_sub(now.mono));
        context.idle.tell(life.engine.is_busy(), wait);
        let wait = wait.map_or(tick, |wait| wait.min(tick));
        input = tokio::select! {
            biased;
            () = stop.as_mut() => break Finished::Stopped,
            Some(answer) = inbox.recv() => answer,
            Some(seen) = reports.recv() => {
                let again = noticed(life, context, seen, &mut misses, tell)?;
                next_look = Some(look_after(again));
                Input::Tick
            }
            () = context.wake.called() => Input::Tick,
            () = tokio::time::sleep(wait) => Input::Tick,
        };
    };
    host.stopping(SHUTDOWN);
    let stragglers = shut_down(life, context, &mut inbox, &answers, tell).await;
    Ok((finished, stragglers))
}

/// Describes what the agent is doing, for its host.
fn doing(life: &WorkSession, labs: usize) -> String {
    if life.waits.is_some() {
        return "waiting for the output folder".to_owned();
    }
    let count = |number: usize, word: &str| {
        format!("{number} {word}{}", if number == 1 { "" } else { "s" })
    };
    let orders = count(life.engine.under_way().count(), "order");
    format!("{}, {orders} in progress", count(labs, "lab"))
}

/// Cancels running work and waits for it to end, ignoring its results: none of it may touch what
/// the next stretch of work uses. Returns whether the agent was told to stop while waiting.
pub(super) async fn abort(
    life: WorkSession,
    stop: &mut Pin<&mut impl Future<Output = ()>>,
) -> Finished {
    life.executor.cancel.cancel();
    let effects = life.effects.clone();
    drop(life);
    effects.close();
    match waits(stop, effects.wait()).await {
        Some(()) => Finished::Done,
        None => Finished::Stopped,
    }
}

fn step(
    life: &mut WorkSession,
    context: &AgentContext,
    (now, input): (Now, Input),
    answers: &Answers,
    tell: &mut impl FnMut(&Notice),
) -> Result<(), StoreError> {
    context.counters.see(&input);
    let input = match input {
        Input::Tick => Input::Progress(life.executor.progress.arrived()),
        other => other,
    };
    for effect in life.engine.handle(now, input)? {
        if let Effect::Tell(notice) = effect {
            tell(&notice);
            continue;
        }
        let executor = Arc::clone(&life.executor);
        let answers = answers.clone();
        life.effects.spawn_blocking(move || {
            if let Some(input) = executor.perform(effect) {
                // After the shutdown deadline, there is no receiver.
                let _ = answers.send(input);
            }
        });
    }
    context.handler.set_download_pauses(pauses(life, now));
    Ok(())
}

/// Returns the downloads that are waiting for their server, for the status.
fn pauses(life: &WorkSession, now: Now) -> Vec<DownloadPause> {
    let pauses = life.engine.pauses(now).into_iter();
    let told = pauses.map(|pause| DownloadPause {
        host: pause.host,
        until: now.wall.plus(pause.until.saturating_sub(now.mono)).to_rfc3339(),
        why: pause.why,
        orders: pause.orders,
        outage: pause.is_outage,
    });
    told.collect()
}

/// Starts nothing new, asks running work to stop, and waits for it up to a deadline. Returns the
/// orders that did not make it.
async fn shut_down(
    life: &mut WorkSession,
    context: &AgentContext,
    inbox: &mut mpsc::UnboundedReceiver<Input>,
    answers: &Answers,
    tell: &mut impl FnMut(&Notice),
) -> Vec<OrderKey> {
    let mut input = Input::Stop;
    let deadline = tokio::time::Instant::now() + SHUTDOWN;
    loop {
        if let Err(error) = step(life, context, (clock::now(), input), answers, tell) {
            // The next start finds again what could not be recorded.
            tracing::warn!("{}", error.chain());
        }
        life.executor.cancel.cancel();
        if !life.engine.is_busy() {
            return Vec::new();
        }
        match tokio::time::timeout_at(deadline, inbox.recv()).await {
            Ok(Some(answer)) => input = answer,
            Ok(None) => return Vec::new(),
            Err(_) => return life.engine.under_way().cloned().collect(),
        }
    }
}

/// Checks whether everything is in place, on a thread that may hang.
fn look_around(context: &Arc<AgentContext>, waits: bool, report: &mpsc::UnboundedSender<Seen>) {
    let (context, report) = (Arc::clone(context), report.clone());
    tokio::task::spawn_blocking(move || {
        let output = if waits { context.root.try_again() } else { context.root.look() };
        let journal = context.disk.kind(&context.config.state.join(FILE_NAME));
        let seen = match (output, journal) {
            (_, Ok(None)) => Seen::Changed,
            (Ok(()), _) => Seen::AllThere,
            (Err(fault), _) if fault.code == STAGING_GONE => Seen::Changed,
            (Err(fault), _) => Seen::Away(fault),
        };
        // The agent may have ended by now.
        let _ = report.send(seen);
    });
}

/// Handles the result of a check. Returns the time until the next one.
fn noticed(
    life: &mut WorkSession,
    context: &AgentContext,
    seen: Seen,
    misses: &mut u32,
    tell: &mut impl FnMut(&Notice),
) -> Result<Duration, Interruption> {
    let away = match (seen, &life.waits) {
        (Seen::Changed, _) => return Err(Interruption::Changed),
        (Seen::AllThere, Some(_)) => {
            let output = context.layout.output.display();
            tell(&Notice::PcHealed { message: format!("the output folder {output} is back") });
            return Err(Interruption::Changed);
        }
        (Seen::AllThere, None) => {
            *misses = 0;
            return Ok(WATCH);
        }
        (Seen::Away(fault), _) => fault,
    };
    *misses += 1;
    let is_news = life.waits.as_ref().is_none_or(|told| told.chain() != away.chain());
    if life.waits.is_some() || *misses >= MISSES {
        context.root.close();
        if is_news {
            life.engine.store().set_output_waits(Some(&away.chain()))?;
            tell(&Notice::PcTrouble { message: away.chain(), hint: away.hint.clone() });
        }
        life.waits = Some(away);
    }
    Ok(WATCH_CLOSELY)
}
