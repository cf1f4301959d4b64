//! The config of all runs, and what effects are called.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use casedrop::config::{self, Config};
use casedrop::model::ids::OrderKey;
use casedrop::sync::effects::Effect;

/// A config as the program would load it, once for all runs.
pub(super) fn config() -> Arc<Config> {
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
        config.min_free = 1_000;
        Arc::new(config)
    };
    Arc::clone(CONFIG.get_or_init(load))
}

/// The order that an effect is about, and whether it publishes.
pub(super) fn subject(effect: &Effect) -> (Option<OrderKey>, bool) {
    match effect {
        Effect::Look { key, .. } | Effect::Discard { key, .. } => (Some(key.clone()), false),
        Effect::Fetch(job) => (Some(job.key.clone()), false),
        Effect::Publish(job) | Effect::Recover(job) => (Some(job.intent.key.clone()), true),
        _ => (None, false),
    }
}

/// An effect in a few words.
pub(super) fn name(effect: &Effect) -> String {
    match effect {
        Effect::Connect { lab } => format!("connect {lab}"),
        Effect::Poll { lab, .. } => format!("poll {lab}"),
        Effect::Ask { lab, rx, .. } => format!("ask {lab} about {rx}"),
        Effect::Look { key, .. } => format!("look {key}"),
        Effect::Fetch(job) => format!("fetch {}", job.key),
        Effect::Publish(job) => format!("publish {} {:?}", job.intent.key, job.intent.target),
        Effect::Recover(job) => format!("recover {} {:?}", job.intent.key, job.intent.target),
        Effect::Discard { key, .. } => format!("discard {key}"),
        Effect::Tell(_) => "tell".to_owned(),
    }
}
