//! Opening an agent: locks first, then the output's marker, then the journal.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::config::{Config, WhenMissing};
use crate::disk::Disk;
use crate::local::layout::Layout;
use crate::local::root::{prepare_root, try_lock_output};
use crate::local::{clean, root};
use crate::model::cancel::Cancel;
use crate::model::fault::Fault;
use crate::model::ids::LabName;
use crate::model::step::Step;
use crate::model::time::Now;
use crate::retry::RetryPolicy;
use crate::status::Progress;
use crate::store::{self, Store, StoreError};
use crate::sync::Engine;
use crate::sync::engine::EnginePolicy;
use crate::sync::execute::{Executor, Link};

use super::agent::{Agent, wall_now};

/// The fact under which the journal remembers the output's marker.
const ROOT_FACT: &str = "output-root";
/// The lock that keeps a second agent off a state directory.
pub(super) const LOCK_NAME: &str = "agent.lock";

/// Why an agent cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another agent holds the state directory or the output.
    #[error("another agent is running on {0}")]
    AnotherAgent(String),
    /// The disk says no.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The journal cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Agent {
    /// Takes the locks, finds the output and the journal as they were left, and sweeps away what an
    /// earlier run left unfinished in staging.
    pub fn open(
        config: Arc<Config>,
        disk: Arc<dyn Disk>,
        links: BTreeMap<LabName, Link>,
        step: fn(Step),
    ) -> Result<Self, OpenError> {
        disk.create_private_dirs(&config.state).map_err(Fault::from)?;
        let lock = disk.try_lock(&config.state.join(LOCK_NAME)).map_err(Fault::from)?;
        let state_lock =
            lock.ok_or_else(|| OpenError::AnotherAgent(config.state.display().to_string()))?;
        let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
        let store = Store::open(&config.state.join(store::FILE_NAME))?.with_hook(step);
        let known = store.fact(ROOT_FACT)?;
        let root_id = prepare_root(&*disk, &layout, known.as_deref())?;
        if known.is_none() {
            store.set_fact(ROOT_FACT, &root_id)?;
        }
        let output_lock = try_lock_output(&*disk, &layout)?
            .ok_or_else(|| OpenError::AnotherAgent(config.output.display().to_string()))?;
        let kept: Vec<_> =
            store.intents()?.iter().map(|intent| layout.work_dir(&intent.job)).collect();
        clean::sweep_work(&*disk, &layout, &kept, &step)?;
        root::check_root(&*disk, &layout, &root_id)?;
        let began = Instant::now();
        let now = Now { wall: wall_now(), mono: began.elapsed() };
        let engine = Engine::new(store, policy(&config), now)?;
        let executor = Executor {
            config,
            disk,
            layout,
            root_id,
            links,
            progress: Arc::new(Progress::default()),
            cancel: Cancel::new(),
            step,
        };
        Ok(Self {
            engine,
            executor: Arc::new(executor),
            began,
            _locks: vec![state_lock, output_lock],
        })
    }
}

fn policy(config: &Config) -> EnginePolicy {
    EnginePolicy {
        labs: config.labs.iter().map(|lab| lab.name.clone()).collect(),
        poll_interval: config.poll_interval,
        concurrency: config.downloads.concurrency,
        retry: RetryPolicy { not_converted: config.downloads.retry_404.clone() },
        restore: config.when_missing == WhenMissing::Restore,
        agent: format!("casedrop {}", env!("CARGO_PKG_VERSION")),
        seed: fastrand::u64(..),
    }
}
