//! How the simulated agent is set up.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use casedrop::config::{self, Config};
use casedrop::engine::EnginePolicy;
use casedrop::engine::retry::RetryPolicy;

/// A config as the program would load it, shared by all runs.
pub fn config() -> Arc<Config> {
    static CONFIG: OnceLock<Arc<Config>> = OnceLock::new();
    let load = || {
        let dir = tempfile::tempdir().expect("a directory");
        let dir = dir.path();
        let file = dir.join("casedrop.yaml");
        let yaml = format!(
            "output: '{}'\nstate: '{}'\nlabs:\n  - name: lab-1\n    oauth_base: https://align.iterocloud.com\n    \
             base_url: https://align.iterocloud.com\n    client_id: simulated\n    \
             redirect_url: http://127.0.0.1:1/\n",
            dir.join("orders").display(),
            dir.join("state").display()
        );
        std::fs::write(&file, yaml).expect("written");
        let loaded = config::load(&casedrop::disk::RealDisk, &file, &[]);
        let mut config = loaded.unwrap_or_else(|faults| panic!("{faults}")).config;
        config.output = PathBuf::from("/pc/orders");
        config.staging = PathBuf::from("/pc/.orders.casedrop-staging");
        config.state = PathBuf::from("/pc/state");
        config.retention.min_free = 1_000;
        Arc::new(config)
    };
    Arc::clone(CONFIG.get_or_init(load))
}

/// The agent's default policy.
pub fn policy(labs: Vec<casedrop::model::ids::LabName>) -> EnginePolicy {
    EnginePolicy {
        labs,
        poll_interval: Duration::from_secs(120),
        concurrency: 3,
        min_rate: 8192,
        retry: RetryPolicy { not_converted: [120, 300, 600].map(Duration::from_secs).to_vec() },
        restore: false,
        follow_up: true,
        history_keep: None,
        retention_keep: None,
        late_extras: true,
        hold: std::collections::BTreeSet::new(),
        notifications: true,
        min_free: 1_000,
        volume: PathBuf::from("/pc"),
        agent: "casedrop simulated".to_owned(),
        seed: 0,
    }
}

/// A path as text, the same on every system.
pub fn show(path: &Path) -> String {
    path.display().to_string().replace('\\', "/")
}
