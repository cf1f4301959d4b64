//! The whole way from a file's bytes to a config or its faults.

mod bad;
mod effective;
mod env;
mod example;
mod good;
mod hostile;
mod notices;
mod policy;
mod proxy;

use std::path::Path;

use super::{ConfigFault, ConfigFaults, Loaded, load};
use crate::disk::RealDisk;

/// Loads a text as a config file in its own folder.
fn load_bytes(dir: &Path, bytes: &[u8], env: &[(&str, &str)]) -> Result<Loaded, ConfigFaults> {
    let path = dir.join("casedrop.yaml");
    std::fs::write(&path, bytes).expect("temporary folder is writable");
    let env: Vec<(String, String)> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    load(&RealDisk, &path, &env)
}

/// Loads a text without faults.
fn load_good(text: &str, env: &[(&str, &str)]) -> Loaded {
    let dir = tempfile::tempdir().expect("temporary folder");
    load_bytes(dir.path(), text.as_bytes(), env)
        .unwrap_or_else(|faults| panic!("expected no faults in\n{text}\n{faults}"))
}

/// Loads a text with faults.
fn load_bad(text: &str, env: &[(&str, &str)]) -> Vec<ConfigFault> {
    let dir = tempfile::tempdir().expect("temporary folder");
    match load_bytes(dir.path(), text.as_bytes(), env) {
        Ok(_) => panic!("expected faults in\n{text}"),
        Err(faults) => faults.faults,
    }
}

/// A config with only what is required, on seven lines.
const SMALL: &str = "\
output: orders
labs:
  - name: smile-lab
    oauth_base: https://oauth.iterocloud.com
    base_url: https://base.iterocloud.com
    client_id: abc
    redirect_url: https://lab.example/cb
";

/// The small config plus more lines; the first of them is line 8.
fn small_and(more: &str) -> String {
    format!("{SMALL}{more}")
}

/// The small config with one line replaced.
fn small_with(line: &str, other: &str) -> String {
    assert!(SMALL.contains(line), "{line}");
    SMALL.replace(line, other)
}
