//! Which values are secret in this installation.

use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::redact::{Known, USER};
use crate::config::{Config, ProxyConfig, SecretsIn, Survey};
use crate::control;
use crate::disk::{Disk, read_limited};
use crate::secrets::{FileSecrets, folder, vault};

/// The longest file that holds a secret.
const MAX: u64 = 1 << 20;
/// Keys and variables whose names hold one of these have a secret as their value, or the name of a file
/// with one.
const WORDS: [&str; 6] = ["secret", "password", "passwd", "token", "credential", "api_key"];
/// A shorter argument of a program is taken for a switch.
const ARGUMENT: usize = 8;

/// What secrets are looked for in.
pub struct Places<'a> {
    /// The file system.
    pub disk: &'a Arc<dyn Disk>,
    /// The config, if it is one that can be run.
    pub config: Option<&'a Config>,
    /// The config file's text, as far as it could be read.
    pub text: &'a str,
    /// What the config names, as far as it could be read.
    pub survey: &'a Survey,
    /// The state folder.
    pub state: &'a Path,
    /// The environment variables.
    pub env: &'a [(String, String)],
}

/// All secret values that can be found, and what could not be looked into.
pub fn find(places: &Places<'_>) -> (Known, Vec<String>) {
    let mut known = Known::default();
    let mut unread = Vec::new();
    if let Some(config) = places.config {
        of_config(config, &mut known);
    }
    of_text(places.text, &mut known);
    for (name, value) in places.env {
        let folded = name.to_lowercase();
        if folded.starts_with("casedrop_") && WORDS.iter().any(|word| folded.contains(word)) {
            known.secret(value);
        }
    }
    for (_, path) in &places.survey.secret_files {
        match read_limited(&**places.disk, path, MAX) {
            Ok(bytes) => of_file(&String::from_utf8_lossy(&bytes), &mut known),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => unread.push(format!("{error}: {}", error.source)),
        }
    }
    of_vault(places, &mut known, &mut unread);
    of_agent(places, &mut known);
    (known, unread)
}

fn of_config(config: &Config, known: &mut Known) {
    for lab in &config.labs {
        if let Some(secret) = &lab.client_secret {
            known.secret(secret.expose_secret());
        }
    }
    let login = |(user, password): &(String, secrecy::SecretString), known: &mut Known| {
        let password = password.expose_secret();
        known.secret(password);
        known.secret(&format!("{user}:{password}"));
        known.word(user, USER);
    };
    if let ProxyConfig::Named(proxy) = &config.proxy
        && let Some(pair) = &proxy.login
    {
        login(pair, known);
    }
    let notices = &config.notices;
    if let Some(mail) = &notices.mail
        && let Some(pair) = &mail.login
    {
        login(pair, known);
    }
    if let Some(webhook) = &notices.webhook {
        known.secret(webhook.secret.expose_secret());
        known.secret(webhook.secret.expose_secret().trim_start_matches("whsec_"));
        known.secret(webhook.url.as_str());
        let place = webhook.url.path().trim_matches('/');
        if place.len() >= ARGUMENT {
            known.secret(place);
        }
        known.secret(webhook.url.query().unwrap_or_default());
    }
    let args = notices.hook.iter().flat_map(|hook| &hook.args);
    for arg in args.filter(|arg| arg.len() >= ARGUMENT) {
        known.secret(arg);
        // `--key=value`
        known.secret(arg.split_once('=').map_or("", |(_, value)| value));
    }
}

/// What a config's text says of secrets, also where it is no config: each value behind a key whose name
/// tells that it is one.
fn of_text(text: &str, known: &mut Known) {
    let lines: Vec<&str> = text.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        let folded = line.to_ascii_lowercase();
        for word in WORDS {
            for (at, _) in folded.match_indices(word) {
                let Some(sign) = line[at..].find([':', '=']).map(|sign| at + sign) else {
                    continue;
                };
                let is_key = |c: char| c.is_alphanumeric() || "_-\"' ".contains(c);
                if !line[at..sign].chars().all(is_key) {
                    continue;
                }
                let value = line[sign + 1..].trim();
                known.secret(unquoted(value));
                // In a list the value ends earlier.
                let end = value.find([',', '}', '#']).unwrap_or(value.len());
                known.secret(unquoted(value[..end].trim()));
                if matches!(value, "" | "|" | ">" | "|-" | ">-") {
                    known.secret(unquoted(lines.get(number + 1).map_or("", |next| next.trim())));
                }
            }
        }
    }
}

fn unquoted(value: &str) -> &str {
    let value = value.trim_matches(['"', '\'', '[', ']', '{', '}']);
    // These say that there is none.
    if matches!(value, "null" | "~" | "true" | "false" | "auto" | "vault" | "file") {
        ""
    } else {
        value
    }
}

/// A secret's file: one line, or a user and a password.
fn of_file(text: &str, known: &mut Known) {
    let text = text.trim();
    if text.contains("-----BEGIN") {
        // A private key: each line of it.
        text.lines().filter(|line| !line.starts_with("-----")).for_each(|line| known.secret(line));
        return;
    }
    known.secret(text);
    if let Some((user, password)) = text.split_once(':') {
        known.word(user, USER);
        known.secret(password);
    }
}

/// Logins and what else lies with them.
fn of_vault(places: &Places<'_>, known: &mut Known, unread: &mut Vec<String>) {
    let disk = Arc::clone(places.disk);
    let secrets = if let Some(config) = places.config {
        crate::secrets::open(config, disk)
    } else {
        let vaults = vault::of_system(&disk, &folder(places.state));
        FileSecrets::with_vaults(disk, places.state, SecretsIn::Auto, vaults)
    };
    let (values, not_read) = secrets.values();
    for value in values {
        known.secret(value.expose_secret());
    }
    unread.extend(not_read);
}

/// What commands show to the running agent.
fn of_agent(places: &Places<'_>, known: &mut Known) {
    let path = places.state.join(control::FILE_NAME);
    let Ok(bytes) = read_limited(&**places.disk, &path, MAX) else { return };
    let written: Option<Value> = serde_json::from_slice(&bytes).ok();
    let token = written.as_ref().and_then(|written| written["token"].as_str());
    known.secret(token.unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::super::Redactor;
    use super::*;

    #[test]
    fn secrets_are_found_in_a_text_that_is_no_config() {
        let text = "labs:\n  - client_secret: 'hush hush' # it\n    client_secret_file: {\n\
                    notices: { mail: { password: tell-nobody, port: 25 }, x: [\n\
                    webhook_token: >-\n  folded-secret\nsecrets: auto\nCLIENT_SECRET=envlike-value\n";
        let mut known = Known::default();
        of_text(text, &mut known);
        let redactor = Redactor::new(known);
        for word in ["hush hush", "tell-nobody", "folded-secret", "envlike-value"] {
            assert!(redactor.finds(&format!("it is {word}.")), "{word}");
        }
        assert!(!redactor.finds("port: 25, auto, labs, mail, webhook"));
    }
}
