//! What a client needs to know.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use url::Url;

use super::http::Clock;
use super::table::Memory;
use casedrop_http::client::Outgoing;
use casedrop_model::ids::LabName;
use casedrop_model::step::Step;

/// One lab's access to Align.
pub struct AlignSettings {
    /// The lab, as named in the config.
    pub lab: LabName,
    /// From Align: where people log in and tokens come from.
    pub oauth_base: Url,
    /// From Align: where discovery is asked.
    pub base_url: Url,
    /// From Align.
    pub client_id: String,
    /// From Align.
    pub client_secret: Option<SecretString>,
    /// As registered with Align.
    pub redirect_url: Url,
    /// Hosts that tokens may go to, and the hosts below them.
    pub allowed_hosts: Vec<String>,
    /// Paths for what discovery does not name, by endpoint name.
    pub api_paths: BTreeMap<String, String>,
    /// The way to its servers.
    pub outgoing: Outgoing,
    /// A call or a download that brings no byte for so long is given up.
    pub stall_timeout: Duration,
    /// The time.
    pub clock: Clock,
    /// Where it is remembered what discovery said; `None`: in this process only.
    pub memory: Option<Memory>,
    /// Called at the steps of a renewal.
    pub step: fn(Step),
}

/// The PC's own clock.
pub fn system_clock() -> Clock {
    Arc::new(SystemTime::now)
}
