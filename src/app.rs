//! The composition root: builds the adapters, runs the engine and owns the order of shutdown.

mod agent;
mod beside;
mod callback;
mod changes;
mod chosen;
mod clock;
mod command_folder;
mod connect;
pub mod desk;
mod journal;
mod labs;
mod life;
mod logins;
mod notices;
mod notify;
mod open;
mod page;
mod prober;
mod pulse;
mod quiet;
mod reasons;
mod reloading;
mod settle;
mod sleep;
mod test_order;
#[cfg(test)]
mod tests;
mod updates;
mod welcome;

use std::path::Path;

use crate::disk::{Disk as _, RealDisk};

pub use agent::{Agent, Ending, Finished, IsDone, Summary};
pub use beside::{Journal, UntilStop, Wake};
pub use callback::{CALLBACK_SECRET, callback_secret, callback_url};
pub use clock::wall_now;
pub use connect::connect;
pub use desk::AgentDesk;
pub use labs::Labs;
pub use open::OpenError;
pub use reloading::Reloading;
pub use test_order::log_in_and_pair;
pub use updates::{Updating, try_out_at_next_start};
pub use welcome::{Welcome, WelcomeStep};

/// Whether a running agent holds the lock on the state directory.
pub fn agent_runs(state: &Path) -> bool {
    let lock = state.join(open::LOCK_NAME);
    let disk = RealDisk;
    matches!(disk.kind(&lock), Ok(Some(_))) && matches!(disk.try_lock(&lock), Ok(None))
}
