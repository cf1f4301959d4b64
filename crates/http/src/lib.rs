//! HTTP as Casedrop uses it: calls out, and what listens.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod client;
pub mod server;
