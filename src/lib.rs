//! Casedrop mirrors iTero scans from Align's Lab Connector API into a dental lab's hot folder.
//!
//! Data flows in one direction:
//!
//! ```text
//! inputs (poll, notification, command, timer)
//!    └─ "look at order X" ─▶ engine ─▶ plan (pure) ─▶ schedule (pure) ─▶ execute ─▶ Align / disk
//!                             ▲                                            │
//!                             └──────────────── outcome ◀─────────────────┘
//! ```
//!
//! The source is unforgiving: fetching an order removes it from the list that announced it. So the
//! agent makes every *observation* durable before it asks for anything, a pure function decides
//! what to do next, one task owns every decision, and I/O stays at the edges.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub mod agent;
pub mod audit;
pub mod cli;
pub mod config;
pub mod control;
pub mod execute;
pub mod inputs;
pub mod logs;
pub mod metrics;
pub mod notices;
pub mod password;
pub mod service;
pub mod status;
pub mod support;
pub mod update;
pub mod web;

pub use casedrop_align as align;
pub use casedrop_disk as disk;
pub use casedrop_engine as engine;
pub use casedrop_hotfolder as hotfolder;
pub use casedrop_http as http;
pub use casedrop_journal as journal;
pub use casedrop_model as model;
pub use casedrop_secrets as secrets;
pub use casedrop_simulator as simulator;
