//! The command line: one file per command family. Arguments and streams come in from outside, so
//! that tests can call a command without a process.

pub mod outcome;
pub mod simulate;
pub mod streams;

pub use outcome::{CliError, Exit};
pub use streams::Streams;
