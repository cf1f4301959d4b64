//! Carries out a command's request: through the running agent if it is reachable, otherwise through
//! a handler of its own, directly on the journal. The result is the same.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::{CliError, Exit, Streams, hooks, user, work};
use crate::agent::{Labs, RequestHandler, Updating, agent_runs};
use crate::config::Config;
use crate::control::{Control, NotAsked, new_id};
use crate::disk::{Disk, RealDisk};
use crate::journal::Activities;
use crate::model::request::{FAULT, Outcome, Reply, Request, Requests as _, Via, Who};
use crate::status::Status;
use crate::update::{Place, managed_by};

/// Carries out one command's requests.
pub(super) struct RequestClient {
    config: Arc<Config>,
    runtime: Runtime,
}

impl RequestClient {
    pub(super) fn of(config: &Config) -> Result<Self, CliError> {
        Ok(Self { config: Arc::new(config.clone()), runtime: work::runtime()? })
    }

    pub(super) fn ask(&self, request: &Request) -> Result<Reply, CliError> {
        let (id, user) = (new_id()?, user::name());
        if let Some(agent) = self.agent() {
            match self.runtime.block_on(agent.ask(&id, request, user.clone())) {
                Ok(reply) => return Ok(reply),
                Err(NotAsked::Fault(fault)) => return Err(fault.into()),
                // If the agent got the request after all, the id prevents a second execution.
                Err(NotAsked::Unreachable) => {}
            }
        }
        let handler = self.own();
        let reply = handler.serve_once(&id, request, &Who { user, via: Via::CommandLine })?;
        handler.settled(&id)?;
        Ok(reply)
    }

    /// The current status.
    pub(super) fn status(&self) -> Status {
        let told = self.agent().map(|agent| self.runtime.block_on(agent.status()));
        match told {
            Some(Ok(status)) => status,
            _ => self.own().picture(),
        }
    }

    /// What a running agent is doing with orders right now.
    pub(super) fn activities(&self) -> Activities {
        let told = self.agent().map(|agent| self.runtime.block_on(agent.status()));
        let Some(Ok(status)) = told else { return Activities::new() };
        status.downloads.iter().map(|one| (one.key.clone(), one.activity())).collect()
    }

    /// The connection to the running agent, if there is one.
    fn agent(&self) -> Option<Control> {
        let state = &self.config.state;
        // Do not even try what a killed agent left behind.
        agent_runs(state).then(|| Control::find(&RealDisk, state)).flatten()
    }

    /// A request handler that belongs to this command.
    pub(super) fn own(&self) -> RequestHandler {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let (config, handle) = (Arc::clone(&self.config), self.runtime.handle().clone());
        let labs = Arc::new(Labs::new(Arc::clone(&config), handle, Arc::clone(&disk)));
        let handler = RequestHandler::of_command(config, disk, labs);
        if let Ok(program) = hooks::program() {
            let place = Place::of(&program.exe);
            let manager = managed_by(&RealDisk, &program.exe);
            handler.set_updating(Arc::new(Updating::new(program, place, manager)));
        }
        handler
    }
}

/// The user behind a command.
pub(super) fn who() -> Who {
    Who { user: user::name(), via: Via::CommandLine }
}

/// Has a request carried out and prints the result.
pub(super) fn ask(
    config: &Config,
    request: &Request,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let reply = RequestClient::of(config)?.ask(request)?;
    tell(&reply, streams)
}

/// Prints a reply: what happened on standard output, what to do next on standard error.
pub(super) fn tell(reply: &Reply, streams: &mut Streams) -> Result<Exit, CliError> {
    let exit = exit_of(reply.outcome);
    if exit != Exit::Ok {
        return Err(error_of(exit, reply));
    }
    if streams.json {
        streams.json(&for_programs(reply))?;
        return Ok(exit);
    }
    streams.line(&reply.message)?;
    if let Some(next) = &reply.next {
        streams.note(next);
    }
    Ok(exit)
}

/// The error for a request that was not simply carried out. Programs also get the reply.
fn error_of(exit: Exit, reply: &Reply) -> CliError {
    let fault = |key: &str| reply.details[FAULT][key].as_str();
    let outcome = serde_json::to_value(reply.outcome).unwrap_or_default();
    let code = fault("code").or(outcome.as_str()).unwrap_or_default();
    let mut error = CliError::new(exit, &reply.message).code(code).result(for_programs(reply));
    error.hint.clone_from(&reply.next);
    match fault("cause") {
        Some(cause) => error.cause(cause),
        None => error,
    }
}

pub(super) fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Done => Exit::Ok,
        Outcome::Refused => Exit::Usage,
        Outcome::LoginNeeded => Exit::LoginNeeded,
        Outcome::Failed | Outcome::Unknown | Outcome::Differs => Exit::Failed,
    }
}

/// The reply for programs, with its details merged in.
fn for_programs(reply: &Reply) -> serde_json::Value {
    let mut all = serde_json::json!({
        "outcome": reply.outcome, "message": reply.message, "next": reply.next,
    });
    if let (Some(all), Some(details)) = (all.as_object_mut(), reply.details.as_object()) {
        for (name, value) in details {
            all.entry(name.as_str()).or_insert_with(|| value.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::{Fault, FaultClass};

    #[test]
    fn programs_find_the_details_beside_the_outcome() {
        let details = serde_json::json!({ "orders": [1], "message": "other" });
        let reply = Reply::new(Outcome::LoginNeeded, "text").details(details);
        let all = for_programs(&reply);
        assert_eq!(all["outcome"], "login-needed");
        assert_eq!(all["message"], "text", "the answer itself is never hidden");
        assert_eq!(all["orders"][0], 1);
    }

    #[test]
    fn a_failure_is_one_object_with_the_reply_and_the_error() {
        let fault = Fault::new(FaultClass::Transient, "connect", "no connection to align")
            .caused_by_library(std::io::Error::other("tcp connect error"));
        let error = error_of(Exit::Failed, &Reply::from(fault));
        let json = error.for_programs();
        assert_eq!((&json["outcome"], &json["error"]["exit"]), (&"failed".into(), &1.into()));
        assert_eq!(json["error"]["code"], "connect");
        assert_eq!(json["error"]["message"], "no connection to align");
        assert!(error.in_full().ends_with("tcp connect error"), "{error:?}");

        let refused = error_of(Exit::Usage, &Reply::new(Outcome::Refused, "no").next("ask again"));
        let json = refused.for_programs();
        assert_eq!(
            (&json["error"]["code"], &json["next"]),
            (&"refused".into(), &"ask again".into())
        );
    }
}
