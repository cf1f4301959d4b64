//! What can be changed about the simulated service, at start or while it runs.

use serde::{Deserialize, Serialize};

/// Where discovery sends the client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regional {
    /// The host and port that discovery was asked at.
    #[default]
    Same,
    /// The same port, with the host named `localhost`.
    Localhost,
    /// A second port of the simulator.
    Port,
}

/// When a download turns an order's status into "Downloaded".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MarkDownloaded {
    /// With the first byte: the harder case for a client, since a broken download is not announced
    /// again.
    #[default]
    Start,
    /// With the last byte.
    End,
}

/// Behaviour that is the same for all accounts and orders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, set by name from YAML")]
pub struct Settings {
    /// Sign-in redirects back at once, without a page.
    pub auto_approve: bool,
    /// Sign-in ends with `error=access_denied`.
    pub deny_login: bool,
    /// Life of an access token.
    pub access_token_seconds: u64,
    /// A refresh gives a new refresh token, and the old one is spent.
    pub rotate_refresh_tokens: bool,
    /// How long a refresh token that was rotated is honoured once more; 0: not at all.
    pub refresh_grace_ms: u64,
    /// Orders can only be read with tokens that pairing gave out, not with those of the login.
    pub pair_tokens_only: bool,
    /// "Get orders" is refused when asked again earlier, per account.
    pub min_poll_interval_ms: u64,
    /// Whether discovery answers at all.
    pub discovery: bool,
    /// Discovery answers only to who brings an access token that lives.
    pub discovery_needs_token: bool,
    /// Endpoints whose path in discovery leads nowhere (404).
    pub discovery_wrong: Vec<String>,
    /// Endpoints that discovery leaves out.
    pub discovery_omit: Vec<String>,
    /// Where discovery sends the client.
    pub regional: Regional,
    /// Downloads answer with a redirect to a signed one-time URL on another port.
    pub redirect_to_storage: bool,
    /// Downloads answer with JSON that holds such a URL, in place of the redirect.
    pub link_to_storage: bool,
    /// Downloads carry an `ETag`.
    pub etag: bool,
    /// Downloads can be resumed by `Range`.
    pub ranges: bool,
    /// Downloads announce their length; without it they are sent in chunks.
    pub content_length: bool,
    /// When a download turns the status into "Downloaded".
    pub mark_downloaded: MarkDownloaded,
    /// How long a downloaded order stays in the list all the same.
    pub list_lag_ms: u64,
    /// Notifications are sent before the files are there: so many downloads answer 404 first.
    pub early_notification: u32,
    /// Each notification is repeated so often.
    pub notification_repeats: u32,
    /// Ids as numbers here and strings there, unknown fields, both spellings and date forms.
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
    /// These settings with the named ones replaced.
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
