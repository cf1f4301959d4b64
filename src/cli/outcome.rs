//! How a command ends: exit codes, and the one error type that `main` prints.

use std::fmt;
use std::process::ExitCode;

use serde_json::{Value, json};

use crate::model::fault::{Fault, FaultClass};

/// Exit codes. Programs rely on them; their meaning never changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All well.
    Ok = 0,
    /// The operation failed.
    Failed = 1,
    /// Wrong usage or config.
    Usage = 2,
    /// Finished, but some orders are failing.
    OrdersFailing = 3,
    /// Not paired, or a login is needed.
    LoginNeeded = 4,
    /// Another agent runs on this state directory.
    AnotherAgent = 5,
}

impl Exit {
    /// Translates the exit status of another casedrop process.
    pub fn from_status(status: i32) -> Self {
        let all =
            [Self::Ok, Self::Usage, Self::OrdersFailing, Self::LoginNeeded, Self::AnotherAgent];
        all.into_iter().find(|exit| i32::from(*exit as u8) == status).unwrap_or(Self::Failed)
    }
}

impl Exit {
    /// The code of an error that has no code of its own.
    fn as_code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::OrdersFailing => "orders-failing",
            Self::LoginNeeded => "login-needed",
            Self::AnotherAgent => "another-agent",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended early: what failed, why, and how to fix it.
#[derive(Debug)]
pub struct CliError {
    pub exit: Exit,
    /// What failed, in one sentence.
    pub message: String,
    pub hint: Option<String>,
    /// A stable word for programs.
    code: String,
    /// What libraries and the system say about it; for the log and `--verbose`.
    cause: Option<String>,
    /// What the command has to say to programs besides the error.
    result: Option<Box<Value>>,
}

impl CliError {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        let code = exit.as_code().to_owned();
        Self { exit, message: message.into(), hint: None, code, cause: None, result: None }
    }

    /// Sets the stable word for programs.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = code.into();
        self
    }

    /// Sets the details for the log and `--verbose`, unless the message already says the same.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into()).filter(|cause| *cause != self.message);
        self
    }

    /// Adds an object that programs get together with the error.
    #[must_use]
    pub fn result(mut self, result: Value) -> Self {
        self.result = Some(Box::new(result));
        self
    }

    /// The text for the log.
    pub fn in_full(&self) -> &str {
        self.cause.as_deref().unwrap_or(&self.message)
    }

    /// The error for people; with `verbose`, its causes too.
    pub fn for_people(&self, verbose: bool) -> String {
        match self.cause.as_ref().filter(|_| verbose) {
            Some(cause) => format!("{self}\n\ncause: {cause}"),
            None => self.to_string(),
        }
    }

    /// The error for programs: an object with the key `error`, next to what else the command says.
    pub fn for_programs(&self) -> Value {
        let error = json!({
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "cause": self.cause,
            "exit": self.exit as u8,
        });
        let mut all = match self.result.as_deref() {
            Some(Value::Object(result)) => result.clone(),
            _ => serde_json::Map::new(),
        };
        all.insert("error".to_owned(), error);
        Value::Object(all)
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CliError {}

impl From<Fault> for CliError {
    fn from(fault: Fault) -> Self {
        let exit = match fault.class {
            FaultClass::Auth => Exit::LoginNeeded,
            _ => Exit::Failed,
        };
        let error = Self::new(exit, fault.brief()).code(fault.code).cause(fault.chain());
        Self { hint: fault.hint, ..error }
    }
}

impl From<crate::disk::DiskError> for CliError {
    fn from(error: crate::disk::DiskError) -> Self {
        Fault::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn programs_get_code_message_and_exit_status() {
        let error = CliError::new(Exit::Usage, "unknown lab").hint("did you mean north?");
        let json = error.for_programs();
        let expected = json!({ "error": { "code": "usage", "message": "unknown lab",
            "hint": "did you mean north?", "cause": null, "exit": 2 } });
        assert_eq!(json, expected);
        let more = error.code("lab").result(json!({ "outcome": "refused" })).for_programs();
        assert_eq!((&more["outcome"], &more["error"]["code"]), (&"refused".into(), &"lab".into()));
    }

    #[test]
    fn causes_are_for_the_log_and_for_those_who_ask() {
        let source = io::Error::other("tcp connect error");
        let fault = Fault::new(FaultClass::Transient, "connect", "no connection to align")
            .caused_by_library(source);
        let error = CliError::from(fault);
        assert_eq!(error.for_people(false), "error: no connection to align");
        assert!(
            error.for_people(true).ends_with("cause: no connection to align: tcp connect error")
        );
        assert_eq!(error.in_full(), "no connection to align: tcp connect error");
        assert_eq!(error.for_programs()["error"]["code"], "connect");
    }
}
