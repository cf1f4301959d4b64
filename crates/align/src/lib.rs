//! The client for Align's Lab Connector API.
//!
//! Our knowledge of that API is of three kinds, and each statement in this module says which:
//! **FACT** is in the vendor's public pages, **SEEN** is what other integrators do, **ASSUMED** is
//! our own choice where both are silent. All JSON names are in `wire`; paths and hosts come from
//! discovery and the config.
//!
//! [`AlignClient`] is one lab's login. It implements [`Remote`](casedrop_model::remote::Remote)
//! with blocking calls on top of an asynchronous HTTP client, so it must be called from threads
//! that may block, while a multi-threaded runtime is running.
//!
//! Promises: tokens are only sent to `https` hosts that the config allows (loopback is allowed in
//! simulation); no message contains a token, a code or a patient's name; a login that rotates its
//! tokens is not lost by cancelling, and is refreshed once, however many callers and processes need
//! it; a useless answer of discovery takes nothing away that was known before.

mod account;
mod auth;
mod client;
mod discovery;
mod discovery_table;
mod download;
mod endpoints;
mod faults;
mod http;
mod lenient_json;
mod login;
mod loopback;
mod notification;
mod notification_xml;
mod oauth;
mod pairing;
mod pending_login;
mod renewal;
mod settings;
mod unexpected;
mod wire;

pub use account::Account;
pub use auth::Ending;
pub use client::AlignClient;
pub use discovery_table::Memory;
pub use faults::LOGIN_NEEDED;
pub use http::Clock;
pub use login::LoginRequest;
pub use loopback::Loopback;
pub use notification::read_notification;
pub use pending_login::{PENDING_FOR, PendingLogin};
pub use settings::{AlignSettings, system_clock};
