//! The agent's configuration, validated.
//!
//! [`load`] reads the YAML file, lets `CASEDROP_*` environment variables override it and a policy file
//! override both, and reports every fault at once, each with its key, place, reason and hint. What is written and what it
//! defaults to is declared in one place, `raw`, from which the JSON Schema comes; the file is
//! checked against that schema. A [`Config`] is complete and can be run.

mod build;
mod effective;
mod env;
mod fault;
mod labs;
mod load;
mod network;
mod node;
mod notices;
mod paths;
mod policy;
mod profiles;
mod proxy;
mod raw;
mod rewrite;
mod scalars;
mod schema;
mod survey;
pub mod template;
mod updates;
mod values;
mod walk;
mod yaml;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use url::Url;

pub use crate::http::client::{NamedProxy, ProxyConfig};
pub use crate::http::server::TlsFiles;
pub use crate::model::export::{CodePage, Limits, Names};
pub use crate::secrets::SecretsIn;
pub use effective::{Effective, From, InForce};
pub use env::process_env;
pub(crate) use fault::nearest;
pub use fault::{ConfigFault, ConfigFaults};
pub use load::{FILE_NAME, Loaded, load, load_text, locate, platform_folder};
pub use network::Network;
pub(crate) use node::{Entry as NodeEntry, Kind as NodeKind, Node};
pub use notices::{HookConfig, MailConfig, MailOnly, MailSecurity, Notices, WebhookConfig};
pub(crate) use paths::platform_state;
pub use policy::POLICY_NAME;
pub use rewrite::with_value;
pub use schema::schema;
pub use survey::{Places, Survey};
pub use updates::{UpdateSource, Updates, Window};
pub(crate) use yaml::parse as parse_yaml;

use crate::disk::Disk;
use crate::http::client::Outgoing;
use crate::model::asset::Format;
use crate::model::fault::Fault;
use crate::model::ids::{AccountId, LabName};
use crate::model::order::RemoteOrder;
use crate::model::working_hours::WorkingHours;
use crate::password::PasswordHash;

/// Everything the agent needs to know, complete and checked: a value of this type can be run.
#[derive(Debug, Clone)]
pub struct Config {
    /// The hot folder.
    pub output: PathBuf,
    /// Where orders are put together: on the output's volume, outside every watched folder.
    pub staging: PathBuf,
    /// The command folder, if any.
    pub commands: Option<PathBuf>,
    /// Journal, locks and login state.
    pub state: PathBuf,
    /// Where logins are kept.
    pub secrets: SecretsIn,
    /// Under which names files are published.
    pub names: Names,
    /// What to do when a published order's directory is gone.
    pub when_missing: WhenMissing,
    /// The labs, at least one; names are unique without regard to case.
    pub labs: Vec<LabConfig>,
    /// Time between two polls; at least 120 s unless the lab's `base_url` is loopback.
    pub poll_interval: Duration,
    /// Whether Align is asked from time to time how single orders stand.
    pub follow_up: bool,
    /// Scan notifications, if wanted.
    pub notifications: Option<Notifications>,
    /// Downloading.
    pub downloads: Downloads,
    /// Formats by case type: `ortho`, `restorative`, and further ones by case-type name.
    pub formats: BTreeMap<String, FormatConfig>,
    /// How long replaced revisions are kept; `None`: for ever.
    pub history_keep: Option<Duration>,
    /// How long published orders are kept; `None`: for ever.
    pub retention_keep: Option<Duration>,
    /// Bytes that stay free on the output's volume.
    pub min_free: u64,
    /// The status page; `None`: there is none.
    pub status_page: Option<StatusPage>,
    /// When silence is a bad sign.
    pub alerts: Alerts,
    /// Who is told what happened.
    pub notices: Notices,
    /// Self-update.
    pub updates: Updates,
    /// Logging.
    pub log: LogConfig,
    /// Hosts that tokens may go to (suffixes), beside loopback in simulation.
    pub allowed_hosts: Vec<String>,
    /// Paths that stand in for what discovery does not name, by endpoint name.
    pub api_paths: BTreeMap<String, String>,
    /// A PEM file with further certificate authorities.
    pub ca_file: Option<PathBuf>,
    /// The way to servers on the network.
    pub proxy: ProxyConfig,
    /// Archive limits.
    pub limits: Limits,
    /// Every key that is set in the file, the environment or the policy: enough to tell what changed.
    pub keys: KeyHashes,
    /// Every key in force, with its value and where that comes from.
    pub effective: Effective,
}

/// Keys, each with the SHA-256 of its value. Some of them are hashes of secrets: they are neither
/// printed nor kept as they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeyHashes(pub BTreeMap<String, String>);

impl std::fmt::Debug for KeyHashes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(not shown)")
    }
}

/// What to do when a published order's directory is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhenMissing {
    /// It was consumed; leave it.
    #[default]
    Leave,
    /// Publish it again.
    Restore,
}

/// What is done with orders that are incomplete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HoldBack {
    /// They are published like all others, and shown as incomplete.
    #[default]
    Never,
    /// They are fetched and kept, and not published before a person says so.
    Incomplete,
}

/// One lab: one login, one account.
#[derive(Debug, Clone)]
pub struct LabConfig {
    /// Its name, also its directory below the output.
    pub name: LabName,
    /// From Align; sandbox and production differ.
    pub oauth_base: Url,
    /// From Align; where discovery is asked.
    pub base_url: Url,
    /// From Align.
    pub client_id: String,
    /// From Align. Absent while only commands that need no login are used.
    pub client_secret: Option<SecretString>,
    /// As registered with Align.
    pub redirect_url: Url,
    /// The account to pair with, if fixed.
    pub account: Option<AccountId>,
    /// Whether incomplete orders are held back.
    pub holds: bool,
}

/// Scan notifications.
#[derive(Debug, Clone)]
pub struct Notifications {
    /// Where the listener listens.
    pub listen: SocketAddr,
    /// How Align reaches it.
    pub public_url: Url,
    /// The listener's own certificate; `None`: plain HTTP, for a reverse proxy in front.
    pub tls: Option<TlsFiles>,
    /// Whose word counts on where a call came from.
    pub trusted_proxies: Vec<Network>,
}

/// The status page: where it is shown, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPage {
    /// Where it listens. Other addresses than a loopback one have a password and a certificate.
    pub listen: SocketAddr,
    /// The hash of the password that visitors are asked for; `None`: nobody is asked.
    pub password_hash: Option<PasswordHash>,
    /// The page's own certificate; `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The names, in lower case and without a port, under which browsers may reach it beside addresses
    /// and `localhost`.
    pub names: Vec<String>,
    /// Whether patients' names are shown, read from the prescription when a page is opened.
    pub show_names: bool,
}

/// Downloading.
#[derive(Debug, Clone)]
pub struct Downloads {
    /// How many orders are fetched at the same time.
    pub concurrency: usize,
    /// Waits after successive 404 answers; the last one repeats.
    pub retry_404: Vec<Duration>,
    /// A download that brings no byte for so long is given up and retried.
    pub stall_timeout: Duration,
    /// A download that brings fewer bytes in a second gives its slot up while others wait; 0: never.
    pub min_rate: u64,
    /// How long a scan that is there waits for what comes by calls of its own; zero: not at all.
    pub extras_wait: Duration,
    /// Whether what did not come in that time is asked for later, and published as the next revision.
    pub late_extras: bool,
    /// The code page of names in an archive that are not UTF-8.
    pub name_encoding: CodePage,
}

/// What is asked of Align for one kind of case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormatConfig {
    /// Passed to Align.
    pub format: Format,
    /// Whether the six pictures are asked for separately; `None`: for restorative cases only.
    pub thumbnails: Option<bool>,
    /// Whether screen captures are asked for.
    pub screen_captures: bool,
}

/// When silence is a bad sign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alerts {
    /// When the labs work.
    pub working_hours: WorkingHours,
    /// How much of its working hours a lab may pass without a publication; `None`: any.
    pub no_orders_after: Option<Duration>,
}

/// Logging.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter for tracing.
    pub level: String,
    /// JSON lines instead of text.
    pub json: bool,
    /// Where log files go; `None`: stderr.
    pub dir: Option<PathBuf>,
    /// How long log files are kept.
    pub keep: Duration,
}

impl Config {
    /// How servers on the network are reached.
    ///
    /// # Errors
    /// When `api.ca_file` cannot be read.
    pub fn outgoing(&self, disk: &dyn Disk) -> Result<Outgoing, Fault> {
        Outgoing::new(self.ca_file.as_deref(), self.proxy.clone(), disk)
    }

    /// In which form the files of an order are asked for: as its case type says, if the config names
    /// that one, else as its kind of case does.
    pub fn format_for(&self, order: &RemoteOrder) -> FormatConfig {
        let by_case_type = order.case_type.as_deref().and_then(|case_type| {
            let wanted = case_type.trim().to_lowercase();
            self.formats.iter().find(|(name, _)| name.to_lowercase() == wanted)
        });
        let kind = if order.is_ortho() { "ortho" } else { "restorative" };
        by_case_type
            .map(|(_, format)| format)
            .or_else(|| self.formats.get(kind))
            .cloned()
            .unwrap_or_default()
    }
}

impl FormatConfig {
    /// Whether the six pictures of an order are asked for separately.
    pub fn wants_thumbnails(&self, order: &RemoteOrder) -> bool {
        self.thumbnails.unwrap_or(!order.is_ortho())
    }
}
