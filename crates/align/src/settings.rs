//! The settings of a client.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use url::Url;

use super::discovery_table::Memory;
use super::http::Clock;
use casedrop_http::client::Outgoing;
use casedrop_model::ids::LabName;
use casedrop_model::step::Step;

/// One lab's access to Align.
pub struct AlignSettings {
    /// The lab's name in the config.
    pub lab: LabName,
    /// From Align: where users log in and tokens come from.
    pub oauth_base: Url,
    /// From Align: where discovery is asked.
    pub base_url: Url,
    /// From Align.
    pub client_id: String,
    /// From Align.
    pub client_secret: Option<SecretString>,
    /// As registered with Align.
    pub redirect_url: Url,
    /// Hosts that tokens may be sent to, including their subdomains.
    pub allowed_hosts: Vec<String>,
    /// Paths for endpoints that discovery does not name, by endpoint name.
    pub api_paths: BTreeMap<String, String>,
    /// How its servers are reached.
    pub outgoing: Outgoing,
    /// A call or download that receives no byte for this long is aborted.
    pub stall_timeout: Duration,
    pub clock: Clock,
    /// Where discovery's answers are remembered; `None`: only in this process.
    pub memory: Option<Memory>,
    /// Called at the steps of a renewal.
    pub step: fn(Step),
}

/// The PC's own clock.
pub fn system_clock() -> Clock {
    Arc::new(SystemTime::now)
}
