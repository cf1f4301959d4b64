//! Settings of the simulated service, which can be changed at startup or while it runs.

use serde::{Deserialize, Serialize};

/// Where discovery sends the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regional {
    /// The host and port at which discovery was called.
    #[default]
    Same,
    /// The same port on the host `localhost`.
    Localhost,
    /// A second port of the simulator.
    Port,
}

/// When a download sets an order's status to "Downloaded".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkDownloaded {
    /// With the first byte: harder for a client, since an interrupted download is not announced
    /// again.
    #[default]
    Start,
    /// With the last byte.
    End,
}

/// Behaviour that applies to all accounts and orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, set by name from YAML")]
pub struct Settings {
    /// Sign-in redirects back at once, without a page.
    pub auto_approve: bool,
    /// Sign-in ends with `error=access_denied`.
    pub deny_login: bool,
    /// Lifetime of an access token.
    pub access_token_seconds: u64,
    /// A refresh returns a new refresh token and spends the old one.
    pub rotate_refresh_tokens: bool,
    /// How long a rotated refresh token still works once more; 0: not at all.
    pub refresh_grace_ms: u64,
    /// Orders can be read only with tokens from pairing, not with those from the login.
    pub pair_tokens_only: bool,
    /// The minimum interval between "get orders" calls, per account; earlier ones are refused.
    pub min_poll_interval_ms: u64,
    /// Whether discovery answers at all.
    pub discovery: bool,
    /// Discovery requires a valid access token.
    pub discovery_needs_token: bool,
    /// Endpoints whose path in discovery leads nowhere (404).
    pub discovery_wrong: Vec<String>,
    /// Endpoints that discovery omits.
    pub discovery_omit: Vec<String>,
    pub regional: Regional,
    /// Downloads answer with a redirect to a signed one-time URL on another port.
    pub redirect_to_storage: bool,
    /// Downloads answer with JSON that contains such a URL, instead of the redirect.
    pub link_to_storage: bool,
    /// Downloads have an `ETag`.
    pub etag: bool,
    /// Downloads can be resumed with `Range`.
    pub ranges: bool,
    /// Downloads announce their length; otherwise they are sent in chunks.
    pub content_length: bool,
    /// When a download sets the status to "Downloaded".
    pub mark_downloaded: MarkDownloaded,
    /// How long a downloaded order still stays in the list.
    pub list_lag_ms: u64,
    /// Notifications are sent before the files are there: this many downloads answer 404 first.
    pub early_notification: u32,
    /// How often each notification is repeated.
    pub notification_repeats: u32,
    /// Varies shapes: ids as numbers or strings, unknown fields, both spellings and date formats.
    pub vary: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auto_approve: true,
            deny_login: false,
            access_token_seconds: 3600,
            rotate_refresh_tokens: true,
            refresh_grace_ms: 0,
            pair_tokens_only: false,
            min_poll_interval_ms: 120_000,
            discovery: true,
            discovery_needs_token: true,
            discovery_wrong: Vec::new(),
            discovery_omit: Vec::new(),
            regional: Regional::default(),
            redirect_to_storage: false,
            link_to_storage: false,
            etag: true,
            ranges: true,
            content_length: true,
            mark_downloaded: MarkDownloaded::default(),
            list_lag_ms: 0,
            early_notification: 0,
            notification_repeats: 0,
            vary: true,
        }
    }
}

impl Settings {
    /// Returns these settings with the named ones replaced.
    ///
    /// # Errors
    /// Names the setting that does not exist or has the wrong type.
    pub fn patched(&self, changes: &serde_json::Value) -> Result<Self, String> {
        let changes = changes.as_object().ok_or("settings must be an object")?;
        let mut all = serde_json::to_value(self).map_err(|error| error.to_string())?;
        for (name, value) in changes {
            all[name] = value.clone();
        }
        serde_json::from_value(all).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_replaces_what_it_names_and_refuses_what_does_not_exist() {
        let changes = serde_json::json!({"regional": "port", "list_lag_ms": 5});
        let patched = Settings::default().patched(&changes).expect("valid");
        assert_eq!((patched.regional, patched.list_lag_ms), (Regional::Port, 5));
        assert!(patched.etag);
        let error =
            Settings::default().patched(&serde_json::json!({"lag": 5})).expect_err("unknown");
        assert!(error.contains("lag"), "{error}");
    }
}
