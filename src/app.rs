//! The composition root: builds the adapters, runs the engine, owns the order of shutdown.

mod agent;
mod beside;
mod clock;
mod journal;
mod life;
mod notices;
mod open;
mod settle;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use tokio::runtime::Handle;

use crate::align;
use crate::config::{Config, LabConfig};
use crate::disk::{Disk, RealDisk};
use crate::model::fault::{Fault, FaultClass};
use crate::sync::execute::Link;

pub use agent::{Agent, Ending, Finished, IsDone, Summary};
pub use beside::{Journal, UntilStop, Wake};
pub use clock::wall_now;
pub use open::OpenError;

/// One lab's way to Align.
pub fn link(
    config: &Config,
    lab: &LabConfig,
    handle: &Handle,
    disk: &Arc<dyn Disk>,
) -> Result<Link, Fault> {
    let client = Arc::new(align::connect(config, lab, handle.clone(), Arc::clone(disk))?);
    let connect = {
        let (client, name, wanted) = (Arc::clone(&client), lab.name.clone(), lab.account.clone());
        move || {
            let not_paired = |text: String| {
                Fault::new(FaultClass::Auth, "not-paired", text)
                    .hint(format!("run `casedrop pair {name}`"))
            };
            match (client.paired()?, &wanted) {
                (None, _) => Err(not_paired(format!("lab {name} is logged in and not paired"))),
                (Some(paired), Some(wanted)) if paired.id != *wanted => Err(not_paired(format!(
                    "lab {name} is paired with account {}, the config says {wanted}",
                    paired.id
                ))),
                (Some(paired), _) => Ok(paired),
            }
        }
    };
    Ok(Link { remote: client, connect: Box::new(connect) })
}

/// Whether an agent holds the state directory now.
pub fn agent_runs(state: &Path) -> bool {
    let lock = state.join(open::LOCK_NAME);
    let disk = RealDisk;
    matches!(disk.kind(&lock), Ok(Some(_))) && matches!(disk.try_lock(&lock), Ok(None))
}
