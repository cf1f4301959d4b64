//! The sections of the config that are used as they are written. Each key is declared here and
//! nowhere else: its name, type and default, and the text that becomes its documentation in the
//! JSON Schema.

use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_with::As;

use super::scalars::{
    DurationText, LogLevel, PathText, SizeText, UpdateSourceText, WaitText, WindowText,
    WorkingHoursText,
};
use super::updates::{UpdateSource, Window};
use super::{CodePage, Limits};
use crate::model::working_hours::WorkingHours;

/// How often to ask Align for orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Polling {
    /// Time between two polls; a duration. Align asks for at least `120s`; less is accepted only if
    /// every `base_url` is a loopback address.
    #[serde(with = "As::<DurationText>")]
    #[schemars(with = "DurationText")]
    pub interval: Duration,
    /// Whether to also ask Align, a few times a day, for the status of single orders: whether a
    /// published one is in modeling now, or another client took one that was ready.
    pub follow_up: bool,
}

/// Downloading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Downloads {
    /// How many orders to fetch at the same time.
    #[schemars(range(min = 1, max = 32))]
    pub concurrency: u32,
    /// The waits after successive "not converted yet" answers (404); durations. After the last one
    /// the order needs attention, and is retried once a day.
    #[schemars(length(min = 1))]
    #[serde(with = "As::<Vec<DurationText>>")]
    #[schemars(with = "Vec<DurationText>")]
    pub retry_404: Vec<Duration>,
    /// A download that receives no byte for this long is canceled and retried; a duration.
    #[serde(with = "As::<DurationText>")]
    #[schemars(with = "DurationText")]
    pub stall_timeout: Duration,
    /// A download slower than this per second, over a minute, releases its slot while other orders
    /// wait; a size. 0: never.
    #[serde(with = "As::<SizeText>")]
    #[schemars(with = "SizeText")]
    pub min_rate: u64,
    /// How long a ready scan waits for its thumbnails and screen captures, all together, before it
    /// is published without them; a duration of up to an hour. `0s`: it does not wait, and they are
    /// requested right after it is published.
    #[serde(with = "As::<WaitText>")]
    #[schemars(with = "WaitText")]
    pub extras_wait: Duration,
    /// Whether thumbnails and screen captures that did not arrive in that time are requested again
    /// later, and published with the scan as its next revision.
    pub late_extras: bool,
    /// The code page of file names in an archive that are not UTF-8.
    pub name_encoding: CodePage,
    /// Upper limits for one order, so that a broken archive cannot fill the disk.
    pub limits: ArchiveLimits,
}

/// Upper limits for one order, so that a broken archive cannot fill the disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ArchiveLimits {
    /// One download; a size.
    #[serde(with = "As::<SizeText>")]
    #[schemars(with = "SizeText")]
    pub archive: u64,
    /// All unpacked files of one order; a size.
    #[serde(with = "As::<SizeText>")]
    #[schemars(with = "SizeText")]
    pub unpacked: u64,
    /// The number of files in one archive.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub members: u32,
    /// Unpacked size of an archive divided by its packed size, if it unpacks to more than 256 MiB.
    #[schemars(range(min = 1, max = 100_000))]
    pub ratio: u32,
}

/// Revisions that a newer one replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct History {
    /// How long they are kept; a duration. `null`: forever.
    #[serde(with = "As::<Option<DurationText>>")]
    #[schemars(with = "Option<DurationText>")]
    pub keep: Option<Duration>,
}

/// Published orders and the space they take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// How long published orders are kept; a duration. `null`: forever.
    #[serde(with = "As::<Option<DurationText>>")]
    #[schemars(with = "Option<DurationText>")]
    pub keep: Option<Duration>,
    /// Space to keep free on the output's volume; a size. Below it nothing is fetched.
    #[serde(with = "As::<SizeText>")]
    #[schemars(with = "SizeText")]
    pub min_free: u64,
}

/// When silence becomes an alert.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// When the labs work, by the PC's clock: such as `Mon-Fri 08:00-18:00, Sat 09:00-13:00`.
    #[serde(with = "As::<WorkingHoursText>")]
    #[schemars(with = "WorkingHoursText")]
    pub working_hours: WorkingHours,
    /// A lab without a publication for this many of its working hours raises an alert; a duration.
    /// `null`: never.
    #[serde(with = "As::<Option<DurationText>>")]
    #[schemars(with = "Option<DurationText>")]
    pub no_orders_after: Option<Duration>,
}

/// Self-update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Updates {
    /// Which releases are offered.
    pub channel: Channel,
    /// Whether updates are installed without asking.
    pub automatic: bool,
    /// Where to find releases: the URL of a folder on a web server (https), or `github:owner/name`.
    /// Default: nowhere.
    #[serde(with = "As::<Option<UpdateSourceText>>")]
    #[schemars(with = "Option<UpdateSourceText>")]
    pub source: Option<UpdateSource>,
    /// When updates may be installed without asking: a part of the day by the PC's clock, such as
    /// `02:00-05:00`. `null`: at any time.
    #[serde(with = "As::<Option<WindowText>>")]
    #[schemars(with = "Option<WindowText>")]
    pub window: Option<Window>,
}

/// Which releases are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Finished releases.
    Stable,
    /// Release candidates too.
    Candidate,
}

/// What is logged, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, `off`, or a filter such as
    /// `info,casedrop::align=debug`.
    #[serde(with = "As::<LogLevel>")]
    #[schemars(with = "LogLevel")]
    pub level: String,
    /// Lines for people, or JSON for programs.
    pub format: LogFormat,
    /// The folder for log files. `null`: standard error; a Windows service writes to `logs` in the
    /// state folder.
    #[serde(with = "As::<Option<PathText>>")]
    #[schemars(with = "Option<PathText>")]
    pub dir: Option<PathBuf>,
    /// How long log files are kept; a duration.
    #[serde(with = "As::<DurationText>")]
    #[schemars(with = "DurationText")]
    pub keep: Duration,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

impl Default for Polling {
    fn default() -> Self {
        Self { interval: Duration::from_secs(120), follow_up: true }
    }
}

impl Default for Downloads {
    fn default() -> Self {
        Self {
            concurrency: 4,
            retry_404: [120, 300, 600, 1800, 3600, 7200].map(Duration::from_secs).to_vec(),
            stall_timeout: Duration::from_secs(60),
            min_rate: 8 << 10,
            extras_wait: Duration::from_secs(30),
            late_extras: true,
            name_encoding: CodePage::default(),
            limits: ArchiveLimits::default(),
        }
    }
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        let limits = Limits::default();
        Self {
            archive: limits.archive_bytes,
            unpacked: limits.unpacked_bytes,
            members: u32::try_from(limits.members).unwrap_or(u32::MAX),
            ratio: u32::try_from(limits.ratio).unwrap_or(u32::MAX),
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self { keep: Some(Duration::from_hours(30 * 24)) }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { keep: None, min_free: 5_000_000_000 }
    }
}

impl Default for Updates {
    fn default() -> Self {
        Self { channel: Channel::Stable, automatic: false, source: None, window: None }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Text,
            dir: None,
            keep: Duration::from_hours(14 * 24),
        }
    }
}

impl From<&ArchiveLimits> for Limits {
    fn from(limits: &ArchiveLimits) -> Self {
        Self {
            archive_bytes: limits.archive,
            unpacked_bytes: limits.unpacked,
            members: usize::try_from(limits.members).unwrap_or(usize::MAX),
            ratio: u64::from(limits.ratio),
        }
    }
}

impl Log {
    /// Whether lines are written as JSON.
    pub fn is_json(&self) -> bool {
        self.format == LogFormat::Json
    }
}

impl Channel {
    /// The channels whose releases are offered, the preferred one first.
    pub fn offered(self) -> &'static [&'static str] {
        match self {
            Self::Stable => &["stable"],
            Self::Candidate => &["candidate", "stable"],
        }
    }
}
