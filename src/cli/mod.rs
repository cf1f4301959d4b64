//! The command line: one file per command family. Arguments and streams are passed in, so that
//! tests can call a command without a process.

pub mod account;
pub mod args;
mod ask;
mod asked;
pub mod audit;
pub mod change;
pub mod check;
pub mod completions;
mod console;
pub mod demo;
mod dispatch;
mod dumps;
mod first_start;
pub mod hash_password;
mod hooks;
mod incomplete;
mod journal;
pub mod loading;
mod logging;
pub mod orders;
pub mod outcome;
pub mod reconcile;
mod rights;
pub mod run;
pub mod schema;
pub mod service;
pub mod setup;
pub mod simulate;
pub mod status;
pub mod streams;
pub mod support;
mod surroundings;
mod turns;
pub mod update;
mod user;
pub mod verify;
pub mod work;

pub use dispatch::main;
pub use outcome::{CliError, Exit};
pub use streams::Streams;
