//! Turns the written config into one that can be run. Checks what single keys cannot tell, such as
//! which hosts tokens may go to and whether labs conflict with each other.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use url::Url;

use super::fault::KeyPath;
use super::node::{Node, Origin};
use super::raw::{
    Formats, Notifications as RawNotifications, Raw, StatusPage as RawStatusPage, Tls,
};
use super::scalars::PathText;
use super::survey::Survey;
use super::walk::Found;
use super::{
    ArchiveLimits, Config, FormatConfig, KeyHashes, LabConfig, Log, Notifications, StatusPage,
    TlsFiles, paths, profiles, values,
};
use crate::disk::Disk;

/// The shortest poll interval that Align accepts.
const MIN_INTERVAL: Duration = Duration::from_mins(2);

/// Builds one config and collects its faults.
pub(super) struct Builder<'a> {
    pub(super) disk: &'a dyn Disk,
    base: &'a Path,
    env: &'a [(String, String)],
    tree: &'a Node,
    pub(super) found: Vec<Found>,
    pub(super) warned: Vec<Found>,
    /// What the config names in its surroundings.
    pub(super) survey: Survey,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        disk: &'a dyn Disk,
        base: &'a Path,
        env: &'a [(String, String)],
        tree: &'a Node,
    ) -> Self {
        let survey = Survey::default();
        Self { disk, base, env, tree, found: Vec::new(), warned: Vec::new(), survey }
    }

    /// Checks everything. `None` if a required key could not be read; that fault is already
    /// recorded.
    pub(super) fn build(&mut self, raw: Raw) -> Option<Config> {
        self.folders(&raw);
        let allowed_hosts: Vec<String> =
            raw.api.allowed_hosts.into_iter().map(|host| host.0).collect();
        let labs = self.labs(raw.labs.unwrap_or_default(), &allowed_hosts, raw.hold);
        self.interval(raw.polling.interval, &labs.base_urls);
        let notifications = raw.notifications.map(|raw| self.notifications(raw));
        let status_page = self.status_page(raw.status_page);
        let notices = self.notices(raw.notices);
        let proxy = self.proxy(&raw.api.proxy, raw.api.proxy_credentials_file.as_ref());
        self.limits(&raw.downloads.limits);
        self.min_rate(raw.downloads.min_rate);
        if raw.updates.automatic && raw.updates.source.is_none() {
            let hint =
                "set `updates.source` to where releases are published, or write `automatic: false`";
            self.warn("updates.automatic", "there is no source for updates", hint);
        }
        let formats = self.formats(raw.formats);
        self.survey.min_free = raw.retention.min_free;
        let survey = self.survey.clone();
        Some(Config {
            output: survey.output?,
            staging: survey.staging?,
            commands: survey.commands,
            state: survey.state?,
            secrets: raw.secrets,
            names: raw.names,
            when_missing: raw.when_missing,
            labs: labs.complete?,
            polling: raw.polling,
            notifications: notifications.flatten(),
            downloads: raw.downloads,
            formats,
            history: raw.history,
            retention: raw.retention,
            status_page,
            alerts: raw.alerts,
            notices,
            updates: raw.updates,
            log: Log { dir: survey.log_dir, ..raw.log },
            allowed_hosts,
            api_paths: raw.api.paths.into_iter().map(|(name, path)| (name, path.0)).collect(),
            ca_file: survey.ca_file,
            proxy,
            keys: KeyHashes(self.tree.hashes()),
            effective: super::Effective::default(),
        })
    }

    pub(super) fn fault(&mut self, key: &str, reason: impl Into<String>, hint: impl Into<String>) {
        let found = self.finding(KeyPath::of(key), reason, hint);
        self.found.push(found);
    }

    pub(super) fn warn(&mut self, key: &str, reason: impl Into<String>, hint: impl Into<String>) {
        let found = self.finding(KeyPath::of(key), reason, hint);
        self.warned.push(found);
    }

    fn finding(&self, path: KeyPath, reason: impl Into<String>, hint: impl Into<String>) -> Found {
        let origin = self.tree.origin_of(&path).cloned();
        Found { path, origin, reason: reason.into(), hint: hint.into() }
    }

    /// Whether an environment variable set this key.
    pub(super) fn is_from_env(&self, key: &str) -> bool {
        matches!(self.tree.origin_of(&KeyPath::of(key)), Some(Origin::Variable(_)))
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        paths::lookup(self.env, name)
    }

    /// Resolves a written path to an absolute one.
    pub(super) fn path(&self, text: &PathText) -> std::path::PathBuf {
        paths::resolve(self.base, &text.0)
    }

    fn folders(&mut self, raw: &Raw) {
        let output = raw.output.as_ref().map(|text| self.path(text));
        let staging = match &raw.staging {
            Some(text) => Some(self.path(text)),
            None => output.as_deref().map(|output| {
                paths::default_staging(output, paths::is_volume_root(self.disk, output))
            }),
        };
        let state = match &raw.state {
            Some(text) => self.path(text),
            None => paths::platform_state(self.env),
        };
        self.survey = Survey {
            output,
            staging,
            commands: raw.commands.as_ref().map(|text| self.path(text)),
            state: Some(state),
            log_level: raw.log.level.clone(),
            log_is_json: raw.log.is_json(),
            log_keep: raw.log.keep,
            log_dir: raw.log.dir.as_deref().map(|dir| paths::resolve(self.base, dir)),
            ca_file: raw.api.ca_file.as_ref().map(|text| self.path(text)),
            ..Survey::default()
        };
        let disk = self.disk;
        let is_root = |path: &Path| paths::is_volume_root(disk, path);
        for (key, reason, hint) in paths::clashes(&self.survey, &is_root) {
            self.fault(key, reason, hint);
        }
    }

    fn interval(&mut self, interval: Duration, base_urls: &[Option<Url>]) {
        let some_real = base_urls.iter().flatten().any(|url| !values::is_loopback(url));
        if interval < MIN_INTERVAL && some_real {
            let reason = format!(
                "{} is shorter than the 120s that Align requires",
                values::write_duration(interval)
            );
            let hint = "write 120s or more; less is for the simulator, where every base_url is a \
                        loopback address";
            self.fault("polling.interval", reason, hint);
        }
    }

    fn notifications(&mut self, raw: RawNotifications) -> Option<Notifications> {
        self.survey.notifications = Some(raw.listen.0);
        let public_url = raw.public_url?.0;
        if public_url.query().is_some() || public_url.fragment().is_some() {
            let hint = "write the URL without `?` and `#`; the agent adds a secret path of its own";
            self.fault("notifications.public_url", "the URL contains a query or fragment", hint);
        }
        let tls = raw.tls.and_then(|tls| self.tls("notifications", &tls));
        self.survey.notifications_tls.clone_from(&tls);
        let trusted_proxies: Vec<_> = raw.trusted_proxies.iter().map(|one| one.0).collect();
        if !raw.listen.0.ip().is_loopback() && tls.is_none() && trusted_proxies.is_empty() {
            let reason = format!("notifications travel unencrypted to {}", raw.listen.0);
            let hint = "set a certificate in `notifications.tls`, or list the reverse proxy that \
                        has one in `notifications.trusted_proxies`, or listen on 127.0.0.1 next to \
                        it";
            self.warn("notifications.listen", reason, hint);
        }
        Some(Notifications { listen: raw.listen.0, public_url, tls, trusted_proxies })
    }

    fn status_page(&mut self, raw: RawStatusPage) -> Option<StatusPage> {
        let tls = raw.tls.and_then(|tls| self.tls("status_page", &tls));
        self.survey.status_page_tls.clone_from(&tls);
        let listen = raw.listen?.0;
        self.survey.status_page = Some(listen);
        if listen.port() != 0 && self.survey.notifications.is_some_and(|other| meets(listen, other))
        {
            // Report the key that was written: the other may be a default.
            let is_written = self.tree.at(&KeyPath::of("status_page.listen")).is_some();
            let (key, other) = if is_written {
                ("status_page.listen", "notifications.listen")
            } else {
                ("notifications.listen", "status_page.listen")
            };
            let reason = format!("it uses the same port as `{other}`, {listen}");
            self.fault(key, reason, "use another port for one of the two");
        }
        let page = StatusPage {
            listen,
            password_hash: raw.password_hash.map(|hash| hash.0),
            tls,
            names: raw.names.into_iter().map(|name| name.0).collect(),
            show_names: raw.show_names,
        };
        self.open_page(&page);
        Some(page)
    }

    /// Others on the network must neither get in nor eavesdrop.
    fn open_page(&mut self, page: &StatusPage) {
        if page.listen.ip().is_loopback() {
            return;
        }
        let password = "set `status_page.password_hash` to what `casedrop hash-password` prints";
        let tls = "set a certificate in `status_page.tls`";
        let (lacks, ways) = match (&page.password_hash, &page.tls) {
            (Some(_), Some(_)) => return,
            (None, Some(_)) => ("a password", password.to_owned()),
            (Some(_), None) => ("a certificate", tls.to_owned()),
            (None, None) => ("a password and a certificate", format!("{password}, and {tls}")),
        };
        let reason = format!(
            "the status page would be reachable from the network at {}, but lacks {lacks}",
            page.listen
        );
        self.fault("status_page.listen", reason, format!("{ways}; or listen on 127.0.0.1"));
    }

    fn tls(&mut self, section: &str, tls: &Tls) -> Option<TlsFiles> {
        let (certificate, key) =
            (self.path(tls.certificate.as_ref()?), self.path(tls.key.as_ref()?));
        self.survey.secret_files.push((format!("{section}.tls.key"), key.clone()));
        Some(TlsFiles { certificate, key })
    }

    fn limits(&mut self, limits: &ArchiveLimits) {
        for (key, bytes) in [("archive", limits.archive), ("unpacked", limits.unpacked)] {
            // Real archives exceed 100 MB.
            if bytes < 1_000_000 {
                let hint = "write at least 1MB; real archives can exceed 100MB";
                let key = format!("downloads.limits.{key}");
                self.fault(&key, "no order would fit within this limit", hint);
            }
        }
    }

    fn min_rate(&mut self, least: u64) {
        if least > 1_000_000 {
            let hint = "write 1MB or less, such as 8KiB; 0 means no minimum";
            self.fault("downloads.min_rate", "few downloads would be fast enough", hint);
        }
    }

    fn formats(&mut self, raw: Formats) -> BTreeMap<String, FormatConfig> {
        let mut formats: BTreeMap<String, FormatConfig> = BTreeMap::new();
        for (name, entry) in raw.case_types {
            let path = KeyPath::of("formats").key(&name);
            let kinds = ["ortho", "restorative"];
            let folded = name.to_lowercase();
            let taken = formats.keys().find(|other| other.to_lowercase() == folded);
            if kinds.contains(&folded.as_str()) {
                let reason = format!("`{name}` must be in lower case here");
                let found = self.finding(path, reason, format!("write {folded}"));
                self.found.push(found);
            } else if let Some(other) = taken {
                let reason = format!("it differs from `{other}` only in upper and lower case");
                let found = self.finding(path, reason, "keep one of the two");
                self.found.push(found);
            } else if let Some(kind) = super::fault::nearest(&name, kinds) {
                let reason = format!("`{name}` is treated as the name of a case type");
                let found = self.finding(path, reason, format!("did you mean `{kind}`?"));
                self.warned.push(found);
            }
            formats.insert(name, entry.into());
        }
        let kinds: [(&str, FormatConfig); 2] =
            [("ortho", raw.ortho.into()), ("restorative", raw.restorative.into())];
        for (kind, mut format) in kinds {
            if let Some(profile) = raw.profile {
                profiles::apply(profile, kind, self.tree, &mut format.format);
            }
            formats.insert(kind.to_owned(), format);
        }
        formats
    }
}

/// The labs, as far as they could be read.
pub(super) struct Labs {
    /// All of them, if every one could be read.
    pub(super) complete: Option<Vec<LabConfig>>,
    /// Their base URLs, where known.
    pub(super) base_urls: Vec<Option<Url>>,
}

/// Whether two listeners want the same port on the same address.
fn meets(a: std::net::SocketAddr, b: std::net::SocketAddr) -> bool {
    let any = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() == b.port() && (any || a.ip() == b.ip())
}
