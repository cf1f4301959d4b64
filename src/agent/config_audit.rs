//! What the audit log records about the agent itself: start, end, and config changes since the
//! previous start.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::audit::{AuditEvent, Entry, Mark};
use crate::disk::{read_limited, write_durably_private};
use crate::model::digest::hex;
use crate::model::fault::Fault;

use super::clock::wall_now;
use super::context::AgentContext;

/// The config at the last start, stored next to the journal, so that losing the journal does not
/// hide a change.
const SEEN: &str = "config.seen";
const SEEN_MAX: u64 = 4 << 20;

/// The keys of a config. Their values are kept only as hashes with this file's salt, enough to see
/// that they changed.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    salt: String,
    keys: BTreeMap<String, String>,
}

/// Records which config keys changed since the last start, if any. If that fails, the agent works
/// all the same.
pub(super) fn record(context: &AgentContext) {
    if let Err(fault) = compare(context) {
        tracing::warn!("{}", fault.chain());
    }
}

fn compare(context: &AgentContext) -> Result<(), Fault> {
    let path = context.config.state.join(SEEN);
    let before = match read_limited(&*context.disk, &path, SEEN_MAX) {
        Ok(bytes) => serde_json::from_slice::<Seen>(&bytes).ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let salt = match &before {
        Some(before) => before.salt.clone(),
        None => salt(),
    };
    let keys = context.config.keys.0.iter().map(|(key, value)| (key.clone(), salted(&salt, value)));
    let keys = keys.collect();
    let now = Seen { salt, keys };
    let changed = match &before {
        Some(before) => changed(&before.keys, &now.keys),
        None => Vec::new(),
    };
    let is_first = before.is_none();
    if changed.is_empty() && !is_first {
        return Ok(());
    }
    let entry = Entry::by_agent(wall_now(), AuditEvent::ConfigChanged, Mark::Done);
    let entry = if is_first { entry.detail("first", true) } else { entry.detail("keys", changed) };
    context.audit.record(&entry)?;
    let text = serde_json::to_vec(&now).unwrap_or_default();
    Ok(write_durably_private(&*context.disk, &path, &text)?)
}

/// Records that an agent started working or shut down cleanly.
pub(super) fn agent(context: &AgentContext, what: AuditEvent) {
    let entry =
        Entry::by_agent(wall_now(), what, Mark::Done).detail("version", env!("CARGO_PKG_VERSION"));
    if let Err(fault) = context.audit.record(&entry) {
        tracing::warn!("{}", fault.chain());
    }
}

/// Returns the keys that were added, removed or changed.
fn changed(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<String> {
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    let other = now.iter().filter(|(key, value)| before.get(*key) != Some(*value));
    let mut all: Vec<String> = gone.chain(other.map(|(key, _)| key)).cloned().collect();
    all.sort();
    all
}

fn salted(salt: &str, value: &str) -> String {
    let hash = Sha256::new_with_prefix(salt).chain_update(value).finalize();
    hex(&hash[..8])
}

fn salt() -> String {
    hex([(); 32].map(|()| fastrand::u8(..)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_removed_and_changed_keys_are_named() {
        let keys = |all: &[(&str, &str)]| {
            all.iter().map(|(key, value)| ((*key).to_owned(), salted("s", value))).collect()
        };
        let before = keys(&[("a", "1"), ("b", "2"), ("c", "3")]);
        let now = keys(&[("a", "1"), ("b", "9"), ("d", "4")]);
        assert_eq!(changed(&before, &now), ["b", "c", "d"]);
        assert_ne!(salted("s", "1"), salted("t", "1"));
        assert_ne!(salt(), salt());
    }
}
