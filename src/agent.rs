//! The composition root: builds the adapters, runs the engine and owns the order of shutdown.

mod background;
mod callback;
mod clock;
mod command_folder;
mod config_audit;
mod connect;
mod context;
mod driver;
mod event_log;
mod heartbeat;
mod idle;
mod journal;
mod labs;
mod logins;
mod notices;
mod notifications;
mod output_change;
mod page;
mod prober;
mod recovery;
pub mod requests;
mod restart;
mod sleep;
mod startup;
mod supervisor;
mod test_order;
#[cfg(test)]
mod tests;
mod updates;
mod welcome;

use std::path::Path;

use crate::disk::{Disk as _, RealDisk};

pub use background::{Journal, StopSignal, Wake};
pub use callback::{CALLBACK_SECRET, callback_secret, callback_url};
pub use clock::wall_now;
pub use connect::connect;
pub use labs::Labs;
pub use requests::RequestHandler;
pub use restart::Restart;
pub use startup::OpenError;
pub use supervisor::{Agent, Ending, Finished, IsDone, Summary};
pub use test_order::log_in_and_pair;
pub use updates::{Updating, try_out_at_next_start};
pub use welcome::{Welcome, WelcomeStep};

/// Whether a running agent holds the lock on the state directory.
pub fn agent_runs(state: &Path) -> bool {
    matches!(RealDisk.is_locked(&state.join(startup::LOCK_NAME)), Ok(true))
}
