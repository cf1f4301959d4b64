//! `status`, `poll`, `pause`, `resume`: the agent as a whole.

use clap::Args;
use serde::Serialize;

use super::ask::{Desk, ask};
use super::{CliError, Exit, Streams};
use crate::config::Config;
use crate::model::request::Request;
use crate::status::{Reason, Status, Verdict};

/// Arguments of `poll`, `pause` and `resume`.
#[derive(Debug, Args)]
pub struct LabArgs {
    /// Only this lab [default: all]
    #[arg(long, value_name = "LAB")]
    pub lab: Option<String>,
}

/// The picture, and what it comes to.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    status: &'a Status,
    reasons: Vec<Reason>,
}

/// Tells how things stand, whether or not an agent runs. Exits 4 if somebody must log in or pair, 3
/// if orders fail.
pub fn status(config: &Config, streams: &mut Streams) -> Result<Exit, CliError> {
    let status = Desk::of(config)?.status();
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

/// Has Align asked for new orders as soon as that is allowed.
pub fn poll(config: &Config, args: &LabArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    ask(config, &Request::Poll { lab: args.lab.clone() }, streams)
}

/// Lets labs rest.
pub fn pause(config: &Config, args: &LabArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    ask(config, &Request::Pause { lab: args.lab.clone() }, streams)
}

/// Lets labs go on.
pub fn resume(config: &Config, args: &LabArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    ask(config, &Request::Resume { lab: args.lab.clone() }, streams)
}
