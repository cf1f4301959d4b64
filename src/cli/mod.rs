//! The command line: one file per command family. Arguments and streams come in from outside, so
//! that tests can call a command without a process.

pub mod account;
pub mod check;
pub mod outcome;
pub mod schema;
pub mod streams;
pub mod verify;

pub use outcome::{CliError, Exit};
pub use streams::Streams;
