//! A simulated Lab Connector API, for `casedrop demo`, `casedrop simulate` and the tests.
//!
//! It promises to behave as the vendor's public pages say (FACT in the modules' docs): which calls
//! there are, when an order is listed, what a download does to it, when 404 means "being
//! regenerated", which case flow shows which status and sends which notification.
//!
//! | FACT (the vendor's public pages) | ASSUMED (our own choice, may be wrong) |
//! |---|---|
//! | OAuth 2 authorization code grant; access tokens live one hour; refresh; revoke is a log-out | paths, `client_secret_post`, PKCE accepted, rotating refresh tokens, and whether a spent one works once more |
//! | discovery gives domain and path of every endpoint; the old shared URL still works | the names of endpoints, the shape of the answer, and that it wants an access token |
//! | one lab is one login; a dentist is no lab person | what either gets from "get accounts" |
//! | pairing again gives the same token; un-pairing hits all users and drops the callback URL | shapes, and 403 for who is not paired |
//! | "get orders" lists what is ready now, at most every 120 seconds | 429 with `Retry-After` for who asks earlier |
//! | a downloaded order leaves the list and stays downloadable | that the first byte decides, not the last |
//! | 404 means "being regenerated"; screen captures exist only if taken | how often 404 comes |
//! | case flows: statuses, changed files, notifications; they repeat and can be early | the shape of a notification |
//! | the scanning tool's calls and fields | its answers |
//!
//! SEEN in exports and in other integrators' code are the packages' contents and names, and the
//! download parameters' values. Every JSON name is in `wire.rs`, every path in `routes.rs`.
//!
//! Faults are real: resets are RST segments, truncated bodies are closed connections.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod accounts;
mod admin;
mod assets;
mod conn;
mod discovery;
mod faults;
mod flows;
mod handle;
mod hub;
mod made;
mod notify;
mod oauth;
mod order;
mod orders;
pub mod package;
mod packages;
mod packages_dir;
mod pages;
mod range;
mod reply;
mod routes;
mod running;
mod scan_tool;
mod scenario;
mod server;
mod service;
mod settings;
mod snapshot;
mod spool;
mod state;
mod tokens;
mod varied;
mod wire;

pub use faults::{FaultKind, FaultRule, FaultState};
pub use flows::TRANSITIONS;
pub use handle::Admin;
pub use made::MadePackages;
pub use order::{AssetCount, Step};
pub use packages::{PackageOrder, PackageSource, WriteSeek};
pub use running::{Running, Simulator, SimulatorConfig, SimulatorError};
pub use scenario::{
    AccountSpec, AutoFlow, CaseKind, MeshKind, OrderSpec, Scenario, ScenarioError, UserSpec,
};
pub use settings::{MarkDownloaded, Regional, Settings};
pub use snapshot::{AccountState, Counters, Delivery, OrderState, RequestRecord, Snapshot};

/// What every user of the simulator is told.
pub const NOTE: &str = "This is a simulation. Its wire format (paths, parameters, JSON names) is \
    assumed: it is not the vendor's specification, which only registered partners have.";
