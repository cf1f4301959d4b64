//! The engine: observations go in, effects come out.
//!
//! [`plan`] and [`schedule`] are pure. [`engine`] is the only place that makes decisions; it has no
//! access to a clock, the disk or the network. [`execute`] carries effects out and decides nothing.

pub mod breaker;
pub mod effects;
pub mod engine;
pub mod execute;
pub mod holds;
pub mod notice;
pub mod observe;
pub mod outage;
pub mod pace;
pub mod plan;
pub mod reason;
pub mod reconcile;
pub mod retention;
pub mod schedule;
pub mod slots;
pub mod throttle;
pub mod verdict;

pub use engine::Engine;
