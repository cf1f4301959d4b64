//! Orders that a user asked for and no agent has started on.

use serde::Serialize;

use super::{CliError, Exit, Streams};
use crate::agent::agent_runs;
use crate::agent::requests::{NOT_RUNNING, START_IT};
use crate::config::Config;
use crate::journal::{Errand, ErrandKind, Store, StoreError};
use crate::model::local_time::local;

/// An order that a user asked for by number and that the journal has not seen yet.
#[derive(Debug, Serialize)]
pub(super) struct AskedFor<'a> {
    pub(super) lab: &'a str,
    pub(super) account: &'a str,
    pub(super) order_id: &'a str,
    pub(super) state: &'static str,
    #[serde(rename = "asked_for")]
    pub(super) since: String,
}

impl<'a> AskedFor<'a> {
    pub(super) fn new(errand: &'a Errand) -> Self {
        Self {
            lab: errand.key.lab.as_str(),
            account: errand.key.account.as_str(),
            order_id: errand.key.order.as_str(),
            state: "asked-for",
            since: errand.at.to_rfc3339(),
        }
    }
}

/// The orders that a user asked for and no agent has started on, each once.
pub(super) fn to_fetch(store: &Store) -> Result<Vec<Errand>, StoreError> {
    let mut found: Vec<Errand> = Vec::new();
    for errand in store.asked()? {
        let is_fetch = matches!(errand.what, ErrandKind::Refetch { .. });
        if is_fetch && found.iter().all(|other| other.key != errand.key) {
            found.push(errand);
        }
    }
    Ok(found)
}

/// Prints a note if the request has to wait because no agent runs.
pub(super) fn tell_not_running(config: &Config, streams: &mut Streams) {
    if !agent_runs(&config.state) {
        streams.note(format!("{NOT_RUNNING} {START_IT}"));
    }
}

/// Prints an order that was asked for by number and of which nothing else is known.
pub(super) fn show_asked(
    config: &Config,
    asked: &[Errand],
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let all: Vec<_> = asked.iter().map(AskedFor::new).collect();
    if streams.json {
        streams.json(&all)?;
        return Ok(Exit::Ok);
    }
    for AskedFor { lab, account, order_id, state, since } in all {
        streams.line(format!("order {order_id} of {lab} (account {account})"))?;
        streams.line(format!("  state      {state}"))?;
        streams.line(format!("  requested  {}, not started yet", local(&since)))?;
    }
    tell_not_running(config, streams);
    Ok(Exit::Ok)
}
