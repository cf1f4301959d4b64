//! The domain types. Everything here is pure: no clock, no disk, no network.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod asset;
pub mod cancel;
pub mod day;
pub mod digest;
pub mod discreet;
pub mod export;
pub mod fault;
pub mod finding_code;
pub mod findings;
pub mod ids;
pub mod listing;
pub mod local;
pub mod local_time;
pub mod manifest;
pub mod notice;
pub mod notification;
pub mod order;
mod order_state;
pub mod path;
pub mod prescription;
pub mod record;
pub mod remote;
pub mod request;
pub mod size;
pub mod staff;
pub mod stand_in;
pub mod step;
pub mod test_order;
pub mod time;
pub mod working_hours;
