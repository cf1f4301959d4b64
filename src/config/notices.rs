//! Notices to other programs and to people, checked.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::build::Builder;
use super::raw_notices::{MailOnly, MailSecurity, RawHook, RawMail, RawNotices, RawWebhook};
use super::scalars::PathText;
use crate::notices::sign::Key;

/// Who to notify. All of it is optional.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    /// A program to run for each published order.
    pub hook: Option<HookConfig>,
    /// A web server that receives signed messages.
    pub webhook: Option<WebhookConfig>,
    /// People who receive a digest by mail.
    pub mail: Option<MailConfig>,
}

/// A program to run for each published order.
#[derive(Debug, Clone)]
pub struct HookConfig {
    /// Absolute path.
    pub program: PathBuf,
    pub args: Vec<String>,
    /// The program is terminated after this long.
    pub timeout: Duration,
}

/// A web server that receives signed messages.
#[derive(Debug, Clone)]
pub struct WebhookConfig {
    pub url: Url,
    /// The key that signs the messages; checked.
    pub secret: SecretString,
    /// How long an event waits for others to be sent along with it.
    pub batch: Duration,
}

/// People who receive a digest by mail.
#[derive(Debug, Clone)]
pub struct MailConfig {
    pub server: String,
    pub port: u16,
    /// How the connection is protected.
    pub security: MailSecurity,
    /// User and password, if the server needs them.
    pub login: Option<(String, SecretString)>,
    pub from: Mailbox,
    /// At least one.
    pub to: Vec<Mailbox>,
    /// Time between two digests.
    pub every: Duration,
    /// Whether to send a digest even if nothing needs attention.
    pub only: MailOnly,
}

impl Builder<'_> {
    pub(super) fn notices(&mut self, raw: RawNotices) -> Notices {
        Notices {
            hook: raw.hook.and_then(|raw| self.hook(raw)),
            webhook: raw.webhook.and_then(|raw| self.webhook(raw)),
            mail: raw.mail.and_then(|raw| self.mail(raw)),
        }
    }

    fn hook(&mut self, raw: RawHook) -> Option<HookConfig> {
        let mut words = raw.run?.into_iter();
        let program = PathBuf::from(words.next()?);
        let args: Vec<String> = words.collect();
        if !program.is_absolute() {
            let reason = format!("`{}` is not a full path", program.display());
            let hint = "write the full path of the program; to run a script, write its interpreter \
                        first and the script as an argument";
            self.fault("notices.hook.run[0]", reason, hint);
            return None;
        }
        if let Some(index) = args.iter().position(|arg| arg.contains('\0')) {
            let key = format!("notices.hook.run[{}]", index + 1);
            self.fault(&key, "it contains a NUL character", "remove it");
            return None;
        }
        self.survey.hook = Some(program.clone());
        Some(HookConfig { program, args, timeout: raw.timeout.0 })
    }

    fn webhook(&mut self, raw: RawWebhook) -> Option<WebhookConfig> {
        let key = "notices.webhook.secret_file";
        self.note_secret(key, raw.secret_file.as_ref());
        let secret = raw.secret_file.as_ref().and_then(|text| match self.secret_file(text) {
            Ok(secret) => Some(secret),
            Err((reason, hint)) => {
                self.fault(key, reason, hint);
                None
            }
        })?;
        if let Err(bad) = Key::parse(secret.expose_secret()) {
            let hint = "write `whsec_` and 24 to 64 random bytes in base64, such as the output of \
                        `openssl rand -base64 32`; the receiver needs the same";
            self.fault(key, bad.to_string(), hint);
            return None;
        }
        Some(WebhookConfig { url: raw.url?.0, secret, batch: raw.batch.0 })
    }

    fn mail(&mut self, raw: RawMail) -> Option<MailConfig> {
        let server = raw.server.and_then(|text| self.mail_server(&text));
        let from = raw.from.and_then(|text| self.mail_address("notices.mail.from", &text));
        let to: Vec<Mailbox> = (raw.to?.iter().enumerate())
            .filter_map(|(index, text)| {
                self.mail_address(&format!("notices.mail.to[{index}]"), text)
            })
            .collect();
        let login = self.mail_login(raw.user, raw.password_file.as_ref());
        let server = server?;
        if raw.security == MailSecurity::None && !is_loopback(&server) {
            let reason = if login.is_some() {
                format!("mails and the password travel to {server} unencrypted")
            } else {
                format!("mails travel to {server} unencrypted")
            };
            let hint = "write `starttls` or `tls`, unless the server is in your own network";
            self.warn("notices.mail.security", reason, hint);
        }
        let port = raw.port.unwrap_or(match raw.security {
            MailSecurity::Starttls => 587,
            MailSecurity::Tls => 465,
            MailSecurity::None => 25,
        });
        Some(MailConfig {
            server,
            port,
            security: raw.security,
            login,
            from: from?,
            to,
            every: raw.every.0,
            only: raw.only,
        })
    }

    fn mail_server(&mut self, text: &str) -> Option<String> {
        let name = text.trim();
        if Host::parse(name).is_ok() || name.parse::<std::net::IpAddr>().is_ok() {
            return Some(name.to_owned());
        }
        let hint = "write its name only, such as smtp.example.com; the port has its own key";
        self.fault("notices.mail.server", format!("`{name}` is not a server name"), hint);
        None
    }

    fn mail_address(&mut self, key: &str, text: &str) -> Option<Mailbox> {
        match text.trim().parse() {
            Ok(address) => Some(address),
            Err(error) => {
                let hint = "write it as lab@example.com, or as 'Lab <lab@example.com>'";
                self.fault(key, format!("`{text}` is not a mail address ({error})"), hint);
                None
            }
        }
    }

    fn mail_login(
        &mut self,
        user: Option<String>,
        password_file: Option<&PathText>,
    ) -> Option<(String, SecretString)> {
        self.note_secret("notices.mail.password_file", password_file);
        let password = password_file.map(|text| self.secret_file(text)).transpose().unwrap_or_else(
            |(reason, hint)| {
                self.fault("notices.mail.password_file", reason, hint);
                None
            },
        );
        match (user, password_file) {
            (Some(user), Some(_)) => Some((user.trim().to_owned(), password?)),
            (Some(_), None) => {
                let hint = "set `password_file` to a file that contains the password";
                self.fault("notices.mail.user", "a user without a password", hint);
                None
            }
            (None, Some(_)) => {
                let hint = "set `user` to the user's name, or leave both out";
                self.fault("notices.mail.password_file", "a password without a user", hint);
                None
            }
            (None, None) => None,
        }
    }
}

fn is_loopback(server: &str) -> bool {
    match server.parse::<std::net::IpAddr>() {
        Ok(ip) => ip.is_loopback(),
        Err(_) => server.eq_ignore_ascii_case("localhost"),
    }
}
