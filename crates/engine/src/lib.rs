//! The engine: observations go in, effects come out.
//!
//! [`plan`] and [`schedule`] are pure. [`Engine`] is the only place that makes decisions; it has no
//! access to a clock, the disk or the network. The agent's `execute` carries effects out and decides
//! nothing.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod breaker;
pub mod effects;
mod engine;
pub mod observe;
pub mod outage;
pub mod pace;
pub mod plan;
pub mod progress;
pub mod reason;
pub mod reconcile;
pub mod retention;
pub mod retry;
pub mod schedule;
pub mod slots;
pub mod throttle;
pub mod verdict;

pub use engine::{
    Engine, EnginePolicy, HostPause, LabStanding, SHORTEST_INTERVAL, earliest_poll, job_name,
    unknown_lab,
};
