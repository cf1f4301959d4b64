//! The agent's configuration, validated.
//!
//! [`load`] reads the YAML file, lets `CASEDROP_*` environment variables override it and a policy
//! file override both, and reports every fault at once, each with its key, place, reason and hint.
//! The keys and their defaults are declared in one place, `raw` and its `sections`, which also
//! generate the JSON Schema; the file is checked against that schema. A [`Config`] is complete and
//! can be run.

mod build;
mod effective;
mod env;
mod fault;
pub mod filling;
mod labs;
mod load;
mod network;
mod node;
mod notices;
mod paths;
mod policy;
mod profiles;
mod proxy;
mod proxy_choice;
mod raw;
mod raw_notices;
mod rewrite;
mod scalars;
mod schema;
mod sections;
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
pub use load::{
    FILE_NAME, Loaded, load, load_text, locate, place_for_new, platform_folder,
    writable_place_for_new,
};
pub use network::Network;
pub(crate) use node::{Entry as NodeEntry, Kind as NodeKind, Node};
pub use notices::{HookConfig, MailConfig, Notices, WebhookConfig};
pub(crate) use paths::{may_be_made, platform_state};
pub use policy::POLICY_NAME;
pub use raw_notices::{MailOnly, MailSecurity};
pub use rewrite::with_value;
pub use schema::schema;
pub use sections::{
    Alerts, ArchiveLimits, Channel, Downloads, History, Log, LogFormat, Polling, Retention, Updates,
};
pub use survey::{Places, Survey};
pub use updates::{UpdateSource, Window};
pub use values::duration_of;
pub(crate) use yaml::parse as parse_yaml;

use crate::disk::Disk;
use crate::http::client::Outgoing;
use crate::model::asset::Format;
use crate::model::fault::Fault;
use crate::model::ids::{AccountId, LabName};
use crate::model::order::RemoteOrder;
use crate::password::PasswordHash;

/// Everything the agent needs to know, complete and checked: a value of this type can be run.
#[derive(Debug, Clone)]
pub struct Config {
    pub output: PathBuf,
    /// Where orders are assembled: on the output's volume, outside every watched folder.
    pub staging: PathBuf,
    pub commands: Option<PathBuf>,
    /// Journal, locks and login state.
    pub state: PathBuf,
    pub secrets: SecretsIn,
    /// The names under which files are published.
    pub names: Names,
    /// What to do if a published order's directory is gone.
    pub when_missing: WhenMissing,
    /// At least one; names are unique, ignoring case.
    pub labs: Vec<LabConfig>,
    pub polling: Polling,
    pub notifications: Option<Notifications>,
    pub downloads: Downloads,
    /// Formats by case type: `ortho`, `restorative`, and others by case-type name.
    pub formats: BTreeMap<String, FormatConfig>,
    pub history: History,
    pub retention: Retention,
    /// The status page; `None`: disabled.
    pub status_page: Option<StatusPage>,
    pub alerts: Alerts,
    pub notices: Notices,
    pub updates: Updates,
    /// With an absolute path of its folder.
    pub log: Log,
    /// Hosts that tokens may go to (suffixes), besides loopback in simulation.
    pub allowed_hosts: Vec<String>,
    /// Paths of endpoints that discovery does not name, by endpoint name.
    pub api_paths: BTreeMap<String, String>,
    /// A PEM file with additional certificate authorities.
    pub ca_file: Option<PathBuf>,
    pub proxy: ProxyConfig,
    /// Every key that is set in the file, the environment or the policy: enough to detect changes.
    pub keys: KeyHashes,
    /// Every effective key, with its value and where that comes from.
    pub effective: Effective,
}

/// Keys, each with the SHA-256 of its value. Some are hashes of secrets, so they must not be
/// printed or stored as they are.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeyHashes(pub BTreeMap<String, String>);

impl std::fmt::Debug for KeyHashes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(not shown)")
    }
}

/// What to do if a published order's folder is gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WhenMissing {
    /// It was consumed; leave it.
    #[default]
    Leave,
    /// Publish it again.
    Restore,
}

/// What to do with incomplete orders.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum HoldBack {
    /// Publish them like all others, marked as incomplete.
    #[default]
    Never,
    /// Fetch and store them, but publish only once a person says so.
    Incomplete,
}

/// One lab: one login, one account.
#[derive(Debug, Clone)]
pub struct LabConfig {
    /// Also the name of its directory below the output.
    pub name: LabName,
    /// From Align; sandbox and production differ.
    pub oauth_base: Url,
    /// From Align; the server to ask for discovery.
    pub base_url: Url,
    pub client_id: String,
    /// From Align. May be absent for commands that need no login.
    pub client_secret: Option<SecretString>,
    /// As registered with Align.
    pub redirect_url: Url,
    /// The account to pair with, if fixed.
    pub account: Option<AccountId>,
    /// Whether to hold back incomplete orders.
    pub holds: bool,
}

#[derive(Debug, Clone)]
pub struct Notifications {
    pub listen: SocketAddr,
    /// The listener's URL as Align sees it.
    pub public_url: Url,
    /// The listener's own certificate; `None`: plain HTTP, for a reverse proxy in front.
    pub tls: Option<TlsFiles>,
    /// The proxies that we trust to say where a call came from.
    pub trusted_proxies: Vec<Network>,
}

/// The status page: where it listens, and who can see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusPage {
    /// Any address other than loopback comes with a password and a certificate.
    pub listen: SocketAddr,
    /// The hash of the visitors' password; `None`: no password.
    pub password_hash: Option<PasswordHash>,
    /// The page's own certificate; `None`: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The names, in lower case and without a port, under which browsers can reach it, besides
    /// addresses and `localhost`.
    pub names: Vec<String>,
    /// Whether to show patients' names, read from the prescription when a page is opened.
    pub show_names: bool,
}

/// What to request from Align for one kind of case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormatConfig {
    /// Passed to Align.
    pub format: Format,
    /// Whether to request the six pictures separately; `None`: only for restorative cases.
    pub thumbnails: Option<bool>,
    /// Whether to request screen captures.
    pub screen_captures: bool,
}

impl Config {
    /// Returns the client for calls to other servers.
    ///
    /// # Errors
    /// When `api.ca_file` cannot be read.
    pub fn outgoing(&self, disk: &dyn Disk) -> Result<Outgoing, Fault> {
        Outgoing::new(self.ca_file.as_deref(), self.proxy.clone(), disk)
    }

    /// The format to request for an order: that of its case type if the config names it, else that
    /// of its kind of case.
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
    /// Whether to request the six pictures of an order separately.
    pub fn wants_thumbnails(&self, order: &RemoteOrder) -> bool {
        self.thumbnails.unwrap_or(!order.is_ortho())
    }
}
