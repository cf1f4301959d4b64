//! How a command ends: exit codes, and the one error type that `main` prints.

use std::fmt;
use std::process::ExitCode;

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

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ended early: what failed, why, and how to fix it.
#[derive(Debug)]
pub struct CliError {
    pub exit: Exit,
    /// What failed, including the causes.
    pub message: String,
    pub hint: Option<String>,
}

impl CliError {
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
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
        Self { exit, message: fault.chain(), hint: fault.hint }
    }
}

impl From<crate::disk::DiskError> for CliError {
    fn from(error: crate::disk::DiskError) -> Self {
        Fault::from(error).into()
    }
}
