//! Runs the agent, for `run` and `sync`.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::Runtime;

use crate::agent::{Agent, Ending, Finished, Labs, OpenError, Summary};
use crate::config::Config;
use crate::disk::{Disk, RealDisk};
use crate::model::notice::Notice;
use crate::model::time::in_words;
use crate::service::stop_signal;

use super::console::Console;
use super::journal::unusable;
use super::{CliError, Exit, Streams};

/// Runs one pass: polls if allowed, fetches, publishes.
pub fn sync(config: Config, streams: &mut Streams) -> Result<Exit, CliError> {
    let runtime = runtime()?;
    let mut published = Vec::new();
    let ending = Ending::AfterOnePass;
    let (finished, summary) =
        work(runtime, config, ending, streams, stop_signal(), |console, notice| {
            if let Notice::Published { key, revision, .. } = notice {
                published.push((key.clone(), *revision));
            }
            console.tell(notice);
        })?;
    for (lab, wait) in &summary.not_polled {
        streams.note(format!(
            "{lab}: not polled, because Align was asked a short time ago; the next poll is allowed \
             in {}",
            in_words(*wait)
        ));
    }
    for lab in &summary.paused {
        streams.note(format!(
            "{lab} is paused, so nothing new was started for it; to continue: `casedrop resume`"
        ));
    }
    for (key, why) in &summary.failing {
        streams.note(format!("{key} is failing: {why}"));
    }
    if summary.held > 0 {
        streams.note(format!(
            "{} held back as incomplete; to list them: `casedrop orders --state held`",
            summary.held
        ));
    }
    tell_stragglers(&summary, streams);
    if streams.json {
        let published: Vec<_> = published
            .iter()
            .map(|(key, revision)| {
                serde_json::json!({ "lab": key.lab, "account": key.account, "order_id": key.order,
                    "revision": revision })
            })
            .collect();
        streams.json(&serde_json::json!({
            "published": published,
            "orders": { "published": summary.published, "waiting": summary.waiting,
                "failing": summary.failing.len(), "held": summary.held },
            "not_polled": summary.not_polled.iter().map(|(lab, _)| lab).collect::<Vec<_>>(),
            "paused": summary.paused,
            "login_needed": summary.login_needed,
            "unreachable": summary.unreachable,
            "stopped": finished == Finished::Stopped,
        }))?;
    } else {
        streams.line(format!(
            "{} published in this pass; in total {} published, {} waiting for Align or their turn, \
             {} failing",
            published.len(),
            summary.published,
            summary.waiting,
            summary.failing.len()
        ))?;
    }
    Ok(exit_of(&summary))
}

/// The exit code of a finished pass; the gravest result wins.
fn exit_of(summary: &Summary) -> Exit {
    if !summary.login_needed.is_empty() {
        Exit::LoginNeeded
    } else if !summary.unreachable.is_empty() {
        Exit::Failed
    } else if !summary.failing.is_empty() {
        Exit::OrdersFailing
    } else {
        Exit::Ok
    }
}

/// Opens an agent for the config and runs it.
pub(super) fn work(
    runtime: Runtime,
    config: Config,
    ending: Ending,
    streams: &mut Streams,
    stop: impl Future<Output = ()>,
    tell: impl FnMut(&mut Console<'_>, &Notice),
) -> Result<(Finished, Summary), CliError> {
    let agent = open(&runtime, config, false)?;
    let worked = let_work(&runtime, agent, ending, streams, stop, tell);
    // Work that did not reach a safe point in time must not hold up the process.
    runtime.shutdown_background();
    worked
}

pub(super) fn open(runtime: &Runtime, config: Config, came_back: bool) -> Result<Agent, CliError> {
    let config = Arc::new(config);
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let step = super::hooks::step;
    let labs = Labs::new(Arc::clone(&config), runtime.handle().clone(), Arc::clone(&disk));
    Agent::open(config, disk, Arc::new(labs.with_hook(step)), step, came_back).map_err(opening)
}

/// Runs an agent until its ending or a stop.
pub(super) fn let_work(
    runtime: &Runtime,
    agent: Agent,
    ending: Ending,
    streams: &mut Streams,
    stop: impl Future<Output = ()>,
    mut tell: impl FnMut(&mut Console<'_>, &Notice),
) -> Result<(Finished, Summary), CliError> {
    let progress = agent.progress();
    let mut console = Console::new(streams, &progress);
    runtime.block_on(agent.run(ending, stop, |notice| tell(&mut console, notice))).map_err(opening)
}

fn opening(error: OpenError) -> CliError {
    match error {
        OpenError::AnotherAgent(_) => CliError::new(Exit::AnotherAgent, error.to_string())
            .hint("stop the other agent first, or give this one its own state and output"),
        OpenError::Fault(fault) | OpenError::Aside(fault) => fault.into(),
        OpenError::Store(error) => unusable(error),
    }
}

pub(super) fn tell_stragglers(summary: &Summary, streams: &mut Streams) {
    for key in &summary.stragglers {
        streams.note(format!(
            "{key}: did not reach a safe point in time; the next start continues it"
        ));
    }
}

/// A runtime for network I/O.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| CliError::new(Exit::Failed, format!("cannot start threads: {error}")))
}
