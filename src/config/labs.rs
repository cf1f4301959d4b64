//! Checks the labs of a config: names must work as folders, tokens may go to the URLs, secrets are
//! where the config says, and no two labs would request the same orders.

use std::io;

use secrecy::SecretString;
use url::Url;

use super::build::{Builder, Labs};
use super::raw::Lab;
use super::scalars::PathText;
use super::values;
use super::{HoldBack, LabConfig};
use crate::disk::read_limited;
use crate::model::ids::{AccountId, LabName};

const MAX_SECRET_FILE: u64 = 64 * 1024;

impl Builder<'_> {
    pub(super) fn labs(&mut self, raw: Vec<Lab>, allowed: &[String], hold: HoldBack) -> Labs {
        let mut complete = Some(Vec::new());
        let mut base_urls = Vec::new();
        let mut names: Vec<(String, String)> = Vec::new();
        let mut logins: Vec<(Url, String, String)> = Vec::new();
        for (index, lab) in raw.into_iter().enumerate() {
            let key = format!("labs[{index}]");
            if let Some(name) = &lab.name {
                self.unique_name(&key, name, &mut names);
            }
            let base_url = lab.base_url.as_ref().map(|url| url.0.clone());
            base_urls.push(base_url.clone());
            if let (Some(url), Some(account)) = (base_url, &lab.account) {
                let login = (url, account.trim().to_owned(), key.clone());
                self.unique_account(&key, login, &mut logins);
            }
            match (self.lab(&key, lab, allowed, hold), &mut complete) {
                (Some(lab), Some(all)) => all.push(lab),
                _ => complete = None,
            }
        }
        Labs { complete, base_urls }
    }

    fn unique_name(&mut self, key: &str, name: &str, names: &mut Vec<(String, String)>) {
        let folded = name.trim().to_lowercase();
        if let Some((_, other)) = names.iter().find(|(taken, _)| *taken == folded) {
            let reason =
                format!("{other} is also named `{name}`; upper and lower case make no difference");
            self.fault(&format!("{key}.name"), reason, "give each lab its own name");
        } else {
            names.push((folded, key.to_owned()));
        }
    }

    fn unique_account(
        &mut self,
        key: &str,
        login: (Url, String, String),
        logins: &mut Vec<(Url, String, String)>,
    ) {
        let taken = logins.iter().find(|other| other.0 == login.0 && other.1 == login.1);
        if let Some((.., other)) = taken {
            let reason = format!("account {} is already mirrored by {other}", login.1);
            let hint = "use each account only once: Align limits polls per account";
            self.fault(&format!("{key}.account"), reason, hint);
        } else {
            logins.push(login);
        }
    }

    fn lab(
        &mut self,
        key: &str,
        raw: Lab,
        allowed: &[String],
        hold: HoldBack,
    ) -> Option<LabConfig> {
        let name = raw.name.and_then(|name| self.name(key, &name));
        for (field, url) in [("oauth_base", &raw.oauth_base), ("base_url", &raw.base_url)] {
            if let Some(url) = url {
                self.allowed(&format!("{key}.{field}"), &url.0, allowed);
            }
        }
        if let Some(url) = &raw.redirect_url
            && url.0.fragment().is_some()
        {
            let hint = "register a redirect URL without `#` with Align, and use that one";
            self.fault(&format!("{key}.redirect_url"), "the URL contains a `#`", hint);
        }
        let account = raw.account.and_then(|text| match text.parse::<AccountId>() {
            Ok(account) => Some(account),
            Err(error) => {
                let hint = "write the number that `casedrop accounts` shows";
                self.fault(&format!("{key}.account"), error.to_string(), hint);
                None
            }
        });
        if raw.client_id.as_ref().is_some_and(|id| id.chars().any(char::is_control)) {
            let hint = "write it as Align gave it, on one line";
            self.fault(&format!("{key}.client_id"), "it contains a control character", hint);
        }
        let literal = raw.client_secret.map(|secret| secret.0);
        let client_secret = self.secret(key, literal, raw.client_secret_file.as_ref());
        Some(LabConfig {
            name: name?,
            oauth_base: raw.oauth_base?.0,
            base_url: raw.base_url?.0,
            client_id: raw.client_id?.trim().to_owned(),
            client_secret,
            redirect_url: raw.redirect_url?.0,
            account,
            holds: raw.hold.unwrap_or(hold) == HoldBack::Incomplete,
        })
    }

    fn name(&mut self, key: &str, text: &str) -> Option<LabName> {
        let key = format!("{key}.name");
        let hint = "use letters, digits, `-` and `_`, such as smile-lab: the name becomes a folder \
                    in the output";
        let name = match text.parse::<LabName>() {
            Ok(name) => name,
            Err(error) => {
                self.fault(&key, error.to_string(), hint);
                return None;
            }
        };
        // Commands and file names contain it, too.
        let odd = name.as_str().chars().find(|c| !c.is_alphanumeric() && !matches!(c, '-' | '_'));
        if let Some(odd) = odd {
            let odd = if odd == ' ' { "a blank".to_owned() } else { format!("`{odd}`") };
            self.fault(&key, format!("the name `{name}` contains {odd}"), hint);
        } else if name.dir_name() != name.as_str() {
            let reason = format!("`{name}` is not a valid folder name on every system");
            self.fault(&key, reason, hint);
        }
        Some(name)
    }

    /// Checks that tokens may go to this URL: its host must be an allowed one, or this PC.
    fn allowed(&mut self, key: &str, url: &Url, allowed: &[String]) {
        let host = url.host_str().unwrap_or_default();
        if !values::is_loopback(url) && !values::is_below(host, allowed) {
            let reason = format!("`{host}` is not one of the hosts that logins may be sent to");
            let hint = format!(
                "check the URL; if Align really gave it, add its domain to `api.allowed_hosts`, \
                 which contains {}",
                if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") }
            );
            self.fault(key, reason, hint);
        }
        if url.query().is_some() || url.fragment().is_some() {
            self.fault(key, "the URL contains a query or fragment", "write it without `?` and `#`");
        }
    }

    fn secret(
        &mut self,
        key: &str,
        literal: Option<SecretString>,
        file: Option<&PathText>,
    ) -> Option<SecretString> {
        let literal_key = format!("{key}.client_secret");
        let file_key = format!("{key}.client_secret_file");
        self.note_secret(&file_key, file);
        match (literal, file) {
            (Some(_), Some(_)) => {
                let hint = "keep one of the two, preferably the file";
                self.fault(&literal_key, "`client_secret_file` is set too", hint);
                None
            }
            (Some(secret), None) => {
                if !self.is_from_env(&literal_key) {
                    let reason = "the client secret is in the config, readable by anyone who can \
                                  read that file";
                    let hint = "put it into a separate file that only the agent's user may read, \
                                and set `client_secret_file` to that file";
                    self.warn(&literal_key, reason, hint);
                }
                Some(secret)
            }
            (None, Some(text)) => match self.secret_file(text) {
                Ok(secret) => Some(secret),
                Err((reason, hint)) => {
                    self.fault(&file_key, reason, hint);
                    None
                }
            },
            (None, None) => None,
        }
    }

    /// Records where a secret is, so that a check can look who can read it.
    pub(super) fn note_secret(&mut self, key: &str, file: Option<&PathText>) {
        if let Some(text) = file {
            let path = self.path(text);
            self.survey.secret_files.push((key.to_owned(), path));
        }
    }

    /// Reads a secret that is the whole content of a file.
    pub(super) fn secret_file(
        &self,
        text: &PathText,
    ) -> Result<SecretString, (String, &'static str)> {
        let path = self.path(text);
        let shown = path.display();
        let bytes = read_limited(self.disk, &path, MAX_SECRET_FILE).map_err(|error| match error
            .kind()
        {
            io::ErrorKind::NotFound => (
                format!("there is no file at {shown}"),
                "create that file, with the secret as its only content",
            ),
            io::ErrorKind::FileTooLarge => (
                format!("{shown} is too large to be a secret"),
                "use a file that contains the secret and nothing else",
            ),
            _ => (
                format!("cannot read {shown}: {}", error.source),
                "check that it is a file and that the agent's user may read it",
            ),
        })?;
        let text = String::from_utf8(bytes).map_err(|_| {
            (format!("{shown} is not in UTF-8"), "save it as UTF-8, or as plain ASCII")
        })?;
        let secret = text.trim_start_matches('\u{FEFF}').trim();
        if secret.is_empty() || secret.chars().any(char::is_control) {
            return Err((
                format!("{shown} does not contain a secret on a single line"),
                "write the secret into it and nothing else",
            ));
        }
        Ok(secret.to_owned().into())
    }
}
