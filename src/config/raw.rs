//! The config as written. The doc comments, defaults and limits here become the JSON Schema, and
//! the file is checked against that schema: this is the single source for which keys exist, what
//! they mean and what they default to.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::proxy_choice::ProxyChoice;
use super::raw_notices::RawNotices;
use super::scalars::{
    Address, EndpointPath, HostName, HostSuffix, NetworkText, PasswordHashText, PathText,
    ProxyText, Secret, Thumbnails, UrlText,
};
use super::sections::{Alerts, Downloads, History, Log, Polling, Retention, Updates};
use super::{HoldBack, Names, SecretsIn, WhenMissing};

/// The config of the Casedrop agent. Durations: `500ms`, `120s`, `15m`, `2h`, `30d`. Sizes:
/// `500MB`, `5GB` (in thousands) or `64KiB`, `1GiB` (in 1024s). Relative paths start at the config
/// file's folder. An environment variable can set any key, too: `CASEDROP_OUTPUT`,
/// `CASEDROP_LABS__0__CLIENT_SECRET`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Casedrop config", extend("$id" = "casedrop-config-1"))]
pub(super) struct Raw {
    /// The hot folder: each order appears here as `<lab>/<account>/<order id>/`. Required.
    #[schemars(required)]
    pub(super) output: Option<PathText>,
    /// Where orders are assembled and replaced revisions are kept; on the output's volume, outside
    /// every watched folder. Default: a hidden folder next to the output,
    /// `.<name>.casedrop-staging`; if the output is the root of a volume, `.casedrop-staging`
    /// inside it.
    pub(super) staging: Option<PathText>,
    /// The command folder, where users drop small files such as `refetch 17544365.txt` and find
    /// receipts. Default: none.
    pub(super) commands: Option<PathText>,
    /// Journal, locks and logins; on a local disk. Default: `%ProgramData%\Casedrop` on Windows,
    /// `/var/lib/casedrop` elsewhere.
    pub(super) state: Option<PathText>,
    /// Where logins are stored: sealed with a key from the system's vault if there is one (`auto`),
    /// only that way (`vault`), or in files that only the agent's user can read (`file`).
    #[serde(default)]
    pub(super) secrets: SecretsIn,
    /// Names of published files: the vendor's, plain ones such as `scan-upper.stl`, or both.
    #[serde(default)]
    pub(super) names: Names,
    /// What to do if a published order's folder is gone: leave it (it was consumed), or restore it.
    #[serde(default)]
    pub(super) when_missing: WhenMissing,
    /// Whether incomplete orders (a jaw is missing, a scan is cut off) are published like all
    /// others (`never`), or fetched, stored and held back until a person says otherwise
    /// (`incomplete`).
    #[serde(default)]
    pub(super) hold: HoldBack,
    /// The labs, at least one: one login at Align each. Required.
    #[schemars(required, length(min = 1))]
    pub(super) labs: Option<Vec<Lab>>,
    /// How often to ask Align for orders.
    #[serde(default)]
    pub(super) polling: Polling,
    /// Scan notifications (webhook). Default: none, only polling.
    pub(super) notifications: Option<Notifications>,
    /// Downloading.
    #[serde(default)]
    pub(super) downloads: Downloads,
    /// The file formats to request from Align, by kind of case.
    #[serde(default)]
    pub(super) formats: Formats,
    /// Revisions that a newer one replaced.
    #[serde(default)]
    pub(super) history: History,
    /// Published orders and the space they take.
    #[serde(default)]
    pub(super) retention: Retention,
    /// The status page.
    #[serde(default)]
    pub(super) status_page: StatusPage,
    /// When silence becomes an alert.
    #[serde(default)]
    pub(super) alerts: Alerts,
    /// Notify other programs and people of what happened.
    #[serde(default)]
    pub(super) notices: RawNotices,
    /// Self-update.
    #[serde(default)]
    pub(super) updates: Updates,
    /// What is logged, and where.
    #[serde(default)]
    pub(super) log: Log,
    /// Align's API. Change it only on Align's advice.
    #[serde(default)]
    pub(super) api: Api,
}

/// One lab: one login, one account. The URLs, client id and client secret come from Align; sandbox
/// and production have their own.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Lab {
    /// Name of the lab and of its folder below the output. Unique, ignoring case. Required.
    #[schemars(required, length(min = 1, max = 64))]
    pub(super) name: Option<String>,
    /// The login server (Align's `oauthBase`). Required.
    #[schemars(required)]
    pub(super) oauth_base: Option<UrlText>,
    /// The server to ask for the regional URLs (Align's `baseUrl`). Required.
    #[schemars(required)]
    pub(super) base_url: Option<UrlText>,
    /// The client id. Required.
    #[schemars(required, length(min = 1))]
    pub(super) client_id: Option<String>,
    /// The client secret itself. Better: `client_secret_file`, or the environment variable. Secret.
    pub(super) client_secret: Option<Secret>,
    /// A file that holds the client secret and nothing else. Default: none.
    pub(super) client_secret_file: Option<PathText>,
    /// The redirect URL exactly as registered with Align; without `#`. If it is a loopback address,
    /// `casedrop login` listens there itself. Required.
    #[schemars(required)]
    pub(super) redirect_url: Option<UrlText>,
    /// The account to pair with. Default: the login's only account, or the one chosen with
    /// `casedrop pair`.
    #[schemars(length(min = 1, max = 64))]
    pub(super) account: Option<String>,
    /// Overrides `hold` for this lab. Default: the value of `hold` above.
    pub(super) hold: Option<HoldBack>,
}

/// Scan notifications (webhook).
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Notifications {
    /// The IP address and port where the agent listens.
    #[serde(default = "Address::notifications")]
    pub(super) listen: Address,
    /// The listener's URL as Align reaches it from outside; https. The agent adds a secret segment
    /// to the path. Required within this section.
    #[schemars(required)]
    pub(super) public_url: Option<UrlText>,
    /// The listener's own certificate. Default: none, the listener speaks plain HTTP to a reverse
    /// proxy in front of it, which has the certificate.
    pub(super) tls: Option<Tls>,
    /// The IP addresses and networks of reverse proxies whose `Forwarded` and `X-Forwarded-For`
    /// headers are trusted.
    #[serde(default)]
    pub(super) trusted_proxies: Vec<NetworkText>,
}

/// A certificate for the listener. Both files are reloaded when they change.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    /// The PEM file with the certificate, followed by its chain. Required within this section.
    #[schemars(required)]
    pub(super) certificate: Option<PathText>,
    /// The PEM file with its private key, without a passphrase. Required within this section.
    #[schemars(required)]
    pub(super) key: Option<PathText>,
}

/// Declares one kind of case: always the same keys, with its own defaults.
macro_rules! case_format {
    ($(#[$doc:meta])* $name:ident, $file_type:expr, $file_format:expr, $type_format:expr, $cad:expr) => {
        $(#[$doc])*
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub(super) struct $name {
            /// Such as `STL` or `PLY`; `null`: Align decides.
            #[schemars(length(min = 1))]
            pub(super) file_type: Option<String>,
            /// Such as `TwoFiles_ArchesOrientedInOcclusion`; `null`: Align decides.
            #[schemars(length(min = 1))]
            pub(super) file_format: Option<String>,
            /// Such as `OpenShell` or `SolidModelWithLowProfileBase`; `null`: Align decides.
            #[schemars(length(min = 1))]
            pub(super) type_format: Option<String>,
            /// The CAD/CAM system of restorative cases, such as `3Shape`; `null`: Align decides.
            #[schemars(length(min = 1))]
            pub(super) cad_cam_system: Option<String>,
            /// Whether to request the six pictures separately; `auto`: for restorative cases, whose
            /// archives lack them.
            pub(super) thumbnails: Thumbnails,
            /// Whether to request what the dentist captured on the scanner's screen.
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

/// The file formats to request from Align. A key other than `ortho` and `restorative` is the name
/// of a case type, such as `iRecord`, spelled as Align does; it takes precedence over those two.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct Formats {
    /// The CAD program that the files are for: it sets the formats of `ortho` and `restorative`,
    /// and any key given there overrides it. `null`: their own defaults.
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

/// A CAD program whose formats are known, or assumed.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(super) enum CadProfile {
    /// 3Shape Dental System and Ortho System.
    #[serde(rename = "3shape")]
    ThreeShape,
    /// exocad's `DentalCAD`.
    #[serde(rename = "exocad")]
    Exocad,
}

/// The status page.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct StatusPage {
    /// The IP address and port where it listens; `null`: no status page. Any address other than
    /// loopback needs `password_hash` and `tls`.
    pub(super) listen: Option<Address>,
    /// The hash of the visitors' password, as `casedrop hash-password` prints it. `null`: no
    /// password. Secret.
    pub(super) password_hash: Option<PasswordHashText>,
    /// The page's own certificate. Default: none, it speaks plain HTTP.
    pub(super) tls: Option<Tls>,
    /// Names under which browsers can reach it, besides addresses and `localhost`; without a port.
    pub(super) names: Vec<HostName>,
    /// Whether to show patients' names. They are read from the prescription when a page is opened,
    /// and never stored.
    pub(super) show_names: bool,
}

/// Align's API. Change it only on Align's advice.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Api {
    /// The domains that logins may go to; each includes all hosts below it. Loopback addresses are
    /// always allowed.
    pub(super) allowed_hosts: Vec<HostSuffix>,
    /// Paths on the server, by endpoint name, for endpoints that Align's discovery does not name.
    pub(super) paths: BTreeMap<String, EndpointPath>,
    /// A PEM file with additional certificate authorities, for networks that inspect https.
    /// Default: only the system's own.
    pub(super) ca_file: Option<PathText>,
    /// The proxy for all https calls, including those to servers other than Align's: its address,
    /// `system` for the system's proxy, or `none`.
    pub(super) proxy: ProxyText,
    /// A file that holds `user:password` for that proxy and nothing else. Default: none.
    pub(super) proxy_credentials_file: Option<PathText>,
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
