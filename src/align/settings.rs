//! What a client needs to know, and how it is taken from the config.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use secrecy::SecretString;
use tokio::runtime::Handle;
use url::Url;

use super::client::AlignClient;
use super::http::Clock;
use super::table::Memory;
use crate::config::{Config, LabConfig};
use crate::disk::Disk;
use crate::model::fault::Fault;
use crate::model::ids::LabName;
use crate::model::step::Step;
use crate::outgoing::Outgoing;
use crate::secrets::{self, SecretStore};

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

/// The client for one lab of the config, with its login kept below the state directory.
pub fn connect(
    config: &Config,
    lab: &LabConfig,
    handle: Handle,
    disk: &Arc<dyn Disk>,
) -> Result<AlignClient, Fault> {
    let store = Arc::new(secrets::open(config, Arc::clone(disk)));
    connect_with(config, lab, handle, disk, store, |_| {})
}

/// As [`connect`], with its login in `store`; `step` is called at the steps of a renewal.
pub fn connect_with(
    config: &Config,
    lab: &LabConfig,
    handle: Handle,
    disk: &Arc<dyn Disk>,
    store: Arc<dyn SecretStore>,
    step: fn(Step),
) -> Result<AlignClient, Fault> {
    let settings = AlignSettings {
        lab: lab.name.clone(),
        oauth_base: lab.oauth_base.clone(),
        base_url: lab.base_url.clone(),
        client_id: lab.client_id.clone(),
        client_secret: lab.client_secret.clone(),
        redirect_url: lab.redirect_url.clone(),
        allowed_hosts: config.allowed_hosts.clone(),
        api_paths: config.api_paths.clone(),
        outgoing: Outgoing::of(config, &**disk)?,
        stall_timeout: config.downloads.stall_timeout,
        clock: system_clock(),
        memory: Some(Memory {
            disk: Arc::clone(disk),
            file: config
                .state
                .join(format!("discovery-{}.json", lab.name.dir_name().to_lowercase())),
        }),
        step,
    };
    AlignClient::new(settings, store, handle)
}
