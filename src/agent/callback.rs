//! The URL that Align calls with scan notifications: the config's public URL plus a long random
//! segment of ours, since Align signs nothing. Anyone who knows it can send notifications, so it is
//! a secret: one per installation, kept with the logins.

use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::config::Config;
use crate::disk::random_text;
use crate::model::fault::Fault;
use crate::secrets::SecretStore;

/// The name of the secret in the store.
pub const CALLBACK_SECRET: &str = "callback";
/// Random bytes of a new secret: 256 bits.
const BYTES: usize = 32;
/// A shorter one was not created by us.
const SHORTEST: usize = 32;

/// Returns the callback URL to give to Align; `None` if the config wants no notifications. Its
/// secret is created by the first call and then stays the same, so the URL changes only if the
/// config's public URL does, or if the secret was removed.
///
/// # Errors
/// The secret cannot be read, or a new one cannot be stored.
pub fn callback_url(config: &Config, secrets: &dyn SecretStore) -> Result<Option<Url>, Fault> {
    let Some(notifications) = &config.notifications else { return Ok(None) };
    Ok(Some(with_secret(&notifications.public_url, &callback_secret(secrets)?)))
}

/// Like [`callback_url`], but never creates the secret: `None` also if there is none yet.
///
/// # Errors
/// The secret cannot be read.
pub fn existing_callback_url(
    config: &Config,
    secrets: &dyn SecretStore,
) -> Result<Option<Url>, Fault> {
    let Some(notifications) = &config.notifications else { return Ok(None) };
    let secret = secrets.load_text(CALLBACK_SECRET)?.filter(is_usable);
    Ok(secret.map(|secret| with_secret(&notifications.public_url, &secret)))
}

fn with_secret(public_url: &Url, secret: &SecretString) -> Url {
    let mut url = public_url.clone();
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{path}/{}", secret.expose_secret()));
    url
}

/// Returns the secret segment of the callback URL, creating it if there is none yet.
///
/// # Errors
/// It cannot be read, or a new one cannot be stored.
pub fn callback_secret(secrets: &dyn SecretStore) -> Result<SecretString, Fault> {
    let make = || random_text::<BYTES>("no-randomness").map(Into::into);
    secrets.ensure_text(CALLBACK_SECRET, &is_usable, &make)
}

/// Whether it is a single path segment and long enough.
fn is_usable(secret: &SecretString) -> bool {
    let text = secret.expose_secret();
    text.len() >= SHORTEST
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::disk::RealDisk;
    use crate::secrets::{FileSecrets, MemorySecrets};

    fn config(notifications: &str) -> Config {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("casedrop.yaml");
        let yaml = format!(
            "output: orders\nstate: state\nlabs:\n  - name: lab\n    oauth_base: \
             https://oauth.iterocloud.com\n    base_url: https://base.iterocloud.com\n    client_id: \
             abc\n    redirect_url: https://lab.example/cb\n{notifications}"
        );
        std::fs::write(&path, yaml).expect("written");
        crate::config::load(&RealDisk, &path, &[]).expect("a config").config
    }

    #[test]
    fn the_url_ends_in_a_long_secret_that_stays_the_same() {
        let secrets = MemorySecrets::new();
        let with = |url: &str| {
            let config = config(&format!("notifications: {{ public_url: '{url}' }}\n"));
            callback_url(&config, &secrets).expect("made").expect("wanted").to_string()
        };
        let url = with("https://lab.example/itero/");
        let secret = url.strip_prefix("https://lab.example/itero/").expect("below the public URL");
        assert_eq!(secret.len(), 64);
        assert!(secret.chars().all(|c| c.is_ascii_hexdigit()));
        assert_eq!(with("https://lab.example/itero"), url, "a slash more or less is the same");
        assert_eq!(with("https://other.example"), format!("https://other.example/{secret}"));
    }

    #[test]
    fn whoever_looks_the_url_up_makes_none() {
        let secrets = MemorySecrets::new();
        let config = config("notifications: { public_url: 'https://lab.example/itero' }\n");
        assert_eq!(existing_callback_url(&config, &secrets).expect("read"), None);
        assert!(secrets.load_text(CALLBACK_SECRET).expect("read").is_none());
        let made = callback_url(&config, &secrets).expect("made");
        assert_eq!(existing_callback_url(&config, &secrets).expect("read"), made);
    }

    #[test]
    fn every_installation_has_a_secret_of_its_own_and_a_spoilt_one_is_replaced() {
        let (one, other) = (MemorySecrets::new(), MemorySecrets::new());
        let secret = |secrets| callback_secret(secrets).expect("made").expose_secret().to_owned();
        assert_ne!(secret(&one), secret(&other));
        one.save_text(CALLBACK_SECRET, &"a/../short".into()).expect("saved");
        assert_eq!(secret(&one).len(), 64);
    }

    #[test]
    fn all_who_ask_for_the_secret_at_the_same_time_get_the_same_one() {
        for _ in 0..20 {
            let dir = tempfile::tempdir().expect("tempdir");
            let store = || FileSecrets::new(Arc::new(RealDisk), dir.path());
            let all: BTreeSet<_> = std::thread::scope(|scope| {
                let ask = || callback_secret(&store()).expect("made").expose_secret().to_owned();
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
                threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
            });
            let stored = store().load_text(CALLBACK_SECRET).expect("read").expect("there");
            assert_eq!(all, BTreeSet::from([stored.expose_secret().to_owned()]));
        }
    }

    #[test]
    fn without_notifications_there_is_neither_url_nor_secret() {
        let secrets = MemorySecrets::new();
        assert_eq!(callback_url(&config(""), &secrets).expect("fine"), None);
        assert!(secrets.load_text(CALLBACK_SECRET).expect("read").is_none());
    }
}
