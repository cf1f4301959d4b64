//! The agent's configuration, validated. Reading and checking it is in the submodules.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use crate::model::asset::Format;
use crate::model::ids::{AccountId, LabName};

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
    /// Under which names files are published.
    pub names: Names,
    /// What to do when a published order's directory is gone.
    pub when_missing: WhenMissing,
    /// The labs, at least one; names are unique without regard to case.
    pub labs: Vec<LabConfig>,
    /// Time between two polls; at least 120 s unless the lab's `base_url` is loopback.
    pub poll_interval: Duration,
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
    /// Where the status page listens; `None`: nowhere.
    pub status_page: Option<SocketAddr>,
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
    /// Archive limits.
    pub limits: Limits,
}

/// Under which names files are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// The vendor's.
    Vendor,
    /// Plain ones, such as `scan-upper.stl`.
    Plain,
    /// The vendor's, and the plain ones beside them.
    Both,
}

/// What to do when a published order's directory is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenMissing {
    /// It was consumed; leave it.
    Leave,
    /// Publish it again.
    Restore,
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
}

/// Scan notifications.
#[derive(Debug, Clone)]
pub struct Notifications {
    /// Where the listener listens.
    pub listen: SocketAddr,
    /// How Align reaches it.
    pub public_url: Url,
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

/// Self-update.
#[derive(Debug, Clone)]
pub struct Updates {
    /// `stable` or `candidate`.
    pub channel: String,
    /// Whether updates are installed without being asked.
    pub automatic: bool,
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

/// What an archive may hold at most, so that a hostile or broken one cannot fill the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one download.
    pub archive_bytes: u64,
    /// Bytes of all unpacked files of one order.
    pub unpacked_bytes: u64,
    /// Members of one archive.
    pub members: usize,
    /// Unpacked size of a member divided by its packed size.
    pub ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { archive_bytes: 4 << 30, unpacked_bytes: 16 << 30, members: 10_000, ratio: 200 }
    }
}
