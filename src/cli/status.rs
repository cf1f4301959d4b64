//! `status`, `poll`, `pause`, `resume`: the agent as a whole.

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::ask::{RequestClient, ask};
use super::{CliError, Exit, Streams};
use crate::config::Config;
use crate::model::request::Request;
use crate::status::{Reason, Status, Verdict};

#[derive(Debug, Args)]
pub struct LabArgs {
    /// Only this lab [default: all]
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
}

/// What `casedrop status --json` prints. Times are RFC 3339 in UTC.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Casedrop status", extend("$id" = "casedrop-status-1"))]
pub(super) struct Told<'a> {
    #[serde(flatten)]
    status: &'a Status,
    /// What blocks the agent or is worth knowing, the most urgent first.
    reasons: Vec<Reason>,
}

/// Prints the status, whether or not an agent runs. Exits 4 if a login or pairing is needed, 3 if
/// orders fail.
pub fn status(config: &Config, streams: &mut Streams) -> Result<Exit, CliError> {
    let status = RequestClient::of(config)?.status();
    if streams.json {
        streams.json(&Told { reasons: status.reasons(), status: &status })?;
    } else {
        streams.line(status.to_string().trim_end())?;
    }
    Ok(match status.verdict() {
        Verdict::Well => Exit::Ok,
        Verdict::OrdersFailing => Exit::OrdersFailing,
        Verdict::LoginNeeded => Exit::LoginNeeded,
        Verdict::Unknown => Exit::Failed,
    })
}

/// Asks Align for new orders as soon as that is allowed.
pub fn poll(config: &Config, args: &LabArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    ask(config, &Request::Poll { lab: args.lab.clone() }, streams)
}

pub fn pause(config: &Config, args: &LabArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    ask(config, &Request::Pause { lab: args.lab.clone() }, streams)
}

pub fn resume(config: &Config, args: &LabArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    ask(config, &Request::Resume { lab: args.lab.clone() }, streams)
}
