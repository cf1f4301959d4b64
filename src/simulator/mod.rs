//! A simulated Lab Connector API, for `casedrop demo`, `casedrop simulate` and the tests.
//!
//! It promises to behave as the vendor's public pages say (FACT in the modules' docs): which calls
//! there are, when an order is listed, what a download does to it, when 404 means "being
//! regenerated", which case flow shows which status and sends which notification. How all this looks
//! on the wire is **ASSUMED**: the vendor hands the specification to registered partners only.
//! Every JSON name is in `wire.rs`, every path in `routes.rs`.
//!
//! Faults are real: resets are RST segments, truncated bodies are closed connections.

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
