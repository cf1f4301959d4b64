//! The engine: what is observed goes in, what is to be done comes out.
//!
//! [`plan`] and [`schedule`] are pure. [`engine`] is the one place that decides; it knows no clock, no
//! disk and no network. [`execute`] does what it is told and decides nothing.

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
pub mod retain;
pub mod schedule;
pub mod slots;
pub mod throttle;
pub mod verdict;

pub use engine::Engine;
