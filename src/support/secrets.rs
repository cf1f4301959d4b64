//! Finds the values that are secret in this installation.

use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::redact::{Known, USER};
use crate::config::{Config, ProxyConfig, SecretsIn, Survey};
use crate::control;
use crate::disk::{Disk, read_limited};
use crate::secrets::{FileSecrets, folder, vault};
use crate::web::gate::{CODE_FILE, read_code};

/// In bytes. Longer files are not read as secrets.
const MAX: u64 = 1 << 20;
/// A key or variable whose name contains one of these holds a secret, or the name of a file with
/// one.
const WORDS: [&str; 6] = ["secret", "password", "passwd", "token", "credential", "api_key"];
/// Additional words for command-line switches.
const KEYS: [&str; 3] = ["key", "auth", "pass"];
/// In bytes. A shorter argument is a word or a number.
const ARGUMENT: usize = 8;

/// Where to look for secrets.
pub struct Places<'a> {
    pub disk: &'a Arc<dyn Disk>,
    /// The config, if it is valid.
    pub config: Option<&'a Config>,
    /// The text of the config file, as far as it could be read.
    pub text: &'a str,
    /// What the config refers to, as far as it could be read.
    pub survey: &'a Survey,
    /// The state folder.
    pub state: &'a Path,
    pub env: &'a [(String, String)],
}

/// Returns all secret values found, and what could not be examined.
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
        let parts = webhook.url.path().split('/');
        parts.filter(|part| looks_random(part)).for_each(|part| known.secret(part));
        for (_, value) in webhook.url.query_pairs().filter(|(_, value)| looks_random(value)) {
            known.secret(&value);
        }
    }
    let args = notices.hook.iter().flat_map(|hook| &hook.args);
    let mut before = "";
    for arg in args {
        of_argument(before, arg, known);
        before = arg;
    }
}

/// Collects secrets from a hook's argument: what a switch marks as secret, and what looks like one.
fn of_argument(before: &str, arg: &str, known: &mut Known) {
    let says_secret = |key: &str| {
        let key = key.to_lowercase();
        key.starts_with('-') && WORDS.iter().chain(&KEYS).any(|word| key.contains(word))
    };
    if says_secret(before) && !arg.starts_with('-') {
        known.secret(arg);
    }
    // `--key=value`
    if let Some((key, value)) = arg.split_once('=')
        && (says_secret(key) || looks_random(value))
    {
        known.secret(value);
    }
    if looks_random(arg) {
        known.secret(arg);
    }
}

/// Whether a text is unlike a word or folder name: digits between letters, mixed case in no order,
/// or one long run.
fn looks_random(text: &str) -> bool {
    let has = |is: fn(&char) -> bool| text.chars().any(|c| is(&c));
    let pairs = || text.chars().zip(text.chars().skip(1));
    let turns = pairs().filter(|(a, b)| a.is_lowercase() && b.is_uppercase()).count();
    let letters_and_digits = has(char::is_ascii_alphabetic) && has(char::is_ascii_digit);
    let is_long = text.len() >= 24 && text.chars().all(char::is_alphanumeric);
    text.len() >= ARGUMENT
        && !text.contains(['/', '\\', ' '])
        && (letters_and_digits || turns >= 2 || is_long)
}

/// Collects the secrets in a config text, even if it is not valid: every value of a key whose name
/// marks it as secret.
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
    // These say that there is no secret.
    if matches!(value, "null" | "~" | "true" | "false" | "auto" | "vault" | "file") {
        ""
    } else {
        value
    }
}

/// Collects from a secret file: one line, or user and password.
fn of_file(text: &str, known: &mut Known) {
    let text = text.trim();
    if text.contains("-----BEGIN") {
        // A private key: every line of it.
        text.lines().filter(|line| !line.starts_with("-----")).for_each(|line| known.secret(line));
        return;
    }
    known.secret(text);
    if let Some((user, password)) = text.split_once(':') {
        known.word(user, USER);
        known.secret(password);
    }
}

/// Collects the logins and everything stored with them.
fn of_vault(places: &Places<'_>, known: &mut Known, unread: &mut Vec<String>) {
    let disk = Arc::clone(places.disk);
    let secrets = if let Some(config) = places.config {
        crate::secrets::open(&config.state, config.secrets, disk)
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

/// Collects what commands use to authenticate to the running agent, and the setup code.
fn of_agent(places: &Places<'_>, known: &mut Known) {
    let path = places.state.join(control::FILE_NAME);
    let bytes = read_limited(&**places.disk, &path, MAX).unwrap_or_default();
    let written: Option<Value> = serde_json::from_slice(&bytes).ok();
    let token = written.as_ref().and_then(|written| written["token"].as_str());
    known.secret(token.unwrap_or_default());
    if let Some(code) = read_code(&**places.disk, &places.state.join(CODE_FILE)) {
        known.secret(code.expose_secret());
    }
}

#[cfg(test)]
mod tests {
    use super::super::Redactor;
    use super::*;

    #[test]
    fn only_what_looks_random_is_taken_for_a_secret_where_nothing_says_so() {
        for word in [
            "casedrop",
            "hooks",
            "casedrop-hook",
            "services",
            "incoming-webhook",
            "MyOrders",
            "v2",
            "/usr/lib/casedrop/told.sh",
            "published",
            "orders2024/x",
            "--verbose",
            "",
        ] {
            assert!(!looks_random(word), "{word}");
        }
        for random in [
            "k3y-for-hook",
            "T024BE7LD",
            "XkTfGhWqPzLmNoRs",
            "9f86d081884c7d65",
            "B0G9QF9GZ",
            "4b825dc642cb6eb9a060e54bf8d69288",
            "qwertyuiopasdfghjklzxcvbnm",
        ] {
            assert!(looks_random(random), "{random}");
        }
        let mut known = Known::default();
        for (before, arg) in
            [("", "--password"), ("--password", "hunter"), ("x", "--auth=plainword")]
        {
            of_argument(before, arg, &mut known);
        }
        let redactor = Redactor::new(known);
        assert!(redactor.finds("it is hunter.") && redactor.finds("it is plainword."));
        assert!(!redactor.finds("--password, --auth, casedrop"));
    }

    #[test]
    fn no_word_of_the_program_is_a_secret() {
        let mut known = Known::default();
        known.secret("casedrop");
        known.secret("Casedrop");
        let redactor = Redactor::new(known);
        assert!(!redactor.finds("casedrop 1.0: https://hooks.example/casedrop"));
    }

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
