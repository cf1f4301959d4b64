//! A simulated Lab Connector API, for `casedrop demo`, `casedrop simulate` and the tests.
//!
//! It behaves as the vendor's public pages say (FACT in the modules' docs): which calls there are,
//! when an order is listed, how a download changes it, when 404 means "being regenerated", and
//! which status and notification belong to which case flow.
//!
//! | FACT (the vendor's public pages) | ASSUMED (our own choice, may be wrong) |
//! |---|---|
//! | OAuth 2 authorization code grant; access tokens live one hour; refresh; revoke logs out | paths, `client_secret_post`, PKCE accepted, rotating refresh tokens, and whether a spent one works once more |
//! | discovery gives domain and path of every endpoint; the old shared URL still works | the endpoint names, the response format, and that it requires an access token |
//! | one lab is one login; a dentist is not a lab person | what either gets from "get accounts" |
//! | pairing again returns the same token; un-pairing affects all users and drops the callback URL | formats, and 403 for users who are not paired |
//! | "get orders" lists what is ready now, at most every 120 seconds | 429 with `Retry-After` for earlier calls |
//! | a downloaded order leaves the list and stays downloadable | that the first byte counts, not the last |
//! | 404 means "being regenerated"; screen captures exist only if taken | how often 404 is returned |
//! | case flows: statuses, changed files, and notifications, which repeat and can be early | the notification format |
//! | the scanning tool's calls and fields | its responses |
//!
//! SEEN in exports and in other integrators' code: the packages' contents and names, and the values
//! of the download parameters. Every JSON name is in `wire.rs`, every path in `routes.rs`.
//!
//! Faults are real: resets are RST segments, truncated bodies are closed connections.

#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

mod accounts;
mod admin;
mod assets;
mod call;
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

/// Shown to every user of the simulator.
pub const NOTE: &str = "This is a simulation. Its wire format (paths, parameters, JSON names) is \
    assumed: it is not the vendor's specification, which only registered partners have.";
