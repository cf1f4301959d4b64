//! The config as it is written. The doc comments, defaults and limits here are the source of the
//! JSON Schema, and the schema is what the file is checked against: a key exists, means and defaults
//! to what stands here.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::notices::RawNotices;
use super::proxy::ProxyChoice;
use super::scalars::{
    Address, DurationText, EndpointPath, HostName, HostSuffix, LogLevel, NetworkText,
    PasswordHashText, PathText, ProxyText, Secret, SizeText, Thumbnails, UpdateSourceText, UrlText,
    WaitText, WindowText, WorkingHoursText,
};
use super::{CodePage, HoldBack, Limits, Names, SecretsIn, WhenMissing};
use crate::model::working_hours::WorkingHours;

/// The config of the Casedrop agent. Durations are written `500ms`, `120s`, `15m`, `2h`, `30d`; sizes
/// `500MB`, `5GB` (in thousands) or `64KiB`, `1GiB` (in 1024s). Relative paths start at the config
/// file's folder. Every key can be set by an environment variable too: `CASEDROP_OUTPUT`,
/// `CASEDROP_LABS__0__CLIENT_SECRET`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Casedrop config", extend("$id" = "casedrop-config-1"))]
pub(super) struct Raw {
    /// The hot folder: each order appears here as `<lab>/<account>/<order id>/`. Required.
    #[schemars(required)]
    pub(super) output: Option<PathText>,
    /// Where orders are put together and replaced revisions are kept; on the output's volume, outside
    /// every watched folder. Default: a hidden folder beside the output, `.<name>.casedrop-staging`;
    /// where the output is the root of a volume, `.casedrop-staging` inside it.
    pub(super) staging: Option<PathText>,
    /// The command folder, where people drop small files such as `refetch 17544365.txt` and find
    /// receipts. Default: none.
    pub(super) commands: Option<PathText>,
    /// Journal, locks and logins; a local disk. Default: `%ProgramData%\Casedrop` on Windows,
    /// `/var/lib/casedrop` elsewhere.
    pub(super) state: Option<PathText>,
    /// Where logins are kept: sealed with a key from the system's vault if there is one (`auto`), in no
    /// other way (`vault`), or in files that only the agent's user may read (`file`).
    #[serde(default)]
    pub(super) secrets: SecretsIn,
    /// Under which names files are published: the vendor's, plain ones such as `scan-upper.stl`, or
    /// both.
    #[serde(default)]
    pub(super) names: Names,
    /// What to do when a published order's folder is gone: leave it (it was consumed), or restore it.
    #[serde(default)]
    pub(super) when_missing: WhenMissing,
    /// Whether orders that are incomplete (a jaw is missing, a scan is cut off) are published like all
    /// others (`never`), or fetched, kept and held back until a person says otherwise (`incomplete`).
    #[serde(default)]
    pub(super) hold: HoldBack,
    /// The labs, at least one: one login at Align each. Required.
    #[schemars(required, length(min = 1))]
    pub(super) labs: Option<Vec<Lab>>,
    /// How often Align is asked for orders.
    #[serde(default)]
    pub(super) polling: Polling,
    /// Scan notifications (webhook). Default: none, only polling.
    pub(super) notifications: Option<Notifications>,
    /// Downloading.
    #[serde(default)]
    pub(super) downloads: Downloads,
    /// In which form the files are asked for, by kind of case.
    #[serde(default)]
    pub(super) formats: Formats,
    /// Revisions that were replaced by a newer one.
    #[serde(default)]
    pub(super) history: History,
    /// Published orders and the room they take.
    #[serde(default)]
    pub(super) retention: Retention,
    /// The status page.
    #[serde(default)]
    pub(super) status_page: StatusPage,
    /// When silence is a bad sign.
    #[serde(default)]
    pub(super) alerts: Alerts,
    /// Telling other programs and people what happened.
    #[serde(default)]
    pub(super) notices: RawNotices,
    /// Self-update.
    #[serde(default)]
    pub(super) updates: Updates,
    /// What is logged, and where to.
    #[serde(default)]
    pub(super) log: Log,
    /// Align's API. Change it only on Align's advice.
    #[serde(default)]
    pub(super) api: Api,
}

/// One lab: one login, one account. The URLs and the client's id and secret come from Align; sandbox
/// and production have their own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Lab {
    /// Its name, also its folder below the output. Unique without regard to case. Required.
    #[schemars(required, length(min = 1, max = 64))]
    pub(super) name: Option<String>,
    /// Where logins happen (`oauthBase` in Align's words). Required.
    #[schemars(required)]
    pub(super) oauth_base: Option<UrlText>,
    /// Where the regional addresses are asked for (`baseUrl` in Align's words). Required.
    #[schemars(required)]
    pub(super) base_url: Option<UrlText>,
    /// The client id. Required.
    #[schemars(required, length(min = 1))]
    pub(super) client_id: Option<String>,
    /// The client secret itself. Better: `client_secret_file`, or the environment variable. Secret.
    pub(super) client_secret: Option<Secret>,
    /// A file that holds the client secret and nothing else. Default: none.
    pub(super) client_secret_file: Option<PathText>,
    /// The redirect URL exactly as it is registered with Align; without `#`. With a loopback address,
    /// `casedrop login` listens there itself. Required.
    #[schemars(required)]
    pub(super) redirect_url: Option<UrlText>,
    /// The account to pair with. Default: the only one of the login, or the one chosen by
    /// `casedrop pair`.
    #[schemars(length(min = 1, max = 64))]
    pub(super) account: Option<String>,
    /// The same as `hold` above, for this lab. Default: what stands there.
    pub(super) hold: Option<HoldBack>,
}

/// How often Align is asked for orders.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Polling {
    /// Time between two questions for new orders; a duration. Align asks for at least `120s`; less is
    /// accepted only if every `base_url` is a loopback address.
    pub(super) interval: DurationText,
    /// Whether Align is also asked, a few times a day, how single orders stand: whether a published
    /// one is in modeling now, or another client took one that was ready.
    pub(super) follow_up: bool,
}

/// Scan notifications (webhook).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Notifications {
    /// The IP address and port where the agent listens.
    #[serde(default = "Address::notifications")]
    pub(super) listen: Address,
    /// How Align reaches that listener from outside; https. The agent adds a secret segment of its
    /// own to the path. Required within this section.
    #[schemars(required)]
    pub(super) public_url: Option<UrlText>,
    /// The listener's own certificate. Default: none, the listener speaks plain HTTP to a reverse proxy
    /// in front of it, which has the certificate.
    pub(super) tls: Option<Tls>,
    /// The IP addresses and networks of reverse proxies whose `Forwarded` and `X-Forwarded-For` headers
    /// are believed.
    #[serde(default)]
    pub(super) trusted_proxies: Vec<NetworkText>,
}

/// A certificate for the listener. Both files are read again when they change.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// The PEM file with the certificate, and behind it those that vouch for it. Required within this
    /// section.
    #[schemars(required)]
    pub(super) certificate: Option<PathText>,
    /// The PEM file with its private key, without a passphrase. Required within this section.
    #[schemars(required)]
    pub(super) key: Option<PathText>,
}

/// Downloading.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Downloads {
    /// How many orders are fetched at the same time.
    #[schemars(range(min = 1, max = 32))]
    pub(super) concurrency: u32,
    /// The waits after successive answers "not converted yet" (404); durations. After
    /// the last one the order needs attention, and is tried once a day.
    #[schemars(length(min = 1))]
    pub(super) retry_404: Vec<DurationText>,
    /// A download that brings no byte for so long is given up and retried; a duration.
    pub(super) stall_timeout: DurationText,
    /// A download that brings less than this in a second, for a minute, gives its slot
    /// up while other orders wait; a size. 0: never.
    pub(super) min_rate: SizeText,
    /// How long a scan that is there waits for its thumbnails and screen captures, all together, before
    /// it is published without them; a duration of up to an hour, or `0s`: it does not wait at all, and
    /// they are asked for right after it is published.
    pub(super) extras_wait: WaitText,
    /// Whether thumbnails and screen captures that did not come in that time are asked for again later,
    /// and published with the scan as its next revision.
    pub(super) late_extras: bool,
    /// The code page of file names in an archive that are not UTF-8.
    pub(super) name_encoding: CodePage,
    /// What one order may hold at most, so that a broken archive cannot fill the disk.
    pub(super) limits: ArchiveLimits,
}

/// What one order may hold at most, so that a broken archive cannot fill the disk.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ArchiveLimits {
    /// One download; a size.
    pub(super) archive: SizeText,
    /// All unpacked files of one order; a size.
    pub(super) unpacked: SizeText,
    /// The number of files in one archive.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(super) members: u32,
    /// The unpacked size of an archive divided by its packed size, where it unpacks to more than 256 MiB.
    #[schemars(range(min = 1, max = 100_000))]
    pub(super) ratio: u32,
}

/// Declares one kind of case: the same keys each time, with defaults of its own.
macro_rules! case_format {
    ($(#[$doc:meta])* $name:ident, $file_type:expr, $file_format:expr, $type_format:expr, $cad:expr) => {
        $(#[$doc])*
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct $name {
            /// Such as `STL` or `PLY`; `null`: left to Align.
            #[schemars(length(min = 1))]
            pub(super) file_type: Option<String>,
            /// Such as `TwoFiles_ArchesOrientedInOcclusion`; `null`: left to Align.
            #[schemars(length(min = 1))]
            pub(super) file_format: Option<String>,
            /// Such as `OpenShell` or `SolidModelWithLowProfileBase`; `null`: left to Align.
            #[schemars(length(min = 1))]
            pub(super) type_format: Option<String>,
            /// The CAD/CAM system of restorative cases, such as `3Shape`; `null`: left to Align.
            #[schemars(length(min = 1))]
            pub(super) cad_cam_system: Option<String>,
            /// Whether the six pictures are asked for separately; `auto`: for restorative cases, whose
            /// archives lack them.
            pub(super) thumbnails: Thumbnails,
            /// Whether what the dentist captured on the scanner's screen is asked for.
            pub(super) screen_captures: bool,
        }

        impl Default for $name {
            fn default() -> Self {
                let text = |text: Option<&str>| text.map(str::to_owned);
                Self {
                    file_type: text($file_type),
                    file_format: text($file_format),
                    type_format: text($type_format),
                    cad_cam_system: text($cad),
                    thumbnails: Thumbnails::default(),
                    screen_captures: true,
                }
            }
        }

        impl From<$name> for super::FormatConfig {
            fn from(raw: $name) -> Self {
                Self {
                    format: crate::model::asset::Format {
                        file_type: raw.file_type,
                        file_format: raw.file_format,
                        type_format: raw.type_format,
                        cad_cam_system: raw.cad_cam_system,
                    },
                    thumbnails: raw.thumbnails.0,
                    screen_captures: raw.screen_captures,
                }
            }
        }
    };
}

case_format!(
    /// Orthodontic cases.
    Ortho,
    Some("STL"),
    Some("TwoFiles_ArchesOrientedInOcclusion"),
    Some("OpenShell"),
    None
);
case_format!(
    /// Restorative cases.
    Restorative,
    None,
    None,
    None,
    Some("3Shape")
);
case_format!(
    /// One case type. It inherits nothing from `ortho` or `restorative`.
    CaseType,
    None,
    None,
    None,
    None
);

/// In which form the files are asked for. A key other than `ortho` and `restorative` is the name of a
/// case type, such as `iRecord`, written as Align does; it goes before those two.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct Formats {
    /// The CAD program that the files are for: it sets what `ortho` and `restorative` ask for, and each
    /// key that is given there goes before it. `null`: their own defaults.
    #[serde(default)]
    pub(super) profile: Option<CadProfile>,
    /// Orthodontic cases.
    #[serde(default)]
    pub(super) ortho: Ortho,
    /// Restorative cases.
    #[serde(default)]
    pub(super) restorative: Restorative,
    /// Case types that differ from these two, by name.
    #[serde(flatten)]
    pub(super) case_types: BTreeMap<String, CaseType>,
}

/// A CAD program whose wishes are known, or assumed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum CadProfile {
    /// 3Shape Dental System and Ortho System.
    #[serde(rename = "3shape")]
    ThreeShape,
    /// exocad's `DentalCAD`.
    #[serde(rename = "exocad")]
    Exocad,
}

/// Revisions that were replaced by a newer one.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct History {
    /// How long they are kept; a duration. `null`: for ever.
    pub(super) keep: Option<DurationText>,
}

/// Published orders and the room they take.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Retention {
    /// How long published orders stay; a duration. `null`: for ever.
    pub(super) keep: Option<DurationText>,
    /// What stays free on the output's volume; a size. Below it nothing is fetched.
    pub(super) min_free: SizeText,
}

/// The status page.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StatusPage {
    /// The IP address and port where it is shown; `null`: nowhere. Any other than a loopback address
    /// needs `password_hash` and `tls`.
    pub(super) listen: Option<Address>,
    /// The hash of the password that visitors are asked for, as `casedrop hash-password` prints it.
    /// `null`: nobody is asked. Secret.
    pub(super) password_hash: Option<PasswordHashText>,
    /// The page's own certificate. Default: none, it speaks plain HTTP.
    pub(super) tls: Option<Tls>,
    /// The names under which browsers may reach it, beside addresses and `localhost`; without a port.
    pub(super) names: Vec<HostName>,
    /// Whether patients' names are shown. They are read from the prescription when a page is opened,
    /// and never stored.
    pub(super) show_names: bool,
}

/// When silence is a bad sign.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Alerts {
    /// When the labs work, by the PC's clock: such as `Mon-Fri 08:00-18:00, Sat 09:00-13:00`.
    pub(super) working_hours: WorkingHoursText,
    /// A lab of which nothing was published for so much of its working hours is told of; a duration.
    /// `null`: never.
    pub(super) no_orders_after: Option<DurationText>,
}

/// Self-update.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Updates {
    /// Which releases are offered.
    pub(super) channel: Channel,
    /// Whether updates are installed without being asked.
    pub(super) automatic: bool,
    /// Where releases are found: the address of a folder on a web server (https), or
    /// `github:owner/name`. Default: nowhere.
    pub(super) source: Option<UpdateSourceText>,
    /// When updates may be installed without being asked: a part of the day by the PC's clock, such as
    /// `02:00-05:00`. `null`: at any time.
    pub(super) window: Option<WindowText>,
}

/// Which releases are offered.
#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Channel {
    /// Finished releases.
    Stable,
    /// Release candidates too.
    Candidate,
}

/// What is logged, and where to.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, `off`, or a filter such as
    /// `info,casedrop::align=debug`.
    pub(super) level: LogLevel,
    /// Lines for people, or JSON for programs.
    pub(super) format: LogFormat,
    /// The folder for log files. `null`: standard error; a Windows service writes to `logs` in the state
    /// folder.
    pub(super) dir: Option<PathText>,
    /// How long log files are kept; a duration.
    pub(super) keep: DurationText,
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Align's API. Change it only on Align's advice.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Api {
    /// The domains that logins may go to; each stands for all hosts below it. Loopback addresses are
    /// always allowed.
    pub(super) allowed_hosts: Vec<HostSuffix>,
    /// Paths on the server, by endpoint name, for endpoints that Align's discovery does not name.
    pub(super) paths: BTreeMap<String, EndpointPath>,
    /// A PEM file with further certificate authorities, for networks that inspect https. Default:
    /// only the system's own.
    pub(super) ca_file: Option<PathText>,
    /// The proxy for all calls by https, other servers than Align's included: its address, `system` for
    /// what the system names, or `none`.
    pub(super) proxy: ProxyText,
    /// A file that holds `user:password` for that proxy and nothing else. Default: none.
    pub(super) proxy_credentials_file: Option<PathText>,
}

impl Default for Polling {
    fn default() -> Self {
        Self { interval: DurationText::secs(120), follow_up: true }
    }
}

impl Default for Downloads {
    fn default() -> Self {
        Self {
            concurrency: 4,
            retry_404: [120, 300, 600, 1800, 3600, 7200].map(DurationText::secs).to_vec(),
            stall_timeout: DurationText::secs(60),
            min_rate: SizeText(8 << 10),
            extras_wait: WaitText(Duration::from_secs(30)),
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
            archive: SizeText(limits.archive_bytes),
            unpacked: SizeText(limits.unpacked_bytes),
            members: u32::try_from(limits.members).unwrap_or(u32::MAX),
            ratio: u32::try_from(limits.ratio).unwrap_or(u32::MAX),
        }
    }
}

impl Default for History {
    fn default() -> Self {
        Self { keep: Some(DurationText::secs(30 * 86_400)) }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { keep: None, min_free: SizeText(5_000_000_000) }
    }
}

impl Default for StatusPage {
    fn default() -> Self {
        Self {
            listen: Some(Address::status_page()),
            password_hash: None,
            tls: None,
            names: Vec::new(),
            show_names: false,
        }
    }
}

impl Default for Alerts {
    fn default() -> Self {
        Self { working_hours: WorkingHoursText(WorkingHours::default()), no_orders_after: None }
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
            level: LogLevel("info".to_owned()),
            format: LogFormat::Text,
            dir: None,
            keep: DurationText::secs(14 * 86_400),
        }
    }
}

impl Default for Api {
    fn default() -> Self {
        let hosts = ["iterocloud.com", "itero.cloud"];
        Self {
            allowed_hosts: hosts.map(|host| HostSuffix(host.to_owned())).to_vec(),
            paths: BTreeMap::new(),
            ca_file: None,
            proxy: ProxyText(ProxyChoice::System),
            proxy_credentials_file: None,
        }
    }
}
