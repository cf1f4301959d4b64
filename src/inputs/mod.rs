//! Inputs other than Align's list and the command line.
//!
//! An input understands what it receives and passes it on. It decides nothing about orders and
//! knows neither Align nor the journal: it gets a request handler, a disk, a clock, and an intake
//! for what it learns.

pub mod commands;
pub mod notifications;
