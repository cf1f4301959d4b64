//! Opening an agent: locks first, then the output's marker, then the journal.

use std::collections::BTreeMap;
use std::path::PathBuf;
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
use crate::model::record::OrderRecord;
use crate::model::step::Step;
use crate::model::time::Now;
use crate::retry::RetryPolicy;
use crate::status::Progress;
use crate::store::{self, Store, StoreError};
use crate::sync::Engine;
use crate::sync::engine::{EnginePolicy, job_name};
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
        let kept = worth_keeping(&store, &config, &layout)?;
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

/// What unfinished work in staging is still of use: staged orders that are about to be published, and
/// broken downloads of orders that will be tried again.
fn worth_keeping(
    store: &Store,
    config: &Config,
    layout: &Layout,
) -> Result<Vec<PathBuf>, StoreError> {
    let staged = store.intents()?.into_iter().map(|intent| layout.work_dir(&intent.job));
    let is_coming = |order: &OrderRecord| {
        order.trouble.as_ref().is_none_or(|trouble| trouble.next_try.is_some())
            && config.labs.iter().any(|lab| lab.name == order.key.lab)
    };
    let wanted = store.wanted()?.into_iter().filter(is_coming);
    Ok(staged.chain(wanted.map(|order| layout.spool_dir(&job_name(&order.key)))).collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;
    use crate::model::fault::FaultClass;
    use crate::model::ids::OrderKey;
    use crate::model::order::{RemoteOrder, Status};
    use crate::model::record::Trouble;
    use crate::model::time::WallMs;

    #[test]
    fn only_downloads_that_will_be_continued_survive_a_start() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("casedrop.yaml");
        let yaml = "output: orders\nstate: state\nlabs:\n  - name: lab\n    \
                    oauth_base: https://oauth.iterocloud.com\n    base_url: https://base.iterocloud.com\n    \
                    client_id: abc\n    redirect_url: https://lab.example/cb\n";
        std::fs::write(&path, yaml).expect("written");
        let config = crate::config::load(&RealDisk, &path, &[]).expect("a config").config;
        let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
        let store = Store::in_memory().expect("journal");
        let save = |lab: &str, id: &str, change: fn(&mut OrderRecord)| {
            let key = OrderKey {
                lab: lab.parse().expect("valid"),
                account: "1".parse().expect("valid"),
                order: id.parse().expect("valid"),
            };
            let remote = RemoteOrder::new(key.order.clone(), Status::Ready);
            let mut order = OrderRecord::new(key, remote, WallMs(1));
            change(&mut order);
            store.save(&order).expect("saved");
        };
        let trouble = |next_try| Trouble {
            class: FaultClass::Transient,
            code: "broken-off".to_owned(),
            message: String::new(),
            hint: None,
            attempts: 1,
            since: WallMs(1),
            next_try,
        };
        let mut troubles = [Some(trouble(Some(WallMs(9)))), Some(trouble(None))].into_iter();
        save("lab", "new", |_| {});
        save("lab", "published", |order| order.fetched = order.evidence);
        save("gone", "of-no-lab", |_| {});
        for (id, trouble) in ["retried", "parked"].iter().zip(&mut troubles) {
            save("lab", id, |_| {});
            let mut order = store.find(id).expect("read").remove(0);
            order.trouble = trouble;
            store.save(&order).expect("saved");
        }
        let kept = worth_keeping(&store, &config, &layout).expect("read");
        let names: Vec<_> =
            kept.iter().map(|path| path.file_name().expect("name").to_string_lossy()).collect();
        assert_eq!(names, ["lab~1~new.spool", "lab~1~retried.spool"]);
    }
}
