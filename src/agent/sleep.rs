//! Polls Align as soon as allowed after the PC wakes up: scans have arrived in the meantime, and
//! someone may be waiting for them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::journal::{Store, StoreError};
use crate::service::{Event, Events};

use super::clock;
use super::context::AgentContext;

/// How often the clocks are checked for sleep, in case no one reports it.
const LOOK: Duration = Duration::from_secs(5);
/// A shorter sleep is no reason to poll sooner.
const NAP: Duration = Duration::from_secs(30);

/// Watches for wake-ups until it is time to end.
pub(super) async fn look_after(
    context: Arc<AgentContext>,
    mut events: Option<Events>,
    until: CancellationToken,
) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut slept = clock::slept();
    loop {
        let woke_up = tokio::select! {
            biased;
            () = until.cancelled() => return,
            told = told(&mut events) => match told {
                Some(Event::WokeUp) => true,
                None => {
                    events = None;
                    false
                }
            },
            _ = look.tick() => {
                let before = std::mem::replace(&mut slept, clock::slept());
                slept.saturating_sub(before) >= NAP
            }
        };
        if woke_up {
            tracing::info!("the PC woke up; Align is polled as soon as it allows it");
            let context = Arc::clone(&context);
            // The process ends without waiting for it.
            drop(tokio::task::spawn_blocking(move || {
                match context.journal.with(|store| want_polls(store, &context)) {
                    Ok(()) => context.wake.now(),
                    Err(error) => tracing::warn!("{}", error.chain()),
                }
            }));
        }
    }
}

/// Returns the next event; waits forever if there is no source of events.
async fn told(events: &mut Option<Events>) -> Option<Event> {
    match events {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

/// Requests a poll for each lab that is not paused.
fn want_polls(store: &Store, context: &AgentContext) -> Result<(), StoreError> {
    let (resting, now) = (store.pauses()?, clock::wall_now());
    let names = context.config.labs.iter().map(|lab| lab.name.as_str());
    names
        .filter(|name| !resting.contains_key(*name))
        .try_for_each(|name| store.want_poll(name, now).map(drop))
}
