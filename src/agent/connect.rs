//! Creates the client for a lab of the config.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::align::{AlignClient, AlignSettings, Memory, system_clock};
use crate::config::{Config, LabConfig};
use crate::disk::Disk;
use crate::model::fault::Fault;
use crate::model::step::Step;
use crate::secrets::{self, SecretStore};

/// Creates the client for one lab of the config, with its login below the state directory.
pub fn connect(
    config: &Config,
    lab: &LabConfig,
    handle: Handle,
    disk: &Arc<dyn Disk>,
) -> Result<AlignClient, Fault> {
    let store = Arc::new(secrets::open(&config.state, config.secrets, Arc::clone(disk)));
    connect_with(config, lab, handle, disk, store, |_| {})
}

/// Like [`connect`], with its login in `store`; `step` is called at the steps of a renewal.
pub(super) fn connect_with(
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
        outgoing: config.outgoing(&**disk)?,
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
