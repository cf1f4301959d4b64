//! What is known from discovery: its last good answer, kept across restarts, and which of its URLs
//! turned out right or wrong.
//!
//! An answer is good if a call could go to at least one place that it names. An unusable entry (a
//! foreign host, no TLS, no placeholders for the ids) leaves the previous one in place.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tracing::debug;
use url::Url;

use super::endpoints::{Endpoint, Places};
use super::lenient_json::same_name;
use super::wire::Discovered;
use casedrop_disk::{Disk, read_limited, write_durably};
use casedrop_model::fault::{Fault, FaultClass};

const SCHEMA: u32 = 1;
const MAX_BYTES: u64 = 1024 * 1024;
/// For this long, a URL that turned out wrong is only tried after all others.
const WRONG_FOR: Duration = Duration::from_hours(1);

/// The file in which a client keeps discovery's answers for the next start. It contains no secrets.
pub struct Memory {
    pub disk: Arc<dyn Disk>,
    pub file: PathBuf,
}

/// What is known from discovery.
#[derive(Default)]
pub(super) struct Table {
    /// Its last good answer.
    entries: Vec<Discovered>,
    /// Entries that gave the expected answer the last time they were called.
    proven: Vec<Discovered>,
    /// Entries that turned out wrong, and when.
    wrong: Vec<(Discovered, SystemTime)>,
}

/// A place that a call can go to, and the discovery entry it comes from, if any.
pub(super) struct Place {
    pub(super) url: Url,
    pub(super) entry: Option<Discovered>,
}

/// The usable part of an answer, and what was wrong with the first unusable entry.
pub(super) struct Judged {
    usable: Vec<Discovered>,
    refused: Vec<&'static str>,
    pub(super) trouble: Option<Fault>,
}

impl Judged {
    /// # Errors
    /// Nothing in the answer can be used.
    pub(super) fn new(places: &Places, answer: &[Discovered]) -> Result<Self, Fault> {
        let mut judged = Self { usable: Vec::new(), refused: Vec::new(), trouble: None };
        for endpoint in Endpoint::DISCOVERED {
            let Some(entry) = find(answer, endpoint) else { continue };
            match places.usable(entry, endpoint) {
                Ok(()) => judged.usable.push(entry.clone()),
                Err(fault) => {
                    judged.refused.push(endpoint.name());
                    judged.trouble.get_or_insert(fault);
                }
            }
        }
        if !judged.usable.is_empty() {
            return Ok(judged);
        }
        Err(judged.trouble.unwrap_or_else(|| {
            let text = "the discovery answer contains no known endpoint";
            Fault::new(FaultClass::Transient, "bad-answer", text)
        }))
    }
}

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Describes what is used while discovery does not help.
    pub(super) fn describe(&self) -> &'static str {
        if self.is_empty() { "known paths are used" } else { "its last good answer is used" }
    }

    /// Adopts a good answer. Returns whether anything changed.
    pub(super) fn replace(&mut self, judged: Judged) -> bool {
        let mut entries = judged.usable;
        let kept = self
            .entries
            .iter()
            .filter(|entry| judged.refused.iter().any(|refused| same_name(&entry.name, refused)));
        entries.extend(kept.cloned());
        self.wrong.retain(|(wrong, _)| entries.contains(wrong));
        let is_new = entries != self.entries;
        self.entries = entries;
        is_new
    }

    /// Returns where a call can go, best place first: what discovery says, what worked last, what
    /// the config says, and finally what recently turned out wrong.
    pub(super) fn places(
        &self,
        places: &Places,
        endpoint: Endpoint,
        values: &[(&str, &str)],
        now: SystemTime,
    ) -> Result<Vec<Place>, Fault> {
        let known = find(&self.entries, endpoint).into_iter().chain(find(&self.proven, endpoint));
        let (wrong, right): (Vec<_>, Vec<_>) = known.partition(|entry| self.is_wrong(entry, now));
        let mut all: Vec<Place> = Vec::new();
        let mut add = |url: Url, entry: Option<&Discovered>| {
            if all.iter().all(|place| place.url != url) {
                all.push(Place { url, entry: entry.cloned() });
            }
        };
        for entry in &right {
            add(places.discovered(entry, endpoint, values)?, Some(entry));
        }
        match places.configured(endpoint, values) {
            Ok(url) => add(url, None),
            Err(fault) if right.is_empty() && wrong.is_empty() => return Err(fault),
            Err(_) => {}
        }
        for entry in &wrong {
            add(places.discovered(entry, endpoint, values)?, Some(entry));
        }
        Ok(all)
    }

    /// Whether discovery's entry for the endpoint recently turned out wrong.
    pub(super) fn is_doubtful(&self, endpoint: Endpoint, now: SystemTime) -> bool {
        find(&self.entries, endpoint).is_some_and(|entry| self.is_wrong(entry, now))
    }

    /// Records that the entry led to the wrong place.
    pub(super) fn doubt(&mut self, entry: &Discovered, now: SystemTime) {
        self.wrong.retain(|(wrong, _)| wrong != entry);
        self.wrong.push((entry.clone(), now));
    }

    /// Records that the entry led to the right place. Returns whether that is news.
    pub(super) fn prove(&mut self, entry: &Discovered) -> bool {
        self.wrong.retain(|(wrong, _)| wrong != entry);
        if self.proven.contains(entry) {
            return false;
        }
        self.proven.retain(|proven| !same_name(&proven.name, &entry.name));
        self.proven.push(entry.clone());
        true
    }

    fn is_wrong(&self, entry: &Discovered, now: SystemTime) -> bool {
        // A clock that stepped back ends the doubt.
        let lately = |at: &SystemTime| now.duration_since(*at).is_ok_and(|age| age < WRONG_FOR);
        self.wrong.iter().any(|(wrong, at)| wrong == entry && lately(at))
    }

    /// Loads what an earlier process left, as far as calls may still go there. An unreadable file
    /// counts as none.
    pub(super) fn load(memory: &Memory, places: &Places) -> Self {
        let read = read_limited(&*memory.disk, &memory.file, MAX_BYTES).ok();
        let kept = read.and_then(|bytes| serde_json::from_slice::<SavedTable>(&bytes).ok());
        let Some(kept) =
            kept.filter(|kept| kept.schema == SCHEMA && kept.base_url == places.base().as_str())
        else {
            return Self::default();
        };
        let usable = |entries: Vec<Entry>| {
            let entries: Vec<_> = entries.into_iter().map(Discovered::from).collect();
            Judged::new(places, &entries).map(|judged| judged.usable).unwrap_or_default()
        };
        let (entries, proven) = (usable(kept.endpoints), usable(kept.proven));
        Self { entries, proven, wrong: Vec::new() }
    }

    /// Saves it for the next process. If that fails, the next process asks again.
    pub(super) fn save(&self, memory: &Memory, places: &Places) {
        let entries = |all: &[Discovered]| all.iter().cloned().map(Entry::from).collect();
        let kept = SavedTable {
            schema: SCHEMA,
            base_url: places.base().to_string(),
            endpoints: entries(&self.entries),
            proven: entries(&self.proven),
        };
        // Texts without keys of their own always fit into JSON.
        let bytes = serde_json::to_vec(&kept).unwrap_or_default();
        if let Err(error) = write_durably(&*memory.disk, &memory.file, &bytes) {
            debug!("the discovery answer could not be stored: {error}");
        }
    }
}

fn find(entries: &[Discovered], endpoint: Endpoint) -> Option<&Discovered> {
    entries.iter().find(|entry| same_name(&entry.name, endpoint.name()))
}

/// The content of the file.
#[derive(Serialize, Deserialize)]
struct SavedTable {
    schema: u32,
    /// What it belongs to: it is ignored once the config has another base URL.
    base_url: String,
    endpoints: Vec<Entry>,
    #[serde(default)]
    proven: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    name: String,
    domain: String,
    path: String,
}

impl From<Discovered> for Entry {
    fn from(Discovered { name, domain, path }: Discovered) -> Self {
        Self { name, domain, path }
    }
}

impl From<Entry> for Discovered {
    fn from(Entry { name, domain, path }: Entry) -> Self {
        Self { name, domain, path }
    }
}
