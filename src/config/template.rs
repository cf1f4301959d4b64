//! Creates a config from `config.example.yaml`, including comments, with some values filled in: the
//! one that an installer writes.

use std::fmt;

use super::rewrite::quoted_value;

/// The example as shipped.
const EXAMPLE: &str = include_str!("../../config.example.yaml");

/// The platform whose paths go into a config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Platform {
    /// Paths as in the example.
    Windows,
    /// Paths as in the Linux packages.
    Linux,
}

impl Platform {
    /// The platform that this program runs on.
    pub fn here() -> Self {
        if cfg!(windows) { Self::Windows } else { Self::Linux }
    }
}

/// A value that an installer can pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `output`
    Output,
    /// `commands`
    Commands,
    /// `labs[0].name`
    LabName,
    /// `labs[0].oauth_base`
    OauthBase,
    /// `labs[0].base_url`
    BaseUrl,
    /// `labs[0].client_id`
    ClientId,
    /// `labs[0].client_secret_file`
    ClientSecretFile,
    /// `labs[0].redirect_url`
    RedirectUrl,
    /// `labs[0].account`
    Account,
    /// `notifications.listen`
    NotificationsListen,
    /// `notifications.public_url`
    NotificationsUrl,
}

impl Field {
    /// Each field with its name on an installer's command line, its section in the example, and its
    /// key there.
    const ALL: [(Self, &str, Option<&str>, &str); 11] = [
        (Self::Output, "OUTPUT", None, "output"),
        (Self::Commands, "COMMANDS", None, "commands"),
        (Self::LabName, "LABNAME", Some("labs"), "name"),
        (Self::OauthBase, "OAUTHBASE", Some("labs"), "oauth_base"),
        (Self::BaseUrl, "BASEURL", Some("labs"), "base_url"),
        (Self::ClientId, "CLIENTID", Some("labs"), "client_id"),
        (Self::ClientSecretFile, "CLIENTSECRETFILE", Some("labs"), "client_secret_file"),
        (Self::RedirectUrl, "REDIRECTURL", Some("labs"), "redirect_url"),
        (Self::Account, "ACCOUNT", Some("labs"), "account"),
        (Self::NotificationsListen, "NOTIFICATIONSLISTEN", Some("notifications"), "listen"),
        (Self::NotificationsUrl, "NOTIFICATIONSURL", Some("notifications"), "public_url"),
    ];

    /// The field with that name, such as `OUTPUT`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, ..)| *known == name).map(|(field, ..)| *field)
    }

    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::ALL.iter().map(|(_, name, ..)| *name)
    }
}

/// A value that no config can hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritable {
    pub name: &'static str,
}

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} contains a control character, such as a line break", self.name)
    }
}

/// Fills values into the example. Values that are not given stay as in the example, so the result
/// may still say CHANGE-ME.
///
/// # Errors
/// A value cannot be written on one line.
pub fn fill(platform: Platform, values: &[(Field, String)]) -> Result<String, Unwritable> {
    let mut lines: Vec<String> = match platform {
        Platform::Windows => EXAMPLE.lines().map(str::to_owned).collect(),
        Platform::Linux => EXAMPLE.lines().map(for_linux).collect(),
    };
    for (field, name, section, key) in Field::ALL {
        let Some((_, value)) = values.iter().rev().find(|(given, _)| *given == field) else {
            continue;
        };
        if value.chars().any(char::is_control) {
            return Err(Unwritable { name });
        }
        put(&mut lines, section, key, value);
    }
    Ok(lines.join("\n") + "\n")
}

/// What differs between the systems: as the example has it for Windows, and as the Linux packages
/// need it. At most one of these is on a line.
const ON_LINUX: [(&str, &str); 12] = [
    ("as <lab>\\<account>\\<order id>\\", "as <lab>/<account>/<order id>/"),
    ("'C:\\Casedrop\\Orders'", "/srv/casedrop/orders"),
    ("'C:\\Casedrop\\.Orders.casedrop-staging'", "/srv/casedrop/.orders.casedrop-staging"),
    ("'C:\\Casedrop\\Commands'", "/srv/casedrop/commands"),
    ("'C:\\ProgramData\\Casedrop'", "/var/lib/casedrop"),
    ("'C:\\Casedrop\\tls\\certificate.pem'", "/etc/casedrop/tls/certificate.pem"),
    ("'C:\\Casedrop\\tls\\key.pem'", "/etc/casedrop/tls/key.pem"),
    ("'C:\\ProgramData\\Casedrop\\smile-lab.secret'", "/etc/casedrop/smile-lab.secret"),
    ("'C:\\ProgramData\\Casedrop\\webhook.secret'", "/etc/casedrop/webhook.secret"),
    ("'C:\\Tools\\import.exe'", "/usr/local/bin/import"),
    ("Linux: /srv/casedrop/orders", "Windows: C:\\Casedrop\\Orders"),
    ("Linux: /srv/casedrop/commands", "Windows: C:\\Casedrop\\Commands"),
];

/// One line of the example with the paths of a Linux package.
fn for_linux(line: &str) -> String {
    let is_about_windows = ["Default on Windows", "# Windows paths belong"];
    let differs = ON_LINUX.iter().find(|(windows, _)| line.contains(windows));
    match differs {
        Some((windows, linux)) if !is_about_windows.iter().any(|about| line.contains(about)) => {
            line.replace(windows, linux)
        }
        _ => line.to_owned(),
    }
}

/// Sets one key. A test makes sure that the example shows every key, so there is always a line for
/// it.
pub(super) fn put(lines: &mut [String], section: Option<&str>, key: &str, value: &str) {
    let mut inside = section.is_none();
    for line in lines {
        let name = key_of(line).map(str::to_owned);
        let name = name.as_deref();
        let is_top = line.trim_start_matches('#').starts_with(|c: char| c.is_ascii_alphabetic());
        if let (Some(section), true) = (section, is_top) {
            inside = name == Some(section);
            if inside && line.starts_with('#') {
                *line = line.replacen('#', "", 1);
            }
        }
        if inside && name == Some(key) && is_top == section.is_none() {
            *line = with_value(line, value);
            return;
        }
    }
}

/// The key on a line, active or commented out.
fn key_of(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = line.strip_prefix('#').unwrap_or(line);
    let line = line.strip_prefix("- ").unwrap_or(line);
    let (key, rest) = line.split_once(':')?;
    let is_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    (is_key && (rest.is_empty() || rest.starts_with(' '))).then_some(key)
}

/// Sets and activates the value on a line; a trailing comment stays.
fn with_value(line: &str, value: &str) -> String {
    let line = line.replacen('#', "", usize::from(line.trim_start().starts_with('#')));
    let (key, old) = line.split_once(':').unwrap_or((&line, ""));
    let comment = old.find(" #").map_or("", |at| &old[old[..at].trim_end().len()..]);
    format!("{key}: {}{comment}", quoted_value(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigFaults, Loaded, load};
    use crate::disk::RealDisk;

    fn loaded(text: &str) -> Result<Loaded, ConfigFaults> {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("casedrop.yaml");
        std::fs::write(&path, text).expect("written");
        load(&RealDisk, &path, &[])
    }

    fn values(output: &str) -> Vec<(Field, String)> {
        [
            (Field::Output, output),
            (Field::Commands, "com'mands #1"),
            (Field::LabName, "north"),
            (Field::OauthBase, "https://oauth.iterocloud.com"),
            (Field::BaseUrl, "https://api.iterocloud.com"),
            (Field::ClientId, "id: 7"),
            (Field::RedirectUrl, "https://lab.test/cb"),
            (Field::Account, "0815"),
            (Field::NotificationsListen, "0.0.0.0:9000"),
            (Field::NotificationsUrl, "https://lab.test/hook"),
        ]
        .map(|(field, value)| (field, value.to_owned()))
        .to_vec()
    }

    #[test]
    fn what_an_installer_was_given_is_what_the_config_says() {
        for platform in [Platform::Windows, Platform::Linux] {
            let text = fill(platform, &values("orders")).expect("writable");
            let config = loaded(&text).unwrap_or_else(|faults| panic!("{text}\n{faults}")).config;
            let lab = &config.labs[0];
            assert!(config.output.ends_with("orders"));
            assert!(config.commands.expect("given").ends_with("com'mands #1"));
            assert_eq!(config.labs.len(), 1);
            assert_eq!(lab.name.as_str(), "north");
            assert_eq!(lab.oauth_base.as_str(), "https://oauth.iterocloud.com/");
            assert_eq!(lab.base_url.as_str(), "https://api.iterocloud.com/");
            assert_eq!(lab.client_id, "id: 7");
            assert_eq!(lab.redirect_url.as_str(), "https://lab.test/cb");
            assert_eq!(lab.account.as_ref().expect("given").to_string(), "0815");
            let notifications = config.notifications.expect("given");
            assert_eq!(notifications.listen.to_string(), "0.0.0.0:9000");
            assert_eq!(notifications.public_url.as_str(), "https://lab.test/hook");
            // The status page's `listen` is a different key.
            assert!(text.contains("\n  #listen: \"127.0.0.1:8780\"\n"));
        }
    }

    #[test]
    fn comments_stay_and_what_is_not_given_is_as_in_the_example() {
        assert_eq!(fill(Platform::Windows, &[]).expect("writable"), EXAMPLE.replace('\r', ""));
        let one = [(Field::BaseUrl, "https://x.iterocloud.com".to_owned())];
        let text = fill(Platform::Windows, &one).expect("writable");
        let differing: Vec<_> = text.lines().zip(EXAMPLE.lines()).filter(|(a, b)| a != b).collect();
        let [(new, old)] = differing[..] else { panic!("{differing:?}") };
        assert_eq!(new, "    base_url: 'https://x.iterocloud.com'        # \"baseUrl\"");
        assert!(old.contains("CHANGE-ME"));
    }

    #[test]
    fn a_secret_is_named_by_its_file() {
        let value = [(Field::ClientSecretFile, r"C:\Secrets\a b.txt".to_owned())];
        let text = fill(Platform::Windows, &value).expect("writable");
        assert!(text.contains("\n    client_secret_file: 'C:\\Secrets\\a b.txt'\n"), "{text}");
    }

    #[test]
    fn the_last_of_two_values_counts_and_no_value_can_bring_in_another_key() {
        let twice = [(Field::Output, "a".to_owned()), (Field::Output, "b".to_owned())];
        assert!(fill(Platform::Linux, &twice).expect("writable").contains("\noutput: 'b'\n"));
        let sly = [(Field::ClientId, "x\nsecrets: file".to_owned())];
        assert_eq!(fill(Platform::Linux, &sly), Err(Unwritable { name: "CLIENTID" }));
    }

    #[test]
    fn on_linux_windows_paths_stand_only_where_they_are_called_so() {
        let text = fill(Platform::Linux, &[]).expect("writable");
        for line in text.lines().filter(|line| line.contains(":\\")) {
            let is_a_hint = line.contains("Windows") || line.contains("powershell.exe");
            assert!(is_a_hint, "{line}");
        }
        assert!(text.contains("\noutput: /srv/casedrop/orders\n"));
        assert!(text.contains("\ncommands: /srv/casedrop/commands\n"));
    }

    #[test]
    fn every_field_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Field::names().collect();
        assert_eq!(names.len(), Field::ALL.len());
        for (field, name, ..) in Field::ALL {
            assert_eq!(Field::named(name), Some(field));
        }
        assert_eq!(Field::named("output"), None);
    }
}
