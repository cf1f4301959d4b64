//! Agents that take turns in one process, which looks like a single agent from outside.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::console::Console;
use super::first_start::{self, Waited};
use super::loading::load_to_work;
use super::service::refuse_mapped;
use super::work::{let_work, open, runtime, tell_stragglers};
use super::{CliError, Exit, Streams};
use crate::agent::{Ending, Restart, Summary, Updating};
use crate::config::Loaded;
use crate::config::filling::Unfilled;
use crate::disk::RealDisk;
use crate::model::notice::Notice;
use crate::service::eventlog::{self, Entry};
use crate::service::{Events, Host, Hosted, Stop};
use crate::web::gate::Visitors;

/// Runs the agent in this process until it is stopped or wants a restart.
pub(super) fn agent(
    named: Option<&Path>,
    updating: Updating,
    hosted: Hosted,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    noted(work_as(named, updating, hosted, streams))
}

/// Also writes what ended an agent to the system's event log, since no one reads a service's
/// messages.
fn noted<T>(result: Result<T, CliError>) -> Result<T, CliError> {
    result.inspect_err(|error| {
        let text = error.to_string();
        eventlog::write(&match error.exit {
            Exit::Usage => Entry::config(&text),
            _ => Entry::ended(&text),
        });
    })
}

/// Runs one agent after another: each ends when the user chooses another output, and the next
/// starts with the config as it is then. From outside it looks like one agent.
fn work_as(
    named: Option<&Path>,
    updating: Updating,
    hosted: Hosted,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let terminal = streams.terminal;
    let runtime = runtime()?;
    let quiet = !streams.terminal;
    let mut turns = Turns::new(hosted, Arc::new(updating));
    let worked = loop {
        if let Some(unfilled) = first_start::needed(named, turns.is_service)?
            && turns.fill_in(&runtime, unfilled, streams)? == Waited::Stopped
        {
            runtime.shutdown_background();
            return Ok(Exit::Ok);
        }
        let loaded = load_to_work(named, turns.is_service, terminal, streams)?;
        if turns.is_service {
            refuse_mapped(&loaded.config)?;
        }
        let worked = turns.one(&runtime, loaded, streams, |console, notice| {
            // Without a terminal the log says it.
            if !quiet {
                console.tell(notice);
            }
        });
        if worked.is_err() || !turns.goes_on() {
            break worked;
        }
    };
    // Work that did not reach a safe point in time must not hold up the process.
    runtime.shutdown_background();
    tell_stragglers(&worked?, streams);
    Ok(Exit::Ok)
}

/// What all agents of a process share.
pub(super) struct Turns {
    /// Whether a service manager runs the process.
    pub(super) is_service: bool,
    host: Arc<Shared>,
    stop: Stop,
    events: Events,
    updating: Arc<Updating>,
    /// The status page's sessions, kept from one agent to the next.
    visitors: Option<Arc<Visitors>>,
    /// Whether a person has just filled in the config, and with it chosen the output.
    is_filled: bool,
}

/// The process's host. It hears once that the agent is ready, and hears of its end only if no other
/// agent follows.
struct Shared {
    host: Arc<dyn Host>,
    is_ready: AtomicBool,
    goes_on: AtomicBool,
}

impl Host for Shared {
    fn ready(&self) {
        if !self.is_ready.swap(true, Ordering::SeqCst) {
            self.host.ready();
        }
    }

    fn at_work(&self, is: bool) {
        self.host.at_work(is);
    }

    fn alive(&self) {
        self.host.alive();
    }

    fn doing(&self, what: &str) {
        self.host.doing(what);
    }

    fn stopping(&self, up_to: Duration) {
        // A service that has announced its stop is never seen as running again.
        if !self.goes_on.load(Ordering::SeqCst) {
            self.host.stopping(up_to);
        }
    }
}

impl Turns {
    pub(super) fn new(hosted: Hosted, updating: Arc<Updating>) -> Self {
        let Hosted { host, stop, events, is_service } = hosted;
        let host =
            Shared { host, is_ready: AtomicBool::new(false), goes_on: AtomicBool::new(false) };
        // Without random numbers the page says what is wrong.
        let visitors = Visitors::new().ok().map(Arc::new);
        let host = Arc::new(host);
        Self { is_service, host, stop, events, updating, visitors, is_filled: false }
    }

    /// Whether the agent that ended makes way for another one.
    pub(super) fn goes_on(&self) -> bool {
        self.host.goes_on.load(Ordering::SeqCst)
    }

    /// Serves the page that asks for what the config lacks, until it is written or the process
    /// must end.
    fn fill_in(
        &mut self,
        runtime: &Runtime,
        unfilled: Unfilled,
        streams: &mut Streams,
    ) -> Result<Waited, CliError> {
        let Self { host, stop, updating, visitors, is_filled, .. } = self;
        let end = async {
            tokio::select! {
                () = stop.as_mut() => {}
                () = updating.restarting() => {}
            }
        };
        let way = (&**host as &dyn Host, visitors.as_ref());
        let waited = first_start::serve_page(runtime, unfilled, way, end, streams)?;
        *is_filled = waited == Waited::Filled;
        Ok(waited)
    }

    /// Runs one agent until the process ends, another version takes over, or the config must be
    /// read again.
    pub(super) fn one(
        &mut self,
        runtime: &Runtime,
        loaded: Loaded,
        streams: &mut Streams,
        tell: impl FnMut(&mut Console<'_>, &Notice),
    ) -> Result<Summary, CliError> {
        let Self { is_service, host, stop, events, updating, visitors, is_filled } = self;
        host.goes_on.store(false, Ordering::SeqCst);
        let restart = Restart::new(loaded.source, *is_service);
        let restart = Arc::new(match visitors {
            Some(visitors) => restart.with_visitors(Arc::clone(visitors)),
            None => restart,
        });
        // Events belong to the process: each agent gets those of its own time.
        let (pass_on, heard) = mpsc::unbounded_channel();
        let agent = open(runtime, loaded.config, updating.came_back(&RealDisk))?
            .updating(Arc::clone(updating))
            .restart(Arc::clone(&restart))
            .hosted_by(Arc::clone(host) as Arc<dyn Host>)
            .woken_by(heard);
        if std::mem::take(is_filled) {
            agent.output_was_chosen();
        }
        let mut tells = true;
        let end = async {
            loop {
                tokio::select! {
                    biased;
                    () = stop.as_mut() => return,
                    () = updating.restarting() => return,
                    () = restart.wanted() => {
                        host.goes_on.store(true, Ordering::SeqCst);
                        tracing::info!("the agent is restarting with another output folder");
                        return;
                    }
                    event = events.recv(), if tells => match event {
                        // The agent may be about to end.
                        Some(event) => drop(pass_on.send(event)),
                        None => tells = false,
                    },
                }
            }
        };
        let worked = let_work(runtime, agent, Ending::Never, streams, end, tell);
        worked.map(|(_, summary)| summary)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Told(Mutex<Vec<&'static str>>);

    impl Host for Told {
        fn ready(&self) {
            self.0.lock().expect("not poisoned").push("ready");
        }

        fn stopping(&self, _: Duration) {
            self.0.lock().expect("not poisoned").push("stopping");
        }
    }

    #[test]
    fn the_host_sees_one_agent_however_many_there_are() {
        let told = Arc::new(Told::default());
        let shared = Shared {
            host: Arc::clone(&told) as Arc<dyn Host>,
            is_ready: AtomicBool::new(false),
            goes_on: AtomicBool::new(false),
        };
        shared.ready();
        shared.goes_on.store(true, Ordering::SeqCst);
        shared.stopping(Duration::ZERO);
        shared.ready();
        shared.goes_on.store(false, Ordering::SeqCst);
        shared.stopping(Duration::ZERO);
        assert_eq!(*told.0.lock().expect("not poisoned"), ["ready", "stopping"]);
    }
}
