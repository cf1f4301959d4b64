//! What the audit tells of the agent itself: that it started and ended, and that its config is another
//! than at the start before.

use std::collections::BTreeMap;
use std::io;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::audit::{Deed, Entry, Mark};
use crate::disk::{read_limited, write_durably_private};
use crate::model::digest::hex;
use crate::model::fault::Fault;

use super::clock::wall_now;
use super::open::Site;

/// What the config was at the last start: beside the journal, so that its loss does not hide a change.
const SEEN: &str = "config.seen";
const SEEN_MAX: u64 = 4 << 20;

/// The keys of a config. Of their values there is no more than it takes to tell that they changed:
/// hashes that only this file's salt can be compared with.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    salt: String,
    keys: BTreeMap<String, String>,
}

/// Records which keys of the config changed since the last start, if any did. An agent works all the
/// same where that fails.
pub(super) fn record(site: &Site) {
    if let Err(fault) = compare(site) {
        tracing::warn!("{}", fault.chain());
    }
}

fn compare(site: &Site) -> Result<(), Fault> {
    let path = site.config.state.join(SEEN);
    let before = match read_limited(&*site.disk, &path, SEEN_MAX) {
        Ok(bytes) => serde_json::from_slice::<Seen>(&bytes).ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    let salt = match &before {
        Some(before) => before.salt.clone(),
        None => salt(),
    };
    let keys = site.config.keys.0.iter().map(|(key, value)| (key.clone(), salted(&salt, value)));
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
    let entry = Entry::by_agent(wall_now(), Deed::ConfigChanged, Mark::Done);
    let entry = if is_first { entry.detail("first", true) } else { entry.detail("keys", changed) };
    site.audit.record(&entry)?;
    let text = serde_json::to_vec(&now).unwrap_or_default();
    Ok(write_durably_private(&*site.disk, &path, &text)?)
}

/// Records that an agent began to work, or ended in an orderly way.
pub(super) fn agent(site: &Site, what: Deed) {
    let entry =
        Entry::by_agent(wall_now(), what, Mark::Done).detail("version", env!("CARGO_PKG_VERSION"));
    if let Err(fault) = site.audit.record(&entry) {
        tracing::warn!("{}", fault.chain());
    }
}

/// The keys that were added, removed, or have another value.
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
