//! The labs' links to Align: one client per lab and process, created on first use.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;

use crate::align::AlignClient;
use crate::config::{Config, LabConfig};
use crate::disk::Disk;
use crate::execute::Link;
use crate::model::fault::{Fault, FaultClass, NOT_PAIRED};
use crate::model::ids::LabName;
use crate::model::step::Step;
use crate::secrets::{self, FileSecrets};

/// The clients of all labs in a config.
pub struct Labs {
    config: Arc<Config>,
    handle: Handle,
    disk: Arc<dyn Disk>,
    secrets: Arc<FileSecrets>,
    made: Mutex<BTreeMap<LabName, Arc<AlignClient>>>,
    step: fn(Step),
}

impl Labs {
    /// Creates no client yet. Clients do their I/O on `handle`'s runtime, which must be
    /// multi-threaded.
    pub fn new(config: Arc<Config>, handle: Handle, disk: Arc<dyn Disk>) -> Self {
        let secrets = Arc::new(secrets::open(&config.state, config.secrets, Arc::clone(&disk)));
        Self { config, handle, disk, secrets, made: Mutex::default(), step: |_| {} }
    }

    /// Sets a hook that is called at the steps of a login renewal.
    #[must_use]
    pub fn with_hook(self, step: fn(Step)) -> Self {
        Self { step, ..self }
    }

    /// The store that this process uses for logins and other secrets.
    pub fn secrets(&self) -> &Arc<FileSecrets> {
        &self.secrets
    }

    /// The runtime on which clients do their I/O.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Returns a lab's client; every caller gets the same one.
    ///
    /// # Errors
    /// The config has no such lab, or its Align settings cannot be used.
    pub fn client(&self, lab: &LabName) -> Result<Arc<AlignClient>, Fault> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(lab) {
            return Ok(Arc::clone(client));
        }
        let config = self.config.labs.iter().find(|known| known.name == *lab).ok_or_else(|| {
            let text = format!("lab {lab} is not in the config");
            Fault::new(FaultClass::Permanent, "unknown-lab", text)
        })?;
        let (handle, store) = (self.handle.clone(), Arc::clone(&self.secrets));
        let client = super::connect::connect_with(
            &self.config,
            config,
            handle,
            &self.disk,
            store,
            self.step,
        )?;
        let client = Arc::new(client);
        made.insert(lab.clone(), Arc::clone(&client));
        Ok(client)
    }

    /// Returns what the engine needs for each lab.
    pub fn links(&self) -> Result<BTreeMap<LabName, Link>, Fault> {
        let labs = self.config.labs.iter();
        labs.map(|lab| Ok((lab.name.clone(), self.link(lab)?))).collect()
    }

    /// Returns what the engine needs for one lab.
    pub fn link(&self, lab: &LabConfig) -> Result<Link, Fault> {
        let client = self.client(&lab.name)?;
        let connect = {
            let (client, name) = (Arc::clone(&client), lab.name.clone());
            let wanted = lab.account.clone();
            move || {
                let not_paired = |text: String| {
                    Fault::new(FaultClass::Auth, NOT_PAIRED, text)
                        .hint(format!("run `casedrop pair {name}`"))
                };
                match (client.paired()?, &wanted) {
                    (None, _) => Err(not_paired(format!("lab {name} is logged in but not paired"))),
                    (Some(paired), Some(wanted)) if paired.id != *wanted => {
                        Err(not_paired(format!(
                            "lab {name} is paired with account {}, but the config says {wanted}",
                            paired.id
                        )))
                    }
                    (Some(paired), _) => Ok(paired),
                }
            }
        };
        Ok(Link { remote: client, connect: Box::new(connect) })
    }
}
